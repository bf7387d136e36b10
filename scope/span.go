// SPDX-License-Identifier: BSD-3-Clause

package scope

import "net/netip"

// span is an interval of address numbers without their family, both ends
// included: what set arithmetic works on.
type span struct{ first, last Uint128 }

func (s span) toRange(is4 bool) Range {
	return Range{numberAddr(s.first, is4), numberAddr(s.last, is4)}
}

// size returns the number of addresses, 2^128-1 for all 2^128 of them.
func (s span) size() Uint128 {
	n := s.last.Sub(s.first)
	if n == maxUint128 {
		return n
	}
	return n.inc()
}

// block returns the largest aligned block that starts at s.first and fits in
// s, as a number of host bits.
func (s span) block() int {
	fit := s.last.Sub(s.first)
	n := fit.bitLen()
	if fit != lowMask(n) {
		n-- // 2^n addresses are too many
	}
	return min(n, s.first.trailingZeros())
}

// prefixes yields the shortest prefix cover of s and reports whether yield
// asked for more.
func (s span) prefixes(is4 bool, yield func(netip.Prefix) bool) bool {
	for b := range s.blocks {
		host := b.last.Sub(b.first).bitLen()
		if !yield(netip.PrefixFrom(numberAddr(b.first, is4), width(is4)-host)) {
			return false
		}
	}
	return true
}

// blocks yields the aligned blocks of the shortest prefix cover of s.
func (s span) blocks(yield func(span) bool) {
	for {
		end := s.first.or(lowMask(s.block()))
		if !yield(span{s.first, end}) || end == s.last {
			return
		}
		s.first = end.inc()
	}
}

// aligned returns the numbers of the first and last aligned block of 2^host
// addresses inside s, counting such blocks from address 0, and whether there
// is one.
func (s span) aligned(host int) (first, last Uint128, ok bool) {
	if host >= 128 {
		return Uint128{}, Uint128{}, s == span{last: maxUint128}
	}
	mask := lowMask(host)
	up := s.first.Add(mask)
	if up.Less(s.first) || s.last.Sub(s.first).Less(mask) {
		return Uint128{}, Uint128{}, false // past the end of the address space, or too short
	}
	first = up.shr(host)
	end := s.last.shr(host)
	if s.last.and(mask) != mask {
		if end.IsZero() {
			return Uint128{}, Uint128{}, false
		}
		end = end.dec()
	}
	return first, end, !end.Less(first)
}
