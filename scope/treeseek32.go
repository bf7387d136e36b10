// SPDX-License-Identifier: BSD-3-Clause

package scope

// How a tree32 finds the leaf that answers for a number, and the place in it.

// rank returns the number of spans that end before x: the index of the first
// one that may hold x. It counts first fours and then ones; the comparisons of
// a step do not wait for each other, and none is a branch to be mispredicted.
func (l *leaf32) rank(x key32) int {
	i := 4 * (below32(l.r[3].last, x) + below32(l.r[7].last, x) + below32(l.r[11].last, x) + below32(l.r[15].last, x) +
		below32(l.r[19].last, x) + below32(l.r[23].last, x) + below32(l.r[27].last, x))
	return i + below32(l.r[i&low5].last, x) + below32(l.r[(i+1)&low5].last, x) + below32(l.r[(i+2)&low5].last, x)
}

// find returns the index of the child that answers for x, as rank does.
func (p *inner32) find(x key32) int {
	lo := &p.lo
	i := 4 * (7 - below32(x, lo[4]) - below32(x, lo[8]) - below32(x, lo[12]) - below32(x, lo[16]) -
		below32(x, lo[20]) - below32(x, lo[24]) - below32(x, lo[28]))
	i += 3 - below32(x, lo[(i+1)&low5]) - below32(x, lo[(i+2)&low5]) - below32(x, lo[(i+3)&low5])
	return min(i, int(p.n)-1)
}

// leafOf returns the leaf that answers for x.
func (t *tree32) leafOf(x key32) *leaf32 {
	if len(t.hints) > 0 {
		if l := t.hints[t.hint(x)]; l != nil && !lt32(x, l.lo) && !lt32(l.hi, x) {
			return l
		}
	}
	return t.descend(x)
}

// leafToEdit is leafOf for operations that change the tree anyway: it also
// learns hints.
func (t *tree32) leafToEdit(x key32) *leaf32 {
	if len(t.hints) == 0 {
		return t.descend(x)
	}
	i := t.hint(x)
	l := t.hints[i]
	if l == nil || lt32(x, l.lo) || lt32(l.hi, x) {
		l = t.descend(x)
		t.hints[i] = l
	}
	return l
}

// hint returns which hint is for x. Those at the ends are for all numbers
// further out too.
func (t *tree32) hint(x key32) uint64 {
	if lt32(x, t.hintFirst) {
		return 0
	}
	return min(hint32(sub32(x, t.hintFirst), t.hintShift), uint64(len(t.hints)-1))
}

func (t *tree32) descend(x key32) *leaf32 {
	p := t.top
	if p == nil {
		return t.only
	}
	for p.kid != nil {
		p = p.kid[p.find(x)&low5]
	}
	return p.leaf[p.find(x)&low5]
}

// rehint makes a table with four to eight hints for each leaf.
func (t *tree32) rehint() {
	size := 2
	for size < 4*t.leaves {
		size *= 2
	}
	l := t.descend(min32)
	first, _ := t.ceiling(min32)
	t.hintFirst = first.first
	last := t.hintFirst
	for r := range t.descend(max32).spans {
		last = r.last
	}
	t.hintShift = max(0, bitLen32(sub32(last, t.hintFirst))-bitLen32(keyOf32(size-1)))
	t.hints = make([]*leaf32, size)
	for i := range t.hints {
		x := add32(t.hintFirst, hintKey32(uint64(i), t.hintShift))
		for l != nil && lt32(l.hi, x) {
			l = l.next()
		}
		if l == nil || lt32(x, t.hintFirst) {
			return // the table reaches past the end of the numbers
		}
		t.hints[i] = l
	}
}
