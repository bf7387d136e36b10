// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"

	"github.com/mcastalloc/malloc/scope"
)

// Octets of the part all messages share, and of a request.
const (
	headerLen  = 12
	requestLen = 8
)

// Decode reads one message, the whole payload of a UDP datagram. It is strict
// and total: any b gives a message or an [*Error], and then m holds nothing.
// Memory is taken only for what the length of b justifies.
//
// It accepts what only a receiver can judge: ranges that overlap, are not in
// order or have ended, counts of use above the size of their range, and more
// than [MaxPayload] octets.
//
// m keeps nothing of b. Its lists are reused, so decoding into the same Message
// over and over allocates nothing.
func (m *Message) Decode(b []byte) error {
	if err := m.decode(b); err != nil {
		m.Reset()
		return err
	}
	return nil
}

// UnmarshalBinary is Decode into an m that shares no list with what it held
// before.
func (m *Message) UnmarshalBinary(b []byte) error {
	*m = Message{}
	return m.Decode(b)
}

func (m *Message) decode(b []byte) error {
	m.Reset()
	if len(b) < headerLen {
		return &Error{0, "header", len(b), ErrShort, strconv.Itoa(len(b))}
	}
	if b[0] != version {
		return &Error{0, "version", 0, ErrVersion, strconv.Itoa(int(b[0]))}
	}
	m.Type = Type(b[1])
	if m.Type > ANA {
		return &Error{m.Type, "msgtype", 1, ErrType, strconv.Itoa(int(b[1]))}
	}
	m.Family = Family(binary.BigEndian.Uint16(b[2:]))
	if !m.Family.isKnown() {
		return &Error{m.Type, "addrfamily", 2, ErrFamily, strconv.Itoa(int(m.Family)) + ", want 1 or 2"}
	}
	if len(b) > MaxDatagram {
		return &Error{m.Type, "body", MaxDatagram, ErrLength, strconv.Itoa(len(b)) + " octets, want at most 65507"}
	}
	word := binary.BigEndian.Uint32(b[4:])
	m.RSeq, m.MSeq = word>>8, uint8(word)
	m.CurrentTime = instant(binary.BigEndian.Uint32(b[8:]))
	switch m.Type {
	case ASA:
		if len(b) < 16 {
			return m.misfit(b, "expiration-time")
		}
		m.Expiration = instant(binary.BigEndian.Uint32(b[12:]))
		return m.decodeRanges(b, 16)
	case ASRP:
		return m.decodeReport(b)
	case ANA:
		if len(b) != headerLen+requestLen {
			return m.misfit(b, "address-count")
		}
		var err error
		m.Need, err = m.decodeRequest(b, headerLen, "address-count")
		return err
	}
	return m.decodeRanges(b, headerLen)
}

// misfit is the error of a message whose length is wrong.
func (m *Message) misfit(b []byte, field string) error {
	return &Error{m.Type, field, len(b), ErrLength, strconv.Itoa(len(b)) + " octets"}
}

// decodeRanges reads the ranges from an offset to the end of the message.
func (m *Message) decodeRanges(b []byte, at int) error {
	a, element := m.Family.addrLen(), m.Family.elementLen()
	n := (len(b) - at) / element
	switch {
	case at+n*element != len(b):
		return m.misfit(b, "range")
	case n == 0 && m.Type != ASA:
		return &Error{m.Type, "range", at, ErrEmpty, ""}
	}
	m.Ranges = slices.Grow(m.Ranges, n)[:n]
	for i := range m.Ranges {
		r, err := m.decodeRange(b, at)
		if err != nil {
			return err
		}
		m.Ranges[i] = TimedRange{r, instant(binary.BigEndian.Uint32(b[at+2*a:]))}
		at += element
	}
	return nil
}

// decodeReport reads the body of an ASRP.
func (m *Message) decodeReport(b []byte) error {
	a, element := m.Family.addrLen(), m.Family.elementLen()
	if len(b) < headerLen+1 {
		return m.misfit(b, "report count")
	}
	n, at := int(b[headerLen]), headerLen+1
	if len(b) < at+n*element+1 {
		return m.misfit(b, "report")
	}
	count := int(b[at+n*element])
	if len(b) != at+n*element+1+count*requestLen {
		return m.misfit(b, "request")
	}
	m.Reports = slices.Grow(m.Reports, n)[:n]
	for i := range m.Reports {
		r, err := m.decodeRange(b, at)
		if err != nil {
			return err
		}
		m.Reports[i] = Report{r, binary.BigEndian.Uint32(b[at+2*a:])}
		at += element
	}
	at++
	m.Requests = slices.Grow(m.Requests, count)[:count]
	for i := range m.Requests {
		r, err := m.decodeRequest(b, at, "addrs-requested")
		if err != nil {
			return err
		}
		m.Requests[i] = r
		at += requestLen
	}
	return nil
}

// decodeRequest reads a count and a time.
func (m *Message) decodeRequest(b []byte, at int, field string) (Request, error) {
	r := Request{binary.BigEndian.Uint32(b[at:]), instant(binary.BigEndian.Uint32(b[at+4:]))}
	if r.Count == 0 {
		return r, &Error{m.Type, field, at, ErrZeroCount, ""}
	}
	return r, nil
}

// decodeRange reads two addresses.
func (m *Message) decodeRange(b []byte, at int) (scope.Range, error) {
	a := m.Family.addrLen()
	first, last := getAddr(b[at:], a), getAddr(b[at+a:], a)
	switch {
	case !isGroup(b[at], a):
		return scope.Range{}, &Error{m.Type, "first", at, ErrNotMulticast, first.String()}
	case !isGroup(b[at+a], a):
		return scope.Range{}, &Error{m.Type, "last", at + a, ErrNotMulticast, last.String()}
	}
	r, err := scope.NewRange(first, last)
	if err != nil { // as both are multicast, the order is all that can be wrong
		return r, &Error{m.Type, "last", at + a, ErrRangeOrder, first.String() + "-" + last.String()}
	}
	return r, nil
}

// getAddr reads an address of n octets.
func getAddr(b []byte, n int) netip.Addr {
	if n == 4 {
		return netip.AddrFrom4([4]byte(b))
	}
	return netip.AddrFrom16([16]byte(b))
}

// isGroup reports whether an address of n octets that starts with this one is
// multicast.
func isGroup(top byte, n int) bool { return n == 4 && top>>4 == 0xe || n == 16 && top == 0xff }
