// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"sort"
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
	p := picker{need: scope.U128(n), own: c.Own, rng: rng}
	preallocated := union(c.Recent, c.Stale)
	p.choose(c.Space, until, func(s scope.Set) scope.Set { return minus(s, union(union(c.Taken, c.Own), preallocated)) })
	if purpose == ACLM {
		p.choose(c.Space, until, func(s scope.Set) scope.Set {
			return minus(common(s, c.Recent), union(union(c.Taken, c.Own), c.Stale))
		})
		p.choose(c.Space, until, func(s scope.Set) scope.Set { return minus(common(s, c.Stale), union(c.Taken, c.Own)) })
	}
	return p.picked
}

// picker collects addresses.
type picker struct {
	need   scope.Uint128
	picked scope.Set
	own    scope.Set // and what was picked
	rng    *rand.Rand
}

// choose picks from a space what a filter lets through, by end.
func (p *picker) choose(space []TimedRange, until time.Time, filter func(scope.Set) scope.Set) {
	if p.need.IsZero() {
		return
	}
	enough := slices.DeleteFunc(Normalize(space), func(r TimedRange) bool { return r.End.Before(until) })
	slices.SortStableFunc(enough, func(a, b TimedRange) int { return a.End.Compare(b.End) })
	for len(enough) > 0 && !p.need.IsZero() {
		n := slices.IndexFunc(enough, func(r TimedRange) bool { return !r.End.Equal(enough[0].End) })
		if n < 0 {
			n = len(enough)
		}
		for free := filter(Addrs(enough[:n])); !free.IsEmpty() && !p.need.IsZero(); {
			r := p.pick(free)
			one, _ := scope.SetOf(r)
			free, p.picked, p.own = minus(free, one), union(p.picked, one), union(p.own, one)
			p.need = p.need.Sub(r.Size())
		}
		enough = enough[n:]
	}
}

// pick returns a range of free addresses, no more than needed: one beside our
// own if there is any, else one from a random address upward. Free holds nothing
// of our own, so what is beside it is at the edge of a free range.
func (p *picker) pick(free scope.Set) scope.Range {
	var above, below []scope.Range // free ranges above and below something of ours
	for own := range p.own.Ranges() {
		if r, ok := holder(free, own.Last().Next()); ok {
			above = append(above, r)
		}
		if r, ok := holder(free, own.First().Prev()); ok {
			below = append(below, r)
		}
	}
	if n := len(above) + len(below); n > 0 {
		i := p.rng.IntN(n)
		if i < len(above) {
			return p.upward(above[i], above[i].First())
		}
		r := below[i-len(above)]
		if r.Size().Cmp(p.need) <= 0 {
			return r
		}
		first, _ := r.At(r.Size().Sub(p.need))
		return p.upward(r, first)
	}
	a, _ := free.At(randomBelow(free.Size(), p.rng))
	r, _ := holder(free, a)
	return p.upward(r, a)
}

// holder returns the range of s that holds a, if one does.
func holder(s scope.Set, a netip.Addr) (scope.Range, bool) {
	i := sort.Search(s.Len(), func(i int) bool { return !s.Range(i).Last().Less(a) })
	if i == s.Len() || !s.Range(i).Contains(a) {
		return scope.Range{}, false
	}
	return s.Range(i), true
}

// upward returns the addresses of r from a on, as many as needed.
func (p *picker) upward(r scope.Range, a netip.Addr) scope.Range {
	at, _ := r.Index(a)
	last := r.Last()
	if end := at.Add(p.need).Sub(scope.U128(1)); end.Cmp(r.Size()) < 0 {
		last, _ = r.At(end)
	}
	q, _ := scope.NewRange(a, last)
	return q
}

// randomBelow returns an evenly distributed number below n, which is not 0 and
// at most 2^120, the number of multicast addresses.
func randomBelow(n scope.Uint128, rng *rand.Rand) scope.Uint128 {
	if n.Hi == 0 {
		return scope.U128(rng.Uint64N(n.Lo))
	}
	for {
		if x := (scope.Uint128{Hi: rng.Uint64N(n.Hi + 1), Lo: rng.Uint64()}); x.Cmp(n) < 0 {
			return x
		}
	}
}

// The three operations below are on sets of one family, and do not fail.
func union(a, b scope.Set) scope.Set  { s, _ := a.Union(b); return s }
func minus(a, b scope.Set) scope.Set  { s, _ := a.Subtract(b); return s }
func common(a, b scope.Set) scope.Set { s, _ := a.Intersect(b); return s }
