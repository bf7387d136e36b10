// SPDX-License-Identifier: BSD-3-Clause

// Package mascbench compares the codec of package masc with that of GoBGP, the
// nearest relative MASC has in Go, and with a floor: the least code that reads
// or writes an UPDATE of 20 claims at all.
//
// Library and peer run in one binary, pass after pass; a ratio is taken inside
// each pass and the median counts.
package mascbench

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/mcastalloc/malloc/internal/bench/ratio"
	"github.com/mcastalloc/malloc/masc"
)

// Rows measures and yields one row after the other.
func Rows() iter.Seq[ratio.Row] {
	ours, theirs := messages()
	update, open, keepalive := encoded(&ours[0]), encoded(&ours[1]), encoded(&ours[2])
	var m masc.Message
	decode := func(b []byte) func(int) {
		return func(n int) {
			for range n {
				if err := m.Decode(b); err != nil {
					panic(err)
				}
			}
		}
	}
	buf := make([]byte, 0, masc.MaxMessage)
	encode := func(m *masc.Message) func(int) {
		return func(n int) {
			for range n {
				if _, err := m.AppendBinary(buf); err != nil {
					panic(err)
				}
			}
		}
	}
	parse := func(m *bgp.BGPMessage) func(int) {
		b, err := m.Serialize()
		if err != nil {
			panic(err)
		}
		return func(n int) {
			for range n {
				if _, err := bgp.ParseBGPMessage(b); err != nil {
					panic(err)
				}
			}
		}
	}
	serialize := func(m *bgp.BGPMessage) func(int) {
		return func(n int) {
			for range n {
				if _, err := m.Serialize(); err != nil {
					panic(err)
				}
			}
		}
	}
	var f floor
	rows := []func() ratio.Row{
		compare("UPDATE decode, 20 claims", "GoBGP UPDATE-mpmcast20 decode", 0.07, decode(update), parse(theirs[0])),
		compare("UPDATE encode, 20 claims", "GoBGP UPDATE-mpmcast20 encode", 0.035, encode(&ours[0]), serialize(theirs[0])),
		compare("OPEN decode", "GoBGP OPEN decode", 0.06, decode(open), parse(theirs[1])),
		compare("OPEN encode", "GoBGP OPEN encode", 0.07, encode(&ours[1]), serialize(theirs[1])),
		compare("KEEPALIVE decode", "GoBGP KEEPALIVE decode", 0.15, decode(keepalive), parse(theirs[2])),
		compare("UPDATE decode, 20 claims", "the floor", 1.8, decode(update), func(n int) {
			for range n {
				f.decode(update)
			}
		}),
		compare("UPDATE encode, 20 claims", "the floor", 2, encode(&ours[0]), func(n int) {
			for range n {
				f.append(buf)
			}
		}),
	}
	return func(yield func(ratio.Row) bool) {
		for _, row := range rows {
			if !yield(row()) {
				return
			}
		}
	}
}

func encoded(m *masc.Message) []byte {
	b, err := m.MarshalBinary()
	if err != nil {
		panic(err)
	}
	return b
}

// compare prepares a row.
func compare(what, peer string, target float64, ours, theirs func(int)) func() ratio.Row {
	return func() ratio.Row { return ratio.Time(what, peer, target, ours, theirs) }
}

// messages returns an UPDATE of 20 prefixes, an OPEN and a KEEPALIVE of each
// protocol.
func messages() ([]masc.Message, []*bgp.BGPMessage) {
	var u masc.Update
	var nlri []bgp.PathNLRI
	for i := range 20 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{228, byte(i)}), 16)
		u.Claims = append(u.Claims, masc.Claim{Type: masc.NewClaim, Timestamp: 968457600, Lifetime: 2592000, Holdtime: 172800,
			Domain: masc.NumberID(64501), Node: masc.NumberID(0xc0000207), Prefix: masc.PrefixOf(p)})
		a, err := bgp.NewIPAddrPrefix(p)
		if err != nil {
			panic(err)
		}
		nlri = append(nlri, bgp.PathNLRI{NLRI: a})
	}
	reach, err := bgp.NewPathAttributeMpReachNLRI(bgp.RF_IPv4_MC, nlri, netip.MustParseAddr("192.0.2.7"))
	if err != nil {
		panic(err)
	}
	update := bgp.NewBGPUpdateMessage(nil, []bgp.PathAttributeInterface{
		bgp.NewPathAttributeOrigin(0),
		bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, []uint32{64501, 64500})}),
		reach,
	}, nil)
	open, err := bgp.NewBGPOpenMessage(64501, 240, netip.MustParseAddr("192.0.2.7"), []bgp.OptionParameterInterface{
		bgp.NewOptionParameterCapability([]bgp.ParameterCapabilityInterface{
			bgp.NewCapRouteRefresh(), bgp.NewCapMultiProtocol(bgp.RF_IPv4_MC), bgp.NewCapFourOctetASNumber(64501)})})
	if err != nil {
		panic(err)
	}
	return []masc.Message{
			{Type: masc.TypeUpdate, Update: u},
			{Type: masc.TypeOpen, Open: masc.Open{Family: masc.FamilyIPv4, Role: masc.Child, HoldTime: 240 * time.Second,
				Domain: masc.NumberID(64501), Node: masc.NumberID(0xc0000207), Parent: masc.NumberID(64500)}},
			{Type: masc.TypeKeepalive},
		}, []*bgp.BGPMessage{update, open,
			bgp.NewBGPKeepAliveMessage()}
}

// floor is a claim list with the least that the wire needs, IPv4 only.
type floor struct {
	claims [20]floorClaim
}

type floorClaim struct {
	typ, flags                                     byte
	stamp, life, hold, domain, node, address, mask uint32
}

func (f *floor) decode(b []byte) {
	if len(b) < 4 || int(binary.BigEndian.Uint16(b)) != len(b) || b[2] != 2 {
		panic("header")
	}
	b = b[4:]
	for i := 0; len(b) > 0; i++ {
		if len(b) < 36 || binary.BigEndian.Uint16(b) != 36 || b[2] > 5 || b[5]>>2&31 != 1 {
			panic("attribute")
		}
		c := &f.claims[i]
		c.typ, c.flags = b[2], b[5]
		c.stamp, c.life, c.hold = binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:]), binary.BigEndian.Uint32(b[16:])
		c.domain, c.node = binary.BigEndian.Uint32(b[20:]), binary.BigEndian.Uint32(b[24:])
		c.address, c.mask = binary.BigEndian.Uint32(b[28:]), binary.BigEndian.Uint32(b[32:])
		b = b[36:]
	}
}

func (f *floor) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 2, 0)
	for i := range f.claims {
		c := &f.claims[i]
		dst = append(dst, 0, 36, c.typ, 0, 0, c.flags, 0, 0)
		for _, v := range [...]uint32{c.stamp, c.life, c.hold, c.domain, c.node, c.address, c.mask} {
			dst = binary.BigEndian.AppendUint32(dst, v)
		}
	}
	binary.BigEndian.PutUint16(dst[at:], uint16(len(dst)-at))
	return dst
}
