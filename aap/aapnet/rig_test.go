// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap/madcaptest"
	"github.com/mcastalloc/malloc/scope"
)

var (
	local      = scope.IPv4Local()
	groupOf, _ = aap.Group(local.Range)
	outside, _ = aap.Group(scope.IPv4Allocation().Range)
)

// domain is a network in memory.
type domain struct {
	madcaptest.PacketNet
	hosts byte
}

// lossy loses a share of what is sent between hosts and delays the rest a little,
// the same way for the same seed.
func (d *domain) lossy(seed uint64, loss float64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex
	d.SetFate(func(from, to netip.AddrPort, _ []byte) []time.Duration {
		mu.Lock()
		defer mu.Unlock()
		if rng.Float64() < loss {
			return nil
		}
		return []time.Duration{time.Duration(rng.Int64N(int64(50 * time.Millisecond)))}
	})
}

// host returns the connection of another host, which is in a group.
func (d *domain) host(group netip.Addr) Network {
	d.hosts++
	at := netip.AddrFrom4([4]byte{192, 0, 2, d.hosts})
	if group.Is6() {
		at = netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 2: 0xd, 3: 0xb8, 15: d.hosts})
	}
	return Network{Conn: d.Listen(netip.AddrPortFrom(at, aap.Port), netip.AddrPortFrom(group, aap.Port))}
}

// run runs something until the test ends.
func run(t testing.TB, r interface{ Run(context.Context) error }) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// pause lets time pass, and everybody finish what is due.
func pause(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// small is a scope of 512 addresses, of which half can be allocated.
var small = scope.Scope{Range: scope.MustRange("239.255.0.0", "239.255.1.255")}

// allocator adds an allocator of a scope on a host of its own.
func (d *domain) allocator(t testing.TB, s scope.Scope, change func(*AllocatorConfig)) *Allocator {
	t.Helper()
	group, ok := aap.Group(s.Range)
	if s.Divisible || !ok {
		group = outside
	}
	cfg := AllocatorConfig{
		Scopes: []ScopeConfig{{Scope: s, MAAS: MAASConfig{
			Machine: aap.MAASConfig{Group: group, Sole: true, Rand: rand.New(rand.NewPCG(7, uint64(d.hosts)))},
			Network: d.host(group),
		}}},
		Pool: lease.Config{Guard: 2 * time.Minute},
	}
	if change != nil {
		change(&cfg)
	}
	a, err := NewAllocator(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	run(t, a)
	return a
}
