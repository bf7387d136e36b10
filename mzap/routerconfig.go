// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/mcastalloc/malloc/scope"
)

// ErrConfig is in every error of [NewRouter] and [NewListener].
var ErrConfig = errors.New("mzap: bad configuration")

// RouterConfig is what a boundary router is told by its administrator and by
// the rest of the router. It is for one address family: a router of both runs
// two machines.
type RouterConfig struct {
	// Interfaces are those of the router, boundaries and others.
	Interfaces []Interface
	// Addr is an address of the router that belongs to no interface, such as that
	// of a loopback interface. It is inside every zone. It may be left out when
	// every zone has an interface inside with an address.
	Addr netip.Addr
	// Scopes are the scopes the router bounds. The Local Scope is always one of
	// them, with every interface that any scope has a boundary on (RFC 2776 section
	// 2). Their ranges must not overlap, and must hold at least four addresses, or
	// there would be no group to send ZCMs to.
	Scopes []Boundary
	// Route is the multicast routing table: which interface leads to an address.
	Route func(netip.Addr) (index int, ok bool)
	// Rand draws the jitter and delays.
	Rand *rand.Rand

	Timing Timing
	Limits RouterLimits
	// MTU bounds the size of a ZCM in octets, IP header included. 0 stands for
	// 1500 (IPv4) or 1280 (IPv6).
	MTU int
}

// Interface is one of a router's interfaces.
type Interface struct {
	Index int // greater than 0, the operating system's
	// Addr is its unicast address, the zero Addr for none. One that is good on the
	// link only is as good as none.
	Addr netip.Addr
	// Beyond is the Zone ID of the local zone beyond a Local Scope boundary, if
	// the administrator knows it. What the routers over there say is believed
	// more.
	Beyond netip.Addr
}

// Boundary is a scope that a router bounds.
type Boundary struct {
	// Scope has the range, names and B bit to announce. Its TTL plays no part.
	Scope scope.Scope
	// Interfaces are those with a boundary for the scope, which do not let
	// datagrams to its range through. The router itself and its other interfaces
	// are inside.
	Interfaces []int
	// Limit is the Zones Traveled Limit of our ZAMs: 0 stands for [DefaultLimit],
	// a negative number for none.
	Limit int
}

// RouterLimits bounds what other routers can make this one remember. The zero
// value of a field stands for its default.
type RouterLimits struct {
	Routers    int // boundary routers of one zone, live, silent or with another Zone ID: 1024 each
	NotInside  int // "X not inside" entries: 256
	Duplicates int // ZAMs and NIMs remembered: 4096 each
}

func (l RouterLimits) withDefaults() RouterLimits {
	l.Routers = cmp.Or(l.Routers, 1024)
	l.NotInside = cmp.Or(l.NotInside, 256)
	l.Duplicates = cmp.Or(l.Duplicates, 4096)
	return l
}

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}

// check reports what is wrong with a configuration.
func (c *RouterConfig) check() error {
	switch {
	case c.Route == nil || c.Rand == nil:
		return badConfig("Route and Rand are required")
	case len(c.Scopes) == 0:
		return badConfig("no scopes, want at least the Local Scope")
	case !c.Timing.valid():
		return badConfig("times must be positive, hold times whole seconds up to %v", maxHold)
	case min(c.Limits.Routers, c.Limits.NotInside, c.Limits.Duplicates) < 0:
		return badConfig("negative limit")
	}
	for i, n := range c.Interfaces {
		if n.Index <= 0 || slices.ContainsFunc(c.Interfaces[:i], func(o Interface) bool { return o.Index == n.Index }) {
			return badConfig("interface index %d, want positive and different ones", n.Index)
		}
		if n.Beyond.IsValid() && !UsableUnicast(n.Beyond) {
			return badConfig("interface %d: zone ID %v beyond, want a usable unicast address", n.Index, n.Beyond)
		}
	}
	is4 := c.Scopes[0].Scope.Range.Is4()
	local := slices.IndexFunc(c.Scopes, func(b Boundary) bool { return b.Scope.Range == LocalScope(is4) })
	if local < 0 {
		return badConfig("the Local Scope %v is missing", LocalScope(is4))
	}
	for i, b := range c.Scopes {
		if err := c.checkBoundary(b, is4, c.Scopes[local].Interfaces); err != nil {
			return err
		}
		for _, o := range c.Scopes[:i] {
			if o.Scope.Range.Overlaps(b.Scope.Range) {
				return badConfig("scopes %v and %v overlap", o.Scope.Range, b.Scope.Range)
			}
		}
	}
	return nil
}

func (c *RouterConfig) checkBoundary(b Boundary, is4 bool, local []int) error {
	r := b.Scope.Range
	switch _, ok := RelativeGroup(r); {
	case !r.IsValid() || !isGroup(r.First()) || !isGroup(r.Last()) || r.Is4() != is4:
		return badConfig("scope %v, want a multicast range, all of one family", r)
	case r == linkLocal(is4):
		return badConfig("scope %v is link-local, which needs no boundary", r)
	case !ok:
		return badConfig("scope %v has fewer than four addresses", r)
	case len(b.Interfaces) == 0:
		return badConfig("scope %v has no boundary interface", r)
	case b.Limit > 255:
		return badConfig("scope %v: limit %d, want at most 255", r, b.Limit)
	}
	for _, i := range b.Interfaces {
		if !slices.ContainsFunc(c.Interfaces, func(n Interface) bool { return n.Index == i }) {
			return badConfig("scope %v: no interface %d", r, i)
		}
		if !slices.Contains(local, i) {
			return badConfig("interface %d has a boundary for %v and none for the Local Scope", i, r)
		}
	}
	return nil
}
