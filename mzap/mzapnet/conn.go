// SPDX-License-Identifier: BSD-3-Clause

package mzapnet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/mcastalloc/malloc/mzap"
)

// Conn carries the datagrams of one address family. [Listen] makes one of UDP; a
// test may make another.
type Conn interface {
	// ReadFrom waits for a datagram and reads it into buf.
	ReadFrom(buf []byte) (n int, from Source, err error)
	// WriteTo sends a datagram to a group on one interface, with the source
	// address given and a TTL or hop limit of 255.
	WriteTo(b []byte, source, group netip.Addr, index int) error
	// Join and Leave change the membership of a group on an interface.
	Join(group netip.Addr, index int) error
	Leave(group netip.Addr, index int) error
	// Close ends a ReadFrom in progress, with an error.
	Close() error
}

// Source says where a datagram came from.
type Source struct {
	Addr  netip.Addr // its sender
	Group netip.Addr // where it was sent; the zero Addr if the system does not tell
	// Interface is the index of the interface it arrived on, 0 if the system does
	// not tell.
	Interface int
}

// Listen opens a UDP socket for one family, on a port: [mzap.Port] except in a
// test. Other sockets of this host can listen there too. The system's rules for
// source addresses and for sending on interfaces apply; nothing here needs
// privileges.
//
// Where the system does not tell on which interface a datagram arrived (Windows),
// a socket is good for a [Listener] only.
func Listen(is4 bool, port int) (Conn, error) {
	// A multicast address makes package net share the port and bind to no address.
	network, anyGroup := "udp4", "224.0.0.0"
	if !is4 {
		network, anyGroup = "udp6", "ff03::"
	}
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(context.Background(), network, net.JoinHostPort(anyGroup, fmt.Sprint(port)))
	if err != nil {
		return nil, fmt.Errorf("mzapnet: %w", err)
	}
	c, err := newConn(pc, is4, port)
	if err != nil {
		pc.Close()
		return nil, fmt.Errorf("mzapnet: %w", err)
	}
	return c, nil
}

func newConn(pc net.PacketConn, is4 bool, port int) (Conn, error) {
	if is4 {
		c := &conn4{PacketConn: ipv4.NewPacketConn(pc), port: port}
		c.told = c.SetControlMessage(ipv4.FlagDst|ipv4.FlagInterface, true) == nil
		if err := c.SetMulticastLoopback(true); err != nil {
			return nil, err
		}
		return c, c.SetMulticastTTL(mzap.HopLimit)
	}
	c := &conn6{PacketConn: ipv6.NewPacketConn(pc), port: port}
	c.told = c.SetControlMessage(ipv6.FlagDst|ipv6.FlagInterface, true) == nil
	if err := c.SetMulticastLoopback(true); err != nil {
		return nil, err
	}
	return c, c.SetMulticastHopLimit(mzap.HopLimit)
}

// conn4 is a Conn of IPv4. told says that the system tells and takes the
// interface of each datagram.
type conn4 struct {
	*ipv4.PacketConn
	port int
	told bool
}

func (c *conn4) ReadFrom(buf []byte) (int, Source, error) {
	n, cm, from, err := c.PacketConn.ReadFrom(buf)
	if err != nil {
		return 0, Source{}, err
	}
	s := Source{Addr: udpAddr(from)}
	if cm != nil {
		s.Group, s.Interface = ipAddr(cm.Dst), cm.IfIndex
	}
	return n, s, nil
}

func (c *conn4) WriteTo(b []byte, source, group netip.Addr, index int) error {
	to := &net.UDPAddr{IP: group.AsSlice(), Port: c.port}
	if !c.told {
		if err := c.SetMulticastInterface(&net.Interface{Index: index}); err != nil {
			return err
		}
		_, err := c.PacketConn.WriteTo(b, nil, to)
		return err
	}
	_, err := c.PacketConn.WriteTo(b, &ipv4.ControlMessage{IfIndex: index, Src: source.AsSlice()}, to)
	return err
}

func (c *conn4) Join(group netip.Addr, index int) error {
	return c.JoinGroup(&net.Interface{Index: index}, &net.UDPAddr{IP: group.AsSlice()})
}

func (c *conn4) Leave(group netip.Addr, index int) error {
	return c.LeaveGroup(&net.Interface{Index: index}, &net.UDPAddr{IP: group.AsSlice()})
}

// conn6 is a Conn of IPv6.
type conn6 struct {
	*ipv6.PacketConn
	port int
	told bool
}

func (c *conn6) ReadFrom(buf []byte) (int, Source, error) {
	n, cm, from, err := c.PacketConn.ReadFrom(buf)
	if err != nil {
		return 0, Source{}, err
	}
	s := Source{Addr: udpAddr(from)}
	if cm != nil {
		s.Group, s.Interface = ipAddr(cm.Dst), cm.IfIndex
	}
	return n, s, nil
}

func (c *conn6) WriteTo(b []byte, source, group netip.Addr, index int) error {
	to := &net.UDPAddr{IP: group.AsSlice(), Port: c.port}
	if !c.told {
		if err := c.SetMulticastInterface(&net.Interface{Index: index}); err != nil {
			return err
		}
		_, err := c.PacketConn.WriteTo(b, nil, to)
		return err
	}
	_, err := c.PacketConn.WriteTo(b, &ipv6.ControlMessage{IfIndex: index, Src: source.AsSlice(), HopLimit: mzap.HopLimit}, to)
	return err
}

func (c *conn6) Join(group netip.Addr, index int) error {
	return c.JoinGroup(&net.Interface{Index: index}, &net.UDPAddr{IP: group.AsSlice()})
}

func (c *conn6) Leave(group netip.Addr, index int) error {
	return c.LeaveGroup(&net.Interface{Index: index}, &net.UDPAddr{IP: group.AsSlice()})
}

// udpAddr returns the address of a UDP peer without its zone.
func udpAddr(a net.Addr) netip.Addr {
	u, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.Addr{}
	}
	return u.AddrPort().Addr().Unmap().WithZone("")
}

func ipAddr(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// received is a datagram on its way from a reader to the loop.
type received struct {
	from    Source
	payload []byte
}

// maxDatagram is larger than any MZAP message can be: an IPv6 ZAM with the
// longest names and path has well under 140 kB, and UDP ends at 64 kB.
const maxDatagram = 1 << 16

// machine is what both roles have in common for the loop that drives them.
type machine interface {
	receive(now time.Time, r received)
	advance(now time.Time)
	deadline() (time.Time, bool)
}

// loop drives a machine until ctx is done or a Conn fails. It closes the Conns
// and leaves no goroutine behind.
func loop(ctx context.Context, conns []Conn, m machine) error {
	packets, failed := make(chan received), make(chan error, len(conns))
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{}, len(conns))
	for _, c := range conns {
		go func() {
			failed <- read(ctx, c, packets)
			done <- struct{}{}
		}()
	}
	defer func() {
		cancel()
		for _, c := range conns {
			c.Close()
		}
		for range conns {
			<-done
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case p := <-packets:
			m.receive(time.Now(), p)
		case <-timer.C:
			m.advance(time.Now())
		}
		if at, ok := m.deadline(); ok {
			timer.Reset(max(0, time.Until(at)))
		} else {
			timer.Stop()
		}
	}
}

// read hands datagrams to the loop until the Conn or the loop ends.
func read(ctx context.Context, c Conn, packets chan<- received) error {
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("mzapnet: %w", err)
		}
		if from.Group.IsValid() && !from.Group.IsMulticast() {
			continue
		}
		select {
		case packets <- received{from, append([]byte(nil), buf[:n]...)}:
		case <-ctx.Done():
			return nil
		}
	}
}
