// SPDX-License-Identifier: BSD-3-Clause

package scope

import "net/netip"

// Searches in a set of free addresses. They walk all ranges of the set: right
// for a decision taken now and then, and for a reader who wants to see the
// rule. An allocator that asks all the time keeps a [Space].

// FirstFit returns n addresses in a row, without regard to alignment: the
// first n of the first range that has as many. None if n is 0.
func (s Set) FirstFit(n Uint128) (Range, bool) {
	if n.IsZero() {
		return Range{}, false
	}
	length := n.dec()
	for i := range s.n {
		if r := s.span(i); !r.last.Sub(r.first).Less(length) {
			return span{r.first, r.first.Add(length)}.toRange(s.is4), true
		}
	}
	return Range{}, false
}

// BestFit is [Set.FirstFit] in the smallest range that has n addresses, the
// lowest one among equals.
func (s Set) BestFit(n Uint128) (Range, bool) {
	if n.IsZero() {
		return Range{}, false
	}
	length, best := n.dec(), -1
	var least Uint128
	for i := range s.n {
		r := s.span(i)
		if l := r.last.Sub(r.first); !l.Less(length) && (best < 0 || l.Less(least)) {
			best, least = i, l
		}
	}
	if best < 0 {
		return Range{}, false
	}
	first := s.span(best).first
	return span{first, first.Add(length)}.toRange(s.is4), true
}

// CountPrefixes returns the number of prefixes of a length in bits that lie in
// the set as a whole, naturally aligned. Ranges are coalesced, so a prefix may
// straddle the seam of two ranges that were added one after the other.
func (s Set) CountPrefixes(bits int) Uint128 {
	host := width(s.is4) - bits
	if s.n == 0 || bits < 0 || host < 0 {
		return Uint128{}
	}
	if host == 0 {
		return s.Size()
	}
	var sum Uint128
	for i := range s.n {
		if first, last, ok := s.span(i).aligned(host); ok {
			sum = sum.Add(last.Sub(first).inc())
		}
	}
	return sum
}

// NthPrefix returns the n-th prefix of a length in bits that lies in the set
// as a whole, in ascending order and counted from 0, and whether it exists.
// Drawing n uniformly below [Set.CountPrefixes] makes every candidate equally
// likely.
func (s Set) NthPrefix(bits int, n Uint128) (netip.Prefix, bool) {
	host := width(s.is4) - bits
	if s.n == 0 || bits < 0 || host < 0 {
		return netip.Prefix{}, false
	}
	for i := range s.n {
		first, last, ok := s.span(i).aligned(host)
		if !ok {
			continue
		}
		if more := last.Sub(first); !more.Less(n) {
			return netip.PrefixFrom(numberAddr(first.Add(n).shl(host), s.is4), bits), true
		}
		n = n.Sub(last.Sub(first).inc())
	}
	return netip.Prefix{}, false
}

// BestFitPrefix returns a prefix of a length in bits out of the tightest
// block: among the blocks of [Set.Prefixes] that are large enough, the
// smallest, the lowest one among equals, and of it the first prefix.
func (s Set) BestFitPrefix(bits int) (netip.Prefix, bool) {
	host := width(s.is4) - bits
	if s.n == 0 || bits < 0 || host < 0 {
		return netip.Prefix{}, false
	}
	least := 129
	var best Uint128
	for i := range s.n {
		for b := range s.span(i).blocks {
			if size := b.last.Sub(b.first).bitLen(); size >= host && size < least {
				least, best = size, b.first
			}
		}
	}
	if least > 128 {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(numberAddr(best, s.is4), bits), true
}

// Aggregate returns the shortest list of prefixes that cover the same
// addresses: those inside others vanish and siblings merge. The order of the
// prefixes does not matter. Its errors are those of [SetBuilder.Set].
func Aggregate(prefixes ...netip.Prefix) ([]netip.Prefix, error) {
	var b SetBuilder
	for _, p := range prefixes {
		b.AddPrefix(p)
	}
	s, err := b.Set()
	if err != nil {
		return nil, err
	}
	var out []netip.Prefix
	for p := range s.Prefixes() {
		out = append(out, p)
	}
	return out, nil
}

// Utilisation returns how many addresses of space are used, and how many
// there are. 0 of 0 is possible: the caller divides. Its error is an [*Error]
// with [ErrMixedFamilies].
func Utilisation(space, used Set) (taken, total Uint128, err error) {
	both, err := space.Intersect(used)
	if err != nil {
		return Uint128{}, Uint128{}, err
	}
	return both.Size(), space.Size(), nil
}
