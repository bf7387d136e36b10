// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"
)

// answer returns the message that answers x, with what every answer has: the
// client's transaction, family and Lease Identifier, the server's identifier,
// and a Feature List if the client sent one (RFC 2730, section 3.13).
func (s *Server) answer(x *exchange, t MessageType) *Message {
	m := &s.out
	m.Reset()
	m.Type, m.Family, m.XID = t, x.family, x.xid
	m.ServerIdentifier = ServerIdentifierOf(x.server)
	m.LeaseIdentifier = x.id
	if x.listed {
		m.Features.Present = true
		m.Features.Value.Supported = append(m.Features.Value.Supported, s.features...)
		m.Features.Value.Required = append(m.Features.Value.Required, x.applied...)
		slices.Sort(m.Features.Value.Required)
	}
	return m
}

// send queues an answer and remembers it for retransmissions. It reports false
// if the message cannot be sent.
func (s *Server) send(x *exchange, m *Message) bool {
	out := s.newSend(x.from, x.server)
	b, err := m.AppendValid(out.Packet, x.typ, false)
	if err != nil {
		return false
	}
	out.Packet = b
	s.sent++
	s.queue = append(s.queue, out)
	s.cache.answer(x.seq, b)
	return true
}

// newSend returns the next unused Send, empty. It counts as used when s.sent
// does.
func (s *Server) newSend(to netip.AddrPort, from netip.Addr) *Send {
	if s.sent == len(s.sends) {
		s.sends = append(s.sends, &Send{})
	}
	out := s.sends[s.sent]
	*out = Send{To: to, From: from, Packet: out.Packet[:0]}
	return out
}

// resend answers a retransmission as the message was answered before. While
// the allocator still works on that, it waits.
func (s *Server) resend(to netip.AddrPort, from netip.Addr, r *response) {
	if len(r.data) == 0 {
		s.ignore(IgnoredInProgress)
		return
	}
	s.stats.Resent++
	out := s.newSend(to, from)
	out.Packet = append(out.Packet, r.data...)
	s.sent++
	s.queue = append(s.queue, out)
}

// refuse answers with a NAK (RFC 2730, section 2.2.6).
func (s *Server) refuse(now time.Time, x *exchange, e ErrorOption) {
	if !s.naks.allow(now, x.from.Addr(), &s.cfg) {
		s.silence(x, IgnoredNakLimit)
		return
	}
	x.applied = x.applied[:0]
	m := s.answer(x, TypeNak)
	m.Error = Some(e)
	if s.send(x, m) {
		s.stats.Naks[e.Code]++
	}
}

// offer answers a DISCOVER (RFC 2730, section 2.2.3).
func (s *Server) offer(now time.Time, x *exchange, o *Outcome) {
	h := &hold{id: bytes.Clone(x.id), from: x.from, server: x.server, family: x.family, until: now.Add(s.cfg.OfferHold)}
	m := s.answer(x, TypeOffer)
	x.grant(now, m, o)
	if !s.send(x, m) {
		s.withdraw(h)
		s.silence(x, IgnoredDiscover)
		return
	}
	s.holds.put(h)
	s.stats.Offers++
}

// acknowledge answers a REQUEST, RENEW or RELEASE that is done (RFC 2730,
// section 2.2.5). A new lease that no datagram can tell of is given back.
func (s *Server) acknowledge(now time.Time, x *exchange, o *Outcome) {
	m := s.answer(x, TypeAck)
	if x.typ != TypeRelease {
		x.grant(now, m, o)
	}
	if s.send(x, m) {
		s.stats.Acks++
		return
	}
	if x.typ == TypeRequest {
		s.queue = append(s.queue, &Ask{Op: OpRelease, From: x.from, Server: x.server, ID: bytes.Clone(x.id), XID: x.xid, Family: x.family})
	}
	s.refuse(now, x, NotCompleted(NoOption))
}

// grant tells of a lease: Start Time only if it starts later than now or the
// client asked for an instant; Lease Time from that start, else from the
// instant of the request, so that the client, who counts from its own first
// transmission, never holds on longer than the server (decision MADCAP-D-44).
func (x *exchange) grant(now time.Time, m *Message, o *Outcome) {
	start := o.Start
	if start.Before(x.at) {
		start = x.at
	}
	if later := o.Start.Sub(now) >= time.Second; later || !x.start.IsZero() {
		start = ceilSecond(o.Start)
		if !x.maxStart.IsZero() && start.After(x.maxStart) {
			start = x.maxStart // the rest of a second
		}
		m.StartTime = start
		m.CurrentTime = now.UTC().Truncate(time.Second)
	}
	m.LeaseTime = Some(o.End.Sub(start).Truncate(time.Second))
	m.Scope = o.Scope
	m.Ranges.Present = true
	m.Ranges.Value = append(m.Ranges.Value, o.Ranges...)
}

// inform answers a GETINFO (RFC 2730, section 2.2.1) with what it asks for of
// the options that such an answer may hold.
func (s *Server) inform(now time.Time, x *exchange) {
	in := &s.in
	asks := func(c OptionCode) bool { return slices.Contains(in.OptionRequestList, c) }
	x.listed = x.listed || asks(OptFeatureList)
	m := s.answer(x, TypeAck)
	v, ok := s.zones[x.family]
	if asks(OptScopeList) && x.family.addrLen() > 0 {
		m.ScopeList.Present = true
		if ok {
			zones := v.zones
			if in.RequestedLanguage.Present {
				zones = s.inLanguage(zones, in.RequestedLanguage.Value)
			}
			m.ScopeList.Value = zones
			if asks(OptNestingState) {
				m.Nesting = v.nesting
			}
		}
	}
	if asks(OptCurrentTime) {
		m.CurrentTime = now.UTC().Truncate(time.Second)
	}
	if s.send(x, m) {
		s.stats.Acks++
	}
	m.ScopeList.Value = nil // it is not the message's own
}

// ClockSkew returns error 2 with the server's clock (RFC 2730, section
// 3.17.3).
func ClockSkew(now time.Time) ErrorOption {
	return ErrorOption{Code: CodeClockSkew, Extra: binary.BigEndian.AppendUint32(nil, uint32(now.Unix()))}
}

// FeatureUnsupported returns error 4 with the required features that the
// server lacks, at least one (RFC 2730, section 3.17.5).
func FeatureUnsupported(lacks ...Feature) ErrorOption {
	e := ErrorOption{Code: CodeFeatureUnsupported}
	for _, f := range lacks {
		e.Extra = append(e.Extra, byte(f>>8), byte(f))
	}
	return e
}

// ceilSecond rounds up to a whole second.
func ceilSecond(t time.Time) time.Time {
	if whole := t.UTC().Truncate(time.Second); whole.Equal(t) {
		return whole
	}
	return t.UTC().Truncate(time.Second).Add(time.Second)
}
