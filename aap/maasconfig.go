// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// MAASConfig is what an allocation server is told by its administrator about one
// scope. Scope, Group and Rand are required.
type MAASConfig struct {
	// Scope holds the addresses to allocate from. A server of several scopes, or of
	// both families, runs a machine for each: nothing crosses scopes (section
	// 2.1.3).
	Scope scope.Range
	// Large says that the scope spans several domains, so that only what an ASA
	// announces may be allocated (section 2.1.1). Else all of it is available, for
	// ever (section 3.2.10).
	Large bool
	// Group is where messages about the scope go: the AAP group of the scope itself
	// if it is small, of the domain's Allocation Scope if it is large; see [Group].
	Group netip.Addr
	// Self are the addresses it sends from, by which it knows its own messages.
	Self []netip.AddrPort
	// Sole and Default say which scope a message without addresses is about, as in
	// [CoordinatorConfig].
	Sole, Default bool
	// Exclude are addresses never to be chosen, besides Group, 224.0.0.0/24 and the
	// last 256 of an IPv4 scope, which are its relative ones (AAP-D-55).
	Exclude scope.Set

	// Pool is the least number of addresses to keep preallocated (section 2.2), so
	// that requests are granted at once, and during a partition too. The machine keeps as
	// many as were granted in the last hour, if that is more, but at most MaxPool;
	// that is 4096 if zero, and with a negative MaxPool nothing is preallocated.
	Pool, MaxPool int
	// PoolTime is how far ahead the ends of preallocations are put, and moved before
	// they come; an hour if zero.
	PoolTime time.Duration

	// Authentication says which messages to believe.
	Authentication Authentication
	// MaxSkew, if not zero, drops messages whose sender's clock is further off than
	// that. It is the only defence against replay that AAP has itself.
	MaxSkew time.Duration
	// Strict takes every AIU for an address of ours as a conflict, as section 3.2.3
	// has it, even one that only defends what we announced (AAP-D-30).
	Strict bool
	// NoReports keeps it from sending ASRPs (section 3.2.10.3).
	NoReports bool

	// The limits of what is kept of others, so that nobody can fill the memory
	// (AAP-D-51). What exceeds one is not recorded, only counted. Zero stands for
	// the default.
	MaxHeard          int // ranges allocated by others, 65536; and of each of the other lists
	MaxPreallocations int // of others, and claims of others, 4096 each
	MaxDefences       int // of our own allocations, and of those of others, 1024 each
	MaxRequests       int // unmet ones, 1024
	// MaxWaiting limits the allocations under way, 4096 if zero.
	MaxWaiting int

	Timing Timing
	// Rand draws times and addresses.
	Rand *rand.Rand
}

func (c MAASConfig) withDefaults() MAASConfig {
	c.Timing = c.Timing.withDefaults()
	c.MaxPool = cmp.Or(c.MaxPool, 4096)
	c.PoolTime = cmp.Or(c.PoolTime, time.Hour)
	c.MaxHeard = cmp.Or(c.MaxHeard, 1<<16)
	c.MaxPreallocations = cmp.Or(c.MaxPreallocations, 4096)
	c.MaxDefences = cmp.Or(c.MaxDefences, 1024)
	c.MaxRequests = cmp.Or(c.MaxRequests, 1024)
	c.MaxWaiting = cmp.Or(c.MaxWaiting, 4096)
	return c
}

// check reports what is wrong with a configuration that has its defaults.
func (c *MAASConfig) check() error {
	if err := checkPlace(c.Rand, c.Scope, c.Group, c.Authentication, c.MaxSkew); err != nil {
		return err
	}
	switch {
	case !c.Exclude.IsEmpty() && c.Exclude.Is4() != c.Scope.Is4():
		return badConfig("excluded addresses of another family than %v", c.Scope)
	case c.Pool < 0 || c.MaxPool > 1<<20:
		return badConfig("pool of %d to %d addresses, want from 0 to %d", c.Pool, c.MaxPool, 1<<20)
	case c.PoolTime < time.Minute || c.PoolTime > 365*24*time.Hour:
		return badConfig("preallocations for %v, want from a minute to a year", c.PoolTime)
	case min(c.MaxHeard, c.MaxPreallocations, c.MaxDefences, c.MaxRequests, c.MaxWaiting) < 1:
		return badConfig("negative limit")
	case !c.Timing.valid() || c.Timing.AnnounceWait <= c.Timing.ResendWait || c.Timing.RepeatInterval < c.Timing.ResendWait:
		return badConfig("times must be positive and at most a year, ResendWait the shortest")
	}
	return nil
}

// reserved returns what is never chosen (AAP-D-55).
func (c *MAASConfig) reserved() scope.Set {
	var b scope.SetBuilder
	b.AddSet(c.Exclude)
	b.Add(scope.Single(c.Group))
	if c.Scope.Is4() {
		b.Add(scope.IPv4LinkLocal().Range)
		low, err := scope.Scope{Range: c.Scope}.Relative(255)
		if err != nil { // a scope that small has no others
			low = c.Scope.First()
		}
		b.Add(rangeOf(low, c.Scope.Last()))
	}
	set, _ := b.Set()
	return set
}
