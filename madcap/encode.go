// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"time"
	"unicode/utf8"
)

// defaultOrder is the order of options that Order does not name: who answers
// and which lease first, then what is asked or granted.
var defaultOrder = [...]OptionCode{
	OptServerIdentifier, OptLeaseIdentifier, OptMulticastScope, OptOptionRequestList, OptRequestedLanguage,
	OptLeaseTime, OptMinLeaseTime, OptStartTime, OptMaxStartTime, OptRetryTime, OptCurrentTime,
	OptNumberOfAddresses, OptAddressRanges, OptScopeList, OptNestingState, OptError, OptFeatureList,
}

// AppendBinary appends the message as a datagram to dst and leaves dst[:len(dst)]
// untouched. It refuses with an *Error what Decode could not give back: values
// out of range or not whole seconds, addresses that are not multicast or of
// another family than the message's, repeated options, more octets than a
// datagram holds. On error it returns dst.
//
// Which options a message must or must not have it does not check, so that
// tests can build any message; AppendValid does.
func (m *Message) AppendBinary(dst []byte) ([]byte, error) {
	if err := m.checkUnknown(); err != nil {
		return dst, err
	}
	b := binary.BigEndian.AppendUint64(dst, Version<<56|uint64(m.Type)<<48|uint64(m.Family)<<32|uint64(m.XID))
	rest := m.fields()
	unknown := m.Unknown
	var f *fault
	for _, code := range m.Order {
		if code.isKnown() && rest&(1<<code) != 0 {
			rest &^= 1 << code
			if b, f = m.appendOption(b, code); f != nil {
				return dst, m.encodeError(code, f)
			}
		} else if len(unknown) > 0 && unknown[0].Code == code {
			b = appendRaw(b, unknown[0])
			unknown = unknown[1:]
		}
	}
	for i := 0; rest != 0; i++ {
		code := defaultOrder[i]
		if rest&(1<<code) == 0 {
			continue
		}
		rest &^= 1 << code
		if b, f = m.appendOption(b, code); f != nil {
			return dst, m.encodeError(code, f)
		}
	}
	for _, o := range unknown {
		b = appendRaw(b, o)
	}
	b = binary.BigEndian.AppendUint32(b, 0) // End
	if n := len(b) - len(dst); n > MaxDatagram {
		return dst, m.encodeError(NoOption, faultf(ErrTooLong, "%d octets", n))
	}
	return b, nil
}

// AppendValid appends the message as AppendBinary does, after Validate has
// found that it may be sent: answers is the type of the message an ACK
// answers, multicast tells how it will be sent.
func (m *Message) AppendValid(dst []byte, answers MessageType, multicast bool) ([]byte, error) {
	if err := m.Validate(answers, multicast); err != nil {
		return dst, err
	}
	return m.AppendBinary(dst)
}

func (m *Message) encodeError(code OptionCode, f *fault) error {
	return &Error{Type: m.Type, Option: code, Offset: -1, Err: f.Err, Detail: f.Detail}
}

func appendRaw(b []byte, o RawOption) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(o.Code))
	b = binary.BigEndian.AppendUint16(b, uint16(len(o.Value)))
	return append(b, o.Value...)
}

// checkUnknown refuses unknown options that no receiver would read as such.
func (m *Message) checkUnknown() error {
	var seen map[OptionCode]bool // only for more than a few, which no real message has
	if len(m.Unknown) > 16 {
		seen = make(map[OptionCode]bool, len(m.Unknown))
	}
	for i := range m.Unknown {
		o := &m.Unknown[i]
		repeated := false
		if seen != nil {
			repeated = seen[o.Code]
			seen[o.Code] = true
		} else {
			for j := range i {
				repeated = repeated || m.Unknown[j].Code == o.Code
			}
		}
		switch {
		case o.Code.isKnown() && !m.mayBeOpaque(o):
			return m.encodeError(o.Code, faultf(ErrValue, "the option has a field of its own"))
		case repeated || o.Code.isKnown() && m.fields()&(1<<o.Code) != 0:
			return m.encodeError(o.Code, &fault{Err: ErrRepeated})
		case len(o.Value) > math.MaxUint16:
			return m.encodeError(o.Code, faultf(ErrLength, "%d octets", len(o.Value)))
		}
	}
	return nil
}

// mayBeOpaque reports whether o is an address option that stays uninterpreted
// in the message's family.
func (m *Message) mayBeOpaque(o *RawOption) bool {
	return m.Family.addrLen() == 0 &&
		(o.Code == OptMulticastScope && len(o.Value) > 0 || o.Code == OptScopeList || o.Code == OptAddressRanges)
}

// appendOption appends one present field as an option.
func (m *Message) appendOption(b []byte, code OptionCode) (_ []byte, f *fault) {
	if numbers&(1<<code) != 0 {
		n, f := m.numberOf(code)
		return binary.BigEndian.AppendUint64(b, uint64(code)<<48|4<<32|uint64(n)), f
	}
	at := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(code)<<16) // the length follows
	switch code {
	case OptServerIdentifier:
		b, f = m.ServerIdentifier.append(b)
	case OptLeaseIdentifier:
		b = append(b, m.LeaseIdentifier...)
	case OptMulticastScope:
		b, f = m.appendGroup(b, m.Scope)
	case OptOptionRequestList:
		for _, c := range m.OptionRequestList {
			b = binary.BigEndian.AppendUint16(b, uint16(c))
		}
	case OptNumberOfAddresses:
		if n := m.Addresses; !n.isValid() {
			return b, faultf(ErrValue, "minimum %d, desired %d", n.Min, n.Desired)
		}
		b = binary.BigEndian.AppendUint32(b, uint32(m.Addresses.Min)<<16|uint32(m.Addresses.Desired))
	case OptRequestedLanguage:
		b = append(b, m.RequestedLanguage.Value...)
	case OptScopeList:
		b, f = m.appendScopeList(b)
	case OptAddressRanges:
		b, f = m.appendRanges(b)
	case OptFeatureList:
		b, f = m.Features.Value.append(b)
	case OptError:
		f = m.Error.Value.check()
		b = binary.BigEndian.AppendUint16(b, uint16(m.Error.Value.Code))
		b = append(b, m.Error.Value.Extra...)
	case OptNestingState:
		if !m.nestingFits() {
			return b, faultf(ErrCompanion, "%d zones in the nesting state of %v, %d in the scope list",
				m.Nesting.Value.Len(), m.Type, len(m.ScopeList.Value))
		}
		b = m.Nesting.Value.append(b)
	}
	n := len(b) - at - 4
	if f == nil && n > math.MaxUint16 {
		f = faultf(ErrLength, "%d octets", n)
	}
	binary.BigEndian.PutUint16(b[at+2:], uint16(n))
	return b, f
}

// numberOf returns the number that an option of the set numbers consists of.
func (m *Message) numberOf(code OptionCode) (uint32, *fault) {
	var d time.Duration
	switch code {
	case OptLeaseTime:
		d = m.LeaseTime.Value
	case OptMinLeaseTime:
		d = m.MinLeaseTime.Value
	default:
		t := m.instant(code)
		sec := t.Unix()
		if t.Nanosecond() != 0 || sec < 0 || sec > math.MaxUint32 {
			return 0, faultf(ErrValue, "%v is not a whole second from 1970 to 2106", *t)
		}
		return uint32(sec), nil
	}
	sec := d / time.Second
	if d%time.Second != 0 || sec < 0 || sec > math.MaxUint32 {
		return 0, faultf(ErrValue, "%v is not 0 to 2^32-1 whole seconds", d)
	}
	return uint32(sec), nil
}

func (s *ServerIdentifier) append(b []byte) ([]byte, *fault) {
	family := FamilyOf(s.Addr)
	switch {
	case family == 0:
		if s.Family.addrLen() != 0 || len(s.Opaque) == 0 {
			return b, faultf(ErrValue, "opaque server identifier of family %v with %d octets", s.Family, len(s.Opaque))
		}
		b = binary.BigEndian.AppendUint16(b, uint16(s.Family))
		return append(b, s.Opaque...), nil
	case s.Addr.Zone() != "" || s.Family != 0 || len(s.Opaque) > 0:
		return b, faultf(ErrValue, "server identifier %v", *s)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(family))
	if family == FamilyIPv4 {
		v := s.Addr.As4()
		return append(b, v[:]...), nil
	}
	v := s.Addr.As16()
	return append(b, v[:]...), nil
}

// appendGroup appends a multicast address of the message's family.
func (m *Message) appendGroup(b []byte, a netip.Addr) ([]byte, *fault) {
	switch {
	case FamilyOf(a) != m.Family:
		return b, faultf(ErrFamily, "%v in a message of family %v", a, m.Family)
	case m.Family == FamilyIPv4:
		if v := a.As4(); isGroup(v[:]) {
			return append(b, v[:]...), nil
		}
	case a.Zone() == "":
		if v := a.As16(); isGroup(v[:]) {
			return append(b, v[:]...), nil
		}
	}
	return b, faultf(ErrValue, "%v is not a multicast address without zone", a)
}

func (m *Message) appendRanges(b []byte) ([]byte, *fault) {
	if m.Family.addrLen() == 0 {
		return b, faultf(ErrFamily, "ranges in a message of family %v", m.Family)
	}
	for i := range m.Ranges.Value {
		r := &m.Ranges.Value[i]
		first, last := r.First(), r.Last()
		if FamilyOf(first) != m.Family {
			return b, faultf(ErrFamily, "range %v in a message of family %v", *r, m.Family)
		}
		var more uint64 // addresses after the first one
		ok := false
		if m.Family == FamilyIPv4 {
			v, w := first.As4(), last.As4()
			more = uint64(binary.BigEndian.Uint32(w[:]) - binary.BigEndian.Uint32(v[:]))
			ok = isGroup(v[:]) && isGroup(w[:])
			b = append(b, v[:]...)
		} else {
			v, w := first.As16(), last.As16()
			low, borrow := bits.Sub64(binary.BigEndian.Uint64(w[8:]), binary.BigEndian.Uint64(v[8:]), 0)
			more = low
			ok = isGroup(v[:]) && binary.BigEndian.Uint64(w[:]) == binary.BigEndian.Uint64(v[:])+borrow
			b = append(b, v[:]...)
		}
		if !ok || more >= math.MaxUint16 {
			return b, faultf(ErrValue, "range %v is not of 1 to 65535 multicast addresses", *r)
		}
		b = binary.BigEndian.AppendUint16(b, uint16(more+1))
	}
	return b, nil
}

func (l *FeatureList) append(b []byte) ([]byte, *fault) {
	for _, list := range [...][]Feature{l.Supported, l.Requested, l.Required} {
		if len(list) > math.MaxUint16 {
			return b, faultf(ErrLength, "%d features", len(list))
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(list)))
		for _, f := range list {
			b = binary.BigEndian.AppendUint16(b, uint16(f))
		}
	}
	return b, nil
}

func (m *Message) appendScopeList(b []byte) ([]byte, *fault) {
	zones := m.ScopeList.Value
	if len(zones) > math.MaxUint8 {
		return b, faultf(ErrLength, "%d zones", len(zones))
	}
	if m.Family.addrLen() == 0 {
		return b, faultf(ErrFamily, "zones in a message of family %v", m.Family)
	}
	b = append(b, byte(len(zones)))
	var f *fault
	for i := range zones {
		z := &zones[i]
		for j := range zones[:i] {
			if zones[j].Range.First() == z.Range.First() {
				return b, faultf(ErrValue, "two zones begin with %v", z.Range.First())
			}
		}
		if b, f = m.appendGroup(b, z.Range.First()); f != nil {
			return b, f
		}
		if b, f = m.appendGroup(b, z.Range.Last()); f != nil {
			return b, f
		}
		if b, f = z.appendNames(append(b, z.TTL)); f != nil {
			return b, f
		}
	}
	return b, nil
}

func (z *Zone) appendNames(b []byte) ([]byte, *fault) {
	if len(z.Names) > math.MaxUint8 {
		return b, faultf(ErrLength, "zone %v has %d names", z.Range, len(z.Names))
	}
	b = append(b, byte(len(z.Names)))
	for i := range z.Names {
		n := &z.Names[i]
		switch {
		case !isTag(n.Tag):
			return b, faultf(ErrValue, "language tag %q of zone %v", n.Tag, z.Range)
		case len(n.Text) == 0 || len(n.Text) > math.MaxUint8 || !utf8.Valid(n.Text):
			return b, faultf(ErrValue, "name %q of zone %v is not 1 to 255 octets of UTF-8", n.Text, z.Range)
		}
		var flags byte
		if n.Default {
			flags = 0x80
		}
		b = append(b, flags, byte(len(n.Tag)))
		b = append(b, n.Tag...)
		b = append(b, byte(len(n.Text)))
		b = append(b, n.Text...)
	}
	return b, nil
}

// isTag reports whether t is a language tag this package writes: 1 to 255 ASCII
// letters, digits and hyphens. It reads any octets.
func isTag(t []byte) bool {
	for _, c := range t {
		if c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return len(t) > 0 && len(t) <= math.MaxUint8
}

// lowest returns the lowest code of a set of options.
func lowest(set uint32) OptionCode { return OptionCode(bits.TrailingZeros32(set)) }
