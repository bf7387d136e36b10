// SPDX-License-Identifier: BSD-3-Clause

package scope

import "net/netip"

// DefaultTTL is the TTL of a scope whose boundary routers enforce
// (RFC 2730 section 2.8, RFC 3559).
const DefaultTTL = 255

// LocalTTL is the TTL a client uses that knows nothing about the scopes
// around it and so assumes the Local Scope (RFC 2730 section 2.7).
const LocalTTL = 16

// IPv4LinkLocal returns 224.0.0.0/24: addresses that are never forwarded off
// a link (RFC 5771 section 4), so that a TTL of 1 suffices. Nothing in it is
// for dynamic allocation.
func IPv4LinkLocal() Scope {
	return known(MustRange("224.0.0.0", "224.0.0.255"), 1, false, "Link-Local")
}

// IPv4Local returns the Local Scope 239.255.0.0/16, the smallest scope, which
// no other boundary cuts through (RFC 2365 section 6.1).
func IPv4Local() Scope {
	return known(MustRange("239.255.0.0", "239.255.255.255"), DefaultTTL, false, "Local")
}

// IPv4OrganizationLocal returns the Organization Local Scope 239.192.0.0/14,
// from which an organization cuts its own scopes (RFC 2365 section 6.2).
func IPv4OrganizationLocal() Scope {
	return known(MustRange("239.192.0.0", "239.195.255.255"), DefaultTTL, false, "Organization-Local")
}

// IPv4Allocation returns the Allocation Scope 239.251.0.0/16, by whose regions
// all big scopes are divided (RFC 2908 section 4.1.1). RFC 6308 notes that
// IANA never registered it.
func IPv4Allocation() Scope {
	return known(MustRange("239.251.0.0", "239.251.255.255"), DefaultTTL, false, "Allocation")
}

// IPv4Global returns the global scope 224.0.1.0-238.255.255.255, which is
// divisible and not a prefix (RFC 2365 section 8).
func IPv4Global() Scope {
	return known(MustRange("224.0.1.0", "238.255.255.255"), DefaultTTL, true, "Global")
}

// IPv6 returns the scope of all permanent addresses with a scop value: the
// range ff0s::/16 of RFC 2730 section 2.10 and RFC 2776, with every flag 0.
// Scop values are 0..15; of a larger number the low four bits count. The
// names are those of RFC 7346, except that 3 and 6 have their MALLOC names,
// Local and Allocation. Only the global scope (14) is divisible; the TTL is 1
// up to link-local (2) and 255 above.
func IPv6(scop uint8) Scope {
	scop &= 15
	r := RangeOf(netip.PrefixFrom(netip.AddrFrom16([16]byte{0xff, scop}), 16))
	ttl := uint8(DefaultTTL)
	if scop <= 2 {
		ttl = 1
	}
	return known(r, ttl, scop == 14, ipv6ScopeNames[scop])
}

var ipv6ScopeNames = [16]string{
	1: "Interface-Local", 2: "Link-Local", 3: "Local", 4: "Admin-Local", 5: "Site-Local",
	6: "Allocation", 8: "Organization-Local", 14: "Global",
}

// WellKnown returns the scopes that have a name of their own, IPv4 before
// IPv6, each family from topologically smallest to largest.
func WellKnown() []Scope {
	return []Scope{
		IPv4LinkLocal(), IPv4Local(), IPv4OrganizationLocal(), IPv4Allocation(), IPv4Global(),
		IPv6(1), IPv6(2), IPv6(3), IPv6(4), IPv6(5), IPv6(6), IPv6(8), IPv6(14),
	}
}

func known(r Range, ttl uint8, divisible bool, name string) Scope {
	s := Scope{Range: r, TTL: ttl, Divisible: divisible}
	if name != "" {
		s.Names = mustNames(Name{Tag: "en", Text: name, Default: true})
	}
	return s
}
