// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"iter"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Usage says how full a source is at an instant. The sum of Free and of what
// is in use is Size.
type Usage struct {
	Scope      scope.ID
	Addrs      scope.Set // of the source
	ValidUntil time.Time // zero: for good
	Closed     bool

	Size     scope.Uint128 // addresses that may be granted at all
	Free     scope.Uint128 // nobody has them then
	Leased   scope.Uint128
	Offered  scope.Uint128
	Waiting  scope.Uint128 // reserved for who was told to try later
	Resting  scope.Uint128 // held down after a lease
	Excluded scope.Uint128 // used by others, see Pool.Exclude
}

// Usage reports on every source of a scope as it is at an instant, now or in
// the future, by what is known now. The pool is locked for short moments
// only, so on a busy pool the numbers are of slightly different times.
func (p *Pool) Usage(ctx context.Context, id scope.ID, at time.Time) ([]Usage, error) {
	p.mu.Lock()
	z := p.zoneOf[id]
	var list []Usage
	if z != nil {
		for _, src := range z.sources {
			u := Usage{Scope: id, Addrs: src.addrs, Closed: src.shut(), Size: src.addrs.Size()}
			if src.until != never {
				u.ValidUntil = src.until.time()
			}
			list = append(list, u)
		}
	}
	p.mu.Unlock()
	if z == nil {
		return nil, &Error{Op: "usage", Param: ParamScope, Got: id.String(), Want: "a scope that is served here", Err: ErrScope}
	}
	t := instantOf(at)
	for i := range list {
		u := &list[i]
		u.Free = u.Size
		for r := range u.Addrs.Ranges() {
			runs := []span{spanOf(r)}
			if p.t.link {
				runs = linkRuns(runs)
			}
			for _, run := range runs {
				if err := p.count(ctx, p.t.fold(run), t, u); err != nil {
					return nil, err
				}
			}
		}
	}
	return list, nil
}

// count adds up what the cells of s hold at t.
func (p *Pool) count(ctx context.Context, s span, t instant, u *Usage) error {
	return p.walk(ctx, s, func(c *cell, now instant) {
		for i := range c.len() {
			r := c.at(i)
			if r.gone <= now || t < r.start || t >= r.busy() || r.state < leased && t >= r.gone {
				continue
			}
			cut := c.clip(s)
			n := cut.last.Sub(cut.first).Add(one)
			u.Free = u.Free.Sub(n)
			switch {
			case r.state == excluded:
				u.Excluded = u.Excluded.Add(n)
			case r.state == released || t >= r.end:
				u.Resting = u.Resting.Add(n)
			case r.state == offered:
				u.Offered = u.Offered.Add(n)
			case r.state == deferred:
				u.Waiting = u.Waiting.Add(n)
			default:
				u.Leased = u.Leased.Add(n)
			}
			return
		}
	})
}

// walk calls visit for the cells that overlap s, ascending, with the pool
// locked for some cells at a time.
func (p *Pool) walk(ctx context.Context, s span, visit func(c *cell, now instant)) error {
	const atOnce = 256
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		now, _ := p.begin()
		more = false
		n := 0
		for c := range p.t.cellsIn(s) {
			if n++; n > atOnce {
				s.first, more = c.first, true
				break
			}
			visit(c, now)
		}
		p.mu.Unlock()
	}
	return nil
}

// Held is what a manager sees of a lease: everything but its identifier.
type Held struct {
	Who        Principal
	Scope      scope.ID
	Addrs      scope.Set
	Start, End time.Time
}

// Held lists the live leases of everybody that the filter lets pass, in the
// order of their lowest addresses, for who manages the pool: who uses a scope,
// who has an address, since when and until when.
func (p *Pool) Held(ctx context.Context, f Filter) iter.Seq2[Held, error] {
	return func(yield func(Held, error) bool) {
		for r, err := range p.records(ctx, f, func(*record) bool { return true }) {
			if !yield(r.held, err) {
				return
			}
		}
	}
}

// Leases implements [Lister]. They come in the order of their lowest
// addresses. The pool is not locked while the caller looks at a lease: one
// that is granted or released meanwhile may or may not be seen.
func (p *Pool) Leases(ctx context.Context, f Filter) iter.Seq2[Lease, error] {
	return func(yield func(Lease, error) bool) {
		for r, err := range p.records(ctx, f, func(r *record) bool { return p.cfg.Owner(PrincipalFrom(ctx), r.holder.Principal) }) {
			if !yield(r.lease, err) {
				return
			}
		}
	}
}

// listed is a record as it was when the list came to it.
type listed struct {
	lease Lease
	held  Held
}

func (p *Pool) records(ctx context.Context, f Filter, may func(*record) bool) iter.Seq2[listed, error] {
	return func(yield func(listed, error) bool) {
		next := span{number{}, number{Hi: 1<<64 - 1, Lo: 1<<64 - 1}}
		var batch []listed
		for more := true; more; {
			if err := ctx.Err(); err != nil {
				yield(listed{}, err)
				return
			}
			batch, more = p.listSome(f, may, batch[:0], &next)
			for _, l := range batch {
				if !yield(l, nil) {
					return
				}
			}
		}
	}
}

// listSome appends the leases whose lowest address is in some of the next
// cells to batch.
func (p *Pool) listSome(f Filter, may func(*record) bool, batch []listed, next *span) (_ []listed, more bool) {
	const atOnce = 256
	now, _ := p.begin()
	defer p.mu.Unlock()
	n := 0
	for c := range p.t.cellsIn(*next) {
		if n++; n > atOnce {
			next.first = c.first
			return batch, true
		}
		for i := range c.len() {
			r := c.at(i)
			if p.t.fold(r.span).first != c.first || !r.live(now) || !may(r) {
				continue
			}
			if l := r.lease(); f.Match(l) {
				batch = append(batch, listed{l, Held{r.holder.Principal, l.Scope, l.Addrs, l.Start, l.End}})
			}
		}
	}
	return batch, false
}
