// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"math/rand/v2"
	"net/netip"
)

// At returns the n-th free address in ascending order, counted from 0, and
// whether it exists.
func (s *Space) At(n Uint128) (netip.Addr, bool) {
	if size := s.Size(); !n.Less(size) && (size != maxUint128 || n != maxUint128 || !s.all()) {
		return netip.Addr{}, false
	}
	if s.wide != nil {
		return numberAddr(s.wide.at(n), s.is4), true
	}
	return numberAddr(s.lift(s.low.at(n.Lo)), s.is4), true
}

// Index returns the position of a among the free addresses, counted from 0,
// and whether a is free: the inverse of [Space.At].
func (s *Space) Index(a netip.Addr) (Uint128, bool) {
	if !s.Contains(a) {
		return Uint128{}, false
	}
	n := addrNumber(a)
	if s.wide != nil {
		return s.wide.below(n), true
	}
	return U128(s.low.below(uint32(n.Lo))), true
}

// Next returns the first free address that is not below a, and whether there
// is one. With At it makes two ways to probe from a random place.
func (s *Space) Next(a netip.Addr) (netip.Addr, bool) {
	if s.is4 && a.Is4() {
		n := number4(a)
		r, ok := s.low.ceiling(n)
		if !ok {
			return netip.Addr{}, false
		}
		return addr4(max(n, r.first)), true
	}
	if !s.has(Single(a)) {
		return netip.Addr{}, false
	}
	n := addrNumber(a)
	switch {
	case s.wide != nil:
		r, ok := s.wide.ceiling(n)
		if !ok {
			return netip.Addr{}, false
		}
		if n.Less(r.first) {
			n = r.first
		}
	default:
		part, ok := s.clip(span{n, maxUint128})
		if !ok {
			return netip.Addr{}, false
		}
		r, ok := s.low.ceiling(part.first)
		if !ok {
			return netip.Addr{}, false
		}
		n = s.lift(max(r.first, part.first))
	}
	return numberAddr(n, s.is4), true
}

// all reports whether all IPv6 addresses are free: 2^128 of them, which no
// number here can say.
func (s *Space) all() bool { return s.wide != nil && s.wide.spans == 1 && s.wide.total.IsZero() }

// FirstFit returns n free addresses in a row, without regard to alignment:
// the first n of the first free range that has as many. None if n is 0.
func (s *Space) FirstFit(n Uint128) (Range, bool) {
	length, ok := s.length(n)
	switch {
	case !ok:
		return Range{}, false
	case s.wide != nil:
		f, ok := s.wide.firstFit(length)
		return s.fit6(f.first, length, ok)
	}
	f, ok := s.low.firstFit(uint32(length.Lo))
	return s.fit(f.first, uint32(length.Lo), ok)
}

// TakeFirst is [Space.FirstFit] and [Space.Take] in one step: it makes the
// addresses used.
func (s *Space) TakeFirst(n Uint128) (Range, bool) {
	length, ok := s.length(n)
	switch {
	case !ok:
		return Range{}, false
	case s.wide != nil:
		first, ok := s.wide.takeFirst(length)
		return s.fit6(first, length, ok)
	}
	first, ok := s.low.takeFirst(uint32(length.Lo))
	return s.fit(first, uint32(length.Lo), ok)
}

// BestFit is [Space.FirstFit] in the smallest free range that has n addresses,
// the lowest one among equals.
func (s *Space) BestFit(n Uint128) (Range, bool) {
	length, ok := s.length(n)
	switch {
	case !ok:
		return Range{}, false
	case s.wide != nil:
		first, ok := s.wide.bestFit(length)
		return s.fit6(first, length, ok)
	}
	first, ok := s.low.bestFit(uint32(length.Lo))
	return s.fit(first, uint32(length.Lo), ok)
}

// length returns n-1, which a tree can say, and whether n addresses in a row
// are possible at all.
func (s *Space) length(n Uint128) (Uint128, bool) {
	length := n.dec()
	return length, !n.IsZero() && (s.wide != nil || s.low != nil && length.Hi == 0 && length.Lo <= uint64(max32))
}

// fit makes a range of what a narrow tree found.
func (s *Space) fit(first, length uint32, ok bool) (Range, bool) {
	switch {
	case !ok:
		return Range{}, false
	case s.is4:
		return Range{addr4(first), addr4(first + length)}, true
	}
	return s.fit6(s.lift(first), U128(uint64(length)), ok)
}

// fit6 makes a range of IPv6 addresses.
func (s *Space) fit6(first, length Uint128, ok bool) (Range, bool) {
	if !ok {
		return Range{}, false
	}
	return span{first, first.Add(length)}.toRange(false), true
}

// CountPrefixes returns the number of free prefixes of a length in bits: those
// that are naturally aligned and free as a whole. The first question about a
// length makes the space count its prefixes from then on, which costs a little
// at each change; the number of different lengths asked about should be small.
func (s *Space) CountPrefixes(bits int) Uint128 {
	host := width(s.is4) - bits
	switch {
	case s.Len() == 0 || bits < 0 || host < 0:
		return Uint128{}
	case host == 0:
		return s.Size()
	case s.wide != nil:
		return s.wide.countBlocks(host)
	case host > 32:
		return Uint128{}
	}
	return U128(s.low.countBlocks(host))
}

// NthPrefix returns the n-th free prefix of a length in bits, in ascending
// order and counted from 0, and whether it exists.
func (s *Space) NthPrefix(bits int, n Uint128) (netip.Prefix, bool) {
	host := width(s.is4) - bits
	if host == 0 {
		a, ok := s.At(n)
		if !ok {
			return netip.Prefix{}, false
		}
		return netip.PrefixFrom(a, bits), true
	}
	if !n.Less(s.CountPrefixes(bits)) {
		return netip.Prefix{}, false
	}
	if s.wide != nil {
		return netip.PrefixFrom(numberAddr(s.wide.nthBlock(host, n), s.is4), bits), true
	}
	return netip.PrefixFrom(numberAddr(s.lift(s.low.nthBlock(host, n.Lo)), s.is4), bits), true
}

// RandomAddr returns one of the free addresses, all equally likely, and
// whether there is one.
func (s *Space) RandomAddr(r *rand.Rand) (netip.Addr, bool) {
	n, ok := s.draw(r, s.Size())
	if !ok {
		return netip.Addr{}, false
	}
	return s.At(n)
}

// RandomPrefix returns one of the free prefixes of a length in bits, all
// equally likely, and whether there is one.
func (s *Space) RandomPrefix(bits int, r *rand.Rand) (netip.Prefix, bool) {
	n, ok := s.draw(r, s.CountPrefixes(bits))
	if !ok {
		return netip.Prefix{}, false
	}
	return s.NthPrefix(bits, n)
}

// draw draws below count, from all 2^128 if that is what count stands for.
func (s *Space) draw(r *rand.Rand, count Uint128) (Uint128, bool) {
	switch {
	case count.IsZero():
		return count, false
	case count == maxUint128 && s.all():
		return random(r, maxUint128), true
	}
	return random(r, count.dec()), true
}
