// SPDX-License-Identifier: BSD-3-Clause

package lease

import "slices"

// cell is a run of addresses that the same records occupy, each at a time of
// its own. The records are in the order of their starts.
type cell struct {
	span
	rec  *record // the earliest
	more *crowd  // the others; nil when there are none, as usual
}

type crowd struct{ recs []*record }

// len returns the number of records.
func (c *cell) len() int {
	if c.more == nil {
		return 1
	}
	return 1 + len(c.more.recs)
}

// at returns the i-th record.
func (c *cell) at(i int) *record {
	if i == 0 {
		return c.rec
	}
	return c.more.recs[i-1]
}

// after returns the position of the first record that starts at t or later.
func (c *cell) after(t instant) int {
	if c.rec.start >= t {
		return 0
	}
	if c.more == nil {
		return 1
	}
	i, _ := slices.BinarySearchFunc(c.more.recs, t, func(r *record, t instant) int {
		if r.start < t {
			return -1
		}
		return 1
	})
	return 1 + i
}

// position returns where r is, or -1.
func (c *cell) position(r *record) int {
	for i := c.after(r.start); i < c.len() && c.at(i).start == r.start; i++ {
		if c.at(i) == r {
			return i
		}
	}
	return -1
}

func (c *cell) insert(r *record) {
	i := c.after(r.start)
	if c.more == nil {
		c.more = &crowd{}
	}
	if i == 0 {
		r, c.rec = c.rec, r
		i = 1
	}
	c.more.recs = slices.Insert(c.more.recs, i-1, r)
}

// remove takes r out and reports whether the cell is empty now.
func (c *cell) remove(r *record) bool {
	i := c.position(r)
	switch {
	case i < 0:
		return false
	case c.more == nil:
		return true
	case i == 0:
		c.rec = c.more.recs[0]
		i = 1
	}
	c.more.recs = slices.Delete(c.more.recs, i-1, i)
	if len(c.more.recs) == 0 {
		c.more = nil
	}
	return false
}

// copied returns a cell of other addresses with the same records.
func (c *cell) copied(s span) cell {
	d := cell{s, c.rec, nil}
	if c.more != nil {
		d.more = &crowd{slices.Clone(c.more.recs)}
	}
	return d
}

// index holds disjoint cells in the order of their addresses: a B-tree whose
// leaves alone hold cells. The zero value is empty.
type index struct {
	root node
	n    int // cells
}

const (
	leafMost = 64  // cells in a leaf
	kidsMost = 128 // children of an inner node
)

type node struct {
	cells []cell   // of a leaf
	kids  []*node  // of an inner node
	keys  []number // the lowest address each kid may hold; the first key does not count
}

// leafAt returns the position of the first cell of a leaf that ends at n or
// later.
func (d *node) leafAt(n number) int {
	low, high := 0, len(d.cells)
	for low < high {
		mid := int(uint(low+high) >> 1)
		if d.cells[mid].last.Less(n) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// kidAt returns the position of the kid that n belongs to.
func (d *node) kidAt(n number) int {
	low, high := 1, len(d.keys)
	for low < high {
		mid := int(uint(low+high) >> 1)
		if n.Less(d.keys[mid]) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low - 1
}

// in calls yield for every cell that overlaps s, ascending, until it returns
// false. yield may change the records of a cell, nothing else.
func (x *index) in(s span, yield func(*cell) bool) { x.root.in(s, yield) }

func (d *node) in(s span, yield func(*cell) bool) bool {
	if d.kids == nil {
		for i := d.leafAt(s.first); i < len(d.cells); i++ {
			if s.last.Less(d.cells[i].first) || !yield(&d.cells[i]) {
				return false
			}
		}
		return true
	}
	for i := d.kidAt(s.first); i < len(d.kids); i++ {
		if !d.kids[i].in(s, yield) {
			return false
		}
	}
	return true
}

// find returns the cell that holds n, or nil.
func (x *index) find(n number) *cell {
	d := &x.root
	for d.kids != nil {
		d = d.kids[d.kidAt(n)]
	}
	if i := d.leafAt(n); i < len(d.cells) && !n.Less(d.cells[i].first) {
		return &d.cells[i]
	}
	return nil
}

// put adds a cell, whose addresses no other may hold.
func (x *index) put(c cell) {
	x.n++
	if right, key := x.root.put(c); right != nil {
		left := x.root
		x.root = node{kids: []*node{&left, right}, keys: []number{{}, key}}
	}
}

// put adds c below d. If d had to be split it returns the right half and the
// lowest address in it.
func (d *node) put(c cell) (*node, number) {
	if d.kids == nil {
		d.cells = slices.Insert(d.cells, d.leafAt(c.first), c)
		if len(d.cells) <= leafMost {
			return nil, number{}
		}
		half := splitAt(len(d.cells), d.leafAt(c.first))
		right := &node{cells: append(make([]cell, 0, leafMost+1), d.cells[half:]...)}
		clear(d.cells[half:])
		d.cells = d.cells[:half]
		return right, right.cells[0].first
	}
	i := d.kidAt(c.first)
	for j := i + 1; j < len(d.keys) && !c.last.Less(d.keys[j]); j++ {
		d.keys[j] = c.last.Add(one) // what began there is gone, and c reaches beyond
	}
	kid, key := d.kids[i].put(c)
	if kid == nil {
		return nil, number{}
	}
	d.kids = slices.Insert(d.kids, i+1, kid)
	d.keys = slices.Insert(d.keys, i+1, key)
	if len(d.kids) <= kidsMost {
		return nil, number{}
	}
	half := splitAt(len(d.kids), i+1)
	right := &node{kids: slices.Clone(d.kids[half:]), keys: slices.Clone(d.keys[half:])}
	key = right.keys[0]
	clear(d.kids[half:])
	d.kids, d.keys = d.kids[:half], d.keys[:half]
	return right, key
}

// splitAt says where to split n entries of which the one at i is new: in the
// middle, but near the end when entries come in ascending order, so that
// nodes are left full then.
func splitAt(n, i int) int {
	if i == n-1 {
		return n - n/8
	}
	return n / 2
}

// del removes the cell that starts at n.
func (x *index) del(n number) {
	if x.root.del(n) {
		x.n--
	}
	for len(x.root.kids) == 1 {
		x.root = *x.root.kids[0]
	}
}

func (d *node) del(n number) bool {
	if d.kids == nil {
		i := d.leafAt(n)
		if i == len(d.cells) || d.cells[i].first != n {
			return false
		}
		d.cells = slices.Delete(d.cells, i, i+1)
		return true
	}
	i := d.kidAt(n)
	if !d.kids[i].del(n) {
		return false
	}
	if i+1 == len(d.kids) {
		i = max(i-1, 0)
	}
	if i+1 < len(d.kids) && d.kids[i].absorb(d.kids[i+1], d.keys[i+1]) {
		d.kids = slices.Delete(d.kids, i+1, i+2)
		d.keys = slices.Delete(d.keys, i+1, i+2)
	}
	return true
}

// absorb moves all of right, whose lowest address is key, into d if both
// together are half full at most.
func (d *node) absorb(right *node, key number) bool {
	if len(d.cells)+len(right.cells) > leafMost/2 || len(d.kids)+len(right.kids) > kidsMost/2 {
		return false
	}
	d.cells = append(d.cells, right.cells...)
	if d.kids != nil {
		right.keys[0] = key
		d.kids = append(d.kids, right.kids...)
		d.keys = append(d.keys, right.keys...)
	}
	return true
}

// cut makes n the first address of a cell if it lies inside one.
func (x *index) cut(n number) {
	c := x.find(n)
	if c == nil || c.first == n {
		return
	}
	right := c.copied(span{n, c.last})
	c.last = n.Sub(one)
	x.put(right)
}
