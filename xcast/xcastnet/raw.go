// SPDX-License-Identifier: BSD-3-Clause

package xcastnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"

	"github.com/mcastalloc/malloc/xcast"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// openRaw4 returns a function that sends whole IPv4 packets.
func openRaw4(ctx context.Context, local netip.Addr, config *Config) (send func([]byte) error, closeRaw func() error, err error) {
	lc := net.ListenConfig{}
	pc, err := lc.ListenPacket(ctx, "ip4:"+strconv.Itoa(int(config.Code.ProtoXcast4)), local.String())
	if err != nil {
		return nil, nil, err
	}
	raw, err := ipv4.NewRawConn(pc)
	if err == nil && config.Interface != nil {
		err = raw.SetMulticastInterface(config.Interface)
	}
	if err != nil {
		return nil, nil, errors.Join(err, pc.Close())
	}
	send = func(packet []byte) error {
		ip, err := xcast.ParseIPv4(packet)
		if err != nil {
			return err
		}
		h := &ipv4.Header{
			Version: ipv4.Version, Len: ipv4.HeaderLen, TOS: int(ip.DSField()), TotalLen: len(ip), ID: int(ip.ID()),
			TTL: int(ip.TTL()), Protocol: int(ip.Protocol()), Src: ip.Source().AsSlice(), Dst: ip.Destination().AsSlice(),
		}
		if ip.DontFragment() {
			h.Flags = ipv4.DontFragment
		}
		return raw.WriteTo(h, ip.Payload(), nil)
	}
	return send, raw.Close, nil
}

// openRaw6 returns a function that sends whole IPv6 packets. The socket's
// protocol is that of the Routing header, so the system writes the IPv6 header
// and the packet's own is only read.
func openRaw6(ctx context.Context, local netip.Addr, config *Config) (send func([]byte) error, closeRaw func() error, err error) {
	const routingHeader = 43
	lc := net.ListenConfig{}
	pc, err := lc.ListenPacket(ctx, "ip6:"+strconv.Itoa(routingHeader), local.String())
	if err != nil {
		return nil, nil, err
	}
	raw := ipv6.NewPacketConn(pc)
	if config.Interface != nil {
		if err := raw.SetMulticastInterface(config.Interface); err != nil {
			return nil, nil, errors.Join(err, pc.Close())
		}
	}
	send = func(packet []byte) error {
		ip, err := xcast.ParseIPv6(packet)
		if err != nil {
			return err
		}
		cm := &ipv6.ControlMessage{TrafficClass: int(ip.DSField()), HopLimit: int(ip.HopLimit()), Src: ip.Source().AsSlice()}
		if config.Interface != nil {
			cm.IfIndex = config.Interface.Index
		}
		_, err = raw.WriteTo(ip.Payload(), cm, &net.IPAddr{IP: ip.Destination().AsSlice()})
		return err
	}
	return send, raw.Close, nil
}
