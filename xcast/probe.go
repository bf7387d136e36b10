// SPDX-License-Identifier: BSD-3-Clause

package xcast

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// A Neighbour is a next hop: an address on a link of this node.
type Neighbour struct {
	Interface int
	Addr      netip.Addr
}

// A Nonce is the payload of an Xcast ping. After X2U nothing else tells whose
// ping came back.
type Nonce [16]byte

// A ProberConfig says how often neighbours are asked. The zero value of a
// duration or number means the default.
type ProberConfig struct {
	// Interval is the time between two pings of a neighbour, 10 s by default.
	Interval time.Duration
	// Jitter is how much the time between two pings is longer or shorter at
	// most, so that nodes do not fall into step: a quarter of Interval by
	// default. A negative one means none.
	Jitter time.Duration
	// Timeout is how long an answer is awaited, 3 s by default. It is at most
	// Interval less Jitter.
	Timeout time.Duration
	// Misses is how many unanswered pings in a row make a capable neighbour
	// incapable, 3 by default.
	Misses int
	// MaxNeighbours limits Add, 1024 by default.
	MaxNeighbours int
	// Rand varies intervals and makes nonces. It must be set; take one that
	// others cannot predict (rand.NewChaCha8 with a random seed), or they can
	// answer for a neighbour.
	Rand *rand.Rand
}

// ErrTooManyNeighbours is the error of [Prober.Add] beyond its limit.
var ErrTooManyNeighbours = errors.New("xcast: too many neighbours")

// A Prober finds out which neighbours speak Xcast (RFC 5058 section 11.2). It
// pings each with a packet whose only destination is this node itself: a
// neighbour that knows Xcast sends it back, as unicast or as Xcast. Until an
// answer came, and after several did not, a neighbour counts as not capable and
// gets unicast.
//
// A Prober is driven by one goroutine: Add neighbours, call Advance when
// Deadline says so, give the payload of what comes back to Receive, and after
// each call carry out Effects.
type Prober struct {
	config     ProberConfig
	neighbours []probe // few; in the order of Add
	effects    []Effect
}

type probe struct {
	neighbour Neighbour
	capable   bool
	misses    int
	nonce     Nonce
	waiting   bool
	expires   time.Time // of the ping that is waited for
	next      time.Time // ping
}

// An Effect is something a [Prober] wants done or known: a [Ping] or a
// [CapabilityChange].
type Effect interface{ isEffect() }

// A Ping is a packet to send to the neighbour's link-layer address. See
// [AppendPing].
type Ping struct {
	Neighbour Neighbour
	Nonce     Nonce
}

// A CapabilityChange says that a neighbour turned out to speak Xcast, or no
// longer does.
type CapabilityChange struct {
	Neighbour Neighbour
	Capable   bool
}

func (Ping) isEffect()             {}
func (CapabilityChange) isEffect() {}

// NewProber returns a prober without neighbours. It fails for a configuration
// without Rand, with other negative values than a Jitter, or with a Timeout too
// long for the Interval.
func NewProber(c ProberConfig) (*Prober, error) {
	if c.Interval == 0 {
		c.Interval = 10 * time.Second
	}
	if c.Jitter == 0 {
		c.Jitter = c.Interval / 4
	}
	c.Jitter = max(0, c.Jitter)
	if c.Timeout == 0 {
		c.Timeout = min(3*time.Second, c.Interval-c.Jitter)
	}
	if c.Misses == 0 {
		c.Misses = 3
	}
	if c.MaxNeighbours == 0 {
		c.MaxNeighbours = 1024
	}
	switch {
	case c.Rand == nil:
		return nil, errors.New("xcast: ProberConfig.Rand is nil, want a source of nonces")
	case c.Interval < 0 || c.Timeout < 0 || c.Misses < 0 || c.MaxNeighbours < 0:
		return nil, errors.New("xcast: negative value in ProberConfig, want none but in Jitter")
	case c.Timeout > c.Interval-c.Jitter:
		return nil, fmt.Errorf("xcast: Timeout is %v, want at most Interval less Jitter, %v", c.Timeout, c.Interval-c.Jitter)
	}
	return &Prober{config: c}, nil
}

func (p *Prober) find(n Neighbour) *probe {
	for i := range p.neighbours {
		if p.neighbours[i].neighbour == n {
			return &p.neighbours[i]
		}
	}
	return nil
}

// Add begins to ping a neighbour, at once. One that is known already is left as
// it is.
func (p *Prober) Add(now time.Time, n Neighbour) error {
	if p.find(n) != nil {
		return nil
	}
	if len(p.neighbours) >= p.config.MaxNeighbours {
		return ErrTooManyNeighbours
	}
	p.neighbours = append(p.neighbours, probe{neighbour: n, next: now})
	p.Advance(now)
	return nil
}

// Remove forgets a neighbour.
func (p *Prober) Remove(n Neighbour) {
	p.neighbours = slices.DeleteFunc(p.neighbours, func(b probe) bool { return b.neighbour == n })
}

// Capable reports whether a neighbour is known to speak Xcast.
func (p *Prober) Capable(n Neighbour) bool {
	b := p.find(n)
	return b != nil && b.capable
}

// Receive takes the payload of a UDP datagram that came to the source port of
// the pings, and reports whether it answered one. What is unknown or came too
// late changes nothing.
func (p *Prober) Receive(now time.Time, payload []byte) bool {
	p.Advance(now)
	if len(payload) != len(Nonce{}) {
		return false
	}
	for i := range p.neighbours {
		b := &p.neighbours[i]
		if !b.waiting || b.nonce != Nonce(payload) {
			continue
		}
		b.waiting, b.misses = false, 0
		p.set(b, true)
		return true
	}
	return false
}

// Advance ends waits and sends pings that are due at or before now.
func (p *Prober) Advance(now time.Time) {
	for i := range p.neighbours {
		b := &p.neighbours[i]
		if b.waiting && !b.expires.After(now) {
			b.waiting = false
			if b.misses++; b.misses >= p.config.Misses {
				p.set(b, false)
			}
		}
		if !b.next.After(now) {
			p.ping(now, b)
		}
	}
}

func (p *Prober) ping(now time.Time, b *probe) {
	for i := 0; i < len(b.nonce); i += 8 {
		r := p.config.Rand.Uint64()
		for k := range 8 {
			b.nonce[i+k] = byte(r >> (8 * k))
		}
	}
	jitter := p.config.Jitter
	b.waiting, b.expires = true, now.Add(p.config.Timeout)
	b.next = now.Add(p.config.Interval - jitter + time.Duration(p.config.Rand.Int64N(int64(2*jitter)+1)))
	p.effects = append(p.effects, Ping{b.neighbour, b.nonce})
}

func (p *Prober) set(b *probe, capable bool) {
	if b.capable != capable {
		b.capable = capable
		p.effects = append(p.effects, CapabilityChange{b.neighbour, capable})
	}
}

// Deadline returns when Advance is needed next, and false without neighbours.
func (p *Prober) Deadline() (time.Time, bool) {
	var first time.Time
	for i, b := range p.neighbours {
		at := b.next
		if b.waiting && b.expires.Before(at) {
			at = b.expires
		}
		if i == 0 || at.Before(first) {
			first = at
		}
	}
	return first, len(p.neighbours) > 0
}

// Effects yields what is to be done, in order, and forgets it. What calls from
// within the loop add is yielded too.
func (p *Prober) Effects() iter.Seq[Effect] {
	return func(yield func(Effect) bool) {
		for len(p.effects) > 0 {
			e := p.effects[0]
			p.effects = p.effects[1:]
			if !yield(e) {
				return
			}
		}
		p.effects = nil
	}
}

// AppendPing appends the packet of a ping: from and to this node's own address
// and port, with TTL or Hop Limit 2, enough to come back. It fails when own is
// not a usable unicast address or the code points are invalid.
func AppendPing(dst []byte, code CodePoints, own netip.AddrPort, nonce Nonce) ([]byte, error) {
	d := Datagram{Code: code, Source: own, Destinations: []netip.AddrPort{own}, TTL: 2}
	t, err := d.Template()
	if err != nil {
		return dst, err
	}
	return t.AppendPacket(dst, nonce[:], 0)
}
