// SPDX-License-Identifier: BSD-3-Clause

package mzapnet

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/scope"
)

// ListenerConfig tells a [Listener] where and how to listen. The zero value is
// good: both families, on all interfaces that can do multicast.
type ListenerConfig struct {
	Machine mzap.ListenerConfig
	// Interfaces are the indexes of those to listen on; empty: every one that is up
	// and can do multicast when the Listener is made.
	Interfaces []int
	// Conns are listened on instead of UDP sockets on [mzap.Port]. They have joined
	// the groups they are to hear. The Listener closes them.
	Conns []Conn
	// Authenticated tells whether a sender is vouched for, by IPsec or because the
	// network makes forgery impossible (RFC 2776 section 8). Nil: nobody is.
	Authenticated func(Source) bool
	// Notify is called for everything the listener learns, in order, from within
	// Run: [mzap.Appeared], [mzap.Changed], [mzap.Gone], [mzap.NestingChanged] and
	// [mzap.Finding]. It may call the Listener's methods.
	Notify func(mzap.Effect)
	// Restore is what an earlier listener knew.
	Restore mzap.ListenerSnapshot
	// Logger is told of failures and changes; nil: nobody is.
	Logger *slog.Logger
}

// Listener listens to MZAP on the network and knows the scopes in effect here.
// Its methods are safe for concurrent use, during Run and before and after it.
type Listener struct {
	cfg   ListenerConfig
	log   *slog.Logger
	conns []Conn

	mu sync.Mutex
	l  *mzap.Listener
}

// NewListener opens the sockets and joins the groups. Call [Listener.Run] next:
// it closes them.
func NewListener(cfg ListenerConfig) (*Listener, error) {
	m, err := mzap.NewListener(cfg.Machine)
	if err != nil {
		return nil, err
	}
	m.Restore(cfg.Restore)
	l := &Listener{cfg: cfg, log: logger(cfg.Logger), conns: cfg.Conns, l: m}
	if len(l.conns) > 0 {
		return l, nil
	}
	indexes := cfg.Interfaces
	if len(indexes) == 0 {
		if indexes, err = multicastInterfaces(); err != nil {
			return nil, err
		}
	}
	for _, is4 := range []bool{true, false} {
		c, e := l.listenOn(is4, indexes)
		if e != nil {
			err = e
			l.log.Warn("cannot listen", "ipv4", is4, "error", e)
			continue
		}
		l.conns = append(l.conns, c)
	}
	if len(l.conns) == 0 {
		return nil, err
	}
	return l, nil
}

// listenOn opens a socket and joins the local group on every interface that lets
// it. One is enough.
func (l *Listener) listenOn(is4 bool, indexes []int) (Conn, error) {
	c, err := Listen(is4, mzap.Port)
	if err != nil {
		return nil, err
	}
	joined := false
	err = fmt.Errorf("mzapnet: no interface to join %v on", mzap.LocalGroup(is4))
	for _, i := range indexes {
		if e := c.Join(mzap.LocalGroup(is4), i); e != nil {
			err = fmt.Errorf("mzapnet: join %v on interface %d: %w", mzap.LocalGroup(is4), i, e)
			l.log.Debug("cannot join", "group", mzap.LocalGroup(is4), "interface", i, "error", e)
		} else {
			joined = true
		}
	}
	if !joined {
		c.Close()
		return nil, err
	}
	return c, nil
}

// multicastInterfaces returns the interfaces that are up and can do multicast.
func multicastInterfaces() (indexes []int, err error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("mzapnet: %w", err)
	}
	const want = net.FlagUp | net.FlagMulticast
	for _, i := range all {
		if i.Flags&want == want {
			indexes = append(indexes, i.Index)
		}
	}
	return indexes, nil
}

// Run listens until ctx is done, then closes the sockets and returns nil; or
// until a socket fails, with its error. Call it once.
func (l *Listener) Run(ctx context.Context) error { return loop(ctx, l.conns, l) }

func (l *Listener) receive(now time.Time, r received) {
	p := mzap.Packet{From: r.from.Addr, Interface: r.from.Interface, Payload: r.payload}
	p.Authenticated = l.cfg.Authenticated != nil && l.cfg.Authenticated(r.from)
	l.do(func(m *mzap.Listener) {
		if err := m.Receive(now, p); err != nil {
			l.log.Debug("dropped a datagram", "from", r.from.Addr, "interface", r.from.Interface, "error", err)
		}
	})
}

func (l *Listener) advance(now time.Time) { l.do(func(m *mzap.Listener) { m.Advance(now) }) }

func (l *Listener) deadline() (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.l.Deadline()
}

// do calls the machine and then, without the lock, tells what is new.
func (l *Listener) do(call func(*mzap.Listener)) {
	l.mu.Lock()
	call(l.l)
	effects := slices.Collect(l.l.Effects())
	l.mu.Unlock()
	for _, x := range effects {
		switch x := x.(type) {
		case mzap.Appeared:
			l.log.Info("scope appeared", "scope", x.Scope.Range, "zone", x.ZoneID)
		case mzap.Changed:
			l.log.Info("scope changed", "scope", x.New.Scope.Range, "zone", x.New.ZoneID)
		case mzap.Gone:
			l.log.Info("scope gone", "scope", x.Scope.Range, "zone", x.ZoneID)
		case mzap.Finding:
			l.log.Warn("misconfiguration", "finding", x)
		}
		if l.cfg.Notify != nil {
			l.cfg.Notify(x)
		}
	}
}

// ask calls a method of the machine that changes nothing.
func ask[T any](l *Listener, f func(m *mzap.Listener, now time.Time) T) T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return f(l.l, time.Now())
}

// Scopes returns the scopes in effect here of both families, as
// [mzap.Listener.Scopes] does.
func (l *Listener) Scopes() []scope.Scope { return ask(l, (*mzap.Listener).Scopes) }

// Allocatable returns the scopes an allocator may take any address from, as
// [mzap.Listener.Allocatable] does.
func (l *Listener) Allocatable() []scope.Scope { return ask(l, (*mzap.Listener).Allocatable) }

// Discovered returns what is known of each scope heard of, as
// [mzap.Listener.Discovered] does.
func (l *Listener) Discovered() []mzap.Discovered { return ask(l, (*mzap.Listener).Discovered) }

// Nesting returns what is known about the nesting of scopes, as
// [mzap.Listener.Nesting] does.
func (l *Listener) Nesting(ids ...scope.ID) *scope.Nesting {
	return ask(l, func(m *mzap.Listener, now time.Time) *scope.Nesting { return m.Nesting(now, ids...) })
}

// Snapshot returns what to give the Restore of the next listener.
func (l *Listener) Snapshot() mzap.ListenerSnapshot { return ask(l, (*mzap.Listener).Snapshot) }

// Stats returns the counters.
func (l *Listener) Stats() mzap.ListenerStats {
	return ask(l, func(m *mzap.Listener, _ time.Time) mzap.ListenerStats { return m.Stats() })
}

func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

// lowest returns the lowest address among some that MZAP can send from.
func lowest(addrs []netip.Addr) (best netip.Addr) {
	for _, a := range addrs {
		if mzap.UsableUnicast(a) && (!best.IsValid() || a.Less(best)) {
			best = a
		}
	}
	return best
}
