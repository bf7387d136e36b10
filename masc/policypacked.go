// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// PackedPolicy wastes less than SamplePolicy and claims less often. It differs
// in three things.
//
// It grows by what is missing: it doubles a prefix only if that wastes no more
// than a new one of the size needed, or the domain then still uses enough of what
// it has. So a domain comes to one large prefix for what it always needs and small
// ones for what comes and goes. Two prefixes that are halves of one count as one.
//
// It places its first prefix in the roomiest block, and the others beside it or
// in the tightest block with room to double once, so that large blocks stay whole.
//
// It gives a prefix back with a WITHDRAW as soon as nothing in it is used and
// the rest suffices, instead of letting it end, so that claims can be for long and
// few; and it halves one that is in use only if that is worth it for long.
type PackedPolicy struct {
	Low         float64 // utilisation to hold when a prefix is doubled: default 0.7
	Headroom    float64 // kept free, as a part of what is wanted: what is short-lived needs room to move
	MaxPrefixes int     // prefixes of a domain: default 3
	FirstSize   float64 // addresses of the first claim, if more than what is wanted: what the domain expects to need
	LeastSize   float64 // addresses of any claim: default 16 (section 8.3)

	// Enough is the time left to a prefix with which it is not claimed again yet:
	// long lives cost nothing, as what is empty is given back. Zero claims again
	// at every occasion, as section 17.1.6 has it.
	Enough time.Duration

	// Settled is for how long a domain must have had a prefix before it gives a
	// part of it up that is in use: what grows moves back and forth otherwise.
	Settled time.Duration
}

// wanted returns what the domain should have.
func (s PackedPolicy) wanted(v *View) float64 { return v.Demand.Want * (1 + s.Headroom) }

// Grow claims what is missing, one claim at a time. With as many prefixes as it
// should have and none to double, it claims one that takes the place of the two
// smallest. Without room it asks the parent for more.
func (s PackedPolicy) Grow(v *View) Plan {
	most, least := cmp.Or(s.MaxPrefixes, 3), cmp.Or(s.LeastSize, 16)
	own, have := v.kept()
	wanted := s.wanted(v)
	missing := wanted - have
	if v.Demand.Want <= 0 || missing <= 0 || len(v.adding()) > 0 {
		return Plan{}
	}
	missing = max(missing, v.Demand.Block, least)
	if len(own) == 0 {
		missing = max(missing, s.FirstSize)
	}
	length := lengthFor(v.Family, missing)
	size := Hint(v.Family, length).Size()
	parents, others := v.lasting(), v.Others()
	var best Plan
	waste := math.Inf(1)
	whole := joined(own)
	for _, p := range whole {
		for gain := 0.0; gain < missing; {
			d, ok := Double(p, parents, others)
			if !ok {
				break
			}
			if p, gain = d, d.Size()-within(d, own); gain >= missing && gain < waste {
				best, waste = Plan{Kind: PlanExpand, Prefix: p, Lifetime: v.Demand.Lifetime}, gain
			}
		}
	}
	if best.Kind != PlanNothing && (waste <= size || wanted/(have+waste) >= cmp.Or(s.Low, 0.7)) {
		return best
	}
	kind := PlanNew
	if len(own) >= most {
		if i := slices.IndexFunc(whole, func(p Prefix) bool { return within(p, own) == p.Size() && !holds(own, p) }); i >= 0 {
			return Plan{Kind: PlanExpand, Prefix: whole[i], Lifetime: v.Demand.Lifetime} // two become one
		}
		// One prefix takes the place of the two smallest, and of what else is smaller.
		slices.SortFunc(own, func(a, b Holding) int { return cmp.Compare(a.Prefix.Size(), b.Prefix.Size()) })
		for _, h := range own[:min(2, len(own))] {
			missing += h.Prefix.Size()
		}
		kind, length = PlanReplace, lengthFor(v.Family, missing)
		if best.Kind != PlanNothing && waste <= Hint(v.Family, length).Size() {
			return best
		}
	}
	if p, ok := place(v, whole, parents, length); ok {
		return Plan{Kind: kind, Prefix: p, Lifetime: v.Demand.Lifetime}
	}
	if best.Kind != PlanNothing {
		return best
	}
	return Plan{Kind: PlanHint, Prefix: Hint(v.Family, length)}
}

// holds reports whether the domain has p as one prefix.
func holds(own []Holding, p Prefix) bool {
	return slices.ContainsFunc(own, func(h Holding) bool { return h.Prefix == p })
}

// joined returns what the domain has with halves put together, in the order of
// their size.
func joined(own []Holding) []Prefix {
	var list []Prefix
	for _, h := range own {
		list = append(list, h.Prefix)
	}
	slices.SortFunc(list, func(a, b Prefix) int { return cmp.Compare(b.Bits(), a.Bits()) })
	for i := 0; i < len(list); i++ {
		b, ok := list[i].buddy()
		if k := slices.Index(list, b); ok && k > i {
			d := list[i].double()
			list = slices.Delete(slices.Delete(list, k, k+1), i, i+1)
			at, _ := slices.BinarySearchFunc(list, d, func(a, b Prefix) int { return cmp.Compare(b.Bits(), a.Bits()) })
			list = slices.Insert(list, at, d)
			i = -1
		}
	}
	slices.Reverse(list)
	return list
}

// kept returns what the domain has and means to keep, and its addresses.
func (v *View) kept() (own []Holding, have float64) {
	for _, h := range v.Own {
		if !h.Deprecated {
			own = append(own, h)
			have += h.Prefix.Size()
		}
	}
	return own, have
}

// within counts the addresses of p that the domain has.
func within(p Prefix, own []Holding) float64 {
	n := 0.0
	for _, h := range own {
		if common, ok := p.Meet(h.Prefix); ok {
			n += common.Size()
		}
	}
	return n
}

// place finds room for a prefix: beside what the domain has, or if that is its
// first, in the roomiest block, or in the tightest.
func place(v *View, own, parents []Prefix, length int) (Prefix, bool) {
	taken := v.taken()
	for _, p := range own {
		if q, ok := Neighbour(p, length, parents, taken); ok {
			return q, true
		}
	}
	if len(own) == 0 {
		return Choose(parents, taken, length, v.Rand)
	}
	var tight []Prefix
	var exact Prefix // without room to grow
	for _, parent := range parents {
		for _, b := range FreeBlocks(parent, taken) {
			if b.Bits() == length && !exact.IsValid() {
				exact = b
			}
			switch {
			case b.Bits() >= length || len(tight) > 0 && b.Bits() < tight[0].Bits():
				continue
			case len(tight) > 0 && b.Bits() > tight[0].Bits():
				tight = tight[:0]
			}
			tight = append(tight, b)
		}
	}
	if len(tight) == 0 {
		return exact, exact.IsValid()
	}
	return tight[v.Rand.IntN(len(tight))].first(length), true
}

// Renew claims a prefix again while it is needed and too little time is left to
// it: not if it is empty and the
// others suffice, and only its busier half if the domain has had it for long and
// the rest would do with a tenth to spare.
func (s PackedPolicy) Renew(v *View, h Holding) Plan {
	_, have := v.kept()
	wanted, size := s.wanted(v), h.Prefix.Size()
	again := Plan{Kind: PlanExpand, Prefix: h.Prefix, Lifetime: v.Demand.Lifetime}
	if v.Demand.Used(h.Prefix) == 0 && wanted <= have-size {
		return Plan{Kind: PlanRelease, Prefix: h.Prefix}
	}
	if v.Now.Sub(h.Timestamp.Time()) < s.Settled || size <= max(cmp.Or(s.LeastSize, 16), have/2) || !h.Prefix.IsContiguous() || 1.1*wanted > have-size/2 {
		if s.Enough > 0 && h.End.Sub(v.Now) > s.Enough {
			again.Kind = PlanKeep
		}
		return again
	}
	again.Prefix = h.Prefix.half(v.Demand.Used(h.Prefix.half(true)) > v.Demand.Used(h.Prefix.half(false)))
	return again
}
