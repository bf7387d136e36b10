// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"iter"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
)

// Range is an interval of addresses of one family, both ends included. A
// scope's range need not be a prefix. The zero value is no range: it is not
// valid and contains nothing, and every method is safe on it. Ranges are
// comparable with == and can be keys of a map.
type Range struct{ first, last netip.Addr }

// usable reports whether a may stand in a range: neither the zero address nor
// one with a zone nor an IPv4-mapped one.
func usable(a netip.Addr) bool {
	return a.Is4() || a.Is6() && !a.Is4In6() && a.Zone() == ""
}

// NewRange returns the range from first to last. Its error is an [*Error]
// with [ErrInvalid], [ErrMixedFamilies] or [ErrReversed].
func NewRange(first, last netip.Addr) (Range, error) {
	if !usable(first) || !usable(last) || first.Is4() != last.Is4() || last.Less(first) {
		return Range{}, rangeError(first, last)
	}
	return Range{first, last}, nil
}

func rangeError(first, last netip.Addr) error {
	e := &Error{Op: "make range", Text: first.String() + "-" + last.String(), Want: "the first address not above the last", Err: ErrReversed}
	switch {
	case !usable(first):
		e.Text, e.Want, e.Err = first.String(), wantAddr, ErrInvalid
	case !usable(last):
		e.Text, e.Want, e.Err = last.String(), wantAddr, ErrInvalid
	case first.Is4() != last.Is4():
		e.Want, e.Err = "two addresses of one family", ErrMixedFamilies
	}
	return e
}

// MustRange is NewRange on two texts, for constants and tests. It panics on
// an error.
func MustRange(first, last string) Range {
	r, err := NewRange(netip.MustParseAddr(first), netip.MustParseAddr(last))
	if err != nil {
		panic(err)
	}
	return r
}

// ParseRange reads "first-last", a prefix "address/bits" or one address.
// Spaces around the text and around the hyphen are allowed; the bits of a
// prefix's address beyond its length are ignored. Its error is an [*Error]
// that quotes s, with [ErrSyntax] or a cause of [NewRange].
func ParseRange(s string) (Range, error) {
	t := strings.TrimSpace(s)
	if first, last, ok := strings.Cut(t, "-"); ok {
		a, err := parseAddr(s, first)
		if err != nil {
			return Range{}, err
		}
		b, err := parseAddr(s, last)
		if err != nil {
			return Range{}, err
		}
		return NewRange(a, b)
	}
	if strings.Contains(t, "/") {
		p, err := netip.ParsePrefix(t)
		if err != nil {
			return Range{}, &Error{"parse range", quoted(s), "a prefix such as 239.255.0.0/16", ErrSyntax}
		}
		if !usable(p.Addr()) {
			return Range{}, &Error{"parse range", quoted(s), wantAddr, ErrInvalid}
		}
		return RangeOf(p), nil
	}
	a, err := parseAddr(s, t)
	if err != nil {
		return Range{}, err
	}
	return Single(a), nil
}

// parseAddr reads part, one address of the range text whole.
func parseAddr(whole, part string) (netip.Addr, error) {
	a, err := netip.ParseAddr(strings.TrimSpace(part))
	if err != nil {
		return a, &Error{"parse range", quoted(whole), "first-last, address/bits or one address", ErrSyntax}
	}
	if !usable(a) {
		return a, &Error{"parse range", quoted(whole), wantAddr, ErrInvalid}
	}
	return a, nil
}

// RangeOf returns the range of a prefix; address bits beyond the prefix
// length are ignored. It returns the zero Range if p is not valid or is
// IPv4-mapped.
func RangeOf(p netip.Prefix) Range {
	if !p.IsValid() || !usable(p.Addr()) {
		return Range{}
	}
	is4 := p.Addr().Is4()
	host := lowMask(width(is4) - p.Bits())
	n := addrNumber(p.Addr())
	return span{n.and(host.not()), n.or(host)}.toRange(is4)
}

// Single returns the range of one address, the zero Range if a cannot stand
// in a range.
func Single(a netip.Addr) Range {
	if !usable(a) {
		return Range{}
	}
	return Range{a, a}
}

// First returns the lowest address, the zero address for the zero Range.
func (r Range) First() netip.Addr { return r.first }

// Last returns the highest address, the zero address for the zero Range.
func (r Range) Last() netip.Addr { return r.last }

// IsValid reports whether r is a range at all.
func (r Range) IsValid() bool { return r.first.IsValid() }

// Is4 reports whether r is a range of IPv4 addresses.
func (r Range) Is4() bool { return r.first.Is4() }

// Size returns the number of addresses, 0 for the zero Range. The whole IPv6
// address space has 2^128 of them, one more than a [Uint128] can say: for
// that one range Size returns 2^128-1 (and [Range.BigSize] the exact number).
func (r Range) Size() Uint128 {
	if !r.IsValid() {
		return Uint128{}
	}
	return r.span().size()
}

// BigSize returns the exact number of addresses as a new big.Int.
func (r Range) BigSize() *big.Int {
	if !r.IsValid() {
		return new(big.Int)
	}
	n := r.span().last.Sub(r.span().first).Big()
	return n.Add(n, big.NewInt(1))
}

// Contains reports whether a lies in r. An address of the other family, with
// a zone or IPv4-mapped never does.
func (r Range) Contains(a netip.Addr) bool {
	return r.first.Is4() == a.Is4() && usable(a) && r.IsValid() && !a.Less(r.first) && !r.last.Less(a)
}

// Covers reports whether every address of q lies in r. The zero Range is
// covered by everything.
func (r Range) Covers(q Range) bool {
	return !q.IsValid() || r.Contains(q.first) && r.Contains(q.last)
}

// Overlaps reports whether r and q share an address. Ranges that only touch
// do not overlap.
func (r Range) Overlaps(q Range) bool {
	return r.IsValid() && q.IsValid() && r.Is4() == q.Is4() && !q.last.Less(r.first) && !r.last.Less(q.first)
}

// Intersect returns the addresses that r and q share, and whether there are
// any.
func (r Range) Intersect(q Range) (Range, bool) {
	if !r.Overlaps(q) {
		return Range{}, false
	}
	if r.first.Less(q.first) {
		r.first = q.first
	}
	if q.last.Less(r.last) {
		r.last = q.last
	}
	return r, true
}

// At returns the n-th address, counted from 0, and whether it exists.
func (r Range) At(n Uint128) (netip.Addr, bool) {
	if !r.IsValid() {
		return netip.Addr{}, false
	}
	s := r.span()
	if s.last.Sub(s.first).Less(n) {
		return netip.Addr{}, false
	}
	return numberAddr(s.first.Add(n), r.Is4()), true
}

// Index returns the position of a in r, counted from 0, and whether a lies
// in r.
func (r Range) Index(a netip.Addr) (Uint128, bool) {
	if !r.Contains(a) {
		return Uint128{}, false
	}
	return addrNumber(a).Sub(addrNumber(r.first)), true
}

// Compare orders ranges by first address, then by last. The zero Range comes
// first, IPv4 before IPv6.
func (r Range) Compare(q Range) int {
	if c := r.first.Compare(q.first); c != 0 {
		return c
	}
	return r.last.Compare(q.last)
}

// Prefixes yields the shortest list of prefixes that make up r, ascending.
func (r Range) Prefixes() iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		if r.IsValid() {
			r.span().prefixes(r.Is4(), yield)
		}
	}
}

// Addrs yields every address of r, ascending, and stops after the last one
// even where the address space ends.
func (r Range) Addrs() iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for a := r.first; a.IsValid() && yield(a) && a != r.last; {
			a = a.Next()
		}
	}
}

// String returns the prefix if r is one of more than one address, the address
// if it has only one, otherwise "first-last". The zero Range is
// "invalid Range".
func (r Range) String() string {
	if !r.IsValid() {
		return "invalid Range"
	}
	return string(r.appendTo(nil))
}

// AppendText appends the text of [Range.String], nothing for the zero Range.
func (r Range) AppendText(b []byte) ([]byte, error) { return r.appendTo(b), nil }

// MarshalText returns the text of [Range.String], empty for the zero Range.
func (r Range) MarshalText() ([]byte, error) { return r.AppendText(nil) }

// UnmarshalText reads what [ParseRange] reads; empty text gives the zero
// Range.
func (r *Range) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*r = Range{}
		return nil
	}
	q, err := ParseRange(string(text))
	if err == nil {
		*r = q
	}
	return err
}

func (r Range) appendTo(b []byte) []byte {
	if !r.IsValid() {
		return b
	}
	b = r.first.AppendTo(b)
	if r.first == r.last {
		return b
	}
	if p, ok := r.Prefix(); ok {
		return strconv.AppendInt(append(b, '/'), int64(p.Bits()), 10)
	}
	return r.last.AppendTo(append(b, '-'))
}

// Prefix returns r as a prefix, and whether it is one.
func (r Range) Prefix() (netip.Prefix, bool) {
	if !r.IsValid() {
		return netip.Prefix{}, false
	}
	s := r.span()
	host := s.first.xor(s.last)
	n := host.bitLen()
	if host != lowMask(n) || !s.first.and(host).IsZero() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(r.first, width(r.Is4())-n), true
}

func (r Range) span() span { return span{addrNumber(r.first), addrNumber(r.last)} }
