// SPDX-License-Identifier: BSD-3-Clause

package xcast

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"
)

// defaultTTL is the TTL of packets whose sender asked for none.
const defaultTTL = 64

// A Datagram is a UDP datagram to several destinations of one family: what a
// sender gives to its first Xcast router (RFC 5058 section 12). Its receivers
// get ordinary UDP.
//
// Destinations with the same port everywhere need no list of ports; otherwise
// there is one and the port in the UDP header is 0 (section 8.1).
type Datagram struct {
	// Code are the numbers of the experiment.
	Code CodePoints
	// Source is the sender's address and port.
	Source netip.AddrPort
	// Destinations are the receivers.
	Destinations []netip.AddrPort
	// DSCPs is empty, or has a codepoint per destination (the D bit). Those of
	// one packet must be comparable: see Split.
	DSCPs []DSCP
	// Disabled are destinations that keep their place in the list but are not
	// served, by index; only the first 127 can be.
	Disabled Bitmap
	// Channel is the channel identifier; Xcast4 uses its last four octets.
	Channel [16]byte
	// Anonymous and StayXcast are the A and X bits.
	Anonymous, StayXcast bool
	// TTL is the TTL or Hop Limit; 0 means 64.
	TTL uint8
	// DSField is DSCP and ECN of the IP header; with DSCPs only the ECN of it.
	DSField uint8
	// FlowLabel is used in IPv6.
	FlowLabel uint32
	// To, if valid, is the IP destination in place of All_Xcast_Routers: a
	// special address (section 11.5).
	To netip.Addr
}

// Family returns the family of the source address.
func (d *Datagram) Family() Family {
	if d.Source.Addr().Is4() {
		return Xcast4
	}
	return Xcast6
}

// hasPortList reports whether the destinations differ in their port.
func (d *Datagram) hasPortList() bool {
	return slices.ContainsFunc(d.Destinations, func(a netip.AddrPort) bool { return a.Port() != d.Destinations[0].Port() })
}

// A Template is a datagram without its payload: all that can be computed once
// for many payloads to the same destinations.
type Template struct {
	head   []byte // IP, Xcast and UDP header
	family Family
	udp    int // start of the UDP header
	pseudo sum // of the pseudo-header and UDP header, without lengths
	most   int // longest payload
}

// Template prepares the datagram. It fails when the destinations do not fit one
// header ([ErrNoDestinations], [ErrTooManyDestinations], [ErrListLength],
// [ErrAddress], [ErrDSCP]), when all of them are disabled ([ErrEmptyBitmap]),
// when their codepoints cannot be compared ([ErrDSCP]), when the source or a
// destination is not a usable unicast address ([ErrBadSource],
// [ErrBadDestination]), or when the code points are invalid.
func (d *Datagram) Template() (*Template, error) {
	if err := d.Code.Validate(); err != nil {
		return nil, err
	}
	n, family := len(d.Destinations), d.Family()
	l := List{Anonymous: d.Anonymous, StayXcast: d.StayXcast, DSCPs: d.DSCPs, Active: FirstN(n).Minus(d.Disabled)}
	ports := d.hasPortList()
	l.Addresses = make([]netip.Addr, 0, n)
	if ports {
		l.Ports = make([]uint16, 0, n)
	}
	for i, to := range d.Destinations {
		if isBadAddr(to.Addr()) {
			return nil, &Error{Field: "Destinations", Offset: i, Got: to.Addr().BitLen(), Want: -1, Err: ErrBadDestination}
		}
		l.Addresses = append(l.Addresses, to.Addr())
		if ports {
			l.Ports = append(l.Ports, to.Port())
		}
	}
	if _, err := l.check(family); err != nil {
		return nil, err
	}
	ds, err := d.dsField(l.Active)
	if err != nil {
		return nil, err
	}
	switch {
	case isBadAddr(d.Source.Addr()):
		return nil, &Error{Field: "Source", Got: d.Source.Addr().BitLen(), Want: -1, Err: ErrBadSource}
	case l.Active.IsEmpty():
		return nil, &Error{Field: "Disabled", Got: n, Want: -1, Err: ErrEmptyBitmap}
	}
	return d.template(family, &l, ds)
}

func (d *Datagram) template(family Family, l *List, ds uint8) (t *Template, err error) {
	t = &Template{family: family}
	ttl, to := d.TTL, d.To
	if ttl == 0 {
		ttl = defaultTTL
	}
	size := Overhead(family, len(l.Addresses), len(l.DSCPs) > 0, len(l.Ports) > 0) + udpLen
	if family == Xcast4 {
		if !to.IsValid() {
			to = d.Code.AllRouters4
		}
		ip := IPv4Fields{DSField: ds, DontFragment: true, TTL: ttl, Protocol: d.Code.ProtoXcast4, Source: d.Source.Addr(), Destination: to}
		h := Header4{Channel: binary.BigEndian.Uint32(d.Channel[12:]), Protocol: protoUDP, List: *l}
		if t.head, err = ip.AppendHeader(nil, size); err == nil {
			t.head, err = h.AppendBinary(t.head)
		}
		t.most = 65535 - ipv4Len - size
	} else {
		if !to.IsValid() {
			to = d.Code.AllRouters6
		}
		ip := IPv6Fields{DSField: ds, FlowLabel: d.FlowLabel, NextHeader: protoRouting, HopLimit: ttl, Source: d.Source.Addr(), Destination: to}
		h := Header6{Code: d.Code, Channel: d.Channel, NextHeader: protoUDP, List: *l}
		if t.head, err = ip.AppendHeader(nil, size); err == nil {
			t.head, err = h.AppendBinary(t.head)
		}
		t.most = 65535 - size
	}
	if err != nil {
		return nil, err
	}
	port := d.Destinations[0].Port()
	if len(l.Ports) > 0 {
		port = 0
	}
	t.udp = len(t.head)
	t.head = binary.BigEndian.AppendUint16(t.head, d.Source.Port())
	t.head = binary.BigEndian.AppendUint16(t.head, port)
	t.head = append(t.head, 0, 0, 0, 0)
	t.pseudo = sum(protoUDP).addBytes(d.Source.Addr().AsSlice()).addBytes(to.AsSlice()).addBytes(t.head[t.udp:])
	return t, nil
}

// dsField returns that of the IP header.
func (d *Datagram) dsField(active Bitmap) (uint8, error) {
	if len(d.DSCPs) == 0 || active.IsEmpty() {
		return d.DSField, nil
	}
	of := func(i int) DSCP { return d.DSCPs[i] }
	if len(SplitDSCP(nil, active, of, CompareDSCP)) > 1 {
		return 0, &Error{Field: "DSCPs", Got: len(d.DSCPs), Want: -1, Err: ErrDSCP}
	}
	return byte(mostDemanding(active, of, CompareDSCP))<<2 | d.DSField&3, nil
}

func isBadAddr(a netip.Addr) bool {
	if a.Is4() {
		o := a.As4()
		return badAddr4(binary.BigEndian.Uint32(o[:]))
	}
	o := a.As16()
	return !a.IsValid() || badAddr16(o[:])
}

// Size returns the length of the packet with a payload of that many octets.
func (t *Template) Size(payload int) int { return len(t.head) + payload }

// AppendPacket appends the whole packet with that payload. The IPv4
// Identification is id; IPv6 has none. It fails with [ErrLength] for a payload
// that makes the packet longer than IP allows, and then returns dst as it was.
func (t *Template) AppendPacket(dst, payload []byte, id uint16) ([]byte, error) {
	if len(payload) > t.most {
		return dst, &Error{Field: "payload", Got: len(payload), Want: t.most, Err: ErrLength}
	}
	at := len(dst)
	dst = append(append(dst, t.head...), payload...)
	b := dst[at:]
	if t.family == Xcast4 {
		ip := IPv4(b)
		ip.setTotalLen(len(b))
		binary.BigEndian.PutUint16(ip[4:], id)
		ip.UpdateChecksum()
	} else {
		IPv6(b).setPayloadLen(len(b) - ipv6Len)
	}
	length := uint64(udpLen + len(payload))
	udp := b[t.udp:]
	binary.BigEndian.PutUint16(udp[4:], uint16(length))
	checksum := ^t.pseudo.add(2 * length).addBytes(payload).fold() // once in the pseudo-header, once in UDP's
	if checksum == 0 {
		checksum = 0xffff
	}
	binary.BigEndian.PutUint16(udp[6:], checksum)
	return dst, nil
}

// Split yields datagrams that each fit one header and, with a payload of that
// many octets, a packet of at most mtu octets (0: no limit): consecutive slices
// of the destinations, with the same channel. A slice whose codepoints cannot
// be compared is yielded several times, with the others disabled (section 8.2).
// What is yielded aliases d. A destination that does not fit even alone ends
// the sequence early with a datagram whose Template fails with [ErrNoDestinations].
func (d *Datagram) Split(payload, mtu int) iter.Seq[Datagram] {
	return func(yield func(Datagram) bool) {
		room := MaxDestinations(d.Family(), len(d.DSCPs) > 0)
		if mtu > 0 {
			ip := ipv4Len
			if d.Family() == Xcast6 {
				ip = ipv6Len
			}
			room = Capacity(d.Family(), len(d.DSCPs) > 0, d.hasPortList(), mtu-ip-udpLen-payload)
		}
		for from := 0; from < len(d.Destinations); from += room {
			to := min(from+room, len(d.Destinations))
			part := *d
			part.Destinations = d.Destinations[from:to:to]
			part.Disabled = Bitmap{}
			for i := range d.Disabled.All() {
				part.Disabled = part.Disabled.Or(Bit(i - from))
			}
			part.Disabled = part.Disabled.And(FirstN(to - from))
			if len(d.DSCPs) >= to {
				part.DSCPs = d.DSCPs[from:to:to]
			}
			if !part.splitDSCP(yield) || room == 0 {
				return
			}
		}
	}
}

// splitDSCP yields the datagram once per part with comparable codepoints.
func (d Datagram) splitDSCP(yield func(Datagram) bool) bool {
	all := FirstN(len(d.Destinations))
	active := all.Minus(d.Disabled)
	if len(d.DSCPs) != len(d.Destinations) || active.IsEmpty() {
		return (active.IsEmpty() && len(d.Destinations) > 0) || yield(d)
	}
	for _, set := range SplitDSCP(nil, active, func(i int) DSCP { return d.DSCPs[i] }, CompareDSCP) {
		part := d
		part.Disabled = all.Minus(set)
		if !yield(part) {
			return false
		}
	}
	return true
}
