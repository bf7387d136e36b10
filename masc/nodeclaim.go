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
	delay := time.Duration(1)
	if d := int64(n.cfg.ClaimDelay); d > 2 {
		delay = time.Duration(1 + n.cfg.Rand.Int64N(d-1))
	}
	n.pending = append(n.pending, &pending{sp: sp, level: l, kind: p.Kind, prefix: p.Prefix, lifetime: p.Lifetime,
		renews: renews, parent: src.Domain, at: n.now.Add(delay)})
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
		n.stale = true
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

// contest holds an accepted claim of somebody else against what the local node
// claims and has at the same level (sections 5.1 c, 11.2 to 11.5 and 12.4).
func (n *Node) contest(from PeerID, c *Claim) {
	if len(n.pending) > 0 {
		for _, p := range slices.Clone(n.pending) {
			n.contestPending(from, p, c)
		}
	}
	if c.Domain == n.cfg.Domain || !n.guards(c.Prefix) {
		return
	}
	own := n.cache.get(n.cfg.Domain)
	for i := 0; i < len(own.entries); i++ {
		e := &own.entries[i]
		if e.claim.Type != PrefixInUse || levelOf(e.claim.Role) != levelOf(c.Role) || !e.live(n.sec) || own.gaveUp(e, c.Prefix, n.sec) {
			continue
		}
		if c.Type != PrefixInUse {
			n.defend(from, &e.claim)
			continue
		}
		n.clashed = true
		n.stats.Clashes++
		w, lost := ResolveClash(*c, e.claim)
		switch {
		case !lost && compare(c, &e.claim) == 0:
			n.alert(from, ErrTie)
		case !lost:
			n.defend(from, &e.claim)
		case n.cfg.ManualClashes:
			n.alert(from, &ClashError{Local: e.claim, Winner: *c})
		default:
			n.alert(from, &ClashError{Local: e.claim, Winner: *c})
			n.withdrawOwn(n.spaceOf(w.Prefix), &w) // may move own.entries
		}
	}
}

// gaveUp reports whether p and the prefix of e have nothing in common, or only
// what the domain has withdrawn since it won it.
func (d *domain) gaveUp(e *entry, p Prefix, now int64) bool {
	common, ok := e.claim.Prefix.Meet(p)
	return !ok || slices.ContainsFunc(d.entries, func(w entry) bool {
		return w.claim.Type == Withdraw && !w.single && !w.forced && w.counts(now) && levelOf(w.claim.Role) == levelOf(e.claim.Role) &&
			w.claim.Timestamp >= e.claim.Timestamp && w.claim.Prefix.Covers(common)
	})
}

// guards reports whether p meets an own PREFIX_IN_USE, or one that was: almost
// no claim does.
func (n *Node) guards(p Prefix) bool {
	if !n.guarded {
		n.guarded, n.guard = true, n.guard[:0]
		own := n.cache.get(n.cfg.Domain)
		if own == nil {
			return false
		}
		for i := range own.entries {
			if c := &own.entries[i].claim; c.Type == PrefixInUse {
				n.guard = append(n.guard, c.Prefix)
			}
		}
	}
	for _, q := range n.guard {
		if q.Overlaps(p) {
			return true
		}
	}
	return false
}

// ClashError is in the Alert about two domains that use the same addresses:
// the local one has lost (RFC 2909, section 12.4).
type ClashError struct{ Local, Winner Claim }

// Error names both claims.
func (e *ClashError) Error() string {
	return "masc: " + e.Local.Prefix.String() + " clashes with " + e.Winner.Prefix.String() + " of domain " +
		e.Winner.Domain.String() + ", which has the better claim"
}

// defend sends the local domain's better claim again to whoever brought the
// other one (decision MASC-D-55).
func (n *Node) defend(from PeerID, c *Claim) {
	if from == NoPeer || !n.peers[from].up || !n.peers[from].carries(c) {
		return
	}
	ad := n.advertise(c)
	ad.Peers = append(ad.Peers, from)
	n.stats.Sent++
}

func (n *Node) contestPending(from PeerID, p *pending, c *Claim) {
	if levelOf(c.Role) != p.level {
		return
	}
	if !p.waiting {
		switch {
		case c.Domain == n.cfg.Domain && (!p.renews || c.Prefix == p.prefix): // the need may be gone
			n.drop(p)
			n.again(p, n.cfg.ReclaimPeriod)
			n.replan = true
		case c.Domain != n.cfg.Domain && c.Prefix.Overlaps(p.prefix): // a later claim would lose
			n.drop(p)
			n.again(p, n.cfg.Waiting/8)
			n.replan = true
		}
		return
	}
	if !collide(c, &p.claim) {
		return
	}
	switch order := compare(c, &p.claim); {
	case order == 0:
		n.alert(from, ErrTie)
	case order < 0:
		n.lose(p, c)
	}
}

// lose gives a claim up for a better one. Another prefix is only looked for if
// the winner is of another domain (section 5.1 c).
func (n *Node) lose(p *pending, winner *Claim) {
	n.stats.Collisions++
	n.drop(p)
	n.again(p, n.cfg.ReclaimPeriod)
	if e := n.cache.get(n.cfg.Domain).find(&p.claim); e != nil {
		e.dead = true
	}
	if !n.cfg.SilentlyExpire && !n.holds(n.cfg.Domain, p.claim.Role, p.prefix, true) {
		n.withdrawClaim(p)
	}
	if winner.Domain == n.cfg.Domain {
		c := &p.sp.claimers[p.level]
		c.quiet = n.now.Add(n.cfg.Waiting)
		c.review = c.quiet
		return
	}
	n.replan = true
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
			if e := n.cache.get(n.cfg.Domain).find(&p.claim); e != nil {
				e.dead = true
			}
			if !n.cfg.SilentlyExpire && !n.holds(n.cfg.Domain, p.claim.Role, p.prefix, true) {
				n.withdrawClaim(p)
			}
		}
	}
	n.replan = true
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
	n.keep(p.sp, NoPeer, &w, p.parent, to).single = true
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
			// later (decision MASC-D-39). One that was to end is claimed anew.
			got.Timestamp = min(got.Timestamp, h.Timestamp)
		}
		older = append(older, h)
	}
	got.Lifetime = Seconds(clamp(c.end() - int64(got.Timestamp)))
	got.Holdtime = got.Lifetime
	if e := n.cache.get(n.cfg.Domain).find(&c); e != nil {
		e.dead = true
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
		case p.kind == PlanReplace && !h.Deprecated && !h.Prefix.Overlaps(c.Prefix),
			h.Prefix != c.Prefix && h.Prefix.Covers(c.Prefix) && !h.Deprecated:
			n.deprecate(p.sp, p.level, h)
		}
	}
}

// absorb forgets a prefix that is now part of a larger one.
func (n *Node) absorb(p *pending, h Holding) {
	delete(p.sp.claimers[p.level].reclaim, h.Prefix)
	d := n.cache.get(n.cfg.Domain)
	for i := range d.entries {
		e := &d.entries[i]
		if e.claim.Prefix == h.Prefix && levelOf(e.claim.Role) == p.level && (e.claim.Type == PrefixInUse || e.claim.Type == PrefixManaged) {
			e.dead = true
		}
	}
}

// deprecate lets a prefix end: it is not claimed again, and children are told.
func (n *Node) deprecate(sp *space, l level, h Holding) {
	delete(sp.claimers[l].reclaim, h.Prefix)
	n.stale, n.held, n.changed = true, true, true
	d := n.cache.get(n.cfg.Domain)
	for i := range d.entries {
		e := &d.entries[i]
		if e.claim.Prefix != h.Prefix || levelOf(e.claim.Role) != l || !e.live(n.sec) {
			continue
		}
		if e.claim.Type == PrefixManaged || l == using && e.claim.Type == PrefixInUse {
			e.claim.Deprecated = true
			if l == managing {
				n.forward(&e.claim, e.parent, e.to, NoPeer)
			}
		}
	}
}

// due sets when a prefix is to be claimed again.
func (n *Node) due(sp *space, l level, p Prefix, at time.Time) {
	sp.claimers[l].reclaim[p] = at
	n.stale = true
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
	for _, d := range n.cache.domains {
		for i := range d.entries {
			e := &d.entries[i]
			if e.claim.Type.IsClaim() && e.claim.Type != ClaimDenied && e.claim.Role == Child && e.counts(n.sec) && e.claim.Prefix.Overlaps(p) {
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
	delete(sp.claimers[l].reclaim, p)
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
