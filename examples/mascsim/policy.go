// SPDX-License-Identifier: BSD-3-Clause

package main

import "github.com/mcastalloc/malloc/masc"

// policyFor returns the policy of a top-level domain or of a child.
func (p *params) policyFor(top bool) masc.Policy {
	return masc.SamplePolicy{FirstSize: float64(p.block), LeastSize: float64(p.block)}
}
