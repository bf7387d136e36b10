// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/masc"
)

var epoch = time.Date(2000, 9, 9, 0, 0, 0, 0, time.UTC)

func parsePrefix(s string) (masc.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return masc.Prefix{}, err
	}
	q := masc.PrefixOf(p)
	if !q.IsValid() {
		return q, fmt.Errorf("%s is no multicast prefix", s)
	}
	return q, nil
}

// region is a top-level domain with its children: what one processor simulates
// without the others for as long as a message travels.
type region struct {
	p     *params
	hosts []*host // the top-level domain first
	next  []int64 // when each has something to do, in ns
	queue fifo    // messages under way within the region
	out   []message
	// siblings of the top-level domain: by PeerID-children, the region's number
	siblings []int
	back     []masc.PeerID // and what it is called there
}

// host is one node. Children have a MAAS with users.
type host struct {
	alerts []error
	node   *masc.Node
	maas   *maas
}

// message is a claim on its way to some peers of the node that sends it, or to
// one node of another region.
type message struct {
	at    int64
	from  int32 // host
	to    []masc.PeerID
	claim masc.Claim

	region int // of the receiver, for messages between regions
	peer   masc.PeerID
}

// fifo holds messages in the order of their arrival.
type fifo struct {
	list  []message
	first int
}

func (f *fifo) push(m message) { f.list = append(f.list, m) }

func (f *fifo) empty() bool { return f.first == len(f.list) }

func (f *fifo) pop() message {
	m := f.list[f.first]
	f.first++
	if f.first == len(f.list) {
		f.list, f.first = f.list[:0], 0
	} else if f.first > 4096 && f.first > len(f.list)/2 {
		f.list, f.first = append(f.list[:0], f.list[f.first:]...), 0
	}
	return m
}

// newRegion builds top-level domain number i with the given siblings.
func newRegion(p *params, i int, siblings []int, back []masc.PeerID) (*region, error) {
	r := &region{p: p, siblings: siblings, back: back, next: make([]int64, p.children+1)}
	domain := func(tld, child int) masc.ID { return masc.NumberID(uint64(1 + tld*(p.children+1) + child)) }
	rules := masc.DefaultRules()
	rules.MaxHoldtime = max(rules.MaxHoldtime, 2*p.tldLife)
	for j := range p.children + 1 {
		rnd := rand.New(rand.NewPCG(p.seed, uint64(i)<<32|uint64(j)))
		cfg := masc.NodeConfig{
			Domain: domain(i, j), Node: domain(i, j), Rand: rnd, Rules: &rules, Policy: p.policyFor(j == 0),
			Waiting: p.waiting, ReclaimPeriod: p.reclaim, SilentlyExpire: false,
			Spaces: []masc.Space{{Prefix: p.pool, TopLevel: j == 0}},
		}
		if j == 0 {
			cfg.Lifetime = p.tldLife
			for c := range p.children {
				cfg.Peers = append(cfg.Peers, masc.Peer{Role: masc.Parent, Domain: domain(i, c+1)})
			}
			for _, s := range siblings {
				cfg.Peers = append(cfg.Peers, masc.Peer{Role: masc.Sibling, Domain: domain(s, 0)})
			}
		} else {
			cfg.Lifetime = p.prefixLife
			cfg.Parents = []masc.ID{domain(i, 0)}
			cfg.Peers = []masc.Peer{{Role: masc.Child, Domain: domain(i, 0)}}
		}
		node, err := masc.NewNode(cfg, masc.Snapshot{})
		if err != nil {
			return nil, err
		}
		h := &host{node: node}
		if j > 0 {
			h.maas = newMAAS(p, rnd)
		}
		for k := range cfg.Peers {
			node.PeerUp(epoch, masc.PeerID(k), cfg.Peers[k].Domain, cfg.Peers[k].Domain)
		}
		node.Advance(epoch)
		r.hosts = append(r.hosts, h)
		r.carry(j, epoch.UnixNano())
	}
	return r, nil
}

// soonest returns when something happens next, in ns.
func (r *region) soonest() (at int64, host int) {
	at, host = r.next[0], 0
	for i, t := range r.next {
		if t < at {
			at, host = t, i
		}
	}
	if !r.queue.empty() && r.queue.list[r.queue.first].at <= at {
		return r.queue.list[r.queue.first].at, -1
	}
	return at, host
}

// run simulates everything before end.
func (r *region) run(end int64) {
	for {
		at, i := r.soonest()
		if at >= end {
			return
		}
		now := time.Unix(0, at)
		if i >= 0 {
			h := r.hosts[i]
			if d, ok := h.node.Deadline(); ok && !d.After(now) {
				h.node.Advance(now)
			}
			if h.maas != nil {
				h.maas.advance(now, h.node)
			}
			r.carry(i, at)
			continue
		}
		m := r.queue.pop()
		switch {
		case m.from < 0: // from another region
			r.receive(0, m.peer, now, &m.claim)
		case m.from == 0: // to children
			for _, to := range m.to {
				r.receive(int(to)+1, 0, now, &m.claim)
			}
		default:
			r.receive(0, masc.PeerID(m.from-1), now, &m.claim)
		}
	}
}

func (r *region) receive(i int, from masc.PeerID, now time.Time, c *masc.Claim) {
	if err := r.hosts[i].node.Receive(now, from, *c); err != nil {
		r.hosts[i].rejected(err)
	}
	r.carry(i, now.UnixNano())
}

func (h *host) rejected(error) {}

// carry carries out what a node wants, and notes when it wants to be called
// again.
func (r *region) carry(i int, now int64) {
	h := r.hosts[i]
	arrives := now + int64(r.p.latency)
	for e := range h.node.Effects() {
		switch e := e.(type) {
		case *masc.Advertise:
			r.send(i, arrives, e)
		case *masc.Alert:
			h.alerts = append(h.alerts, e.Err)
		case *masc.Allotted:
			if h.maas != nil {
				h.maas.allotted(time.Unix(0, now), h.node)
			}
		}
	}
	r.next[i] = 1<<63 - 1
	if d, ok := h.node.Deadline(); ok {
		r.next[i] = max(d.UnixNano(), now)
	}
	if h.maas != nil {
		r.next[i] = min(r.next[i], h.maas.next)
	}
}

func (r *region) send(i int, arrives int64, ad *masc.Advertise) {
	if i > 0 {
		r.queue.push(message{at: arrives, from: int32(i), claim: ad.Claim})
		return
	}
	m := message{at: arrives, claim: ad.Claim}
	for _, to := range ad.Peers {
		if k := int(to) - r.p.children; k >= 0 {
			r.out = append(r.out, message{at: arrives, from: -1, claim: ad.Claim, region: r.siblings[k], peer: r.back[k]})
		} else {
			m.to = append(m.to, to)
		}
	}
	if m.to != nil {
		r.queue.push(m)
	}
}
