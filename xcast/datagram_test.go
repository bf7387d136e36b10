// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/xcast"
)

// datagram is to n destinations of a family.
func datagram(f xcast.Family, n int) xcast.Datagram {
	d := xcast.Datagram{Code: xcast.Experimental(), Source: netip.MustParseAddrPort("192.0.2.10:4000")}
	if f == xcast.Xcast6 {
		d.Source = netip.MustParseAddrPort("[2001:db8:a::10]:4000")
	}
	for i := range n {
		a := netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i + 1)})
		if f == xcast.Xcast6 {
			a = netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 14: byte(i >> 8), 15: byte(i + 1)})
		}
		d.Destinations = append(d.Destinations, netip.AddrPortFrom(a, 5000))
	}
	return d
}

func packetOf(t testing.TB, d *xcast.Datagram, payload string) []byte {
	t.Helper()
	tpl, err := d.Template()
	if err != nil {
		t.Fatal(err)
	}
	b, err := tpl.AppendPacket(nil, []byte(payload), 0x1234)
	if err != nil {
		t.Fatal(err)
	}
	if tpl.Size(len(payload)) != len(b) {
		t.Errorf("Size %d of %d octets", tpl.Size(len(payload)), len(b))
	}
	return b
}

// TestDatagramGolden builds the worked packets that a sender makes: E1 and E6.
// XCAST-9.1-2: the checksum is that of the packet's own destination.
func TestDatagramGolden(t *testing.T) {
	e1 := xcast.Datagram{Code: xcast.Experimental(), Source: netip.MustParseAddrPort("192.0.2.10:4000"), TTL: 16,
		Channel: [16]byte{12: 0xc0, 13: 0xff, 14: 0xee, 15: 0x01}}
	for _, a := range []string{"198.51.100.21:5000", "203.0.113.5:5000", "198.51.100.22:5000"} {
		e1.Destinations = append(e1.Destinations, netip.MustParseAddrPort(a))
	}
	if got, want := packetOf(t, &e1, "Hi!"), golden(t, "E1"); !bytes.Equal(got, want) {
		t.Errorf("XCAST-9.1-2: E1\n got %x\nwant %x", got, want)
	}
	e6 := xcast.Datagram{Code: xcast.Experimental(), Source: netip.MustParseAddrPort("[2001:db8:a::10]:4000"), TTL: 16, FlowLabel: 0xbeef,
		Channel: [16]byte(unhex("00112233445566778899aabbccddeeff"))}
	for _, a := range []string{"[2001:db8:b::21]:5000", "[2001:db8:c::22]:5000"} {
		e6.Destinations = append(e6.Destinations, netip.MustParseAddrPort(a))
	}
	if got, want := packetOf(t, &e6, "v6"), golden(t, "E6"); !bytes.Equal(got, want) {
		t.Errorf("XCAST-9.1-2: E6\n got %x\nwant %x", got, want)
	}
}

// TestDatagramFields: XCAST-8.1-1 (ports), XCAST-12-2 (disabled members),
// XCAST-9.2-1 (DF), XCAST-11.5-1 (special address), XCAST-8.2-1 (DSCP).
func TestDatagramFields(t *testing.T) {
	for _, f := range []xcast.Family{xcast.Xcast4, xcast.Xcast6} {
		d := datagram(f, 5)
		d.Destinations[3] = netip.AddrPortFrom(d.Destinations[3].Addr(), 5003)
		d.Disabled = xcast.Bit(1)
		d.DSCPs = []xcast.DSCP{0, 63, 46, 0, 1}
		d.DSField, d.Anonymous, d.StayXcast = 0xff, true, true
		b := packetOf(t, &d, "payload")
		p := view(t, b)
		_, segment := p.Transport()
		if port, ok := p.Port(3); !ok || port != 5003 || segment[2] != 0 || segment[3] != 0 {
			t.Errorf("XCAST-8.1-1: %v: port %d, in UDP % x", f, port, segment[2:4])
		}
		if p.Len() != 5 || p.Active() != xcast.FirstN(5).Minus(xcast.Bit(1)) || !p.Address(1).IsUnspecified() {
			t.Errorf("XCAST-12-2: %v: bitmap %v, address %v", f, p.Active(), p.Address(1))
		}
		if p.DSField() != 46<<2|3 {
			t.Errorf("XCAST-8.2-1: %v: DS %02x", f, p.DSField())
		}
		if !p.StayXcast() || !p.Anonymous() || p.TTL() != 64 {
			t.Errorf("%v: %+v", f, p)
		}
		if f == xcast.Xcast4 && !xcast.IPv4(b).DontFragment() {
			t.Error("XCAST-9.2-1: DF is clear")
		}
		want := slices.Clone(segment)
		want[6], want[7] = 0, 0
		c := xcast.TransportChecksum(17, p.Source().AsSlice(), p.Destination().AsSlice(), want)
		want[6], want[7] = byte(c>>8), byte(c)
		if d := cmp.Diff(want, segment); d != "" {
			t.Error(d)
		}
	}
	d := datagram(xcast.Xcast4, 2)
	d.To = addr("192.0.2.200")
	if got := xcast.IPv4(packetOf(t, &d, "")).Destination(); got != d.To {
		t.Errorf("XCAST-11.5-1: to %v", got)
	}
	p := view(t, packetOf(t, &[]xcast.Datagram{datagram(xcast.Xcast4, 2)}[0], ""))
	if _, ok := p.Port(0); ok {
		t.Error("XCAST-8.1-1: equal ports need no list")
	}
}

// TestDatagramErrors refuses what no router would take.
func TestDatagramErrors(t *testing.T) {
	tests := []struct {
		name   string
		change func(*xcast.Datagram)
		want   xcast.Reason
	}{
		{"XCAST-15-1/no code points", func(d *xcast.Datagram) { d.Code = xcast.CodePoints{} }, xcast.ErrCodePoints},
		{"XCAST-9.2.2-6/none", func(d *xcast.Datagram) { d.Destinations = nil }, xcast.ErrNoDestinations},
		{"XCAST-9.2.2-6/128", func(d *xcast.Datagram) { *d = datagram(xcast.Xcast4, 128) }, xcast.ErrTooManyDestinations},
		{"XCAST-9.3.2.1-2/126", func(d *xcast.Datagram) { *d = datagram(xcast.Xcast6, 126) }, xcast.ErrTooManyDestinations},
		{"XCAST-9.2.2-12/all disabled", func(d *xcast.Datagram) { d.Disabled = xcast.FirstN(2) }, xcast.ErrEmptyBitmap},
		{"XCAST-2-9/multicast", func(d *xcast.Datagram) { d.Destinations[1] = netip.MustParseAddrPort("224.0.0.1:1") }, xcast.ErrBadDestination},
		{"XCAST-2-9/zero", func(d *xcast.Datagram) { d.Destinations[1] = netip.AddrPort{} }, xcast.ErrBadDestination},
		{"other family", func(d *xcast.Datagram) { d.Destinations[1] = netip.MustParseAddrPort("[2001:db8::1]:1") }, xcast.ErrAddress},
		{"source", func(d *xcast.Datagram) { d.Source = netip.MustParseAddrPort("127.0.0.1:1") }, xcast.ErrBadSource},
		{"XCAST-8.2-2/incomparable", func(d *xcast.Datagram) { d.DSCPs = []xcast.DSCP{46, 10} }, xcast.ErrDSCP},
		{"DSCPs", func(d *xcast.Datagram) { d.DSCPs = []xcast.DSCP{46} }, xcast.ErrListLength},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := datagram(xcast.Xcast4, 2)
			tt.change(&d)
			_, err := d.Template()
			e, ok := err.(*xcast.Error)
			if !ok || e.Err != tt.want {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
	d := datagram(xcast.Xcast4, 2)
	tpl, err := d.Template()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := tpl.AppendPacket([]byte("x"), make([]byte, 65535), 0); err == nil || string(b) != "x" {
		t.Error("a packet of more than 65535 octets")
	}
	if _, err := tpl.AppendPacket(nil, make([]byte, 65535-20-24-8), 0); err != nil {
		t.Error(err)
	}
}

// TestSplit: XCAST-12-1, XCAST-8.2-2, XCAST-12-2.
func TestSplit(t *testing.T) {
	for _, c := range []struct {
		name string
		f    xcast.Family
		n    int
		mtu  int
		want []int // destinations of each packet
	}{
		{"one", xcast.Xcast4, 5, 0, []int{5}}, {"127", xcast.Xcast4, 300, 0, []int{127, 127, 46}}, {"125", xcast.Xcast6, 251, 0, []int{125, 125, 1}},
		{"mtu", xcast.Xcast4, 20, 20 + 12 + 4 + 4*8 + 8 + 4, []int{8, 8, 4}}, {"mtu one less", xcast.Xcast4, 20, 20 + 12 + 4 + 4*8 + 8 + 3, []int{7, 7, 6}},
		{"mtu 6", xcast.Xcast6, 9, 40 + 24 + 8 + 16*4 + 8 + 4, []int{4, 4, 1}},
	} {
		t.Run("XCAST-12-1/"+c.name, func(t *testing.T) {
			d := datagram(c.f, c.n)
			d.Channel[15] = 9
			var got []int
			var all []netip.AddrPort
			for part := range d.Split(4, c.mtu) {
				b := packetOf(t, &part, "four")
				if c.mtu > 0 && len(b) > c.mtu {
					t.Errorf("%d octets, MTU %d", len(b), c.mtu)
				}
				got, all = append(got, len(part.Destinations)), append(all, part.Destinations...)
				if ch := view(t, b).Channel(); ch[len(ch)-1] != 9 {
					t.Error("another channel")
				}
			}
			if !slices.Equal(got, c.want) || !slices.Equal(all, d.Destinations) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
	t.Run("XCAST-8.2-2/source", func(t *testing.T) {
		d := datagram(xcast.Xcast4, 4)
		d.DSCPs, d.Disabled = []xcast.DSCP{46, 10, 46, 0}, xcast.Bit(2)
		var got []xcast.Bitmap
		for part := range d.Split(0, 0) {
			got = append(got, view(t, packetOf(t, &part, "")).Active())
		}
		if want := []xcast.Bitmap{xcast.Bit(0).Or(xcast.Bit(3)), xcast.Bit(1)}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
	t.Run("XCAST-12-2/disabled across packets", func(t *testing.T) {
		d := datagram(xcast.Xcast4, 20)
		d.Disabled = xcast.FirstN(8).Or(xcast.Bit(9))
		var got []string
		for part := range d.Split(4, 20+12+4+4*8+8+4) {
			got = append(got, view(t, packetOf(t, &part, "four")).Active().String())
		}
		if want := []string{"{0 2 3 4 5 6 7}", "{0 1 2 3}"}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
	t.Run("XCAST-12-1/nothing fits", func(t *testing.T) {
		d, parts := datagram(xcast.Xcast4, 3), 0
		for part := range d.Split(100, 60) {
			parts++
			_, err := part.Template()
			wantReason(t, err, xcast.ErrNoDestinations, 0)
		}
		if parts != 1 {
			t.Errorf("%d parts", parts)
		}
	})
}

// TestCapacity: XCAST-9.2-4.
func TestCapacity(t *testing.T) {
	for _, f := range []xcast.Family{xcast.Xcast4, xcast.Xcast6} {
		for _, lists := range [][2]bool{{}, {true, false}, {false, true}, {true, true}} {
			most := xcast.MaxDestinations(f, lists[0])
			for octets := range 2600 {
				n := xcast.Capacity(f, lists[0], lists[1], octets)
				if n > 0 && xcast.Overhead(f, n, lists[0], lists[1]) > octets || n < most && xcast.Overhead(f, n+1, lists[0], lists[1]) <= octets {
					t.Fatalf("XCAST-9.2-4: %v %v: %d destinations in %d octets", f, lists, n, octets)
				}
			}
		}
	}
}

// TestTunnelOverhead compares with what tunnels really add: XCAST-9.2-4.
func TestTunnelOverhead(t *testing.T) {
	host := func(c *xcast.Config) {
		c.Relay = &xcast.Relay{Local4: tunnelLocal4, Local6: tunnelLocal6}
	}
	permeable := func(c *xcast.Config) {
		host(c)
		c.Relay.SemiPermeable = true
	}
	for _, f := range []xcast.Family{xcast.Xcast4, xcast.Xcast6} {
		for name, change := range map[bool]func(*xcast.Config){false: host, true: permeable} {
			d := datagram(f, 3)
			b := packetOf(t, &d, "x")
			r, err := (&table{routes: []string{"0.0.0.0/0 via 192.0.2.2", "::/0 via fe80::1"}}).node(t, change).Originate(b)
			if err != nil || len(r.Outputs) != 1 {
				t.Fatal(say(r), err)
			}
			if got := xcast.TunnelOverhead(f, name); r.Outputs[0].Len()-len(b) != got {
				t.Errorf("XCAST-9.2-4: %v, %v: %d, really %d", f, name, got, r.Outputs[0].Len()-len(b))
			}
		}
	}
}
