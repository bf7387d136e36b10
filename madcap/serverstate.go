// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"bytes"
	"cmp"
	"container/list"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"
)

// hold is a reservation that an OFFER promises.
type hold struct {
	id     LeaseIdentifier
	from   netip.AddrPort
	server netip.Addr
	family AddrFamily
	until  time.Time
}

// holdList keeps the reservations. Each lasts OfferHold from its latest OFFER,
// so they end in the order of these.
type holdList struct {
	index map[idKey]*list.Element
	order list.List // of *hold
}

func (l *holdList) init() { l.index = make(map[idKey]*list.Element) }

// put adds a reservation or prolongs the one with the same identifier.
func (l *holdList) put(h *hold) {
	key := keyOf(h.id)
	if e, ok := l.index[key]; ok {
		e.Value = h
		l.order.MoveToBack(e)
		return
	}
	l.index[key] = l.order.PushBack(h)
}

// take removes and returns the reservation with an identifier, or nil.
func (l *holdList) take(id LeaseIdentifier) *hold {
	key := keyOf(id)
	e, ok := l.index[key]
	if !ok {
		return nil
	}
	delete(l.index, key)
	return l.order.Remove(e).(*hold)
}

func (l *holdList) has(id LeaseIdentifier) bool {
	_, ok := l.index[keyOf(id)]
	return ok
}

func (l *holdList) deadline() (time.Time, bool) {
	if e := l.order.Front(); e != nil {
		return e.Value.(*hold).until, true
	}
	return time.Time{}, false
}

// expired removes and returns a reservation that is over, or nil.
func (l *holdList) expired(now time.Time) *hold {
	if t, ok := l.deadline(); ok && !now.Before(t) {
		return l.take(l.order.Front().Value.(*hold).id)
	}
	return nil
}

// deferral is a REQUEST or RENEW that was put off (RFC 2730, section 2.13.2).
type deferral struct {
	id           LeaseIdentifier
	typ          MessageType
	from         netip.AddrPort
	server       netip.Addr
	family       AddrFamily
	options      []byte // what the client must repeat; see signature
	retry        time.Time
	drop         time.Time // nobody asked for it by then
	continuation []byte
}

// deferredSet keeps what was put off, at most one per lease.
type deferredSet struct {
	index map[idKey]*deferral
	soon  time.Time // not after the earliest drop
}

func (s *deferredSet) init() { s.index = make(map[idKey]*deferral) }

func (s *deferredSet) find(id LeaseIdentifier) *deferral {
	if len(s.index) == 0 {
		return nil
	}
	return s.index[keyOf(id)]
}

func (s *deferredSet) put(d *deferral) {
	if len(s.index) == 0 || d.drop.Before(s.soon) {
		s.soon = d.drop
	}
	s.index[keyOf(d.id)] = d
}

func (s *deferredSet) remove(id LeaseIdentifier) { delete(s.index, keyOf(id)) }

func (s *deferredSet) deadline() (time.Time, bool) { return s.soon, len(s.index) > 0 }

// expired removes and returns the deferrals that nobody asked for in time.
func (s *deferredSet) expired(now time.Time) []*deferral {
	if len(s.index) == 0 || now.Before(s.soon) {
		return nil
	}
	var over []*deferral
	s.soon = time.Time{}
	for key, d := range s.index {
		if !now.Before(d.drop) {
			over = append(over, d)
			delete(s.index, key)
		} else if s.soon.IsZero() || d.drop.Before(s.soon) {
			s.soon = d.drop
		}
	}
	slices.SortFunc(over, func(a, b *deferral) int {
		return cmp.Or(a.drop.Compare(b.drop), bytes.Compare(a.id, b.id))
	})
	return over
}

// signature returns what must be equal in the repetition of a deferred message
// (decision MADCAP-D-37): its options as a set, without Server Identifier and
// Current Time.
func signature(payload []byte) []byte {
	type option struct {
		code  OptionCode
		value []byte
	}
	var options []option
	for code, value := range RawOptions(payload) {
		if code != OptServerIdentifier && code != OptCurrentTime {
			options = append(options, option{code, value})
		}
	}
	slices.SortStableFunc(options, func(a, b option) int { return int(a.code) - int(b.code) })
	var sig []byte
	for _, o := range options {
		sig = binary.BigEndian.AppendUint16(sig, uint16(o.code))
		sig = binary.BigEndian.AppendUint16(sig, uint16(len(o.value)))
		sig = append(sig, o.value...)
	}
	return sig
}

// nakLimiter counts the NAKs each source was sent in the present interval.
type nakLimiter struct {
	since time.Time
	count map[netip.Addr]int
}

func (l *nakLimiter) init() { l.count = make(map[netip.Addr]int) }

// allow reports whether another NAK may be sent to a, and counts it.
func (l *nakLimiter) allow(now time.Time, a netip.Addr, cfg *ServerConfig) bool {
	if cfg.NakLimit <= 0 {
		return true
	}
	if now.Sub(l.since) >= cfg.NakInterval || now.Before(l.since) {
		clear(l.count)
		l.since = now
	}
	n, known := l.count[a]
	if n >= cfg.NakLimit || !known && len(l.count) >= cfg.MaxSources {
		return false
	}
	l.count[a] = n + 1
	return true
}
