// SPDX-License-Identifier: BSD-3-Clause

package xcast

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// A List is what both Xcast headers say about their destinations. The i-th
// entry of every list belongs to destination i (RFC 5058 section 9.2.2).
type List struct {
	// Anonymous is the A bit: the addresses of destinations that are not in
	// Active are zero, in every copy that a router makes too.
	Anonymous bool
	// StayXcast is the X bit: no router may turn the packet into unicast.
	StayXcast bool
	// Active is the bitmap: the destinations this packet still has to serve.
	Active Bitmap
	// Addresses are the original destinations, served or not.
	Addresses []netip.Addr
	// DSCPs is empty, or has a codepoint per destination (the D bit).
	DSCPs []DSCP
	// Ports is empty, or has a transport port per destination (the P bit, or
	// the Ports option of Xcast6). Zero is a port like any other here.
	Ports []uint16
}

// Compact returns a list of the active destinations only, in their order, for
// whoever originates a new packet. It is never right for a forwarder: the list
// of a packet keeps its length on the whole path.
func (l *List) Compact() List {
	c := List{Anonymous: l.Anonymous, StayXcast: l.StayXcast}
	for i := range l.Active.And(FirstN(len(l.Addresses))).All() {
		c.Addresses = append(c.Addresses, l.Addresses[i])
		if i < len(l.DSCPs) {
			c.DSCPs = append(c.DSCPs, l.DSCPs[i])
		}
		if i < len(l.Ports) {
			c.Ports = append(c.Ports, l.Ports[i])
		}
	}
	c.Active = FirstN(len(c.Addresses))
	return c
}

// check returns the flags of a list that can be encoded.
func (l *List) check(f Family) (flags uint8, err error) {
	n := len(l.Addresses)
	limit := MaxDestinations(f, len(l.DSCPs) > 0)
	switch {
	case n == 0:
		return 0, &Error{Field: "Addresses", Want: -1, Err: ErrNoDestinations}
	case n > limit:
		return 0, &Error{Field: "Addresses", Offset: limit, Got: n, Want: limit, Err: ErrTooManyDestinations}
	case len(l.DSCPs) != 0 && len(l.DSCPs) != n:
		return 0, &Error{Field: "DSCPs", Got: len(l.DSCPs), Want: n, Err: ErrListLength}
	case len(l.Ports) != 0 && len(l.Ports) != n:
		return 0, &Error{Field: "Ports", Got: len(l.Ports), Want: n, Err: ErrListLength}
	case !l.Active.Minus(FirstN(n)).IsEmpty():
		return 0, &Error{Field: "Active", Offset: l.Active.Minus(FirstN(n)).First(), Got: l.Active.Len(), Want: n, Err: ErrListLength}
	}
	for i, d := range l.DSCPs {
		if d > maxDSCP {
			return 0, &Error{Field: "DSCPs", Offset: i, Got: int(d), Want: int(maxDSCP), Err: ErrDSCP}
		}
	}
	flags = flagD * min(1, uint8(len(l.DSCPs)))
	if l.Anonymous {
		flags |= flagA
	}
	if l.StayXcast {
		flags |= flagX
	}
	return flags, nil
}

// reset empties the list and keeps its capacity.
func (l *List) reset() {
	*l = List{Addresses: l.Addresses[:0], DSCPs: l.DSCPs[:0], Ports: l.Ports[:0]}
}

// fill takes over what header b says, except the ports.
func (l *List) fill(b []byte, f *frame) {
	l.Anonymous, l.StayXcast = f.flags&flagA != 0, f.flags&flagX != 0
	l.Active = loadBitmap(b[f.bitmap:f.addresses]).And(FirstN(f.n))
	l.Addresses = slices.Grow(l.Addresses, f.n)[:f.n]
	for i := range l.Addresses {
		l.Addresses[i] = address(b, f.addresses, i, f.width)
		if l.Anonymous && !l.Active.Has(i) {
			l.Addresses[i] = unspecified(f.width)
		}
	}
	if f.flags&flagD != 0 {
		for _, ds := range b[f.dscps : f.dscps+f.n] {
			l.DSCPs = append(l.DSCPs, DSCP(ds>>2))
		}
	}
}

// fillPorts takes over n ports.
func (l *List) fillPorts(b []byte, n int) {
	for i := range n {
		l.Ports = append(l.Ports, binary.BigEndian.Uint16(b[2*i:]))
	}
}

// address returns entry i of the addresses at an offset.
func address(b []byte, at, i, width int) netip.Addr {
	if width == 4 {
		return netip.AddrFrom4([4]byte(b[at+4*i:]))
	}
	return netip.AddrFrom16([16]byte(b[at+16*i:]))
}

func unspecified(width int) netip.Addr {
	if width == 4 {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// appendLists appends bitmap, addresses and DS octets, each list padded.
func (l *List) appendLists(dst []byte, f *layout) ([]byte, error) {
	at := len(dst)
	dst = append(dst, make([]byte, f.addresses-f.bitmap)...)
	l.Active.store(dst[at:])
	for i, a := range l.Addresses {
		if l.Anonymous && !l.Active.Has(i) {
			a = unspecified(f.width)
		}
		switch {
		case f.width == 4 && a.Is4():
			o := a.As4()
			dst = append(dst, o[:]...)
		case f.width == 16 && plain6(a):
			o := a.As16()
			dst = append(dst, o[:]...)
		default:
			return dst, &Error{Field: "Addresses", Offset: i, Got: a.BitLen(), Want: 8 * f.width, Err: ErrAddress}
		}
	}
	for _, d := range l.DSCPs {
		dst = append(dst, byte(d)<<2)
	}
	for len(dst)-at < f.ports-f.bitmap {
		dst = append(dst, 0)
	}
	return dst, nil
}

// A Header4 is an Xcast4 header (RFC 5058 section 9.2.2), which stands between
// the IPv4 header and the transport:
//
//	0               1               2               3
//	|VERSION|A|X|D|P|R| NBR_OF_DEST |          CHECKSUM             |
//	|                       CHANNEL IDENTIFIER                      |
//	|    PROT ID    |    LENGTH     |             RESV              |
//	|  bitmap: a multiple of 4 octets                               ~
//	|  addresses: 4 octets each                                     ~
//	|  DS octets, if D: one each, padded to a multiple of 4         ~
//	|  ports, if P: two octets each, padded to a multiple of 4      ~
//
// VERSION, NBR_OF_DEST, LENGTH, CHECKSUM and the D and P bits are computed.
// Reserved bits and padding are written as zero and ignored when read.
type Header4 struct {
	// Channel is 0, or with the source address identifies the channel (section
	// 8.3). Nobody else interprets it.
	Channel uint32
	// Protocol is the number of the protocol that follows.
	Protocol uint8
	List
}

// Size returns the number of octets that AppendBinary appends.
func (h *Header4) Size() int {
	return Overhead(Xcast4, len(h.Addresses), len(h.DSCPs) > 0, len(h.Ports) > 0)
}

// AppendBinary appends the header. It fails with [ErrNoDestinations],
// [ErrTooManyDestinations] (above 127), [ErrListLength], [ErrDSCP] or
// [ErrAddress], and then returns dst as it was.
func (h *Header4) AppendBinary(dst []byte) ([]byte, error) {
	flags, err := h.check(Xcast4)
	if err != nil {
		return dst, err
	}
	if len(h.Ports) > 0 {
		flags |= flagP
	}
	n := len(h.Addresses)
	var l layout
	l.set4(n, flags)
	at := len(dst)
	b := slices.Grow(dst, l.size)
	b = append(b, version<<4|flags, byte(n), 0, 0)
	b = binary.BigEndian.AppendUint32(b, h.Channel)
	b = append(b, h.Protocol, byte(l.size/4), 0, 0)
	if b, err = h.appendLists(b, &l); err != nil {
		return dst, err
	}
	for _, port := range h.Ports {
		b = binary.BigEndian.AppendUint16(b, port)
	}
	for len(b)-at < l.size {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[at+2:], headerChecksum(sum(0).addBytes(b[at:])))
	return b, nil
}

// MarshalBinary returns the header in a new slice.
func (h *Header4) MarshalBinary() ([]byte, error) { return h.AppendBinary(nil) }

// Decode reads the header at the start of b, which may go on after it, and
// returns its length. It refuses, in this order: [ErrTruncated], [ErrVersion],
// [ErrNoDestinations], [ErrLength], [ErrTruncated], [ErrChecksum]; then *h is
// empty. It reuses the lists of h and keeps nothing of b. Under A an address
// whose bit is cleared is taken as zero.
func (h *Header4) Decode(b []byte) (int, error) {
	h.reset()
	h.Channel, h.Protocol = 0, 0
	var f frame
	if err := f.parse4(b); err != nil {
		return 0, err
	}
	h.Channel, h.Protocol = binary.BigEndian.Uint32(b[4:]), f.next
	h.fill(b, &f)
	if f.flags&flagP != 0 {
		h.fillPorts(b[f.ports:], f.n)
	}
	return f.size, nil
}

// UnmarshalBinary is Decode for a buffer that holds nothing else; octets after
// the header are refused with [ErrLength].
func (h *Header4) UnmarshalBinary(b []byte) error {
	n, err := h.Decode(b)
	if err == nil && n != len(b) {
		h.reset()
		err = &Error{Field: "Xcast4 header", Offset: n, Got: len(b), Want: n, Err: ErrLength}
	}
	return err
}

// Overhead returns the octets that Xcast adds to a packet for n destinations
// with the given lists: the Xcast4 header, or the Routing header and the Ports
// header of Xcast6. [TunnelOverhead] is what a tunnel adds.
func Overhead(f Family, n int, dscps, ports bool) int {
	var l layout
	var flags uint8
	if dscps {
		flags |= flagD
	}
	if f == Xcast4 {
		if ports {
			flags |= flagP
		}
		l.set4(n, flags)
		return l.size
	}
	l.set6(n, flags)
	if ports {
		return l.size + portsHeaderLen(n, 0)
	}
	return l.size
}

// TunnelOverhead returns the octets that a tunnel adds to a packet: 20 for IPv4,
// 40 for IPv6, and 48 for a semi-permeable tunnel, which only Xcast6 has.
func TunnelOverhead(f Family, semiPermeable bool) int {
	switch {
	case f == Xcast4:
		return ipv4Len
	case semiPermeable:
		return ipv6Len + 8
	}
	return ipv6Len
}

// Capacity returns how many destinations, 0 to [MaxDestinations], a packet can
// list when Xcast may add that many octets. A sender with more destinations
// sends several packets, with consecutive slices of its list.
func Capacity(f Family, dscps, ports bool, octets int) int {
	n := MaxDestinations(f, dscps)
	for n > 0 && Overhead(f, n, dscps, ports) > octets {
		n--
	}
	return n
}
