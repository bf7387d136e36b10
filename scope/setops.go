// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"iter"
	"net/netip"
)

// Union returns the addresses in s, in t or in both.
func (s Set) Union(t Set) (Set, error) {
	switch {
	case s.n == 0:
		return t, nil
	case t.n == 0:
		return s, nil
	case s.is4 != t.is4:
		return Set{}, mixed("unite", s, t)
	}
	out := newSetWriter(s.is4, s.n+t.n)
	i, j := 0, 0
	for i < s.n || j < t.n {
		if j == t.n || i < s.n && !t.span(j).first.Less(s.span(i).first) {
			out.push(s.span(i))
			i++
		} else {
			out.push(t.span(j))
			j++
		}
	}
	return out.set(), nil
}

// Subtract returns the addresses in s that are not in t. The free addresses
// of a space are space.Subtract(used): used addresses outside do not matter.
func (s Set) Subtract(t Set) (Set, error) {
	switch {
	case s.n == 0 || t.n == 0:
		return s, nil
	case s.is4 != t.is4:
		return Set{}, mixed("subtract", s, t)
	}
	return subtract(s, t), nil
}

func subtract(s, t Set) Set {
	if s.n == 0 || t.n == 0 {
		return s
	}
	out := newSetWriter(s.is4, s.n+t.n)
	j := 0
	for i := range s.n {
		rest := s.span(i)
		for j < t.n && t.span(j).last.Less(rest.first) {
			j++
		}
		for k := j; ; k++ {
			if k == t.n || rest.last.Less(t.span(k).first) {
				out.push(rest)
				break
			}
			hole := t.span(k)
			if rest.first.Less(hole.first) {
				out.push(span{rest.first, hole.first.dec()})
			}
			if !hole.last.Less(rest.last) {
				j = k
				break
			}
			rest.first = hole.last.inc()
		}
	}
	return out.set()
}

// Intersect returns the addresses in both s and t.
func (s Set) Intersect(t Set) (Set, error) {
	switch {
	case s.n == 0 || t.n == 0:
		return Set{}, nil
	case s.is4 != t.is4:
		return Set{}, mixed("intersect", s, t)
	}
	out := newSetWriter(s.is4, max(s.n, t.n))
	for both := range s.shared(t) {
		out.push(both)
	}
	return out.set(), nil
}

// shared yields the spans that are in both sets, ascending, disjoint. When
// one set is much smaller it leaps through the other.
func (s Set) shared(t Set) iter.Seq[span] {
	return func(yield func(span) bool) {
		if s.n == 0 || t.n == 0 || s.is4 != t.is4 {
			return
		}
		if s.n > t.n {
			s, t = t, s
		}
		leap := t.n/s.n > 16
		j := 0
		for i := range s.n {
			a := s.span(i)
			if leap {
				j = t.search(a.first)
			}
			for j < t.n && t.span(j).last.Less(a.first) {
				j++
			}
			for ; j < t.n && !a.last.Less(t.span(j).first); j++ {
				b := t.span(j)
				both := a
				if both.first.Less(b.first) {
					both.first = b.first
				}
				if b.last.Less(both.last) {
					both.last = b.last
				}
				if !yield(both) {
					return
				}
				if a.last.Less(b.last) {
					break // b reaches into the next range of s
				}
			}
		}
	}
}

// Covers reports whether every address of t is in s. The empty set is covered
// by every set.
func (s Set) Covers(t Set) bool {
	if t.n > 0 && s.is4 != t.is4 {
		return false
	}
	for i := range t.n {
		part := t.span(i)
		j := s.search(part.first)
		if j == s.n {
			return false
		}
		if whole := s.span(j); part.first.Less(whole.first) || whole.last.Less(part.last) {
			return false
		}
	}
	return true
}

// CoversRange reports whether every address of r is in s. The zero Range is
// covered by every set.
func (s Set) CoversRange(r Range) bool { return s.Covers(setOfOne(r)) }

// Overlaps reports whether s and t share an address. Sets of different
// families and the empty set overlap nothing.
func (s Set) Overlaps(t Set) bool {
	for range s.shared(t) {
		return true
	}
	return false
}

// OverlapsRange reports whether an address of r is in s.
func (s Set) OverlapsRange(r Range) bool {
	if s.n == 0 || !r.IsValid() || r.Is4() != s.is4 {
		return false
	}
	q := r.span()
	i := s.search(q.first)
	return i < s.n && !q.last.Less(s.span(i).first)
}

// Equal reports whether s and t hold the same addresses.
func (s Set) Equal(t Set) bool {
	if s.n != t.n || s.n > 0 && (s.is4 != t.is4 || s.bounds != t.bounds) {
		return false
	}
	for i := range s.n {
		if s.span(i) != t.span(i) {
			return false
		}
	}
	return true
}

// At returns the n-th address in ascending order, counted from 0, and whether
// it exists. It walks the ranges; a [Space] answers in logarithmic time.
func (s Set) At(n Uint128) (netip.Addr, bool) {
	for i := range s.n {
		part := s.span(i)
		if d := part.last.Sub(part.first); !d.Less(n) {
			return numberAddr(part.first.Add(n), s.is4), true
		}
		n = n.Sub(part.size())
	}
	return netip.Addr{}, false
}

// Index returns the position of a among the addresses of the set, counted
// from 0, and whether a is in it.
func (s Set) Index(a netip.Addr) (Uint128, bool) {
	if !s.Contains(a) {
		return Uint128{}, false
	}
	n := addrNumber(a)
	last := s.search(n)
	sum := n.Sub(s.span(last).first)
	for i := range last {
		sum = sum.Add(s.span(i).size())
	}
	return sum, true
}

// Ranges yields the ranges in normal form, ascending.
func (s Set) Ranges() iter.Seq[Range] {
	return func(yield func(Range) bool) {
		for i := range s.n {
			if !yield(s.span(i).toRange(s.is4)) {
				return
			}
		}
	}
}

// Addrs yields every address, ascending.
func (s Set) Addrs() iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for i := range s.n {
			for a := range s.Range(i).Addrs() {
				if !yield(a) {
					return
				}
			}
		}
	}
}

// Prefixes yields the shortest list of prefixes that hold exactly the
// addresses of the set, ascending (the CIDR cover).
func (s Set) Prefixes() iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		for i := range s.n {
			if !s.span(i).prefixes(s.is4, yield) {
				return
			}
		}
	}
}

func setOfOne(r Range) Set {
	if !r.IsValid() {
		return Set{}
	}
	return Set{n: 1, is4: r.Is4(), bounds: r.span()}
}

func mixed(op string, s, t Set) error {
	return &Error{op, s.Range(0).String() + ", " + t.Range(0).String(), "sets of one family", ErrMixedFamilies}
}
