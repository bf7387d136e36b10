// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"fmt"
	"iter"
	"net/netip"
	"time"
)

// Server is the server of RFC 2730 as a state machine without sockets, clock
// or goroutines. One owner drives it:
//
//	s.Receive(now, datagram)  a datagram came in
//	s.Resolve(now, token, o)  the allocator has answered an Ask
//	s.Advance(now)            time has passed
//	s.Deadline()              when Advance is next needed
//	s.Effects()               what to do: *Send and *Ask, in order
//
// The machine knows the protocol, not the addresses: whether a lease can be
// had it asks its driver with an *Ask, and it says nothing to the client before
// the driver has resolved that. What must survive a restart is in Snapshot,
// besides the leases themselves, which are the allocator's to store.
//
// A Server is not safe for concurrent use.
type Server struct {
	cfg   ServerConfig
	zones map[AddrFamily]*served
	stats ServerStats

	cache    responseCache
	holds    holdList
	deferred deferredSet
	pending  pendingSet
	naks     limiter
	infos    limiter

	in, out Message  // reused for every message read and written
	x       exchange // the message at hand
	zoneBuf []Zone   // reused for scope lists with one name a zone
	nameBuf []ZoneName
	signing signer

	queue   []Effect
	next    int // of queue, to yield
	sends   []*Send
	sent    int // of sends, in use
	notices []*notice
	noticed int // of notices, in use
}

// NewServer returns a server that starts with what an earlier one remembered:
// pass the zero ServerSnapshot for a fresh start.
func NewServer(cfg ServerConfig, from ServerSnapshot) (*Server, error) {
	cfg.fill()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg}
	s.cache.init(cfg.MaxResponses, cfg.MaxResponseOctets)
	s.holds.init()
	s.deferred.init()
	s.pending.init()
	s.naks.init()
	s.infos.init()
	if err := s.SetResponseCacheInterval(cfg.ResponseCacheInterval); err != nil {
		return nil, err
	}
	if err := s.SetScopes(cfg.Scopes, cfg.Nesting); err != nil {
		return nil, err
	}
	return s, s.restore(from)
}

// SetResponseCacheInterval changes how long a retransmission is answered from
// memory: 0 to 300 s; below 60 s a client that retransmits late may find its
// request executed twice (RFC 2730, section 2.1.4).
func (s *Server) SetResponseCacheInterval(d time.Duration) error {
	if d < 0 || d > MaxResponseCacheInterval {
		return fmt.Errorf("%w: response cache interval %v is not 0 to 300 s", ErrConfig, d)
	}
	s.cache.interval = d
	return nil
}

// Datagram is what a server receives, and how.
type Datagram struct {
	From    netip.AddrPort // the client
	To      netip.Addr     // where it was sent, the zero Addr if the socket cannot tell
	Local   netip.Addr     // own address on the interface it came in on, the zero Addr if not known
	Payload []byte
}

// Effects yields what there is to do and forgets it. The loop may call Resolve:
// what that adds is yielded by the same loop. Several calls of Receive may
// precede one loop.
func (s *Server) Effects() iter.Seq[Effect] {
	return func(yield func(Effect) bool) {
		for s.next < len(s.queue) {
			s.next++
			if !yield(s.queue[s.next-1]) {
				return
			}
		}
		clear(s.queue)
		s.queue, s.next, s.sent, s.noticed = s.queue[:0], 0, 0, 0
	}
}

// Stats returns the counters.
func (s *Server) Stats() ServerStats { return s.stats }

// Deadline returns when Advance has something to do.
func (s *Server) Deadline() (time.Time, bool) {
	a, ok := s.holds.deadline()
	if b, more := s.deferred.deadline(); more && (!ok || b.Before(a)) {
		return b, true
	}
	return a, ok
}

// Advance ends the reservations and drops the deferred requests whose time is
// over, except those that the allocator is being asked about.
func (s *Server) Advance(now time.Time) {
	for {
		h := s.holds.over(now)
		if h == nil {
			break
		}
		if h.busy { // it lapses one more period after the answer at the latest
			s.holds.prolong(h, now.Add(max(s.cfg.OfferHold, time.Second)))
			continue
		}
		s.stats.Lapsed++
		s.withdraw(h)
	}
	for _, d := range s.deferred.expired(now) {
		s.stats.Abandoned++
		s.cancel(d)
	}
}

// notice is an Ask that wants no answer, with the memory of what it points to.
type notice struct {
	ask              Ask
	id, continuation []byte
}

// notify queues an Ask without a token; a.ID and a.Continuation are copied.
func (s *Server) notify(a Ask) {
	if s.noticed == len(s.notices) {
		s.notices = append(s.notices, &notice{})
	}
	n := s.notices[s.noticed]
	s.noticed++
	n.id = append(n.id[:0], a.ID...)
	n.ask, n.ask.ID = a, n.id
	if a.Continuation != nil {
		n.continuation = append(n.continuation[:0], a.Continuation...)
		n.ask.Continuation = n.continuation
	}
	s.queue = append(s.queue, &n.ask)
}

// withdraw removes a reservation and asks for its end.
func (s *Server) withdraw(h *hold) {
	s.notify(Ask{Op: OpWithdraw, From: h.from, Server: h.server, ID: h.id, Family: h.family})
	s.holds.remove(h)
}

// cancel asks for the end of a deferred request that is no longer in the set.
func (s *Server) cancel(d *deferral) {
	s.notify(Ask{Op: OpCancel, From: d.from, Server: d.server, ID: d.id, Family: d.family, Continuation: d.continuation})
}
