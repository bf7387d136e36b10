// SPDX-License-Identifier: BSD-3-Clause

package madcapnet_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap/madcapnet"
	"github.com/mcastalloc/malloc/scope"
)

// A program that needs a group asks any lease.Allocator. This one is a client of
// a MADCAP server, which here runs in the same process; a ClientConfig without
// Server would look for servers by multicast.
func ExampleClient() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pool, err := lease.NewPool(lease.Config{Scopes: []scope.Scope{scope.IPv4Local()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := madcapnet.NewServer(ctx, madcapnet.ServerConfig{Allocator: pool, Port: -1})
	if err != nil {
		fmt.Println(err)
		return
	}
	go server.Serve(ctx)

	client, err := madcapnet.NewClient(madcapnet.ClientConfig{
		Server: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), server.Addrs()[0].Port()),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	var a lease.Allocator = client
	l, err := a.Allocate(ctx, lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 3}, Lifetime: lease.Exactly(time.Hour)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.Addrs.Size(), "addresses of", l.Scope, "for", l.End.Sub(l.Start))
	l, err = a.ChangeLifetime(ctx, l, lease.At(l.End.Add(time.Hour)))
	fmt.Println("renewed for", l.End.Sub(l.Start), err)
	fmt.Println("released", a.Release(ctx, l))
	// Output:
	// 3 addresses of 239.255.0.0 for 1h0m0s
	// renewed for 2h0m0s <nil>
	// released <nil>
}
