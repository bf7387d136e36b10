// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"errors"
	"net/netip"
	"slices"
	"time"
)

// exchange is one message while it is worked on: what its answer must repeat.
type exchange struct {
	from     netip.AddrPort
	server   netip.Addr // this server's identifier towards the client
	typ      MessageType
	family   AddrFamily
	xid      uint32
	id       LeaseIdentifier // aliases the datagram until the exchange is pending
	listed   bool            // the message has a Feature List, so the answer has one too
	applied  []Feature       // of those asked for, what the server applies
	seq      uint64          // in the response cache, 0 if not there
	at       time.Time       // when it was received
	start    time.Time       // option 6, zero if absent
	maxStart time.Time       // option 15, zero if absent
	retry    bool            // the client may be put off
	repeat   []byte          // signature of a message that may be, or was, put off
}

// Receive works on a datagram. The steps and their order are those of the
// project's requirement sheet for a server: first what must be ignored, then
// what was answered before, then what is wrong with the message, and only then
// what it asks for.
func (s *Server) Receive(now time.Time, d Datagram) {
	s.stats.Received++
	m := &s.in
	err := m.Decode(d.Payload)
	bad, _ := err.(*Error)
	if bad != nil && isFraming(bad.Err) {
		s.ignore(IgnoredMalformed)
		return
	}
	known := d.To.IsValid() // the socket can tell where the datagram went
	multicast := d.To.IsMulticast()
	switch {
	case m.Type == TypeNak:
		s.ignore(IgnoredNak)
		return
	case s.cfg.Secure && (m.Type == TypeDiscover || (multicast || !known) && m.Type != TypeGetInfo):
		s.ignore(IgnoredInsecure)
		return
	case len(m.LeaseIdentifier) == 0:
		s.ignore(IgnoredAnonymous)
		return
	}
	x := &exchange{
		from: d.From, server: s.identifier(d), typ: m.Type, family: m.Family, xid: m.XID, id: m.LeaseIdentifier,
		listed: m.Features.Present, at: now, start: m.StartTime, maxStart: m.MaxStartTime,
	}
	if !m.Type.FromClient() {
		if m.Type.IsValid() && s.cfg.SilentToServers {
			s.ignore(IgnoredServer)
		} else {
			s.refuse(now, x, InvalidRequest(NoOption))
		}
		return
	}
	if multicast && (m.Type == TypeRenew || m.Type == TypeRelease) {
		s.ignore(IgnoredMulticast)
		return
	}
	key := messageKey{xid: m.XID, typ: m.Type, id: keyOf(m.LeaseIdentifier)}
	if r, ok := s.cache.find(now, &key); ok {
		s.resend(d.From, x.server, r)
		return
	}
	if bad == nil {
		bad, _ = m.Validate(0, multicast).(*Error)
	}
	if bad != nil {
		x.seq = s.cache.add(now, &key)
		answer, _ := bad.Answer()
		s.refuse(now, x, answer)
		return
	}
	other := m.Type == TypeRequest && !m.ServerIdentifier.IsZero() && !s.isMine(m.ServerIdentifier, d)
	if other && (multicast || !known) {
		s.ignore(IgnoredOther)
		if h := s.holds.take(m.LeaseIdentifier); h != nil {
			s.stats.Withdrawn++
			s.withdraw(h)
		}
		return
	}
	if multicast && !s.inScope(d.To) {
		s.ignore(IgnoredScope)
		return
	}
	x.seq = s.cache.add(now, &key)
	s.execute(now, x, other, d.Payload)
}

// execute works on a well-formed message that is meant for this server.
func (s *Server) execute(now time.Time, x *exchange, other bool, payload []byte) {
	m := &s.in
	if lacks := s.lacks(m.Features.Value.Required); len(lacks) > 0 {
		if m.Type == TypeDiscover {
			s.silence(x, IgnoredDiscover)
		} else {
			s.refuse(now, x, FeatureUnsupported(lacks...))
		}
		return
	}
	if skew := now.Sub(m.CurrentTime).Abs(); !m.CurrentTime.IsZero() && skew > s.cfg.ClockSkewAllowance {
		s.refuse(now, x, ClockSkew(now))
		return
	}
	if other {
		s.refuse(now, x, InvalidRequest(OptServerIdentifier))
		return
	}
	if m.Type == TypeGetInfo {
		s.inform(now, x)
		return
	}
	if s.isDeferred(now, x, payload) {
		return
	}
	if m.Type == TypeDiscover || m.Type == TypeRequest {
		v, ok := s.zones[m.Family]
		switch {
		case m.Type == TypeDiscover && (!ok || !v.serves(m.Scope)):
			s.silence(x, IgnoredDiscover)
			return
		case !ok:
			s.refuse(now, x, NotCompleted(NoOption))
			return
		case !v.serves(m.Scope):
			s.refuse(now, x, NotCompleted(OptMulticastScope))
			return
		}
	}
	s.ask(x, nil)
}

// isFraming reports whether an error leaves nothing of a message to answer.
func isFraming(err error) bool {
	return errors.Is(err, ErrTruncated) || errors.Is(err, ErrVersion) || errors.Is(err, ErrEnd)
}

// identifier returns the Server Identifier of the answer to a datagram: the
// address it was sent to, or that of the interface it came in on (decision
// MADCAP-D-54).
func (s *Server) identifier(d Datagram) netip.Addr {
	switch {
	case d.To.IsValid() && !d.To.IsMulticast() && !d.To.IsUnspecified():
		return d.To.WithZone("")
	case d.Local.IsValid() && !d.Local.IsUnspecified():
		return d.Local.WithZone("")
	}
	return s.cfg.Identifiers[0]
}

// isMine reports whether a Server Identifier names this server.
func (s *Server) isMine(id ServerIdentifier, d Datagram) bool {
	return id.Addr.IsValid() && (slices.Contains(s.cfg.Identifiers, id.Addr) || id.Addr == s.identifier(d))
}

// inScope reports whether a message may come in on a server group (RFC 2730,
// section 2.11).
func (s *Server) inScope(group netip.Addr) bool {
	switch m := &s.in; m.Type {
	case TypeGetInfo:
		return slices.Contains(s.cfg.InfoGroups, group.WithZone(""))
	case TypeDiscover, TypeRequest:
		v, ok := s.zones[m.Family]
		return !ok || !m.Scope.IsValid() || v.mayAsk(group.WithZone(""), m.Scope)
	}
	return true
}

// lacks returns the features that the server does not support.
func (s *Server) lacks(required []Feature) []Feature {
	var lacks []Feature
	for _, f := range required {
		if !slices.Contains(s.features, f) {
			lacks = append(lacks, f)
		}
	}
	return lacks
}

// isDeferred answers a message about a lease that was put off, unless it is
// the repetition the server waits for: that one it asks for again.
func (s *Server) isDeferred(now time.Time, x *exchange, payload []byte) bool {
	m := &s.in
	x.retry = m.Names(RetryAfter) && slices.Contains(s.features, RetryAfter)
	if m.Type == TypeRequest || m.Type == TypeRenew {
		if x.retry {
			x.repeat = signature(payload)
		}
	}
	d := s.deferred.find(m.LeaseIdentifier)
	switch {
	case d == nil:
		return false
	case m.Type == TypeRelease && d.typ == TypeRequest:
		s.deferred.remove(d.id)
		s.cancel(d)
		s.acknowledge(now, x, &Outcome{Granted: true})
	case m.Type == TypeRelease:
		s.deferred.remove(d.id)
		s.cancel(d)
		return false
	case m.Type == TypeDiscover:
		s.silence(x, IgnoredDiscover)
	case m.Type != d.typ, string(signature(payload)) != string(d.options):
		s.refuse(now, x, InvalidRequest(NoOption))
	default:
		x.repeat = d.options
		s.ask(x, d.continuation)
	}
	return true
}

func (s *Server) ignore(why Ignored) { s.stats.Ignored[why]++ }

// silence leaves a message unanswered that may be sent again.
func (s *Server) silence(x *exchange, why Ignored) {
	s.ignore(why)
	s.cache.forget(x.seq)
}
