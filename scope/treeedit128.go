// SPDX-License-Identifier: BSD-3-Clause

// Code generated from treeedit32.go by gentree.go. DO NOT EDIT.

package scope

// How a tree128 grows and shrinks: full nodes split in two, nearly empty ones
// join a neighbour.

// insert puts r before the span i of l. The sums above l include it already.
func (t *tree128) insert(l *leaf128, i int, r span128) {
	t.spans++
	t.raise(l, r)
	if l.dense {
		t.insertDense(l, r)
		return
	}
	if l.n < leafCap {
		l.insert(i, r)
		return
	}
	if from := windowOf128(l.r[0].first); from == windowOf128(l.r[leafCap-1].last) && from == windowOf128(r.first) && from == windowOf128(r.last) {
		l.makeDense(from)
		t.insertDense(l, r)
		return
	}
	// Cut in the middle; but if spans come in ascending order, leave full
	// leaves behind.
	right, keep := t.newLeaf(), leafCap/2+1
	if i == leafCap {
		keep = leafCap
	}
	right.n = uint16(copy(right.r[:], l.r[keep:leafCap]))
	for k := keep; k < leafCap; k++ {
		l.r[k] = noSpan128
	}
	l.n = uint16(keep)
	if i < keep {
		l.insert(i, r)
	} else {
		right.insert(i-keep, r)
	}
	right.lo, right.hi = right.r[0].first, l.hi
	l.hi = prev128(right.lo)
	t.linkLeaf(l, right)
}

// linkLeaf makes the new leaf right the next one after l.
func (t *tree128) linkLeaf(l, right *leaf128) {
	t.link(l, right)
	t.leaves++
	if 2*t.leaves > len(t.hints) {
		t.rehint()
	}
}

func (l *leaf128) insert(i int, r span128) {
	copy(l.r[i+1:l.n+1], l.r[i:l.n])
	l.r[i] = r
	l.n++
}

// delete takes the span i out of l. The sums above l are without it already.
func (t *tree128) delete(l *leaf128, i int) {
	t.spans--
	copy(l.r[i:l.n], l.r[i+1:l.n+1]) // the span after the last is padding
	l.n--
	if l.n < sparse && l.parent != nil {
		t.shrink(l)
	}
}

// shrink joins l with a neighbour if both are small, and dissolves it if it is
// empty.
func (t *tree128) shrink(l *leaf128) {
	p, i := l.parent, int(l.pos)
	switch {
	case i+1 < int(p.n) && l.goesWith(p.leaf[i+1]):
		t.merge(l, p.leaf[i+1])
	case i > 0 && l.goesWith(p.leaf[i-1]):
		t.merge(p.leaf[i-1], l)
	case l.n == 0:
		// The only child: a leaf elsewhere takes over its numbers.
		if left := l.prev(); left != nil {
			left.hi = l.hi
		} else {
			l.next().setLo(l.lo)
		}
		t.unlink(p, i)
		t.release(l)
	}
}

// goesWith reports whether l, which is a list, and a neighbour make one leaf.
func (l *leaf128) goesWith(k *leaf128) bool {
	return l.n == 0 || !k.dense && l.n+k.n <= joined
}

// merge moves the spans of right to l, its left neighbour under one parent.
func (t *tree128) merge(l, right *leaf128) {
	if right.dense { // then l is empty
		l.r, l.dense, l.from = right.r, true, right.from
	} else {
		copy(l.r[l.n&low5:], right.r[:right.n])
	}
	l.n += right.n
	l.hi = right.hi
	t.refresh(l.parent, int(l.pos))
	t.unlink(l.parent, int(right.pos))
	t.release(right)
}

// link makes right the next child after l of l's parent.
func (t *tree128) link(l, right *leaf128) {
	if l.parent == nil {
		t.top, t.only = t.newInner(false), nil
		t.top.n = 1
		t.top.leaf[0] = l
		t.top.lo[0] = l.lo
		l.bound = min128 // the parent has none yet
		l.parent, l.pos = t.top, 0
	} else if l.parent.n == innerCap {
		t.split(l.parent)
	}
	p, i := l.parent, int(l.pos)
	p.open(i + 1)
	p.leaf[i+1], p.lo[i+1] = right, right.lo
	p.place(i + 1)
	t.refresh(p, i)
	t.refresh(p, i+1)
}

// split moves the upper half of the children of a full node to a new one.
func (t *tree128) split(p *inner128) {
	right := t.newInner(p.kid != nil)
	if p.parent == nil {
		t.top = t.newInner(true)
		t.top.n = 1
		t.top.kid[0] = p
		t.top.lo[0] = p.lo[0]
		p.parent, p.pos = t.top, 0
	} else if p.parent.n == innerCap {
		t.split(p.parent)
	}
	right.move(p, innerCap/2)
	g, i := p.parent, int(p.pos)
	g.open(i + 1)
	g.kid[i+1], g.lo[i+1] = right, right.lo[0]
	g.place(i + 1)
	t.refresh(g, i)
	t.refresh(g, i+1)
}

// unlink removes the child i of p.
func (t *tree128) unlink(p *inner128, i int) {
	p.close(i)
	if p.n == 0 {
		// p has no siblings either only if it is the top, which keeps at
		// least one child: its last leaf is never dissolved.
		g, k := p.parent, int(p.pos)
		t.releaseInner(p)
		t.unlink(g, k)
		return
	}
	if i == 0 {
		for q := p; q.parent != nil; q = q.parent {
			q.parent.lo[q.pos] = q.lo[0]
			if q.pos > 0 {
				break
			}
		}
	}
	g, k := p.parent, int(p.pos)
	switch {
	case g == nil:
		t.lower()
	case p.n >= sparse:
	case k+1 < int(g.n) && p.n+g.kid[k+1].n <= joined:
		t.mergeInner(p, g.kid[k+1])
	case k > 0 && p.n+g.kid[k-1].n <= joined:
		t.mergeInner(g.kid[k-1], p)
	}
}

// mergeInner moves the children of right to p, its left neighbour.
func (t *tree128) mergeInner(p, right *inner128) {
	p.move(right, 0)
	g, k := p.parent, int(p.pos)
	t.refresh(g, k)
	t.releaseInner(right)
	t.unlink(g, k+1)
}

// lower takes away tops with a single child.
func (t *tree128) lower() {
	for t.top != nil && t.top.n == 1 {
		old := t.top
		if old.kid != nil {
			t.top = old.kid[0]
			t.top.parent = nil
		} else {
			t.top, t.only = nil, old.leaf[0]
			t.only.parent = nil
		}
		t.releaseInner(old)
	}
}

// open makes room for a child i.
func (p *inner128) open(i int) {
	n := int(p.n)
	copy(p.lo[i+1:n+1], p.lo[i:n])
	copy(p.bound[i+1:n+1], p.bound[i:n])
	copy(p.sum[i+1:n+1], p.sum[i:n])
	for _, b := range p.blocks {
		copy(b[i+1:n+1], b[i:n])
	}
	if p.kid != nil {
		copy(p.kid[i+1:n+1], p.kid[i:n])
	} else {
		copy(p.leaf[i+1:n+1], p.leaf[i:n])
	}
	p.n++
	for k := i + 1; k <= n; k++ {
		p.place(k)
	}
}

// close forgets the child i.
func (p *inner128) close(i int) {
	n := int(p.n)
	copy(p.lo[i:n-1], p.lo[i+1:n])
	copy(p.bound[i:n-1], p.bound[i+1:n])
	copy(p.sum[i:n-1], p.sum[i+1:n])
	for _, b := range p.blocks {
		copy(b[i:n-1], b[i+1:n])
	}
	if p.kid != nil {
		copy(p.kid[i:n-1], p.kid[i+1:n])
		p.kid[n-1] = nil
	} else {
		copy(p.leaf[i:n-1], p.leaf[i+1:n])
		p.leaf[n-1] = nil
	}
	p.n--
	p.lo[n-1] = max128
	for k := i; k < n-1; k++ {
		p.place(k)
	}
}

// move appends the children of q from i on to those of p.
func (p *inner128) move(q *inner128, i int) {
	n := int(p.n)
	for k := i; k < int(q.n); k, n = k+1, n+1 {
		p.lo[n], p.bound[n], p.sum[n], p.leaf[n] = q.lo[k], q.bound[k], q.sum[k], q.leaf[k]
		for b := range q.blocks {
			p.blocks[b][n] = q.blocks[b][k]
		}
		if q.kid != nil {
			p.kid[n], q.kid[k] = q.kid[k], nil
		}
		q.lo[k], q.leaf[k] = max128, nil
		p.place(n)
	}
	p.n, q.n = uint16(n), uint16(i)
}

// place tells the child i where it is.
func (p *inner128) place(i int) {
	if p.kid != nil {
		p.kid[i].parent, p.kid[i].pos = p, uint16(i)
	} else {
		p.leaf[i].parent, p.leaf[i].pos = p, uint16(i)
	}
}

// refresh computes what p knows about its child i.
func (t *tree128) refresh(p *inner128, i int) {
	if p.kid != nil {
		c := p.kid[i]
		p.bound[i], p.sum[i] = c.totals()
		for b := range p.blocks {
			p.blocks[b][i] = sumOf128(c.blocks[b][:c.n])
		}
		return
	}
	l := p.leaf[i]
	p.bound[i], p.sum[i] = l.totals()
	l.bound = p.bound[i]
	for b, host := range t.hosts {
		p.blocks[b][i] = l.aligned(host)
	}
}

func (p *inner128) totals() (bound key128, sum sum128) {
	for i := range p.n {
		if lt128(bound, p.bound[i]) {
			bound = p.bound[i]
		}
	}
	return bound, sumOf128(p.sum[:p.n])
}

func (l *leaf128) totals() (bound key128, sum sum128) {
	for r := range l.spans {
		if length := sub128(r.last, r.first); lt128(bound, length) {
			bound = length
		}
		sum = plus128(sum, count128(r.first, r.last))
	}
	return bound, sum
}

// aligned returns the number of aligned blocks of 2^host numbers in l.
func (l *leaf128) aligned(host int) (sum sum128) {
	for r := range l.spans {
		_, n := aligned128(r, host)
		sum = plus128(sum, n)
	}
	return sum
}

func sumOf128(s []sum128) (sum sum128) {
	for _, n := range s {
		sum = plus128(sum, n)
	}
	return sum
}

func (t *tree128) newLeaf() *leaf128 {
	if n := len(t.freeLeaves); n > 0 {
		l := t.freeLeaves[n-1]
		t.freeLeaves = t.freeLeaves[:n-1]
		return l
	}
	l := &leaf128{}
	for i := range l.r {
		l.r[i] = noSpan128
	}
	return l
}

// release keeps an unlinked leaf for later. No hint finds it any more: it
// answers for nothing.
func (t *tree128) release(l *leaf128) {
	for i := range l.r {
		l.r[i] = noSpan128
	}
	l.parent, l.n, l.lo, l.hi, l.bound, l.dense = nil, 0, max128, min128, min128, false
	t.leaves--
	t.freeLeaves = append(t.freeLeaves, l)
	for n := len(t.freeLeaves); n > t.leaves+sparse; n-- { // memory stays in proportion
		t.freeLeaves[n-1] = nil
		t.freeLeaves = t.freeLeaves[:n-1]
	}
}

// newInner returns an empty node, with room for inner children if it is an
// upper one.
func (t *tree128) newInner(upper bool) *inner128 {
	free := &t.freeInners
	if upper {
		free = &t.freeUppers
	}
	var p *inner128
	if n := len(*free); n > 0 {
		p, *free = (*free)[n-1], (*free)[:n-1]
	} else {
		p = &inner128{}
		for i := range p.lo {
			p.lo[i] = max128
		}
		if upper {
			p.kid = new([innerCap]*inner128)
		}
	}
	for len(p.blocks) < len(t.hosts) {
		p.blocks = append(p.blocks, new([innerCap]sum128))
	}
	return p
}

func (t *tree128) releaseInner(p *inner128) {
	for p.n > 0 {
		p.n--
		p.lo[p.n], p.leaf[p.n] = max128, nil
		if p.kid != nil {
			p.kid[p.n] = nil
		}
	}
	p.parent = nil
	if p.kid != nil {
		t.freeUppers = append(t.freeUppers, p)
	} else if len(t.freeInners) <= t.leaves/sparse {
		t.freeInners = append(t.freeInners, p)
	}
}
