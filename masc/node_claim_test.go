// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/masc"
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

// TestExpansionDuringRenewal: a prefix that is being renewed, as it is most of
// the time, can grow; what is won is one prefix, not two, whichever claim is
// sent first.
func TestExpansionDuringRenewal(t *testing.T) {
	for seed := range uint64(10) {
		w := newTown(t, func(c *masc.NodeConfig) {
			c.Policy = &fixed{}
			c.Rand = rand.New(rand.NewPCG(seed, 1))
		}).settle()
		w.ok("S1", with(of(300, masc.Withdraw, masc.Internal, "228.10.16.0/20"), func(c *masc.Claim) { c.Timestamp++ }))
		w.did()
		w.wait(2 * day) // the renewal is due
		w.cfg.Policy.(*fixed).plans = []masc.Plan{fixedPlan(masc.PlanExpand, "228.10.0.0/19")}
		w.n.SetDemand(w.now, 0, masc.Demand{Want: 1})
		if got := w.wait(masc.InitiateClaimDelay); !strings.Contains(got, "CLAIM_TO_EXPAND INTERNAL 228.10.0.0/19") {
			t.Error("seed", seed, "got", got)
		}
		w.wait(3 * masc.WaitingPeriod)
		var routes []masc.Prefix
		for _, a := range w.n.Allotments(w.now) {
			if a.Route {
				routes = append(routes, a.Prefix)
			}
		}
		if want := prefixes("228.10.0.0/19"); !slices.Equal(routes, want) {
			t.Errorf("seed %d: %v, want %v", seed, routes, want)
		}
	}
}
