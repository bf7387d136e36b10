// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/xcast"
)

// TestMain lets the lab run this test binary in its namespaces.
func TestMain(m *testing.M) {
	if os.Getenv("XCAST_EXAMPLE_RUN_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func Example() {
	if err := run(context.Background(), []string{"lab", "-memory"}, nil, os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// RFC 5058 figure 1 in memory; every router speaks Xcast
	// link     with Xcast           with unicast
	// A-R1     1 packet(s),   93    3 packet(s),  195 octets
	// R1-R2    1 packet(s),   93    3 packet(s),  195 octets
	// R2-R3    1 packet(s),   93    3 packet(s),  195 octets
	// R3-R4    1 packet(s),   65    1 packet(s),   65 octets
	// R4-B     1 packet(s),   65    1 packet(s),   65 octets
	// R3-R5    1 packet(s),   93    2 packet(s),  130 octets
	// R5-R6    1 packet(s),   93    2 packet(s),  130 octets
	// R6-R7    1 packet(s),   93    2 packet(s),  130 octets
	// R7-R8    1 packet(s),   65    1 packet(s),   65 octets
	// R8-C     1 packet(s),   65    1 packet(s),   65 octets
	// R7-R9    1 packet(s),   65    1 packet(s),   65 octets
	// R9-D     1 packet(s),   65    1 packet(s),   65 octets
	// all      12 packets, 948      21 packets, 1365 octets
}

// TestNamespaces runs the lab on real interfaces, with the routers, real UDP
// receivers and a packet capture on every link, and compares the copies with
// those of the same network in memory. XCAST-9.1-3: copies between routers
// travel by link-layer unicast, or R1 would not be the only one to forward.
func TestNamespaces(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make network namespaces")
	}
	for _, v6 := range []string{"-6=false", "-6=true"} {
		var real, memory strings.Builder
		err := run(t.Context(), []string{"lab", "-memory=false", v6}, nil, &real)
		if err != nil && strings.Contains(err.Error(), "netns add") || errors.Is(err, os.ErrPermission) {
			t.Skip("no network namespaces here: ", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := run(t.Context(), []string{"lab", "-memory", v6}, nil, &memory); err != nil {
			t.Fatal(err)
		}
		got, want := slices.Collect(strings.Lines(real.String())), slices.Collect(strings.Lines(memory.String()))
		if !slices.Equal(got[1:], want[1:]) {
			t.Errorf("%s\ngot\n%swant\n%s", v6, real.String(), memory.String())
		}
	}
}

// TestSendAndReceive sends over loopback, as unicast.
func TestSendAndReceive(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	in, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"receive", "-on", "127.0.0.1:0"}, nil, out) }()
	buf := make([]byte, 200)
	n, err := in.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	to := strings.TrimSpace(strings.TrimPrefix(string(buf[:n]), "receiving on "))
	var said strings.Builder
	if err := run(ctx, []string{"send", to}, strings.NewReader("hello"), &said); err != nil {
		t.Fatal(err)
	}
	if want := "sent 5 octets to 1 destinations in 1 packet(s) by unicast\n"; said.String() != want {
		t.Errorf("%q, want %q", said.String(), want)
	}
	if n, err = in.Read(buf); err != nil || !strings.HasPrefix(string(buf[:n]), `"hello" from 127.0.0.1:`) {
		t.Errorf("%q, %v", buf[:n], err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestReadTable reads a file of routes, and says what is wrong with one.
func TestReadTable(t *testing.T) {
	index := func(dev string) (int32, error) { return map[string]int32{"eth0": 1, "eth1": 2}[dev], nil }
	table, err := readTable(strings.NewReader("# a comment\n0.0.0.0/0 via 192.0.2.1 dev eth0\n198.51.100.0/24 via 192.0.2.2 dev eth1 mtu 1400 xcast # here\n\n"), index)
	if err != nil {
		t.Fatal(err)
	}
	for a, want := range map[string]xcast.Route{
		"198.51.100.7": {Gateway: netip.MustParseAddr("192.0.2.2"), Interface: 2, Capable: true, MTU: 1400},
		"203.0.113.1":  {Gateway: netip.MustParseAddr("192.0.2.1"), Interface: 1},
	} {
		if got, ok := table.lookup(netip.MustParseAddr(a)); !ok || got != want {
			t.Errorf("%s: %+v, want %+v", a, got, want)
		}
	}
	if _, ok := table.lookup(netip.MustParseAddr("2001:db8::1")); ok {
		t.Error("a route out of nowhere")
	}
	for _, bad := range []string{"nonsense", "10.0.0.0/8", "10.0.0.0/8 via", "10.0.0.0/8 via x dev eth0", "10.0.0.0/8 dev eth0 mtu x", "10.0.0.0/8 away eth0"} {
		if _, err := readTable(strings.NewReader("\n"+bad), index); err == nil || !strings.Contains(err.Error(), `line 2: "`+bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// fakePort gives packets and notes what comes out.
type fakePort struct {
	in  [][]byte
	out []string
}

func (p *fakePort) receive(context.Context) (int, []byte, error) {
	if len(p.in) == 0 {
		return 0, nil, net.ErrClosed
	}
	b := p.in[0]
	p.in = p.in[1:]
	return 1, b, nil
}

func (p *fakePort) transmit(on int32, to netip.Addr, head, tail []byte) error {
	p.out = append(p.out, to.String())
	return nil
}
func (p *fakePort) deliver([]byte) error                  { p.out = append(p.out, "self"); return nil }
func (p *fakePort) refresh() ([]netip.Addr, table, error) { return nil, nil, nil }
func (p *fakePort) String() string                        { return strings.Join(p.out, " ") }

// TestRouterLoop runs the router's loop on packets from nowhere.
func TestRouterLoop(t *testing.T) {
	table, err := readTable(strings.NewReader("198.51.100.0/24 via 192.0.2.2 dev x\n203.0.113.0/24 via 192.0.2.3 dev x"), func(string) (int32, error) { return 1, nil })
	if err != nil {
		t.Fatal(err)
	}
	config, err := routerConfig([]netip.Addr{netip.MustParseAddr("192.0.2.1")}, table, "192.0.2.2", "single")
	if err != nil {
		t.Fatal(err)
	}
	f, err := xcast.NewForwarder(config)
	if err != nil {
		t.Fatal(err)
	}
	d := xcast.Datagram{Code: config.Code, Source: netip.MustParseAddrPort("192.0.2.10:4000")}
	for _, a := range []string{"198.51.100.1:1", "203.0.113.1:1", "198.51.100.2:1", "203.0.113.2:1", "192.0.2.1:1", "10.0.0.1:1"} {
		d.Destinations = append(d.Destinations, netip.MustParseAddrPort(a))
	}
	tpl, err := d.Template()
	if err != nil {
		t.Fatal(err)
	}
	packet, err := tpl.AppendPacket(nil, []byte("x"), 1)
	if err != nil {
		t.Fatal(err)
	}
	damaged := slices.Clone(packet)
	damaged[40] ^= 1
	p, log := &fakePort{in: [][]byte{packet, damaged, {0x45}}}, &strings.Builder{}
	if err := forward(t.Context(), p, f, log); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	// To a neighbour that speaks Xcast one copy, to one that does not two packets.
	if want := "192.0.2.2 192.0.2.3 192.0.2.3 self"; p.String() != want {
		t.Errorf("%s, want %s", p, want)
	}
	report(f.Stats(), log)
	for _, want := range []string{"dropped {5}: no-route", "checksum", "3 packets seen; 1 deliver 2 unicast 1 xcast"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log has no %q:\n%s", want, log)
		}
	}
	if _, err := routerConfig(nil, nil, "", "sometimes"); err == nil {
		t.Error("policy sometimes")
	}
}
