// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
	"pgregory.net/rapid"
)

// crossroads is a router with three next hops in each family: 10.1/16 and
// 10.4/16 by .2, 10.2/16 by .3, 10.3/16 by .4, which is not capable, and a
// network of its own, 10.9/16, where some hosts are capable and most are not.
var crossroads = &table{
	local: []string{"10.0.0.1", "192.0.2.1", "2001:db8::1"},
	routes: []string{
		"10.1.0.0/16 via 192.0.2.2 if=1", "10.4.0.0/16 via 192.0.2.2 if=1", "10.2.0.0/16 via 192.0.2.3 if=2",
		"10.3.0.0/16 via 192.0.2.4 if=3 plain", "10.5.0.0/16 via 192.0.2.2 if=9",
		"10.9.0.0/16 direct plain if=4", "10.9.1.0/24 direct if=4",
		"2001:db8:1::/48 via fe80::2 if=1", "2001:db8:2::/48 via fe80::3 if=2", "2001:db8:3::/48 via fe80::4 if=3 plain",
	},
}

// TestForward is the algorithm, row by row.
func TestForward(t *testing.T) {
	never := func(c *xcast.Config) { c.Policy = xcast.X2UNever }
	always := func(c *xcast.Config) { c.Policy = xcast.X2UAlways }
	special := func(c *xcast.Config) {
		c.Special = func(a netip.Addr) bool { return a == addr("192.0.2.200") || a == addr("2001:db8::200") }
	}
	tests := []struct {
		name   string
		change func(*xcast.Config)
		in     spec
		want   string
	}{
		{"XCAST-2-1/two prefixes, one next hop", nil, spec{to: "10.1.0.1 10.2.0.1 10.4.0.1 10.2.0.2"},
			"xcast {0 2} to 192.0.2.2; xcast {1 3} to 192.0.2.3"},
		{"XCAST-2-1/same gateway, other interface", nil, spec{to: "10.1.0.1 10.5.0.1 10.4.0.1 10.5.0.2"},
			"xcast {0 2} to 192.0.2.2; xcast {1 3} to 192.0.2.2"},
		{"XCAST-2-1/directly attached are each their own", nil, spec{to: "10.9.1.1 10.9.1.2 10.9.1.1"},
			"xcast {0 2} to 10.9.1.1; unicast {1} to 10.9.1.2"},
		{"XCAST-2-1/IPv6", nil, spec{to: "2001:db8:1::1 2001:db8:2::1 2001:db8:1::2"}, "xcast {0 2} to fe80::2; unicast {1} to fe80::3"},
		{"XCAST-2-4/one left", nil, spec{to: "10.1.0.1 10.2.0.1"}, "unicast {0} to 192.0.2.2; unicast {1} to 192.0.2.3"},
		{"XCAST-2-4/one active of several", nil, spec{to: "10.1.0.1 10.1.0.2! 10.1.0.3!"}, "unicast {0} to 192.0.2.2"},
		{"XCAST-2-4/never", never, spec{to: "10.1.0.1 10.2.0.1"}, "xcast {0} to 192.0.2.2; xcast {1} to 192.0.2.3"},
		{"XCAST-2-5/X", nil, spec{to: "10.1.0.1 10.2.0.1", stay: true}, "xcast {0} to 192.0.2.2; xcast {1} to 192.0.2.3"},
		{"XCAST-2-5/X at an incapable neighbour", nil, spec{to: "10.1.0.1 10.3.0.1 10.3.0.2", stay: true},
			"xcast {0} to 192.0.2.2; drop {1} x-bit; drop {2} x-bit"},
		{"XCAST-11.2-1/premature X2U", nil, spec{to: "10.3.0.1 10.1.0.1 10.3.0.2 10.1.0.2"},
			"unicast {0} to 192.0.2.4; xcast {1 3} to 192.0.2.2; unicast {2} to 192.0.2.4"},
		{"XCAST-2-6/never, but premature", never, spec{to: "10.3.0.1 10.1.0.1"}, "unicast {0} to 192.0.2.4; xcast {1} to 192.0.2.2"},
		{"XCAST-2-6/always", always, spec{to: "10.1.0.1 10.2.0.1 10.1.0.2"},
			"unicast {0} to 192.0.2.2; unicast {1} to 192.0.2.3; unicast {2} to 192.0.2.2"},
		{"XCAST-2-6/always with X", always, spec{to: "10.1.0.1 10.2.0.1 10.1.0.2", stay: true},
			"xcast {0 2} to 192.0.2.2; xcast {1} to 192.0.2.3"},
		{"XCAST-2-6/always, not convertible", always, spec{to: "10.1.0.1 10.1.0.2", proto: 50, segment: make([]byte, 20)}, "xcast {0 1} to 192.0.2.2"},
		{"XCAST-2-7/TTL 2", nil, spec{to: "10.1.0.1 10.1.0.2", ttl: 2}, "xcast {0 1} to 192.0.2.2"},
		{"XCAST-2-7/TTL 1 is delivered, not forwarded", nil, spec{to: "10.1.0.1 10.0.0.1 10.2.0.1", ttl: 1}, "drop {0 2} ttl; deliver {1}"},
		{"XCAST-2-8/one without a route", nil, spec{to: "10.1.0.1 172.16.0.1 10.1.0.2"}, "xcast {0 2} to 192.0.2.2; drop {1} no-route"},
		{"XCAST-2-8/none with a route", nil, spec{to: "172.16.0.1 172.16.0.2"}, "drop {0} no-route; drop {1} no-route"},
		{"XCAST-2-9/bad addresses", nil, spec{to: "224.0.0.1 10.1.0.1 127.0.0.1 169.254.1.1 255.255.255.255 0.0.0.0 10.1.0.2"},
			"drop {0} bad-destination; xcast {1 6} to 192.0.2.2; drop {2} bad-destination; drop {3} bad-destination; drop {4} bad-destination; drop {5} bad-destination"},
		{"XCAST-2-9/bad, but not active", nil, spec{to: "224.0.0.1! 10.1.0.1 10.1.0.2"}, "xcast {1 2} to 192.0.2.2"},
		{"XCAST-2-9/IPv6", nil, spec{to: ":: ::1 fe80::1 ff02::1 2001:db8:1::1 ::ffff:224.0.0.1"},
			"drop {0} bad-destination; drop {1} bad-destination; drop {2} bad-destination; drop {3} bad-destination; unicast {4} to fe80::2; drop {5} bad-destination"},
		{"XCAST-2-10/twice the same", nil, spec{to: "10.1.0.1:7001 10.1.0.1:7002"}, "xcast {0 1} to 192.0.2.2"},
		{"XCAST-2-10/premature", nil, spec{to: "10.3.0.1:7001 10.3.0.1:7002"}, "unicast {0} to 192.0.2.4; unicast {1} to 192.0.2.4"},
		{"XCAST-2-11/no split horizon", nil, spec{to: "10.1.0.1 10.1.0.2", source: "10.1.0.9"}, "xcast {0 1} to 192.0.2.2"},
		{"self", nil, spec{to: "10.1.0.1 10.0.0.1 192.0.2.1", ttl: 9}, "unicast {0} to 192.0.2.2; deliver {1}; deliver {2}"},
		{"self with X", nil, spec{to: "10.0.0.1 10.1.0.1 192.0.2.1", stay: true}, "deliver {0 2}; xcast {1} to 192.0.2.2"},
		{"own source", nil, spec{to: "10.1.0.1 10.0.0.1 10.2.0.1", source: "192.0.2.1"}, "drop {0 2} own-source; deliver {1}"},
		{"XCAST-8.2-2/EF and AF part", nil, spec{to: "10.1.0.1 10.1.0.2 10.1.0.3", dscps: []xcast.DSCP{46, 10, 46}},
			"xcast {0 2} to 192.0.2.2; unicast {1} to 192.0.2.2"},
		{"XCAST-8.2-2/premature needs no split", nil, spec{to: "10.3.0.1 10.3.0.2", dscps: []xcast.DSCP{46, 10}, stay: false},
			"unicast {0} to 192.0.2.4; unicast {1} to 192.0.2.4"},
		{"XCAST-10.1-5/not convertible stays Xcast", nil, spec{to: "10.1.0.1 10.2.0.1", proto: 50, segment: make([]byte, 20)},
			"xcast {0} to 192.0.2.2; xcast {1} to 192.0.2.3"},
		{"XCAST-10.1-5/not convertible, incapable", nil, spec{to: "10.3.0.1 10.2.0.1 10.0.0.1", proto: 51, segment: make([]byte, 20)},
			"drop {0} not-convertible; xcast {1} to 192.0.2.3; deliver {2}"},
		{"XCAST-11.5-1/special explodes", special, spec{to: "10.1.0.1 10.1.0.2", dst: "192.0.2.200"}, "unicast {0} to 192.0.2.2; unicast {1} to 192.0.2.2"},
		{"XCAST-11.5-1/special IPv6", special, spec{to: "2001:db8:1::1 2001:db8:1::2", dst: "2001:db8::200"}, "unicast {0} to fe80::2; unicast {1} to fe80::2"},
		{"XCAST-11.5-1/special with X", special, spec{to: "10.1.0.1 10.0.0.1", dst: "192.0.2.200", stay: true}, "drop {0} x-bit; deliver {1}"},
		{"XCAST-14-1/allowed", func(c *xcast.Config) { c.AllowICMP = true }, spec{to: "10.1.0.1 10.1.0.2", proto: 1, segment: []byte{8, 0, 0, 0}}, "xcast {0 1} to 192.0.2.2"},
		{"XCAST-14-1/one original destination", nil, spec{to: "10.1.0.1", proto: 1, segment: []byte{8, 0, 0, 0}}, "unicast {0} to 192.0.2.2"},
		{"XCAST-14-1/an answer is no request", nil, spec{to: "10.1.0.1 10.2.0.2", proto: 1, segment: []byte{0, 0, 0, 0}}, "unicast {0} to 192.0.2.2; unicast {1} to 192.0.2.3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			packet := tt.in.build(t)
			r, err := crossroads.node(t, tt.change).Forward(7, packet)
			if err != nil {
				t.Fatal(err)
			}
			if got := say(r); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			checkResult(t, packet, r, xcast.Experimental())
			for a, n := range crossroads.asked {
				if n > strings.Count(tt.in.to+" ", a.String()+" ")+strings.Count(tt.in.to, a.String()+":") {
					t.Errorf("XCAST-2-3: %d lookups of %v", n, a)
				}
			}
		})
	}
}

// checkResult holds for every result: XCAST-9.2.2-11 (partition), XCAST-14-2
// (no amplification), XCAST-9.1-1 and XCAST-9.2-3 (what never changes), sizes,
// and that everything emitted is a packet again.
func checkResult(t rapid.TB, packet []byte, r xcast.Result, code xcast.CodePoints) {
	t.Helper()
	var p xcast.Packet
	if err := p.Decode(packet, &code); err != nil {
		return // tunnels and special addresses are checked by their own tests
	}
	var all xcast.Bitmap
	take := func(set xcast.Bitmap) {
		if !all.And(set).IsEmpty() || set.IsEmpty() {
			t.Errorf("XCAST-9.2.2-11: %v twice or nothing in %s", set, say(r))
		}
		all = all.Or(set)
	}
	for i, o := range r.Outputs {
		take(o.Destinations)
		if i > 0 && r.Outputs[i-1].Destinations.First() > o.Destinations.First() {
			t.Errorf("not in order: %s", say(r))
		}
		b := octets(o)
		if len(b) != o.Len() {
			t.Errorf("Len %d of %d octets", o.Len(), len(b))
		}
		var c xcast.Packet
		if err := c.Decode(b, &code); err == nil && o.Kind != xcast.Tunnelled {
			if len(b) != len(p.Bytes()) || c.Active() != o.Destinations || c.Source() != p.Source() || c.Destination() != p.Destination() || c.Len() != p.Len() {
				t.Errorf("XCAST-9.1-1: copy for %v is %d octets, bitmap %v", o.Destinations, len(b), c.Active())
			}
			continue
		}
		if o.Kind == xcast.XcastCopy {
			t.Errorf("a copy does not decode: %x", b)
		}
		if o.Destinations.Len() != 1 && o.Kind != xcast.Tunnelled {
			t.Errorf("%v to %v", o.Kind, o.Destinations)
		}
		checkUnicast(t, &p, b, o)
	}
	for _, d := range r.Drops {
		take(d.Destinations)
	}
	if all != p.Active() {
		t.Errorf("XCAST-9.2.2-11: %v of %v in %s", all, p.Active(), say(r))
	}
	if len(r.Outputs) > p.Active().Len() {
		t.Errorf("XCAST-14-2: %d packets for %d destinations", len(r.Outputs), p.Active().Len())
	}
}

// checkUnicast compares the IP header of a unicast or tunnel packet.
func checkUnicast(t rapid.TB, p *xcast.Packet, b []byte, o xcast.Output) {
	t.Helper()
	i := o.Destinations.First()
	if p.Family() == xcast.Xcast4 {
		was, _ := xcast.ParseIPv4(p.Bytes())
		is, err := xcast.ParseIPv4(b)
		if err != nil || len(is) != len(b) {
			t.Fatalf("%v: %v, %d of %d octets", o.Kind, err, len(is), len(b))
		}
		if o.Kind == xcast.Tunnelled {
			return
		}
		if is.Source() != was.Source() || is.Destination() != p.Address(i) || is.ID() != was.ID() || is.DontFragment() != was.DontFragment() ||
			!bytes.Equal(is[20:is.HeaderLen()], was[20:was.HeaderLen()]) {
			t.Errorf("XCAST-9.2-3: %x from %x", is[:20], was[:20])
		}
		return
	}
	was, _ := xcast.ParseIPv6(p.Bytes())
	is, err := xcast.ParseIPv6(b)
	if err != nil || len(is) != len(b) {
		t.Fatalf("%v: %v, %d of %d octets", o.Kind, err, len(is), len(b))
	}
	if o.Kind != xcast.Tunnelled && (is.Source() != was.Source() || is.Destination() != p.Address(i) || is.FlowLabel() != was.FlowLabel()) {
		t.Errorf("XCAST-9.2-3: %x from %x", is[:40], was[:40])
	}
}

// TestDiscard refuses whole packets, in the order of the steps.
func TestDiscard(t *testing.T) {
	set := func(b []byte, at int, v ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], v)
		if b[0]>>4 == 4 {
			xcast.IPv4(b).UpdateChecksum()
		}
		return b
	}
	good4, good6 := spec{to: "10.1.0.1 10.2.0.1"}.build(t), spec{to: "2001:db8:1::1 2001:db8:2::1"}.build(t)
	off := spec{to: "10.1.0.1! 10.2.0.1!"}.build(t)
	icmp := func(typ byte) []byte {
		return spec{to: "10.1.0.1 10.2.0.1", proto: 1, segment: []byte{typ, 0, 0, 0}}.build(t)
	}
	icmp6 := func(typ byte) []byte {
		return spec{to: "2001:db8:1::1 2001:db8:2::1", proto: 58, segment: []byte{typ, 0, 0, 0}}.build(t)
	}
	behind := spec{to: "2001:db8:1::1 2001:db8:2::1", proto: 60, segment: []byte{58, 0, 1, 4, 0, 0, 0, 0, 128, 0, 0, 0}}.build(t)
	tests := []struct {
		name   string
		b      []byte
		want   xcast.Reason
		offset int
		active string
	}{
		{"XCAST-15-3/protocol", set(good4, 9, 17), xcast.ErrNotXcast, 9, "{}"},
		{"XCAST-2-2/unicast destination", set(good4, 16, 192, 0, 2, 7), xcast.ErrNotXcast, 16, "{}"},
		{"XCAST-15-3/other group", set(good4, 16, 224, 0, 0, 253), xcast.ErrNotXcast, 16, "{}"},
		{"XCAST-15-3/other group, IPv6", set(good6, 39, 0x15), xcast.ErrNotXcast, 24, "{}"},
		{"XCAST-9.3.1-1/another header first", set(good6, 6, 60), xcast.ErrNotXcast, 6, "{}"},
		{"XCAST-15-3/other routing type", set(good6, 42, 4), xcast.ErrNotXcast, 6, "{}"},
		{"XCAST-9.2-1/more fragments", set(good4, 6, 0x20), xcast.ErrFragment, 6, "{}"},
		{"XCAST-9.2-1/offset", set(good4, 6, 0, 1), xcast.ErrFragment, 6, "{}"},
		{"XCAST-9.2-1/before the source", set(set(good4, 6, 0, 1), 12, 0, 0, 0, 0), xcast.ErrFragment, 6, "{}"},
		{"bad source 0.0.0.0", set(good4, 12, 0, 0, 0, 0), xcast.ErrBadSource, 12, "{}"},
		{"bad source multicast", set(good4, 12, 239, 0, 0, 1), xcast.ErrBadSource, 12, "{}"},
		{"bad source loopback", set(good4, 12, 127, 9, 9, 9), xcast.ErrBadSource, 12, "{}"},
		{"bad source link-local", set(good4, 12, 169, 254, 0, 1), xcast.ErrBadSource, 12, "{}"},
		{"bad source broadcast", set(good4, 12, 255, 255, 255, 255), xcast.ErrBadSource, 12, "{}"},
		{"bad source before the header", set(set(good4, 12, 127), 20, 0), xcast.ErrBadSource, 12, "{}"},
		{"bad source fe80::", set(good6, 8, 0xfe, 0x80), xcast.ErrBadSource, 8, "{}"},
		{"XCAST-9.2.2-14/checksum", set(good4, 22, 0, 0), xcast.ErrChecksum, 22, "{}"},
		{"version", set(good4, 20, 0), xcast.ErrVersion, 20, "{}"},
		{"XCAST-9.2.2-12/empty bitmap", off, xcast.ErrEmptyBitmap, 32, "{}"},
		{"XCAST-14-1/echo", icmp(8), xcast.ErrICMP, 44, "{0 1}"},
		{"XCAST-14-1/timestamp", icmp(13), xcast.ErrICMP, 44, "{0 1}"},
		{"XCAST-14-1/information", icmp(15), xcast.ErrICMP, 44, "{0 1}"},
		{"XCAST-14-1/address mask", icmp(17), xcast.ErrICMP, 44, "{0 1}"},
		{"XCAST-14-1/no type", spec{to: "10.1.0.1 10.2.0.1!", proto: 1, segment: []byte{}}.build(t), xcast.ErrICMP, 44, "{0}"},
		{"XCAST-14-1/echo, IPv6", icmp6(128), xcast.ErrICMP, 104, "{0 1}"},
		{"XCAST-14-1/node information", icmp6(139), xcast.ErrICMP, 104, "{0 1}"},
		{"XCAST-14-1/behind Destination Options", behind, xcast.ErrICMP, 112, "{0 1}"},
	}
	node := crossroads.node(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := node.Stats().Drops[tt.want]
			r, err := node.Forward(0, tt.b)
			wantReason(t, err, tt.want, tt.offset)
			// XCAST-9.1-4: a reason, and nothing to send.
			if want := "drop " + tt.active + " " + tt.want.String(); say(r) != want {
				t.Errorf("XCAST-9.1-4: %q, want %q", say(r), want)
			}
			if node.Stats().Drops[tt.want] != before+1 {
				t.Error("not counted")
			}
		})
	}
	t.Run("XCAST-14-1/one active of several is still several", func(t *testing.T) {
		_, err := node.Forward(0, spec{to: "10.1.0.1 10.2.0.1!", proto: 1, segment: []byte{8, 0, 0, 0}}.build(t))
		wantReason(t, err, xcast.ErrICMP, 44)
	})
	t.Run("XCAST-14-3/reverse path", func(t *testing.T) {
		node := crossroads.node(t, func(c *xcast.Config) {
			c.AcceptSource = func(a netip.Addr, in int) bool { return a == addr("192.0.2.10") && in == 3 }
		})
		if r, err := node.Forward(3, good4); err != nil || len(r.Outputs) != 2 {
			t.Error(say(r), err)
		}
		_, err := node.Forward(4, good4)
		wantReason(t, err, xcast.ErrReversePath, 12)
	})
}

// TestLinkPadding drops what follows the packet. XCAST-9.2-2.
func TestLinkPadding(t *testing.T) {
	for _, to := range []string{"10.1.0.1 10.1.0.2 10.2.0.1", "2001:db8:1::1 2001:db8:1::2 2001:db8:2::1"} {
		packet := spec{to: to}.build(t)
		node := crossroads.node(t, nil)
		r, err := node.Forward(0, packet)
		if err != nil {
			t.Fatal(err)
		}
		var want [][]byte
		for _, o := range r.Outputs {
			want = append(want, octets(o))
		}
		r, err = node.Forward(0, append(packet, 1, 2, 3, 4, 5, 6))
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range r.Outputs {
			if got := octets(o); !bytes.Equal(got, want[i]) {
				t.Errorf("XCAST-9.2-2: %x, want %x", got, want[i])
			}
		}
	}
}

// TestPreserved edits nothing that need not change: XCAST-9.2.2-18 (reserved
// bits, padding), XCAST-9.2.2-5 (n and the entries), XCAST-8.3-1 (channel),
// XCAST-9.3.2.2-4 (ports), XCAST-13.4-1 (DSCP list), XCAST-9.1-2 (transport).
func TestPreserved(t *testing.T) {
	for _, name := range []string{"E3", "E7"} {
		packet := golden(t, name)
		header, fixed := 20, 12
		if name == "E7" {
			header, fixed = 40, 24
			packet[header+4] |= 1            // R
			packet[header+fixed+7] = 0xff    // bits beyond n
			packet[header+80+3] = 0xee       // padding of the DS octets
			packet[header+88+10+2] = 0x55    // in a PadN
			packet[header+5] |= 0x80         // R
			packet[header+80] |= 3           // DS bits
			packet = append(packet, 1, 2, 3) // link padding
			b := packet[header:]
			b[6], b[7] = 0, 0
			c := xcast.Checksum(b[:88])
			b[6], b[7] = byte(c>>8), byte(c)
		} else {
			copy(packet[header:], edit4(packet[header:76], true, func(b []byte) []byte {
				b[1] |= 0x80
				b[10], b[11], b[15], b[36], b[41], b[54] = 0xab, 0xcd, 0xff, b[36]|3, 0x77, 0x66
				return b
			}))
		}
		node := (&table{routes: []string{"0.0.0.0/0 via 192.0.2.2", "::/0 via 2001:db8::2"}}).node(t, nil)
		r, err := node.Forward(0, packet)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range r.Outputs {
			if o.Kind != xcast.XcastCopy {
				continue
			}
			got := octets(o)
			want := bytes.Clone(packet[:len(got)])
			// What may change: TTL, DS field, checksums, bitmap, cleared addresses under A.
			copy(want[:header], got[:header])
			checksum := header + 2
			if name == "E7" {
				checksum = header + 6
			}
			copy(want[checksum:checksum+2], got[checksum:])
			width := 4 * (1 + (header-20)/20)
			copy(want[header+fixed:header+fixed+width], got[header+fixed:])
			if name == "E3" {
				for i := range 5 {
					if !o.Destinations.Has(i) {
						clear(want[header+16+4*i : header+20+4*i])
					}
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("XCAST-9.2.2-18: %s:\n got %x\nwant %x", name, got, want)
			}
			unused := got[header+fixed+1 : header+fixed+width]
			if !bytes.Equal(unused, make([]byte, len(unused))) {
				t.Errorf("XCAST-9.2.2-18: unused bits % x are not zeroed", unused)
			}
		}
	}
}

// TestOriginate: XCAST-2-13.
func TestOriginate(t *testing.T) {
	node := crossroads.node(t, nil)
	packet := spec{to: "10.1.0.1 10.2.0.1 10.1.0.2 10.0.0.1", source: "10.0.0.1", ttl: 1}.build(t)
	r, err := node.Originate(packet)
	if err != nil {
		t.Fatal(err)
	}
	if got := say(r); got != "xcast {0 2} to 192.0.2.2; unicast {1} to 192.0.2.3; deliver {3}" {
		t.Error("XCAST-2-13: ", got)
	}
	for _, o := range r.Outputs {
		if o.Head[8] != 1 {
			t.Errorf("XCAST-2-13: TTL %d of %v", o.Head[8], o.Kind)
		}
	}
	if _, err := node.Originate(golden(t, "E9")); err == nil {
		t.Error("a tunnel packet was taken for native")
	}
}

// TestTTL: XCAST-2-7, in copies, unicast packets and deliveries.
func TestTTL(t *testing.T) {
	for _, to := range []string{"10.1.0.1 10.1.0.2 10.2.0.1 10.0.0.1", "2001:db8:1::1 2001:db8:1::2 2001:db8:2::1 2001:db8::1"} {
		r, err := crossroads.node(t, nil).Forward(0, spec{to: to, ttl: 7}.build(t))
		if err != nil || len(r.Outputs) != 3 {
			t.Fatal(say(r), err)
		}
		at := 8
		if r.Outputs[0].Head[0]>>4 == 6 {
			at = 7
		}
		for i, want := range []byte{6, 6, 7} {
			if got := r.Outputs[i].Head[at]; got != want {
				t.Errorf("XCAST-2-7: TTL %d in %v, want %d", got, r.Outputs[i].Kind, want)
			}
		}
	}
}

// TestDSField: XCAST-8.2-1 (the active ones count, ECN stays, without D nothing
// is touched) and XCAST-8.2-4 (X2U, local delivery).
func TestDSField(t *testing.T) {
	tests := []struct {
		name string
		in   spec
		want []byte // DS field of each output
	}{
		{"XCAST-8.2-1/no D", spec{to: "10.1.0.1 10.1.0.2", ds: 0xbb}, []byte{0xbb}},
		{"XCAST-8.2-1/most demanding", spec{to: "10.1.0.1 10.1.0.2 10.1.0.3", ds: 0x03, dscps: []xcast.DSCP{0, 46, 1}}, []byte{46<<2 | 3}},
		{"XCAST-8.2-1/active ones only", spec{to: "10.1.0.1 10.1.0.2! 10.1.0.3", ds: 0xb9, dscps: []xcast.DSCP{0, 46, 1}}, []byte{1}},
		{"XCAST-8.2-4/X2U", spec{to: "10.1.0.1 10.2.0.1", ds: 0xb9, dscps: []xcast.DSCP{10, 46}}, []byte{10<<2 | 1, 46<<2 | 1}},
		{"XCAST-8.2-4/local unicast", spec{to: "10.0.0.1 10.2.0.1", ds: 0xb9, dscps: []xcast.DSCP{10, 46}}, []byte{10<<2 | 1, 46<<2 | 1}},
		{"XCAST-8.2-4/local Xcast", spec{to: "10.0.0.1 10.2.0.1 10.2.0.2", ds: 0xb9, dscps: []xcast.DSCP{10, 8, 0}, stay: true}, []byte{0xb9, 8<<2 | 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := crossroads.node(t, nil).Forward(0, tt.in.build(t))
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			for _, o := range r.Outputs {
				got = append(got, o.Head[1])
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("% x, want % x (%s)", got, tt.want, say(r))
			}
		})
	}
	t.Run("XCAST-8.2-3/the caller's order", func(t *testing.T) {
		node := crossroads.node(t, func(c *xcast.Config) {
			c.CompareDSCP = func(a, b xcast.DSCP) (int, bool) { return int(a) - int(b), true }
		})
		r, err := node.Forward(0, spec{to: "10.1.0.1 10.1.0.2", dscps: []xcast.DSCP{10, 46}}.build(t))
		if err != nil || say(r) != "xcast {0 1} to 192.0.2.2" || r.Outputs[0].Head[1] != 46<<2 {
			t.Error(say(r), err)
		}
	})
}

// TestMTU: XCAST-9.2-5.
func TestMTU(t *testing.T) {
	node := func(mtu string) *xcast.Forwarder {
		return (&table{routes: []string{"10.1.0.0/16 via 192.0.2.2 mtu=" + mtu, "10.2.0.0/16 via 192.0.2.3 plain mtu=" + mtu, "10.3.0.0/16 via 192.0.2.4", "2001:db8::/32 via fe80::1 plain mtu=" + mtu}}).node(t, nil)
	}
	// A copy has 20+12+4+4n+12 octets, unicast 32.
	tests := []struct {
		name string
		mtu  string
		in   spec
		want string
	}{
		{"XCAST-9.2-5/just fits", "56", spec{to: "10.1.0.1 10.1.0.2"}, "xcast {0 1} to 192.0.2.2"},
		{"XCAST-9.2-5/copy with DF", "55", spec{to: "10.1.0.1 10.1.0.2"}, "drop {0 1} mtu"},
		{"XCAST-9.2-5/copy without DF is not fragmented", "55", spec{to: "10.1.0.1 10.1.0.2", fragments: true}, "drop {0 1} mtu"},
		{"XCAST-9.2-5/others are not affected", "55", spec{to: "10.1.0.1 10.3.0.1 10.1.0.2"}, "drop {0 2} mtu; unicast {1} to 192.0.2.4"},
		{"XCAST-9.2-5/unicast with DF", "31", spec{to: "10.2.0.1"}, "drop {0} mtu"},
		{"XCAST-9.2-5/unicast without DF", "31", spec{to: "10.2.0.1", fragments: true}, "unicast {0} to 192.0.2.3 in fragments"},
		{"XCAST-9.2-5/unicast fits", "32", spec{to: "10.2.0.1", fragments: true}, "unicast {0} to 192.0.2.3"},
		{"XCAST-9.2-5/IPv6", "51", spec{to: "2001:db8:1::1"}, "drop {0} mtu"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := node(tt.mtu).Forward(0, tt.in.build(t))
			if err != nil || say(r) != tt.want {
				t.Errorf("%s, %v, want %s", say(r), err, tt.want)
			}
		})
	}
}
