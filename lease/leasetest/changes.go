// SPDX-License-Identifier: BSD-3-Clause

package leasetest

import (
	"errors"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

func lifetimes(t *testing.T, s *Subject) {
	ctx := t.Context()
	l := s.allocate(t, lease.Request{Lifetime: lease.Exactly(30 * time.Minute)})
	for _, d := range []time.Duration{50 * time.Minute, 20 * time.Minute} {
		want := l.Start.Add(d)
		moved, err := s.ChangeLifetime(ctx, l, lease.At(want))
		if err != nil || !near(moved.End, want) || !near(moved.Start, l.Start) || !moved.Addrs.Equal(l.Addrs) || moved.ID != l.ID {
			t.Fatalf("LEASE-3.2-1, LEASE-3.2-2, LEASE-3.2-8: %v, %v, want until %v", moved, err, want)
		}
		l = moved
	}
	same, err := s.ChangeLifetime(ctx, l, lease.Window{Min: l.End.Add(-time.Minute), Max: l.End.Add(time.Minute)})
	if err != nil || same.End.Before(l.End.Add(-time.Minute-slack)) || same.End.After(l.End.Add(time.Minute+slack)) {
		t.Errorf("LEASE-3.2-1: end %v, %v", same.End, err)
	}
	l = same
	far := s.now().Add(100 * 24 * time.Hour)
	for _, tt := range []struct {
		id   string
		l    lease.Lease
		end  lease.Window
		want error
	}{
		{"LEASE-3.2-3", lease.Lease{ID: l.ID, Family: 3}, lease.Window{}, lease.ErrFamily},
		{"LEASE-3.2-4 reversed", l, lease.Window{Min: l.End, Max: l.End.Add(-time.Minute)}, lease.ErrLifetime},
		{"LEASE-3.2-4 past", l, lease.NotAfter(s.now().Add(-time.Hour)), lease.ErrLifetime},
		{"LEASE-3.2-5", l, lease.NotBefore(far), lease.ErrUnchanged},
		{"LEASE-3.2-6", lease.Lease{ID: "\x00 no such lease", Family: s.family()}, lease.Window{}, lease.ErrNotLeased},
	} {
		got, err := s.ChangeLifetime(ctx, tt.l, tt.end)
		wantError(t, tt.id, got, err, tt.want)
	}
	still, err := s.ChangeLifetime(ctx, l, lease.At(l.End))
	if err != nil || !near(still.End, l.End) || !near(still.Start, l.Start) {
		t.Errorf("LEASE-3.2-7: after the errors: %v, %v, want %v", still, err, l)
	}
}

func release(t *testing.T, s *Subject) {
	ctx := t.Context()
	l := s.allocate(t, lease.Request{Count: lease.Count{Min: 3}})
	bad := l
	bad.Family = 3
	if err := s.Release(ctx, bad); err == nil {
		t.Error("LEASE-3.3-2: a lease of family 3 was released")
	} else {
		wantError(t, "LEASE-3.3-2", lease.Lease{}, err, lease.ErrFamily)
	}
	if err := s.Release(ctx, l); err != nil {
		t.Fatalf("LEASE-3.3-1: %v", err)
	}
	if _, err := s.ChangeLifetime(ctx, l, lease.Window{}); err == nil {
		t.Error("LEASE-3.3-1: a released lease was changed")
	}
	wantError(t, "LEASE-3.3-3", lease.Lease{}, s.Release(ctx, lease.Lease{ID: "\x00 no such lease", Family: s.family()}), lease.ErrNotLeased)

	start := s.now().Add(2 * time.Hour)
	l = s.allocate(t, lease.Request{Start: lease.NotBefore(start)})
	if err := s.Release(ctx, l); err != nil {
		t.Errorf("LEASE-3.3-4: %v", err)
	}
	count(t, s, 0)
}

func scopes(t *testing.T, s *Subject) {
	if list, err := s.Scopes(t.Context(), 3); err == nil {
		t.Errorf("LEASE-3.4-2: scopes of family 3: %v", list)
	} else {
		wantError(t, "LEASE-3.4-2", lease.Lease{}, err, lease.ErrFamily)
	}
	list, err := s.Scopes(t.Context(), s.family())
	if err != nil {
		t.Fatalf("LEASE-3.4-1: %v", err)
	}
	seen := map[scope.ID]int{}
	for _, sc := range list {
		if seen[sc.ID()]++; seen[sc.ID()] > 1 {
			t.Errorf("LEASE-3.4-5: %v is listed twice", sc.ID())
		}
		if lease.FamilyOf(sc.ID()) != s.family() {
			t.Errorf("LEASE-3.4-1: %v is of another family", sc.ID())
		}
	}
	if seen[s.Scope] == 0 {
		t.Errorf("LEASE-3.4-1: %v is not listed in %v", s.Scope, list)
	}
}

func nesting(t *testing.T, s *Subject) {
	list, err := s.Scopes(t.Context(), s.family())
	if err != nil {
		t.Fatal(err)
	}
	var ids []scope.ID
	for _, sc := range list {
		ids = append(ids, sc.ID())
	}
	n, err := s.Nesting(t.Context(), ids...)
	if err != nil {
		t.Fatalf("LEASE-3.6-1: %v", err)
	}
	for _, id := range ids {
		if n.Of(id, id) != scope.Yes {
			t.Errorf("LEASE-3.6-5: %v does not nest inside itself", id)
		}
		for _, b := range ids {
			for _, c := range ids {
				if n.Of(id, b) == scope.Yes && n.Of(b, c) == scope.Yes && n.Of(id, c) == scope.No {
					t.Errorf("LEASE-3.6-5: %v in %v in %v, but not in the last", id, b, c)
				}
			}
		}
	}
	_, err = s.Nesting(t.Context(), s.Scope, s.Scope.Next())
	wantError(t, "LEASE-3.6-2", lease.Lease{}, err, lease.ErrScope)
}

func advance(t *testing.T, s *Subject) {
	ctx := t.Context()
	start := s.now().Add(s.Guard + 3*time.Hour).Truncate(time.Second)
	future := s.allocate(t, lease.Request{Start: lease.At(start), Lifetime: lease.Exactly(30 * time.Minute)})
	if !near(future.Start, start) || !near(future.End, start.Add(30*time.Minute)) {
		t.Fatalf("LEASE-3.10-2: granted %v, want from %v for half an hour", future, start)
	}
	now := s.allocate(t, lease.Request{Addrs: future.Addrs, Lifetime: lease.Between(time.Minute, time.Hour)})
	if !now.Addrs.Equal(future.Addrs) || now.End.Add(s.Guard).After(future.Start.Add(slack)) {
		t.Errorf("LEASE-3.10-2: %v before %v", now, future)
	}
	l, err := s.Allocate(ctx, lease.Request{Scope: s.Scope, Addrs: future.Addrs, Start: lease.At(start.Add(10 * time.Minute)), Lifetime: lease.Exactly(time.Minute)})
	wantError(t, "LEASE-3.10-1 in the middle of the other", l, err, lease.ErrNone)

	longer, err := s.ChangeLifetime(ctx, future, lease.At(start.Add(40*time.Minute)))
	if err != nil || !near(longer.Start, start) || !near(longer.End, start.Add(40*time.Minute)) {
		t.Fatalf("LEASE-3.2-10, LEASE-3.2-8: %v, %v", longer, err)
	}
	sooner, err := s.ChangeStart(ctx, longer, lease.At(start.Add(-20*time.Minute)))
	if err != nil || !near(sooner.Start, start.Add(-20*time.Minute)) || !near(sooner.End, longer.End) {
		t.Fatalf("LEASE-3.10-7: %v, %v", sooner, err)
	}
	got, err := s.ChangeStart(ctx, sooner, lease.At(sooner.End))
	if err == nil {
		t.Errorf("LEASE-3.10-9: a start at the end: %v", got)
	}
	kept, err := s.ChangeStart(ctx, now, lease.Window{Min: now.Start.Add(-time.Minute), Max: now.Start.Add(time.Minute)})
	if err != nil || !near(kept.Start, now.Start) || !near(kept.End, now.End) {
		t.Errorf("LEASE-3.10-9: a lease that has begun: %v, %v", kept, err)
	}
}

func expiry(t *testing.T, s *Subject) {
	if s.Advance == nil {
		t.Skip("the clock cannot be moved")
	}
	l := s.allocate(t, lease.Request{Lifetime: lease.Exactly(10 * time.Minute)})
	s.Advance(10*time.Minute + s.Guard - 2*slack)
	if s.Guard > 2*slack {
		got, err := s.Allocate(t.Context(), lease.Request{Scope: s.Scope, Addrs: l.Addrs})
		wantError(t, "LEASE-S-7", got, err, lease.ErrNone)
	}
	s.Advance(3 * slack)
	if again := s.allocate(t, lease.Request{Addrs: l.Addrs}); !again.Addrs.Equal(l.Addrs) {
		t.Errorf("LEASE-3.1-5: got %v, want %v again", again.Addrs, l.Addrs)
	}
	_, err := s.ChangeLifetime(t.Context(), l, lease.Window{})
	wantError(t, "LEASE-3.2-6", lease.Lease{}, err, lease.ErrNotLeased)
}

func changer(t *testing.T, s *Subject) {
	start := s.now().Add(time.Hour).Truncate(time.Second)
	l := s.allocate(t, lease.Request{Start: lease.At(start), Lifetime: lease.Exactly(10 * time.Minute)})
	start = start.Add(time.Hour)
	moved, err := lease.Change(t.Context(), s.Allocator, l, lease.Terms{Start: lease.At(start), Lifetime: lease.Exactly(20 * time.Minute)})
	if err != nil || !near(moved.Start, start) || !near(moved.End, start.Add(20*time.Minute)) || moved.ID != l.ID || !moved.Addrs.Equal(l.Addrs) {
		t.Fatalf("moved to %v, %v, want from %v", moved, err, start)
	}
	moved, err = lease.Change(t.Context(), s.Allocator, moved, lease.Terms{Lifetime: lease.Exactly(5 * time.Minute)})
	if err != nil || !near(moved.Start, s.now()) || !near(moved.End, s.now().Add(5*time.Minute)) {
		t.Errorf("as soon as possible: %v, %v", moved, err)
	}
}

func offerer(t *testing.T, s *Subject) {
	ctx := t.Context()
	req := lease.Request{Scope: s.Scope, Count: lease.Count{Min: 2}, ID: "\x00 an identifier of the client's"}
	offer, err := lease.Offer(ctx, s.Allocator, req, time.Minute)
	if err != nil || offer.ID != req.ID {
		t.Fatalf("offer: %v", err)
	}
	again, err := lease.Offer(ctx, s.Allocator, req, time.Minute)
	if err != nil || !again.Addrs.Equal(offer.Addrs) {
		t.Fatalf("the same offer: %v, %v, want %v", again, err, offer)
	}
	if o, ok := s.Allocator.(lease.Offerer); !ok || errors.Is(o.Withdraw(ctx, "\x00 nobody's"), lease.ErrUnsupported) {
		t.Skip("no Offerer")
	}
	req.Count = lease.Count{Min: 3}
	l, err := s.Allocate(ctx, req)
	if err != nil || !l.Addrs.Covers(offer.Addrs) || size(t, l) != 3 || l.ID != req.ID {
		t.Fatalf("MADCAP-D-59: taken up as %v, %v, offered %v", l, err, offer)
	}
	wantError(t, "withdraw a lease", lease.Lease{}, lease.Withdraw(ctx, s.Allocator, l), lease.ErrNotLeased)
	got, err := s.Allocate(ctx, req)
	wantError(t, "LEASE-3.1-17 the identifier is in use", got, err, lease.ErrInUse)

	req.ID = "\x00 another identifier"
	if offer, err = lease.Offer(ctx, s.Allocator, req, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err = lease.Withdraw(ctx, s.Allocator, offer); err != nil {
		t.Fatal(err)
	}
	if l, err = s.Allocate(ctx, lease.Request{Scope: s.Scope, Addrs: offer.Addrs, Count: lease.Count{Min: 3}}); err != nil {
		t.Errorf("the withdrawn addresses are not free: %v", err)
	}
}

func lister(t *testing.T, s *Subject) {
	want := map[lease.ID]lease.Lease{}
	for range 5 {
		l := s.allocate(t, lease.Request{Count: lease.Count{Min: 1, Max: 2}})
		want[l.ID] = l
	}
	for l, err := range lease.Leases(t.Context(), s.Allocator, lease.Filter{Family: s.family(), Scope: s.Scope}) {
		if err != nil {
			t.Skipf("no Lister: %v", err)
		}
		if !l.Equal(want[l.ID]) {
			t.Errorf("listed %v, want %v", l, want[l.ID])
		}
		delete(want, l.ID)
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
}
