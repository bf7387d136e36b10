// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/mcastalloc/malloc/xcast"
)

var equate = []cmp.Option{
	cmpopts.EquateComparable(netip.Addr{}, xcast.Bitmap{}), cmpopts.EquateEmpty(),
}

// TestGoldenHeaders4 builds and reads the Xcast4 headers of the worked packets.
// XCAST-9.2.2-1 (layout), XCAST-9.2.2-3 and XCAST-9.2.2-4 (order of the lists),
// XCAST-9.2.2-9 (bit order), XCAST-9.2.2-13 (checksum), XCAST-8.3-1 (channel).
func TestGoldenHeaders4(t *testing.T) {
	e5 := xcast.Header4{Protocol: 17, List: xcast.List{Active: xcast.Bit(0).Or(xcast.Bit(31)).Or(xcast.Bit(32))}}
	for i := range 33 {
		e5.Addresses = append(e5.Addresses, netip.AddrFrom4([4]byte{198, 51, 100, byte(100 + i)}))
	}
	partial := golden(t, "E5")
	e5wire := append([]byte{}, partial[:20]...)
	for i := range 33 {
		e5wire = append(e5wire, 198, 51, 100, byte(100+i))
	}
	if !bytes.Equal(e5wire[20:24], partial[20:24]) || !bytes.Equal(e5wire[len(e5wire)-8:], partial[24:]) {
		t.Fatal("E5 is not what its addresses say")
	}
	tests := []struct {
		name string
		wire []byte
		want xcast.Header4
	}{
		{"XCAST-9.2.2-1/E1", golden(t, "E1")[20:48], xcast.Header4{
			Channel: 0xc0ffee01, Protocol: 17,
			List: xcast.List{Active: xcast.FirstN(3), Addresses: addrs("198.51.100.21", "203.0.113.5", "198.51.100.22")},
		}},
		{"XCAST-9.2.2-4/E3", golden(t, "E3")[20:76], xcast.Header4{Protocol: 17, List: xcast.List{
			Anonymous: true, Active: xcast.FirstN(5),
			Addresses: addrs("198.51.100.31", "203.0.113.32", "198.51.100.33", "198.51.100.34", "198.51.100.35"),
			DSCPs:     []xcast.DSCP{46, 0, 34, 0, 36}, Ports: []uint16{7001, 7002, 7003, 7004, 7005},
		}}},
		{"XCAST-9.2.2-9/E5", e5wire, e5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h xcast.Header4
			n, err := h.Decode(append(bytes.Clone(tt.wire), 0xaa))
			if err != nil || n != len(tt.wire) {
				t.Fatalf("Decode = %d, %v", n, err)
			}
			if d := cmp.Diff(tt.want, h, equate...); d != "" {
				t.Error(d)
			}
			if b, err := tt.want.AppendBinary(nil); err != nil || !bytes.Equal(b, tt.wire) {
				t.Errorf("AppendBinary = %x, %v\nwant %x", b, err, tt.wire)
			}
			if tt.want.Size() != len(tt.wire) {
				t.Errorf("Size = %d, want %d", tt.want.Size(), len(tt.wire))
			}
		})
	}
}

// TestGoldenHeaders6 does the same for Xcast6. XCAST-9.3.2.1-4, XCAST-9.3.2.2-1.
func TestGoldenHeaders6(t *testing.T) {
	code := xcast.Experimental()
	tests := []struct {
		name string
		wire []byte
		want xcast.Header6
	}{
		{"XCAST-9.3.2.1-4/E6", golden(t, "E6")[40:104], xcast.Header6{
			Code: code, NextHeader: 17, Channel: [16]byte{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff},
			List: xcast.List{Active: xcast.FirstN(2), Addresses: addrs("2001:db8:b::21", "2001:db8:c::22")},
		}},
		{"XCAST-9.3.2.2-1/E7", golden(t, "E7")[40:144], xcast.Header6{Code: code, NextHeader: 17, List: xcast.List{
			Active: xcast.FirstN(3), Addresses: addrs("2001:db8:b::31", "2001:db8:c::32", "2001:db8:b::33"),
			DSCPs: []xcast.DSCP{10, 46, 0}, Ports: []uint16{7001, 7002, 7003},
		}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := xcast.Header6{Code: code}
			n, err := h.Decode(append(bytes.Clone(tt.wire), 0xaa))
			if err != nil || n != len(tt.wire) {
				t.Fatalf("Decode = %d, %v", n, err)
			}
			if d := cmp.Diff(tt.want, h, equate...); d != "" {
				t.Error(d)
			}
			if b, err := tt.want.AppendBinary(nil); err != nil || !bytes.Equal(b, tt.wire) {
				t.Errorf("AppendBinary = %x, %v\nwant %x", b, err, tt.wire)
			}
			if tt.want.Size() != len(tt.wire) {
				t.Errorf("Size = %d, want %d", tt.want.Size(), len(tt.wire))
			}
		})
	}
}

func addrs(s ...string) (list []netip.Addr) {
	for _, a := range s {
		list = append(list, addr(a))
	}
	return list
}

// TestGoldenForward runs the worked packets through the routers they name.
// XCAST-2-1, XCAST-2-4, XCAST-2-7 (TTL), XCAST-8.2-1, XCAST-8.2-2, XCAST-8.2-4,
// XCAST-9.2.2-8 (A), XCAST-10.1-1 (delta), XCAST-11.1-2 and XCAST-11.3-1
// (tunnels), octet for octet.
func TestGoldenForward(t *testing.T) {
	router4 := &table{routes: []string{"198.51.100.0/24 via 192.0.2.2", "203.0.113.0/24 via 192.0.2.3"}}
	router6 := &table{routes: []string{"2001:db8:b::/48 via 2001:db8::2", "2001:db8:c::/48 via 2001:db8::3"}}
	peer := &table{routes: []string{"0.0.0.0/0 via 192.0.2.2"}, peers: map[string]string{"0.0.0.0/0": "198.51.100.3"}}
	host := &table{local: []string{"2001:db8:a::10"}, routes: []string{"::/0 via 2001:db8:a::1 plain"}}
	relay := func(c *xcast.Config) {
		c.Relay = &xcast.Relay{Local6: addr("2001:db8:a::10"), SemiPermeable: true}
	}
	e10inner := golden(t, "E10")[48:]
	tests := []struct {
		name   string
		node   *xcast.Forwarder
		origin bool
		in     []byte
		say    string
		out    []string
	}{
		{"XCAST-2-1/E2", router4.node(t, nil), false, golden(t, "E1"), "xcast {0 2} to 192.0.2.2; unicast {1} to 192.0.2.3", []string{"E2a", "E2b"}},
		{"XCAST-8.2-2/E4", router4.node(t, nil), false, golden(t, "E3"),
			"xcast {0 3} to 192.0.2.2; unicast {1} to 192.0.2.3; xcast {2 4} to 192.0.2.2", []string{"E4a", "E4c", "E4b"}},
		{"XCAST-9.3.2.2-5/E8", router6.node(t, nil), false, golden(t, "E7"), "xcast {0 2} to 2001:db8::2; unicast {1} to 2001:db8::3", []string{"E8a", "E8b"}},
		{"XCAST-11.1-2/E9", peer.node(t, func(c *xcast.Config) { c.TunnelID = 0x4242 }), false, golden(t, "E1"),
			"tunnelled {0 1 2} to 192.0.2.2", []string{"E9"}},
		{"XCAST-11.3-1/E10", host.node(t, relay), true, e10inner, "tunnelled {0 1} to 2001:db8:a::1", []string{"E10"}},
		{"XCAST-10.1-2/E11", router4.node(t, nil), false, golden(t, "E11a"), "unicast {0} to 192.0.2.2", []string{"E11b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := bytes.Clone(tt.in)
			forward := func(b []byte) (xcast.Result, error) { return tt.node.Forward(1, b) }
			if tt.origin {
				forward = tt.node.Originate
			}
			r, err := forward(in)
			if err != nil {
				t.Fatal(err)
			}
			if got := say(r); got != tt.say {
				t.Fatalf("got  %s\nwant %s", got, tt.say)
			}
			for i, name := range tt.out {
				if got, want := octets(r.Outputs[i]), golden(t, name); !bytes.Equal(got, want) {
					t.Errorf("%s:\n got %x\nwant %x", name, got, want)
				}
			}
			if !bytes.Equal(in, tt.in) {
				t.Error("the packet that came in was changed")
			}
		})
	}
}

// TestGoldenChecksums holds the intermediate values of the worked deltas.
func TestGoldenChecksums(t *testing.T) {
	if got := xcast.UpdateChecksum(0xd03d, unhex("e00000fe"), unhex("cb007105")); got != 0x7536 {
		t.Errorf("E2b: %04x", got)
	}
	if got := xcast.UpdateChecksum(0x746a, unhex("e00000fe0000"), unhex("cb0071201b5a")); got != 0xfded {
		t.Errorf("E4c: %04x", got)
	}
	if got := xcast.UpdateChecksum(0x494a, unhex("e00000fe"), unhex("c6336415")); got != 0 {
		t.Errorf("E11: %04x", got)
	}
}

func unhex(s string) []byte {
	s = strings.ReplaceAll(s, " ", "")
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
