// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// ServerSnapshot is what a Server must remember across a restart besides the
// leases: what it has promised and what it has said.
type ServerSnapshot struct {
	Responses []ServerResponse // oldest first
	Holds     []ServerHold     // ending first
	Deferred  []ServerDeferral
}

// ServerResponse is an answer that a retransmission gets again.
type ServerResponse struct {
	XID  uint32
	Type MessageType
	// ID is the Lease Identifier, or its SHA-256 digest if it is longer than 32
	// octets.
	ID       []byte
	Digest   bool
	At       time.Time // when the message came
	Datagram []byte
}

// ServerHold is a reservation for an OFFER.
type ServerHold struct {
	ID     LeaseIdentifier
	From   netip.AddrPort // the client
	Server netip.Addr     // the identifier in the OFFER
	Family AddrFamily
	Until  time.Time
}

// ServerDeferral is a REQUEST or RENEW that was put off.
type ServerDeferral struct {
	ID           LeaseIdentifier
	Type         MessageType
	From         netip.AddrPort // the client
	Server       netip.Addr     // the identifier in the ACK
	Family       AddrFamily
	Options      []byte // a digest of what the client must repeat, 32 octets
	RetryTime    time.Time
	Drop         time.Time // forgotten then if the client has not asked again
	Continuation []byte    // of the Outcome
}

// Snapshot returns what the server remembers, as of now. Questions that the
// allocator has not answered are not part of it: their clients send again.
func (s *Server) Snapshot(now time.Time) ServerSnapshot {
	var snap ServerSnapshot
	s.cache.expire(now)
	for seq := s.cache.first; seq < s.cache.first+uint64(s.cache.count); seq++ {
		r := s.cache.slot(seq)
		if r.dead || len(r.data) == 0 {
			continue
		}
		n := int(r.key.id.n)
		snap.Responses = append(snap.Responses, ServerResponse{
			XID: r.key.xid, Type: r.key.typ, ID: bytes.Clone(r.key.id.id[:min(n, len(r.key.id.id))]), Digest: n == 255,
			At: r.at, Datagram: bytes.Clone(r.data),
		})
	}
	for h := s.holds.first; h != nil; h = h.next {
		snap.Holds = append(snap.Holds, ServerHold{ID: bytes.Clone(h.id), From: h.from, Server: h.server, Family: h.family, Until: h.until})
	}
	for _, d := range s.deferred.index {
		snap.Deferred = append(snap.Deferred, ServerDeferral{
			ID: bytes.Clone(d.id), Type: d.typ, From: d.from, Server: d.server, Family: d.family, Options: bytes.Clone(d.options[:]),
			RetryTime: d.retry, Drop: d.drop, Continuation: append([]byte{}, d.continuation...),
		})
	}
	slices.SortFunc(snap.Deferred, func(a, b ServerDeferral) int {
		return cmp.Or(a.Drop.Compare(b.Drop), bytes.Compare(a.ID, b.ID))
	})
	return snap
}

// restore takes over a snapshot. Of what exceeds the limits the oldest
// responses are forgotten, and the reservations and deferrals that end first
// are given up.
func (s *Server) restore(snap ServerSnapshot) error {
	for _, r := range snap.Responses {
		key := messageKey{xid: r.XID, typ: r.Type, id: keyOf(r.ID)}
		if r.Digest {
			if len(r.ID) != len(key.id.id) {
				return fmt.Errorf("%w: snapshot with a digest of %d octets", ErrConfig, len(r.ID))
			}
			key.id.n = 255
		}
		if _, twice := s.cache.lookup(&key); len(r.Datagram) > 0 && !twice {
			s.cache.answer(s.cache.add(r.At, &key), r.Datagram)
		}
	}
	holds := slices.Clone(snap.Holds)
	slices.SortStableFunc(holds, func(a, b ServerHold) int { return a.Until.Compare(b.Until) })
	for _, h := range holds {
		x := exchange{from: h.From, server: h.Server, family: h.Family, id: h.ID, key: keyOf(h.ID)}
		s.holds.put(&x, h.Until)
	}
	for s.holds.len() > s.cfg.MaxHolds {
		s.withdraw(s.holds.first)
	}
	deferred := slices.Clone(snap.Deferred)
	slices.SortStableFunc(deferred, func(a, b ServerDeferral) int { return b.Drop.Compare(a.Drop) })
	for _, d := range deferred {
		if len(d.Options) != len(signature{}) {
			return fmt.Errorf("%w: snapshot with a digest of %d octets", ErrConfig, len(d.Options))
		}
		key := keyOf(d.ID)
		entry := &deferral{
			id: bytes.Clone(d.ID), typ: d.Type, from: d.From, server: d.Server, family: d.Family, options: signature(d.Options),
			retry: d.RetryTime, drop: d.Drop, continuation: append([]byte{}, d.Continuation...),
		}
		if s.deferred.len() < s.cfg.MaxDeferred {
			s.deferred.put(&key, entry)
		} else {
			s.cancel(entry)
		}
	}
	return nil
}
