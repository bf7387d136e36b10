// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
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

// reserve makes a record of the given state, or finds the one that the
// request has made before.
func (p *Pool) reserve(ctx context.Context, what string, req *Request, as state, hold time.Duration) (l Lease, err error) {
	p.counted.requests.Add(1)
	tries, granted := 0, (*atomic.Uint64)(nil)
	defer func() { p.counted.outcome(granted, tries, err) }()
	if err := p.admit(ctx, what, req, Lease{}); err != nil {
		return Lease{}, err
	}
	err = p.durably(ctx, what, p.requestNames(PrincipalFrom(ctx), req), func(s *sight) (o *op, err error) {
		tries++
		var made bool
		l, made, o, err = p.reserveOnce(ctx, s, what, req, as, hold)
		if granted = nil; made && as == leased {
			granted = &p.counted.grants
		}
		return o, err
	})
	p.tell(l.ID)
	if err != nil {
		l = Lease{}
	}
	return l, err
}

// reserveOnce is one attempt of reserve. It reports whether it has made a
// record, or found one.
func (p *Pool) reserveOnce(ctx context.Context, s *sight, what string, req *Request, as state, hold time.Duration) (l Lease, made bool, o *op, err error) {
	who := PrincipalFrom(ctx)
	now, err := p.tick()
	if err != nil {
		return Lease{}, false, nil, err
	}
	q := query{op: what, now: now, who: who, rest: p.cfg.Guard, rnd: p.cfg.Rand}
	if err := p.check(req, &q); err != nil {
		return Lease{}, false, nil, err
	}
	earlier, again, err := p.earlier(who, req, now)
	if err != nil {
		return Lease{}, false, nil, &Error{Op: what, Param: ParamID, Want: "an identifier that no lease has", Err: err}
	}
	waits := earlier != nil && earlier.state == deferred && now < earlier.start
	if again || waits {
		if err := p.lookAround(s, earlier); err != nil {
			return Lease{}, false, nil, err
		}
	}
	if again {
		return earlier.lease(), false, earlier.unsettled(), nil
	}
	if earlier != nil {
		if waits {
			return Lease{}, false, earlier.unsettled(), p.putOff(earlier, req)
		}
		q.self, q.prefer = earlier, slices.Collect(earlier.spans)
	}
	if err := p.lookAtQuota(s, who, q.zone); err != nil {
		return Lease{}, false, nil, err
	}
	if err := p.limit(&q); err != nil {
		if err := p.lookAround(s, p.countedFor(who, q.zone.scope.ID())...); err != nil {
			return Lease{}, false, nil, err
		}
		return Lease{}, false, nil, err
	}
	asked := q
	if err := p.decide(&q); err != nil {
		if p.shared() && !s.all && errors.Is(err, ErrNone) {
			return Lease{}, false, nil, &lookAlso{all: true} // others may have freed something
		}
		o, err := p.later(s, err, who, req, &asked)
		return Lease{}, false, o, err
	}
	r, o := p.put(s, who, req, &q, as, hold)
	return r.lease(), true, o, nil
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
	if req.Pair != [2]scope.Range{} {
		if q.pair, err = z.pair(q.op, req.Pair, q.only); err != nil {
			return err
		}
		q.only = slices.Concat(q.pair.in[0], q.pair.in[1])
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
	if q.pair != nil { // of each range
		least, most = 2*least, 2*min(most, MaxCount)
	}
	q.zone, q.name, q.least, q.most = z, req.Name, least, min(most, p.cfg.MaxAddrs)
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
		r = p.t.byID.get(req.ID)
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
		if k := p.t.withKey(who, req.Key); k != nil && k.gone > now {
			return k, k.live(now), nil
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
	if p.t.byID.n >= p.cfg.MaxLeases && q.self == nil {
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
// written in one commit. The addresses of a pair go together.
func (p *Pool) trim(q *query) error {
	budget := p.j.most - 3 // names
	if q.self != nil {
		budget -= len(p.t.pagesOf(q.self))
	}
	fits := commit{pages: map[number]bool{}, most: budget}
	picks, count := p.choice.picks, 0
	kept := picks[:0]
	for len(picks) > 0 {
		together := picks[:1]
		if q.pair != nil {
			together = picks[:2]
		}
		n := together[0].size()
		for _, k := range together {
			n = min(n, fits.head(p.t.fold(k.span)))
		}
		if n > 0 {
			for _, k := range together {
				k.span = k.head(n)
				kept = append(kept, k)
				count += n
			}
		}
		picks = picks[len(together):]
	}
	p.choice.picks = kept
	if count < q.least {
		return &Error{Op: q.op, Param: ParamCount, Want: "fewer addresses, or in fewer places", Err: ErrNone}
	}
	return nil
}

// commit is the pages that can be written at once.
type commit struct {
	pages map[number]bool
	most  int
}

// head adds the pages of s, first to last, and returns how many of its
// addresses lie before the first page that is one too many.
func (c *commit) head(s span) (n int) {
	for at := s.first; ; {
		page := pageSpan(pageOf(at))
		if !c.pages[page.first] {
			if len(c.pages) >= c.most {
				return n
			}
			c.pages[page.first] = true
		}
		part := page.clip(s)
		n += part.size()
		if part.last == s.last {
			return n
		}
		at = page.last.Add(one)
	}
}
