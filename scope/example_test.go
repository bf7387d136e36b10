// SPDX-License-Identifier: BSD-3-Clause

package scope_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/mcastalloc/malloc/scope"
)

// A multicast address tells a lot about itself.
func ExampleClassify() {
	for _, s := range []string{"239.255.255.254", "233.22.30.1", "ff7e:140:2001:db8:dead::8000:1"} {
		c := scope.Classify(netip.MustParseAddr(s))
		fmt.Println(s, c.Kind, c.Scope, c.Dynamic)
		switch {
		case c.Offset >= 0:
			fmt.Println("  offset", c.Offset)
		case c.Kind == scope.GLOP:
			fmt.Println("  AS", c.AS)
		case c.RP.IsValid():
			fmt.Println("  rendezvous point", c.RP)
		}
	}
	// Output:
	// 239.255.255.254 admin-scoped local none
	//   offset 1
	// 233.22.30.1 glop global none
	//   AS 5662
	// ff7e:140:2001:db8:dead::8000:1 embedded-rp global malloc
	//   rendezvous point 2001:db8:dead::1
}

func ExampleExplain() {
	fmt.Print(scope.Explain(netip.MustParseAddr("232.0.0.5")))
	// Output:
	// 232.0.0.5
	//   what:        Source-Specific Multicast, 232.0.0.1-232.0.0.255
	//                Kept for assignments by IANA, for source-specific use only.
	//   kind:        ssm, scope global, class iana
	//   routed:      Yes: routers may carry it through the whole Internet.
	//   allocate:    Nobody but IANA, which assigns these addresses for good.
	//   ethernet:    01-00-5e-00-00-05
	//   shared with: 224.0.0.5, OSPF routers
	//   better:      232.0.1.0-232.255.255.255, chosen at random
	//   see:         RFC 4607 section 9; RFC 5771 section 8
}

// A set is exact and immutable.
func ExampleSet() {
	space := scope.MustSet("239.7.0.0-239.7.0.19")
	free, err := space.Subtract(scope.MustSet("239.7.0.6-239.7.0.7"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(free.Size(), "free:", free)
	p, _ := free.BestFitPrefix(31)
	fmt.Println("tightest /31:", p)
	// Output:
	// 18 free: 239.7.0.0-239.7.0.5, 239.7.0.8-239.7.0.19
	// tightest /31: 239.7.0.4/31
}

// An allocator keeps what is free in a Space.
func ExampleSpace() {
	dynamic, _ := scope.IPv4Local().DynamicRange()
	var free scope.Space
	if err := free.Add(dynamic); err != nil {
		fmt.Println(err)
		return
	}
	rnd := rand.New(rand.NewPCG(1, 2)) // reproducible here: use another source

	// Any free address, all equally likely, so that two allocators that do
	// not know each other seldom choose the same.
	a, _ := free.RandomAddr(rnd)
	fmt.Println("taken:", free.Take(scope.Single(a)), "again:", free.Take(scope.Single(a)))

	// A block of 16 addresses for a group of sessions.
	p, _ := free.RandomPrefix(28, rnd)
	fmt.Println("block:", free.Take(scope.RangeOf(p)), free.Size(), "left")

	// Both come back.
	free.Add(scope.Single(a))
	free.Add(scope.RangeOf(p))
	fmt.Println(free.Set())
	// Output:
	// taken: true again: false
	// block: true 65263 left
	// 239.255.0.0-239.255.254.255
}

// The same offset means the same service in every scope.
func ExampleScope_Relative() {
	for _, s := range []scope.Scope{scope.IPv4Local(), scope.IPv4OrganizationLocal(), scope.IPv6(5)} {
		a, _ := s.Relative(scope.OffsetMADCAP)
		fmt.Println(a)
	}
	// Output:
	// 239.255.255.254
	// 239.195.255.254
	// ff05:ffff:ffff:ffff:ffff:ffff:ffff:fffe
}

// A scope fits on a line of a configuration file.
func ExampleParseScope() {
	s, err := scope.ParseScope(`239.192.0.0/14 ttl 255 default-name en "Organization" name de "Organisation"`)
	if err != nil {
		fmt.Println(err)
		return
	}
	n, _ := s.Names.Lookup("de-AT", "fr")
	fmt.Println(s.ID(), n.Text)
	// Output: 239.192.0.0 Organisation
}

func ExampleNesting() {
	site, org := scope.IPv4Local().ID(), scope.IPv4OrganizationLocal().ID()
	world := scope.IPv4Global().ID()
	n := scope.NewNesting(site, org, world)
	n.Set(site, org, scope.Yes)
	n.Set(org, world, scope.Yes)
	fmt.Println(n.Of(site, world))
	if err := n.Closure(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(n.Of(site, world), n.Of(world, site))
	// Output:
	// unknown
	// yes unknown
}

func ExampleGLOPPrefix() {
	fmt.Println(scope.GLOPPrefix(5662))
	fmt.Println(scope.GLOPPrefix(65536))
	// Output:
	// 233.22.30.0/24 <nil>
	// invalid Prefix scope: make GLOP prefix of AS "65536": no-glop, want an AS number in 1..64511
}

func ExampleUnicastPrefix4() {
	fmt.Println(scope.UnicastPrefix4(netip.MustParsePrefix("128.9.0.0/16")))
	// Output: 234.128.9.0/24 <nil>
}

func ExampleUnicastPrefix6() {
	fmt.Println(scope.UnicastPrefix6(netip.MustParsePrefix("2001:db8:1::/48"), 14))
	// Output: ff3e:30:2001:db8:1::/96 <nil>
}

func ExampleEmbeddedRPPrefix() {
	fmt.Println(scope.EmbeddedRPPrefix(netip.MustParsePrefix("2001:db8:dead::/48"), 1, 14))
	// Output: ff7e:130:2001:db8:dead::/80 <nil>
}

// Two addresses with the same Ethernet address disturb each other.
func ExampleNewApart() {
	used := scope.MustSet("224.0.0.0/23")
	apart, err := scope.NewApart(scope.MustSet("239.128.0.0/16"), used)
	if err != nil {
		fmt.Println(err)
		return
	}
	a, _ := apart.At(scope.U128(0))
	fmt.Println(a, "is the first that is clear of the control blocks")
	// Output: 239.128.2.0 is the first that is clear of the control blocks
}
