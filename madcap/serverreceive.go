// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"errors"
	"net/netip"
	"slices"
	"time"
)

// exchange is one message while it is worked on: what its answer must repeat,
// and the bounds of what it may grant.
type exchange struct {
	from   netip.AddrPort
	server netip.Addr // this server's identifier towards the client
	typ    MessageType
	family AddrFamily
	xid    uint32
	id     LeaseIdentifier // aliases the datagram until the exchange is pending
	key    idKey           // of id
	seq    uint64          // in the response cache, 0 if not there
	at     time.Time       // when it was received

	start, maxStart time.Time     // options 6 and 15, zero if absent
	minLease        time.Duration // option 14, 0 if absent
	least, most     int           // option 7

	listed  bool      // the message has a Feature List, so the answer has one too
	applied []Feature // of those asked for, what the server applies
	must    uint32    // the set of these that are required
	retry   bool      // the client may be put off
	repeat  signature // of a message that may be, or was, put off
}

func (x *exchange) applies(f Feature) bool { return slices.Contains(x.applied, f) }

// Receive works on a datagram. The steps and their order are those of the
// project's requirement sheet for a server: first what must be ignored, then
// what was answered before, then what is wrong with the message, and only then
// what it asks for.
func (s *Server) Receive(now time.Time, d Datagram) {
	s.stats.Received++
	if !isHost(d.From.Addr().Unmap()) || d.From.Port() == 0 {
		s.ignore(IgnoredSource)
		return
	}
	d.To, d.Local = plain(d.To), plain(d.Local)
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
	x := s.begin(now, d)
	if bad != nil && !x.listed { // a malformed Feature List counts, too
		for code := range RawOptions(d.Payload) {
			x.listed = x.listed || code == OptFeatureList
		}
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
	if m.Type == TypeGetInfo && !s.infos.allow(now, d.From.Addr(), s.cfg.InfoLimit, &s.cfg) {
		s.ignore(IgnoredInfoLimit)
		return
	}
	key := messageKey{xid: m.XID, typ: m.Type, id: x.key}
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
	other := false
	if m.Type == TypeRequest && !m.ServerIdentifier.IsZero() {
		if s.isMine(x) {
			x.server = m.ServerIdentifier.Addr // the one the client knows
		} else if other = true; multicast || !known {
			s.standBack(x)
			return
		}
	}
	if multicast && !s.inScope(d.To) {
		s.ignore(IgnoredScope)
		return
	}
	x.seq = s.cache.add(now, &key)
	s.execute(now, x, other, d.Payload)
}

// begin notes what is to be known of the message at hand.
func (s *Server) begin(now time.Time, d Datagram) *exchange {
	m, x := &s.in, &s.x
	*x = exchange{
		from: d.From, server: s.identifier(d), typ: m.Type, family: m.Family, xid: m.XID,
		id: m.LeaseIdentifier, key: keyOf(m.LeaseIdentifier), at: now,
		start: m.StartTime, maxStart: m.MaxStartTime, minLease: m.MinLeaseTime.Value,
		least: 1, most: 1,
		listed: m.Features.Present, applied: x.applied[:0],
	}
	if n := m.Addresses; !n.IsZero() {
		x.least, x.most = max(int(n.Min), 1), int(n.Desired)
	}
	return x
}

// standBack gives way to the server that a client has chosen.
func (s *Server) standBack(x *exchange) {
	s.ignore(IgnoredOther)
	if p := s.pending.find(&x.key); p != nil {
		p.unwanted = true
		return
	}
	if h := s.holds.find(&x.key); h != nil {
		s.stats.Withdrawn++
		s.withdraw(h)
	}
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
	if !m.CurrentTime.IsZero() && now.Truncate(time.Second).Sub(m.CurrentTime).Abs() > s.cfg.ClockSkewAllowance {
		s.refuse(now, x, ClockSkew(now))
		return
	}
	if other {
		s.refuse(now, x, InvalidRequest(OptServerIdentifier))
		return
	}
	if m.Type == TypeGetInfo {
		if _, ok := s.zones[m.Family]; !ok {
			s.refuse(now, x, NotCompleted(NoOption))
			return
		}
		s.inform(now, x)
		return
	}
	s.apply(x, &m.Features.Value)
	if p := s.pending.find(&x.key); p != nil {
		// One question at a time about a lease. A RELEASE may be the last that
		// its client sends, so it waits; all else the client sends again.
		if x.typ == TypeRelease && !p.releasing {
			p.postpone(x)
		} else {
			s.silence(x, IgnoredInProgress)
		}
		return
	}
	if s.isDeferred(now, x, payload) {
		return
	}
	if refusal, refused := s.mayNot(x); refused && m.Type == TypeDiscover {
		s.silence(x, IgnoredDiscover)
	} else if refused {
		s.refuse(now, x, refusal)
	} else {
		s.ask(x, nil)
	}
}

// mayNot says what the configuration has against a message, if anything.
func (s *Server) mayNot(x *exchange) (ErrorOption, bool) {
	m := &s.in
	switch long := len(x.id) > s.cfg.MaxIdentifier; {
	case long && (m.Type == TypeRenew || m.Type == TypeRelease): // there is no such lease
		return ErrorOption{Code: CodeLeaseUnknown}, true
	case m.Type == TypeRenew || m.Type == TypeRelease:
		return ErrorOption{}, false
	case long:
		return NotCompleted(NoOption), true
	}
	v, ok := s.zones[m.Family]
	switch {
	case !ok:
		return NotCompleted(NoOption), true
	case !v.serves(m.Scope):
		return NotCompleted(OptMulticastScope), true
	case len(m.Ranges.Value) > s.cfg.MaxRanges:
		return NotCompleted(OptAddressRanges), true
	}
	return ErrorOption{}, false
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
	case isHost(d.To):
		return d.To
	case isHost(d.Local):
		return d.Local
	}
	return s.cfg.Identifiers[0]
}

// isMine reports whether the Server Identifier of the message at hand names
// this server: with an address of its own, or as the OFFER did that the client
// accepts.
func (s *Server) isMine(x *exchange) bool {
	a := s.in.ServerIdentifier.Addr
	if !a.IsValid() {
		return false
	}
	if a == x.server || slices.Contains(s.cfg.Identifiers, a) {
		return true
	}
	h := s.holds.find(&x.key)
	return h != nil && h.server == a
}

// inScope reports whether a message may come in on a server group (RFC 2730,
// section 2.11).
func (s *Server) inScope(group netip.Addr) bool {
	info := slices.Contains(s.cfg.InfoGroups, group)
	switch m := &s.in; m.Type {
	case TypeGetInfo:
		return info
	case TypeDiscover, TypeRequest:
		v, ok := s.zones[m.Family]
		return !ok || !m.Scope.IsValid() || v.mayAsk(group, info, m.Scope)
	}
	return true
}

// lacks returns the features that the server does not support.
func (s *Server) lacks(required []Feature) []Feature {
	var lacks []Feature
	for _, f := range required {
		if !slices.Contains(s.cfg.Features, f) {
			lacks = append(lacks, f)
		}
	}
	return lacks
}

// apply notes which of the features that the client wants the server applies.
// Retry After is not among these: no client may want it.
func (s *Server) apply(x *exchange, l *FeatureList) {
	for _, f := range [...]Feature{ServerMobility, SharedLeaseIdentifier} {
		required := slices.Contains(l.Required, f)
		if (required || slices.Contains(l.Requested, f)) && slices.Contains(s.cfg.Features, f) {
			x.applied = append(x.applied, f)
			if required {
				x.must |= 1 << f
			}
		}
	}
	x.retry = (x.typ == TypeRequest || x.typ == TypeRenew) &&
		s.in.Names(RetryAfter) && slices.Contains(s.cfg.Features, RetryAfter)
}

// isDeferred answers a message about a lease that was put off, unless it is
// the repetition the server waits for: that one it asks for again.
func (s *Server) isDeferred(now time.Time, x *exchange, payload []byte) bool {
	d := s.deferred.find(&x.key)
	if x.retry || d != nil && x.typ == d.typ {
		x.repeat = s.signing.sign(payload)
	}
	switch {
	case d == nil:
		return false
	case x.typ == TypeRelease:
		s.deferred.remove(&x.key)
		s.cancel(d)
		if d.typ == TypeRenew {
			return false // there is a lease besides
		}
		x.applied = x.applied[:0]
		s.acknowledge(now, x, &Outcome{Granted: true})
	case x.typ == TypeDiscover:
		s.silence(x, IgnoredDiscover)
	case x.typ == TypeRequest && d.typ == TypeRenew:
		s.refuse(now, x, InvalidRequest(OptLeaseIdentifier))
	case x.typ != d.typ, x.repeat != d.options:
		s.refuse(now, x, InvalidRequest(NoOption))
	default:
		s.ask(x, d)
	}
	return true
}

func (s *Server) ignore(why Ignored) { s.stats.Ignored[why]++ }

// silence leaves a message unanswered that may be sent again.
func (s *Server) silence(x *exchange, why Ignored) {
	s.ignore(why)
	s.cache.forget(x.seq)
}
