// SPDX-License-Identifier: BSD-3-Clause

// Code generated from dense32.go by gentree.go. DO NOT EDIT.

package scope

import "math/bits"

// Dense leaves of a tree128. Where there are so many spans that a bitmap takes
// less room than a list, a leaf is one: of the window of numbers that begins
// at from, a multiple of its size. The leaf may answer for more numbers than
// the window has, but then those outside are not free: a span that does not
// fit the window gets a leaf of its own.

// bit reports whether the number at an offset is free.
func (l *leaf128) bit(off int) bool { return l.word(off>>6)>>(off&63)&1 != 0 }

// allFree reports whether the numbers at a..b are free.
func (l *leaf128) allFree(a, b int) bool {
	for i := a >> 6; i <= b>>6; i++ {
		if m := part(i, a, b); l.word(i)&m != m {
			return false
		}
	}
	return true
}

// anyFree reports whether one of the numbers at a..b is free.
func (l *leaf128) anyFree(a, b int) bool {
	for i := a >> 6; i <= b>>6; i++ {
		if l.word(i)&part(i, a, b) != 0 {
			return true
		}
	}
	return false
}

// flip makes used numbers at a..b free and free ones used.
func (l *leaf128) flip(a, b int) {
	for i := a >> 6; i <= b>>6; i++ {
		l.setWord(i, l.word(i)^part(i, a, b))
	}
}

// nextFree returns the first free offset from off on, or the window's size.
func (l *leaf128) nextFree(off int) int {
	for i := off >> 6; i < words128; i++ {
		if w := l.word(i) & part(i, off, window128-1); w != 0 {
			return i<<6 + bits.TrailingZeros64(w)
		}
	}
	return window128
}

// nextUsed returns the first offset from off on that is not free, or the
// window's size.
func (l *leaf128) nextUsed(off int) int {
	for i := off >> 6; i < words128; i++ {
		if w := ^l.word(i) & part(i, off, window128-1); w != 0 {
			return i<<6 + bits.TrailingZeros64(w)
		}
	}
	return window128
}

// prevUsed returns the last offset below off that is not free, or -1.
func (l *leaf128) prevUsed(off int) int {
	if off == 0 {
		return -1
	}
	for i := (off - 1) >> 6; i >= 0; i-- {
		if w := ^l.word(i) & part(i, 0, off-1); w != 0 {
			return i<<6 + 63 - bits.LeadingZeros64(w)
		}
	}
	return -1
}

// number returns the number at an offset.
func (l *leaf128) number(off int) key128 { return add128(l.from, keyOf128(off)) }

// run returns the span around the free offset off.
func (l *leaf128) run(off int) span128 {
	return span128{l.number(l.prevUsed(off) + 1), l.number(l.nextUsed(off) - 1)}
}

// locateDense returns the first span that does not end before x.
func (l *leaf128) locateDense(x key128) (span128, bool) {
	off := 0
	if lt128(l.from, x) {
		var in bool
		if off, in = offset128(x, l.from); !in {
			return span128{}, false
		}
	}
	if off = l.nextFree(off); off == window128 {
		return span128{}, false
	}
	return l.run(off), true
}

// offsets returns the places of both ends of first..last, and whether the
// window has all of it.
func (l *leaf128) offsets(first, last key128) (a, b int, ok bool) {
	a, in := offset128(first, l.from)
	b, alsoIn := offset128(last, l.from)
	return a, b, in && alsoIn && a <= b
}

// cutDense removes the numbers at a..b, all of which are free.
func (t *tree128) cutDense(l *leaf128, a, b int) {
	first, last := l.number(a), l.number(b)
	t.addSum(l, neg128(first, last))
	left, right := a > 0 && l.bit(a-1), b < window128-1 && l.bit(b+1)
	if t.hosts != nil || t.sizes != nil {
		r := l.run(a)
		t.uncount(l, r)
		if left {
			t.count(l, span128{r.first, prev128(first)})
		}
		if right {
			t.count(l, span128{next128(last), r.last})
		}
	}
	l.flip(a, b)
	t.resize(l, left, right, -1)
	if l.n <= fewSpans {
		l.makeList()
		if l.n < sparse && l.parent != nil {
			t.shrink(l)
		}
	}
}

// addDense adds the numbers at a..b, none of which is free. Their neighbours
// are in the window too, unless the tree begins or ends there.
func (t *tree128) addDense(l *leaf128, a, b int) {
	t.addSum(l, count128(l.number(a), l.number(b)))
	left, right := a > 0 && l.bit(a-1), b < window128-1 && l.bit(b+1)
	if t.hosts != nil || t.sizes != nil {
		if left {
			t.uncount(l, l.run(a-1))
		}
		if right {
			t.uncount(l, l.run(b+1))
		}
	}
	l.flip(a, b)
	r := span128{l.number(a), l.number(b)}
	if left {
		r.first = l.number(l.prevUsed(a) + 1)
	}
	if right {
		r.last = l.number(l.nextUsed(b) - 1)
	}
	if t.hosts != nil || t.sizes != nil {
		t.count(l, r)
	}
	t.resize(l, left, right, 1)
	t.raise(l, r)
}

// resize counts the spans anew after one more or one less with these
// neighbours.
func (t *tree128) resize(l *leaf128, left, right bool, sign int) {
	n := sign
	if left {
		n -= sign
	}
	if right {
		n -= sign
	}
	l.n = uint16(int(l.n) + n)
	t.spans += n
}

// makeDense makes a bitmap of a list whose spans are in one window.
func (l *leaf128) makeDense(from key128) {
	list := l.r
	for i := range l.r {
		l.r[i] = span128{}
	}
	l.dense, l.from = true, from
	for _, r := range list[:l.n] {
		a, b, _ := l.offsets(r.first, r.last)
		l.flip(a, b)
	}
}

// makeList makes a list of a bitmap with few spans.
func (l *leaf128) makeList() {
	var list [fewSpans]span128
	i := 0
	for r := range l.spans {
		list[i] = r
		i++
	}
	l.dense = false
	for k := range l.r {
		l.r[k] = noSpan128
	}
	copy(l.r[:], list[:i])
}

// insertDense puts r, which touches no span, into the dense leaf l.
func (t *tree128) insertDense(l *leaf128, r span128) {
	if a, b, ok := l.offsets(r.first, r.last); ok {
		l.flip(a, b)
		l.n++
		return
	}
	right := t.newLeaf()
	if lt128(r.first, l.from) { // r goes to l and its content to the right
		right.r, right.n, right.dense, right.from = l.r, l.n, true, l.from
		for i := range l.r {
			l.r[i] = noSpan128
		}
		l.n, l.dense = 0, false
		l.insert(0, r)
		right.lo = next128(r.last)
	} else {
		right.insert(0, r)
		right.lo = r.first
	}
	right.hi = l.hi
	l.hi = prev128(right.lo)
	t.linkLeaf(l, right)
}

// countDense returns the number of free numbers.
func (l *leaf128) countDense() (n int) {
	for i := range words128 {
		n += bits.OnesCount64(l.word(i))
	}
	return n
}

// belowDense returns how many numbers below x are free.
func (l *leaf128) belowDense(x key128) (n int) {
	if !lt128(l.from, x) {
		return 0
	}
	off, in := offset128(x, l.from)
	if !in {
		return l.countDense()
	}
	for i := range off >> 6 {
		n += bits.OnesCount64(l.word(i))
	}
	return n + bits.OnesCount64(l.word(off>>6)&(1<<(off&63)-1))
}

// atDense returns the n-th free number.
func (l *leaf128) atDense(n int) key128 {
	for i := 0; ; i++ {
		w := l.word(i)
		if c := bits.OnesCount64(w); n >= c {
			n -= c
			continue
		}
		for range n {
			w &= w - 1
		}
		return l.number(i<<6 + bits.TrailingZeros64(w))
	}
}
