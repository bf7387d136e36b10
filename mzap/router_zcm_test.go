// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/scope"
)

// TestZBRList is the list of boundary routers and the Zone ID. MZAP-3.3-3,
// MZAP-6.7-1, MZAP-6.7-2, MZAP-5.3-4, MZAP-A-11, MZAP-2-4.
func TestZBRList(t *testing.T) {
	g := newRig(t)
	g.effects()
	id := func() netip.Addr { a, _ := g.r.ZoneID(scopeX.Range); return a }
	g.receive(1, zcm(scopeX, "10.0.2.9"))
	if id() != addr("10.0.1.1") {
		t.Errorf("a higher router became the Zone ID: %v", id())
	}
	got := g.receive(2, zcm(scopeX, "10.0.0.9"))
	want := []mzap.Effect{mzap.ZoneIDChanged{Scope: scopeX.Range, Old: addr("10.0.1.1"), New: addr("10.0.0.9")}}
	if d := cmp.Diff(want, got, sameMessage); d != "" || id() != addr("10.0.0.9") {
		t.Errorf("a lower router: %s, Zone ID %v", d, id())
	}
	if local, _ := g.r.ZoneID(localScope.Range); local != addr("10.0.1.1") {
		t.Errorf("the Zone ID of another scope changed to %v", local)
	}
	msgs, _ := g.next(mzap.ZAM, scopeX.Range)
	if msgs[0].ZoneID != addr("10.0.0.9") || msgs[0].LocalZone != addr("10.0.1.1") {
		t.Errorf("later messages carry %v and %v", msgs[0].ZoneID, msgs[0].LocalZone)
	}
	g.now = epoch.Add(1800 * time.Second)
	g.receive(2, zcm(scopeX, "10.0.0.9")) // refreshed
	g.now = epoch.Add(1800*time.Second + 1860*time.Second - 1)
	g.r.Advance(g.now)
	if id() != addr("10.0.0.9") {
		t.Error("expired too early")
	}
	if at, _ := g.r.Deadline(); at.After(g.now.Add(1)) {
		t.Errorf("the expiry is not in the Deadline: %v", at)
	}
	g.now = g.now.Add(1)
	g.r.Advance(g.now)
	if changed := ofType[mzap.ZoneIDChanged](g.effects()); id() != addr("10.0.1.1") || len(changed) != 1 {
		t.Errorf("at the instant of expiry: %v, %v", id(), changed)
	}
	short := zcm(scopeX, "10.0.0.9")
	short.HoldTime = 5 * time.Second
	g.receive(1, short)
	if id() != addr("10.0.0.9") {
		t.Error("not taken in")
	}
	g.wait(5 * time.Second)
	if id() != addr("10.0.1.1") {
		t.Error("MZAP-A-11: the received hold time was not used")
	}
	g.receive(1, short)
	short.HoldTime = 0
	g.receive(1, short)
	if id() != addr("10.0.1.1") {
		t.Error("MZAP-A-11: hold time 0 does not withdraw")
	}
}

// TestSendZCM: to the relative group of the scope, with the routers heard, our own
// zone's header, and nobody's help. MZAP-5.3-1, MZAP-5.3-2, MZAP-5.3-5,
// MZAP-6.6-1, MZAP-6.6-2, MZAP-A-15.
func TestSendZCM(t *testing.T) {
	g := newRig(t)
	g.effects()
	g.receive(1, zcm(scopeX, "10.0.2.9"))
	g.receive(2, zcm(scopeX, "10.0.2.7"))
	g.receive(2, zcm(scopeX, "10.0.1.1")) // our own address
	msgs, sends := g.next(mzap.ZCM, scopeX.Range)
	want := zcm(scopeX, "10.0.1.1", "10.0.2.7", "10.0.2.9")
	want.Names = mzap.WireNames(scopeX.Names)
	if d := cmp.Diff([]*mzap.Message{want}, msgs, sameMessage); d != "" {
		t.Errorf("ZCM (-want +got):\n%s", d)
	}
	if s := sends[0]; s.Group != addr("239.130.255.252") || !slices.Equal(s.Interfaces, []int{1, 2, 3, 4}) || s.Source != addr("10.0.1.1") {
		t.Errorf("%+v", s)
	}
	msgs, sends = g.next(mzap.ZCM, localScope.Range)
	if len(msgs) != 1 || len(msgs[0].Routers) != 0 || sends[0].Group != addr("239.255.255.252") || !slices.Equal(sends[0].Interfaces, []int{1, 2}) {
		t.Errorf("Local Scope: %v %+v", msgs, sends)
	}
}

// TestSelectListed: those not listed recently come first. MZAP-5.3-5, MZAP-A-27.
func TestSelectListed(t *testing.T) {
	c := func(a string, last int) mzap.Listed {
		l := mzap.Listed{Router: addr(a)}
		if last > 0 {
			l.Last = epoch.Add(time.Duration(last))
		}
		return l
	}
	candidates := []mzap.Listed{c("10.0.0.5", 3), c("10.0.0.4", 1), c("10.0.0.3", 0), c("10.0.0.2", 1), c("10.0.0.9", 0)}
	for _, want := range []string{"[]", "[10.0.0.3]", "[10.0.0.3 10.0.0.9]", "[10.0.0.2 10.0.0.3 10.0.0.9]",
		"[10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.9]", "[10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.9]"} {
		room := (len(want)) / 8
		if got := fmt.Sprint(mzap.SelectListed(candidates, room)); got != want {
			t.Errorf("room %d: %s, want %s", room, got, want)
		}
	}
	if candidates[0].Router != addr("10.0.0.5") {
		t.Error("the candidates were reordered")
	}
}

// TestZCMRoom: a ZCM lists what fits into the MTU, at most 255, and every router
// has its turn. MZAP-A-27, MZAP-5.3-5.
func TestZCMRoom(t *testing.T) {
	for _, c := range []struct{ mtu, first int }{
		{0, 255}, {28 + 20 + 8 + 4 + 4*100, 100}, {28 + 20 + 8 + 4 + 4*100 + 3, 100}, {10, 0},
	} {
		g := newRig(t, func(cfg *mzap.RouterConfig) { cfg.MTU = c.mtu })
		g.effects()
		for i := range 300 {
			m := zcm(scopeX, "10.0.2.9")
			m.Origin = netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
			m.HoldTime = 65535 * time.Second
			g.receive(1, m)
		}
		seen := map[netip.Addr]bool{}
		for round := range 3 {
			msgs, _ := g.next(mzap.ZCM, scopeX.Range)
			list := msgs[0].Routers
			if len(list) != c.first || !slices.IsSortedFunc(list, netip.Addr.Compare) {
				t.Errorf("MTU %d, round %d: %d listed", c.mtu, round, len(list))
			}
			for _, a := range list {
				seen[a] = true
			}
		}
		if want := min(3*c.first, 300); len(seen) != want {
			t.Errorf("MTU %d: %d routers had a turn in three rounds, want %d", c.mtu, len(seen), want)
		}
	}
}

// TestInspectZCM looks for non-convexity and name conflicts. MZAP-6.7-3,
// MZAP-6.7-4, MZAP-6.7-5, MZAP-A-15, MZAP-A-28.
func TestInspectZCM(t *testing.T) {
	g := newRig(t)
	g.effects()
	at := func(d time.Duration, m *mzap.Message) []mzap.FindingKind {
		g.wait(epoch.Add(d).Sub(g.now))
		g.effects()
		return kinds(g.receive(1, m))
	}
	lists := zcm(scopeX, "10.0.1.9", "10.0.2.7", "10.0.1.1", "10.0.2.7")
	if k := at(0, zcm(scopeX, "10.0.1.9", "10.5.0.7", "10.5.0.7")); !slices.Equal(k, []mzap.FindingKind{mzap.NonConvexRoute}) {
		t.Errorf("MZAP-6.7-3: reached through the boundary: %v", k)
	}
	if k := at(0, lists); k != nil {
		t.Errorf("MZAP-A-28: first listed: %v", k)
	}
	if k := at(1859*time.Second, lists); k != nil {
		t.Errorf("MZAP-A-28: not silent for long enough: %v", k)
	}
	if k := at(1860*time.Second, lists); !slices.Equal(k, []mzap.FindingKind{mzap.NonConvexSilence}) {
		t.Errorf("MZAP-6.7-4: silent since it was first listed: %v", k)
	}
	at(1870*time.Second, zcm(scopeX, "10.0.2.7"))
	if s := g.r.Snapshot(g.now); len(s.Zones[1].Silent) != 1 { // 10.5.0.7, from above
		t.Errorf("who is heard is still among the silent: %v", s.Zones[1].Silent)
	}
	if k := at(1900*time.Second, lists); k != nil {
		t.Errorf("heard meanwhile: %v", k)
	}
	// It expires at 1870 s + 1860 s; its last ZCM counts, not the expiry.
	if k := at(3729*time.Second, lists); k != nil {
		t.Errorf("still live: %v", k)
	}
	if k := at(3730*time.Second, lists); !slices.Equal(k, []mzap.FindingKind{mzap.NonConvexSilence}) {
		t.Errorf("silent since its last ZCM: %v", k)
	}
	patient := zcm(scopeX, "10.0.2.3")
	patient.HoldTime = 65535 * time.Second
	lists = zcm(scopeX, "10.0.1.9", "10.0.2.3")
	at(3730*time.Second, patient)
	at(3731*time.Second, lists)
	if k := at(9000*time.Second, lists); k != nil {
		t.Errorf("MZAP-A-28: a router within its own hold time is not silent: %v", k)
	}
	named := zcm(scopeX, "10.0.1.9")
	named.Names = []mzap.Name{{Tag: []byte("EN"), Text: []byte("Not X")}}
	if k := at(9000*time.Second, named); !slices.Equal(k, []mzap.FindingKind{mzap.NameConflict}) {
		t.Errorf("MZAP-6.7-5: %v", k)
	}
}

// TestUnheededZCM: MZAP-A-32, MZAP-6.7-6, MZAP-A-22.
func TestUnheededZCM(t *testing.T) {
	g := newRig(t)
	g.effects()
	shorter := mzaptestScope("X", "239.130.0.0", "239.130.0.255")
	for _, c := range []struct {
		in int
		m  *mzap.Message
	}{
		{1, zcm(scopeY, "10.0.0.9")}, {5, zcm(scopeX, "10.0.0.9", "10.5.0.1")}, {1, zcm(shorter, "10.0.0.9")}, {1, zcm(scope.IPv4LinkLocal(), "10.0.0.9")},
	} {
		if got := g.receive(c.in, c.m); len(got) != 0 {
			t.Errorf("%v on %d: %v", c.m.Range, c.in, got)
		}
	}
	if s := g.r.Snapshot(g.now); len(s.Zones[0].Routers)+len(s.Zones[1].Routers)+len(s.Zones[1].Silent) != 0 {
		t.Errorf("entered somewhere: %+v", s.Zones)
	}
	if s := g.r.Stats(); s.Unheeded != 3 || s.Unannounceable != 1 {
		t.Errorf("%+v", s)
	}
}

// TestNeighbourZone: the Zone ID beyond a Local Scope boundary, from what is said
// there, else from configuration. MZAP-A-7, MZAP-A-11.
func TestNeighbourZone(t *testing.T) {
	g := newRig(t, func(c *mzap.RouterConfig) { c.Interfaces[2].Beyond = addr("10.3.0.3") })
	g.effects()
	beyond := func() netip.Addr {
		g.now = g.now.Add(time.Minute) // past any duplicate
		for _, m := range g.sent(g.receive(1, zam(scopeY, "10.0.1.9")), mzap.ZAM) {
			if m.Path[0].Router == addr("10.0.3.1") {
				return m.Path[0].LocalZone
			}
		}
		t.Error("nothing over interface 3")
		return netip.Addr{}
	}
	if got := beyond(); got != addr("10.3.0.3") {
		t.Errorf("configured: %v", got)
	}
	m := zcm(localScope, "10.3.0.9")
	m.ZoneID = addr("10.3.0.5")
	g.receive(3, m)
	if got := beyond(); got != addr("10.3.0.5") {
		t.Errorf("learned: %v", got)
	}
	m.ZoneID = addr("10.3.0.4")
	m.HoldTime = 150 * time.Second
	g.receive(3, m)
	if got := beyond(); got != addr("10.3.0.4") {
		t.Errorf("the latest wins: %v", got)
	}
	if own, _ := g.r.ZoneID(localScope.Range); own != addr("10.0.1.1") {
		t.Errorf("our own list was touched: %v", own)
	}
	g.now = g.now.Add(2 * time.Minute)
	if got := beyond(); got != addr("10.3.0.3") {
		t.Errorf("after its hold time: %v", got)
	}
	g.receive(3, m)
	m.HoldTime = 0
	g.receive(3, m)
	if got := beyond(); got != addr("10.3.0.3") {
		t.Errorf("withdrawn: %v", got)
	}
}
