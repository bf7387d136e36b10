// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/scope"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// golden reads testdata/<name>.hex: hexadecimal octets, a comment per field.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".hex")
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for line := range strings.Lines(string(text)) {
		octets, _, _ := strings.Cut(line, "#")
		b, err := hex.DecodeString(strings.TrimSpace(octets))
		if err != nil {
			t.Fatalf("%s: %q: %v", name, line, err)
		}
		out = append(out, b...)
	}
	return out
}

// sameMessage compares messages; an empty list is as good as none.
var sameMessage = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}, scope.Range{}), cmpopts.EquateEmpty(),
}

var corpNames = []mzap.Name{
	{Default: true, Tag: []byte("en"), Text: []byte("Example Corp")},
	{Tag: []byte("fr-CA"), Text: []byte("Société Exemple")},
}

// worked are the messages of the testdata directory as values.
var worked = []struct {
	name string
	msg  mzap.Message
}{
	{"w1", mzap.Message{
		Type: mzap.ZAM, Divisible: true, Origin: addr("192.0.2.33"), ZoneID: addr("192.0.2.17"),
		Range: scope.MustRange("239.192.0.0", "239.195.255.255"), Names: corpNames,
		Limit: 32, HoldTime: 1860 * time.Second, LocalZone: addr("192.0.2.17"),
	}},
	{"w2", mzap.Message{
		Type: mzap.ZAM, Divisible: true, Origin: addr("192.0.2.33"), ZoneID: addr("192.0.2.17"),
		Range: scope.MustRange("239.192.0.0", "239.195.255.255"), Names: corpNames,
		Limit: 32, HoldTime: 1860 * time.Second, LocalZone: addr("192.0.2.17"),
		Path: []mzap.Hop{{Router: addr("192.0.2.60")}, {Router: addr("203.0.113.8"), LocalZone: addr("203.0.113.2")}},
	}},
	{"w3", mzap.Message{
		Type: mzap.ZLE, Origin: addr("198.51.100.5"), ZoneID: addr("198.51.100.5"),
		Range: scope.MustRange("239.130.0.0", "239.130.255.255"),
		Limit: 2, HoldTime: 1860 * time.Second, LocalZone: addr("198.51.100.1"),
		Path: []mzap.Hop{{Router: addr("203.0.113.40"), LocalZone: addr("203.0.113.33")}},
	}},
	{"w4", mzap.Message{
		Type: mzap.ZCM, Origin: addr("198.51.100.5"), ZoneID: addr("198.51.100.5"),
		Range:    scope.MustRange("239.130.0.0", "239.130.255.255"),
		HoldTime: 1860 * time.Second,
		Routers:  []netip.Addr{addr("198.51.100.9"), addr("198.51.100.77"), addr("203.0.113.40")},
	}},
	{"w5", mzap.Message{
		Type: mzap.NIM, Divisible: true, Origin: addr("192.0.2.33"), ZoneID: addr("192.0.2.17"),
		Range: scope.MustRange("239.192.0.0", "239.195.255.255"), NotInside: addr("239.130.0.0"),
	}},
	{"w6", mzap.Message{
		Type: mzap.ZAM, Origin: addr("2001:db8:a::21"), ZoneID: addr("2001:db8:a::11"),
		Range: scope.MustRange("ff05::", "ff05:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
		Names: []mzap.Name{{Default: true, Tag: []byte("ja"), Text: []byte("研究所")}},
		Limit: 16, HoldTime: 1860 * time.Second, LocalZone: addr("2001:db8:a::11"),
		Path: []mzap.Hop{{Router: addr("2001:db8:a::52"), LocalZone: addr("2001:db8:b::11")}},
	}},
	{"w7", mzap.Message{
		Type: mzap.ZCM, Origin: addr("2001:db8:a::11"), ZoneID: addr("2001:db8:a::11"),
		Range:    scope.MustRange("ff03::", "ff03:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
		HoldTime: 1860 * time.Second,
	}},
	{"w8", mzap.Message{
		Type: mzap.NIM, Origin: addr("2001:db8:a::21"), ZoneID: addr("2001:db8:a::11"),
		Range:     scope.MustRange("ff05::", "ff05:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
		NotInside: addr("ff08:1::"),
	}},
}

// TestWorkedMessages reads and writes each worked message, byte for byte. They
// are the proof of the layout: MZAP-5-5 version, MZAP-5-7 B and PTYPE, MZAP-5-6
// B clear and set, MZAP-5-8 family, MZAP-5-9 name count, MZAP-5-10 range,
// MZAP-5-11 origin, MZAP-5-12 zone ID, MZAP-5-13 and MZAP-5-14 name flags,
// MZAP-5-15 tag, MZAP-5-16 and MZAP-5-17 name, MZAP-5-19 padding; MZAP-5.1-1,
// MZAP-5.1-2, MZAP-5.1-5 and MZAP-A-1 path; MZAP-5.2-1 ZLE; MZAP-5.3-1 and
// MZAP-5.3-3 ZCM; MZAP-5.4-1, MZAP-5.4-2 and MZAP-5.4-3 NIM.
func TestWorkedMessages(t *testing.T) {
	for _, w := range worked {
		t.Run(w.name, func(t *testing.T) {
			want := golden(t, w.name)
			var m mzap.Message
			if err := m.Decode(want); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(w.msg, m, sameMessage); d != "" {
				t.Errorf("decoded message differs (-want +got):\n%s", d)
			}
			guard := []byte("guard")
			buf := append(append(make([]byte, 0, 400), guard...), bytes.Repeat([]byte{0xee}, 300)...)[:len(guard)]
			got, err := w.msg.AppendBinary(buf)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(got, guard) {
				t.Errorf("AppendBinary changed what was there: %x", got[:len(guard)])
			}
			if got = got[len(guard):]; !bytes.Equal(got, want) {
				t.Errorf("encoded\n %x, want\n %x", got, want)
			}
			if w.msg.Size() != len(want) {
				t.Errorf("Size() = %d, want %d", w.msg.Size(), len(want))
			}
			if c := m.Clone(); cmp.Diff(w.msg, *c, sameMessage) != "" {
				t.Errorf("Clone differs: %v", c)
			}
			var u mzap.Message
			if err := u.UnmarshalBinary(want); err != nil {
				t.Fatal(err)
			}
			clear(want)
			if d := cmp.Diff(w.msg, u, sameMessage); d != "" {
				t.Errorf("UnmarshalBinary shares memory with its input (-want +got):\n%s", d)
			}
			if b, err := w.msg.MarshalBinary(); err != nil || !bytes.Equal(b, got) {
				t.Errorf("MarshalBinary = %x, %v", b, err)
			}
		})
	}
}

// TestIgnored changes octets that a receiver ignores: the message stays equal
// and is written in its canonical form again.
func TestIgnored(t *testing.T) {
	for _, c := range []struct {
		name, message string
		change        map[int]byte
	}{
		{"MZAP-5-13 reserved name flags", "w1", map[int]byte{20: 0xff}},
		{"MZAP-A-10 padding", "w1", map[int]byte{62: 0xaa, 63: 0xaa}},
		{"MZAP-5.3-6 unused octet of a ZCM", "w4", map[int]byte{21: 0x99}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := golden(t, c.message)
			b := bytes.Clone(want)
			for at, v := range c.change {
				b[at] = v
			}
			var m, plain mzap.Message
			if err := m.Decode(b); err != nil {
				t.Fatal(err)
			}
			if err := plain.Decode(want); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(plain, m, sameMessage); d != "" {
				t.Errorf("message changed:\n%s", d)
			}
			if got, err := m.AppendBinary(nil); err != nil || !bytes.Equal(got, want) {
				t.Errorf("written back as %x, %v, want %x", got, err, want)
			}
		})
	}
}

// TestSizes holds the lengths of messages without names and the largest lists:
// MZAP-5-20, MZAP-5.1-2, MZAP-5.3-3.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		name        string
		worked, n   int
		size4, step int
	}{
		{"ZAM", 0, 0, 28, 8}, {"ZLE", 2, 0, 28, 8}, {"ZCM", 3, 0, 24, 4}, {"NIM", 4, 0, 24, 0},
		{"ZAM of IPv6", 5, 0, 88, 32}, {"ZCM of IPv6", 6, 0, 72, 16}, {"NIM of IPv6", 7, 0, 84, 0},
	} {
		for _, n := range []int{0, 1, 15, 16, 31, 32, 254, 255, 256} {
			m := worked[c.worked].msg
			m.Names, m.Path, m.Routers = nil, nil, nil
			switch m.Type {
			case mzap.ZCM:
				for range n {
					m.Routers = append(m.Routers, m.Origin)
				}
			case mzap.NIM:
				if n > 0 {
					continue
				}
			default:
				for range n {
					m.Path = append(m.Path, mzap.Hop{Router: m.Origin, LocalZone: m.Origin})
				}
			}
			b, err := m.AppendBinary(nil)
			if n > 255 {
				if err == nil {
					t.Errorf("%s: a list of %d was accepted", c.name, n)
				}
				continue
			}
			if want := c.size4 + n*c.step; err != nil || len(b) != want {
				t.Errorf("%s with %d entries has %d octets (%v), want %d", c.name, n, len(b), err, want)
			}
			var back mzap.Message
			if err := back.Decode(b); err != nil {
				t.Errorf("%s with %d entries: %v", c.name, n, err)
			} else if d := cmp.Diff(m, back, sameMessage); d != "" {
				t.Errorf("%s with %d entries: %s", c.name, n, d)
			}
		}
	}
}
