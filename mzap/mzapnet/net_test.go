// SPDX-License-Identifier: BSD-3-Clause

package mzapnet_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/mzap/mzapnet"
	"github.com/mcastalloc/malloc/scope"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func routerConfig(name, own string, conn mzapnet.Conn) mzapnet.RouterConfig {
	names, err := scope.NewNames(scope.Name{Tag: "en", Text: name, Default: true})
	if err != nil {
		panic(err)
	}
	x := scope.Scope{Range: scope.MustRange("239.130.0.0", "239.130.255.255"), Names: names}
	return mzapnet.RouterConfig{
		Conn: conn,
		Machine: mzap.RouterConfig{
			Interfaces: []mzap.Interface{{Index: 1, Addr: addr(own)}, {Index: 2}},
			Scopes:     []mzap.Boundary{{Scope: scope.IPv4Local(), Interfaces: []int{2}}, {Scope: x, Interfaces: []int{2}}},
			Route:      func(netip.Addr) (int, bool) { return 1, true },
			Rand:       rand.New(rand.NewPCG(1, uint64(len(name)))),
		},
	}
}

// TestHours lets two routers and a listener run for hours of a bubble's time: the
// listener learns the scope, sees it renamed, and sees it go.
func TestHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hub
		ear := h.port(1)
		ear.Join(mzap.LocalGroup(true), 1)
		var mu sync.Mutex
		var told []mzap.Effect
		var l *mzapnet.Listener
		l, err := mzapnet.NewListener(mzapnet.ListenerConfig{Conns: []mzapnet.Conn{ear}, Notify: func(x mzap.Effect) {
			l.Scopes() // may be called from here
			mu.Lock()
			defer mu.Unlock()
			told = append(told, x)
		}})
		if err != nil {
			t.Fatal(err)
		}
		var conflicts []mzap.Finding
		first := routerConfig("X", "10.0.0.1", h.port(1))
		first.Notify = func(x mzap.Effect) {
			if f, ok := x.(mzap.Finding); ok {
				conflicts = append(conflicts, f)
			}
		}
		second := routerConfig("Not X", "10.0.0.2", h.port(1))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		run := func(r interface{ Run(context.Context) error }) {
			wg.Go(func() {
				if err := r.Run(ctx); err != nil {
					t.Errorf("Run: %v", err)
				}
			})
		}
		run(l)
		var routers []*mzapnet.Router
		for _, cfg := range []mzapnet.RouterConfig{first, second} {
			r, err := mzapnet.NewRouter(cfg)
			if err != nil {
				t.Fatal(err)
			}
			routers = append(routers, r)
			run(r)
		}
		time.Sleep(2 * time.Hour)
		if got := l.Discovered(); len(got) != 1 || got[0].Scope.ID() != addr("239.130.0.0") || got[0].ZoneID != addr("10.0.0.1") {
			t.Errorf("discovered %+v", got)
		}
		if id, ok := routers[1].ZoneID(scope.MustRange("239.130.0.0", "239.130.255.255")); !ok || id != addr("10.0.0.1") {
			t.Errorf("the second router's Zone ID is %v", id)
		}
		if s := routers[0].Stats(); s.Sent[mzap.ZAM] < 9 || s.Received[mzap.ZAM] < 1 || s.Own != 0 {
			t.Errorf("%+v", s)
		}
		if got := l.Nesting(scope.IPv4Local().ID(), addr("239.130.0.0")); got.Of(scope.IPv4Local().ID(), addr("239.130.0.0")) != scope.Yes {
			t.Error("the Local Scope nests in everything")
		}
		if len(l.Snapshot().Scopes) != 1 || len(routers[0].Snapshot().Zones) != 2 {
			t.Error("snapshots are empty")
		}
		cancel()
		wg.Wait() // and the bubble checks that no goroutine is left
		if len(conflicts) == 0 || conflicts[0].Kind != mzap.NameConflict {
			t.Errorf("the first router found %v", conflicts)
		}
		if _, ok := told[0].(mzap.Appeared); !ok {
			t.Errorf("told %v first", told[0])
		}
	})
}

// TestScopeGoes: without a router a scope is gone after its hold time, and the
// listener says so without anything arriving.
func TestScopeGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hub
		ear, mouth := h.port(1), h.port(1)
		ear.Join(mzap.LocalGroup(true), 1)
		gone := make(chan mzap.Gone, 1)
		l, err := mzapnet.NewListener(mzapnet.ListenerConfig{Conns: []mzapnet.Conn{ear}, Notify: func(x mzap.Effect) {
			if g, ok := x.(mzap.Gone); ok {
				gone <- g
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		start := time.Now()
		if err := mouth.WriteTo(announcement(t), addr("10.0.0.9"), mzap.LocalGroup(true), 1); err != nil {
			t.Fatal(err)
		}
		mouth.WriteTo([]byte("junk"), addr("10.0.0.9"), mzap.LocalGroup(true), 1)
		<-gone
		if waited := time.Since(start); waited != 1860*time.Second {
			t.Errorf("gone after %v", waited)
		}
		if s := l.Stats(); s.Malformed != 1 || s.Received[mzap.ZAM] != 1 {
			t.Errorf("%+v", s)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestConnFails: Run ends with the error of a socket that fails.
func TestConnFails(t *testing.T) {
	var h hub
	ear := h.port(1)
	l, err := mzapnet.NewListener(mzapnet.ListenerConfig{Conns: []mzapnet.Conn{ear}})
	if err != nil {
		t.Fatal(err)
	}
	ear.Close()
	if err := l.Run(t.Context()); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Run: %v", err)
	}
}

func announcement(t *testing.T) []byte {
	t.Helper()
	m := mzap.Message{
		Type: mzap.ZAM, Origin: addr("192.0.2.33"), ZoneID: addr("192.0.2.17"), Range: scope.MustRange("239.130.0.0", "239.130.255.255"),
		Limit: 32, HoldTime: 1860 * time.Second, LocalZone: addr("192.0.2.17"),
	}
	b, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// loopback returns the loopback interface, or skips.
func loopback(t *testing.T) int {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 && i.Flags&net.FlagUp != 0 {
			return i.Index
		}
	}
	t.Skip("no loopback interface")
	return 0
}

// TestLoopback sends real datagrams over the loopback interface, to a listener
// that shares its port with another socket. MZAP-7-1, MZAP-5-2.
func TestLoopback(t *testing.T) {
	for _, c := range []struct {
		name string
		is4  bool
		own  netip.Addr
	}{{"IPv4", true, addr("127.0.0.1")}, {"IPv6", false, addr("::1")}} {
		t.Run(c.name, func(t *testing.T) {
			lo, group := loopback(t), mzap.LocalGroup(c.is4)
			const port = 42106 // not in the way of a real router
			ear, err := mzapnet.Listen(c.is4, port)
			if err != nil {
				t.Skip(err)
			}
			defer ear.Close()
			mouth, err := mzapnet.Listen(c.is4, port)
			if err != nil {
				t.Fatalf("the port cannot be shared: %v", err)
			}
			defer mouth.Close()
			if err := ear.Join(group, lo); err != nil {
				t.Skip(err)
			}
			appeared := make(chan mzap.Appeared, 1)
			var from mzapnet.Source
			l, err := mzapnet.NewListener(mzapnet.ListenerConfig{
				Conns:         []mzapnet.Conn{ear},
				Authenticated: func(s mzapnet.Source) bool { from = s; return true },
				Notify: func(x mzap.Effect) {
					if a, ok := x.(mzap.Appeared); ok {
						appeared <- a
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			done := make(chan error)
			go func() { done <- l.Run(ctx) }()
			packet := announcement(t)
			if !c.is4 {
				packet = announcement6(t)
			}
			if err := mouth.WriteTo(packet, c.own, group, lo); err != nil {
				t.Skip(err)
			}
			select {
			case a := <-appeared:
				if !a.Authenticated || from.Interface != lo || from.Group != group || from.Addr != c.own {
					t.Errorf("%+v from %+v", a, from)
				}
			case <-ctx.Done():
				t.Error("nothing arrived")
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func announcement6(t *testing.T) []byte {
	t.Helper()
	m := mzap.Message{
		Type: mzap.ZAM, Origin: addr("2001:db8::33"), ZoneID: addr("2001:db8::17"), Range: scope.IPv6(5).Range,
		Limit: 32, HoldTime: 1860 * time.Second, LocalZone: addr("2001:db8::17"),
	}
	b, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fromLoopback lets a router with made-up addresses send from 127.0.0.1.
type fromLoopback struct{ mzapnet.Conn }

func (c fromLoopback) WriteTo(b []byte, _, group netip.Addr, index int) error {
	return c.Conn.WriteTo(b, addr("127.0.0.1"), group, index)
}

// TestRouterOnLoopback runs a router in fast time on the loopback interface, and
// hears it.
func TestRouterOnLoopback(t *testing.T) {
	lo := loopback(t)
	const port = 42107
	ear, err := mzapnet.Listen(true, port)
	if err != nil {
		t.Skip(err)
	}
	if err := ear.Join(mzap.LocalGroup(true), lo); err != nil {
		t.Skip(err)
	}
	mouth, err := mzapnet.Listen(true, port)
	if err != nil {
		t.Fatal(err)
	}
	cfg := routerConfig("X", "192.0.2.1", fromLoopback{mouth})
	cfg.Machine.Interfaces = []mzap.Interface{{Index: lo, Addr: addr("192.0.2.1")}, {Index: 99999}}
	cfg.Machine.Scopes[0].Interfaces, cfg.Machine.Scopes[1].Interfaces = []int{99999}, []int{99999}
	cfg.Machine.Timing = mzap.Scaled(0.0001)
	cfg.Conn = tolerant{cfg.Conn, lo}
	r, err := mzapnet.NewRouter(cfg)
	if err != nil {
		t.Skip(err)
	}
	appeared := make(chan mzap.Effect, 8)
	l, err := mzapnet.NewListener(mzapnet.ListenerConfig{Conns: []mzapnet.Conn{ear}, Notify: func(x mzap.Effect) {
		select {
		case appeared <- x:
		default:
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	var wg sync.WaitGroup
	wg.Go(func() { l.Run(ctx) })
	wg.Go(func() { r.Run(ctx) })
	select {
	case x := <-appeared:
		if a, ok := x.(mzap.Appeared); !ok || a.Origin != addr("192.0.2.1") {
			t.Errorf("heard %v", x)
		}
	case <-ctx.Done():
		t.Error("the router was not heard")
	}
	cancel()
	wg.Wait()
}

// tolerant makes joining on an interface that does not exist a success.
type tolerant struct {
	mzapnet.Conn
	lo int
}

func (c tolerant) Join(group netip.Addr, index int) error {
	if index != c.lo {
		return nil
	}
	return c.Conn.Join(group, index)
}

// TestRoute asks the system for ways: that to this host's own addresses is the
// interface that bears them.
func TestRoute(t *testing.T) {
	lo := loopback(t)
	route := mzapnet.Route(nil)
	if i, ok := route(addr("127.0.0.1")); !ok || i != lo {
		t.Errorf("to 127.0.0.1: %d, %v, want %d", i, ok, lo)
	}
	if i, ok := mzapnet.Route([]mzap.Interface{{Index: 7, Addr: addr("127.0.0.1")}})(addr("127.0.0.1")); !ok || i != 7 {
		t.Errorf("the interfaces given come first: %d", i)
	}
	if _, err := mzapnet.Interfaces(true, "no such interface"); err == nil {
		t.Error("no error for an unknown interface")
	}
}
