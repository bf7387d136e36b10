// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Candidates is what a server knows when it chooses addresses (section 3.2.7).
// All sets are of the scope's family.
type Candidates struct {
	// Space is what may be allocated, and until when: that of the latest ASA, or
	// a small scope with an end far away.
	Space []TimedRange
	// Taken are never chosen: allocated by anybody, reserved, claimed or
	// preallocated by ourselves, or being claimed by others.
	Taken scope.Set
	// Recent are preallocated by others, who all announced it lately; see
	// Timing.Recent.
	Recent scope.Set
	// Stale are preallocated by others of whom some have not announced it lately.
	// They may be out of reach and allocate the addresses any moment.
	Stale scope.Set
	// Own are our own allocations. Addresses beside them are preferred, as
	// that keeps our announcements short.
	Own scope.Set
}

// Choose picks n addresses to be held until a time by an ACLM or AITU. It picks
// fewer if there are not as many.
//
// First it prefers what nobody preallocated. For an AITU nothing else may be
// chosen; for an ACLM there follow Recent and then Stale addresses. Among these
// it prefers those of the range with the earliest sufficient end, among these the
// neighbours of Own and of what it picked before, and then a random place.
func (c *Candidates) Choose(purpose Type, n uint64, until time.Time, rng *rand.Rand) scope.Set {
	preallocated := union(c.Recent, c.Stale)
	tiers := []func(scope.Set) scope.Set{
		func(s scope.Set) scope.Set { return minus(s, union(union(c.Taken, c.Own), preallocated)) },
	}
	if purpose == ACLM {
		tiers = append(tiers, func(s scope.Set) scope.Set {
			return minus(common(s, c.Recent), union(union(c.Taken, c.Own), c.Stale))
		}, func(s scope.Set) scope.Set { return minus(common(s, c.Stale), union(c.Taken, c.Own)) })
	}
	p := picker{need: scope.U128(n), rng: rng, own: c.Own.Contains}
	for _, filter := range tiers {
		for _, s := range shelve(c.Space) {
			if !s.end.Before(until) && !p.need.IsZero() {
				s.fill(filter(s.area), c.Own.Contains)
				p.take = s.remove
				p.pickFrom(s)
			}
		}
	}
	return p.set()
}

// picker collects addresses. Each picked range is passed to take, which removes it
// from its shelf.
type picker struct {
	need   scope.Uint128
	rng    *rand.Rand
	own    func(netip.Addr) bool
	take   func(scope.Range)
	picked scope.SetBuilder
}

// set returns what was picked.
func (p *picker) set() scope.Set {
	s, _ := p.picked.Set()
	return s
}

// pickFrom picks from a shelf: neighbours of our own and of what was picked, at
// random among them, then from a random address on.
func (p *picker) pickFrom(s *shelf) {
	var beside scope.Space // what was picked
	for !p.need.IsZero() && !s.free.IsEmpty() {
		var r scope.Range
		if a, ok := p.neighbour(&s.beside, &beside); !ok {
			a, _ = s.free.RandomAddr(p.rng)
			r = upward(&s.free, a, p.need)
		} else if below := a.Prev(); p.own(below) || !s.free.Contains(below) && beside.Contains(a) {
			r = upward(&s.free, a, p.need)
		} else {
			r = downward(&s.free, a, p.need)
		}
		p.take(r)
		p.picked.Add(r)
		p.need = p.need.Sub(r.Size())
		_ = beside.Remove(r)
		for _, a := range [...]netip.Addr{r.First().Prev(), r.Last().Next()} {
			if s.free.Contains(a) {
				_ = beside.Add(scope.Single(a))
			}
		}
	}
}

// neighbour returns an address of either space.
func (p *picker) neighbour(own, picked *scope.Space) (netip.Addr, bool) {
	if picked.IsEmpty() {
		return own.RandomAddr(p.rng)
	}
	return picked.RandomAddr(p.rng)
}

// upward returns the free addresses from a on, at most n.
func upward(free *scope.Space, a netip.Addr, n scope.Uint128) scope.Range {
	all := rangeOf(a, lastAddr(a))
	return longest(free, n, all.Size(), func(k scope.Uint128) scope.Range {
		last, _ := all.At(k.Sub(scope.U128(1)))
		return rangeOf(a, last)
	})
}

// downward returns the free addresses up to a, at most n.
func downward(free *scope.Space, a netip.Addr, n scope.Uint128) scope.Range {
	all := rangeOf(firstAddr(a), a)
	return longest(free, n, all.Size(), func(k scope.Uint128) scope.Range {
		first, _ := all.At(all.Size().Sub(k))
		return rangeOf(first, a)
	})
}

// longest returns the longest free range of at most n and at most limit
// addresses; one is free.
func longest(free *scope.Space, n, limit scope.Uint128, of func(scope.Uint128) scope.Range) scope.Range {
	if limit.Less(n) {
		n = limit
	}
	one := scope.U128(1)
	low, high := one, n
	if free.Covers(of(high)) {
		return of(high)
	}
	for {
		mid := half(low.Add(high))
		switch {
		case mid == low:
			return of(low)
		case free.Covers(of(mid)):
			low = mid
		default:
			high = mid
		}
	}
}

func half(n scope.Uint128) scope.Uint128 {
	return scope.Uint128{Hi: n.Hi >> 1, Lo: n.Lo>>1 | n.Hi<<63}
}

// firstAddr and lastAddr are the bounds of the multicast addresses of a's family.
func firstAddr(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4([4]byte{224})
	}
	return netip.AddrFrom16([16]byte{0xff})
}

func lastAddr(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4([4]byte{239, 255, 255, 255})
	}
	var all [16]byte
	for i := range all {
		all[i] = 0xff
	}
	return netip.AddrFrom16(all)
}

// The three operations below are on sets of one family, and do not fail.
func union(a, b scope.Set) scope.Set  { s, _ := a.Union(b); return s }
func minus(a, b scope.Set) scope.Set  { s, _ := a.Subtract(b); return s }
func common(a, b scope.Set) scope.Set { s, _ := a.Intersect(b); return s }
