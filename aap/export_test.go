// SPDX-License-Identifier: BSD-3-Clause

package aap

// What has no user outside the package, for tests that stand outside.
type (
	Run     = run
	Space   = spaceState
	Defence = defence
)

var (
	Consistent  = consistent
	Cut         = cut
	Echoes      = echoes
	Grown       = grown
	Live        = live
	MaxRanges   = maxRanges
	MaxRequests = maxRequests
	NewDefence  = newDefence
	NewSpace    = newSpace
	Reports     = reportsOn
	Shift       = shift
	Skew        = skewOf
	Uncovered   = uncovered
	Unmet       = unmet
	Without     = without
)

// SetNextRequest sets the next request sequence number.
func (m *MAAS) SetNextRequest(rseq uint32) { m.rseq = rseq }
