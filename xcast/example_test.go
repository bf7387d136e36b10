// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"fmt"
	"net/netip"

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
