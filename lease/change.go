// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"slices"
)

// ChangeLifetime implements [Allocator].
func (p *Pool) ChangeLifetime(ctx context.Context, l Lease, end Window) (Lease, error) {
	return p.change(ctx, "change lifetime", l, func(r *record) Terms {
		return Terms{Start: At(r.start.time()), End: end}
	})
}

// ChangeStart implements [Allocator].
func (p *Pool) ChangeStart(ctx context.Context, l Lease, start Window) (Lease, error) {
	return p.change(ctx, "change start", l, func(r *record) Terms {
		return Terms{Start: start, End: At(r.end.time())}
	})
}

// Change implements [Changer].
func (p *Pool) Change(ctx context.Context, l Lease, to Terms) (Lease, error) {
	return p.change(ctx, "change", l, func(*record) Terms {
		if to.Start.IsZero() {
			to.Start.Max = never.time() // as soon as possible
		}
		return to
	})
}

func (p *Pool) change(ctx context.Context, what string, l Lease, terms func(*record) Terms) (out Lease, err error) {
	tries := 0
	defer func() { p.counted.outcome(&p.counted.renewals, tries, err) }()
	if err := p.admit(ctx, what, nil, l); err != nil {
		return Lease{}, err
	}
	defer p.tell(l.ID)
	err = p.durably(ctx, what, p.names(l.ID), func(s *sight) (o *op, err error) {
		tries++
		out, o, err = p.changeOnce(ctx, s, what, l, terms)
		return o, err
	})
	if err != nil {
		out = Lease{}
	}
	return out, err
}

func (p *Pool) changeOnce(ctx context.Context, s *sight, what string, l Lease, terms func(*record) Terms) (Lease, *op, error) {
	now, skewed := p.tick()
	r, err := p.owned(ctx, what, l, now)
	switch {
	case err != nil:
		return Lease{}, nil, err
	case r.state != leased:
		return Lease{}, nil, notLeased(what)
	case skewed != nil:
		return Lease{}, nil, skewed
	case r.end <= now: // it comes back, if its holder may have it still
		if err := p.lookAtQuota(s, r.holder.Principal, r.zone); err != nil {
			return Lease{}, nil, err
		}
	}
	if err := p.lookAtKey(s, r); err != nil {
		return Lease{}, nil, err
	}
	if k := p.t.withKey(r.holder.Principal, r.key); r.key != "" && k != nil && k != r {
		return Lease{}, nil, notLeased(what) // a newer one has taken its place
	}
	start, end, err := p.move(what, now, r, terms(r))
	if err != nil || start == r.start && end == r.end {
		// Others may have freed what is in the way.
		if err := p.lookAround(s, r); err != nil {
			return Lease{}, nil, err
		}
	}
	if err != nil {
		return Lease{}, nil, err
	}
	var were []earlier
	if r.stored != nil {
		were = append(were, earlier{r, *r})
	}
	switch {
	case start == r.start && end == r.end:
		return r.lease(), r.unsettled(), nil
	case start != r.start:
		p.t.restart(r, now, start, end)
	default:
		p.t.retime(r, end, end.add(r.rest))
	}
	return r.lease(), p.note(r, s.list(), nil, were...), nil
}

// move decides what becomes of the instants of r.
func (p *Pool) move(op string, now instant, r *record, to Terms) (start, end instant, err error) {
	begun := r.start <= now
	within := to.Start
	if begun {
		// The start does not move; a window that excludes it can only be met
		// by another lease.
		if op == "change start" {
			if !within.Contains(r.start.time()) && !within.IsZero() {
				return 0, 0, &Error{Op: op, Param: ParamStart, Got: text(r.start.time()), Want: "the start of a lease that has begun to be acceptable", Err: ErrUnchanged}
			}
			return r.start, r.end, nil
		}
		within = Window{}
	}
	if !to.End.Max.IsZero() && instantOf(to.End.Max) <= r.start && (begun || op == "change lifetime") {
		return 0, 0, &Error{Op: op, Param: ParamLifetime, Got: text(to.End.Max), Want: "an end after the start", Err: ErrLifetime}
	}
	w, err := resolve(op, now, within, to.End, to.Lifetime, p.limits())
	if err != nil {
		return 0, 0, err
	}
	asked := w
	if err := p.limitChange(now, r, &w); err != nil {
		return 0, 0, err
	}
	if start, end, ok := p.t.place(now, r, &w, begun); ok {
		return start, end, nil
	}
	w = asked
	// What is in force may be acceptable as it is.
	lo, hi := w.end1, w.end2
	base := r.start
	if begun {
		base = now
	}
	if to.Lifetime != (Span{}) {
		lo, hi = max(lo, base.add(w.len1)), min(hi, base.add(w.len2))
	}
	if (begun || w.start1 <= r.start && r.start <= w.start2) && lo <= r.end && r.end <= hi && now < r.end {
		return r.start, r.end, nil
	}
	e := &Error{Op: op, Param: ParamMinLifetime, Got: text(r.end.time()), Want: "the present end to be acceptable", Err: ErrUnchanged}
	if op == "change start" {
		e.Param, e.Got, e.Want = ParamMaxStart, text(r.start.time()), "the present start to be acceptable"
	}
	return 0, 0, e
}

// place finds the earliest start and the latest end for which r can keep its
// addresses.
func (t *table) place(now instant, r *record, w *wish, begun bool) (start, end instant, ok bool) {
	if begun {
		lo, hi := w.ends(now)
		end, ok = t.extend(now, r, r.start, lo, hi)
		return r.start, end, ok
	}
	var starts []instant
	for s := range r.spans {
		for c := range t.cellsIn(t.fold(s)) {
			for i := range c.len() {
				if o := c.at(i); o != r && o.busy() > w.start1 && o.busy() <= w.start2 {
					starts = append(starts, o.busy())
				}
			}
		}
	}
	slices.Sort(starts)
	for _, s := range append([]instant{max(w.start1, w.end1.add(-w.len2))}, starts...) {
		lo, hi := w.ends(s)
		if end, ok = t.extend(now, r, s, lo, hi); ok && s <= w.start2 && s >= w.start1 {
			return s, end, true
		}
	}
	return 0, 0, false
}

// extend returns the latest end in [lo, hi] for a lease on the addresses of r
// that begins at start.
func (t *table) extend(now instant, r *record, start, lo, hi instant) (end instant, ok bool) {
	end = hi
	for s := range r.spans {
		t.room(s, start, now, r, func(_ span, until instant, _ bool) bool {
			if until != never {
				until = until.add(-r.rest)
			}
			end = min(end, until)
			return end >= lo
		})
		end = min(end, r.zone.validUntil(s, r.end))
	}
	return end, end >= lo && lo <= hi
}

// validUntil returns the instant until which the zone's sources have all of
// s for a lease that ends at end now: where a source is closed it can get no
// longer.
func (z *zone) validUntil(s span, end instant) instant {
	until := never
	for _, src := range z.sources {
		src.shared(s, func(span) bool {
			until = min(until, src.until)
			if src.shut() {
				until = min(until, end)
			}
			return true
		})
	}
	return until
}
