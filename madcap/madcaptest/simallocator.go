// SPDX-License-Identifier: BSD-3-Clause

package madcaptest

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// Allocator is a small allocator in memory for tests of a [madcap.Server]: it
// answers the questions of the machine as their documentation wants it, with
// the addresses of one scope. It looks at every lease for every question.
type Allocator struct {
	Scope   netip.Addr    // Scope ID of what it allocates
	Pool    []netip.Addr  // the addresses, all of one family, given out in this order
	Longest time.Duration // lease, and granted where the client names none
	Extra   time.Duration // EXTRA-ALLOCATION-TIME, between two leases of one address and for late renewals
	NotYet  time.Time     // no lease starts before
	// Later, if not nil, puts off what it returns an instant for.
	Later func(now time.Time, ask *madcap.Ask) time.Time

	Leases  map[string]*Grant // by Lease Identifier; those that are over go with the next question
	Offers  map[string]*Grant // reservations
	PutOffs map[string]bool   // Lease Identifiers of what is put off
}

// Grant is a lease of an [Allocator], or a reservation for one.
type Grant struct {
	XID        uint32 // of the REQUEST
	From       netip.AddrPort
	Addrs      []netip.Addr
	Start, End time.Time
	Until      time.Time // of a reservation
	Shared     bool
}

// NewAllocator returns an allocator of the first n addresses of a scope beyond
// its Scope ID, with leases of at most a day and an hour between them.
func NewAllocator(s scope.Scope, n int) *Allocator {
	a := &Allocator{Scope: s.ID(), Longest: 24 * time.Hour, Extra: time.Hour}
	for at := s.ID().Next(); len(a.Pool) < n; at = at.Next() {
		a.Pool = append(a.Pool, at)
	}
	a.Leases, a.Offers, a.PutOffs = make(map[string]*Grant), make(map[string]*Grant), make(map[string]bool)
	return a
}

// Clone returns a copy that shares nothing: what a crash leaves on the disk.
func (a *Allocator) Clone() *Allocator {
	c := *a
	c.Leases, c.Offers, c.PutOffs = make(map[string]*Grant), make(map[string]*Grant), maps.Clone(a.PutOffs)
	for id, g := range a.Leases {
		copied := *g
		c.Leases[id] = &copied
	}
	for id, g := range a.Offers {
		copied := *g
		c.Offers[id] = &copied
	}
	return &c
}

// Answer answers a question.
func (a *Allocator) Answer(now time.Time, ask *madcap.Ask) madcap.Outcome {
	a.Tick(now)
	id := string(ask.ID)
	switch ask.Op {
	case madcap.OpOffer, madcap.OpAllocate:
		return a.allocate(now, ask)
	case madcap.OpChange:
		return a.change(now, ask)
	case madcap.OpRelease:
		if a.Leases[id] == nil {
			return madcap.Outcome{Code: madcap.CodeLeaseUnknown}
		}
		delete(a.Leases, id)
	case madcap.OpWithdraw:
		delete(a.Offers, id)
	case madcap.OpCancel:
		delete(a.PutOffs, id)
	}
	return madcap.Outcome{Granted: true}
}

// Tick forgets what is over.
func (a *Allocator) Tick(now time.Time) {
	maps.DeleteFunc(a.Leases, func(_ string, g *Grant) bool { return now.After(g.End.Add(a.Extra)) })
	maps.DeleteFunc(a.Offers, func(_ string, g *Grant) bool { return !now.Before(g.Until) })
}

func (a *Allocator) allocate(now time.Time, ask *madcap.Ask) madcap.Outcome {
	id := string(ask.ID)
	if g := a.Leases[id]; g != nil {
		if ask.Op == madcap.OpAllocate && g.XID == ask.XID {
			return a.outcome(g)
		}
		return madcap.Outcome{Code: madcap.CodeInvalidRequest, Option: madcap.OptLeaseIdentifier}
	}
	if o, ok := a.later(now, ask); ok {
		delete(a.Offers, id)
		a.PutOffs[id] = true
		return o
	}
	delete(a.PutOffs, id)
	g := &Grant{XID: ask.XID, From: ask.From, Shared: ask.Shared}
	if at, ok := a.period(now, ask, g); !ok {
		return madcap.Outcome{Option: at}
	}
	held := a.Offers[id]
	if at, ok := a.choose(ask, g, held); !ok {
		return madcap.Outcome{Option: at}
	}
	if ask.Op == madcap.OpOffer {
		g.Until = now.Add(ask.Hold)
		a.Offers[id] = g
	} else {
		delete(a.Offers, id)
		a.Leases[id] = g
	}
	return a.outcome(g)
}

// later asks Later.
func (a *Allocator) later(now time.Time, ask *madcap.Ask) (madcap.Outcome, bool) {
	if a.Later == nil || !ask.CanDefer {
		return madcap.Outcome{}, false
	}
	t := a.Later(now, ask)
	return madcap.Outcome{RetryTime: t, Continuation: []byte("later"), Scope: a.Scope}, !t.IsZero()
}

// period sets start and end, or names the option that prevents it.
func (a *Allocator) period(now time.Time, ask *madcap.Ask, g *Grant) (madcap.OptionCode, bool) {
	g.Start = now
	for _, t := range []time.Time{ask.StartTime, a.NotYet} {
		if t.After(g.Start) {
			g.Start = t
		}
	}
	length := min(ask.LeaseTime.Or(a.Longest), a.Longest)
	g.End = g.Start.Add(length)
	switch {
	case length < ask.MinLeaseTime:
		return madcap.OptMinLeaseTime, false
	case !ask.MaxStartTime.IsZero() && g.Start.After(ask.MaxStartTime):
		return madcap.OptMaxStartTime, false
	}
	return 0, true
}

// choose sets the addresses, those of held first, or names the option that
// prevents it.
func (a *Allocator) choose(ask *madcap.Ask, g, held *Grant) (madcap.OptionCode, bool) {
	pool := a.Pool
	if held != nil {
		pool = slices.Concat(held.Addrs, pool)
	}
	for _, addr := range pool {
		listed := len(ask.Ranges) == 0 || slices.ContainsFunc(ask.Ranges, func(r scope.Range) bool { return r.Contains(addr) })
		if len(g.Addrs) < ask.Desired && listed && !slices.Contains(g.Addrs, addr) && a.isFree(addr, g, held) {
			g.Addrs = append(g.Addrs, addr)
		}
	}
	if len(g.Addrs) >= ask.Min {
		return 0, true
	}
	if len(ask.Ranges) > 0 {
		return madcap.OptAddressRanges, false
	}
	return madcap.OptNumberOfAddresses, false
}

// isFree reports whether nobody else has an address near the time of g.
func (a *Allocator) isFree(addr netip.Addr, g, held *Grant) bool {
	for _, others := range []map[string]*Grant{a.Leases, a.Offers} {
		for _, o := range others {
			if o != held && o != g && slices.Contains(o.Addrs, addr) &&
				g.Start.Before(o.End.Add(a.Extra)) && o.Start.Before(g.End.Add(a.Extra)) {
				return false
			}
		}
	}
	return true
}

func (a *Allocator) change(now time.Time, ask *madcap.Ask) madcap.Outcome {
	id := string(ask.ID)
	g := a.Leases[id]
	switch {
	case g == nil:
		return madcap.Outcome{Code: madcap.CodeLeaseUnknown}
	case ask.Family != madcap.FamilyOf(a.Scope):
		return madcap.Outcome{Option: madcap.NoOption}
	}
	if o, ok := a.later(now, ask); ok {
		a.PutOffs[id] = true
		return o
	}
	delete(a.PutOffs, id)
	changed := *g
	if at, ok := a.period(now, ask, &changed); !ok {
		return madcap.Outcome{Option: at}
	}
	if !g.Start.After(now) {
		changed.Start = g.Start // it has begun
	}
	for _, addr := range g.Addrs {
		if !a.isFree(addr, &changed, g) {
			return madcap.Outcome{Option: madcap.NoOption}
		}
	}
	*g = changed
	return a.outcome(g)
}

// outcome tells of a grant.
func (a *Allocator) outcome(g *Grant) madcap.Outcome {
	o := madcap.Outcome{Granted: true, Scope: a.Scope, Start: g.Start, End: g.End}
	for _, addr := range g.Addrs {
		o.Ranges = append(o.Ranges, scope.Single(addr))
	}
	return o
}
