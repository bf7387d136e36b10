// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"bytes"
	"net/netip"
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
