// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
	"pgregory.net/rapid"
)

// view decodes a packet that must be good.
func view(t rapid.TB, b []byte) *xcast.Packet {
	t.Helper()
	code := xcast.Experimental()
	p := &xcast.Packet{}
	if err := p.Decode(b, &code); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestConvertible: XCAST-10.1-4.
func TestConvertible(t *testing.T) {
	const one4, two4 = "10.1.0.1", "10.1.0.1 10.2.0.1"
	const ports4, one6, two6 = "10.1.0.1:1 10.2.0.1:2", "2001:db8:1::1", "2001:db8:1::1 2001:db8:2::1"
	const ports6 = "[2001:db8:1::1]:1 [2001:db8:2::1]:2"
	tests := []struct {
		name  string
		to    string
		proto uint8
		n     int // octets of transport
		want  bool
	}{
		{"UDP", two4, 17, 8, true}, {"short UDP", two4, 17, 7, false}, {"UDP with ports", ports4, 17, 8, true}, {"UDP6 with ports", ports6, 17, 8, true},
		{"TCP", two4, 6, 20, true}, {"short TCP", two4, 6, 19, false}, {"TCP with ports", ports4, 6, 20, true}, {"TCP6", two6, 6, 20, true},
		{"ICMP", two4, 1, 8, true}, {"ICMP with ports", ports4, 1, 8, false}, {"ICMP in IPv6", two6, 1, 8, false},
		{"ICMPv6", two6, 58, 4, true}, {"short ICMPv6", two6, 58, 3, false}, {"ICMPv6 with ports", ports6, 58, 8, false}, {"ICMPv6 in IPv4", two4, 58, 8, false},
		{"SCTP", two4, 132, 12, true}, {"SCTP with ports", ports4, 132, 12, false},
		{"IP in IP, n = 1", one4, 4, 20, true}, {"IP in IP, n = 2", two4, 4, 20, false},
		{"IPv6 in IP, n = 1", one6, 41, 40, true}, {"IPv6 in IP, n = 2", two6, 41, 40, false},
		{"GRE, n = 1", one4, 47, 8, true}, {"GRE, n = 2", two4, 47, 8, false},
		{"AH", one4, 51, 24, false}, {"ESP", one4, 50, 24, false}, {"IPv6 Fragment", one6, 44, 8, false},
		{"nested Xcast4", one4, 253, 40, false}, {"nested Routing header", one6, 43, 64, false}, {"unknown", one4, 200, 40, false},
	}
	for _, tt := range tests {
		t.Run("XCAST-10.1-4/"+tt.name, func(t *testing.T) {
			p := view(t, spec{to: tt.to, proto: tt.proto, segment: make([]byte, tt.n)}.build(t))
			if got := p.Convertible(); got != tt.want {
				t.Errorf("Convertible = %v", got)
			}
			b, err := xcast.X2U([]byte("before"), p, 0, 9)
			if tt.want != (err == nil) || !tt.want && (!errors.Is(err, xcast.ErrNotConvertible) || string(b) != "before") {
				t.Errorf("X2U: %q, %v", b, err)
			}
		})
	}
	t.Run("XCAST-2-5/X bit", func(t *testing.T) {
		p := view(t, spec{to: one4, stay: true}.build(t))
		if _, err := xcast.X2U(nil, p, 0, 9); !errors.Is(err, xcast.ErrXBit) {
			t.Error(err)
		}
	})
	t.Run("XCAST-2-9/bad or inactive", func(t *testing.T) {
		p := view(t, spec{to: "224.0.0.1 10.1.0.1! 10.1.0.2"}.build(t))
		for _, i := range []int{-1, 0, 1, 3, 127} {
			if _, err := xcast.X2U(nil, p, i, 9); !errors.Is(err, xcast.ErrBadDestination) {
				t.Errorf("%d: %v", i, err)
			}
		}
	})
}

// TestX2UTransports: the transport of the unicast packet, in full.
func TestX2UTransports(t *testing.T) {
	fix := func(proto uint8, at int, source, dst string, b []byte) []byte {
		b = slices.Clone(b)
		b[at], b[at+1] = 0, 0
		binary.BigEndian.PutUint16(b[at:], xcast.TransportChecksum(proto, addr(source).AsSlice(), addr(dst).AsSlice(), b))
		return b
	}
	const s4, s6, all4, all6 = "192.0.2.10", "2001:db8:a::10", "224.0.0.254", "ff02::114"
	tcp := append(unhex("0fa0 0000 00000001 00000002 5018 1000 0000 0000"), "odd"...)
	icmp6 := unhex("8100 0000 0001 0002 aa")
	withPort := func(b []byte, port uint16) []byte {
		b = slices.Clone(b)
		binary.BigEndian.PutUint16(b[2:], port)
		return b
	}
	raw := []byte("no checksum here")
	tests := []struct {
		name    string
		to      string
		proto   uint8
		segment []byte
		i       int
		want    []byte
	}{
		{"XCAST-10.1-1/TCP", "10.1.0.1 10.1.0.2", 6, fix(6, 16, s4, all4, tcp), 1, fix(6, 16, s4, "10.1.0.2", tcp)},
		{"XCAST-8.1-1/TCP with ports", "10.1.0.1:80 10.1.0.2:8080", 6, fix(6, 16, s4, all4, tcp), 1, fix(6, 16, s4, "10.1.0.2", withPort(tcp, 8080))},
		{"XCAST-10.1-1/TCP6 with ports", "[2001:db8::1]:80 [2001:db8::2]:8080", 6, fix(6, 16, s6, all6, tcp), 0, fix(6, 16, s6, "2001:db8::1", withPort(tcp, 80))},
		{"XCAST-8.1-1/a port that was not 0", "10.1.0.1:80", 6, fix(6, 16, s4, all4, withPort(tcp, 99)), 0, fix(6, 16, s4, "10.1.0.1", withPort(tcp, 80))},
		{"XCAST-10.1-4/ICMPv6", "2001:db8::1 2001:db8::2", 58, fix(58, 2, s6, all6, icmp6), 1, fix(58, 2, s6, "2001:db8::2", icmp6)},
		{"XCAST-10.1-4/ICMP", "10.1.0.1", 1, raw, 0, raw},
		{"XCAST-10.1-4/SCTP", "10.1.0.1 10.1.0.2", 132, raw, 1, raw},
		{"XCAST-10.1-2/UDP without checksum", "10.1.0.1:9", 17, unhex("0fa0 0000 0008 0000"), 0, unhex("0fa0 0009 0008 0000")},
		{"XCAST-10.1-2/UDP6 without checksum", "2001:db8::1", 17, unhex("0fa0 0007 0008 0000"), 0, unhex("0fa0 0007 0008 0000")},
		{"XCAST-10.1-3/UDP Length is not the payload's", "10.1.0.1", 17, append(fix(17, 6, s4, all4, unhex("0fa0 0007 0008 0000")), 0, 0), 0,
			append(fix(17, 6, s4, "10.1.0.1", unhex("0fa0 0007 0008 0000")), 0, 0)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := spec{to: tt.to, proto: tt.proto, segment: tt.segment}.build(t)
			b, err := xcast.X2U([]byte("before"), view(t, in), tt.i, 9)
			if err != nil || !strings.HasPrefix(string(b), "before") {
				t.Fatal(err)
			}
			b = b[6:]
			if b[0]>>4 == 4 {
				ip, err := xcast.ParseIPv4(b)
				if err != nil || ip.Protocol() != tt.proto || ip.TTL() != 9 || !bytes.Equal(ip.Payload(), tt.want) {
					t.Errorf("%v: % x\nwant % x", err, ip, tt.want)
				}
				return
			}
			ip, err := xcast.ParseIPv6(b)
			if err != nil || ip.NextHeader() != tt.proto || ip.HopLimit() != 9 || !bytes.Equal(ip.Payload(), tt.want) {
				t.Errorf("%v: % x\nwant % x", err, ip, tt.want)
			}
		})
	}
}

// TestZeroChecksum makes UDP and TCP sums come out as zero: XCAST-10.1-2.
func TestZeroChecksum(t *testing.T) {
	for _, proto := range []uint8{17, 6} {
		at, want := 6, []byte{0xff, 0xff}
		segment := append(unhex("0fa0 1388 000a 0000"), 0, 0)
		if proto == 6 {
			at, want = 16, []byte{0, 0}
			segment = append(unhex("0fa0 1388 00000001 00000002 5018 1000 0000 0000"), 0, 0)
		}
		source, dst, all := addr("192.0.2.10").AsSlice(), addr("10.1.0.1").AsSlice(), addr("224.0.0.254").AsSlice()
		last := segment[len(segment)-2:]
		binary.BigEndian.PutUint16(last, xcast.TransportChecksum(proto, source, dst, segment))
		binary.BigEndian.PutUint16(segment[at:], xcast.TransportChecksum(proto, source, all, segment))
		b, err := xcast.X2U(nil, view(t, spec{to: "10.1.0.1", proto: proto, segment: segment}.build(t)), 0, 9)
		if err != nil {
			t.Fatal(err)
		}
		if got := b[20+at : 22+at]; !bytes.Equal(got, want) {
			t.Errorf("XCAST-10.1-2: protocol %d: % x, want % x", proto, got, want)
		}
	}
}

// TestDestinationOptionsAfterX2U: XCAST-9.3.2.2-5 and XCAST-9.3.2.2-3. No Ports
// option may reach a host.
func TestDestinationOptionsAfterX2U(t *testing.T) {
	tests := []struct {
		name    string
		options string // Destination Options header in
		want    string // and out
	}{
		{"XCAST-9.3.2.2-5/ports only", "1101 5e04 1111 2222 0106 000000000000", ""},
		{"XCAST-9.3.2.2-5/ports and padding", "1101 5e04 1111 2222 00 00 00 00 0102 0000", ""},
		{"XCAST-9.3.2.2-5/among others", "1101 0401aa 00 5e04 1111 2222 3e00 0000", "1101 0401aa 00 0104 0000 0000 3e00 0000"},
		{"XCAST-9.3.2.2-3/no ports", "1100 0401aa 00 00 00", "1100 0401aa 00 00 00"},
		{"XCAST-9.3.2.2-3/nothing but padding", "1100 0104 00000000", "1100 0104 00000000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			segment := udp(addr("2001:db8:a::10"), addr("ff02::114"), 4000, 0, "x")
			in := spec{to: "2001:db8::1 2001:db8::2", proto: 60, segment: append(unhex(tt.options), segment...)}.build(t)
			b, err := xcast.X2U(nil, view(t, in), 1, 9)
			if err != nil {
				t.Fatal(err)
			}
			ip, err := xcast.ParseIPv6(b)
			if err != nil {
				t.Fatal(err)
			}
			port, next := uint16(0x2222), uint8(60)
			if strings.HasPrefix(tt.name, "XCAST-9.3.2.2-3") {
				port = 0
			}
			if tt.want == "" {
				next = 17
			}
			want := append(unhex(tt.want), udp(addr("2001:db8:a::10"), addr("2001:db8::2"), 4000, port, "x")...)
			if !bytes.Equal(ip.Payload(), want) || ip.NextHeader() != next {
				t.Errorf("next header %d, % x\nwant %d, % x", ip.NextHeader(), ip.Payload(), next, want)
			}
		})
	}
}

// TestWrongChecksumStaysWrong: XCAST-10.1-3, for every one of 65536 errors.
func TestWrongChecksumStaysWrong(t *testing.T) {
	in := golden(t, "E4a")
	good := slices.Clone(in)
	p := view(t, in)
	right, err := xcast.X2U(nil, view(t, good), 0, 9)
	if err != nil {
		t.Fatal(err)
	}
	for e := 1; e < 65535; e += 97 {
		sum := uint32(binary.BigEndian.Uint16(good[82:])) + uint32(e)
		binary.BigEndian.PutUint16(in[82:], uint16(sum>>16+sum))
		if binary.BigEndian.Uint16(in[82:]) == 0 {
			continue
		}
		b, err := xcast.X2U(nil, p, 0, 9)
		if err != nil {
			t.Fatal(err)
		}
		want := uint32(binary.BigEndian.Uint16(right[26:])) + uint32(e)
		if got := binary.BigEndian.Uint16(b[26:]); got != uint16(want>>16+want) && got^uint16(want>>16+want) != 0xffff {
			t.Fatalf("XCAST-10.1-3: error %d became %04x, right %04x", e, got, right[26:28])
		}
	}
}

// TestPacketView reads E3 and E7 and edits them in place into E4a and E8a.
func TestPacketView(t *testing.T) {
	p := view(t, golden(t, "E3"))
	if dscp, ok := p.DSCP(2); p.Family() != xcast.Xcast4 || p.Len() != 5 || p.Source() != addr("192.0.2.10") || p.TTL() != 9 || p.DSField() != 0xba ||
		p.Active() != xcast.FirstN(5) || p.Address(4) != addr("198.51.100.35") || dscp != 34 || !ok || !p.Anonymous() || p.StayXcast() {
		t.Errorf("E3: %+v", p)
	}
	if port, ok := p.Port(4); port != 7005 || !ok {
		t.Error("port", port)
	}
	if proto, segment := p.Transport(); proto != 17 || len(segment) != 12 || len(p.Channel()) != 4 {
		t.Error(proto, segment)
	}
	want := xcast.Copy(nil, p, xcast.Bit(0).Or(xcast.Bit(3)), 8)
	p.SetTTL(8)
	p.SetActive(xcast.Bit(0).Or(xcast.Bit(3)).Or(xcast.Bit(77)))
	if !bytes.Equal(p.Bytes(), golden(t, "E4a")) || !bytes.Equal(want, p.Bytes()) {
		t.Errorf("E4a: %x", p.Bytes())
	}
	p = view(t, golden(t, "E7"))
	p.SetTTL(8)
	p.SetDSCP(10)
	p.SetActive(xcast.Bit(0).Or(xcast.Bit(2)))
	if !bytes.Equal(p.Bytes(), golden(t, "E8a")) || len(p.Channel()) != 16 || p.Destination() != addr("ff02::114") {
		t.Errorf("E8a: %x", p.Bytes())
	}
	p = view(t, golden(t, "E1"))
	if _, ok := p.DSCP(0); ok {
		t.Error("E1 has no DSCPs")
	}
	if _, ok := p.Port(0); ok {
		t.Error("E1 has no ports")
	}
}

// TestChecksumFFFF: a header whose checksum arrived as ffff is sent on with
// 0000, even if every bit of the bitmap goes from 1 to 0. XCAST-9.2.2-14,
// XCAST-9.2.2-15.
func TestChecksumFFFF(t *testing.T) {
	l := list(xcast.Xcast4, 127, false, false)
	h := xcast.Header4{Protocol: 17, List: l}
	header, err := h.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	header[27] |= 1 // the one bit that no destination has
	header = edit4(header, true, func(b []byte) []byte { return b })
	header[4], header[5] = header[2], header[3]
	header = edit4(header, true, func(b []byte) []byte { return b })
	if header[2] != 0 || header[3] != 0 {
		t.Fatalf("checksum % x", header[2:4])
	}
	header[2], header[3] = 0xff, 0xff
	f := xcast.IPv4Fields{TTL: 9, Protocol: 253, Source: addr("192.0.2.10"), Destination: addr("224.0.0.254")}
	b, err := f.AppendHeader(nil, len(header)+8)
	if err != nil {
		t.Fatal(err)
	}
	p := view(t, append(append(b, header...), make([]byte, 8)...))
	p.SetActive(xcast.Bitmap{})
	if got := p.Bytes()[22:24]; !bytes.Equal(got, []byte{0, 0}) {
		t.Errorf("XCAST-9.2.2-14: checksum % x, want 0000", got)
	}
	view(t, p.Bytes())
}
