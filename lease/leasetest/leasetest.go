// SPDX-License-Identifier: BSD-3-Clause

// Package leasetest holds what outsiders test allocators and stores with: a
// conformance suite that every implementation of [lease.Allocator] passes, in
// the process or at the other end of a network.
package leasetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// Subject is an allocator to be tested, with what the tests need to know of
// it. Every test opens a new one.
type Subject struct {
	lease.Allocator
	// Scope has at least 256 addresses for the tests alone, none of them
	// leased, with leases of an hour allowed and of 100 days not.
	Scope scope.ID
	// Guard is how long addresses rest after a lease.
	Guard time.Duration
	// Now is the allocator's clock. Nil: time.Now.
	Now func() time.Time
	// Advance moves the allocator's clock on. Nil: it cannot be moved, and
	// tests that would have to wait are skipped.
	Advance func(time.Duration)
}

// slack is how much instants may differ for the way between two processes and
// for protocols that carry whole seconds.
const slack = 5 * time.Second

func (s *Subject) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Subject) family() lease.Family { return lease.FamilyOf(s.Scope) }

// TestAllocator checks everything that RFC 2771 and this library demand of an
// Allocator and that can be seen from outside. Tests of abilities that it does
// not have are skipped.
func TestAllocator(t *testing.T, open func(t *testing.T) Subject) {
	for _, tt := range []struct {
		name string
		test func(t *testing.T, s *Subject)
	}{
		{"LEASE-3.1 grants", grants},
		{"LEASE-3.1 refusals", refusals},
		{"LEASE-3.1-4 disjoint", disjoint},
		{"LEASE-3.1-17 same key", sameKey},
		{"LEASE-3.1-18 cancelled", cancelled},
		{"LEASE-3.1-19 particular addresses", particular},
		{"LEASE-3.2 lifetimes", lifetimes},
		{"LEASE-3.3 release", release},
		{"LEASE-3.4 scopes", scopes},
		{"LEASE-3.6 nesting", nesting},
		{"LEASE-3.10 advance leases", advance},
		{"LEASE-3.1-5 expiry", expiry},
		{"Changer", changer},
		{"Offerer", offerer},
		{"Lister", lister},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t)
			tt.test(t, &s)
		})
	}
}

// allocate asks for what must be granted.
func (s *Subject) allocate(t *testing.T, req lease.Request) lease.Lease {
	t.Helper()
	req.Scope = s.Scope
	l, err := s.Allocate(t.Context(), req)
	if err != nil {
		t.Fatalf("allocate: %v", err)
	}
	if l.Addrs.IsEmpty() || l.ID == "" || l.Family != s.family() || l.Scope != s.Scope || !l.Start.Before(l.End) {
		t.Fatalf("LEASE-2-10: granted %#v", l)
	}
	return l
}

// near reports whether two instants are the same for the purposes of a test.
func near(a, b time.Time) bool { return a.Sub(b).Abs() <= slack }

func size(t *testing.T, l lease.Lease) int {
	n, ok := l.Addrs.Size().Uint64()
	if !ok || n > lease.MaxCount {
		t.Fatalf("a lease of %v addresses", l.Addrs.Size())
	}
	return int(n)
}

// wantError checks that err is of the class want, and that no lease came
// with it (LEASE-3.1-13).
func wantError(t *testing.T, id string, l lease.Lease, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || !l.Equal(lease.Lease{}) {
		t.Errorf("%s: %v, error %v, want no lease and %v", id, l, err, want)
	}
}

func grants(t *testing.T, s *Subject) {
	l := s.allocate(t, lease.Request{})
	if size(t, l) != 1 || !near(l.Start, s.now()) {
		t.Errorf("LEASE-3.1-14: the zero request gave %d addresses from %v, now is %v", size(t, l), l.Start, s.now())
	}
	l = s.allocate(t, lease.Request{Family: s.family(), Count: lease.Count{Min: 2, Max: 5}, Lifetime: lease.Between(10*time.Minute, 20*time.Minute)})
	if n := size(t, l); n < 2 || n > 5 {
		t.Errorf("LEASE-3.1-2: %d addresses, want 2 to 5", n)
	}
	if d := l.End.Sub(l.Start); d < 10*time.Minute-slack || d > 20*time.Minute+slack {
		t.Errorf("LEASE-3.1-3: a lifetime of %v, want 10 to 20 minutes", d)
	}
	end := lease.Window{Min: s.now().Add(10 * time.Minute), Max: s.now().Add(15 * time.Minute)}
	if l = s.allocate(t, lease.Request{End: end}); l.End.Before(end.Min.Add(-slack)) || l.End.After(end.Max.Add(slack)) {
		t.Errorf("LEASE-3.1-3: an end at %v, want %v to %v", l.End, end.Min, end.Max)
	}
	for a := range l.Addrs.Addrs() {
		if !a.IsMulticast() {
			t.Errorf("LEASE-2-2: %v is not multicast", a)
		}
	}
}

func refusals(t *testing.T, s *Subject) {
	now := s.now()
	ago, soon, later := now.Add(-3*time.Hour), now.Add(time.Hour), now.Add(2*time.Hour)
	other := lease.IPv4 + lease.IPv6 - s.family()
	for _, tt := range []struct {
		id   string
		req  lease.Request
		want error
	}{
		{"LEASE-3.1-7 family 3", lease.Request{Family: 3, Scope: s.Scope}, lease.ErrFamily},
		{"LEASE-3.1-8 other family", lease.Request{Family: other, Scope: s.Scope}, lease.ErrScope},
		{"LEASE-3.1-8 no such scope", lease.Request{Family: s.family(), Scope: s.Scope.Next()}, lease.ErrScope},
		{"LEASE-3.1-9 max below min", lease.Request{Scope: s.Scope, Count: lease.Count{Min: 3, Max: 2}}, lease.ErrCount},
		{"LEASE-3.1-9 negative", lease.Request{Scope: s.Scope, Count: lease.Count{Min: -1}}, lease.ErrCount},
		{"LEASE-3.1-9 too many", lease.Request{Scope: s.Scope, Count: lease.Count{Min: lease.MaxCount + 1}}, lease.ErrCount},
		{"LEASE-3.1-10 ends reversed", lease.Request{Scope: s.Scope, End: lease.Window{Min: later, Max: soon}}, lease.ErrLifetime},
		{"LEASE-3.1-10 end past", lease.Request{Scope: s.Scope, End: lease.NotAfter(ago)}, lease.ErrLifetime},
		{"LEASE-3.1-10 both", lease.Request{Scope: s.Scope, End: lease.NotAfter(later), Lifetime: lease.AtLeast(1)}, lease.ErrLifetime},
		{"LEASE-3.1-10 lengths reversed", lease.Request{Scope: s.Scope, Lifetime: lease.Between(time.Hour, time.Minute)}, lease.ErrLifetime},
		{"LEASE-3.10-3 starts reversed", lease.Request{Scope: s.Scope, Start: lease.Window{Min: later, Max: soon}}, lease.ErrStart},
		{"LEASE-3.10-4 start after end", lease.Request{Scope: s.Scope, Start: lease.NotBefore(later), End: lease.NotAfter(soon)}, lease.ErrStart},
		{"LEASE-3.10-5 start long past", lease.Request{Scope: s.Scope, Start: lease.NotAfter(ago)}, lease.ErrStart},
		{"LEASE-3.1-12 not for that long", lease.Request{Scope: s.Scope, Lifetime: lease.AtLeast(100 * 24 * time.Hour)}, lease.ErrNone},
		{"LEASE-3.1-15 family first", lease.Request{Family: 3, Count: lease.Count{Min: -1}}, lease.ErrFamily},
		{"LEASE-3.1-15 scope before count", lease.Request{Family: s.family(), Scope: s.Scope.Next(), Count: lease.Count{Min: -1}}, lease.ErrScope},
		{"LEASE-3.1-15 count before lifetime", lease.Request{Scope: s.Scope, Count: lease.Count{Min: -1}, Lifetime: lease.AtMost(-1)}, lease.ErrCount},
		{"LEASE-3.1-15 lifetime before start", lease.Request{Scope: s.Scope, Lifetime: lease.AtMost(-1), Start: lease.NotAfter(ago)}, lease.ErrLifetime},
	} {
		l, err := s.Allocate(t.Context(), tt.req)
		wantError(t, tt.id, l, err, tt.want)
		again, err := s.Allocate(t.Context(), tt.req)
		wantError(t, tt.id+", LEASE-E-3 again", again, err, tt.want)
	}
	count(t, s, 0)
}

// count checks how many leases there are, if the allocator can say.
func count(t *testing.T, s *Subject, want int) {
	t.Helper()
	n := 0
	for _, err := range lease.Leases(t.Context(), s.Allocator, lease.Filter{Scope: s.Scope}) {
		if errors.Is(err, lease.ErrUnsupported) {
			return
		}
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		n++
	}
	if n != want {
		t.Errorf("LEASE-E-2: %d leases, want %d", n, want)
	}
}

func disjoint(t *testing.T, s *Subject) {
	const workers, each = 4, 12
	leases := make(chan lease.Lease, workers*each)
	failed := make(chan error, workers)
	for range workers {
		go func() {
			for range each {
				l, err := s.Allocate(t.Context(), lease.Request{Scope: s.Scope, Count: lease.Count{Min: 1, Max: 3}})
				if err != nil {
					failed <- err
					return
				}
				leases <- l
			}
			failed <- nil
		}()
	}
	for range workers {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	close(leases)
	var all scope.Set
	ids := map[lease.ID]bool{}
	for l := range leases {
		if all.Overlaps(l.Addrs) || ids[l.ID] {
			t.Fatalf("LEASE-3.1-4: %v is leased twice, or its identifier used twice", l.Addrs)
		}
		all, _ = all.Union(l.Addrs)
		ids[l.ID] = true
	}
}

func sameKey(t *testing.T, s *Subject) {
	req := lease.Request{Scope: s.Scope, Key: "the camera in the yard"}
	first := s.allocate(t, req)
	if again := s.allocate(t, req); again.ID != first.ID || !again.Addrs.Equal(first.Addrs) || !near(again.End, first.End) {
		t.Errorf("LEASE-3.1-17: the same key gave %v, then %v", first, again)
	}
	req.Key = "the camera in the hall"
	if other := s.allocate(t, req); other.ID == first.ID || other.Addrs.Overlaps(first.Addrs) {
		t.Errorf("LEASE-3.1-17: another key gave the same lease")
	}
}

func cancelled(t *testing.T, s *Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l, err := s.Allocate(ctx, lease.Request{Scope: s.Scope})
	wantError(t, "LEASE-3.1-18", l, err, context.Canceled)
	count(t, s, 0)
}

func particular(t *testing.T, s *Subject) {
	first := s.allocate(t, lease.Request{Count: lease.Count{Min: 4}})
	if err := s.Release(t.Context(), s.allocate(t, lease.Request{})); err != nil {
		t.Fatal(err)
	}
	l, err := s.Allocate(t.Context(), lease.Request{Scope: s.Scope, Addrs: first.Addrs})
	wantError(t, "LEASE-3.1-19 taken", l, err, lease.ErrNone)
	outside, _ := scope.SetOf(scope.Single(s.Scope.Prev()))
	l, err = s.Allocate(t.Context(), lease.Request{Scope: s.Scope, Addrs: outside})
	wantError(t, "LEASE-3.1-19 outside the scope", l, err, lease.ErrScope)

	if s.Guard > 0 && s.Advance == nil {
		t.Skip("the addresses rest, and the clock cannot be moved")
	}
	if err := s.Release(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if s.Guard > 0 {
		s.Advance(s.Guard)
	}
	l = s.allocate(t, lease.Request{Addrs: first.Addrs, Count: lease.Count{Min: 4}})
	if !l.Addrs.Equal(first.Addrs) {
		t.Errorf("LEASE-3.1-19: got %v, want %v", l.Addrs, first.Addrs)
	}
}
