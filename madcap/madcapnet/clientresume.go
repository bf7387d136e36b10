// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"errors"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
)

// putOff turns an ACK that puts a request off into an error that can be
// resumed.
func (c *Client) putOff(ctx context.Context, req *lease.Request, d *madcap.Done) error {
	m := d.Request
	p := *req
	p.ID = lease.ID(m.LeaseIdentifier)
	p.Start = lease.Window{Min: m.StartTime, Max: m.MaxStartTime}
	p.End = lease.Window{}
	p.Lifetime = lease.Span{Min: m.MinLeaseTime.Value, Max: m.LeaseTime.Value}
	r := &remembered{
		lease: lease.Lease{ID: p.ID, Family: p.Family}, owner: requestKey{lease.PrincipalFrom(ctx), req.Key}, shared: req.Shared,
		put: m, at: d.RetryAt, server: d.Answers[0].From, forget: d.RetryAt.Add(lease.DefaultSkew + madcap.DefaultOfferHold),
	}
	c.mu.Lock()
	c.known.add(c.cfg.Now(), r)
	c.mu.Unlock()
	return &lease.TryLaterError{At: d.RetryAt, Pending: lease.Pending{Request: p, At: d.RetryAt, Server: r.server}}
}

// Resume implements lease.Resumer with the same REQUEST under another
// transaction identifier (section 2.13.2), to the server that has put the
// request off: only that one knows of it. After a restart that is p.Server, or
// the server that the client is configured with.
func (c *Client) Resume(ctx context.Context, p lease.Pending) (lease.Lease, error) {
	const op = "allocate"
	if err := ctx.Err(); err != nil {
		return lease.Lease{}, err
	}
	req := p.Request
	_, leave, err := c.enter(ctx, &lease.Request{Key: req.Key}) // its identifier is in use by itself
	if err != nil {
		return lease.Lease{}, err
	}
	defer leave()
	r, err := c.pending(ctx, op, p)
	if err != nil {
		return lease.Lease{}, err
	}
	if r.put == nil { // somebody was faster
		return r.lease, nil
	}
	return c.resume(ctx, &wish{op: op, start: req.Start, end: req.End, life: req.Lifetime}, &req, r)
}

// pending finds what is remembered of a request that was put off, which may be
// the lease that became of it, or makes it anew from what the caller has kept.
func (c *Client) pending(ctx context.Context, op string, p lease.Pending) (*remembered, error) {
	c.mu.Lock()
	r := c.known.byID[p.Request.ID]
	c.mu.Unlock()
	owner := requestKey{lease.PrincipalFrom(ctx), p.Request.Key}
	server := p.Server
	if !server.IsValid() {
		server = c.cfg.Server
	}
	switch {
	case r != nil && !r.isOver(c.cfg.Now()) && (r.owner == owner || r.shared || c.cfg.Owner(owner.who, r.owner.who)):
		return r, nil
	case r != nil, p.Request.ID == "", !server.IsValid():
		return nil, &lease.Error{Op: op, Want: "a request that was put off, and the server that did", Err: lease.ErrNotLeased}
	}
	req := p.Request
	m := &madcap.Message{
		Family: madcap.AddrFamily(req.Family), Scope: req.Scope, LeaseIdentifier: madcap.LeaseIdentifier(req.ID),
		StartTime: req.Start.Min, MaxStartTime: req.Start.Max, Features: c.features(&req),
	}
	if req.Lifetime.Max > 0 {
		m.LeaseTime = madcap.Some(req.Lifetime.Max)
	}
	if req.Lifetime.Min > 0 {
		m.MinLeaseTime = madcap.Some(req.Lifetime.Min)
	}
	if err := errors.Join(putCount(op, &req, m), putRanges(op, &req, m)); err != nil {
		return nil, err
	}
	return &remembered{lease: lease.Lease{ID: req.ID, Family: req.Family}, owner: owner, shared: req.Shared, put: m, at: p.At, server: server}, nil
}

// resume asks again for what was put off.
func (c *Client) resume(ctx context.Context, w *wish, req *lease.Request, r *remembered) (lease.Lease, error) {
	if c.cfg.Now().Before(r.at) {
		p := lease.Pending{Request: *req, At: r.at, Server: r.server}
		p.Request.ID = r.lease.ID
		return lease.Lease{}, &lease.TryLaterError{At: r.at, Pending: p}
	}
	d, err := c.request(ctx, r.server, r.put)
	if err != nil {
		return lease.Lease{}, c.failed(w.op, err)
	}
	if d.Err != nil {
		c.forget(r.lease.ID)
	}
	return c.granted(ctx, w, req, d)
}

// Cancel implements lease.Resumer with a RELEASE.
func (c *Client) Cancel(ctx context.Context, p lease.Pending) error {
	const op = "cancel"
	r, err := c.pending(ctx, op, p)
	if err != nil {
		return err
	}
	if r.put == nil {
		return &lease.Error{Op: op, Want: "a request that is still put off", Err: lease.ErrNotLeased}
	}
	m := &madcap.Message{Family: r.put.Family, LeaseIdentifier: r.put.LeaseIdentifier}
	d, err := c.insist(ctx, func(now time.Time) (madcap.Handle, error) { return c.machine.Release(now, r.server, m) })
	c.forget(p.Request.ID)
	if err != nil {
		return c.failed(op, err)
	}
	if d.Err != nil {
		return c.refused(op, d)
	}
	return nil
}
