// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/scope"
)

// TestStart: a router joins its groups, says nothing at first, and then sends a
// message of each kind within its jittered interval. MZAP-A-26, MZAP-3.3-2,
// MZAP-5.3-1, MZAP-5.1-1.
func TestStart(t *testing.T) {
	g := newRig(t)
	want := []mzap.Effect{
		mzap.Join{Group: addr("239.255.255.252"), Interfaces: []int{1, 2, 3, 4, 5}},
		mzap.Join{Group: addr("239.130.255.252"), Interfaces: []int{1, 2, 3, 4}},
	}
	if d := cmp.Diff(want, g.effects(), sameMessage); d != "" {
		t.Errorf("at start (-want +got):\n%s", d)
	}
	if at, _ := g.r.Deadline(); at.Before(epoch.Add(420 * time.Second)) {
		t.Errorf("first deadline %v", at.Sub(epoch))
	}
	first := g.wait(780 * time.Second)
	for _, m := range g.sent(first, mzap.ZAM) {
		if m.Range == localScope.Range {
			t.Error("MZAP-5.1-1: a ZAM for the Local Scope")
		}
	}
	if len(g.sent(first, mzap.ZAM)) == 0 || len(g.sent(first, mzap.ZCM)) < 2 {
		t.Errorf("no ZAM or ZCMs within the first interval: %v", ways(first))
	}
	// Each later interval is drawn anew, and lies within 30 % of 600 s.
	var at []time.Time
	var gaps []time.Duration
	for range 60 {
		for len(g.sent(g.wait(time.Second), mzap.ZAM)) == 0 {
		}
		at = append(at, g.now)
		if n := len(at); n > 1 {
			gaps = append(gaps, at[n-1].Sub(at[n-2]))
		}
	}
	if lo, hi := slices.Min(gaps), slices.Max(gaps); lo < 419*time.Second || hi > 781*time.Second || hi-lo < 200*time.Second {
		t.Errorf("MZAP-6.2-1: intervals from %v to %v", lo, hi)
	}
}

// next returns the messages of a type in the first round of them from now on,
// and how they were sent.
func (g *rig) next(typ mzap.Type, about scope.Range) (msgs []*mzap.Message, sends []mzap.Send) {
	g.Helper()
	for range 40 {
		at, _ := g.r.Deadline()
		for _, s := range ofType[mzap.Send](g.wait(at.Sub(g.now))) {
			var m mzap.Message
			if err := m.UnmarshalBinary(s.Packet); err != nil {
				g.Fatal(err)
			}
			if m.Type == typ && (typ == mzap.NIM && m.NotInside == about.First() || m.Range == about) {
				msgs, sends = append(msgs, &m), append(sends, s)
			}
		}
		if len(msgs) > 0 {
			return msgs, sends
		}
	}
	g.Fatalf("no %v for %v", typ, about)
	return nil, nil
}

// TestSendZAM: the plain ZAM goes into the own local zone, and one copy over
// each Local Scope boundary that is inside X, as if relayed. MZAP-A-18, MZAP-5-1,
// MZAP-5-3, MZAP-5.1-4, MZAP-5.1-7, MZAP-6.2-2, MZAP-8-4.
func TestSendZAM(t *testing.T) {
	plain := mzap.Message{
		Type: mzap.ZAM, Origin: addr("10.0.1.1"), ZoneID: addr("10.0.1.1"), Range: scopeX.Range,
		Names: mzap.WireNames(scopeX.Names), Limit: 32, HoldTime: 1860 * time.Second, LocalZone: addr("10.0.1.1"),
	}
	g := newRig(t, func(c *mzap.RouterConfig) { c.Interfaces[3].Beyond = addr("10.4.0.9") })
	msgs, sends := g.next(mzap.ZAM, scopeX.Range)
	over3, over4 := plain, plain
	over3.Path = []mzap.Hop{{Router: addr("10.0.3.1")}}
	over4.Path = []mzap.Hop{{Router: addr("10.0.4.1"), LocalZone: addr("10.4.0.9")}}
	if d := cmp.Diff([]*mzap.Message{&plain, &over3, &over4}, msgs, sameMessage); d != "" {
		t.Errorf("ZAMs (-want +got):\n%s", d)
	}
	for i, want := range []mzap.Send{
		{Source: addr("10.0.1.1"), Interfaces: []int{1, 2}}, {Source: addr("10.0.3.1"), Interfaces: []int{3}}, {Source: addr("10.0.4.1"), Interfaces: []int{4}},
	} {
		got := sends[i]
		if got.Source != want.Source || !slices.Equal(got.Interfaces, want.Interfaces) || got.Group != addr("239.255.255.252") || !got.Authenticate {
			t.Errorf("copy %d: %+v", i, got)
		}
	}
	for _, c := range []struct {
		name         string
		limit, wire  int
		copies       int
		beyondIsOurs bool
	}{
		{"MZAP-6.2-2 lower limit", 5, 5, 3, false},
		{"MZAP-5.1-3 no limit", -1, 0, 3, false},
		{"MZAP-A-18 limit 1: no copies", 1, 1, 1, false},
		{"MZAP-A-18 not over a boundary back into our zone", 0, 32, 2, true},
	} {
		g := newRig(t, func(cfg *mzap.RouterConfig) {
			cfg.Scopes[1].Limit = c.limit
			if c.beyondIsOurs {
				cfg.Interfaces[3].Beyond = addr("10.0.1.1")
			}
		})
		msgs, _ := g.next(mzap.ZAM, scopeX.Range)
		if len(msgs) != c.copies || int(msgs[0].Limit) != c.wire {
			t.Errorf("%s: %d copies with limit %d", c.name, len(msgs), msgs[0].Limit)
		}
	}
}

// TestOwnZAMIsRemembered: after our own ZAM, another one of the same zone is a
// duplicate. MZAP-A-18.
func TestOwnZAMIsRemembered(t *testing.T) {
	g := newRig(t)
	g.next(mzap.ZAM, scopeX.Range)
	m := zam(scopeX, "10.0.1.9")
	m.ZoneID = addr("10.0.1.1")
	if got := g.receive(1, m); len(ofType[mzap.Send](got)) != 0 {
		t.Errorf("relayed %v", ways(got))
	}
	g.now = g.now.Add(30 * time.Second)
	if got := g.receive(1, m); len(ofType[mzap.Send](got)) != 2 {
		t.Errorf("after ZAM-DUP-TIME: %v", ways(got))
	}
}

// TestReceiveZAM is section 6.3 at the rig.
func TestReceiveZAM(t *testing.T) {
	conflicting := mzaptestScope("X", "239.130.128.0", "239.131.0.255")
	renamed := mzaptestScope("Not X", "239.130.0.0", "239.130.255.255")
	for _, c := range []struct {
		name     string
		message  *mzap.Message
		in       int
		findings []mzap.FindingKind
		sends    []string
	}{
		{"MZAP-6.3-11 unconfigured scope from inside", zam(scopeY, "10.0.1.9"), 1, nil,
			[]string{"10.0.3.1>239.255.255.252[3]", "10.0.4.1>239.255.255.252[4]", "10.0.5.1>239.255.255.252[5]"}},
		{"MZAP-A-5 configured scope stops at its boundary", zam(scopeX, "10.0.1.9"), 1, nil,
			[]string{"10.0.3.1>239.255.255.252[3]", "10.0.4.1>239.255.255.252[4]"}},
		{"MZAP-6.3-3 own zone ID from outside", func() *mzap.Message { m := zam(scopeX, "10.5.0.9"); m.ZoneID = addr("10.0.1.1"); return m }(), 5,
			[]mzap.FindingKind{mzap.LeakyBoundary}, nil},
		{"MZAP-6.3-4 another zone from outside", zam(scopeX, "10.5.0.9"), 5, nil, nil},
		{"MZAP-6.3-5 origin reached through the outside, still relayed", zam(scopeX, "10.5.0.9"), 1,
			[]mzap.FindingKind{mzap.NonConvexRoute}, []string{"10.0.3.1>239.255.255.252[3]", "10.0.4.1>239.255.255.252[4]"}},
		{"MZAP-6.3-7 other name", zam(renamed, "10.0.1.9"), 1,
			[]mzap.FindingKind{mzap.NameConflict}, []string{"10.0.3.1>239.255.255.252[3]", "10.0.4.1>239.255.255.252[4]"}},
		{"MZAP-6.3-1 overlapping range", zam(conflicting, "10.0.1.9"), 1,
			[]mzap.FindingKind{mzap.RangeConflict}, []string{"10.0.3.1>239.255.255.252[3]", "10.0.4.1>239.255.255.252[4]", "10.0.5.1>239.255.255.252[5]"}},
		{"MZAP-6.3-1 overlap with the Local Scope counts", zam(mzaptestScope("Z", "239.255.0.0", "239.255.0.255"), "10.0.1.9"), 1,
			[]mzap.FindingKind{mzap.RangeConflict}, []string{"10.0.3.1>239.255.255.252[3]", "10.0.4.1>239.255.255.252[4]", "10.0.5.1>239.255.255.252[5]"}},
		{"MZAP-5.1-1 Local Scope", zam(localScope, "10.0.1.9"), 1, nil, nil},
		{"MZAP-5.1-1 link-local scope", zam(scope.IPv4LinkLocal(), "10.0.1.9"), 1, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t)
			g.effects()
			got := g.receive(c.in, c.message)
			if k := kinds(got); !slices.Equal(k, c.findings) {
				t.Errorf("findings %v, want %v", k, c.findings)
			}
			if w := ways(got); !slices.Equal(w, c.sends) {
				t.Errorf("sent %q, want %q", w, c.sends)
			}
			for _, f := range ofType[mzap.Finding](got) {
				if f.Interface != c.in || f.Origin != c.message.Origin {
					t.Errorf("MZAP-4-1: evidence %+v", f)
				}
			}
		})
	}
}

// TestReceiveZAMFromBeyond: a ZAM from another local zone goes into our own, with
// our address and Zone ID in the path; the ID of the zone it passes into is 0
// where unknown. MZAP-6.3-10, MZAP-6.3-13, MZAP-5.1-6.
func TestReceiveZAMFromBeyond(t *testing.T) {
	g := newRig(t, func(c *mzap.RouterConfig) { c.Interfaces[3].Beyond = addr("10.4.0.1") })
	g.effects()
	m := zam(scopeY, "10.3.0.9")
	m.LocalZone = addr("10.3.0.1")
	m.Path = []mzap.Hop{{Router: addr("10.0.3.2")}}
	sent := g.sent(g.receive(3, m), mzap.ZAM)
	want := [][]mzap.Hop{
		{m.Path[0], {Router: addr("10.0.1.1"), LocalZone: addr("10.0.1.1")}},
		{m.Path[0], {Router: addr("10.0.4.1"), LocalZone: addr("10.4.0.1")}},
		{m.Path[0], {Router: addr("10.0.5.1")}},
	}
	if len(sent) != len(want) {
		t.Fatalf("%d copies", len(sent))
	}
	for i := range want {
		if !slices.Equal(sent[i].Path, want[i]) {
			t.Errorf("copy %d: path %v, want %v", i, sent[i].Path, want[i])
		}
	}
	// From inside, an unknown last zone is filled in. MZAP-6.3-8, MZAP-A-6.
	m = zam(scopeY, "10.1.0.9")
	m.Path = []mzap.Hop{{Router: addr("10.0.1.7")}}
	m.LocalZone = addr("10.7.0.1")
	for _, sent := range g.sent(g.receive(1, m), mzap.ZAM) {
		if sent.Path[0].LocalZone != addr("10.0.1.1") {
			t.Errorf("not filled in: %v", sent.Path)
		}
	}
}

// TestDuplicateZAM: MZAP-6.3-9, MZAP-A-8, MZAP-A-22, MZAP-8-5, MZAP-8-8,
// MZAP-8-9, MZAP-A-34.
func TestDuplicateZAM(t *testing.T) {
	type step struct {
		after         time.Duration
		authenticated bool
		change        func(*mzap.Message)
		relayed       bool
	}
	same := func(*mzap.Message) {}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"MZAP-6.3-9 the window", []step{{0, false, same, true}, {29 * time.Second, false, same, false}}},
		{"MZAP-A-8 new at 30 s, although a duplicate came between", []step{{0, false, same, true}, {20 * time.Second, false, same, false}, {10 * time.Second, false, same, true}}},
		{"MZAP-6.3-9 another zone ID", []step{{0, false, same, true}, {1, false, func(m *mzap.Message) { m.ZoneID = addr("10.0.1.77") }, true}}},
		{"MZAP-A-22 same start, other end", []step{{0, false, same, true}, {1, false, func(m *mzap.Message) {
			m.Range = scope.MustRange("239.140.0.0", "239.140.0.255")
		}, false}}},
		{"MZAP-6.3-9 another origin of the same zone", []step{{0, false, same, true}, {1, false, func(m *mzap.Message) { m.Origin = addr("10.0.1.77") }, false}}},
		{"MZAP-8-9 unauthenticated is relayed; MZAP-8-5 authenticated passes it once", []step{{0, false, same, true}, {1, true, same, true}, {1, true, same, false}}},
		{"MZAP-A-34 unauthenticated never displaces authenticated", []step{{0, true, same, true}, {1, false, same, false}, {1, true, same, false}}},
		{"MZAP-A-34 the authenticated one restarts the window", []step{{0, false, same, true}, {20 * time.Second, true, same, true}, {15 * time.Second, false, same, false}, {15 * time.Second, false, same, true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t)
			g.effects()
			for i, s := range c.steps {
				g.now = g.now.Add(s.after)
				m := zam(scopeY, "10.0.1.9")
				s.change(m)
				sends := ofType[mzap.Send](g.receivePacket(mzap.Packet{Interface: 1, Authenticated: s.authenticated, Payload: g.encode(m)}))
				if (len(sends) > 0) != s.relayed {
					t.Fatalf("step %d: %d copies", i, len(sends))
				}
				for _, out := range sends {
					if out.Authenticate != s.authenticated { // MZAP-8-8
						t.Errorf("step %d: relayed with Authenticate %v", i, out.Authenticate)
					}
				}
			}
		})
	}
}

// TestLeakyLocalScope: a mismatch of Zone IDs counts when it lasts. MZAP-6.3-6,
// MZAP-A-16, MZAP-4.3-1, MZAP-4.3-2, MZAP-3.3-4.
func TestLeakyLocalScope(t *testing.T) {
	g := newRig(t)
	g.effects()
	at := func(d time.Duration, m *mzap.Message) []mzap.FindingKind {
		g.wait(epoch.Add(d).Sub(g.now))
		g.effects()
		return kinds(g.receive(1, m))
	}
	lower := zam(scopeX, "10.0.0.9") // lower than our address
	match := zam(scopeX, "10.0.0.9")
	match.ZoneID = addr("10.0.1.1")
	other := zam(scopeX, "10.0.0.8")
	if k := at(0, lower); k != nil {
		t.Errorf("at once: %v", k)
	}
	if id, _ := g.r.ZoneID(scopeX.Range); id != addr("10.0.1.1") {
		t.Errorf("MZAP-3.3-4: a ZAM changed our Zone ID to %v", id)
	}
	if k := at(1859*time.Second, lower); k != nil {
		t.Errorf("too early: %v", k)
	}
	if k := at(1859*time.Second, other); k != nil {
		t.Errorf("another origin: %v", k)
	}
	if k := at(1860*time.Second, lower); !slices.Equal(k, []mzap.FindingKind{mzap.LeakyLocalScope}) {
		t.Errorf("after ZCM-HOLDTIME: %v", k)
	}
	if k := at(1861*time.Second, lower); len(k) != 1 {
		t.Errorf("at each further mismatch: %v", k)
	}
	if k := at(1900*time.Second, match); k != nil {
		t.Errorf("match: %v", k)
	}
	if k := at(1901*time.Second, lower); k != nil {
		t.Errorf("after a match it starts anew: %v", k)
	}
}

// TestForeign: what a router does not take in. MZAP-A-24, MZAP-A-30, MZAP-A-23.
func TestForeign(t *testing.T) {
	g := newRig(t)
	g.effects()
	y := g.encode(zam(scopeY, "10.0.1.9"))
	six := golden(t, "w6")
	for _, p := range []mzap.Packet{
		{Interface: 1, Payload: six},
		{Interface: 1, From: addr("2001:db8::1"), Payload: y},
		{Interface: 77, Payload: y},
		{Interface: 1, From: addr("10.0.3.1"), Payload: y}, // our own
	} {
		if got := g.receivePacket(p); len(got) != 0 {
			t.Errorf("%+v had effects %v", p, got)
		}
	}
	if err := g.r.Receive(g.now, mzap.Packet{Interface: 1, Payload: y[:9]}); err == nil {
		t.Error("no error for a malformed message")
	}
	s := g.r.Stats()
	if s.Foreign != 3 || s.Own != 1 || s.Malformed != 1 {
		t.Errorf("%+v", s)
	}
	if got := g.receivePacket(mzap.Packet{Interface: 1, From: addr("10.0.1.9"), Payload: y}); len(got) == 0 {
		t.Error("a good one was dropped")
	}
	if got := g.r.Snapshot(g.now); len(got.ZAMs) != 1 || len(got.NotInside) != 1 {
		t.Errorf("state after all this: %+v", got)
	}
}

// TestIPv6Router: the same machine in the other family.
func TestIPv6Router(t *testing.T) {
	g := newRig(t, func(c *mzap.RouterConfig) {
		for i := range c.Interfaces {
			c.Interfaces[i].Addr = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(i + 1)})
		}
		c.Scopes[0].Scope, c.Scopes[1].Scope = scope.IPv6(3), scope.IPv6(5)
		c.Route = func(netip.Addr) (int, bool) { return 1, true }
	})
	msgs, sends := g.next(mzap.ZAM, scope.IPv6(5).Range)
	if len(msgs) != 3 || sends[0].Group != mzap.LocalGroup(false) || msgs[0].Origin != addr("2001:db8::1") {
		t.Errorf("%v %+v", msgs, sends)
	}
	if _, sends = g.next(mzap.ZCM, scope.IPv6(5).Range); sends[0].Group != addr("ff05:ffff:ffff:ffff:ffff:ffff:ffff:fffc") {
		t.Errorf("MZAP-A-21: ZCM to %v", sends[0].Group)
	}
	// MZAP-A-27: a ZCM fills 1280 octets, with an IPv6 and a UDP header, and no more.
	for i := range 100 {
		m := &mzap.Message{
			Type: mzap.ZCM, Origin: netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb9, 15: byte(i + 1)}), ZoneID: addr("2001:db9::1"),
			Range: scope.IPv6(5).Range, HoldTime: 65535 * time.Second,
		}
		g.receive(1, m)
	}
	if msgs, _ = g.next(mzap.ZCM, scope.IPv6(5).Range); msgs[0].Size()+48 > 1280 || msgs[0].Size()+48+16 <= 1280 {
		t.Errorf("MZAP-A-27: %d listed in %d octets", len(msgs[0].Routers), msgs[0].Size())
	}
	w6 := golden(t, "w6")
	if got := g.receivePacket(mzap.Packet{Interface: 1, From: addr("2001:db8:a::52"), Payload: w6}); len(ofType[mzap.Send](got)) != 3 {
		t.Errorf("relayed %v", ways(got))
	}
}

// TestEffectOrder: what is to be sent comes before what the application is told,
// and a driver that stops halfway gets the rest later.
func TestEffectOrder(t *testing.T) {
	g := newRig(t)
	g.effects()
	m := zam(mzaptestScope("Not X", "239.130.0.0", "239.130.255.255"), "10.0.1.9")
	if err := g.r.Receive(g.now, mzap.Packet{Interface: 1, Payload: g.encode(m)}); err != nil {
		t.Fatal(err)
	}
	var order []string
	for range 4 {
		for x := range g.r.Effects() {
			switch x.(type) {
			case mzap.Send:
				order = append(order, "send")
			case mzap.Finding:
				order = append(order, "finding")
			}
			break
		}
	}
	if !slices.Equal(order, []string{"send", "send", "finding"}) {
		t.Errorf("%q", order)
	}
}
