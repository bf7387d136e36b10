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
		l, err := a.claimAndCommit(ctx, op, who, req, p, hold, commit)
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
	if offered != nil && !offered.offered {
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

// claimAndCommit claims what of a plan we do not hold yet, and has the pool
// lease it.
func (a *Allocator) claimAndCommit(ctx context.Context, op string, who lease.Principal, req lease.Request, p lease.Lease, hold time.Duration,
	commit func(context.Context, lease.Request) (lease.Lease, error)) (lease.Lease, error) {
	z := a.zones[p.Scope]
	end := p.End.Add(a.guard())
	if hold > 0 && !z.scope.Divisible { // there a range must be chosen that lasts for the lease
		end = a.cfg.Now().Add(hold)
	}
	held := a.held(z, p.Addrs)
	wanted, _ := p.Addrs.Subtract(held)
	var claimed *holding
	if !wanted.IsEmpty() {
		got, err := a.claim(ctx, op, z, req, p, held, wanted, end)
		if err != nil {
			return lease.Lease{}, err
		}
		a.mu.Lock()
		claimed = z.add(got)
		a.mu.Unlock()
		held, _ = held.Union(got.Addrs)
	}
	req.Addrs = held
	a.plans.RLock()
	l, err := commit(ctx, req)
	a.plans.RUnlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil && held.Covers(l.Addrs) {
		err = a.use(z, request{who, req.Key}, l, hold)
		if err != nil {
			a.log.Warn("cannot announce a lease", "lease", l, "error", err)
			if hold > 0 {
				err = a.pool.Withdraw(context.WithoutCancel(ctx), l.ID)
			} else {
				err = a.pool.Release(context.WithoutCancel(ctx), l)
			}
			l, err = lease.Lease{}, errors.Join(&lease.Error{Op: op, Want: "addresses that stay available", Err: lease.ErrNone}, err)
		}
	} // else it is the lease of the same key, granted meanwhile
	if claimed != nil {
		a.settle(claimed)
	}
	return l, err
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
