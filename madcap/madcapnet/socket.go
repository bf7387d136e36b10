// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// maxDatagram is the size of a receive buffer: no UDP datagram is longer.
const maxDatagram = 65535

// inbound tells of a received datagram all that the system tells.
type inbound struct {
	from    netip.AddrPort
	to      netip.Addr // where it was sent, the zero Addr if not known
	local   netip.Addr // own address on the interface, the zero Addr if not known
	ifIndex int        // 0 if not known
	payload []byte
}

// socket is a UDP socket of one family, or any other net.PacketConn, of which
// it then knows less: neither destinations nor groups.
type socket struct {
	conn net.PacketConn
	udp  *net.UDPConn
	p4   *ipv4.PacketConn // for an IPv4 socket
	p6   *ipv6.PacketConn // for an IPv6 socket
	dst  bool             // the system tells destinations
	ours bool             // opened here, to be closed here

	oob     []byte                // for reading
	sources map[netip.Addr][]byte // control messages that choose a source address
}

// maxSources bounds socket.sources. Only own addresses get into it, but a
// loopback interface has millions.
const maxSources = 256

// openSocket opens a UDP socket, network is "udp4" or "udp6".
func openSocket(network string, at netip.AddrPort) (*socket, error) {
	c, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	s := newSocket(c)
	s.ours = true
	return s, nil
}

// openSockets wraps connections, or without any opens a socket on a port of all
// addresses for each family that the host has. If the system chooses the port,
// samePort wants the same one for both families.
func openSockets(conns []net.PacketConn, port uint16, samePort bool) ([]*socket, error) {
	var sockets []*socket
	for _, c := range conns {
		sockets = append(sockets, newSocket(c))
	}
	if len(sockets) > 0 {
		return sockets, nil
	}
	var failed []error
	for _, any := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		network := "udp6"
		if any.Is4() {
			network = "udp4"
		}
		s, err := openSocket(network, netip.AddrPortFrom(any, port))
		if err != nil {
			failed = append(failed, err)
			continue
		}
		sockets = append(sockets, s)
		if samePort {
			port = s.localAddr().Port()
		}
	}
	if len(sockets) == 0 {
		return nil, fmt.Errorf("madcapnet: no socket: %w", errors.Join(failed...))
	}
	return sockets, nil
}

// newSocket wraps a connection and asks the system to tell destinations.
func newSocket(c net.PacketConn) *socket {
	s := &socket{conn: c, sources: make(map[netip.Addr][]byte)}
	udp, ok := c.(*net.UDPConn)
	if !ok {
		return s
	}
	s.udp = udp
	if s.localAddr().Addr().Is4() {
		s.p4 = ipv4.NewPacketConn(udp)
		s.dst = s.p4.SetControlMessage(ipv4.FlagDst|ipv4.FlagInterface, true) == nil
		s.oob = ipv4.NewControlMessage(ipv4.FlagDst | ipv4.FlagInterface)
	} else {
		s.p6 = ipv6.NewPacketConn(udp)
		s.dst = s.p6.SetControlMessage(ipv6.FlagDst|ipv6.FlagInterface, true) == nil
		s.oob = ipv6.NewControlMessage(ipv6.FlagDst | ipv6.FlagInterface)
	}
	return s
}

// localAddr returns what the socket is bound to, the zero AddrPort if that is
// no UDP address.
func (s *socket) localAddr() netip.AddrPort {
	if a, ok := s.conn.LocalAddr().(*net.UDPAddr); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// is4 reports whether the socket is known to be an IPv4 one, is6 likewise.
func (s *socket) is4() bool { return s.p4 != nil }
func (s *socket) is6() bool { return s.p6 != nil }

// read waits for a datagram. in.payload lies in b.
func (s *socket) read(b []byte) (in inbound, err error) {
	if s.udp == nil {
		n, from, err := s.conn.ReadFrom(b)
		if err != nil {
			return in, err
		}
		in.from, err = addrPortOf(from)
		in.payload = b[:n]
		return in, err
	}
	n, nn, _, from, err := s.udp.ReadMsgUDPAddrPort(b, s.oob)
	if err != nil {
		return in, err
	}
	in.from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	in.payload = b[:n]
	if s.dst {
		s.control(&in, s.oob[:nn])
	}
	return in, nil
}

// addrPortOf returns the address of a connection that is not a UDPConn.
func addrPortOf(a net.Addr) (netip.AddrPort, error) {
	if u, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		return u.AddrPort(), nil
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return ap, fmt.Errorf("madcapnet: source address %q is no IP address with port", a)
	}
	return ap, nil
}

// write sends a datagram, from a certain address if from is valid and the
// system can.
func (s *socket) write(b []byte, to netip.AddrPort, from netip.Addr) error {
	if s.udp == nil {
		_, err := s.conn.WriteTo(b, net.UDPAddrFromAddrPort(to))
		return err
	}
	_, _, err := s.udp.WriteMsgUDPAddrPort(b, s.source(from), to)
	return err
}

// source returns the control message that makes the system send from an
// address, nil if it may choose.
func (s *socket) source(from netip.Addr) []byte {
	if !s.dst || !from.IsValid() || from.IsMulticast() || from.IsUnspecified() || from.Is4() != s.is4() {
		return nil
	}
	if oob, ok := s.sources[from]; ok {
		return oob
	}
	if len(s.sources) >= maxSources {
		clear(s.sources)
	}
	var oob []byte
	if s.is4() {
		oob = (&ipv4.ControlMessage{Src: from.AsSlice()}).Marshal()
	} else {
		oob = (&ipv6.ControlMessage{Src: from.AsSlice()}).Marshal()
	}
	s.sources[from] = oob
	return oob
}

var errNoGroups = errors.New("madcapnet: the connection cannot join groups")

// join makes the socket receive what is sent to a group on an interface.
func (s *socket) join(ifi *net.Interface, group netip.Addr) error {
	g := &net.UDPAddr{IP: group.AsSlice()}
	switch {
	case s.p4 != nil && group.Is4():
		return s.p4.JoinGroup(ifi, g)
	case s.p6 != nil && group.Is6():
		return s.p6.JoinGroup(ifi, g)
	}
	return errNoGroups
}

// leave undoes join.
func (s *socket) leave(ifi *net.Interface, group netip.Addr) error {
	g := &net.UDPAddr{IP: group.AsSlice()}
	switch {
	case s.p4 != nil && group.Is4():
		return s.p4.LeaveGroup(ifi, g)
	case s.p6 != nil && group.Is6():
		return s.p6.LeaveGroup(ifi, g)
	}
	return errNoGroups
}

// multicastVia chooses how the socket sends to groups: out of an interface
// (nil: the system's choice), with a TTL or hop limit, and back to this host
// too.
func (s *socket) multicastVia(ifi *net.Interface, hops int) error {
	switch {
	case s.p4 != nil:
		if ifi != nil {
			if err := s.p4.SetMulticastInterface(ifi); err != nil {
				return err
			}
		}
		return errors.Join(s.p4.SetMulticastTTL(hops), s.p4.SetMulticastLoopback(true))
	case s.p6 != nil:
		if ifi != nil {
			if err := s.p6.SetMulticastInterface(ifi); err != nil {
				return err
			}
		}
		return errors.Join(s.p6.SetMulticastHopLimit(hops), s.p6.SetMulticastLoopback(true))
	}
	return errNoGroups
}

// close closes what was opened here.
func (s *socket) close() error {
	if !s.ours {
		return nil
	}
	return s.conn.Close()
}
