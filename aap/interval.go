// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"iter"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// intervals maps ranges of multicast addresses to values: a treap of disjoint
// ranges. Every operation takes time in proportion to the logarithm of their
// number and to the number of ranges it meets. Its shape hangs on rng, so that
// no sender can choose addresses which unbalance it.
type intervals[V comparable] struct {
	rng  *rand.Rand
	end  func(V) time.Time // of the value, for earliest; nil if values have none
	root *node[V]
	n    int
}

type node[V comparable] struct {
	r           scope.Range
	v           V
	priority    uint64
	earliest    time.Time // end in this subtree; zero if values have none
	left, right *node[V]
}

// len returns the number of ranges.
func (t *intervals[V]) len() int { return t.n }

// put maps r, of which nothing may be in the map, to v. It does not join
// neighbours.
func (t *intervals[V]) put(r scope.Range, v V) {
	left, right := t.split(t.root, r.Last())
	t.root = t.merge(t.merge(left, t.single(r, v)), right)
}

// take removes the part of the map within r and returns it, ascending. Ranges
// that reach beyond r keep the rest.
func (t *intervals[V]) take(r scope.Range) []piece[V] {
	left, rest := t.split(t.root, r.First().Prev())
	mid, right := t.split(rest, r.Last())
	t.root = t.merge(left, right)
	var out []piece[V]
	for m := range mid.within(r) {
		out = append(out, m)
	}
	t.n -= len(out)
	return out
}

// update changes what r maps to: f says so for each entry or gap in it, ascending.
// Neighbours with equal values are joined.
func (t *intervals[V]) update(r scope.Range, f func(r scope.Range, v V, in bool) (V, bool)) {
	var list []piece[V]
	add := func(r scope.Range, v V, in bool) {
		if v, in = f(r, v, in); !in {
			return
		}
		if n := len(list) - 1; n >= 0 && list[n].v == v && list[n].r.Last().Next() == r.First() {
			list[n].r = rangeOf(list[n].r.First(), r.Last())
		} else {
			list = append(list, piece[V]{r, v})
		}
	}
	var none V
	first, full := r.First(), false
	for _, p := range t.take(r) {
		if first.Less(p.r.First()) {
			add(rangeOf(first, p.r.First().Prev()), none, false)
		}
		add(p.r, p.v, true)
		first, full = p.r.Last().Next(), p.r.Last() == r.Last()
	}
	if !full {
		add(rangeOf(first, r.Last()), none, false)
	}
	if n := len(list) - 1; n >= 0 {
		if p, ok := t.at(list[0].r.First().Prev()); ok && p.v == list[0].v {
			t.take(p.r)
			list[0].r = rangeOf(p.r.First(), list[0].r.Last())
		}
		if p, ok := t.at(list[n].r.Last().Next()); ok && p.v == list[n].v {
			t.take(p.r)
			list[n].r = rangeOf(list[n].r.First(), p.r.Last())
		}
	}
	for _, p := range list {
		t.put(p.r, p.v)
	}
}

// piece is an entry of the map, or the part of it in question.
type piece[V comparable] struct {
	r scope.Range
	v V
}

// in yields the part of the map within r, ascending. The map must not be changed
// meanwhile.
func (t *intervals[V]) in(r scope.Range) iter.Seq[piece[V]] { return t.root.within(r) }

// all yields the whole map, ascending.
func (t *intervals[V]) all() iter.Seq[piece[V]] {
	return func(yield func(piece[V]) bool) { t.root.visitAll(yield) }
}

// overlaps reports whether any address of r is in the map.
func (t *intervals[V]) overlaps(r scope.Range) bool {
	for range t.in(r) {
		return true
	}
	return false
}

// at returns the entry that holds a.
func (t *intervals[V]) at(a netip.Addr) (piece[V], bool) {
	for n := t.root; n != nil; {
		switch {
		case a.Less(n.r.First()):
			n = n.left
		case n.r.Last().Less(a):
			n = n.right
		default:
			return piece[V]{n.r, n.v}, true
		}
	}
	return piece[V]{}, false
}

// touched returns the values of the entries that hold addresses of a set, each
// once, in the order of their first address, and which addresses those are.
func (t *intervals[V]) touched(s scope.Set) (values []V, addrs map[V]scope.Set) {
	addrs = map[V]scope.Set{}
	for r := range s.Ranges() {
		for p := range t.in(r) {
			if _, ok := addrs[p.v]; !ok {
				values = append(values, p.v)
			}
			addrs[p.v] = union(addrs[p.v], setOfRange(p.r))
		}
	}
	return values, addrs
}

// gaps yields the parts of r that are not in the map, ascending.
func (t *intervals[V]) gaps(r scope.Range) iter.Seq[scope.Range] {
	return func(yield func(scope.Range) bool) {
		first := r.First()
		for p := range t.in(r) {
			if first.Less(p.r.First()) && !yield(rangeOf(first, p.r.First().Prev())) {
				return
			}
			if first = p.r.Last().Next(); p.r.Last() == r.Last() {
				return
			}
		}
		yield(rangeOf(first, r.Last()))
	}
}

// earliest returns the earliest end of a value, zero if the map is empty.
func (t *intervals[V]) earliest() time.Time {
	if t.root == nil {
		return time.Time{}
	}
	return t.root.earliest
}

// removeEnded takes the entries whose values have ended at now, and returns them.
func (t *intervals[V]) removeEnded(now time.Time) (out []piece[V]) {
	for t.root != nil && !t.root.earliest.After(now) {
		n := t.root
		for t.end(n.v).After(now) {
			if n.left != nil && !n.left.earliest.After(now) {
				n = n.left
			} else {
				n = n.right
			}
		}
		out = append(out, t.take(n.r)...)
	}
	return out
}

// rangeOf returns the range of two addresses in order, of one family.
func rangeOf(first, last netip.Addr) scope.Range {
	r, _ := scope.NewRange(first, last)
	return r
}

func (t *intervals[V]) single(r scope.Range, v V) *node[V] {
	n := &node[V]{r: r, v: v, priority: t.rng.Uint64()}
	t.n++
	t.refresh(n)
	return n
}

// refresh computes what a node knows of its subtree.
func (t *intervals[V]) refresh(n *node[V]) {
	if t.end == nil {
		return
	}
	n.earliest = t.end(n.v)
	for _, child := range [...]*node[V]{n.left, n.right} {
		if child != nil && child.earliest.Before(n.earliest) {
			n.earliest = child.earliest
		}
	}
}

// split cuts a subtree behind a, and a range in two if need be.
func (t *intervals[V]) split(n *node[V], a netip.Addr) (low, high *node[V]) {
	switch {
	case n == nil:
		return nil, nil
	case a.Less(n.r.First()):
		low, n.left = t.split(n.left, a)
		t.refresh(n)
		return low, n
	case !a.Less(n.r.Last()):
		n.right, high = t.split(n.right, a)
		t.refresh(n)
		return n, high
	}
	high = t.merge(t.single(rangeOf(a.Next(), n.r.Last()), n.v), n.right)
	n.r, n.right = rangeOf(n.r.First(), a), nil
	t.refresh(n)
	return n, high
}

// merge joins two subtrees, the second of which is behind the first.
func (t *intervals[V]) merge(a, b *node[V]) *node[V] {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority > b.priority:
		a.right = t.merge(a.right, b)
		t.refresh(a)
		return a
	}
	b.left = t.merge(a, b.left)
	t.refresh(b)
	return b
}

// within yields the parts of a subtree within r, ascending.
func (n *node[V]) within(r scope.Range) iter.Seq[piece[V]] {
	return func(yield func(piece[V]) bool) { n.visit(r, yield) }
}

func (n *node[V]) visit(r scope.Range, yield func(piece[V]) bool) bool {
	if n == nil {
		return true
	}
	if r.First().Less(n.r.First()) && !n.left.visit(r, yield) {
		return false
	}
	if common, ok := n.r.Intersect(r); ok && !yield(piece[V]{common, n.v}) {
		return false
	}
	return !n.r.Last().Less(r.Last()) || n.right.visit(r, yield)
}

func (n *node[V]) visitAll(yield func(piece[V]) bool) bool {
	return n == nil || n.left.visitAll(yield) && yield(piece[V]{n.r, n.v}) && n.right.visitAll(yield)
}
