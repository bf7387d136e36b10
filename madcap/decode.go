// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/mcastalloc/malloc/scope"
)

// Decode reads a datagram into m, whose lists it reuses. What m holds aliases
// b until the next Decode. It is total: any b gives a message or an *Error.
//
// Two kinds of errors differ in what is left. If the framing is broken
// (ErrTruncated, ErrVersion, ErrEnd), m is empty and the datagram is to be
// ignored (RFC 2730, section 2.6). If an option is malformed or repeated
// (ErrLength, ErrValue, ErrRepeated), the error describes the first such
// option; all the others are in m, so that a server can answer: the first
// occurrence of a repeated option, and of a malformed one nothing.
//
// An option 17 that is malformed, repeated, without a Scope List of as many
// zones, or not in an ACK, is dropped without an error, as only the nesting
// information is lost (RFC 2907, section 5). Which options a message must or
// must not have is for Validate to say.
func (m *Message) Decode(b []byte) error {
	m.Reset()
	if len(b) < minLen {
		return frameError(ErrTruncated, len(b), "a message has at least 12 octets")
	}
	if b[0] != Version {
		return frameError(ErrVersion, 0, "")
	}
	m.Type = MessageType(b[1])
	m.Family = AddrFamily(binary.BigEndian.Uint16(b[2:]))
	m.XID = binary.BigEndian.Uint32(b[4:])

	var bad *Error  // the first malformed or repeated option
	var seen uint32 // known options met so far, malformed ones included
	for at := headerLen; ; {
		if len(b)-at < 4 {
			m.Reset()
			return frameError(ErrTruncated, at, "no End option")
		}
		code := OptionCode(binary.BigEndian.Uint16(b[at:]))
		end := at + 4 + int(binary.BigEndian.Uint16(b[at+2:]))
		if code == OptEnd {
			if end != at+4 || end != len(b) {
				m.Reset()
				return frameError(ErrEnd, at, "End must have length 0 and nothing after it")
			}
			break
		}
		if end > len(b) {
			m.Reset()
			return frameError(ErrTruncated, at, "option is longer than the message")
		}
		value := b[at+4 : end : end]
		if err := m.decodeOption(code, value, &seen); err != nil {
			if bad == nil {
				bad = &Error{Type: m.Type, Option: code, Offset: at, Err: err.Err, Detail: err.Detail}
			}
		}
		at = end
	}
	if seen&(1<<OptNestingState) != 0 && !m.nestingFits() {
		m.dropNesting()
	}
	if bad != nil {
		bad.anonymous = len(m.LeaseIdentifier) == 0
		return bad
	}
	return nil
}

func frameError(err error, at int, detail string) *Error {
	return &Error{Option: NoOption, Offset: at, Err: err, Detail: detail}
}

// fault is a defect of one value, before it is known where the value stands.
type fault struct {
	Err    error
	Detail string
}

func faultf(err error, format string, args ...any) *fault {
	return &fault{Err: err, Detail: fmt.Sprintf(format, args...)}
}

// decodeOption reads one option. It enters into Order what it keeps.
func (m *Message) decodeOption(code OptionCode, v []byte, seen *uint32) *fault {
	if !code.isKnown() {
		m.Unknown = append(m.Unknown, RawOption{Code: code, Value: v})
		m.Order = append(m.Order, code)
		return nil
	}
	if *seen&(1<<code) != 0 {
		if code == OptNestingState {
			m.Nesting = Opt[NestingState]{} // neither copy can be trusted
			return nil
		}
		return &fault{Err: ErrRepeated}
	}
	*seen |= 1 << code
	if f := m.decodeValue(code, v); f != nil {
		return f
	}
	m.Order = append(m.Order, code)
	return nil
}

// decodeValue reads the value of a known option that has not occurred before.
func (m *Message) decodeValue(code OptionCode, v []byte) *fault {
	switch code {
	case OptLeaseTime:
		return decodeSeconds(&m.LeaseTime, v)
	case OptServerIdentifier:
		return m.ServerIdentifier.decode(v)
	case OptLeaseIdentifier:
		if len(v) == 0 {
			return faultf(ErrLength, "an identifier has at least 1 octet")
		}
		m.LeaseIdentifier = v
	case OptMulticastScope:
		return m.decodeScope(v)
	case OptOptionRequestList:
		if len(v) == 0 || len(v)%2 != 0 {
			return faultf(ErrLength, "%d octets are no list of option codes", len(v))
		}
		for ; len(v) > 0; v = v[2:] {
			m.OptionRequestList = append(m.OptionRequestList, OptionCode(binary.BigEndian.Uint16(v)))
		}
	case OptStartTime:
		return decodeTime(&m.StartTime, v)
	case OptNumberOfAddresses:
		return m.Addresses.decode(v)
	case OptRequestedLanguage:
		m.RequestedLanguage = Some(v)
	case OptScopeList:
		return m.decodeScopeList(v)
	case OptAddressRanges:
		return m.decodeRanges(v)
	case OptCurrentTime:
		return decodeTime(&m.CurrentTime, v)
	case OptFeatureList:
		return m.decodeFeatures(v)
	case OptRetryTime:
		return decodeTime(&m.RetryTime, v)
	case OptMinLeaseTime:
		return decodeSeconds(&m.MinLeaseTime, v)
	case OptMaxStartTime:
		return decodeTime(&m.MaxStartTime, v)
	case OptError:
		return m.decodeError(v)
	case OptNestingState:
		m.Nesting.Present = m.Nesting.Value.decode(v)
	}
	return nil
}

func decodeSeconds(to *Opt[time.Duration], v []byte) *fault {
	if len(v) != 4 {
		return faultf(ErrLength, "%d octets instead of 4", len(v))
	}
	*to = Some(time.Duration(binary.BigEndian.Uint32(v)) * time.Second)
	return nil
}

func decodeTime(to *time.Time, v []byte) *fault {
	if len(v) != 4 {
		return faultf(ErrLength, "%d octets instead of 4", len(v))
	}
	*to = unixTime(binary.BigEndian.Uint32(v))
	return nil
}

func (s *ServerIdentifier) decode(v []byte) *fault {
	if len(v) < 3 {
		return faultf(ErrLength, "%d octets instead of at least 3", len(v))
	}
	family := AddrFamily(binary.BigEndian.Uint16(v))
	v = v[2:]
	if n := family.addrLen(); n == 0 {
		*s = ServerIdentifier{Family: family, Opaque: v}
	} else if len(v) == n {
		*s = ServerIdentifier{Addr: addr(v)}
	} else {
		return faultf(ErrLength, "%v address of %d octets", family, len(v))
	}
	return nil
}

func (n *NumberOfAddresses) decode(v []byte) *fault {
	if len(v) != 4 {
		return faultf(ErrLength, "%d octets instead of 4", len(v))
	}
	got := NumberOfAddresses{Min: binary.BigEndian.Uint16(v), Desired: binary.BigEndian.Uint16(v[2:])}
	if got.Desired == 0 || got.Min > got.Desired {
		return faultf(ErrValue, "minimum %d, desired %d", got.Min, got.Desired)
	}
	*n = got
	return nil
}

// addr returns the address in v, which has 4 or 16 octets.
func addr(v []byte) netip.Addr {
	if len(v) == 4 {
		return netip.AddrFrom4([4]byte(v))
	}
	return netip.AddrFrom16([16]byte(v))
}

// keepOpaque keeps an address option of a family whose addresses are unknown.
func (m *Message) keepOpaque(code OptionCode, v []byte) {
	m.Unknown = append(m.Unknown, RawOption{Code: code, Value: v})
}

func (m *Message) decodeScope(v []byte) *fault {
	n := m.Family.addrLen()
	switch {
	case n == 0 && len(v) > 0:
		m.keepOpaque(OptMulticastScope, v)
		return nil
	case n == 0 || len(v) != n:
		return faultf(ErrLength, "%d octets are no %v address", len(v), m.Family)
	}
	a := addr(v)
	if !isMulticast(a) {
		return faultf(ErrValue, "%v is not multicast", a)
	}
	m.Scope = a
	return nil
}

// isMulticast is Addr.IsMulticast without its IPv4-mapped addresses.
func isMulticast(a netip.Addr) bool { return a.IsMulticast() && !a.Is4In6() }

func (m *Message) decodeRanges(v []byte) *fault {
	n := m.Family.addrLen()
	if n == 0 {
		m.keepOpaque(OptAddressRanges, v)
		return nil
	}
	if len(v)%(n+2) != 0 {
		return faultf(ErrLength, "%d octets are no list of %v ranges", len(v), m.Family)
	}
	ranges := m.Ranges.Value[:0]
	for ; len(v) > 0; v = v[n+2:] {
		first, size := addr(v[:n]), binary.BigEndian.Uint16(v[n:])
		last, ok := advance(first, size)
		if !ok || !isMulticast(first) || !isMulticast(last) {
			return faultf(ErrValue, "%d addresses from %v", size, first)
		}
		r, err := scope.NewRange(first, last)
		if err != nil {
			return faultf(ErrValue, "%v", err)
		}
		ranges = append(ranges, r)
	}
	m.Ranges = Some(ranges)
	return nil
}

// advance returns the last of size addresses from first. It reports false for
// no addresses, and for more than there are.
func advance(first netip.Addr, size uint16) (netip.Addr, bool) {
	if size == 0 {
		return first, false
	}
	if first.Is4() {
		a := first.As4()
		n := uint64(binary.BigEndian.Uint32(a[:])) + uint64(size) - 1
		binary.BigEndian.PutUint32(a[:], uint32(n))
		return netip.AddrFrom4(a), n <= 0xFFFFFFFF
	}
	a := first.As16()
	low := binary.BigEndian.Uint64(a[8:])
	sum := low + uint64(size) - 1
	binary.BigEndian.PutUint64(a[8:], sum)
	if sum < low {
		high := binary.BigEndian.Uint64(a[:]) + 1
		if high == 0 {
			return first, false
		}
		binary.BigEndian.PutUint64(a[:], high)
	}
	return netip.AddrFrom16(a), true
}

func (m *Message) decodeFeatures(v []byte) *fault {
	l := &m.Features.Value
	f := l.decode(v)
	if m.Features.Present = f == nil; f != nil {
		*l = FeatureList{l.Supported[:0], l.Requested[:0], l.Required[:0]}
	}
	return f
}

// decode appends to the lists of l, which are empty.
func (l *FeatureList) decode(v []byte) *fault {
	for _, list := range [...]*[]Feature{&l.Supported, &l.Requested, &l.Required} {
		if len(v) < 2 {
			return faultf(ErrLength, "a list is missing")
		}
		n := int(binary.BigEndian.Uint16(v))
		v = v[2:]
		if 2*n > len(v) {
			return faultf(ErrLength, "%d features in %d octets", n, len(v))
		}
		for i := 0; i < 2*n; i += 2 {
			*list = append(*list, Feature(binary.BigEndian.Uint16(v[i:])))
		}
		v = v[2*n:]
	}
	if len(v) > 0 {
		return faultf(ErrLength, "%d octets after the third list", len(v))
	}
	return nil
}

// extraLen holds the length of the extra data of the errors that fix it.
var extraLen = [...]int{CodeNotCompleted: 2, CodeInvalidRequest: 2, CodeClockSkew: 4, CodeLeaseUnknown: 0}

func (e ErrorOption) check() *fault {
	n := len(e.Extra)
	if int(e.Code) < len(extraLen) && n != extraLen[e.Code] ||
		e.Code == CodeFeatureUnsupported && (n == 0 || n%2 != 0) {
		return faultf(ErrLength, "%v with %d octets of extra data", e.Code, n)
	}
	return nil
}

func (m *Message) decodeError(v []byte) *fault {
	if len(v) < 2 {
		return faultf(ErrLength, "%d octets instead of at least 2", len(v))
	}
	e := ErrorOption{Code: ErrorCode(binary.BigEndian.Uint16(v)), Extra: v[2:]}
	if f := e.check(); f != nil {
		return f
	}
	m.Error = Some(e)
	return nil
}

// decodeScopeList reads option 9. It reuses the zones of m and their names.
func (m *Message) decodeScopeList(v []byte) *fault {
	n := m.Family.addrLen()
	if n == 0 {
		m.keepOpaque(OptScopeList, v)
		return nil
	}
	zones := m.ScopeList.Value[:0]
	count := 0
	if len(v) > 0 { // an empty value is a list without zones, too
		count, v = int(v[0]), v[1:]
	}
	if count*(2*n+2) > len(v) {
		return faultf(ErrLength, "%d zones in %d octets", count, len(v))
	}
	for range count {
		if len(zones) < cap(zones) {
			zones = zones[:len(zones)+1]
		} else {
			zones = append(zones, Zone{})
		}
		z := &zones[len(zones)-1]
		var f *fault
		if v, f = z.decode(v, n); f != nil {
			return f
		}
		for i := range zones[:len(zones)-1] {
			if zones[i].Range.First() == z.Range.First() {
				return faultf(ErrValue, "two zones begin with %v", z.Range.First())
			}
		}
	}
	if len(v) > 0 {
		return faultf(ErrLength, "%d octets after the last zone", len(v))
	}
	m.ScopeList = Some(zones)
	return nil
}

// decode reads a zone with addresses of n octets and returns what follows it.
func (z *Zone) decode(v []byte, n int) ([]byte, *fault) {
	if len(v) < 2*n+2 {
		return nil, faultf(ErrLength, "a zone is cut")
	}
	first, last := addr(v[:n]), addr(v[n:2*n])
	if !isMulticast(first) || !isMulticast(last) {
		return nil, faultf(ErrValue, "zone %v-%v is not multicast", first, last)
	}
	r, err := scope.NewRange(first, last)
	if err != nil {
		return nil, faultf(ErrValue, "%v", err)
	}
	names := z.Names[:0]
	count := int(v[2*n+1])
	*z = Zone{Range: r, TTL: v[2*n]}
	v = v[2*n+2:]
	for range count {
		if len(v) < 2 || len(v) < 2+int(v[1])+1 {
			return nil, faultf(ErrLength, "a name of zone %v is cut", r)
		}
		flags, q := v[0], int(v[1])
		tag := v[2 : 2+q : 2+q]
		v = v[2+q:]
		k := 1 + int(v[0])
		if q == 0 || k == 1 || len(v) < k {
			return nil, faultf(ErrLength, "a name of zone %v is empty or cut", r)
		}
		text := v[1:k:k]
		if !utf8.Valid(text) {
			return nil, faultf(ErrValue, "name %q of zone %v is not UTF-8", text, r)
		}
		v = v[k:]
		names = append(names, ZoneName{Default: flags&0x80 != 0, Tag: tag, Text: text})
	}
	z.Names = names
	return v, nil
}

// nestingFits reports whether the nesting option may stay: in an ACK, beside a
// Scope List with as many zones.
func (m *Message) nestingFits() bool {
	return m.Nesting.Present && m.Type == TypeAck && m.ScopeList.Present &&
		len(m.ScopeList.Value) == m.Nesting.Value.Len()
}

// dropNesting removes the option and its place in Order.
func (m *Message) dropNesting() {
	m.Nesting = Opt[NestingState]{}
	for i, c := range m.Order {
		if c == OptNestingState {
			m.Order = append(m.Order[:i], m.Order[i+1:]...)
			return
		}
	}
}
