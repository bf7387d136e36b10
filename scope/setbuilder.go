// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"net/netip"
	"slices"
)

// SetBuilder makes a [Set] out of ranges added and removed in any order. The
// zero value is ready to use. The first error stays and is returned by
// [SetBuilder.Set], so that the calls before it need no check.
//
// Adding n ranges costs one sort of n. Changing between Add and Remove merges
// what has been collected and costs time in proportion to it: where additions
// and removals alternate, use a [Space].
type SetBuilder struct {
	known   bool // is4 has been decided
	is4     bool
	err     error
	plus    setWriter
	minus   setWriter
	removed bool // minus is not empty
}

// Add adds the addresses of r. A zero Range is an error.
func (b *SetBuilder) Add(r Range) {
	if b.accept(r) {
		b.flush()
		b.plus.append(r.span())
	}
}

// AddPrefix adds the addresses of p, whose address bits beyond the prefix
// length are ignored. An invalid prefix is an error.
func (b *SetBuilder) AddPrefix(p netip.Prefix) { b.Add(RangeOf(p)) }

// AddSet adds the addresses of s.
func (b *SetBuilder) AddSet(s Set) {
	if s.n > 0 && b.accept(s.Range(0)) {
		b.flush()
		for i := range s.n {
			b.plus.append(s.span(i))
		}
	}
}

// Remove removes the addresses of r, as far as they have been added before.
// A zero Range is an error.
func (b *SetBuilder) Remove(r Range) {
	if b.accept(r) {
		b.minus.append(r.span())
		b.removed = true
	}
}

// Set returns the set built so far; the builder can go on from there. Its
// error is an [*Error] with [ErrInvalid] for a zero Range or an invalid
// prefix and [ErrMixedFamilies] for ranges of both families.
func (b *SetBuilder) Set() (Set, error) {
	if b.err != nil {
		return Set{}, b.err
	}
	s := b.plus.normal()
	if b.removed {
		s = subtract(s, b.minus.normal())
	}
	return s, nil
}

// flush carries out the removals so far before something is added again.
func (b *SetBuilder) flush() {
	if !b.removed {
		return
	}
	rest := subtract(b.plus.normal(), b.minus.normal())
	b.plus.reset()
	for i := range rest.n {
		b.plus.append(rest.span(i))
	}
	b.minus.reset()
	b.removed = false
}

func (b *SetBuilder) accept(r Range) bool {
	switch {
	case b.err != nil:
		return false
	case !r.IsValid():
		b.err = &Error{"build set", r.String(), "a valid range", ErrInvalid}
		return false
	case b.known && b.is4 != r.Is4():
		b.err = &Error{"build set", r.String(), "ranges of one family", ErrMixedFamilies}
		return false
	}
	if !b.known {
		b.known, b.is4 = true, r.Is4()
		b.plus.is4, b.minus.is4 = b.is4, b.is4
	}
	return true
}

// setWriter collects spans of one family in the form a Set keeps them.
type setWriter struct {
	is4 bool
	r4  []pair
	r6  []span
}

// newSetWriter returns a writer with room for n spans.
func newSetWriter(is4 bool, n int) *setWriter {
	w := &setWriter{is4: is4}
	if is4 {
		w.r4 = make([]pair, 0, n)
	} else {
		w.r6 = make([]span, 0, n)
	}
	return w
}

func (w *setWriter) reset() { w.r4, w.r6 = w.r4[:0], w.r6[:0] }

// append adds a span in any order, for normal to sort out.
func (w *setWriter) append(s span) {
	if w.is4 {
		w.r4 = append(w.r4, makePair(uint32(s.first.Lo), uint32(s.last.Lo)))
	} else {
		w.r6 = append(w.r6, s)
	}
}

// push adds a span that does not start before any span pushed earlier, and
// merges it with the last one if they overlap or touch.
func (w *setWriter) push(s span) {
	if w.is4 {
		first, last := uint32(s.first.Lo), uint32(s.last.Lo)
		if n := len(w.r4); n > 0 {
			p := w.r4[n-1]
			if uint64(first) <= uint64(p.last())+1 {
				w.r4[n-1] = makePair(p.first(), max(p.last(), last))
				return
			}
		}
		w.r4 = append(w.r4, makePair(first, last))
		return
	}
	if n := len(w.r6); n > 0 {
		p := &w.r6[n-1]
		if p.last == maxUint128 || !p.last.inc().Less(s.first) {
			if p.last.Less(s.last) {
				p.last = s.last
			}
			return
		}
	}
	w.r6 = append(w.r6, s)
}

// normal returns the set of all spans appended so far, in any order.
func (w *setWriter) normal() Set {
	out := newSetWriter(w.is4, max(len(w.r4), len(w.r6)))
	if w.is4 {
		if !slices.IsSorted(w.r4) {
			slices.Sort(w.r4)
		}
		for _, p := range w.r4 {
			out.push(p.span())
		}
		return out.set()
	}
	slices.SortFunc(w.r6, func(a, b span) int { return a.first.Cmp(b.first) })
	for _, s := range w.r6 {
		out.push(s)
	}
	return out.set()
}

// set returns the pushed spans as a Set and gives its memory away.
func (w *setWriter) set() Set {
	if w.is4 {
		n := len(w.r4)
		if n == 0 {
			return Set{}
		}
		s := Set{n: n, is4: true, bounds: span{w.r4[0].span().first, w.r4[n-1].span().last}}
		if n > 1 {
			s.many = &ranges{r4: trim(w.r4)}
		}
		if n >= indexFrom {
			s.many.index = newIndex(s)
		}
		return s
	}
	n := len(w.r6)
	if n == 0 {
		return Set{}
	}
	s := Set{n: n, bounds: span{w.r6[0].first, w.r6[n-1].last}}
	if n > 1 {
		s.many = &ranges{r6: trim(w.r6)}
	}
	if n >= indexFrom {
		s.many.index = newIndex(s)
	}
	return s
}

// trim gives back memory that an immutable set would hold for nothing.
func trim[E any](s []E) []E {
	if cap(s) > len(s)+len(s)/8+8 {
		return slices.Clone(s)
	}
	return s
}
