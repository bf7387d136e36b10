// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// A packetPort sends and receives IP packets below the IP of the kernel, on
// packet sockets without their link-layer header (packet(7)).
type packetPort struct {
	fd        int
	multicast bool
	buf       []byte
	out       []byte
	macs      map[neighbour]mac
	raw4      int
	raw6      int
}

type neighbour struct {
	on   int32
	addr netip.Addr
}

type mac struct {
	octets [8]byte
	length uint8
	until  time.Time
}

// networkOrder swaps a protocol number as socket calls want it.
func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// wake is how often a waiting call looks at its context.
const wake = 100 * time.Millisecond

func openPacketSocket() (int, error) {
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, int(networkOrder(syscall.ETH_P_ALL)))
	if err != nil {
		return -1, fmt.Errorf("packet socket: %w", err)
	}
	timeout := syscall.NsecToTimeval(int64(wake))
	return fd, syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &timeout)
}

func openPort(multicast bool) (port, error) {
	p := &packetPort{multicast: multicast, buf: make([]byte, 65536), macs: map[neighbour]mac{}}
	var err error
	if p.fd, err = openPacketSocket(); err != nil {
		return nil, err
	}
	if p.raw4, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.IPPROTO_RAW); err != nil {
		return nil, err
	}
	p.raw6, err = syscall.Socket(syscall.AF_INET6, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.IPPROTO_RAW)
	return p, err
}

// receive returns packets that came for this host, or as link-layer multicast
// if that is wanted; never what this host itself sends.
func (p *packetPort) receive(ctx context.Context) (int, []byte, error) {
	for ctx.Err() == nil {
		n, from, err := syscall.Recvfrom(p.fd, p.buf, 0)
		switch {
		case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return 0, nil, err
		}
		ll, ok := from.(*syscall.SockaddrLinklayer)
		if !ok || ll.Pkttype != syscall.PACKET_HOST && (ll.Pkttype != syscall.PACKET_MULTICAST || !p.multicast) {
			continue
		}
		return ll.Ifindex, p.buf[:n], nil
	}
	return 0, nil, ctx.Err()
}

// transmit sends to the neighbour's link-layer address.
func (p *packetPort) transmit(on int32, to netip.Addr, head, tail []byte) error {
	m, err := p.resolve(neighbour{on, to})
	if err != nil {
		return err
	}
	p.out = append(append(p.out[:0], head...), tail...)
	protocol := uint16(syscall.ETH_P_IP)
	if head[0]>>4 == 6 {
		protocol = syscall.ETH_P_IPV6
	}
	return syscall.Sendto(p.fd, p.out, 0, &syscall.SockaddrLinklayer{Protocol: networkOrder(protocol), Ifindex: int(on), Halen: m.length, Addr: m.octets})
}

// deliver lets the kernel receive the packet. One that stays Xcast has a
// multicast destination: sending it would put it on a link again.
func (p *packetPort) deliver(packet []byte) error {
	if packet[0]>>4 == 4 && packet[16]>>4 == 0xe || packet[0]>>4 == 6 && packet[24] == 0xff {
		return errors.New("it must stay Xcast, and nothing here takes that")
	}
	if packet[0]>>4 == 4 {
		return syscall.Sendto(p.raw4, packet, 0, &syscall.SockaddrInet4{Addr: [4]byte(packet[16:20])})
	}
	return syscall.Sendto(p.raw6, packet, 0, &syscall.SockaddrInet6{Addr: [16]byte(packet[24:40])})
}

// resolve finds a link-layer address in the kernel's neighbour table. If it is
// not there, a datagram to the discard port makes the kernel ask for it.
func (p *packetPort) resolve(n neighbour) (mac, error) {
	now := time.Now()
	if m, ok := p.macs[n]; ok && now.Before(m.until) {
		return m, nil
	}
	for try := range 20 {
		found, err := readNeighbours()
		if err != nil {
			return mac{}, err
		}
		if m, ok := found[n]; ok {
			m.until = now.Add(5 * time.Second)
			if len(p.macs) >= 4096 {
				clear(p.macs)
			}
			p.macs[n] = m
			return m, nil
		}
		if try%5 == 0 {
			p.ask(n)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return mac{}, fmt.Errorf("no link-layer address of %v", n.addr)
}

func (p *packetPort) ask(n neighbour) {
	const discard = 9
	to := n.addr
	if to.Is6() && to.IsLinkLocalUnicast() {
		if ifi, err := net.InterfaceByIndex(int(n.on)); err == nil {
			to = to.WithZone(ifi.Name)
		}
	}
	if c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, discard))); err == nil {
		_, _ = c.Write([]byte{0})
		c.Close()
	}
}

func (p *packetPort) refresh() ([]netip.Addr, table, error) {
	var local []netip.Addr
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, nil, err
	}
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			local = append(local, prefix.Addr())
		}
	}
	t, err := readKernelRoutes()
	return local, t, err
}

// readKernelRoutes reads the main routing tables of both families by rtnetlink
// (rtnetlink(7)).
func readKernelRoutes() (table, error) {
	const mainTable, unicast = 254, 1
	mtu := map[int32]uint16{}
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range interfaces {
		mtu[int32(i.Index)] = uint16(min(i.MTU, 65535))
	}
	var t table
	for _, family := range []int{syscall.AF_INET, syscall.AF_INET6} {
		err := dump(syscall.RTM_GETROUTE, family, syscall.SizeofRtMsg, func(head []byte, attrs map[uint16][]byte) {
			bits, tableID, kind := int(head[1]), head[4], head[7]
			if tableID != mainTable || kind != unicast {
				return
			}
			network := netip.IPv4Unspecified()
			if family == syscall.AF_INET6 {
				network = netip.IPv6Unspecified()
			}
			if a, ok := netip.AddrFromSlice(attrs[syscall.RTA_DST]); ok {
				network = a
			}
			var r route
			r.prefix = netip.PrefixFrom(network, bits)
			r.to.Gateway, _ = netip.AddrFromSlice(attrs[syscall.RTA_GATEWAY])
			if v := attrs[syscall.RTA_OIF]; len(v) == 4 {
				r.to.Interface = int32(binary.NativeEndian.Uint32(v))
			}
			r.to.MTU = mtu[r.to.Interface]
			if r.to.Interface != 0 {
				t = append(t, r)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	t.sort()
	return t, nil
}

// readNeighbours reads the tables of ARP and Neighbour Discovery.
func readNeighbours() (map[neighbour]mac, error) {
	const (
		rtmGetNeigh = 30
		headerLen   = 12 // struct ndmsg
		ndaDst      = 1
		ndaLLAddr   = 2
		// States in which an address is known: reachable, stale, delay, probe,
		// no ARP needed, permanent.
		usable = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80
	)
	found := map[neighbour]mac{}
	for _, family := range []int{syscall.AF_INET, syscall.AF_INET6} {
		err := dump(rtmGetNeigh, family, headerLen, func(head []byte, attrs map[uint16][]byte) {
			state := binary.NativeEndian.Uint16(head[8:])
			a, ok := netip.AddrFromSlice(attrs[ndaDst])
			ll := attrs[ndaLLAddr]
			if !ok || state&usable == 0 || len(ll) > 8 {
				return
			}
			m := mac{length: uint8(len(ll))}
			copy(m.octets[:], ll)
			found[neighbour{int32(binary.NativeEndian.Uint32(head[4:])), a}] = m
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// dump asks rtnetlink for a table and calls each with the fixed header and the
// attributes of every entry.
func dump(request, family, headerLen int, each func(head []byte, attrs map[uint16][]byte)) error {
	b, err := syscall.NetlinkRIB(request, family)
	if err != nil {
		return fmt.Errorf("rtnetlink: %w", err)
	}
	messages, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return fmt.Errorf("rtnetlink: %w", err)
	}
	for _, m := range messages {
		if m.Header.Type == syscall.NLMSG_DONE || len(m.Data) < headerLen {
			continue
		}
		attrs := map[uint16][]byte{}
		for rest := m.Data[headerLen:]; len(rest) >= 4; {
			n, kind := int(binary.NativeEndian.Uint16(rest)), binary.NativeEndian.Uint16(rest[2:])
			if n < 4 || n > len(rest) {
				break
			}
			attrs[kind] = slices.Clone(rest[4:n])
			rest = rest[min(len(rest), (n+3)&^3):]
		}
		each(m.Data[:headerLen], attrs)
	}
	return nil
}
