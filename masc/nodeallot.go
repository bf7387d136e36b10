// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"slices"
	"time"
)

// Allotment is a range the domain may use, and until when.
type Allotment struct {
	Prefix     Prefix
	End        time.Time
	Deprecated bool // it will not be prolonged
	Use        bool // hand it to the domain's address servers (MAAS)
	Route      bool // announce it to the inter-domain routing protocol (G-RIB)
}

// holdings returns what the domain has at a level, in order. A prefix that was
// won twice, by different nodes, appears once, with its latest end.
func (n *Node) holdings(sp *space, l level) []Holding {
	d := n.cache.own
	want := PrefixManaged
	if l == using {
		want = PrefixInUse
	}
	var list []Holding
	for i := range d.entries {
		e := &d.entries[i]
		if e.kind == want && levelOf(e.role) == l && e.live(n.sec) && sp.Prefix.Covers(e.prefix()) {
			list = append(list, Holding{Prefix: e.prefix(), Timestamp: e.stamp, End: time.Unix(e.end(), 0).UTC(),
				Node: ID{e.node}, Deprecated: e.is(deprecated)})
		}
	}
	slices.SortFunc(list, func(a, b Holding) int { return a.Prefix.Compare(b.Prefix) })
	return list
}

// excluded returns the parts of a holding that a live WITHDRAW takes from it:
// for the address servers, and for routing. What was claimed after an ordinary
// WITHDRAW is not touched by it; a lost clash counts whatever its time, but one
// on a part of the prefix that ends before it leaves the routes alone (section
// 11.7.3): there the winner's route is the more specific one. It no longer is
// where other parts have left the routes and what remains is no larger than the
// lost part; that goes too, as no two domains may announce the same route
// (section 12.4).
func (n *Node) excluded(l level, h Holding) (use, route []Prefix) {
	d := n.cache.own
	var spared []Prefix // lost, but still routed
	for i := range d.entries {
		e := &d.entries[i]
		if e.kind != Withdraw || e.is(single) || e.isHint() || levelOf(e.role) != l || !e.counts(n.sec) ||
			!e.is(forced) && e.stamp < h.Timestamp || !e.prefix().Overlaps(h.Prefix) {
			continue
		}
		use = append(use, e.prefix())
		if e.is(forced) && h.Prefix != e.prefix() && h.Prefix.Covers(e.prefix()) && e.expiry() < h.End.Unix() {
			spared = append(spared, e.prefix())
		} else {
			route = append(route, e.prefix())
		}
	}
	if len(spared) > 0 && len(route) > 0 && h.Prefix.IsContiguous() {
		blocks := FreeBlocks(h.Prefix, route)
		for _, p := range spared {
			if !slices.ContainsFunc(blocks, func(b Prefix) bool { return b != p && b.Covers(p) }) {
				route = append(route, p)
			}
		}
	}
	return use, route
}

// contested appends the parts of a holding that a live prefix of another domain
// beats, so that they are not used again when the WITHDRAW of a clash ends
// (section 12.4).
func (n *Node) contested(l level, h Holding, dst []Prefix) []Prefix {
	if n.cfg.ManualClashes || !n.clashed {
		return dst
	}
	mine := Claim{Type: PrefixInUse, Timestamp: h.Timestamp, Node: h.Node}
	for d := range n.cache.all() {
		if d == n.cache.own {
			continue
		}
		for i := range d.entries {
			e := &d.entries[i]
			if e.kind == PrefixInUse && levelOf(e.role) == l && e.live(n.sec) &&
				e.prefix().Overlaps(h.Prefix) && d.beats(e, &mine) {
				dst = append(dst, e.prefix())
			}
		}
	}
	return dst
}

// clashing reports whether a part of a prefix is under a lost clash, so that it
// is not claimed again.
func (n *Node) clashing(sp *space, l level, p Prefix) bool {
	d := n.cache.own
	return slices.ContainsFunc(d.entries, func(e entry) bool {
		return e.kind == Withdraw && e.is(forced) && levelOf(e.role) == l && e.counts(n.sec) && e.prefix().Overlaps(p)
	})
}

// Allotments returns what the domain may use at the given time, in order: in a
// leaf domain all it manages, in another one what it has claimed from itself,
// and for routing in both all it manages. What was lost in a clash or withdrawn
// is left out. Prefixes may overlap: an address can be used until the last end.
//
// A node that started without a Snapshot gives nothing to use for a waiting
// period, as its domain may have children it has not heard of yet.
func (n *Node) Allotments(now time.Time) []Allotment {
	n.now, n.sec = now, now.Unix()
	var list []Allotment
	for i := range n.spaces {
		sp := &n.spaces[i]
		for _, h := range n.holdings(sp, managing) {
			use, route := n.excluded(managing, h)
			use = n.contested(managing, h, use)
			if !n.IsLeaf() || n.sec < n.settled {
				use = []Prefix{h.Prefix}
			}
			list = h.allot(list, use, route)
		}
		if n.IsLeaf() {
			continue
		}
		for _, h := range n.holdings(sp, using) {
			use, _ := n.excluded(using, h)
			use = n.contested(using, h, use)
			above, _ := n.excluded(managing, h) // what the domain has lost it cannot use either
			use = n.contested(managing, h, append(use, above...))
			list = h.allot(list, use, []Prefix{h.Prefix})
		}
	}
	return list
}

// allot appends the parts of h that may be used, routed, or both.
func (h Holding) allot(list []Allotment, noUse, noRoute []Prefix) []Allotment {
	add := func(parts []Prefix, use, route bool) {
		for _, p := range parts {
			list = append(list, Allotment{Prefix: p, End: h.End, Deprecated: h.Deprecated, Use: use, Route: route})
		}
	}
	if len(noUse) == 0 && len(noRoute) == 0 {
		add([]Prefix{h.Prefix}, true, true)
		return list
	}
	if !h.Prefix.IsContiguous() {
		return list
	}
	usable, routable := FreeBlocks(h.Prefix, noUse), FreeBlocks(h.Prefix, noRoute)
	if slices.Equal(usable, routable) {
		add(usable, true, true)
		return list
	}
	add(usable, true, false)
	add(routable, false, true)
	return list
}

// nextTurn returns when time alone changes what Allotments returns: a prefix, a
// WITHDRAW or a better claim of somebody else ends.
func (n *Node) nextTurn() time.Time {
	next := int64(0)
	sooner := func(t int64) {
		if t > n.sec && (next == 0 || t < next) {
			next = t
		}
	}
	own := n.cache.own
	sooner(n.settled)
	if n.children == 0 {
		sooner(n.parentUntil)
	}
	for i := range own.entries {
		e := &own.entries[i]
		if e.is(dead) {
			continue
		}
		switch e.kind {
		case PrefixInUse, PrefixManaged:
			sooner(e.end())
		case Withdraw:
			if !e.is(single) {
				sooner(e.expiry())
			}
		}
	}
	if next == 0 {
		return time.Time{}
	}
	return time.Unix(next, 0)
}

// becomeParent turns a leaf domain into one with children: what it uses now is
// announced as claimed from itself at once, so that no child takes it (section
// 12.2 and decision MASC-D-61).
func (n *Node) becomeParent() {
	n.changed = true
	for i := range n.spaces {
		sp := &n.spaces[i]
		d := n.demand(sp, using)
		if d.InUse <= 0 || sp.demand.InUse <= 0 {
			continue
		}
		for _, h := range n.holdings(sp, managing) {
			for _, p := range inUse(nil, h.Prefix, d.Used, 4) {
				c := Claim{Type: PrefixInUse, Role: Child, Timestamp: StampOf(n.now), Lifetime: Seconds(clamp(h.End.Unix() - n.sec)),
					Domain: n.cfg.Domain, Node: n.cfg.Node, Prefix: p}
				c.Holdtime = c.Lifetime
				n.keep(sp, NoPeer, &c, ID{}, toInternal|toChildren)
				n.due(sp, using, p, n.now.Add(n.cfg.ReclaimPeriod))
				n.held = true
			}
		}
	}
}

// inUse appends the parts of p that hold addresses in use, halved a few times at
// most.
func inUse(dst []Prefix, p Prefix, used func(Prefix) float64, depth int) []Prefix {
	count := used(p)
	switch {
	case count <= 0:
		return dst
	case depth == 0 || count >= p.Size()/2 || p.Size() <= 256 || !p.IsContiguous():
		return append(dst, p)
	}
	dst = inUse(dst, p.half(false), used, depth-1)
	return inUse(dst, p.half(true), used, depth-1)
}
