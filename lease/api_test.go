// SPDX-License-Identifier: BSD-3-Clause

package lease_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

func TestScopeName(t *testing.T) {
	named := func(names ...scope.Name) scope.Scope {
		s := scope.IPv4Local()
		var err error
		if s.Names, err = scope.NewNames(names...); err != nil {
			t.Fatal(err)
		}
		return s
	}
	de, fr := scope.Name{Tag: "de-CH", Text: "Haus"}, scope.Name{Tag: "fr", Text: "maison", Default: true}
	en := scope.Name{Tag: "en", Text: "house"}
	for _, tt := range []struct {
		id    string
		scope scope.Scope
		tag   string
		want  scope.Name
	}{
		{"LEASE-3.5-1, LEASE-2-5", named(de, fr), "de-CH", de},
		{"LEASE-3.5-1, LEASE-2-4 case", named(de, fr), "DE-ch", de},
		{"LEASE-3.5-2, LEASE-2-6 the default", named(de, fr), "it", fr},
		{"LEASE-3.5-5 whole tags only", named(de, fr), "de", fr},
		{"LEASE-3.5-4 the only one", named(en), "it", en},
		{"LEASE-3.5-4 none", named(de, en), "it", scope.Name{}},
	} {
		if got, err := lease.ScopeName(tt.scope, tt.tag); err != nil || got != tt.want {
			t.Errorf("%s: %q in %v: %v, %v, want %v", tt.id, tt.tag, tt.scope.Names, got, err, tt.want)
		}
	}
	if _, err := lease.ScopeName(scope.Scope{}, "en"); !errors.Is(err, lease.ErrScope) {
		t.Errorf("LEASE-3.5-3: %v", err)
	}
	if got, _ := named(scope.Name{Tag: "de", Text: "Haus"}, fr).Names.Lookup("it", "de-CH"); got.Text != "Haus" {
		t.Errorf("LEASE-3.5-5: lookup found %v", got)
	}
	if _, err := scope.NewNames(en, scope.Name{Tag: "EN", Text: "home"}); err == nil {
		t.Error("LEASE-2-5: two names in one language")
	}
	if _, err := scope.NewNames(fr, scope.Name{Tag: "en", Text: "house", Default: true}); err == nil {
		t.Error("LEASE-2-6: two defaults")
	}

	r := newRig(t, lease.Config{Scopes: []scope.Scope{named(de, fr)}})
	list, err := r.Scopes(t.Context(), lease.IPv4)
	if err != nil || list[0] != named(de, fr) || list[0].TTL != scope.DefaultTTL {
		t.Errorf("LEASE-3.5-6, LEASE-2-7, LEASE-2-15: %v, %v, want the scope with its names and TTL", list, err)
	}
}

func TestNestingQuestions(t *testing.T) {
	a, b, c, d := scope.IPv4Local(), scope.IPv4OrganizationLocal(), scope.IPv4Allocation(), scope.Scope{Range: scope.MustRange("239.1.0.0", "239.1.255.255")}
	known := scope.NewNesting(a.ID(), b.ID(), c.ID(), d.ID())
	for _, yes := range [][2]scope.Scope{{a, b}, {a, c}, {c, b}, {b, c}} {
		if err := known.Set(yes[0].ID(), yes[1].ID(), scope.Yes); err != nil {
			t.Fatal(err)
		}
	}
	r := newRig(t, lease.Config{Scopes: []scope.Scope{a, b, c, d}, Nesting: known})
	n, err := r.Nesting(t.Context(), a.ID(), b.ID(), c.ID(), d.ID())
	if err != nil {
		t.Fatal(err)
	}
	larger, unknown := n.Larger(a.ID())
	if got := slices.Collect(larger); !slices.Equal(got, []scope.ID{b.ID(), c.ID()}) {
		t.Errorf("LEASE-3.7-1, LEASE-3.8-3: larger than a: %v", got)
	}
	if got := slices.Collect(unknown); !slices.Equal(got, []scope.ID{d.ID()}) {
		t.Errorf("LEASE-3.8-4, LEASE-3.7-2, LEASE-3.8-2: not known of a: %v", got)
	}
	larger, _ = n.Larger(b.ID())
	if got := slices.Collect(larger); !slices.Equal(got, []scope.ID{c.ID()}) {
		t.Errorf("LEASE-3.7-3: larger than b, the identical one included: %v", got)
	}
	smaller, _ := n.Smaller(b.ID())
	if got := slices.Collect(smaller); !slices.Equal(got, []scope.ID{a.ID(), c.ID()}) {
		t.Errorf("LEASE-3.8-1: smaller than b: %v", got)
	}
	ab, err := r.Nesting(t.Context(), a.ID(), b.ID(), c.ID())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = ab.Matrix(); !errors.Is(err, lease.ErrNesting) {
		t.Errorf("LEASE-3.6-3: %v, though nothing is known of b in a", err)
	}
	if err := known.Set(b.ID(), a.ID(), scope.No); err != nil {
		t.Fatal(err)
	}
	ab, _ = r.Nesting(t.Context(), a.ID(), b.ID())
	if m, err := ab.Matrix(); err != nil || !m[0][0] || !m[0][1] || m[1][0] {
		t.Errorf("LEASE-2-13: %v, %v, want row nests inside column", m, err)
	}
}

func TestLeaseSaysEverything(t *testing.T) {
	r := newRig(t, lease.Config{})
	l := r.get(as("a"), lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 3}})
	if l.ID == "" || l.Scope != scope.IPv4Local().ID() || l.Family != lease.IPv4 || l.Server.IsValid() || l.Start.Location() != time.UTC {
		t.Errorf("LEASE-2-11, LEASE-2-8: %#v", l)
	}
	if other := r.get(as("a"), ipv4); other.ID == l.ID {
		t.Error("LEASE-W-8: two leases share an identifier")
	}
	same, _ := scope.MustSet("239.255.1.1", "239.255.1.2").Union(scope.MustSet("239.255.1.3"))
	if !same.Equal(scope.MustSet("239.255.1.1-239.255.1.3")) {
		t.Error("LEASE-2-3: equal sets differ")
	}
}

// LEASE-3.10-10, LEASE-2908.2-3, LEASE-2908.2-4: an advance lease has its
// addresses from the day it is granted, and keeps them.
func TestAdvanceAddressesStay(t *testing.T) {
	r := newRig(t, listed("239.255.1.0/28"))
	future := r.get(as("a"), lease.Request{Family: lease.IPv4, Start: lease.NotBefore(r.now().Add(5 * time.Hour)), Lifetime: lease.Exactly(time.Hour)})
	for range 40 {
		r.Allocate(as("b"), lease.Request{Family: lease.IPv4, Lifetime: lease.Between(time.Minute, 2*time.Hour)})
		r.advance(10 * time.Minute)
	}
	for l := range r.Leases(as("a"), lease.Filter{}) {
		if !l.Equal(future) {
			t.Errorf("LEASE-3.10-10: %v has become %v", future, l)
		}
	}
}

// LEASE-L-3, LEASE-2908.5-5, LEASE-2908.5-6: an offer is what stands between
// choosing and granting while peers are asked; if one objects, the addresses
// are excluded and others chosen. LEASE-L-5, LEASE-2908.5-7: offers can be
// made ahead.
func TestClaimAndObjection(t *testing.T) {
	r := newRig(t, listed("239.255.1.0/30"))
	req := lease.Request{Family: lease.IPv4, ID: "\x00claim"}
	claim, err := r.Offer(as("a"), req, 4*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Withdraw(as("a"), claim.ID); err != nil {
		t.Fatal(err)
	}
	if clash, err := r.Exclude(claim.Scope, claim.Addrs, r.now().Add(time.Hour)); err != nil || len(clash) > 0 {
		t.Fatal(clash, err)
	}
	for range 8 {
		second, err := r.Offer(as("a"), req, 4*time.Second)
		if err != nil || second.Addrs.Overlaps(claim.Addrs) {
			t.Fatalf("LEASE-L-3: claimed %v again, %v", second.Addrs, err)
		}
		r.advance(5 * time.Second)
	}
	last, err := r.Offer(as("a"), req, 4*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if l := r.get(as("a"), req); !l.Addrs.Equal(last.Addrs) {
		t.Errorf("LEASE-L-3: granted %v, claimed %v", l.Addrs, last.Addrs)
	}
}

func TestExportImport(t *testing.T) {
	old := newRig(t, lease.Config{})
	a := old.get(as("a"), lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 5}, Key: "k"})
	b := old.get(as("b"), lease.Request{Family: lease.IPv4, Shared: true, Start: lease.NotBefore(old.now().Add(time.Hour))})
	gone := old.get(as("b"), ipv4)
	if err := old.Release(as("b"), gone); err == nil {
		old.advance(time.Second)
	}
	var text bytes.Buffer
	if err := old.Export(t.Context(), &text); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSpace(text.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("LEASE-S-10: exported\n%s", &text)
	}
	r := newRig(t, lease.Config{Store: &lease.MemoryStore{}})
	if err := r.Import(t.Context(), strings.NewReader(text.String())); err != nil {
		t.Fatalf("LEASE-S-10: %v", err)
	}
	if again := r.get(as("a"), lease.Request{Family: lease.IPv4, Key: "k"}); !again.Equal(a) {
		t.Errorf("LEASE-S-10: %v, want %v", again, a)
	}
	if got, err := r.ChangeLifetime(as("x"), b, lease.Window{Max: b.End}); err != nil || !got.Equal(b) {
		t.Errorf("LEASE-S-10: %v, %v, want %v", got, err, b)
	}
	_, err := r.Allocate(as("c"), lease.Request{Family: lease.IPv4, Addrs: gone.Addrs})
	r.want("LEASE-S-10 what rests", err, lease.ErrNone, lease.ParamAddrs)
	for id, bad := range map[string]string{
		"overlap":     strings.Replace(lines[0], `"id":"00`, `"id":"01`, 1),
		"again":       lines[0],
		"other scope": strings.ReplaceAll(lines[0], "239.255.", "239.1."),
	} {
		if err := r.Import(t.Context(), strings.NewReader(bad)); err == nil {
			t.Errorf("LEASE-S-10: %s was taken over: %s", id, bad)
		}
	}
}
