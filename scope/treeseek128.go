// SPDX-License-Identifier: BSD-3-Clause

// Code generated from treeseek32.go by gentree.go. DO NOT EDIT.

package scope

// How a tree128 finds the leaf that answers for a number, and the place in it.

// rank returns the number of spans that end before x: the index of the first
// one that may hold x. It counts first fours and then ones; the comparisons of
// a step do not wait for each other, and none is a branch to be mispredicted.
func (l *leaf128) rank(x key128) int {
	i := 4 * (below128(l.r[3].last, x) + below128(l.r[7].last, x) + below128(l.r[11].last, x) + below128(l.r[15].last, x) +
		below128(l.r[19].last, x) + below128(l.r[23].last, x) + below128(l.r[27].last, x))
	return i + below128(l.r[i&low5].last, x) + below128(l.r[(i+1)&low5].last, x) + below128(l.r[(i+2)&low5].last, x)
}

// find returns the index of the child that answers for x, as rank does.
func (p *inner128) find(x key128) int {
	lo := &p.lo
	i := 4 * (7 - below128(x, lo[4]) - below128(x, lo[8]) - below128(x, lo[12]) - below128(x, lo[16]) -
		below128(x, lo[20]) - below128(x, lo[24]) - below128(x, lo[28]))
	i += 3 - below128(x, lo[(i+1)&low5]) - below128(x, lo[(i+2)&low5]) - below128(x, lo[(i+3)&low5])
	return min(i, int(p.n)-1)
}

// leafOf returns the leaf that answers for x.
func (t *tree128) leafOf(x key128) *leaf128 {
	if len(t.hints) > 0 {
		if l := t.hints[t.hint(x)]; l != nil && !lt128(x, l.lo) && !lt128(l.hi, x) {
			return l
		}
	}
	return t.descend(x)
}

// leafToEdit is leafOf for operations that change the tree anyway: it also
// learns hints.
func (t *tree128) leafToEdit(x key128) *leaf128 {
	if len(t.hints) == 0 {
		return t.descend(x)
	}
	i := t.hint(x)
	l := t.hints[i]
	if l == nil || lt128(x, l.lo) || lt128(l.hi, x) {
		l = t.descend(x)
		t.hints[i] = l
	}
	return l
}

// hint returns which hint is for x. Those at the ends are for all numbers
// further out too.
func (t *tree128) hint(x key128) uint64 {
	if lt128(x, t.hintFirst) {
		return 0
	}
	return min(hint128(sub128(x, t.hintFirst), t.hintShift), uint64(len(t.hints)-1))
}

func (t *tree128) descend(x key128) *leaf128 {
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
func (t *tree128) rehint() {
	size := 2
	for size < 4*t.leaves {
		size *= 2
	}
	l := t.descend(min128)
	first, _ := t.ceiling(min128)
	t.hintFirst = first.first
	last := t.hintFirst
	for r := range t.descend(max128).spans {
		last = r.last
	}
	t.hintShift = max(0, bitLen128(sub128(last, t.hintFirst))-bitLen128(keyOf128(size-1)))
	t.hints = make([]*leaf128, size)
	for i := range t.hints {
		x := add128(t.hintFirst, hintKey128(uint64(i), t.hintShift))
		for l != nil && lt128(l.hi, x) {
			l = l.next()
		}
		if l == nil || lt128(x, t.hintFirst) {
			return // the table reaches past the end of the numbers
		}
		t.hints[i] = l
	}
}
