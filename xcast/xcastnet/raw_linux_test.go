// SPDX-License-Identifier: BSD-3-Clause

package xcastnet_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
	"github.com/mcastalloc/malloc/xcast/xcastnet"
)

// ownNamespace puts the calling goroutine in a network namespace of its own,
// with a pair of links x0 and x1. It vanishes with the goroutine's thread.
func ownNamespace(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to make a network namespace")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		t.Skip("no network namespace: ", err)
	}
	for _, line := range []string{
		"link set lo up", "link add x0 type veth peer name x1", "link set x0 up", "link set x1 up",
		"addr add 192.0.2.10/24 dev x0", "-6 addr add 2001:db8:a::10/64 dev x0 nodad",
		"route add default via 192.0.2.1 dev x0", "-6 route add default via 2001:db8:a::1 dev x0",
	} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Skipf("ip %s: %v: %s", line, err, out)
		}
	}
}

// TestRawSocket sends with real raw sockets over a real link and captures what
// comes out at its other end, octet for octet what the datagram says.
func TestRawSocket(t *testing.T) {
	ownNamespace(t)
	all := int(binary.NativeEndian.Uint16([]byte{0, syscall.ETH_P_ALL})) // network order
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM, all)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	other, err := net.InterfaceByName("x1")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: uint16(all), Ifindex: other.Index}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 5}); err != nil {
		t.Fatal(err)
	}
	out, err := net.InterfaceByName("x0")
	if err != nil {
		t.Fatal(err)
	}
	code := xcast.Experimental()
	for _, c := range []struct{ local, to1, to2 string }{
		{"192.0.2.10:4000", "198.51.100.21:5000", "203.0.113.5:5001"},
		{"[2001:db8:a::10]:4000", "[2001:db8:b::21]:5000", "[2001:db8:c::22]:5001"},
	} {
		conn, err := xcastnet.Listen(t.Context(), netip.MustParseAddrPort(c.local), xcastnet.Config{Code: code, Interface: out, Mode: xcastnet.Xcast, TTL: 9})
		if err != nil {
			t.Fatal(err)
		}
		to := []netip.AddrPort{netip.MustParseAddrPort(c.to1), netip.MustParseAddrPort(c.to2)}
		sent, err := conn.WriteTo([]byte("over the wire"), to)
		if err != nil || sent != (xcastnet.Sent{Mode: xcastnet.Xcast, Packets: 1}) {
			t.Fatalf("%+v, %v", sent, err)
		}
		d := xcast.Datagram{Code: code, Source: netip.MustParseAddrPort(c.local), Destinations: to, TTL: 9}
		tpl, err := d.Template()
		if err != nil {
			t.Fatal(err)
		}
		want, err := tpl.AppendPacket(nil, []byte("over the wire"), 1)
		if err != nil {
			t.Fatal(err)
		}
		var p xcast.Packet
		buf := make([]byte, 2000)
		for {
			n, _, err := syscall.Recvfrom(fd, buf, 0)
			if err != nil {
				t.Fatal("nothing captured: ", err)
			}
			if p.Decode(buf[:n], &code) == nil {
				break
			}
		}
		got := p.Bytes()
		if p.Family() == xcast.Xcast6 {
			copy(got[1:4], want[1:4]) // the system may choose a flow label
		}
		if !bytes.Equal(got, want) {
			t.Errorf("\n got %x\nwant %x", got, want)
		}
		conn.Close()
	}
}
