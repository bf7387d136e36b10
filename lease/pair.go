// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"math/bits"
	"slices"

	"github.com/mcastalloc/malloc/scope"
)

// pair is the part of a query that asks for addresses from each of two ranges,
// as many from the one as from the other.
type pair struct {
	a, b span      // the ranges, the lower one first
	in   [2][]span // what is acceptable of them
}

// pair checks the two ranges of a request. With only they are narrowed to
// these addresses.
func (z *zone) pair(op string, ranges [2]scope.Range, only []span) (*pair, error) {
	bad := func(r scope.Range, want string) (*pair, error) {
		return nil, &Error{Op: op, Param: ParamAddrs, Got: r.String(), Want: want, Err: ErrScope}
	}
	for _, r := range ranges {
		if set, err := scope.SetOf(r); err != nil || !r.IsValid() || !z.holds(set) {
			return bad(r, "a pair of ranges in "+z.scope.Range.String())
		}
	}
	if ranges[0].Overlaps(ranges[1]) {
		return bad(ranges[1], "a range disjoint from "+ranges[0].String())
	}
	p := &pair{a: spanOf(ranges[0]), b: spanOf(ranges[1])}
	if p.b.first.Less(p.a.first) {
		p.a, p.b = p.b, p.a
	}
	p.in = [2][]span{{p.a}, {p.b}}
	if only != nil {
		p.in = p.within(only)
	}
	return p, nil
}

// within returns what of some runs is acceptable in the one range and in the
// other.
func (p *pair) within(runs []span) [2][]span {
	return [2][]span{common(runs, p.in[0]), common(runs, p.in[1])}
}

// distances returns how much higher in the second range an address can lie
// than its partner in the first one, for both to have the same low bits: as
// many bits as it takes to tell the addresses of the longer range apart.
func (p *pair) distances() (list []number) {
	longer := p.a.last.Sub(p.a.first)
	if n := p.b.last.Sub(p.b.first); longer.Less(n) {
		longer = n
	}
	low := number{Lo: 1<<bits.Len64(longer.Lo) - 1}
	if longer.Hi != 0 {
		low = number{Hi: 1<<bits.Len64(longer.Hi) - 1, Lo: 1<<64 - 1}
	}
	d := p.b.first.Sub(p.a.last).Add(low)
	d.Hi, d.Lo = d.Hi&^low.Hi, d.Lo&^low.Lo
	for most := p.b.last.Sub(p.a.first); !most.Less(d); d = d.Add(low).Add(one) {
		list = append(list, d)
	}
	return list
}

// pairs takes addresses from both ranges of a pair: those preferred, then
// those that the name leads to, then any; each time those with the same low
// bits first.
func (s *search) pairs(start, lo, hi instant) {
	p := s.q.pair
	distances := p.distances()
	take := func(in [2][]span) {
		for _, d := range distances {
			s.together(in, d, start, lo, hi)
		}
	}
	if len(s.q.prefer) > 0 {
		in := p.within(s.q.prefer)
		take(in)
		s.apiece(in, start, lo)
	}
	for _, first := range choices(s.q.name, p.in[0]) {
		take([2][]span{common([]span{runFrom(first, s.left/2)}, p.in[0]), p.in[1]})
	}
	take(p.in)
	s.apiece(p.in, start, lo)
}

// together takes addresses and those that lie a distance above them, where
// both are free. It looks at them from a random one on, until it has found
// enough that are free until hi.
func (s *search) together(in [2][]span, distance number, start, lo, hi instant) {
	need, had, budget := s.left, len(s.c.picks), cellsMost
	if need < 2 || len(in[0]) == 0 {
		return
	}
	best := 0 // addresses found that are free until hi
	for _, run := range rotated(in[0], s.q.rnd) {
		s.free(run, start, lo, func(a pick) bool {
			for _, above := range common([]span{a.up(distance)}, in[1]) {
				s.free(above, start, lo, func(b pick) bool {
					p := pick{b.down(distance), min(a.until, b.until), a.fresh && b.fresh}
					s.c.picks = append(s.c.picks, p)
					if p.until >= hi {
						best += p.size()
					}
					budget--
					return budget > 0 && best < need/2
				})
			}
			return budget > 0 && best < need/2
		})
	}
	s.left = need / 2
	s.choose(had)
	chosen := slices.Clone(s.c.picks[had:])
	s.c.picks, s.left = s.c.picks[:had], need
	for _, a := range chosen {
		s.couple(a, pick{a.up(distance), a.until, a.fresh})
	}
}

// apiece takes as many addresses from the one range as from the other, where
// either is free.
func (s *search) apiece(in [2][]span, start, lo instant) {
	need, had := s.left, len(s.c.picks)
	var sides [2][]pick
	for i, runs := range in {
		s.left = need / 2
		before := len(s.c.picks)
		s.runs(runs, start, lo)
		sides[i] = slices.Clone(s.c.picks[before:])
	}
	s.c.picks, s.left = s.c.picks[:had], need
	for a, b := sides[0], sides[1]; len(a) > 0 && len(b) > 0; {
		n := min(a[0].size(), b[0].size())
		s.couple(behead(&a, n), behead(&b, n))
	}
}

// behead takes the first n addresses away from the first of some picks.
func behead(list *[]pick, n int) pick {
	first := &(*list)[0]
	head := *first
	head.span = first.head(n)
	if head.last == first.last {
		*list = (*list)[1:]
	} else {
		first.first = head.last.Add(one)
	}
	return head
}

// couple picks a and b, which have as many addresses, in pieces that follow
// each other in turns. Pieces that are in the way of other picks are left out.
func (s *search) couple(a, b pick) {
	left, right := []pick{a}, []pick{b}
	for len(left) > 0 && s.left >= 2 {
		n := min(left[0].size(), 1<<pageBits, s.left/2)
		x, y := behead(&left, n), behead(&right, n)
		if s.clear(x) && s.clear(y) && !s.t.fold(x.span).overlaps(s.t.fold(y.span)) {
			s.c.picks = append(s.c.picks, x, y)
			s.left -= 2 * n
		}
	}
}

// clear reports whether no pick occupies a place of p.
func (s *search) clear(p pick) bool {
	place := s.t.fold(p.span)
	return !slices.ContainsFunc(s.c.picks, func(o pick) bool { return s.t.fold(o.span).overlaps(place) })
}
