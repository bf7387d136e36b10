// SPDX-License-Identifier: BSD-3-Clause

package scope

import "slices"

// What a tree32 can find: the n-th free number, the n-th free aligned block,
// the first and the tightest span that are long enough.

// at returns the n-th number, which must exist.
func (t *tree32) at(n sum32) key32 {
	l := t.only
	for p := t.top; p != nil; {
		i := 0
		for !less32(n, p.sum[i&low5]) {
			n = minus32(n, p.sum[i&low5])
			i++
		}
		if p.kid == nil {
			l = p.leaf[i&low5]
			break
		}
		p = p.kid[i&low5]
	}
	if l.dense {
		return l.atDense(int(lowBits32(n)))
	}
	for i := 0; ; i++ {
		r := l.r[i]
		if !lt32(sub32(r.last, r.first), low32(n)) {
			return add32(r.first, low32(n))
		}
		n = minus32(n, count32(r.first, r.last))
	}
}

// below returns how many free numbers are below x.
func (t *tree32) below(x key32) sum32 {
	l := t.leafOf(x)
	var n sum32
	if l.dense {
		n = sumOfBits32(l.belowDense(x))
	} else {
		n = l.below(x)
	}
	i := int(l.pos)
	for p := l.parent; p != nil; p = p.parent {
		n = plus32(n, sumOf32(p.sum[:i]))
		i = int(p.pos)
	}
	return n
}

func (l *leaf32) below(x key32) (n sum32) {
	for _, r := range l.r[:l.n] {
		if !lt32(r.first, x) {
			break
		}
		if !lt32(r.last, x) {
			n = plus32(n, count32(r.first, prev32(x)))
			break
		}
		n = plus32(n, count32(r.first, r.last))
	}
	return n
}

// track returns which of t.hosts the block size is, and makes the tree count
// blocks of that size from now on.
func (t *tree32) track(host int) int {
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

func (t *tree32) countBelow(p *inner32, host, k int) sum32 {
	for len(p.blocks) <= k {
		p.blocks = append(p.blocks, new([innerCap]sum32))
	}
	for i := range p.n {
		if p.kid != nil {
			p.blocks[k][i] = t.countBelow(p.kid[i], host, k)
		} else {
			p.blocks[k][i] = p.leaf[i].aligned(host)
		}
	}
	return sumOf32(p.blocks[k][:p.n])
}

// countBlocks returns the number of free aligned blocks of 2^host numbers.
func (t *tree32) countBlocks(host int) sum32 { return t.blocks[t.track(host)] }

// nthBlock returns the first number of the n-th free aligned block of 2^host
// numbers, which must exist.
func (t *tree32) nthBlock(host int, n sum32) key32 {
	k := t.track(host)
	l := t.only
	for p := t.top; p != nil; {
		blocks, i := p.blocks[k], 0
		for !less32(n, blocks[i&low5]) {
			n = minus32(n, blocks[i&low5])
			i++
		}
		if p.kid == nil {
			l = p.leaf[i&low5]
			break
		}
		p = p.kid[i&low5]
	}
	for r := range l.spans {
		first, c := aligned32(r, host)
		if less32(n, c) {
			return times32(plus32(first, n), host)
		}
		n = minus32(n, c)
	}
	panic("scope: block counts are wrong")
}

// count and uncount keep the block counts and the sizes right when a span
// comes into or goes out of l.

func (t *tree32) count(l *leaf32, r span32) {
	if t.sizes != nil {
		t.sizes.put(sub32(r.last, r.first), r.first)
	}
	for k, host := range t.hosts {
		_, n := aligned32(r, host)
		t.addBlocks(l, k, n)
	}
}

func (t *tree32) uncount(l *leaf32, r span32) {
	if t.sizes != nil {
		t.sizes.drop(sub32(r.last, r.first), r.first)
	}
	for k, host := range t.hosts {
		_, n := aligned32(r, host)
		t.addBlocks(l, k, minus32(zero32, n))
	}
}

func (t *tree32) addBlocks(l *leaf32, k int, n sum32) {
	t.blocks[k] = plus32(t.blocks[k], n)
	i := l.pos
	for p := l.parent; p != nil; p = p.parent {
		p.blocks[k][i] = plus32(p.blocks[k][i], n)
		i = p.pos
	}
}

// A fit is a span found to be long enough.
type fit32 struct {
	l     *leaf32
	i     int // its index in l, if l is a list
	first key32
}

// firstFit returns the first span whose last-first is length or more. The
// bounds it finds too high it lowers: a span that is cut leaves them as they
// are, so every miss here pays for a cut.
func (t *tree32) firstFit(length key32) (fit32, bool) {
	if length == min32 || t.top == nil { // any span will do
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

func (p *inner32) firstFit(length key32) (fit32, bool) {
	for i := range p.n {
		if lt32(p.bound[i], length) {
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
	return fit32{}, false
}

func (l *leaf32) firstFit(length key32) (fit32, bool) {
	if !l.dense {
		for i := range l.n {
			if r := l.r[i&low5]; !lt32(sub32(r.last, r.first), length) {
				return fit32{l, int(i), r.first}, true
			}
		}
		return fit32{}, false
	}
	for r := range l.spans {
		if !lt32(sub32(r.last, r.first), length) {
			return fit32{l, 0, r.first}, true
		}
	}
	return fit32{}, false
}

// takeFirst removes as many numbers from where firstFit finds them.
func (t *tree32) takeFirst(length key32) (key32, bool) {
	f, ok := t.firstFit(length)
	if ok {
		t.cut(f.l, f.i, f.first, add32(f.first, length))
	}
	return f.first, ok
}

// bestFit returns the first number of the shortest span whose last-first is
// length or more, the lowest one among equals. The first call builds an index
// by size, which is kept from then on.
func (t *tree32) bestFit(length key32) (key32, bool) {
	if t.sizes == nil {
		t.sizes = newSizes32()
		for r := range t.all {
			t.sizes.put(sub32(r.last, r.first), r.first)
		}
	}
	return t.sizes.best(length)
}

// all yields the spans in ascending order. The tree may change meanwhile.
func (t *tree32) all(yield func(span32) bool) {
	x := min32
	for {
		r, ok := t.ceiling(x)
		if !ok || !yield(r) || r.last == max32 {
			return
		}
		x = next32(r.last)
	}
}

// build makes a tree of ascending spans that neither overlap nor touch.
func buildTree32(n int, at func(i int) span32) *tree32 {
	t := &tree32{spans: n}
	var leaves []*leaf32
	for i := 0; i < n || i == 0; {
		l := t.newLeaf()
		for ; i < n && l.n < filled; i++ {
			l.r[l.n] = at(i)
			l.n++
			t.total = plus32(t.total, count32(l.r[l.n-1].first, l.r[l.n-1].last))
		}
		lo := l.r[0].first
		if from := windowOf32(lo); l.n == filled && from == windowOf32(l.r[filled-1].last) {
			l.makeDense(from)
			for ; i < n; i++ {
				r := at(i)
				a, b, ok := l.offsets(r.first, r.last)
				if !ok {
					break
				}
				l.flip(a, b)
				l.n++
				t.total = plus32(t.total, count32(r.first, r.last))
			}
		}
		l.hi = max32
		if len(leaves) > 0 {
			l.lo = lo
			leaves[len(leaves)-1].hi = prev32(l.lo)
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
	var level []*inner32
	for part := range slices.Chunk(leaves, filled) {
		p := t.newInner(false)
		for i, l := range part {
			p.leaf[i], p.lo[i] = l, l.lo
		}
		level = append(level, t.filledWith(p, len(part)))
	}
	for len(level) > 1 {
		var above []*inner32
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

func (t *tree32) filledWith(p *inner32, n int) *inner32 {
	p.n = uint16(n)
	for i := range n {
		p.place(i)
		t.refresh(p, i)
	}
	return p
}
