// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
)

// ChangeLifetime implements lease.Allocator with RENEW. A lease that has not
// begun keeps its start.
func (c *Client) ChangeLifetime(ctx context.Context, l lease.Lease, end lease.Window) (lease.Lease, error) {
	return c.change(ctx, "change lifetime", l, func(l lease.Lease) lease.Terms {
		return lease.Terms{Start: lease.At(l.Start), End: end}
	})
}

// ChangeStart implements lease.Allocator with RENEW. The end stays.
func (c *Client) ChangeStart(ctx context.Context, l lease.Lease, start lease.Window) (lease.Lease, error) {
	return c.change(ctx, "change start", l, func(l lease.Lease) lease.Terms {
		return lease.Terms{Start: start, End: lease.At(l.End)}
	})
}

// Change implements lease.Changer with one RENEW.
func (c *Client) Change(ctx context.Context, l lease.Lease, to lease.Terms) (lease.Lease, error) {
	return c.change(ctx, "change", l, func(lease.Lease) lease.Terms {
		if to.Start.IsZero() {
			to.Start.Max = farFuture // as soon as possible
		}
		return to
	})
}

// change renews a lease. RENEW replaces all terms at once (section 2.2.7): what
// is to stay has to be said again.
func (c *Client) change(ctx context.Context, op string, l lease.Lease, terms func(lease.Lease) lease.Terms) (lease.Lease, error) {
	if err := ctx.Err(); err != nil {
		return lease.Lease{}, err
	}
	l, err := c.find(ctx, op, l)
	if err != nil {
		return lease.Lease{}, err
	}
	to := terms(l)
	now := c.cfg.Now()
	begun := !now.Before(l.Start)
	if op == "change start" && begun {
		// Only that it is a lease of ours remains to be seen.
		switch start := to.Start; {
		case !start.Min.IsZero() && !start.Max.IsZero() && start.Max.Before(start.Min):
			return lease.Lease{}, &lease.Error{Op: op, Param: lease.ParamMaxStart, Got: text(start.Max), Want: "at least the earliest start", Err: lease.ErrStart}
		case !start.IsZero() && !start.Contains(l.Start):
			return lease.Lease{}, &lease.Error{Op: op, Param: lease.ParamStart, Got: text(l.Start), Want: "the start of a lease that has begun to be acceptable", Err: lease.ErrUnchanged}
		}
		if !l.End.After(now) {
			return lease.Lease{}, &lease.Error{Op: op, Err: lease.ErrNotLeased}
		}
	}
	start := to.Start
	if begun {
		start = lease.Window{}
	}
	if op == "change lifetime" && !begun && !to.End.Max.IsZero() && !to.End.Max.After(l.Start) {
		return lease.Lease{}, &lease.Error{Op: op, Param: lease.ParamLifetime, Got: text(to.End.Max), Want: "an end after the start", Err: lease.ErrLifetime}
	}
	r, err := c.renew(ctx, op, l, start, to.End, to.Lifetime)
	if errors.Is(err, lease.ErrUnchanged) && acceptable(now, l, begun, start, to) {
		return l, nil
	}
	if err != nil {
		return lease.Lease{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.known.byID[l.ID]; known != nil {
		known.lease, known.forget = r, r.End.Add(lease.DefaultGuard)
	}
	return r, nil
}

// acceptable reports whether a lease that could not be changed is already what
// was asked for.
func acceptable(now time.Time, l lease.Lease, begun bool, start lease.Window, to lease.Terms) bool {
	base := l.Start
	if begun {
		base = now
	}
	length := l.End.Sub(base)
	return now.Before(l.End) && to.End.Contains(l.End) && (begun || start.Contains(l.Start)) &&
		length >= to.Lifetime.Min && (to.Lifetime.Max == 0 || length <= to.Lifetime.Max)
}

// renew sends a RENEW, and a second one if a lease was given an end outside the
// window because its start came out differently than the lengths were made for.
// A zero start keeps the start of a lease that has begun.
func (c *Client) renew(ctx context.Context, op string, l lease.Lease, start, end lease.Window, life lease.Span) (lease.Lease, error) {
	for range 2 {
		now := c.cfg.Now()
		begun := !now.Before(l.Start)
		if begun {
			start = lease.Window{}
		}
		w, err := newWish(op, now, start, end, life)
		if err != nil {
			return lease.Lease{}, err
		}
		m := &madcap.Message{Family: madcap.AddrFamily(l.Family), LeaseIdentifier: madcap.LeaseIdentifier(l.ID), Features: c.mobile()}
		w.put(m)
		d, err := c.askOwner(ctx, op, l, c.exchange, func(now time.Time, at netip.AddrPort) (madcap.Handle, error) { return c.machine.Renew(now, at, m) })
		if err != nil {
			return lease.Lease{}, err
		}
		r, atOnce, err := leaseOf(d)
		if err != nil || !l.Addrs.IsEmpty() && !r.Addrs.Equal(l.Addrs) {
			return lease.Lease{}, &lease.Error{Op: op, Got: r.Addrs.String(), Want: "the addresses of the lease, " + l.Addrs.String(), Err: lease.ErrConflict}
		}
		if begun && l.Start.IsZero() {
			l.Start = r.Start
		}
		var v verdict
		if begun || atOnce && !w.startTime.IsZero() && w.startTime.Equal(l.Start) {
			// It had begun, by our clock or by the server's. Lengths count from now.
			r.Start = l.Start
			r.End, v = w.judgeEnd(d.Sent, r.End)
		} else {
			var got lease.Window
			got, v = w.judge(r.Start, r.End, atOnce)
			r.Start, r.End = got.Min, got.Max
		}
		if v == accepted {
			return r, nil
		}
		if v == wrongStart {
			break
		}
		l, start = r, lease.At(r.Start)
	}
	return lease.Lease{}, &lease.Error{Op: op, Want: "other instants than the server gives", Err: lease.ErrUnchanged}
}

// Release implements lease.Allocator with RELEASE. Without an answer the lease
// is over for the caller all the same, but its addresses come back to the
// server only at its end. If ctx ends first the client goes on trying.
func (c *Client) Release(ctx context.Context, l lease.Lease) error {
	const op = "release"
	if err := ctx.Err(); err != nil {
		return err
	}
	l, err := c.find(ctx, op, l)
	if err != nil {
		return err
	}
	m := &madcap.Message{Family: madcap.AddrFamily(l.Family), LeaseIdentifier: madcap.LeaseIdentifier(l.ID), Features: c.mobile()}
	_, err = c.askOwner(ctx, op, l, c.insist, func(now time.Time, at netip.AddrPort) (madcap.Handle, error) { return c.machine.Release(now, at, m) })
	if !errors.Is(err, lease.ErrDenied) {
		c.forget(l.ID)
	}
	return err
}

// mobile is the feature list of a RENEW or RELEASE.
func (c *Client) mobile() madcap.Opt[madcap.FeatureList] {
	if !c.cfg.Mobility {
		return madcap.Opt[madcap.FeatureList]{}
	}
	return madcap.Some(madcap.FeatureList{Required: []madcap.Feature{madcap.ServerMobility}})
}

// exchanger is Client.exchange or Client.insist.
type exchanger func(context.Context, starter) (*madcap.Done, error)

// askOwner asks the server that granted a lease. If it does not answer and
// leases are mobile, others are asked, too (section 2.13.1).
func (c *Client) askOwner(ctx context.Context, op string, l lease.Lease, exchange exchanger, start func(time.Time, netip.AddrPort) (madcap.Handle, error)) (*madcap.Done, error) {
	at, ok := c.pathTo(l.Server)
	if !ok {
		return nil, &lease.Error{Op: op, Want: "a lease that says which server granted it", Err: lease.ErrNotLeased}
	}
	d, err := exchange(ctx, func(now time.Time) (madcap.Handle, error) { return start(now, at) })
	if err == nil && errors.Is(d.Err, madcap.ErrNoAnswer) && c.cfg.Mobility {
		d, err = c.askOthers(ctx, l, at, d, start)
	}
	if err != nil {
		return nil, c.failed(op, err)
	}
	var nak *madcap.NakError
	if errors.As(d.Err, &nak) && nak.Reason.Code == madcap.CodeLeaseUnknown && !c.cfg.Mobility &&
		l.Server.IsValid() && nak.Server.Addr != l.Server {
		// Another server does not know the lease; that does not end it.
		return nil, &lease.Error{Op: op, Got: "an answer from server " + nak.Server.String(), Want: "one from " + l.Server.String() + ", which granted the lease", Err: lease.ErrNoServer}
	}
	if d.Err != nil {
		return nil, c.refused(op, d)
	}
	if !d.RetryAt.IsZero() { // not offered, see madcap's decision MADCAP-D-45
		return nil, &lease.Error{Op: op, Err: lease.ErrUnchanged}
	}
	return d, nil
}

// askOthers asks the servers that say they can change the leases of others, one
// after the other, until one has an answer that is good or says why not.
func (c *Client) askOthers(ctx context.Context, l lease.Lease, not netip.AddrPort, d *madcap.Done, start func(time.Time, netip.AddrPort) (madcap.Handle, error)) (*madcap.Done, error) {
	group, ok := c.groupOf(madcap.AddrFamily(l.Family))
	if !ok {
		return d, nil
	}
	ask := &madcap.Message{Family: madcap.AddrFamily(l.Family), OptionRequestList: []madcap.OptionCode{madcap.OptFeatureList}}
	found, err := c.exchange(ctx, func(now time.Time) (madcap.Handle, error) { return c.machine.GetInfo(now, group, ask) })
	if err != nil || found.Err != nil {
		return d, err
	}
	for _, a := range found.Answers {
		if a.From == not || !slices.Contains(a.Message.Features.Value.Supported, madcap.ServerMobility) {
			continue
		}
		if d, err = c.exchange(ctx, func(now time.Time) (madcap.Handle, error) { return start(now, a.From) }); err != nil || !errors.Is(d.Err, madcap.ErrNoAnswer) {
			return d, err
		}
	}
	return d, nil
}
