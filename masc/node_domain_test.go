// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/masc"
)

// TestLeaf: MASC-12.2-4, MASC-12.2-5, MASC-12.2-6, MASC-12.2-7, MASC-12.2-8,
// MASC-12.2-2, MASC-12.2-3, MASC-4.1-2, MASC-D-61, MASC-3-3.
func TestLeaf(t *testing.T) {
	w := newTown(t, nil)
	w.ok("P1", of(10, masc.PrefixManaged, masc.Internal, "228.10.0.0/16"))
	w.ok("I1", of(100, masc.PrefixManaged, masc.Internal, "228.10.0.0/20"))
	w.did()
	w.n.SetDemand(w.now, 0, masc.Demand{InUse: 1024, Want: 1100, Used: func(p masc.Prefix) float64 {
		if common, ok := p.Meet(masc.MustPrefix("228.10.0.0/22")); ok {
			return common.Size()
		}
		return 0
	}})
	w.did()
	if got := w.n.Allotments(w.now); got[0].Use {
		t.Error("a fresh node has not heard of everything:", got)
	}
	w.now = w.now.Add(49 * time.Hour)
	w.n.Advance(w.now)
	w.did()
	if got := w.n.Allotments(w.now); !w.n.IsLeaf() || len(got) != 1 || !got[0].Use || !got[0].Route {
		t.Error("MASC-12.2-4 MASC-12.2-5:", got)
	}
	now := func(c masc.Claim) masc.Claim { c.Timestamp = masc.StampOf(w.now); c.Lifetime = 86400 * 5; return c }
	w.ok("A1", now(of(200, masc.NewClaim, masc.Internal, "228.10.8.0/24")))
	got := w.did()
	if w.n.IsLeaf() || !strings.Contains(got, "PREFIX_IN_USE CHILD 228.10.0.0/21") {
		t.Error("MASC-12.2-6 MASC-D-61:", got)
	}
	for _, a := range w.n.Allotments(w.now) {
		if a.Use && a.Prefix != masc.MustPrefix("228.10.0.0/21") {
			t.Error("MASC-D-61:", a)
		}
	}
	w.ok("A1", now(of(200, masc.NewClaim, masc.Internal, "228.10.1.0/24")))
	if got := w.did(); !strings.Contains(got, "A1 A2: CLAIM_DENIED INTERNAL 228.10.1.0/24") {
		t.Error("MASC-D-61:", got)
	}
	w.n.SetDemand(w.now, 0, masc.Demand{InUse: 1024, Want: 3000})
	got = w.did() + w.wait(time.Hour)
	if !strings.Contains(got, "I1 I2 A1 A2 B1: NEW_CLAIM CHILD 228.10.12.0/22") {
		t.Error("MASC-12.2-7 MASC-12.2-3:", got)
	}
	if used := w.n.Stats(); used.Allocated != 0 {
		t.Error("MASC-12.2-2")
	}
	w.n.SetDemand(w.now, 0, masc.Demand{})
	w.wait(8 * day)
	if !w.n.IsLeaf() {
		t.Error("MASC-12.2-8")
	}
}

// TestParentRefuses: MASC-11.4.3-4, MASC-18-1, MASC-D-66.
func TestParentRefuses(t *testing.T) {
	w := newTown(t, func(c *masc.NodeConfig) {
		c.HardLimit, c.SoftLimit, c.MaxLifetime = 1024, 512, 20*day
		c.Deny = func(c masc.Claim) bool { return c.Prefix == masc.MustPrefix("228.10.15.0/24") }
	}).settle()
	claim := func(p string, life time.Duration) string {
		c := of(200, masc.NewClaim, masc.Internal, p)
		c.Lifetime = masc.SecondsOf(life)
		w.ok("A1", c)
		got := w.did()
		if _, rest, denied := strings.Cut(got, "CLAIM_DENIED"); denied {
			return "denied" + rest
		}
		return "passed"
	}
	w.want("MASC-D-49 the same end is not longer", claim("228.10.2.0/25", 20*day), "passed")
	w.want("MASC-D-66 too long is denied first", claim("228.10.2.128/25", 20*day+time.Second), "denied INTERNAL 228.10.2.128/25")
	w.want("MASC-11.4.3-4 by configuration", claim("228.10.15.0/24", 10*day), "denied INTERNAL 228.10.15.0/24")
	w.alert = nil
	w.want("MASC-18-1 soft limit", claim("228.10.3.0/25", 10*day), "passed")
	if len(w.alert) == 0 {
		t.Error("MASC-18-1: nobody is told")
	}
	w.want("MASC-18-1 hard limit", claim("228.10.4.0/22", 10*day), "denied INTERNAL 228.10.4.0/22")
	for c := range w.n.Claims(w.now) {
		if c.Type == masc.ClaimDenied && c.Prefix == masc.MustPrefix("228.10.2.128/25") && c.Lifetime.Duration() != 20*day {
			t.Error("MASC-11.4.3-5:", c)
		}
	}
}

// TestTrust: MASC-14-4, MASC-14-5, MASC-14-6, MASC-D-57.
func TestTrust(t *testing.T) {
	strict := func(c *masc.NodeConfig) { c.Strict = true }
	for _, tt := range []struct {
		id, from string
		c        masc.Claim
		dropped  bool
	}{
		{"MASC-14-5 a sibling speaks for itself", "S1", of(300, masc.NewClaim, masc.Internal, "228.10.64.0/24"), false},
		{"MASC-14-5 a sibling speaks for another", "S1", of(309, masc.NewClaim, masc.Sibling, "228.10.64.0/24"), true},
		{"MASC-14-5 the parent speaks for another", "P1", of(309, masc.NewClaim, masc.Child, "228.10.64.0/24"), false},
		{"MASC-14-6 a child's node speaks for another", "A1", of(200, masc.NewClaim, masc.Internal, "228.10.2.0/24"), true},
		{"MASC-14-6 an internal peer speaks for a child", "I1", of(200, masc.NewClaim, masc.Child, "228.10.2.0/24"), false},
		{"MASC-14-6 a child's node speaks for itself", "A1", with(of(200, masc.NewClaim, masc.Internal, "228.10.2.0/24"),
			func(c *masc.Claim) { c.Node = masc.NumberID(2008) }), false},
	} {
		t.Run(tt.id, func(t *testing.T) {
			w := newTown(t, strict)
			w.ok("P1", of(10, masc.PrefixManaged, masc.Internal, "228.10.0.0/16"))
			w.ok("I1", of(100, masc.PrefixManaged, masc.Internal, "228.10.0.0/20"))
			w.did()
			w.ok(tt.from, tt.c)
			if got := w.did(); (got == "") != tt.dropped {
				t.Errorf("sent %q", got)
			}
		})
	}
	w := newTown(t, nil).settle()
	w.n.Ignore(masc.NumberID(300))
	w.ok("S1", of(300, masc.NewClaim, masc.Internal, "228.10.64.0/24"))
	w.want("MASC-14-4", w.did(), "")
}

// TestLimits: a flood of claims stays within the limits, and is reported once.
func TestLimits(t *testing.T) {
	w := newTown(t, func(c *masc.NodeConfig) { c.MaxPerDomain, c.MaxPerPeer = 10, 25 }).settle()
	flood := func(domain uint64) {
		for i := range 40 {
			c := of(domain, masc.NewClaim, masc.Sibling, "228.10.64.0/24")
			c.Timestamp += masc.Timestamp(i)
			c.Node = masc.NumberID(uint64(7000 + i))
			w.ok("S1", c)
		}
	}
	count := func() (n int) {
		for range w.n.Claims(w.now) {
			n++
		}
		return n
	}
	before := count()
	flood(400)
	if n := count() - before; n != 10 {
		t.Errorf("%d claims of one domain", n)
	}
	flood(401)
	flood(402)
	if n := count() - before; n != 24 { // S1 has brought one before
		t.Errorf("%d claims of one peer", n)
	}
	w.did()
	if len(w.alert) != 1 || !errors.Is(w.alert[0], masc.ErrLimit) {
		t.Error(w.alert)
	}
	w.wait(4 * day) // MASC-4.2-5: they are forgotten in time, and there is room again
	c := of(403, masc.NewClaim, masc.Sibling, "228.10.64.0/24")
	c.Timestamp = masc.StampOf(w.now)
	w.ok("S1", c)
	if w.did() == "" {
		t.Error("no room")
	}
}

// TestPeerUp: everything that counts is sent, in order, whatever an earlier
// connection carried (MASC-10.1-49, MASC-11-3, MASC-11.8-1, MASC-11.8-2).
func TestPeerUp(t *testing.T) {
	w := newTown(t, nil).settle()
	later := func(c masc.Claim) masc.Claim { c.Timestamp += 60; return c }
	w.ok("S1", of(300, masc.NewClaim, masc.Internal, "228.10.80.0/20"))
	w.ok("S1", later(of(300, masc.Withdraw, masc.Internal, "228.10.16.0/24")))
	w.ok("A1", of(200, masc.NewClaim, masc.Internal, "228.10.2.0/24"))
	w.ok("A1", of(200, masc.NewClaim, masc.Internal, "hint"))
	w.ok("A1", later(of(200, masc.Withdraw, masc.Internal, "228.10.1.0/25")))
	w.did()
	up := func(name string) string {
		w.n.PeerDown(w.now, w.ids[name])
		w.n.PeerUp(w.now, w.ids[name], w.cfg.Peers[w.ids[name]].Domain, masc.NumberID(4))
		return strings.ReplaceAll(w.did(), name+": ", "")
	}
	w.want("to a child", up("B1"), "PREFIX_MANAGED INTERNAL 228.10.0.0/20\nPREFIX_IN_USE CHILD 228.10.1.0/24\n"+
		"NEW_CLAIM CHILD 228.10.2.0/24\nWITHDRAW CHILD 228.10.1.0/25")
	w.want("to the parent", up("P2"), "PREFIX_MANAGED PARENT 228.10.0.0/16\nPREFIX_IN_USE INTERNAL 228.10.0.0/20\nPREFIX_IN_USE SIBLING 228.10.16.0/20\n"+
		"NEW_CLAIM SIBLING 228.10.80.0/20\nWITHDRAW SIBLING 228.10.16.0/24")
	w.want("to a sibling, its own too", up("S1"), "PREFIX_MANAGED PARENT 228.10.0.0/16\nPREFIX_IN_USE INTERNAL 228.10.0.0/20\nPREFIX_IN_USE SIBLING 228.10.16.0/20\n"+
		"NEW_CLAIM SIBLING 228.10.80.0/20\nWITHDRAW SIBLING 228.10.16.0/24")
	w.want("MASC-4.4-3 to an internal peer", up("I2"), "PREFIX_MANAGED PARENT 228.10.0.0/16\nPREFIX_MANAGED PARENT 228.20.0.0/16\nPREFIX_IN_USE SIBLING 228.10.16.0/20\n"+
		"PREFIX_MANAGED INTERNAL 228.10.0.0/20\nNEW_CLAIM SIBLING 228.10.80.0/20\nWITHDRAW SIBLING 228.10.16.0/24\nPREFIX_IN_USE CHILD 228.10.1.0/24\n"+
		"NEW_CLAIM CHILD 0.0.0.0/22\nNEW_CLAIM CHILD 228.10.2.0/24\nWITHDRAW CHILD 228.10.1.0/25")
	w.now = w.now.Add(3 * day) // MASC-12.3-1, MASC-D-28: kept, but neither sent nor accepted
	w.want("what is over is not sent", up("T1"), "PREFIX_MANAGED PARENT 228.20.0.0/16")
	if got := up("B1"); strings.Contains(got, "NEW_CLAIM") {
		t.Error(got)
	}
}

// TestLeafAfterSilence: a child whose claim has become a prefix may be unable to
// say so for a waiting period; until then the domain does not take its addresses
// for its own (MASC-12.2-8, MASC-D-61, MASC-D-68).
func TestLeafAfterSilence(t *testing.T) {
	w := newTown(t, nil)
	w.ok("P1", of(10, masc.PrefixManaged, masc.Internal, "228.10.0.0/16"))
	w.ok("I1", of(100, masc.PrefixManaged, masc.Internal, "228.10.0.0/20"))
	w.wait(20 * time.Hour) // the node counts in days
	w.ok("A1", with(of(200, masc.NewClaim, masc.Internal, "228.10.1.0/24"), func(c *masc.Claim) { c.Timestamp = masc.StampOf(w.now) }))
	w.wait(2*masc.WaitingPeriod - time.Hour)
	if w.n.IsLeaf() {
		t.Error("it is a leaf before the child can have told what became of its claim")
	}
	w.wait(3 * day)
	if !w.n.IsLeaf() {
		t.Error("it is none for ever")
	}
}
