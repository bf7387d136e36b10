// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/mzap/mzaptest"
	"github.com/mcastalloc/malloc/scope"
)

// seeds returns how many seeds a simulation runs: few, or as many as the
// environment variable MALLOC_SEEDS says.
func seeds(few uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv("MALLOC_SEEDS"), 10, 64); err == nil {
		return n
	}
	return few
}

// TestNestingIsTrue: in random laminar and overlapping networks, what every
// host infers about nesting equals the truth once the hold time has passed, and
// never says yes wrongly before. MZAP-6.1-6, MZAP-3-2, MZAP-3.1-1, MZAP-6.9-5.
// MALLOC_SEEDS=1000 runs more networks.
func TestNestingIsTrue(t *testing.T) {
	for seed := range seeds(40) {
		w := mzaptest.NewWorld(seed, 8, 5, seed%2 == 0)
		start(t, w.Network)
		for range 4 {
			w.Run(time.Hour)
			done := w.Now().Sub(time.Date(2000, 2, 1, 0, 0, 0, 0, time.UTC)) >= 4*time.Hour
			for area, h := range w.Hosts() {
				checkNesting(t, seed, w, area, h, done)
			}
		}
		if t.Failed() {
			return
		}
	}
}

// checkNesting compares what a host infers with the truth. Only after some time
// everything must be known.
func checkNesting(t *testing.T, seed uint64, w *mzaptest.World, area int, h *mzaptest.Host, done bool) {
	t.Helper()
	known := h.Listener.Discovered(w.Now())
	if want := countIn(w, area); done && len(known) != want {
		t.Errorf("seed %d: %s knows %d scopes, is in %d", seed, h.Name, len(known), want)
		return
	}
	n := h.Listener.Nesting(w.Now())
	for _, x := range known {
		for _, y := range known {
			truth, got := w.Nests(area, x.Scope.ID(), y.Scope.ID()), n.Of(x.Scope.ID(), y.Scope.ID())
			switch {
			case got == scope.Yes && !truth, got == scope.No && truth, done && got == scope.Unknown:
				t.Errorf("seed %d: %s thinks %v in %v: %v, truth %v", seed, h.Name, x.Scope.ID(), y.Scope.ID(), got, truth)
			}
		}
	}
}

func countIn(w *mzaptest.World, area int) (n int) {
	for _, s := range w.Scopes {
		if w.In(area, s.ID()) {
			n++
		}
	}
	return n
}

// TestHealthyWorldHasNoFinding: a network without a mistake is never accused of
// one, though datagrams are late, out of order and doubled, and routers restart
// with what they knew. MALLOC_SEEDS=1000 runs more networks.
func TestHealthyWorldHasNoFinding(t *testing.T) {
	for seed := range seeds(40) {
		w := mzaptest.NewWorld(seed+1000, 8, 5, false)
		w.MaxDelay = time.Second
		w.Duplication = 0.2
		start(t, w.Network)
		for i := range 6 {
			w.Run(time.Hour)
			if r := w.Routers()[i%len(w.Routers())]; r.Machine != nil {
				if err := r.Restart(true); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, f := range w.Findings {
			t.Errorf("seed %d: %v", seed, f)
		}
		for _, r := range w.Routers() {
			if r.Machine == nil {
				continue
			}
			if s := r.Machine.Stats(); s.Malformed+s.Foreign+s.Unannounceable+s.Unsendable+s.Evicted != 0 {
				t.Errorf("seed %d: %s: %+v", seed, r.Name, s)
			}
		}
		if t.Failed() {
			return
		}
	}
}

// TestZoneIDsConverge: every boundary router of a zone ends up with the lowest
// address of any of them, and finds the next one when that one dies.
// MZAP-2-4, MZAP-2-5, MZAP-3.3-1, MZAP-3.3-3.
func TestZoneIDsConverge(t *testing.T) {
	n := start(t, mzaptest.Figure2(7))
	x := scope.MustRange("239.130.0.0", "239.130.255.255")
	id := func(name string) string {
		for _, r := range n.Routers() {
			if r.Name == name {
				got, _ := r.Machine.ZoneID(x)
				return nameOf(n, got)
			}
		}
		return "no router"
	}
	if id("D") != "D" || id("E") != "E" {
		t.Errorf("before anything is heard the zone IDs are those of %s and %s", id("D"), id("E"))
	}
	n.Run(780 * time.Second)
	for _, name := range []string{"E", "D", "X"} {
		if got := id(name); got != "E" {
			t.Errorf("zone ID at %s is that of %s, want E", name, got)
		}
	}
	if got := id("G"); got != "G" {
		t.Errorf("G, outside, took over the zone ID of %s", got)
	}
	for _, r := range n.Routers() {
		r.Down = r.Down || r.Name == "E"
	}
	n.Run(1861 * time.Second)
	for _, name := range []string{"D", "X"} {
		if got := id(name); got != "D" {
			t.Errorf("without E the zone ID at %s is that of %s, want D", name, got)
		}
	}
}

// TestFloodEnds: in a network with loops, one announcement is relayed a bounded
// number of times, by no router more often than it has neighbours, and dies out.
func TestFloodEnds(t *testing.T) {
	n := mzaptest.NewNetwork(1)
	x := mzaptest.ScopeOf("X", "239.7.0.0", "239.7.255.255")
	var links []*mzaptest.Link
	for range 5 {
		links = append(links, n.Link("zone"))
	}
	out := n.Link("out")
	for i := range links { // a full mesh: every two local zones have a router
		for j := range i {
			r := n.Router("r", links[i], links[j])
			r.BoundLocal(links[j])
		}
	}
	origin := n.Router("origin", links[0], out)
	origin.Bound(x, out)
	start(t, n)
	n.Run(2000 * time.Second)
	sent := map[*mzaptest.Router]int{}
	n.Trace = func(from *mzaptest.Router, s mzap.Send) {
		var m mzap.Message
		if m.Decode(s.Packet) == nil && m.Type == mzap.ZAM {
			sent[from]++
		}
	}
	n.RunUntil(time.Hour, func() bool { return sent[origin] == 1 })
	n.Run(40 * time.Second)
	if len(sent) < 4 {
		t.Errorf("only %d routers took part", len(sent))
	}
	for r, count := range sent {
		if count > 2 {
			t.Errorf("a router with two links sent %d copies: %v", count, r.Config.Interfaces)
		}
	}
}
