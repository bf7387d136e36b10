// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
	"github.com/mcastalloc/malloc/xcast/xcasttest"
	"pgregory.net/rapid"
)

// TestFigure1 sends from A to B, C and D in the network of RFC 5058 figure 1
// and counts the copies on every link, with Xcast and with unicast, and what
// the worked example of section 2 says travels there. XCAST-2-1, XCAST-12-3.
func TestFigure1(t *testing.T) {
	n, nodes, err := xcasttest.Figure1(xcast.Experimental())
	if err != nil {
		t.Fatal(err)
	}
	kind := map[string]string{}
	for _, l := range n.Links() {
		l.Trace = func(from *xcasttest.Node, packet []byte) {
			name := l.A.Name + "-" + l.B.Name
			var p xcast.Packet
			code := xcast.Experimental()
			if p.Decode(packet, &code) == nil {
				kind[name] += "<" + fmt.Sprint(p.Active().Len()) + ">"
			} else {
				kind[name] += "unicast"
			}
		}
	}
	d := xcast.Datagram{Code: xcast.Experimental(), Source: netip.AddrPortFrom(nodes["A"].Addr4, 4000)}
	for _, name := range []string{"B", "C", "D"} {
		d.Destinations = append(d.Destinations, netip.AddrPortFrom(nodes[name].Addr4, 5000))
	}
	tpl, err := d.Template()
	if err != nil {
		t.Fatal(err)
	}
	packet, err := tpl.AppendPacket(nil, []byte("hello"), 1)
	if err != nil {
		t.Fatal(err)
	}
	nodes["A"].Send(packet)
	if err := n.Run(); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"A-R1": "<3>", "R1-R2": "<3>", "R2-R3": "<3>", "R3-R4": "unicast", "R4-B": "unicast", "R3-R5": "<2>",
		"R5-R6": "<2>", "R6-R7": "<2>", "R7-R8": "unicast", "R8-C": "unicast", "R7-R9": "unicast", "R9-D": "unicast",
	}
	for link, w := range want {
		if kind[link] != w {
			t.Errorf("XCAST-2-1: %s carried %q, want %q", link, kind[link], w)
		}
	}
	for _, name := range []string{"B", "C", "D"} {
		if len(nodes[name].Received) != 1 {
			t.Fatalf("%s received %d", name, len(nodes[name].Received))
		}
		checkDatagram(t, nodes[name].Received[0], "hello")
	}
}

// checkDatagram holds an ordinary host against a packet: IP and UDP in order,
// nothing of Xcast. XCAST-12-3.
func checkDatagram(t rapid.TB, b []byte, payload string) {
	t.Helper()
	var source, destination netip.Addr
	var segment []byte
	var proto uint8
	if b[0]>>4 == 4 {
		ip, err := xcast.ParseIPv4(b)
		if err != nil {
			t.Fatal(err)
		}
		source, destination, segment, proto = ip.Source(), ip.Destination(), ip.Payload(), ip.Protocol()
	} else {
		ip, err := xcast.ParseIPv6(b)
		if err != nil {
			t.Fatal(err)
		}
		source, destination, segment, proto = ip.Source(), ip.Destination(), ip.Payload(), ip.NextHeader()
	}
	if proto != 17 || string(segment[8:]) != payload {
		t.Fatalf("XCAST-12-3: protocol %d, %q", proto, segment)
	}
	pseudo := slices.Concat(source.AsSlice(), destination.AsSlice(), []byte{0, 17, byte(len(segment) >> 8), byte(len(segment))})
	if c := xcast.Checksum(append(pseudo, segment...)); c != 0 {
		t.Fatalf("XCAST-12-3: UDP checksum is off by %04x", c)
	}
}

// TestNetworks sends through random networks: trees with extra links, any mix
// of Xcast routers, ordinary routers, policies and tunnels, X = 0. Every
// destination receives the payload exactly once, no link carries more copies
// than with unicast, and a receiver gets plain UDP.
// MALLOC_SEEDS sets how many networks are tried.
func TestNetworks(t *testing.T) {
	seeds := 2000
	if s := os.Getenv("MALLOC_SEEDS"); s != "" {
		seeds, _ = strconv.Atoi(s)
	}
	for seed := range seeds {
		func() {
			defer func() {
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			}()
			randomNetwork(t, rand.New(rand.NewPCG(uint64(seed), 5058)))
		}()
	}
}

func randomNetwork(t *testing.T, r *rand.Rand) {
	t.Helper()
	between := func(from, to int) int { return from + r.IntN(to-from+1) }
	maybe := func() bool { return r.IntN(2) == 0 }
	code := xcast.Experimental()
	n := xcasttest.NewNetwork(code)
	count := between(3, 24)
	var nodes []*xcasttest.Node
	for i := range count {
		nd := n.AddNode(strconv.Itoa(i), netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 2: 0xd, 3: 0xb8, 15: byte(i + 1)}))
		if i > 0 {
			n.Connect(nodes[between(0, i-1)], nd)
		}
		nodes = append(nodes, nd)
	}
	for range between(0, 4) {
		a, b := between(0, count-1), between(0, count-1)
		if a != b {
			n.Connect(nodes[a], nodes[b])
		}
	}
	n.Route()
	speak := []bool{true} // the sender, node 0
	for range nodes[1:] {
		speak = append(speak, maybe())
	}
	tunnels := maybe()
	for i, nd := range nodes {
		if !speak[i] {
			continue
		}
		policy := []xcast.Policy{xcast.X2USingle, xcast.X2UNever, xcast.X2UAlways}[r.IntN(3)]
		if err := nd.RunXcast(func(c *xcast.Config) {
			c.Policy = policy
			if tunnels {
				c.Peer = func(a netip.Addr) (xcast.Tunnel, bool) { return peerOnPath(nd, nodes, speak, a) }
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	v6 := maybe()
	at := func(nd *xcasttest.Node) netip.Addr {
		if v6 {
			return nd.Addr6
		}
		return nd.Addr4
	}
	d := xcast.Datagram{Code: code, Source: netip.AddrPortFrom(at(nodes[0]), 4000)}
	lists := maybe()
	for i := 1; i < count; i++ {
		if maybe() {
			d.Destinations = append(d.Destinations, netip.AddrPortFrom(at(nodes[i]), uint16(5000+i%between(1, 2))))
			if lists {
				d.DSCPs = append(d.DSCPs, []xcast.DSCP{0, 10, 46}[r.IntN(3)])
			}
		}
	}
	unicast := map[*xcasttest.Link]int{}
	for part := range d.Split(5, 0) {
		if len(part.Destinations) == 0 {
			continue
		}
		tpl, err := part.Template()
		if err != nil {
			t.Fatal(err)
		}
		packet, _ := tpl.AppendPacket(nil, []byte("hello"), 1)
		if err := nodes[0].Originate(packet); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Run(); err != nil {
		t.Fatal(err)
	}
	for _, to := range d.Destinations {
		path := nodes[0].Path(to.Addr())
		for i, nd := range path[1:] {
			for _, l := range n.Links() {
				if l.A == nd && l.B == path[i] || l.B == nd && l.A == path[i] {
					unicast[l]++
					break
				}
			}
		}
		got := path[len(path)-1].Received
		if len(got) != 1 {
			t.Fatalf("%v received %d packets, lost %v", to, len(got), lost(n))
		}
		checkDatagram(t, got[0], "hello")
		segment := got[0][len(got[0])-13:]
		if port := uint16(segment[2])<<8 | uint16(segment[3]); port != to.Port() {
			t.Fatalf("%v received on port %d", to, port)
		}
	}
	total := 0
	for _, nd := range n.Nodes() {
		total += len(nd.Received)
	}
	if total != len(d.Destinations) {
		t.Fatalf("%d packets for %d destinations", total, len(d.Destinations))
	}
	for _, l := range n.Links() {
		if l.Packets > unicast[l] && !parallel(n, l) {
			t.Fatalf("link %s-%s carried %d copies, unicast would %d", l.A.Name, l.B.Name, l.Packets, unicast[l])
		}
	}
}

// parallel reports a second link between the same nodes, whose copies are
// counted for the first.
func parallel(n *xcasttest.Network, l *xcasttest.Link) bool {
	return slices.ContainsFunc(n.Links(), func(o *xcasttest.Link) bool {
		return o != l && (o.A == l.A && o.B == l.B || o.A == l.B && o.B == l.A)
	})
}

func lost(n *xcasttest.Network) string {
	var b strings.Builder
	for _, nd := range n.Nodes() {
		for reason, count := range nd.Lost {
			fmt.Fprintf(&b, "%s: %d %v; ", nd.Name, count, reason)
		}
	}
	return b.String()
}

// peerOnPath returns the next Xcast node on the way to a destination, when
// there are ordinary routers between.
func peerOnPath(nd *xcasttest.Node, nodes []*xcasttest.Node, speak []bool, a netip.Addr) (xcast.Tunnel, bool) {
	path := nd.Path(a)
	for i, hop := range path {
		if i == 0 || !speak[slices.Index(nodes, hop)] {
			continue
		}
		t := xcast.Tunnel{Local: nd.Addr4, Remote: hop.Addr4}
		if a.Is6() {
			t = xcast.Tunnel{Local: nd.Addr6, Remote: hop.Addr6}
		}
		return t, i > 1
	}
	return xcast.Tunnel{}, false
}

// TestHostsOnly relays from host to host through a network that knows nothing
// of Xcast (RFC 5058 section 11.4), and in the semi-permeable case with some
// Xcast routers on the way. XCAST-11.4-2, XCAST-11.3-2.
func TestHostsOnly(t *testing.T) {
	for _, xcastRouters := range [][]string{nil, {"R3"}, {"R1", "R7"}} {
		for _, permeable := range []bool{false, true} {
			for _, v6 := range []bool{false, true} {
				var plain []string
				for i := 1; i <= 9; i++ {
					if name := fmt.Sprintf("R%d", i); !permeable || !v6 || !slices.Contains(xcastRouters, name) {
						plain = append(plain, name)
					}
				}
				n, nodes, err := xcasttest.Figure1(xcast.Experimental(), plain...)
				if err != nil {
					t.Fatal(err)
				}
				at := func(name string) netip.Addr {
					if v6 {
						return nodes[name].Addr6
					}
					return nodes[name].Addr4
				}
				for _, name := range []string{"A", "B", "C", "D"} {
					if err := nodes[name].RunXcast(func(c *xcast.Config) {
						c.Relay = &xcast.Relay{Local4: nodes[name].Addr4, Local6: nodes[name].Addr6, SemiPermeable: permeable}
					}); err != nil {
						t.Fatal(err)
					}
				}
				d := xcast.Datagram{Code: n.Code, Source: netip.AddrPortFrom(at("A"), 4000), Destinations: []netip.AddrPort{
					netip.AddrPortFrom(at("B"), 1), netip.AddrPortFrom(at("C"), 2), netip.AddrPortFrom(at("D"), 3)}}
				tpl, err := d.Template()
				if err != nil {
					t.Fatal(err)
				}
				packet, _ := tpl.AppendPacket(nil, []byte("relayed"), 1)
				if err := nodes["A"].Originate(packet); err != nil {
					t.Fatal(err)
				}
				if err := n.Run(); err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{"B", "C", "D"} {
					if len(nodes[name].Received) != 1 {
						t.Fatalf("XCAST-11.4-2: permeable=%v v6=%v routers %v: %s received %d; lost %s", permeable, v6, xcastRouters, name, len(nodes[name].Received), lost(n))
					}
					checkDatagram(t, nodes[name].Received[0], "relayed")
				}
			}
		}
	}
}

// TestPingInNetwork pings a neighbour that speaks Xcast, with either policy,
// and one that does not: XCAST-11.2-2.
func TestPingInNetwork(t *testing.T) {
	for _, c := range []struct {
		policy xcast.Policy
		speaks bool
	}{{xcast.X2USingle, true}, {xcast.X2UNever, true}, {xcast.X2USingle, false}} {
		n := xcasttest.NewNetwork(xcast.Experimental())
		own, other := n.AddNode("own", addr("10.0.0.1"), addr("2001:db8::1")), n.AddNode("other", addr("10.0.0.2"), addr("2001:db8::2"))
		n.Connect(own, other)
		n.Route()
		if err := own.RunXcast(nil); err != nil {
			t.Fatal(err)
		}
		if c.speaks {
			if err := other.RunXcast(func(cfg *xcast.Config) { cfg.Policy = c.policy }); err != nil {
				t.Fatal(err)
			}
		}
		nonce := xcast.Nonce([]byte("0123456789abcdef"))
		for _, a := range []netip.Addr{own.Addr4, own.Addr6} {
			own.Received = nil
			ping, err := xcast.AppendPing(nil, n.Code, netip.AddrPortFrom(a, 7), nonce)
			if err != nil {
				t.Fatal(err)
			}
			own.Send(ping) // a multicast destination: put on the link as it is
			if err := n.Run(); err != nil {
				t.Fatal(err)
			}
			if got := len(own.Received) == 1; got != c.speaks {
				t.Fatalf("XCAST-11.2-2: %+v: answered %v", c, got)
			}
			if c.speaks && !bytes.HasSuffix(own.Received[0], nonce[:]) {
				t.Errorf("XCAST-11.2-2: answer %x", own.Received[0])
			}
		}
	}
}
