// SPDX-License-Identifier: BSD-3-Clause

package mzapnet

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/scope"
)

// RouterConfig tells a [Router] what it is.
type RouterConfig struct {
	// Machine is the configuration of the boundary router. Without a Rand it gets
	// one, seeded at random. Without a Route it asks the system where it would
	// send unicast datagrams to (see [Route]).
	Machine mzap.RouterConfig
	// Conn is used instead of a UDP socket on [mzap.Port]. The Router closes it.
	Conn Conn
	// EveryInterface sends on each interface of a zone, not only on the first one:
	// for hosts and laboratories where nothing routes multicast between them.
	EveryInterface bool
	// Authenticated tells whether a sender is vouched for. Nil: nobody is.
	Authenticated func(Source) bool
	// Notify is called for every [mzap.Finding] and [mzap.ZoneIDChanged], in order,
	// from within Run. It may call the Router's methods.
	Notify func(mzap.Effect)
	// Restore is what an earlier router knew, nil for nothing.
	Restore *mzap.RouterSnapshot
	// Logger is told of failures and findings; nil: nobody is.
	Logger *slog.Logger
}

// Router runs a boundary router's MZAP on the network. It sets up no filters
// and routes nothing: that is the system's work. Its methods are safe for
// concurrent use, during Run and before and after it.
type Router struct {
	cfg  RouterConfig
	log  *slog.Logger
	conn Conn

	mu sync.Mutex
	r  *mzap.Router
}

// NewRouter opens the socket and joins the groups. Call [Router.Run] next: it
// closes the socket.
func NewRouter(cfg RouterConfig) (*Router, error) {
	if cfg.Machine.Rand == nil {
		cfg.Machine.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if cfg.Machine.Route == nil {
		cfg.Machine.Route = Route(cfg.Machine.Interfaces)
	}
	m, err := mzap.NewRouter(cfg.Machine, time.Now())
	if err != nil {
		return nil, err
	}
	if cfg.Restore != nil {
		m.Restore(*cfg.Restore)
	}
	r := &Router{cfg: cfg, log: logger(cfg.Logger), conn: cfg.Conn, r: m}
	if r.conn == nil {
		if r.conn, err = Listen(cfg.Machine.Scopes[0].Scope.Range.Is4(), mzap.Port); err != nil {
			return nil, err
		}
	}
	for _, x := range slices.Collect(m.Effects()) {
		if j, ok := x.(mzap.Join); ok {
			if err := r.membership(j.Group, j.Interfaces, r.conn.Join); err != nil {
				r.conn.Close()
				return nil, fmt.Errorf("mzapnet: join %w", err)
			}
		}
	}
	return r, nil
}

// membership joins or leaves a group on some interfaces, on as many as
// possible.
func (r *Router) membership(group netip.Addr, interfaces []int, change func(netip.Addr, int) error) (failed error) {
	for _, i := range interfaces {
		if err := change(group, i); err != nil {
			failed = fmt.Errorf("%v on interface %d: %w", group, i, err)
		}
	}
	return failed
}

// Run is the router until ctx is done; then it closes the socket and returns
// nil. If the socket fails it returns the error. Call it once.
func (r *Router) Run(ctx context.Context) error { return loop(ctx, []Conn{r.conn}, r) }

func (r *Router) receive(now time.Time, d received) {
	p := mzap.Packet{From: d.from.Addr, Interface: d.from.Interface, Payload: d.payload}
	p.Authenticated = r.cfg.Authenticated != nil && r.cfg.Authenticated(d.from)
	r.do(func(m *mzap.Router) {
		if err := m.Receive(now, p); err != nil {
			r.log.Debug("dropped a datagram", "from", d.from.Addr, "interface", d.from.Interface, "error", err)
		}
	})
}

func (r *Router) advance(now time.Time) { r.do(func(m *mzap.Router) { m.Advance(now) }) }

func (r *Router) deadline() (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.Deadline()
}

// do calls the machine and then, without the lock, does what it wants.
func (r *Router) do(call func(*mzap.Router)) {
	r.mu.Lock()
	call(r.r)
	effects := slices.Collect(r.r.Effects())
	r.mu.Unlock()
	for _, x := range effects {
		switch x := x.(type) {
		case mzap.Send:
			r.send(x)
		case mzap.Join:
			if err := r.membership(x.Group, x.Interfaces, r.conn.Join); err != nil {
				r.log.Warn("cannot join", "error", err)
			}
		case mzap.Leave:
			if err := r.membership(x.Group, x.Interfaces, r.conn.Leave); err != nil {
				r.log.Warn("cannot leave", "error", err)
			}
		case mzap.Finding:
			r.log.Warn("misconfiguration", "finding", x)
			r.notify(x)
		case mzap.ZoneIDChanged:
			r.log.Info("zone ID changed", "scope", x.Scope, "old", x.Old, "new", x.New)
			r.notify(x)
		}
	}
}

func (r *Router) notify(x mzap.Effect) {
	if r.cfg.Notify != nil {
		r.cfg.Notify(x)
	}
}

// send sends a datagram on the first of its interfaces that works, or on all.
func (r *Router) send(s mzap.Send) {
	for _, i := range s.Interfaces {
		err := r.conn.WriteTo(s.Packet, s.Source, s.Group, i)
		if err != nil {
			r.log.Warn("cannot send", "group", s.Group, "interface", i, "error", err)
		} else if !r.cfg.EveryInterface {
			return
		}
	}
}

// ZoneID returns the Zone ID of the zone of a scope that this router bounds, and
// whether it bounds that scope.
func (r *Router) ZoneID(s scope.Range) (netip.Addr, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.ZoneID(s)
}

// Stats returns the counters.
func (r *Router) Stats() mzap.RouterStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.Stats()
}

// Snapshot returns what to give the Restore of the next router.
func (r *Router) Snapshot() mzap.RouterSnapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.Snapshot(time.Now())
}

// Interfaces describes interfaces of this host for a boundary router: each with
// its lowest address of the family that MZAP can send from, if it has one.
func Interfaces(is4 bool, names ...string) ([]mzap.Interface, error) {
	var out []mzap.Interface
	for _, name := range names {
		i, err := net.InterfaceByName(name)
		if err != nil {
			return nil, fmt.Errorf("mzapnet: interface %q: %w", name, err)
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("mzapnet: addresses of %q: %w", name, err)
		}
		var own []netip.Addr
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() == is4 {
				own = append(own, p.Addr())
			}
		}
		out = append(out, mzap.Interface{Index: i.Index, Addr: lowest(own)})
	}
	return out, nil
}

// Route returns a stand-in for a multicast routing table: the way to an address
// is the interface this host would send unicast datagrams to it on. It asks the
// system each time and sends nothing.
func Route(interfaces []mzap.Interface) func(netip.Addr) (int, bool) {
	return func(a netip.Addr) (int, bool) {
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, mzap.Port)))
		if err != nil {
			return 0, false
		}
		defer c.Close()
		from := udpAddr(c.LocalAddr())
		return indexOf(interfaces, from)
	}
}

// indexOf returns the interface that bears an address, among those given or any
// of this host.
func indexOf(interfaces []mzap.Interface, a netip.Addr) (int, bool) {
	for _, i := range interfaces {
		if i.Addr == a {
			return i.Index, true
		}
	}
	all, err := net.Interfaces()
	if err != nil {
		return 0, false
	}
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, x := range addrs {
			if p, err := netip.ParsePrefix(x.String()); err == nil && p.Addr() == a {
				return i.Index, true
			}
		}
	}
	return 0, false
}
