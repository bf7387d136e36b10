// SPDX-License-Identifier: BSD-3-Clause

package lease

// gap is the time before a record that has not begun: from when some of its
// addresses are unoccupied until it starts. Addresses that are promised to
// somebody for next week can be lent until then, and this is how they are
// found.
type gap struct {
	from, to    instant
	rec         *record
	serial      uint64 // breaks ties of from
	priority    uint64
	latest      instant // the latest to of the subtree
	left, right *gap
}

// gaps is a search tree of gaps by from, balanced by random priorities (a
// treap). In each node stands the latest end below it, so a gap around a given
// interval is found without looking at those that are too short.
type gaps struct {
	root   *gap
	of     map[*record]*gap // that before a record which has not begun
	serial uint64
}

func (g *gap) before(h *gap) bool {
	if g.from != h.from {
		return g.from < h.from
	}
	return g.serial < h.serial
}

func (g *gap) update() *gap {
	g.latest = g.to
	if g.left != nil {
		g.latest = max(g.latest, g.left.latest)
	}
	if g.right != nil {
		g.latest = max(g.latest, g.right.latest)
	}
	return g
}

// add puts a gap before r, which has none, into the tree.
func (t *gaps) add(r *record, from instant) {
	t.serial++
	x := t.serial * 0x9e3779b97f4a7c15 // a fixed mixing of the serial is random enough for balance
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	g := &gap{from: from, to: r.start, rec: r, serial: t.serial, priority: x ^ x>>31}
	t.root = t.root.insert(g)
	if t.of == nil {
		t.of = map[*record]*gap{}
	}
	t.of[r] = g
}

func (n *gap) insert(g *gap) *gap {
	if n == nil {
		return g.update()
	}
	if g.priority > n.priority {
		g.left, g.right = n.split(g)
		return g.update()
	}
	if g.before(n) {
		n.left = n.left.insert(g)
	} else {
		n.right = n.right.insert(g)
	}
	return n.update()
}

// split parts the subtree into what lies before g and what lies after it.
func (n *gap) split(g *gap) (before, after *gap) {
	if n == nil {
		return nil, nil
	}
	if g.before(n) {
		before, n.left = n.left.split(g)
		return before, n.update()
	}
	n.right, after = n.right.split(g)
	return n.update(), after
}

// remove takes the gap before r out, if it has one.
func (t *gaps) remove(r *record) {
	if g := t.of[r]; g != nil {
		t.root = t.root.delete(g)
		delete(t.of, r)
	}
}

func (n *gap) delete(g *gap) *gap {
	switch {
	case n == nil:
		return nil
	case n == g:
		return join(n.left, n.right)
	case g.before(n):
		n.left = n.left.delete(g)
	default:
		n.right = n.right.delete(g)
	}
	return n.update()
}

func join(a, b *gap) *gap {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority > b.priority:
		a.right = join(a.right, b)
		return a.update()
	}
	b.left = join(a, b.left)
	return b.update()
}

// around calls yield for the gaps that hold all of [from, to), until it
// returns false.
func (t *gaps) around(from, to instant, yield func(*record) bool) { t.root.around(from, to, yield) }

func (n *gap) around(from, to instant, yield func(*record) bool) bool {
	if n == nil || n.latest < to {
		return true
	}
	if !n.left.around(from, to, yield) {
		return false
	}
	if n.from > from {
		return true
	}
	if n.to >= to && !yield(n.rec) {
		return false
	}
	return n.right.around(from, to, yield)
}

// next returns the earliest instant after t at which a gap begins.
func (t *gaps) next(after instant) (instant, bool) {
	best, ok := never, false
	for n := t.root; n != nil; {
		if n.from > after {
			best, ok, n = n.from, true, n.left
		} else {
			n = n.right
		}
	}
	return best, ok
}
