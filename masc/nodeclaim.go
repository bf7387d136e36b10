// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"slices"
	"time"
)

// pending is an own claim on its way: put off by a random delay, then, when it
// has been sent, waiting for somebody with a better one (RFC 2909, section 5.1).
type pending struct {
	sp       *space
	level    level
	kind     PlanKind // PlanNew, PlanReplace or PlanExpand
	prefix   Prefix
	lifetime time.Duration
	renews   bool // it only prolongs something the domain has
	parent   ID
	waiting  bool
	at       time.Time // when the delay or the waiting period ends
	claim    Claim     // what was sent, if waiting
}

// schedule puts a claim off by a random time in the open interval up to the
// claim delay (section 5.1 a).
func (n *Node) schedule(sp *space, l level, p Plan, renews bool) bool {
	src, ok := n.sourceOf(sp, l, p.Prefix)
	if !ok || !n.canClaim(sp, l, src.Domain) {
		return false
	}
	if !renews && p.Kind == PlanExpand { // what grows is prolonged by that
		for _, q := range slices.Clone(n.pending) {
			if q.sp == sp && q.level == l && q.renews && p.Prefix.Covers(q.prefix) {
				n.drop(q)
				n.again(q, n.cfg.ReclaimPeriod)
			}
		}
	}
	delay := time.Duration(1)
	if d := int64(n.cfg.ClaimDelay); d > 2 {
		delay = time.Duration(1 + n.cfg.Rand.Int64N(d-1))
	}
	n.pending, n.guarded = append(n.pending, &pending{sp: sp, level: l, kind: p.Kind, prefix: p.Prefix, lifetime: p.Lifetime,
		renews: renews, parent: src.Domain, at: n.now.Add(delay)}), false
	n.stale = true
	return true
}

// canClaim reports whether a claim towards a parent can be started: with an
// Established session to one of its nodes, or without parent (section 5.1).
func (n *Node) canClaim(sp *space, l level, parent ID) bool {
	return l == using || sp.TopLevel || slices.ContainsFunc(n.peers, func(p peerState) bool {
		return p.up && (p.Role == Child && p.Domain == parent || p.Role == Internal && !n.hasParentPeer())
	})
}

// hasParentPeer reports whether the node itself has sessions with parents: one
// that has none claims through its internal peers.
func (n *Node) hasParentPeer() bool {
	return slices.ContainsFunc(n.peers, func(p peerState) bool { return p.Role == Child })
}

// originate sends a claim whose delay is over and starts its Claim-Timer.
func (n *Node) originate(p *pending) {
	src, ok := n.sourceOf(p.sp, p.level, p.prefix)
	life := p.lifetime
	if ok && !src.End.IsZero() {
		life = min(life, src.End.Sub(StampOf(n.now).Time()))
	}
	if !ok || life <= n.cfg.Waiting || !n.canClaim(p.sp, p.level, src.Domain) {
		n.drop(p)
		n.again(p, n.cfg.Waiting/8)
		n.retry(p.sp, p.level)
		return
	}
	t := NewClaim
	if p.kind == PlanExpand {
		t = ClaimToExpand
	}
	p.claim = Claim{
		Type: t, Role: p.level.role(), Timestamp: StampOf(n.now), Lifetime: SecondsOf(life), Holdtime: SecondsOf(n.cfg.Waiting),
		Domain: n.cfg.Domain, Node: n.cfg.Node, Prefix: p.prefix,
	}
	p.parent, p.waiting, p.at = src.Domain, true, n.now.Add(n.cfg.Waiting)
	n.stats.Claimed++
	to := toOwnSide
	if p.level == using {
		to = toInternal | toChildren
	}
	n.keep(p.sp, NoPeer, &p.claim, p.parent, to)
}

// drop forgets a pending claim.
func (n *Node) drop(p *pending) {
	if i := slices.Index(n.pending, p); i >= 0 {
		n.pending = slices.Delete(n.pending, i, i+1)
		n.stale, n.guarded = true, false
	}
}

// again sets when a prefix is to be claimed again whose renewal came to
// nothing.
func (n *Node) again(p *pending, in time.Duration) {
	if p.renews {
		n.due(p.sp, p.level, p.prefix, n.now.Add(max(in, time.Second)))
	}
}

// retry asks the Policy again after a while.
func (n *Node) retry(sp *space, l level) {
	c := &sp.claimers[l]
	c.review = n.now.Add(max(n.cfg.Waiting/8, time.Second))
	n.stale = true
}

// cancelIn gives up the claims that wait for a part of a range which is no
// longer there to be claimed.
func (n *Node) cancelIn(l level, lost Prefix) {
	for _, p := range slices.Clone(n.pending) {
		if p.level != l || !p.prefix.Overlaps(lost) {
			continue
		}
		n.drop(p)
		if p.waiting {
			if e := n.cache.own.find(&p.claim); e != nil {
				e.state |= dead
			}
			if !n.cfg.SilentlyExpire && !n.holds(n.cfg.Domain, p.claim.Role, p.prefix, true) {
				n.withdrawClaim(p)
			}
		}
	}
	n.replan = true
}

// denied gives a claim up that a parent refuses, and claims again if the
// Lifetime offered is worth it.
func (n *Node) denied(p *pending, denial *Claim) {
	n.stats.Denied++
	n.drop(p)
	left := denial.Lifetime.Duration() - n.now.Sub(denial.Timestamp.Time())
	if denial.Lifetime < p.claim.Lifetime && left > 2*n.cfg.Waiting {
		n.schedule(p.sp, p.level, Plan{Kind: p.kind, Prefix: p.prefix, Lifetime: left}, p.renews)
		return
	}
	n.again(p, n.cfg.ReclaimPeriod)
	c := &p.sp.claimers[p.level]
	c.quiet = n.now.Add(n.cfg.Waiting)
	c.review = c.quiet
	n.stale = true
}

// allocate ends the waiting period of a claim that nobody has beaten: the
// prefix is the domain's (section 5.1 d).
func (n *Node) allocate(p *pending) {
	n.drop(p)
	n.stats.Allocated++
	n.held, n.changed = true, true
	n.replan = n.replan || !p.renews
	c := p.claim
	got := c
	got.Type = PrefixInUse
	var older []Holding
	for _, h := range n.holdings(p.sp, p.level) {
		if h.Prefix.Covers(c.Prefix) && h.Timestamp <= c.Timestamp && (p.renews || !h.Deprecated) {
			// A renewal keeps what the prefix defends itself with and only ends
			// later (decision MASC-D-39). One that was to end, or was given back
			// in between, is claimed anew.
			if gone, _ := n.excluded(p.level, h); !coveredBy(c.Prefix, gone) {
				got.Timestamp = min(got.Timestamp, h.Timestamp)
			}
		}
		older = append(older, h)
	}
	got.Lifetime = Seconds(clamp(c.end() - int64(got.Timestamp)))
	got.Holdtime = got.Lifetime
	if e := n.cache.own.find(&c); e != nil {
		e.state |= dead
	}
	if p.level == using {
		n.keep(p.sp, NoPeer, &got, ID{}, toInternal|toChildren)
		n.retire(&got)
	} else {
		n.record(p.sp, NoPeer, &got)
	}
	n.due(p.sp, p.level, c.Prefix, c.Timestamp.Time().Add(n.cfg.ReclaimPeriod))
	for _, h := range older {
		switch {
		case h.Prefix != c.Prefix && c.Prefix.Covers(h.Prefix) && h.End.Unix() <= c.end():
			n.absorb(p, h)
		case p.kind == PlanReplace && !h.Deprecated && !h.Prefix.Overlaps(c.Prefix) && h.Prefix.Size() < c.Prefix.Size(),
			h.Prefix != c.Prefix && h.Prefix.Covers(c.Prefix) && !h.Deprecated:
			n.deprecate(p.sp, p.level, h)
		}
	}
}

// absorb forgets a prefix that is now part of a larger one.
func (n *Node) absorb(p *pending, h Holding) {
	p.sp.claimers[p.level].notDue(h.Prefix)
	d := n.cache.own
	for i := range d.entries {
		e := &d.entries[i]
		if e.prefix() == h.Prefix && levelOf(e.role) == p.level && (e.kind == PrefixInUse || e.kind == PrefixManaged) {
			e.state |= dead
		}
	}
}

// deprecate lets a prefix end: it is not claimed again, and children are told.
func (n *Node) deprecate(sp *space, l level, h Holding) {
	sp.claimers[l].notDue(h.Prefix)
	n.stale, n.held, n.changed = true, true, true
	d := n.cache.own
	for i := range d.entries {
		e := &d.entries[i]
		if e.prefix() != h.Prefix || levelOf(e.role) != l || !e.live(n.sec) {
			continue
		}
		if e.kind == PrefixManaged || l == using && e.kind == PrefixInUse {
			e.state |= deprecated
			if l == managing {
				c := d.claim(e)
				n.forward(&c, n.parentID(e.parent), e.to, NoPeer)
			}
		}
	}
}

// appointment is when a prefix is to be claimed again.
type appointment struct {
	prefix Prefix
	at     time.Time
}

// due sets when a prefix is to be claimed again.
func (n *Node) due(sp *space, l level, p Prefix, at time.Time) {
	c := &sp.claimers[l]
	c.notDue(p)
	c.reclaim = append(c.reclaim, appointment{p, at})
	n.stale = true
}

// isDue reports whether a prefix is to be claimed again.
func (c *claimer) isDue(p Prefix) bool {
	return slices.ContainsFunc(c.reclaim, func(a appointment) bool { return a.prefix == p })
}

// notDue strikes a prefix from what is to be claimed again.
func (c *claimer) notDue(p Prefix) {
	c.reclaim = slices.DeleteFunc(c.reclaim, func(a appointment) bool { return a.prefix == p })
}
