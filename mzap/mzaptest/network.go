// SPDX-License-Identifier: BSD-3-Clause

package mzaptest

import (
	"container/heap"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/scope"
)

// Network is links, routers and hosts in virtual time. Build it, call
// [Network.Start], then [Network.Run]. It is not safe for concurrent use.
type Network struct {
	// IPv6 makes the network one of IPv6. Set it before the first link.
	IPv6 bool
	// Timing is given to every router and host.
	Timing mzap.Timing
	// Loss is the chance of a datagram to get lost on the way to one neighbour,
	// Duplication that of arriving twice, each from 0 to 1.
	Loss, Duplication float64
	// MinDelay and MaxDelay bound the delay of a link. They are 1 ms and 20 ms
	// unless changed.
	MinDelay, MaxDelay time.Duration
	// Drop, if not nil, is asked before a datagram reaches a node; true loses it.
	Drop func(to string, on *Link, m *mzap.Message) bool
	// Trace, if not nil, sees every datagram that a router's machine sends.
	Trace func(from *Router, s mzap.Send)

	// Findings are those of all routers and hosts so far, in order.
	Findings []Found

	now     time.Time
	rand    *rand.Rand
	links   []*Link
	routers []*Router
	hosts   []*Host
	events  queue
	sent    int               // datagrams so far
	carried map[carriage]bool // which link has carried which datagram
	routes  map[*Router][]int // by router and link number: the interface that leads there
}

// Found is a finding and who made it, when.
type Found struct {
	At   time.Time
	Node string
	mzap.Finding
}

// String tells who found what.
func (f Found) String() string { return f.Node + ": " + f.Finding.String() }

// Link is a network segment: everybody on it hears a datagram sent to it.
type Link struct {
	Name string
	// Cost is what routing adds for a way over the link, 1 unless changed before
	// Start.
	Cost   int
	number int
	used   int // addresses given out
	ports  []port
}

// port is where a router is attached to a link.
type port struct {
	router *Router
	index  int
}

// Host is a host that listens to MZAP.
type Host struct {
	Name     string
	Link     *Link
	Config   mzap.ListenerConfig // may be changed before Start
	Listener *mzap.Listener
	// Effects is what the listener reported so far.
	Effects []mzap.Effect
	due     time.Time
}

// NewNetwork returns an empty network of IPv4. Its randomness comes from the
// seed alone.
func NewNetwork(seed uint64) *Network {
	return &Network{
		MinDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond,
		now:     time.Date(2000, 2, 1, 0, 0, 0, 0, time.UTC),
		rand:    rand.New(rand.NewPCG(seed, 2776)),
		carried: map[carriage]bool{},
	}
}

// Link adds a link. Its nodes get addresses of 10.n/16, or 2001:db8:n::/48, n
// counting the links from 1; so a link made earlier has lower addresses.
func (n *Network) Link(name string) *Link {
	l := &Link{Name: name, Cost: 1, number: len(n.links) + 1}
	n.links = append(n.links, l)
	return l
}

func (n *Network) address(l *Link) netip.Addr {
	l.used++
	if n.IPv6 {
		return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(l.number >> 8), byte(l.number), 14: byte(l.used >> 8), 15: byte(l.used)})
	}
	return netip.AddrFrom4([4]byte{10, byte(l.number), byte(l.used >> 8), byte(l.used)})
}

// Host adds a host to a link.
func (n *Network) Host(name string, l *Link) *Host {
	h := &Host{Name: name, Link: l}
	n.hosts = append(n.hosts, h)
	return h
}

// Now returns the virtual time.
func (n *Network) Now() time.Time { return n.now }

// Routers returns the routers in the order they were added.
func (n *Network) Routers() []*Router { return n.routers }

// Hosts returns the hosts in the order they were added.
func (n *Network) Hosts() []*Host { return n.hosts }

// Found yields the findings of one kind.
func (n *Network) Found(k mzap.FindingKind) iter.Seq[Found] {
	return func(yield func(Found) bool) {
		for _, f := range n.Findings {
			if f.Kind == k && !yield(f) {
				return
			}
		}
	}
}

// Start makes the machines of all routers and hosts. Nodes cannot be added
// afterwards.
func (n *Network) Start() error {
	n.computeRoutes()
	for _, h := range n.hosts {
		if h.Config.NIMHold == 0 {
			h.Config.NIMHold = n.Timing.NIMHold
		}
		l, err := mzap.NewListener(h.Config)
		if err != nil {
			return fmt.Errorf("host %s: %w", h.Name, err)
		}
		h.Listener = l
	}
	for _, r := range n.routers {
		if err := r.start(); err != nil {
			return fmt.Errorf("router %s: %w", r.Name, err)
		}
	}
	return nil
}

// Run lets virtual time pass.
func (n *Network) Run(d time.Duration) {
	end := n.now.Add(d)
	for n.step(end) {
	}
	n.now = end
}

// RunUntil lets virtual time pass until the condition holds, and at most for a
// duration. It reports whether the condition held.
func (n *Network) RunUntil(d time.Duration, condition func() bool) bool {
	for end := n.now.Add(d); !condition(); {
		if !n.step(end) {
			n.now = end
			return condition()
		}
	}
	return true
}

// step does what is to happen next, unless it is after end.
func (n *Network) step(end time.Time) bool {
	at := end
	var next func()
	earlier := func(t time.Time, do func()) {
		if !t.IsZero() && (t.Before(at) || next == nil && t.Equal(at)) {
			at, next = t, do
		}
	}
	if len(n.events) > 0 {
		earlier(n.events[0].at, func() { n.deliver(heap.Pop(&n.events).(event)) })
	}
	for _, r := range n.routers {
		earlier(r.due, r.advance)
	}
	for _, h := range n.hosts {
		earlier(h.due, func() { h.Listener.Advance(n.now); n.listen(h) })
	}
	if next == nil {
		return false
	}
	n.now = at
	next()
	if len(n.events) == 0 {
		clear(n.carried)
	}
	return true
}

// datagram is a multicast datagram on its way.
type datagram struct {
	id      int
	send    mzap.Send
	message *mzap.Message
}

// carriage is a datagram on a link: a link carries each at most once.
type carriage struct {
	id   int
	link *Link
}

// event is the arrival of a datagram at everybody on a link but the sender.
type event struct {
	at   time.Time
	seq  int
	d    datagram
	link *Link
	from *Router
}

type queue []event

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q queue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q *queue) Push(x any) { *q = append(*q, x.(event)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// transmit puts a datagram on a link, once.
func (n *Network) transmit(d datagram, l *Link, from *Router) {
	if c := (carriage{d.id, l}); n.carried[c] {
		return
	} else {
		n.carried[c] = true
	}
	delay := n.MinDelay
	if spread := n.MaxDelay - n.MinDelay; spread > 0 {
		delay += time.Duration(n.rand.Int64N(int64(spread)))
	}
	n.sent++
	heap.Push(&n.events, event{n.now.Add(delay), n.sent, d, l, from})
}

// deliver hands a datagram to everybody on a link.
func (n *Network) deliver(e event) {
	for _, p := range e.link.ports {
		if p.router != e.from && !n.lost(p.router.Name, e) {
			p.router.receive(e.d, p.index)
			if n.rand.Float64() < n.Duplication {
				p.router.receive(e.d, p.index)
			}
		}
	}
	if e.d.send.Group != mzap.LocalGroup(!n.IPv6) {
		return
	}
	for _, h := range n.hosts {
		if h.Link == e.link && !n.lost(h.Name, e) {
			h.Listener.Receive(n.now, mzap.Packet{From: e.d.send.Source, Interface: 1, Payload: e.d.send.Packet})
			n.listen(h)
		}
	}
}

func (n *Network) lost(to string, e event) bool {
	return n.Loss > 0 && n.rand.Float64() < n.Loss || n.Drop != nil && n.Drop(to, e.link, e.d.message)
}

// listen takes what a host's listener reports.
func (n *Network) listen(h *Host) {
	for x := range h.Listener.Effects() {
		h.Effects = append(h.Effects, x)
		if f, ok := x.(mzap.Finding); ok {
			n.Findings = append(n.Findings, Found{n.now, h.Name, f})
		}
	}
	h.due, _ = h.Listener.Deadline()
}

// Inject sends a datagram of anybody's making over a link, as if a host there
// had sent it. It spreads as far as routing carries it.
func (n *Network) Inject(l *Link, group netip.Addr, packet []byte) {
	n.sent++
	d := datagram{n.sent, mzap.Send{Source: n.address(l), Group: group, Packet: slices.Clone(packet)}, nil}
	var m mzap.Message
	if m.UnmarshalBinary(packet) == nil {
		d.message = &m
	}
	n.transmit(d, l, nil)
}

// ScopeOf is a short way to a scope for tests: a range, not divisible, with an
// English name.
func ScopeOf(name, first, last string) scope.Scope {
	names, err := scope.NewNames(scope.Name{Tag: "en", Text: name, Default: true})
	if err != nil {
		panic(err)
	}
	return scope.Scope{Range: scope.MustRange(first, last), TTL: 255, Names: names}
}
