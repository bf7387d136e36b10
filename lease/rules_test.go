// SPDX-License-Identifier: BSD-3-Clause

package lease_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// rig is a pool with a clock that the test moves.
type rig struct {
	*lease.Pool
	*clock
	t *testing.T
}

func newRig(t *testing.T, c lease.Config) *rig {
	t.Helper()
	clock := newClock()
	c.Now = clock.now
	if c.Scopes == nil && c.Sources == nil {
		c.Scopes = []scope.Scope{scope.IPv4Local()}
	}
	p, err := lease.NewPool(c)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{p, clock, t}
}

// listed returns a configuration of the IPv4 Local scope with some addresses.
func listed(addrs ...string) lease.Config {
	return lease.Config{Sources: []lease.Source{{Scope: scope.IPv4Local(), Addrs: scope.MustSet(addrs...)}}}
}

func as(name string) context.Context {
	return lease.WithPrincipal(context.Background(), lease.Principal{Name: name, By: lease.ByAuth})
}

var ipv4 = lease.Request{Family: lease.IPv4}

// get allocates what must be granted.
func (r *rig) get(ctx context.Context, req lease.Request) lease.Lease {
	r.t.Helper()
	l, err := r.Allocate(ctx, req)
	if err != nil {
		r.t.Fatal(err)
	}
	return l
}

// want checks an error and the parameter at fault.
func (r *rig) want(id string, err, class error, param lease.Param) {
	r.t.Helper()
	var e *lease.Error
	if !errors.Is(err, class) {
		r.t.Errorf("%s: error %v, want %v", id, err, class)
	} else if errors.As(err, &e) && e.Param != param {
		r.t.Errorf("%s: the parameter at fault is the %v, want the %v", id, e.Param, param)
	}
}

func TestReasonsForNone(t *testing.T) {
	r := newRig(t, listed("239.255.1.1-239.255.1.4"))
	taken := r.get(as("a"), lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 2}, Start: lease.NotBefore(r.now().Add(3 * time.Hour)), Lifetime: lease.Exactly(time.Hour)})
	r.get(as("a"), lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 1}, Lifetime: lease.Exactly(20 * time.Hour)})
	for _, tt := range []struct {
		id    string
		req   lease.Request
		param lease.Param
	}{
		{"LEASE-E-1 fewer than the minimum", lease.Request{Count: lease.Count{Min: 4}}, lease.ParamCount},
		{"LEASE-E-1 not for that long", lease.Request{Count: lease.Count{Min: 3}, Lifetime: lease.AtLeast(3 * time.Hour)}, lease.ParamCount},
		{"LEASE-E-1 not for that long", lease.Request{Addrs: taken.Addrs, Lifetime: lease.AtLeast(3 * time.Hour)}, lease.ParamMinLifetime},
		{"LEASE-E-1 longer than anybody gets", lease.Request{Lifetime: lease.AtLeast(25 * time.Hour)}, lease.ParamMinLifetime},
		{"LEASE-E-1 those are taken", lease.Request{Addrs: taken.Addrs, Start: lease.At(taken.Start)}, lease.ParamAddrs},
	} {
		tt.req.Family = lease.IPv4
		_, err := r.Allocate(as("b"), tt.req)
		r.want(tt.id, err, lease.ErrNone, tt.param)
	}
	r.get(as("b"), lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 3}})
	_, err := r.Allocate(as("b"), lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(time.Hour), Start: lease.NotAfter(r.now().Add(time.Minute))})
	r.want("LEASE-E-1 later", err, lease.ErrNone, lease.ParamMaxStart)
	_, err = r.Allocate(as("b"), ipv4)
	r.want("LEASE-E-1 nothing free", err, lease.ErrNone, lease.ParamNone)
}

func TestOwnership(t *testing.T) {
	r := newRig(t, lease.Config{})
	l := r.get(as("alice"), ipv4)
	missing := l
	missing.ID = "no such lease"
	_, unknown := r.ChangeLifetime(as("bob"), missing, lease.Window{})
	for _, who := range []context.Context{as("bob"), context.Background(), lease.WithPrincipal(context.Background(), lease.Principal{Name: "alice"})} {
		_, err := r.ChangeLifetime(who, l, lease.Window{})
		r.want("LEASE-3.9-2, LEASE-P-5, LEASE-2908.6-3", err, lease.ErrNotLeased, lease.ParamNone)
		if err.Error() != unknown.Error() {
			t.Errorf("LEASE-3.9-4: %q tells the lease from one that does not exist, %q", err, unknown)
		}
		r.want("LEASE-3.9-2, LEASE-2908.6-3", r.Release(who, l), lease.ErrNotLeased, lease.ParamNone)
		for l := range r.Leases(who, lease.Filter{}) {
			t.Errorf("LEASE-P-5: %v sees %v", lease.PrincipalFrom(who), l)
		}
	}
	if err := r.Release(as("alice"), l); err != nil {
		t.Errorf("LEASE-3.9-2: %v", err)
	}
	if err := r.Release(as("alice"), l); err != nil {
		t.Errorf("LEASE-3.3-5: the second release: %v", err)
	}

	shared := r.get(as("alice"), lease.Request{Family: lease.IPv4, Shared: true})
	if _, err := r.ChangeLifetime(as("bob"), shared, lease.Window{}); err != nil {
		t.Errorf("LEASE-3.9-3: a shared lease: %v", err)
	}
	r = newRig(t, lease.Config{Owner: lease.AnyBearer})
	l = r.get(as("alice"), ipv4)
	if err := r.Release(as("bob"), l); err != nil {
		t.Errorf("LEASE-3.9-3, LEASE-4-1: with AnyBearer: %v", err)
	}
}

func TestLateRenewal(t *testing.T) {
	r := newRig(t, lease.Config{Guard: 10 * time.Minute})
	l := r.get(as("a"), lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(time.Hour), Key: "k", ID: "\x00x"})
	r.advance(69 * time.Minute)
	renewed, err := r.Change(as("a"), l, lease.Terms{Lifetime: lease.Exactly(time.Hour)})
	if err != nil || !renewed.End.Equal(r.now().Add(time.Hour)) || !renewed.Addrs.Equal(l.Addrs) {
		t.Fatalf("LEASE-3.2-6, LEASE-W-13: inside the extra time: %v, %v", renewed, err)
	}
	r.advance(70 * time.Minute)
	_, err = r.Change(as("a"), l, lease.Terms{})
	r.want("LEASE-3.2-6 after it", err, lease.ErrNotLeased, lease.ParamNone)

	l = r.get(as("a"), lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(time.Hour), ID: "\x00y"})
	r.advance(65 * time.Minute)
	other := r.get(as("b"), lease.Request{Family: lease.IPv4, ID: "\x00y"})
	_, err = r.Change(as("a"), l, lease.Terms{})
	r.want("LEASE-S-4 a newer lease has the identifier", err, lease.ErrNotLeased, lease.ParamNone)
	if err := r.Release(as("b"), other); err != nil {
		t.Error(err)
	}
}

func TestSticky(t *testing.T) {
	r := newRig(t, lease.Config{})
	req := lease.Request{Family: lease.IPv4, Key: "k", Lifetime: lease.Exactly(time.Hour), Count: lease.Count{Min: 3}}
	l := r.get(as("a"), req)
	r.advance(90 * time.Minute)
	if again := r.get(as("a"), req); !again.Addrs.Equal(l.Addrs) || again.ID == l.ID {
		t.Errorf("LEASE-S-8: %v, had %v", again, l)
	}
	if other := r.get(as("b"), req); other.Addrs.Overlaps(l.Addrs) {
		t.Errorf("LEASE-3.1-17: another principal's key gave %v", other)
	}
}

func TestRested(t *testing.T) {
	r := newRig(t, listed("239.255.1.0/28"))
	order := []lease.Lease{}
	for range 16 {
		order = append(order, r.get(as("a"), lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(time.Hour)}))
	}
	for _, i := range []int{7, 3, 11} {
		r.advance(time.Minute)
		if err := r.Release(as("a"), order[i]); err != nil {
			t.Fatal(err)
		}
	}
	r.advance(58*time.Minute - time.Second)
	_, err := r.Allocate(as("b"), ipv4)
	r.want("LEASE-S-7 a second too early", err, lease.ErrNone, lease.ParamNone)
	r.advance(3 * time.Minute)
	for _, i := range []int{7, 3, 11} {
		if l := r.get(as("b"), ipv4); !l.Addrs.Equal(order[i].Addrs) {
			t.Errorf("LEASE-S-7: got %v, want %v, which has rested longest", l.Addrs, order[i].Addrs)
		}
	}
}

func TestTryLater(t *testing.T) {
	r := newRig(t, listed("239.255.1.1"))
	r.get(as("a"), lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(time.Hour)})
	req := lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(time.Hour)}
	_, err := r.Allocate(as("b"), req)
	r.want("LEASE-W-5 not offered", err, lease.ErrNone, lease.ParamNone)
	req.Retry = true
	_, err = r.Allocate(as("b"), req)
	var later *lease.TryLaterError
	if !errors.As(err, &later) || !errors.Is(err, lease.ErrTryLater) || !later.At.Equal(r.now().Add(2*time.Hour)) {
		t.Fatalf("LEASE-3.1-13: %v, want to try again in two hours", err)
	}
	at := later.At
	_, err = r.Resume(as("b"), later.Pending)
	if !errors.As(err, &later) || !later.At.Equal(at) {
		t.Errorf("LEASE-W-5 too early: %v, want the same answer", err)
	}
	_, err = r.Change(as("b"), lease.Lease{ID: later.Pending.Request.ID, Family: lease.IPv4}, lease.Terms{})
	r.want("LEASE-W-5 renewal of what is pending", err, lease.ErrNotLeased, lease.ParamNone)
	if _, err = r.Allocate(as("c"), req); !errors.As(err, &later) || !later.At.After(at) {
		t.Errorf("LEASE-2-14: the second in line: %v, want a later instant than %v", err, at)
	}
	second := later.Pending
	r.advance(at.Sub(r.now()))
	_, err = r.Allocate(as("d"), ipv4)
	r.want("LEASE-3.1-13 somebody else at that instant", err, lease.ErrNone, lease.ParamNone)
	for l, err := range r.Leases(as("b"), lease.Filter{}) {
		t.Errorf("LEASE-E-2: %v, %v is leased", l, err)
	}
	if err := r.Cancel(as("c"), second); err != nil {
		t.Errorf("cancel: %v", err)
	}
	r.want("cancelled twice", r.Cancel(as("c"), second), lease.ErrNotLeased, lease.ParamNone)
}

func TestResume(t *testing.T) {
	r := newRig(t, listed("239.255.1.1"))
	r.get(as("a"), lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(time.Hour)})
	_, err := r.Allocate(as("b"), lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(time.Hour), Retry: true, Key: "k"})
	var later *lease.TryLaterError
	if !errors.As(err, &later) {
		t.Fatal(err)
	}
	r.advance(later.At.Sub(r.now()))
	l, err := r.Resume(as("b"), later.Pending)
	if err != nil || l.ID != later.Pending.Request.ID || !l.Start.Equal(r.now()) {
		t.Errorf("LEASE-W-5: %v, %v", l, err)
	}

	r = newRig(t, listed("239.255.1.1"))
	r.get(as("a"), lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(time.Hour)})
	if _, err = r.Allocate(as("b"), lease.Request{Family: lease.IPv4, Retry: true}); !errors.As(err, &later) {
		t.Fatal(err)
	}
	r.advance(later.At.Sub(r.now()) + 32*time.Minute)
	if l, err := r.Allocate(as("c"), ipv4); err != nil {
		t.Errorf("abandoned by b, but not free: %v, %v", l, err)
	}
}

func TestClockSteps(t *testing.T) {
	r := newRig(t, lease.Config{})
	l := r.get(as("a"), ipv4)
	r.advance(-20 * time.Minute)
	if _, err := r.Allocate(as("a"), ipv4); err != nil {
		t.Errorf("LEASE-S-6 within the skew: %v", err)
	}
	r.advance(-20 * time.Minute)
	_, err := r.Allocate(as("a"), ipv4)
	var skew *lease.SkewError
	if !errors.As(err, &skew) || !errors.Is(err, lease.ErrSkew) || skew.Offset != 40*time.Minute {
		t.Errorf("LEASE-S-6 beyond the skew: %v", err)
	}
	n := 0
	for range r.Leases(as("a"), lease.Filter{}) {
		n++
	}
	if n != 2 || r.Release(as("a"), l) != nil {
		t.Errorf("LEASE-S-6: %d leases stay valid, want 2", n)
	}
	r.advance(30 * time.Minute)
	if _, err := r.Allocate(as("a"), ipv4); err != nil {
		t.Errorf("LEASE-S-6 when the clock has caught up: %v", err)
	}
	l = r.get(as("a"), lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(time.Hour)})
	r.advance(100 * time.Minute) // forwards, by mistake
	_, err = r.Allocate(as("b"), lease.Request{Family: lease.IPv4, Addrs: l.Addrs})
	r.want("LEASE-S-6 a step forwards within the hold-down", err, lease.ErrNone, lease.ParamAddrs)
}

func TestScopesAndNesting(t *testing.T) {
	local, org, allocation := scope.IPv4Local(), scope.IPv4OrganizationLocal(), scope.IPv4Allocation()
	nesting := scope.NewNesting(local.ID(), org.ID(), allocation.ID())
	if err := nesting.Set(allocation.ID(), local.ID(), scope.Yes); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, lease.Config{Scopes: []scope.Scope{org, local, allocation, scope.IPv6(5)}, Nesting: nesting})
	list, err := r.Scopes(t.Context(), lease.IPv4)
	if want := []scope.Scope{allocation, local, org}; err != nil || !slices.Equal(list, want) {
		t.Errorf("LEASE-3.4-5, LEASE-2-15: %v, %v, want %v", list, err, want)
	}
	if l := r.get(as("a"), ipv4); l.Scope != org.ID() {
		t.Errorf("LEASE-3.1-8: the default scope is %v, want the first", l.Scope)
	}
	n, err := r.Nesting(t.Context(), local.ID(), allocation.ID(), org.ID())
	if err != nil || n.Of(allocation.ID(), local.ID()) != scope.Yes || n.Of(local.ID(), org.ID()) != scope.Unknown {
		t.Errorf("LEASE-3.6-4, LEASE-N-5: %v, %v", n, err)
	}
	if _, err := n.Matrix(); !errors.Is(err, lease.ErrNesting) {
		t.Errorf("LEASE-3.6-3: %v", err)
	}
	_, err = r.Nesting(t.Context(), local.ID(), scope.IPv6(5).ID())
	r.want("LEASE-3.6-2 two families", err, lease.ErrScope, lease.ParamScope)

	r = newRig(t, lease.Config{})
	if list, err := r.Scopes(t.Context(), lease.IPv6); err != nil || len(list) != 0 {
		t.Errorf("LEASE-3.4-3: %v, %v, want an empty list", list, err)
	}
	_, err = r.Allocate(t.Context(), lease.Request{Family: lease.IPv6})
	r.want("LEASE-3.1-8 no default scope", err, lease.ErrScope, lease.ParamScope)
}

func TestWhichAddresses(t *testing.T) {
	big := func(a, b string) scope.Scope { return scope.Scope{Range: scope.MustRange(a, b), TTL: 255} }
	ipv6 := scope.IPv6(5)
	for _, tt := range []struct {
		id    string
		src   lease.Source
		want  string // size of what can be granted
		never []string
	}{
		{"LEASE-2908.2.1-2, LEASE-2908.4-2, LEASE-U-1", lease.Source{Scope: scope.IPv4Local()}, "65280", []string{"239.255.255.0", "239.255.255.255"}},
		{"LEASE-U-5 aliases", lease.Source{Scope: big("239.0.0.0", "239.255.255.255")}, fmt.Sprint(1<<24 - 3*256), []string{"239.0.0.7", "239.128.0.255"}},
		{"LEASE-U-5 if asked for", lease.Source{Scope: big("239.0.0.0", "239.255.255.255"), Addrs: scope.MustSet("239.128.0.0/24"), Exact: true}, "256", nil},
		{"LEASE-U-1 link local, documentation", lease.Source{Scope: big("224.0.0.0", "238.255.255.255"), Addrs: scope.MustSet("224.0.0.0/23", "233.252.0.0/23"), Exact: true}, "512", []string{"224.0.0.1", "233.252.0.9"}},
		{"LEASE-U-3 group IDs", lease.Source{Scope: ipv6}, fmt.Sprint(0x7f000000), []string{"ff15::1:2", "ff15::ff00:1", "ff05::8000:1", "ff15::7fff:ffff"}},
		{"LEASE-U-1 permanent IPv6", lease.Source{Scope: ipv6, Addrs: scope.MustSet("ff05::8000:0/120", "ff15::8000:0/120"), Exact: true}, "256", []string{"ff05::8000:1"}},
		{"LEASE-U-2 only as configured", lease.Source{Scope: ipv6, Addrs: scope.MustSet("ff35::8000:0/120")}, "256", nil},
		{"LEASE-2908.4-3", lease.Source{Scope: scope.IPv4Global(), Addrs: scope.MustSet("234.5.6.0/24")}, "256", nil},
	} {
		t.Run(tt.id, func(t *testing.T) {
			p, err := lease.NewPool(lease.Config{Sources: []lease.Source{tt.src}})
			if err != nil {
				t.Fatal(err)
			}
			u, err := p.Usage(t.Context(), tt.src.Scope.ID(), time.Now())
			if err != nil || u[0].Size.String() != tt.want || u[0].Free != u[0].Size {
				t.Fatalf("LEASE-U-8: %v addresses, %v, want %v", u[0].Size, err, tt.want)
			}
			for _, a := range tt.never {
				one, _ := scope.SetOf(scope.Single(netip.MustParseAddr(a)))
				if l, err := p.Allocate(t.Context(), lease.Request{Scope: tt.src.Scope.ID(), Addrs: one}); err == nil {
					t.Errorf("granted %v", l)
				}
			}
		})
	}
	for id, src := range map[string]lease.Source{
		"LEASE-2908.4-3 all of a divisible scope": {Scope: scope.IPv4Global()},
		"LEASE-2908.2.1-2 nothing but relative":   {Scope: big("239.1.1.0", "239.1.1.255")},
		"LEASE-2-2 unicast":                       {Scope: big("10.0.0.0", "10.0.255.255")},
		"LEASE-L-1 outside the scope":             {Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.254.0.0/24")},
	} {
		if _, err := lease.NewPool(lease.Config{Sources: []lease.Source{src}}); !errors.Is(err, lease.ErrScope) {
			t.Errorf("%s: %v, want a bad scope", id, err)
		}
	}
}

// LEASE-U-6: every address has the same chance.
func TestChoiceIsUniform(t *testing.T) {
	c := listed("239.255.1.0-239.255.1.7")
	c.Sources = append(c.Sources, lease.Source{Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.2.0-239.255.2.23")})
	c.Guard = lease.NoGuard
	const rounds = 400
	hits := map[netip.Addr]int{}
	for range rounds {
		r := newRig(t, c)
		hits[r.get(as("a"), ipv4).Addr()]++
	}
	low, high := rounds, 0
	for _, n := range hits {
		low, high = min(low, n), max(high, n)
	}
	if len(hits) < 28 || high > 4*rounds/32 {
		t.Errorf("LEASE-U-6: of 32 addresses %d were chosen, between %d and %d times of %d", len(hits), low, high, rounds)
	}
}

// The end of a lease does not go to its start or before it, begun or not.
func TestEndBeforeStart(t *testing.T) {
	r := newRig(t, lease.Config{})
	start := r.now().Add(time.Hour)
	l := r.get(as("a"), lease.Request{Family: lease.IPv4, Start: lease.At(start), Lifetime: lease.Exactly(time.Hour)})
	for _, end := range []time.Time{start, start.Add(-time.Minute)} {
		_, err := r.ChangeLifetime(as("a"), l, lease.At(end))
		r.want("LEASE-3.2-4 not begun", err, lease.ErrLifetime, lease.ParamLifetime)
	}
	r.advance(90 * time.Minute)
	_, err := r.ChangeLifetime(as("a"), l, lease.At(start))
	r.want("LEASE-3.2-4 begun", err, lease.ErrLifetime, lease.ParamLifetime)
}
