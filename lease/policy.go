// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Limits bound what one principal may have in one scope at a time. Zero
// fields do not limit. Leases count from the day they are granted, not from
// their start, and offers count like leases.
type Limits struct {
	Leases   int           // leases held
	Addrs    int           // addresses held
	Lifetime time.Duration // the longest lease; a longer wish is shortened, if its minimum allows
	Advance  time.Duration // how far in the future a lease may start
	Rate     int           // requests a minute, all at once or one by one; releases do not count
}

// Attempt is what a policy is asked about.
type Attempt struct {
	Op      string    // "allocate", "offer", "change", "change lifetime", "change start" or "release"
	Who     Principal // on whose behalf
	Request *Request  // of an allocation or an offer; the policy may change it, to clip or redirect it
	Lease   Lease     // of the other operations: as the caller knows it, perhaps not his
	Held    Holding   // what the caller has in the scope
}

// Holding is how much a principal has.
type Holding struct{ Leases, Addrs int }

// Policy judges an attempt before anything is searched. An error refuses it;
// it becomes an [ErrDenied] unless it is one already. A policy may take as
// long as ctx allows: no lock is held.
type Policy func(ctx context.Context, a Attempt) error

// admit holds an attempt against the caller's rate and asks the policy, if
// there is one.
func (p *Pool) admit(ctx context.Context, op string, req *Request, l Lease) error {
	if err := p.meter(PrincipalFrom(ctx), op, req, l); err != nil || p.cfg.Policy == nil {
		return err
	}
	a := Attempt{Op: op, Who: PrincipalFrom(ctx), Lease: l}
	id := l.Scope
	if req != nil {
		id = req.Scope
		changed := *req // of its own, so that requests stay off the heap without a policy
		a.Request = &changed
		defer func() { *req = changed }()
	}
	now, _ := p.begin()
	if h, z := p.t.holders[a.Who], p.zoneOf[id]; h != nil && z != nil {
		a.Held = h.holding(z, now, nil)
	}
	p.mu.Unlock()
	if err := p.cfg.Policy(ctx, a); err != nil {
		return denied(op, err)
	}
	return nil
}

// denied makes an error of a policy an ErrDenied.
func denied(op string, err error) error {
	if errors.Is(err, ErrDenied) {
		return err
	}
	return &Error{Op: op, Err: fmt.Errorf("%w: %w", ErrDenied, err)}
}

// limit holds a query against the caller's limits, before the decision. It
// shortens wishes that go beyond.
func (p *Pool) limit(q *query) error {
	if p.cfg.Limits == nil {
		return nil
	}
	lim := p.cfg.Limits(q.who, q.zone.scope.ID())
	if lim.Lifetime > 0 {
		if q.wish.len1 > lim.Lifetime {
			return &QuotaError{Limit: "Lifetime", Max: int64(lim.Lifetime)}
		}
		q.wish.len2 = min(q.wish.len2, lim.Lifetime)
	}
	if last := q.now.add(lim.Advance); lim.Advance > 0 {
		if q.wish.start1 > last {
			return &QuotaError{Limit: "Advance", Max: int64(lim.Advance)}
		}
		q.wish.start2 = min(q.wish.start2, last)
	}
	h := p.t.holders[q.who]
	if h == nil || lim.Leases == 0 && lim.Addrs == 0 {
		h = &holder{}
	}
	held := h.holding(q.zone, q.now, q.self)
	if lim.Leases > 0 && held.Leases >= lim.Leases {
		return &QuotaError{Limit: "Leases", Max: int64(lim.Leases)}
	}
	if lim.Addrs > 0 {
		if held.Addrs+q.least > lim.Addrs {
			return &QuotaError{Limit: "Addrs", Max: int64(lim.Addrs)}
		}
		q.most = min(q.most, lim.Addrs-held.Addrs)
	}
	return nil
}

// limitChange is limit for a change that prolongs r: a lease renewed after its
// end must not come back where another has taken its place.
func (p *Pool) limitChange(now instant, r *record, w *wish) error {
	if p.cfg.Limits == nil {
		return nil
	}
	q := query{now: now, who: r.holder.Principal, zone: r.zone, wish: *w, self: r, least: r.count()}
	q.most = q.least
	err := p.limit(&q)
	*w = q.wish
	return err
}

// holding counts what h has in a zone at now, without except. What is over
// does not count, though its addresses may rest still.
func (h *holder) holding(z *zone, now instant, except *record) (sum Holding) {
	for _, r := range h.records {
		if r != except && r.counts(z, now) {
			sum.Leases++
			sum.Addrs += r.count()
		}
	}
	return sum
}

// counts reports whether r counts against its holder's limits in a zone.
func (r *record) counts(z *zone, now instant) bool {
	return r.zone == z && r.gone > now && now < r.end && r.state != released && r.state != excluded
}
