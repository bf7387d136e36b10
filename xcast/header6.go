// SPDX-License-Identifier: BSD-3-Clause

package xcast

import (
	"encoding/binary"
	"slices"
)

// A Header6 is the Xcast6 header (RFC 5058 section 9.3.2): a Routing header,
// which directly follows the IPv6 header, and behind it, if there are ports, a
// Destination Options header that carries them.
//
//	0               1               2               3
//	|  Next Header  |  HdrExtLen    |RouteType=Xcast|       0       |
//	|VERSION|A|X|D| R | NBR_OF_DEST |          CHECKSUM             |
//	|                 CHANNEL IDENTIFIER, 16 octets                 ~
//	|  bitmap: a multiple of 8 octets                               ~
//	|  addresses: 16 octets each                                    ~
//	|  DS octets, if D: one each, padded to a multiple of 8         ~
//
//	|  Next Header  |  HdrExtLen    |Opt Type=Ports | Opt Data Len  |
//	|  ports: two octets each, then padding to a multiple of 8      ~
//
// The checksum covers the Routing header only. VERSION, NBR_OF_DEST, the
// lengths, CHECKSUM and the D bit are computed.
type Header6 struct {
	// Code must be set before anything else is done; Decode keeps it. Only
	// RoutingType and PortsOption are used.
	Code CodePoints
	// Channel is all zero, or with the source address identifies the channel
	// (section 8.3).
	Channel [16]byte
	// NextHeader is the number of the header that follows all of this one. A
	// Destination Options header without ports is not part of the Xcast header:
	// then NextHeader is 60, and Decode expects that header in the buffer.
	NextHeader uint8
	List
	// Options are further options of the Destination Options header with the
	// ports: whole options as on the wire, without padding. There may be some
	// only when there are ports.
	Options []byte
}

// Size returns the number of octets that AppendBinary appends.
func (h *Header6) Size() int {
	size := Overhead(Xcast6, len(h.Addresses), len(h.DSCPs) > 0, false)
	if len(h.Ports) > 0 {
		size += portsHeaderLen(len(h.Ports), len(h.Options))
	}
	return size
}

// AppendBinary appends the Routing header and, if there are ports, the
// Destination Options header. It fails as [Header4.AppendBinary] does, with the
// limits of [MaxDestinations] for Xcast6, with [ErrCodePoints] when Code lacks
// what is needed, and with [ErrOption] for Options that are not whole and
// skippable, or without ports; then it returns dst as it was.
func (h *Header6) AppendBinary(dst []byte) ([]byte, error) {
	flags, err := h.check(Xcast6)
	if err != nil {
		return dst, err
	}
	if err := h.checkOptions(); err != nil {
		return dst, err
	}
	n := len(h.Addresses)
	var l layout
	l.set6(n, flags)
	at := len(dst)
	next := h.NextHeader
	if len(h.Ports) > 0 {
		next = protoDestOptions
	}
	b := slices.Grow(dst, h.Size())
	b = append(b, next, byte(l.size/8-1), h.Code.RoutingType, 0, version<<4|flags, byte(n), 0, 0)
	b = append(b, h.Channel[:]...)
	if b, err = h.appendLists(b, &l); err != nil {
		return dst, err
	}
	binary.BigEndian.PutUint16(b[at+6:], headerChecksum(sum(0).addBytes(b[at:])))
	if len(h.Ports) == 0 {
		return b, nil
	}
	size := portsHeaderLen(n, len(h.Options))
	b = append(b, h.NextHeader, byte(size/8-1), h.Code.PortsOption, byte(2*n))
	for _, port := range h.Ports {
		b = binary.BigEndian.AppendUint16(b, port)
	}
	b = append(b, h.Options...)
	return appendPadding(b, size-4-2*n-len(h.Options)), nil
}

func (h *Header6) checkOptions() error {
	switch {
	case h.Code.RoutingType == 0:
		return &Error{Field: "RoutingType", Want: -1, Err: ErrCodePoints}
	case len(h.Ports) > 0 && h.Code.PortsOption>>5 != 0b010:
		return &Error{Field: "PortsOption", Got: int(h.Code.PortsOption), Want: -1, Err: ErrCodePoints}
	case len(h.Ports) == 0 && len(h.Options) > 0:
		return &Error{Field: "Options", Got: len(h.Options), Err: ErrOption}
	case len(h.Ports) == 0 && h.NextHeader == protoDestOptions:
		// What follows is the caller's; Decode will look for a Ports option there.
		return nil
	case portsHeaderLen(len(h.Ports), len(h.Options)) > 2048:
		return &Error{Field: "Options", Got: len(h.Options), Want: 2048 - 4 - 2*len(h.Ports), Err: ErrOption}
	}
	for at := 0; at < len(h.Options); {
		option, _, next, ok := nextOption(h.Options, at)
		if !ok || option <= optPadN || !skippable(option) {
			return &Error{Field: "Options", Offset: at, Got: int(h.Options[at]), Want: -1, Err: ErrOption}
		}
		at = next
	}
	return nil
}

// MarshalBinary returns the header in a new slice.
func (h *Header6) MarshalBinary() ([]byte, error) { return h.AppendBinary(nil) }

// Decode reads the header at the start of b, which may go on after it, and
// returns its length, that of a Destination Options header with ports
// included. It refuses, in this order: in the Routing header [ErrTruncated],
// [ErrRoutingType], [ErrSegmentsLeft], [ErrVersion], [ErrNoDestinations],
// [ErrLength], [ErrTruncated], [ErrChecksum]; in the Destination Options header
// [ErrTruncated], [ErrOption], [ErrPortCount]; then *h is empty but for Code.
// It reuses the lists of h and keeps nothing of b.
func (h *Header6) Decode(b []byte) (int, error) {
	h.clear()
	var f frame
	if err := f.parse6(b, h.Code.RoutingType); err != nil {
		return 0, err
	}
	var d destOptions
	if f.next == protoDestOptions {
		var err *Error
		if d, err = parseDestOptions(b[f.size:], f.n, h.Code.PortsOption); err != nil {
			return 0, shift(err, f.size)
		}
	}
	h.Channel, h.NextHeader = [16]byte(b[8:24]), f.next
	h.fill(b, &f)
	if d.ports == 0 {
		return f.size, nil
	}
	area := b[f.size : f.size+d.size]
	h.NextHeader = d.next
	h.fillPorts(area[d.ports:], f.n)
	for at := 2; at < len(area); {
		option, _, next, _ := nextOption(area, at)
		if option > optPadN && option != h.Code.PortsOption {
			h.Options = append(h.Options, area[at:next]...)
		}
		at = next
	}
	return f.size + d.size, nil
}

func (h *Header6) clear() {
	h.reset()
	h.Channel, h.NextHeader, h.Options = [16]byte{}, 0, h.Options[:0]
}

// UnmarshalBinary is Decode for a buffer that holds nothing else; octets after
// the header are refused with [ErrLength].
func (h *Header6) UnmarshalBinary(b []byte) error {
	n, err := h.Decode(b)
	if err == nil && n != len(b) {
		h.clear()
		err = &Error{Field: "Xcast6 header", Offset: n, Got: len(b), Want: n, Err: ErrLength}
	}
	return err
}
