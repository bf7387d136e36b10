// SPDX-License-Identifier: BSD-3-Clause

package leasetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// storeClock stands still until it is moved.
type storeClock struct{ t time.Time }

func (c *storeClock) now() time.Time          { return c.t }
func (c *storeClock) advance(d time.Duration) { c.t = c.t.Add(d) }

func newStoreClock() *storeClock {
	return &storeClock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func openPool(t *testing.T, s lease.Store, clock *storeClock) *lease.Pool {
	t.Helper()
	p, err := lease.NewPool(lease.Config{
		Scopes: []scope.Scope{scope.IPv4Local()}, Store: s, Now: clock.now,
		Guard:   10 * time.Minute,
		Damaged: func(key string, err error) { t.Errorf("LEASE-S-11: %s: %v", key, err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func poolOnStore(t *testing.T, open func(t *testing.T) lease.Store) {
	TestAllocator(t, func(t *testing.T) Subject {
		clock := newStoreClock()
		return Subject{
			Allocator: openPool(t, open(t), clock), Scope: scope.IPv4Local().ID(), Guard: 10 * time.Minute,
			Now: clock.now, Advance: clock.advance,
		}
	})
}

// poolOnFaultyStore runs a script of calls on a pool whose n-th commit goes
// wrong, for every n and every way to go wrong, and then looks at what a pool
// finds that is opened on what is there.
func poolOnFaultyStore(t *testing.T, open func(t *testing.T) lease.Store, reopen func(*testing.T, lease.Store) lease.Store) {
	for f := range faults {
		t.Run(fmt.Sprint("fault ", int(f)), func(t *testing.T) {
			for n := 1; n < 12; n++ {
				s := &script{t: t, clock: newStoreClock(), rnd: rand.New(rand.NewPCG(uint64(n), uint64(f)))}
				s.store = open(t)
				s.open()
				s.run(&faulty{Store: s.store, in: n, fault: f}, reopen)
			}
		})
	}
}

// script is a pool and what its callers have been told.
type script struct {
	t     *testing.T
	clock *storeClock
	rnd   *rand.Rand
	store lease.Store
	pool  *lease.Pool
	told  map[string]lease.Lease // by request key: acknowledged, not released
	doubt map[string]bool        // keys whose last call failed
}

func (s *script) open() {
	s.pool = openPool(s.t, s.store, s.clock)
	s.told, s.doubt = map[string]lease.Lease{}, map[string]bool{}
}

func (s *script) run(broken *faulty, reopen func(*testing.T, lease.Store) lease.Store) {
	s.pool = openPool(s.t, broken, s.clock)
	for range 14 {
		s.step()
		s.clock.advance(time.Second)
	}
	s.check("the same pool")
	s.store = reopen(s.t, s.store)
	s.pool = openPool(s.t, s.store, s.clock)
	s.check("a pool opened anew")
	// Who asks again with the same key gets one lease, not two.
	for key := range s.doubt {
		l, err := s.pool.Allocate(s.t.Context(), lease.Request{Family: lease.IPv4, Key: key})
		if err != nil {
			s.t.Fatalf("LEASE-3.1-17: %s again: %v", key, err)
		}
		s.told[key] = l
		delete(s.doubt, key)
	}
	s.check("after asking again")
}

// step does something on behalf of one of a few keys.
func (s *script) step() {
	key := fmt.Sprint("key ", s.rnd.IntN(5))
	old, held := s.told[key]
	var err error
	var l lease.Lease
	switch {
	case s.doubt[key]:
		return
	case !held:
		count := lease.Count{Min: 1, Max: 1 + s.rnd.IntN(3)}
		if l, err = s.pool.Allocate(s.t.Context(), lease.Request{Family: lease.IPv4, Key: key, Count: count, Lifetime: lease.Exactly(time.Hour)}); err == nil {
			s.told[key] = l
		}
	case s.rnd.IntN(3) == 0:
		if err = s.pool.Release(s.t.Context(), old); err == nil {
			delete(s.told, key)
		}
	default:
		if l, err = s.pool.ChangeLifetime(s.t.Context(), old, lease.Window{}); err == nil {
			s.told[key] = l
		}
	}
	if err != nil {
		if !errors.Is(err, lease.ErrStore) || !errors.Is(err, errFault) {
			s.t.Fatalf("LEASE-E-1: %v, want the store's fault", err)
		}
		s.doubt[key] = true
	}
}

// check compares what the pool has with what its callers were told.
func (s *script) check(where string) {
	s.t.Helper()
	var all scope.Set
	found := map[lease.ID]lease.Lease{}
	for l, err := range s.pool.Leases(s.t.Context(), lease.Filter{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		if all.Overlaps(l.Addrs) {
			s.t.Fatalf("LEASE-S-1, LEASE-S-3: %s: %v is held twice", where, l.Addrs)
		}
		all, _ = all.Union(l.Addrs)
		found[l.ID] = l
	}
	known := 0
	for key, l := range s.told {
		got, ok := found[l.ID]
		switch {
		case ok && (got.Equal(l) || s.doubt[key]):
			known++
		case !s.doubt[key]:
			s.t.Fatalf("LEASE-S-1, LEASE-3.3-6: %s: %v was acknowledged, found %v", where, l, got)
		}
	}
	if len(found) > known+len(s.doubt) {
		s.t.Fatalf("LEASE-E-2, LEASE-3.3-6: %s: %d leases, %d are known and %d in doubt", where, len(found), known, len(s.doubt))
	}
}
