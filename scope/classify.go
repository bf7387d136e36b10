// SPDX-License-Identifier: BSD-3-Clause

package scope

import "net/netip"

// Kind says which part of the multicast address space an address is in.
type Kind string

// The kinds. IPv4 kinds are the blocks of RFC 5771 and RFC 6034; IPv6 kinds
// follow from the flags and, where these say so, from the fields of the
// address.
const (
	NotMulticast        Kind = "not-multicast"         // outside 224.0.0.0/4 and ff00::/8
	LocalNetworkControl Kind = "local-network-control" // 224.0.0.0/24, RFC 5771 section 4
	InternetworkControl Kind = "internetwork-control"  // 224.0.1.0/24, RFC 5771 section 5
	AdHoc1              Kind = "ad-hoc-1"              // 224.0.2.0-224.0.255.255, RFC 5771 section 6
	AdHoc2              Kind = "ad-hoc-2"              // 224.3.0.0-224.4.255.255, RFC 5771 section 6
	AdHoc3              Kind = "ad-hoc-3"              // 233.252.0.0/14, RFC 5771 section 9.2
	SDPSAP              Kind = "sdp-sap"               // 224.2.0.0/16, RFC 5771 section 7
	SSM                 Kind = "ssm"                   // 232.0.0.0/8 and ff3x::/32, RFC 4607
	GLOP                Kind = "glop"                  // 233.0.0.0-233.251.255.255, RFC 3180
	UnicastPrefix       Kind = "unicast-prefix"        // 234.0.0.0/8, RFC 6034, and RFC 3306
	AdminScoped         Kind = "admin-scoped"          // 239.0.0.0/8, RFC 2365
	Reserved            Kind = "reserved"              // not to be used
	Permanent           Kind = "permanent"             // IPv6, assigned by IANA, RFC 4291 section 2.7
	SolicitedNode       Kind = "solicited-node"        // ff02::1:ff00:0/104, RFC 4291 section 2.7.1
	Transient           Kind = "transient"             // IPv6, T flag alone, RFC 4291 section 2.7
	EmbeddedRP          Kind = "embedded-rp"           // IPv6, R flag, RFC 3956
	LinkScoped          Kind = "link-scoped"           // IPv6, interface identifier based, RFC 4489
	Invalid             Kind = "invalid"               // IPv6, flags and fields contradict each other
)

// String returns the token.
func (k Kind) String() string { return string(k) }

// Flags are the four flags of an IPv6 multicast address (RFC 7371 section 3).
// They are bits to be looked at one by one, not a number.
type Flags uint8

// X is the flag without a meaning yet.
func (f Flags) X() bool { return f&8 != 0 }

// R says that the address embeds a rendezvous point address (RFC 3956).
func (f Flags) R() bool { return f&4 != 0 }

// P says that the address is based on a unicast prefix (RFC 3306).
func (f Flags) P() bool { return f&2 != 0 }

// T says that the address is transient and not assigned by IANA.
func (f Flags) T() bool { return f&1 != 0 }

// MarshalText returns the text of [Flags.String].
func (f Flags) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// String returns a letter for each flag, X R P T, and a hyphen for one not
// set.
func (f Flags) String() string {
	b := []byte("XRPT")
	for i := range b {
		if f&(8>>i) == 0 {
			b[i] = '-'
		}
	}
	return string(b)
}

// Classification is what the RFCs say about one address. Fields that do not
// apply are zero, Scop and Offset are -1.
type Classification struct {
	Kind Kind `json:"kind"`
	// Scope is the scope's token. IPv6 follows RFC 7346: reserved,
	// interface-local, link-local, realm-local, admin-local, site-local,
	// organization-local, global or unassigned. IPv4 has link-local, local,
	// local-expansion, organization-local, organization-expansion,
	// allocation, allocation-expansion, admin-undefined and global.
	Scope string `json:"scope,omitempty"`
	// MALLOC is the scope's name in RFC 2365, 2730, 2776 and 2908, which
	// differs from RFC 7346 for scop 3 and 6: link-local, local, allocation,
	// organization-local, global or none.
	MALLOC string `json:"malloc,omitempty"`
	// Scop is the value 0..15 in an IPv6 address, or what RFC 2365 section 8
	// has an IPv4 range correspond to; -1 if there is none.
	Scop  int   `json:"scop"`
	Flags Flags `json:"flags,omitzero"` // IPv6
	FF2   uint8 `json:"ff2,omitempty"`  // IPv6: the flag bits 17 to 20, 0..15, without a meaning yet (RFC 7371 section 2)
	// Offset is the offset 0..255 of a scope-relative address of the scope
	// RelativeTo, -1 if the address is none (RFC 2365 section 9).
	Offset     int   `json:"offset"`
	RelativeTo Range `json:"relativeTo,omitzero"`
	// AS is the AS number that owns a GLOP address; it means something for
	// the kind GLOP only, where it may be 0.
	AS uint16 `json:"as,omitempty"`
	// Unicast is the unicast prefix that an address of the kinds
	// unicast-prefix and embedded-rp is derived from. The prefix of an IPv4
	// address has 24 bits; whoever owns it may own a shorter one.
	Unicast netip.Prefix `json:"unicast,omitzero"`
	// UnicastInvalid says that Unicast, which is IPv4, is not globally
	// unique, so that nobody owns the address.
	UnicastInvalid bool       `json:"unicastInvalid,omitempty"`
	RP             netip.Addr `json:"rp,omitzero"` // of the kind embedded-rp: the rendezvous point
	// SSM is the class of a source-specific address: null, iana, host, and
	// for IPv6 also invalid and outside-96. Only host ones may be chosen by
	// hosts (RFC 4607 section 9).
	SSM string `json:"ssm,omitempty"`
	// Group is the class of the low 32 bits of an IPv6 address: zero,
	// permanent-address, permanent-group-id or dynamic (RFC 3307 section 4).
	Group string `json:"group,omitempty"`
	// Dynamic says how the address may be allocated dynamically: malloc (by
	// the protocols of this library), ssm (by the sending host alone), sap
	// (by session directories) or none.
	Dynamic string `json:"dynamic,omitempty"`
}

// block is a row of the map of IPv4 multicast addresses.
type block struct {
	first, last uint32
	kind        Kind
	scope       string
	scop        int
}

// blocks4 is the whole of 224.0.0.0/4 in ascending order: RFC 5771 section 3,
// RFC 6034 section 3, RFC 2365 section 6 and RFC 2908 section 4.1.1.
var blocks4 = [...]block{
	{0xe0000000, 0xe00000ff, LocalNetworkControl, "link-local", 2},
	{0xe0000100, 0xe00001ff, InternetworkControl, "global", 14},
	{0xe0000200, 0xe000ffff, AdHoc1, "global", 14},
	{0xe0010000, 0xe001ffff, Reserved, "global", 14},
	{0xe0020000, 0xe002ffff, SDPSAP, "global", 14},
	{0xe0030000, 0xe004ffff, AdHoc2, "global", 14},
	{0xe0050000, 0xe7ffffff, Reserved, "global", 14},
	{0xe8000000, 0xe8ffffff, SSM, "global", 14},
	{0xe9000000, 0xe9fbffff, GLOP, "global", 14},
	{0xe9fc0000, 0xe9ffffff, AdHoc3, "global", 14},
	{0xea000000, 0xeaffffff, UnicastPrefix, "global", 14},
	{0xeb000000, 0xeeffffff, Reserved, "global", 14},
	{0xef000000, 0xefbfffff, AdminScoped, "organization-expansion", -1},
	{0xefc00000, 0xefc3ffff, AdminScoped, "organization-local", 8},
	{0xefc40000, 0xeff7ffff, AdminScoped, "admin-undefined", -1},
	{0xeff80000, 0xeffaffff, AdminScoped, "allocation-expansion", -1},
	{0xeffb0000, 0xeffbffff, AdminScoped, "allocation", -1},
	{0xeffc0000, 0xeffcffff, AdminScoped, "admin-undefined", -1},
	{0xeffd0000, 0xeffeffff, AdminScoped, "local-expansion", -1},
	{0xefff0000, 0xefffffff, AdminScoped, "local", 3},
}

// Classify says everything the RFCs say about an address. It has an answer
// for every address: one that is not multicast, IPv4-mapped or the zero
// address has the kind not-multicast and nothing else. A zone is ignored.
func Classify(a netip.Addr) Classification {
	c := Classification{Kind: NotMulticast, Scop: -1, Offset: -1}
	switch {
	case a.Is4():
		c.classify4(number4(a))
	case a.Is6():
		if b := a.As16(); b[0] == 0xff {
			c.classify6(b)
		}
	}
	return c
}

func (c *Classification) classify4(n uint32) {
	if n < blocks4[0].first || n > blocks4[len(blocks4)-1].last {
		return
	}
	i := 0
	for n > blocks4[i].last {
		i++
	}
	b := &blocks4[i]
	c.Kind, c.Scope, c.Scop, c.Dynamic = b.kind, b.scope, b.scop, "none"
	switch b.scope {
	case "local", "organization-local", "allocation":
		c.MALLOC, c.Dynamic = b.scope, "malloc"
		if n > b.last-relativeCount {
			c.Offset, c.RelativeTo, c.Dynamic = int(b.last-n), Range{addr4(b.first), addr4(b.last)}, "none"
		}
	case "link-local", "global":
		c.MALLOC = b.scope
	}
	switch b.kind {
	case SDPSAP:
		if n >= 0xe0028000 {
			c.Dynamic = "sap"
		}
	case SSM:
		switch {
		case n == b.first:
			c.SSM = "null"
		case n <= b.first|255:
			c.SSM = "iana"
		default:
			c.SSM, c.Dynamic = "host", "ssm"
		}
	case GLOP:
		c.AS = uint16(n >> 8)
	case UnicastPrefix:
		c.Unicast = netip.PrefixFrom(addr4(n<<8), 24)
		c.UnicastInvalid = !global4(c.Unicast)
	}
}

// notGlobal4 are the unicast prefixes that are not globally unique.
var notGlobal4 = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("224.0.0.0/3"),
}

// global4 reports whether p has nothing to do with these.
func global4(p netip.Prefix) bool {
	for _, q := range notGlobal4 {
		if q.Overlaps(p) {
			return false
		}
	}
	return true
}
