// SPDX-License-Identifier: BSD-3-Clause

package xcastbench

import (
	"bytes"
	"net"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/mcastalloc/malloc/xcast"
	"github.com/mcastalloc/malloc/xcast/xcasttest"
	"pgregory.net/rapid"
)

// TestX2UForGopacket lets another decoder judge what X2U makes: every layer
// decodes, lengths and checksums of IP, UDP, TCP and ICMPv6 are right, and the
// addresses, ports and payload are those of the destination.
func TestX2UForGopacket(t *testing.T) {
	code, seen := xcast.Experimental(), map[uint8]int{}
	rapid.Check(t, func(t *rapid.T) {
		var p xcast.Packet
		if err := p.Decode(xcasttest.Packet(code).Draw(t, "packet"), &code); err != nil {
			t.Fatal(err)
		}
		if !p.Convertible() || p.StayXcast() {
			t.Skip()
		}
		proto, segment := p.Transport()
		for i := range p.Active().All() {
			b, err := xcast.X2U(nil, &p, i, 9)
			if err != nil {
				t.Fatal(err)
			}
			seen[proto]++
			first := layers.LayerTypeIPv4
			if p.Family() == xcast.Xcast6 {
				first = layers.LayerTypeIPv6
			}
			judge(t, gopacket.NewPacket(b, first, gopacket.Default), &p, i, proto, segment)
		}
	})
	for _, proto := range []uint8{17, 6} {
		if seen[proto] == 0 {
			t.Errorf("no packet of protocol %d was judged", proto)
		}
	}
}

func judge(t *rapid.T, g gopacket.Packet, p *xcast.Packet, i int, proto uint8, segment []byte) {
	source, destination := net.IP(p.Source().AsSlice()), net.IP(p.Address(i).AsSlice())
	switch l := g.NetworkLayer().(type) {
	case *layers.IPv4:
		if !l.SrcIP.Equal(source) || !l.DstIP.Equal(destination) || l.TTL != 9 || uint8(l.Protocol) != proto {
			t.Fatalf("IPv4 %v", l)
		}
	case *layers.IPv6:
		if !l.SrcIP.Equal(source) || !l.DstIP.Equal(destination) || l.HopLimit != 9 || g.Layer(layers.LayerTypeIPv6Routing) != nil {
			t.Fatalf("IPv6 %v", l)
		}
	default:
		t.Fatalf("no IP: %v", g)
	}
	switch l := g.TransportLayer().(type) {
	case *layers.UDP:
		if port, ok := p.Port(i); ok && uint16(l.DstPort) != port || !bytes.Equal(l.Payload, segment[8:]) {
			t.Fatalf("UDP %v", l)
		}
	case *layers.TCP:
		if port, ok := p.Port(i); ok && uint16(l.DstPort) != port {
			t.Fatalf("TCP %v", l)
		}
	}
	if proto == 6 && g.TransportLayer() == nil {
		return // random octets that are no TCP options
	}
	for _, l := range g.Layers() {
		if l, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			if err := l.SetNetworkLayerForChecksum(g.NetworkLayer()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if proto == 17 || proto == 6 || proto == 58 {
		err, wrong := g.VerifyChecksums()
		if err != nil || len(wrong) != 0 {
			t.Fatalf("XCAST-10.1-1: checksums %v, %v of\n%v", wrong, err, g)
		}
	}
}
