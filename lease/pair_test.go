// SPDX-License-Identifier: BSD-3-Clause

package lease_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
	"pgregory.net/rapid"
)

var (
	red  = scope.MustRange("239.255.4.0", "239.255.4.255")
	blue = scope.MustRange("239.255.9.0", "239.255.9.255")
	both = [2]scope.Range{red, blue}
)

// halves returns the addresses of a lease in two ranges, ascending.
func halves(l lease.Lease, pair [2]scope.Range) (a, b []netip.Addr) {
	for x := range l.Addrs.Addrs() {
		switch {
		case pair[0].Contains(x):
			a = append(a, x)
		case pair[1].Contains(x):
			b = append(b, x)
		}
	}
	return a, b
}

func TestPair(t *testing.T) {
	store := &lease.MemoryStore{}
	r := newRig(t, lease.Config{Store: store})
	var all scope.Set
	for n := 1; n < 40; n += 7 {
		l := r.get(as("a"), lease.Request{Family: lease.IPv4, Pair: both, Count: lease.Count{Min: n}})
		a, b := halves(l, both)
		if len(a) != n || len(b) != n || l.Addrs.Size() != scope.U128(uint64(2*n)) || all.Overlaps(l.Addrs) {
			t.Fatalf("LEASE-U-7: %v, want %d addresses of each range", l.Addrs, n)
		}
		for i := range a {
			if a[i].As4()[3] != b[i].As4()[3] {
				t.Errorf("LEASE-U-7: %v and %v have different low bits", a[i], b[i])
			}
		}
		all, _ = all.Union(l.Addrs)
	}

	t.Run("LEASE-U-7 as one lease, durable", func(t *testing.T) {
		l := r.get(as("a"), lease.Request{Family: lease.IPv4, Pair: both, Key: "k"})
		again, err := lease.NewPool(lease.Config{Scopes: []scope.Scope{scope.IPv4Local()}, Store: store, Now: r.now})
		if err != nil {
			t.Fatal(err)
		}
		if m, err := again.Allocate(as("a"), lease.Request{Family: lease.IPv4, Pair: both, Key: "k"}); err != nil || !m.Equal(l) {
			t.Errorf("after a restart %v, %v, want %v", m, err, l)
		}
		if err := again.Release(as("a"), l); err != nil {
			t.Fatal(err)
		}
		if m, err := again.Allocate(as("a"), lease.Request{Family: lease.IPv4, Pair: both, Key: "k"}); err != nil || !m.Addrs.Equal(l.Addrs) {
			t.Errorf("LEASE-S-8: %v, %v, want the addresses of %v again", m, err, l)
		}
	})
	t.Run("LEASE-U-7 all or nothing", func(t *testing.T) {
		r := newRig(t, lease.Config{})
		most := scope.MustSet("239.255.9.1-239.255.9.255")
		r.get(as("a"), lease.Request{Family: lease.IPv4, Addrs: most, Count: lease.Count{Min: 255}})
		_, err := r.Allocate(as("a"), lease.Request{Family: lease.IPv4, Pair: both, Count: lease.Count{Min: 2}})
		r.want("LEASE-U-7", err, lease.ErrNone, lease.ParamCount)
		l := r.get(as("a"), lease.Request{Family: lease.IPv4, Pair: both, Count: lease.Count{Min: 1, Max: 9}})
		if !l.Addrs.Equal(scope.MustSet("239.255.4.0", "239.255.9.0")) {
			t.Errorf("LEASE-U-7: %v, want the one pair that is left", l.Addrs)
		}
		r.get(as("a"), lease.Request{Family: lease.IPv4, Addrs: scope.MustSet("239.255.4.1-239.255.4.255"), Count: lease.Count{Min: 255}})
	})
	t.Run("LEASE-U-7 in advance, later, and try later", func(t *testing.T) {
		r := newRig(t, lease.Config{Guard: lease.NoGuard})
		r.get(as("a"), lease.Request{Family: lease.IPv4, Addrs: scope.MustSet("239.255.9.0/24"), Count: lease.Count{Min: 256}, Lifetime: lease.Exactly(time.Hour)})
		l := r.get(as("b"), lease.Request{Family: lease.IPv4, Pair: both, Start: lease.NotBefore(r.now())})
		if l.Start.Sub(r.now()) != time.Hour {
			t.Errorf("it starts at %v, want when the others end", l.Start)
		}
	})
}

func TestPairRefusals(t *testing.T) {
	limits := func(lease.Principal, scope.ID) lease.Limits { return lease.Limits{Addrs: 5} }
	r := newRig(t, lease.Config{Limits: limits})
	for name, pair := range map[string][2]scope.Range{
		"overlap":   {red, red},
		"one":       {red},
		"elsewhere": {red, scope.MustRange("239.1.1.0", "239.1.1.9")},
		"IPv6":      {red, scope.MustRange("ff15::1", "ff15::9")},
	} {
		_, err := r.Allocate(as("a"), lease.Request{Family: lease.IPv4, Pair: pair})
		r.want("LEASE-U-7 "+name, err, lease.ErrScope, lease.ParamAddrs)
	}
	l := r.get(as("a"), lease.Request{Family: lease.IPv4, Pair: both, Count: lease.Count{Min: 1, Max: 9}})
	if l.Addrs.Size() != scope.U128(4) {
		t.Errorf("LEASE-P-2: %v, want two pairs for a limit of five addresses", l.Addrs)
	}
}

// A pair is found if both ranges have enough addresses free, with the same low
// bits as often as possible.
func TestPairAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		pair := [2]scope.Range{scope.MustRange("239.255.3.60", "239.255.3.67"), scope.MustRange("239.255.3.84", "239.255.3.95")}
		if rapid.Bool().Draw(t, "swapped") {
			pair[0], pair[1] = pair[1], pair[0]
		}
		c := lease.Config{
			Scopes: []scope.Scope{scope.IPv4Local()}, Now: func() time.Time { return now }, LinkUnique: rapid.Bool().Draw(t, "link"),
			Rand: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 7)),
		}
		if rapid.Bool().Draw(t, "store") {
			c.Store = &lease.MemoryStore{}
		}
		p, err := lease.NewPool(c)
		if err != nil {
			t.Fatal(err)
		}
		free := map[netip.Addr]bool{}
		for _, r := range pair {
			for a := range r.Addrs() {
				if free[a] = rapid.Bool().Draw(t, "free"); !free[a] {
					one, _ := scope.SetOf(scope.Single(a))
					if _, err := p.Allocate(t.Context(), lease.Request{Family: lease.IPv4, Addrs: one}); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		for range 3 {
			count := lease.Count{Min: rapid.IntRange(1, 3).Draw(t, "least")}
			count.Max = count.Min + rapid.IntRange(0, 4).Draw(t, "more")
			var a, b []netip.Addr
			couples := 0
			for x := range pair[0].Addrs() {
				if free[x] {
					a = append(a, x)
				}
			}
			for y := range pair[1].Addrs() {
				if free[y] {
					b = append(b, y)
				}
			}
			for _, x := range a {
				for _, y := range b {
					if x.As4()[3]&15 == y.As4()[3]&15 {
						couples++
					}
				}
			}
			n := min(len(a), len(b), count.Max)
			l, err := p.Allocate(t.Context(), lease.Request{Family: lease.IPv4, Pair: pair, Count: count})
			if n < count.Min {
				if err == nil {
					t.Fatalf("LEASE-U-7: granted %v, want none", l.Addrs)
				}
				continue
			}
			x, y := halves(l, pair)
			if err != nil || len(x) != n || len(y) != n {
				t.Fatalf("LEASE-U-7: %v, %v, want %d of each range", l.Addrs, err, n)
			}
			same := 0
			for _, x := range x {
				for _, y := range y {
					if x.As4()[3]&15 == y.As4()[3]&15 {
						same++
					}
				}
			}
			if want := min(n, couples); same < want {
				t.Fatalf("LEASE-U-7: %v: %d with the same low bits, want %d", l.Addrs, same, want)
			}
			for z := range l.Addrs.Addrs() {
				if !free[z] {
					t.Fatalf("LEASE-S-3: %v is taken", z)
				}
				free[z] = false
			}
		}
	})
}

// A link-layer domain keeps the two apart as well.
func TestPairLinkUnique(t *testing.T) {
	local := scope.Scope{Range: scope.MustRange("238.0.0.0", "239.255.255.255")}
	pair := [2]scope.Range{scope.MustRange("238.127.3.16", "238.127.3.31"), scope.MustRange("239.127.3.16", "239.127.3.31")}
	r := newRig(t, lease.Config{LinkUnique: true, Sources: []lease.Source{{Scope: local, Addrs: scope.MustSet("238.127.3.0/24", "239.127.3.0/24")}}})
	l := r.get(as("a"), lease.Request{Scope: local.ID(), Pair: pair, Count: lease.Count{Min: 5}})
	a, b := halves(l, pair)
	for _, x := range a {
		for _, y := range b {
			if scope.Collides(x, y) {
				t.Errorf("LEASE-U-4: %v and %v have one Ethernet address", x, y)
			}
		}
	}
}
