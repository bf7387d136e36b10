// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/scope"
)

// TestClockSkew: what has expired still counts as taken for a day (MASC-12.3-1).
func TestClockSkew(t *testing.T) {
	for after, free := range map[time.Duration]bool{2*day + time.Hour: false, 3*day + time.Hour: true} {
		var seen []masc.Prefix
		w := newTown(t, func(c *masc.NodeConfig) { c.Policy = viewer{&seen} }).settle()
		w.ok("S1", of(300, masc.NewClaim, masc.Internal, "228.10.64.0/24"))
		w.did()
		w.now = w.now.Add(after)
		w.n.Advance(w.now)
		w.n.SetDemand(w.now, 0, masc.Demand{Want: 9})
		if slices.Contains(seen, masc.MustPrefix("228.10.64.0/24")) == free {
			t.Errorf("after %v: %v", after, seen)
		}
	}
}

type viewer struct{ seen *[]masc.Prefix }

func (v viewer) Grow(w *masc.View) masc.Plan {
	if len(w.Parents) > 0 && w.Parents[0].Domain != masc.NumberID(100) {
		*v.seen = slices.Clone(w.Others())
	}
	return masc.Plan{}
}
func (viewer) Renew(*masc.View, masc.Holding) masc.Plan { return masc.Plan{} }

// TestScopes: MASC-4.5-1, MASC-4.5-3, MASC-4.5-4, MASC-4.5-5.
func TestScopes(t *testing.T) {
	org := scope.IPv4OrganizationLocal()
	org.Divisible = true
	zone, err := masc.ScopeSpace(org, true)
	if err != nil || zone.Prefix != masc.MustPrefix("239.192.0.0/14") {
		t.Fatal(zone, err)
	}
	org.Divisible = false
	if _, err := masc.ScopeSpace(org, true); !errors.Is(err, masc.ErrConfig) {
		t.Error("MASC-4.5-1:", err)
	}
	w := newTown(t, func(c *masc.NodeConfig) {
		c.Policy = &fixed{}
		c.Spaces = []masc.Space{{Prefix: masc.MustPrefix("228.0.0.0/6")}, zone}
		for i := range c.Peers { // the zone contains only the domain itself, its children and S1
			if i >= 2 && i != 5 && i < 8 {
				c.Peers[i].Outside = []masc.Prefix{zone.Prefix}
			}
		}
	})
	w.cfg.Policy.(*fixed).plans = []masc.Plan{fixedPlan(masc.PlanNew, "239.192.16.0/20")}
	w.n.SetDemand(w.now, 1, masc.Demand{Want: 1})
	w.want("MASC-4.5-3 MASC-4.5-5", w.did()+w.wait(masc.InitiateClaimDelay), "I1 I2 S1: NEW_CLAIM INTERNAL 239.192.16.0/20")
	w.ok("S2", of(301, masc.PrefixInUse, masc.Internal, "239.192.16.0/20"))
	w.want("MASC-4.5-5 not accepted from outside either", w.did(), "")
	w.ok("S1", of(300, masc.PrefixInUse, masc.Internal, "239.192.32.0/20"))
	w.want("MASC-4.5-4", w.did(), "I1 I2: PREFIX_IN_USE SIBLING 239.192.32.0/20")
}

// TestSnapshot: a restarted node has what it had (MASC-13-2, MASC-14-3).
func TestSnapshot(t *testing.T) {
	w := newTown(t, nil).settle()
	w.ok("I1", of(100, masc.PrefixInUse, masc.Child, "228.10.2.0/24"))
	w.ok("I1", with(of(100, masc.Withdraw, masc.Internal, "228.10.12.0/24"), func(c *masc.Claim) { c.Timestamp += 60 }))
	w.did()
	before := w.n.Allotments(w.now)
	b, err := w.n.Snapshot().MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var s masc.Snapshot
	if err := s.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(w.n.Snapshot(), s, equate...); d != "" {
		t.Error(d)
	}
	w.boot(s)
	if d := cmp.Diff(before, w.n.Allotments(w.now), equate...); d != "" {
		t.Error("MASC-13-2:", d)
	}
	w.n.PeerUp(w.now, w.ids["P1"], masc.NumberID(10), masc.NumberID(4))
	w.want("MASC-12.5-2 defends them", w.did(), "P1: PREFIX_IN_USE INTERNAL 228.10.0.0/20\nP1: WITHDRAW INTERNAL 228.10.12.0/24")
	for _, bad := range [][]byte{nil, {9}, b[:len(b)-1], append([]byte{}, b[:12]...)} {
		if err := s.UnmarshalBinary(bad); !errors.Is(err, masc.ErrConfig) {
			t.Errorf("%x: %v", bad, err)
		}
	}
	w = newTown(t, nil) // without a Snapshot the neighbours know (MASC-14-3)
	w.ok("P1", of(10, masc.PrefixManaged, masc.Internal, "228.10.0.0/16"))
	w.ok("P1", of(100, masc.PrefixInUse, masc.Child, "228.10.0.0/20"))
	if got := w.n.Allotments(w.now); len(got) != 1 || got[0].Prefix != masc.MustPrefix("228.10.0.0/20") {
		t.Error("MASC-14-3:", got)
	}
}

// TestConfig refuses what cannot work.
func TestConfig(t *testing.T) {
	good := newTown(t, nil).cfg
	for i, change := range []func(*masc.NodeConfig){
		func(c *masc.NodeConfig) { c.Domain = masc.ID{} },
		func(c *masc.NodeConfig) { c.Node = masc.ID{} },
		func(c *masc.NodeConfig) { c.Rand = nil },
		func(c *masc.NodeConfig) { c.Domain = node("2001:db8::") },
		func(c *masc.NodeConfig) { c.Spaces = []masc.Space{{}} },
		func(c *masc.NodeConfig) { c.Parents = nil },
		func(c *masc.NodeConfig) { c.Peers = []masc.Peer{{Role: 4}} },
	} {
		c := good
		change(&c)
		if _, err := masc.NewNode(c, masc.Snapshot{}); !errors.Is(err, masc.ErrConfig) {
			t.Errorf("%d: %v", i, err)
		}
	}
	w := newTown(t, nil)
	w.n.PeerDown(w.now, 0)
	if err := w.n.Receive(w.now, 0, of(100, masc.PrefixInUse, masc.Internal, "228.10.0.0/20")); !errors.Is(err, masc.FSMError) {
		t.Error("a claim over a session that is down:", err)
	}
	_ = fmt.Sprint(w.n.Stats(), masc.Claim{}, masc.Role(9), masc.ClaimType(9), masc.State(9), masc.MessageType(9), masc.AddrFamily(9))
}

// TestLastMoment: the instant its claim expires everywhere, its originator still
// knows that it waits (MASC-D-68).
func TestLastMoment(t *testing.T) {
	var pending []masc.Claim
	w := newTown(t, func(c *masc.NodeConfig) { c.Policy = spy{&fixed{}, &pending} }).settle()
	w.cfg.Policy.(spy).fixed.plans = []masc.Plan{fixedPlan(masc.PlanNew, "228.10.64.0/20")}
	w.now = w.now.Add(time.Millisecond)
	w.n.SetDemand(w.now, 0, masc.Demand{Want: 1})
	w.wait(masc.InitiateClaimDelay)
	w.now = w.waitingClaim().Expiry()
	w.n.SetDemand(w.now, 0, masc.Demand{Want: 1})
	if len(pending) != 1 || pending[0].Prefix != masc.MustPrefix("228.10.64.0/20") {
		t.Error(pending)
	}
}
