// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
)

// ipip wraps a packet. Values of changes: octets of the outer header to set.
func ipip(source, destination string, inner []byte, changes ...byte) []byte {
	var b []byte
	if inner[0]>>4 == 4 {
		f := xcast.IPv4Fields{TTL: 64, Protocol: 4, Source: addr(source), Destination: addr(destination)}
		b, _ = f.AppendHeader(nil, len(inner))
	} else {
		f := xcast.IPv6Fields{NextHeader: 41, HopLimit: 64, Source: addr(source), Destination: addr(destination)}
		b, _ = f.AppendHeader(nil, len(inner))
	}
	for i := 0; i < len(changes); i += 2 {
		b[changes[i]] = changes[i+1]
	}
	if inner[0]>>4 == 4 {
		xcast.IPv4(b).UpdateChecksum()
	}
	return append(b, inner...)
}

// TestPeers: XCAST-11.1-1 to XCAST-11.1-4, the sending end.
func TestPeers(t *testing.T) {
	node := func(change func(*xcast.Config)) *xcast.Forwarder {
		return (&table{
			local:  []string{"192.0.2.1", "2001:db8::1"},
			routes: []string{"10.0.0.0/8 via 192.0.2.9 plain", "203.0.113.0/24 via 192.0.2.8 mtu=100", "2001:db8::/32 via fe80::9 plain", "172.20.0.0/16 via 192.0.2.7"},
			peers:  map[string]string{"10.1.0.0/16": "203.0.113.1", "10.2.0.0/16": "203.0.113.2", "172.16.0.0/16": "203.0.113.1", "10.9.0.0/16": "198.18.0.1", "2001:db8:1::/48": "2001:db8:ffff::1"},
		}).node(t, change)
	}
	tests := []struct {
		name   string
		change func(*xcast.Config)
		in     spec
		want   string
	}{
		{"XCAST-11.1-1/groups by peer", nil, spec{to: "10.1.0.1 10.2.0.1 10.1.0.2 10.2.0.2"}, "tunnelled {0 2} to 192.0.2.8; tunnelled {1 3} to 192.0.2.8"},
		{"XCAST-11.1-1/no peer: unicast", nil, spec{to: "10.3.0.1 10.3.0.2"}, "unicast {0} to 192.0.2.9; unicast {1} to 192.0.2.9"},
		{"XCAST-11.1-1/no peer: capable neighbour", nil, spec{to: "172.20.0.1 172.20.0.2"}, "xcast {0 1} to 192.0.2.7"},
		{"XCAST-11.1-1/one: by the unicast route", nil, spec{to: "10.1.0.1 10.2.0.1 10.2.0.2"}, "unicast {0} to 192.0.2.9; tunnelled {1 2} to 192.0.2.8"},
		{"XCAST-11.1-1/one without a unicast route", nil, spec{to: "172.16.0.1 10.2.0.1"}, "tunnelled {0} to 192.0.2.8; unicast {1} to 192.0.2.9"},
		{"XCAST-11.1-1/one with X", nil, spec{to: "10.1.0.1", stay: true}, "tunnelled {0} to 192.0.2.8"},
		{"XCAST-11.1-1/never", func(c *xcast.Config) { c.Policy = xcast.X2UNever }, spec{to: "10.1.0.1"}, "tunnelled {0} to 192.0.2.8"},
		{"XCAST-11.1-1/always", func(c *xcast.Config) { c.Policy = xcast.X2UAlways }, spec{to: "10.1.0.1 10.1.0.2"}, "unicast {0} to 192.0.2.9; unicast {1} to 192.0.2.9"},
		{"XCAST-11.1-1/IPv6", nil, spec{to: "2001:db8:1::1 2001:db8:1::2"}, "tunnelled {0 1} to fe80::9"},
		{"XCAST-11.1-4/loop", nil, spec{to: "10.1.0.1 10.1.0.2", source: "203.0.113.1"}, "drop {0 1} tunnel-loop"},
		{"XCAST-11.1-1/no route to the peer", nil, spec{to: "10.9.0.1 10.9.0.2"}, "drop {0 1} no-route"},
		{"XCAST-8.2-2/split", nil, spec{to: "10.1.0.1 10.1.0.2 10.1.0.3 10.1.0.4", dscps: []xcast.DSCP{46, 10, 46, 10}}, "tunnelled {0 2} to 192.0.2.8; tunnelled {1 3} to 192.0.2.8"},
		{"XCAST-9.2-5/tunnel with DF", nil, spec{to: "10.1.0.1 10.1.0.2", segment: make([]byte, 60), proto: 17}, "drop {0 1} mtu"},
		{"XCAST-9.2-5/tunnel without DF", nil, spec{to: "10.1.0.1 10.1.0.2", segment: make([]byte, 60), proto: 17, fragments: true}, "tunnelled {0 1} to 192.0.2.8 in fragments"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			packet := tt.in.build(t)
			r, err := node(tt.change).Forward(0, packet)
			if err != nil || say(r) != tt.want {
				t.Errorf("%s, %v\nwant %s", say(r), err, tt.want)
			}
			checkResult(t, packet, r, xcast.Experimental())
		})
	}
	t.Run("XCAST-11.1-2/outer header", func(t *testing.T) {
		n := node(func(c *xcast.Config) { c.TunnelID = 0xffff })
		r, err := n.Forward(0, spec{to: "10.1.0.1 10.2.0.1 10.1.0.2 10.2.0.2 10.9.0.1", dscps: []xcast.DSCP{46, 10, 0, 0, 0}, ds: 2, fragments: true}.build(t))
		if err != nil {
			t.Fatal(err)
		}
		want := []struct {
			id uint16
			ds uint8
			to string
		}{{0xffff, 46<<2 | 2, "203.0.113.1"}, {0, 10<<2 | 2, "203.0.113.2"}}
		for i, w := range want {
			b := octets(r.Outputs[i])
			ip, err := xcast.ParseIPv4(b)
			if err != nil || ip.ID() != w.id || ip.DSField() != w.ds || ip.Destination() != addr(w.to) || ip.Source() != tunnelLocal4 || ip.TTL() != 64 || ip.DontFragment() || ip.Protocol() != 4 {
				t.Errorf("%d: %v %x", i, err, b[:20])
			}
			inner := view(t, ip.Payload())
			if inner.TTL() != 15 || inner.DSField() != w.ds {
				t.Errorf("inner TTL %d, DS %02x", inner.TTL(), inner.DSField())
			}
		}
		r, _ = n.Forward(0, spec{to: "10.1.0.1 10.1.0.2"}.build(t))
		if got := binary.BigEndian.Uint16(r.Outputs[0].Head[4:]); got != 1 {
			t.Errorf("next Identification %d, want 1", got)
		}
	})
}

// TestTunnelExit: XCAST-11.1-3, and RFC 6040 section 4.2 row by row.
func TestTunnelExit(t *testing.T) {
	inner := func(ttl, ds uint8) []byte {
		return spec{to: "10.1.0.1 10.1.0.2 10.0.0.1 10.2.0.1", ttl: ttl, ds: ds}.build(t)
	}
	inner6 := spec{to: "2001:db8:1::1 2001:db8:1::2"}.build(t)
	const all = "xcast {0 1} to 192.0.2.2; deliver {2}; unicast {3} to 192.0.2.3"
	node := crossroads.node(t, func(c *xcast.Config) {
		c.AcceptPeer = func(a netip.Addr) bool { return a != addr("203.0.113.66") && a != addr("2001:db8:66::1") }
	})
	tests := []struct {
		name   string
		b      []byte
		want   string
		reason xcast.Reason
		offset int
	}{
		{"IPv4", ipip("203.0.113.1", "192.0.2.1", inner(9, 0)), all, 0, 0},
		{"IPv6", ipip("2001:db8:7::1", "2001:db8::1", inner6), "xcast {0 1} to fe80::2", 0, 0},
		{"inner TTL 1", ipip("203.0.113.1", "192.0.2.1", spec{to: "10.1.0.1 10.0.0.1", ttl: 1}.build(t)), "drop {0} ttl; deliver {1}", 0, 0},
		{"inner TTL 0", ipip("203.0.113.1", "192.0.2.1", func() []byte { b := inner(9, 0); b[8] = 0; xcast.IPv4(b).UpdateChecksum(); return b }()), "drop {} ttl", xcast.ErrTTL, 20},
		{"outer TTL does not matter", ipip("203.0.113.1", "192.0.2.1", inner(9, 0), 8, 0), all, 0, 0},
		{"not for this node", ipip("203.0.113.1", "192.0.2.77", inner(9, 0)), "drop {} not-xcast", xcast.ErrNotXcast, 9},
		{"outer fragment", ipip("203.0.113.1", "192.0.2.1", inner(9, 0), 6, 0x20), "drop {} fragment", xcast.ErrFragment, 6},
		{"inner fragment", ipip("203.0.113.1", "192.0.2.1", func() []byte { b := inner(9, 0); b[6] = 0x20; xcast.IPv4(b).UpdateChecksum(); return b }()), "drop {} fragment", xcast.ErrFragment, 26},
		{"inner is not Xcast", ipip("203.0.113.1", "192.0.2.1", func() []byte { b := inner(9, 0); b[9] = 17; xcast.IPv4(b).UpdateChecksum(); return b }()), "drop {} not-xcast", xcast.ErrNotXcast, 29},
		{"inner is a tunnel again", ipip("203.0.113.1", "192.0.2.1", ipip("203.0.113.1", "192.0.2.1", inner(9, 0))), "drop {} not-xcast", xcast.ErrNotXcast, 29},
		{"inner is damaged", ipip("203.0.113.1", "192.0.2.1", func() []byte { b := inner(9, 0); b[22] ^= 1; return b }()), "drop {} checksum", xcast.ErrChecksum, 42},
		{"inner of another version", append(ipip("203.0.113.1", "192.0.2.1", inner(9, 0))[:20], append([]byte{0x65}, inner(9, 0)[1:]...)...), "drop {} malformed-ip", xcast.ErrMalformedIP, 20},
		{"peer not accepted", ipip("203.0.113.66", "192.0.2.1", inner(9, 0)), "drop {} peer", xcast.ErrPeer, 12},
		{"peer not accepted, IPv6", ipip("2001:db8:66::1", "2001:db8::1", inner6), "drop {} peer", xcast.ErrPeer, 8},
	}
	for _, tt := range tests {
		t.Run("XCAST-11.1-3/"+tt.name, func(t *testing.T) {
			r, err := node.Forward(0, tt.b)
			if say(r) != tt.want {
				t.Errorf("%s, %v\nwant %s", say(r), err, tt.want)
			}
			if tt.reason != 0 {
				wantReason(t, err, tt.reason, tt.offset)
			}
		})
	}
	const notECT, ect1, ect0, ce = 0, 1, 2, 3
	for _, row := range []struct{ outer, inner, want byte }{
		{notECT, notECT, notECT}, {ect0, notECT, notECT}, {ect1, notECT, notECT}, {ce, notECT, 99},
		{notECT, ect0, ect0}, {ect0, ect0, ect0}, {ect1, ect0, ect1}, {ce, ect0, ce},
		{notECT, ect1, ect1}, {ect0, ect1, ect1}, {ect1, ect1, ect1}, {ce, ect1, ce},
		{notECT, ce, ce}, {ect0, ce, ce}, {ect1, ce, ce}, {ce, ce, ce},
	} {
		t.Run(fmt.Sprintf("XCAST-11.1-3/ECN outer %d inner %d", row.outer, row.inner), func(t *testing.T) {
			r, err := node.Forward(0, ipip("203.0.113.1", "192.0.2.1", inner(9, 0xb8|row.inner), 1, 0xfc|row.outer))
			if row.want == 99 {
				wantReason(t, err, xcast.ErrECN, 1)
				if say(r) != "drop {0 1 2 3} ecn" {
					t.Error(say(r))
				}
				return
			}
			for _, o := range r.Outputs {
				if got := o.Head[1]; got != 0xb8|row.want {
					t.Errorf("%v has DS %02x, want %02x", o.Kind, got, 0xb8|row.want)
				}
			}
			if len(r.Outputs) != 3 {
				t.Error(say(r))
			}
		})
	}
}

// TestRelay: XCAST-11.4-1 (source) and XCAST-11.4-2 (receiving host).
func TestRelay(t *testing.T) {
	host := func(change func(*xcast.Relay)) *xcast.Forwarder {
		return (&table{local: []string{"10.1.0.1", "2001:db8:1::1"}, routes: []string{"0.0.0.0/0 via 192.0.2.2 plain", "::/0 via fe80::2 plain"}}).node(t, func(c *xcast.Config) {
			c.Relay = &xcast.Relay{Local4: addr("10.1.0.1"), Local6: addr("2001:db8:1::1")}
			if change != nil {
				change(c.Relay)
			}
		})
	}
	t.Run("XCAST-11.4-1/source, to the first active one", func(t *testing.T) {
		r, err := host(nil).Originate(spec{to: "10.2.0.1! 10.3.0.1 10.2.0.2", source: "10.1.0.1"}.build(t))
		if err != nil || say(r) != "tunnelled {1 2} to 192.0.2.2" {
			t.Fatal(say(r), err)
		}
		ip, err := xcast.ParseIPv4(octets(r.Outputs[0]))
		if err != nil || ip.Destination() != addr("10.3.0.1") || ip.Source() != addr("10.1.0.1") || ip.TTL() != 64 || view(t, ip.Payload()).TTL() != 16 {
			t.Errorf("%v, %v", ip, err)
		}
	})
	t.Run("XCAST-11.4-2/delivers its own and sends the rest on", func(t *testing.T) {
		in := ipip("192.0.2.10", "10.1.0.1", spec{to: "10.1.0.1 10.2.0.1 10.3.0.1"}.build(t))
		r, err := host(nil).Forward(0, in)
		if err != nil || say(r) != "deliver {0}; tunnelled {1 2} to 192.0.2.2" {
			t.Fatal(say(r), err)
		}
		ip, err := xcast.ParseIPv4(octets(r.Outputs[1]))
		inner := view(t, ip.Payload())
		if err != nil || ip.Destination() != addr("10.2.0.1") || ip.Source() != addr("10.1.0.1") || ip.TTL() != 64 ||
			inner.Source() != addr("192.0.2.10") || inner.TTL() != 15 || inner.Active() != xcast.Bit(1).Or(xcast.Bit(2)) {
			t.Errorf("%v, %v", ip, err)
		}
	})
	t.Run("XCAST-11.4-2/the last one gets unicast", func(t *testing.T) {
		in := ipip("192.0.2.10", "10.1.0.1", spec{to: "10.1.0.1 10.2.0.1"}.build(t))
		r, err := host(nil).Forward(0, in)
		if err != nil || say(r) != "deliver {0}; unicast {1} to 192.0.2.2" {
			t.Error(say(r), err)
		}
	})
	t.Run("XCAST-11.4-2/split by DSCP", func(t *testing.T) {
		in := ipip("192.0.2.10", "10.1.0.1", spec{to: "10.1.0.1 10.2.0.1 10.3.0.1 10.4.0.1 10.5.0.1", dscps: []xcast.DSCP{0, 46, 10, 46, 10}}.build(t))
		r, err := host(nil).Forward(0, in)
		if err != nil || say(r) != "deliver {0}; tunnelled {1 3} to 192.0.2.2; tunnelled {2 4} to 192.0.2.2" {
			t.Error(say(r), err)
		}
	})
	t.Run("XCAST-11.4-2/semi-permeable", func(t *testing.T) {
		node := host(func(r *xcast.Relay) { r.SemiPermeable, r.TTL = true, 40 })
		in := permeable("2001:db8:1::1", 3, 0, plainHopByHop, spec{to: "2001:db8:1::1 2001:db8:2::1 2001:db8:3::1"}.build(t))
		r, err := node.Forward(0, in)
		if err != nil || say(r) != "deliver {0}; tunnelled {1 2} to fe80::2" {
			t.Fatal(say(r), err)
		}
		ip, _ := xcast.ParseIPv6(octets(r.Outputs[1]))
		if ip.NextHeader() != 0 || ip.HopLimit() != 40 || ip.Destination() != addr("2001:db8:2::1") || ip.Source() != addr("2001:db8:1::1") ||
			!bytes.Equal(ip.Payload()[:8], unhex("29001e0001020000")) || view(t, ip.Payload()[8:]).TTL() != 15 {
			t.Errorf("%x", ip)
		}
	})
	t.Run("XCAST-11.3-4/source of a semi-permeable tunnel", func(t *testing.T) {
		node := host(func(r *xcast.Relay) { r.SemiPermeable, r.TTL = true, 40 })
		r, err := node.Originate(spec{to: "2001:db8:2::1 2001:db8:3::1", source: "2001:db8:1::1", ttl: 33}.build(t))
		if err != nil || len(r.Outputs) != 1 || r.Outputs[0].Head[7] != 33 {
			t.Error(say(r), err)
		}
	})
	t.Run("XCAST-11.4-2/relaying ends", func(t *testing.T) {
		// Every relay clears at least one bit, so a chain of n hosts has n steps.
		hosts := []string{"10.1.0.1", "10.2.0.1", "10.3.0.1", "10.4.0.1"}
		packet := ipip("192.0.2.10", hosts[0], spec{to: "10.1.0.1 10.2.0.1 10.3.0.1 10.4.0.1", stay: true}.build(t))
		for i, h := range hosts {
			node := (&table{local: []string{h}, routes: []string{"0.0.0.0/0 via 192.0.2.2 plain"}}).node(t, func(c *xcast.Config) {
				c.Relay = &xcast.Relay{Local4: addr(h)}
			})
			r, err := node.Forward(0, packet)
			if err != nil || len(r.Drops) != 0 || len(r.Outputs) != min(2, len(hosts)-i) || r.Outputs[0].Kind != xcast.Deliver {
				t.Fatalf("host %d: %s, %v", i, say(r), err)
			}
			packet = octets(r.Outputs[len(r.Outputs)-1])
		}
	})
	t.Run("XCAST-11.4-2/no own address", func(t *testing.T) {
		node := host(func(r *xcast.Relay) { r.Local4 = netip.Addr{} })
		r, err := node.Originate(spec{to: "10.2.0.1 10.3.0.1"}.build(t))
		if err != nil || say(r) != "drop {0 1} address" {
			t.Error(say(r), err)
		}
	})
}
