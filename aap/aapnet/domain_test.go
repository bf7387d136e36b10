// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// ledger knows who has which address until when, and complains.
type ledger struct {
	mu    sync.Mutex
	owner map[netip.Addr]entry
	count int
}

type entry struct {
	by    *Allocator
	id    lease.ID
	until time.Time
}

// enter notes a lease, and that its addresses rest after it.
func (g *ledger) enter(t *testing.T, by *Allocator, l lease.Lease, rest time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count++
	for a := range l.Addrs.Addrs() {
		if e := g.owner[a]; e.until.After(time.Now()) && (e.by != by || e.id != l.ID) {
			t.Errorf("%v is granted until %v, but another has it until %v", a, l.End, e.until)
		}
		g.owner[a] = entry{by, l.ID, l.End.Add(rest)}
	}
}

// TestDomain has three allocators of one small scope, on a network that loses a
// tenth of all datagrams, and users who allocate, prolong and release for an hour:
// no address is ever granted while another has it, or before it has rested.
func TestDomain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d domain
		d.lossy(1, 0.1)
		g := ledger{owner: map[netip.Addr]entry{}}
		const rest = time.Minute
		var users sync.WaitGroup
		var full atomic.Int32
		for range 3 {
			a := d.allocator(t, small, func(c *AllocatorConfig) {
				c.Pool.Guard = rest
				c.Lost = func(l Loss) { t.Errorf("lost %v", l) }
			})
			for u := range 4 {
				rng := rand.New(rand.NewPCG(uint64(d.hosts), uint64(u)))
				users.Go(func() {
					for range 25 {
						l, err := a.Allocate(t.Context(), lease.Request{
							Scope: small.ID(), Count: lease.Count{Min: 1, Max: 1 + rng.IntN(8)}, Lifetime: lease.AtMost(time.Duration(1+rng.IntN(15)) * time.Minute),
						})
						if errors.Is(err, lease.ErrNone) {
							full.Add(1)
							time.Sleep(time.Minute)
							continue
						}
						if err != nil {
							t.Error(err)
							return
						}
						g.enter(t, a, l, rest)
						time.Sleep(time.Duration(rng.Int64N(int64(l.End.Sub(l.Start)))))
						if rng.IntN(2) == 0 {
							longer, err := a.ChangeLifetime(t.Context(), l, lease.Window{Min: time.Now(), Max: l.End.Add(5 * time.Minute)})
							if err != nil {
								t.Error(err)
								return
							}
							g.enter(t, a, longer, rest)
							continue
						}
						if err := a.Release(t.Context(), l); err != nil {
							t.Error(err)
							return
						}
						l.End = time.Now()
						g.enter(t, a, l, rest)
					}
				})
			}
		}
		users.Wait()
		t.Logf("%d grants and changes, %d times nothing was left", g.count, full.Load())
		if g.count < 300 {
			t.Errorf("%d grants and changes, want more", g.count)
		}
	})
}

// TestReleased: what one allocator has given back another one gets, when it has
// rested and not before; and the domain knows of each step.
func TestReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d domain
		d.lossy(2, 0)
		two := scope.Scope{Range: small.Range}
		narrow := func(c *AllocatorConfig) {
			c.Scopes[0].MAAS.Machine.MaxPool = -1
			c.Pool.Guard = 3 * time.Minute
		}
		a, b := d.allocator(t, two, narrow), d.allocator(t, two, narrow)
		pause(4 * time.Minute)
		l, err := a.Allocate(t.Context(), lease.Request{Scope: two.ID(), Lifetime: lease.Exactly(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		same := lease.Request{Scope: two.ID(), Addrs: l.Addrs}
		taken := func(when string) {
			t.Helper()
			if got, err := b.Allocate(t.Context(), same); !errors.Is(err, lease.ErrNone) {
				t.Errorf("%s: %v, %v, want none", when, got, err)
			}
		}
		taken("leased")
		if l, err = a.ChangeLifetime(t.Context(), l, lease.At(l.End.Add(time.Hour))); err != nil {
			t.Fatal(err)
		}
		pause(70 * time.Minute)
		taken("prolonged")
		if err := a.Release(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		pause(2 * time.Minute)
		taken("resting")
		pause(2 * time.Minute)
		if _, err := b.Allocate(t.Context(), same); err != nil {
			t.Errorf("released: %v", err)
		}
		if len(a.MAAS(two.ID()).Allocations()) != 0 {
			t.Error("it is still announced")
		}
	})
}

// TestConflict: AAP-3.2.3-1, AAP-3.2.3-2, AAP-3.2.3-3. Two allocators that did not
// hear each other have leased the same address. When they do, who leased it is
// told, nobody is granted it again, its lease is not prolonged; and it is
// somebody's in the end.
func TestConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d domain
		d.SetFate(func(_, _ netip.AddrPort, _ []byte) []time.Duration { return nil })
		var losses [2][]Loss
		var all []*Allocator
		for i := range losses {
			all = append(all, d.allocator(t, small, func(c *AllocatorConfig) {
				c.Pool.Guard = lease.NoGuard
				c.Scopes[0].MAAS.Machine.MaxPool = -1
				c.Lost = func(l Loss) { losses[i] = append(losses[i], l) }
			}))
		}
		pause(4 * time.Minute)
		addr := scope.MustSet("239.255.0.7")
		var leases []lease.Lease
		for i, a := range all {
			l, err := a.Allocate(t.Context(), lease.Request{Scope: small.ID(), Addrs: addr, Lifetime: lease.Exactly(time.Duration(1+i) * time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			if l, err = a.ChangeLifetime(t.Context(), l, lease.At(l.End.Truncate(time.Second).Add(time.Hour))); err != nil {
				t.Fatal(err)
			}
			leases = append(leases, l)
		}
		d.SetFate(nil)
		pause(time.Minute)
		for i, a := range all {
			if l := losses[i]; len(l) != 1 || len(l[0].Leases) != 1 || !l[0].Addrs.Equal(addr) || !l[0].From.IsValid() {
				t.Errorf("%d is told of %+v", i, l)
			}
			if l, err := a.ChangeLifetime(t.Context(), leases[i], lease.At(leases[i].End.Add(time.Hour))); !errors.Is(err, lease.ErrUnchanged) {
				t.Errorf("prolonged %v, %v", l, err)
			}
			if n := len(a.MAAS(small.ID()).Allocations()); n != 1 {
				t.Errorf("%d has given it up, though somebody uses it", i)
			}
		}
		if err := all[0].Release(t.Context(), leases[0]); err != nil {
			t.Fatal(err)
		}
		if n := len(all[0].MAAS(small.ID()).Allocations()); n != 0 {
			t.Error("released, and still announced")
		}
		pause(2 * time.Minute)
		if l, err := all[0].Allocate(t.Context(), lease.Request{Scope: small.ID(), Addrs: addr}); !errors.Is(err, lease.ErrNone) {
			t.Errorf("granted again: %v, %v", l, err)
		}
		if n := len(all[1].MAAS(small.ID()).Allocations()); n != 1 {
			t.Error("nobody has it any more")
		}
	})
}

// TestConflictUnused: an address in conflict that only rests, or is offered, is
// given up at once.
func TestConflictUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d domain
		d.SetFate(func(_, _ netip.AddrPort, _ []byte) []time.Duration { return nil })
		a := d.allocator(t, small, nil)
		other := d.maas(t, aap.MAASConfig{Scope: small.Range})
		pause(4 * time.Minute)
		l, err := a.Offer(t.Context(), lease.Request{Scope: small.ID()}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Claim(t.Context(), aap.Want{Token: 1, Addrs: l.Addrs, End: time.Now().Add(2 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		d.SetFate(nil)
		pause(time.Minute)
		if list := a.MAAS(small.ID()).Allocations(); len(list) != 0 || len(other.Allocations()) != 1 {
			t.Errorf("%v is still announced", list)
		}
	})
}
