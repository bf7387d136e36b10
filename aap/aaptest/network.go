// SPDX-License-Identifier: BSD-3-Clause

package aaptest

import (
	"container/heap"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/aap"
)

// Faults is how bad a [Network] is. The zero value delivers everything at once.
type Faults struct {
	Delay     time.Duration // of every datagram
	Jitter    time.Duration // up to which more, so that some overtake others
	Loss      float64       // the share of datagrams lost, for each receiver on its own
	Duplicate float64       // the share that arrives twice
}

// Network is a domain of servers and coordinators in virtual time: datagrams to
// one AAP group, and clocks that differ. The same seed and calls give the same run,
// event for event; Digest proves it. Not safe for concurrent use.
//
// After every event the invariants are checked that hold whatever happens; see
// [Network.Violations].
type Network struct {
	Faults Faults

	now         time.Time
	seed        uint64
	rng         *rand.Rand
	nodes       []*Node
	events      eventHeap
	order       uint64
	islands     [][]*Node // by partition; none for one network
	quiet       bool      // no fault ever could excuse a double allocation
	checkedAt   time.Time
	violations  []string
	digest      uint64
	Transmitted [6]uint64 // datagrams, by type
}

// NewNetwork returns an empty network at a time.
func NewNetwork(seed uint64, start time.Time) *Network {
	return &Network{now: start, seed: seed, rng: rand.New(rand.NewPCG(seed, 0x4141)), quiet: true, digest: 14695981039346656037}
}

// Now returns the true time.
func (n *Network) Now() time.Time { return n.now }

// Rand returns the source of the network's randomness, for demands to draw from.
func (n *Network) Rand() *rand.Rand { return n.rng }

// Nodes returns all nodes in the order they were added.
func (n *Network) Nodes() []*Node { return slices.Clone(n.nodes) }

// Digest returns a number that depends on every datagram sent.
func (n *Network) Digest() uint64 { return n.digest }

// AddServer adds a MAAS, whose clock is ahead by skew, and starts it. Self and Rand
// of its configuration are set. It panics if that is bad.
func (n *Network) AddServer(cfg aap.MAASConfig, skew time.Duration) *Node {
	x := n.add(skew)
	x.cfg = cfg
	x.Restart()
	return x
}

// AddCoordinator adds a prefix coordinator, which announces nothing yet. Self and
// Rand of its configuration are set. It panics if that is bad.
func (n *Network) AddCoordinator(cfg aap.CoordinatorConfig, skew time.Duration) *Node {
	x := n.add(skew)
	cfg.Self, cfg.Rand = []netip.AddrPort{x.addr}, x.rand()
	c, err := aap.NewCoordinator(cfg)
	if err != nil {
		panic(err)
	}
	x.coordinator = c
	x.machine = c
	return x
}

func (n *Network) add(skew time.Duration) *Node {
	i := len(n.nodes) + 1
	x := &Node{net: n, addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), aap.Port), skew: skew}
	n.nodes = append(n.nodes, x)
	return x
}

// Partition cuts the network into islands that do not hear each other. Nodes in
// none hear nobody.
func (n *Network) Partition(islands ...[]*Node) { n.islands, n.quiet = islands, false }

// Heal ends a partition.
func (n *Network) Heal() { n.islands = nil }

func (n *Network) connected(a, b *Node) bool {
	if n.islands == nil || a == b {
		return true
	}
	return slices.ContainsFunc(n.islands, func(i []*Node) bool { return slices.Contains(i, a) && slices.Contains(i, b) })
}

// At calls f at a time, or now if that has passed.
func (n *Network) At(t time.Time, f func()) { n.push(t, event{call: f}) }

// Run lets the network live up to a time.
func (n *Network) Run(until time.Time) {
	for len(n.events) > 0 && !n.events[0].at.After(until) {
		e := heap.Pop(&n.events).(*event)
		if e.at.After(n.now) {
			n.now = e.at
		}
		switch {
		case e.call != nil:
			e.call()
		case e.node.down || e.life != e.node.life:
		case e.payload != nil:
			e.node.receive(e)
		case !e.node.alarm.After(n.now):
			e.node.advance()
		}
		n.checkAll()
	}
	n.now = until
	n.checkAll()
}

// send carries a datagram to all nodes, the sender included.
func (n *Network) send(from *Node, s aap.Send) {
	h := fnv.New64a()
	fmt.Fprint(h, n.digest, n.now.UnixNano(), from.addr, s.Packet)
	n.digest = h.Sum64()
	if f := n.Faults; f.Loss > 0 || f.Delay+f.Jitter > time.Second/2 {
		n.quiet = false
	}
	for _, to := range n.nodes {
		if to.down || !n.connected(from, to) || to != from && n.rng.Float64() < n.Faults.Loss {
			continue
		}
		copies := 1
		if n.rng.Float64() < n.Faults.Duplicate {
			copies = 2
		}
		for range copies {
			delay := n.Faults.Delay
			if n.Faults.Jitter > 0 {
				delay += time.Duration(n.rng.Int64N(int64(n.Faults.Jitter)))
			}
			n.push(n.now.Add(delay), event{node: to, life: to.life, from: from, payload: s.Packet, group: s.Group})
		}
	}
}

// event is a datagram that arrives, a node whose deadline comes, or a call.
type event struct {
	at      time.Time
	order   uint64
	node    *Node
	life    int // of the node: a crash loses what was under way
	from    *Node
	payload []byte
	group   netip.Addr
	call    func()
}

func (n *Network) push(at time.Time, e event) {
	n.order++
	e.at, e.order = at, n.order
	if e.at.Before(n.now) {
		e.at = n.now
	}
	heap.Push(&n.events, &e)
}

type eventHeap []*event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	if c := h[i].at.Compare(h[j].at); c != 0 {
		return c < 0
	}
	return h[i].order < h[j].order
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(*event)) }
func (h *eventHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
