// SPDX-License-Identifier: BSD-3-Clause

package xcast

import "encoding/binary"

// X2U appends the unicast packet that destination i of p gets, with that TTL
// or Hop Limit (RFC 5058 sections 2 and 10.1): no Xcast header, the address of
// i as IP destination, its port and its DSCP if they are listed, and the
// transport checksum adjusted by what changed. Options, identification, flags
// and flow label stay. A transport checksum that was wrong stays wrong.
//
// It fails with [ErrXBit] when the packet must stay Xcast, with
// [ErrNotConvertible] when [Packet.Convertible] says no and with
// [ErrBadDestination] when i is not an active destination or may not be sent
// to; dst is then returned as it was.
func X2U(dst []byte, p *Packet, i int, ttl uint8) ([]byte, error) {
	switch {
	case p.StayXcast():
		return dst, ErrXBit
	case !p.Convertible():
		return dst, ErrNotConvertible
	case !p.Active().Has(i) || p.isBad(i):
		return dst, ErrBadDestination
	}
	dst, rest := p.appendUnicast(dst, i, ttl, p.dsOf(i, p.DSField()))
	return append(dst, rest...), nil
}

// Copy appends p with only the destinations in set and with that TTL or Hop
// Limit: the branch of a forwarder. Only TTL, bitmap, checksums and, under A,
// the addresses of cleared bits differ from p; with a list of DSCPs also the
// DSCP of the IP header, which becomes the most demanding of the set by
// [CompareDSCP] (RFC 5058 section 8.2). The copy is as long as p.
func Copy(dst []byte, p *Packet, set Bitmap, ttl uint8) []byte {
	set = set.And(FirstN(p.n))
	ds := p.DSField()
	if p.flags&flagD != 0 && !set.IsEmpty() {
		ds = byte(mostDemanding(set, p.codepoint, CompareDSCP))<<2 | ds&3
	}
	dst, rest := p.appendCopy(dst, set, ttl, ds)
	return append(dst, rest...)
}

// Convertible reports whether the transport survives X2U. UDP and TCP do, with
// or without ports. Without ports so do ICMP over IPv4, ICMPv6 over IPv6 and
// SCTP, and with one original destination also IP in IP and GRE. What binds
// the old destination (AH, ESP), what could hide another Xcast packet, what is
// too short or unknown does not.
func (p *Packet) Convertible() bool {
	length, ports := len(p.b)-p.upper, p.portsAt != 0
	switch p.transport {
	case protoUDP:
		return length >= udpLen
	case protoTCP:
		return length >= tcpLen
	case protoICMP:
		return !ports && p.family == Xcast4
	case protoICMPv6:
		return !ports && p.family == Xcast6 && length >= 4
	case protoSCTP:
		return !ports
	case protoIPIP, protoIPv6, protoGRE:
		return !ports && p.n == 1
	}
	return false
}

// codepoint is DSCP for a packet with a list.
func (p *Packet) codepoint(i int) DSCP {
	d, _ := p.DSCP(i)
	return d
}

// dsOf returns the DS field of a unicast packet to i, given that of the packet
// it is made from.
func (p *Packet) dsOf(i int, ds uint8) uint8 {
	if d, ok := p.DSCP(i); ok {
		return byte(d)<<2 | ds&3
	}
	return ds
}

// appendCopy appends the headers of a copy and returns what follows them.
func (p *Packet) appendCopy(dst []byte, set Bitmap, ttl, ds uint8) (headers, rest []byte) {
	at, end := len(dst), p.start+p.size
	dst = append(dst, p.b[:end]...)
	if p.family == Xcast4 {
		p.patchIPv4(dst[at:], len(p.b), ttl, IPv4(p.b).Protocol(), ds, p.b[16:20])
	} else {
		setTTL(dst[at:], Xcast6, ttl, ds)
	}
	setActive(dst[at+p.start:], &p.frame, p.family, set)
	return dst, p.b[end:]
}

// appendUnicast appends the headers of a unicast packet to i, with as much of
// the transport as changes, and returns what follows.
func (p *Packet) appendUnicast(dst []byte, i int, ttl, ds uint8) (headers, rest []byte) {
	at := len(dst)
	from := p.start + p.addresses + i*p.width
	destination := p.b[from : from+p.width]
	segment := p.b[p.upper:]
	if p.family == Xcast4 {
		dst = append(dst, p.b[:p.start]...)
		p.patchIPv4(dst[at:], p.start+len(segment), ttl, p.transport, ds, destination)
	} else {
		dst = append(dst, p.b[:ipv6Len]...)
		kept := 0
		if p.hasOther {
			kept = p.upper - p.options
			dst = append(dst, p.b[p.options:p.upper]...)
		}
		ip := IPv6(dst[at:])
		if kept == 0 {
			ip[6] = p.transport
		} else {
			ip[6] = protoDestOptions
			if p.portsAt != 0 {
				// No host may see a Ports option: padding takes its place.
				option := ip[ipv6Len+p.portsAt-p.options-2:]
				option[0] = optPadN
				clear(option[2 : 2+2*p.n])
			}
		}
		copy(ip[24:40], destination)
		ip.setPayloadLen(kept + len(segment))
		setTTL(ip, Xcast6, ttl, ds)
	}
	return p.appendTransport(dst, segment, destination, i)
}

// patchIPv4 changes a copy h of the packet's IPv4 header. The checksum follows
// by what differs from the packet: summing what was just written would wait for
// the writes.
func (p *Packet) patchIPv4(h []byte, total int, ttl, protocol, ds uint8, destination []byte) {
	b := p.b[:ipv4Len]
	first, hop, to := uint16(b[0])<<8|uint16(ds), uint16(ttl)<<8|uint16(protocol), binary.BigEndian.Uint32(destination)
	s := sum(^binary.BigEndian.Uint16(b[10:])).replace(uint64(binary.BigEndian.Uint16(b)), uint64(first))
	s = s.replace(uint64(binary.BigEndian.Uint16(b[2:])), uint64(total))
	s = s.replace(uint64(binary.BigEndian.Uint16(b[8:])), uint64(hop))
	s = s.replace(uint64(binary.BigEndian.Uint32(b[16:])), uint64(to))
	h = h[:ipv4Len]
	binary.BigEndian.PutUint16(h, first)
	binary.BigEndian.PutUint16(h[2:], uint16(total))
	binary.BigEndian.PutUint16(h[8:], hop)
	binary.BigEndian.PutUint16(h[10:], headerChecksum(s))
	binary.BigEndian.PutUint32(h[16:], to)
}

// appendTransport appends as much of the transport header as X2U changes, with
// the delta of section 10.1 applied, and returns what follows.
func (p *Packet) appendTransport(dst, segment, destination []byte, i int) (headers, rest []byte) {
	var checksumAt, length int
	switch p.transport {
	case protoUDP:
		checksumAt, length = 6, udpLen
	case protoTCP:
		checksumAt, length = 16, 18
	case protoICMPv6:
		checksumAt, length = 2, 4
	default:
		return dst, segment
	}
	at := len(dst)
	dst = append(dst, segment[:length]...)
	header, rest := dst[at:], segment[length:]
	checksum := header[checksumAt : checksumAt+2]
	s := sum(^binary.BigEndian.Uint16(checksum))
	if p.family == Xcast4 {
		s = s.replace(uint64(binary.BigEndian.Uint32(p.b[16:])), uint64(binary.BigEndian.Uint32(destination)))
	} else {
		s = s.replace(binary.BigEndian.Uint64(p.b[24:]), binary.BigEndian.Uint64(destination))
		s = s.replace(binary.BigEndian.Uint64(p.b[32:]), binary.BigEndian.Uint64(destination[8:]))
	}
	if p.portsAt != 0 {
		port := p.b[p.portsAt+2*i:][:2]
		s = s.replace(uint64(binary.BigEndian.Uint16(header[2:])), uint64(binary.BigEndian.Uint16(port)))
		copy(header[2:4], port)
	}
	result := ^s.fold()
	if p.transport == protoUDP {
		switch {
		case binary.BigEndian.Uint16(checksum) == 0:
			return dst, rest // the sender computed none
		case result == 0:
			result = 0xffff
		}
	}
	binary.BigEndian.PutUint16(checksum, result)
	return dst, rest
}
