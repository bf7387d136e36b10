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
	b := append(dst, Version, byte(m.Type), byte(m.Family>>8), byte(m.Family), byte(m.XID>>24), byte(m.XID>>16), byte(m.XID>>8), byte(m.XID))
	rest := m.fields()
	unknown := m.Unknown
	var f *fault
	for _, code := range m.Order {
		switch {
		case code.isKnown() && rest&(1<<code) != 0:
			rest &^= 1 << code
			if b, f = m.appendOption(b, code); f != nil {
				return dst, m.encodeError(code, f)
			}
		case len(unknown) > 0 && unknown[0].Code == code:
			b = appendRaw(b, unknown[0])
			unknown = unknown[1:]
		}
	}
	for i := 0; i < len(defaultOrder) && rest != 0; i++ {
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
	b = append(b, 0, 0, 0, 0)
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
	if len(m.Unknown) == 0 {
		return nil
	}
	var seen map[OptionCode]bool // only for more than a few, which no real message has
	if len(m.Unknown) > 16 {
		seen = make(map[OptionCode]bool, len(m.Unknown))
	}
	fields := m.fields()
	for i, o := range m.Unknown {
		repeated := seen[o.Code] || o.Code.isKnown() && fields&(1<<o.Code) != 0
		for j := 0; seen == nil && j < i; j++ {
			repeated = repeated || m.Unknown[j].Code == o.Code
		}
		opaque := m.Family.addrLen() == 0 &&
			(o.Code == OptMulticastScope && len(o.Value) > 0 || o.Code == OptScopeList || o.Code == OptAddressRanges)
		switch {
		case o.Code.isKnown() && !opaque:
			return m.encodeError(o.Code, faultf(ErrValue, "the option has a field of its own"))
		case repeated:
			return m.encodeError(o.Code, &fault{Err: ErrRepeated})
		case len(o.Value) > math.MaxUint16:
			return m.encodeError(o.Code, faultf(ErrLength, "%d octets", len(o.Value)))
		}
		if seen != nil {
			seen[o.Code] = true
		}
	}
	return nil
}

// appendOption appends one present field as an option.
func (m *Message) appendOption(b []byte, code OptionCode) ([]byte, *fault) {
	at := len(b)
	b = append(b, byte(code>>8), byte(code), 0, 0)
	var f *fault
	switch code {
	case OptLeaseTime:
		b, f = appendSeconds(b, m.LeaseTime.Value)
	case OptServerIdentifier:
		b, f = m.ServerIdentifier.append(b)
	case OptLeaseIdentifier:
		b = append(b, m.LeaseIdentifier...)
	case OptMulticastScope:
		b, f = m.appendAddr(b, m.Scope)
	case OptOptionRequestList:
		for _, c := range m.OptionRequestList {
			b = binary.BigEndian.AppendUint16(b, uint16(c))
		}
	case OptStartTime:
		b, f = appendTime(b, m.StartTime)
	case OptNumberOfAddresses:
		if n := m.Addresses; n.Desired == 0 || n.Min > n.Desired {
			return b, faultf(ErrValue, "minimum %d, desired %d", n.Min, n.Desired)
		}
		b = binary.BigEndian.AppendUint16(b, m.Addresses.Min)
		b = binary.BigEndian.AppendUint16(b, m.Addresses.Desired)
	case OptRequestedLanguage:
		b = append(b, m.RequestedLanguage.Value...)
	case OptScopeList:
		b, f = m.appendScopeList(b)
	case OptAddressRanges:
		b, f = m.appendRanges(b)
	case OptCurrentTime:
		b, f = appendTime(b, m.CurrentTime)
	case OptFeatureList:
		b, f = m.Features.Value.append(b)
	case OptRetryTime:
		b, f = appendTime(b, m.RetryTime)
	case OptMinLeaseTime:
		b, f = appendSeconds(b, m.MinLeaseTime.Value)
	case OptMaxStartTime:
		b, f = appendTime(b, m.MaxStartTime)
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
	if f != nil {
		return b, f
	}
	n := len(b) - at - 4
	if n > math.MaxUint16 {
		return b, faultf(ErrLength, "%d octets", n)
	}
	binary.BigEndian.PutUint16(b[at+2:], uint16(n))
	return b, nil
}

func appendSeconds(b []byte, d time.Duration) ([]byte, *fault) {
	sec := d / time.Second
	if d%time.Second != 0 || sec < 0 || sec > math.MaxUint32 {
		return b, faultf(ErrValue, "%v is not 0 to 2^32-1 whole seconds", d)
	}
	return binary.BigEndian.AppendUint32(b, uint32(sec)), nil
}

func appendTime(b []byte, t time.Time) ([]byte, *fault) {
	sec := t.Unix()
	if t.Nanosecond() != 0 || sec < 0 || sec > math.MaxUint32 {
		return b, faultf(ErrValue, "%v is not a whole second from 1970 to 2106", t)
	}
	return binary.BigEndian.AppendUint32(b, uint32(sec)), nil
}

func (s ServerIdentifier) append(b []byte) ([]byte, *fault) {
	if s.Addr.IsValid() {
		if s.Addr.Zone() != "" || s.Family != 0 || len(s.Opaque) > 0 {
			return b, faultf(ErrValue, "server identifier %v", s)
		}
		b = binary.BigEndian.AppendUint16(b, uint16(FamilyOf(s.Addr)))
		return appendIP(b, s.Addr), nil
	}
	if s.Family.addrLen() != 0 || len(s.Opaque) == 0 {
		return b, faultf(ErrValue, "opaque server identifier of family %v with %d octets", s.Family, len(s.Opaque))
	}
	b = binary.BigEndian.AppendUint16(b, uint16(s.Family))
	return append(b, s.Opaque...), nil
}

// appendIP appends the octets of a without allocating.
func appendIP(b []byte, a netip.Addr) []byte {
	if a.Is4() {
		v := a.As4()
		return append(b, v[:]...)
	}
	v := a.As16()
	return append(b, v[:]...)
}

// appendAddr appends a multicast address of the message's family.
func (m *Message) appendAddr(b []byte, a netip.Addr) ([]byte, *fault) {
	if m.Family.addrLen() == 0 || FamilyOf(a) != m.Family {
		return b, faultf(ErrFamily, "%v in a message of family %v", a, m.Family)
	}
	if !isMulticast(a) || a.Zone() != "" {
		return b, faultf(ErrValue, "%v is not a multicast address without zone", a)
	}
	return appendIP(b, a), nil
}

func (m *Message) appendRanges(b []byte) ([]byte, *fault) {
	if m.Family.addrLen() == 0 {
		return b, faultf(ErrFamily, "ranges in a message of family %v", m.Family)
	}
	var f *fault
	for _, r := range m.Ranges.Value {
		if b, f = m.appendAddr(b, r.First()); f != nil {
			return b, f
		}
		n := r.Size()
		if n.Hi != 0 || n.Lo > math.MaxUint16 || !isMulticast(r.Last()) {
			return b, faultf(ErrValue, "range %v has more than 65535 addresses or leaves multicast space", r)
		}
		b = binary.BigEndian.AppendUint16(b, uint16(n.Lo))
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
		if b, f = m.appendAddr(b, z.Range.First()); f != nil {
			return b, f
		}
		if b, f = m.appendAddr(b, z.Range.Last()); f != nil {
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
