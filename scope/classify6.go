// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"encoding/binary"
	"net/netip"
)

// The layout of an IPv6 multicast address (RFC 4291 section 2.7, RFC 3306
// section 4, RFC 3956 section 3, RFC 7371 section 2):
//
//	|   8    |  4  |  4   |  4  |  4   |   8  |       64       |    32    |
//	+--------+-----+------+-----+------+------+----------------+----------+
//	|11111111|flags| scop | ff2 | RIID | plen | network prefix | group ID |
//	+--------+-----+------+-----+------+------+----------------+----------+
//
// ff2, RIID, plen and network prefix are fields only if the P flag is set,
// RIID only if the R flag is; otherwise all 112 bits are the group ID.

// scopNames are the names of RFC 7346 section 2.
var scopNames = [16]string{
	"reserved", "interface-local", "link-local", "realm-local", "admin-local", "site-local", "unassigned", "unassigned",
	"organization-local", "unassigned", "unassigned", "unassigned", "unassigned", "unassigned", "global", "reserved",
}

// mallocNames are the names the MALLOC documents have for a scop.
var mallocNames = [16]string{2: "link-local", 3: "local", 6: "allocation", 8: "organization-local", 14: "global"}

func (c *Classification) classify6(b [16]byte) {
	group := binary.BigEndian.Uint32(b[12:])
	c.Scop = int(b[1] & 15)
	c.Flags, c.FF2 = Flags(b[1]>>4), b[2]>>4
	c.Scope, c.MALLOC = scopNames[c.Scop], mallocNames[c.Scop]
	c.Group, c.Dynamic = groupClass(group), "none"
	c.Kind = c.kind6(b, group)
	switch {
	case c.Kind == Invalid:
	case c.Scop == 0:
		c.Kind, c.SSM, c.RP, c.Unicast = Reserved, "", netip.Addr{}, netip.Prefix{}
	}
	if c.Scop != 0 && c.Scop != 15 {
		switch c.Kind {
		case SSM:
			if c.SSM == "host" {
				c.Dynamic = "ssm"
			}
		case Transient, UnicastPrefix, EmbeddedRP, LinkScoped:
			if c.Group == "dynamic" {
				c.Dynamic = "malloc"
			}
		}
	}
	if c.Flags == 0 && (c.Scop == 3 || c.Scop == 6 || c.Scop == 8) {
		s := IPv6(uint8(c.Scop))
		if k, ok := s.OffsetOf(netip.AddrFrom16(b)); ok {
			c.Offset, c.RelativeTo = k, s.Range
		}
	}
}

// kind6 finds the kind by the first rule that matches and fills in the fields
// that go with it.
func (c *Classification) kind6(b [16]byte, group uint32) Kind {
	f, plen, riid := c.Flags, int(b[3]), b[2]&15
	prefix := [16]byte{}
	copy(prefix[:8], b[4:12])
	switch {
	case f.R():
		if !f.P() || !f.T() || plen < 1 || plen > 64 || riid == 0 {
			return Invalid
		}
		unicast := netip.PrefixFrom(netip.AddrFrom16(prefix), plen).Masked()
		rp := unicast.Addr().As16()
		rp[15] |= riid
		if !possibleRP(netip.AddrFrom16(rp)) {
			return Invalid
		}
		c.Unicast, c.RP = unicast, netip.AddrFrom16(rp)
		return EmbeddedRP
	case f.P() && !f.T():
		return Invalid
	case f.P() && plen == 0:
		c.SSM = ssmClass6(prefix, group)
		return SSM
	case f.P() && plen == 255 && c.Scop <= 2:
		return LinkScoped
	case f.P() && plen <= 64:
		c.Unicast = netip.PrefixFrom(netip.AddrFrom16(prefix), plen).Masked()
		return UnicastPrefix
	case f.P():
		return Invalid
	case f.T():
		return Transient
	case [14]byte(b[2:]) == [14]byte{}:
		return Reserved
	case f == 0 && c.Scop == 2 && [11]byte(b[2:13]) == [11]byte{9: 1, 10: 0xff}:
		return SolicitedNode
	}
	return Permanent
}

// possibleRP reports whether an address passes the checks of RFC 3956
// section 4: not link-local, not in ::/16, not multicast.
func possibleRP(a netip.Addr) bool {
	b := a.As16()
	return !(b[0] == 0xfe && b[1]&0xc0 == 0x80) && (b[0] != 0 || b[1] != 0) && b[0] != 0xff
}

// ssmClass6 classes the group IDs of ff3x::/32 (RFC 4607 sections 1 and 9).
func ssmClass6(prefix [16]byte, group uint32) string {
	switch {
	case prefix != [16]byte{}:
		return "outside-96"
	case group < 0x40000000:
		return "invalid"
	case group == 0x40000000:
		return "null"
	case group < 0x80000000:
		return "iana"
	}
	return "host"
}

// groupClass classes group IDs (RFC 3307 section 4).
func groupClass(group uint32) string {
	switch {
	case group == 0:
		return "zero"
	case group < 0x40000000:
		return "permanent-address"
	case group < 0x80000000:
		return "permanent-group-id"
	}
	return "dynamic"
}
