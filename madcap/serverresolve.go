// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"bytes"
	"math"
	"slices"
	"time"
)

// Resolve answers an Ask: the client is sent an OFFER, an ACK, a NAK, or
// nothing. A token that is not waiting for an answer is ignored.
func (s *Server) Resolve(now time.Time, token Token, o Outcome) {
	p := s.pending.leave(token)
	if p == nil {
		return
	}
	s.resolve(now, p, o)
	if p.releasing {
		x := &s.x
		applied := append(x.applied[:0], p.release.applied...)
		*x = p.release
		x.id, x.applied = p.id, applied
		s.in.Reset()
		if !s.isDeferred(now, x, nil) {
			s.ask(x, nil)
		}
	}
}

func (s *Server) resolve(now time.Time, p *pendingExchange, o Outcome) {
	x := &p.exchange
	h := s.holds.find(&x.key)
	if h != nil {
		h.busy = false
	}
	var d *deferral
	if p.continues {
		d = s.deferred.find(&x.key)
		s.deferred.idle(d)
	}
	switch {
	case p.unwanted && x.typ == TypeDiscover:
		s.giveUp(p, h, &o)
		return
	case o.Silent:
		s.silence(x, IgnoredStore)
		return
	case !o.Granted && !o.RetryTime.IsZero() && p.ask.CanDefer:
		s.putOff(now, p, d, &o)
		return
	case d != nil:
		s.deferred.remove(&x.key)
	}
	switch {
	case !o.Granted && x.typ == TypeDiscover:
		s.silence(x, IgnoredDiscover)
	case !o.Granted:
		s.refuse(now, x, p.refusal(now, &o))
	case x.typ == TypeDiscover:
		s.offer(now, x, &o)
	default:
		if h != nil && x.typ == TypeRequest {
			s.holds.remove(h)
		}
		s.acknowledge(now, x, &o)
	}
}

// giveUp ends an offer that the client has turned down before it was made.
func (s *Server) giveUp(p *pendingExchange, h *hold, o *Outcome) {
	x := &p.exchange
	switch {
	case h != nil:
		s.stats.Withdrawn++
		s.withdraw(h)
	case o.Granted:
		s.stats.Withdrawn++
		s.notify(Ask{Op: OpWithdraw, From: x.from, Server: x.server, ID: x.id, Family: x.family})
	}
	s.silence(x, IgnoredOther)
}

// refusal returns the Error option for an outcome.
func (p *pendingExchange) refusal(now time.Time, o *Outcome) ErrorOption {
	at := o.Option
	if at == OptEnd || !o.RetryTime.IsZero() {
		at = NoOption
	}
	switch o.Code {
	case CodeNotCompleted:
		return NotCompleted(at)
	case CodeInvalidRequest:
		return InvalidRequest(at)
	case CodeClockSkew:
		return ClockSkew(now)
	case CodeLeaseUnknown:
		return ErrorOption{Code: CodeLeaseUnknown}
	case CodeFeatureUnsupported:
		required := slices.DeleteFunc(slices.Clone(p.applied), func(f Feature) bool { return p.must&(1<<f) == 0 })
		if len(required) > 0 {
			return FeatureUnsupported(required...)
		}
	}
	return NotCompleted(NoOption)
}

// putOff tells the client to ask again at o.RetryTime, later than before (RFC
// 2730, section 2.13.2), and remembers what it must repeat then.
func (s *Server) putOff(now time.Time, p *pendingExchange, d *deferral, o *Outcome) {
	x := &p.exchange
	if d == nil {
		d = &deferral{id: bytes.Clone(x.id), typ: x.typ, options: x.repeat, family: x.family}
	}
	retry := ceilSecond(o.RetryTime)
	for _, t := range [...]time.Time{now, d.retry} {
		if !retry.After(t) {
			retry = ceilSecond(t.Add(1))
		}
	}
	d.from, d.server, d.retry = x.from, x.server, retry
	d.drop = retry.Add(s.cfg.ClockSkewAllowance + s.cfg.OfferHold)
	d.continuation = append([]byte{}, o.Continuation...)
	x.applied = append(x.applied, RetryAfter)
	m := s.answer(x, TypeAck)
	m.Scope = o.Scope
	if !m.Scope.IsValid() {
		m.Scope = p.ask.Scope
	}
	m.LeaseTime = Some(x.minLease)
	if intended := o.End.Sub(o.Start); intended > 0 {
		m.LeaseTime.Value = wholeSeconds(intended)
	} else if p.ask.LeaseTime.Present {
		m.LeaseTime = p.ask.LeaseTime
	}
	m.Ranges.Present = true
	m.CurrentTime = now.UTC().Truncate(time.Second)
	m.RetryTime = retry
	if !s.send(x, m) {
		s.deferred.remove(&x.key)
		s.cancel(d)
		s.refuse(now, x, NotCompleted(NoOption))
		return
	}
	s.deferred.put(&x.key, d)
	if h := s.holds.find(&x.key); h != nil && x.typ == TypeRequest {
		s.holds.remove(h)
	}
	s.stats.Deferred++
}

// grant tells of a lease, or of what is reserved for one. Start Time is there
// only if the lease starts later than now or the client asked for an instant.
// Lease Time counts from that start; without it the client counts from when it
// first sent the message, so a start before that does not lengthen the lease:
// the client never holds on longer than the server (decision MADCAP-D-44).
//
// Where instants are no whole seconds the client is told less rather than more,
// unless that would break its limits. If those are broken nevertheless, grant
// returns the option concerned.
func (x *exchange) grant(now time.Time, m *Message, o *Outcome) (OptionCode, bool) {
	start := o.Start
	if o.Start.Sub(now) >= time.Second || !x.start.IsZero() {
		if start = ceilSecond(o.Start); !o.Start.After(now) {
			start = o.Start.UTC().Truncate(time.Second) // it has begun anyway
		}
		floor := o.Start.UTC().Truncate(time.Second)
		if !x.maxStart.IsZero() && start.After(x.maxStart) || wholeSeconds(o.End.Sub(start)) < x.minLease {
			start = floor
		}
		m.StartTime = start
		m.CurrentTime = now.UTC().Truncate(time.Second)
	} else if start.Before(x.at) && (x.typ == TypeRenew || wholeSeconds(o.End.Sub(x.at)) >= x.minLease) {
		start = x.at // else it is a REQUEST that had been executed before
	}
	m.LeaseTime = Some(wholeSeconds(o.End.Sub(start)))
	m.Scope = o.Scope
	if x.typ != TypeDiscover || len(o.Ranges) > 0 {
		m.Ranges.Present = true
		m.Ranges.Value = append(m.Ranges.Value, o.Ranges...)
	}
	switch n := o.addresses(); {
	case m.LeaseTime.Value < x.minLease:
		return OptMinLeaseTime, false
	case !x.maxStart.IsZero() && start.After(x.maxStart):
		return OptMaxStartTime, false
	case x.typ == TypeRequest && (n < x.least || n > x.most), x.typ == TypeDiscover && n > 0 && (n < x.least || n > x.most):
		return OptNumberOfAddresses, false
	}
	return 0, true
}

// addresses returns the number of addresses granted, as far as MADCAP can
// tell them.
func (o *Outcome) addresses() int {
	n := 0
	for _, r := range o.Ranges {
		size := r.Size()
		if size.Hi != 0 || size.Lo > math.MaxUint16 {
			return math.MaxInt
		}
		n += int(size.Lo)
	}
	return n
}

// wholeSeconds cuts a length of time to what a message can tell.
func wholeSeconds(d time.Duration) time.Duration {
	return max(0, min(d.Truncate(time.Second), math.MaxUint32*time.Second))
}

// ceilSecond rounds up to a whole second.
func ceilSecond(t time.Time) time.Time {
	if whole := t.UTC().Truncate(time.Second); whole.Equal(t) {
		return whole
	}
	return t.UTC().Truncate(time.Second).Add(time.Second)
}
