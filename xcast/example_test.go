// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/xcast"
)

// A sender builds one packet for three receivers; a router makes of it what its
// neighbours get.
func Example() {
	datagram := xcast.Datagram{
		Code:   xcast.Experimental(),
		Source: netip.MustParseAddrPort("192.0.2.10:4000"),
		Destinations: []netip.AddrPort{
			netip.MustParseAddrPort("198.51.100.21:5000"),
			netip.MustParseAddrPort("203.0.113.5:5000"),
			netip.MustParseAddrPort("198.51.100.22:5000"),
		},
	}
	template, err := datagram.Template()
	if err != nil {
		fmt.Println(err)
		return
	}
	packet, _ := template.AppendPacket(nil, []byte("hello"), 1)

	router, err := xcast.NewForwarder(xcast.Config{
		Code: xcast.Experimental(),
		Route: func(a netip.Addr) (xcast.Route, bool) {
			if netip.MustParsePrefix("198.51.100.0/24").Contains(a) {
				return xcast.Route{Gateway: netip.MustParseAddr("192.0.2.2"), Capable: true}, true
			}
			return xcast.Route{Gateway: netip.MustParseAddr("192.0.2.3")}, true
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := router.Forward(0, packet)
	for _, out := range result.Outputs {
		fmt.Printf("%v for %v to %v, %d octets\n", out.Kind, out.Destinations, out.NextHop, out.Len())
	}
	fmt.Println(err)
	// Output:
	// xcast for {0 2} to 192.0.2.2, 61 octets
	// unicast for {1} to 192.0.2.3, 33 octets
	// <nil>
}

func ExampleHeader4() {
	h := xcast.Header4{Protocol: 17, List: xcast.List{
		Active:    xcast.FirstN(2),
		Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.21"), netip.MustParseAddr("203.0.113.5")},
	}}
	b, _ := h.MarshalBinary()
	fmt.Printf("% x\n", b)

	var got xcast.Header4
	n, err := got.Decode(b)
	fmt.Println(n, got.Addresses, got.Active, err)
	b[20]++
	_, err = got.Decode(b)
	fmt.Println(err)
	// Output:
	// 10 02 b8 a7 00 00 00 00 11 06 00 00 c0 00 00 00 c6 33 64 15 cb 00 71 05
	// 24 [198.51.100.21 203.0.113.5] {0 1} <nil>
	// xcast: checksum: CHECKSUM at 2 is 47271
}

func ExamplePartition() {
	nextHop := []string{"left", "right", "left", ""}
	branches, lost := xcast.Partition(nil, xcast.FirstN(4), func(i int) (string, bool) {
		return nextHop[i], nextHop[i] != ""
	})
	fmt.Println(branches, lost)
	// Output:
	// [{left {0 2}} {right {1}}] {3}
}

func ExampleSplitDSCP() {
	const ef, af41, def = 46, 34, 0
	codepoints := []xcast.DSCP{ef, def, af41, ef}
	parts := xcast.SplitDSCP(nil, xcast.FirstN(4), func(i int) xcast.DSCP { return codepoints[i] }, xcast.CompareDSCP)
	fmt.Println(parts)
	// Output:
	// [{0 1 3} {2}]
}

// A view is edited in place; the checksums follow.
func ExamplePacket() {
	d := xcast.Datagram{
		Code:         xcast.Experimental(),
		Source:       netip.MustParseAddrPort("[2001:db8::10]:4000"),
		Destinations: []netip.AddrPort{netip.MustParseAddrPort("[2001:db8:b::21]:1"), netip.MustParseAddrPort("[2001:db8:c::22]:2")},
	}
	t, _ := d.Template()
	b, _ := t.AppendPacket(nil, []byte("hello"), 0)

	code := xcast.Experimental()
	var p xcast.Packet
	fmt.Println(p.Decode(b, &code), p.Active())
	p.SetActive(xcast.Bit(1))
	fmt.Println(p.Decode(b, &code), p.Active(), p.Address(1))

	unicast, _ := xcast.X2U(nil, &p, 1, p.TTL()-1)
	ip, _ := xcast.ParseIPv6(unicast)
	fmt.Println(ip.Destination(), ip.HopLimit(), len(ip.Payload()))
	// Output:
	// <nil> {0 1}
	// <nil> {1} 2001:db8:c::22
	// 2001:db8:c::22 63 13
}

// A router with a tunnel to an Xcast peer behind routers that know nothing of
// Xcast (RFC 5058 figure 10).
func ExampleForwarder() {
	router, err := xcast.NewForwarder(xcast.Config{
		Code:  xcast.Experimental(),
		Local: func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.1") },
		Route: func(netip.Addr) (xcast.Route, bool) {
			return xcast.Route{Gateway: netip.MustParseAddr("192.0.2.254")}, true
		},
		Peer: func(a netip.Addr) (xcast.Tunnel, bool) {
			return xcast.Tunnel{Local: netip.MustParseAddr("192.0.2.1"), Remote: netip.MustParseAddr("198.51.100.3")},
				netip.MustParsePrefix("198.51.100.0/24").Contains(a)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	d := xcast.Datagram{Code: xcast.Experimental(), Source: netip.MustParseAddrPort("192.0.2.10:4000")}
	for _, to := range []string{"198.51.100.21:5000", "203.0.113.5:5000", "198.51.100.22:5000", "192.0.2.1:5000"} {
		d.Destinations = append(d.Destinations, netip.MustParseAddrPort(to))
	}
	template, _ := d.Template()
	packet, _ := template.AppendPacket(nil, []byte("hello"), 1)
	result, _ := router.Forward(1, packet)
	for _, out := range result.Outputs {
		whole, _ := out.AppendBinary(nil)
		ip, _ := xcast.ParseIPv4(whole)
		fmt.Println(out.Kind, out.Destinations, "from", ip.Source(), "to", ip.Destination(), "protocol", ip.Protocol())
	}
	// Output:
	// tunnelled {0 2} from 192.0.2.1 to 198.51.100.3 protocol 4
	// unicast {1} from 192.0.2.10 to 203.0.113.5 protocol 17
	// deliver {3} from 192.0.2.10 to 192.0.2.1 protocol 17
}

// More destinations than fit a packet go in several.
func ExampleDatagram_Split() {
	d := xcast.Datagram{Code: xcast.Experimental(), Source: netip.MustParseAddrPort("192.0.2.10:4000")}
	for i := range 300 {
		d.Destinations = append(d.Destinations, netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), 5000))
	}
	const payload, mtu = 1000, 1500
	for part := range d.Split(payload, mtu) {
		template, err := part.Template()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(len(part.Destinations), "destinations,", template.Size(payload), "octets")
	}
	// Output:
	// 111 destinations, 1500 octets
	// 111 destinations, 1500 octets
	// 78 destinations, 1364 octets
}

// A prober is driven from outside, here by a clock that jumps.
func ExampleProber() {
	prober, err := xcast.NewProber(xcast.ProberConfig{Rand: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	_ = prober.Add(now, xcast.Neighbour{Interface: 1, Addr: netip.MustParseAddr("192.0.2.2")})
	for effect := range prober.Effects() {
		switch e := effect.(type) {
		case xcast.Ping:
			packet, _ := xcast.AppendPing(nil, xcast.Experimental(), netip.MustParseAddrPort("192.0.2.1:7"), e.Nonce)
			fmt.Println("ping", e.Neighbour.Addr, "with", len(packet), "octets")
			prober.Receive(now.Add(time.Millisecond), e.Nonce[:]) // as if it came back
		case xcast.CapabilityChange:
			fmt.Println(e.Neighbour.Addr, "capable:", e.Capable)
		}
	}
	// Output:
	// ping 192.0.2.2 with 64 octets
	// 192.0.2.2 capable: true
}
