// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/scope"
)

// exceeding is a ZAM for a scope that has reached its limit.
func exceeding(s scope.Scope, origin string) *mzap.Message {
	m := zam(s, origin)
	m.Limit = 1
	return m
}

// TestZLE: a ZAM at its limit is answered once, later, in its own scope, with its
// own octets. MZAP-6.4-1, MZAP-6.4-4, MZAP-6.4-5, MZAP-A-3, MZAP-6.3-14.
func TestZLE(t *testing.T) {
	g := newRig(t)
	g.effects()
	packet := g.encode(exceeding(scopeY, "10.0.1.9"))
	got := g.receivePacket(mzap.Packet{Interface: 1, Payload: packet})
	join := ofType[mzap.Join](got)
	if len(ofType[mzap.Send](got)) != 0 || len(join) != 1 || join[0].Group != addr("239.140.255.252") || !slices.Equal(join[0].Interfaces, []int{1, 2, 3, 4, 5}) {
		t.Fatalf("at the limit: %v", got)
	}
	at, _ := g.r.Deadline()
	if wait := at.Sub(epoch); wait < 0 || wait > 301*time.Second {
		t.Fatalf("the delay is %v", wait)
	}
	got = g.wait(at.Sub(g.now))
	sends, leave := ofType[mzap.Send](got), ofType[mzap.Leave](got)
	if len(sends) != 1 || sends[0].Group != addr("239.140.255.252") || len(leave) != 1 || leave[0].Group != join[0].Group {
		t.Fatalf("when the delay is over: %v", got)
	}
	if want := mzap.AppendZLE(nil, packet); !bytes.Equal(sends[0].Packet, want) {
		t.Errorf("ZLE\n %x, want\n %x", sends[0].Packet, want)
	}
}

// TestZLESuppression: MZAP-6.5-1, MZAP-A-27, MZAP-6.4-2, MZAP-6.4-6, MZAP-A-4.
func TestZLESuppression(t *testing.T) {
	zleFor := func(s scope.Scope) *mzap.Message {
		m := exceeding(s, "10.7.0.1")
		m.Type = mzap.ZLE
		return m
	}
	pending := func(g *rig) bool { return len(g.r.Snapshot(g.now).PendingZLE) > 0 }
	g := newRig(t)
	g.effects()
	g.receive(1, exceeding(scopeY, "10.0.1.9"))
	other := mzaptestScope("Y", "239.140.0.0", "239.140.0.255")
	if g.receive(1, zleFor(other)); !pending(g) {
		t.Error("MZAP-A-27: a ZLE for another range cancelled")
	}
	if g.receive(1, exceeding(mzaptestScope("Z", "239.150.0.0", "239.150.0.255"), "10.0.1.9")); !pending(g) {
		t.Error("a second limit displaced the first")
	}
	if got := g.receive(1, zleFor(scopeY)); pending(g) || len(ofType[mzap.Leave](got)) != 1 {
		t.Error("MZAP-6.5-1: the same ZLE of another router did not cancel")
	}
	if got := g.wait(400 * time.Second); len(g.sent(got, mzap.ZLE)) != 0 {
		t.Error("a cancelled ZLE was sent")
	}
	// Never sent one, so the next is scheduled; after it, none for 300 s.
	g.receive(1, exceeding(scopeY, "10.0.1.9"))
	if !pending(g) {
		t.Fatal("not scheduled")
	}
	for pending(g) {
		g.wait(time.Second)
	}
	sentAt := g.now
	g.receive(1, exceeding(mzaptestScope("Z", "239.150.0.0", "239.150.0.255"), "10.0.1.9"))
	if pending(g) {
		t.Error("MZAP-6.4-2: scheduled too soon after the last, whatever the scope")
	}
	g.wait(sentAt.Add(300 * time.Second).Sub(g.now))
	if g.receive(1, exceeding(mzaptestScope("V", "239.151.0.0", "239.151.0.255"), "10.0.1.9")); !pending(g) {
		t.Error("MZAP-6.4-2: not scheduled 300 s after the last")
	}
	g = newRig(t)
	if g.receive(1, exceeding(mzaptestScope("tiny", "239.150.0.0", "239.150.0.2"), "10.0.1.9")); pending(g) {
		t.Error("MZAP-A-4: a scope without a relative group")
	}
	// A ZAM for a configured scope: no join and leave, we listen there anyway. Nor
	// for a conflicting one that has the local group as its relative group.
	for _, s := range []scope.Scope{scopeX, mzaptestScope("W", "239.254.0.0", "239.255.255.255")} {
		g = newRig(t)
		g.effects()
		got := g.receive(1, exceeding(s, "10.0.1.9"))
		got = append(got, g.receive(1, zleFor(s))...)
		if len(ofType[mzap.Join](got))+len(ofType[mzap.Leave](got)) != 0 || pending(g) {
			t.Errorf("%v: %v", s.Range, got)
		}
	}
}

// TestReceiveZLE: our own ZAM came back as a ZLE. MZAP-6.5-2, MZAP-4.2-2.
func TestReceiveZLE(t *testing.T) {
	g := newRig(t)
	g.effects()
	m := exceeding(scopeX, "10.0.1.1")
	m.Type = mzap.ZLE
	m.Path = []mzap.Hop{{Router: addr("10.9.0.1"), LocalZone: addr("10.9.0.1")}}
	got := ofType[mzap.Finding](g.receive(3, m))
	if len(got) != 1 || got[0].Kind != mzap.LimitExceeded || !slices.Equal(got[0].Path, m.Path) || got[0].Scope != scopeX.Range {
		t.Errorf("%v", got)
	}
	m.Origin = addr("10.0.1.9")
	if got := g.receive(3, m); len(got) != 0 {
		t.Errorf("somebody else's: %v", got)
	}
	m.Origin, m.Range = addr("10.0.1.1"), localScope.Range
	if got := g.receive(3, m); len(got) != 0 {
		t.Errorf("for the Local Scope: %v", got)
	}
}
