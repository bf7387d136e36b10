// SPDX-License-Identifier: BSD-3-Clause

package etcdstore_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/etcdstore"
)

// TestBrokenNetwork has three pools work on one etcd while the network between
// each of them and etcd breaks, stalls in one direction and comes back, again
// and again. A call that fails leaves it open whether it took effect. But what
// was granted is held by nobody else until its release is tried, and is in the
// store. Longer with MALLOC_SEEDS=200.
func TestBrokenNetwork(t *testing.T) {
	t.Parallel()
	rounds := 25
	if n, err := strconv.Atoi(os.Getenv("MALLOC_SEEDS")); err == nil {
		rounds = n
	}
	prefix := newPrefix()
	var nets []*proxy
	var pools []*lease.Pool
	for range 3 {
		net := newProxy(t, shared.address(0))
		nets = append(nets, net)
		pools = append(pools, newPool(t, open(t, etcdstore.Config{
			Endpoints: []string{net.address()}, Prefix: prefix, RequestTimeout: 100 * time.Millisecond,
		})))
	}
	var book ledger
	var kept sync.Map // leases that nobody has tried to release, by identifier
	var calls, failures atomic.Int64
	var workers sync.WaitGroup
	for i, pool := range pools {
		for j := range 2 {
			workers.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(i), uint64(j)))
				for range rounds {
					if calls.Add(1)%7 == 0 {
						breakSome(rnd, nets)
					}
					l, err := pool.Allocate(t.Context(), lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 1, Max: 1 + rnd.IntN(8)}})
					switch {
					case errors.Is(err, lease.ErrStore):
						failures.Add(1)
						continue
					case errors.Is(err, lease.ErrNone):
						continue
					case err != nil:
						t.Errorf("LEASE-E-1: allocate: %v", err)
						continue
					}
					book.granted(t, l)
					if rnd.IntN(4) == 0 {
						kept.Store(l.ID, l)
						continue
					}
					book.releasing(l)
					if err := pools[rnd.IntN(3)].Release(t.Context(), l); err != nil && !errors.Is(err, lease.ErrStore) {
						t.Errorf("LEASE-S-9: release: %v", err)
					}
				}
			})
		}
	}
	workers.Wait()
	found := map[lease.ID]lease.Lease{}
	for l, err := range newPool(t, openShared(t, prefix)).Leases(t.Context(), lease.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		found[l.ID] = l
	}
	n := 0
	for _, v := range kept.Range {
		l := v.(lease.Lease)
		if n++; !found[l.ID].Equal(l) {
			t.Errorf("LEASE-S-1: %v was granted and is in the store as %v", l, found[l.ID])
		}
	}
	for _, net := range nets {
		net.stall(0)
		net.mend()
	}
	// They go on by themselves.
	i := 0
	for _, l := range found {
		for {
			err := pools[i%3].Release(t.Context(), l)
			if err == nil {
				break
			} else if !errors.Is(err, lease.ErrStore) {
				t.Fatalf("LEASE-S-9: release after all: %v", err)
			}
			pause(t)
		}
		i++
	}
	for _, p := range pools {
		get(t, p, "")
	}
	t.Logf("%d calls to allocate, %d failed, %d leases kept", calls.Load(), failures.Load(), n)
}

// breakSome changes what one of the networks does.
func breakSome(rnd *rand.Rand, nets []*proxy) {
	net := nets[rnd.IntN(len(nets))]
	switch rnd.IntN(4) {
	case 0:
		net.cut()
	case 1:
		net.stall([]direction{toServer, toClient, both}[rnd.IntN(3)])
	default:
		net.stall(0)
		net.mend()
	}
}
