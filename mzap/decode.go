// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/mcastalloc/malloc/scope"
)

// Address families of the wire (RFC 2776 section 5).
const (
	familyIPv4 = 1
	familyIPv6 = 2
)

// Decode reads one message, the whole payload of a UDP datagram. It is strict:
// every octet must be accounted for, or the message is rejected with an
// [*Error] and m holds nothing. What the document says to ignore is ignored:
// reserved name flags, the contents of the padding, the unused octet of a ZCM.
//
// The names of m alias b until the next Decode; its lists are reused, so
// decoding into the same Message over and over allocates nothing.
func (m *Message) Decode(b []byte) error {
	if err := m.decode(b); err != nil {
		m.reset()
		return err
	}
	return nil
}

// UnmarshalBinary is Decode into an m that shares no memory with b.
func (m *Message) UnmarshalBinary(b []byte) error {
	*m = Message{}
	return m.Decode(bytes.Clone(b))
}

func (m *Message) decode(b []byte) error {
	m.reset()
	if len(b) < 4 {
		return &Error{Field: "header", Offset: len(b), Err: ErrTruncated}
	}
	if b[0] != 0 {
		return &Error{Field: "Version", Err: ErrVersion, Detail: strconv.Itoa(int(b[0]))}
	}
	m.Type, m.Divisible = Type(b[1]&0x7f), b[1]&0x80 != 0
	if m.Type > NIM {
		return &Error{Field: "PTYPE", Offset: 1, Err: ErrType, Detail: strconv.Itoa(int(m.Type))}
	}
	if b[2] != familyIPv4 && b[2] != familyIPv6 {
		return &Error{m.Type, "Address Family", 2, ErrFamily, strconv.Itoa(int(b[2]))}
	}
	is4 := b[2] == familyIPv4
	a := addrLen(is4)
	if len(b) < 4+4*a {
		return &Error{m.Type, "header", len(b), ErrTruncated, ""}
	}
	var err error
	if m.Origin, err = m.router(b, 4, is4, "Message Origin"); err != nil {
		return err
	}
	if m.ZoneID, err = m.router(b, 4+a, is4, "Zone ID Address"); err != nil {
		return err
	}
	first, last := getAddr(b[4+2*a:], is4), getAddr(b[4+3*a:], is4)
	if !isGroup(first) || !isGroup(last) {
		return &Error{m.Type, "Zone Start Address", 4 + 2*a, ErrRange, first.String() + "-" + last.String()}
	}
	if m.Range, err = scope.NewRange(first, last); err != nil {
		return &Error{m.Type, "Zone End Address", 4 + 3*a, ErrRange, first.String() + "-" + last.String()}
	}
	at := 4 + 4*a
	for range b[3] {
		if at, err = m.decodeName(b, at); err != nil {
			return err
		}
	}
	body := (at + 3) &^ 3
	if len(b) < body {
		return &Error{m.Type, "Padding", len(b), ErrTruncated, ""}
	}
	return m.decodeBody(b, body, is4)
}

// decodeName reads the name block at an offset and returns the offset of what
// follows it.
func (m *Message) decodeName(b []byte, at int) (int, error) {
	if len(b)-at < 2 {
		return 0, &Error{m.Type, "Encoded Zone Name", len(b), ErrTruncated, ""}
	}
	tag := at + 2
	tagEnd := tag + int(b[at+1])
	if len(b) < tagEnd+1 {
		return 0, &Error{m.Type, "Language Tag", len(b), ErrTruncated, ""}
	}
	if !validTag(b[tag:tagEnd]) {
		return 0, &Error{m.Type, "Language Tag", tag, ErrTag, strconv.Quote(string(b[tag:tagEnd]))}
	}
	text := tagEnd + 1
	end := text + int(b[tagEnd])
	if end == text {
		return 0, &Error{m.Type, "NameLen", tagEnd, ErrEmptyName, ""}
	}
	if len(b) < end {
		return 0, &Error{m.Type, "Zone Name", len(b), ErrTruncated, ""}
	}
	if !utf8.Valid(b[text:end]) {
		return 0, &Error{m.Type, "Zone Name", text, ErrNotUTF8, strconv.Quote(string(b[text:end]))}
	}
	m.Names = append(m.Names, Name{b[at]&0x80 != 0, b[tag:tagEnd:tagEnd], b[text:end:end]})
	return end, nil
}

// decodeBody reads what follows the header, from an offset to the end.
func (m *Message) decodeBody(b []byte, at int, is4 bool) error {
	a, rest := addrLen(is4), len(b)-at
	if m.Type == NIM {
		switch {
		case rest < a:
			return &Error{m.Type, "Not-Inside Zone Start Address", len(b), ErrTruncated, ""}
		case rest > a:
			return &Error{m.Type, "Not-Inside Zone Start Address", at + a, ErrTrailing, strconv.Itoa(rest - a)}
		}
		m.NotInside = getAddr(b[at:], is4)
		if !isGroup(m.NotInside) || m.NotInside == m.Range.First() {
			return &Error{m.Type, "Not-Inside Zone Start Address", at, ErrNotInside, m.NotInside.String()}
		}
		return nil
	}
	if rest < 4 {
		return &Error{m.Type, "Hold Time", len(b), ErrTruncated, ""}
	}
	count, field := int(b[at]), "ZBR Address"
	size := 4 + a*count
	if m.Type != ZCM {
		field, size = "Zone Path", 4+a+2*a*count
	}
	switch {
	case rest < size:
		return &Error{m.Type, field, len(b), ErrTruncated, strconv.Itoa(size-rest) + " octets missing for a count of " + strconv.Itoa(count)}
	case rest > size:
		return &Error{m.Type, field, at + size, ErrTrailing, strconv.Itoa(rest-size) + " octets beyond a count of " + strconv.Itoa(count)}
	}
	m.HoldTime = time.Duration(uint16(b[at+2])<<8|uint16(b[at+3])) * time.Second
	if m.Type == ZCM {
		return m.decodeRouters(b, at+4, is4, count)
	}
	m.Limit = b[at+1]
	return m.decodePath(b, at+4, is4, count)
}

func (m *Message) decodeRouters(b []byte, at int, is4 bool, count int) (err error) {
	m.Routers = slices.Grow(m.Routers, count)[:count]
	for i := range m.Routers {
		if m.Routers[i], err = m.router(b, at, is4, "ZBR Address"); err != nil {
			return err
		}
		at += addrLen(is4)
	}
	return nil
}

func (m *Message) decodePath(b []byte, at int, is4 bool, count int) (err error) {
	a := addrLen(is4)
	if m.LocalZone, err = m.localZone(b, at, is4); err != nil {
		return err
	}
	at += a
	m.Path = slices.Grow(m.Path, count)[:count]
	for i := range m.Path {
		h := &m.Path[i]
		if h.Router, err = m.router(b, at, is4, "Router Address"); err != nil {
			return err
		}
		if h.LocalZone, err = m.localZone(b, at+a, is4); err != nil {
			return err
		}
		at += 2 * a
	}
	return nil
}

// router reads the address of a router or zone at an offset.
func (m *Message) router(b []byte, at int, is4 bool, field string) (netip.Addr, error) {
	if is4 {
		if usable4(b[at], b[at+1]) {
			return netip.AddrFrom4([4]byte(b[at:])), nil
		}
	} else if a := netip.AddrFrom16([16]byte(b[at:])); UsableUnicast(a) {
		return a, nil
	}
	return netip.Addr{}, &Error{m.Type, field, at, ErrAddress, getAddr(b[at:], is4).String()}
}

// localZone reads a Local Zone ID Address: that of a router, or all zeros.
func (m *Message) localZone(b []byte, at int, is4 bool) (netip.Addr, error) {
	a := getAddr(b[at:], is4)
	if a.IsUnspecified() {
		return netip.Addr{}, nil
	}
	return m.router(b, at, is4, "Local Zone ID Address")
}

// validTag reports whether b is an RFC 1766 language tag, or empty: one to
// eight letters, then any number of "-" and one to eight letters or digits.
func validTag(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	n, first := 0, true
	for _, c := range b {
		switch {
		case c == '-':
			if n == 0 {
				return false
			}
			n, first = 0, false
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9' && !first:
			if n++; n > 8 {
				return false
			}
		default:
			return false
		}
	}
	return n > 0
}
