// SPDX-License-Identifier: BSD-3-Clause

package mascnet_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/masc/mascnet"
)

// site is one node of a test, listening on an address of its own.
type site struct {
	*mascnet.Server
	addr     netip.AddrPort
	listener net.Listener
	cfg      mascnet.Config
	allotted chan []masc.Allotment
	saved    chan masc.Snapshot
	stop     context.CancelFunc
	ended    chan error
}

// listen opens a port on 127.0.0.n: nodes are told apart by their addresses
// (MASC-4-3, MASC-4-4).
func listen(t *testing.T, n byte) *site {
	l, err := net.Listen("tcp", netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, n}), 0).String())
	if err != nil {
		t.Skip("no second loopback address:", err)
	}
	a := netip.MustParseAddrPort(l.Addr().String())
	s := &site{listener: l, addr: a, allotted: make(chan []masc.Allotment, 100), saved: make(chan masc.Snapshot, 100), ended: make(chan error, 1)}
	s.cfg = mascnet.Config{Listener: l, Local: a.Addr(),
		Allotted: func(a []masc.Allotment) { s.allotted <- a },
		Persist:  func(x masc.Snapshot) error { s.saved <- x; return nil }}
	c := &s.cfg.Speaker
	c.HoldTime, c.ConnectRetry, c.MinBackoff, c.MaxBackoff, c.BootDelay = 3*time.Second, time.Second, 50*time.Millisecond, time.Second, -1
	c.Node = masc.NodeConfig{Domain: masc.NumberID(uint64(n)), Node: masc.AddrID(a.Addr()), Rand: rand.New(rand.NewPCG(uint64(n), 1)),
		Waiting: 2 * time.Second, ClaimDelay: 20 * time.Millisecond, ReclaimPeriod: time.Hour, Lifetime: time.Hour}
	return s
}

func (s *site) peer(other *site, role masc.Role) {
	d := other.cfg.Speaker.Node.Domain
	n := &s.cfg.Speaker.Node
	n.Peers = append(n.Peers, masc.Peer{Role: role, Domain: d})
	if role == masc.Child {
		n.Parents = append(n.Parents, d)
	}
	s.cfg.Peers = append(s.cfg.Peers, other.addr)
}

func (s *site) run(t *testing.T) {
	var err error
	if s.Server, err = mascnet.New(s.cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s.stop = cancel
	go func() { s.ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-s.ended; err != nil && !errors.Is(err, errDisk) {
			t.Error(err)
		}
	})
}

var errDisk = errors.New("disk full")

// TestTwoNodes: a child wins a prefix from its parent over TCP.
func TestTwoNodes(t *testing.T) {
	top, child := listen(t, 2), listen(t, 3)
	top.peer(child, masc.Parent)
	child.peer(top, masc.Child)
	top.run(t)
	child.run(t)
	ctx := t.Context()
	if err := child.Do(ctx, func(now time.Time, n *masc.Node) { n.SetDemand(now, 0, masc.Demand{InUse: 1, Want: 100}) }); err != nil {
		t.Fatal(err)
	}
	for list := range child.allotted {
		if slices.ContainsFunc(list, func(a masc.Allotment) bool { return a.Use && a.Prefix.Bits() == 24 }) {
			break
		}
	}
	if s := <-child.saved; len(s.Claims) == 0 && s.Children.IsZero() {
		t.Error("nothing was stored")
	}
	if st, err := child.State(ctx, 0); err != nil || st != masc.Established {
		t.Error(st, err)
	}
	for list := range top.allotted {
		if len(list) > 0 && !list[0].Use && list[0].Route {
			break // what the parent has is for its children
		}
	}
}

// TestStrangers: connections of unknown addresses are refused, and a peer that
// speaks another language is told so (MASC-8-1).
func TestStrangers(t *testing.T) {
	top, child := listen(t, 4), listen(t, 5)
	top.peer(child, masc.Parent)
	top.cfg.Peers[0] = netip.AddrPortFrom(child.addr.Addr(), 0) // waits for the child
	top.run(t)
	if st, err := top.State(t.Context(), 0); err != nil || st < masc.Connect {
		t.Fatal(st, err)
	}
	stranger, err := net.Dial("tcp", top.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Read(make([]byte, 1)); err == nil {
		t.Error("a stranger is listened to")
	}
	stranger.Close()
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(child.addr.Addr(), 0))}
	c, err := d.Dial("tcp", top.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	r := masc.NewReader(c)
	var m masc.Message
	for _, want := range []masc.MessageType{masc.TypeOpen, masc.TypeNotification} {
		b, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Decode(b); err != nil || m.Type != want {
			t.Error(m, err)
		}
	}
	if m.Notification.Reason != masc.BadMessageLength || m.Notification.Stay {
		t.Error(m.Notification)
	}
	if _, err := r.Next(); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

// TestStop: stopping says Cease (MASC-8.7-1), and nothing works afterwards.
func TestStop(t *testing.T) {
	top, child := listen(t, 6), listen(t, 7)
	top.peer(child, masc.Parent)
	top.cfg.Peers[0] = netip.AddrPortFrom(child.addr.Addr(), 0)
	top.run(t)
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(child.addr.Addr(), 0))}
	if _, err := top.State(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	c, err := d.Dial("tcp", top.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := masc.NewReader(c)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	top.stop()
	b, err := r.Next()
	var m masc.Message
	if err != nil || m.Decode(b) != nil || m.Notification.Reason != masc.Cease {
		t.Error(m, err)
	}
	err = <-top.ended
	top.ended <- err
	if err := top.Do(t.Context(), func(time.Time, *masc.Node) {}); err == nil {
		t.Error("Do after the end")
	}
}

// TestPersistFails: what could not be stored is not said.
func TestPersistFails(t *testing.T) {
	top := listen(t, 8)
	top.cfg.Persist = func(masc.Snapshot) error { return errDisk }
	top.run(t)
	top.Do(t.Context(), func(now time.Time, n *masc.Node) { n.SetDemand(now, 0, masc.Demand{InUse: 1, Want: 100}) })
	err := <-top.ended
	top.ended <- err
	if !errors.Is(err, errDisk) {
		t.Error(err)
	}
	if _, err := mascnet.New(mascnet.Config{Peers: make([]netip.AddrPort, 1)}); !errors.Is(err, masc.ErrConfig) {
		t.Error(err)
	}
	if _, err := mascnet.New(mascnet.Config{}); !errors.Is(err, masc.ErrConfig) {
		t.Error(err)
	}
}
