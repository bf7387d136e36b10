// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/mzap"
)

// Local zones L1 to L9 of the tables below, named by their IDs.
func zoneID(name string) netip.Addr {
	switch name {
	case "", "0":
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte{10, 0, 0, name[1] - '0'})
}

// pathZAM makes a ZAM from "L1 L2 0": Local Zone ID 0, then one pair per word.
func pathZAM(path string, limit uint8) *mzap.Message {
	m := worked[0].msg.Clone()
	m.Names, m.Limit = nil, limit
	for i, z := range strings.Fields(path) {
		if i == 0 {
			m.LocalZone = zoneID(z)
		} else {
			m.Path = append(m.Path, mzap.Hop{Router: addr("10.1.0.1"), LocalZone: zoneID(z)})
		}
	}
	return m
}

// links makes links from "3:L2 4:0 5:L3!": interface, zone beyond, and "!" for a
// boundary of the message's scope.
func links(s string) (out []mzap.Link) {
	for _, f := range strings.Fields(s) {
		f, bounds := strings.CutSuffix(f, "!")
		var i int
		var zone string
		fmt.Sscanf(strings.Replace(f, ":", " ", 1), "%d %s", &i, &zone)
		out = append(out, mzap.Link{Interface: i, Zone: zoneID(zone), Bounds: bounds})
	}
	return out
}

// described is a Forwarding in a few words.
func described(f mzap.Forwarding) string {
	s := f.Verdict.String()
	if f.Fill {
		s += " fill"
	}
	if f.OwnZone {
		s += " own"
	}
	for _, l := range f.Links {
		s += fmt.Sprint(" ", l.Interface)
	}
	return s
}

// TestForwardZAM is the forwarding of section 6.3, the worked relay among it. The
// router has the interfaces 1 and 2 inside its local zone.
func TestForwardZAM(t *testing.T) {
	for _, c := range []struct {
		name      string
		path      string
		limit     uint8
		in        int
		inBounds  bool
		localZone string
		links     string
		want      string
	}{
		{"worked relay R1: MZAP-6.3-11 out of both boundaries, MZAP-6.3-13 zone unknown", "L1", 3, 1, false, "L1", "3:L2 4:0", "forward 3 4"},
		{"worked relay R2: MZAP-6.3-12 not back into L1", "L1 L2", 4, 1, false, "L2", "3:L3 4:L1", "forward 3"},
		{"worked relay R3: MZAP-6.3-8 fills in L4", "L1 0", 4, 1, false, "L4", "3:L5", "forward fill 3"},
		{"worked relay R4: MZAP-6.3-14 limit", "L1 L2 L3", 3, 1, false, "L3", "3:L5", "limit reached"},
		{"MZAP-A-1 one below the limit passes", "L1 L2", 3, 1, false, "L2", "3:L3", "forward 3"},
		{"MZAP-6.4-1 limit 1 is reached at once", "L1", 1, 1, false, "L1", "3:L3", "limit reached"},
		{"MZAP-5.1-3 limit 0 is none", "L1 L2 L3 L4 L5", 0, 1, false, "L5", "3:L6", "forward 3"},
		{"MZAP-6.3-10 into the own zone", "L1 0", 32, 3, false, "L4", "3:0 4:L5", "forward own 4"},
		{"MZAP-6.3-10 own zone visited before", "L1 L4 0", 32, 3, false, "L4", "3:0 4:L5", "forward 4"},
		{"MZAP-A-2 local zone 0 is part of the path", "L4 L2", 32, 3, false, "L4", "3:L2 4:L5", "forward 4"},
		{"MZAP-A-2 unknown zones never match", "0 0", 32, 3, false, "L4", "3:0 4:0", "forward own 4"},
		{"MZAP-6.3-8 not over a Local Scope boundary", "L1 0", 32, 3, false, "L4", "3:L9", "forward own"},
		{"MZAP-6.3-8 local zone 0 itself", "0", 32, 1, false, "L4", "3:L9", "forward fill 3"},
		{"MZAP-A-6 filled in, so not entered again", "0", 32, 1, false, "L4", "3:L4", "forward fill"},
		{"MZAP-6.3-11 not out of where it came", "L1 L2", 32, 3, false, "L2", "3:0 4:0", "forward 4"},
		{"MZAP-A-5 MZAP-3.1-2 stops at its own boundary", "L1", 32, 1, false, "L1", "3:L2! 4:L3", "forward 4"},
		{"MZAP-6.3-4 from outside", "L1", 32, 3, true, "L2", "3:L1! 4:L3", "from outside"},
		{"MZAP-A-37 two boundaries to one zone: a copy each", "L1", 32, 1, false, "L1", "3:L2 4:L2", "forward 3 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := mzap.Crossing{In: c.in, InBounds: c.inBounds, LocalZone: zoneID(c.localZone), Links: links(c.links)}
			if got := described(mzap.ForwardZAM(pathZAM(c.path, c.limit), at)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	m := pathZAM("L1", 0)
	m.Path = make([]mzap.Hop, 255)
	if got := mzap.ForwardZAM(m, mzap.Crossing{In: 1, LocalZone: zoneID("L2"), Links: links("3:L3")}); got.Verdict != mzap.PathFull || got.Links != nil {
		t.Errorf("MZAP-A-1: a full path: %v", described(got))
	}
}

// TestForwardNIM is the relaying of section 6.9.
func TestForwardNIM(t *testing.T) {
	for _, c := range []struct {
		name      string
		in, route int
		inBounds  bool
		localZone string
		links     string
		want      string
	}{
		{"MZAP-6.9-5 from inside, out of each boundary", 1, 1, false, "L1", "3:L2 4:0", "forward 3 4"},
		{"MZAP-6.9-5 from beyond, into the own zone and on", 3, 3, false, "L1", "3:L2 4:L3", "forward own 4"},
		{"MZAP-6.9-1 boundary for X or Y", 3, 3, true, "L1", "3:L2!", "from outside"},
		{"MZAP-6.9-5 never out of a boundary for X or Y", 1, 1, false, "L1", "3:L2! 4:L3", "forward 4"},
		{"MZAP-6.9-2 not on the way to the origin", 1, 3, false, "L1", "3:L2", "wrong route"},
		{"MZAP-A-35 no route", 1, 0, false, "L1", "3:L2", "wrong route"},
		{"MZAP-A-37 not into the zone it came from by another way", 3, 3, false, "L1", "3:L2 4:L2 5:L3", "forward own 5"},
		{"MZAP-A-37 own zone, by a boundary that leads back into it", 1, 1, false, "L1", "3:L1 4:L2", "forward 4"},
		{"MZAP-A-37 from beyond a boundary that leads into the own zone", 3, 3, false, "L1", "3:L1 4:L2", "forward 4"},
		{"unknown zones are not the same zone", 3, 3, false, "L1", "3:0 4:0", "forward own 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := mzap.Crossing{In: c.in, InBounds: c.inBounds, Route: c.route, LocalZone: zoneID(c.localZone), Links: links(c.links)}
			if got := described(mzap.ForwardNIM(&worked[4].msg, at)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestRemembered: the window is open at its end. MZAP-A-8, MZAP-A-34.
func TestRemembered(t *testing.T) {
	const dup = 30 * time.Second
	for _, c := range []struct {
		before, now bool // authenticated
		after       time.Duration
		want        bool
	}{
		{false, false, 0, true}, {false, false, dup - 1, true}, {false, false, dup, false},
		{false, true, 0, false}, {true, true, 0, true}, {true, false, dup - 1, true}, {true, false, dup, false},
	} {
		if got := (mzap.Remembered{At: epoch, Authenticated: c.before}).Blocks(epoch.Add(c.after), c.now, dup); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestAppendRelay: the header of a relayed ZAM stays as it is, reserved bits and
// padding included; the pair joins the path. MZAP-A-29, MZAP-5.1-6, MZAP-5.1-7.
func TestAppendRelay(t *testing.T) {
	packet := golden(t, "w1")
	packet[20], packet[62], packet[63] = 0xff, 0xaa, 0xbb // ignored, and kept
	var m mzap.Message
	if err := m.Decode(packet); err != nil {
		t.Fatal(err)
	}
	first := mzap.AppendRelay([]byte("x"), packet, &m, netip.Addr{}, mzap.Hop{Router: addr("192.0.2.60")})[1:]
	want := append(bytes.Clone(packet), 192, 0, 2, 60, 0, 0, 0, 0)
	want[64] = 1
	if !bytes.Equal(first, want) {
		t.Errorf("first relay\n %x, want\n %x", first, want)
	}
	if err := m.Decode(first); err != nil {
		t.Fatal(err)
	}
	second := mzap.AppendRelay(nil, first, &m, addr("203.0.113.77"), mzap.Hop{Router: addr("203.0.113.8"), LocalZone: addr("203.0.113.2")})
	want = append(want, 203, 0, 113, 8, 203, 0, 113, 2)
	want[64] = 2
	copy(want[76:], []byte{203, 0, 113, 77}) // filled in
	if !bytes.Equal(second, want) {
		t.Errorf("second relay\n %x, want\n %x", second, want)
	}
	if bytes.Equal(first[76:80], second[76:80]) {
		t.Error("the packet relayed was changed in place")
	}
	six := golden(t, "w6")
	if err := m.Decode(six); err != nil {
		t.Fatal(err)
	}
	hop := mzap.Hop{Router: addr("2001:db8::1"), LocalZone: addr("2001:db8::2")}
	b := mzap.AppendRelay(nil, six, &m, netip.Addr{}, hop)
	if err := m.Decode(b); err != nil || len(m.Path) != 2 || m.Path[1] != hop {
		t.Errorf("IPv6 relay: %v, path %v", err, m.Path)
	}
}

// TestAppendZLE: all but the type is as in the ZAM. MZAP-A-3, MZAP-5.2-1.
func TestAppendZLE(t *testing.T) {
	packet := golden(t, "w2")
	packet[20] |= 0x7f
	zle := mzap.AppendZLE(nil, packet)
	if zle[1] != 0x81 {
		t.Errorf("second octet %#x, want B and PTYPE 1", zle[1])
	}
	if zle[1] = packet[1]; !bytes.Equal(zle, packet) {
		t.Errorf("%x differs from %x", zle, packet)
	}
}
