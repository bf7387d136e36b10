// SPDX-License-Identifier: BSD-3-Clause

package xcasttest_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
	"github.com/mcastalloc/malloc/xcast/xcasttest"
	"pgregory.net/rapid"
)

func Example() {
	network, nodes, err := xcasttest.Figure1(xcast.Experimental(), "R7") // R7 knows nothing of Xcast
	if err != nil {
		fmt.Println(err)
		return
	}
	d := xcast.Datagram{Code: network.Code, Source: netip.AddrPortFrom(nodes["A"].Addr4, 4000)}
	for _, name := range []string{"B", "C", "D"} {
		d.Destinations = append(d.Destinations, netip.AddrPortFrom(nodes[name].Addr4, 5000))
	}
	template, _ := d.Template()
	packet, _ := template.AppendPacket(nil, []byte("hello"), 1)
	nodes["A"].Send(packet)
	fmt.Println(network.Run())
	for _, l := range network.Links()[:8] {
		fmt.Println(l.A.Name, l.B.Name, l.Packets)
	}
	fmt.Println(len(nodes["C"].Received))
	// Output:
	// <nil>
	// A R1 1
	// R1 R2 1
	// R2 R3 1
	// R3 R4 1
	// R4 B 1
	// R3 R5 1
	// R5 R6 1
	// R6 R7 2
	// 1
}

// TestPlainRouters drop Xcast and count it, and Run ends when routes go round.
func TestPlainRouters(t *testing.T) {
	n := xcasttest.NewNetwork(xcast.Experimental())
	a := n.AddNode("a", netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1"))
	b := n.AddNode("b", netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("2001:db8::2"))
	c := n.AddNode("c", netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("2001:db8::3"))
	n.Connect(a, b)
	n.Connect(b, c)
	n.Route()
	d := xcast.Datagram{Code: n.Code, Source: netip.AddrPortFrom(a.Addr4, 1), Destinations: []netip.AddrPort{netip.AddrPortFrom(c.Addr4, 1)}}
	template, err := d.Template()
	if err != nil {
		t.Fatal(err)
	}
	packet, err := template.AppendPacket(nil, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	a.Send(packet)
	if err := n.Run(); err != nil || b.Lost[xcast.ErrNotXcast] != 1 || len(c.Received) != 0 {
		t.Errorf("%v, lost %v", err, b.Lost)
	}
	if path := a.Path(c.Addr6); len(path) != 3 || path[2] != c {
		t.Errorf("path %v", path)
	}
	n.MaxSteps = 1
	if err := b.RunXcast(nil); err != nil {
		t.Fatal(err)
	}
	a.Send(packet)
	if err := n.Run(); err == nil {
		t.Error("Run did not end")
	}
}

// TestPacketGenerator: what is drawn is always a packet.
func TestPacketGenerator(t *testing.T) {
	code := xcast.Experimental()
	rapid.Check(t, func(t *rapid.T) {
		var p xcast.Packet
		if err := p.Decode(xcasttest.Packet(code).Draw(t, "packet"), &code); err != nil {
			t.Fatal(err)
		}
	})
}
