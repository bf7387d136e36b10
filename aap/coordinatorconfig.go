// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// ErrConfig is in every error about a configuration.
var ErrConfig = errors.New("aap: bad configuration")

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}

// CoordinatorConfig is what a prefix coordinator is told by its administrator.
// Scope, Group and Rand are required.
type CoordinatorConfig struct {
	// Scope is the large scope it coordinates for its domain. A coordinator of
	// several runs a machine for each.
	Scope scope.Range
	// Group is the AAP group of the domain's Allocation Scope, where everything
	// about large scopes goes; see [Group].
	Group netip.Addr
	// Self are the addresses it sends from, by which it knows its own messages.
	Self []netip.AddrPort
	// Sole says that the domain manages no other large scope of this family, so
	// that messages without addresses are about this one (AAP-D-17).
	Sole bool
	// Default says that among several, an ANA, which names no scope, is about
	// this one: usually the global scope.
	Default bool

	// Authentication says which messages to believe.
	Authentication Authentication
	// MaxSkew, if not zero, drops messages whose sender's clock is further off
	// than that. It is the only defence against replay that AAP has itself.
	MaxSkew time.Duration
	// Haste shortens the times between ASAs so that this coordinator becomes and
	// stays the leading one (section 4.2.1): a factor above 0, at most 1. 0
	// stands for 1.
	Haste float64
	// Restore lets a coordinator that has no space take it from an ASA repeated
	// by a server (section 4.1). It may then outlive its authority over that space.
	Restore bool
	// Stubborn makes it go on when another one announces another space, instead
	// of falling silent (section 4.2.1.1).
	Stubborn bool
	// IgnoreReports turns [Usage] off (section 4.2.2).
	IgnoreReports bool

	Timing Timing
	// Rand draws the times.
	Rand *rand.Rand
}

// check reports what is wrong with a configuration that has its defaults.
func (c *CoordinatorConfig) check() error {
	if err := checkPlace(c.Rand, c.Scope, c.Group, c.Authentication, c.MaxSkew); err != nil {
		return err
	}
	switch {
	case !(c.Haste > 0 && c.Haste <= 1):
		return badConfig("haste %v, want more than 0 and at most 1", c.Haste)
	case !c.Timing.valid() || c.Timing.ASAValidity < time.Second:
		return badConfig("times must be positive and at most a year, ASAValidity at least 1 s")
	}
	return nil
}

// checkPlace reports what is wrong with what all configurations have.
func checkPlace(rng *rand.Rand, r scope.Range, group netip.Addr, a Authentication, maxSkew time.Duration) error {
	switch {
	case rng == nil:
		return badConfig("Rand is required")
	case !r.IsValid() || !r.First().IsMulticast() || !r.Last().IsMulticast():
		return badConfig("scope %v, want a multicast range", r)
	case !group.IsMulticast() || group.Is4() != r.Is4():
		return badConfig("group %v, want a multicast address of the family of %v", group, r)
	case a >= authenticationCount:
		return badConfig("unknown authentication policy %d", a)
	case maxSkew < 0:
		return badConfig("negative limit of skew")
	}
	return nil
}
