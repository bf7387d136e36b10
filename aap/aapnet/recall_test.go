// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// life is an allocator that crashes and comes back.
type life struct {
	*domain
	store    lease.Store
	snapshot aap.Snapshot
	losses   []Loss
}

// live runs an allocator while f uses it.
func (x *life) live(t *testing.T, f func(a *Allocator)) {
	t.Helper()
	group, _ := aap.Group(small.Range)
	a, err := NewAllocator(t.Context(), AllocatorConfig{
		Scopes: []ScopeConfig{{Scope: small, MAAS: MAASConfig{
			Network: x.host(group), Restore: x.snapshot, Machine: aap.MAASConfig{Group: group},
			Persist: func(s aap.Snapshot) error { x.snapshot = s; return nil },
		}}},
		Pool: lease.Config{Store: x.store, Guard: time.Minute},
		Lost: func(l Loss) { x.losses = append(x.losses, l) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- a.Run(ctx) }()
	pause(5 * time.Minute)
	f(a)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func announced(a *Allocator) (s scope.Set) {
	for _, x := range a.MAAS(small.ID()).Allocations() {
		s, _ = s.Union(x.Addrs)
	}
	return s
}

// TestRecall: leases survive a restart with the store, with what the MAAS stored
// or without; without the store they are forgotten, but not given to others.
func TestRecall(t *testing.T) {
	for _, tt := range []struct {
		name            string
		store, snapshot bool
	}{{"all", true, true}, {"MAAS forgot", true, false}, {"pool forgot", false, true}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := life{domain: &domain{}, store: new(lease.MemoryStore)}
				var kept, gone lease.Lease
				req := lease.Request{Scope: small.ID(), Count: lease.Count{Min: 3}, Lifetime: lease.Exactly(2 * time.Hour), Key: "stage"}
				x.live(t, func(a *Allocator) {
					var err error
					if kept, err = a.Allocate(t.Context(), req); err != nil {
						t.Fatal(err)
					}
					if gone, err = a.Allocate(t.Context(), lease.Request{Scope: small.ID()}); err != nil {
						t.Fatal(err)
					}
					if err = a.Release(t.Context(), gone); err != nil {
						t.Fatal(err)
					}
				})
				if !tt.store {
					x.store = new(lease.MemoryStore)
				}
				if !tt.snapshot {
					x.snapshot = nil
				}
				x.live(t, func(a *Allocator) {
					if !announced(a).Covers(kept.Addrs) || announced(a).Overlaps(gone.Addrs) {
						t.Errorf("announces %v, want %v and not %v", announced(a), kept.Addrs, gone.Addrs)
					}
					longer, err := a.ChangeLifetime(t.Context(), kept, lease.At(kept.End.Add(time.Hour)))
					if tt.store == (err != nil) {
						t.Errorf("prolonged: %v", err)
					}
					got, err := a.Allocate(t.Context(), req)
					if err != nil || tt.store != got.ID.Equal(kept.ID) || !tt.store && got.Addrs.Overlaps(kept.Addrs) {
						t.Errorf("the same key: %v, %v", got, err)
					}
					if !tt.store {
						return
					}
					if err := a.Release(t.Context(), longer); err != nil {
						t.Error(err)
					}
					pause(2 * time.Minute)
					if announced(a).Overlaps(kept.Addrs) {
						t.Error("still announced")
					}
				})
				if len(x.losses) > 0 {
					t.Errorf("told of %v", x.losses)
				}
			})
		})
	}
}

// TestRecallTaken: the MAAS forgot, and meanwhile another server got the address.
func TestRecallTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := life{domain: &domain{}, store: new(lease.MemoryStore)}
		var l lease.Lease
		x.live(t, func(a *Allocator) {
			var err error
			if l, err = a.Allocate(t.Context(), lease.Request{Scope: small.ID()}); err != nil {
				t.Fatal(err)
			}
		})
		x.snapshot = nil
		other := x.maas(t, aap.MAASConfig{Scope: small.Range})
		pause(time.Minute)
		if _, err := other.Claim(t.Context(), aap.Want{Token: 1, Addrs: l.Addrs, End: l.End}); err != nil {
			t.Fatal(err)
		}
		x.live(t, func(a *Allocator) {
			if len(x.losses) != 1 || len(x.losses[0].Leases) != 1 || !x.losses[0].Addrs.Equal(l.Addrs) {
				t.Errorf("told of %v", x.losses)
			}
			if _, err := a.ChangeLifetime(t.Context(), l, lease.At(l.End.Add(time.Hour))); !errors.Is(err, lease.ErrUnchanged) {
				t.Errorf("prolonged: %v", err)
			}
		})
	})
}
