// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/masc"
)

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

// TestRoutesOfLost: a lost part stays in the routes only while the route around
// it is less specific than the winner's (MASC-12.4-6).
func TestRoutesOfLost(t *testing.T) {
	w := newTown(t, nil).settle()
	for prefix, days := range map[string]masc.Seconds{
		"228.10.8.0/24": 10,  // ends before the own 228.10.0.0/20: spared
		"228.10.9.0/24": 100, // does not, and leaves 228.10.8.0/24 alone
	} {
		w.ok("S1", with(of(300, masc.PrefixInUse, masc.Internal, prefix), func(c *masc.Claim) {
			c.Timestamp -= 3600
			c.Lifetime = days * 86400
			c.Holdtime = c.Lifetime
		}))
	}
	var got []masc.Prefix
	for _, a := range w.n.Allotments(w.now) {
		if a.Route {
			got = append(got, a.Prefix)
		}
	}
	if want := prefixes("228.10.0.0/21", "228.10.10.0/23", "228.10.12.0/22"); !slices.Equal(got, want) {
		t.Errorf("routes %v, want %v", got, want)
	}
}
