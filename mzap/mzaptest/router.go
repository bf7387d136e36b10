// SPDX-License-Identifier: BSD-3-Clause

package mzaptest

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/scope"
)

// Router is a multicast router of a [Network], and a boundary router if it
// bounds any scope. Its interfaces have the indexes 1, 2, ... in the order of
// its links.
type Router struct {
	Name string
	// Config is what its machine is told. Its scopes are filled in by Bound; more
	// may be changed before Start.
	Config mzap.RouterConfig
	// Machine is its MZAP machine, nil if it bounds no scope.
	Machine *mzap.Router
	// Down stops it: it neither forwards nor receives nor sends.
	Down bool
	// Authenticate says that whoever receives from this router can authenticate
	// what it signs.
	Authenticate bool

	network *Network
	links   []*Link
	joined  map[netip.Addr][]int
	holes   []hole
	due     time.Time
}

// hole is a boundary that a router's configuration has and its filter lacks.
type hole struct {
	scope scope.Range
	index int
}

// Router adds a router that is attached to some links.
func (n *Network) Router(name string, links ...*Link) *Router {
	r := &Router{Name: name, network: n, links: links, joined: map[netip.Addr][]int{}}
	for i, l := range links {
		l.ports = append(l.ports, port{r, i + 1})
		r.Config.Interfaces = append(r.Config.Interfaces, mzap.Interface{Index: i + 1, Addr: n.address(l)})
	}
	n.routers = append(n.routers, r)
	return r
}

// Interface returns the index of the router's interface on a link, 0 for none.
func (r *Router) Interface(l *Link) int { return slices.Index(r.links, l) + 1 }

// Addr returns the router's address on a link.
func (r *Router) Addr(l *Link) netip.Addr { return r.Config.Interfaces[r.Interface(l)-1].Addr }

// Bound gives the router a boundary for a scope on its interfaces to some
// links, and, as every boundary needs one, for the Local Scope too.
func (r *Router) Bound(s scope.Scope, links ...*Link) {
	local := scope.IPv4Local()
	if r.network.IPv6 {
		local = scope.IPv6(3)
	}
	for _, l := range links {
		r.bound(local, r.Interface(l))
		r.bound(s, r.Interface(l))
	}
}

// BoundLocal gives the router a boundary for the Local Scope on its interfaces to
// some links.
func (r *Router) BoundLocal(links ...*Link) {
	if r.network.IPv6 {
		r.Bound(scope.IPv6(3), links...)
	} else {
		r.Bound(scope.IPv4Local(), links...)
	}
}

func (r *Router) bound(s scope.Scope, index int) {
	for i := range r.Config.Scopes {
		if b := &r.Config.Scopes[i]; b.Scope.Range == s.Range {
			if !slices.Contains(b.Interfaces, index) {
				b.Interfaces = append(b.Interfaces, index)
			}
			return
		}
	}
	r.Config.Scopes = append(r.Config.Scopes, mzap.Boundary{Scope: s, Interfaces: []int{index}})
}

// Leak breaks the router: the filter of a boundary that it is configured to have
// on the interface to a link does not work.
func (r *Router) Leak(s scope.Range, l *Link) { r.holes = append(r.holes, hole{s, r.Interface(l)}) }

func (r *Router) start() error {
	n := r.network
	if len(r.Config.Scopes) == 0 {
		return nil
	}
	r.Config.Route = r.route
	r.Config.Rand = rand.New(rand.NewPCG(n.rand.Uint64(), n.rand.Uint64()))
	if r.Config.Timing == (mzap.Timing{}) {
		r.Config.Timing = n.Timing
	}
	m, err := mzap.NewRouter(r.Config, n.now)
	if err != nil {
		return err
	}
	r.Machine = m
	r.perform()
	return nil
}

// Restart makes the router's machine anew, from what it knew if remember is set.
func (r *Router) Restart(remember bool) error {
	s := r.Machine.Snapshot(r.network.now)
	m, err := mzap.NewRouter(r.Config, r.network.now)
	if err != nil {
		return err
	}
	r.Machine = m
	clear(r.joined)
	if remember {
		m.Restore(s)
	}
	r.perform()
	return nil
}

func (r *Router) advance() {
	r.Machine.Advance(r.network.now)
	r.perform()
}

// perform carries out what the machine wants.
func (r *Router) perform() {
	n := r.network
	for x := range r.Machine.Effects() {
		switch x := x.(type) {
		case mzap.Join:
			r.joined[x.Group] = append(r.joined[x.Group], x.Interfaces...)
		case mzap.Leave:
			r.joined[x.Group] = slices.DeleteFunc(r.joined[x.Group], func(i int) bool { return slices.Contains(x.Interfaces, i) })
		case mzap.Finding:
			n.Findings = append(n.Findings, Found{n.now, r.Name, x})
		case mzap.Send:
			r.send(x)
		}
	}
	r.due, _ = r.Machine.Deadline()
}

// send puts a datagram of this router on the links: on the one across a
// boundary, or on all of the zone it is for.
func (r *Router) send(s mzap.Send) {
	n := r.network
	if n.Trace != nil {
		n.Trace(r, s)
	}
	if r.Down {
		return
	}
	n.sent++
	d := datagram{n.sent, s, new(mzap.Message)}
	if err := d.message.UnmarshalBinary(s.Packet); err != nil {
		panic("mzaptest: router " + r.Name + " sent a malformed message: " + err.Error())
	}
	if i := s.Interfaces[0]; r.filters(s.Group, i) {
		n.transmit(d, r.links[i-1], r)
		return
	}
	r.forward(d, 0)
}

// forward sends a datagram out of every interface that lets it through, except
// one.
func (r *Router) forward(d datagram, except int) {
	for i, l := range r.links {
		if i+1 != except && !r.filters(d.send.Group, i+1) {
			r.network.transmit(d, l, r)
		}
	}
}

// filters reports whether a boundary on an interface stops a group.
func (r *Router) filters(group netip.Addr, index int) bool {
	for _, b := range r.Config.Scopes {
		if b.Scope.Range.Contains(group) && slices.Contains(b.Interfaces, index) && !slices.Contains(r.holes, hole{b.Scope.Range, index}) {
			return true
		}
	}
	return false
}

// receive is what a router does with a datagram from a link. On an interface
// that filters the group it is a mere listener; elsewhere it takes and forwards
// what comes on the way to the source.
func (r *Router) receive(d datagram, index int) {
	n := r.network
	if r.Down {
		return
	}
	filtered := r.filters(d.send.Group, index)
	toSource, ok := r.route(d.send.Source)
	if !filtered && (!ok || toSource != index) {
		return
	}
	if r.Machine != nil && slices.Contains(r.joined[d.send.Group], index) {
		r.Machine.Receive(n.now, mzap.Packet{
			From: d.send.Source, Interface: index, Payload: d.send.Packet, Authenticated: d.send.Authenticate && r.trusts(d.send.Source),
		})
		r.perform()
	}
	if !filtered {
		r.forward(d, index)
	}
}

// trusts reports whether a source's signature can be checked.
func (r *Router) trusts(source netip.Addr) bool {
	return slices.ContainsFunc(r.network.routers, func(o *Router) bool {
		return o.Authenticate && slices.ContainsFunc(o.Config.Interfaces, func(i mzap.Interface) bool { return i.Addr == source })
	})
}

// route is the router's multicast routing table.
func (r *Router) route(a netip.Addr) (int, bool) {
	n := r.network
	number := 0
	if b := a.As16(); n.IPv6 {
		number = int(b[4])<<8 | int(b[5])
	} else {
		number = int(b[13])
	}
	if number < 1 || number > len(n.links) {
		return 0, false
	}
	i := n.routes[r][number-1]
	return i, i != 0
}

// computeRoutes finds the cheapest ways from every router to every link.
func (n *Network) computeRoutes() {
	n.routes = map[*Router][]int{}
	costs := map[*Router][]int{}
	for _, r := range n.routers {
		n.routes[r], costs[r] = make([]int, len(n.links)), make([]int, len(n.links))
		for i, l := range r.links {
			n.routes[r][l.number-1], costs[r][l.number-1] = i+1, l.Cost
		}
	}
	for changed := true; changed; {
		changed = false
		for _, r := range n.routers {
			for i, l := range r.links {
				for _, p := range l.ports {
					for target := range n.links {
						there := costs[p.router][target]
						if p.router == r || p.router.Down || there == 0 || n.routes[p.router][target] == p.index {
							continue
						}
						if c := l.Cost + there; costs[r][target] == 0 || c < costs[r][target] {
							costs[r][target], n.routes[r][target], changed = c, i+1, true
						}
					}
				}
			}
		}
	}
}
