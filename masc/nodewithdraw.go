// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"slices"
	"time"
)

// receiveWithdraw handles WITHDRAW (section 11.7).
func (n *Node) receiveWithdraw(sp *space, from PeerID, p *peerState, c *Claim) Reason {
	if c.Role == Parent {
		return n.receiveParentWithdraw(sp, from, p, c)
	}
	claim := n.cache.get(c.Domain).named(c)
	if claim != nil && levelOf(claim.role) != levelOf(c.Role) {
		claim = nil
	}
	held := !c.Prefix.IsHint() && n.holds(c.Domain, c.Role, c.Prefix, true)
	if claim == nil && !held {
		return noPrefix(c)
	}
	n.withdraw(sp, from, p, c, claim, false)
	return 0
}

// withdraw stores an acceptable WITHDRAW that does not come from a parent. A
// claim it names ends, and nothing else (decision MASC-D-33); otherwise what it
// covers of the origin's prefixes does. It is forced if the domain loses what it
// would have kept.
func (n *Node) withdraw(sp *space, from PeerID, p *peerState, c *Claim, claim *entry, clash bool) {
	var parent ID
	var to targets
	switch {
	case c.Role == Child:
		to = toInternal | toChildren
	case claim != nil:
		parent, to = n.parentID(claim.parent), toOwnSide
	default:
		parent, _ = n.parentOf(sp, p, c.Prefix)
		to = toOwnSide
		if c.Role == Internal {
			to |= toChildren
		}
	}
	one := claim != nil
	if one {
		claim.state |= dead
	}
	e := n.keep(sp, from, c, parent, to)
	switch {
	case one:
		e.state |= single
	case clash || c.Domain == n.cfg.Domain && n.answersClash(c):
		e.state |= forced
	}
	for i, q := range n.pending {
		if one && q.waiting && q.claim.deniedBy(c) {
			n.pending = slices.Delete(n.pending, i, i+1)
			n.stale, n.replan, n.guarded = true, true, false
			break
		}
	}
	if !one {
		n.bury(c)
	}
	if c.Domain == n.cfg.Domain {
		n.held, n.changed = true, true
		if !one && c.Role == Internal {
			n.cancelIn(using, c.Prefix)
		}
	}
	n.replan = true
}

// answersClash reports whether a WITHDRAW of the local domain answers a clash: a
// foreign prefix with the same times covers it.
func (n *Node) answersClash(w *Claim) bool {
	for d := range n.cache.all() {
		if d == n.cache.own {
			continue
		}
		for i := range d.entries {
			e := &d.entries[i]
			if e.kind == PrefixInUse && e.stamp == w.Timestamp && e.lifetime == w.Lifetime && e.prefix().Covers(w.Prefix) {
				return true
			}
		}
	}
	return false
}

// receiveParentWithdraw handles the WITHDRAW of a parent: what the local domain
// has there goes too (section 11.7.4).
func (n *Node) receiveParentWithdraw(sp *space, from PeerID, p *peerState, c *Claim) Reason {
	if !n.manages(c.Domain, c.Prefix) {
		return NoParentPrefix
	}
	n.keep(sp, from, c, c.Domain, toInternal|toSiblings)
	n.cancelIn(managing, c.Prefix)
	for _, h := range n.holdings(sp, managing) {
		if common, ok := h.Prefix.Meet(c.Prefix); ok {
			w := *c
			w.Role, w.Domain, w.Node, w.Prefix = Internal, n.cfg.Domain, h.Node, common
			n.withdrawOwn(sp, &w)
		}
	}
	n.replan = true
	return 0
}

// withdrawOwn originates a WITHDRAW of something the domain holds.
func (n *Node) withdrawOwn(sp *space, w *Claim) {
	if e := n.cache.own.find(w); e != nil && !e.older(w) {
		return
	}
	n.withdraw(sp, NoPeer, nil, w, nil, true)
}

// withdrawClaim tells everybody that a claim that waited is given up (decision
// MASC-D-34).
func (n *Node) withdrawClaim(p *pending) {
	w := p.claim
	w.Type = Withdraw
	to := toOwnSide
	if p.level == using {
		to = toInternal | toChildren
	}
	n.keep(p.sp, NoPeer, &w, p.parent, to).state |= single
}

// Release gives back a prefix the domain manages before its end (RFC 2909,
// section 5.4). It reports false if the domain does not have it, or a child or
// the domain itself has claimed a part of it.
func (n *Node) Release(now time.Time, p Prefix) bool {
	n.begin(now)
	defer n.end()
	sp := n.spaceOf(p)
	if sp == nil || !slices.ContainsFunc(n.holdings(sp, managing), func(h Holding) bool { return h.Prefix == p }) {
		return false
	}
	for d := range n.cache.all() {
		for i := range d.entries {
			e := &d.entries[i]
			if e.kind.IsClaim() && e.kind != ClaimDenied && e.role == Child && e.counts(n.sec) && e.prefix().Overlaps(p) {
				return false
			}
		}
	}
	n.release(sp, managing, p)
	return true
}

// release originates the WITHDRAW of a prefix the domain holds (decision
// MASC-D-34).
func (n *Node) release(sp *space, l level, p Prefix) {
	sp.claimers[l].notDue(p)
	for _, h := range n.holdings(sp, l) {
		if h.Prefix == p {
			left := Seconds(clamp(h.End.Unix() - n.sec))
			w := Claim{Type: Withdraw, Role: l.role(), Timestamp: StampOf(n.now), Lifetime: left, Holdtime: left,
				Domain: n.cfg.Domain, Node: h.Node, Prefix: p}
			n.withdraw(sp, NoPeer, nil, &w, nil, false)
			return
		}
	}
}
