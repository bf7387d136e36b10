// SPDX-License-Identifier: BSD-3-Clause

// Code generated from treecheck32_test.go by gentree.go. DO NOT EDIT.

package scope

import (
	"fmt"
	"slices"
)

// invariants walks the whole tree and holds it against what it says of itself.
func (t *tree128) invariants() error {
	var err error
	fail := func(format string, args ...any) {
		if err == nil {
			err = fmt.Errorf(format, args...)
		}
	}
	next, leaves, spans := min128, 0, 0
	ended := false
	var last span128
	leaf := func(l *leaf128) (sum sum128, bound key128) {
		leaves++
		if l.lo != next || ended {
			fail("leaf answers from %v, want %v", l.lo, next)
		}
		if l.n == 0 && t.top != nil {
			fail("empty leaf")
		}
		if !l.dense {
			for i, r := range l.r[l.n:] {
				if r != noSpan128 {
					fail("slot %d after %d is %v", i, l.n, r)
				}
			}
		}
		n := 0
		for r := range l.spans {
			n++
			if l.dense && windowOf128(r.first) != l.from {
				fail("span %v in the window of %v", r, l.from)
			}
			if lt128(r.last, r.first) || lt128(r.first, l.lo) || lt128(l.hi, r.last) {
				fail("span %v in a leaf for %v-%v", r, l.lo, l.hi)
			}
			if spans > 0 && (!lt128(last.last, r.first) || next128(last.last) == r.first) {
				fail("span %v after %v", r, last)
			}
			last = r
			spans++
		}
		if n != int(l.n) {
			fail("%d spans, not %d", n, l.n)
		}
		next, ended = next128(l.hi), l.hi == max128
		bound, sum = l.totals()
		return sum, bound
	}
	var inner func(p *inner128) (sum sum128, bound key128, blocks []sum128)
	inner = func(p *inner128) (sum sum128, bound key128, blocks []sum128) {
		blocks = make([]sum128, len(t.hosts))
		for i := range innerCap {
			if i >= int(p.n) {
				if p.lo[i] != max128 || p.leaf[i] != nil || p.kid != nil && p.kid[i] != nil {
					fail("slot %d of %d is in use", i, p.n)
				}
				continue
			}
			if p.lo[i] != next {
				fail("child %d from %v, want %v", i, p.lo[i], next)
			}
			var n sum128
			var b key128
			var c []sum128
			if p.kid != nil {
				if p.kid[i].parent != p || int(p.kid[i].pos) != i {
					fail("lost child")
				}
				n, b, c = inner(p.kid[i])
			} else {
				l := p.leaf[i]
				if l.parent != p || int(l.pos) != i {
					fail("lost leaf")
				}
				if lt128(p.bound[i], l.bound) {
					fail("the leaf's bound %v is above %v", l.bound, p.bound[i])
				}
				n, b = leaf(l)
				for _, host := range t.hosts {
					c = append(c, l.aligned(host))
				}
			}
			if n != p.sum[i] {
				fail("sum %v, want %v", p.sum[i], n)
			}
			if lt128(p.bound[i], b) {
				fail("bound %v below %v", p.bound[i], b)
			}
			b = p.bound[i]
			for k := range t.hosts {
				if p.blocks[k][i] != c[k] {
					fail("blocks %v, want %v", p.blocks[k][i], c[k])
				}
				blocks[k] = plus128(blocks[k], c[k])
			}
			sum = plus128(sum, n)
			if lt128(bound, b) {
				bound = b
			}
		}
		return sum, bound, blocks
	}
	var sum sum128
	if t.top != nil {
		if t.top.parent != nil || t.only != nil || t.top.n < 2 {
			fail("bad top")
		}
		var blocks []sum128
		sum, _, blocks = inner(t.top)
		if !slices.Equal(blocks, t.blocks) {
			fail("blocks %v, want %v", t.blocks, blocks)
		}
	} else {
		sum, _ = leaf(t.only)
	}
	if sum != t.total || leaves != t.leaves || spans != t.spans || !ended {
		fail("total %v, %d leaves, %d spans; want %v, %d, %d", t.total, t.leaves, t.spans, sum, leaves, spans)
	}
	for _, l := range t.hints {
		if l != nil && !lt128(l.hi, l.lo) && t.descend(l.lo) != l {
			fail("a hint leads to a leaf that is not in the tree")
		}
	}
	return err
}
