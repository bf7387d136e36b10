// SPDX-License-Identifier: BSD-3-Clause

package scope

// A tree32 is a B+-tree of disjoint spans of numbers that do not touch: see
// tree.go.
//
// The leaves divide all numbers among themselves: each answers for the numbers
// from lo to hi, and every span lies wholly in one leaf. Inner nodes keep, for
// each child, the count of free numbers below it, an upper bound of the
// longest span, and for each prefix length asked about the count of free
// aligned blocks. Nodes know their parent and their place in it, so that an
// update walks up without a search; and a table of hints leads from a number
// to the leaf that probably answers for it, so that most operations need no
// walk down either.
type tree32 struct {
	top    *inner32 // nil if there is only one leaf
	only   *leaf32  // that leaf
	total  sum32
	spans  int // number of spans
	leaves int // number of leaves

	hosts  []int   // tracked block sizes, as numbers of host bits
	blocks []sum32 // as hosts: free aligned blocks
	sizes  *sizes32

	hints     []*leaf32
	hintFirst key32 // the number the first hint is for
	hintShift int   // a hint is for 1<<hintShift numbers

	freeLeaves []*leaf32
	freeInners []*inner32
	freeUppers []*inner32
}

type leaf32 struct {
	parent *inner32
	pos, n uint16
	lo, hi key32      // answers for these numbers, both included
	bound  key32      // not above what the parent has for this leaf
	dense  bool       // r is a bitmap: see dense32.go
	from   key32      // of what window
	r      [32]span32 // a list of n spans, padded with noSpan32
}

type inner32 struct {
	parent *inner32
	pos, n uint16
	lo     [innerCap]key32   // lowest number each child answers for; padded with the largest
	bound  [innerCap]key32   // no span of the child has a larger last-first
	sum    [innerCap]sum32   // free numbers of the child
	leaf   [innerCap]*leaf32 // the children of a node above leaves
	kid    *[innerCap]*inner32
	blocks []*[innerCap]sum32 // as tree32.hosts: free aligned blocks of each child
}

func newTree32() *tree32 {
	t := &tree32{}
	t.only = t.newLeaf()
	t.only.hi = max32
	t.leaves = 1
	return t
}

func (t *tree32) contains(x key32) bool {
	l := t.leafOf(x)
	if l.dense {
		off, in := offset32(x, l.from)
		return in && l.bit(off)
	}
	i := l.rank(x)
	return i < int(l.n) && !lt32(x, l.r[i&low5].first)
}

// covers reports whether first..last is free as a whole.
func (t *tree32) covers(first, last key32) bool {
	l := t.leafOf(first)
	if l.dense {
		a, b, ok := l.offsets(first, last)
		return ok && l.allFree(a, b)
	}
	i := l.rank(first)
	r := l.r[i&low5]
	return i < int(l.n) && !lt32(first, r.first) && !lt32(r.last, last)
}

// ceiling returns the first span that does not end before x.
func (t *tree32) ceiling(x key32) (span32, bool) {
	l := t.leafOf(x)
	_, r, ok := l.locate(x)
	if !ok {
		if l = l.next(); l == nil {
			return r, false
		}
		_, r, ok = l.locate(l.lo) // no leaf but an only one is empty
	}
	return r, ok
}

// locate returns the first span of l that does not end before x, its index if
// l is a list, and whether there is one.
func (l *leaf32) locate(x key32) (i int, r span32, ok bool) {
	if l.dense {
		r, ok = l.locateDense(x)
		return 0, r, ok
	}
	i = l.rank(x)
	return i, l.r[i&low5], i < int(l.n)
}

// spans yields the spans of l.
func (l *leaf32) spans(yield func(span32) bool) {
	if !l.dense {
		for _, r := range l.r[:l.n] {
			if !yield(r) {
				return
			}
		}
		return
	}
	for off := l.nextFree(0); off < window32; {
		end := l.nextUsed(off)
		if !yield(span32{l.number(off), l.number(end - 1)}) || end == window32 {
			return
		}
		off = l.nextFree(end)
	}
}

// next returns the leaf after l, nil if there is none.
func (l *leaf32) next() *leaf32 {
	p, i := l.parent, int(l.pos)
	for p != nil && i+1 == int(p.n) {
		p, i = p.parent, int(p.pos)
	}
	if p == nil {
		return nil
	}
	i++
	for p.kid != nil {
		p, i = p.kid[i], 0
	}
	return p.leaf[i]
}

// prev returns the leaf before l, nil if there is none.
func (l *leaf32) prev() *leaf32 {
	p, i := l.parent, int(l.pos)
	for p != nil && i == 0 {
		p, i = p.parent, int(p.pos)
	}
	if p == nil {
		return nil
	}
	i--
	for p.kid != nil {
		p = p.kid[i]
		i = int(p.n) - 1
	}
	return p.leaf[i]
}

// take removes first..last if it is free as a whole.
func (t *tree32) take(first, last key32) bool {
	l := t.leafToEdit(first)
	if l.dense {
		a, b, ok := l.offsets(first, last)
		if ok = ok && l.allFree(a, b); ok {
			t.cutDense(l, a, b)
		}
		return ok
	}
	i := l.rank(first)
	r := l.r[i&low5]
	if i == int(l.n) || lt32(first, r.first) || lt32(r.last, last) {
		return false
	}
	t.cut(l, i, first, last)
	return true
}

// remove removes what is free of first..last.
func (t *tree32) remove(first, last key32) {
	for {
		l := t.leafOf(first)
		i, r, ok := l.locate(first)
		if !ok {
			if l = l.next(); l == nil {
				return
			}
			i, r, ok = l.locate(l.lo)
		}
		if !ok || lt32(last, r.first) {
			return
		}
		if lt32(first, r.first) {
			first = r.first
		}
		if !lt32(r.last, last) {
			t.cut(l, i, first, last)
			return
		}
		t.cut(l, i, first, r.last)
		first = next32(r.last)
	}
}

// cut removes first..last from the span i of l, which holds it.
func (t *tree32) cut(l *leaf32, i int, first, last key32) {
	if l.dense {
		a, b, _ := l.offsets(first, last)
		t.cutDense(l, a, b)
		return
	}
	r := l.r[i&low5]
	t.addSum(l, neg32(first, last))
	left, right := r.first != first, r.last != last
	if t.hosts != nil || t.sizes != nil {
		t.uncount(l, r)
		if left {
			t.count(l, span32{r.first, prev32(first)})
		}
		if right {
			t.count(l, span32{next32(last), r.last})
		}
	}
	switch {
	case left && right:
		l.r[i&low5].last = prev32(first)
		t.insert(l, i+1, span32{next32(last), r.last})
	case left:
		l.r[i&low5].last = prev32(first)
	case right:
		l.r[i&low5].first = next32(last)
	default:
		t.delete(l, i)
	}
}

// add adds first..last, parts of which may be free already.
func (t *tree32) add(first, last key32) {
	l := t.leafToEdit(first)
	// The common case: nothing of it is free, and it and its neighbours lie
	// inside one leaf.
	if (lt32(l.lo, first) || first == min32) && (lt32(last, l.hi) || last == max32 && l.hi == max32) {
		if l.dense {
			if a, b, ok := l.offsets(first, last); ok && (a > 0 || first == min32) && (b < window32-1 || last == max32) && !l.anyFree(a, b) {
				t.addDense(l, a, b)
				return
			}
			t.addSlowly(first, last)
			return
		}
		i := l.rank(first)
		if i == int(l.n) || lt32(last, l.r[i].first) {
			joinsLeft := i > 0 && next32(l.r[i-1].last) == first
			joinsRight := i < int(l.n) && next32(last) == l.r[i].first
			t.join(l, i, first, last, joinsLeft, joinsRight)
			return
		}
	}
	t.addSlowly(first, last)
}

// join adds first..last, which is not free and fits before the span i of l,
// to its neighbours if it touches them.
func (t *tree32) join(l *leaf32, i int, first, last key32, joinsLeft, joinsRight bool) {
	t.addSum(l, count32(first, last))
	r := span32{first, last}
	if joinsLeft {
		r.first = l.r[i-1].first
	}
	if joinsRight {
		r.last = l.r[i].last
	}
	if t.hosts != nil || t.sizes != nil {
		if joinsLeft {
			t.uncount(l, l.r[i-1])
		}
		if joinsRight {
			t.uncount(l, l.r[i])
		}
		t.count(l, r)
	}
	switch {
	case joinsLeft && joinsRight:
		l.r[i-1] = r
		t.raise(l, r)
		t.delete(l, i)
		return
	case joinsLeft:
		l.r[i-1] = r
	case joinsRight:
		l.r[i] = r
	default:
		t.insert(l, i, r)
		return
	}
	t.raise(l, r)
}

// addSlowly is add for every case: it takes out the spans that first..last
// overlaps or touches and puts one span in their place.
func (t *tree32) addSlowly(first, last key32) {
	from, to := first, last
	if from != min32 {
		from = prev32(from)
	}
	if to != max32 {
		to = next32(to)
	}
	for {
		r, ok := t.ceiling(from)
		if !ok || lt32(to, r.first) {
			break
		}
		if lt32(r.first, first) {
			first = r.first
		}
		if lt32(last, r.last) {
			last = r.last
		}
		l := t.leafOf(r.first)
		i, _, _ := l.locate(r.first)
		t.cut(l, i, r.first, r.last)
	}
	l := t.leafOf(first)
	if lt32(l.hi, last) {
		// The span reaches past the numbers of l: l answers for them now. No
		// leaf is empty, so the next one starts below last and ends above.
		n := l.next()
		l.hi = last
		n.setLo(next32(last))
	}
	t.addSum(l, count32(first, last))
	if t.hosts != nil || t.sizes != nil {
		t.count(l, span32{first, last})
	}
	i := 0
	if !l.dense {
		i = l.rank(first)
	}
	t.insert(l, i, span32{first, last})
}

// setLo changes the lowest number that l answers for.
func (l *leaf32) setLo(lo key32) {
	l.lo = lo
	i := int(l.pos)
	for p := l.parent; p != nil; p = p.parent {
		p.lo[i] = lo
		if i > 0 {
			return
		}
		i = int(p.pos)
	}
}

// addSum adds d, modulo the width of a sum, to the counts above l.
func (t *tree32) addSum(l *leaf32, d sum32) {
	t.total = plus32(t.total, d)
	i := l.pos
	for p := l.parent; p != nil; p = p.parent {
		p.sum[i&low5] = plus32(p.sum[i&low5], d)
		i = p.pos
	}
}

// raise lifts the bounds above l to the length of r.
func (t *tree32) raise(l *leaf32, r span32) {
	length := sub32(r.last, r.first)
	if !lt32(l.bound, length) {
		return
	}
	l.bound = length
	i := l.pos
	for p := l.parent; p != nil && lt32(p.bound[i&low5], length); p = p.parent {
		p.bound[i&low5] = length
		i = p.pos
	}
}
