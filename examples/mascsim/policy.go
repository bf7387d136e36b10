// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"slices"

	"github.com/mcastalloc/malloc/masc"
)

// policyFor returns the policy of a top-level domain or of a child.
func (p *params) policyFor(top bool) masc.Policy {
	sample := masc.SamplePolicy{FirstSize: float64(p.block), LeastSize: float64(p.block)}
	if p.policy == "sample" {
		return sample
	}
	if !top {
		sample.Low, sample.High = 0.8, 0.95
	}
	return packed{sample, top}
}

// packed is the sample policy with three changes: children double a prefix only
// if 80 % of everything is then in use, so that they grow in smaller steps; they
// claim the first free block that leaves room to double instead of a random one
// of the largest, so that the far half of what a parent has stays empty and can
// be given back; and what is empty is given back at once instead of left to end.
// Children waste less with it, top-level domains do not: see the figures of a run.
type packed struct {
	masc.SamplePolicy
	top bool
}

func (p packed) Grow(v *masc.View) masc.Plan {
	plan := p.SamplePolicy.Grow(v)
	if p.top || plan.Kind != masc.PlanNew && plan.Kind != masc.PlanReplace {
		return plan
	}
	if slices.ContainsFunc(v.Own, func(h masc.Holding) bool {
		d, ok := masc.Double(h.Prefix, []masc.Prefix{masc.MustPrefix("224.0.0.0/4")}, nil)
		return ok && d.Covers(plan.Prefix)
	}) {
		return plan // a neighbour
	}
	taken := slices.Clone(v.Others())
	for _, h := range v.Own {
		taken = append(taken, h.Prefix)
	}
	for _, c := range v.Pending {
		taken = append(taken, c.Prefix)
	}
	length := plan.Prefix.Bits()
	var best masc.Prefix
	for _, s := range v.Parents {
		if s.Deprecated || !s.End.IsZero() && s.End.Sub(v.Now) < v.Demand.Lifetime {
			continue
		}
		for _, b := range masc.FreeBlocks(s.Prefix, taken) {
			roomy := b.Bits() < length
			if b.Bits() <= length && (!best.IsValid() || roomy && best.Bits() == length) {
				best = b
			}
		}
	}
	if best.IsValid() {
		plan.Prefix, _ = masc.ReverseBitOrder(best, length, 0)
	}
	return plan
}

func (p packed) Renew(v *masc.View, h masc.Holding) masc.Plan {
	plan := p.SamplePolicy.Renew(v, h)
	if plan.Kind == masc.PlanNothing && v.Demand.Used(h.Prefix) == 0 {
		return masc.Plan{Kind: masc.PlanRelease, Prefix: h.Prefix}
	}
	return plan
}
