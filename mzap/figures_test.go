// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/mzap/mzaptest"
	"github.com/mcastalloc/malloc/scope"
)

// start starts a network.
func start(t *testing.T, n *mzaptest.Network) *mzaptest.Network {
	t.Helper()
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	return n
}

// logZAMs notes every ZAM that is sent, as "router: path".
func logZAMs(n *mzaptest.Network, origin string) *[]string {
	var log []string
	n.Trace = func(from *mzaptest.Router, s mzap.Send) {
		var m mzap.Message
		if err := m.Decode(s.Packet); err != nil || m.Type != mzap.ZAM || nameOf(n, m.Origin) != origin {
			return
		}
		line := from.Name + ":"
		for _, h := range m.Path {
			line += fmt.Sprintf(" (%s,%s)", nameOf(n, h.Router), nameOf(n, h.LocalZone))
		}
		log = append(log, line)
	}
	return &log
}

// nameOf returns the name of the router with an address.
func nameOf(n *mzaptest.Network, a netip.Addr) string {
	for _, r := range n.Routers() {
		for _, i := range r.Config.Interfaces {
			if i.Addr == a {
				return r.Name
			}
		}
	}
	return "?"
}

// TestFigure2 floods a ZAM of E over three local zones: MZAP-3-1, MZAP-6.3-9,
// MZAP-6.3-10, MZAP-6.3-11, MZAP-6.3-4.
func TestFigure2(t *testing.T) {
	for seed := range uint64(5) {
		n := start(t, mzaptest.Figure2(seed))
		n.Run(2000 * time.Second) // every zone ID has settled
		log := logZAMs(n, "E")
		// The first that does not follow one of X or D within ZAM-DUP-TIME.
		relayed := func() bool { return slices.ContainsFunc(*log, func(s string) bool { return s[0] != 'E' }) }
		if !n.RunUntil(4*time.Hour, relayed) {
			t.Fatalf("seed %d: nobody relays E's ZAMs", seed)
		}
		n.Run(time.Second)
		// E has no Local Scope boundary inside X: it sends once. A and C relay into
		// zones 2 and 3. Whoever hears it first of B and C's zone relays further; G,
		// to whom it comes from outside, never does.
		if slices.ContainsFunc(*log, func(s string) bool { return s[0] == 'G' }) {
			t.Errorf("seed %d: G relays: %v", seed, *log)
		}
		for _, must := range []string{"E:", "A: (A,X)", "C: (C,B)"} {
			if !slices.Contains(*log, must) {
				t.Errorf("seed %d: no ZAM %q in %q", seed, must, *log)
			}
		}
		for _, h := range n.Hosts() {
			if d := h.Listener.Discovered(n.Now()); len(d) != 1 || d[0].Scope.Range.First() != addr("239.130.0.0") {
				t.Errorf("seed %d: host %s knows %v", seed, h.Name, d)
			}
		}
		for _, f := range n.Findings {
			t.Errorf("seed %d: %v", seed, f)
		}
	}
}

// TestFigure2Loss is the example of section 6.3: F, which lost the ZAM from A,
// gets it through B and does not send it back into zone 2, which it has been in
// (MZAP-6.3-12).
func TestFigure2Loss(t *testing.T) {
	n := mzaptest.Figure2(3)
	zone2 := func(l *mzaptest.Link) bool { return l.Name == "zone2" }
	n.Drop = func(to string, on *mzaptest.Link, m *mzap.Message) bool {
		return m.Type == mzap.ZAM && (to == "F" && zone2(on) || to == "C" && !zone2(on) && on.Name == "zone1")
	}
	start(t, n)
	n.Run(2000 * time.Second)
	log := logZAMs(n, "E")
	n.Run(1000 * time.Second)
	if !slices.Contains(*log, "B: (A,X) (B,B)") {
		t.Fatalf("B did not relay into zone 3: %q", *log)
	}
	for _, line := range *log {
		if line[0] == 'F' {
			t.Errorf("F sent %q", line)
		}
	}
}

// TestFigure3 infers nesting: MZAP-3.1-1, MZAP-3-2, MZAP-6.8-1, MZAP-6.1-6.
func TestFigure3(t *testing.T) {
	one, two, three, four, five, six := addr("239.1.0.0"), addr("239.2.0.0"), addr("239.3.0.0"), addr("239.4.0.0"), addr("239.5.0.0"), addr("239.6.0.0")
	for _, c := range []struct {
		name       string
		build      func(uint64) *mzaptest.Network
		a, b       netip.Addr
		aInB, bInA scope.Relation
	}{
		{"a: contained", mzaptest.Figure3a, two, one, scope.Yes, scope.No},
		{"b: common border", mzaptest.Figure3b, four, three, scope.Yes, scope.No},
		{"c: overlap", mzaptest.Figure3c, five, six, scope.No, scope.No},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(5) {
				n := start(t, c.build(seed))
				h := n.Hosts()[0]
				n.Run(780 * time.Second)
				if got := h.Listener.Nesting(n.Now()).Of(c.a, c.b); got == scope.Yes {
					t.Errorf("seed %d: yes long before NIM-HOLDTIME", seed)
				}
				n.Run(3 * time.Hour)
				nest := h.Listener.Nesting(n.Now())
				if got := nest.Of(c.a, c.b); got != c.aInB {
					t.Errorf("seed %d: %v in %v: %v, want %v", seed, c.a, c.b, got, c.aInB)
				}
				if got := nest.Of(c.b, c.a); got != c.bInA {
					t.Errorf("seed %d: %v in %v: %v, want %v", seed, c.b, c.a, got, c.bInA)
				}
				for _, f := range n.Findings {
					t.Errorf("seed %d: %v", seed, f)
				}
			}
		})
	}
}

// TestFigure4 finds the non-convex zone by all three methods: MZAP-4.1-1,
// MZAP-4.1-2, MZAP-4.1-3.
func TestFigure4(t *testing.T) {
	n := start(t, mzaptest.Figure4(1))
	n.Run(3 * time.Hour)
	b := addr("10.2.0.2")
	if nameOf(n, b) != "B" {
		t.Fatalf("%v is not B", b)
	}
	seen := map[string]bool{}
	for _, f := range n.Findings {
		if f.Node == "D" && f.Router == b {
			seen[fmt.Sprint(f.Kind, " by ", f.Message)] = true
		}
		if f.Kind != mzap.NonConvexRoute && f.Kind != mzap.NonConvexSilence {
			t.Errorf("false finding: %v", f)
		}
	}
	for _, want := range []string{"non-convex zone (route) by ZCM", "non-convex zone (silence) by ZCM", "non-convex zone (route) by ZAM"} {
		if !seen[want] {
			t.Errorf("D did not find: %s; it found %v", want, seen)
		}
	}
}

// TestFigure5 finds the leak: E gets A's ZAM from behind (MZAP-4.2-1), and the
// path names the culprit C (MZAP-4.2-3).
func TestFigure5(t *testing.T) {
	n := start(t, mzaptest.Figure5(1))
	n.Run(2 * time.Hour)
	found := false
	for f := range n.Found(mzap.LeakyBoundary) {
		if f.Node != "E" {
			t.Errorf("unexpected: %v", f)
		}
		found = found || nameOf(n, f.Origin) == "A" && slices.ContainsFunc(f.Path, func(h mzap.Hop) bool { return nameOf(n, h.Router) == "C" })
	}
	if !found {
		t.Errorf("E did not find the leak; findings: %v", n.Findings)
	}
}
