// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

func TestSweep(t *testing.T) {
	now := epoch
	s := &MemoryStore{}
	limited := func(c *Config) {
		c.Limits = func(Principal, scope.ID) Limits { return Limits{Leases: 100} }
	}
	p, other := storePool(t, s, &now, limited), storePool(t, s, &now, limited)
	grant := func(p *Pool, key string, life time.Duration) Lease {
		t.Helper()
		l, err := p.Allocate(t.Context(), Request{Family: IPv4, Key: key, Lifetime: Exactly(life)})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	sweep := func(p *Pool, want int) {
		t.Helper()
		if n, err := p.Sweep(t.Context()); n != want || err != nil {
			t.Errorf("LEASE-S-5: swept %d entries, %v, want %d", n, err, want)
		}
	}
	for i := range 40 { // more than one commit can delete
		grant(p, fmt.Sprint(i), time.Hour)
	}
	grant(other, "stays", 20*time.Hour)
	pages := 0
	for key := range s.entries {
		if key[:2] == pagePrefix {
			pages++
		}
	}
	over := time.Hour + DefaultGuard
	now = epoch.Add(over + sweepAfter + DefaultSkew - 1)
	sweep(p, 0)
	now = now.Add(1)
	was := len(s.entries)
	// The key and the identifier of the lease that is left, its page, what the
	// principal has, and the layout stay.
	sweep(other, was-5)
	sweep(other, 0)
	for i := range 3 {
		l := grant(p, fmt.Sprint(i), time.Hour) // its entries are there no more
		if err := other.Release(t.Context(), l); err != nil {
			t.Errorf("LEASE-S-9: %v", err)
		}
	}
	n := 0
	for range storePool(t, s, &now).Leases(t.Context(), Filter{}) {
		n++
	}
	if n != 1 {
		t.Errorf("LEASE-S-5: %d leases are left, want 1", n)
	}
}

// behind changes an entry before the first commit.
type behind struct {
	MemoryStore
	change func()
}

func (s *behind) Commit(ctx context.Context, writes ...Write) (uint64, error) {
	if change := s.change; change != nil {
		s.change = nil
		change()
	}
	return s.MemoryStore.Commit(ctx, writes...)
}

func TestSweepGivesWay(t *testing.T) {
	now := epoch
	s := &behind{}
	p := storePool(t, s, &now)
	var old []Lease
	for _, a := range []string{"239.255.1.1", "239.255.2.1"} {
		l, err := p.Allocate(t.Context(), Request{Family: IPv4, Addrs: scope.MustSet(a), Lifetime: Exactly(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		old = append(old, l)
	}
	now = epoch.Add(24 * time.Hour)
	other := storePool(t, &s.MemoryStore, &now)
	var fresh Lease
	s.change = func() {
		var err error
		if fresh, err = other.Allocate(t.Context(), Request{Family: IPv4, ID: old[0].ID, Addrs: old[0].Addrs}); err != nil {
			t.Error(err)
		}
	}
	if n, err := p.Sweep(t.Context()); n != 2 || err != nil {
		t.Errorf("LEASE-S-5: swept %d entries, %v, want the identifier and the page of the other lease", n, err)
	}
	if err := p.Release(t.Context(), fresh); err != nil {
		t.Errorf("LEASE-S-5: the sweep took a lease along: %v", err)
	}
}
