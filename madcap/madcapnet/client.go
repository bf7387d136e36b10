// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
)

// ClientConfig says which servers a Client asks, and how. The zero value looks
// for servers by multicast, as RFC 2730 recommends.
type ClientConfig struct {
	// Server is asked by unicast, for all that is not about a lease of another
	// server. Without it servers are found by multicast.
	Server netip.AddrPort
	// Groups are where servers are looked for, at most one of each family. The
	// defaults are the server groups of the IPv4 Local Scope and of IPv6 scop 3
	// (section 2.10). Addresses of a family are asked for on the group of the
	// same family.
	Groups []netip.Addr
	// Port of the groups and of servers known by address only, 2535 by default.
	Port uint16
	// Secure is for servers that require IPsec: they answer no multicast but
	// GETINFO (section 4). With it servers are found by GETINFO and then asked
	// by unicast, one after the other.
	Secure bool
	// Mobility requires leases that any server of the domain may renew and
	// release. If the server of a lease does not answer, another one is looked
	// for and asked (section 2.13.1).
	Mobility bool

	// Conns send and receive. The default is two UDP sockets on ports of the
	// system's choice, one for IPv4 and one for IPv6, or the one of them that
	// the host has. Connections that are given are not closed by the client.
	Conns []net.PacketConn
	// Interface is where multicast goes out. Nil leaves the choice to the
	// system.
	Interface *net.Interface

	// Protocol sets the times and limits of RFC 2730. Its Rand may be nil: then
	// it is one seeded by the system. With its First a client does not wait for
	// the offers of more servers than one, which by default takes 4 s.
	Protocol madcap.ClientConfig

	// Secret turns a lease.Request's Key into a Lease Identifier nobody can
	// guess. Keep it over restarts, and a Key names the same lease after a
	// restart. The default is random.
	Secret []byte
	// Owner says who may change and release the leases this client has got. Nil:
	// lease.SameOwner. Leases of earlier runs are anybody's who has them.
	Owner lease.Owner
	// MaxLeases bounds the leases remembered at once, 65536 by default. One
	// that is forgotten stays in force and can still be changed; but its Key
	// gets another one.
	MaxLeases int
	// ScopesFor is how long a scope list is trusted, 5 minutes by default.
	ScopesFor time.Duration

	// Logger is told of what goes wrong. The default discards it.
	Logger *slog.Logger
	// Now is the clock, time.Now by default.
	Now func() time.Time
}

// Client gets leases from MADCAP servers (RFC 2730). It is a lease.Allocator, a
// lease.Changer and a lease.Resumer, and safe for concurrent use.
//
// Every call honours its context. One that ends in the middle of an allocation
// leaves no lease behind: a RELEASE goes out if a REQUEST has. A call without
// an answer ends after a minute with lease.ErrNoServer.
//
// Lifetimes travel as whole seconds: an earliest end is rounded up, a latest
// one down.
type Client struct {
	cfg     ClientConfig
	sockets []*socket
	machine *madcap.Client // owned by the loop
	timer   *time.Timer    // of the loop
	waiting map[madcap.Handle]chan<- *madcap.Done
	sendErr error // of the last datagram, nil if it was sent

	calls  chan call
	closed chan struct{} // closed when the loop has ended
	stop   chan struct{} // closed by Close
	once   sync.Once
	wg     sync.WaitGroup

	mu    sync.Mutex // guards what follows
	known memory
	info  map[lease.Family]*knowledge
}

var (
	_ lease.Allocator = (*Client)(nil)
	_ lease.Changer   = (*Client)(nil)
	_ lease.Resumer   = (*Client)(nil)
)

// NewClient opens the sockets and starts the client. It fails without a socket
// and for settings that madcap.NewClient refuses. Close ends it.
func NewClient(cfg ClientConfig) (*Client, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	machine, err := madcap.NewClient(cfg.Protocol)
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg: cfg, machine: machine,
		waiting: make(map[madcap.Handle]chan<- *madcap.Done),
		calls:   make(chan call), closed: make(chan struct{}), stop: make(chan struct{}),
		info: make(map[lease.Family]*knowledge),
	}
	c.known.init(cfg.MaxLeases)
	if err := c.open(); err != nil {
		return nil, err
	}
	c.timer = time.NewTimer(time.Hour)
	c.wg.Go(c.loop)
	for _, s := range c.sockets {
		c.wg.Go(func() { c.receive(s) })
	}
	return c, nil
}

// fill puts in the defaults.
func (cfg *ClientConfig) fill() error {
	if cfg.Port == 0 {
		cfg.Port = madcap.Port
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Owner == nil {
		cfg.Owner = lease.SameOwner
	}
	if cfg.MaxLeases <= 0 {
		cfg.MaxLeases = 1 << 16
	}
	if cfg.ScopesFor <= 0 {
		cfg.ScopesFor = 5 * time.Minute
	}
	if cfg.Protocol.HopLimit == 0 {
		cfg.Protocol.HopLimit = 16
	}
	if cfg.Server.IsValid() && (cfg.Server.Addr().IsMulticast() || cfg.Server.Addr().IsUnspecified() || cfg.Server.Port() == 0) {
		return fmt.Errorf("%w: server %v, want a unicast address and a port", madcap.ErrConfig, cfg.Server)
	}
	for _, g := range cfg.Groups {
		if !g.IsMulticast() {
			return fmt.Errorf("%w: server group %v is no multicast address", madcap.ErrConfig, g)
		}
	}
	var seed [32]byte
	if cfg.Protocol.Rand == nil {
		crand.Read(seed[:]) // never fails
		cfg.Protocol.Rand = rand.New(rand.NewChaCha8(seed))
	}
	if len(cfg.Secret) == 0 {
		cfg.Secret = make([]byte, 32)
		crand.Read(cfg.Secret)
	}
	return nil
}

// open opens the sockets, or takes those it is given.
func (c *Client) open() (err error) {
	if c.sockets, err = openSockets(c.cfg.Conns, 0, false); err != nil {
		return err
	}
	for _, s := range c.sockets {
		if err := s.multicastVia(c.cfg.Interface, c.cfg.Protocol.HopLimit); err != nil && s.udp != nil {
			c.cfg.Logger.Warn("no multicast on a socket", "local", s.conn.LocalAddr(), "err", err)
		}
	}
	return nil
}

// Close ends the client: calls under way fail, and what they may have been
// granted is released. It closes the sockets the client has opened and waits
// for its goroutines. Leases stay in force.
func (c *Client) Close() error {
	c.once.Do(func() { close(c.stop) })
	<-c.closed
	for _, s := range c.sockets {
		s.conn.SetReadDeadline(time.Unix(1, 0)) // ends the pending read
	}
	c.wg.Wait()
	var errs []error
	for _, s := range c.sockets {
		if !s.ours {
			errs = append(errs, s.conn.SetReadDeadline(time.Time{}))
		}
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// Addrs returns what the sockets are bound to.
func (c *Client) Addrs() []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, s := range c.sockets {
		if a := s.localAddr(); a.IsValid() {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// Stats returns the machine's counters, zeros after Close.
func (c *Client) Stats() (stats madcap.ClientStats) {
	c.do(func(time.Time) { stats = c.machine.Stats() })
	return stats
}
