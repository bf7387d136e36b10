// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
)

// golden reads a packet of testdata/golden: hex, with a comment per field.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/golden/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for line := range strings.Lines(string(text)) {
		digits, _, _ := strings.Cut(line, "#")
		octets, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b = append(b, octets...)
	}
	return b
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// A table is a node's tables in text: local addresses, and routes of the form
// "prefix via gateway" or "prefix direct", with the flags plain (the next hop
// is not capable), if=N and mtu=N.
type table struct {
	local  []string
	routes []string
	peers  map[string]string // prefix → remote; local end is tunnelLocal
	// asked counts route lookups.
	asked map[netip.Addr]int
}

var (
	tunnelLocal4 = addr("192.0.2.1")
	tunnelLocal6 = addr("2001:db8::1")
)

func (tb *table) config(change func(*xcast.Config)) xcast.Config {
	tb.asked = map[netip.Addr]int{}
	c := xcast.Config{
		Code: xcast.Experimental(),
		Local: func(a netip.Addr) bool {
			for _, l := range tb.local {
				if addr(l) == a {
					return true
				}
			}
			return false
		},
		Route: func(a netip.Addr) (xcast.Route, bool) {
			tb.asked[a]++
			best, found := xcast.Route{}, -1
			for _, line := range tb.routes {
				f := strings.Fields(line)
				prefix := netip.MustParsePrefix(f[0])
				if !prefix.Contains(a) || prefix.Bits() <= found {
					continue
				}
				best, found = xcast.Route{Capable: true}, prefix.Bits()
				rest := f[2:]
				if f[1] == "via" {
					best.Gateway, rest = addr(f[2]), f[3:]
				}
				for _, flag := range rest {
					switch {
					case flag == "plain":
						best.Capable = false
					case strings.HasPrefix(flag, "if="):
						fmt.Sscanf(flag, "if=%d", &best.Interface)
					case strings.HasPrefix(flag, "mtu="):
						fmt.Sscanf(flag, "mtu=%d", &best.MTU)
					}
				}
			}
			return best, found >= 0
		},
	}
	if tb.peers != nil {
		c.Peer = func(a netip.Addr) (xcast.Tunnel, bool) {
			for prefix, remote := range tb.peers {
				if netip.MustParsePrefix(prefix).Contains(a) {
					local := tunnelLocal4
					if a.Is6() {
						local = tunnelLocal6
					}
					return xcast.Tunnel{Local: local, Remote: addr(remote)}, true
				}
			}
			return xcast.Tunnel{}, false
		}
	}
	if change != nil {
		change(&c)
	}
	return c
}

func (tb *table) node(t testing.TB, change func(*xcast.Config)) *xcast.Forwarder {
	t.Helper()
	f, err := xcast.NewForwarder(tb.config(change))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// say renders a result in one line per output and drop:
// "unicast {1} to 192.0.2.3" or "drop {2} no-route".
func say(r xcast.Result) string {
	var lines []string
	o, d := r.Outputs, r.Drops
	for len(o)+len(d) > 0 {
		if len(d) == 0 || len(o) > 0 && o[0].Destinations.First() < d[0].Destinations.First() {
			line := fmt.Sprintf("%v %v", o[0].Kind, o[0].Destinations)
			if o[0].NextHop.IsValid() {
				line += " to " + o[0].NextHop.String()
			}
			if o[0].Fragment {
				line += " in fragments"
			}
			lines, o = append(lines, line), o[1:]
			continue
		}
		lines, d = append(lines, fmt.Sprintf("drop %v %v", d[0].Destinations, d[0].Reason.String())), d[1:]
	}
	return strings.Join(lines, "; ")
}

func octets(o xcast.Output) []byte {
	b, _ := o.AppendBinary(nil)
	return b
}

// A spec says what packet to build. The zero of a field means something usual.
type spec struct {
	to        string // destinations, with :port if there are ports; a trailing ! clears the bit
	dscps     []xcast.DSCP
	anonymous bool
	stay      bool
	source    string
	dst       string // All_Xcast_Routers if empty
	ttl       uint8  // 16
	ds        uint8
	fragments bool // DF clear
	proto     uint8
	segment   []byte // transport; a UDP datagram with payload "data" if nil
	options   []byte // other destination options
}

func (s spec) build(t testing.TB) []byte {
	t.Helper()
	code := xcast.Experimental()
	l := xcast.List{Anonymous: s.anonymous, StayXcast: s.stay, DSCPs: s.dscps}
	for i, word := range strings.Fields(s.to) {
		word, off := strings.CutSuffix(word, "!")
		if ap, err := netip.ParseAddrPort(word); err == nil {
			l.Addresses, l.Ports = append(l.Addresses, ap.Addr()), append(l.Ports, ap.Port())
		} else {
			l.Addresses = append(l.Addresses, addr(word))
		}
		if !off {
			l.Active = l.Active.Or(xcast.Bit(i))
		}
	}
	ttl, proto := s.ttl, s.proto
	if ttl == 0 {
		ttl = 16
	}
	if proto == 0 && s.segment == nil {
		proto = 17
	}
	v6 := l.Addresses[0].Is6()
	source, dst := addr("192.0.2.10"), code.AllRouters4
	if v6 {
		source, dst = addr("2001:db8:a::10"), code.AllRouters6
	}
	if s.source != "" {
		source = addr(s.source)
	}
	if s.dst != "" {
		dst = addr(s.dst)
	}
	segment := s.segment
	if segment == nil {
		segment = udp(source, dst, 4000, 5000*uint16(1-min(1, len(l.Ports))), "data")
	}
	var header, packet []byte
	var err error
	if v6 {
		h := xcast.Header6{Code: code, NextHeader: proto, List: l, Options: s.options}
		header, err = h.AppendBinary(nil)
		f := xcast.IPv6Fields{DSField: s.ds, NextHeader: 43, HopLimit: ttl, Source: source, Destination: dst}
		packet, _ = f.AppendHeader(nil, len(header)+len(segment))
	} else {
		h := xcast.Header4{Protocol: proto, List: l}
		header, err = h.AppendBinary(nil)
		f := xcast.IPv4Fields{DSField: s.ds, ID: 77, DontFragment: !s.fragments, TTL: ttl, Protocol: code.ProtoXcast4, Source: source, Destination: dst}
		packet, _ = f.AppendHeader(nil, len(header)+len(segment))
	}
	if err != nil {
		t.Fatal(err)
	}
	return append(append(packet, header...), segment...)
}

func udp(source, dst netip.Addr, from, to uint16, payload string) []byte {
	n := 8 + len(payload)
	b := append([]byte{byte(from >> 8), byte(from), byte(to >> 8), byte(to), byte(n >> 8), byte(n), 0, 0}, payload...)
	c := xcast.TransportChecksum(17, source.AsSlice(), dst.AsSlice(), b)
	b[6], b[7] = byte(c>>8), byte(c)
	return b
}

// wantReason checks the class and the offset of an error.
func wantReason(t testing.TB, err error, want xcast.Reason, offset int) {
	t.Helper()
	var e *xcast.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want *xcast.Error with %v", err, want)
	}
	if !errors.Is(err, want) || e.Offset != offset {
		t.Errorf("error %v (offset %d), want %v at %d", err, e.Offset, want, offset)
	}
}
