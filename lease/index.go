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

// index holds disjoint cells in the order of their addresses, in a B-tree. The
// zero value is empty.
type index struct {
	root node
	n    int // cells
}

const (
	leafMost = 37  // cells in a leaf; so many fill 1,792 octets, a size that memory comes in
	kidsMost = 128 // children of a node
)

// node is an inner node of the tree. Its children are nodes or leaves.
type node struct {
	kids   []*node
	leaves []*leaf
	keys   []number // the lowest address each child may hold; the first key does not count
}

// leaf holds cells.
type leaf struct {
	n     int
	cells [leafMost]cell
}

// at returns the position of the first cell that ends at n or later.
func (l *leaf) at(n number) int {
	low, high := 0, l.n
	for low < high {
		mid := int(uint(low+high) >> 1)
		if l.cells[mid].last.Less(n) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// insert puts c in at i.
func (l *leaf) insert(i int, c cell) {
	copy(l.cells[i+1:l.n+1], l.cells[i:l.n])
	l.cells[i] = c
	l.n++
}

// delete takes the cell at i out.
func (l *leaf) delete(i int) {
	copy(l.cells[i:l.n], l.cells[i+1:l.n])
	l.n--
	l.cells[l.n] = cell{}
}

// childAt returns the position of the child that n belongs to.
func (d *node) childAt(n number) int {
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
	from := d.childAt(s.first)
	for i := from; i < len(d.keys); i++ {
		if i > from && s.last.Less(d.keys[i]) {
			return false
		}
		if d.kids != nil {
			if !d.kids[i].in(s, yield) {
				return false
			}
		} else if !d.leaves[i].in(s, yield) {
			return false
		}
	}
	return true
}

func (l *leaf) in(s span, yield func(*cell) bool) bool {
	for i := l.at(s.first); i < l.n; i++ {
		if s.last.Less(l.cells[i].first) || !yield(&l.cells[i]) {
			return false
		}
	}
	return true
}

// find returns the cell that holds n, or nil.
func (x *index) find(n number) *cell {
	for c := range func(yield func(*cell) bool) { x.in(span{n, n}, yield) } {
		return c
	}
	return nil
}

// put adds a cell, whose addresses no other may hold.
func (x *index) put(c cell) {
	x.n++
	if x.root.keys == nil {
		x.root = node{leaves: []*leaf{{}}, keys: make([]number, 1)}
	}
	if right, key := x.root.put(c); right != nil {
		left := x.root
		x.root = node{kids: []*node{&left, right}, keys: []number{{}, key}}
	}
}

// put adds c below d. If d had to be split it returns the right half and the
// lowest address in it.
func (d *node) put(c cell) (*node, number) {
	i := d.childAt(c.first)
	for j := i + 1; j < len(d.keys) && !c.last.Less(d.keys[j]); j++ {
		d.keys[j] = c.last.Add(one) // what began there is gone, and c reaches beyond
	}
	if d.kids != nil {
		kid, key := d.kids[i].put(c)
		if kid == nil {
			return nil, number{}
		}
		d.kids = slices.Insert(d.kids, i+1, kid)
		d.keys = slices.Insert(d.keys, i+1, key)
	} else {
		l, key := d.leaves[i].put(c)
		if l == nil {
			return nil, number{}
		}
		d.leaves = slices.Insert(d.leaves, i+1, l)
		d.keys = slices.Insert(d.keys, i+1, key)
	}
	if len(d.keys) <= kidsMost {
		return nil, number{}
	}
	half := splitAt(len(d.keys), i+1)
	right := &node{keys: cutOff(&d.keys, half)}
	if d.kids != nil {
		right.kids = cutOff(&d.kids, half)
	} else {
		right.leaves = cutOff(&d.leaves, half)
	}
	return right, right.keys[0]
}

// put adds c. If the leaf was full it returns the right half and the lowest
// address in it.
func (l *leaf) put(c cell) (*leaf, number) {
	i := l.at(c.first)
	if l.n < leafMost {
		l.insert(i, c)
		return nil, number{}
	}
	half := splitAt(leafMost, i)
	right := &leaf{}
	right.n = copy(right.cells[:], l.cells[half:])
	clear(l.cells[half:])
	l.n = half
	if i <= half {
		l.insert(i, c)
	} else {
		right.insert(i-half, c)
	}
	return right, right.cells[0].first
}

// splitAt says where to split n entries of which the one at i is new: in the
// middle, but near the end when entries come in ascending order, so that
// nodes are left full then.
func splitAt(n, i int) int {
	if i >= n-1 {
		return n - n/8
	}
	return n / 2
}

// cutOff cuts a list at i and returns what was behind.
func cutOff[T any](list *[]T, i int) []T {
	behind := slices.Clone((*list)[i:])
	clear((*list)[i:])
	*list = (*list)[:i]
	return behind
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
	if d.keys == nil {
		return false
	}
	i := d.childAt(n)
	if d.kids != nil {
		if !d.kids[i].del(n) {
			return false
		}
		if k := max(min(i, len(d.kids)-2), 0); len(d.kids[i].keys) <= kidsMost/4 && k+1 < len(d.kids) && d.kids[k].absorb(d.kids[k+1], d.keys[k+1]) {
			d.kids = slices.Delete(d.kids, k+1, k+2)
			d.keys = slices.Delete(d.keys, k+1, k+2)
		}
		return true
	}
	l := d.leaves[i]
	at := l.at(n)
	if at == l.n || l.cells[at].first != n {
		return false
	}
	l.delete(at)
	if k := max(min(i, len(d.leaves)-2), 0); l.n <= leafMost/4 && k+1 < len(d.leaves) && d.leaves[k].absorb(d.leaves[k+1]) {
		d.leaves = slices.Delete(d.leaves, k+1, k+2)
		d.keys = slices.Delete(d.keys, k+1, k+2)
	}
	return true
}

// absorb moves all of right, whose lowest address is key, into d if both
// together are half full at most.
func (d *node) absorb(right *node, key number) bool {
	if len(d.keys)+len(right.keys) > kidsMost/2 {
		return false
	}
	right.keys[0] = key
	d.keys = append(d.keys, right.keys...)
	d.kids = append(d.kids, right.kids...)
	d.leaves = append(d.leaves, right.leaves...)
	return true
}

// absorb moves all cells of right into l if both together are half full at
// most, or one is empty.
func (l *leaf) absorb(right *leaf) bool {
	if l.n+right.n > leafMost/2 && l.n > 0 && right.n > 0 {
		return false
	}
	l.n += copy(l.cells[l.n:], right.cells[:right.n])
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
