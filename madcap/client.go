// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// ClientConfig says how a Client behaves. Only Rand is required.
type ClientConfig struct {
	// Rand gives the first transaction identifier, the Lease Identifiers nobody
	// else chose, and the jitter. For shared leases it must be
	// cryptographically strong, for example a rand.ChaCha8 seeded from
	// crypto/rand (RFC 2730, section 2.4).
	Rand *rand.Rand

	// Retransmit holds the delay before each retransmission, none shorter than
	// the one before it. Nil means 4, 8 and 16 s, so that a message goes out at
	// t, t+4, t+12 and t+28; a list of length 0 means that every message is
	// sent once (section 2.3).
	Retransmit []time.Duration

	// GiveUp is how long after its first transmission a message without an
	// answer fails: the NO-RESPONSE-DELAY, default 60 s, at most 300 s. It is
	// longer than all delays of Retransmit together. A server executes a
	// message anew that comes again after its RESPONSE-CACHE-INTERVAL of
	// usually 60 s, so do not retransmit later than that.
	GiveUp time.Duration

	// Jitter varies each delay of Retransmit at random by this fraction, 0 to
	// 0.5, up or down.
	Jitter float64

	// DiscoverDelay is how long to wait for more OFFERs after the first one,
	// and for more ACKs to a multicast GETINFO: below 60 s, as servers hold
	// what they offer no longer. The default is the current delay of
	// Retransmit (section 2.2.2); a negative one is the same as First.
	DiscoverDelay time.Duration

	// First takes the first acceptable OFFER, and the first ACK to a multicast
	// GETINFO, instead of waiting for more.
	First bool

	// Choose returns the index of the OFFER to accept, -1 for none. The default
	// prefers the earliest start, then the most addresses, then the longest
	// lease, then what came first. It must not call the Client.
	Choose func(discover *Message, offers []Answer) int

	// HopLimit is the TTL or hop limit of multicast messages, 1 to 255. The
	// default is 16 (section 2.10). A zone of the scope list whose TTL is
	// lower wants that instead (section 2.8).
	HopLimit int

	// CheckSource ignores answers to unicast messages that come from another
	// address than the message went to. Some servers with several addresses
	// answer from another one; without IPsec the check makes forging harder.
	CheckSource bool

	// Limits: messages outstanding at once, and servers whose answers to one
	// multicast message are kept. The defaults are 1024 and 64.
	MaxTransactions, MaxAnswers int
}

// Handle names a transaction of a Client. The zero Handle names none.
type Handle uint64

// Answer is a server's message that a Client has accepted.
type Answer struct {
	From    netip.AddrPort // where it came from
	Message *Message
}

// Done is the effect that ends a transaction.
type Done struct {
	Handle  Handle
	Request *Message  // what was asked last: the REQUEST where a DISCOVER came first
	Sent    time.Time // when that went out first

	// Answers holds one ACK, or those of several servers to a multicast
	// GETINFO. It is empty if Err is set.
	Answers []Answer

	// RetryAt is set if the server has put off a REQUEST or RENEW (section
	// 2.13.2): from then on send the same again with Client.Request, or
	// Client.Renew, to Answers[0].From. It is an instant of the client's
	// clock, however wrong that is. To give up, send a RELEASE.
	RetryAt time.Time

	// Err is nil, a *NakError, or one that wraps ErrNoAnswer or ErrNoOffer.
	Err error
}

func (*Done) effect() {}

// Period returns start and end of the lease that an ACK to a REQUEST or RENEW
// grants. Where the ACK has no Start Time the lease starts at once, which for
// the client means when it first sent the message: its end is then never later
// than the server's (decision MADCAP-D-44). Without such an ACK, or if it puts
// the lease off, both are zero.
func (d *Done) Period() (start, end time.Time) {
	if len(d.Answers) == 0 || !d.Answers[0].Message.LeaseTime.Present || !d.RetryAt.IsZero() {
		return start, end
	}
	m := d.Answers[0].Message
	if start = m.StartTime; start.IsZero() {
		start = d.Sent
	}
	return start, start.Add(m.LeaseTime.Value)
}

// What becomes of a transaction besides an ACK or a NAK, and what a Client does
// not start.
var (
	ErrNoAnswer    = errors.New("no server answered")
	ErrNoOffer     = errors.New("no offer was chosen")
	ErrBusy        = errors.New("too many transactions are outstanding")
	ErrDestination = errors.New("message must not be sent there")
)

// NakError is a server's refusal. The message refused must not be sent again as
// it is (RFC 2730, section 3.17).
type NakError struct {
	Server ServerIdentifier
	From   netip.AddrPort
	Reason ErrorOption
}

// Error names the server and its reason.
func (e *NakError) Error() string {
	return fmt.Sprintf("madcap: refused by server %v: %v", e.Server, e.Reason)
}

// ClientStats counts what a client has done since it was made.
type ClientStats struct {
	Sent      uint64 // messages, each once
	Resent    uint64 // retransmissions
	Answered  uint64 // transactions that ended with an ACK
	Refused   uint64 // with a NAK
	GivenUp   uint64 // without an answer, or without a choice
	Cancelled uint64 // by the caller

	// Datagrams received, and of these the ignored ones by reason.

	Received    uint64
	Malformed   uint64 // broken framing, another version, an option malformed or repeated
	Misdirected uint64 // a type no client expects, or not as an answer to what was sent
	Foreign     uint64 // xid, Lease Identifier and family of no outstanding transaction
	Invalid     uint64 // options that must not, or must, stand in such an answer
	Strange     uint64 // from another server or source than was asked
	Unfit       uint64 // grants what was not asked for
	Surplus     uint64 // second answer of a server, or more than can be kept
}

// Client is the client of RFC 2730 as a state machine without sockets, clock
// or goroutines: any number of transactions, each a message sent until it is
// answered or given up. One owner drives it:
//
//	c.GetInfo, Allocate, Request, Renew, Release   start a transaction
//	c.Cancel(now, handle)                          stop one
//	c.Receive(now, from, packet)                   a datagram came in
//	c.Advance(now)                                 time has passed
//	c.Deadline()                                   when Advance is next needed
//	c.Effects()                                    what to do: *Send and *Done, in order
//
// All messages of a transaction must be sent from the same port, to which the
// answers come back (section 2). Leases are values that the caller keeps; so
// there is nothing in a Client that must survive a restart.
//
// What is wanted is said with a Message. The verbs copy it and set Type, XID
// and, where it holds another time, CurrentTime. Which options may stand in it
// is in Table 5 of RFC 2730 (see Message.Validate). They add what a careful
// client adds:
//
//   - a fresh random LeaseIdentifier, if an allocation has none;
//   - features requested or required are declared as supported, too;
//   - Addresses is left out where one address is wanted, and stands there where
//     Ranges lists several;
//   - an empty list of Ranges is left out.
//
// They fail, and send nothing, with an *Error that says which option is wrong,
// or that the destination is (ErrDestination), or with ErrBusy.
//
// A Client is not safe for concurrent use. The same calls with the same
// arguments and the same Rand have the same effects.
type Client struct {
	cfg        ClientConfig
	xid        uint32 // of the next message
	last       Handle
	byXID      map[uint32]*transaction
	byHandle   map[Handle]*transaction
	allocating map[string]bool // Lease Identifiers of outstanding DISCOVERs and REQUESTs
	timers     timers
	in         Message // reused for every datagram
	stats      ClientStats
	queue      []Effect
	next       int // of queue, to yield
}

// defaultRetransmit are the delays RFC 2730 recommends in section 2.3.
var defaultRetransmit = []time.Duration{4 * time.Second, 8 * time.Second, 16 * time.Second}

const (
	defaultGiveUp          = 60 * time.Second
	maxGiveUp              = MaxResponseCacheInterval
	defaultHopLimit        = 16
	defaultMaxTransactions = 1024
	defaultMaxAnswers      = 64
)

// NewClient returns a client without transactions. Its error wraps ErrConfig.
func NewClient(cfg ClientConfig) (*Client, error) {
	if cfg.Rand == nil {
		return nil, fmt.Errorf("%w: a client needs a source of random numbers", ErrConfig)
	}
	if cfg.Retransmit == nil {
		cfg.Retransmit = defaultRetransmit
	}
	cfg.Retransmit = slices.Clone(cfg.Retransmit)
	if cfg.GiveUp == 0 {
		cfg.GiveUp = defaultGiveUp
	}
	var sum, before time.Duration
	for _, d := range cfg.Retransmit {
		if d <= 0 || d < before || d > maxGiveUp {
			return nil, fmt.Errorf("%w: retransmission delays %v, want positive and growing ones", ErrConfig, cfg.Retransmit)
		}
		sum, before = sum+d, d
	}
	if cfg.GiveUp <= sum || cfg.GiveUp > maxGiveUp {
		return nil, fmt.Errorf("%w: giving up after %v, want more than the %v of all retransmissions and at most %v", ErrConfig, cfg.GiveUp, sum, maxGiveUp)
	}
	if !(cfg.Jitter >= 0 && cfg.Jitter <= 0.5) {
		return nil, fmt.Errorf("%w: jitter %v, want 0 to 0.5", ErrConfig, cfg.Jitter)
	}
	if cfg.DiscoverDelay < 0 {
		cfg.First = true
	}
	if cfg.DiscoverDelay >= DefaultOfferHold {
		return nil, fmt.Errorf("%w: discover delay %v, want less than the %v that servers hold an offer", ErrConfig, cfg.DiscoverDelay, DefaultOfferHold)
	}
	if cfg.HopLimit == 0 {
		cfg.HopLimit = defaultHopLimit
	}
	if cfg.HopLimit < 1 || cfg.HopLimit > 255 {
		return nil, fmt.Errorf("%w: hop limit %d, want 1 to 255", ErrConfig, cfg.HopLimit)
	}
	if cfg.MaxTransactions == 0 {
		cfg.MaxTransactions = defaultMaxTransactions
	}
	if cfg.MaxAnswers == 0 {
		cfg.MaxAnswers = defaultMaxAnswers
	}
	if cfg.MaxTransactions < 1 || cfg.MaxAnswers < 1 {
		return nil, fmt.Errorf("%w: a client needs room for a transaction and an answer", ErrConfig)
	}
	return &Client{
		cfg:        cfg,
		xid:        cfg.Rand.Uint32(),
		byXID:      make(map[uint32]*transaction),
		byHandle:   make(map[Handle]*transaction),
		allocating: make(map[string]bool),
	}, nil
}

// Effects yields what there is to do and forgets it. The loop may call the
// machine: what that adds is yielded by the same loop.
func (c *Client) Effects() iter.Seq[Effect] {
	return func(yield func(Effect) bool) {
		for c.next < len(c.queue) {
			e := c.queue[c.next]
			c.queue[c.next] = nil
			c.next++
			if !yield(e) {
				return
			}
		}
		c.queue, c.next = c.queue[:0], 0
	}
}

// Stats returns the counters.
func (c *Client) Stats() ClientStats { return c.stats }

// Deadline returns when Advance has something to do.
func (c *Client) Deadline() (time.Time, bool) {
	if len(c.timers) == 0 {
		return time.Time{}, false
	}
	return c.timers[0].due, true
}

// Advance retransmits what is due, ends the collection of answers, and gives up
// what nobody answered. A message is sent at most once a call, so that a late
// call does not send a burst.
func (c *Client) Advance(now time.Time) {
	for len(c.timers) > 0 && !c.timers[0].due.After(now) {
		c.expire(now, c.timers[0])
	}
}
