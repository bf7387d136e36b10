// SPDX-License-Identifier: BSD-3-Clause

package xcast

import (
	"encoding/binary"
	"strconv"
)

// A Family is one of the two encodings of Xcast: in IPv4 or in IPv6 packets.
type Family uint8

// The two families, with the numbers of their IP versions.
const (
	Xcast4 Family = 4
	Xcast6 Family = 6
)

// String returns "Xcast4" or "Xcast6".
func (f Family) String() string {
	if f == Xcast4 || f == Xcast6 {
		return "Xcast" + strconv.Itoa(int(f))
	}
	return "Family(" + strconv.Itoa(int(f)) + ")"
}

// MaxDestinations returns how many destinations one header can list: 127 in
// Xcast4, where NBR_OF_DEST has seven bits (RFC 5058 section 9.2.2). Xcast6 has
// the same field, but its header ends at 2048 octets (HdrExtLen has eight
// bits), which is enough for 125, or for 118 with a DS octet each.
func MaxDestinations(f Family, dscps bool) int {
	switch {
	case f == Xcast4:
		return 127
	case dscps:
		return 118
	}
	return 125
}

// The flags of the first octet (fifth octet in Xcast6), below VERSION.
const (
	version = 1

	flagA = 8 // anonymity: addresses of cleared bits are zeroed
	flagX = 4 // stay Xcast end to end
	flagD = 2 // a DS octet per destination
	flagP = 1 // a port per destination (Xcast4 only)
)

// A layout is where the lists of a header start, counted from its first octet.
// NBR_OF_DEST and the flags determine it.
type layout struct {
	bitmap, addresses, dscps, ports, size int
	width                                 int // octets of an address
}

// set4 lays out an Xcast4 header: every list on a 4-octet boundary.
func (l *layout) set4(n int, flags uint8) {
	addresses := 12 + 4*((n+31)>>5)
	dscps := addresses + 4*n
	ports := dscps
	if flags&flagD != 0 {
		ports += (n + 3) &^ 3
	}
	size := ports
	if flags&flagP != 0 {
		size += (2*n + 3) &^ 3
	}
	l.bitmap, l.addresses, l.dscps, l.ports, l.size, l.width = 12, addresses, dscps, ports, size, 4
}

// set6 lays out an Xcast6 Routing header: every list on an 8-octet
// boundary. The ports have a header of their own.
func (l *layout) set6(n int, flags uint8) {
	addresses := 24 + 8*((n+63)>>6)
	dscps := addresses + 16*n
	size := dscps
	if flags&flagD != 0 {
		size += (n + 7) &^ 7
	}
	l.bitmap, l.addresses, l.dscps, l.ports, l.size, l.width = 24, addresses, dscps, size, size, 16
}

// portsHeaderLen is the size of a Destination Options header with n ports and
// that many octets of other options.
func portsHeaderLen(n, others int) int { return (4 + 2*n + others + 7) &^ 7 }

// A frame is a header that passed every check: where things are in it.
type frame struct {
	layout
	n     int
	flags uint8
	next  uint8 // protocol after this header
}

// parse4 checks the Xcast4 header at the start of b.
func (f *frame) parse4(b []byte) *Error {
	if len(b) < 12 {
		return &Error{Field: "Xcast4 header", Got: len(b), Want: 12, Err: ErrTruncated}
	}
	if b[0]>>4 != version {
		return &Error{Field: "VERSION", Got: int(b[0] >> 4), Want: version, Err: ErrVersion}
	}
	f.n, f.flags, f.next = int(b[1]&0x7f), b[0]&15, b[8]
	if f.n == 0 {
		return &Error{Field: "NBR_OF_DEST", Offset: 1, Want: -1, Err: ErrNoDestinations}
	}
	f.set4(f.n, f.flags)
	switch {
	case int(b[9])*4 != f.size:
		return &Error{Field: "LENGTH", Offset: 9, Got: int(b[9]), Want: f.size / 4, Err: ErrLength}
	case len(b) < f.size:
		return &Error{Field: "Xcast4 header", Got: len(b), Want: f.size, Err: ErrTruncated}
	case !swapped(b[:f.size]).intact():
		got := int(binary.BigEndian.Uint16(b[2:]))
		return &Error{Field: "CHECKSUM", Offset: 2, Got: got, Want: -1, Err: ErrChecksum}
	}
	return nil
}

// parse6 checks the Xcast6 Routing header at the start of b.
func (f *frame) parse6(b []byte, routingType uint8) *Error {
	if len(b) < 8 {
		return &Error{Field: "Routing header", Got: len(b), Want: 8, Err: ErrTruncated}
	}
	switch {
	case b[2] != routingType:
		return &Error{Field: "Routing Type", Offset: 2, Got: int(b[2]), Want: int(routingType), Err: ErrRoutingType}
	case b[3] != 0:
		return &Error{Field: "Segments Left", Offset: 3, Got: int(b[3]), Err: ErrSegmentsLeft}
	case b[4]>>4 != version:
		return &Error{Field: "VERSION", Offset: 4, Got: int(b[4] >> 4), Want: version, Err: ErrVersion}
	}
	f.n, f.flags, f.next = int(b[5]&0x7f), b[4]&(flagA|flagX|flagD), b[0]
	if f.n == 0 {
		return &Error{Field: "NBR_OF_DEST", Offset: 5, Want: -1, Err: ErrNoDestinations}
	}
	f.set6(f.n, f.flags)
	switch {
	case int(b[1])*8+8 != f.size:
		return &Error{Field: "HdrExtLen", Offset: 1, Got: int(b[1]), Want: f.size/8 - 1, Err: ErrLength}
	case len(b) < f.size:
		return &Error{Field: "Routing header", Got: len(b), Want: f.size, Err: ErrTruncated}
	case !swapped(b[:f.size]).intact():
		got := int(binary.BigEndian.Uint16(b[6:]))
		return &Error{Field: "CHECKSUM", Offset: 6, Got: got, Want: -1, Err: ErrChecksum}
	}
	return nil
}

// A destOptions is a Destination Options header that passed every check.
type destOptions struct {
	next     uint8
	size     int
	ports    int  // offset of the ports from the header's start, 0 without a Ports option
	hasOther bool // it holds more than Ports and padding
}

// parseDestOptions checks the Destination Options header at the start of b,
// which follows a Routing header of n destinations.
func parseDestOptions(b []byte, n int, portsOption uint8) (d destOptions, err *Error) {
	if len(b) < 8 {
		return d, &Error{Field: "Destination Options header", Got: len(b), Want: 8, Err: ErrTruncated}
	}
	d.next, d.size = b[0], int(b[1])*8+8
	if len(b) < d.size {
		return d, &Error{Field: "Destination Options header", Got: len(b), Want: d.size, Err: ErrTruncated}
	}
	area := b[:d.size]
	for at := 2; at < len(area); {
		option, data, next, ok := nextOption(area, at)
		switch {
		case !ok:
			return d, &Error{Field: "Option", Offset: at, Got: int(area[at]), Want: -1, Err: ErrOption}
		case option == portsOption && d.ports != 0:
			return d, &Error{Field: "second Ports option", Offset: at, Got: int(option), Want: -1, Err: ErrOption}
		case option == portsOption && len(data) != 2*n:
			return d, &Error{Field: "Opt Data Len", Offset: at + 1, Got: len(data), Want: 2 * n, Err: ErrPortCount}
		case option == portsOption:
			d.ports = at + 2
		case !skippable(option):
			return d, &Error{Field: "Option Type", Offset: at, Got: int(option), Want: -1, Err: ErrOption}
		case option > optPadN:
			d.hasOther = true
		}
		at = next
	}
	return d, nil
}
