// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// ServerConfig says what a Server serves, and where. Only Allocator is
// required.
type ServerConfig struct {
	// Allocator grants the leases. Its scopes are the ones announced, and the
	// server groups of these are joined.
	Allocator lease.Allocator

	// Conns receive requests. The default is two UDP sockets on port 2535 of
	// all addresses, one for IPv4 and one for IPv6, or the one of them that the
	// host has. Connections that are given are not closed by the server; one
	// that is no *net.UDPConn joins no groups and does not tell destinations.
	Conns []net.PacketConn
	// Port replaces 2535 where Conns is empty; with -1 the system chooses.
	Port int
	// Interfaces on which the groups are joined. The default is every interface
	// that is up and can multicast, and loopback.
	Interfaces []net.Interface
	// Batch is how many datagrams are read and written with one system call, 1
	// by default.
	Batch int

	// Concurrent calls the allocator outside of the receive loop, each call in a
	// goroutine of its own, at most Protocol.MaxPending at once. Set it where
	// Allocate may wait, for a disk or another server. Without it the
	// allocator is called in the loop, which is fastest for one in memory.
	Concurrent bool

	// Protocol sets the times, limits and features of RFC 2730. Its Scopes,
	// Nesting and, unless given, Identifiers are filled in by the server.
	Protocol madcap.ServerConfig

	// Principal says on whose behalf a datagram asks, for the allocator's limits
	// and for its decision who may change a lease. By default nobody is told
	// from anybody else: as in RFC 2730, section 2.4, whoever knows the Lease
	// Identifier may renew and release, from any address of a host that has
	// several or has moved. ByAddress is the alternative.
	Principal func(netip.AddrPort) lease.Principal

	// Scopes tells which scopes are in effect here and how they nest, instead of
	// the allocator: for example what an mzapnet.Listener has learned (RFC 2907,
	// section 4). Nil asks the allocator.
	Scopes ScopeSource
	// Refresh is how often the scopes are asked for again, 1 minute by default.
	// Server.RefreshScopes does it at once.
	Refresh time.Duration

	// Logger is told of what goes wrong. The default discards it.
	Logger *slog.Logger
	// Now is the clock, time.Now by default.
	Now func() time.Time
}

// ScopeSource knows the scopes in effect here. Its methods are called while the
// server runs, from another goroutine.
type ScopeSource interface {
	// Scopes returns the scopes of both families.
	Scopes() []scope.Scope
	// Nesting returns what is known of their nesting, nil for nothing.
	Nesting(...scope.ID) *scope.Nesting
}

// Server serves MADCAP (RFC 2730) on UDP sockets.
type Server struct {
	cfg     ServerConfig
	sockets []*socket
	groups  map[membership]bool

	mu      sync.Mutex // guards the machine and writing
	machine *madcap.Server
	ranges  []scope.Range // reused for outcomes
	locals  map[int]localAddrs
	own     []netip.Addr  // every address of this host
	wake    chan struct{} // the machine's deadline may have moved
	refresh chan struct{} // the scopes may have changed
	armed   time.Time     // what the timer waits for, zero if nothing
	calls   sync.WaitGroup
	asking  map[string]chan struct{} // the last question about a lease in a goroutine
	ctx     context.Context          // of Serve, for the allocator

	callersMu sync.Mutex // of calls in goroutines of their own
	callers   map[netip.AddrPort]context.Context
	callersOf context.Context
}

// membership is a group joined on an interface.
type membership struct {
	ifIndex int
	group   netip.Addr
}

// localAddrs are the addresses of an interface to answer from.
type localAddrs struct{ v4, v6 netip.Addr }

// NewServer opens the sockets, asks the allocator for its scopes and joins
// their server groups. It fails without a socket, without a scope, and for
// settings that madcap.NewServer refuses; a group that cannot be joined is only
// logged, as unicast still works. Serve does the rest; if it is never called,
// Close closes the sockets.
func NewServer(ctx context.Context, cfg ServerConfig) (*Server, error) {
	if cfg.Allocator == nil {
		return nil, errors.New("madcapnet: a server needs an allocator")
	}
	cfg.fill()
	s := &Server{cfg: cfg, groups: make(map[membership]bool), asking: make(map[string]chan struct{}), wake: make(chan struct{}, 1), refresh: make(chan struct{}, 1), ctx: ctx}
	if err := s.open(); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// fill puts in the defaults.
func (cfg *ServerConfig) fill() {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Refresh <= 0 {
		cfg.Refresh = time.Minute
	}
}

// ByAddress takes the source address, without port, for the principal. It lets
// an allocator limit what one address may have, which holds only where
// addresses cannot be forged, and binds a lease to the address that asked for
// it.
func ByAddress(from netip.AddrPort) lease.Principal {
	return lease.Principal{Name: from.Addr().Unmap().WithZone("").String(), By: lease.ByAddress}
}

// open opens the sockets.
func (s *Server) open() (err error) {
	port := madcap.Port
	if s.cfg.Port != 0 {
		port = max(s.cfg.Port, 0)
	}
	s.sockets, err = openSockets(s.cfg.Conns, uint16(port), true)
	return err
}

// start makes the machine.
func (s *Server) start(ctx context.Context) error {
	s.findLocals()
	p := s.cfg.Protocol
	if len(p.Identifiers) == 0 {
		p.Identifiers = s.own
	}
	scopes, nesting, err := s.scopes(ctx)
	if err != nil {
		return err
	}
	p.Scopes, p.Nesting = scopes, nesting
	if s.machine, err = madcap.NewServer(p, madcap.ServerSnapshot{}); err != nil {
		return err
	}
	s.join(scopes)
	return nil
}

// Addrs returns what the sockets are bound to.
func (s *Server) Addrs() []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, c := range s.sockets {
		if a := c.localAddr(); a.IsValid() {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// Stats returns the machine's counters.
func (s *Server) Stats() madcap.ServerStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.Stats()
}

// RefreshScopes makes a server that runs ask for its scopes again. It does not
// wait for that.
func (s *Server) RefreshScopes() {
	select {
	case s.refresh <- struct{}{}:
	default:
	}
}

// Close closes the sockets the server has opened. Serve does it by itself.
func (s *Server) Close() error {
	var errs []error
	for _, c := range s.sockets {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// Serve answers requests until ctx ends or a socket fails, and then closes the
// sockets and waits for its goroutines. It returns nil if ctx has ended.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.ctx = ctx
	s.mu.Unlock()
	failed := make(chan error, len(s.sockets))
	var wg sync.WaitGroup
	for _, c := range s.sockets {
		wg.Go(func() {
			if err := s.receive(c); err != nil {
				failed <- err
				cancel()
			}
		})
	}
	wg.Go(func() { s.keepTime(ctx) })
	wg.Go(func() { s.keepScopes(ctx) })
	<-ctx.Done()
	for _, c := range s.sockets {
		c.conn.SetReadDeadline(time.Unix(1, 0)) // ends the pending read
	}
	wg.Wait()
	s.calls.Wait()
	err := s.Close()
	select {
	case bad := <-failed:
		return bad
	default:
		return err
	}
}

// receive reads datagrams until the socket's deadline is moved into the past.
func (s *Server) receive(c *socket) error {
	if b := newBatch(c, s.cfg.Batch); b != nil {
		return s.receiveBatch(c, b)
	}
	buf := make([]byte, maxDatagram)
	for {
		in, err := c.read(buf)
		if err != nil {
			if stop, err := s.readFailed(err); stop {
				return err
			}
			continue
		}
		s.mu.Lock()
		s.take(in)
		s.effects(c, nil)
		s.arm()
		s.mu.Unlock()
	}
}

// receiveBatch does the same, many at a time.
func (s *Server) receiveBatch(c *socket, b *batch) error {
	for {
		n, err := b.read()
		if err != nil {
			if stop, err := s.readFailed(err); stop {
				return err
			}
			continue
		}
		s.mu.Lock()
		for i := range n {
			if in, err := b.datagram(i); err == nil {
				s.take(in)
			}
		}
		s.effects(c, b)
		if err := b.flush(); err != nil {
			s.cfg.Logger.Debug("answers not sent", "err", err)
		}
		s.arm()
		s.mu.Unlock()
	}
}

// readFailed says whether to stop reading, and whether that is an error. A
// client that has gone makes some systems report its port as unreachable to
// the next read, which concerns nobody else.
func (s *Server) readFailed(err error) (stop bool, _ error) {
	s.mu.Lock()
	ended := s.ctx.Err() != nil
	s.mu.Unlock()
	var timeout net.Error
	switch {
	case ended:
		return true, nil
	case errors.Is(err, net.ErrClosed):
		return true, err
	case errors.As(err, &timeout) && timeout.Timeout():
		return true, fmt.Errorf("madcapnet: read deadline set from outside: %w", err)
	}
	s.cfg.Logger.Debug("datagram not received", "err", err)
	return false, nil
}

// take gives a datagram to the machine. Its local address is that of the
// interface it came in on: what the system reports for a datagram sent to a
// group may be any address of the host.
func (s *Server) take(in inbound) {
	if l, ok := s.locals[in.ifIndex]; ok && (in.to.IsMulticast() || !in.local.IsValid()) {
		if in.from.Addr().Is4() {
			in.local = l.v4
		} else {
			in.local = l.v6
		}
	}
	s.machine.Receive(s.cfg.Now(), madcap.Datagram{From: in.from, To: in.to, Local: in.local, Payload: in.payload})
}
