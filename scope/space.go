// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"iter"
	"net/netip"
)

// Space is the free space of an allocator: a set of addresses of one family
// that is edited in place. It is meant for millions of fragments: every
// operation takes time in proportion to the logarithm of the number of free
// ranges (and Add and Remove to the number of ranges they swallow), nothing
// iterates over addresses, and the memory is in proportion to the number of
// ranges: in IPv4 and inside one IPv6 /96 at most about 20 octets for each (a
// dense part is a bitmap and takes 3), four times that elsewhere. Once it has
// reached its size it allocates nothing.
//
// The zero value is an empty space, ready to use. A Space must not be copied.
// It belongs to one goroutine at a time, queries included: BestFit and the
// questions about prefixes build an index when first asked and keep it from
// then on, FirstFit tidies up. Only Contains, Covers, Overlaps, Size, Len, At,
// RandomAddr and the iterators leave it untouched, so that several goroutines
// may call those at once while nobody calls anything else.
type Space struct {
	known bool // the family has been decided
	is4   bool
	base  Uint128  // of a narrow space: the bits above the low 32
	low   *tree32  // the free addresses of a narrow space
	wide  *tree128 // the free addresses of any other, then low is nil
}

// NewSpace returns the space in which the addresses of free are free.
func NewSpace(free Set) *Space {
	s := &Space{}
	if free.n == 0 {
		return s
	}
	s.known, s.is4 = true, free.is4
	if s.base = high96(free.bounds.first); s.base == high96(free.bounds.last) {
		if free.is4 && free.n > 1 {
			s.low = buildTree32(free.n, func(i int) span32 {
				return span32{free.many.r4[i].first(), free.many.r4[i].last()}
			})
		} else {
			s.low = buildTree32(free.n, func(i int) span32 { return lowSpan(free.span(i)) })
		}
		return s
	}
	s.wide = buildTree128(free.n, free.span)
	return s
}

func high96(n Uint128) Uint128 { return Uint128{n.Hi, n.Lo &^ (1<<32 - 1)} }

func lowSpan(r span) span32 { return span32{uint32(r.first.Lo), uint32(r.last.Lo)} }

// lift returns a number of a narrow space as an address number.
func (s *Space) lift(x uint32) Uint128 { return Uint128{s.base.Hi, s.base.Lo | uint64(x)} }

func (s *Space) liftSpan(r span32) span { return span{s.lift(r.first), s.lift(r.last)} }

// narrow reports whether all of r is in the part of the address space that a
// narrow space is about.
func (s *Space) narrow(r span) bool {
	return s.low != nil && high96(r.first) == s.base && high96(r.last) == s.base
}

// clip is narrow for the part of r that is there, and reports whether there
// is any.
func (s *Space) clip(r span) (span32, bool) {
	first, last := s.lift(0), s.lift(max32)
	if s.low == nil || r.last.Less(first) || last.Less(r.first) {
		return span32{}, false
	}
	if r.first.Less(first) {
		r.first = first
	}
	if last.Less(r.last) {
		r.last = last
	}
	return lowSpan(r), true
}

// Add makes the addresses of r free; it does not matter which of them are
// free already. Its error is an [*Error] with [ErrInvalid] for the zero Range
// and [ErrMixedFamilies] if the space is one of the other family.
func (s *Space) Add(r Range) error {
	if s.is4 && r.first.Is4() {
		s.low.add(number4(r.first), number4(r.last))
		return nil
	}
	return s.add6(r)
}

// add6 is Add for IPv6, for the first range and for the wrong one.
func (s *Space) add6(r Range) error {
	if err := s.accept("add to space", r); err != nil {
		return err
	}
	n := r.span()
	if !s.known {
		s.known, s.is4, s.base = true, r.Is4(), high96(n.first)
		s.low = newTree32()
	}
	if s.low != nil && !s.narrow(n) {
		s.widen()
	}
	if s.low != nil {
		s.low.add(uint32(n.first.Lo), uint32(n.last.Lo))
	} else {
		s.wide.add(n.first, n.last)
	}
	return nil
}

func (s *Space) accept(op string, r Range) error {
	switch {
	case !r.IsValid():
		return &Error{op, r.String(), "a valid range", ErrInvalid}
	case s.known && s.is4 != r.Is4():
		return &Error{op, r.String(), "a range of the family of the space", ErrMixedFamilies}
	}
	return nil
}

// widen changes to the wide form, once and for all.
func (s *Space) widen() {
	s.wide = newTree128()
	for r := range s.low.all {
		n := s.liftSpan(r)
		s.wide.add(n.first, n.last)
	}
	s.low = nil
}

// Remove makes the addresses of r used; it does not matter which of them are
// used already. Its errors are those of [Space.Add].
func (s *Space) Remove(r Range) error {
	if s.is4 && r.first.Is4() {
		s.low.remove(number4(r.first), number4(r.last))
		return nil
	}
	if err := s.accept("remove from space", r); err != nil {
		return err
	}
	n := r.span()
	if s.wide != nil {
		s.wide.remove(n.first, n.last)
	} else if part, ok := s.clip(n); ok {
		s.low.remove(part.first, part.last)
	}
	return nil
}

// Take makes the addresses of r used if all of them are free, and reports
// whether they were. Otherwise it changes nothing.
func (s *Space) Take(r Range) bool {
	if s.is4 {
		return r.first.Is4() && s.low.take(number4(r.first), number4(r.last))
	}
	return s.take6(r)
}

func (s *Space) take6(r Range) bool {
	if !s.has(r) {
		return false
	}
	n := r.span()
	if s.wide != nil {
		return s.wide.take(n.first, n.last)
	}
	return s.narrow(n) && s.low.take(uint32(n.first.Lo), uint32(n.last.Lo))
}

// has reports whether r is a range of the family of the space.
func (s *Space) has(r Range) bool { return s.known && r.IsValid() && r.Is4() == s.is4 }

// Contains reports whether a is free.
func (s *Space) Contains(a netip.Addr) bool {
	if s.is4 {
		return a.Is4() && s.low.contains(number4(a))
	}
	if !s.known || a.Is4() != s.is4 || !usable(a) {
		return false
	}
	n := addrNumber(a)
	if s.wide != nil {
		return s.wide.contains(n)
	}
	return high96(n) == s.base && s.low.contains(uint32(n.Lo))
}

// Covers reports whether every address of r is free. It is false for the zero
// Range.
func (s *Space) Covers(r Range) bool {
	if s.is4 {
		return r.first.Is4() && s.low.covers(number4(r.first), number4(r.last))
	}
	return s.covers6(r)
}

func (s *Space) covers6(r Range) bool {
	if !s.has(r) {
		return false
	}
	n := r.span()
	if s.wide != nil {
		return s.wide.covers(n.first, n.last)
	}
	return s.narrow(n) && s.low.covers(uint32(n.first.Lo), uint32(n.last.Lo))
}

// Overlaps reports whether any address of r is free.
func (s *Space) Overlaps(r Range) bool {
	if !s.has(r) {
		return false
	}
	n := r.span()
	if s.wide != nil {
		found, ok := s.wide.ceiling(n.first)
		return ok && !n.last.Less(found.first)
	}
	part, ok := s.clip(n)
	if !ok {
		return false
	}
	found, ok := s.low.ceiling(part.first)
	return ok && found.first <= part.last
}

// IsEmpty reports whether nothing is free.
func (s *Space) IsEmpty() bool { return s.Len() == 0 }

// Is4 reports whether the space is one of IPv4 addresses. A space has no
// family before the first address comes into it, and then keeps it.
func (s *Space) Is4() bool { return s.known && s.is4 }

// Len returns the number of free ranges.
func (s *Space) Len() int {
	switch {
	case s.wide != nil:
		return s.wide.spans
	case s.low != nil:
		return s.low.spans
	}
	return 0
}

// Size returns the number of free addresses, 2^128-1 for all 2^128 of IPv6.
func (s *Space) Size() Uint128 {
	switch {
	case s.wide != nil:
		if s.wide.total.IsZero() && s.wide.spans > 0 {
			return maxUint128
		}
		return s.wide.total
	case s.low != nil:
		return U128(s.low.total)
	}
	return Uint128{}
}

// Ranges yields the free ranges in ascending order. Between two of them the
// space may be changed: the iteration goes on with what is free above the
// range yielded last.
func (s *Space) Ranges() iter.Seq[Range] {
	return func(yield func(Range) bool) {
		for r := range s.spans {
			if !yield(r.toRange(s.is4)) {
				return
			}
		}
	}
}

func (s *Space) spans(yield func(span) bool) {
	if s.wide != nil {
		s.wide.all(yield)
	} else if s.low != nil {
		s.low.all(func(r span32) bool { return yield(s.liftSpan(r)) })
	}
}

// Set returns the free addresses as an immutable set.
func (s *Space) Set() Set {
	w := newSetWriter(s.is4, s.Len())
	for r := range s.spans {
		w.push(r)
	}
	return w.set()
}
