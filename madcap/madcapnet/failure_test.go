// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/madcap/madcaptest"
	"github.com/mcastalloc/malloc/scope"
)

// rig is a server over a pool and a client of it on a network in memory, in a
// synctest bubble.
type rig struct {
	t      *testing.T
	net    madcaptest.PacketNet
	pool   *lease.Pool
	server *Server
	client *Client
	stop   func() // ends the server and waits for it

	concurrent bool // the server calls the pool from goroutines
}

var (
	rigServer = netip.MustParseAddrPort("192.0.2.1:2535")
	rigClient = netip.MustParseAddrPort("192.0.2.2:40000")
	rigGroup  = netip.AddrPortFrom(madcap.DefaultServerGroup(madcap.FamilyIPv4), madcap.Port)
)

// tiny is a scope with four addresses to give.
var tiny = scope.Scope{Range: scope.MustRange("239.255.0.0", "239.255.1.3"), TTL: 255}

// inRig runs a test twice: with a server that calls the pool in its loop, and
// with one that calls it from goroutines.
func inRig(t *testing.T, unicast bool, test func(r *rig)) {
	for _, concurrent := range []bool{false, true} {
		inOneRig(t, unicast, concurrent, test)
	}
}

func inOneRig(t *testing.T, unicast, concurrent bool, test func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, concurrent: concurrent}
		var err error
		if r.pool, err = lease.NewPool(lease.Config{Scopes: []scope.Scope{tiny}, Guard: lease.NoGuard}); err != nil {
			t.Fatal(err)
		}
		r.start()
		cfg := ClientConfig{Conns: []net.PacketConn{r.net.Listen(rigClient)}}
		if unicast {
			cfg.Server = rigServer
		}
		r.client = newClient(t, cfg)
		test(r)
		r.stop()
	})
}

// start runs a server, at first or again after stop.
func (r *rig) start() {
	conn := r.net.Listen(rigServer, rigGroup)
	ctx, cancel := context.WithCancel(r.t.Context())
	s, err := NewServer(ctx, ServerConfig{
		Allocator: r.pool, Conns: []net.PacketConn{conn}, Concurrent: r.concurrent,
		Protocol: madcap.ServerConfig{Identifiers: []netip.Addr{rigServer.Addr()}, Features: []madcap.Feature{madcap.RetryAfter}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	r.server = s
	r.stop = func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("Serve: %v", err)
		}
		conn.Close()
	}
}

// held returns how many leases the pool holds.
func (r *rig) held() int {
	n := 0
	for _, err := range r.pool.Leases(r.t.Context(), lease.Filter{}) {
		if err != nil {
			r.t.Error(err)
		}
		n++
	}
	return n
}

func (r *rig) wantHeld(want int) {
	r.t.Helper()
	if n := r.held(); n != want {
		r.t.Errorf("the pool holds %d leases, want %d", n, want)
	}
}

func (r *rig) allocate(count int) (lease.Lease, error) {
	return r.client.Allocate(r.t.Context(), lease.Request{
		Family: lease.IPv4, Scope: tiny.ID(), Count: lease.Count{Min: count}, Lifetime: lease.AtMost(time.Hour),
	})
}

// typeOf returns the type of a datagram.
func typeOf(payload []byte) madcap.MessageType { return madcap.MessageType(payload[1]) }

// lose loses the first n messages of a type, and delivers all others once.
func lose(t madcap.MessageType, n int) func(from, to netip.AddrPort, payload []byte) []time.Duration {
	return func(_, _ netip.AddrPort, payload []byte) []time.Duration {
		if typeOf(payload) == t && n > 0 {
			n--
			return nil
		}
		return []time.Duration{0}
	}
}

// TestFullPool wants a clear error from a server that has nothing left, and
// addresses again after a release.
func TestFullPool(t *testing.T) {
	for _, unicast := range []bool{true, false} {
		inRig(t, unicast, func(r *rig) {
			all, err := r.allocate(4)
			if err != nil {
				r.t.Fatal(err)
			}
			if _, err := r.allocate(1); !errors.Is(err, lease.ErrNone) {
				r.t.Errorf("unicast %t: full pool: %v, want ErrNone", unicast, err)
			}
			r.wantHeld(1)
			if err := r.client.Release(r.t.Context(), all); err != nil {
				r.t.Fatal(err)
			}
			if _, err := r.allocate(1); err != nil {
				r.t.Errorf("after release: %v", err)
			}
		})
	}
}

// TestWaits lets a client wait until somebody's lease is over: the server
// tells it when to come back and keeps its place (RFC 2730 section 2.13.2).
func TestWaits(t *testing.T) {
	for _, unicast := range []bool{true, false} {
		inRig(t, unicast, func(r *rig) {
			if _, err := r.allocate(4); err != nil {
				r.t.Fatal(err)
			}
			from := time.Now()
			l, err := lease.AllocateWait(r.t.Context(), r.client, lease.Request{Family: lease.IPv4, Scope: tiny.ID(), Lifetime: lease.Exactly(time.Hour)})
			if waited := time.Since(from); err != nil || waited < 59*time.Minute || l.Start.After(time.Now()) {
				r.t.Errorf("unicast %t: LEASE-3.1-13: %v, %v after %v, want an address when the hour is over", unicast, l, err, waited)
			}
			r.wantHeld(1)
		})
	}
}

// TestLostReplies loses every kind of answer up to three times: the
// retransmission gets the same answer from the cache, and one lease is held.
func TestLostReplies(t *testing.T) {
	for n := 1; n <= 3; n++ {
		for _, what := range []madcap.MessageType{
			madcap.TypeDiscover, madcap.TypeOffer, madcap.TypeRequest, madcap.TypeAck, madcap.TypeRenew, madcap.TypeRelease,
		} {
			inRig(t, false, func(r *rig) {
				r.net.SetFate(lose(what, n))
				l, err := r.allocate(2)
				if err != nil {
					r.t.Fatalf("%d times no %v: %v", n, what, err)
				}
				r.wantHeld(1)
				if _, err := r.client.ChangeLifetime(r.t.Context(), l, lease.NotBefore(time.Now().Add(2*time.Hour))); err != nil {
					r.t.Errorf("%d times no %v: renew: %v", n, what, err)
				}
				if err := r.client.Release(r.t.Context(), l); err != nil {
					r.t.Errorf("%d times no %v: release: %v", n, what, err)
				}
				r.wantHeld(0)
			})
		}
	}
}

// TestDuplicates delivers every datagram three times.
func TestDuplicates(t *testing.T) {
	inRig(t, false, func(r *rig) {
		r.net.SetFate(func(_, _ netip.AddrPort, _ []byte) []time.Duration {
			return []time.Duration{0, time.Millisecond, time.Second}
		})
		l, err := r.allocate(2)
		if err != nil {
			r.t.Fatal(err)
		}
		r.wantHeld(1)
		if err := r.client.Release(r.t.Context(), l); err != nil {
			r.t.Fatal(err)
		}
		time.Sleep(time.Minute)
		r.wantHeld(0)
		if s := r.server.Stats(); s.Resent == 0 {
			r.t.Errorf("no answer came from the cache: %+v", s)
		}
	})
}

// TestServerDies ends the server after its OFFER, and after a REQUEST whose
// ACK is lost. Another one on the same pool carries on: the client gets its
// addresses, and gets them once.
func TestServerDies(t *testing.T) {
	for _, after := range []madcap.MessageType{madcap.TypeOffer, madcap.TypeAck} {
		inRig(t, false, func(r *rig) {
			died := make(chan struct{})
			r.net.SetFate(func(_, _ netip.AddrPort, payload []byte) []time.Duration {
				select {
				case <-died:
				default:
					if typeOf(payload) == after {
						close(died)
						if after == madcap.TypeAck {
							return nil
						}
					}
				}
				return []time.Duration{0}
			})
			restarted := make(chan struct{})
			go func() {
				<-died
				r.stop()
				time.Sleep(3 * time.Second)
				r.start()
				close(restarted)
			}()
			_, err := r.allocate(2)
			<-restarted
			if err != nil {
				r.t.Errorf("server dies after its %v: %v", after, err)
			}
			r.wantHeld(1)
		})
	}
}

// TestServerGone never brings the server back: the call ends with a clear
// error after a minute, and what was held for it is free again.
func TestServerGone(t *testing.T) {
	inRig(t, true, func(r *rig) {
		r.net.SetFate(func(_, to netip.AddrPort, _ []byte) []time.Duration {
			if to == rigClient {
				return nil
			}
			return []time.Duration{0}
		})
		began := time.Now()
		_, err := r.allocate(2)
		if !errors.Is(err, lease.ErrNoServer) {
			r.t.Errorf("got %v, want ErrNoServer", err)
		}
		if d := time.Since(began); d < 59*time.Second || d > 130*time.Second {
			r.t.Errorf("gave up after %v", d)
		}
		r.net.SetFate(nil)
		time.Sleep(5 * time.Minute)
		r.wantHeld(0) // the client's RELEASE has arrived, though its answers have not
	})
}

// TestCancelled cancels the call at every moment of an exchange on a slow
// network; a minute later nothing is held.
func TestCancelled(t *testing.T) {
	for at := time.Millisecond; at < 8*time.Second; at += 487 * time.Millisecond {
		inRig(t, false, func(r *rig) {
			r.net.SetFate(func(_, _ netip.AddrPort, _ []byte) []time.Duration { return []time.Duration{time.Second} })
			ctx, cancel := context.WithTimeout(r.t.Context(), at)
			defer cancel()
			l, err := r.client.Allocate(ctx, lease.Request{Family: lease.IPv4, Scope: tiny.ID(), Lifetime: lease.AtMost(time.Hour)})
			time.Sleep(3 * time.Minute)
			if err == nil {
				if err := r.client.Release(r.t.Context(), l); err != nil {
					r.t.Errorf("cancelled after %v: %v", at, err)
				}
			} else if !errors.Is(err, context.DeadlineExceeded) {
				r.t.Errorf("cancelled after %v: %v", at, err)
			}
			r.wantHeld(0)
		})
	}
}
