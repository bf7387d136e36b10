// SPDX-License-Identifier: BSD-3-Clause

package xcasttest

import (
	"net/netip"
	"strings"

	"github.com/mcastalloc/malloc/xcast"
)

// Figure1Links are the links of RFC 5058 figure 1, by the names of their ends:
// the hosts A (the sender), B, C and D, and the routers R1 to R9.
//
//	                        R4 ---- B
//	                       /
//	A --- R1 --- R2 --- R3                     R8 ---- C
//	                       \                  /
//	                        R5 --- R6 --- R7
//	                                          \
//	                                           R9 ---- D
var Figure1Links = [][2]string{
	{"A", "R1"}, {"R1", "R2"}, {"R2", "R3"}, {"R3", "R4"}, {"R4", "B"}, {"R3", "R5"},
	{"R5", "R6"}, {"R6", "R7"}, {"R7", "R8"}, {"R8", "C"}, {"R7", "R9"}, {"R9", "D"},
}

// Figure1 returns the network of figure 1, with its nodes by name: every router
// is an Xcast router, unless its name is in plain. Node addresses are taken
// from 198.51.100.0/24 and 2001:db8::/64 in the order in which the names first
// appear in [Figure1Links].
func Figure1(code xcast.CodePoints, plain ...string) (*Network, map[string]*Node, error) {
	n, nodes := NewNetwork(code), map[string]*Node{}
	for _, ends := range Figure1Links {
		for _, name := range ends {
			if nodes[name] == nil {
				i := byte(len(nodes) + 1)
				nodes[name] = n.AddNode(name, netip.AddrFrom4([4]byte{198, 51, 100, i}),
					netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 15: i}))
			}
		}
		n.Connect(nodes[ends[0]], nodes[ends[1]])
	}
	n.Route()
	skip := map[string]bool{}
	for _, name := range plain {
		skip[name] = true
	}
	for _, nd := range n.Nodes() {
		if strings.HasPrefix(nd.Name, "R") && !skip[nd.Name] {
			if err := nd.RunXcast(nil); err != nil {
				return nil, nil, err
			}
		}
	}
	return n, nodes, nil
}
