// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"cmp"
	"time"

	"github.com/mcastalloc/malloc/masc"
)

// setLives sets how long prefixes are claimed for, where no flag has: the sample
// policy lets them end, so they must be short; packed gives them back, so they
// can be long. What a child claims has to last longer than a block at any time,
// and what a top-level domain claims longer than that.
func (p *params) setLives() {
	child, top := 35*day, 45*day
	if p.policy == "packed" {
		child, top = p.enough()+24*day, 2*p.enough()+48*day
	}
	p.prefixLife, p.tldLife = cmp.Or(p.prefixLife, child), cmp.Or(p.tldLife, top)
}

// enough returns the time left to what a child has with which it need not claim
// it again: it lasts for a block until the next occasion and the claim after it.
func (p *params) enough() time.Duration { return p.life + p.reclaim + p.waiting + day }

// policyFor returns the policy of a top-level domain or of a child. With packed,
// a top-level domain begins with 4096 addresses for each child, half the share
// of RFC 2909, appendix B, and keeps a little free for what children move.
func (p *params) policyFor(top bool) masc.Policy {
	block := float64(p.block)
	switch {
	case p.policy == "sample":
		return masc.SamplePolicy{FirstSize: block, LeastSize: block}
	case top:
		return masc.PackedPolicy{LeastSize: block, Headroom: 0.03, Low: 0.9, FirstSize: float64(4096 * p.children),
			Enough: p.prefixLife + p.enough() - p.life, Settled: 90 * day}
	}
	return masc.PackedPolicy{LeastSize: block, Enough: p.enough(), Settled: 70 * day}
}
