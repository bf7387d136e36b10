// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mcastalloc/malloc/scope"
)

// Pool is an [Allocator] on ranges of addresses inside the process. It is
// also a [Changer], an [Offerer], a [Resumer], a [Lister] and a [Watcher]. Make one with
// [NewPool]; it is safe for concurrent use. It has no goroutine and no timer:
// what is over is over because the clock says so.
//
// Which addresses: any that nobody has or is promised, uniformly at random,
// several in as few runs as possible; if these do not suffice, addresses that
// are free for long enough between other leases. Addresses rest after a lease
// (Config.Guard).
type Pool struct {
	mu     sync.Mutex
	cfg    Config
	zoneOf map[scope.ID]*zone
	t      *table
	j      *journal // nil: no store
	choice choice   // reused by every decision
	latest instant  // the latest instant ever acted upon

	counted  counters
	rates    rates
	watchers []*watcher
	watched  atomic.Bool // there are watchers
}

// NewPool returns a pool with nothing granted.
func NewPool(c Config) (*Pool, error) {
	c, err := c.filled()
	if err != nil {
		return nil, err
	}
	p := &Pool{cfg: c, zoneOf: map[scope.ID]*zone{}, t: newTable(), latest: longAgo, rates: rates{}}
	p.t.link = c.LinkUnique
	for _, s := range c.Scopes {
		if err := p.addSource(Source{Scope: s}); err != nil {
			return nil, err
		}
	}
	for _, s := range c.Sources {
		if err := p.addSource(s); err != nil {
			return nil, err
		}
	}
	if len(p.t.zones) == 0 {
		return nil, &Error{Op: "configure", Want: "a scope", Err: ErrScope}
	}
	if c.Store != nil {
		p.j = newJournal(c.Store, c.Damaged)
		if err := p.open(context.Background()); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// sweepMost bounds the work of other people's leases that one call does.
const sweepMost = 16

// tick takes the time. The clock may lag behind the latest instant acted upon
// by no more than the allowed skew; it counts as standing still then. If it
// lags further the error is a [*SkewError], and now that latest instant.
func (p *Pool) tick() (now instant, err error) {
	now = instantOf(p.cfg.Now())
	if now < p.latest {
		if lag := p.latest.sub(now); lag > p.cfg.Skew {
			err = &SkewError{Offset: lag}
		}
		now = p.latest
	}
	p.latest = now
	p.t.sweep(now, sweepMost)
	return now, err
}

// begin takes the lock and the time.
func (p *Pool) begin() (now instant, err error) {
	p.mu.Lock()
	return p.tick()
}

func (p *Pool) limits() limits {
	return limits{longest: p.cfg.MaxLifetime, standard: p.cfg.DefaultLifetime, skew: p.cfg.Skew}
}

// Withdraw implements [Offerer].
func (p *Pool) Withdraw(ctx context.Context, id ID) error {
	return p.durably(ctx, "withdraw", p.names(id), func(s *sight) (*op, error) {
		now, _ := p.tick()
		r := p.t.byID.get(id)
		if r == nil || r.gone <= now || r.state != offered && r.state != deferred || !p.may(ctx, r) {
			return nil, notLeased("withdraw")
		}
		return p.end(s, r, now), nil
	})
}

// Release implements [Allocator]. A lease that is over can be released while
// its addresses still rest, and a second time.
func (p *Pool) Release(ctx context.Context, l Lease) (err error) {
	tries, ended := 0, (*atomic.Uint64)(nil)
	defer func() { p.counted.outcome(ended, tries, err) }()
	if err := p.admit(ctx, "release", nil, l); err != nil {
		return err
	}
	defer p.tell(l.ID)
	return p.durably(ctx, "release", p.names(l.ID), func(s *sight) (*op, error) {
		tries, ended = tries+1, nil
		now, _ := p.tick()
		r, err := p.owned(ctx, "release", l, now)
		switch {
		case err != nil:
			return nil, err
		case r.state == released:
			return r.unsettled(), nil
		}
		ended = &p.counted.releases
		return p.end(s, r, now), nil
	})
}

// end gives r back: what was never used, or needs no rest, is free at once.
func (p *Pool) end(s *sight, r *record, now instant) *op {
	var were []earlier
	if r.stored != nil {
		were = append(were, earlier{r, *r})
	}
	if r.state != leased || now < r.start || r.rest == 0 {
		p.t.remove(r)
		r.gone = now
	} else {
		r.state = released
		last := min(now, r.end)
		p.t.retime(r, last, last.add(r.rest))
	}
	return p.note(r, s.list(), nil, were...)
}

// owned finds the record of a lease, live, resting or released, that the
// caller may change.
func (p *Pool) owned(ctx context.Context, op string, l Lease, now instant) (*record, error) {
	if !l.Family.valid() {
		return nil, &Error{Op: op, Param: ParamFamily, Got: l.Family.String(), Want: "IPv4 or IPv6", Err: ErrFamily}
	}
	r := p.t.byID.get(l.ID)
	if r == nil || r.gone <= now || r.state != leased && r.state != released || r.zone.family != l.Family || !p.may(ctx, r) {
		return nil, notLeased(op)
	}
	return r, nil
}

func (p *Pool) may(ctx context.Context, r *record) bool {
	return r.shared || p.cfg.Owner(PrincipalFrom(ctx), r.holder.Principal)
}

func notLeased(op string) error { return &Error{Op: op, Err: ErrNotLeased} }

// Scopes implements [Allocator].
func (p *Pool) Scopes(ctx context.Context, f Family) ([]scope.Scope, error) {
	if !f.valid() {
		return nil, &Error{Op: "list scopes", Param: ParamFamily, Got: f.String(), Want: "IPv4 or IPv6", Err: ErrFamily}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []scope.Scope
	for _, z := range p.t.zones {
		if z.family == f && !z.hidden {
			list = append(list, z.scope)
		}
	}
	p.sortScopes(list)
	return list, nil
}

// sortScopes orders scopes by what they are known to nest in, then by size
// and first address.
func (p *Pool) sortScopes(list []scope.Scope) {
	slices.SortFunc(list, func(a, b scope.Scope) int {
		if c := a.Range.Size().Cmp(b.Range.Size()); c != 0 {
			return c
		}
		return a.ID().Compare(b.ID())
	})
	// Nesting is a partial order: move what is inside before what is around.
	n := p.cfg.Nesting
	for i := 1; i < len(list); i++ {
		for j := range i {
			inner, outer := list[i].ID(), list[j].ID()
			if n.Of(inner, outer) == scope.Yes && n.Of(outer, inner) != scope.Yes {
				s := list[i]
				copy(list[j+1:i+1], list[j:i])
				list[j] = s
				break
			}
		}
	}
}

// Nesting implements [Allocator].
func (p *Pool) Nesting(ctx context.Context, ids ...scope.ID) (*scope.Nesting, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		if z := p.zoneOf[id]; z == nil || z.hidden || id.Is4() != ids[0].Is4() {
			return nil, &Error{Op: "nesting", Param: ParamScope, Got: id.String(), Want: "scopes that are served here, of one family", Err: ErrScope}
		}
	}
	n := scope.NewNesting(ids...)
	for _, inner := range n.IDs() {
		for _, outer := range n.IDs() {
			if inner != outer {
				if err := n.Set(inner, outer, p.cfg.Nesting.Of(inner, outer)); err != nil {
					return nil, &Error{Op: "nesting", Param: ParamScope, Err: ErrNesting}
				}
			}
		}
	}
	return n, nil
}
