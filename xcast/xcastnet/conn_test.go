// SPDX-License-Identifier: BSD-3-Clause

package xcastnet_test

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/xcast"
	"github.com/mcastalloc/malloc/xcast/xcastnet"
)

// receiver is an ordinary UDP socket.
func receiver(t *testing.T, address string) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
	if err != nil {
		t.Skipf("no socket on %s: %v", address, err)
	}
	t.Cleanup(func() { c.Close() })
	return c, c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// TestUnicastFallback sends from loopback, where there is no Xcast: everybody
// gets a copy, and the Conn says how.
func TestUnicastFallback(t *testing.T) {
	for _, local := range []string{"127.0.0.1:0", "[::1]:0"} {
		var log strings.Builder
		a, toA := receiver(t, local)
		b, toB := receiver(t, local)
		conn, err := xcastnet.Listen(t.Context(), netip.MustParseAddrPort(local), xcastnet.Config{
			Code: xcast.Experimental(), Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		sent, err := conn.WriteTo([]byte("hello"), []netip.AddrPort{toA, toB})
		if err != nil || sent != (xcastnet.Sent{Mode: xcastnet.Unicast, Packets: 2}) || conn.Mode() != xcastnet.Unicast {
			t.Fatalf("%+v, %v", sent, err)
		}
		if !strings.Contains(log.String(), "unicast copies") {
			t.Errorf("log %q", log.String())
		}
		for _, r := range []*net.UDPConn{a, b} {
			buf := make([]byte, 100)
			_ = r.SetReadDeadline(time.Now().Add(5 * time.Second))
			n, from, err := r.ReadFromUDPAddrPort(buf)
			if err != nil || string(buf[:n]) != "hello" || from.Port() != conn.LocalAddr().Port() {
				t.Fatalf("%q from %v, %v", buf[:n], from, err)
			}
			if _, err := r.WriteToUDPAddrPort([]byte("answer"), from); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			n, from, err = conn.ReadFrom(buf)
			if err != nil || string(buf[:n]) != "answer" || from != r.LocalAddr().(*net.UDPAddr).AddrPort() {
				t.Fatalf("%q from %v, %v", buf[:n], from, err)
			}
		}
	}
}

// TestXcastMode looks at the packets themselves.
func TestXcastMode(t *testing.T) {
	var packets [][]byte
	config := xcastnet.Config{
		Code: xcast.Experimental(), MTU: 100, TTL: 7, Channel: [16]byte{15: 5}, Anonymous: true,
		Transmit: func(b []byte) error { packets = append(packets, slices.Clone(b)); return nil },
	}
	conn := listenAnywhere(t, config)
	var to []netip.AddrPort
	for i := range 20 {
		to = append(to, netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i + 1)}), 5000))
	}
	for range 2 { // the second time from the cache
		packets = nil
		sent, err := conn.WriteTo([]byte("hello"), to)
		if err != nil || sent.Mode != xcastnet.Xcast || sent.Packets != len(packets) || len(packets) != 2 {
			t.Fatalf("%+v, %v, %d packets", sent, err, len(packets))
		}
		var all []netip.Addr
		for _, b := range packets {
			code := xcast.Experimental()
			var p xcast.Packet
			if err := p.Decode(b, &code); err != nil {
				t.Fatal(err)
			}
			if len(b) > 100 || p.TTL() != 7 || !p.Anonymous() || p.StayXcast() || p.Channel()[3] != 5 || p.Source() != conn.LocalAddr().Addr() {
				t.Errorf("%d octets, %+v", len(b), p)
			}
			for i := range p.Len() {
				all = append(all, p.Address(i))
			}
			if _, segment := p.Transport(); string(segment[8:]) != "hello" {
				t.Errorf("payload %q", segment[8:])
			}
		}
		for i, a := range all {
			if a != to[i].Addr() {
				t.Fatalf("destinations %v", all)
			}
		}
	}
	packets = nil
	if _, err := conn.WriteTo(make([]byte, 50), to); err != nil || len(packets) != 20 {
		t.Errorf("%d packets for a payload with room for one destination each, %v", len(packets), err)
	}
	if _, err := conn.WriteTo(make([]byte, 90), to); !errors.Is(err, xcastnet.ErrTooLong) {
		t.Error(err)
	}
	if _, err := conn.WriteTo(nil, []netip.AddrPort{to[0], netip.MustParseAddrPort("224.0.0.1:1")}); !errors.Is(err, xcast.ErrBadDestination) {
		t.Error(err)
	}
}

// listenAnywhere listens on any address of this host that is not loopback.
func listenAnywhere(t *testing.T, config xcastnet.Config) *xcastnet.Conn {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Skip(err)
	}
	for _, a := range addresses {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil || !prefix.Addr().Is4() || prefix.Addr().IsLoopback() || prefix.Addr().IsLinkLocalUnicast() {
			continue
		}
		conn, err := xcastnet.Listen(t.Context(), netip.AddrPortFrom(prefix.Addr(), 0), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	t.Skip("no IPv4 address but loopback")
	return nil
}

// TestListenErrors refuses what cannot work.
func TestListenErrors(t *testing.T) {
	for _, local := range []string{"0.0.0.0:0", "[::]:0", "224.0.0.1:0"} {
		if c, err := xcastnet.Listen(t.Context(), netip.MustParseAddrPort(local), xcastnet.Config{Code: xcast.Experimental()}); err == nil {
			c.Close()
			t.Errorf("%s was taken", local)
		}
	}
	if _, err := xcastnet.Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), xcastnet.Config{}); !errors.Is(err, xcast.ErrCodePoints) {
		t.Errorf("XCAST-15-1: %v", err)
	}
	if _, err := xcastnet.Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), xcastnet.Config{Code: xcast.Experimental(), Mode: xcastnet.Xcast}); err == nil {
		t.Error("Xcast from loopback")
	}
}
