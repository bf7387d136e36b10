// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
)

// permeable wraps an IPv6 packet with a hop-by-hop header.
func permeable(destination string, limit, ds uint8, hopByHop string, inner []byte) []byte {
	f := xcast.IPv6Fields{DSField: ds, NextHeader: 0, HopLimit: limit, Source: addr("2001:db8:a::10"), Destination: addr(destination)}
	h := unhex(hopByHop)
	b, err := f.AppendHeader(nil, len(h)+len(inner))
	if err != nil {
		panic(err)
	}
	return slices.Concat(b, h, inner)
}

const plainHopByHop = "2900 1e00 0102 0000"

// TestSemiPermeableRecognition: XCAST-11.3-1.
func TestSemiPermeableRecognition(t *testing.T) {
	inner := spec{to: "2001:db8:1::1 2001:db8:1::2", stay: true}.build(t)
	node := crossroads.node(t, nil)
	tests := []struct {
		name string
		b    []byte
		ok   bool
	}{
		{"as sent", permeable("2001:db8:1::1", 9, 0, plainHopByHop, inner), true},
		{"with data", permeable("2001:db8:1::1", 9, 0, "2900 1e04 aabbccdd", inner), true},
		{"with another option", permeable("2001:db8:1::1", 9, 0, "2901 0502 0000 1e00 0106 000000000000", inner), true},
		{"no tunnel option", permeable("2001:db8:1::1", 9, 0, "2900 0502 0000 0100", inner), false},
		{"two tunnel options", permeable("2001:db8:1::1", 9, 0, "2900 1e00 1e00 0100", inner), false},
		{"an option that is not to be skipped", permeable("2001:db8:1::1", 9, 0, "2900 1e00 4102 0000", inner), false},
		{"option overruns", permeable("2001:db8:1::1", 9, 0, "2900 1e00 0103 0000", inner), false},
		{"header overruns", permeable("2001:db8:1::1", 9, 0, "29ff 1e00 0102 0000", inner), false},
		{"next header", permeable("2001:db8:1::1", 9, 0, "1100 1e00 0102 0000", inner), false},
		{"multicast outer destination", permeable("ff02::114", 9, 0, plainHopByHop, inner), false},
		{"link-local outer destination", permeable("fe80::1", 9, 0, plainHopByHop, inner), false},
	}
	for _, tt := range tests {
		t.Run("XCAST-11.3-1/"+tt.name, func(t *testing.T) {
			r, err := node.Forward(0, tt.b)
			if tt.ok != (err == nil) {
				t.Fatalf("%s, %v", say(r), err)
			}
			if !tt.ok {
				wantReason(t, err, xcast.ErrNotXcast, 6)
			}
		})
	}
}

// TestSemiPermeableTransit: XCAST-11.3-2.
func TestSemiPermeableTransit(t *testing.T) {
	node := func(change func(*xcast.Config)) *xcast.Forwarder { return crossroads.node(t, change) }
	tests := []struct {
		name   string
		change func(*xcast.Config)
		outer  string
		limit  uint8
		in     spec
		want   string
	}{
		{"XCAST-11.3-2/no branch", nil, "2001:db8:1::1", 9, spec{to: "2001:db8:1::1 2001:db8:1::2"}, "tunnelled {0 1} to fe80::2"},
		{"XCAST-11.3-2/branch, capable or not", nil, "2001:db8:1::1", 9, spec{to: "2001:db8:1::1 2001:db8:3::1 2001:db8:1::2 2001:db8:3::2"},
			"tunnelled {0 2} to fe80::2; tunnelled {1 3} to fe80::4"},
		{"XCAST-11.3-2/one left", nil, "2001:db8:1::1", 9, spec{to: "2001:db8:1::1 2001:db8:3::1 2001:db8:1::2"}, "tunnelled {0 2} to fe80::2; unicast {1} to fe80::4"},
		{"XCAST-11.3-2/one left with X", nil, "2001:db8:1::1", 9, spec{to: "2001:db8:1::1 2001:db8:3::1", stay: true}, "tunnelled {0} to fe80::2; tunnelled {1} to fe80::4"},
		{"XCAST-11.3-2/never", func(c *xcast.Config) { c.Policy = xcast.X2UNever }, "2001:db8:1::1", 9, spec{to: "2001:db8:1::1"}, "tunnelled {0} to fe80::2"},
		{"XCAST-11.3-2/local bit", nil, "2001:db8:1::1", 9, spec{to: "2001:db8:1::1 2001:db8::1 2001:db8:1::2"}, "tunnelled {0 2} to fe80::2; deliver {1}"},
		{"XCAST-11.3-2/outer Hop Limit 1", nil, "2001:db8:1::1", 1, spec{to: "2001:db8:1::1 2001:db8::1 2001:db8:1::2"}, "drop {0 2} ttl; deliver {1}"},
		{"XCAST-11.3-2/no route", nil, "2001:db8:1::1", 9, spec{to: "2001:db8:1::1 2001:db9::1 2001:db8:1::2"}, "tunnelled {0 2} to fe80::2; drop {1} no-route"},
		{"XCAST-8.2-2/split", nil, "2001:db8:1::1", 9, spec{to: "2001:db8:1::1 2001:db8:1::2 2001:db8:1::3 2001:db8:1::4", dscps: []xcast.DSCP{46, 10, 46, 10}},
			"tunnelled {0 2} to fe80::2; tunnelled {1 3} to fe80::2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inner := tt.in.build(t)
			in := permeable(tt.outer, tt.limit, 0xb9, plainHopByHop, inner)
			r, err := node(tt.change).Forward(0, in)
			if err != nil || say(r) != tt.want {
				t.Fatalf("%s, %v\nwant %s", say(r), err, tt.want)
			}
			for _, o := range r.Outputs {
				ip, err := xcast.ParseIPv6(octets(o))
				if err != nil || len(ip) != o.Len() {
					t.Fatal(err)
				}
				if o.Kind == xcast.Deliver {
					continue
				}
				if ip.HopLimit() != tt.limit-1 || ip.Source() != addr("2001:db8:a::10") {
					t.Errorf("%v: Hop Limit %d", o.Destinations, ip.HopLimit())
				}
				if o.Kind != xcast.Tunnelled {
					continue
				}
				// The destination is kept if it is in the part, else the part's first.
				want := view(t, inner).Address(o.Destinations.First())
				for i := range o.Destinations.All() {
					if view(t, inner).Address(i) == addr(tt.outer) {
						want = addr(tt.outer)
					}
				}
				copied := view(t, ip.Payload()[8:])
				if ip.Destination() != want || copied.TTL() != 16 || copied.Active() != o.Destinations {
					t.Errorf("%v: to %v, want %v; inner Hop Limit %d, bitmap %v", o.Destinations, ip.Destination(), want, copied.TTL(), copied.Active())
				}
				ds := byte(0xb9)
				if len(tt.in.dscps) > 0 { // DSCP follows the inner, ECN stays
					ds = byte(tt.in.dscps[o.Destinations.First()])<<2 | 1
				}
				if ip.DSField() != ds {
					t.Errorf("outer DS %02x, want %02x", ip.DSField(), ds)
				}
			}
			if tt.name == "XCAST-11.3-2/no branch" {
				want := bytes.Clone(in)
				want[7]--
				if got := octets(r.Outputs[0]); !bytes.Equal(got, want) {
					t.Errorf("more than the Hop Limit changed:\n got %x\nwant %x", got, want)
				}
			}
		})
	}
	t.Run("XCAST-11.3-2/ECN leaves with unicast and local packets", func(t *testing.T) {
		for _, c := range []struct {
			inner uint8
			want  string
			ds    []byte
		}{
			{0xb8, "tunnelled {0 3} to fe80::2; drop {1} ecn; drop {2} ecn", []byte{0x03}},
			{0xba, "tunnelled {0 3} to fe80::2; deliver {1}; unicast {2} to fe80::3", []byte{0x03, 0xbb, 0xbb}},
		} {
			inner := spec{to: "2001:db8:1::1 2001:db8::1 2001:db8:2::1 2001:db8:1::2", ds: c.inner}.build(t)
			r, err := node(nil).Forward(0, permeable("2001:db8:1::1", 9, 3, plainHopByHop, inner))
			if err != nil || say(r) != c.want {
				t.Errorf("%s, %v\nwant %s", say(r), err, c.want)
				continue
			}
			for i, o := range r.Outputs {
				if got := xcast.IPv6(o.Head).DSField(); got != c.ds[i] {
					t.Errorf("%v has DS %02x, want %02x", o.Kind, got, c.ds[i])
				}
			}
		}
	})
	t.Run("XCAST-11.3-2/inner Hop Limit does not count", func(t *testing.T) {
		inner := spec{to: "2001:db8:1::1 2001:db8:1::2"}.build(t)
		inner[7] = 0
		r, err := node(nil).Forward(0, permeable("2001:db8:1::1", 9, 0, plainHopByHop, inner))
		if err != nil || say(r) != "tunnelled {0 1} to fe80::2" || r.Outputs[0].Head[48+7] != 0 {
			t.Error(say(r), err)
		}
	})
	t.Run("XCAST-11.3-4/overhead", func(t *testing.T) {
		inner := spec{to: "2001:db8:1::1 2001:db8:1::2"}.build(t)
		r, _ := node(nil).Forward(0, permeable("2001:db8:1::1", 9, 0, plainHopByHop, inner))
		if got := r.Outputs[0].Len() - len(inner); got != 48 {
			t.Errorf("overhead %d, want 48", got)
		}
	})
}

// TestSemiPermeableEnd: XCAST-11.3-3.
func TestSemiPermeableEnd(t *testing.T) {
	node := crossroads.node(t, nil)
	for ttl, want := range map[uint8]string{
		9: "xcast {0 2} to fe80::2; deliver {1}",
		1: "drop {0 2} ttl; deliver {1}",
	} {
		inner := spec{to: "2001:db8:1::1 2001:db8::1 2001:db8:1::2", ttl: ttl}.build(t)
		r, err := node.Forward(0, permeable("2001:db8::1", 1, 0, plainHopByHop, inner))
		if err != nil || say(r) != want {
			t.Errorf("XCAST-11.3-3: %s, %v, want %s", say(r), err, want)
		}
		if ttl == 9 && r.Outputs[0].Head[7] != 8 {
			t.Errorf("XCAST-11.3-3: Hop Limit %d", r.Outputs[0].Head[7])
		}
	}
	inner := spec{to: "2001:db8:1::1 2001:db8::1 2001:db8:1::2"}.build(t)
	inner[7] = 0
	_, err := node.Forward(0, permeable("2001:db8::1", 1, 0, plainHopByHop, inner))
	wantReason(t, err, xcast.ErrTTL, 48)
}
