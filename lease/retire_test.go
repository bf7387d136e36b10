// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"errors"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

func TestRetire(t *testing.T) {
	for _, c := range []struct {
		name     string
		family   Family
		source   Source
		retired  scope.Set
		held     scope.Set
		free     int // addresses that are left
		pages    int
		linkOnly bool
	}{
		{"IPv4", IPv4, Source{Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.1.0-239.255.3.255")},
			scope.MustSet("239.255.1.32-239.255.3.251"), scope.MustSet("239.255.2.7"), 36, 12, false},
		{"IPv6", IPv6, Source{Scope: scope.Scope{Range: scope.MustRange("ff15::", "ff15:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}, Addrs: scope.MustSet("ff15::8000:0-ff15::8000:ff")},
			scope.MustSet("ff15::8000:10-ff15::8000:ff"), scope.MustSet("ff15::8000:77"), 16, 4, false},
		{"Ethernet", IPv4, Source{Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.1.0-239.255.1.255")},
			scope.MustSet("239.255.1.40-239.255.1.255"), scope.MustSet("239.255.1.77"), 40, 4, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := epoch
			s := &MemoryStore{}
			config := func(to *Config) {
				to.Scopes, to.Sources, to.LinkUnique = nil, []Source{c.source}, c.linkOnly
			}
			p, other := storePool(t, s, &now, config), storePool(t, s, &now, config)
			id := c.source.Scope.ID()
			held, err := other.Allocate(t.Context(), Request{Family: c.family, Addrs: c.held, Lifetime: Exactly(time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Retire(t.Context(), id, c.retired); err != nil {
				t.Fatalf("LEASE-P-8: %v", err)
			}
			later := storePool(t, s, &now, config)
			for name, p := range map[string]*Pool{"retired here": p, "elsewhere": other, "before the start": later} {
				if l, err := p.Allocate(t.Context(), Request{Family: c.family, Addrs: c.retired}); !errors.Is(err, ErrNone) {
					t.Errorf("LEASE-S-4, %s: %v, %v", name, l, err)
				}
				if l, err := p.ChangeLifetime(t.Context(), held, NotBefore(held.End.Add(time.Minute))); !errors.Is(err, ErrUnchanged) {
					t.Errorf("LEASE-S-4, %s: prolonged to %v, %v", name, l.End, err)
				}
				if usage, _ := p.Usage(t.Context(), id, now); len(usage) > 4 {
					t.Errorf("%s: the source is in %d pieces", name, len(usage))
				}
			}
			l, err := other.Allocate(t.Context(), Request{Family: c.family, Count: Count{Min: c.free}, Lifetime: Exactly(time.Hour)})
			if err != nil || l.Addrs.Overlaps(c.retired) {
				t.Errorf("LEASE-S-4: what is not retired: %v, %v", l, err)
			}
			now = now.Add(6 * time.Hour)
			if n, err := p.Sweep(t.Context()); n == 0 || err != nil {
				t.Errorf("swept %d entries, %v", n, err)
			}
			marked := 0
			for key := range s.entries {
				if key[:2] == pagePrefix {
					marked++
				}
			}
			if marked != c.pages {
				t.Errorf("LEASE-S-5: %d pages are left, want the %d with a mark", marked, c.pages)
			}
			later = storePool(t, s, &now, config)
			if err := later.Reinstate(t.Context(), id, c.retired); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Allocate(t.Context(), Request{Family: c.family, Addrs: c.held}); err != nil {
				t.Errorf("LEASE-S-4: reinstated elsewhere: %v", err)
			}
			if _, err := storePool(t, s, &now, config).Allocate(t.Context(), Request{Family: c.family, Count: Count{Min: c.free + 10}}); err != nil {
				t.Errorf("LEASE-S-4: reinstated before the start: %v", err)
			}
		})
	}
}

// A part can be reinstated, and what is too large is refused.
func TestRetireParts(t *testing.T) {
	now := epoch
	s := &MemoryStore{}
	p, other := storePool(t, s, &now), storePool(t, s, &now)
	id := scope.IPv4Local().ID()
	if err := p.Retire(t.Context(), id, scope.Set{}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Allocate(t.Context(), Request{Family: IPv4}); !errors.Is(err, ErrNone) {
		t.Errorf("LEASE-S-4: all of a scope is retired: %v", err)
	}
	part := scope.MustSet("239.255.7.3-239.255.7.9")
	if err := other.Reinstate(t.Context(), id, part); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Pool{other, p, storePool(t, s, &now)} {
		l, err := p.Allocate(t.Context(), Request{Family: IPv4, Count: Count{1, 2}})
		if err != nil || !part.Covers(l.Addrs) {
			t.Errorf("LEASE-S-4: a part is reinstated: %v, %v", l, err)
		}
	}
	for _, alone := range []Store{nil, exclusiveStore{&MemoryStore{}}} {
		p := storePool(t, alone, &now, func(c *Config) {
			c.Scopes = []scope.Scope{{Range: scope.MustRange("ff15::", "ff15:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}}
		})
		if err := p.Retire(t.Context(), p.t.zones[0].scope.ID(), scope.Set{}); err != nil {
			t.Errorf("LEASE-P-8: nobody shares the store, so that no marks are needed: %v", err)
		}
		if _, err := p.Allocate(t.Context(), Request{Family: IPv6}); !errors.Is(err, ErrNone) {
			t.Errorf("LEASE-P-8: a scope is retired: %v", err)
		}
	}
	v6 := storePool(t, &MemoryStore{}, &now, func(c *Config) {
		c.Scopes = []scope.Scope{{Range: scope.MustRange("ff15::", "ff15:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}}
	})
	if err := v6.Retire(t.Context(), v6.t.zones[0].scope.ID(), scope.Set{}); !errors.Is(err, ErrScope) {
		t.Errorf("too many addresses for marks: %v", err)
	}
}

// exclusiveStore is a store that nobody else writes.
type exclusiveStore struct{ Store }

func (exclusiveStore) Exclusive() bool { return true }
