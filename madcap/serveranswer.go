// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
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
		m.Features.Value.Supported = append(m.Features.Value.Supported, s.cfg.Features...)
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
	if !s.naks.allow(now, x.from.Addr(), s.cfg.NakLimit, &s.cfg) {
		s.silence(x, IgnoredNakLimit)
		return
	}
	x.applied = x.applied[:0]
	m := s.answer(x, TypeNak)
	m.Error = Some(e)
	if !s.send(x, m) {
		s.silence(x, IgnoredTooLong)
		return
	}
	s.stats.Naks[e.Code]++
}

// offer answers a DISCOVER (RFC 2730, section 2.2.3).
func (s *Server) offer(now time.Time, x *exchange, o *Outcome) {
	s.holds.put(x, now.Add(s.cfg.OfferHold))
	m := s.answer(x, TypeOffer)
	if _, ok := x.grant(now, m, o); !ok || !s.send(x, m) {
		s.withdraw(s.holds.find(&x.key))
		s.silence(x, IgnoredDiscover)
		return
	}
	s.stats.Offers++
}

// acknowledge answers a REQUEST, RENEW or RELEASE that is done (RFC 2730,
// section 2.2.5). A new lease that the client must not have, or that no
// datagram can tell of, is given back.
func (s *Server) acknowledge(now time.Time, x *exchange, o *Outcome) {
	m := s.answer(x, TypeAck)
	at, ok := NoOption, true
	if x.typ != TypeRelease {
		at, ok = x.grant(now, m, o)
	}
	if ok && s.send(x, m) {
		s.stats.Acks++
		return
	}
	if x.typ == TypeRequest {
		s.notify(Ask{Op: OpRelease, From: x.from, Server: x.server, ID: x.id, XID: x.xid, Family: x.family})
	}
	if ok {
		at = NoOption
	}
	s.refuse(now, x, NotCompleted(at))
}

// inform answers a GETINFO (RFC 2730, section 2.2.1) with what it asks for of
// the options that such an answer may hold.
func (s *Server) inform(now time.Time, x *exchange) {
	in := &s.in
	asks := func(c OptionCode) bool { return slices.Contains(in.OptionRequestList, c) }
	x.listed = x.listed || asks(OptFeatureList)
	m := s.answer(x, TypeAck)
	if asks(OptScopeList) {
		v := s.zones[x.family]
		m.ScopeList = Some(v.zones)
		if in.RequestedLanguage.Present {
			m.ScopeList.Value = s.inLanguage(v.zones, in.RequestedLanguage.Value)
		}
		if asks(OptNestingState) {
			m.Nesting = v.nesting
		}
	}
	if asks(OptCurrentTime) {
		m.CurrentTime = now.UTC().Truncate(time.Second)
	}
	sent := s.send(x, m)
	m.ScopeList.Value = nil // it is not the message's own
	if !sent {
		s.refuse(now, x, NotCompleted(NoOption))
		return
	}
	s.stats.Acks++
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
