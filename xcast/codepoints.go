// SPDX-License-Identifier: BSD-3-Clause

package xcast

import "net/netip"

// CodePoints are the numbers that mark a packet as Xcast. IANA has assigned
// none (RFC 5058 section 15), so every experiment chooses its own and its
// nodes must agree. The zero value is valid for nothing: no number is ever
// used because somebody forgot to choose.
type CodePoints struct {
	// ProtoXcast4 is the IPv4 Protocol of the Xcast4 header.
	ProtoXcast4 uint8
	// AllRouters4 and AllRouters6 are All_Xcast_Routers: the multicast
	// addresses in the Destination field of every native Xcast packet.
	AllRouters4, AllRouters6 netip.Addr
	// RoutingType is the Routing Type of the Xcast6 header.
	RoutingType uint8
	// PortsOption is the IPv6 destination option that carries the ports. Its
	// first three bits must be 010: discard if unknown, unchanged en route
	// (RFC 5058 section 9.3.2.2).
	PortsOption uint8
	// TunnelOption is the hop-by-hop option of a semi-permeable tunnel. Its
	// first two bits must be 00: skip if unknown (section 11.3).
	TunnelOption uint8
}

// Experimental returns the values that RFC 4727 sets aside for experiments, as
// RFC 5058 section 15 suggests. Another experiment on the same network may use
// the same values, and RFC 4727 forbids shipping them as a default: pass them
// on purpose, in a network you know.
func Experimental() CodePoints {
	return CodePoints{
		ProtoXcast4:  253,
		AllRouters4:  netip.AddrFrom4([4]byte{224, 0, 0, 254}),
		AllRouters6:  netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 14: 0x01, 15: 0x14}),
		RoutingType:  253,
		PortsOption:  0x5e,
		TunnelOption: 0x1e,
	}
}

// Validate reports, as an [*Error] with [ErrCodePoints], the first code point
// that cannot work: a PortsOption that does not begin with 010, a TunnelOption
// that does not begin with 00 or is one of the two padding options, equal
// option types, an All_Xcast_Routers that is not a multicast address of its
// family, or a ProtoXcast4 or RoutingType that was left 0.
func (c *CodePoints) Validate() error {
	bad := func(field string, got int) error {
		return &Error{Field: field, Got: got, Want: -1, Err: ErrCodePoints}
	}
	switch {
	case c.ProtoXcast4 == 0:
		return bad("ProtoXcast4", 0)
	case !c.AllRouters4.Is4() || !c.AllRouters4.IsMulticast():
		return bad("AllRouters4", c.AllRouters4.BitLen())
	case !c.AllRouters6.Is6() || c.AllRouters6.Is4In6() || c.AllRouters6.Zone() != "" || !c.AllRouters6.IsMulticast():
		return bad("AllRouters6", c.AllRouters6.BitLen())
	case c.RoutingType == 0:
		return bad("RoutingType", 0)
	case c.PortsOption>>5 != 0b010:
		return bad("PortsOption", int(c.PortsOption))
	case c.TunnelOption>>6 != 0 || c.TunnelOption <= optPadN:
		return bad("TunnelOption", int(c.TunnelOption))
	case c.PortsOption == c.TunnelOption:
		return bad("TunnelOption", int(c.TunnelOption))
	}
	return nil
}
