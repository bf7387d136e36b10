// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"fmt"

	"github.com/mcastalloc/malloc/scope"
)

// consistent checks what the structures of a table have to say about each
// other.
func (t *table) consistent() error {
	seen := map[*record]int{}
	last := number{}
	n := 0
	for c := range t.cellsIn(span{number{}, number{Hi: ^uint64(0), Lo: ^uint64(0)}}) {
		n++
		if c.last.Less(c.first) || c.first.Cmp(last) <= 0 {
			return fmt.Errorf("cell %v-%v after %v", addrOf(c.first), addrOf(c.last), addrOf(last))
		}
		last = c.last
		if c.len() == 0 || c.rec == nil {
			return fmt.Errorf("cell %v is empty", addrOf(c.first))
		}
		for i := range c.len() {
			seen[c.at(i)] += c.size()
			if i > 0 && c.at(i).start < c.at(i-1).start {
				return fmt.Errorf("cell %v is not in order", addrOf(c.first))
			}
		}
		for _, z := range t.zones {
			for _, src := range z.sources {
				if src.free.Overlaps(c.toRange()) {
					return fmt.Errorf("cell %v is free too", addrOf(c.first))
				}
			}
		}
	}
	if n != t.cells.n {
		return fmt.Errorf("%d cells counted as %d", n, t.cells.n)
	}
	records, gaps := 0, 0
	for _, z := range t.zones {
		records += len(z.queue)
		for i, q := range z.queue {
			r := q.rec
			if int(r.slot) != i || i > 0 && z.queue[(i-1)/4].gone > q.gone || q.gone != r.gone {
				return fmt.Errorf("queue is out of order at %d", i)
			}
			if seen[r] != r.count() {
				return fmt.Errorf("a record of %d addresses has %d in cells", r.count(), seen[r])
			}
			if g := z.gaps.of[r]; g != nil {
				gaps++
				if g.from != t.gapBefore(r) || g.to != r.start || g.rec != r {
					return fmt.Errorf("gap %v..%v before %v, want from %v", g.from, g.to, r.start, t.gapBefore(r))
				}
			}
		}
		gaps -= z.gaps.root.count()
		for _, src := range z.sources {
			open := src.free.Set()
			for _, r := range src.rested.runs[src.rested.head:] {
				one, _ := scope.SetOf(r.toRange())
				open, _ = open.Union(one)
			}
			for _, r := range src.ranges {
				for c := range t.cellsIn(r) {
					one, _ := scope.SetOf(c.clip(r).toRange())
					open, _ = open.Union(one)
				}
			}
			if !open.Equal(src.addrs) {
				return fmt.Errorf("free, rested and taken are %v, want %v", open, src.addrs)
			}
		}
	}
	if len(seen) != records || gaps != 0 {
		return fmt.Errorf("%d records in cells, %d in queues, %d gaps too many", len(seen), records, gaps)
	}
	return nil
}

func (n *gap) count() int {
	if n == nil {
		return 0
	}
	return 1 + n.left.count() + n.right.count()
}
