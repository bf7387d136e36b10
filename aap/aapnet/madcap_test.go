// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/madcap/madcapnet"
	"github.com/mcastalloc/malloc/scope"
)

// served is a Run for a MADCAP server.
type served struct{ *madcapnet.Server }

func (s served) Run(ctx context.Context) error { return s.Serve(ctx) }

// TestMADCAP: hosts ask two MADCAP servers in front of two allocators of a
// domain, on a network that loses some datagrams: all leases differ, the usual
// one comes at once, and they can be renewed and released.
func TestMADCAP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d domain
		d.lossy(4, 0.05)
		var clients []*madcapnet.Client
		for i := range 2 {
			a := d.allocator(t, small, nil)
			server := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + i)}), madcap.Port)
			s, err := madcapnet.NewServer(t.Context(), madcapnet.ServerConfig{Allocator: a, Concurrent: true, Conns: []net.PacketConn{d.Listen(server)}})
			if err != nil {
				t.Fatal(err)
			}
			run(t, served{s})
			host := d.Listen(netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(1 + i)}), 40000))
			c, err := madcapnet.NewClient(madcapnet.ClientConfig{Server: server, Conns: []net.PacketConn{host}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close(); host.Close() })
			clients = append(clients, c)
		}
		pause(5 * time.Minute)
		var all scope.Set
		var leases []lease.Lease
		quick := 0
		for range 20 {
			for _, c := range clients {
				began := time.Now()
				l, err := c.Allocate(t.Context(), lease.Request{Scope: small.ID(), Count: lease.Count{Min: 2}, Lifetime: lease.Exactly(time.Hour)})
				if err != nil {
					t.Fatal(err)
				}
				if time.Since(began) < time.Second {
					quick++
				}
				if all.Overlaps(l.Addrs) {
					t.Errorf("%v is leased twice", l.Addrs)
				}
				all, _ = all.Union(l.Addrs)
				leases = append(leases, l)
				pause(20 * time.Second)
			}
		}
		if quick < 30 {
			t.Errorf("%d of 40 leases came at once", quick)
		}
		for i, l := range leases {
			c := clients[i%2]
			longer, err := c.ChangeLifetime(t.Context(), l, lease.NotBefore(l.End.Add(time.Minute)))
			if err != nil || !longer.End.After(l.End) {
				t.Fatal(longer, err)
			}
			if err := c.Release(t.Context(), longer); err != nil {
				t.Fatal(err)
			}
			if _, err := c.ChangeLifetime(t.Context(), l, lease.Window{}); !errors.Is(err, lease.ErrNotLeased) {
				t.Errorf("released: %v", err)
			}
		}
	})
}
