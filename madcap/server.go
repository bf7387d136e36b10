// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// ServerConfig says how a Server behaves. Only Identifiers is required. Where a
// zero duration or number selects a default, a negative one means zero or none.
type ServerConfig struct {
	// Identifiers are the server's own addresses. A message that names one of
	// them is for this server; the first is the Server Identifier of answers to
	// datagrams of which no better local address is known.
	Identifiers []netip.Addr

	// Scopes are in effect here; a REQUEST for another is refused. Nesting says
	// which nests inside which, nil if nothing is known. SetScopes changes both.
	Scopes  []scope.Scope
	Nesting *scope.Nesting

	// Features the server applies where a client asks for them: ServerMobility
	// where its leases are shared with other servers, RetryAfter where its
	// allocator may put a request off, SharedLeaseIdentifier.
	Features []Feature

	ClockSkewAllowance    time.Duration // default 30 minutes (RFC 2730, section 2.12)
	ResponseCacheInterval time.Duration // default 60 s, at most 300 s (section 2.1.4)
	OfferHold             time.Duration // default 60 s (section 2.2.3)

	// Secure is for servers whose unicast traffic IPsec protects: DISCOVER, and
	// everything multicast but GETINFO, is ignored (section 4).
	Secure bool

	// InfoGroups are the server groups a multicast GETINFO is answered on. The
	// default is those of the IPv4 Local Scope and of IPv6 scop 3 (section
	// 2.11).
	InfoGroups []netip.Addr

	// SilentToServers ignores OFFER and ACK from other servers instead of
	// answering Invalid Request (decision MADCAP-D-7).
	SilentToServers bool

	// NakLimit is how many NAKs one source address is sent in each NakInterval
	// (default 60 s); 0 sets no limit (section 2.6).
	NakLimit    int
	NakInterval time.Duration

	// Limits on what clients can make the server remember. At the limit the
	// oldest response is forgotten, a DISCOVER is ignored, a request is not put
	// off but refused, and a message is ignored. The defaults are 262144, 65536,
	// 4096, 4096 and 65536.
	MaxResponses, MaxHolds, MaxDeferred, MaxPending, MaxSources int
}

// The bounds and defaults of RFC 2730, appendix B, that concern a server.
const (
	DefaultClockSkewAllowance    = 30 * time.Minute
	DefaultResponseCacheInterval = 60 * time.Second
	MaxResponseCacheInterval     = 300 * time.Second
	DefaultOfferHold             = 60 * time.Second
)

// ErrConfig is wrapped by the errors of NewServer, NewClient and the setters.
var ErrConfig = errors.New("madcap: bad configuration")

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
	cfg      ServerConfig
	zones    map[AddrFamily]*served
	features []Feature
	stats    ServerStats

	cache    responseCache
	holds    holdList
	deferred deferredSet
	naks     nakLimiter
	pending  pendingSet

	in, out Message // reused for every message read and written
	zoneBuf []Zone  // reused for scope lists with one name a zone
	nameBuf []ZoneName
	queue   []Effect
	next    int // of queue, to yield
	sends   []*Send
	sent    int // of sends, in use
}

// NewServer returns a server that starts with what an earlier one remembered:
// pass the zero ServerSnapshot for a fresh start.
func NewServer(cfg ServerConfig, from ServerSnapshot) (*Server, error) {
	or := func(v *time.Duration, def time.Duration) {
		if *v == 0 {
			*v = def
		}
		*v = max(*v, 0)
	}
	or(&cfg.ClockSkewAllowance, DefaultClockSkewAllowance)
	or(&cfg.ResponseCacheInterval, DefaultResponseCacheInterval)
	or(&cfg.OfferHold, DefaultOfferHold)
	or(&cfg.NakInterval, time.Minute)
	for _, l := range []struct {
		v   *int
		def int
	}{{&cfg.MaxResponses, 1 << 18}, {&cfg.MaxHolds, 1 << 16}, {&cfg.MaxDeferred, 4096}, {&cfg.MaxPending, 4096}, {&cfg.MaxSources, 1 << 16}} {
		if *l.v == 0 {
			*l.v = l.def
		}
		*l.v = max(*l.v, 0)
	}
	if len(cfg.Identifiers) == 0 {
		return nil, fmt.Errorf("%w: a server needs an address of its own as identifier", ErrConfig)
	}
	for _, a := range cfg.Identifiers {
		if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.Zone() != "" {
			return nil, fmt.Errorf("%w: %q is no server identifier, want a unicast address without zone", ErrConfig, a)
		}
	}
	if len(cfg.InfoGroups) == 0 {
		cfg.InfoGroups = defaultInfoGroups()
	}
	s := &Server{cfg: cfg, features: slices.Compact(slices.Sorted(slices.Values(cfg.Features)))}
	for _, f := range s.features {
		if f > SharedLeaseIdentifier {
			return nil, fmt.Errorf("%w: a server cannot apply %v", ErrConfig, f)
		}
	}
	s.cache.init(cfg.MaxResponses)
	s.holds.init()
	s.deferred.init()
	s.naks.init()
	if err := s.SetResponseCacheInterval(cfg.ResponseCacheInterval); err != nil {
		return nil, err
	}
	if err := s.SetScopes(cfg.Scopes, cfg.Nesting); err != nil {
		return nil, err
	}
	return s, s.restore(from)
}

func defaultInfoGroups() []netip.Addr {
	var groups []netip.Addr
	for _, sc := range []scope.Scope{scope.IPv4Local(), scope.IPv6(3)} {
		if g, err := sc.Relative(scope.OffsetMADCAP); err == nil {
			groups = append(groups, g)
		}
	}
	return groups
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

// Op is what a server asks its allocator to do.
type Op uint8

// The operations. All but OpWithdraw and OpCancel are answered with Resolve;
// these two only if their token is not zero.
const (
	OpOffer    Op = 1 + iota // reserve addresses for Hold
	OpAllocate               // grant a lease, from the reserved addresses if there are such
	OpChange                 // change start and end of a lease
	OpRelease                // end a lease
	OpWithdraw               // end a reservation
	OpCancel                 // give up what was put off
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
// is resolved, or, for the zero Token, until the next call of the machine.
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
	StartTime    time.Time          // wanted; zero: as soon as possible
	MaxStartTime time.Time          // zero: no maximum
	Min, Desired int                // number of addresses, 1 <= Min <= Desired
	Ranges       []scope.Range      // only these addresses; empty: any
	Hold         time.Duration      // OpOffer: how long to reserve
	Shared       bool               // whoever knows ID may change the lease
	Mobility     bool               // the lease may be another server's
	CanDefer     bool               // Outcome.RetryTime is acceptable
	Continuation []byte             // what Outcome.Continuation said when this was put off before
}

func (*Ask) effect() {}

// Outcome is the allocator's answer to an Ask. Its zero value refuses.
type Outcome struct {
	// Granted says that it is done. Then Scope, Ranges, Start and End are the
	// lease as it now stands; OpRelease, OpWithdraw and OpCancel need none of
	// them.
	Granted    bool
	Scope      netip.Addr
	Ranges     []scope.Range
	Start, End time.Time

	// RetryTime puts the request off: the client may ask again from then on.
	// Continuation is given back with that Ask.
	RetryTime    time.Time
	Continuation []byte

	// Otherwise the request is refused with this error, or without a word if
	// Silent, as when a store does not answer (decision MADCAP-D-29 makes every
	// refusal of a DISCOVER silent).
	Code   ErrorCode
	Option OptionCode // for errors 0 and 1
	Silent bool
}

// Effects yields what there is to do and forgets it. The loop may call Resolve:
// what that adds is yielded by the same loop.
func (s *Server) Effects() iter.Seq[Effect] {
	return func(yield func(Effect) bool) {
		for s.next < len(s.queue) {
			s.next++
			if !yield(s.queue[s.next-1]) {
				return
			}
		}
		s.queue, s.next, s.sent = s.queue[:0], 0, 0
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
// over.
func (s *Server) Advance(now time.Time) {
	for h := s.holds.expired(now); h != nil; h = s.holds.expired(now) {
		s.withdraw(h)
	}
	for _, d := range s.deferred.expired(now) {
		s.stats.Abandoned++
		s.cancel(d)
	}
}

// withdraw asks for the end of a reservation that is no longer in the list.
func (s *Server) withdraw(h *hold) {
	s.queue = append(s.queue, &Ask{Op: OpWithdraw, From: h.from, Server: h.server, ID: h.id, Family: h.family})
}

// cancel asks for the end of a deferred request that is no longer in the set.
func (s *Server) cancel(d *deferral) {
	s.queue = append(s.queue, &Ask{Op: OpCancel, From: d.from, Server: d.server, ID: d.id, Family: d.family, Continuation: d.continuation})
}
