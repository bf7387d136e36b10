// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"fmt"
	"net/netip"

	"github.com/mcastalloc/malloc/scope"
)

// ServerGroup returns the multicast address on which the servers of a scope
// listen: the last address of the scope minus 1 (RFC 2730, section 2.10). It
// fails for a range that is not multicast or has fewer than 2 addresses.
//
// For the global scope it returns an address too, as every scope has one; a
// Client refuses to send there (section 2.11).
func ServerGroup(r scope.Range) (netip.Addr, error) {
	if !r.IsValid() || !isMulticast(r.First()) || !isMulticast(r.Last()) {
		return netip.Addr{}, fmt.Errorf("madcap: server group of %v: want a range of multicast addresses", r)
	}
	group, err := scope.Scope{Range: r}.Relative(scope.OffsetMADCAP)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("madcap: server group of %v: %w", r, err)
	}
	return group, nil
}

// DefaultServerGroup returns where a client looks for servers when nothing else
// is configured: 239.255.255.254, the server group of the IPv4 Local Scope, or
// ff03:ffff:ffff:ffff:ffff:ffff:ffff:fffe, that of the IPv6 scope 3 (RFC 2730,
// section 2.10). For any other family it returns the zero Addr.
func DefaultServerGroup(f AddrFamily) netip.Addr {
	switch f {
	case FamilyIPv4:
		return netip.AddrFrom4([4]byte{239, 255, 255, 254})
	case FamilyIPv6:
		return netip.AddrFrom16([16]byte{0xff, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe})
	}
	return netip.Addr{}
}

// inGlobalScope reports whether a multicast address belongs to the global
// scope, whose server group no client may ever use: 224.0.1.0 to
// 238.255.255.255, and every IPv6 address with scop 14 (RFC 2730, section 2.11,
// decision MADCAP-D-51).
func inGlobalScope(a netip.Addr) bool {
	if a.Is4() {
		b := a.As4()
		return b[0] >= 224 && b[0] <= 238 && (b[0] != 224 || b[1] != 0 || b[2] != 0)
	}
	b := a.As16()
	return b[0] == 0xff && b[1]&0x0f == 0x0e
}
