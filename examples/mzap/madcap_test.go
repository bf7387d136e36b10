// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/madcap/madcapnet"
	"github.com/mcastalloc/malloc/madcap/madcaptest"
	"github.com/mcastalloc/malloc/mzap/mzapnet"
	"github.com/mcastalloc/malloc/mzap/mzaptest"
	"github.com/mcastalloc/malloc/scope"
)

// A MADCAP server can take its scopes from a listener on the network.
var _ madcapnet.ScopeSource = (*mzapnet.Listener)(nil)

// learned is what the host of a network in virtual time knows at the moment.
type learned struct {
	net  *mzaptest.Network
	host *mzaptest.Host
}

func (l learned) Scopes() []scope.Scope { return l.host.Listener.Scopes(l.net.Now()) }

func (l learned) Nesting(ids ...scope.ID) *scope.Nesting {
	return l.host.Listener.Nesting(l.net.Now(), ids...)
}

// TestMADCAPServerLearns puts a MADCAP server beside the listener of figure 3a
// (scope Two inside scope One). What the server tells a client about scopes and
// their nesting is what the listener has learned: nothing at first, the scopes
// after an hour, their nesting when no evidence against it has come for long
// enough (RFC 2907, section 4).
func TestMADCAPServerLearns(t *testing.T) {
	world := mzaptest.Figure3a(1)
	if err := world.Start(); err != nil {
		t.Fatal(err)
	}
	two, one := netip.MustParseAddr("239.2.0.0"), netip.MustParseAddr("239.1.0.0")
	source := learned{world, world.Hosts()[0]}

	ask := func() *scope.Nesting {
		t.Helper()
		var wire madcaptest.PacketNet
		serverAt, clientAt := netip.MustParseAddrPort("192.0.2.1:2535"), netip.MustParseAddrPort("192.0.2.2:40000")
		pool, err := lease.NewPool(lease.Config{Scopes: []scope.Scope{scope.IPv4Local()}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		s, err := madcapnet.NewServer(ctx, madcapnet.ServerConfig{
			Allocator: pool, Scopes: source, Conns: []net.PacketConn{wire.Listen(serverAt)},
			Protocol: madcap.ServerConfig{Identifiers: []netip.Addr{serverAt.Addr()}},
		})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- s.Serve(ctx) }()
		defer func() {
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		c, err := madcapnet.NewClient(madcapnet.ClientConfig{Server: serverAt, Conns: []net.PacketConn{wire.Listen(clientAt)}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		scopes, err := c.Scopes(ctx, lease.IPv4)
		if err != nil {
			t.Fatal(err)
		}
		var ids []scope.ID
		for _, sc := range scopes {
			ids = append(ids, sc.ID())
		}
		nesting, err := c.Nesting(ctx, ids...)
		if err != nil {
			t.Fatal(err)
		}
		return nesting
	}

	if n := ask(); len(n.IDs()) != 0 && n.Of(two, one) == scope.Yes {
		t.Errorf("before anything was heard: %v nests in %v", two, one)
	}
	world.Run(20 * time.Minute)
	if n := ask(); n.Of(two, one) == scope.Yes {
		t.Errorf("after 20 minutes: %v nests in %v already", two, one)
	}
	world.Run(3 * time.Hour)
	n := ask()
	if n.Of(two, one) != scope.Yes || n.Of(one, two) == scope.Yes {
		t.Errorf("after hours: %v in %v is %v, the other way round %v; want yes and not", two, one, n.Of(two, one), n.Of(one, two))
	}
}
