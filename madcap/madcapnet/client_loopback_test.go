// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/leasetest"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// offset is a clock that can be moved on.
type offset struct {
	mu sync.Mutex
	d  time.Duration
}

func (o *offset) now() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Now().Add(o.d)
}

func (o *offset) advance(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.d += d
}

// newPool makes a pool of a scope with a clock that can be moved.
func newPool(t testing.TB, o *offset, scopes ...scope.Scope) *lease.Pool {
	t.Helper()
	p, err := lease.NewPool(lease.Config{Scopes: scopes, Now: o.now})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newClient makes a client that the test ends.
func newClient(t testing.TB, cfg ClientConfig) *Client {
	t.Helper()
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

// TestAllocator is a client on real sockets over a server over a pool, by
// unicast, against the suite that every allocator passes.
func TestAllocator(t *testing.T) {
	for name, v := range map[string]struct {
		at    netip.Addr
		scope scope.Scope
	}{
		"IPv4":           {netip.MustParseAddr("127.0.0.1"), scope.IPv4Local()},
		"IPv6":           {netip.IPv6Loopback(), scope.IPv6(5)},
		"IPv6 over IPv4": {netip.MustParseAddr("127.0.0.1"), scope.IPv6(3)},
	} {
		t.Run(name, func(t *testing.T) {
			leasetest.TestAllocator(t, func(t *testing.T) leasetest.Subject {
				o := new(offset)
				s := serve(t, ServerConfig{Allocator: newPool(t, o, v.scope), Now: o.now})
				c := newClient(t, ClientConfig{Server: netip.AddrPortFrom(v.at, port(s)), Now: o.now})
				return leasetest.Subject{Allocator: c, Scope: v.scope.ID(), Guard: lease.DefaultGuard, Now: o.now, Advance: o.advance}
			})
		})
	}
}

// TestRelay is the same through a second server, which asks the first one.
func TestRelay(t *testing.T) {
	leasetest.TestAllocator(t, func(t *testing.T) leasetest.Subject {
		o := new(offset)
		first := serve(t, ServerConfig{Allocator: newPool(t, o, scope.IPv4Local()), Now: o.now})
		inner := newClient(t, ClientConfig{Server: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port(first)), Now: o.now})
		relay := serve(t, ServerConfig{Allocator: inner, Now: o.now, Concurrent: true})
		c := newClient(t, ClientConfig{Server: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port(relay)), Now: o.now})
		return leasetest.Subject{Allocator: c, Scope: scope.IPv4Local().ID(), Guard: lease.DefaultGuard, Now: o.now, Advance: o.advance}
	})
}

// TestClientPort: all copies and all messages of a transaction come from one
// port, to which the answers go.
func TestClientPort(t *testing.T) {
	t.Run("MADCAP-2-2", func(t *testing.T) {
		server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		c := newClient(t, ClientConfig{
			Server:   server.LocalAddr().(*net.UDPAddr).AddrPort(),
			Protocol: madcap.ClientConfig{Retransmit: []time.Duration{time.Millisecond, time.Millisecond}, GiveUp: time.Minute},
		})
		ctx, cancel := context.WithCancel(t.Context())
		go c.Scopes(ctx, lease.IPv4)
		defer cancel()
		buf := make([]byte, maxDatagram)
		var first netip.AddrPort
		for i := range 3 {
			server.SetReadDeadline(time.Now().Add(10 * time.Second))
			_, from, err := server.ReadFromUDPAddrPort(buf)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = from
			}
			if from != first || from.Port() != c.Addrs()[0].Port() {
				t.Errorf("copy %d from %v, the first from %v, bound to %v", i, from, first, c.Addrs())
			}
		}
	})
}

// TestDiscover finds a server by multicast on the loopback interface.
func TestDiscover(t *testing.T) {
	lo := loopback(t)
	o := new(offset)
	s := serve(t, ServerConfig{Allocator: newPool(t, o, scope.IPv4Local()), Interfaces: []net.Interface{*lo}})
	c := newClient(t, ClientConfig{Port: port(s), Interface: lo, Protocol: madcap.ClientConfig{First: true}})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	list, err := c.Scopes(ctx, lease.IPv4)
	if err != nil {
		t.Skipf("no multicast on the loopback interface: %v", err)
	}
	if len(list) != 1 || list[0].ID() != scope.IPv4Local().ID() {
		t.Fatalf("scopes %v", list)
	}
	l, err := c.Allocate(ctx, lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 3}})
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := l.Addrs.Size().Uint64(); n != 3 || !l.Server.IsLoopback() {
		t.Errorf("granted %v by %v", l, l.Server)
	}
	longer, err := c.ChangeLifetime(ctx, l, lease.At(l.End.Add(-time.Hour)))
	if err != nil || !longer.End.Equal(l.End.Add(-time.Hour)) {
		t.Errorf("changed to %v, %v", longer, err)
	}
	if err := c.Release(ctx, longer); err != nil {
		t.Error(err)
	}
	if stats := s.Stats(); stats.Offers != 1 || stats.Acks < 4 {
		t.Errorf("server counted %+v", stats)
	}
}

// BenchmarkClient is an allocation and its release over loopback, one at a
// time: two exchanges.
func BenchmarkClient(b *testing.B) {
	p, err := lease.NewPool(lease.Config{Scopes: []scope.Scope{scope.IPv4Local()}, Guard: lease.NoGuard})
	if err != nil {
		b.Fatal(err)
	}
	s := serve(b, ServerConfig{Allocator: p})
	c := newClient(b, ClientConfig{Server: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port(s))})
	b.ReportAllocs()
	for b.Loop() {
		l, err := c.Allocate(b.Context(), lease.Request{Family: lease.IPv4})
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Release(b.Context(), l); err != nil {
			b.Fatal(err)
		}
	}
}
