// SPDX-License-Identifier: BSD-3-Clause

package lease_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// An offer of one pool does not keep another pool on the store from its
// addresses; whoever was offered them gets others (LEASE-S-2, LEASE-S-9).
func TestOffersGiveWay(t *testing.T) {
	c := listed("239.255.1.0-239.255.1.2")
	c.Store = &lease.MemoryStore{}
	c.Damaged = func(key string, err error) { t.Errorf("LEASE-S-11: %s: %v", key, err) }
	a, b := newRig(t, c), newRig(t, c)
	req := lease.Request{Family: lease.IPv4, ID: "\x00offered"}
	offer, err := a.Offer(as("a"), req, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	b.get(as("b"), lease.Request{Family: lease.IPv4, Addrs: offer.Addrs})
	a.get(as("c"), ipv4) // learns of it
	l := a.get(as("a"), req)
	if l.Addrs.Overlaps(offer.Addrs) || l.ID != offer.ID {
		t.Errorf("LEASE-S-3: %v is granted twice", l)
	}
	if r := b.Release(as("a"), l); r != nil {
		t.Errorf("LEASE-S-9: the other server does not release it: %v", r)
	}
	if _, err := a.ChangeLifetime(as("a"), l, lease.Window{}); !errors.Is(err, lease.ErrNotLeased) {
		t.Errorf("LEASE-S-9: released there, renewed here: %v", err)
	}
}

func TestIdentifierInUse(t *testing.T) {
	r := newRig(t, lease.Config{})
	req := lease.Request{Family: lease.IPv4, ID: "\x00mine", Key: "k"}
	l := r.get(as("a"), req)
	if again := r.get(as("a"), req); !again.Equal(l) {
		t.Errorf("LEASE-3.1-17: %v, want %v", again, l)
	}
	_, err := r.Allocate(as("b"), req)
	r.want("LEASE-3.1-17 another principal", err, lease.ErrInUse, lease.ParamID)
	_, err = r.Allocate(as("a"), lease.Request{Family: lease.IPv4, ID: req.ID, Key: "other"})
	r.want("LEASE-3.1-17 another key", err, lease.ErrInUse, lease.ParamID)
	_, err = r.Offer(as("b"), lease.Request{Family: lease.IPv4, ID: req.ID}, time.Minute)
	r.want("LEASE-3.1-17 an offer", err, lease.ErrInUse, lease.ParamID)
	if _, err = r.Offer(as("a"), lease.Request{Family: lease.IPv4, ID: "\x00o"}, time.Minute); err != nil {
		t.Fatal(err)
	}
	_, err = r.Allocate(as("b"), lease.Request{Family: lease.IPv4, ID: "\x00o"})
	r.want("LEASE-P-5 somebody else's offer", err, lease.ErrInUse, lease.ParamID)
	r.want("LEASE-P-5", r.Withdraw(as("b"), "\x00o"), lease.ErrNotLeased, lease.ParamNone)
}

// A place in line is kept for the clock skew and a little more.
func TestResumeLate(t *testing.T) {
	r := newRig(t, listed("239.255.1.1"))
	r.get(as("a"), lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(time.Hour)})
	_, err := r.Allocate(as("b"), lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(time.Hour), Retry: true})
	var later *lease.TryLaterError
	if !errors.As(err, &later) {
		t.Fatal(err)
	}
	r.advance(later.At.Sub(r.now()) + lease.DefaultSkew)
	_, err = r.Allocate(as("c"), lease.Request{Family: lease.IPv4, Lifetime: lease.Between(time.Minute, time.Hour)})
	r.want("MADCAP-D-38", err, lease.ErrNone, lease.ParamNone)
	if l, err := r.Resume(as("b"), later.Pending); err != nil || l.ID != later.Pending.Request.ID {
		t.Errorf("MADCAP-D-38: %v, %v", l, err)
	}
}

// TestPoolsAtOnce lets two pools on one store work at the same time, with
// leases over several pages, and compares what was acknowledged.
func TestPoolsAtOnce(t *testing.T) {
	store := &lease.MemoryStore{}
	c := lease.Config{
		Sources: []lease.Source{{Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.1.56-239.255.1.72", "239.255.1.120-239.255.1.136")}},
		Store:   store, Guard: lease.NoGuard,
		Damaged: func(key string, err error) { t.Errorf("LEASE-S-11: %s: %v", key, err) },
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var held scope.Set // acknowledged and not given back
	for i := range 2 {
		p, err := lease.NewPool(c)
		if err != nil {
			t.Fatal(err)
		}
		for j := range 2 {
			wg.Go(func() {
				ctx := as(fmt.Sprint(i, j))
				rnd := rand.New(rand.NewPCG(uint64(i), uint64(j)))
				for n := range 60 {
					l, err := p.Allocate(ctx, lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 1, Max: 1 + rnd.IntN(12)}})
					if errors.Is(err, lease.ErrNone) || errors.Is(err, lease.ErrConflict) {
						continue
					} else if err != nil {
						t.Errorf("LEASE-S-9: call %d: %v", n, err)
						return
					}
					mu.Lock()
					if held.Overlaps(l.Addrs) {
						t.Errorf("LEASE-S-3, LEASE-S-9: %v is leased twice", l.Addrs)
					}
					held, _ = held.Union(l.Addrs)
					mu.Unlock()
					if rnd.IntN(3) == 0 {
						if _, err := p.ChangeLifetime(ctx, l, lease.NotAfter(l.End)); err != nil {
							t.Errorf("LEASE-S-9: %v", err)
						}
					}
					mu.Lock()
					held, _ = held.Subtract(l.Addrs)
					mu.Unlock()
					if err := p.Release(ctx, l); err != nil {
						t.Errorf("LEASE-S-9: release: %v", err)
					}
				}
			})
		}
	}
	wg.Wait()
	p, err := lease.NewPool(c)
	if err != nil {
		t.Fatal(err)
	}
	for h := range p.Held(t.Context(), lease.Filter{}) {
		t.Errorf("LEASE-E-2: %v is left", h)
	}
}

// A pool that hears of a lease before it hears that an earlier one of the same
// key is over still finds it by the key.
func TestKeyMovesOn(t *testing.T) {
	c := listed("239.255.1.0-239.255.2.255")
	c.Store, c.Guard = &lease.MemoryStore{}, lease.NoGuard
	a, b := newRig(t, c), newRig(t, c)
	req := lease.Request{Family: lease.IPv4, Key: "k", Addrs: scope.MustSet("239.255.1.1")}
	if err := b.Release(as("a"), a.get(as("a"), req)); err != nil {
		t.Fatal(err)
	}
	req.Addrs, req.Lifetime = scope.MustSet("239.255.2.1"), lease.Exactly(time.Hour)
	l := b.get(as("a"), req)
	a.get(as("c"), lease.Request{Family: lease.IPv4, Addrs: scope.MustSet("239.255.2.2")}) // reads the page of l alone
	if again := a.get(as("a"), req); !again.Equal(l) {
		t.Errorf("LEASE-3.1-17, LEASE-S-9: the same request gave %v, before %v", again, l)
	}
}

// TestLimitsAtOnce lets three pools on one store grant to one principal at the
// same time, and counts what he has: never more than the limit, and all of it
// in the end.
func TestLimitsAtOnce(t *testing.T) {
	const most = 3
	c := lease.Config{
		Sources: []lease.Source{{Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.1.0-239.255.3.255")}},
		Store:   &lease.MemoryStore{}, Guard: lease.NoGuard,
		Limits:  func(lease.Principal, scope.ID) lease.Limits { return lease.Limits{Leases: most} },
		Damaged: func(key string, err error) { t.Errorf("LEASE-S-11: %s: %v", key, err) },
	}
	var wg sync.WaitGroup
	var held, refused atomic.Int32 // acknowledged and not yet being given back
	pools := make([]*lease.Pool, 3)
	for i := range pools {
		p, err := lease.NewPool(c)
		if err != nil {
			t.Fatal(err)
		}
		pools[i] = p
	}
	for i, p := range pools {
		for range 2 {
			wg.Go(func() {
				for range 40 {
					l, err := p.Allocate(as("a"), lease.Request{Family: lease.IPv4})
					if errors.Is(err, lease.ErrDenied) {
						refused.Add(1)
						continue
					} else if err != nil {
						t.Errorf("LEASE-P-3: %v", err)
						return
					}
					if n := held.Add(1); n > most {
						t.Errorf("LEASE-P-3, LEASE-S-4: %d leases are held, the limit is %d", n, most)
					}
					held.Add(-1)
					if err := pools[(i+1)%len(pools)].Release(as("a"), l); err != nil {
						t.Errorf("LEASE-S-9: released elsewhere: %v", err)
					}
				}
			})
		}
	}
	wg.Wait()
	for i := range most {
		if _, err := pools[i].Allocate(as("a"), lease.Request{Family: lease.IPv4}); err != nil {
			t.Errorf("LEASE-P-3: nothing is held, and grant %d is refused: %v", i, err)
		}
	}
	if _, err := pools[0].Allocate(as("a"), lease.Request{Family: lease.IPv4}); !errors.Is(err, lease.ErrDenied) {
		t.Errorf("LEASE-P-3, LEASE-S-4: the others' grants do not count: %v", err)
	}
}

// away is a store that cannot be reached while it is away.
type away struct {
	lease.MemoryStore
	gone bool
}

var errAway = errors.New("no route to the store")

func (s *away) Load(ctx context.Context, prefix string) iter.Seq2[lease.Entry, error] {
	if s.gone {
		return func(yield func(lease.Entry, error) bool) { yield(lease.Entry{}, errAway) }
	}
	return s.MemoryStore.Load(ctx, prefix)
}

func (s *away) Commit(ctx context.Context, writes ...lease.Write) (uint64, error) {
	if s.gone {
		return 0, errAway
	}
	return s.MemoryStore.Commit(ctx, writes...)
}

// Cut off from its store, a pool grants nothing; it goes on by itself.
func TestStoreAway(t *testing.T) {
	s := &away{}
	r := newRig(t, lease.Config{Store: s})
	l := r.get(as("a"), ipv4)
	s.gone = true
	for range 3 {
		if got, err := r.Allocate(as("b"), ipv4); !errors.Is(err, lease.ErrStore) || !errors.Is(err, errAway) {
			t.Errorf("LEASE-S-9: granted %v, %v", got, err)
		}
		if err := r.Release(as("a"), l); !errors.Is(err, lease.ErrStore) {
			t.Errorf("LEASE-3.3-6: released: %v", err)
		}
	}
	n := 0
	for h := range r.Held(t.Context(), lease.Filter{}) {
		if n++; h.Who.Name != "a" {
			t.Errorf("LEASE-E-2, LEASE-S-9: %v is held without being in the store", h)
		}
	}
	if n != 1 {
		t.Errorf("LEASE-3.3-6: %d leases are held, want the one before", n)
	}
	s.gone = false
	r.get(as("b"), ipv4)
	if err := r.Release(as("a"), l); err != nil {
		t.Errorf("LEASE-S-9: the store is back: %v", err)
	}
}
