// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
	"unicode/utf8"

	"github.com/mcastalloc/malloc/scope"
)

func (s *ServerIdentifier) decode(v []byte) *fault {
	if len(v) < 3 {
		return faultf(ErrLength, "%d octets instead of at least 3", len(v))
	}
	family := AddrFamily(binary.BigEndian.Uint16(v))
	v = v[2:]
	if n := family.addrLen(); n == 0 {
		s.Family, s.Opaque = family, v
	} else if len(v) == n {
		s.Addr = addr(v)
	} else {
		return faultf(ErrLength, "%v address of %d octets", family, len(v))
	}
	return nil
}

func (n *NumberOfAddresses) decode(v []byte) *fault {
	if len(v) != 4 {
		return notFour(v)
	}
	got := NumberOfAddresses{Min: binary.BigEndian.Uint16(v), Desired: binary.BigEndian.Uint16(v[2:])}
	if !got.isValid() {
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

func (m *Message) decodeScope(v []byte) *fault {
	n := m.Family.addrLen()
	switch {
	case n == 0 && len(v) > 0:
		m.keepOpaque(OptMulticastScope, v)
		return nil
	case n == 0 || len(v) != n:
		return faultf(ErrLength, "%d octets are no %v address", len(v), m.Family)
	}
	if !isGroup(v) {
		return faultf(ErrValue, "%v is not multicast", addr(v))
	}
	m.Scope = addr(v)
	return nil
}

// isGroup reports whether the address in v, 4 or 16 octets, is multicast.
func isGroup(v []byte) bool {
	if len(v) == 4 {
		return v[0]>>4 == 0xE
	}
	return v[0] == 0xFF
}

// isMulticast is Addr.IsMulticast without its IPv4-mapped addresses.
func isMulticast(a netip.Addr) bool { return a.IsMulticast() && !a.Is4In6() }

func (m *Message) decodeRequestList(v []byte) *fault {
	if len(v) == 0 || len(v)%2 != 0 {
		return faultf(ErrLength, "%d octets are no list of option codes", len(v))
	}
	for ; len(v) > 0; v = v[2:] {
		m.OptionRequestList = append(m.OptionRequestList, OptionCode(binary.BigEndian.Uint16(v)))
	}
	return nil
}

func (m *Message) decodeRanges(v []byte) *fault {
	n := m.Family.addrLen()
	if n == 0 {
		m.keepOpaque(OptAddressRanges, v)
		return nil
	}
	if len(v)%(n+2) != 0 {
		return faultf(ErrLength, "%d octets are no list of %v ranges", len(v), m.Family)
	}
	count := len(v) / (n + 2)
	ranges := slices.Grow(m.Ranges.Value[:0], count)[:count]
	for i := range ranges {
		var err error
		first, size := v[:n], binary.BigEndian.Uint16(v[n:])
		last, ok := lastOf(first, size)
		if ok {
			ranges[i], err = scope.NewRange(addr(first), last)
		}
		if !ok || err != nil {
			return faultf(ErrValue, "%d addresses from %v", size, addr(first))
		}
		v = v[n+2:]
	}
	m.Ranges.Value, m.Ranges.Present = ranges, true
	return nil
}

// lastOf returns the last of size addresses from the one in v. It reports false
// if there is none, or if not all of them are multicast.
func lastOf(v []byte, size uint16) (last netip.Addr, ok bool) {
	if size == 0 {
		return last, false
	}
	if len(v) == 4 {
		first := binary.BigEndian.Uint32(v)
		n := first + uint32(size) - 1 // beyond the last address comes 0.0.0.0
		last = netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		return last, first>>28 == 0xE && n>>28 == 0xE
	}
	high := binary.BigEndian.Uint64(v)
	low, carry := bits.Add64(binary.BigEndian.Uint64(v[8:]), uint64(size)-1, 0)
	var a [16]byte
	binary.BigEndian.PutUint64(a[:], high+carry) // beyond the last address comes ::
	binary.BigEndian.PutUint64(a[8:], low)
	return netip.AddrFrom16(a), high>>56 == 0xFF && (high+carry)>>56 == 0xFF
}

func (m *Message) decodeFeatures(v []byte) *fault {
	f := m.Features.Value.decode(v)
	if m.Features.Present = f == nil; f != nil {
		m.Features.Value.clear()
	}
	return f
}

// clear empties the lists and keeps their memory.
func (l *FeatureList) clear() {
	l.Supported, l.Requested, l.Required = l.Supported[:0], l.Requested[:0], l.Required[:0]
}

// decode appends to the lists of l, which are empty.
func (l *FeatureList) decode(v []byte) (f *fault) {
	if l.Supported, v, f = appendFeatures(l.Supported, v); f != nil {
		return f
	}
	if l.Requested, v, f = appendFeatures(l.Requested, v); f != nil {
		return f
	}
	if l.Required, v, f = appendFeatures(l.Required, v); f != nil {
		return f
	}
	if len(v) > 0 {
		return faultf(ErrLength, "%d octets after the third list", len(v))
	}
	return nil
}

// appendFeatures appends the counted list that v begins with, and returns what
// follows it.
func appendFeatures(list []Feature, v []byte) ([]Feature, []byte, *fault) {
	if len(v) < 2 {
		return list, nil, faultf(ErrLength, "a list is missing")
	}
	n := int(binary.BigEndian.Uint16(v))
	if v = v[2:]; 2*n > len(v) {
		return list, nil, faultf(ErrLength, "%d features in %d octets", n, len(v))
	}
	for ; n > 0; n-- {
		list = append(list, Feature(binary.BigEndian.Uint16(v)))
		v = v[2:]
	}
	return list, v, nil
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
	first, last := v[:n], v[n:2*n]
	if !isGroup(first) || !isGroup(last) {
		return nil, faultf(ErrValue, "zone %v-%v is not multicast", addr(first), addr(last))
	}
	r, err := scope.NewRange(addr(first), addr(last))
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
