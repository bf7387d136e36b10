// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Allocate implements [Allocator].
func (p *Pool) Allocate(ctx context.Context, req Request) (Lease, error) {
	return p.reserve(ctx, "allocate", &req, leased, 0)
}

// Offer implements [Offerer]. Without an identifier in the request the offer
// gets a new one. Offers are not kept in a store.
func (p *Pool) Offer(ctx context.Context, req Request, hold time.Duration) (Lease, error) {
	return p.reserve(ctx, "offer", &req, offered, hold)
}

// conflictsMost is how often an operation is tried while other pools keep
// writing what it depends on.
const conflictsMost = 16

// durably calls do, which returns what it has queued for the store, until
// that is durable or do fails.
func (p *Pool) durably(ctx context.Context, what string, do func() (*op, error)) error {
	for conflicts := 0; conflicts < conflictsMost; {
		if err := ctx.Err(); err != nil {
			return err
		}
		o, err := do()
		switch failed := p.settle(ctx, o); failed {
		case nil:
			return err
		case errRetry:
			conflicts++
		case errFull:
		default:
			return failed
		}
	}
	return &Error{Op: what, Err: ErrConflict}
}

// reserve makes a record of the given state, or finds the one that the
// request has made before.
func (p *Pool) reserve(ctx context.Context, what string, req *Request, as state, hold time.Duration) (l Lease, err error) {
	if err := p.admit(ctx, what, req, Lease{}); err != nil {
		return Lease{}, err
	}
	if p.j != nil {
		return p.reserveDurably(ctx, what, req, as, hold)
	}
	if err := ctx.Err(); err != nil {
		return Lease{}, err
	}
	l, _, err = p.reserveOnce(ctx, what, req, as, hold)
	return l, err
}

func (p *Pool) reserveDurably(ctx context.Context, what string, req *Request, as state, hold time.Duration) (l Lease, err error) {
	err = p.durably(ctx, what, func() (o *op, err error) {
		l, o, err = p.reserveOnce(ctx, what, req, as, hold)
		return o, err
	})
	if err != nil {
		l = Lease{}
	}
	return l, err
}

func (p *Pool) reserveOnce(ctx context.Context, what string, req *Request, as state, hold time.Duration) (Lease, *op, error) {
	who := PrincipalFrom(ctx)
	now, err := p.begin()
	defer p.mu.Unlock()
	if err != nil {
		return Lease{}, nil, err
	}
	q := query{op: what, now: now, who: who, rest: p.cfg.Guard, rnd: p.cfg.Rand}
	if err := p.check(req, &q); err != nil {
		return Lease{}, nil, err
	}
	if p.j != nil {
		if err := p.catchUp(ctx, requestNames(who, req)...); err != nil {
			return Lease{}, nil, err
		}
	}
	earlier, again, err := p.earlier(who, req, now)
	if err != nil {
		return Lease{}, nil, &Error{Op: what, Param: ParamID, Want: "an identifier that no lease has", Err: err}
	}
	if again {
		return earlier.lease(), earlier.unsettled(), nil
	}
	if earlier != nil {
		if earlier.state == deferred && now < earlier.start {
			return Lease{}, earlier.unsettled(), p.putOff(earlier, req)
		}
		q.self, q.prefer = earlier, slices.Collect(earlier.spans)
	}
	if err := p.limit(&q); err != nil {
		return Lease{}, nil, err
	}
	if err := p.decideFresh(ctx, &q); err != nil {
		o, err := p.later(err, who, req, &q)
		return Lease{}, o, err
	}
	r, o := p.put(who, req, &q, as, hold)
	return r.lease(), o, nil
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
			if z.family == f && !z.hidden {
				return z, nil
			}
		}
		return nil, &Error{Op: op, Param: ParamScope, Want: "a scope, as there is none of " + f.String() + " by default", Err: ErrScope}
	}
	z := p.zoneOf[id]
	if z == nil || z.hidden || f != 0 && z.family != f {
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
	enough := q.most
	if p.t.link { // no more free addresses than runs share an Ethernet address
		enough *= p.t.runs()
	}
	for _, src := range q.zone.sources {
		p.t.wake(src, enough)
	}
	err := p.t.decide(q, &p.choice)
	if err != nil && len(q.zone.queue) > 0 && q.zone.queue[0].gone <= q.now {
		p.t.sweep(q.now, len(q.zone.queue))
		err = p.t.decide(q, &p.choice)
	}
	if err == nil && p.j != nil {
		err = p.trim(q)
	}
	return err
}

// trim drops addresses from the choice until all pages it touches can be
// written in one commit.
func (p *Pool) trim(q *query) error {
	budget := p.j.most - 2
	if q.self != nil {
		budget -= len(p.t.pagesOf(q.self))
	}
	pages := map[number]bool{}
	picks, count := p.choice.picks, 0
	kept := picks[:0]
	for _, k := range picks {
		places := p.t.fold(k.span)
		for at := places.first; ; {
			page := pageSpan(pageOf(at))
			if !pages[page.first] {
				if len(pages) >= budget {
					k.last = k.first.Add(at.Sub(places.first)).Sub(one)
					break
				}
				pages[page.first] = true
			}
			if !page.last.Less(places.last) {
				break
			}
			at = page.last.Add(one)
		}
		if !k.last.Less(k.first) {
			kept = append(kept, k)
			count += k.size()
		}
	}
	p.choice.picks = kept
	if count < q.least {
		return &Error{Op: q.op, Param: ParamCount, Want: "fewer addresses, or in fewer places", Err: ErrNone}
	}
	return nil
}

// decideFresh is decide, once more on what the store has if nothing is to be
// had by what the pool remembers.
func (p *Pool) decideFresh(ctx context.Context, q *query) error {
	asked := *q
	err := p.decide(q)
	if err == nil || p.j == nil || p.j.exclusive || !errors.Is(err, ErrNone) {
		return err
	}
	if err := p.loadAll(ctx); err != nil {
		return err
	}
	*q = asked
	return p.decide(q)
}

// put makes the record that the decision is about, in the place of q.self, and
// adds it.
func (p *Pool) put(who Principal, req *Request, q *query, as state, hold time.Duration) (*record, *op) {
	old := q.self
	r := p.record(who, req, q, as)
	if as != leased {
		r.gone = min(q.now.add(hold), r.gone)
	}
	if p.j != nil && as != offered {
		r.stored = &stored{serial: newSerial(q.rnd)}
	}
	resting := p.keepResting(old, r, q.now)
	p.t.add(r, q.now, p.choice.fresh && old == nil)
	if r.stored == nil {
		return r, nil
	}
	return r, p.notePut(r, resting, old)
}

// notePut queues that r, and resting unless it is nil, have taken the place of
// old, unless that is nil.
func (p *Pool) notePut(r, resting, old *record) *op {
	o := p.note(r, func() {
		p.t.remove(r)
		if resting != nil {
			p.t.remove(resting)
		}
		if old != nil && old.state != offered {
			p.restore(old)
		}
	}, resting, old)
	return o
}

// keepResting lets those addresses of old rest on, a lease that is over, that
// r does not take again.
func (p *Pool) keepResting(old, r *record, now instant) *record {
	if old == nil || old.state != leased && old.state != released {
		return nil
	}
	var left []span
	for s := range old.spans {
		parts := []span{s}
		for taken := range r.spans {
			parts = p.t.apart(parts, taken)
		}
		left = append(left, parts...)
	}
	if len(left) == 0 {
		return nil
	}
	rest := *old
	rest.key, rest.state, rest.gap, rest.span, rest.more = "", released, nil, left[0], left[1:]
	if rest.stored != nil {
		rest.stored = &stored{serial: newSerial(p.cfg.Rand)}
	}
	rest.holder = p.t.holder(old.holder.Principal)
	p.t.add(&rest, now, false)
	return &rest
}

// restore puts back a record that was taken out, if it still counts.
func (p *Pool) restore(r *record) {
	if r.gone > p.latest {
		p.t.evict(r)
		r.holder = p.t.holder(r.holder.Principal)
		p.t.add(r, p.latest, false)
	}
}

// unsettled returns what is still to be written about r.
func (r *record) unsettled() *op {
	if r.stored == nil {
		return nil
	}
	return r.stored.op
}

// requestNames returns the names in the store that a request may have.
func requestNames(who Principal, req *Request) (names []string) {
	if req.ID != "" {
		names = append(names, idKey(req.ID))
	}
	if req.Key != "" {
		names = append(names, requestKeyKey(who, req.Key))
	}
	return names
}

// record makes the record that the decision is about and takes q.self out.
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
