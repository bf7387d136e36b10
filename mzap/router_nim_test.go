// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/scope"
)

// TestSendNIM: a ZAM for a scope we do not bound makes us say, for each scope we
// do bound, that it is not inside. MZAP-6.3-2, MZAP-6.8-1, MZAP-6.8-2,
// MZAP-A-18, MZAP-A-31.
func TestSendNIM(t *testing.T) {
	g := newRig(t)
	g.effects()
	y := zam(scopeY, "10.0.1.9")
	y.Divisible = true
	y.HoldTime = 65535 * time.Second
	g.receive(1, y)
	msgs, sends := g.next(mzap.NIM, scopeX.Range)
	want := nim(scopeY, scopeX, "10.0.1.1")
	want.Divisible, want.ZoneID = true, addr("10.0.1.9")
	for _, m := range msgs {
		if d := cmp.Diff(want, m, sameMessage); d != "" {
			t.Errorf("NIM (-want +got):\n%s", d)
		}
	}
	var got [][]int
	for _, s := range sends {
		got = append(got, s.Interfaces)
		if s.Group != addr("239.255.255.252") {
			t.Errorf("to %v", s.Group)
		}
	}
	if d := cmp.Diff([][]int{{1, 2}, {3}, {4}}, got); d != "" {
		t.Errorf("own zone, and the boundaries that are none of X: %s", d)
	}
	// MZAP-A-31: for Y = Local too, which no Local Scope boundary lets out.
	if msgs, sends = g.next(mzap.NIM, localScope.Range); len(msgs) != 1 || !slices.Equal(sends[0].Interfaces, []int{1, 2}) {
		t.Errorf("about the Local Scope: %v", sends)
	}
}

// TestNotInsideEntry: MZAP-6.3-2, MZAP-A-11, MZAP-A-17, MZAP-A-22.
func TestNotInsideEntry(t *testing.T) {
	g := newRig(t)
	g.effects()
	m := zam(scopeY, "10.0.1.9")
	m.HoldTime = 100 * time.Second
	g.receive(1, m)
	g.now = g.now.Add(99 * time.Second)
	g.receive(1, m) // refreshed
	g.now = g.now.Add(99 * time.Second)
	if len(g.r.Snapshot(g.now).NotInside) != 1 {
		t.Error("MZAP-6.3-2: gone before its time")
	}
	g.now = g.now.Add(time.Second)
	if len(g.r.Snapshot(g.now).NotInside) != 0 {
		t.Error("MZAP-6.3-2: there at the instant of expiry")
	}
	g.receive(1, m)
	m.HoldTime = 0
	if g.receive(1, m); len(g.r.Snapshot(g.now).NotInside) != 0 {
		t.Error("MZAP-A-11: hold time 0 does not end it")
	}
	g.receive(1, zam(scopeX, "10.0.1.9"))
	if len(g.r.Snapshot(g.now).NotInside) != 0 {
		t.Error("an entry for a configured scope")
	}
	// Same start as X, another end: in conflict, entered, and never announced.
	longer := mzaptestScope("X", "239.130.0.0", "239.131.255.255")
	m = zam(longer, "10.0.1.9")
	m.HoldTime = 65535 * time.Second
	if k := kinds(g.receive(1, m)); !slices.Equal(k, []mzap.FindingKind{mzap.RangeConflict}) {
		t.Errorf("MZAP-A-17: %v", k)
	}
	if len(g.r.Snapshot(g.now).NotInside) != 1 {
		t.Error("MZAP-A-17: not entered")
	}
	for _, n := range g.sent(g.wait(3*time.Hour), mzap.NIM) {
		if n.NotInside == n.Range.First() || n.NotInside == scopeX.ID() {
			t.Errorf("MZAP-A-17: NIM %v not inside %v", n.Range, n.NotInside)
		}
	}
	if s := g.r.Stats(); s.Unsendable != 0 {
		t.Errorf("MZAP-A-17: tried to send %d impossible NIMs", s.Unsendable)
	}
	g.receive(1, zam(scopeY, "10.0.1.9"))
	g.receive(1, zam(mzaptestScope("Y", "239.140.0.0", "239.141.255.255"), "10.0.1.8"))
	for _, e := range g.r.Snapshot(g.now).NotInside {
		if e.Scope.First() == scopeY.ID() && e.Scope.Last() != addr("239.141.255.255") {
			t.Errorf("MZAP-A-22: one entry per start, as last heard: %v", e)
		}
	}
}

// TestReceiveNIM is section 6.9 at the rig, octet for octet.
func TestReceiveNIM(t *testing.T) {
	z := mzaptestScope("Z", "239.150.0.0", "239.150.255.255")
	for _, c := range []struct {
		name  string
		in    int
		m     *mzap.Message
		sends []string
	}{
		{"MZAP-6.9-5 from beyond", 3, nim(scopeY, z, "10.3.0.9"), []string{"10.0.1.1>239.255.255.252[1 2]", "10.0.4.1>239.255.255.252[4]", "10.0.5.1>239.255.255.252[5]"}},
		{"MZAP-6.9-5 from inside", 1, nim(scopeY, z, "10.1.0.9"), []string{"10.0.3.1>239.255.255.252[3]", "10.0.4.1>239.255.255.252[4]", "10.0.5.1>239.255.255.252[5]"}},
		{"MZAP-6.9-5 not out of a boundary for X", 1, nim(scopeX, z, "10.1.0.9"), []string{"10.0.3.1>239.255.255.252[3]", "10.0.4.1>239.255.255.252[4]"}},
		{"MZAP-6.9-5 not out of a boundary for Y", 1, nim(z, scopeX, "10.1.0.9"), []string{"10.0.3.1>239.255.255.252[3]", "10.0.4.1>239.255.255.252[4]"}},
		{"MZAP-6.9-1 came over a boundary for X", 5, nim(scopeX, z, "10.5.0.9"), nil},
		{"MZAP-6.9-1 came over a boundary for Y", 5, nim(z, scopeX, "10.5.0.9"), nil},
		{"MZAP-6.9-1 Y is the Local Scope", 3, nim(z, localScope, "10.3.0.9"), nil},
		{"MZAP-6.9-2 not on the way to the origin", 1, nim(scopeY, z, "10.3.0.9"), nil},
		{"MZAP-A-35 no route", 1, nim(scopeY, z, "172.16.0.1"), nil},
		{"our own", 1, nim(scopeY, z, "10.0.1.1"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t)
			g.effects()
			c.m.Names = corpNames
			packet := g.encode(c.m)
			packet[20] |= 0x15 // reserved bits, ignored and kept
			got := g.receivePacket(mzap.Packet{Interface: c.in, Payload: packet})
			if w := ways(got); !slices.Equal(w, c.sends) {
				t.Errorf("sent %q, want %q", w, c.sends)
			}
			for _, s := range ofType[mzap.Send](got) {
				if !bytes.Equal(s.Packet, packet) {
					t.Errorf("MZAP-A-29: relayed\n %x, want\n %x", s.Packet, packet)
				}
			}
		})
	}
}

// TestDuplicateNIM: MZAP-6.9-3, MZAP-6.9-4, MZAP-A-22.
func TestDuplicateNIM(t *testing.T) {
	z := mzaptestScope("Z", "239.150.0.0", "239.150.255.255")
	g := newRig(t)
	g.effects()
	relayed := func(in int, m *mzap.Message) bool { return len(ofType[mzap.Send](g.receive(in, m))) > 0 }
	if relayed(1, nim(scopeY, z, "10.3.0.9")) {
		t.Error("wrong route, and relayed")
	}
	if !relayed(3, nim(scopeY, z, "10.3.0.9")) {
		t.Error("MZAP-6.9-4: a NIM that was discarded counted as heard")
	}
	g.now = g.now.Add(29 * time.Second)
	if relayed(3, nim(scopeY, z, "10.3.0.9")) || relayed(4, nim(mzaptestScope("Y", "239.140.0.0", "239.140.0.9"), z, "10.4.0.9")) {
		t.Error("MZAP-6.9-3 MZAP-A-22: the same starts within ZAM-DUP-TIME")
	}
	if !relayed(3, nim(z, scopeY, "10.3.0.9")) {
		t.Error("the reverse statement is another one")
	}
	g.now = g.now.Add(time.Second)
	if !relayed(3, nim(scopeY, z, "10.3.0.9")) {
		t.Error("MZAP-6.9-4: at 30 s it is new")
	}
}

// TestOwnNIMIsRemembered: what we said is not relayed when another says it.
func TestOwnNIMIsRemembered(t *testing.T) {
	g := newRig(t)
	g.effects()
	m := zam(scopeY, "10.0.1.9")
	m.HoldTime = 65535 * time.Second
	g.receive(1, m)
	g.next(mzap.NIM, scopeX.Range)
	if got := g.receive(1, nim(scopeY, scope.Scope{Range: scopeX.Range}, "10.1.0.9")); len(got) != 0 {
		t.Errorf("relayed %v", ways(got))
	}
}
