// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// A client is driven by a loop: calls, datagrams and time go in, what to do
// comes out. Here the network is a function, and its server is slow: it misses
// the first copy of each message. Package madcapnet has a driver for sockets.
func ExampleClient() {
	client, err := madcap.NewClient(madcap.ClientConfig{Rand: rand.New(rand.NewPCG(1, 2)), First: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	begin := now
	group := netip.AddrPortFrom(madcap.DefaultServerGroup(madcap.FamilyIPv4), madcap.Port)
	_, err = client.Allocate(now, group, &madcap.Message{
		Family: madcap.FamilyIPv4, Scope: scope.IPv4Local().ID(),
		LeaseTime: madcap.Some(2 * time.Hour), MinLeaseTime: madcap.Some(time.Hour),
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	copies := map[uint32]int{}
	network := func(s *madcap.Send) {
		var ask madcap.Message
		if err := ask.Decode(s.Packet); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("+%v %v to %v\n", now.Sub(begin), ask.Type, s.To)
		if copies[ask.XID]++; copies[ask.XID] == 1 {
			return
		}
		answer := madcap.Message{
			Type: madcap.TypeAck, Family: ask.Family, XID: ask.XID, LeaseIdentifier: ask.LeaseIdentifier,
			ServerIdentifier: madcap.ServerIdentifierOf(netip.MustParseAddr("198.51.100.1")),
			Scope:            ask.Scope, LeaseTime: madcap.Some(time.Hour),
			Ranges: madcap.Some([]scope.Range{scope.MustRange("239.255.1.2", "239.255.1.2")}),
		}
		if ask.Type == madcap.TypeDiscover {
			answer.Type = madcap.TypeOffer
		}
		packet, _ := answer.MarshalBinary()
		client.Receive(now, netip.MustParseAddrPort("198.51.100.1:2535"), packet)
	}
	for done := false; !done; {
		for e := range client.Effects() {
			switch e := e.(type) {
			case *madcap.Send:
				network(e)
			case *madcap.Done:
				start, end := e.Period()
				fmt.Printf("+%v granted %v from +%v to +%v\n", now.Sub(begin), e.Answers[0].Message.Ranges.Value, start.Sub(begin), end.Sub(begin))
				done = true
			}
		}
		if due, ok := client.Deadline(); ok && !done {
			now = due // a driver would wait
			client.Advance(now)
		}
	}
	// Output:
	// +0s DISCOVER to 239.255.255.254:2535
	// +4s DISCOVER to 239.255.255.254:2535
	// +4s REQUEST to 239.255.255.254:2535
	// +8s REQUEST to 239.255.255.254:2535
	// +8s granted [239.255.1.2] from +4s to +1h0m4s
}

func ExampleServerGroup() {
	for _, s := range []scope.Scope{scope.IPv4Local(), scope.IPv4OrganizationLocal(), scope.IPv6(5)} {
		group, err := madcap.ServerGroup(s.Range)
		fmt.Println(group, err)
	}
	// Output:
	// 239.255.255.254 <nil>
	// 239.195.255.254 <nil>
	// ff05:ffff:ffff:ffff:ffff:ffff:ffff:fffe <nil>
}
