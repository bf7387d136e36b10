// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
)

// TestIPViews reads and writes IP headers: XCAST-9.2-2, XCAST-9.2-3.
func TestIPViews(t *testing.T) {
	f4 := xcast.IPv4Fields{DSField: 0xba, ID: 0x1235, DontFragment: true, TTL: 9, Protocol: 253, Source: addr("192.0.2.10"), Destination: addr("224.0.0.254")}
	want := golden(t, "E3")
	b, err := f4.AppendHeader(nil, 68)
	if err != nil || !slices.Equal(b, want[:20]) {
		t.Errorf("%x, %v, want %x", b, err, want[:20])
	}
	f6 := xcast.IPv6Fields{FlowLabel: 0xbeef, NextHeader: 43, HopLimit: 16, Source: addr("2001:db8:a::10"), Destination: addr("ff02::114")}
	want6 := golden(t, "E6")
	if b, err = f6.AppendHeader(nil, 74); err != nil || !slices.Equal(b, want6[:40]) {
		t.Errorf("%x, %v, want %x", b, err, want6[:40])
	}
	ip4, err := xcast.ParseIPv4(append(want, 1, 2, 3))
	if err != nil || len(ip4) != 88 || ip4.TTL() != 9 || ip4.ID() != 0x1235 || !ip4.DontFragment() || ip4.IsFragment() ||
		ip4.Protocol() != 253 || ip4.DSField() != 0xba || ip4.Source() != f4.Source || ip4.Destination() != f4.Destination || len(ip4.Payload()) != 68 {
		t.Errorf("%v, %v", ip4, err)
	}
	ip4.SetTTL(8)
	ip4.SetDSField(0xbb)
	ip4.UpdateChecksum()
	if _, err := xcast.ParseIPv4(ip4); err != nil {
		t.Error(err)
	}
	ip6, err := xcast.ParseIPv6(append(want6, 1))
	if err != nil || len(ip6) != 114 || ip6.FlowLabel() != 0xbeef || ip6.HopLimit() != 16 || ip6.NextHeader() != 43 || ip6.Source() != f6.Source {
		t.Errorf("%v, %v", ip6, err)
	}
	ip6.SetDSField(0xab)
	ip6.SetHopLimit(3)
	if ip6.DSField() != 0xab || ip6.FlowLabel() != 0xbeef || binary.BigEndian.Uint32(ip6)>>28 != 6 || ip6.HopLimit() != 3 {
		t.Errorf("%x", ip6[:8])
	}
	for i, c := range []struct {
		f xcast.IPv4Fields
		n int
	}{{f4, 65516}, {f4, -21}, {xcast.IPv4Fields{Source: addr("::1"), Destination: addr("192.0.2.1")}, 8}} {
		if b, err := c.f.AppendHeader(nil, c.n); err == nil {
			t.Errorf("case %d: %x", i, b)
		}
	}
}

// TestMalformedIP: XCAST-9.2-2, each as ErrMalformedIP with its offset.
func TestMalformedIP(t *testing.T) {
	e1, e6 := golden(t, "E1"), golden(t, "E6")
	seal := func(b []byte) []byte { xcast.IPv4(b).UpdateChecksum(); return b }
	tests := []struct {
		name   string
		b      []byte
		offset int
	}{
		{"empty", nil, 0},
		{"19 octets", e1[:19], 0},
		{"version 5", append([]byte{0x55}, e1[1:]...), 0},
		{"IHL 4", append([]byte{0x44}, e1[1:]...), 0},
		{"IHL beyond Total Length", seal(slices.Concat([]byte{0x4f, 0, 0, 24}, e1[4:20], make([]byte, 60))), 2},
		{"Total Length 19", seal(slices.Concat([]byte{0x45, 0, 0, 19}, e1[4:])), 2},
		{"Total Length beyond the buffer", e1[:58], 2},
		{"header checksum", slices.Concat(e1[:8], []byte{17}, e1[9:]), 10},
		{"39 octets", e6[:39], 0},
		{"Payload Length 0", slices.Concat(e6[:4], []byte{0, 0}, e6[6:]), 4},
		{"Payload Length beyond the buffer", e6[:113], 4},
	}
	node := (&table{}).node(t, nil)
	for _, tt := range tests {
		t.Run("XCAST-9.2-2/"+tt.name, func(t *testing.T) {
			r, err := node.Forward(0, tt.b)
			wantReason(t, err, xcast.ErrMalformedIP, tt.offset)
			if say(r) != "drop {} malformed-ip" {
				t.Error(say(r))
			}
		})
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 { // every single changed octet of an IPv4 header is found, or is another packet
		b := slices.Clone(e1)
		b[r.IntN(20)] ^= 1 << r.IntN(8)
		if _, err := xcast.ParseIPv4(b); err == nil {
			t.Fatalf("accepted %x", b[:20])
		}
	}
}
