// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// hold is a reservation that an OFFER promises.
type hold struct {
	key        idKey
	id         LeaseIdentifier
	from       netip.AddrPort
	server     netip.Addr
	family     AddrFamily
	until      time.Time
	busy       bool  // the allocator is being asked about this Lease Identifier
	prev, next *hold // in the order of until
}

// holdList keeps the reservations. Each lasts OfferHold from its latest OFFER,
// so they end in the order of these. Holds that are over are used again.
type holdList struct {
	index       map[idKey]*hold
	first, last *hold
	spare       *hold // linked by next
}

func (l *holdList) init() { l.index = make(map[idKey]*hold) }

func (l *holdList) len() int { return len(l.index) }

// find returns the reservation with an identifier, or nil.
func (l *holdList) find(key *idKey) *hold {
	if len(l.index) == 0 {
		return nil
	}
	return l.index[*key]
}

// put adds the reservation for x until then, or renews the one there is.
func (l *holdList) put(x *exchange, until time.Time) {
	h := l.find(&x.key)
	if h == nil {
		if h = l.spare; h != nil {
			l.spare = h.next
		} else {
			h = &hold{}
		}
		*h = hold{key: x.key, id: append(h.id[:0], x.id...)}
		l.index[h.key] = h
	} else {
		l.unlink(h)
	}
	h.from, h.server, h.family, h.until = x.from, x.server, x.family, until
	l.append(h)
}

func (l *holdList) append(h *hold) {
	h.prev, h.next = l.last, nil
	if l.last != nil {
		l.last.next = h
	} else {
		l.first = h
	}
	l.last = h
}

func (l *holdList) unlink(h *hold) {
	if h.prev != nil {
		h.prev.next = h.next
	} else {
		l.first = h.next
	}
	if h.next != nil {
		h.next.prev = h.prev
	} else {
		l.last = h.prev
	}
}

// prolong moves the end of a reservation behind that of all others.
func (l *holdList) prolong(h *hold, until time.Time) {
	l.unlink(h)
	h.until = until
	l.append(h)
}

// remove takes a reservation out of the list.
func (l *holdList) remove(h *hold) {
	l.unlink(h)
	delete(l.index, h.key)
	h.prev, h.next = nil, l.spare
	l.spare = h
}

func (l *holdList) deadline() (time.Time, bool) {
	if l.first == nil {
		return time.Time{}, false
	}
	return l.first.until, true
}

// over returns a reservation that is over, or nil.
func (l *holdList) over(now time.Time) *hold {
	if l.first == nil || now.Before(l.first.until) {
		return nil
	}
	return l.first
}

// deferral is a REQUEST or RENEW that was put off (RFC 2730, section 2.13.2).
type deferral struct {
	id           LeaseIdentifier
	typ          MessageType
	from         netip.AddrPort
	server       netip.Addr
	family       AddrFamily
	options      signature // what the client must repeat
	retry        time.Time
	drop         time.Time // nobody asked for it by then
	continuation []byte    // never nil
	busy         bool      // the allocator is being asked about it
}

// deferredSet keeps what was put off, at most one per lease.
type deferredSet struct {
	index map[idKey]*deferral
	busy  int
	soon  time.Time // not after the earliest drop of those that are not busy
}

func (s *deferredSet) init() { s.index = make(map[idKey]*deferral) }

func (s *deferredSet) len() int { return len(s.index) }

func (s *deferredSet) find(key *idKey) *deferral {
	if len(s.index) == 0 {
		return nil
	}
	return s.index[*key]
}

// put adds d or lets it take effect as changed.
func (s *deferredSet) put(key *idKey, d *deferral) {
	if len(s.index) == s.busy || d.drop.Before(s.soon) {
		s.soon = d.drop
	}
	s.index[*key] = d
}

func (s *deferredSet) remove(key *idKey) { delete(s.index, *key) }

// work marks d as asked about; idle takes that back.
func (s *deferredSet) work(d *deferral) {
	d.busy = true
	s.busy++
}

func (s *deferredSet) idle(d *deferral) {
	if len(s.index) == s.busy || d.drop.Before(s.soon) {
		s.soon = d.drop
	}
	d.busy = false
	s.busy--
}

func (s *deferredSet) deadline() (time.Time, bool) { return s.soon, len(s.index) > s.busy }

// expired removes and returns the deferrals that nobody asked for in time.
func (s *deferredSet) expired(now time.Time) []*deferral {
	if len(s.index) == s.busy || now.Before(s.soon) {
		return nil
	}
	var over []*deferral
	s.soon = time.Time{}
	for key, d := range s.index {
		switch {
		case d.busy:
		case !now.Before(d.drop):
			over = append(over, d)
			delete(s.index, key)
		case s.soon.IsZero() || d.drop.Before(s.soon):
			s.soon = d.drop
		}
	}
	slices.SortFunc(over, func(a, b *deferral) int {
		return cmp.Or(a.drop.Compare(b.drop), bytes.Compare(a.id, b.id))
	})
	return over
}

// limiter counts what each source was answered in the present interval.
type limiter struct {
	since time.Time
	count map[netip.Addr]int
}

func (l *limiter) init() { l.count = make(map[netip.Addr]int) }

// allow reports whether a may be answered once more, and counts it. There is
// no limit below 1.
func (l *limiter) allow(now time.Time, a netip.Addr, limit int, cfg *ServerConfig) bool {
	if limit <= 0 {
		return true
	}
	if now.Sub(l.since) >= cfg.NakInterval || now.Before(l.since) {
		clear(l.count)
		l.since = now
	}
	n, known := l.count[a]
	if n >= limit || !known && len(l.count) >= cfg.MaxSources {
		return false
	}
	l.count[a] = n + 1
	return true
}
