// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// coordinator adds a prefix coordinator that announces a space.
func (d *domain) coordinator(t *testing.T, s scope.Scope, space ...aap.TimedRange) *Coordinator {
	t.Helper()
	c, err := NewCoordinator(CoordinatorConfig{
		Machine: aap.CoordinatorConfig{Scope: transient(s.Range), Group: outside, Sole: true, Haste: 0.5}, Network: d.host(outside),
	})
	if err == nil {
		err = c.Announce(space)
	}
	if err != nil {
		t.Fatal(err)
	}
	run(t, c)
	return c
}

// TestSpace: AAP-3.2.8-1, AAP-3.2.10.1-11. In a large scope leases keep within what the
// coordinator announces, in addresses and in time; they get more as it does; and
// who has a lease of what it takes back is told.
func TestSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d domain
		global := scope.IPv4Global()
		began := time.Now()
		first := aap.TimedRange{Range: scope.MustRange("234.1.1.0", "234.1.1.15"), End: began.Add(5 * time.Hour)}
		c := d.coordinator(t, global, first)
		var losses []Loss
		a := d.allocator(t, global, func(c *AllocatorConfig) {
			c.Lost = func(l Loss) { losses = append(losses, l) }
			c.Pool.Guard = time.Minute
			c.Scopes[0].MAAS.Machine.MaxPool = -1
		})
		if _, err := a.Usage(t.Context(), global.ID(), began); err != nil {
			t.Error(err)
		}
		pause(4 * time.Minute)
		ask := lease.Request{Scope: global.ID(), Lifetime: lease.AtLeast(time.Hour)}
		l, err := a.Allocate(t.Context(), ask)
		if err != nil || !first.Range.Covers(l.Addrs.Bounds()) || l.End.After(first.End) {
			t.Fatalf("%v, %v, want one of %v", l, err, first)
		}
		if _, err := a.ChangeLifetime(t.Context(), l, lease.NotBefore(first.End.Add(time.Hour))); !errors.Is(err, lease.ErrUnchanged) {
			t.Errorf("beyond the end of the space: %v", err)
		}
		many := ask
		many.Count.Min = 20
		if got, err := a.Allocate(t.Context(), many); !errors.Is(err, lease.ErrNone) {
			t.Errorf("20 of 16: %v, %v", got, err)
		}

		first.End = began.Add(20 * time.Hour)
		second := aap.TimedRange{Range: scope.MustRange("234.1.1.16", "234.1.1.31"), End: began.Add(30 * time.Hour)}
		if err := c.Announce([]aap.TimedRange{first, second}); err != nil {
			t.Fatal(err)
		}
		pause(time.Minute)
		if l, err = a.ChangeLifetime(t.Context(), l, lease.NotBefore(began.Add(10*time.Hour))); err != nil {
			t.Errorf("the space lasts longer: %v", err)
		}
		got, err := a.Allocate(t.Context(), many)
		if err != nil {
			t.Fatalf("more space: %v", err)
		}

		if _, err := c.Retract([]aap.TimedRange{second}); err != nil {
			t.Fatal(err)
		}
		pause(time.Minute)
		usage, err := a.Usage(t.Context(), global.ID(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range usage {
			if u.Addrs.OverlapsRange(first.Range) && !u.Closed || u.Addrs.OverlapsRange(second.Range) && u.Closed {
				t.Errorf("%v: closed is %v", u.Addrs, u.Closed)
			}
		}
		told := scope.Set{}
		for _, x := range losses {
			if len(x.Leases) == 0 || x.From.IsValid() {
				t.Errorf("told of %+v", x)
			}
			told, _ = told.Union(x.Addrs)
		}
		want, _ := l.Addrs.Union(intersect(got.Addrs, scope.MustSet("234.1.1.0-234.1.1.15")))
		if !told.Equal(want) {
			t.Errorf("told of %v, want %v", told, want)
		}
		if _, err := a.ChangeLifetime(t.Context(), l, lease.NotBefore(l.End.Add(time.Minute))); !errors.Is(err, lease.ErrUnchanged) {
			t.Errorf("prolonged in what was taken back: %v", err)
		}
		for l, err := range a.Leases(t.Context(), lease.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Release(t.Context(), l); err != nil {
				t.Error(err)
			}
		}
		pause(2 * time.Minute)
		if got, err = a.Allocate(t.Context(), ask); err != nil || !second.Range.Covers(got.Addrs.Bounds()) {
			t.Errorf("%v, %v, want one of %v", got, err, second)
		}
	})
}

// TestSpace6: the same in IPv6, where the scope is named by addresses that are
// never allocated.
func TestSpace6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		was := outside
		defer func() { outside = was }()
		outside, _ = aap.Group(scope.IPv6(6).Range)
		var d domain
		s := scope.IPv6(14)
		s.Divisible = true
		space := aap.TimedRange{Range: scope.MustRange("ff1e::8000:0", "ff1e::8000:ff"), End: time.Now().Add(48 * time.Hour)}
		d.coordinator(t, s, space)
		a := d.allocator(t, s, nil)
		if l, err := a.Allocate(t.Context(), lease.Request{Scope: s.ID()}); !errors.Is(err, lease.ErrNone) {
			t.Errorf("before anything is available: %v, %v", l, err)
		}
		pause(4 * time.Minute)
		l, err := a.Allocate(t.Context(), lease.Request{Scope: s.ID(), Count: lease.Count{Min: 3}})
		if err != nil || !space.Range.Covers(l.Addrs.Bounds()) {
			t.Errorf("%v, %v", l, err)
		}
	})
}
