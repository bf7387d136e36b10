// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/scope"
)

// ear is a listener on a bench.
type ear struct {
	*testing.T
	l   *mzap.Listener
	now time.Time
}

func newEar(t *testing.T, cfg mzap.ListenerConfig) *ear {
	t.Helper()
	l, err := mzap.NewListener(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &ear{t, l, epoch}
}

// hear gives the listener a message and returns the effects.
func (e *ear) hear(m *mzap.Message) []mzap.Effect { return e.hearFrom(m, false) }

func (e *ear) hearFrom(m *mzap.Message, authenticated bool) []mzap.Effect {
	e.Helper()
	b, err := m.AppendBinary(nil)
	if err != nil {
		e.Fatal(err)
	}
	if err := e.l.Receive(e.now, mzap.Packet{From: m.Origin, Interface: 1, Authenticated: authenticated, Payload: b}); err != nil {
		e.Fatal(err)
	}
	return slices.Collect(e.l.Effects())
}

// wait lets time pass, stopping at every deadline.
func (e *ear) wait(d time.Duration) (out []mzap.Effect) {
	end := e.now.Add(d)
	for {
		at, ok := e.l.Deadline()
		if !ok || at.After(end) {
			break
		}
		e.now = at
		e.l.Advance(e.now)
		out = append(out, slices.Collect(e.l.Effects())...)
		if next, ok := e.l.Deadline(); ok && !next.After(at) {
			e.Fatalf("the deadline %v does not move", next)
		}
	}
	e.now = end
	return out
}

func ids(scopes []scope.Scope) (out []scope.ID) {
	for _, s := range scopes {
		out = append(out, s.ID())
	}
	return out
}

// TestKnowingNothing: MZAP-6.1-3, MZAP-A-19.
func TestKnowingNothing(t *testing.T) {
	e := newEar(t, mzap.ListenerConfig{})
	want := []scope.ID{addr("239.255.0.0"), addr("224.0.1.0"), addr("ff03::"), addr("ff0e::")}
	if got := ids(e.l.Scopes(e.now)); !slices.Equal(got, want) {
		t.Errorf("scopes %v, want %v", got, want)
	}
	if got := ids(e.l.Allocatable(e.now)); !slices.Equal(got, []scope.ID{want[0], want[2]}) {
		t.Errorf("allocatable %v: only the Local Scopes are not divisible", got)
	}
	n := e.l.Nesting(e.now, want[0], want[1])
	if n.Of(want[0], want[1]) != scope.Yes || n.Of(want[1], want[0]) != scope.No {
		t.Error("Local in Global at once, and never the other way")
	}
	if all := e.l.Nesting(e.now); len(all.IDs()) != 4 || all.Of(want[0], want[3]) != scope.Unknown {
		t.Error("families are not compared")
	}
	if _, ok := e.l.Deadline(); ok {
		t.Error("a deadline for nothing")
	}
}

// TestDiscovery is the life of a scope: MZAP-5.1-4, MZAP-A-11, MZAP-A-19,
// MZAP-A-25, MZAP-6.1-1, MZAP-6.1-4, MZAP-6.1-5, MZAP-A-4.
func TestDiscovery(t *testing.T) {
	e := newEar(t, mzap.ListenerConfig{TTL: 63})
	big := zam(scopeX, "10.0.0.9")
	big.Divisible = true
	got := ofType[mzap.Appeared](e.hear(big))
	want := scopeX
	want.TTL, want.Divisible = 63, true
	if len(got) != 1 || got[0].Scope != want || got[0].ZoneID != addr("10.0.0.9") || got[0].FirstHeard != epoch || got[0].Expires != epoch.Add(1860*time.Second) {
		t.Errorf("appeared: %+v", got)
	}
	if !slices.Contains(e.l.Scopes(e.now), want) {
		t.Error("MZAP-6.1-5: a divisible scope is not stored")
	}
	if slices.Contains(e.l.Allocatable(e.now), want) {
		t.Error("MZAP-6.1-4: a divisible scope is allocatable")
	}
	e.now = e.now.Add(1000 * time.Second)
	if got := e.hear(big); len(got) != 0 {
		t.Errorf("a mere refresh: %v", got)
	}
	small := zam(mzaptestScope("New X", "239.130.0.0", "239.130.255.255"), "10.0.0.9")
	if got := ofType[mzap.Changed](e.hear(small)); len(got) != 1 || got[0].Old.Scope != want || got[0].New.Scope.Divisible || got[0].New.FirstHeard != epoch {
		t.Errorf("changed: %+v", got)
	}
	if len(e.l.Allocatable(e.now)) != 3 {
		t.Error("MZAP-6.1-4: with B clear it is allocatable")
	}
	small.ZoneID = addr("10.0.0.7")
	if got := ofType[mzap.Changed](e.hear(small)); len(got) != 1 || got[0].New.ZoneID != addr("10.0.0.7") {
		t.Errorf("Zone ID changed: %+v", got)
	}
	if got := e.wait(1860*time.Second - 1); len(got) != 0 || len(e.l.Discovered(e.now)) != 1 {
		t.Errorf("before expiry: %v", got)
	}
	if got := ofType[mzap.Gone](e.wait(1)); len(got) != 1 || got[0].Scope.ID() != scopeX.ID() || len(e.l.Discovered(e.now)) != 0 {
		t.Errorf("at the instant of expiry: %v", got)
	}
	e.hear(small)
	if d := e.l.Discovered(e.now); d[0].FirstHeard != e.now {
		t.Error("MZAP-A-19: first heard did not restart when it came back")
	}
	small.HoldTime = 0
	if got := ofType[mzap.Gone](e.hear(small)); len(got) != 1 || len(e.l.Discovered(e.now)) != 0 {
		t.Errorf("MZAP-A-11: withdrawn: %v", got)
	}
	if got := e.hear(small); len(got) != 0 {
		t.Errorf("withdrawn twice: %v", got)
	}
	tiny := zam(mzaptestScope("tiny", "239.1.0.0", "239.1.0.0"), "10.0.0.9")
	if got := ofType[mzap.Appeared](e.hear(tiny)); len(got) != 1 {
		t.Error("MZAP-A-4: a scope of one address is fine for a listener")
	}
}

// TestListenerIgnores: MZAP-5.1-1, MZAP-A-24, MZAP-3.2-1.
func TestListenerIgnores(t *testing.T) {
	e := newEar(t, mzap.ListenerConfig{})
	for _, s := range []scope.Scope{localScope, scope.IPv4LinkLocal(), scope.IPv4Global()} {
		e.hear(zam(s, "10.0.0.9"))
	}
	e.hear(zcm(scopeX, "10.0.0.9"))
	zle := zam(scopeX, "10.0.0.9")
	zle.Type = mzap.ZLE
	e.hear(zle)
	six := golden(t, "w6")
	e.l.Receive(e.now, mzap.Packet{From: addr("192.0.2.1"), Payload: six})
	if e.l.Receive(e.now, mzap.Packet{Payload: six[:50]}) == nil {
		t.Error("no error for a malformed message")
	}
	if got := e.l.Discovered(e.now); len(got) != 0 {
		t.Errorf("discovered %v", got)
	}
	if s := e.l.Stats(); s.Unannounceable != 3 || s.Foreign != 1 || s.Malformed != 1 || s.Received != [4]uint64{3, 1, 1, 0} {
		t.Errorf("%+v", s)
	}
	if err := e.l.Receive(e.now, mzap.Packet{From: addr("2001:db8::1"), Payload: six}); err != nil || len(e.l.Discovered(e.now)) != 1 {
		t.Errorf("an IPv6 scope: %v", err)
	}
}

// TestNestingInTime: at exactly NIM-HOLDTIME both conditions hold. MZAP-6.1-6,
// MZAP-A-19, MZAP-A-22, MZAP-7-12.
func TestNestingInTime(t *testing.T) {
	const hold = 5460 * time.Second
	e := newEar(t, mzap.ListenerConfig{})
	x, y := zam(scopeX, "10.0.0.9"), zam(scopeY, "10.0.0.9")
	x.HoldTime, y.HoldTime = 65535*time.Second, 65535*time.Second
	of := func() [2]scope.Relation {
		n := e.l.Nesting(e.now, scopeX.ID(), scopeY.ID())
		return [2]scope.Relation{n.Of(scopeX.ID(), scopeY.ID()), n.Of(scopeY.ID(), scopeX.ID())}
	}
	check := func(what string, xy, yx scope.Relation) {
		t.Helper()
		if got := of(); got != [2]scope.Relation{xy, yx} {
			t.Errorf("%s: X in Y %v, Y in X %v, want %v, %v", what, got[0], got[1], xy, yx)
		}
	}
	e.hear(x)
	check("Y never heard of", scope.Unknown, scope.Unknown)
	e.now = epoch.Add(100 * time.Second)
	e.hear(y)
	n := e.l.Nesting(e.now, scopeX.ID(), localScope.ID(), scope.IPv4Global().ID())
	if n.Of(localScope.ID(), scopeX.ID()) != scope.Yes || n.Of(scopeX.ID(), scope.IPv4Global().ID()) != scope.Yes ||
		n.Of(scopeX.ID(), localScope.ID()) != scope.No || n.Of(scope.IPv4Global().ID(), scopeX.ID()) != scope.No {
		t.Error("MZAP-A-19: Local and Global need no waiting")
	}
	if got := ofType[mzap.NestingChanged](e.hear(nim(scopeY, scopeX, "10.0.0.9"))); len(got) != 1 {
		t.Errorf("a first NIM: %v", got)
	}
	check("objected to", scope.Unknown, scope.No)
	if got := e.hear(nim(scopeY, scopeX, "10.0.0.9")); len(got) != 0 {
		t.Errorf("the same again: %v", got)
	}
	changes := ofType[mzap.NestingChanged](e.wait(hold - 1))
	check("one moment before the hold time", scope.Unknown, scope.No)
	changes = append(changes, ofType[mzap.NestingChanged](e.wait(1))...)
	check("at the hold time", scope.Yes, scope.Yes) // the objection is as old
	if len(changes) != 2 {
		t.Errorf("%d changes told, want one when X and one when Y is known for long enough", len(changes))
	}
	e.hear(nim(mzaptestScope("Y", "239.140.0.0", "239.140.0.9"), scopeX, "10.0.0.9"))
	check("MZAP-A-22: a NIM is about starts", scope.Yes, scope.No)
	e.hear(nim(scopeX, scopeY, "10.0.0.9"))
	check("both objected to", scope.No, scope.No)
	if got := ofType[mzap.NestingChanged](e.wait(hold)); len(got) != 1 {
		t.Errorf("both objections end at once: %v", got)
	}
	check("silence", scope.Yes, scope.Yes)
}

// TestAuthentication: MZAP-8-6, MZAP-8-7, MZAP-8-1.
func TestAuthentication(t *testing.T) {
	e := newEar(t, mzap.ListenerConfig{})
	forged := zam(mzaptestScope("Forged", "239.130.0.0", "239.130.255.255"), "10.0.0.6")
	if e.hear(forged); len(e.l.Discovered(e.now)) != 1 {
		t.Error("unauthenticated ones count until there is better")
	}
	if got := ofType[mzap.Changed](e.hearFrom(zam(scopeX, "10.0.0.9"), true)); len(got) != 1 {
		t.Error("an authenticated one replaces it")
	}
	if got := ofType[mzap.Changed](e.hear(forged)); len(got) != 0 || e.l.Discovered(e.now)[0].Scope.Names != scopeX.Names {
		t.Error("MZAP-8-6: an unauthenticated ZAM changed an authenticated scope")
	}
	forged.HoldTime = 0
	if e.hear(forged); len(e.l.Discovered(e.now)) != 1 {
		t.Error("MZAP-8-6: an unauthenticated ZAM withdrew an authenticated scope")
	}
	e.wait(1860 * time.Second)
	forged.HoldTime = time.Second
	if e.hear(forged); len(e.l.Discovered(e.now)) != 1 {
		t.Error("after the authenticated one is gone, others count again")
	}
	e = newEar(t, mzap.ListenerConfig{AuthenticatedOnly: true})
	e.hear(forged)
	e.hear(nim(scopeX, scopeY, "10.0.0.6"))
	if s := e.l.Snapshot(e.now); len(s.Scopes)+len(s.NotInside) != 0 || e.l.Stats().Unauthenticated != 2 {
		t.Errorf("MZAP-8-7: %+v", s)
	}
}

// TestListenerFindings: a listener sees conflicts too. MZAP-4.4-1, MZAP-4.4-2.
func TestListenerFindings(t *testing.T) {
	e := newEar(t, mzap.ListenerConfig{})
	e.hear(zam(scopeX, "10.0.0.9"))
	if k := kinds(e.hear(zam(mzaptestScope("Not X", "239.130.0.0", "239.130.255.255"), "10.0.0.8"))); !slices.Equal(k, []mzap.FindingKind{mzap.NameConflict}) {
		t.Errorf("another router's name: %v", k)
	}
	if k := kinds(e.hear(zam(mzaptestScope("Renamed", "239.130.0.0", "239.130.255.255"), "10.0.0.8"))); k != nil {
		t.Errorf("a router changes its mind: %v", k)
	}
	if k := kinds(e.hear(zam(mzaptestScope("W", "239.130.128.0", "239.131.0.0"), "10.0.0.8"))); !slices.Equal(k, []mzap.FindingKind{mzap.RangeConflict}) {
		t.Errorf("overlap: %v", k)
	}
	if k := kinds(e.hear(zam(mzaptestScope("L", "239.255.0.0", "239.255.0.255"), "10.0.0.8"))); !slices.Equal(k, []mzap.FindingKind{mzap.RangeConflict}) {
		t.Errorf("overlap with the Local Scope: %v", k)
	}
}

// TestNames converts between scopes and messages, and picks one to show.
// MZAP-A-12, MZAP-A-13, MZAP-A-14, MZAP-5-14, MZAP-5-18, MZAP-4.4-3.
func TestNames(t *testing.T) {
	list := []mzap.Name{
		{Tag: []byte("de"), Text: []byte("eins")},
		{Tag: []byte("en-US"), Text: []byte(" one\u2003"), Default: true},
		{Tag: []byte("DE"), Text: []byte("zwei"), Default: true},
		{Tag: []byte("fr"), Text: []byte("deux"), Default: true},
		{Tag: nil, Text: []byte("nameless tongue")},
		{Tag: []byte("it"), Text: []byte("bell\a")},
		{Tag: []byte("es"), Text: []byte("\u3000")},
	}
	want := names(t, scope.Name{Tag: "de", Text: "eins"}, scope.Name{Tag: "en-US", Text: "one", Default: true}, scope.Name{Tag: "fr", Text: "deux"})
	if got := mzap.ScopeNames(list); got != want {
		t.Errorf("ScopeNames: %v", slices.Collect(got.All()))
	}
	for _, c := range []struct{ tag, want string }{
		{"DE", "eins"}, {"en-us", " one\u2003"}, {"en", " one\u2003"}, {"xx", " one\u2003"}, {"", "nameless tongue"},
	} {
		if got, ok := mzap.PickName(list, c.tag); !ok || string(got.Text) != c.want {
			t.Errorf("PickName(%q) = %q, want %q", c.tag, got.Text, c.want)
		}
	}
	if got, ok := mzap.PickName(list[:1], "en"); !ok || string(got.Text) != "eins" {
		t.Errorf("without a default the first: %q", got.Text)
	}
	if _, ok := mzap.PickName(nil, "en"); ok {
		t.Error("a name out of none")
	}
	spaced := names(t, scope.Name{Tag: "en", Text: "\u2003Example Corp ", Default: true}, scope.Name{Tag: "de", Text: "  "})
	if d := cmp.Diff([]mzap.Name{{Default: true, Tag: []byte("en"), Text: []byte("Example Corp")}}, mzap.WireNames(spaced)); d != "" {
		t.Errorf("MZAP-5-18: %s", d)
	}
}
