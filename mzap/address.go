// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"net/netip"

	"github.com/mcastalloc/malloc/scope"
)

// UsableUnicast reports whether a can be the address of a router or the ID of a
// zone: good for more than one link (RFC 2776 sections 5 and 3.3). Unspecified,
// loopback, link-local, multicast, IPv4-mapped and zoned addresses are not, nor
// are 0.0.0.0/8 and 240.0.0.0/4.
func UsableUnicast(a netip.Addr) bool {
	if a.Is4() {
		b := a.As4()
		return usable4(b[0], b[1])
	}
	return a.Is6() && a.Zone() == "" && !a.Is4In6() && !a.IsUnspecified() && !a.IsLoopback() &&
		!a.IsLinkLocalUnicast() && !a.IsMulticast()
}

// usable4 reports whether an IPv4 address that starts with these two octets is
// usable: they decide alone.
func usable4(b0, b1 byte) bool {
	return b0 != 0 && b0 != 127 && b0 < 224 && (b0 != 169 || b1 != 254)
}

// isGroup reports whether a is a multicast address that the wire can say.
func isGroup(a netip.Addr) bool { return a.IsMulticast() && !a.Is4In6() && a.Zone() == "" }

func addrLen(is4 bool) int {
	if is4 {
		return 4
	}
	return 16
}

// getAddr reads an address of the family; b holds enough octets.
func getAddr(b []byte, is4 bool) netip.Addr {
	if is4 {
		return netip.AddrFrom4([4]byte(b))
	}
	return netip.AddrFrom16([16]byte(b))
}

// appendAddr writes a, or the unspecified address for the zero Addr.
func appendAddr(dst []byte, a netip.Addr, is4 bool) []byte {
	if is4 {
		var b [4]byte
		if a.IsValid() {
			b = a.As4()
		}
		return append(dst, b[:]...)
	}
	var b [16]byte
	if a.IsValid() {
		b = a.As16()
	}
	return append(dst, b[:]...)
}

// LocalScope returns the range of the Local Scope of a family (RFC 2776 section
// 2): 239.255.0.0/16, or ff03::/16.
func LocalScope(is4 bool) scope.Range {
	if is4 {
		return local4
	}
	return local6
}

// LocalGroup returns the group that ZAMs and NIMs are sent to
// ([MZAP-LOCAL-GROUP], RFC 2776 section 7): 239.255.255.252, or
// ff03:ffff:ffff:ffff:ffff:ffff:ffff:fffc.
func LocalGroup(is4 bool) netip.Addr {
	if is4 {
		return localGroup4
	}
	return localGroup6
}

// RelativeGroup returns the group that ZCMs and ZLEs of a scope are sent to
// ([ZCM-RELATIVE-GROUP], RFC 2776 section 7): the last address of its range
// minus 3. A range of fewer than four addresses has none.
func RelativeGroup(r scope.Range) (netip.Addr, bool) {
	a := r.Last()
	for range scope.OffsetMZAP {
		a = a.Prev()
	}
	if !r.Contains(a) {
		return netip.Addr{}, false
	}
	return a, true
}

// linkLocal returns the range of the link-local scope, which MZAP leaves alone.
func linkLocal(is4 bool) scope.Range {
	if is4 {
		return linkLocal4
	}
	return linkLocal6
}

var (
	local4      = scope.MustRange("239.255.0.0", "239.255.255.255")
	local6      = scope.MustRange("ff03::", "ff03:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
	localGroup4 = netip.MustParseAddr("239.255.255.252")
	localGroup6 = netip.MustParseAddr("ff03:ffff:ffff:ffff:ffff:ffff:ffff:fffc")
	linkLocal4  = scope.MustRange("224.0.0.0", "224.0.0.255")
	linkLocal6  = scope.MustRange("ff02::", "ff02:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
)
