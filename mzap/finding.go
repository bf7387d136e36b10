// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// FindingKind says which misconfiguration a [Finding] is about (RFC 2776
// section 4).
type FindingKind uint8

// What MZAP can find.
const (
	// LeakyBoundary: a ZAM of the zone came back from outside of it, so some
	// router lacks the boundary (section 4.2).
	LeakyBoundary FindingKind = 1 + iota
	// LimitExceeded: a ZAM of ours crossed as many local zones as it may, so it
	// got out somewhere (section 4.2).
	LimitExceeded
	// LeakyLocalScope: a ZAM of another zone of the same scope keeps arriving
	// inside ours, so some boundary lacks the Local Scope (section 4.3).
	LeakyLocalScope
	// NonConvexRoute: a router of the zone is reached through the outside
	// (section 4.1, methods 1 and 3).
	NonConvexRoute
	// NonConvexSilence: others hear a router of the zone and we do not (section
	// 4.1, method 2).
	NonConvexSilence
	// RangeConflict: two scopes overlap and are not the same (section 4.4).
	RangeConflict
	// NameConflict: a scope has two different names in one language (section
	// 4.4).
	NameConflict
)

var findingNames = [...]string{
	LeakyBoundary: "leaky boundary", LimitExceeded: "zones traveled limit exceeded", LeakyLocalScope: "leaky Local Scope",
	NonConvexRoute: "non-convex zone (route)", NonConvexSilence: "non-convex zone (silence)",
	RangeConflict: "conflicting ranges", NameConflict: "conflicting names",
}

// String returns a short name such as "leaky boundary".
func (k FindingKind) String() string {
	if k == 0 || int(k) >= len(findingNames) {
		return fmt.Sprintf("FindingKind(%d)", k)
	}
	return findingNames[k]
}

// Finding is a misconfiguration, with the evidence for it. It is an [Effect]:
// the application should bring it before an administrator (RFC 2776 section 4).
// The one at fault is this router, the message's origin, a router of the path,
// or one between two of these.
type Finding struct {
	Kind FindingKind
	// Message is the type of the message that is the evidence.
	Message Type
	// Interface is where that message arrived.
	Interface int
	// Scope is the range of our own scope that is concerned.
	Scope scope.Range
	// Announced is the range in the message. It differs from Scope for
	// conflicting ranges only.
	Announced scope.Range
	// Origin is the router that originated the message.
	Origin netip.Addr
	// Router is the boundary router the finding is about: the one listed in a
	// ZCM, otherwise the Origin.
	Router netip.Addr
	// ZoneID is the one in the message, OwnZoneID our own for the same scope.
	ZoneID, OwnZoneID netip.Addr
	// LocalZone and Path are where a ZAM or ZLE has been.
	LocalZone netip.Addr
	Path      []Hop
	// Since is when a mismatch was first seen or a router last heard.
	Since time.Time
	// Tag is the language of two names, Name the one in the message and OwnName
	// our own.
	Tag, Name, OwnName string
}

// String tells the finding in one line.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: scope %v, %v of %v", f.Kind, f.Scope, f.Message, f.Origin)
	switch f.Kind {
	case LeakyBoundary:
		fmt.Fprintf(&b, " came back from outside on interface %d", f.Interface)
	case LimitExceeded:
		fmt.Fprintf(&b, " crossed %d local zones", len(f.Path))
	case LeakyLocalScope:
		fmt.Fprintf(&b, " has zone ID %v, ours is %v, since %v", f.ZoneID, f.OwnZoneID, f.Since.UTC().Format(time.RFC3339))
	case NonConvexRoute:
		fmt.Fprintf(&b, ": the way to %v leads out of the zone", f.Router)
	case NonConvexSilence:
		fmt.Fprintf(&b, " hears %v, we have not since %v", f.Router, f.Since.UTC().Format(time.RFC3339))
	case RangeConflict:
		fmt.Fprintf(&b, " announces %v", f.Announced)
	case NameConflict:
		fmt.Fprintf(&b, " calls it %q in language %q, we %q", f.Name, f.Tag, f.OwnName)
	}
	if len(f.Path) > 0 {
		fmt.Fprintf(&b, "; path %v", zoneText(f.LocalZone))
		for _, h := range f.Path {
			fmt.Fprintf(&b, " > %v > %v", h.Router, zoneText(h.LocalZone))
		}
	}
	return b.String()
}

func zoneText(zone netip.Addr) string {
	if !zone.IsValid() {
		return "?"
	}
	return zone.String()
}

// Zone is what one who watches a zone knows about it: a boundary router about a
// zone it bounds, or a listener about a scope it heard of.
type Zone struct {
	Scope  scope.Scope
	ZoneID netip.Addr // its Zone ID as far as known
}

// found starts a finding: everything the message itself tells.
func found(kind FindingKind, m *Message, z Zone) Finding {
	return Finding{
		Kind: kind, Message: m.Type, Scope: z.Scope.Range, Announced: m.Range,
		Origin: m.Origin, Router: m.Origin, ZoneID: m.ZoneID, OwnZoneID: z.ZoneID,
		LocalZone: m.LocalZone, Path: slices.Clone(m.Path),
	}
}
