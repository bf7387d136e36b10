// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Pool is an [Allocator] on ranges of addresses inside the process. It is
// also a [Changer], an [Offerer], a [Resumer] and a [Lister]. Make one with
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
	choice choice  // reused by every decision
	latest instant // the latest instant ever acted upon
}

// NewPool returns a pool with nothing granted.
func NewPool(c Config) (*Pool, error) {
	c, err := c.filled()
	if err != nil {
		return nil, err
	}
	p := &Pool{cfg: c, zoneOf: map[scope.ID]*zone{}, t: newTable(), latest: longAgo}
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
	return p, nil
}

// sweepMost bounds the work of other people's leases that one call does.
const sweepMost = 16

// begin takes the lock and the time. The clock may lag behind the latest
// instant acted upon by no more than the allowed skew; it counts as standing
// still then. If it lags further the error is a [*SkewError], and now that
// latest instant.
func (p *Pool) begin() (now instant, err error) {
	p.mu.Lock()
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

func (p *Pool) limits() limits {
	return limits{longest: p.cfg.MaxLifetime, standard: p.cfg.DefaultLifetime, skew: p.cfg.Skew}
}

// Allocate implements [Allocator].
func (p *Pool) Allocate(ctx context.Context, req Request) (Lease, error) {
	return p.reserve(ctx, "allocate", &req, leased, 0)
}

// Offer implements [Offerer]. Without an identifier in the request the offer
// gets a new one.
func (p *Pool) Offer(ctx context.Context, req Request, hold time.Duration) (Lease, error) {
	return p.reserve(ctx, "offer", &req, offered, hold)
}

// reserve makes a record of the given state, or finds the one that the
// request has made before.
func (p *Pool) reserve(ctx context.Context, op string, req *Request, as state, hold time.Duration) (Lease, error) {
	if err := ctx.Err(); err != nil {
		return Lease{}, err
	}
	if err := p.admit(ctx, op, req, Lease{}); err != nil {
		return Lease{}, err
	}
	who := PrincipalFrom(ctx)
	now, err := p.begin()
	defer p.mu.Unlock()
	if err != nil {
		return Lease{}, err
	}
	q := query{op: op, now: now, who: who, rest: p.cfg.Guard, rnd: p.cfg.Rand}
	if err := p.check(req, &q); err != nil {
		return Lease{}, err
	}
	earlier, again, err := p.earlier(who, req, now)
	if err != nil {
		return Lease{}, &Error{Op: op, Param: ParamID, Want: "an identifier that no lease has", Err: err}
	}
	if again {
		return earlier.lease(), nil
	}
	if earlier != nil {
		if earlier.state == deferred && now < earlier.start {
			return Lease{}, p.putOff(earlier, req)
		}
		q.self, q.prefer = earlier, slices.Collect(earlier.spans)
	}
	if err := p.limit(&q); err != nil {
		return Lease{}, err
	}
	if err := p.decide(&q); err != nil {
		return Lease{}, p.later(err, who, req, &q)
	}
	r := p.record(who, req, &q, as)
	if as == offered {
		r.gone = min(now.add(hold), r.gone)
	}
	p.t.add(r, now, p.choice.fresh && q.self == nil)
	return r.lease(), nil
}

// check looks at the parameters of a request in the order of RFC 2771 section
// 3.1 and fills in the query.
func (p *Pool) check(req *Request, q *query) error {
	bad := func(param Param, got, want string, err error) error {
		return &Error{Op: q.op, Param: param, Got: got, Want: want, Err: err}
	}
	z, err := p.zone(q.op, req.Family, req.Scope)
	if err != nil {
		return err
	}
	if !req.Addrs.IsEmpty() {
		if !z.holds(req.Addrs) {
			return bad(ParamAddrs, req.Addrs.String(), "addresses in "+z.scope.Range.String(), ErrScope)
		}
		q.only = make([]span, 0, req.Addrs.Len())
		for r := range req.Addrs.Ranges() {
			q.only = append(q.only, spanOf(r))
		}
	}
	least, most := req.Count.Min, req.Count.Max
	if least == 0 {
		least = 1
	}
	if most == 0 {
		most = least
	}
	if least < 0 || most < least || least > MaxCount {
		return bad(ParamCount, req.Count.String(), "1 to 65535 addresses, the minimum not above the maximum", ErrCount)
	}
	q.zone, q.least, q.most = z, least, min(most, p.cfg.MaxAddrs)
	if q.wish, err = resolve(q.op, q.now, req.Start, req.End, req.Lifetime, p.limits()); err != nil {
		return err
	}
	if least > q.most {
		return bad(ParamCount, req.Count.String(), "at most "+Count{Max: q.most}.String(), ErrNone)
	}
	return nil
}

// zone finds the scope of a request.
func (p *Pool) zone(op string, f Family, id scope.ID) (*zone, error) {
	switch {
	case f != 0 && !f.valid(), f == 0 && !id.IsValid():
		return nil, &Error{Op: op, Param: ParamFamily, Got: f.String(), Want: "IPv4 or IPv6", Err: ErrFamily}
	case !id.IsValid():
		for _, z := range p.t.zones {
			if z.family == f {
				return z, nil
			}
		}
		return nil, &Error{Op: op, Param: ParamScope, Want: "a scope, as there is none of " + f.String() + " by default", Err: ErrScope}
	}
	z := p.zoneOf[id]
	if z == nil || f != 0 && z.family != f {
		return nil, &Error{Op: op, Param: ParamScope, Got: id.String(), Want: "a scope that is served here", Err: ErrScope}
	}
	return z, nil
}

// earlier finds what a request has made before: again is true if it is a live
// lease, which then is the answer; otherwise it is an offer that the request
// takes up, or a lease that is over, whose addresses it prefers. The error is
// ErrInUse.
func (p *Pool) earlier(who Principal, req *Request, now instant) (r *record, again bool, err error) {
	if req.ID != "" {
		r = p.t.byID[req.ID]
		switch {
		case r == nil || r.gone <= now:
			r = nil
		case r.live(now):
			if r.key == "" || r.key != req.Key || r.holder.Principal != who {
				return nil, false, ErrInUse
			}
			return r, true, nil
		case r.state == offered || r.state == deferred:
			if !r.shared && !p.cfg.Owner(who, r.holder.Principal) || r.key != req.Key && r.key != "" && req.Key != "" {
				return nil, false, ErrInUse
			}
			return r, false, nil
		}
	}
	if req.Key != "" {
		if h := p.t.holders[who]; h != nil {
			if k := p.t.byKey[requestKey{h, req.Key}]; k != nil && k.gone > now {
				return k, k.live(now), nil
			}
		}
	}
	if r != nil && r.holder.Principal != who {
		r = nil // over, and somebody else's: it rests
	}
	return r, false, nil
}

// decide is table.decide, with enough rested addresses made free before it and
// everything swept that is gone if nothing was found.
func (p *Pool) decide(q *query) error {
	if len(p.t.byID) >= p.cfg.MaxLeases && q.self == nil {
		return &QuotaError{Limit: "MaxLeases", Max: int64(p.cfg.MaxLeases)}
	}
	for _, src := range q.zone.sources {
		p.t.wake(src, q.most)
	}
	err := p.t.decide(q, &p.choice)
	if err != nil && len(q.zone.queue) > 0 && q.zone.queue[0].gone <= q.now {
		p.t.sweep(q.now, len(q.zone.queue))
		return p.decide(q)
	}
	return err
}

// record makes the record that the decision is about, in the place of q.self.
func (p *Pool) record(who Principal, req *Request, q *query, as state) *record {
	if q.self != nil {
		if req.ID == "" && q.self.state != leased && q.self.state != released {
			req.ID = q.self.id
		}
		p.t.remove(q.self)
	}
	r := &record{
		id: req.ID, holder: p.t.holder(who), key: req.Key, zone: q.zone, state: as, shared: req.Shared,
		start: p.choice.start, end: p.choice.end, rest: q.rest,
	}
	if r.id == "" {
		r.id = NewID(q.rnd)
	}
	r.gone = r.busy()
	picks := p.choice.picks
	r.span = picks[0].span
	if len(picks) > 1 {
		slices.SortFunc(picks, func(a, b pick) int { return a.first.Cmp(b.first) })
		r.span = picks[0].span
		last := &r.span
		r.more = make([]span, 0, len(picks)-1)
		for _, k := range picks[1:] {
			if last.last.Add(one) == k.first {
				last.last = k.last
				continue
			}
			r.more = append(r.more, k.span)
			last = &r.more[len(r.more)-1]
		}
		r.more = slices.Clip(r.more)
	}
	return r
}

// Withdraw implements [Offerer].
func (p *Pool) Withdraw(ctx context.Context, id ID) error {
	now, _ := p.begin()
	defer p.mu.Unlock()
	r := p.t.byID[id]
	if r == nil || r.gone <= now || r.state != offered && r.state != deferred || !p.may(ctx, r) {
		return notLeased("withdraw")
	}
	p.t.remove(r)
	return nil
}

// Release implements [Allocator]. A lease that is over can be released while
// its addresses still rest, and a second time.
func (p *Pool) Release(ctx context.Context, l Lease) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.admit(ctx, "release", nil, l); err != nil {
		return err
	}
	now, _ := p.begin()
	defer p.mu.Unlock()
	r, err := p.owned(ctx, "release", l, now)
	switch {
	case err != nil:
		return err
	case r.state == released:
	case now < r.start || r.rest == 0:
		p.t.remove(r) // never used, or no rest: free at once
	default:
		r.state = released
		end := min(now, r.end)
		p.t.retime(r, end, end.add(r.rest))
	}
	return nil
}

// owned finds the record of a lease, live, resting or released, that the
// caller may change.
func (p *Pool) owned(ctx context.Context, op string, l Lease, now instant) (*record, error) {
	if !l.Family.valid() {
		return nil, &Error{Op: op, Param: ParamFamily, Got: l.Family.String(), Want: "IPv4 or IPv6", Err: ErrFamily}
	}
	r := p.t.byID[l.ID]
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
		if z.family == f {
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
		if p.zoneOf[id] == nil || id.Is4() != ids[0].Is4() {
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
