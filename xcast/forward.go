// SPDX-License-Identifier: BSD-3-Clause

package xcast

import "net/netip"

// A Branch is a set of destinations that go the same way, which Key stands for.
type Branch[K comparable] struct {
	Key K
	Set Bitmap
}

// Partition groups the destinations of a set by where they go (RFC 5058 section
// 2) and appends the groups to dst, ordered by their lowest index. The function
// key is asked once per destination, in ascending order; those for which it
// returns false come back in lost. Groups and lost are disjoint and together
// the set.
func Partition[K comparable](dst []Branch[K], set Bitmap, key func(i int) (K, bool)) (branches []Branch[K], lost Bitmap) {
	first := len(dst)
next:
	for i := range set.All() {
		k, ok := key(i)
		if !ok {
			lost = lost.Or(Bit(i))
			continue
		}
		for j := first; j < len(dst); j++ {
			if dst[j].Key == k {
				dst[j].Set = dst[j].Set.Or(Bit(i))
				continue next
			}
		}
		dst = append(dst, Branch[K]{k, Bit(i)})
	}
	return dst, lost
}

// A Forwarder decides what a node does with packets. It is a function of its
// configuration and the packet: it keeps no state between packets but the
// Identification of tunnel packets and its counters, and reuses its memory, so
// that forwarding allocates nothing. One goroutine at a time may use it.
//
// It opens no socket. Joining All_Xcast_Routers, and that of several routers on
// a link only one takes a packet that came as link-layer multicast, are the
// caller's part (section 9.1).
type Forwarder struct {
	config   Config
	stats    Stats
	tunnelID uint16

	journey journey
	plans   []plan
	parts   []Bitmap
	groups  []Branch[hop]
	tunnels []Tunnel // of the peers met so far
	heads   []byte
	result  Result

	planAt [127]uint8 // index in plans, by the lowest destination of a plan
	first  Bitmap     // those lowest destinations

	routes [127]Route // by destination, where asked and found are set
	asked  Bitmap
	found  Bitmap

	// Method values, made once.
	hopOf, transitOf func(i int) (hop, bool)
	dscpOf           func(i int) DSCP
}

// NewForwarder returns a forwarder. It fails when the code points are invalid.
func NewForwarder(c Config) (*Forwarder, error) {
	if err := c.Code.Validate(); err != nil {
		return nil, err
	}
	f := &Forwarder{config: c, tunnelID: c.TunnelID}
	if f.config.CompareDSCP == nil {
		f.config.CompareDSCP = CompareDSCP
	}
	f.hopOf, f.transitOf, f.dscpOf = f.hop, f.transitHop, f.journey.p.codepoint
	return f, nil
}

// Stats returns the counters.
func (f *Forwarder) Stats() Stats { return f.stats }

// A journey is the packet in hand: how it came and with what it leaves.
type journey struct {
	p        Packet
	active   Bitmap
	origin   bool
	explode  bool   // every destination gets a unicast packet
	mayX2U   bool   // X is 0 and the transport survives
	ttl      uint8  // of Xcast copies that leave
	x2uTTL   uint8  // of unicast packets that leave
	ds       uint8  // DS field of what stays in the packet's own IP header
	exitDS   uint8  // the same for what leaves a tunnel here
	transit  []byte // outer IPv6 and hop-by-hop headers of a tunnel that goes on
	exitLost bool   // a congestion mark of the tunnel cannot be carried outside
}

// A hop is the key of a group: destinations with the same one share a copy.
type hop struct {
	next netip.Addr // neighbour, or remote end of a tunnel
	via  int32      // interface, or index in tunnels
	kind hopKind
}

type hopKind uint8

const (
	hopPlain hopKind = iota
	hopCapable
	hopTunnel // to an Xcast peer
)

// A plan is one output to be, or one drop.
type plan struct {
	set    Bitmap
	do     action
	reason Reason // of a drop
	tunnel uint8  // index in tunnels, of a tunnel to a peer
}

type action uint8

const (
	doDrop action = iota
	doDeliver
	doUnicast
	doCopy    // to a capable neighbour
	doTunnel  // to a peer
	doRelay   // from a host to the first of the set, in a tunnel
	doTransit // further in the semi-permeable tunnel it came in
)

// Forward decides about a packet that arrived on interface in, as octets from
// its IP header on: native Xcast, IP in IP to this node, or a semi-permeable
// tunnel. A packet that is refused as a whole gives an [*Error], with the field
// and its offset, and one Drop with the same reason; [ErrNotXcast] means that
// the packet is intact and somebody else's. The result is valid until the next
// call.
//
// What was delivered here must not be given to Forward again.
func (f *Forwarder) Forward(in int, packet []byte) (Result, error) {
	return f.run(in, packet, false)
}

// Originate decides about a native Xcast packet of this node's own. It differs
// from Forward in that the TTL is not decremented and the node's own source
// address is accepted (section 9.1).
func (f *Forwarder) Originate(packet []byte) (Result, error) {
	return f.run(0, packet, true)
}

func (f *Forwarder) run(in int, packet []byte, origin bool) (Result, error) {
	f.stats.Packets++
	f.plans, f.heads, f.tunnels = f.plans[:0], f.heads[:0], f.tunnels[:0]
	f.result = Result{f.result.Outputs[:0], f.result.Drops[:0]}
	f.asked, f.found, f.first = Bitmap{}, Bitmap{}, Bitmap{}
	f.journey = journey{origin: origin}
	if err := f.arrive(in, packet); err != nil {
		f.drop(f.journey.active, err.Err)
		return f.result, err
	}
	f.plan()
	for i := range f.first.All() {
		f.carryOut(&f.plans[f.planAt[i]])
	}
	return f.result, nil
}

// plan decides what happens to every active destination.
func (f *Forwarder) plan() {
	j := &f.journey
	p := &j.p
	var local, rest Bitmap
	for i := range j.active.All() {
		switch {
		case p.isBad(i):
			f.add(plan{do: doDrop, set: Bit(i), reason: ErrBadDestination})
		case f.isLocal(p.Address(i)):
			local = local.Or(Bit(i))
		default:
			rest = rest.Or(Bit(i))
		}
	}
	switch {
	case local.IsEmpty():
	case j.mayX2U:
		for i := range local.All() {
			f.add(plan{do: doDeliver, set: Bit(i)})
		}
	default:
		f.add(plan{do: doDeliver, set: local})
	}
	switch why := f.stays(); {
	case rest.IsEmpty():
	case why != 0:
		f.add(plan{do: doDrop, set: rest, reason: why})
	default:
		f.route(rest)
	}
}

// stays returns why nothing may leave this node, 0 when it may.
func (f *Forwarder) stays() Reason {
	j := &f.journey
	p := &j.p
	switch {
	case j.origin:
		j.ttl, j.x2uTTL = p.TTL(), p.TTL()
	case j.transit != nil:
		limit := IPv6(j.transit).HopLimit()
		if limit <= 1 {
			return ErrTTL
		}
		j.ttl, j.x2uTTL = p.TTL(), limit-1
	case f.isLocal(p.Source()):
		return ErrOwnSource
	case p.TTL() <= 1:
		return ErrTTL
	default:
		j.ttl, j.x2uTTL = p.TTL()-1, p.TTL()-1
	}
	return 0
}

// route plans for the destinations that go on.
func (f *Forwarder) route(rest Bitmap) {
	j := &f.journey
	var lost Bitmap
	f.groups = f.groups[:0]
	switch {
	case j.transit != nil:
		f.groups, lost = Partition(f.groups, rest, f.transitOf)
	case f.config.Relay != nil:
		// A host does not group by next hop: it knows no routers.
		f.groups = append(f.groups, Branch[hop]{Set: rest})
	default:
		f.groups, lost = Partition(f.groups, rest, f.hopOf)
	}
	for i := range lost.All() {
		f.add(plan{do: doDrop, set: Bit(i), reason: ErrNoRoute})
	}
	for _, g := range f.groups {
		switch {
		case j.transit != nil:
			f.branch(doTransit, g, j.explode)
		case f.config.Relay != nil:
			f.branch(doRelay, g, j.explode)
		case g.Key.kind == hopTunnel:
			f.branch(doTunnel, g, j.explode)
		default:
			f.branch(doCopy, g, j.explode || g.Key.kind == hopPlain)
		}
	}
}

// branch plans for one group.
func (f *Forwarder) branch(do action, g Branch[hop], explode bool) {
	j := &f.journey
	if explode {
		for i := range g.Set.All() {
			f.add(plan{do: doUnicast, set: Bit(i)})
		}
		return
	}
	f.parts = append(f.parts[:0], g.Set)
	if j.p.flags&flagD != 0 {
		f.parts = SplitDSCP(f.parts[:0], g.Set, f.dscpOf, f.config.CompareDSCP)
	}
	for _, part := range f.parts {
		p := plan{do: do, set: part}
		switch {
		case f.isX2U(do, part):
			p.do = doUnicast
		case do == doTunnel:
			p.tunnel = uint8(g.Key.via)
		}
		f.add(p)
	}
}

// isX2U reports whether a part becomes a unicast packet because it has but one
// destination.
func (f *Forwarder) isX2U(do action, part Bitmap) bool {
	if part.Len() > 1 || !f.journey.mayX2U || f.config.Policy == X2UNever {
		return false
	}
	if do == doTunnel {
		// By the unicast route, not through the tunnel, if there is one.
		_, ok := f.lookup(part.First())
		return ok
	}
	return true
}

// hop is the key function of native forwarding: the Xcast table, then the
// unicast table (section 11.1).
func (f *Forwarder) hop(i int) (hop, bool) {
	if f.config.Peer != nil {
		if t, ok := f.config.Peer(f.journey.p.Address(i)); ok {
			return hop{next: t.Remote, via: f.tunnelIndex(t), kind: hopTunnel}, true
		}
	}
	r, ok := f.lookup(i)
	if !ok {
		return hop{}, false
	}
	h := hop{next: r.Gateway, via: r.Interface}
	if !h.next.IsValid() {
		h.next = f.journey.p.Address(i)
	}
	if r.Capable {
		h.kind = hopCapable
	}
	return h, true
}

// transitHop is the key function within a semi-permeable tunnel: routers that
// are not capable pass the packet on all the same (section 11.3).
func (f *Forwarder) transitHop(i int) (hop, bool) {
	r, ok := f.lookup(i)
	if !ok {
		return hop{}, false
	}
	return hop{next: f.nextHop(i), via: r.Interface}, true
}

// tunnelIndex returns the index of the tunnel with the ends of t.
func (f *Forwarder) tunnelIndex(t Tunnel) int32 {
	for k := range f.tunnels {
		if f.tunnels[k].Remote == t.Remote && f.tunnels[k].Local == t.Local {
			return int32(k)
		}
	}
	f.tunnels = append(f.tunnels, t)
	return int32(len(f.tunnels) - 1)
}

// lookup asks the unicast table, once per destination and packet.
func (f *Forwarder) lookup(i int) (*Route, bool) {
	if !f.asked.Has(i) {
		f.asked = f.asked.Or(Bit(i))
		if f.config.Route != nil {
			if r, ok := f.config.Route(f.journey.p.Address(i)); ok {
				f.routes[i] = r
				f.found = f.found.Or(Bit(i))
			}
		}
	}
	return &f.routes[i], f.found.Has(i)
}

// nextHop returns where destination i goes, after lookup found a route.
func (f *Forwarder) nextHop(i int) netip.Addr {
	if g := f.routes[i].Gateway; g.IsValid() {
		return g
	}
	return f.journey.p.Address(i)
}

func (f *Forwarder) add(p plan) {
	i := p.set.First()
	f.planAt[i], f.first = uint8(len(f.plans)), f.first.Or(Bit(i))
	f.plans = append(f.plans, p)
}

func (f *Forwarder) isLocal(a netip.Addr) bool { return f.config.Local != nil && f.config.Local(a) }

func (f *Forwarder) drop(set Bitmap, why Reason) {
	f.stats.Drops[why]++
	f.result.Drops = append(f.result.Drops, Drop{set, why})
}
