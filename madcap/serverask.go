// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Op is what a server asks its allocator to do.
type Op uint8

// The operations, and the errors with which an Outcome refuses them apart from
// CodeNotCompleted with the option that prevented it.
//
// At most one Ask with a token is open for a Lease Identifier at a time. A
// driver that works on several Asks at once keeps those with the same Lease
// Identifier, the ones without a token included, in their order.
const (
	// OpOffer reserves addresses for the time Hold; the reservation ends by
	// itself then. If there is one with this Lease Identifier it is renewed, and
	// if there is a lease the offer is refused. The client is told of no refusal.
	OpOffer Op = 1 + iota

	// OpAllocate grants a lease, from the reserved addresses if there are such:
	// the terms of this Ask count, what is reserved beyond them is free again
	// (decision MADCAP-D-59). Once the lease is granted or put off there is no
	// reservation any more. A lease with this Lease Identifier is granted again
	// if the same XID made it, otherwise it is in use: CodeInvalidRequest with
	// OptLeaseIdentifier (decision MADCAP-D-36).
	OpAllocate

	// OpChange changes start and end of the lease; its addresses stay. It is
	// accepted for EXTRA-ALLOCATION-TIME after the end, too (decision
	// MADCAP-D-44). CodeLeaseUnknown if there is no such lease;
	// CodeNotCompleted with NoOption if its addresses are of another family.
	OpChange

	// OpRelease ends the lease. CodeLeaseUnknown if there is no such lease; a
	// reservation is none.
	OpRelease

	// OpWithdraw ends the reservation. It wants no answer, and it is no error if
	// there is no reservation.
	OpWithdraw

	// OpCancel gives up what was put off with Continuation. It wants no answer.
	OpCancel
)

// String returns the operation's name in lower case.
func (o Op) String() string {
	names := [...]string{"none", "offer", "allocate", "change", "release", "withdraw", "cancel"}
	if int(o) < len(names) {
		return names[o]
	}
	return fmt.Sprintf("Op(%d)", uint8(o))
}

// Token pairs an Ask with its Resolve. The zero Token wants no answer.
type Token uint64

// Ask is a question for the allocator. What it points to stays valid until it
// is resolved, or, for the zero Token, until the loop over Effects ends.
type Ask struct {
	Token  Token
	Op     Op
	From   netip.AddrPort // the client
	Server netip.Addr     // this server's identifier towards the client
	ID     LeaseIdentifier
	XID    uint32 // with Op and ID it names the request: a retransmission has the same
	Family AddrFamily

	// The rest is for OpOffer, OpAllocate and, without addresses and scope, OpChange.

	Scope        netip.Addr         // Scope ID, one of the server's scopes
	LeaseTime    Opt[time.Duration] // wanted; absent: as long as possible
	MinLeaseTime time.Duration      // 0: no minimum
	StartTime    time.Time          // wanted, after now; zero: as soon as possible
	MaxStartTime time.Time          // zero: no maximum
	Min, Desired int                // number of addresses, 1 <= Min <= Desired
	Ranges       []scope.Range      // only these addresses, may overlap; empty: any
	Hold         time.Duration      // OpOffer: how long to reserve
	Shared       bool               // whoever knows ID may change the lease
	Mobility     bool               // the lease may be another server's
	CanDefer     bool               // Outcome.RetryTime is acceptable
	Continuation []byte             // what Outcome.Continuation said when this was put off before; not nil then
}

func (*Ask) effect() {}

// Outcome is the allocator's answer to an Ask. Its zero value refuses.
type Outcome struct {
	// Granted says that it is done. Then Scope, Ranges, Start and End are the
	// lease as it now stands, the same for what OpOffer reserves; OpRelease
	// needs none of them. They keep to the minima and maxima of the Ask: a lease
	// that does not is taken back, and the client refused.
	Granted    bool
	Scope      netip.Addr
	Ranges     []scope.Range // disjoint
	Start, End time.Time

	// RetryTime puts the request off if CanDefer says that it may: the client
	// may ask again from then on. Continuation is given back with that Ask, or
	// with an OpCancel. For OpChange Scope says where the lease is; Start and End
	// may say how long it is meant to be.
	RetryTime    time.Time
	Continuation []byte

	// Otherwise the request is refused with this error, or without a word if
	// Silent, as when a store does not answer (decision MADCAP-D-29 makes every
	// refusal of a DISCOVER silent). CodeFeatureUnsupported is for a lease that
	// cannot be Shared or have Mobility though the client requires it.
	Code   ErrorCode
	Option OptionCode // for errors 0 and 1; OptEnd stands for NoOption
	Silent bool
}

// pendingExchange is an exchange that waits for the allocator.
type pendingExchange struct {
	exchange
	ask       Ask
	id        []byte // memory of exchange.id and ask.ID
	turn      uint32 // distinguishes the uses of this place, never 0
	active    bool
	continues bool // it is the repetition of what was put off
	mayDefer  bool // it may become a new deferral
	unwanted  bool // the client has chosen another server's offer meanwhile

	releasing bool     // the client has sent a RELEASE meanwhile:
	release   exchange // to be worked on then; its id is the same
}

// postpone keeps a RELEASE until p is resolved.
func (p *pendingExchange) postpone(x *exchange) {
	applied := append(p.release.applied[:0], x.applied...)
	p.releasing, p.release = true, *x
	p.release.id, p.release.applied = nil, applied
}

// pendingSet holds what waits for the allocator, in places that are used
// again.
type pendingSet struct {
	places []*pendingExchange
	free   []uint32
	index  map[idKey]uint32 // at most one for a lease
	offers int              // how many may become a hold
	defers int              // how many may become a new deferral
}

func (s *pendingSet) init() { s.index = make(map[idKey]uint32) }

func (s *pendingSet) len() int { return len(s.index) }

// find returns what waits with a Lease Identifier, or nil.
func (s *pendingSet) find(key *idKey) *pendingExchange {
	if len(s.index) == 0 {
		return nil
	}
	if i, ok := s.index[*key]; ok {
		return s.places[i]
	}
	return nil
}

// enter copies x to a free place and returns it with its token.
func (s *pendingSet) enter(x *exchange) (*pendingExchange, Token) {
	if len(s.free) == 0 {
		s.free = append(s.free, uint32(len(s.places)))
		s.places = append(s.places, &pendingExchange{})
	}
	i := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	s.index[x.key] = i
	p := s.places[i]
	id, turn, ranges := append(p.id[:0], x.id...), max(p.turn+1, 1), p.ask.Ranges[:0]
	applied, released := append(p.applied[:0], x.applied...), p.release.applied[:0]
	*p = pendingExchange{exchange: *x, id: id, turn: turn, active: true}
	p.exchange.id, p.applied = id, applied
	p.ask.Ranges, p.release.applied = ranges, released
	return p, Token(turn)<<32 | Token(i)
}

// leave returns the exchange of a token and frees its place, whose content
// stays until the next enter.
func (s *pendingSet) leave(t Token) *pendingExchange {
	i := uint32(t)
	if uint64(i) >= uint64(len(s.places)) || !s.places[i].active || s.places[i].turn != uint32(t>>32) {
		return nil
	}
	p := s.places[i]
	p.active = false
	s.free = append(s.free, i)
	delete(s.index, p.key)
	if p.typ == TypeDiscover {
		s.offers--
	}
	if p.mayDefer {
		s.defers--
	}
	return p
}

var opFor = [...]Op{TypeDiscover: OpOffer, TypeRequest: OpAllocate, TypeRenew: OpChange, TypeRelease: OpRelease}

// ask turns the message at hand into a question for the allocator; d is what
// it repeats, or nil. The defaults of absent options are those of RFC 2730,
// sections 2.2.2 and 2.2.7.
func (s *Server) ask(x *exchange, d *deferral) {
	m := &s.in
	h := s.holds.find(&x.key)
	if s.pending.len() >= s.cfg.MaxPending ||
		x.typ == TypeDiscover && h == nil && s.holds.len()+s.pending.offers >= s.cfg.MaxHolds {
		s.silence(x, IgnoredBusy)
		return
	}
	p, token := s.pending.enter(x)
	ranges := append(p.ask.Ranges, m.Ranges.Value...)
	p.ask = Ask{
		Token: token, Op: opFor[x.typ], From: x.from, Server: x.server, ID: p.id, XID: x.xid, Family: x.family,
		Scope: m.Scope, LeaseTime: m.LeaseTime, MinLeaseTime: x.minLease,
		StartTime: x.start, MaxStartTime: x.maxStart,
		Min: x.least, Desired: x.most, Ranges: ranges,
		Shared: x.applies(SharedLeaseIdentifier), Mobility: x.applies(ServerMobility),
	}
	if !x.start.After(x.at) { // what lies in the past is now (decision MADCAP-D-22)
		p.ask.StartTime = time.Time{}
	}
	if h != nil {
		h.busy = true
	}
	switch {
	case x.typ == TypeDiscover:
		s.pending.offers++
		p.ask.Hold = s.cfg.OfferHold
	case d != nil:
		s.deferred.work(d)
		p.continues = true
		p.ask.Continuation = d.continuation
		p.ask.CanDefer = x.retry
	case x.retry && s.deferred.len()+s.pending.defers < s.cfg.MaxDeferred:
		s.pending.defers++
		p.mayDefer = true
		p.ask.CanDefer = true
	}
	s.queue = append(s.queue, &p.ask)
}
