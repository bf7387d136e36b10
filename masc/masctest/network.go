// SPDX-License-Identifier: BSD-3-Clause

package masctest

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/masc"
)

// Network is a set of hosts, each a masc.Speaker, and the connections between
// them. Build it with Host, Peer and Siblings, then Start it and Run it.
type Network struct {
	// Latency is how long a message takes: a random time between the two,
	// without overtaking on a connection.
	MinLatency, MaxLatency time.Duration
	// DialTime is how long an attempt to connect takes that fails.
	DialTime time.Duration
	// Check is called after every event that changes what a domain may use; an
	// error ends Run. See Overlap.
	Check func() error
	// Trace is called with what happens, if not nil.
	Trace func(now time.Time, host *Host, what string)

	rnd    *rand.Rand
	now    time.Time
	hosts  []*Host
	events events
	seq    uint64
	group  map[*Host]int // of the partition
	moved  bool          // something has been allotted
	cut    map[[2]*Host]bool
}

// Epoch is when every Network begins: 2000-09-09 00:00 GMT.
var Epoch = time.Date(2000, 9, 9, 0, 0, 0, 0, time.UTC)

// NewNetwork returns an empty network.
func NewNetwork(seed uint64) *Network {
	return &Network{MinLatency: 5 * time.Millisecond, MaxLatency: 80 * time.Millisecond, DialTime: 20 * time.Second,
		rnd: rand.New(rand.NewPCG(seed, 2909)), now: Epoch, cut: make(map[[2]*Host]bool)}
}

// Host is one node of a Network.
type Host struct {
	Name   string
	Config masc.SpeakerConfig // until Start

	Alerts []error // what the node has reported, the last hundred
	Saved  []byte  // the Snapshot as stored

	net     *Network
	speaker *masc.Speaker
	peers   []*Host // by masc.PeerID
	conns   map[masc.ConnID]*pipe
	seed    uint64
	down    bool
}

// pipe is one end of a connection.
type pipe struct {
	from, to *Host
	id       masc.ConnID // at from
	other    *pipe       // nil once closed
	arrives  time.Time   // when the last octets sent arrive: nothing overtakes them
	dead     bool        // swallows everything: the network between is gone
}

// Host adds a node of a domain. The last octets of its identifier are its
// number in the network.
func (w *Network) Host(domain uint64, change func(*masc.SpeakerConfig)) *Host {
	i := len(w.hosts) + 1
	h := &Host{Name: fmt.Sprintf("%d/%d", domain, i), net: w, seed: w.rnd.Uint64()}
	h.Config.Node.Domain = masc.NumberID(domain)
	h.Config.Node.Node = masc.AddrID(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}))
	h.Config.HoldTime = 3 * time.Hour
	h.Config.MaxBackoff = 10 * time.Minute
	if change != nil {
		change(&h.Config)
	}
	w.hosts = append(w.hosts, h)
	return h
}

// Peer connects two hosts; role is that of a. With a common parent or none,
// siblings are connected by Siblings.
func (w *Network) Peer(a, b *Host, role masc.Role) { w.peer(a, b, role, masc.ID{}) }

// Siblings connects two hosts whose domains have a parent in common, or are
// both top-level: the zero ID.
func (w *Network) Siblings(a, b *Host, parent masc.ID) { w.peer(a, b, masc.Sibling, parent) }

func (w *Network) peer(a, b *Host, role masc.Role, parent masc.ID) {
	add := func(x, y *Host, r masc.Role) {
		c := &x.Config.Node
		other := y.Config.Node.Domain
		c.Peers = append(c.Peers, masc.Peer{Role: r, Domain: other, Parent: parent})
		x.peers = append(x.peers, y)
		if r == masc.Child && !slices.Contains(c.Parents, other) {
			c.Parents = append(c.Parents, other)
		}
	}
	add(a, b, role)
	add(b, a, role.Opposite())
}

// Start starts all hosts.
func (w *Network) Start() error {
	for _, h := range w.hosts {
		if err := h.boot(); err != nil {
			return fmt.Errorf("host %s: %w", h.Name, err)
		}
	}
	return nil
}

func (h *Host) boot() error {
	h.seed++
	c := h.Config
	c.Node.Rand = rand.New(rand.NewPCG(h.seed, 1))
	var s masc.Snapshot
	if h.Saved != nil {
		if err := s.UnmarshalBinary(h.Saved); err != nil {
			return err
		}
	}
	var err error
	if h.speaker, err = masc.NewSpeaker(c, s); err != nil {
		return err
	}
	h.conns, h.down = make(map[masc.ConnID]*pipe), false
	h.speaker.Start(h.net.now)
	h.speaker.Advance(h.net.now)
	h.carry()
	return nil
}

// Now returns the virtual time.
func (w *Network) Now() time.Time { return w.now }

// Rand returns the network's source of randomness.
func (w *Network) Rand() *rand.Rand { return w.rnd }

// Hosts returns the hosts in the order they were added.
func (w *Network) Hosts() []*Host { return w.hosts }

// Node returns the host's node, to read from.
func (h *Host) Node() *masc.Node { return h.speaker.Node() }

// Speaker returns the host's speaker, to read from.
func (h *Host) Speaker() *masc.Speaker { return h.speaker }

// Down reports whether the host is stopped.
func (h *Host) Down() bool { return h.down }

// Do calls f with the host's node and carries out what comes of it.
func (h *Host) Do(f func(now time.Time, n *masc.Node)) {
	if !h.down {
		h.speaker.Do(h.net.now, func(n *masc.Node) { f(h.net.now, n) })
		h.carry()
	}
}

// SetDemand says what the host's domain needs of its first space.
func (h *Host) SetDemand(d masc.Demand) {
	h.Do(func(now time.Time, n *masc.Node) { n.SetDemand(now, 0, d) })
}

// Crash stops a host without a word. Its peers notice when their hold times
// are over, or the connections are reset if told is set.
func (h *Host) Crash(told bool) {
	h.down = true
	for _, p := range h.sorted() {
		h.net.sever(p, !told)
	}
	h.conns = nil
}

// Restart starts a crashed host with what it has stored.
func (h *Host) Restart() error { return h.boot() }

// sorted returns the host's connections in the order they were made.
func (h *Host) sorted() []*pipe {
	var list []*pipe
	for _, p := range h.conns {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *pipe) int { return int(int64(a.id) - int64(b.id)) })
	return list
}

// Partition splits the network: hosts reach only those of their own group, and
// those that no group names only each other. Connections between groups are
// reset, or go silent if silent is set.
func (w *Network) Partition(silent bool, groups ...[]*Host) {
	w.group = make(map[*Host]int)
	for i, g := range groups {
		for _, h := range g {
			w.group[h] = i + 1
		}
	}
	w.severAll(silent)
}

// Cut breaks what connects two hosts until Mend.
func (w *Network) Cut(a, b *Host, silent bool) {
	w.cut[[2]*Host{a, b}], w.cut[[2]*Host{b, a}] = true, true
	w.severAll(silent)
}

// Mend undoes a Cut.
func (w *Network) Mend(a, b *Host) {
	delete(w.cut, [2]*Host{a, b})
	delete(w.cut, [2]*Host{b, a})
}

// Heal ends the partition.
func (w *Network) Heal() { w.group = nil }

func (w *Network) reach(a, b *Host) bool {
	return !a.down && !b.down && w.group[a] == w.group[b] && !w.cut[[2]*Host{a, b}]
}

func (w *Network) severAll(silent bool) {
	for _, h := range w.hosts {
		for _, p := range h.sorted() {
			if !w.reach(p.from, p.to) {
				w.sever(p, silent)
			}
		}
	}
}

// sever breaks a connection for both ends.
func (w *Network) sever(p *pipe, silent bool) {
	if p.dead {
		return
	}
	ends := []*pipe{p}
	if p.other != nil {
		ends = append(ends, p.other)
	}
	for _, e := range ends {
		e.dead = true
		if !silent {
			w.at(w.now.Add(w.MinLatency), func() { e.lost() })
		}
	}
}

// lost tells the host of p that the connection broke.
func (p *pipe) lost() {
	if h := p.from; !h.down && h.conns[p.id] == p {
		delete(h.conns, p.id)
		h.speaker.Disconnected(h.net.now, p.id, nil)
		h.carry()
	}
}

// carry carries out the effects of a host's speaker.
func (h *Host) carry() {
	w := h.net
	for e := range h.speaker.Effects() {
		switch e := e.(type) {
		case *masc.Dial:
			w.dial(h, h.peers[e.Peer], e.Conn)
		case *masc.Write:
			if p := h.conns[e.Conn]; p != nil && !p.dead && p.other != nil {
				w.send(p, slices.Clone(e.Packet))
			}
		case *masc.Close:
			h.close(e.Conn)
		case *masc.Persist:
			h.Saved, _ = h.Node().Snapshot().MarshalBinary()
		case *masc.Alert:
			h.Alerts = append(h.Alerts, e.Err)
			if len(h.Alerts) > 100 {
				h.Alerts = slices.Delete(h.Alerts, 0, 1)
			}
			w.trace(h, "alert: "+e.Err.Error())
		case *masc.Up:
			w.trace(h, "up: "+h.peers[e.Peer].Name)
		case *masc.Down:
			w.trace(h, "down: "+h.peers[e.Peer].Name)
		case *masc.Allotted:
			w.moved = true
			w.trace(h, "allotted")
		}
	}
}

func (w *Network) trace(h *Host, what string) {
	if w.Trace != nil {
		w.Trace(w.now, h, what)
	}
}

func (h *Host) close(id masc.ConnID) {
	p := h.conns[id]
	if p == nil {
		return
	}
	delete(h.conns, id)
	if o := p.other; o != nil && !p.dead {
		h.net.at(p.next(), func() {
			if !o.dead {
				o.lost()
			}
		})
	}
	p.dead = true
}

// next returns when something sent now arrives.
func (p *pipe) next() time.Time {
	w := p.from.net
	t := w.now.Add(w.MinLatency + time.Duration(w.rnd.Int64N(int64(w.MaxLatency-w.MinLatency)+1)))
	if t.Before(p.arrives) {
		t = p.arrives
	}
	p.arrives = t
	return t
}

func (w *Network) send(p *pipe, b []byte) {
	o := p.other
	w.at(p.next(), func() {
		if h := o.from; !o.dead && !h.down && h.conns[o.id] == o {
			h.speaker.Receive(w.now, o.id, b)
			h.carry()
		}
	})
}

// dial tries to connect a to b. The other end learns of it a little earlier.
func (w *Network) dial(a, b *Host, id masc.ConnID) {
	speaker := a.speaker
	still := func() bool { return !a.down && a.speaker == speaker }
	w.at(w.now.Add(w.MaxLatency+time.Duration(w.rnd.Int64N(int64(w.MaxLatency)+1))), func() {
		if !still() {
			return
		}
		var remote masc.ConnID
		if w.reach(a, b) {
			remote = b.speaker.Accept(w.now, b.known(a)...)
		}
		if remote == 0 {
			if !b.down {
				b.carry()
			}
			w.at(w.now.Add(w.DialTime), func() {
				if still() {
					a.speaker.ConnectFailed(w.now, id)
					a.carry()
				}
			})
			return
		}
		p, q := &pipe{from: a, to: b, id: id}, &pipe{from: b, to: a, id: remote}
		p.other, q.other = q, p
		a.conns[id], b.conns[remote] = p, q
		b.carry()
		a.speaker.Connected(w.now, id)
		a.carry()
	})
}

// known returns which peers of h the host a may be.
func (h *Host) known(a *Host) []masc.PeerID {
	var list []masc.PeerID
	for i, p := range h.peers {
		if p == a {
			list = append(list, masc.PeerID(i))
		}
	}
	return list
}

// Run lets virtual time pass. It returns the first error of Check.
func (w *Network) Run(d time.Duration) error {
	end := w.now.Add(d)
	for {
		var next time.Time
		var who *Host
		if len(w.events) > 0 {
			next = w.events[0].at
		}
		for _, h := range w.hosts {
			if h.down {
				continue
			}
			if t, ok := h.speaker.Deadline(); ok && (next.IsZero() || t.Before(next)) {
				next, who = t, h
			}
		}
		if next.IsZero() || next.After(end) {
			w.now = end
			return nil
		}
		if next.After(w.now) {
			w.now = next
		}
		if who != nil {
			who.speaker.Advance(w.now)
			who.carry()
		} else {
			heap.Pop(&w.events).(event).do()
		}
		if w.moved && w.Check != nil {
			w.moved = false
			if err := w.Check(); err != nil {
				return fmt.Errorf("at %v: %w", w.now, err)
			}
		}
	}
}

func (w *Network) at(t time.Time, do func()) {
	w.seq++
	heap.Push(&w.events, event{t, w.seq, do})
}

// event is something that will happen; those of one time happen in the order
// they were planned.
type event struct {
	at  time.Time
	seq uint64
	do  func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	(*e)[last], *e = event{}, (*e)[:last]
	return x
}
