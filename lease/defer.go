// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"errors"
	"time"
)

// fetchTime is how long after its instant something put off waits to be
// asked for, beyond the allowed skew: the OFFER-HOLD of RFC 2730.
const fetchTime = time.Minute

// later turns the error of a decision into a [*TryLaterError] if the caller
// would rather wait: it looks for the earliest start beyond the acceptable
// ones, and reserves it.
func (p *Pool) later(s *sight, err error, who Principal, req *Request, q *query) (*op, error) {
	if !req.Retry || !errors.Is(err, ErrNone) || q.wish.start2 == never {
		return nil, err
	}
	wait := *q
	wait.wish.start2 = never
	if !req.End.Max.IsZero() {
		wait.wish.start2 = wait.wish.end2 - 1
	}
	if p.decide(&wait) != nil {
		return nil, err
	}
	r, o := p.put(s, who, req, &wait, deferred, p.choice.start.add(p.cfg.Skew+fetchTime).sub(q.now))
	return o, p.putOff(r, req)
}

// putOff returns the answer to a request whose time has not come yet.
func (p *Pool) putOff(r *record, req *Request) error {
	pending := *req
	pending.ID, pending.Key = r.id, r.key
	return &TryLaterError{At: r.start.time(), Pending: Pending{Request: pending, At: r.start.time()}}
}

// Resume implements [Resumer]. What was put off is reserved from its instant
// on, for the allowed skew and a minute; who comes later stands in line again.
func (p *Pool) Resume(ctx context.Context, d Pending) (Lease, error) {
	req := d.Request
	// Who waits has given up the latest start: it was before d.At.
	if now := p.cfg.Now(); !now.Before(d.At) && !req.Start.Max.IsZero() && req.Start.Max.Before(now) {
		req.Start.Max = now
	}
	return p.Allocate(ctx, req)
}

// Cancel implements [Resumer].
func (p *Pool) Cancel(ctx context.Context, d Pending) error {
	return p.Withdraw(ctx, d.Request.ID)
}
