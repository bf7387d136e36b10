// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"math/big"
	"math/bits"
	"net/netip"
)

// Set is an immutable set of addresses of one family. It is kept in normal
// form: ranges in ascending order that neither overlap nor touch. The zero
// value is the empty set, which has no family and goes with both. Make sets
// with [SetOf], [ParseSet] or a [SetBuilder]; copies share their memory, and
// a set of a single range has none to share.
//
// Binary operations on two non-empty sets of different families return an
// [*Error] with [ErrMixedFamilies], or false where they return no error.
type Set struct {
	n      int  // number of ranges
	is4    bool // meaningless when n is 0
	bounds span // lowest and highest address
	many   *ranges
}

// ranges are those of a set that has more than one.
type ranges struct {
	r4    []pair // IPv4: 8 octets each
	r6    []span // IPv6: 32 octets each
	index index  // empty for small sets
}

// index leads from an address to the few ranges it can be in: the space from
// the first address of a set to its last is cut in equal buckets, about as
// many as there are ranges. Where ranges lie unevenly a bucket may have many,
// and the search in it takes logarithmic time.
type index struct {
	shift int      // a bucket has 1<<shift addresses
	start []uint32 // the first range that does not end before the bucket; one more bucket than there are
}

const indexFrom = 16 // sets of fewer ranges have no index

func newIndex(s Set) index {
	extent := s.bounds.last.Sub(s.bounds.first)
	x := index{shift: max(0, extent.bitLen()-bits.Len(uint(s.n-1)))}
	x.start = make([]uint32, extent.shr(x.shift).Lo+2)
	for k, i := uint64(0), 0; k < uint64(len(x.start)); k++ {
		from := s.bounds.first.Add(U128(k).shl(x.shift))
		for i < s.n-1 && s.span(i).last.Less(from) {
			i++
		}
		x.start[k] = uint32(i)
	}
	x.start[len(x.start)-1] = uint32(s.n - 1)
	return x
}

// pair is a span of IPv4 addresses: first in the high half, last in the low
// one, so that pairs sort as their ranges do.
type pair uint64

func makePair(first, last uint32) pair { return pair(first)<<32 | pair(last) }

func (p pair) first() uint32 { return uint32(p >> 32) }
func (p pair) last() uint32  { return uint32(p) }
func (p pair) span() span    { return span{U128(uint64(p >> 32)), U128(uint64(uint32(p)))} }

// SetOf returns the set of all addresses in the ranges, which may come in any
// order and overlap. Its error is an [*Error] with [ErrInvalid] for a zero
// Range and [ErrMixedFamilies] for ranges of both families.
func SetOf(ranges ...Range) (Set, error) {
	var b SetBuilder
	for _, r := range ranges {
		b.Add(r)
	}
	return b.Set()
}

// MustSet is SetOf on texts that [ParseRange] reads, for constants and tests.
// It panics on an error.
func MustSet(ranges ...string) Set {
	var b SetBuilder
	for _, s := range ranges {
		r, err := ParseRange(s)
		if err != nil {
			panic(err)
		}
		b.Add(r)
	}
	s, err := b.Set()
	if err != nil {
		panic(err)
	}
	return s
}

// span returns the i-th range.
func (s Set) span(i int) span {
	switch {
	case s.n == 1:
		return s.bounds
	case s.is4:
		return s.many.r4[i].span()
	}
	return s.many.r6[i]
}

// IsEmpty reports whether the set holds no address.
func (s Set) IsEmpty() bool { return s.n == 0 }

// Is4 reports whether the set is one of IPv4 addresses. It is false for the
// empty set.
func (s Set) Is4() bool { return s.n > 0 && s.is4 }

// Len returns the number of ranges in normal form.
func (s Set) Len() int { return s.n }

// Range returns the i-th range, ascending from 0. It panics if there is none.
func (s Set) Range(i int) Range {
	if i < 0 || i >= s.n {
		panic("scope: Set.Range: no such range")
	}
	return s.span(i).toRange(s.is4)
}

// Bounds returns the smallest range that holds the whole set, the zero Range
// for the empty set.
func (s Set) Bounds() Range {
	if s.n == 0 {
		return Range{}
	}
	return s.bounds.toRange(s.is4)
}

// Enclosing returns the longest prefix that holds the whole set. There is
// none for the empty set.
func (s Set) Enclosing() (netip.Prefix, bool) {
	if s.n == 0 {
		return netip.Prefix{}, false
	}
	host := s.bounds.first.xor(s.bounds.last).bitLen()
	first := s.bounds.first.and(lowMask(host).not())
	return netip.PrefixFrom(numberAddr(first, s.is4), width(s.is4)-host), true
}

// Size returns the number of addresses. As for [Range.Size] it is 2^128-1
// for the set of all 2^128 IPv6 addresses.
func (s Set) Size() Uint128 {
	var sum Uint128
	if s.n == 1 {
		return s.bounds.size()
	}
	for i := range s.n {
		sum = sum.Add(s.span(i).size())
	}
	return sum
}

// BigSize returns the exact number of addresses as a new big.Int.
func (s Set) BigSize() *big.Int {
	if s.n == 1 {
		return s.Bounds().BigSize()
	}
	return s.Size().Big()
}

// search returns the index of the first range whose last address is not below
// n, s.n if there is none.
func (s Set) search(n Uint128) int {
	switch {
	case s.n == 0 || s.bounds.last.Less(n):
		return s.n
	case s.n == 1 || n.Less(s.bounds.first):
		return 0
	}
	low, high := 0, s.n-1 // the answer is one of these
	if x := &s.many.index; x.start != nil {
		k := n.Sub(s.bounds.first).shr(x.shift).Lo
		low, high = int(x.start[k]), int(x.start[k+1])
	}
	for low < high {
		if mid := (low + high) / 2; s.span(mid).last.Less(n) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// Contains reports whether a is in the set.
func (s Set) Contains(a netip.Addr) bool {
	if s.n == 0 || a.Is4() != s.is4 || !usable(a) {
		return false
	}
	if s.is4 && s.n >= indexFrom {
		return s.many.contains4(number4(a), s.bounds)
	}
	n := addrNumber(a)
	i := s.search(n)
	return i < s.n && !n.Less(s.span(i).first)
}

// contains4 is Contains for IPv4 sets with an index, without 128-bit numbers.
func (m *ranges) contains4(n uint32, bounds span) bool {
	d := n - uint32(bounds.first.Lo)
	if d > uint32(bounds.last.Lo-bounds.first.Lo) {
		return false // above the last, or below the first and wrapped around
	}
	k := d >> (m.index.shift & 31)
	low, high := m.index.start[k], m.index.start[k+1]
	for low < high {
		mid := (low + high) / 2
		if m.r4[mid].last() < n {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return m.r4[low].first() <= n
}
