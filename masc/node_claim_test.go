// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/scope"
)

// fixed is a Policy that claims a list of prefixes from the parents, one after
// the other, and renews everything.
type fixed struct{ plans []masc.Plan }

func (f *fixed) Grow(v *masc.View) masc.Plan {
	if len(f.plans) == 0 || len(v.Parents) > 0 && v.Parents[0].Domain == masc.NumberID(100) {
		return masc.Plan{} // nothing for the own use
	}
	p := f.plans[0]
	f.plans = f.plans[1:]
	return p
}

func (f *fixed) Renew(v *masc.View, h masc.Holding) masc.Plan {
	return masc.Plan{Kind: masc.PlanExpand, Prefix: h.Prefix, Lifetime: 30 * day}
}

func fixedPlan(kind masc.PlanKind, p string) masc.Plan {
	return masc.Plan{Kind: kind, Prefix: masc.MustPrefix(p), Lifetime: 30 * day}
}

// claiming is a settled town whose node wants to claim 228.10.64.0/20, has
// said so, and waits.
func claiming(t *testing.T, change func(*masc.NodeConfig)) *town {
	w := newTown(t, func(c *masc.NodeConfig) {
		c.Policy = &fixed{}
		if change != nil {
			change(c)
		}
	}).settle()
	w.cfg.Policy.(*fixed).plans = []masc.Plan{fixedPlan(masc.PlanNew, "228.10.64.0/20")}
	w.n.SetDemand(w.now, 0, masc.Demand{Want: 1})
	return w
}

func (w *town) want(id, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: got\n%s\nwant\n%s", id, got, want)
	}
}

const sentClaim = "I1 I2 P1 P2 S1 S2: NEW_CLAIM INTERNAL 228.10.64.0/20"

// TestClaimLife follows a claim that nobody disputes.
func TestClaimLife(t *testing.T) {
	w := claiming(t, nil)
	w.want("MASC-5.1-3 not at once", w.did(), "")
	at, _ := w.n.Deadline()
	if d := at.Sub(w.now); d <= 0 || d >= masc.InitiateClaimDelay {
		t.Error("MASC-5.1-3 MASC-D-58:", d)
	}
	w.want("MASC-5.1-5 MASC-5.1-6 MASC-D-60", w.wait(masc.InitiateClaimDelay), sentClaim)
	sent := w.now
	w.want("MASC-5.1-6 waits", w.wait(masc.WaitingPeriod-masc.InitiateClaimDelay-time.Second), "")
	if !slices.ContainsFunc(w.n.Snapshot().Claims, func(c masc.Claim) bool { return c.Type == masc.NewClaim }) == false {
		t.Error("MASC-13-3: a claim that waits is in the Snapshot")
	}
	got := w.wait(2 * masc.InitiateClaimDelay)
	if !strings.Contains(got, "P1 P2 S1 S2: PREFIX_IN_USE INTERNAL 228.10.64.0/20") {
		t.Error("MASC-5.1-13:", got)
	}
	if !strings.Contains(got, "I1 I2 A1 A2 B1: PREFIX_MANAGED INTERNAL 228.10.64.0/20") {
		t.Error("MASC-5.1-15 MASC-12.2-1:", got)
	}
	for c := range w.n.Claims(w.now) {
		if c.Prefix == masc.MustPrefix("228.10.64.0/20") && c.Type == masc.PrefixInUse {
			// MASC-D-39, MASC-7.3-18
			if c.Timestamp.Time().After(sent) || c.Lifetime != c.Holdtime || c.Domain != masc.NumberID(100) || c.Node != masc.NumberID(1000) {
				t.Error(c)
			}
		}
		if c.Type == masc.NewClaim {
			t.Error("MASC-D-70: retired claims do not count:", c)
		}
	}
	if i := slices.IndexFunc(w.n.Allotments(w.now), func(a masc.Allotment) bool {
		return a.Prefix == masc.MustPrefix("228.10.64.0/20") && a.Route && !a.Use // MASC-5.1-14, MASC-3-2, MASC-4.1-1
	}); i < 0 {
		t.Error(w.n.Allotments(w.now))
	}
	if s := w.n.Stats(); s.Claimed < 1 || s.Allocated != 1 {
		t.Errorf("%+v", s)
	}
}

// TestCollisions: a claim that waits meets others (MASC-5.1-16).
func TestCollisions(t *testing.T) {
	early := func(c masc.Claim) masc.Claim { c.Timestamp -= 3600; return c }
	late := func(c masc.Claim) masc.Claim { c.Timestamp += 3600; return c }
	for _, tt := range []struct {
		id, from  string
		c         masc.Claim
		lost      bool
		withdrawn bool
		again     bool // another plan is asked for
	}{
		{"MASC-5.1-7 MASC-5.1-8 MASC-11.4.2-3 earlier NEW_CLAIM", "S1", early(of(300, masc.NewClaim, masc.Internal, "228.10.64.0/24")), true, true, true},
		{"MASC-5.1-11 later NEW_CLAIM", "S1", late(of(300, masc.NewClaim, masc.Internal, "228.10.64.0/24")), false, false, false},
		{"MASC-11.2.2-2 later PREFIX_IN_USE", "S1", late(of(300, masc.PrefixInUse, masc.Internal, "228.10.64.0/24")), true, true, true},
		{"MASC-11.4.2-3 CLAIM_TO_EXPAND", "S1", late(of(300, masc.ClaimToExpand, masc.Internal, "228.10.0.0/16")), true, true, true},
		{"elsewhere", "S1", early(of(300, masc.NewClaim, masc.Internal, "228.10.80.0/24")), false, false, false},
		{"MASC-D-25 a child's", "A1", early(of(200, masc.NewClaim, masc.Internal, "228.10.2.0/24")), false, false, false},
		{"MASC-5.1-10 by the own domain", "I1", early(of(100, masc.NewClaim, masc.Internal, "228.10.64.0/20")), true, true, false},
		{"MASC-D-25 denied, somebody else's", "P1", of(300, masc.ClaimDenied, masc.Internal, "228.10.64.0/20"), false, false, false},
	} {
		t.Run(tt.id, func(t *testing.T) {
			w := claiming(t, nil)
			w.want("", w.wait(masc.InitiateClaimDelay), sentClaim)
			f := w.cfg.Policy.(*fixed)
			f.plans = []masc.Plan{fixedPlan(masc.PlanNew, "228.10.96.0/20")}
			w.ok(tt.from, tt.c)
			got := w.did()
			if strings.Contains(got, "WITHDRAW INTERNAL 228.10.64.0/20") != tt.withdrawn { // MASC-5.1-9
				t.Error(got)
			}
			if s := w.n.Stats(); (s.Collisions == 1) != tt.lost {
				t.Errorf("%+v", s)
			}
			if tt.lost && (len(f.plans) == 0) != tt.again {
				t.Errorf("asked for another plan: %t", len(f.plans) == 0)
			}
			f.plans = nil
			if got := w.wait(masc.WaitingPeriod); strings.Contains(got, "PREFIX_IN_USE INTERNAL 228.10.64.0/20") == tt.lost {
				t.Error("lost and allocated, or neither:", got)
			}
		})
	}
	t.Run("MASC-5.1-9 silently", func(t *testing.T) {
		w := claiming(t, func(c *masc.NodeConfig) { c.SilentlyExpire = true })
		w.wait(masc.InitiateClaimDelay)
		w.ok("S1", of(300, masc.PrefixInUse, masc.Internal, "228.10.64.0/24"))
		if got := w.did(); strings.Contains(got, "WITHDRAW") {
			t.Error(got)
		}
	})
	t.Run("MASC-5.1-4 a scheduled claim is not needed", func(t *testing.T) {
		w := claiming(t, nil)
		w.ok("I1", of(100, masc.NewClaim, masc.Internal, "228.10.80.0/20"))
		if got := w.did() + w.wait(day); strings.Contains(got, "228.10.64.0/20") {
			t.Error(got)
		}
	})
	t.Run("a scheduled claim would lose", func(t *testing.T) {
		w := claiming(t, nil)
		w.ok("S1", of(300, masc.NewClaim, masc.Internal, "228.10.64.0/24"))
		if got := w.did() + w.wait(day); strings.Contains(got, "NEW_CLAIM INTERNAL") {
			t.Error(got)
		}
	})
	t.Run("MASC-5.1-2 no session with the parent", func(t *testing.T) {
		w := newTown(t, func(c *masc.NodeConfig) { c.Policy = &fixed{} }).settle()
		w.n.PeerDown(w.now, w.ids["P1"])
		w.n.PeerDown(w.now, w.ids["P2"])
		w.cfg.Policy.(*fixed).plans = []masc.Plan{fixedPlan(masc.PlanNew, "228.10.64.0/20")}
		w.n.SetDemand(w.now, 0, masc.Demand{Want: 1})
		w.want("", w.did()+w.wait(day), "")
	})
	t.Run("MASC-D-55 defends what it has", func(t *testing.T) {
		w := newTown(t, nil).settle()
		w.ok("S1", of(300, masc.NewClaim, masc.Internal, "228.10.8.0/24"))
		w.want("", w.did(), "I1 I2 P1 P2 S2: NEW_CLAIM SIBLING 228.10.8.0/24\nS1: PREFIX_IN_USE INTERNAL 228.10.0.0/20")
	})
	t.Run("MASC-D-24 a tie", func(t *testing.T) {
		w := claiming(t, nil)
		w.wait(masc.InitiateClaimDelay)
		for c := range w.n.Claims(w.now) {
			if c.Type == masc.NewClaim {
				c.Role, c.Domain = masc.Internal, masc.NumberID(300)
				w.ok("S1", c)
				break
			}
		}
		w.did()
		if !slices.ContainsFunc(w.alert, func(err error) bool { return errors.Is(err, masc.ErrTie) }) || w.n.Stats().Collisions != 0 {
			t.Error(w.alert)
		}
	})
}

// waitingClaim returns the own claim that waits.
func (w *town) waitingClaim() masc.Claim {
	for c := range w.n.Claims(w.now) {
		if c.Domain == masc.NumberID(100) && (c.Type == masc.NewClaim || c.Type == masc.ClaimToExpand) {
			return c
		}
	}
	w.t.Fatal("no claim waits")
	return masc.Claim{}
}

// TestDenied: MASC-11.3.3-4, MASC-11.3.3-5.
func TestDenied(t *testing.T) {
	w := claiming(t, nil)
	w.wait(masc.InitiateClaimDelay)
	denial := masc.Denial(w.waitingClaim(), sep9+20*86400, days2)
	w.ok("P1", denial)
	w.want("MASC-11.3.3-5", w.did(), "I1 I2 P2 S1 S2: CLAIM_DENIED PARENT 228.10.64.0/20")
	w.want("claims again for as long as offered", w.wait(masc.InitiateClaimDelay), sentClaim)
	if life := w.waitingClaim().Lifetime.Duration(); life > 20*day || life < 19*day {
		t.Error(life)
	}
	denial = masc.Denial(w.waitingClaim(), sep9, days2)
	w.ok("P1", denial)
	w.did()
	w.want("MASC-11.3.3-4 nothing was offered", w.wait(day), "")
	if got := w.wait(2 * day); strings.Contains(got, "PREFIX_IN_USE INTERNAL 228.10.64.0/20") {
		t.Error(got)
	}
	if s := w.n.Stats(); s.Denied != 2 {
		t.Errorf("%+v", s)
	}
}

// TestRenewal: MASC-4.2-1, MASC-5.2-1, MASC-5.2-2, MASC-5.2-3, MASC-4.2-3,
// MASC-4.2-4, MASC-5.4-1, MASC-17-9, MASC-D-51: only PREFIX_MANAGED is deprecated.
func TestRenewal(t *testing.T) {
	w := newTown(t, func(c *masc.NodeConfig) { c.Policy = &fixed{} }).settle()
	w.ok("P1", with(of(10, masc.PrefixManaged, masc.Internal, "228.10.0.0/16"), func(c *masc.Claim) { c.Lifetime, c.Holdtime = 100*86400, 100*86400 }))
	w.did()
	got := w.wait(2*day + masc.InitiateClaimDelay)
	w.want("MASC-5.2-1 MASC-5.2-2", got, "I1 I2 P1 P2 S1 S2: CLAIM_TO_EXPAND INTERNAL 228.10.0.0/20")
	c := w.waitingClaim()
	w.wait(2*day + masc.InitiateClaimDelay)
	for held := range w.n.Claims(w.now) {
		if held.Type == masc.PrefixInUse && held.Role == masc.Internal && (held.Timestamp != sep9 || held.End() != c.End()) {
			t.Error("MASC-5.2-3 MASC-D-39:", held)
		}
	}
	// The parent gives it up: nothing is prolonged any more.
	w.ok("P1", with(of(10, masc.PrefixManaged, masc.Internal, "228.10.0.0/16"), func(c *masc.Claim) {
		c.Lifetime, c.Holdtime, c.Deprecated = 100*86400, 100*86400, true
	}))
	w.did()
	if got := w.wait(5 * day); !strings.Contains(got, "A1 A2 B1: PREFIX_MANAGED INTERNAL 228.10.0.0/20") {
		t.Error("MASC-4.3-1 children are not told:", got)
	}
	for c := range w.n.Claims(w.now) {
		if c.Type == masc.PrefixInUse && c.Deprecated {
			t.Error("MASC-D-51:", c)
		}
	}
	held := w.n.Allotments(w.now)
	if len(held) != 1 || !held[0].Deprecated {
		t.Error("MASC-4.3-2:", held)
	}
	w.wait(held[0].End.Sub(w.now))
	if got := w.n.Allotments(w.now); len(got) != 0 {
		t.Error("MASC-4.2-3 MASC-4.2-4:", got)
	}
}

// TestExpansion: MASC-5.3-1, MASC-5.3-2, MASC-5.3-3.
func TestExpansion(t *testing.T) {
	w := newTown(t, func(c *masc.NodeConfig) { c.Policy = &fixed{} }).settle()
	w.ok("S1", with(of(300, masc.Withdraw, masc.Internal, "228.10.16.0/20"), func(c *masc.Claim) { c.Timestamp++ }))
	w.did()
	w.cfg.Policy.(*fixed).plans = []masc.Plan{fixedPlan(masc.PlanExpand, "228.10.0.0/19")}
	w.n.SetDemand(w.now, 0, masc.Demand{Want: 1})
	w.want("MASC-5.3-1 MASC-5.3-2", w.wait(masc.InitiateClaimDelay), "I1 I2 P1 P2 S1 S2: CLAIM_TO_EXPAND INTERNAL 228.10.0.0/19")
	w.wait(masc.WaitingPeriod)
	got := w.n.Allotments(w.now)
	if len(got) != 1 || got[0].Prefix != masc.MustPrefix("228.10.0.0/19") {
		t.Error("MASC-5.3-3:", got)
	}
}

// TestClash: a sibling has had a part of the own prefix for longer.
func TestClash(t *testing.T) {
	winner := with(of(300, masc.PrefixInUse, masc.Internal, "228.10.8.0/24"), func(c *masc.Claim) { c.Timestamp -= 3600; c.Lifetime = 86400 * 10; c.Holdtime = c.Lifetime })
	w := newTown(t, nil).settle()
	w.ok("S1", winner)
	w.want("MASC-12.4-8 MASC-12.4-9 MASC-12.4-10 MASC-11.2.2-3", w.did(), "I1 I2 P1 P2 S2: PREFIX_IN_USE SIBLING 228.10.8.0/24\n"+
		"I1 I2 P1 P2 S1 S2 A1 A2 B1: WITHDRAW INTERNAL 228.10.8.0/24")
	var clash *masc.ClashError
	if !slices.ContainsFunc(w.alert, func(err error) bool { return errors.As(err, &clash) }) || clash.Winner.Domain != masc.NumberID(300) {
		t.Error("MASC-12.4-12:", w.alert)
	}
	routes := func() (list []masc.Prefix) {
		for _, a := range w.n.Allotments(w.now) {
			if a.Route {
				list = append(list, a.Prefix)
			}
		}
		return list
	}
	if got := routes(); !slices.Equal(got, prefixes("228.10.0.0/20")) { // the WITHDRAW ends before the prefix
		t.Error("MASC-11.7.3-4:", got)
	}
	again := w.n.Snapshot()
	w.wait(10 * day)
	if got := routes(); !slices.Equal(got, prefixes("228.10.0.0/20")) {
		t.Error("MASC-12.4-11:", got)
	}
	if forced := slices.Contains(again.Forced, true); !forced {
		t.Error("the Snapshot forgets the clash")
	}

	w = newTown(t, func(c *masc.NodeConfig) { // a leaf: its MAAS may not use what is lost
		c.Peers = c.Peers[:8]
	})
	delete(w.ids, "A1")
	w.ok("P1", of(10, masc.PrefixManaged, masc.Internal, "228.10.0.0/16"))
	w.ok("I1", of(100, masc.PrefixManaged, masc.Internal, "228.10.0.0/20"))
	w.did()
	w.now = w.now.Add(49 * time.Hour) // a fresh node uses nothing before
	w.n.Advance(w.now)
	w.did()
	w.ok("S1", with(winner, func(c *masc.Claim) { c.Lifetime = 86400 * 100; c.Holdtime = c.Lifetime }))
	w.did()
	for _, a := range w.n.Allotments(w.now) {
		if a.Prefix.Overlaps(winner.Prefix) {
			t.Error("MASC-12.4-4 MASC-11.7.3-3:", a)
		}
	}

	w = newTown(t, func(c *masc.NodeConfig) { c.ManualClashes = true }).settle()
	w.ok("S1", winner)
	w.want("MASC-12.4-13 manual", w.did(), "I1 I2 P1 P2 S2: PREFIX_IN_USE SIBLING 228.10.8.0/24")
	if len(w.alert) != 1 {
		t.Error("MASC-12.4-12:", w.alert)
	}

	w = newTown(t, nil).settle()
	w.ok("S1", with(winner, func(c *masc.Claim) { c.Timestamp += 7200 }))
	w.want("MASC-12.4-7 the local one wins", w.did(), "I1 I2 P1 P2 S2: PREFIX_IN_USE SIBLING 228.10.8.0/24\nS1: PREFIX_IN_USE INTERNAL 228.10.0.0/20")

	w = newTown(t, nil).settle()
	w.ok("P1", with(of(10, masc.Withdraw, masc.Internal, "228.10.0.0/19"), func(c *masc.Claim) { c.Timestamp += 60 }))
	for c := range w.n.Claims(w.now) { // MASC-11.7.4-4, MASC-11.7.4-5
		if c.Type == masc.Withdraw && c.Role == masc.Internal && (c.Holdtime != 2592000 || c.Node != masc.NumberID(1001) || c.Prefix != masc.MustPrefix("228.10.0.0/20")) {
			t.Error(c)
		}
	}
	if got := w.n.Allotments(w.now); len(got) != 0 {
		t.Error("a parent took it:", got)
	}
}

// TestWithdraw: MASC-11.7.3-5, MASC-D-33, MASC-5.4-2, MASC-D-34.
func TestWithdraw(t *testing.T) {
	w := claiming(t, nil)
	w.wait(masc.InitiateClaimDelay)
	gone := w.waitingClaim()
	gone.Type = masc.Withdraw
	w.ok("I1", gone)
	w.want("MASC-11.7.3-5", w.did(), "I2 P1 P2 S1 S2: WITHDRAW INTERNAL 228.10.64.0/20")
	if got := w.wait(masc.WaitingPeriod); strings.Contains(got, "PREFIX_IN_USE INTERNAL 228.10.64.0/20") {
		t.Error("MASC-11.7.3-5:", got)
	}

	w = newTown(t, nil).settle() // a sibling's renewal is withdrawn: the prefix stays
	renewal := with(of(300, masc.ClaimToExpand, masc.Internal, "228.10.16.0/20"), func(c *masc.Claim) { c.Timestamp += 60 })
	w.ok("S1", renewal)
	w.ok("S1", with(renewal, func(c *masc.Claim) { c.Type = masc.Withdraw }))
	w.ok("S1", with(renewal, func(c *masc.Claim) { c.Timestamp += 60 }))

	if w.n.Release(w.now, masc.MustPrefix("228.10.0.0/20")) {
		t.Error("MASC-5.4-2: released under a child")
	}
	w.ok("I1", of(100, masc.PrefixManaged, masc.Internal, "228.10.64.0/20"))
	w.did()
	if !w.n.Release(w.now, masc.MustPrefix("228.10.64.0/20")) || w.n.Release(w.now, masc.MustPrefix("228.10.80.0/20")) {
		t.Error("MASC-5.4-2")
	}
	w.want("MASC-5.4-2", w.did(), "I1 I2 P1 P2 S1 S2 A1 A2 B1: WITHDRAW INTERNAL 228.10.64.0/20")
	if got := w.n.Allotments(w.now); len(got) != 1 {
		t.Error(got)
	}
}

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

// spy is a fixed Policy that keeps what waits when it is asked.
type spy struct {
	*fixed
	pending *[]masc.Claim
}

func (s spy) Grow(v *masc.View) masc.Plan {
	if len(v.Parents) > 0 && v.Parents[0].Domain != masc.NumberID(100) {
		*s.pending = v.Pending
	}
	return s.fixed.Grow(v)
}

// TestOwnUseOfLost: what the domain has lost it does not use either, though it
// had claimed it from itself (MASC-12.4-4).
func TestOwnUseOfLost(t *testing.T) {
	w := newTown(t, nil).settle()
	w.ok("I1", of(100, masc.PrefixInUse, masc.Child, "228.10.8.0/22"))
	w.wait(49 * time.Hour)
	winner := with(of(300, masc.PrefixInUse, masc.Internal, "228.10.8.0/24"), func(c *masc.Claim) { c.Timestamp -= 3600 })
	w.ok("S1", winner)
	use := 0.0
	for _, a := range w.n.Allotments(w.now) {
		if a.Use {
			use += a.Prefix.Size()
			if a.Prefix.Overlaps(winner.Prefix) {
				t.Error(a)
			}
		}
	}
	if use != 768 {
		t.Errorf("%v addresses to use, want 768", use)
	}
}
