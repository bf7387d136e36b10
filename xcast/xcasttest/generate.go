// SPDX-License-Identifier: BSD-3-Clause

package xcasttest

import (
	"encoding/binary"
	"net/netip"

	"github.com/mcastalloc/malloc/xcast"
	"pgregory.net/rapid"
)

// Addr4 draws an IPv4 unicast address from a small range, so that lists have
// repetitions and routes have common prefixes.
func Addr4() *rapid.Generator[netip.Addr] {
	return rapid.Custom(func(t *rapid.T) netip.Addr {
		return netip.AddrFrom4([4]byte{10, 0, rapid.Byte().Draw(t, "net") % 6, rapid.Byte().Draw(t, "host")})
	})
}

// Addr6 does the same for IPv6.
func Addr6() *rapid.Generator[netip.Addr] {
	return rapid.Custom(func(t *rapid.T) netip.Addr {
		return netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 7: rapid.Byte().Draw(t, "net") % 6, 15: rapid.Byte().Draw(t, "host")})
	})
}

// List draws a list that fits a header of the family.
func List(f xcast.Family) *rapid.Generator[xcast.List] {
	return rapid.Custom(func(t *rapid.T) (l xcast.List) {
		l.Anonymous, l.StayXcast = rapid.Bool().Draw(t, "A"), rapid.Bool().Draw(t, "X")
		dscps, ports := rapid.Bool().Draw(t, "D"), rapid.Bool().Draw(t, "P")
		n := rapid.IntRange(1, xcast.MaxDestinations(f, dscps)).Draw(t, "n")
		if rapid.IntRange(0, 3).Draw(t, "short") > 0 {
			n = min(n, 1+n%9)
		}
		address := Addr4()
		if f == xcast.Xcast6 {
			address = Addr6()
		}
		for i := range n {
			l.Addresses = append(l.Addresses, address.Draw(t, "address"))
			if dscps {
				l.DSCPs = append(l.DSCPs, rapid.SampledFrom([]xcast.DSCP{0, 0, 0, 1, 8, 16, 10, 12, 14, 34, 36, 46, 44, 63}).Draw(t, "dscp"))
			}
			if ports {
				l.Ports = append(l.Ports, rapid.Uint16().Draw(t, "port"))
			}
			if rapid.IntRange(0, 4).Draw(t, "active") > 0 {
				l.Active = l.Active.Or(xcast.Bit(i))
			}
		}
		if l.Anonymous {
			for i := range l.Addresses {
				if !l.Active.Has(i) && f == xcast.Xcast4 {
					l.Addresses[i] = netip.IPv4Unspecified()
				} else if !l.Active.Has(i) {
					l.Addresses[i] = netip.IPv6Unspecified()
				}
			}
		}
		return l
	})
}

// Header4 draws an Xcast4 header that can be encoded and comes back the same.
func Header4() *rapid.Generator[xcast.Header4] {
	return rapid.Custom(func(t *rapid.T) xcast.Header4 {
		return xcast.Header4{
			Channel:  rapid.Uint32().Draw(t, "channel"),
			Protocol: rapid.SampledFrom([]uint8{17, 6, 1, 132, 50, 4}).Draw(t, "protocol"),
			List:     List(xcast.Xcast4).Draw(t, "list"),
		}
	})
}

// Header6 draws an Xcast6 header that can be encoded and comes back the same.
func Header6(code xcast.CodePoints) *rapid.Generator[xcast.Header6] {
	return rapid.Custom(func(t *rapid.T) xcast.Header6 {
		h := xcast.Header6{
			Code:       code,
			NextHeader: rapid.SampledFrom([]uint8{17, 6, 58, 132, 50, 44}).Draw(t, "next header"),
			List:       List(xcast.Xcast6).Draw(t, "list"),
		}
		binary.BigEndian.PutUint64(h.Channel[8:], rapid.Uint64().Draw(t, "channel"))
		if len(h.Ports) > 0 && rapid.Bool().Draw(t, "options") {
			for range rapid.IntRange(1, 3).Draw(t, "count") {
				data := rapid.SliceOfN(rapid.Byte(), 0, 7).Draw(t, "data")
				h.Options = append(h.Options, rapid.SampledFrom([]byte{0x04, 0x3e, 0x05}).Draw(t, "type"), byte(len(data)))
				h.Options = append(h.Options, data...)
			}
		}
		return h
	})
}

// Packet draws a whole Xcast packet with a right transport checksum, if its
// transport has one.
func Packet(code xcast.CodePoints) *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		ttl := rapid.SampledFrom([]uint8{0, 1, 2, 3, 16, 64, 255}).Draw(t, "ttl")
		ds := rapid.Byte().Draw(t, "ds")
		if rapid.Bool().Draw(t, "v6") {
			h := Header6(code).Draw(t, "header")
			source := Addr6().Draw(t, "source")
			segment := segment(t, h.NextHeader, source, code.AllRouters6)
			ip := xcast.IPv6Fields{DSField: ds, FlowLabel: rapid.Uint32Max(0xfffff).Draw(t, "flow"), NextHeader: 43, HopLimit: ttl,
				Source: source, Destination: code.AllRouters6}
			b, err := ip.AppendHeader(nil, h.Size()+len(segment))
			if err == nil {
				b, err = h.AppendBinary(b)
			}
			if err != nil {
				t.Fatal(err)
			}
			return append(b, segment...)
		}
		h := Header4().Draw(t, "header")
		source := Addr4().Draw(t, "source")
		segment := segment(t, h.Protocol, source, code.AllRouters4)
		ip := xcast.IPv4Fields{DSField: ds, ID: rapid.Uint16().Draw(t, "id"), DontFragment: rapid.Bool().Draw(t, "DF"), TTL: ttl,
			Protocol: code.ProtoXcast4, Source: source, Destination: code.AllRouters4}
		b, err := ip.AppendHeader(nil, h.Size()+len(segment))
		if err == nil {
			b, err = h.AppendBinary(b)
		}
		if err != nil {
			t.Fatal(err)
		}
		return append(b, segment...)
	})
}

// segment draws a transport segment.
func segment(t *rapid.T, protocol uint8, source, destination netip.Addr) []byte {
	payload := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "payload")
	checksumAt, least := -1, 0
	switch protocol {
	case 17:
		checksumAt, least = 6, 8
	case 6:
		checksumAt, least = 16, 20
	case 58:
		checksumAt, least = 2, 4
	case 1:
		least = 4
	}
	b := append(make([]byte, least), payload...)
	if len(b) == 0 {
		b = []byte{0}
	}
	for i := range least {
		b[i] = byte(rapid.Uint8().Draw(t, "octet"))
	}
	switch protocol {
	case 17:
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	case 6:
		b[12] = 5 << 4
	}
	if checksumAt >= 0 {
		b[checksumAt], b[checksumAt+1] = 0, 0
		binary.BigEndian.PutUint16(b[checksumAt:], xcast.TransportChecksum(protocol, source.AsSlice(), destination.AsSlice(), b))
	}
	return b
}
