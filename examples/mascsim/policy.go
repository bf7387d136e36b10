// SPDX-License-Identifier: BSD-3-Clause

package main

import "github.com/mcastalloc/malloc/masc"

// policyFor returns the policy of a top-level domain or of a child. With packed,
// a top-level domain begins with 4096 addresses for each child, half the share
// of RFC 2909, appendix B, and keeps a little free for what children move.
func (p *params) policyFor(top bool) masc.Policy {
	block := float64(p.block)
	switch {
	case p.policy == "sample":
		return masc.SamplePolicy{FirstSize: block, LeastSize: block}
	case top:
		return masc.PackedPolicy{LeastSize: block, Headroom: 0.03, Low: 0.9, FirstSize: float64(4096 * p.children), Settled: 2 * p.tldLife}
	}
	return masc.PackedPolicy{LeastSize: block, Settled: 2 * p.prefixLife}
}
