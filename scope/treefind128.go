// SPDX-License-Identifier: BSD-3-Clause

// Code generated from treefind32.go by gentree.go. DO NOT EDIT.

package scope

import "slices"

// What a tree128 can find: the n-th free number, the n-th free aligned block,
// the first and the tightest span that are long enough.

// at returns the n-th number, which must exist.
func (t *tree128) at(n sum128) key128 {
	l := t.only
	for p := t.top; p != nil; {
		i := 0
		for !less128(n, p.sum[i&low5]) {
			n = minus128(n, p.sum[i&low5])
			i++
		}
		if p.kid == nil {
			l = p.leaf[i&low5]
			break
		}
		p = p.kid[i&low5]
	}
	if l.dense {
		return l.atDense(int(lowBits128(n)))
	}
	for i := 0; ; i++ {
		r := l.r[i]
		if !lt128(sub128(r.last, r.first), low128(n)) {
			return add128(r.first, low128(n))
		}
		n = minus128(n, count128(r.first, r.last))
	}
}

// below returns how many free numbers are below x.
func (t *tree128) below(x key128) sum128 {
	l := t.leafOf(x)
	var n sum128
	if l.dense {
		n = sumOfBits128(l.belowDense(x))
	} else {
		n = l.below(x)
	}
	i := int(l.pos)
	for p := l.parent; p != nil; p = p.parent {
		n = plus128(n, sumOf128(p.sum[:i]))
		i = int(p.pos)
	}
	return n
}

func (l *leaf128) below(x key128) (n sum128) {
	for _, r := range l.r[:l.n] {
		if !lt128(r.first, x) {
			break
		}
		if !lt128(r.last, x) {
			n = plus128(n, count128(r.first, prev128(x)))
			break
		}
		n = plus128(n, count128(r.first, r.last))
	}
	return n
}

// track returns which of t.hosts the block size is, and makes the tree count
// blocks of that size from now on.
func (t *tree128) track(host int) int {
	if k := slices.Index(t.hosts, host); k >= 0 {
		return k
	}
	t.hosts = append(t.hosts, host)
	k := len(t.hosts) - 1
	if t.top == nil {
		t.blocks = append(t.blocks, t.only.aligned(host))
	} else {
		t.blocks = append(t.blocks, t.countBelow(t.top, host, k))
	}
	return k
}

func (t *tree128) countBelow(p *inner128, host, k int) sum128 {
	for len(p.blocks) <= k {
		p.blocks = append(p.blocks, new([innerCap]sum128))
	}
	for i := range p.n {
		if p.kid != nil {
			p.blocks[k][i] = t.countBelow(p.kid[i], host, k)
		} else {
			p.blocks[k][i] = p.leaf[i].aligned(host)
		}
	}
	return sumOf128(p.blocks[k][:p.n])
}

// countBlocks returns the number of free aligned blocks of 2^host numbers.
func (t *tree128) countBlocks(host int) sum128 { return t.blocks[t.track(host)] }

// nthBlock returns the first number of the n-th free aligned block of 2^host
// numbers, which must exist.
func (t *tree128) nthBlock(host int, n sum128) key128 {
	k := t.track(host)
	l := t.only
	for p := t.top; p != nil; {
		blocks, i := p.blocks[k], 0
		for !less128(n, blocks[i&low5]) {
			n = minus128(n, blocks[i&low5])
			i++
		}
		if p.kid == nil {
			l = p.leaf[i&low5]
			break
		}
		p = p.kid[i&low5]
	}
	for r := range l.spans {
		first, c := aligned128(r, host)
		if less128(n, c) {
			return times128(plus128(first, n), host)
		}
		n = minus128(n, c)
	}
	panic("scope: block counts are wrong")
}

// count and uncount keep the block counts and the sizes right when a span
// comes into or goes out of l.

func (t *tree128) count(l *leaf128, r span128) {
	if t.sizes != nil {
		t.sizes.put(sub128(r.last, r.first), r.first)
	}
	for k, host := range t.hosts {
		_, n := aligned128(r, host)
		t.addBlocks(l, k, n)
	}
}

func (t *tree128) uncount(l *leaf128, r span128) {
	if t.sizes != nil {
		t.sizes.drop(sub128(r.last, r.first), r.first)
	}
	for k, host := range t.hosts {
		_, n := aligned128(r, host)
		t.addBlocks(l, k, minus128(zero128, n))
	}
}

func (t *tree128) addBlocks(l *leaf128, k int, n sum128) {
	t.blocks[k] = plus128(t.blocks[k], n)
	i := l.pos
	for p := l.parent; p != nil; p = p.parent {
		p.blocks[k][i] = plus128(p.blocks[k][i], n)
		i = p.pos
	}
}

// A fit is a span found to be long enough.
type fit128 struct {
	l     *leaf128
	i     int // its index in l, if l is a list
	first key128
}

// firstFit returns the first span whose last-first is length or more. The
// bounds it finds too high it lowers: a span that is cut leaves them as they
// are, so every miss here pays for a cut.
func (t *tree128) firstFit(length key128) (fit128, bool) {
	if length == min128 || t.top == nil { // any span will do
		l := t.only
		for p := t.top; p != nil; {
			if p.kid == nil {
				l = p.leaf[0]
				break
			}
			p = p.kid[0]
		}
		return l.firstFit(length)
	}
	return t.top.firstFit(length)
}

func (p *inner128) firstFit(length key128) (fit128, bool) {
	for i := range p.n {
		if lt128(p.bound[i], length) {
			continue
		}
		if p.kid != nil {
			if f, ok := p.kid[i].firstFit(length); ok {
				return f, true
			}
			p.bound[i], _ = p.kid[i].totals()
		} else {
			if f, ok := p.leaf[i].firstFit(length); ok {
				return f, true
			}
			p.bound[i], _ = p.leaf[i].totals()
			p.leaf[i].bound = p.bound[i]
		}
	}
	return fit128{}, false
}

func (l *leaf128) firstFit(length key128) (fit128, bool) {
	if !l.dense {
		for i := range l.n {
			if r := l.r[i&low5]; !lt128(sub128(r.last, r.first), length) {
				return fit128{l, int(i), r.first}, true
			}
		}
		return fit128{}, false
	}
	for r := range l.spans {
		if !lt128(sub128(r.last, r.first), length) {
			return fit128{l, 0, r.first}, true
		}
	}
	return fit128{}, false
}

// takeFirst removes as many numbers from where firstFit finds them.
func (t *tree128) takeFirst(length key128) (key128, bool) {
	f, ok := t.firstFit(length)
	if ok {
		t.cut(f.l, f.i, f.first, add128(f.first, length))
	}
	return f.first, ok
}

// bestFit returns the first number of the shortest span whose last-first is
// length or more, the lowest one among equals. The first call builds an index
// by size, which is kept from then on.
func (t *tree128) bestFit(length key128) (key128, bool) {
	if t.sizes == nil {
		t.sizes = newSizes128()
		for r := range t.all {
			t.sizes.put(sub128(r.last, r.first), r.first)
		}
	}
	return t.sizes.best(length)
}

// all yields the spans in ascending order. The tree may change meanwhile.
func (t *tree128) all(yield func(span128) bool) {
	x := min128
	for {
		r, ok := t.ceiling(x)
		if !ok || !yield(r) || r.last == max128 {
			return
		}
		x = next128(r.last)
	}
}

// build makes a tree of ascending spans that neither overlap nor touch.
func buildTree128(n int, at func(i int) span128) *tree128 {
	t := &tree128{spans: n}
	var leaves []*leaf128
	for i := 0; i < n || i == 0; {
		l := t.newLeaf()
		for ; i < n && l.n < filled; i++ {
			l.r[l.n] = at(i)
			l.n++
			t.total = plus128(t.total, count128(l.r[l.n-1].first, l.r[l.n-1].last))
		}
		lo := l.r[0].first
		if from := windowOf128(lo); l.n == filled && from == windowOf128(l.r[filled-1].last) {
			l.makeDense(from)
			for ; i < n; i++ {
				r := at(i)
				a, b, ok := l.offsets(r.first, r.last)
				if !ok {
					break
				}
				l.flip(a, b)
				l.n++
				t.total = plus128(t.total, count128(r.first, r.last))
			}
		}
		l.hi = max128
		if len(leaves) > 0 {
			l.lo = lo
			leaves[len(leaves)-1].hi = prev128(l.lo)
		}
		leaves = append(leaves, l)
		if n == 0 {
			break
		}
	}
	t.leaves = len(leaves)
	if len(leaves) == 1 {
		t.only = leaves[0]
		return t
	}
	var level []*inner128
	for part := range slices.Chunk(leaves, filled) {
		p := t.newInner(false)
		for i, l := range part {
			p.leaf[i], p.lo[i] = l, l.lo
		}
		level = append(level, t.filledWith(p, len(part)))
	}
	for len(level) > 1 {
		var above []*inner128
		for part := range slices.Chunk(level, filled) {
			p := t.newInner(true)
			for i, c := range part {
				p.kid[i], p.lo[i] = c, c.lo[0]
			}
			above = append(above, t.filledWith(p, len(part)))
		}
		level = above
	}
	t.top = level[0]
	t.lower() // a last part of one child
	t.rehint()
	return t
}

func (t *tree128) filledWith(p *inner128, n int) *inner128 {
	p.n = uint16(n)
	for i := range n {
		p.place(i)
		t.refresh(p, i)
	}
	return p
}
