// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"cmp"
	"math"
	"slices"
)

// SamplePolicy is the algorithm RFC 2909 sketches in its appendix A. Its zero
// value has the document's parameters.
type SamplePolicy struct {
	Low, High   float64 // utilisation to hold: default 0.7 to 0.9
	MaxPrefixes int     // prefixes of a domain: default 3
	FirstSize   float64 // addresses of the first claim: default 256 (appendix B)
	LeastSize   float64 // addresses of any claim: default 16 (section 8.3)
}

func (s SamplePolicy) defaults() SamplePolicy {
	return SamplePolicy{
		Low: cmp.Or(s.Low, 0.7), High: cmp.Or(s.High, 0.9),
		MaxPrefixes: cmp.Or(s.MaxPrefixes, 3), FirstSize: cmp.Or(s.FirstSize, 256), LeastSize: cmp.Or(s.LeastSize, 16),
	}
}

// Grow claims more when what is wanted reaches what the domain has or waits for
// (sections 17.1.2 and 17.1.4). It doubles the smallest prefix that can grow if
// the utilisation stays high enough; otherwise it claims a prefix of the size
// needed beside one it has; otherwise anywhere; and when it has as many prefixes
// as it should, one that replaces them all. Without room it asks the parent for
// more.
func (s SamplePolicy) Grow(v *View) Plan {
	s = s.defaults()
	have, own := 0.0, []Holding(nil)
	for _, h := range v.Own {
		if !h.Deprecated {
			have += h.Prefix.Size()
			own = append(own, h)
		}
	}
	pending, adding := 0.0, v.adding()
	for _, p := range adding {
		pending += gain(p, own)
	}
	want := v.Demand.Want
	if want < have+pending || want == 0 {
		return Plan{}
	}
	if len(own) == 0 {
		if pending > 0 {
			return Plan{}
		}
		return v.anywhere(PlanNew, max(want, v.Demand.Block, s.FirstSize))
	}
	slices.SortFunc(own, func(a, b Holding) int {
		return cmp.Or(cmp.Compare(a.Prefix.Size(), b.Prefix.Size()), a.Prefix.Compare(b.Prefix))
	})
	parents, others := v.active(), v.Others()
	for _, h := range own {
		d, ok := Double(h.Prefix, parents, others)
		if ok && !meetsAny(d, adding) && want/(have+pending+h.Prefix.Size()) >= s.Low {
			return Plan{Kind: PlanExpand, Prefix: d, Lifetime: v.Demand.Lifetime}
		}
	}
	more := max(want-have-pending, v.Demand.Block, s.LeastSize)
	need := lengthFor(v.Family, more)
	if len(own)+len(adding) < s.MaxPrefixes {
		taken := v.taken()
		for _, h := range slices.Backward(own) {
			if n, ok := Neighbour(h.Prefix, need, parents, taken); ok {
				return Plan{Kind: PlanNew, Prefix: n, Lifetime: v.Demand.Lifetime}
			}
		}
		return v.anywhere(PlanNew, more)
	}
	if pending > 0 {
		return Plan{} // a claim that will change what can be done is under way
	}
	for _, h := range own { // too many to claim another one: grow whatever it costs
		if d, ok := Double(h.Prefix, parents, others); ok && d.Size()-h.Prefix.Size() >= v.Demand.Block {
			return Plan{Kind: PlanExpand, Prefix: d, Lifetime: v.Demand.Lifetime}
		}
	}
	return v.anywhere(PlanReplace, max(want, v.Demand.Block))
}

// gain returns how many addresses p adds to what the domain has.
func gain(p Prefix, own []Holding) float64 {
	n := p.Size()
	for _, h := range own {
		if common, ok := p.Meet(h.Prefix); ok {
			n -= common.Size()
		}
	}
	return max(n, 0)
}

// anywhere plans a claim for at least size addresses in any free block, or a
// hint if there is none.
func (v *View) anywhere(kind PlanKind, size float64) Plan {
	length := lengthFor(v.Family, size)
	p, ok := Choose(v.lasting(), v.taken(), length, v.Rand)
	if !ok {
		return Plan{Kind: PlanHint, Prefix: Hint(v.Family, length)}
	}
	return Plan{Kind: kind, Prefix: p, Lifetime: v.Demand.Lifetime}
}

// Renew claims a prefix again while it is needed (sections 17.1.5 and 17.1.6):
// not if it is empty and the others suffice; only its busier half if the domain
// uses too little, the rest suffices, and next to nothing of the other half is
// in use, as it would have to move.
func (s SamplePolicy) Renew(v *View, h Holding) Plan {
	s = s.defaults()
	have := 0.0
	for _, o := range v.Own {
		if !o.Deprecated {
			have += o.Prefix.Size()
		}
	}
	use, want := v.Demand.InUse, max(v.Demand.InUse, v.Demand.Want)
	size := h.Prefix.Size()
	again := Plan{Kind: PlanExpand, Prefix: h.Prefix, Lifetime: v.Demand.Lifetime}
	if v.Demand.Used(h.Prefix) == 0 && fits(want, have-size, s.High) {
		return Plan{}
	}
	if size > s.LeastSize && h.Prefix.IsContiguous() && use/have < s.Low && fits(want, have-size/2, s.High) {
		low, high := h.Prefix.half(false), h.Prefix.half(true)
		if v.Demand.Used(high) > v.Demand.Used(low) {
			low, high = high, low
		}
		if v.Demand.Used(high) <= size/16 {
			again.Prefix = low
		}
	}
	return again
}

// fits reports whether want addresses use no more than the part high of have.
func fits(want, have, high float64) bool {
	return want == 0 || have > 0 && want/math.Max(have, 1) <= high
}
