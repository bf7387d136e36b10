// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/mcastalloc/malloc/aap"
)

// Network says how a machine is connected. The zero value is good for a server
// that is alone on its host: a UDP socket on port [aap.Port], in the group on
// every interface that can do multicast.
type Network struct {
	// Conn is used instead of a UDP socket; the machine closes it. One that is no
	// *net.UDPConn joins no group and does not tell where datagrams were sent.
	Conn net.PacketConn
	// Interfaces on which the group is joined; the first is the one that is sent
	// on. Empty: those that are up and can do multicast, and the system's choice.
	Interfaces []net.Interface
	// SourcePort is what is sent from; zero is [aap.Port], -1 the system's choice.
	// A second machine on one host for the same group, say a coordinator beside a
	// server, needs a port of its own, or each takes the other's messages for
	// its own (AAP-D-14).
	SourcePort int
	// TTL of what is sent, or hop limit; zero stands for 255. The boundaries of
	// the scope do the limiting (AAP-D-16).
	TTL int
	// Authenticated tells whether a sender is vouched for, by IPsec (section 6).
	// Nil: nobody is.
	Authenticated func(netip.AddrPort) bool
	// Logger is told of failures and conflicts; nil: nobody is.
	Logger *slog.Logger
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

func (n Network) withDefaults() Network {
	n.TTL = cmp.Or(n.TTL, 255)
	n.SourcePort = cmp.Or(n.SourcePort, aap.Port)
	if n.Logger == nil {
		n.Logger = slog.New(slog.DiscardHandler)
	}
	if n.Now == nil {
		n.Now = time.Now
	}
	return n
}

// conn carries the datagrams of one group.
type conn struct {
	in, out net.PacketConn   // one and the same unless the source port is special
	in4     *ipv4.PacketConn // of in, if it is a UDP socket: it tells destinations
	in6     *ipv6.PacketConn
	own     ownAddrs
}

// open makes a socket for a group, and joins it.
func (n *Network) open(group netip.Addr) (*conn, error) {
	if n.Conn != nil {
		return newConn(n, n.Conn, n.Conn)
	}
	// A multicast address makes package net share the port and bind to no address.
	network, anyGroup, any := "udp4", "224.0.0.0", "0.0.0.0"
	if group.Is6() {
		network, anyGroup, any = "udp6", "ff03::", "::"
	}
	in, err := listen(network, anyGroup, aap.Port)
	if err != nil {
		return nil, err
	}
	out := in
	if n.SourcePort != aap.Port {
		if out, err = listen(network, any, max(n.SourcePort, 0)); err != nil {
			in.Close()
			return nil, err
		}
	}
	c, err := newConn(n, in, out)
	if err == nil {
		if err = c.join(n, group); err != nil {
			c.close()
		}
	}
	return c, err
}

func listen(network, host string, port int) (net.PacketConn, error) {
	var lc net.ListenConfig
	c, err := lc.ListenPacket(context.Background(), network, net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("aapnet: %w", err)
	}
	return c, nil
}

// newConn sets the options of the sockets.
func newConn(n *Network, in, out net.PacketConn) (*conn, error) {
	c := &conn{in: in, out: out}
	c.own.local = addrPortOf(out.LocalAddr())
	udp, ok := in.(*net.UDPConn)
	if !ok {
		return c, nil
	}
	c.own.many = c.own.local.Addr().IsUnspecified()
	var err error
	if addrPortOf(udp.LocalAddr()).Addr().Is4() {
		c.in4 = ipv4.NewPacketConn(in)
		_ = c.in4.SetControlMessage(ipv4.FlagDst, true) // where it fails, destinations are unknown
		sender := ipv4.NewPacketConn(out)
		if err = sender.SetMulticastTTL(n.TTL); err == nil {
			err = sender.SetMulticastLoopback(true)
		}
		if err == nil && len(n.Interfaces) > 0 {
			err = sender.SetMulticastInterface(&n.Interfaces[0])
		}
	} else {
		c.in6 = ipv6.NewPacketConn(in)
		_ = c.in6.SetControlMessage(ipv6.FlagDst, true)
		sender := ipv6.NewPacketConn(out)
		if err = sender.SetMulticastHopLimit(n.TTL); err == nil {
			err = sender.SetMulticastLoopback(true)
		}
		if err == nil && len(n.Interfaces) > 0 {
			err = sender.SetMulticastInterface(&n.Interfaces[0])
		}
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("aapnet: %w", err)
	}
	return c, nil
}

// join joins the group on every interface that lets it. One is enough.
func (c *conn) join(n *Network, group netip.Addr) error {
	interfaces := n.Interfaces
	if len(interfaces) == 0 {
		all, err := net.Interfaces()
		if err != nil {
			return fmt.Errorf("aapnet: %w", err)
		}
		const want = net.FlagUp | net.FlagMulticast
		interfaces = slices.DeleteFunc(all, func(i net.Interface) bool { return i.Flags&want != want })
	}
	failed := fmt.Errorf("aapnet: no interface to join %v on", group)
	joined := false
	for _, i := range interfaces {
		var err error
		if to := (&net.UDPAddr{IP: group.AsSlice()}); c.in4 != nil {
			err = c.in4.JoinGroup(&i, to)
		} else {
			err = c.in6.JoinGroup(&i, to)
		}
		if err != nil {
			failed = fmt.Errorf("aapnet: join %v on %s: %w", group, i.Name, err)
			n.Logger.Debug("cannot join", "group", group, "interface", i.Name, "error", err)
		} else {
			joined = true
		}
	}
	if joined {
		return nil
	}
	return failed
}

// read waits for a datagram that somebody else sent. The group it was sent to is
// the zero Addr if the system does not tell.
func (c *conn) read(buf []byte) (n int, from netip.AddrPort, to netip.Addr, err error) {
	for {
		var a net.Addr
		switch {
		case c.in4 != nil:
			var cm *ipv4.ControlMessage
			if n, cm, a, err = c.in4.ReadFrom(buf); cm != nil {
				to, _ = netip.AddrFromSlice(cm.Dst)
			}
		case c.in6 != nil:
			var cm *ipv6.ControlMessage
			if n, cm, a, err = c.in6.ReadFrom(buf); cm != nil {
				to, _ = netip.AddrFromSlice(cm.Dst)
			}
		default:
			n, a, err = c.in.ReadFrom(buf)
		}
		if err != nil {
			return 0, from, to, fmt.Errorf("aapnet: %w", err)
		}
		if from = addrPortOf(a); !c.own.contains(from) {
			return n, from, to.Unmap(), nil
		}
	}
}

func (c *conn) send(group netip.Addr, packet []byte) error {
	_, err := c.out.WriteTo(packet, &net.UDPAddr{IP: group.AsSlice(), Port: aap.Port})
	return err
}

func (c *conn) close() {
	c.in.Close()
	if c.out != c.in {
		c.out.Close()
	}
}

// addrPortOf returns the address of a UDP peer without its zone.
func addrPortOf(a net.Addr) netip.AddrPort {
	u, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := u.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// ownAddrs knows what our own datagrams, looped back, come from. A host may get
// other addresses at any time, so an unknown sender with our port makes it look
// again, at most once a second. It belongs to the reader.
type ownAddrs struct {
	local  netip.AddrPort
	many   bool // local is unspecified: any address of the host
	known  []netip.Addr
	looked time.Time
}

func (o *ownAddrs) contains(from netip.AddrPort) bool {
	if !o.many {
		return from == o.local
	}
	if from.Port() != o.local.Port() {
		return false
	}
	if from.Addr().IsUnspecified() { // a host without an address of its own
		return true
	}
	if !slices.Contains(o.known, from.Addr()) && time.Since(o.looked) >= time.Second {
		o.known, o.looked = hostAddrs(), time.Now()
	}
	return slices.Contains(o.known, from.Addr())
}

func hostAddrs() (list []netip.Addr) {
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			list = append(list, p.Addr().Unmap().WithZone(""))
		}
	}
	return list
}
