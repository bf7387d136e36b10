// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/mzap/mzaptest"
	"github.com/mcastalloc/malloc/scope"
)

// row is a line of areas, each with two inner links, joined by pairs of boundary
// routers; the zone of X is areas from..to-1. left and right of connection i are
// the routers between area i and area i+1.
type row struct {
	*mzaptest.Network
	left, right []*mzaptest.Router
	across      []*mzaptest.Link
}

func newRow(seed uint64, areas int) *row {
	w := &row{Network: mzaptest.NewNetwork(seed)}
	var links []*mzaptest.Link
	for i := range areas {
		links = append(links, w.Link(fmt.Sprint("area", i)))
	}
	for i := range areas - 1 {
		across := w.Link(fmt.Sprintf("%d-%d", i, i+1))
		w.across = append(w.across, across)
		w.left = append(w.left, w.Router(fmt.Sprintf("left%d", i), links[i], across))
		w.right = append(w.right, w.Router(fmt.Sprintf("right%d", i), links[i+1], across))
		w.left[i].BoundLocal(across)
		w.right[i].BoundLocal(across)
	}
	return w
}

// bound makes the areas from first to last a zone of a scope.
func (w *row) bound(s scope.Scope, first, last int) {
	if first > 0 {
		w.right[first-1].Bound(s, w.across[first-1])
	}
	if last < len(w.left) {
		w.left[last].Bound(s, w.across[last])
	}
}

// TestEveryFaultIsFound injects one fault after the other into a row of areas
// that is otherwise fine; each is found, and nothing else is. Without the fault
// nothing is. MALLOC_SEEDS=100 runs more.
func TestEveryFaultIsFound(t *testing.T) {
	other := mzaptest.ScopeOf("Other name", "239.130.0.0", "239.130.255.255")
	shorter := mzaptest.ScopeOf("X", "239.130.0.0", "239.130.127.255")
	x := mzaptest.ScopeOf("X", "239.130.0.0", "239.130.255.255")
	for _, c := range []struct {
		name  string
		build func(w *row)
		fault func(w *row)
		want  mzap.FindingKind
	}{
		{"MZAP-4.4-2 another name", func(w *row) { w.bound(x, 1, 2) },
			func(w *row) { w.left[2].Config.Scopes[1].Scope = other }, mzap.NameConflict},
		{"MZAP-4.4-1 another range", func(w *row) { w.bound(x, 1, 2) },
			func(w *row) { w.left[2].Config.Scopes[1].Scope = shorter }, mzap.RangeConflict},
		{"MZAP-4.2-2 a boundary is missing and the announcement gets far", func(w *row) {
			w.bound(x, 1, 2)
			w.right[0].Config.Scopes[1].Limit = 8
			w.left[2].Config.Scopes[1].Limit = 8
		}, func(w *row) { w.left[2].Config.Scopes = w.left[2].Config.Scopes[:1] }, mzap.LimitExceeded},
		{"MZAP-4.3-1 the Local Scope leaks between two zones", func(w *row) { w.bound(x, 1, 2); w.bound(x, 3, 4) },
			func(w *row) {
				w.left[2].Leak(mzap.LocalScope(true), w.across[2])
				w.right[2].Leak(mzap.LocalScope(true), w.across[2])
			}, mzap.LeakyLocalScope},
		{"MZAP-4.1-2 a router is cut off inside", func(w *row) { w.bound(x, 1, 3) },
			func(w *row) {
				w.Drop = func(to string, _ *mzaptest.Link, m *mzap.Message) bool {
					return to == "left3" && m.Type == mzap.ZCM && nameOf(w.Network, m.Origin) == "right0"
				}
				w.Router("left3b", w.across[3], w.across[2]).Bound(x, w.across[3]) // hears right0, and says so
			}, mzap.NonConvexSilence},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range seeds(5) {
				healthy := newRow(seed, 9)
				c.build(healthy)
				start(t, healthy.Network)
				healthy.Run(3 * time.Hour)
				for _, f := range healthy.Findings {
					t.Errorf("seed %d, no fault: %v", seed, f)
				}
				w := newRow(seed, 9)
				c.build(w)
				c.fault(w)
				start(t, w.Network)
				w.Run(4 * time.Hour)
				found := false
				for _, f := range w.Findings {
					found = found || f.Kind == c.want
				}
				if !found {
					t.Errorf("seed %d: not found among %d: %v", seed, len(w.Findings), w.Findings)
				}
			}
		})
	}
}

// TestLeakNamesItsCulprit: of the leak above, the ZLE's path leads through the
// router that lacks the boundary. MZAP-4.2-3, MZAP-4-1.
func TestLeakNamesItsCulprit(t *testing.T) {
	x := mzaptest.ScopeOf("X", "239.130.0.0", "239.130.255.255")
	w := newRow(3, 9)
	w.bound(x, 1, 2)
	w.right[0].Config.Scopes[1].Limit = 8
	w.left[2].Config.Scopes = w.left[2].Config.Scopes[:1]
	start(t, w.Network)
	w.Run(2 * time.Hour)
	for f := range w.Found(mzap.LimitExceeded) {
		if f.Node != "right0" {
			t.Errorf("found by %s", f.Node)
		}
		culprit := false
		for _, h := range f.Path {
			culprit = culprit || nameOf(w.Network, h.Router) == "left2"
		}
		if !culprit {
			t.Errorf("the path does not name left2: %v", f)
		}
	}
}

// TestZLEImplosion: of many routers that hit the limit at once, few answer.
// MZAP-6.4-3, MZAP-6.4-4, MZAP-6.5-1.
func TestZLEImplosion(t *testing.T) {
	var answers int
	const networks = 10
	for seed := range uint64(networks) {
		n := mzaptest.NewNetwork(seed)
		x := mzaptest.ScopeOf("X", "239.130.0.0", "239.130.255.255")
		inside, out := n.Link("inside"), n.Link("out")
		origin := n.Router("origin", inside, out)
		origin.Bound(x, out)
		origin.Config.Scopes[1].Limit = 1
		for i := range 40 {
			other := n.Link(fmt.Sprint("l", i))
			n.Router(fmt.Sprint("r", i), inside, other).BoundLocal(other)
		}
		start(t, n)
		n.Trace = func(_ *mzaptest.Router, s mzap.Send) {
			if s.Packet[1]&0x7f == byte(mzap.ZLE) {
				answers++
			}
		}
		n.RunUntil(time.Hour, func() bool { return origin.Machine.Stats().Sent[mzap.ZAM] == 1 })
		n.Run(301 * time.Second)
	}
	if answers < networks || answers > 3*networks {
		t.Errorf("%d ZLEs for %d announcements, want about one each", answers, networks)
	}
}
