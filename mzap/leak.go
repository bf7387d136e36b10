// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"net/netip"
	"time"
)

// FindLeakyBoundary judges a ZAM for a scope that a router bounds (RFC 2776
// section 4.2, method 1). If it came in over a boundary of that scope, from
// outside, and yet bears the Zone ID of our own zone, it has left the zone
// through a hole and found its way around to us.
func FindLeakyBoundary(zam *Message, z Zone, fromOutside bool) (Finding, bool) {
	if !fromOutside || zam.Range != z.Scope.Range || zam.ZoneID != z.ZoneID {
		return Finding{}, false
	}
	return found(LeakyBoundary, zam, z), true
}

// FindLimitExceeded judges a ZLE (RFC 2776 sections 4.2, method 2, and 6.5): if
// it is about a ZAM that we originated, ours has strayed too far. own tells our
// addresses.
func FindLimitExceeded(zle *Message, z Zone, own func(netip.Addr) bool) (Finding, bool) {
	if zle.Type != ZLE || !own(zle.Origin) {
		return Finding{}, false
	}
	return found(LimitExceeded, zle, z), true
}

// FindLeakyLocalScope judges a ZAM for our own scope that arrived inside our
// zone (RFC 2776 section 4.3). Another Zone ID than ours means it belongs to
// another zone of that scope; but the IDs also differ for a while after the
// lowest boundary router came or went. So it counts only when mismatches of
// that origin, without a match between, began at least patience ago
// (ZCM-HOLDTIME). since is when they began.
func FindLeakyLocalScope(zam *Message, z Zone, since, now time.Time, patience time.Duration) (Finding, bool) {
	if zam.Range != z.Scope.Range || zam.ZoneID == z.ZoneID || now.Sub(since) < patience {
		return Finding{}, false
	}
	f := found(LeakyLocalScope, zam, z)
	f.Since = since
	return f, true
}
