// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Policy decides what a domain claims. It is asked whenever something changes
// that could matter; it must decide from the View alone.
type Policy interface {
	// Grow says what to claim for a demand that may exceed what the domain has.
	Grow(v *View) Plan
	// Renew says what becomes of a prefix whose time to be claimed again has
	// come: PlanNothing lets it end.
	Renew(v *View, h Holding) Plan
}

// PlanKind says what a Plan does.
type PlanKind uint8

// The kinds of plans.
const (
	PlanNothing PlanKind = iota
	PlanNew              // claim Prefix with a NEW_CLAIM
	PlanReplace          // the same, and when it is allocated let all smaller prefixes end
	PlanExpand           // claim Prefix with a CLAIM_TO_EXPAND: it covers, equals or lies in a prefix the domain has
	PlanHint             // tell the parent that a prefix of the length of Prefix is needed
	PlanRelease          // give Prefix back before its end
	PlanKeep             // Renew: leave it as it is, and ask again after a reclaim period
)

// Plan is what a Policy decides. Lifetime is how long the prefix is to last
// from the claim on; the node cuts it to the end of the parent's prefix.
type Plan struct {
	Kind     PlanKind
	Prefix   Prefix
	Lifetime time.Duration
}

// View is what a Policy sees: the space of one pool at one level, which is
// either what the domain manages or what it claims from itself for its own use.
type View struct {
	Now     time.Time
	Waiting time.Duration // the waiting period
	Rand    *rand.Rand
	Family  AddrFamily
	Parents []Source  // prefixes that may be claimed from
	Own     []Holding // what the domain has
	Pending []Claim   // own claims that wait or are about to be sent
	Demand  Demand    // Lifetime and Used are set

	// Others returns what everybody else has or claims in the parents' prefixes.
	// It is a function because it takes a walk through the cache, and most
	// decisions can do without.
	Others func() []Prefix
}

// Source is a prefix to claim from.
type Source struct {
	Prefix     Prefix
	Domain     ID        // the parent; the zero ID for the pool of a top-level domain
	End        time.Time // when it ends; the zero time for never
	Deprecated bool      // it will not be prolonged: nothing new is claimed from it
}

// Holding is a prefix the domain has.
type Holding struct {
	Prefix     Prefix
	Timestamp  Timestamp // what it defends itself with in a clash
	End        time.Time
	Node       ID   // of the domain, that claimed it
	Deprecated bool // it is to end: not claimed again
}

// active returns the sources that something can still be claimed from.
func (v *View) active() []Prefix {
	var list []Prefix
	for _, s := range v.Parents {
		if !s.Deprecated && (s.End.IsZero() || s.End.Sub(v.Now) > 2*v.Waiting) {
			list = append(list, s.Prefix)
		}
	}
	return list
}

// lasting returns those of the active sources that last for a whole lifetime,
// or all of them if none does.
func (v *View) lasting() []Prefix {
	var list []Prefix
	for _, s := range v.Parents {
		if !s.Deprecated && (s.End.IsZero() || s.End.Sub(v.Now) >= v.Demand.Lifetime) {
			list = append(list, s.Prefix)
		}
	}
	if len(list) == 0 {
		return v.active()
	}
	return list
}

// taken returns what others and the domain itself have or claim.
func (v *View) taken() []Prefix {
	list := slices.Clone(v.Others())
	for _, h := range v.Own {
		list = append(list, h.Prefix)
	}
	for i := range v.Pending {
		list = append(list, v.Pending[i].Prefix)
	}
	return list
}

// adding returns the own claims that wait and, unlike those that only prolong
// something, are for more than the domain has.
func (v *View) adding() []Prefix {
	var list []Prefix
	for i := range v.Pending {
		p := v.Pending[i].Prefix
		if !slices.ContainsFunc(v.Own, func(h Holding) bool { return !h.Deprecated && h.Prefix.Covers(p) }) {
			list = append(list, p)
		}
	}
	return list
}
