// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
)

var benchSizes = []int{2, 8, 32, 125}

// benchPacket is a packet to n destinations spread over ways next hops, with a
// payload of 200 octets.
func benchPacket(t testing.TB, f xcast.Family, n, ways int) []byte {
	var to []string
	for i := range n {
		if f == xcast.Xcast4 {
			to = append(to, fmt.Sprintf("10.%d.0.%d", i%ways, i+1))
		} else {
			to = append(to, fmt.Sprintf("2001:db8:%d::%d", i%ways, i+1))
		}
	}
	s := spec{to: strings.Join(to, " "), source: "10.99.0.1", proto: 17}
	all := xcast.Experimental().AllRouters4
	if f == xcast.Xcast6 {
		s.source, all = "2001:db8:99::1", xcast.Experimental().AllRouters6
	}
	s.segment = udp(addr(s.source), all, 4000, 5000, strings.Repeat("x", 200))
	return s.build(t)
}

// benchNode routes by the second octet (second group) with as little work as
// possible, so that lookups do not hide what forwarding costs.
func benchNode(t testing.TB, change func(*xcast.Config)) *xcast.Forwarder {
	var routes [256]xcast.Route
	for i := range routes {
		routes[i] = xcast.Route{Gateway: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), Interface: int32(i), Capable: true, MTU: 9000}
	}
	c := xcast.Config{
		Code:  xcast.Experimental(),
		Local: func(netip.Addr) bool { return false },
		Route: func(a netip.Addr) (xcast.Route, bool) {
			if a.Is4() {
				return routes[a.As4()[1]], true
			}
			return routes[a.As16()[5]], true
		},
	}
	if change != nil {
		change(&c)
	}
	f, err := xcast.NewForwarder(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func eachSize(b *testing.B, run func(b *testing.B, f xcast.Family, n int)) {
	for _, f := range []xcast.Family{xcast.Xcast4, xcast.Xcast6} {
		for _, n := range benchSizes {
			b.Run(fmt.Sprintf("%v/n=%d", f, n), func(b *testing.B) {
				b.ReportAllocs()
				run(b, f, n)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/destination")
			})
		}
	}
}

// BenchmarkValidate makes a view of a packet: IP header and Xcast header
// checked, checksum included. BenchmarkCopyHeader is what to compare it with:
// 3 times of it is the aim, which the shortest lists miss, as copying them is
// little more than a call.
func BenchmarkValidate(b *testing.B) {
	eachSize(b, func(b *testing.B, f xcast.Family, n int) {
		packet, code := benchPacket(b, f, n, 4), xcast.Experimental()
		var p xcast.Packet
		for b.Loop() {
			if err := p.Decode(packet, &code); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCopyHeader(b *testing.B) {
	eachSize(b, func(b *testing.B, f xcast.Family, n int) {
		packet := benchPacket(b, f, n, 4)
		to := make([]byte, len(packet)-208)
		for b.Loop() {
			copy(to, packet)
		}
	})
}

// BenchmarkDecode reads the header into a reused value.
func BenchmarkDecode(b *testing.B) {
	eachSize(b, func(b *testing.B, f xcast.Family, n int) {
		packet := benchPacket(b, f, n, 4)
		var h4 xcast.Header4
		h6 := xcast.Header6{Code: xcast.Experimental()}
		for b.Loop() {
			if f == xcast.Xcast4 {
				_, _ = h4.Decode(packet[20:])
			} else {
				_, _ = h6.Decode(packet[40:])
			}
		}
	})
}

// BenchmarkForward sends one packet on to 4 next hops (2 for n = 2).
func BenchmarkForward(b *testing.B) {
	eachSize(b, func(b *testing.B, f xcast.Family, n int) {
		packet, node := benchPacket(b, f, n, min(4, n/2)), benchNode(b, nil)
		for b.Loop() {
			if r, err := node.Forward(0, packet); err != nil || len(r.Outputs) != min(4, n/2) {
				b.Fatal(r, err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
	})
}

// BenchmarkX2U turns one packet into n unicast packets.
func BenchmarkX2U(b *testing.B) {
	eachSize(b, func(b *testing.B, f xcast.Family, n int) {
		packet := benchPacket(b, f, n, 4)
		node := benchNode(b, func(c *xcast.Config) { c.Policy = xcast.X2UAlways })
		for b.Loop() {
			if r, err := node.Forward(0, packet); err != nil || len(r.Outputs) != n {
				b.Fatal(r, err)
			}
		}
	})
}

// BenchmarkTemplate prepares a datagram; BenchmarkAppendPacket makes a packet
// with 200 octets of it, which is all that a second payload costs.
func BenchmarkTemplate(b *testing.B) {
	eachSize(b, func(b *testing.B, f xcast.Family, n int) {
		d := datagram(f, n)
		for b.Loop() {
			if _, err := d.Template(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendPacket(b *testing.B) {
	eachSize(b, func(b *testing.B, f xcast.Family, n int) {
		d := datagram(f, n)
		t, err := d.Template()
		if err != nil {
			b.Fatal(err)
		}
		payload, buf := make([]byte, 200), make([]byte, 0, 4096)
		for b.Loop() {
			buf, _ = t.AppendPacket(buf[:0], payload, 1)
		}
	})
}
