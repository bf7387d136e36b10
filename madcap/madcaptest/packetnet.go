// SPDX-License-Identifier: BSD-3-Clause

package madcaptest

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// PacketNet is a UDP network in memory for drivers that take a net.PacketConn,
// such as those of madcapnet. What becomes of a datagram is up to its Fate.
//
// In a testing/synctest bubble delays and time-outs pass in no time.
type PacketNet struct {
	mu    sync.Mutex
	fate  func(from, to netip.AddrPort, payload []byte) []time.Duration
	conns map[netip.AddrPort][]*packetConn // several only for a group
}

// SetFate decides what becomes of datagrams from now on. Fate returns the delays
// with which copies of a datagram arrive: none if it is lost, several if it is
// duplicated. Nil delivers each once and at once. It is called by the sender,
// one datagram at a time, and must not send.
func (n *PacketNet) SetFate(fate func(from, to netip.AddrPort, payload []byte) []time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fate = fate
}

// inboxLen is how many datagrams wait for a reader before more are lost.
const inboxLen = 1024

// Listen returns the connection of a host that receives what is sent to an
// address, or to one of its groups.
func (n *PacketNet) Listen(at netip.AddrPort, groups ...netip.AddrPort) net.PacketConn {
	c := &packetConn{net: n, at: at, in: make(chan packet, inboxLen), closed: make(chan struct{}), deadline: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conns == nil {
		n.conns = make(map[netip.AddrPort][]*packetConn)
	}
	for _, a := range append(groups, at) {
		n.conns[a] = append(n.conns[a], c)
	}
	return c
}

func (n *PacketNet) send(from, to netip.AddrPort, payload []byte) {
	delays := []time.Duration{0}
	n.mu.Lock()
	if n.fate != nil {
		delays = n.fate(from, to, payload)
	}
	n.mu.Unlock()
	for _, d := range delays {
		p := packet{from, bytes.Clone(payload)}
		if d <= 0 {
			n.deliver(to, p)
		} else {
			time.AfterFunc(d, func() { n.deliver(to, p) })
		}
	}
}

func (n *PacketNet) deliver(to netip.AddrPort, p packet) {
	n.mu.Lock()
	conns := n.conns[to]
	n.mu.Unlock()
	for _, c := range conns {
		select {
		case c.in <- p:
		default: // lost, as in a kernel whose buffers are full
		}
	}
}

type packet struct {
	from    netip.AddrPort
	payload []byte
}

// packetConn is one host's end of a PacketNet.
type packetConn struct {
	net    *PacketNet
	at     netip.AddrPort
	in     chan packet
	once   sync.Once
	closed chan struct{}

	mu       sync.Mutex
	deadline chan struct{} // closed when the read deadline is over
	timer    *time.Timer
}

func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.mu.Lock()
	deadline := c.deadline
	c.mu.Unlock()
	select {
	case <-deadline:
		return 0, nil, os.ErrDeadlineExceeded
	default:
	}
	select {
	case p := <-c.in:
		return copy(b, p.payload), net.UDPAddrFromAddrPort(p.from), nil
	case <-deadline:
		return 0, nil, os.ErrDeadlineExceeded
	case <-c.closed:
		return 0, nil, net.ErrClosed
	}
}

func (c *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, &net.AddrError{Err: "not a UDP address", Addr: to.String()}
	}
	at := u.AddrPort()
	c.net.send(c.at, netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), b)
	return len(b), nil
}

// Close ends the connection; its address receives nothing more.
func (c *packetConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.net.mu.Lock()
		defer c.net.mu.Unlock()
		for a, conns := range c.net.conns {
			var rest []*packetConn
			for _, other := range conns {
				if other != c {
					rest = append(rest, other)
				}
			}
			c.net.conns[a] = rest
		}
	})
	return nil
}

func (c *packetConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.at) }

func (c *packetConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil && !c.timer.Stop() {
		c.deadline = make(chan struct{}) // the old one is over, or about to be
	}
	select {
	case <-c.deadline:
		c.deadline = make(chan struct{})
	default:
	}
	c.timer = nil
	if t.IsZero() {
		return nil
	}
	over := c.deadline
	if d := time.Until(t); d > 0 {
		c.timer = time.AfterFunc(d, func() { close(over) })
	} else {
		close(over)
	}
	return nil
}

func (c *packetConn) SetDeadline(t time.Time) error      { return c.SetReadDeadline(t) }
func (c *packetConn) SetWriteDeadline(t time.Time) error { return nil }
