// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"math"
	"slices"
	"time"
)

// spaceOf returns the smallest space that contains p; for a hint the first one
// of the family.
func (n *Node) spaceOf(p Prefix) *space {
	var best *space
	for i := range n.spaces {
		s := &n.spaces[i]
		if p.IsHint() && s.Prefix.family == p.family {
			return s
		}
		if s.Prefix.Covers(p) && (best == nil || s.Prefix.Bits() > best.Prefix.Bits()) {
			best = s
		}
	}
	return best
}

// parentOf associates a prefix with a parent's PREFIX_MANAGED: on a session
// that belongs to one parent with that parent's only (decision MASC-D-56). The
// pool of a top-level space stands for its parent, which is the zero ID
// (decision MASC-D-36).
func (n *Node) parentOf(sp *space, p *peerState, prefix Prefix) (ID, bool) {
	if sp.TopLevel {
		return ID{}, true
	}
	switch {
	case p != nil && p.Role == Sibling:
		return p.Parent, n.manages(p.Parent, prefix)
	case p != nil && p.Role == Child:
		return p.Domain, n.manages(p.Domain, prefix)
	}
	for _, id := range n.parents {
		if n.manages(id, prefix) {
			return id, true
		}
	}
	return ID{}, false
}

// manages reports whether a parent has announced a prefix that covers p.
func (n *Node) manages(parent ID, p Prefix) bool {
	for i := range n.above() {
		if s := &n.announced[i]; s.Domain == parent && s.Prefix.Covers(p) {
			return true
		}
	}
	return false
}

// above returns what the parents have announced and not withdrawn: what there
// is to claim from. It looks again only when something may have changed.
func (n *Node) above() []Source {
	if n.sec < n.announcedUntil {
		return n.announced
	}
	n.announced, n.announcedUntil = n.announced[:0], math.MaxInt64
	for _, id := range n.parents {
		d := n.cache.get(id)
		if d == nil {
			continue
		}
		for i := range d.entries {
			e := &d.entries[i]
			if e.kind == PrefixManaged && e.role == Parent && e.live(n.sec) {
				n.announced = append(n.announced, Source{Prefix: e.prefix(), Domain: id, End: time.Unix(e.end(), 0).UTC(), Deprecated: e.is(deprecated)})
				n.announcedUntil = min(n.announcedUntil, e.end(), e.expiry())
			}
		}
	}
	return n.announced
}

// maxParents is how many parents a node can have, configured and learned.
const maxParents = 1 << 14

// parentNumber returns what stands for a parent in an entry.
func (n *Node) parentNumber(id ID) int16 {
	if id.IsZero() {
		return noParent
	}
	return int16(slices.Index(n.parents, id))
}

// parentID is the reverse of parentNumber.
func (n *Node) parentID(number int16) ID {
	if number == noParent {
		return ID{}
	}
	return n.parents[number]
}

// mine returns the latest end of an own prefix that covers p, active or not
// (decision MASC-D-69).
func (n *Node) mine(p Prefix) (end int64, ok bool) {
	d := n.cache.own
	for i := range d.entries {
		e := &d.entries[i]
		if (e.kind == PrefixManaged || e.kind == PrefixInUse) && e.role == Internal &&
			e.prefix().Covers(p) && e.live(n.sec) {
			end, ok = max(end, e.end()), true
		}
	}
	return end, ok
}

// holds reports whether a domain has, at the level of role, a prefix that meets
// p (whole: that covers p).
func (n *Node) holds(id ID, role Role, p Prefix, whole bool) bool {
	d := n.cache.get(id)
	if d == nil {
		return false
	}
	for i := range d.entries {
		e := &d.entries[i]
		managed := e.kind == PrefixManaged && role == Internal && e.role == Internal
		if (e.kind == PrefixInUse || managed) && levelOf(e.role) == levelOf(role) && e.live(n.sec) &&
			(e.prefix().Covers(p) || !whole && e.prefix().Overlaps(p)) {
			return true
		}
	}
	return false
}

// named returns the claim that a CLAIM_DENIED or a WITHDRAW names: of the same
// domain, time, address and mask.
func (d *domain) named(c *Claim) *entry {
	if d == nil {
		return nil
	}
	for i := range d.entries {
		if e := &d.entries[i]; e.named(c) {
			return e
		}
	}
	return nil
}
