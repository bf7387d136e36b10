// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"net/netip"
	"strconv"
)

// ID identifies a scope: it is the lowest address of the scope's range
// (RFC 2730 section 1.2).
type ID = netip.Addr

// Scope is an administrative scope as the MALLOC protocols describe it: a
// range of addresses that routers keep inside a region. It is comparable with
// == and can be the key of a map. The zero value is no scope.
type Scope struct {
	// Range holds all addresses of the scope, the scope-relative ones at its
	// end included.
	Range Range
	// TTL is the TTL or hop limit to send with. Where routers know the
	// scope's boundary it is 255 (RFC 2730 section 2.8).
	TTL uint8
	// Divisible says that the scope is big: it spans several allocation
	// domains, and only sub-ranges learned from layer 3 may be allocated in
	// it (RFC 2908 section 4). MZAP calls it the B bit.
	Divisible bool
	// Names holds the names of the scope by language. They may be none.
	Names Names
}

// Relative offsets assigned by IANA: the offset from the last address of a
// scope at which a service listens in every scope (RFC 2365 section 9). Explain
// knows some more.
const (
	OffsetSAP    = 0 // session announcements, RFC 2365 section 9
	OffsetMADCAP = 1 // MADCAP servers, RFC 2730 section 2.10
	OffsetSLP    = 2 // SLPv2 discovery, RFC 6308 section 3.4.2
	OffsetMZAP   = 3 // MZAP, RFC 2776 section 7
	OffsetAAP    = 7 // AAP, IANA registry
)

// relativeCount is the number of addresses at the end of a scope that are
// kept for relative assignments (RFC 2908 section 2.1).
const relativeCount = 256

// ID returns the scope's identity, its lowest address.
func (s Scope) ID() ID { return s.Range.first }

// Relative returns the scope-relative address with offset k: the last address
// minus k (RFC 2365 section 9). Its error is an [*Error] with [ErrBadOffset]
// if k is not in 0..255, [ErrTooSmall] if that address lies below the first
// one, and [ErrInvalid] for the zero Scope.
func (s Scope) Relative(k int) (netip.Addr, error) {
	fail := func(want string, cause error) (netip.Addr, error) {
		return netip.Addr{}, &Error{"relative address " + strconv.Itoa(k) + " of", s.Range.String(), want, cause}
	}
	switch {
	case !s.Range.IsValid():
		return fail("a valid scope", ErrInvalid)
	case k < 0 || k >= relativeCount:
		return fail("an offset in 0..255", ErrBadOffset)
	}
	r := s.Range.span()
	if r.last.Sub(r.first).Less(U128(uint64(k))) {
		return fail("a scope with more addresses", ErrTooSmall)
	}
	return numberAddr(r.last.Sub(U128(uint64(k))), s.Range.Is4()), nil
}

// OffsetOf returns the relative offset of an address, 0..255, and whether it
// is one of the scope's relative addresses.
func (s Scope) OffsetOf(a netip.Addr) (int, bool) {
	if !s.Range.Contains(a) {
		return 0, false
	}
	k := s.Range.span().last.Sub(addrNumber(a))
	if !k.Less(U128(relativeCount)) {
		return 0, false
	}
	return int(k.Lo), true
}

// DynamicRange returns the addresses of the scope that can be allocated
// dynamically: all but the last 256. There are none in a scope of 256
// addresses or fewer. It does not look at Divisible: in a divisible scope
// only sub-ranges learned from layer 3 may be used, minus the last 256 of the
// scope (RFC 2908 section 4).
func (s Scope) DynamicRange() (Range, bool) {
	if !s.Range.IsValid() {
		return Range{}, false
	}
	r := s.Range.span()
	if r.last.Sub(r.first).Less(U128(relativeCount)) {
		return Range{}, false
	}
	r.last = r.last.Sub(U128(relativeCount))
	return r.toRange(s.Range.Is4()), true
}
