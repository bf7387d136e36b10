// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
)

// TestNoAllocs: decoding into a reused value, appending to a reused buffer,
// views, forwarding and sending allocate nothing.
func TestNoAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	code := xcast.Experimental()
	e3, e7 := golden(t, "E3"), golden(t, "E7")
	var h4 xcast.Header4
	h6 := xcast.Header6{Code: code}
	buf := make([]byte, 0, 4096)
	d := datagram(xcast.Xcast4, 127)
	tpl, err := d.Template()
	if err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, 200)
	var p xcast.Packet
	e3p, e7p := view(t, golden(t, "E3")), view(t, golden(t, "E7"))
	run := func(name string, f func()) {
		t.Helper()
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	run("Header4.Decode", func() { _, _ = h4.Decode(e3[20:]) })
	run("Header6.Decode", func() { _, _ = h6.Decode(e7[40:]) })
	run("Header4.AppendBinary", func() { _, _ = h4.AppendBinary(buf) })
	run("Header6.AppendBinary", func() { _, _ = h6.AppendBinary(buf) })
	run("Packet.Decode", func() { _, _ = p.Decode(e3, &code), p.Decode(e7, &code) })
	run("Packet mutators", func() { e3p.SetTTL(9); e3p.SetActive(xcast.FirstN(3)); e7p.SetDSCP(4) })
	run("Copy", func() { _ = xcast.Copy(buf, e7p, xcast.FirstN(2), 3) })
	run("X2U", func() { _, _ = xcast.X2U(buf, e7p, 0, 3) })
	run("Template.AppendPacket", func() { _, _ = tpl.AppendPacket(buf, payload, 7) })
	for _, f := range []xcast.Family{xcast.Xcast4, xcast.Xcast6} {
		for _, n := range benchSizes {
			packet := benchPacket(t, f, n, 4)
			node := benchNode(t, nil)
			all := benchNode(t, func(c *xcast.Config) { c.Policy = xcast.X2UAlways })
			peers := benchNode(t, func(c *xcast.Config) {
				c.Peer = func(a netip.Addr) (xcast.Tunnel, bool) {
					if a.Is4() {
						return xcast.Tunnel{Local: tunnelLocal4, Remote: tunnelLocal4.Next()}, true
					}
					return xcast.Tunnel{Local: tunnelLocal6, Remote: tunnelLocal6.Next()}, true
				}
			})
			run("Forward", func() { _, _ = node.Forward(0, packet) })
			run("Forward, X2U", func() { _, _ = all.Forward(0, packet) })
			run("Forward, tunnels", func() { _, _ = peers.Forward(0, packet) })
		}
	}
	split := (&table{}).config(nil)
	split.Route = func(netip.Addr) (xcast.Route, bool) { return xcast.Route{Gateway: tunnelLocal4, Capable: true}, true }
	node, err := xcast.NewForwarder(split)
	if err != nil {
		t.Fatal(err)
	}
	run("Forward, DSCPs", func() { _, _ = node.Forward(0, e3) })
}

// TestDependencies: the package imports the standard library only, and of it
// nothing that opens sockets or keeps time.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Skip("no go command: ", err)
	}
	if got := strings.Fields(string(out)); len(got) != 1 {
		t.Errorf("depends on %v", got)
	}
	out, _ = exec.Command("go", "list", "-f", `{{join .Imports " "}}`, ".").Output()
	for _, bad := range []string{"net", "os", "log", "log/slog", "reflect", "unsafe", "sync", "context", "math/rand"} {
		for _, got := range strings.Fields(string(out)) {
			if got == bad {
				t.Errorf("imports %s", bad)
			}
		}
	}
}
