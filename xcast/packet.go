// SPDX-License-Identifier: BSD-3-Clause

package xcast

import (
	"encoding/binary"
	"net/netip"
)

// A Packet is a view of one native Xcast packet, IP header included, over the
// octets it arrived in. Decode checks everything once; after that the accessors
// cannot fail and the mutators rewrite the octets in place, with checksums
// updated by what changed (RFC 1624). The zero Packet is empty: Decode first.
type Packet struct {
	b      []byte // the packet, cut to its IP length
	family Family
	start  int // of the Xcast header
	frame
	upper     int   // start of the transport
	transport uint8 // its protocol number
	options   int   // start of the Destination Options header, 0 without one
	portsAt   int   // start of the ports, 0 without a list
	hasOther  bool  // the Destination Options header holds more than ports
}

// Decode makes p a view of the Xcast packet at the start of b. The packet ends
// where its IP header says. Decode refuses, with an [*Error] that names the
// field and its offset in b: what [ParseIPv4] and [ParseIPv6] refuse;
// [ErrNotXcast] for a packet without the protocol number (the Routing header
// directly after the IPv6 header, for Xcast6) or whose destination is not
// All_Xcast_Routers; [ErrFragment]; then what [Header4.Decode] and
// [Header6.Decode] refuse. After an error p is empty.
//
// One number is not enough to tell Xcast from another experiment that uses the
// same one, which is why the destination must match too.
func (p *Packet) Decode(b []byte, code *CodePoints) error {
	if err := p.decode(b, code, nil, nil); err != nil {
		*p = Packet{}
		return err
	}
	return nil
}

// decode takes the IP header (steps 1, 3 and 4 of forwarding), asks admit, if
// there is one, what it thinks of it, and takes the Xcast header. Packets to an
// address that special accepts count as Xcast too.
//
// It is one long function that asks the IP parsers only for what is unusual or
// wrong: for short lists, calls would cost as much as all the checks.
func (p *Packet) decode(b []byte, code *CodePoints, special func(netip.Addr) bool, admit func() *Error) *Error {
	if len(b) > 0 && b[0]>>4 == 6 {
		total := wholeIPv6(b)
		if total == 0 {
			_, err := parseIPv6(b)
			return err
		}
		ip := IPv6(b[:total:total])
		p.b, p.family, p.start = ip, Xcast6, ipv6Len
		if ip[6] != protoRouting || len(ip) < ipv6Len+4 || ip[ipv6Len+2] != code.RoutingType {
			return &Error{Field: "Next Header", Offset: 6, Got: int(ip.NextHeader()), Want: protoRouting, Err: ErrNotXcast}
		}
		if to := ip.Destination(); to != code.AllRouters6 && (special == nil || !special(to)) {
			return &Error{Field: "Destination Address", Offset: 24, Want: -1, Err: ErrNotXcast}
		}
	} else {
		total := 0
		if isPlainIPv4(b) {
			total = int(binary.BigEndian.Uint16(b[2:]))
		}
		if total < ipv4Len || total > len(b) {
			ip, err := parseIPv4(b)
			if err != nil {
				return err
			}
			total = len(ip)
		}
		ip := IPv4(b[:total:total])
		p.b, p.family, p.start = ip, Xcast4, ip.HeaderLen()
		if ip.Protocol() != code.ProtoXcast4 {
			return &Error{Field: "Protocol", Offset: 9, Got: int(ip.Protocol()), Want: int(code.ProtoXcast4), Err: ErrNotXcast}
		}
		if to := ip.Destination(); to != code.AllRouters4 && (special == nil || !special(to)) {
			return &Error{Field: "Destination Address", Offset: 16, Want: -1, Err: ErrNotXcast}
		}
		if ip.IsFragment() {
			return &Error{Field: "Fragment Offset", Offset: 6, Got: int(binary.BigEndian.Uint16(ip[6:]) & 0x3fff), Err: ErrFragment}
		}
	}
	if admit != nil {
		if err := admit(); err != nil {
			return err
		}
	}
	var err *Error
	if p.family == Xcast4 {
		err = p.parse4(p.b[p.start:])
	} else {
		err = p.parse6(p.b[p.start:], code.RoutingType)
	}
	if err != nil {
		return shift(err, p.start)
	}
	p.upper, p.transport = p.start+p.size, p.next
	p.options, p.portsAt, p.hasOther = 0, 0, false
	switch {
	case p.flags&flagP != 0:
		p.portsAt = p.start + p.ports
	case p.family == Xcast6 && p.next == protoDestOptions:
		return p.decodeOptions(code.PortsOption)
	}
	return nil
}

// decodeOptions takes the Destination Options header of Xcast6, with the ports
// or without.
func (p *Packet) decodeOptions(portsOption uint8) *Error {
	d, err := parseDestOptions(p.b[p.upper:], p.n, portsOption)
	if err != nil {
		return shift(err, p.upper)
	}
	p.options, p.hasOther = p.upper, d.hasOther || d.ports == 0
	if d.ports != 0 {
		p.portsAt = p.options + d.ports
	}
	p.upper, p.transport = p.options+d.size, d.next
	return nil
}

// Bytes returns the octets of the packet.
func (p *Packet) Bytes() []byte { return p.b }

// Family returns which Xcast this is.
func (p *Packet) Family() Family { return p.family }

// Len returns the number of original destinations, NBR_OF_DEST.
func (p *Packet) Len() int { return p.n }

// Source returns the source address of the IP header: the sender.
func (p *Packet) Source() netip.Addr {
	if p.family == Xcast4 {
		return IPv4(p.b).Source()
	}
	return IPv6(p.b).Source()
}

// Destination returns the destination address of the IP header, which is
// All_Xcast_Routers or a special address (RFC 5058 section 11.5).
func (p *Packet) Destination() netip.Addr {
	if p.family == Xcast4 {
		return IPv4(p.b).Destination()
	}
	return IPv6(p.b).Destination()
}

// TTL returns the Time to Live or Hop Limit.
func (p *Packet) TTL() uint8 {
	if p.family == Xcast4 {
		return IPv4(p.b).TTL()
	}
	return IPv6(p.b).HopLimit()
}

// DSField returns the TOS octet or traffic class: DSCP and ECN.
func (p *Packet) DSField() uint8 {
	if p.family == Xcast4 {
		return IPv4(p.b).DSField()
	}
	return IPv6(p.b).DSField()
}

// Active returns the destinations that are still to be served.
func (p *Packet) Active() Bitmap {
	return loadBitmap(p.b[p.start+p.bitmap : p.start+p.addresses]).And(FirstN(p.n))
}

// Address returns address i, 0 <= i < Len. Under A it is zero when bit i is
// cleared; without A it is there even then.
func (p *Packet) Address(i int) netip.Addr {
	return address(p.b, p.start+p.addresses, i, p.width)
}

// isBad reports an address that must not be looked up.
func (p *Packet) isBad(i int) bool {
	at := p.start + p.addresses + i*p.width
	if p.width == 4 {
		return badAddr4(binary.BigEndian.Uint32(p.b[at:]))
	}
	return badAddr16(p.b[at : at+16])
}

// hasBadSource reports a source that no packet may have.
func (p *Packet) hasBadSource() bool {
	if p.family == Xcast4 {
		return badAddr4(binary.BigEndian.Uint32(p.b[12:]))
	}
	return badAddr16(p.b[8:24])
}

// DSCP returns the codepoint of destination i, and false without a list.
func (p *Packet) DSCP(i int) (DSCP, bool) {
	if p.flags&flagD == 0 {
		return 0, false
	}
	return DSCP(p.b[p.start+p.dscps+i] >> 2), true
}

// Port returns the port of destination i, and false without a list.
func (p *Packet) Port(i int) (uint16, bool) {
	if p.portsAt == 0 {
		return 0, false
	}
	return binary.BigEndian.Uint16(p.b[p.portsAt+2*i:]), true
}

// Anonymous returns the A bit.
func (p *Packet) Anonymous() bool { return p.flags&flagA != 0 }

// StayXcast returns the X bit.
func (p *Packet) StayXcast() bool { return p.flags&flagX != 0 }

// Channel returns the channel identifier: 4 octets in Xcast4, 16 in Xcast6. All
// zero means there is none.
func (p *Packet) Channel() []byte {
	if p.family == Xcast4 {
		return p.b[p.start+4 : p.start+8 : p.start+8]
	}
	return p.b[p.start+8 : p.start+24 : p.start+24]
}

// Transport returns the protocol number and the octets of what follows the
// Xcast headers, a Destination Options header included.
func (p *Packet) Transport() (protocol uint8, segment []byte) {
	return p.transport, p.b[p.upper:]
}

// SetTTL replaces the Time to Live or Hop Limit.
func (p *Packet) SetTTL(ttl uint8) { setTTL(p.b, p.family, ttl, p.DSField()) }

// SetDSCP replaces the codepoint in the IP header and keeps ECN.
func (p *Packet) SetDSCP(d DSCP) { setTTL(p.b, p.family, p.TTL(), byte(d)<<2|p.DSField()&3) }

// SetActive replaces the bitmap by what set and the destinations have in
// common. Under A the addresses of cleared bits become zero for good.
func (p *Packet) SetActive(set Bitmap) {
	setActive(p.b[p.start:], &p.frame, p.family, set.And(FirstN(p.n)))
}

// setTTL sets TTL and DS field in the IP header at the start of b.
func setTTL(b []byte, f Family, ttl, ds uint8) {
	if f == Xcast6 {
		IPv6(b).SetDSField(ds)
		b[7] = ttl
		return
	}
	b[1], b[8] = ds, ttl
	IPv4(b).UpdateChecksum()
}

// setActive rewrites bitmap, zeroed addresses and checksum of the Xcast header
// at the start of b.
func setActive(b []byte, f *frame, family Family, set Bitmap) {
	checksum := b[2:4]
	if family == Xcast6 {
		checksum = b[6:8]
	}
	field := b[f.bitmap:f.addresses]
	old := loadBitmap(field)
	s := sum(^binary.BigEndian.Uint16(checksum)).replace(old.hi, set.hi).replace(old.lo, set.lo)
	set.store(field)
	if f.flags&flagA != 0 {
		for i := range FirstN(f.n).Minus(set).All() {
			a := b[f.addresses+i*f.width:][:f.width]
			s = s.replace(uint64(sum(0).addBytes(a)), 0)
			clear(a)
		}
	}
	binary.BigEndian.PutUint16(checksum, headerChecksum(s))
}
