// SPDX-License-Identifier: BSD-3-Clause

package xcast

import (
	"encoding/binary"
	"net/netip"
)

// An IPv6 is a view of one whole IPv6 packet, header first. [ParseIPv6] checks
// it once; on what it returned no method panics.
//
//	0               1               2               3
//	|Version| Traffic Class |              Flow Label               |
//	|         Payload Length        |  Next Header  |   Hop Limit   |
//	|                 Source Address, 16 octets                     ~
//	|               Destination Address, 16 octets                  ~
type IPv6 []byte

// ParseIPv6 returns the packet at the start of b, cut where Payload Length
// says. A Payload Length of 0 or beyond the buffer is an [*Error] with
// [ErrMalformedIP]: there are no jumbograms here.
func ParseIPv6(b []byte) (IPv6, error) {
	p, err := parseIPv6(b)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func parseIPv6(b []byte) (IPv6, *Error) {
	total := wholeIPv6(b)
	switch {
	case total != 0:
		return IPv6(b[:total:total]), nil
	case len(b) < ipv6Len:
		return nil, &Error{Field: "IPv6 header", Got: len(b), Want: ipv6Len, Err: ErrMalformedIP}
	case b[0]>>4 != 6:
		return nil, &Error{Field: "IP Version", Got: int(b[0] >> 4), Want: 6, Err: ErrMalformedIP}
	}
	payload := int(binary.BigEndian.Uint16(b[4:]))
	return nil, &Error{Field: "Payload Length", Offset: 4, Got: payload, Want: len(b) - ipv6Len, Err: ErrMalformedIP}
}

// wholeIPv6 returns the length of the packet at the start of b, and 0 if
// parseIPv6 refuses it.
func wholeIPv6(b []byte) int {
	if len(b) < ipv6Len || b[0]>>4 != 6 {
		return 0
	}
	total := ipv6Len + int(binary.BigEndian.Uint16(b[4:]))
	if total == ipv6Len || total > len(b) {
		return 0
	}
	return total
}

// DSField returns the traffic class: DSCP (upper six bits) and ECN.
func (p IPv6) DSField() uint8 { return p[0]<<4 | p[1]>>4 }

// FlowLabel returns the flow label, 0 to 0xfffff.
func (p IPv6) FlowLabel() uint32 { return binary.BigEndian.Uint32(p) & 0xfffff }

// NextHeader returns the number of the header after this one.
func (p IPv6) NextHeader() uint8 { return p[6] }

// HopLimit returns the Hop Limit.
func (p IPv6) HopLimit() uint8 { return p[7] }

// Source returns the source address.
func (p IPv6) Source() netip.Addr { return netip.AddrFrom16([16]byte(p[8:24])) }

// Destination returns the destination address.
func (p IPv6) Destination() netip.Addr { return netip.AddrFrom16([16]byte(p[24:40])) }

// Payload returns what follows the header, extension headers included.
func (p IPv6) Payload() []byte { return p[ipv6Len:] }

// SetDSField replaces the traffic class.
func (p IPv6) SetDSField(ds uint8) { p[0], p[1] = 0x60|ds>>4, ds<<4|p[1]&15 }

// SetHopLimit replaces the Hop Limit.
func (p IPv6) SetHopLimit(limit uint8) { p[7] = limit }

// setPayloadLen sets Payload Length, for a header whose payload is elsewhere.
func (p IPv6) setPayloadLen(n int) { binary.BigEndian.PutUint16(p[4:], uint16(n)) }

// IPv6Fields are the values of an IPv6 header. The length is computed.
type IPv6Fields struct {
	DSField     uint8  // traffic class: DSCP in the upper six bits, ECN in the lower two
	FlowLabel   uint32 // 0 to 0xfffff; the upper twelve bits are not used
	NextHeader  uint8  // of the payload, by its IANA number
	HopLimit    uint8
	Source      netip.Addr // an IPv6 address without a zone
	Destination netip.Addr // an IPv6 address without a zone
}

// AppendHeader appends the header of a packet with a payload of that many
// octets, extension headers included. It fails with [ErrAddress] for an
// address that is not IPv6 or has a zone, and with [ErrLength] for a payload
// below 1 or above 65535 octets.
func (f *IPv6Fields) AppendHeader(dst []byte, payload int) ([]byte, error) {
	if !plain6(f.Source) || !plain6(f.Destination) {
		return dst, &Error{Field: "IPv6 addresses", Got: f.Source.BitLen(), Want: 128, Err: ErrAddress}
	}
	if payload < 1 || payload > 65535 {
		return dst, &Error{Field: "Payload Length", Offset: 4, Got: payload, Want: 65535, Err: ErrLength}
	}
	source, destination := f.Source.As16(), f.Destination.As16()
	dst = binary.BigEndian.AppendUint32(dst, 6<<28|uint32(f.DSField)<<20|f.FlowLabel&0xfffff)
	dst = append(dst, byte(payload>>8), byte(payload), f.NextHeader, f.HopLimit)
	dst = append(dst, source[:]...)
	return append(dst, destination[:]...), nil
}

// plain6 reports an IPv6 address that sixteen octets say in full.
func plain6(a netip.Addr) bool { return a.Is6() && a.Zone() == "" }

// IPv6 option types (RFC 8200 section 4.2).
const (
	optPad1 = 0
	optPadN = 1
)

// skippable reports an option that a node ignores when it does not know it.
func skippable(option uint8) bool { return option>>6 == 0 }

// nextOption reads the option at an offset of an option area: its type, its
// data (nil for Pad1) and the offset after it. It fails when the option runs
// past the area. The caller stops at the area's end.
func nextOption(area []byte, at int) (option uint8, data []byte, next int, ok bool) {
	option = area[at]
	if option == optPad1 {
		return option, nil, at + 1, true
	}
	if at+2 > len(area) {
		return 0, nil, 0, false
	}
	next = at + 2 + int(area[at+1])
	if next > len(area) {
		return 0, nil, 0, false
	}
	return option, area[at+2 : next : next], next, true
}

// appendPadding appends n octets of padding: nothing, Pad1 or one PadN.
func appendPadding(dst []byte, n int) []byte {
	switch n {
	case 0:
		return dst
	case 1:
		return append(dst, optPad1)
	}
	dst = append(dst, optPadN, byte(n-2))
	for range n - 2 {
		dst = append(dst, 0)
	}
	return dst
}

// badAddr4 and badAddr16 report an address that is never a source and never
// looked up: unspecified, multicast, loopback, link-local, 255.255.255.255.
func badAddr4(a uint32) bool {
	return a == 0 || a>>28 == 0xe || a>>24 == 127 || a>>16 == 0xa9fe || a == 0xffffffff
}

func badAddr16(b []byte) bool {
	if b[0] == 0xff || b[0] == 0xfe && b[1]&0xc0 == 0x80 {
		return true
	}
	hi, lo := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:16])
	if hi != 0 {
		return false
	}
	return lo <= 1 || lo>>32 == 0xffff && badAddr4(uint32(lo))
}
