// SPDX-License-Identifier: BSD-3-Clause

package etcdstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/etcdstore"
	"github.com/mcastalloc/malloc/scope"
)

// newPool opens a pool of a few hundred addresses that need no rest.
func newPool(t testing.TB, s lease.Store) *lease.Pool {
	t.Helper()
	p, err := lease.NewPool(lease.Config{
		Sources: []lease.Source{{Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.1.0/24")}},
		Store:   s, Guard: lease.NoGuard,
		Damaged: func(key string, err error) { t.Errorf("LEASE-S-11: %s: %v", key, err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func as(t testing.TB, name string) context.Context {
	return lease.WithPrincipal(t.Context(), lease.Principal{Name: name})
}

// get asks for an address until there is an answer from the store.
func get(t *testing.T, p *lease.Pool, key string) lease.Lease {
	t.Helper()
	for {
		l, err := p.Allocate(t.Context(), lease.Request{Family: lease.IPv4, Key: key})
		if err == nil {
			return l
		}
		if !errors.Is(err, lease.ErrStore) {
			t.Fatal(err)
		}
		pause(t)
	}
}

// wantStored checks that a store has the leases that were granted and, but
// for those in doubt, no others.
func wantStored(t *testing.T, s lease.Store, granted []lease.Lease, doubts int) {
	t.Helper()
	found := map[lease.ID]lease.Lease{}
	var all scope.Set
	for l, err := range newPool(t, s).Leases(t.Context(), lease.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if all.Overlaps(l.Addrs) {
			t.Errorf("LEASE-S-3: %v is held twice", l.Addrs)
		}
		all, _ = all.Union(l.Addrs)
		found[l.ID] = l
	}
	for _, l := range granted {
		if !found[l.ID].Equal(l) {
			t.Errorf("LEASE-S-9: %v was granted and is in the store as %v", l, found[l.ID])
		}
	}
	if n := len(found) - len(granted); n > doubts {
		t.Errorf("LEASE-E-2: %d leases that nobody was told of, want %d at most", n, doubts)
	}
}

// What a pool is told and does while the way to etcd is broken, and after.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		broken func(*proxy)
		doubts int // grants whose answer may have been lost
	}{
		{"no connection", (*proxy).cut, 0},
		{"nothing gets there", func(p *proxy) { p.stall(toServer) }, 2},
		{"no answer comes back", func(p *proxy) { p.stall(toClient) }, 2},
		{"slow", func(p *proxy) { p.stall(both) }, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			net, prefix := newProxy(t, shared.address(0)), newPrefix()
			direct := openShared(t, prefix)
			p := newPool(t, open(t, etcdstore.Config{Endpoints: []string{net.address()}, Prefix: prefix, RequestTimeout: 200 * time.Millisecond}))
			before := get(t, p, "before")

			tt.broken(net)
			for i := range 2 {
				l, err := p.Allocate(t.Context(), lease.Request{Family: lease.IPv4, Key: fmt.Sprint("meanwhile ", i)})
				if !errors.Is(err, lease.ErrStore) || errors.Is(err, lease.ErrConflict) {
					t.Errorf("LEASE-S-9: granted %v, %v, want ErrStore", l, err)
				}
				if err := p.Release(t.Context(), before); !errors.Is(err, lease.ErrStore) {
					t.Errorf("LEASE-3.3-6: released, %v, want ErrStore", err)
				}
			}
			if _, err := lease.NewPool(lease.Config{
				Scopes: []scope.Scope{scope.IPv4Local()},
				Store:  open(t, etcdstore.Config{Endpoints: []string{net.address()}, RequestTimeout: 50 * time.Millisecond}),
			}); !errors.Is(err, lease.ErrStore) {
				t.Errorf("a pool on what cannot be reached: %v, want ErrStore", err)
			}

			net.stall(0)
			net.mend()
			granted := []lease.Lease{get(t, p, "after")}
			for i := range 2 {
				granted = append(granted, get(t, p, fmt.Sprint("meanwhile ", i)))
			}
			if err := p.Release(t.Context(), before); err != nil && !(tt.doubts > 0 && errors.Is(err, lease.ErrNotLeased)) {
				t.Errorf("LEASE-S-9: the store is back: %v", err)
			}
			wantStored(t, direct, granted, 0)
		})
	}
}

// three starts three servers. It returns them and how to open a store that
// knows some of them.
func three(t *testing.T) (c cluster, store func(servers ...int) *etcdstore.Store) {
	c, err := startCluster(t.TempDir(), 3, noSync)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	prefix := newPrefix()
	return c, func(servers ...int) *etcdstore.Store {
		config := etcdstore.Config{Prefix: prefix, RequestTimeout: time.Second}
		for _, i := range servers {
			config.Endpoints = append(config.Endpoints, c.address(i))
		}
		return open(t, config)
	}
}

// One of three servers is cut off from the others: the leader, so that there
// must be an election. Who depends on it grants nothing; who knows all three
// goes on; and when it is back so does everybody.
func TestPartition(t *testing.T) {
	t.Parallel()
	c, store := three(t)
	lost := c.leader(t)
	alone, other, any := newPool(t, store(lost)), newPool(t, store((lost+1)%3)), newPool(t, store(0, 1, 2))
	granted := []lease.Lease{get(t, alone, "before")}

	c.isolate(lost, true)
	// It may not have noticed yet, nor the others: then nothing is granted
	// that they do not agree to.
	for i := range 3 {
		key := fmt.Sprint("alone ", i)
		if l, err := alone.Allocate(t.Context(), lease.Request{Family: lease.IPv4, Key: key}); err == nil {
			granted = append(granted, l)
			t.Errorf("LEASE-S-9: cut off from the others, %v was granted", l)
		} else if !errors.Is(err, lease.ErrStore) {
			t.Errorf("LEASE-S-9: %v, want ErrStore", err)
		}
	}
	c.waitLeader(t, lost, false)
	c.waitLeader(t, (lost+1)%3, true)
	for i := range 4 {
		granted = append(granted, get(t, other, fmt.Sprint("other ", i)))
	}
	for i := range 6 { // every server has its turn, the lost one too
		l, err := any.Allocate(t.Context(), lease.Request{Family: lease.IPv4, Key: fmt.Sprint("any ", i)})
		if err != nil {
			t.Errorf("LEASE-S-9: two of three servers are there, yet: %v", err)
			continue
		}
		granted = append(granted, l)
	}
	if l, err := alone.Allocate(t.Context(), lease.Request{Family: lease.IPv4, Key: "alone"}); !errors.Is(err, lease.ErrStore) {
		t.Errorf("LEASE-S-9: granted %v, %v, want ErrStore", l, err)
	}

	c.isolate(lost, false)
	granted = append(granted, get(t, alone, "after"))
	l, err := alone.ChangeLifetime(t.Context(), granted[1], lease.Window{Max: granted[1].End.Add(-time.Hour)})
	if err != nil {
		t.Errorf("LEASE-S-9: what others have granted meanwhile: %v", err)
	}
	granted[1] = l
	wantStored(t, store(0, 1, 2), granted, 4) // of "alone 0" to "alone 2" and "alone"
}

// A server that is behind the others does not show what it has: it does not
// answer.
func TestStale(t *testing.T) {
	t.Parallel()
	c, store := three(t)
	leader := c.leader(t)
	behind := (leader + 1) % 3
	s, old := store(leader), store(behind)
	v := commit(t, s, lease.Write{Key: "k", Value: []byte("old")})
	load(t, old, "") // it has a connection
	c.isolate(behind, true)
	commit(t, s, lease.Write{Key: "k", Version: v, Value: []byte("new")})
	for e, err := range old.Load(t.Context(), "") {
		if err == nil {
			t.Errorf("LEASE-S-4: %s=%s from a server that is behind", e.Key, e.Value)
		} else if !errors.Is(err, lease.ErrStore) {
			t.Errorf("%v, want ErrStore", err)
		}
	}
}

// Entries that cannot be read are named, and what lies in them stays taken.
func TestDamaged(t *testing.T) {
	s := openShared(t, newPrefix())
	l := get(t, newPool(t, s), "k")
	var damaged []string
	for _, e := range load(t, s, "") {
		if e.Key != "layout" {
			e.Value[len(e.Value)/2] ^= 0x10
			commit(t, s, lease.Write(e))
			damaged = append(damaged, e.Key)
		}
	}
	reported := map[string]bool{}
	p, err := lease.NewPool(lease.Config{
		Sources: []lease.Source{{Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.1.0/24")}},
		Store:   s, Guard: lease.NoGuard,
		Damaged: func(key string, err error) { reported[key] = true },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range damaged {
		if !reported[key] {
			t.Errorf("LEASE-S-11: %q is damaged and not reported", key)
		}
	}
	n := 0
	for ; ; n++ {
		got, err := p.Allocate(t.Context(), lease.Request{Family: lease.IPv4})
		if errors.Is(err, lease.ErrNone) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if got.Addrs.Overlaps(l.Addrs) {
			t.Fatalf("LEASE-S-11: %v is granted again", got.Addrs)
		}
	}
	if n == 0 {
		t.Error("LEASE-S-11: nothing is granted any more")
	}
}
