// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// The loop of an allocation server, with time standing in for a network.
func ExampleMAAS() {
	now := time.Date(2000, 6, 14, 16, 26, 40, 0, time.UTC)
	local := scope.IPv4Local().Range
	group, _ := aap.Group(local)
	var stored aap.Snapshot // a file, say
	m, err := aap.NewMAAS(aap.MAASConfig{Scope: local, Group: group, MaxPool: -1, Rand: rand.New(rand.NewPCG(1, 2))}, stored)
	if err != nil {
		fmt.Println(err)
		return
	}
	m.Start(now)
	if err := m.Allocate(now, aap.Want{Token: 1, Count: 4, End: now.Add(time.Hour)}); err != nil {
		fmt.Println(err)
		return
	}
	for granted := false; !granted; {
		now, _ = m.Deadline() // a driver sleeps until then, or until a datagram arrives for Receive
		m.Advance(now)
		for x := range m.Effects() {
			switch x := x.(type) {
			case aap.Persist:
				stored = m.Snapshot()
				fmt.Println("store")
			case aap.Send:
				var msg aap.Message
				if msg.Decode(x.Packet) == nil {
					fmt.Println("send", msg.Type, msg.RSeq, msg.MSeq, "to", x.Group)
				}
			case aap.Granted:
				fmt.Println("granted", x.Addrs.Size(), "addresses")
				granted = true
			case aap.Failed:
				fmt.Println("failed:", x.Err)
				return
			case aap.Lost: // stop using x.Addrs, then
				_ = m.Yield(now, x.Token, x.Addrs)
			}
		}
	}
	// Output:
	// send ACLM 0 0 to 239.255.255.248
	// send ACLM 0 1 to 239.255.255.248
	// send ACLM 0 2 to 239.255.255.248
	// send ACLM 0 3 to 239.255.255.248
	// store
	// send AIU 1 0 to 239.255.255.248
	// granted 4 addresses
}
