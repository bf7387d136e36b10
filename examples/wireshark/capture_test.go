// SPDX-License-Identifier: BSD-3-Clause

package wireshark_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
)

// A capture is a file that Wireshark reads: a pcap file of raw IP packets.
type capture []byte

// newCapture returns a capture without packets.
func newCapture() capture {
	c := binary.BigEndian.AppendUint32(nil, 0xa1b2c3d4) // microseconds, big-endian
	c = append(c, 0, 2, 0, 4)                           // version 2.4
	c = append(c, make([]byte, 8)...)                   // time zone and accuracy
	c = binary.BigEndian.AppendUint32(c, 1<<18)         // longest packet
	return binary.BigEndian.AppendUint32(c, 101)        // LINKTYPE_RAW
}

// add appends an IP packet, one second after the one before: captured is how
// many of its octets the file holds.
func (c *capture) add(second int, packet []byte, captured int) {
	*c = binary.BigEndian.AppendUint32(*c, 1_700_000_000+uint32(second))
	*c = binary.BigEndian.AppendUint32(*c, 0)
	*c = binary.BigEndian.AppendUint32(*c, uint32(captured))
	*c = binary.BigEndian.AppendUint32(*c, uint32(len(packet)))
	*c = append(*c, packet[:captured]...)
}

// An endpoint pair of the tests, per family.
var (
	client4, server4 = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	client6, server6 = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
)

// Protocol numbers of IP.
const (
	tcp = 6
	udp = 17
)

// ipPacket returns an IP packet with a transport segment, whose checksum, at
// that offset, it fills in; -1 stands for none.
func ipPacket(t testing.TB, protocol uint8, from, to netip.Addr, segment []byte, checksumAt int) []byte {
	t.Helper()
	if checksumAt >= 0 {
		sum := xcast.TransportChecksum(protocol, from.AsSlice(), to.AsSlice(), segment)
		binary.BigEndian.PutUint16(segment[checksumAt:], sum)
	}
	var head []byte
	var err error
	if from.Is4() {
		f := xcast.IPv4Fields{TTL: 16, Protocol: protocol, Source: from, Destination: to}
		head, err = f.AppendHeader(nil, len(segment))
	} else {
		f := xcast.IPv6Fields{HopLimit: 16, NextHeader: protocol, Source: from, Destination: to}
		head, err = f.AppendHeader(nil, len(segment))
	}
	if err != nil {
		t.Fatal(err)
	}
	return append(head, segment...)
}

// udpPacket returns an IP packet with a UDP datagram to that port.
func udpPacket(t testing.TB, from, to netip.Addr, port uint16, payload []byte) []byte {
	t.Helper()
	segment := binary.BigEndian.AppendUint16(nil, 49152)
	segment = binary.BigEndian.AppendUint16(segment, port)
	segment = binary.BigEndian.AppendUint16(segment, uint16(8+len(payload)))
	segment = append(append(segment, 0, 0), payload...)
	return ipPacket(t, udp, from, to, segment, 6)
}

// A stream is one direction of a TCP connection to a port.
type stream struct {
	from, to netip.Addr
	source   uint16
	port     uint16
	next     uint32 // sequence number
}

// packet returns the next segment of the stream.
func (s *stream) packet(t testing.TB, payload []byte) []byte {
	t.Helper()
	segment := binary.BigEndian.AppendUint16(nil, s.source)
	segment = binary.BigEndian.AppendUint16(segment, s.port)
	segment = binary.BigEndian.AppendUint32(segment, s.next)
	segment = append(segment, 0, 0, 0, 1)                         // acknowledgment
	segment = append(segment, 5<<4, 0x18, 0xff, 0xff, 0, 0, 0, 0) // header of 20 octets, ACK and PSH, window
	s.next += uint32(len(payload))
	return ipPacket(t, tcp, s.from, s.to, append(segment, payload...), 16)
}
