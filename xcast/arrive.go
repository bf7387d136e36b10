// SPDX-License-Identifier: BSD-3-Clause

package xcast

import "net/netip"

// arrive takes a packet apart until its active destinations are known, or says
// why it goes no further.
func (f *Forwarder) arrive(in int, packet []byte) *Error {
	j, p := &f.journey, &f.journey.p
	var outer []byte
	if !j.origin {
		var err *Error
		if outer, packet, err = f.unwrap(packet); err != nil {
			return err
		}
	}
	depth, tunnelled := len(outer), len(outer) > 0
	admit := func() *Error {
		switch {
		case tunnelled && j.transit == nil && p.TTL() == 0:
			return &Error{Field: "inner TTL", Want: -1, Err: ErrTTL}
		case p.hasBadSource():
			return &Error{Field: "Source Address", Offset: sourceAt(p.family), Want: -1, Err: ErrBadSource}
		case f.config.AcceptSource != nil && !f.config.AcceptSource(p.Source(), in):
			return &Error{Field: "Source Address", Offset: sourceAt(p.family), Want: -1, Err: ErrReversePath}
		}
		return nil
	}
	if err := p.decode(packet, &f.config.Code, f.config.Special, admit); err != nil {
		return shift(err, depth)
	}
	j.active = p.Active()
	if j.active.IsEmpty() {
		return &Error{Field: "bitmap", Offset: depth + p.start + p.bitmap, Want: -1, Err: ErrEmptyBitmap}
	}
	if p.n > 1 && !f.config.AllowICMP && p.isICMPRequest() {
		return &Error{Field: "ICMP Type", Offset: depth + p.upper, Want: -1, Err: ErrICMP}
	}
	j.ds, j.exitDS = p.DSField(), p.DSField()
	if tunnelled {
		merged, ok := mergeECN(dsField(outer), j.ds)
		j.exitDS, j.exitLost = merged, !ok
		switch {
		case j.transit != nil:
		case !ok:
			return &Error{Field: "outer ECN", Offset: 1, Got: 3, Want: -1, Err: ErrECN}
		default:
			j.ds = merged
		}
	}
	j.mayX2U = !p.StayXcast() && p.Convertible()
	j.explode = f.config.Policy == X2UAlways && j.mayX2U || p.Destination() != f.allRouters()
	return nil
}

// allRouters returns All_Xcast_Routers of the packet's family.
func (f *Forwarder) allRouters() netip.Addr {
	if f.journey.p.family == Xcast4 {
		return f.config.Code.AllRouters4
	}
	return f.config.Code.AllRouters6
}

func sourceAt(f Family) int {
	if f == Xcast4 {
		return 12
	}
	return 8
}

// dsField returns the DS field of the IP header at the start of b.
func dsField(b []byte) uint8 {
	if b[0]>>4 == 4 {
		return IPv4(b).DSField()
	}
	return IPv6(b).DSField()
}

// unwrap splits off the outer headers of a tunnel that ends here, or of a
// semi-permeable one, which it notes if that goes on. Of everything else there
// is no outer part.
func (f *Forwarder) unwrap(b []byte) (outer, inner []byte, err *Error) {
	switch {
	case len(b) >= ipv4Len && b[0]>>4 == 4 && b[9] == protoIPIP:
		ip, err := parseIPv4(b)
		switch {
		case err != nil:
			return nil, nil, err
		case !f.isLocal(ip.Destination()):
			return nil, b, nil
		case ip.IsFragment():
			return nil, nil, &Error{Field: "outer Fragment Offset", Offset: 6, Got: int(b[6])<<8 | int(b[7]), Err: ErrFragment}
		case !f.acceptPeer(ip.Source()):
			return nil, nil, &Error{Field: "outer Source Address", Offset: 12, Want: -1, Err: ErrPeer}
		}
		return split(ip, ip.HeaderLen())
	case len(b) >= ipv6Len && b[0]>>4 == 6 && b[6] == protoIPv6:
		ip, err := parseIPv6(b)
		switch {
		case err != nil:
			return nil, nil, err
		case !f.isLocal(ip.Destination()):
			return nil, b, nil
		case !f.acceptPeer(ip.Source()):
			return nil, nil, &Error{Field: "outer Source Address", Offset: 8, Want: -1, Err: ErrPeer}
		}
		return split(ip, ipv6Len)
	case len(b) >= ipv6Len && b[0]>>4 == 6 && b[6] == protoHopByHop:
		ip, err := parseIPv6(b)
		if err != nil {
			return nil, nil, err
		}
		size, ok := f.hopByHop(ip)
		if !ok {
			return nil, nil, &Error{Field: "Next Header", Offset: 6, Want: protoRouting, Err: ErrNotXcast}
		}
		if !f.isLocal(ip.Destination()) {
			f.journey.transit = ip[:ipv6Len+size]
		}
		return split(ip, ipv6Len+size)
	}
	return nil, b, nil
}

// split cuts a tunnel packet in two, whose inner packet must be of the same IP
// version.
func split(b []byte, at int) (outer, inner []byte, err *Error) {
	outer, inner = b[:at:at], b[at:]
	if len(inner) > 0 && inner[0]>>4 != b[0]>>4 {
		return nil, nil, &Error{Field: "inner IP Version", Offset: at, Got: int(inner[0] >> 4), Want: int(b[0] >> 4), Err: ErrMalformedIP}
	}
	return outer, inner, nil
}

func (f *Forwarder) acceptPeer(remote netip.Addr) bool {
	return f.config.AcceptPeer == nil || f.config.AcceptPeer(remote)
}

// hopByHop returns the size of the Hop-by-Hop Options header of a packet in a
// semi-permeable tunnel: one tunnel option, an IPv6 packet next, and an outer
// destination that is a usable unicast address. A multicast one would be
// forwarded by every router that hears it.
func (f *Forwarder) hopByHop(ip IPv6) (size int, ok bool) {
	b := ip.Payload()
	if len(b) < 8 || b[0] != protoIPv6 || badAddr16(ip[24:40]) {
		return 0, false
	}
	size = int(b[1])*8 + 8
	if size >= len(b) {
		return 0, false
	}
	found := 0
	for at := 2; at < size; {
		option, _, next, ok := nextOption(b[:size], at)
		switch {
		case !ok || !skippable(option):
			return 0, false
		case option == f.config.Code.TunnelOption:
			found++
		}
		at = next
	}
	return size, found == 1
}

// isICMPRequest reports an ICMP message that makes its receiver answer: echo,
// timestamp, information and address mask requests, in ICMPv6 echo and node
// information requests. One without a type counts.
func (p *Packet) isICMPRequest() bool {
	segment := p.b[p.upper:]
	switch {
	case p.family == Xcast4 && p.transport == protoICMP:
		return len(segment) == 0 || segment[0] == 8 || segment[0] == 13 || segment[0] == 15 || segment[0] == 17
	case p.family == Xcast6 && p.transport == protoICMPv6:
		return len(segment) == 0 || segment[0] == 128 || segment[0] == 139
	}
	return false
}

// mergeECN returns the DS field of a packet that leaves a tunnel (RFC 6040
// section 4.2), and false when congestion was marked on a packet that cannot
// say so.
func mergeECN(outer, inner uint8) (uint8, bool) {
	const notECT, ect1, ect0, ce = 0, 1, 2, 3
	switch mark := inner & 3; {
	case outer&3 == ce && mark == notECT:
		return inner, false
	case outer&3 == ce:
		return inner | ce, true
	case outer&3 == ect1 && mark == ect0:
		return inner&^3 | ect1, true
	}
	return inner, true
}
