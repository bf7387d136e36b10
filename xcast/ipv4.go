// SPDX-License-Identifier: BSD-3-Clause

package xcast

import (
	"encoding/binary"
	"net/netip"
)

// Protocol and Next Header numbers (IANA) that Xcast has to know.
const (
	protoHopByHop    = 0
	protoICMP        = 1
	protoIPIP        = 4
	protoTCP         = 6
	protoUDP         = 17
	protoIPv6        = 41
	protoRouting     = 43
	protoGRE         = 47
	protoICMPv6      = 58
	protoDestOptions = 60
	protoSCTP        = 132
)

const (
	ipv4Len = 20 // an IPv4 header without options
	ipv6Len = 40
	udpLen  = 8
	tcpLen  = 20 // a TCP header without options
)

// An IPv4 is a view of one whole IPv4 packet, header first. [ParseIPv4] checks
// it once; on what it returned no method panics. It exists because the header
// type of golang.org/x/net speaks the raw-socket format of the running system,
// in which some systems swap the octets of two fields.
//
//	0               1               2               3
//	|Version|  IHL  |  DS field |ECN|         Total Length          |
//	|         Identification        |0|D|M|     Fragment Offset     |
//	|  Time to Live |    Protocol   |        Header Checksum        |
//	|                         Source Address                        |
//	|                      Destination Address                      |
//	|                            Options                            ~
type IPv4 []byte

// ParseIPv4 returns the packet at the start of b, cut where Total Length says:
// what follows is the padding of the link. An IHL below 5, lengths beyond the
// buffer and a wrong header checksum are an [*Error] with [ErrMalformedIP].
func ParseIPv4(b []byte) (IPv4, error) {
	p, err := parseIPv4(b)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func parseIPv4(b []byte) (IPv4, *Error) {
	if len(b) < ipv4Len {
		return nil, &Error{Field: "IPv4 header", Got: len(b), Want: ipv4Len, Err: ErrMalformedIP}
	}
	if b[0]>>4 != 4 {
		return nil, &Error{Field: "IP Version", Got: int(b[0] >> 4), Want: 4, Err: ErrMalformedIP}
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case header < ipv4Len:
		return nil, &Error{Field: "IHL", Got: header / 4, Want: ipv4Len / 4, Err: ErrMalformedIP}
	case total < header:
		return nil, &Error{Field: "Total Length", Offset: 2, Got: total, Want: header, Err: ErrMalformedIP}
	case total > len(b):
		return nil, &Error{Field: "Total Length", Offset: 2, Got: total, Want: len(b), Err: ErrMalformedIP}
	case !swapped(b[:header]).intact():
		got := int(binary.BigEndian.Uint16(b[10:]))
		return nil, &Error{Field: "Header Checksum", Offset: 10, Got: got, Want: -1, Err: ErrMalformedIP}
	}
	return IPv4(b[:total:total]), nil
}

// isPlainIPv4 reports an intact header without options, which is nearly every
// one. parseIPv4 takes it too, if Total Length is right.
func isPlainIPv4(b []byte) bool {
	return len(b) >= ipv4Len && b[0] == 0x45 && swappedIPv4(b).intact()
}

// HeaderLen returns the length of the header with its options, in octets.
func (p IPv4) HeaderLen() int { return int(p[0]&15) * 4 }

// DSField returns the octet of the DSCP (upper six bits) and ECN (lower two).
func (p IPv4) DSField() uint8 { return p[1] }

// ID returns the Identification.
func (p IPv4) ID() uint16 { return binary.BigEndian.Uint16(p[4:]) }

// DontFragment reports the DF flag.
func (p IPv4) DontFragment() bool { return p[6]&0x40 != 0 }

// IsFragment reports whether the packet is a part of a longer one.
func (p IPv4) IsFragment() bool { return binary.BigEndian.Uint16(p[6:])&0x3fff != 0 }

// TTL returns the Time to Live.
func (p IPv4) TTL() uint8 { return p[8] }

// Protocol returns the number of the protocol after the header.
func (p IPv4) Protocol() uint8 { return p[9] }

// Source returns the source address.
func (p IPv4) Source() netip.Addr { return netip.AddrFrom4([4]byte(p[12:16])) }

// Destination returns the destination address.
func (p IPv4) Destination() netip.Addr { return netip.AddrFrom4([4]byte(p[16:20])) }

// Payload returns what follows the header.
func (p IPv4) Payload() []byte { return p[p.HeaderLen():] }

// SetDSField replaces DSCP and ECN. Call UpdateChecksum afterwards.
func (p IPv4) SetDSField(ds uint8) { p[1] = ds }

// SetTTL replaces the Time to Live. Call UpdateChecksum afterwards.
func (p IPv4) SetTTL(ttl uint8) { p[8] = ttl }

// UpdateChecksum computes the header checksum anew after a change.
func (p IPv4) UpdateChecksum() {
	p[10], p[11] = 0, 0
	binary.BigEndian.PutUint16(p[10:], headerChecksum(sum(0).addBytes(p[:p.HeaderLen()])))
}

// setTotalLen sets Total Length, for a header whose payload is elsewhere.
func (p IPv4) setTotalLen(n int) { binary.BigEndian.PutUint16(p[2:], uint16(n)) }

// IPv4Fields are the values of an IPv4 header without options. Lengths and the
// checksum are computed.
type IPv4Fields struct {
	DSField      uint8      // DSCP in the upper six bits, ECN in the lower two
	ID           uint16     // Identification
	DontFragment bool       // the DF flag
	TTL          uint8      // Time to Live
	Protocol     uint8      // of the payload, by its IANA number
	Source       netip.Addr // an IPv4 address
	Destination  netip.Addr // an IPv4 address
}

// AppendHeader appends the header of a packet with a payload of that many
// octets. It fails with [ErrAddress] for an address that is not IPv4 and with
// [ErrLength] when the packet would be longer than 65535 octets.
func (f *IPv4Fields) AppendHeader(dst []byte, payload int) ([]byte, error) {
	if !f.Source.Is4() || !f.Destination.Is4() {
		return dst, &Error{Field: "IPv4 addresses", Got: f.Source.BitLen(), Want: 32, Err: ErrAddress}
	}
	total := ipv4Len + payload
	if payload < 0 || total > 65535 {
		return dst, &Error{Field: "Total Length", Offset: 2, Got: total, Want: 65535, Err: ErrLength}
	}
	var flags byte
	if f.DontFragment {
		flags = 0x40
	}
	source, destination := f.Source.As4(), f.Destination.As4()
	at := len(dst)
	dst = append(dst, 0x45, f.DSField, byte(total>>8), byte(total), byte(f.ID>>8), byte(f.ID), flags, 0,
		f.TTL, f.Protocol, 0, 0)
	dst = append(dst, source[:]...)
	dst = append(dst, destination[:]...)
	IPv4(dst[at:]).UpdateChecksum()
	return dst, nil
}
