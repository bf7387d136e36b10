// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// A server is driven by a loop: datagrams and time go in, what to do comes out.
// This one gives everybody the same address; package madcapnet has a driver for
// sockets and real allocators.
func ExampleServer() {
	local := scope.IPv4Local()
	server, err := madcap.NewServer(madcap.ServerConfig{
		Identifiers: []netip.Addr{netip.MustParseAddr("198.51.100.1")},
		Scopes:      []scope.Scope{local},
	}, madcap.ServerSnapshot{})
	if err != nil {
		fmt.Println(err)
		return
	}
	request := madcap.Message{
		Type: madcap.TypeRequest, Family: madcap.FamilyIPv4, XID: 1,
		LeaseIdentifier: madcap.LeaseIdentifier("\x00a random number"), Scope: local.ID(),
		LeaseTime: madcap.Some(time.Hour),
	}
	datagram, _ := request.MarshalBinary()

	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	server.Receive(now, madcap.Datagram{
		From: netip.MustParseAddrPort("192.0.2.10:40000"), To: netip.MustParseAddr("198.51.100.1"), Payload: datagram,
	})
	for e := range server.Effects() {
		switch e := e.(type) {
		case *madcap.Ask:
			fmt.Println("allocator:", e.Op, e.ID, "in", e.Scope)
			server.Resolve(now, e.Token, madcap.Outcome{
				Granted: true, Scope: e.Scope, Ranges: []scope.Range{scope.MustRange("239.255.1.2", "239.255.1.2")},
				Start: now, End: now.Add(e.LeaseTime.Or(time.Hour)),
			})
		case *madcap.Send:
			var answer madcap.Message
			if err := answer.Decode(e.Packet); err != nil {
				fmt.Println(err)
			}
			fmt.Println(answer.Type, "to", e.To, "for", answer.LeaseTime.Value, answer.Ranges.Value)
		}
	}
	// Output:
	// allocator: allocate random(15 octets) in 239.255.0.0
	// ACK to 192.0.2.10:40000 for 1h0m0s [239.255.1.2]
}
