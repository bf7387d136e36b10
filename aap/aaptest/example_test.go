// SPDX-License-Identifier: BSD-3-Clause

package aaptest_test

import (
	"fmt"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/aap/aaptest"
	"github.com/mcastalloc/malloc/scope"
)

// Two servers want the same address while they cannot hear each other. When the
// partition heals, one hears of the other and yields.
func ExampleNetwork() {
	local := scope.IPv4Local().Range
	group, _ := aap.Group(local)
	n := aaptest.NewNetwork(1, time.Date(2000, 6, 14, 16, 26, 40, 0, time.UTC))
	n.Faults = aaptest.Faults{Delay: 40 * time.Millisecond}
	for range 2 {
		x := n.AddServer(aap.MAASConfig{Scope: local, Group: group, MaxPool: -1}, 0)
		x.Notify = func(e aap.Effect) {
			switch e := e.(type) {
			case aap.Granted:
				fmt.Println("granted", e.Addrs)
			case aap.Lost:
				fmt.Println("lost", e.Addrs)
				x.Do(func(now time.Time) { _ = x.Server().Yield(now, e.Token, e.Addrs) })
			}
		}
	}
	n.Run(n.Now().Add(4 * time.Minute)) // they listen first
	nodes := n.Nodes()
	n.Partition(nodes[:1], nodes[1:])
	for i, x := range nodes {
		x.Do(func(now time.Time) {
			end := now.Add(time.Hour + time.Duration(i)*time.Minute)
			_ = x.Server().Allocate(now, aap.Want{Token: 1, Addrs: scope.MustSet("239.255.1.1"), End: end})
		})
	}
	n.Run(n.Now().Add(time.Minute))
	n.Heal()
	n.Run(n.Now().Add(time.Minute))
	fmt.Println(len(n.Violations()), "invariants violated")
	// Output:
	// granted 239.255.1.1
	// granted 239.255.1.1
	// lost 239.255.1.1
	// 0 invariants violated
}
