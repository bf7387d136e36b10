// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"errors"
	"math"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// Allocate implements lease.Allocator with DISCOVER and REQUEST, or with
// REQUEST to a known server. A request that names no scope gets the first one
// the servers list, which is the smallest.
//
// A pair of ranges is lease.ErrUnsupported, and a Name is passed over.
//
// The Key decides the Lease Identifier. While this client runs, a repeated
// request gets the lease it has; after a restart with the same Secret a server
// that is asked by unicast gives it back, too.
func (c *Client) Allocate(ctx context.Context, req lease.Request) (lease.Lease, error) {
	const op = "allocate"
	if err := ctx.Err(); err != nil {
		return lease.Lease{}, err
	}
	if req.Pair != [2]scope.Range{} {
		return lease.Lease{}, &lease.Error{Op: op, Param: lease.ParamAddrs, Want: "no pair of ranges, which MADCAP cannot say", Err: lease.ErrUnsupported}
	}
	if err := c.scopeFor(ctx, &req); err != nil {
		return lease.Lease{}, err
	}
	m := &madcap.Message{Family: madcap.AddrFamily(req.Family), Scope: req.Scope}
	if err := putCount(op, &req, m); err != nil {
		return lease.Lease{}, err
	}
	w, err := newWish(op, c.cfg.Now(), req.Start, req.End, req.Lifetime)
	if err != nil {
		return lease.Lease{}, err
	}
	w.put(m)
	if err := putRanges(op, &req, m); err != nil {
		return lease.Lease{}, err
	}
	m.Features = c.features(&req)

	known, leave, err := c.enter(ctx, &req)
	if err != nil {
		return lease.Lease{}, err
	}
	defer leave()
	switch {
	case known != nil && known.put != nil:
		return c.resume(ctx, w, &req, known)
	case known != nil:
		return known.lease, nil
	}
	m.LeaseIdentifier = c.identifier(ctx, &req)
	d, err := c.ask(ctx, m)
	if err != nil {
		return lease.Lease{}, c.failed(op, err)
	}
	var nak *madcap.NakError
	if at, ok := madcap.OptionCode(0), errors.As(d.Err, &nak); ok && req.Key != "" {
		if at, ok = nak.Reason.Option(); ok && at == madcap.OptLeaseIdentifier && nak.Reason.Code == madcap.CodeInvalidRequest {
			return c.recover(ctx, w, &req, d, nak.From)
		}
	}
	return c.granted(ctx, w, &req, d)
}

// putCount puts the number of addresses into a message.
func putCount(op string, req *lease.Request, m *madcap.Message) error {
	least, most := req.Count.Min, req.Count.Max
	if least == 0 {
		least = 1
	}
	if most == 0 {
		most = least
	}
	if least < 0 || most < least || least > lease.MaxCount {
		return &lease.Error{Op: op, Param: lease.ParamCount, Got: req.Count.String(), Want: "1 to 65535 addresses, the minimum not above the maximum", Err: lease.ErrCount}
	}
	req.Count = lease.Count{Min: least, Max: min(most, lease.MaxCount)}
	m.Addresses = madcap.NumberOfAddresses{Min: uint16(req.Count.Min), Desired: uint16(req.Count.Max)}
	return nil
}

// maxBlocks bounds the blocks of at most 65535 addresses in a request: more do
// not fit a datagram.
const maxBlocks = madcap.MaxDatagram / 6

// putRanges puts the addresses asked for into a message, in blocks as large as
// it can say.
func putRanges(op string, req *lease.Request, m *madcap.Message) error {
	blocks, ok := splitRanges(req.Addrs)
	if !ok {
		return &lease.Error{Op: op, Param: lease.ParamAddrs, Got: req.Addrs.Size().String() + " addresses", Want: "a list that fits a datagram", Err: lease.ErrCount}
	}
	if len(blocks) > 0 {
		m.Ranges = madcap.Some(blocks)
	}
	return nil
}

// splitRanges cuts ranges into blocks that a message can say, reporting false
// for more than it can hold.
func splitRanges(set scope.Set) (blocks []scope.Range, ok bool) {
	for r := range set.Ranges() {
		for {
			n := r.Size()
			if n.Hi == 0 && n.Lo <= math.MaxUint16 {
				blocks = append(blocks, r)
				break
			}
			last, _ := r.At(scope.U128(math.MaxUint16 - 1))
			block, _ := scope.NewRange(r.First(), last)
			blocks = append(blocks, block)
			r, _ = scope.NewRange(last.Next(), r.Last())
			if len(blocks) > maxBlocks {
				return nil, false
			}
		}
	}
	return blocks, len(blocks) <= maxBlocks
}

// features says which optional features a request needs.
func (c *Client) features(req *lease.Request) madcap.Opt[madcap.FeatureList] {
	var l madcap.FeatureList
	if req.Retry {
		l.Supported = append(l.Supported, madcap.RetryAfter)
	}
	if c.cfg.Mobility {
		l.Required = append(l.Required, madcap.ServerMobility)
	}
	if req.Shared {
		l.Required = append(l.Required, madcap.SharedLeaseIdentifier)
	}
	if len(l.Supported)+len(l.Required) == 0 {
		return madcap.Opt[madcap.FeatureList]{}
	}
	return madcap.Some(l)
}

// ask sends a request for a new lease to whom the configuration says.
func (c *Client) ask(ctx context.Context, m *madcap.Message) (*madcap.Done, error) {
	if c.cfg.Server.IsValid() {
		return c.request(ctx, c.cfg.Server, m)
	}
	if !c.cfg.Secure {
		group, err := c.serversOf("allocate", m.Family)
		if err != nil {
			return nil, err
		}
		return c.exchange(ctx, func(now time.Time) (madcap.Handle, error) { return c.machine.Allocate(now, group, m) })
	}
	k, err := c.scopesOf(ctx, lease.Family(m.Family))
	if err != nil {
		return nil, err
	}
	d, err := (*madcap.Done)(nil), error(&lease.Error{Op: "allocate", Want: "a server", Err: lease.ErrNoServer})
	for _, a := range k.servers {
		d, err = c.request(ctx, a.From, m)
		var nak *madcap.NakError
		if err != nil || d.Err == nil || !errors.As(d.Err, &nak) && len(m.LeaseIdentifier) > 0 {
			// A grant; or silence, and the server may hold a lease by the
			// identifier that the next one would have to bear.
			return d, err
		}
	}
	return d, err
}

// request asks one server.
func (c *Client) request(ctx context.Context, server netip.AddrPort, m *madcap.Message) (*madcap.Done, error) {
	return c.exchange(ctx, func(now time.Time) (madcap.Handle, error) { return c.machine.Request(now, server, m) })
}

// leaseOf returns the lease that an ACK grants, and whether it has begun.
func leaseOf(d *madcap.Done) (l lease.Lease, atOnce bool, err error) {
	a := d.Answers[0]
	m := a.Message
	l = lease.Lease{ID: lease.ID(m.LeaseIdentifier), Family: lease.Family(m.Family), Scope: m.Scope, Server: m.ServerIdentifier.Addr}
	l.Start, l.End = d.Period()
	if !l.Server.IsValid() {
		l.Server = a.From.Addr()
	}
	l.Addrs, err = scope.SetOf(m.Ranges.Value...)
	return l, m.StartTime.IsZero() || !m.StartTime.After(m.CurrentTime), err
}

// granted turns the end of a transaction into what Allocate returns. What the
// caller cannot use is given back.
func (c *Client) granted(ctx context.Context, w *wish, req *lease.Request, d *madcap.Done) (lease.Lease, error) {
	if d.Err != nil {
		err := c.refused(w.op, d)
		if d.Request.Type == madcap.TypeDiscover && errors.Is(err, lease.ErrNoServer) && c.isServed(req.Family) {
			// Servers keep silent if they cannot satisfy a DISCOVER.
			err = &lease.Error{Op: w.op, Want: "an offer from one of the servers", Err: lease.ErrNone}
		}
		return lease.Lease{}, err
	}
	c.mu.Lock()
	c.known.learn(d.Answers[0])
	c.mu.Unlock()
	if !d.RetryAt.IsZero() {
		return lease.Lease{}, c.putOff(ctx, req, d)
	}
	l, atOnce, err := leaseOf(d)
	if err != nil { // cannot be: the machine has counted the addresses
		c.giveBack(ctx, l)
		return lease.Lease{}, &lease.Error{Op: w.op, Got: err.Error(), Err: lease.ErrNone}
	}
	got, v := w.judge(l.Start, l.End, atOnce)
	if v == accepted && got.Max.After(d.Sent) {
		l.Start, l.End = got.Min, got.Max
	} else {
		corrected := false
		if v == wrongEnd && !w.end.IsZero() {
			// The start is not the one the length was made for.
			if r, err := c.renew(ctx, w.op, l, lease.At(l.Start), w.end, lease.Span{}); err == nil {
				l, corrected = r, true
			}
		}
		if !corrected {
			c.giveBack(ctx, l)
			if ctx.Err() != nil {
				return lease.Lease{}, ctx.Err()
			}
			return lease.Lease{}, &lease.Error{Op: w.op, Got: l.String(), Want: "other instants", Err: lease.ErrNone}
		}
	}
	c.remember(ctx, req, l)
	return l, nil
}

// isServed reports whether a server of the family has answered lately.
func (c *Client) isServed(f lease.Family) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.info[f]
	return k != nil && c.cfg.Now().Before(k.until)
}

// remember keeps a lease in mind.
func (c *Client) remember(ctx context.Context, req *lease.Request, l lease.Lease) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.add(c.cfg.Now(), &remembered{
		lease: l, owner: requestKey{lease.PrincipalFrom(ctx), req.Key}, shared: req.Shared,
		forget: l.End.Add(lease.DefaultGuard),
	})
}

// giveBack releases a lease that the caller cannot use. It waits for the answer
// as long as ctx lets it, so that the addresses are free when the caller hears
// of it.
func (c *Client) giveBack(ctx context.Context, l lease.Lease) {
	at, ok := c.pathTo(l.Server)
	if !ok {
		return
	}
	m := &madcap.Message{Family: madcap.AddrFamily(l.Family), LeaseIdentifier: madcap.LeaseIdentifier(l.ID), Features: c.mobile()}
	c.insist(ctx, func(now time.Time) (madcap.Handle, error) { return c.machine.Release(now, at, m) })
}

// recover takes a lease that a server already has under the identifier of our
// key: an earlier run of the program has asked for it. A RENEW with the same
// terms tells what it is.
func (c *Client) recover(ctx context.Context, w *wish, req *lease.Request, d *madcap.Done, server netip.AddrPort) (lease.Lease, error) {
	l := lease.Lease{ID: lease.ID(d.Request.LeaseIdentifier), Family: req.Family}
	inUse := &lease.Error{Op: w.op, Param: lease.ParamID, Want: "an identifier that no lease has", Err: lease.ErrInUse}
	m := &madcap.Message{Family: d.Request.Family, LeaseIdentifier: d.Request.LeaseIdentifier, Features: c.mobile()}
	w.put(m)
	r, err := c.exchange(ctx, func(now time.Time) (madcap.Handle, error) { return c.machine.Renew(now, server, m) })
	if err != nil {
		return lease.Lease{}, c.failed(w.op, err)
	}
	if r.Err != nil || !r.RetryAt.IsZero() {
		return lease.Lease{}, inUse
	}
	l, _, err = leaseOf(r)
	n := l.Addrs.Size()
	if err != nil || l.Scope != req.Scope || n.Hi > 0 || n.Lo < uint64(req.Count.Min) || n.Lo > uint64(req.Count.Max) {
		return lease.Lease{}, inUse
	}
	c.mu.Lock()
	c.known.learn(r.Answers[0])
	c.mu.Unlock()
	c.remember(ctx, req, l)
	return l, nil
}
