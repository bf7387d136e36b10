// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"iter"
)

// listMost is how many cells are looked at under one lock.
const listMost = 256

// Leases implements [Lister]. They come in the order of their lowest
// addresses. The lock is not held while the caller looks at a lease: one that
// is granted or released meanwhile may or may not be seen.
func (p *Pool) Leases(ctx context.Context, f Filter) iter.Seq2[Lease, error] {
	return func(yield func(Lease, error) bool) {
		var batch []Lease
		for next, more := (number{}), true; more; {
			if err := ctx.Err(); err != nil {
				yield(Lease{}, err)
				return
			}
			batch, next, more = p.listSome(ctx, f, batch[:0], next)
			for _, l := range batch {
				if !yield(l, nil) {
					return
				}
			}
		}
	}
}

// listSome appends leases whose lowest address is from or higher to batch,
// and says where to go on, if there is more.
func (p *Pool) listSome(ctx context.Context, f Filter, batch []Lease, from number) (_ []Lease, next number, more bool) {
	now, _ := p.begin()
	defer p.mu.Unlock()
	n := 0
	for c := range p.t.cellsIn(span{from, number{Hi: 1<<64 - 1, Lo: 1<<64 - 1}}) {
		if n++; n > listMost {
			return batch, c.first, true
		}
		for i := range c.len() {
			if r := c.at(i); r.span.first == c.first && r.live(now) && p.may(ctx, r) {
				if l := r.lease(); f.Match(l) {
					batch = append(batch, l)
				}
			}
		}
	}
	return batch, number{}, false
}
