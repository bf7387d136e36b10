// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// request names a request of another server: sequence numbers start at 0 in every
// process, so the sender belongs to it (AAP-D-14).
type request struct {
	from netip.AddrPort
	rseq uint32
}

// heardSets are the preallocations, or claims, of other servers.
type heardSets struct {
	entries map[request]*heardSet
	ranges  int   // of all entries
	reason  block // not to choose them
}

type heardSet struct {
	ranges []TimedRange
	last   time.Time // when it was heard
	over   timer
}

// hearSet replaces what another server preallocates, or claims, by one request; by
// nothing if that has ended. It is forgotten at its end, or after keep if that
// is not 0.
func (m *MAAS) hearSet(now time.Time, l *heardSets, k request, ranges []TimedRange, keep time.Duration) {
	e := l.entries[k]
	if e == nil {
		if len(ranges) == 0 {
			return
		}
		if len(l.entries) >= m.cfg.MaxPreallocations {
			m.stats.Overflows++
			return
		}
		e = &heardSet{}
		e.over.fire = func(now time.Time) {
			if keep > 0 {
				m.hearSet(now, l, k, nil, keep)
			} else {
				last := e.last
				m.hearSet(now, l, k, live(e.ranges, now), 0)
				e.last = last
			}
		}
		l.entries[k] = e
	}
	if l.ranges-len(e.ranges)+len(ranges) > m.cfg.MaxHeard {
		m.stats.Overflows++
		ranges = nil
	}
	if old, is := Addrs(e.ranges), Addrs(ranges); !old.Equal(is) {
		m.blockSet(is, l.reason)
		m.blockSet(old, block{-l.reason.hard, -l.reason.weak})
	}
	l.ranges += len(ranges) - len(e.ranges)
	e.ranges, e.last = ranges, now
	if len(ranges) == 0 {
		m.disarm(&e.over)
		delete(l.entries, k)
		return
	}
	due := now.Add(keep)
	if keep == 0 {
		due = ranges[0].End
		for _, r := range ranges {
			due = earlier(due, r.End)
		}
	}
	m.arm(&e.over, due)
}

// silent returns what somebody preallocated who has not announced it since.
func (l *heardSets) silent(since time.Time) scope.Set {
	var b scope.SetBuilder
	for _, e := range l.entries {
		if e.last.Before(since) {
			b.AddSet(Addrs(e.ranges))
		}
	}
	s, _ := b.Set()
	return s
}

// holds reports whether a request of a sender names any address of r.
func (l *heardSets) holds(from netip.AddrPort, r scope.Range) bool {
	for k, e := range l.entries {
		if k.from == from && Addrs(e.ranges).OverlapsRange(r) {
			return true
		}
	}
	return false
}
