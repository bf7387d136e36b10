// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"math/rand/v2"
	"slices"
)

// ReverseBitOrder returns the i-th prefix of the given length in parent, in the
// order in which they leave each other the most room to grow (RFC 2909, section
// 17.1.1): the number of the prefix with its bits reversed, so 0000, 1000,
// 0100, 1100, 0010 and so on. It reports false if there are not so many, or
// parent is longer than length or has holes in its mask.
func ReverseBitOrder(parent Prefix, length int, i uint64) (Prefix, bool) {
	n := length - parent.Bits()
	if n < 0 || length > parent.width() || !parent.IsContiguous() || n < 64 && i>>n != 0 {
		return Prefix{}, false
	}
	p := parent.first(length)
	for k := 0; i != 0; k, i = k+1, i>>1 {
		if i&1 != 0 {
			p.addr = p.addr.or(bit(p.width() - parent.Bits() - 1 - k))
		}
	}
	return p, true
}

// FreeBlocks returns the largest blocks of parent that meet none of the taken
// prefixes, in ascending order. The taken prefixes may overlap, have holes in
// their masks and lie elsewhere; parent must be contiguous.
func FreeBlocks(parent Prefix, taken []Prefix) []Prefix {
	if parent.family == 0 || !parent.IsContiguous() {
		return nil
	}
	inside := overlapping(nil, parent, taken)
	if slices.ContainsFunc(inside, func(q Prefix) bool { return !q.IsContiguous() }) {
		return freeOfAny(nil, parent, inside)
	}
	slices.SortFunc(inside, Prefix.Compare)
	return freeOfSorted(nil, parent, inside)
}

// overlapping appends to dst the prefixes that meet p.
func overlapping(dst []Prefix, p Prefix, list []Prefix) []Prefix {
	for _, q := range list {
		if p.Overlaps(q) {
			dst = append(dst, q)
		}
	}
	return dst
}

// freeOfSorted appends the free blocks of p. What is taken meets p, has no
// holes and is in order: so one that covers p comes first, and the others lie
// in one half each.
func freeOfSorted(dst []Prefix, p Prefix, taken []Prefix) []Prefix {
	switch {
	case len(taken) == 0:
		return append(dst, p)
	case taken[0].Covers(p):
		return dst
	}
	upper := p.half(true)
	i, j := 0, len(taken) // the first one in the upper half
	for i < j {
		if m := (i + j) / 2; taken[m].addr.less(upper.addr) {
			i = m + 1
		} else {
			j = m
		}
	}
	dst = freeOfSorted(dst, p.half(false), taken[:i])
	return freeOfSorted(dst, upper, taken[i:])
}

// freeOfAny is freeOfSorted for any masks and any order.
func freeOfAny(dst []Prefix, p Prefix, taken []Prefix) []Prefix {
	if len(taken) == 0 {
		return append(dst, p)
	}
	for _, q := range taken {
		if q.Covers(p) {
			return dst
		}
	}
	for _, upper := range [...]bool{false, true} {
		h := p.half(upper)
		dst = freeOfAny(dst, h, overlapping(nil, h, taken))
	}
	return dst
}

// Choose returns a free prefix of the given length in one of the parents: the
// first one in a block that is chosen at random among the largest free blocks
// (RFC 2909, section 17.1.1). It reports false if no block is large enough.
func Choose(parents, taken []Prefix, length int, rnd *rand.Rand) (Prefix, bool) {
	var largest []Prefix
	for _, parent := range parents {
		for _, b := range FreeBlocks(parent, taken) {
			switch {
			case b.Bits() > length || len(largest) > 0 && b.Bits() > largest[0].Bits():
				continue
			case len(largest) > 0 && b.Bits() < largest[0].Bits():
				largest = largest[:0]
			}
			largest = append(largest, b)
		}
	}
	if len(largest) == 0 {
		return Prefix{}, false
	}
	return largest[rnd.IntN(len(largest))].first(length), true
}

// Double returns the prefix twice as large that contains p, which grows "from
// the right" (RFC 2909, section 17.1.1). It reports false if that is not all in
// one of the parents or meets a prefix of somebody else.
func Double(p Prefix, parents, others []Prefix) (Prefix, bool) {
	buddy, ok := p.buddy()
	if !ok {
		return Prefix{}, false
	}
	d := p.double()
	return d, coveredBy(d, parents) && !meetsAny(buddy, others)
}

// Neighbour returns the first free prefix of the given length in the buddy of
// p, the other half of the prefix twice as large: there both can grow together
// (RFC 2909, section 17.1.4, and decision MASC-D-50). It reports false if there
// is none inside one of the parents. What is taken includes the own prefixes.
func Neighbour(p Prefix, length int, parents, taken []Prefix) (Prefix, bool) {
	buddy, ok := p.buddy()
	if !ok || length < p.Bits() {
		return Prefix{}, false
	}
	for _, b := range FreeBlocks(buddy, taken) {
		if b.Bits() <= length {
			n := b.first(length)
			return n, coveredBy(n, parents)
		}
	}
	return Prefix{}, false
}

func coveredBy(p Prefix, parents []Prefix) bool {
	return slices.ContainsFunc(parents, func(q Prefix) bool { return q.Covers(p) })
}

func meetsAny(p Prefix, list []Prefix) bool {
	return slices.ContainsFunc(list, p.Overlaps)
}
