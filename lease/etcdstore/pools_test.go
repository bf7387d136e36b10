// SPDX-License-Identifier: BSD-3-Clause

package etcdstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/leasetest"
	"github.com/mcastalloc/malloc/scope"
)

func TestAllocator(t *testing.T) {
	leasetest.TestAllocator(t, func(t *testing.T) leasetest.Subject {
		return leasetest.Subject{Allocator: newPool(t, openShared(t, newPrefix())), Scope: scope.IPv4Local().ID()}
	})
}

// ledger is what has been acknowledged by any of several pools.
type ledger struct {
	mu   sync.Mutex
	held scope.Set
}

func (b *ledger) granted(t *testing.T, l lease.Lease) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held.Overlaps(l.Addrs) {
		t.Errorf("LEASE-S-3, LEASE-S-9: %v is held twice", l.Addrs)
	}
	b.held, _ = b.held.Union(l.Addrs)
}

// releasing is called before the release: from then on others may have the
// addresses.
func (b *ledger) releasing(l lease.Lease) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held, _ = b.held.Subtract(l.Addrs)
}

// TestThreePools has three pools work at once on one etcd, each over a client
// of its own. No pool leads: what one has granted another one renews and a
// third releases. More rounds with MALLOC_SEEDS=200.
func TestThreePools(t *testing.T) {
	rounds := 40
	if n, err := strconv.Atoi(os.Getenv("MALLOC_SEEDS")); err == nil {
		rounds = n
	}
	prefix := newPrefix()
	var pools []*lease.Pool
	for range 3 {
		pools = append(pools, newPool(t, openShared(t, prefix)))
	}
	var book ledger
	var workers sync.WaitGroup
	for i := range pools {
		for j := range 2 {
			workers.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(i), uint64(j)))
				ctx := as(t, fmt.Sprint(i, j))
				for range rounds {
					l, err := pools[i].Allocate(ctx, lease.Request{
						Family: lease.IPv4, Count: lease.Count{Min: 1, Max: 1 + rnd.IntN(60)}, Lifetime: lease.Exactly(time.Hour),
					})
					if errors.Is(err, lease.ErrNone) {
						continue // the others have them all
					} else if err != nil {
						t.Errorf("LEASE-S-9: allocate: %v", err)
						return
					}
					book.granted(t, l)
					longer, err := pools[(i+1)%3].ChangeLifetime(ctx, l, lease.NotBefore(l.End.Add(time.Minute)))
					if err != nil {
						t.Errorf("LEASE-S-9: renew at another pool: %v", err)
					} else if !longer.Addrs.Equal(l.Addrs) || longer.ID != l.ID || !longer.End.After(l.End) {
						t.Errorf("LEASE-S-9: renewed %v as %v", l, longer)
					}
					book.releasing(l)
					if err := pools[(i+2)%3].Release(ctx, l); err != nil {
						t.Errorf("LEASE-S-9: release at a third pool: %v", err)
					}
				}
			})
		}
	}
	workers.Wait()
	p := newPool(t, openShared(t, prefix))
	for i := range 6 {
		for l, err := range p.Leases(as(t, fmt.Sprint(i/2, i%2)), lease.Filter{}) {
			t.Errorf("LEASE-E-2: %v is left, error %v", l, err)
		}
	}
}
