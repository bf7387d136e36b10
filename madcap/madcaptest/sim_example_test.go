// SPDX-License-Identifier: BSD-3-Clause

package madcaptest_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/madcap/madcaptest"
	"github.com/mcastalloc/malloc/scope"
)

// A lease is had over a network that loses one datagram in three. The seed
// makes the run repeatable.
func ExampleNetwork() {
	n := madcaptest.NewNetwork(7, madcaptest.Conditions{Loss: 0.3, MinDelay: time.Millisecond, MaxDelay: 50 * time.Millisecond})
	org := scope.IPv4OrganizationLocal()
	server := n.AddServer(netip.MustParseAddr("198.51.100.1"), madcap.ServerConfig{Scopes: []scope.Scope{org}}, madcaptest.NewAllocator(org, 100))
	client := n.AddClient(netip.MustParseAddrPort("192.0.2.1:40000"))
	client.Allocate(&madcap.Message{Family: madcap.FamilyIPv4, Scope: org.ID(), LeaseTime: madcap.Some(time.Hour)}, nil)
	if err := n.Run(5 * time.Minute); err != nil {
		fmt.Println(err, n.Transcript())
	}
	for _, lease := range client.Leases {
		fmt.Println("leased", lease.Addrs, "from", lease.Server.Addr)
	}
	fmt.Println("the server holds", len(server.Allocator.Leases))
	// Output:
	// leased [239.192.0.1] from 198.51.100.1
	// the server holds 1
}
