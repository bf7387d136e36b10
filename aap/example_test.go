// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// A claim for one address for an hour, and what the octets look like.
func ExampleMessage() {
	now := time.Date(2000, 6, 14, 16, 26, 40, 0, time.UTC)
	claim := aap.Message{
		Type: aap.ACLM, Family: aap.IPv4, RSeq: 27, CurrentTime: now,
		Ranges: []aap.TimedRange{{Range: scope.MustRange("239.255.7.42", "239.255.7.42"), End: now.Add(time.Hour)}},
	}
	packet, err := claim.MarshalBinary()
	fmt.Printf("%x %v\n", packet, err)

	var m aap.Message
	err = m.Decode(packet[:23])
	fmt.Println(err, errors.Is(err, aap.ErrLength))

	// A receiver whose clock is 40 s behind gets it after a second.
	if err := m.Decode(packet); err != nil {
		fmt.Println(err)
	}
	fmt.Println(m.Localize(now.Add(-39*time.Second)), m.Ranges[0].End.Format(time.TimeOnly))
	// Output:
	// 0000000100001b003947b240efff072aefff072a3947c050 <nil>
	// aap: ACLM range at octet 23: length does not fit the contents: 23 octets true
	// -39s 17:26:01
}

// Two servers want one address at the same time: both give it up and keep the
// rest.
func ExampleResolve() {
	now := time.Date(2000, 6, 14, 16, 26, 40, 0, time.UTC)
	until := now.Add(time.Hour)
	mine := []aap.TimedRange{{Range: scope.MustRange("239.255.0.0", "239.255.0.7"), End: until}}
	heard := aap.Message{Type: aap.ACLM, Ranges: []aap.TimedRange{{Range: scope.MustRange("239.255.0.6", "239.255.0.9"), End: until}}}
	r := aap.Resolve(aap.Claimed, mine, &heard, now, 5*time.Second)
	fmt.Println(r.Outcome, r.Lost, r.Kept[0].Range)
	// Output: give up 239.255.0.6/31 239.255.0.0-239.255.0.5
}

// The loop of a prefix coordinator, with time standing in for a network.
func ExampleCoordinator() {
	now := time.Date(2000, 6, 14, 16, 26, 40, 0, time.UTC)
	allocation, _ := aap.Group(scope.IPv4Allocation().Range)
	c, err := aap.NewCoordinator(aap.CoordinatorConfig{
		Scope: scope.IPv4Global().Range,
		Group: allocation,
		Self:  []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:2878")},
		Rand:  rand.New(rand.NewPCG(1, 2)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	day := aap.TimedRange{Range: scope.MustRange("233.252.0.0", "233.252.0.255"), End: now.Add(24 * time.Hour)}
	if err := c.Announce(now, []aap.TimedRange{day}); err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		now, _ = c.Deadline() // a driver sleeps until then, or until a datagram arrives for Receive
		c.Advance(now)
		for x := range c.Effects() {
			switch x := x.(type) {
			case aap.Send:
				fmt.Println("send", len(x.Packet), "octets to", x.Group)
			case aap.Usage:
				fmt.Println("in use:", x.Reports)
			}
		}
	}
	fmt.Println(c.State(), errors.Is(c.Announce(now, nil), aap.ErrInvalidating))
	// Output:
	// send 28 octets to 239.251.255.248
	// send 28 octets to 239.251.255.248
	// lead true
}
