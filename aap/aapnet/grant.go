// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// Allocate implements [lease.Allocator].
func (a *Allocator) Allocate(ctx context.Context, req lease.Request) (lease.Lease, error) {
	return a.grant(ctx, "allocate", req, 0, a.pool.Allocate)
}

// Offer implements [lease.Offerer].
func (a *Allocator) Offer(ctx context.Context, req lease.Request, hold time.Duration) (lease.Lease, error) {
	return a.grant(ctx, "offer", req, max(hold, time.Second), func(ctx context.Context, req lease.Request) (lease.Lease, error) {
		return a.pool.Offer(ctx, req, hold)
	})
}

// maxTries is how often a grant is tried: what the plan found may be gone when the
// claim is won.
const maxTries = 3

// grant plans, claims and commits. hold is 0 for a lease, otherwise how long an
// offer stands.
func (a *Allocator) grant(ctx context.Context, op string, req lease.Request, hold time.Duration,
	commit func(context.Context, lease.Request) (lease.Lease, error)) (lease.Lease, error) {
	if req.ID == "" {
		a.mu.Lock()
		req.ID = lease.NewID(a.rand)
		a.mu.Unlock()
	}
	req.Retry = false
	who := lease.PrincipalFrom(ctx)
	for try := 1; ; try++ {
		p, done, err := a.plan(ctx, who, req, hold)
		if err != nil || done {
			return p, during(op, err)
		}
		held, claimed, err := a.secure(ctx, op, req, p, hold)
		if err != nil {
			return lease.Lease{}, err
		}
		req := req
		req.Addrs = held
		l, err := a.commit(ctx, op, request{who, req.Key}, req, a.zones[p.Scope], claimed, hold, commit)
		if err == nil || !errors.Is(err, lease.ErrNone) || try == maxTries {
			return l, err
		}
	}
}

// during returns an error of the pool as one of another operation: a plan is an
// offer to the pool.
func during(op string, err error) error {
	var e *lease.Error
	if errors.As(err, &e) {
		renamed := *e
		renamed.Op = op
		return &renamed
	}
	return err
}

// plan returns what the pool would grant; done says that it has granted it
// before, to the same key. Nothing has changed afterwards.
func (a *Allocator) plan(ctx context.Context, who lease.Principal, req lease.Request, hold time.Duration) (p lease.Lease, done bool, err error) {
	a.plans.Lock()
	defer a.plans.Unlock()
	a.mu.Lock()
	offered := a.uses[req.ID]
	if offered != nil && (!offered.offered || !a.cfg.Now().Before(offered.until)) {
		offered = nil
	}
	same := a.uses[a.keys[request{who, req.Key}]]
	if same != nil && (same.offered || same.over || !a.cfg.Now().Before(same.lease.End)) {
		same = nil
	}
	a.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return p, false, ctx.Err()
	case same != nil && req.Key != "":
		return same.lease, true, nil
	}
	hold = max(hold, time.Minute)
	if offered != nil {
		if p, err = a.pool.Offer(ctx, req, hold); err == nil && !offered.lease.Addrs.Covers(p.Addrs) {
			// The rest is to be claimed first; until then the offer is what we have.
			req.Addrs, _ = p.Addrs.Intersect(offered.lease.Addrs)
			req.Count = lease.Count{Max: lease.MaxCount}
			_, err = a.pool.Offer(context.WithoutCancel(ctx), req, hold)
		}
		return p, false, err
	}
	req.Key = "" // so that what rests under that key is not disturbed
	if p, err = a.pool.Offer(ctx, req, hold); err == nil {
		err = a.pool.Withdraw(context.WithoutCancel(ctx), p.ID)
	}
	return p, false, err
}

// secure returns addresses that we hold, as many as planned: the planned ones
// that are ours already, and others that are claimed for it.
func (a *Allocator) secure(ctx context.Context, op string, req lease.Request, p lease.Lease, hold time.Duration) (scope.Set, *holding, error) {
	z := a.zones[p.Scope]
	held := a.held(z, p.Addrs)
	wanted := subtract(p.Addrs, held)
	if wanted.IsEmpty() {
		return held, nil, nil
	}
	end := p.End.Add(a.guard())
	if hold > 0 && !z.scope.Divisible { // there a range must be chosen that lasts for the lease
		end = a.cfg.Now().Add(hold)
	}
	got, err := a.claim(ctx, op, z, req, p, held, wanted, end)
	if err != nil {
		return scope.Set{}, nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	held, _ = held.Union(got.Addrs)
	return held, z.add(got), nil
}

// commit has the pool lease addresses that we hold, or offer them. What was
// claimed and is not used is given back.
func (a *Allocator) commit(ctx context.Context, op string, key request, req lease.Request, z *zone, claimed *holding, hold time.Duration,
	reserve func(context.Context, lease.Request) (lease.Lease, error)) (lease.Lease, error) {
	a.plans.RLock()
	l, err := reserve(ctx, req)
	a.plans.RUnlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil && req.Addrs.Covers(l.Addrs) { // else it is the lease of the same key, granted meanwhile
		if err = a.use(z, key, l, hold); err != nil {
			a.log.Warn("cannot announce a lease", "lease", l, "error", err)
			a.drop(ctx, l, hold > 0)
			l, err = lease.Lease{}, &lease.Error{Op: op, Want: "addresses that stay available", Err: lease.ErrNone}
		}
	}
	if claimed != nil {
		_ = a.settle(claimed)
	}
	return l, err
}

// drop takes a lease or an offer back from the pool.
func (a *Allocator) drop(ctx context.Context, l lease.Lease, offered bool) {
	ctx = context.WithoutCancel(ctx)
	var err error
	if offered {
		err = a.pool.Withdraw(ctx, l.ID)
	} else {
		err = a.pool.Release(ctx, l)
	}
	if err != nil {
		a.log.Error("cannot take a lease back", "lease", l, "error", err)
	}
}

// claim has the MAAS claim addresses: any, or those that the request names.
func (a *Allocator) claim(ctx context.Context, op string, z *zone, req lease.Request, p lease.Lease, held, wanted scope.Set, end time.Time) (aap.Allocation, error) {
	n, _ := wanted.Size().Uint64()
	have, _ := held.Size().Uint64()
	least := max(req.Count.Min, 1)
	a.mu.Lock()
	z.last++
	w := aap.Want{Token: z.last, Count: uint32(n), Min: uint32(max(least-int(have), 1))}
	a.mu.Unlock()
	if !req.Addrs.IsEmpty() {
		w.Addrs, _ = req.Addrs.Intersect(z.grantable)
	}
	w.End = z.claimEnd(p.End, wholeSecond(end.Add(claimSlack)))
	got, err := z.maas.Claim(ctx, w)
	switch {
	case errors.Is(err, aap.ErrUnavailable), errors.Is(err, aap.ErrContended), errors.Is(err, aap.ErrWant), errors.Is(err, aap.ErrBusy):
		return got, &lease.Error{Op: op, Want: "addresses that no other server has", Err: lease.ErrNone}
	case errors.Is(err, net.ErrClosed):
		return got, &lease.Error{Op: op, Want: "a server that runs", Err: lease.ErrNone}
	}
	return got, err
}

// claimSlack is how much longer than needed is claimed, as the end of a lease
// often counts from when the claim is won.
const claimSlack = 30 * time.Second
