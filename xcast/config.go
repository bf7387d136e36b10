// SPDX-License-Identifier: BSD-3-Clause

package xcast

import "net/netip"

// A Route is what a node's unicast table says about a destination.
type Route struct {
	// Gateway is the next hop. The zero Addr means that the destination is
	// directly attached and is its own next hop.
	Gateway netip.Addr
	// Interface tells the caller's interfaces apart, such as by the number that
	// the system gives them.
	Interface int32
	// MTU is the longest packet in octets that may be sent there; 0 means that
	// there is no limit.
	MTU uint16
	// Capable says that the next hop is known to speak Xcast. One that is not
	// gets unicast packets: premature X2U (RFC 5058 section 11.2).
	Capable bool
}

// A Tunnel is how packets get to an Xcast peer through routers that know
// nothing of Xcast (section 11.1).
type Tunnel struct {
	// Local and Remote are the tunnel's ends, in the family of what it carries.
	Local, Remote netip.Addr
	// TTL is the TTL or Hop Limit of the outer header; 0 means 64.
	TTL uint8
}

// A Relay makes a node a host that serves other receivers where the network
// knows nothing of Xcast (section 11.4): it delivers its own bits and sends the
// rest, in a new packet, to the first destination that remains.
type Relay struct {
	// Local4 and Local6 are the host's own addresses, the source of the outer
	// header.
	Local4, Local6 netip.Addr
	// TTL is that of the outer header; 0 means 64. The source of a
	// semi-permeable tunnel takes the inner Hop Limit instead.
	TTL uint8
	// SemiPermeable lets Xcast6 packets travel with the hop-by-hop option of
	// section 11.3, so that Xcast routers on the way may branch them.
	SemiPermeable bool
}

// A Policy says when a node turns packets into unicast of its own accord.
type Policy uint8

const (
	// X2USingle converts where one destination is left for a next hop.
	X2USingle Policy = iota
	// X2UNever does not. What goes to a neighbour that is not capable is
	// converted all the same.
	X2UNever
	// X2UAlways converts everything that may be converted.
	X2UAlways
)

// String returns "single", "never" or "always".
func (p Policy) String() string {
	switch p {
	case X2USingle:
		return "single"
	case X2UNever:
		return "never"
	case X2UAlways:
		return "always"
	}
	return "Policy(?)"
}

// A Config is what a node knows and wants. The functions are called while a
// packet is forwarded, must answer from memory, and must not keep state that
// changes between two calls for one packet. One left nil answers no.
type Config struct {
	// Code are the numbers of the experiment. They must be valid.
	Code CodePoints
	// Local reports an address of this node.
	Local func(netip.Addr) bool
	// Route is the longest-prefix match in the unicast table; false means that
	// there is no route, as for a directed broadcast address (RFC 2644). It is
	// asked at most once per destination and packet: of several equal routes it
	// picks one.
	Route func(netip.Addr) (Route, bool)
	// Peer is the longest-prefix match in the Xcast table of section 11.1.
	Peer func(netip.Addr) (Tunnel, bool)
	// AcceptPeer restricts from whom tunnel packets are taken. Nil takes all.
	AcceptPeer func(remote netip.Addr) bool
	// Special reports an address, often an anycast one, that stands for this
	// node in place of All_Xcast_Routers (section 11.5).
	Special func(netip.Addr) bool
	// AcceptSource is the reverse-path check of a sender's address on the
	// interface its packet came in by (section 14). Nil checks nothing.
	AcceptSource func(source netip.Addr, in int) bool
	// Relay makes the node a relaying host instead of a router.
	Relay *Relay
	// Policy is about X2U.
	Policy Policy
	// CompareDSCP orders codepoints. Nil means the function of that name.
	CompareDSCP func(a, b DSCP) (order int, comparable bool)
	// AllowICMP lets ICMP requests to several destinations pass. Without it
	// they are dropped, since every answer goes to whatever source was given
	// (section 14).
	AllowICMP bool
	// TunnelID is the Identification of the first IPv4 tunnel packet; each one
	// after it takes the next.
	TunnelID uint16
}

// An OutputKind says what to do with an [Output].
type OutputKind uint8

const (
	// Deliver: the packet is for this node.
	Deliver OutputKind = 1 + iota
	// Unicast: an ordinary packet, to be sent by its IP destination.
	Unicast
	// XcastCopy: to be sent to the link-layer address of NextHop. As link-layer
	// multicast it would be forwarded by every Xcast router of the link.
	XcastCopy
	// Tunnelled: an Xcast packet within a packet, to be sent like Unicast.
	Tunnelled
)

// String returns the kind's name in lower case.
func (k OutputKind) String() string {
	switch k {
	case Deliver:
		return "deliver"
	case Unicast:
		return "unicast"
	case XcastCopy:
		return "xcast"
	case Tunnelled:
		return "tunnelled"
	}
	return "OutputKind(?)"
}

// An Output is a packet to send or deliver. It is in two pieces, so that the
// payload need not be copied: Tail aliases the packet that came in.
type Output struct {
	Kind OutputKind
	// Destinations are those that this packet serves.
	Destinations Bitmap
	// Head and Tail together are the packet. Head is valid until the next call.
	Head, Tail []byte
	// NextHop is where the packet goes next: a neighbour on Interface. It is
	// the zero Addr for Deliver.
	NextHop   netip.Addr
	Interface int32
	// Fragment says that the packet is longer than the MTU of its route and
	// that IPv4 fragments may be made of it.
	Fragment bool
}

// Len returns the length of the packet in octets.
func (o *Output) Len() int { return len(o.Head) + len(o.Tail) }

// AppendBinary appends the packet. It never fails.
func (o *Output) AppendBinary(dst []byte) ([]byte, error) {
	return append(append(dst, o.Head...), o.Tail...), nil
}

// A Drop is a set of destinations that will not be served, and why. The set is
// empty when the packet was refused before its bitmap was known.
type Drop struct {
	Destinations Bitmap
	Reason       Reason
}

// A Result is everything that happens to one packet. The destinations of all
// outputs and drops are disjoint and together what was active in the packet
// (RFC 5058 section 2): nothing is served twice and nothing is forgotten, and
// there are never more outputs than destinations. Both lists are in ascending
// order of their lowest index.
type Result struct {
	Outputs []Output
	Drops   []Drop
}

// Stats counts what a [Forwarder] did.
type Stats struct {
	Packets uint64                // given to Forward and Originate
	Outputs [Tunnelled + 1]uint64 // packets, by OutputKind
	Drops   [reasonCount]uint64   // drops, by Reason
}
