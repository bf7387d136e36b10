// SPDX-License-Identifier: BSD-3-Clause

package mzaptest

// The topologies of RFC 2776's figures. Where a figure shows links, they bear
// the names of the zones they are in; routers have the figure's letters. Start
// the network yourself, after any changes of your own.

// Figure2 is the flooding example: a large zone of scope X with three local
// zones in it. E, D and X are its boundary routers, A joins local zones 1 and 2, B
// and F join 2 and 3, C joins 1 and 3. G, outside, has its boundary on the link
// to the first router inside, which is not recommended. Hosts h1, h2 and h3 are
// in the local zones.
func Figure2(seed uint64) *Network {
	n := NewNetwork(seed)
	x := ScopeOf("Large", "239.130.0.0", "239.130.255.255")
	zone1, zone2, zone3 := n.Link("zone1"), n.Link("zone2"), n.Link("zone3")
	west, north, south, east := n.Link("west"), n.Link("north"), n.Link("south"), n.Link("east")
	n.Router("X", zone2, east).Bound(x, east)
	n.Router("E", zone1, north).Bound(x, north)
	n.Router("A", zone1, zone2).BoundLocal(zone2)
	n.Router("B", zone2, zone3).BoundLocal(zone2)
	n.Router("F", zone2, zone3).BoundLocal(zone2)
	n.Router("C", zone1, zone3).BoundLocal(zone3)
	n.Router("D", zone1, south).Bound(x, south)
	n.Router("G", west, zone1).Bound(x, zone1)
	n.Host("h1", zone1)
	n.Host("h2", zone2)
	n.Host("h3", zone3)
	return n
}

// Figure3a is "contained": the zone of scope Two, whose router A is, lies within
// that of scope One, whose router P is. Host h is in both.
func Figure3a(seed uint64) *Network {
	n := NewNetwork(seed)
	in2, in1, out := n.Link("zone2"), n.Link("zone1"), n.Link("outside")
	n.Router("A", in2, in1).Bound(ScopeOf("Two", "239.2.0.0", "239.2.255.255"), in1)
	n.Router("P", in1, out).Bound(ScopeOf("One", "239.1.0.0", "239.1.255.255"), out)
	n.Host("h", in2)
	return n
}

// Figure3b is "common border": the zone of scope Four lies within that of scope
// Three and shares a part of its border, at router B. Router C is on the other
// part. Host h is in both.
func Figure3b(seed uint64) *Network {
	n := NewNetwork(seed)
	three, four := ScopeOf("Three", "239.3.0.0", "239.3.255.255"), ScopeOf("Four", "239.4.0.0", "239.4.255.255")
	in4, in3, out := n.Link("zone4"), n.Link("zone3"), n.Link("outside")
	b := n.Router("B", in4, out)
	b.Bound(three, out)
	b.Bound(four, out)
	n.Router("C", in4, in3).Bound(four, in3)
	n.Router("P", in3, out).Bound(three, out)
	n.Host("h", in4)
	return n
}

// Figure3c is "overlap": zones of scopes Five and Six share a part of the
// network, where host h is, and neither contains the other. D bounds Six, E
// bounds Five.
func Figure3c(seed uint64) *Network {
	n := NewNetwork(seed)
	five, six := ScopeOf("Five", "239.5.0.0", "239.5.255.255"), ScopeOf("Six", "239.6.0.0", "239.6.255.255")
	both, only5, only6, out := n.Link("both"), n.Link("zone5"), n.Link("zone6"), n.Link("outside")
	n.Router("D", both, only5).Bound(six, only5)
	n.Router("E", both, only6).Bound(five, only6)
	n.Router("P", only5, out).Bound(five, out)
	n.Router("Q", only6, out).Bound(six, out)
	n.Host("h", both)
	return n
}

// Figure4 is the non-convex zone: the way from B to D leads through A and E,
// outside of the zone of scope X, because the way inside, past C, is longer. D
// does not hear B, but hears C say that it hears B. C also joins two local zones,
// so that it relays B's announcements to D.
func Figure4(seed uint64) *Network {
	n := NewNetwork(seed)
	x := ScopeOf("Bent", "239.130.0.0", "239.130.255.255")
	long, upper, lower := n.Link("long"), n.Link("upper"), n.Link("lower")
	long.Cost = 10
	east, further := n.Link("east"), n.Link("further east")
	west, south := n.Link("west"), n.Link("south")
	n.Router("A", upper, east).Bound(x, east)
	n.Router("B", upper, west).Bound(x, west)
	c := n.Router("C", long, upper, south)
	c.Bound(x, south)
	c.BoundLocal(long)
	n.Router("D", long, lower, further).Bound(x, further)
	n.Router("E", east, further).BoundLocal(further)
	n.Host("h", lower)
	return n
}

// Figure5 is the leaky boundary: C joins zones 3 and 4 and should have a
// boundary for scope X, which E and A bound, but does not. A's announcements
// get out there and come back to E from behind, by way of D.
func Figure5(seed uint64) *Network {
	n := NewNetwork(seed)
	x := ScopeOf("Leaky", "239.130.0.0", "239.130.255.255")
	zone2, zone3, zone4, zone1 := n.Link("zone2"), n.Link("zone3"), n.Link("zone4"), n.Link("zone1")
	north := n.Link("north")
	n.Router("A", zone2, north).Bound(x, north)
	n.Router("B", zone2, zone3).BoundLocal(zone3)
	n.Router("C", zone3, zone4).BoundLocal(zone4)
	n.Router("D", zone4, zone1).BoundLocal(zone1)
	n.Router("E", zone2, zone1).Bound(x, zone1)
	n.Host("h", zone2)
	return n
}
