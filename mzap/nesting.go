// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// NestingEvidence is what a listener knows about a pair of scopes X and Y.
type NestingEvidence struct {
	Inner, Outer scope.Range // X and Y
	InnerHeard   time.Time   // when a ZAM for X was first heard
	OuterHeard   time.Time   // when a ZAM for Y was first heard
	NotInside    time.Time   // when "X is not inside Y" was last heard; zero for never
}

// Nests concludes from the evidence whether X nests in Y: whether X's zone here
// consists of some of the routers of Y's (RFC 2776 sections 3.1 and 6.1). It
// is Yes if ZAMs for both were first heard at least hold ago (NIM-HOLDTIME) and
// no NIM contradicted within the last hold; No as long as one did; and Unknown
// while it is too early to tell. Routers can never know that a zone nests, only
// that it does not, so Yes means that nobody objected for long enough.
//
// Some pairs need no evidence: a scope nests in itself, the Local Scope in every
// scope and every scope in the global one; nothing else nests in the Local Scope,
// and the global scope in nothing else. Scopes of different families and zero
// ranges are Unknown to nest.
func Nests(e NestingEvidence, now time.Time, hold time.Duration) scope.Relation {
	if !e.Inner.IsValid() || !e.Outer.IsValid() || e.Inner.Is4() != e.Outer.Is4() {
		return scope.Unknown
	}
	local, global := LocalScope(e.Inner.Is4()), globalScope(e.Inner.Is4())
	switch {
	case e.Inner == e.Outer, e.Inner == local, e.Outer == global:
		return scope.Yes
	case e.Outer == local, e.Inner == global:
		return scope.No
	}
	if !e.NotInside.IsZero() && now.Sub(e.NotInside) < hold {
		return scope.No
	}
	if now.Sub(e.InnerHeard) < hold || now.Sub(e.OuterHeard) < hold {
		return scope.Unknown
	}
	return scope.Yes
}

// globalScope returns the range of the global scope.
func globalScope(is4 bool) scope.Range {
	if is4 {
		return global4
	}
	return global6
}

var (
	global4 = scope.MustRange("224.0.1.0", "238.255.255.255")
	global6 = scope.MustRange("ff0e::", "ff0e:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
)
