// SPDX-License-Identifier: BSD-3-Clause

package xcastbench

import (
	"fmt"
	"iter"
	"net"
	"net/netip"

	"github.com/mcastalloc/malloc/internal/bench/ratio"
	"github.com/mcastalloc/malloc/xcast"
	"golang.org/x/net/ipv4"
)

const payloadLen = 200

// A loopback is a sending socket and a receiver that is never read.
type loopback struct {
	out  *net.UDPConn
	in   *net.UDPConn
	to   netip.AddrPort
	udp  *net.UDPAddr
	many *ipv4.PacketConn
}

func newLoopback() *loopback {
	listen := func() *net.UDPConn {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			panic(err)
		}
		return c
	}
	l := &loopback{out: listen(), in: listen()}
	l.udp = l.in.LocalAddr().(*net.UDPAddr)
	l.to = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(l.udp.Port))
	l.many = ipv4.NewPacketConn(l.out)
	return l
}

func (l *loopback) close() { l.out.Close(); l.in.Close() }

func (l *loopback) send(b []byte) {
	if _, err := l.out.WriteToUDPAddrPort(b, l.to); err != nil {
		panic(err)
	}
}

// sendAll is one sendmmsg, or as many as it takes.
func (l *loopback) sendAll(ms []ipv4.Message) {
	for len(ms) > 0 {
		n, err := l.many.WriteBatch(ms, 0)
		if err != nil {
			panic(err)
		}
		ms = ms[n:]
	}
}

func (l *loopback) messages(n int, payload []byte) []ipv4.Message {
	ms := make([]ipv4.Message, n)
	for i := range ms {
		ms[i] = ipv4.Message{Buffers: [][]byte{payload}, Addr: l.udp}
	}
	return ms
}

// datagram is to n destinations behind as many next hops as ways.
func datagram(f xcast.Family, n, ways int) *xcast.Datagram {
	d := &xcast.Datagram{Code: xcast.Experimental(), Source: netip.MustParseAddrPort("192.0.2.10:4000")}
	if f == xcast.Xcast6 {
		d.Source = netip.MustParseAddrPort("[2001:db8:a::10]:4000")
	}
	for i := range n {
		a := netip.AddrFrom4([4]byte{10, byte(i % ways), 0, byte(i + 1)})
		if f == xcast.Xcast6 {
			a = netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 5: byte(i % ways), 15: byte(i + 1)})
		}
		d.Destinations = append(d.Destinations, netip.AddrPortFrom(a, 5000))
	}
	return d
}

func template(d *xcast.Datagram) *xcast.Template {
	t, err := d.Template()
	if err != nil {
		panic(err)
	}
	return t
}

func packet(f xcast.Family, n, ways int) []byte {
	b, err := template(datagram(f, n, ways)).AppendPacket(nil, make([]byte, payloadLen), 1)
	if err != nil {
		panic(err)
	}
	return b
}

// sourceRows: one datagram that carries all destinations, built and sent, beside
// a datagram to each.
func (l *loopback) sourceRows() iter.Seq[ratio.Row] {
	return func(yield func(ratio.Row) bool) {
		payload := make([]byte, payloadLen)
		buf := make([]byte, 0, 4096)
		for _, row := range []struct {
			n             int
			loop, batched float64 // targets
		}{{127, 0.012, 0.015}, {32, 0, 0}, {8, 0.17, 0}, {2, 0.65, 0}} {
			t := template(datagram(xcast.Xcast4, row.n, 4))
			ours := func() {
				buf, _ = t.AppendPacket(buf[:0], payload, 1)
				l.send(buf)
			}
			what := fmt.Sprintf("source, n = %d, %d octets: packet built and sent", row.n, payloadLen)
			ms := l.messages(row.n, payload)
			ok := yield(compare(what, "loop of WriteToUDPAddrPort", row.loop, ours, func() {
				for range row.n {
					l.send(payload)
				}
			})) && yield(compare(what, "WriteBatch (sendmmsg)", row.batched, ours, func() { l.sendAll(ms) }))
			if !ok {
				return
			}
		}
		d := datagram(xcast.Xcast4, 127, 4)
		t := template(d)
		whole := packet(xcast.Xcast4, 127, 4)
		send := func() { l.send(whole) }
		_ = yield(compare("header of n = 127 from a template and payload copied", "one datagram send", 0.03, func() {
			buf, _ = t.AppendPacket(buf[:0], payload, 1)
		}, send)) && yield(compare("the same, template made anew", "one datagram send", 0, func() {
			buf, _ = template(d).AppendPacket(buf[:0], payload, 1)
		}, send))
	}
}

// node routes by the second octet (third group) of an address.
func node(policy xcast.Policy) *xcast.Forwarder {
	var routes [256]xcast.Route
	for i := range routes {
		routes[i] = xcast.Route{Gateway: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), Interface: int32(i), Capable: true, MTU: 9000}
	}
	f, err := xcast.NewForwarder(xcast.Config{
		Code: xcast.Experimental(), Policy: policy, Local: func(netip.Addr) bool { return false },
		Route: func(a netip.Addr) (xcast.Route, bool) {
			if a.Is4() {
				return routes[a.As4()[1]], true
			}
			return routes[a.As16()[5]], true
		},
	})
	if err != nil {
		panic(err)
	}
	return f
}

// routerRows: one packet in, k copies out in one sendmmsg, headers and payload
// from two buffers each, beside a sendmmsg of k packets that are ready.
func (l *loopback) routerRows() iter.Seq[ratio.Row] {
	return func(yield func(ratio.Row) bool) {
		for _, row := range []struct {
			what   string
			n, k   int
			policy xcast.Policy
		}{
			{"router, n = 8, 2 copies", 8, 2, xcast.X2USingle}, {"router, n = 32, 4 copies", 32, 4, xcast.X2USingle}, {"router, n = 125, 8 copies", 125, 8, xcast.X2USingle},
			{"router, n = 8, 8 by X2U", 8, 8, xcast.X2UAlways}, {"router, n = 32, 32 by X2U", 32, 32, xcast.X2UAlways}, {"router, n = 125, 125 by X2U", 125, 125, xcast.X2UAlways},
		} {
			f, in := node(row.policy), packet(xcast.Xcast4, row.n, min(row.k, 8))
			ms, ready := l.messages(row.k, nil), l.messages(row.k, nil)
			for i := range ms {
				ms[i].Buffers = make([][]byte, 2)
			}
			r, err := f.Forward(0, in)
			if err != nil || len(r.Outputs) != row.k {
				panic(fmt.Sprint(row.what, len(r.Outputs), err))
			}
			for i, o := range r.Outputs {
				b, _ := o.AppendBinary(nil)
				ready[i].Buffers = [][]byte{b}
			}
			if !yield(compare(row.what+" forwarded and sent", "raw sendmmsg of as many", 1.15, func() {
				r, _ := f.Forward(0, in)
				for i := range r.Outputs {
					ms[i].Buffers[0], ms[i].Buffers[1] = r.Outputs[i].Head, r.Outputs[i].Tail
				}
				l.sendAll(ms)
			}, func() { l.sendAll(ready) })) {
				return
			}
		}
		payload := make([]byte, payloadLen)
		for _, n := range []int{2, 8, 32, 125} {
			f, in := node(xcast.X2USingle), packet(xcast.Xcast4, n, min(4, n/2))
			ms := l.messages(n, payload)
			forward := func() { _, _ = f.Forward(0, in) }
			what := fmt.Sprintf("router alone, n = %d to %d next hops", n, min(4, n/2))
			if !yield(compare(what, "n sendto", 0, forward, func() {
				for range n {
					l.send(payload)
				}
			})) || !yield(compare(what, "one sendmmsg of n", 0, forward, func() { l.sendAll(ms) })) {
				return
			}
		}
	}
}

// codecRows: validating a received packet beside copying its headers, and
// forwarding beside the route lookups in it.
func codecRows() iter.Seq[ratio.Row] {
	return func(yield func(ratio.Row) bool) {
		code := xcast.Experimental()
		for _, f := range []xcast.Family{xcast.Xcast4, xcast.Xcast6} {
			for _, n := range []int{2, 8, 32, 125} {
				b := packet(f, n, 4)
				var p xcast.Packet
				to := make([]byte, len(b)-payloadLen-8)
				if !yield(compare(fmt.Sprintf("%v, n = %d: headers validated", f, n), "the same octets copied", 3,
					func() { _ = p.Decode(b, &code) }, func() { copy(to, b) })) {
					return
				}
			}
		}
	}
}
