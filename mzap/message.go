// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Type is the kind of a message, the low seven bits of its second octet
// (PTYPE, RFC 2776 section 5).
type Type uint8

// The four messages.
const (
	// ZAM is a Zone Announcement Message (section 5.1). A boundary router sends
	// one for every scope it bounds, and it travels through all local zones of
	// the announced zone.
	ZAM Type = 0
	// ZLE is a Zone Limit Exceeded message (section 5.2): a ZAM sent back into
	// its scope by a router that was not allowed to carry it any further.
	ZLE Type = 1
	// ZCM is a Zone Convexity Message (section 5.3). The boundary routers of a
	// zone tell each other with it whom they hear.
	ZCM Type = 2
	// NIM is a Not-Inside Message (section 5.4): one scope does not nest in
	// another.
	NIM Type = 3
)

// String returns the document's abbreviation, or "Type(n)".
func (t Type) String() string {
	switch t {
	case ZAM:
		return "ZAM"
	case ZLE:
		return "ZLE"
	case ZCM:
		return "ZCM"
	case NIM:
		return "NIM"
	}
	return "Type(" + strconv.Itoa(int(t)) + ")"
}

// Message is one MZAP message (RFC 2776 section 5). Every message starts with
// the same header, which describes a scope zone; the fields below the header
// belong to some types only and must be left zero in the others.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    Version    |B|    PTYPE    |Address Family |   NameCount   |
//	+---------------+-+-------------+---------------+---------------+
//	|     Message Origin, Zone ID, Zone Start, Zone End Address     |
//	|             (each 4 octets for IPv4, 16 for IPv6)             |
//	+---------------------------------------------------------------+
//	|  NameCount name blocks, then zeros to a multiple of 4 octets  |
//	+---------------+---------------+-------------------------------+
//	ZAM, ZLE:
//	|      ZT       |      ZTL      |           Hold Time           |
//	+---------------+---------------+-------------------------------+
//	|                    Local Zone ID Address 0                    |
//	|        ZT times: Router Address, Local Zone ID Address        |
//	+---------------+---------------+-------------------------------+
//	ZCM:
//	|     ZNUM      |    unused     |           Hold Time           |
//	+---------------+---------------+-------------------------------+
//	|                    ZNUM times: ZBR Address                    |
//	+---------------------------------------------------------------+
//	NIM:
//	|                 Not-Inside Zone Start Address                 |
//	+---------------------------------------------------------------+
//
// Counts, the version and the address family are no fields: all of them follow
// from the rest. The family of the message is that of Range.
//
// Messages are not comparable with ==; compare field by field.
type Message struct {
	Type Type

	// Divisible is the B bit ("big" scope). Clear: allocators may use the whole
	// range. Set: they obtain a part of it by another protocol, such as AAP.
	Divisible bool
	// Origin is the address of the interface that originated the message: a
	// unicast address that is good throughout the zone.
	Origin netip.Addr
	// ZoneID is the lowest address of any boundary router seen in the zone.
	// Together with the first address of Range it names the zone.
	ZoneID netip.Addr
	// Range is the scope's address range, Zone Start to Zone End.
	Range scope.Range
	// Names are the zone's names in any number of languages up to 255, in the
	// order of the wire.
	Names []Name

	// Limit is the Zones Traveled Limit of a ZAM or ZLE: how many local zones the
	// announcement may cross. 0 means there is no limit.
	Limit uint8
	// HoldTime of a ZAM, ZLE or ZCM is how long the receiver keeps what it
	// learnt: whole seconds, 0 to 65535 s.
	HoldTime time.Duration
	// LocalZone is the Local Zone ID Address 0 of a ZAM or ZLE: the local zone
	// the announcement started in. The zero Addr stands for "unknown".
	LocalZone netip.Addr
	// Path lists the local zones entered since, at most 255. Its length is the
	// field Zones Traveled (ZT).
	Path []Hop

	// Routers of a ZCM are the other boundary routers its sender hears, at most
	// 255.
	Routers []netip.Addr

	// NotInside of a NIM is the first address of the scope Y of the statement "X
	// is not inside Y"; X is the scope of Range.
	NotInside netip.Addr
}

// Hop is one step of a ZAM's path (RFC 2776 section 5.1).
type Hop struct {
	// Router relayed the message over a Local Scope boundary.
	Router netip.Addr
	// LocalZone is the Zone ID of the local zone it relayed into; the zero Addr
	// stands for "unknown".
	LocalZone netip.Addr
}

// Name is one name of a zone as the wire has it (RFC 2776 section 5). Both
// octet strings alias the datagram after [Message.Decode].
type Name struct {
	// Default is the D bit: use this name when there is none in a wanted
	// language.
	Default bool
	// Tag is an RFC 1766 language tag such as "en-US"; empty is allowed.
	Tag []byte
	// Text is the name, UTF-8 of 1 to 255 octets. White space at its ends should
	// be stripped by whoever configures it; the codec never alters a name.
	Text []byte
}

// Is4 reports whether m is a message of the IPv4 family.
func (m *Message) Is4() bool { return m.Range.Is4() }

// reset empties m and keeps the capacity of its lists.
func (m *Message) reset() {
	*m = Message{Names: m.Names[:0], Path: m.Path[:0], Routers: m.Routers[:0]}
}

// Clone returns a copy of m that shares no memory with it, nor with the
// datagram it was decoded from.
func (m *Message) Clone() *Message {
	c := *m
	c.Names = nil
	for _, n := range m.Names {
		c.Names = append(c.Names, Name{n.Default, append([]byte(nil), n.Tag...), append([]byte(nil), n.Text...)})
	}
	c.Path = append([]Hop(nil), m.Path...)
	c.Routers = append([]netip.Addr(nil), m.Routers...)
	return &c
}

// headerLen returns the octets before the body: the fixed header, the names and
// the padding after them.
func (m *Message) headerLen() int {
	n := 4 + 4*addrLen(m.Is4())
	for i := range m.Names {
		n += 3 + len(m.Names[i].Tag) + len(m.Names[i].Text)
	}
	return (n + 3) &^ 3
}

// Size returns the length of the encoded message in octets.
func (m *Message) Size() int {
	n, a := m.headerLen(), addrLen(m.Is4())
	switch m.Type {
	case ZAM, ZLE:
		n += 4 + a + 2*a*len(m.Path)
	case ZCM:
		n += 4 + a*len(m.Routers)
	case NIM:
		n += a
	}
	return n
}
