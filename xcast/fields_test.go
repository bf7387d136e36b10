// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"slices"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
)

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

// TestXcastReceiver is a receiver that takes Xcast itself: XCAST-12-3. Its
// share comes as one packet, whose transport checksum holds with the IP
// destination as received, and whose ports stand at its own positions.
func TestXcastReceiver(t *testing.T) {
	for _, to := range []string{"10.1.0.1:7001 10.0.0.1:7002 192.0.2.1:7003", "[2001:db8:1::1]:7001 [2001:db8::1]:7002 [2001:db8::1]:7003"} {
		r, err := crossroads.node(t, nil).Forward(0, spec{to: to, stay: true}.build(t))
		if err != nil || len(r.Outputs) != 2 || r.Outputs[1].Kind != xcast.Deliver {
			t.Fatal(say(r), err)
		}
		p := view(t, octets(r.Outputs[1]))
		var ports []uint16
		for i := range r.Outputs[1].Destinations.All() {
			port, _ := p.Port(i)
			ports = append(ports, port)
		}
		if !slices.Equal(ports, []uint16{7002, 7003}) || p.Active() != r.Outputs[1].Destinations {
			t.Errorf("XCAST-12-3: ports %v of %v", ports, p.Active())
		}
		proto, segment := p.Transport()
		segment = slices.Clone(segment)
		got := slices.Clone(segment[6:8])
		segment[6], segment[7] = 0, 0
		if c := xcast.TransportChecksum(proto, p.Source().AsSlice(), p.Destination().AsSlice(), segment); got[0] != byte(c>>8) || got[1] != byte(c) {
			t.Errorf("XCAST-12-3: checksum % x, want %04x", got, c)
		}
	}
}
