// SPDX-License-Identifier: BSD-3-Clause

package xcasttest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/mcastalloc/malloc/xcast"
)

// A Network is nodes and links in memory. It has no time: packets are carried
// one after the other, in the order in which they were sent, until none is
// left. It is deterministic, and for one goroutine.
type Network struct {
	// Code are the code points that all nodes use.
	Code xcast.CodePoints
	// MaxSteps ends Run when packets go round in circles; 100000 if zero.
	MaxSteps int

	nodes []*Node
	links []*Link
	queue []carried
}

// A Node is a host or router with one address per family. Without Xcast it
// forwards unicast and drops Xcast packets, as routers that know nothing of
// Xcast do.
type Node struct {
	Name         string
	Addr4, Addr6 netip.Addr
	// Received are the packets for the node's own addresses and, of Xcast
	// nodes, its share of Xcast packets.
	Received [][]byte
	// Lost counts what the node dropped, by its reason.
	Lost map[xcast.Reason]int

	net       *Network
	index     int
	forwarder *xcast.Forwarder
	links     []*Link
	next      []*Link // by index of the destination node; nil if unreachable or itself
}

// A Link joins two nodes.
type Link struct {
	A, B *Node
	// Packets counts what crossed the link, in either direction; Octets its
	// length from the IP header on.
	Packets, Octets int
	// Trace, if set, is called with every packet.
	Trace func(from *Node, packet []byte)
}

type carried struct {
	to     *Node
	packet []byte
}

// NewNetwork returns an empty network.
func NewNetwork(code xcast.CodePoints) *Network { return &Network{Code: code} }

// AddNode adds a node that knows nothing of Xcast.
func (n *Network) AddNode(name string, addr4, addr6 netip.Addr) *Node {
	nd := &Node{Name: name, Addr4: addr4, Addr6: addr6, Lost: map[xcast.Reason]int{}, net: n, index: len(n.nodes)}
	n.nodes = append(n.nodes, nd)
	return nd
}

// Connect joins two nodes with a link.
func (n *Network) Connect(a, b *Node) *Link {
	l := &Link{A: a, B: b}
	n.links = append(n.links, l)
	a.links, b.links = append(a.links, l), append(b.links, l)
	return l
}

// Nodes returns the nodes in the order of AddNode.
func (n *Network) Nodes() []*Node { return n.nodes }

// Links returns the links in the order of Connect.
func (n *Network) Links() []*Link { return n.links }

// Route computes every node's shortest routes, in hops. Call it after the last
// Connect and before packets are sent.
func (n *Network) Route() {
	for _, nd := range n.nodes {
		nd.next = make([]*Link, len(n.nodes))
	}
	for _, to := range n.nodes {
		// Breadth first from the destination: each node learns the link by
		// which it was reached, so routes have no loops.
		seen := map[*Node]bool{to: true}
		for frontier := []*Node{to}; len(frontier) > 0; frontier = frontier[1:] {
			for _, l := range frontier[0].links {
				if from := l.other(frontier[0]); !seen[from] {
					seen[from] = true
					from.next[to.index] = l
					frontier = append(frontier, from)
				}
			}
		}
	}
}

func (l *Link) other(nd *Node) *Node {
	if l.A == nd {
		return l.B
	}
	return l.A
}

// RunXcast makes the node an Xcast node. Its routes, its own addresses and
// which neighbours are Xcast nodes are filled in; change may set the rest.
func (nd *Node) RunXcast(change func(*xcast.Config)) error {
	c := xcast.Config{Code: nd.net.Code, Local: nd.owns, Route: nd.lookup}
	if change != nil {
		change(&c)
	}
	f, err := xcast.NewForwarder(c)
	nd.forwarder = f
	return err
}

// IsXcast reports whether RunXcast was called.
func (nd *Node) IsXcast() bool { return nd.forwarder != nil }

// Stats returns the counters of an Xcast node.
func (nd *Node) Stats() xcast.Stats { return nd.forwarder.Stats() }

func (nd *Node) owns(a netip.Addr) bool { return a == nd.Addr4 || a == nd.Addr6 }

// node returns who has an address, nil for nobody.
func (n *Network) node(a netip.Addr) *Node {
	for _, nd := range n.nodes {
		if nd.owns(a) {
			return nd
		}
	}
	return nil
}

// lookup is the unicast table.
func (nd *Node) lookup(a netip.Addr) (xcast.Route, bool) {
	to := nd.net.node(a)
	if to == nil || nd.next[to.index] == nil {
		return xcast.Route{}, false
	}
	l := nd.next[to.index]
	hop := l.other(nd)
	r := xcast.Route{Capable: hop.IsXcast(), Interface: int32(nd.linkIndex(l))}
	if hop != to {
		r.Gateway = hop.Addr4
		if a.Is6() {
			r.Gateway = hop.Addr6
		}
	}
	return r, true
}

func (nd *Node) linkIndex(l *Link) int {
	for i := range nd.links {
		if nd.links[i] == l {
			return i
		}
	}
	return -1
}

// Path returns the nodes from nd to the owner of an address, both included.
func (nd *Node) Path(a netip.Addr) []*Node {
	to := nd.net.node(a)
	path := []*Node{nd}
	for to != nil && nd != to && nd.next[to.index] != nil {
		nd = nd.next[to.index].other(nd)
		path = append(path, nd)
	}
	return path
}

// Originate sends a native Xcast packet of an Xcast node.
func (nd *Node) Originate(packet []byte) error {
	r, err := nd.forwarder.Originate(packet)
	nd.carry(r)
	return err
}

// Send sends a packet of the node's own: unicast by its destination. An Xcast
// packet of a host without Xcast goes to its first neighbour, as an ordinary
// stack puts a multicast packet on its only link.
func (nd *Node) Send(packet []byte) {
	packet = slices.Clone(packet) // routers write into it
	to := destination(packet)
	if !to.IsMulticast() {
		nd.unicast(packet)
	} else if len(nd.links) > 0 {
		nd.put(nd.links[0], packet)
	}
}

// Run carries packets until none is left. It fails after MaxSteps.
func (n *Network) Run() error {
	limit := n.MaxSteps
	if limit == 0 {
		limit = 100000
	}
	for step := 0; len(n.queue) > 0; step++ {
		if step == limit {
			return fmt.Errorf("xcasttest: still %d packets on the way after %d steps", len(n.queue), limit)
		}
		c := n.queue[0]
		n.queue = n.queue[1:]
		c.to.receive(c.packet)
	}
	return nil
}

func (nd *Node) receive(packet []byte) {
	if nd.forwarder != nil {
		r, err := nd.forwarder.Forward(0, packet)
		if !errors.Is(err, xcast.ErrNotXcast) {
			nd.carry(r)
			return
		}
	}
	to := destination(packet)
	switch {
	case nd.owns(to):
		nd.Received = append(nd.Received, packet)
	case to.IsMulticast():
		nd.Lost[xcast.ErrNotXcast]++
	case !decrement(packet):
		nd.Lost[xcast.ErrTTL]++
	default:
		nd.unicast(packet)
	}
}

// carry does what a forwarder decided.
func (nd *Node) carry(r xcast.Result) {
	for _, d := range r.Drops {
		nd.Lost[d.Reason] += max(1, d.Destinations.Len())
	}
	for _, o := range r.Outputs {
		packet, _ := o.AppendBinary(nil)
		switch o.Kind {
		case xcast.Deliver:
			nd.Received = append(nd.Received, packet)
		case xcast.XcastCopy:
			nd.put(nd.links[o.Interface], packet)
		default:
			nd.unicast(packet)
		}
	}
}

func (nd *Node) unicast(packet []byte) {
	to := destination(packet)
	if nd.owns(to) {
		nd.Received = append(nd.Received, packet)
		return
	}
	r, ok := nd.lookup(to)
	if !ok {
		nd.Lost[xcast.ErrNoRoute]++
		return
	}
	nd.put(nd.links[r.Interface], packet)
}

func (nd *Node) put(l *Link, packet []byte) {
	l.Packets++
	l.Octets += len(packet)
	if l.Trace != nil {
		l.Trace(nd, packet)
	}
	nd.net.queue = append(nd.net.queue, carried{l.other(nd), packet})
}

func destination(packet []byte) netip.Addr {
	if ip, err := xcast.ParseIPv4(packet); err == nil {
		return ip.Destination()
	}
	if ip, err := xcast.ParseIPv6(packet); err == nil {
		return ip.Destination()
	}
	return netip.Addr{}
}

// decrement takes 1 from the TTL and reports whether anything is left.
func decrement(packet []byte) bool {
	if ip, err := xcast.ParseIPv4(packet); err == nil && ip.TTL() > 1 {
		ip.SetTTL(ip.TTL() - 1)
		ip.UpdateChecksum()
		return true
	}
	if ip, err := xcast.ParseIPv6(packet); err == nil && ip.HopLimit() > 1 {
		ip.SetHopLimit(ip.HopLimit() - 1)
		return true
	}
	return false
}
