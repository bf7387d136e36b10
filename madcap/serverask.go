// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"bytes"
	"slices"
	"time"
)

// pendingExchange is an exchange that waits for the allocator.
type pendingExchange struct {
	exchange
	ask    Ask
	id     []byte // memory of exchange.id and ask.ID
	turn   uint32 // distinguishes the uses of this place
	active bool
}

// pendingSet holds what waits for the allocator, in places that are reused.
type pendingSet struct {
	places []*pendingExchange
	free   []uint32
	count  int
}

// enter copies x to a free place and returns it with its token.
func (s *pendingSet) enter(x *exchange) (*pendingExchange, Token) {
	if len(s.free) == 0 {
		s.free = append(s.free, uint32(len(s.places)))
		s.places = append(s.places, &pendingExchange{})
	}
	i := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	s.count++
	p := s.places[i]
	p.id = append(p.id[:0], x.id...)
	ranges, applied := p.ask.Ranges[:0], p.applied[:0]
	*p = pendingExchange{exchange: *x, id: p.id, turn: p.turn + 1, active: true}
	p.exchange.id = p.id
	p.ask.Ranges, p.applied = ranges, applied
	return p, Token(p.turn)<<32 | Token(i)
}

// leave returns the exchange of a token and frees its place, whose content
// stays until the next enter.
func (s *pendingSet) leave(t Token) *pendingExchange {
	i := uint32(t)
	if int(i) >= len(s.places) || !s.places[i].active || s.places[i].turn != uint32(t>>32) {
		return nil
	}
	s.places[i].active = false
	s.free = append(s.free, i)
	s.count--
	return s.places[i]
}

var opFor = [...]Op{TypeDiscover: OpOffer, TypeRequest: OpAllocate, TypeRenew: OpChange, TypeRelease: OpRelease}

// ask turns the message at hand into a question for the allocator. The
// defaults of absent options are those of RFC 2730, sections 2.2.2 and 2.2.7.
func (s *Server) ask(x *exchange, continuation []byte) {
	m := &s.in
	fresh := m.Type == TypeDiscover && !s.holds.has(m.LeaseIdentifier)
	if s.pending.count >= s.cfg.MaxPending || fresh && s.holds.order.Len() >= s.cfg.MaxHolds {
		s.silence(x, IgnoredBusy)
		return
	}
	p, token := s.pending.enter(x)
	for _, f := range [...]Feature{ServerMobility, SharedLeaseIdentifier} {
		l := &m.Features.Value
		if slices.Contains(s.features, f) && (slices.Contains(l.Required, f) || slices.Contains(l.Requested, f)) {
			p.applied = append(p.applied, f)
		}
	}
	ranges := append(p.ask.Ranges, m.Ranges.Value...)
	p.ask = Ask{
		Token: token, Op: opFor[m.Type], From: x.from, Server: x.server, ID: p.exchange.id, XID: m.XID, Family: m.Family,
		Scope: m.Scope, LeaseTime: m.LeaseTime, MinLeaseTime: m.MinLeaseTime.Value,
		StartTime: m.StartTime, MaxStartTime: m.MaxStartTime,
		Min: 1, Desired: 1, Ranges: ranges,
		Shared:       slices.Contains(p.applied, SharedLeaseIdentifier),
		Mobility:     slices.Contains(p.applied, ServerMobility),
		CanDefer:     x.retry && (continuation != nil || len(s.deferred.index) < s.cfg.MaxDeferred),
		Continuation: continuation,
	}
	if n := m.Addresses; !n.IsZero() {
		p.ask.Min, p.ask.Desired = max(int(n.Min), 1), int(n.Desired)
	}
	if m.Type == TypeDiscover {
		p.ask.Hold = s.cfg.OfferHold
	}
	s.queue = append(s.queue, &p.ask)
}

// Resolve answers an Ask: the client is sent an OFFER, an ACK, a NAK, or
// nothing. A token that is not waiting for an answer is ignored.
func (s *Server) Resolve(now time.Time, token Token, o Outcome) {
	p := s.pending.leave(token)
	if p == nil {
		return
	}
	x := &p.exchange
	d := s.deferred.find(x.id)
	switch {
	case o.Silent:
		s.silence(x, IgnoredStore)
		return
	case !o.Granted && !o.RetryTime.IsZero() && p.ask.CanDefer:
		s.putOff(now, x, d, &o)
		return
	case d != nil && d.typ == x.typ:
		s.deferred.remove(x.id)
	}
	switch {
	case !o.Granted && x.typ == TypeDiscover:
		s.silence(x, IgnoredDiscover)
	case !o.Granted && !o.RetryTime.IsZero():
		s.refuse(now, x, NotCompleted(NoOption))
	case !o.Granted:
		s.refuse(now, x, refusal(now, &o))
	case x.typ == TypeDiscover:
		s.offer(now, x, &o)
	default:
		if x.typ == TypeRequest {
			s.holds.take(x.id)
		}
		s.acknowledge(now, x, &o)
	}
}

// refusal returns the Error option for an outcome.
func refusal(now time.Time, o *Outcome) ErrorOption {
	switch o.Code {
	case CodeNotCompleted:
		return NotCompleted(o.Option)
	case CodeInvalidRequest:
		return InvalidRequest(o.Option)
	case CodeClockSkew:
		return ClockSkew(now)
	case CodeLeaseUnknown:
		return ErrorOption{Code: CodeLeaseUnknown}
	}
	return NotCompleted(NoOption)
}

// putOff tells the client to ask again at o.RetryTime (RFC 2730, section
// 2.13.2) and remembers what it must repeat then.
func (s *Server) putOff(now time.Time, x *exchange, d *deferral, o *Outcome) {
	retry := ceilSecond(o.RetryTime)
	if d == nil {
		d = &deferral{id: bytes.Clone(x.id), typ: x.typ, options: bytes.Clone(x.repeat), family: x.family}
	}
	d.from, d.server, d.retry = x.from, x.server, retry
	d.drop = retry.Add(s.cfg.ClockSkewAllowance + s.cfg.OfferHold)
	d.continuation = bytes.Clone(o.Continuation)
	if d.continuation == nil {
		d.continuation = []byte{}
	}
	s.deferred.put(d)
	s.holds.take(x.id)
	s.stats.Deferred++
	x.applied = append(x.applied, RetryAfter)
	m := s.answer(x, TypeAck)
	m.Scope = o.Scope
	m.LeaseTime = Some(o.End.Sub(o.Start).Truncate(time.Second))
	m.Ranges.Present = true
	m.CurrentTime = now.UTC().Truncate(time.Second)
	m.RetryTime = retry
	s.send(x, m)
}
