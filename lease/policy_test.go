// SPDX-License-Identifier: BSD-3-Clause

package lease_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

func TestLimits(t *testing.T) {
	limits := func(p lease.Principal, id scope.ID) lease.Limits {
		if p.Name == "free" {
			return lease.Limits{}
		}
		return lease.Limits{Leases: 2, Addrs: 5, Lifetime: 2 * time.Hour, Advance: 24 * time.Hour}
	}
	quota := func(t *testing.T, err error, name string, max int64) {
		t.Helper()
		var q *lease.QuotaError
		if !errors.As(err, &q) || q.Limit != name || q.Max != max || !errors.Is(err, lease.ErrDenied) {
			t.Errorf("LEASE-P-2: %v, want limit %s of %d", err, name, max)
		}
	}
	r := newRig(t, lease.Config{Limits: limits})
	l := r.get(as("a"), lease.Request{Family: lease.IPv4, Lifetime: lease.AtLeast(time.Hour)})
	if d := l.End.Sub(l.Start); d != 2*time.Hour {
		t.Errorf("LEASE-P-4: granted for %v, want the longest of 2h", d)
	}
	_, err := r.Allocate(as("a"), lease.Request{Family: lease.IPv4, Lifetime: lease.AtLeast(3 * time.Hour)})
	quota(t, err, "Lifetime", int64(2*time.Hour))
	_, err = r.Allocate(as("a"), lease.Request{Family: lease.IPv4, Start: lease.NotBefore(r.now().Add(25 * time.Hour))})
	quota(t, err, "Advance", int64(24*time.Hour))
	_, err = r.Allocate(as("a"), lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 5}})
	quota(t, err, "Addrs", 5)
	future := r.get(as("a"), lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 1, Max: 9}, Start: lease.NotBefore(r.now().Add(5 * time.Hour))})
	if n := future.Addrs.Size().String(); n != "4" {
		t.Errorf("LEASE-P-2: %s addresses, want 4 beside the one held", n)
	}
	_, err = r.Allocate(as("a"), ipv4)
	quota(t, err, "Leases", 2) // an advance lease counts from now on
	r.get(as("b"), ipv4)
	r.get(as(""), ipv4)
	for range 20 {
		r.get(as("free"), ipv4)
	}

	// A lease that is over does not count, though it rests; renewed in its
	// extra time it would be one too many.
	r.advance(2*time.Hour + time.Minute)
	r.get(as("a"), ipv4)
	_, err = r.Change(as("a"), l, lease.Terms{})
	quota(t, err, "Leases", 2)
	t.Log("LEASE-P-3: a late renewal does not bring back a lease whose place is taken")

	if err := r.Release(as("a"), future); err != nil {
		t.Fatal(err)
	}
	if l, err = r.Change(as("a"), l, lease.Terms{}); err != nil || l.End.Sub(r.now()) != 2*time.Hour {
		t.Errorf("LEASE-P-3, LEASE-P-4: %v, %v", l, err)
	}
	// Anonymous is a principal of its own.
	r.get(context.Background(), ipv4)
	r.get(context.Background(), ipv4)
	_, err = r.Allocate(context.Background(), ipv4)
	quota(t, err, "Leases", 2)
	t.Log("LEASE-P-1")
}

func TestPolicy(t *testing.T) {
	clip := scope.MustSet("239.255.7.0/29")
	var last lease.Attempt
	r := newRig(t, lease.Config{Policy: func(ctx context.Context, a lease.Attempt) error {
		last = a
		switch {
		case a.Who.Name == "mallory":
			return errors.New("no")
		case a.Request != nil && a.Request.Addrs.IsEmpty():
			a.Request.Addrs = clip
		}
		return nil
	}})
	_, err := r.Allocate(as("mallory"), ipv4)
	r.want("LEASE-P-6", err, lease.ErrDenied, lease.ParamNone)
	l := r.get(as("a"), ipv4)
	if !clip.Covers(l.Addrs) {
		t.Errorf("LEASE-P-6: %v is not where the policy wanted it", l.Addrs)
	}
	r.get(as("a"), lease.Request{Scope: l.Scope, Count: lease.Count{Min: 2}})
	if _, err := r.Change(as("a"), l, lease.Terms{}); err != nil || last.Op != "change" || last.Held != (lease.Holding{Leases: 2, Addrs: 3}) || last.Lease.ID != l.ID {
		t.Errorf("LEASE-P-6: %v, asked about %+v", err, last)
	}
	r.want("LEASE-P-6", r.Release(as("mallory"), l), lease.ErrDenied, lease.ParamNone)
}

func TestReserve(t *testing.T) {
	c := listed("239.255.1.0/30")
	c.Sources = append(c.Sources, lease.Source{Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.2.0/30"), For: func(p lease.Principal) bool { return p.Name == "chief" }})
	r := newRig(t, c)
	for range 4 {
		r.get(as("a"), ipv4)
	}
	_, err := r.Allocate(as("a"), ipv4)
	r.want("LEASE-P-7", err, lease.ErrNone, lease.ParamNone)
	r.get(as("chief"), lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 4}})
}

func TestRangesComeAndGo(t *testing.T) {
	id := scope.IPv4Local().ID()
	one := scope.MustSet("239.255.1.0/28")
	r := newRig(t, lease.Config{Sources: []lease.Source{{Scope: scope.IPv4Local(), Addrs: one, ValidUntil: newClock().now().Add(5 * time.Hour)}}})
	l := r.get(as("a"), ipv4)
	if l.End.Sub(r.now()) != 5*time.Hour {
		t.Errorf("LEASE-L-2, LEASE-2908.5-3: until %v, longer than the range is ours", l.End)
	}
	_, err := r.Allocate(as("a"), lease.Request{Family: lease.IPv4, Lifetime: lease.AtLeast(6 * time.Hour)})
	r.want("LEASE-L-2", err, lease.ErrNone, lease.ParamMinLifetime)
	later := lease.Source{Scope: scope.IPv4Local(), Addrs: one, ValidUntil: r.now().Add(8 * time.Hour)}
	if err := r.AddSource(later); err != nil {
		t.Fatal(err)
	}
	if l, err = r.ChangeLifetime(as("a"), l, lease.Window{}); err != nil || l.End.Sub(r.now()) != 8*time.Hour {
		t.Errorf("LEASE-L-2 prolonged: %v, %v", l, err)
	}
	later.ValidUntil = r.now().Add(time.Hour)
	r.want("LEASE-2908.5-1 not withdrawn early", r.AddSource(later), lease.ErrLifetime, lease.ParamLifetime)
	r.want("LEASE-L-1 overlap", r.AddSource(lease.Source{Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.1.15-239.255.1.20")}), lease.ErrScope, lease.ParamAddrs)

	if err := r.AddSource(lease.Source{Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.2.0/28")}); err != nil {
		t.Fatal(err)
	}
	half := scope.MustSet("239.255.1.0/29", "239.255.1.8/29")
	if err := r.CloseSource(id, half); err != nil {
		t.Fatal(err)
	}
	for range 16 {
		if l := r.get(as("b"), ipv4); l.Addrs.Overlaps(half) {
			t.Errorf("LEASE-P-8: %v is granted in a closed range", l.Addrs)
		}
	}
	shorter, err := r.ChangeLifetime(as("a"), l, lease.At(r.now().Add(4*time.Hour)))
	if err != nil {
		t.Errorf("LEASE-P-8: shorter in a closed range: %v", err)
	}
	_, err = r.ChangeLifetime(as("a"), l, lease.At(r.now().Add(5*time.Hour)))
	r.want("LEASE-P-8, LEASE-L-2 longer in a closed range", err, lease.ErrUnchanged, lease.ParamMinLifetime)
	r.want("LEASE-P-8 a lease is there", r.RemoveSource(id, half), lease.ErrInUse, lease.ParamAddrs)
	r.advance(shorter.End.Sub(r.now()) + lease.DefaultGuard)
	if err := r.RemoveSource(id, half); err != nil {
		t.Errorf("LEASE-P-8 nobody is left: %v", err)
	}
	if err := r.CloseSource(id, scope.Set{}); err != nil {
		t.Error(err)
	}
	_, err = r.Allocate(as("c"), ipv4)
	r.want("LEASE-L-6 the scope is silent", err, lease.ErrNone, lease.ParamNone)
	n := 0
	for range r.Leases(as("b"), lease.Filter{}) {
		n++
	}
	if n != 16 {
		t.Errorf("LEASE-L-6: %d leases are left, want 16", n)
	}
}

func TestOverlappingScopes(t *testing.T) {
	wide := scope.Scope{Range: scope.MustRange("239.255.0.0", "239.255.3.255"), TTL: 9}
	narrow := scope.Scope{Range: scope.MustRange("239.255.1.0", "239.255.2.255"), TTL: 9}
	r := newRig(t, lease.Config{
		Sources: []lease.Source{{Scope: wide, Addrs: scope.MustSet("239.255.1.0/28")}, {Scope: narrow, Addrs: scope.MustSet("239.255.1.8/29")}},
		Guard:   lease.NoGuard,
	})
	var all scope.Set
	add := func(l lease.Lease) {
		if all.Overlaps(l.Addrs) {
			t.Errorf("LEASE-S-3: %v is leased in two scopes", l.Addrs)
		}
		all, _ = all.Union(l.Addrs)
	}
	for range 4 {
		add(r.get(as("a"), lease.Request{Scope: narrow.ID()}))
	}
	for range 12 {
		add(r.get(as("a"), lease.Request{Scope: wide.ID()}))
	}
	_, err := r.Allocate(as("a"), lease.Request{Scope: narrow.ID()})
	r.want("LEASE-S-3", err, lease.ErrNone, lease.ParamNone)
}

func TestExclude(t *testing.T) {
	r := newRig(t, listed("239.255.1.0/29"))
	mine := r.get(as("a"), lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(time.Hour)})
	theirs, _ := scope.MustSet("239.255.1.0-239.255.1.4").Union(mine.Addrs)
	clashes, err := r.Exclude(mine.Scope, theirs, r.now().Add(10*time.Hour))
	if err != nil || len(clashes) != 1 || !clashes[0].Equal(mine) {
		t.Errorf("LEASE-L-4: clashes %v, %v, want %v", clashes, err, mine)
	}
	u, _ := r.Usage(t.Context(), mine.Scope, r.now().Add(9*time.Hour))
	if u[0].Excluded != theirs.Size() {
		t.Errorf("LEASE-L-4, LEASE-2908.5-2: %v addresses excluded in nine hours, want %v", u[0].Excluded, theirs.Size())
	}
	for {
		l, err := r.Allocate(as("b"), ipv4)
		if err != nil {
			break
		}
		if theirs.Overlaps(l.Addrs) {
			t.Fatalf("LEASE-L-4: granted %v", l.Addrs)
		}
	}
	r.advance(10 * time.Hour)
	r.get(as("c"), lease.Request{Family: lease.IPv4, Addrs: theirs})
}

func TestUsage(t *testing.T) {
	c := listed("239.255.1.0/26")
	c.Guard = 30 * time.Minute
	r := newRig(t, c)
	four := lease.Count{Min: 4}
	first := r.get(as("a"), lease.Request{Family: lease.IPv4, Count: four, Lifetime: lease.Exactly(time.Hour), Start: lease.At(r.now())})
	r.get(as("b"), lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 2}, Lifetime: lease.Exactly(time.Hour), Start: lease.At(r.now().Add(70 * time.Minute))})
	if _, err := r.Offer(as("c"), lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 8}}, time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		after time.Duration
		want  [4]string // free, leased, offered, resting
	}{
		{0, [4]string{"52", "4", "8", "0"}},
		{2 * time.Minute, [4]string{"60", "4", "0", "0"}},
		{65 * time.Minute, [4]string{"60", "0", "0", "4"}},
		{80 * time.Minute, [4]string{"58", "2", "0", "4"}},
		{10 * time.Hour, [4]string{"64", "0", "0", "0"}},
	} {
		u, err := r.Usage(t.Context(), first.Scope, r.now().Add(tt.after))
		if err != nil {
			t.Fatal(err)
		}
		if got := [4]string{u[0].Free.String(), u[0].Leased.String(), u[0].Offered.String(), u[0].Resting.String()}; got != tt.want {
			t.Errorf("LEASE-M-1, LEASE-M-3, LEASE-2908.5-8: after %v free, leased, offered, resting are %v, want %v", tt.after, got, tt.want)
		}
	}
	n := 0
	for h, err := range r.Held(t.Context(), lease.Filter{Addrs: first.Addrs}) {
		if n++; err != nil || h.Who.Name != "a" || !h.Addrs.Equal(first.Addrs) || !h.Start.Equal(first.Start) || !h.End.Equal(first.End) {
			t.Errorf("LEASE-M-2: %+v, %v", h, err)
		}
	}
	if n != 1 {
		t.Errorf("LEASE-M-2: %d holders of %v, want one", n, first.Addrs)
	}
	for range r.Held(t.Context(), lease.Filter{}) {
		r.get(as("c"), ipv4) // no lock is held meanwhile
		break
	}
	t.Log("LEASE-M-5")
}
