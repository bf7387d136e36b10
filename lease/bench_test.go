// SPDX-License-Identifier: BSD-3-Clause

package lease_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

func ten() scope.Scope {
	return scope.Scope{Range: scope.MustRange("239.0.0.0", "239.255.255.255"), TTL: 255}
}

// full returns a pool on 239/8 with n live leases of one address.
func full(tb testing.TB, n int, guard time.Duration) (*lease.Pool, []lease.Lease) {
	return fullOn(tb, nil, n, guard)
}

func fullOn(tb testing.TB, store lease.Store, n int, guard time.Duration) (*lease.Pool, []lease.Lease) {
	p, err := lease.NewPool(lease.Config{
		Scopes: []scope.Scope{ten()}, MaxLeases: 1 << 22, Guard: guard, Store: store,
		Rand: rand.New(rand.NewPCG(1, 1)),
	})
	if err != nil {
		tb.Fatal(err)
	}
	leases := make([]lease.Lease, n)
	for i := range leases {
		if leases[i], err = p.Allocate(context.Background(), lease.Request{Family: lease.IPv4}); err != nil {
			tb.Fatal(err)
		}
	}
	return p, leases
}

func BenchmarkGrantAndRelease(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, leases := full(b, n, lease.NoGuard)
			ctx := context.Background()
			rnd := rand.New(rand.NewPCG(2, 2))
			b.ReportAllocs()
			for b.Loop() {
				i := rnd.IntN(n)
				if err := p.Release(ctx, leases[i]); err != nil {
					b.Fatal(err)
				}
				var err error
				if leases[i], err = p.Allocate(ctx, lease.Request{Family: lease.IPv4}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStored grants and releases on the memory store, which several pools
// may share.
func BenchmarkStored(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, leases := fullOn(b, &lease.MemoryStore{}, n, lease.NoGuard)
			rnd := rand.New(rand.NewPCG(2, 2))
			b.ReportAllocs()
			for b.Loop() {
				i := rnd.IntN(n)
				if err := p.Release(b.Context(), leases[i]); err != nil {
					b.Fatal(err)
				}
				var err error
				if leases[i], err = p.Allocate(b.Context(), lease.Request{Family: lease.IPv4}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGrant(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, _ := full(b, n, lease.NoGuard)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Allocate(context.Background(), lease.Request{Family: lease.IPv4}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRenew(b *testing.B) {
	p, leases := full(b, 1_000_000, time.Hour)
	rnd := rand.New(rand.NewPCG(2, 2))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Change(context.Background(), leases[rnd.IntN(len(leases))], lease.Terms{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemory reports the octets a live lease takes in the pool.
func BenchmarkMemory(b *testing.B) {
	const n = 1_000_000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		p, _ := full(b, n, time.Hour)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/lease")
		runtime.KeepAlive(p)
	}
}
