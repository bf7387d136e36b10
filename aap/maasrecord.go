// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// block counts why an address is not free. The hard reasons: it is reserved,
// allocated, or claimed by anybody, or preallocated by us. The weak one: others
// preallocated it, which yields to a claim.
type block struct{ hard, weak int32 }

func (b block) isFree() bool { return b == block{} }
func (b block) isWeak() bool { return b.hard == 0 && b.weak > 0 }

// block adds reasons to all addresses of r, or takes them away, and keeps what is
// free on the shelves.
func (m *MAAS) block(r scope.Range, more block) {
	m.blocks.update(r, func(r scope.Range, was block, _ bool) (block, bool) {
		is := block{was.hard + more.hard, was.weak + more.weak}
		m.reshelve(r, was, is)
		return is, !is.isFree()
	})
}

func (m *MAAS) blockSet(s scope.Set, more block) {
	for r := range s.Ranges() {
		m.block(r, more)
	}
}

// The reasons, and how the hard ones go.
var (
	taken, untaken = block{hard: 1}, block{hard: -1}
	preallocated   = block{weak: 1}
)

// hear records that r is allocated by others until end, or no longer if that has
// passed.
func (m *MAAS) hear(now time.Time, r scope.Range, end time.Time) {
	alive := end.After(now)
	if p, ok := m.heard.at(r.First()); alive && ok && p.v == end && p.r.Covers(r) {
		return // nothing new
	}
	if m.heard.len()+2 > m.cfg.MaxHeard && m.growth(r, alive) > m.cfg.MaxHeard-m.heard.len() {
		m.stats.Overflows++
		return
	}
	m.heard.update(r, func(r scope.Range, _ time.Time, was bool) (time.Time, bool) {
		switch {
		case alive && !was:
			m.block(r, taken)
		case was && !alive:
			m.block(r, untaken)
		}
		return end, alive
	})
	m.learned(now)
}

// growth returns by how many ranges the record can grow when r is set or cut out.
func (m *MAAS) growth(r scope.Range, set bool) int {
	n := 0
	if set {
		n = 1
	}
	for _, a := range [...]netip.Addr{r.First(), r.Last()} {
		if p, ok := m.heard.at(a); ok && (a == r.First() && p.r.First() != a || a == r.Last() && p.r.Last() != a) {
			n++
		}
	}
	for p := range m.heard.in(r) {
		if whole, _ := m.heard.at(p.r.First()); whole.r == p.r {
			n--
		}
	}
	return n
}

// expire forgets what others allocated and has ended.
func (m *MAAS) expire(now time.Time) {
	for _, p := range m.heard.removeEnded(now) {
		m.block(p.r, untaken)
		m.settleConflict(p.r)
	}
	m.setSweep()
}

// learned has what was heard stored before long. What is our own is stored at once.
func (m *MAAS) learned(now time.Time) {
	if m.unstored.IsZero() {
		m.unstored = now.Add(m.cfg.Timing.RepeatInterval)
	}
	m.setSweep()
}

// setSweep sets the timer for the next record to forget or to store.
func (m *MAAS) setSweep() {
	due := m.heard.earliest()
	if !m.unstored.IsZero() && (due.IsZero() || m.unstored.Before(due)) {
		due = m.unstored
	}
	if m.state == stopped || due.IsZero() {
		m.disarm(&m.sweeper)
	} else if !m.sweeper.armed() || !m.sweeper.due.Equal(due) {
		m.arm(&m.sweeper, due)
	}
}

// sweep does what is due of that.
func (m *MAAS) sweep(now time.Time) {
	m.expire(now)
	if !m.unstored.IsZero() && !m.unstored.After(now) {
		m.persist()
	}
}

// persist asks for the snapshot to be stored.
func (m *MAAS) persist() {
	m.unstored = time.Time{}
	m.emit(Persist{})
	m.setSweep()
}

// hits returns what is allocated of a set at now, by us or others, with the ends
// we know, cut to the space (AAP-D-27, AAP-D-33). It looks from an address on, and
// returns at most limit ranges and where to go on, the zero Addr if nowhere. There
// may be more even if it returns none.
func (m *MAAS) hits(now time.Time, asked scope.Set, from netip.Addr, limit int) (found []TimedRange, next netip.Addr) {
	for r := range asked.Ranges() {
		if from.IsValid() && r.Last().Less(from) {
			continue
		}
		if from.IsValid() && r.First().Less(from) {
			r = rangeOf(from, r.Last())
		}
		heard, end := some(&m.heard, r, limit, func(end time.Time) time.Time { return end })
		own, end2 := some(&m.held, r, limit, func(h *holding) time.Time { return h.end })
		if end2.Less(end) {
			end = end2
		}
		found = append(found, cut(overlay(heard, own, func(theirs, ours time.Time) time.Time {
			if ours.IsZero() {
				return theirs
			}
			return ours // where both hold an address
		}), []TimedRange{{rangeOf(r.First(), end), forever}})...)
		if len(found) > limit {
			found = found[:limit]
		}
		if len(found) == limit {
			end = found[limit-1].Range.Last()
		}
		if len(found) == limit || end.Less(r.Last()) {
			if end != asked.Bounds().Last() {
				next = end.Next()
			}
			break
		}
	}
	return m.inSpace(now, found), next
}

// inSpace cuts what is allocated to the space, and to what is in force.
func (m *MAAS) inSpace(now time.Time, ranges []TimedRange) []TimedRange {
	if m.cfg.Large && !m.space.Received.IsZero() {
		ranges = cut(ranges, m.space.Ranges)
	}
	return live(ranges, now)
}

// some returns up to limit entries within r, and the address up to which that is
// all of them.
func some[V comparable](t *intervals[V], r scope.Range, limit int, end func(V) time.Time) (list []TimedRange, upTo netip.Addr) {
	for p := range t.in(r) {
		if list = append(list, TimedRange{p.r, end(p.v)}); len(list) == limit {
			return list, p.r.Last()
		}
	}
	return list, r.Last()
}
