// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"net/netip"
	"time"
)

// FindNonConvexRoute judges the way to a boundary router of a zone: the origin
// of a ZAM that arrived inside, or one that a ZCM lists (RFC 2776 section 4.1,
// methods 3 and 1). If the multicast routing table sends us to it over a
// boundary of the zone, the shortest path between two routers of the zone
// leads through the outside, and scoped traffic between them is lost.
func FindNonConvexRoute(m *Message, z Zone, router netip.Addr, routeLeavesZone bool) (Finding, bool) {
	if !routeLeavesZone {
		return Finding{}, false
	}
	f := found(NonConvexRoute, m, z)
	f.Router = router
	return f, true
}

// FindNonConvexSilence judges a router that a ZCM lists and that we do not
// hear (RFC 2776 section 4.1, method 2). It counts when at least patience
// (ZCM-HOLDTIME) has passed since its last ZCM, or since it was first listed if
// it was never heard. since is that instant.
func FindNonConvexSilence(zcm *Message, z Zone, router netip.Addr, since, now time.Time, patience time.Duration) (Finding, bool) {
	if now.Sub(since) < patience {
		return Finding{}, false
	}
	f := found(NonConvexSilence, zcm, z)
	f.Router, f.Since = router, since
	return f, true
}
