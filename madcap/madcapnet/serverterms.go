// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// farFuture is the last instant MADCAP can name, some time in 2106.
var farFuture = time.Unix(math.MaxUint32, 0)

// call takes a question of the machine to the allocator. The outcome's ranges
// lie in *ranges.
func (s *Server) call(ctx context.Context, ask *madcap.Ask, ranges *[]scope.Range) madcap.Outcome {
	ctx = s.onBehalf(ctx, ask.From)
	a := s.cfg.Allocator
	named := lease.Lease{ID: lease.ID(ask.ID), Family: lease.Family(ask.Family)}
	var l lease.Lease
	var err error
	switch ask.Op {
	case madcap.OpOffer:
		l, err = lease.Offer(ctx, a, requestOf(ask, named.ID), ask.Hold)
	case madcap.OpAllocate:
		if p := pendingOf(ask); p != nil {
			l, err = lease.Resume(ctx, a, *p)
		} else {
			l, err = a.Allocate(ctx, requestOf(ask, named.ID))
		}
	case madcap.OpChange:
		l, err = lease.Change(ctx, a, named, lease.Terms{Start: startOf(ask), Lifetime: lifetimeOf(ask)})
	case madcap.OpRelease:
		err = a.Release(ctx, named)
	case madcap.OpWithdraw:
		err = lease.Withdraw(ctx, a, named)
	case madcap.OpCancel:
		if p := pendingOf(ask); p != nil {
			err = lease.Cancel(ctx, a, *p)
		}
	}
	if err != nil {
		return s.refusal(ask, err)
	}
	*ranges = (*ranges)[:0]
	for i := range l.Addrs.Len() {
		*ranges = append(*ranges, l.Addrs.Range(i))
	}
	return madcap.Outcome{Granted: true, Scope: l.Scope, Ranges: *ranges, Start: l.Start, End: l.End}
}

// requestOf turns DISCOVER and REQUEST into what they ask of an allocator. The
// key is the transaction with its Lease Identifier: if the server has lost its
// memory of a REQUEST, the retransmission still gets the same lease.
func requestOf(ask *madcap.Ask, id lease.ID) lease.Request {
	req := lease.Request{
		Family: lease.Family(ask.Family), Scope: ask.Scope, ID: id,
		Count: lease.Count{Min: ask.Min, Max: ask.Desired},
		Start: startOf(ask), Lifetime: lifetimeOf(ask),
		Shared: ask.Shared,
		// Later than the client's latest start is no use to it.
		Retry: ask.CanDefer && ask.MaxStartTime.IsZero(),
	}
	if req.Retry && req.Start.Min.IsZero() {
		// It would rather come back than have a lease that begins later.
		req.Start = lease.Window{}
	}
	if len(ask.Ranges) > 0 {
		// The ranges are of one family: the codec has seen to it.
		req.Addrs, _ = scope.SetOf(ask.Ranges...)
	}
	if ask.Op == madcap.OpAllocate {
		var xid [4]byte
		binary.BigEndian.PutUint32(xid[:], ask.XID)
		var text [2 * (4 + 32)]byte // of all but unusual identifiers
		req.Key = string(hex.AppendEncode(hex.AppendEncode(text[:0], xid[:]), ask.ID))
	}
	return req
}

// startOf returns the acceptable starts: without an option as soon as
// possible, and without a maximum at any time.
func startOf(ask *madcap.Ask) lease.Window {
	w := lease.Window{Min: ask.StartTime, Max: ask.MaxStartTime}
	if w.Max.IsZero() {
		w.Max = farFuture
	}
	return w
}

// lifetimeOf returns the acceptable lengths, counted from the start.
func lifetimeOf(ask *madcap.Ask) lease.Span {
	return lease.Span{Min: ask.MinLeaseTime, Max: ask.LeaseTime.Value}
}

// pendingOf returns what was put off before, nil if nothing was.
func pendingOf(ask *madcap.Ask) *lease.Pending {
	if len(ask.Continuation) == 0 {
		return nil
	}
	p := new(lease.Pending)
	if json.Unmarshal(ask.Continuation, p) != nil {
		return nil
	}
	return p
}

// maxCallers bounds the contexts kept for clients that ask again.
const maxCallers = 1024

// onBehalf returns a context for calls on behalf of who sent a datagram.
func (s *Server) onBehalf(ctx context.Context, from netip.AddrPort) context.Context {
	if s.cfg.Principal == nil {
		return ctx
	}
	s.callersMu.Lock()
	defer s.callersMu.Unlock()
	if c, ok := s.callers[from]; ok && s.callersOf == ctx {
		return c
	}
	if s.callersOf != ctx || len(s.callers) >= maxCallers {
		s.callers, s.callersOf = make(map[netip.AddrPort]context.Context), ctx
	}
	c := lease.WithPrincipal(ctx, s.cfg.Principal(from))
	s.callers[from] = c
	return c
}

// optionOf names the option that carries a parameter.
var optionOf = map[lease.Param]madcap.OptionCode{
	lease.ParamScope:       madcap.OptMulticastScope,
	lease.ParamCount:       madcap.OptNumberOfAddresses,
	lease.ParamAddrs:       madcap.OptAddressRanges,
	lease.ParamStart:       madcap.OptStartTime,
	lease.ParamMaxStart:    madcap.OptMaxStartTime,
	lease.ParamLifetime:    madcap.OptLeaseTime,
	lease.ParamMinLifetime: madcap.OptMinLeaseTime,
	lease.ParamID:          madcap.OptLeaseIdentifier,
}

// refusal turns an allocator's error into what the server says. An allocator
// that cannot tell now is no reason for a NAK, which would make the client
// give up (section 3.17): the client hears nothing and asks again.
func (s *Server) refusal(ask *madcap.Ask, err error) madcap.Outcome {
	at := madcap.NoOption
	var e *lease.Error
	if errors.As(err, &e) {
		if o, ok := optionOf[e.Param]; ok {
			at = o
		}
	}
	var later *lease.TryLaterError
	if errors.As(err, &later) {
		continuation, err := json.Marshal(later.Pending)
		if err == nil {
			id := ask.Scope
			if !id.IsValid() { // a RENEW names none
				id = later.Pending.Request.Scope
			}
			return madcap.Outcome{RetryTime: later.At, Continuation: continuation, Scope: id}
		}
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			if r.option != 0 {
				at = r.option
			}
			return madcap.Outcome{Code: r.code, Option: at}
		}
	}
	s.cfg.Logger.Warn("allocator has no answer", "op", ask.Op, "err", err)
	return madcap.Outcome{Silent: true}
}

// refusals says which error a NAK carries, and which option where the
// allocator names none or the answer is always the same.
var refusals = []struct {
	err    error
	code   madcap.ErrorCode
	option madcap.OptionCode
}{
	{lease.ErrNone, madcap.CodeNotCompleted, 0},
	{lease.ErrNotLeased, madcap.CodeLeaseUnknown, 0},
	{lease.ErrInUse, madcap.CodeInvalidRequest, madcap.OptLeaseIdentifier},
	{lease.ErrUnchanged, madcap.CodeNotCompleted, 0},
	{lease.ErrScope, madcap.CodeNotCompleted, madcap.OptMulticastScope},
	{lease.ErrFamily, madcap.CodeNotCompleted, madcap.NoOption},
	{lease.ErrDenied, madcap.CodeNotCompleted, madcap.NoOption},
	{lease.ErrUnsupported, madcap.CodeNotCompleted, madcap.NoOption},
	{lease.ErrTryLater, madcap.CodeNotCompleted, madcap.NoOption},
	{lease.ErrCount, madcap.CodeInvalidRequest, madcap.OptNumberOfAddresses},
	{lease.ErrLifetime, madcap.CodeInvalidRequest, 0},
	{lease.ErrStart, madcap.CodeInvalidRequest, 0},
	{lease.ErrSkew, madcap.CodeClockSkew, 0},
}
