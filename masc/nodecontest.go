// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"slices"
)

// contest holds an accepted claim of somebody else against what the local node
// claims and has at the same level (sections 5.1 c, 11.2 to 11.5 and 12.4).
func (n *Node) contest(from PeerID, c *Claim) {
	foreign := c.Domain != n.cfg.Domain
	if foreign && !n.guards(c.Prefix) {
		return
	}
	if len(n.pending) > 0 {
		for _, p := range slices.Clone(n.pending) {
			n.contestPending(from, p, c)
		}
	}
	if !foreign {
		return
	}
	own := n.cache.own
	for i := 0; i < len(own.entries); i++ {
		e := &own.entries[i]
		if e.kind != PrefixInUse || levelOf(e.role) != levelOf(c.Role) || !e.live(n.sec) || own.gaveUp(e, c.Prefix, n.sec) {
			continue
		}
		local := own.claim(e)
		if c.Type != PrefixInUse {
			n.defend(from, &local)
			continue
		}
		n.clashed = true
		n.stats.Clashes++
		w, lost := ResolveClash(*c, local)
		switch {
		case !lost && compare(c, &local) == 0:
			n.alert(from, ErrTie)
		case !lost:
			n.defend(from, &local)
		case n.cfg.ManualClashes:
			n.alert(from, &ClashError{Local: local, Winner: *c})
		default:
			n.alert(from, &ClashError{Local: local, Winner: *c})
			n.withdrawOwn(n.spaceOf(w.Prefix), &w) // may move own.entries
		}
	}
}

// guards reports whether p meets an own PREFIX_IN_USE, perhaps one that is over,
// or something the domain is about to claim: almost no claim does.
func (n *Node) guards(p Prefix) bool {
	if !n.guarded {
		n.guarded, n.guard = true, n.guard[:0]
		for i := range n.cache.own.entries {
			if e := &n.cache.own.entries[i]; e.kind == PrefixInUse {
				n.guard = append(n.guard, e.prefix())
			}
		}
		for _, q := range n.pending {
			n.guard = append(n.guard, q.prefix)
		}
	}
	for i := range n.guard {
		if n.guard[i].Overlaps(p) {
			return true
		}
	}
	return false
}

// gaveUp reports whether p and the prefix of e have nothing in common, or only
// what the domain has withdrawn since it won it.
func (d *domain) gaveUp(e *entry, p Prefix, now int64) bool {
	common, ok := e.prefix().Meet(p)
	return !ok || slices.ContainsFunc(d.entries, func(w entry) bool {
		return w.kind == Withdraw && !w.is(single) && !w.is(forced) && w.counts(now) && levelOf(w.role) == levelOf(e.role) &&
			w.stamp >= e.stamp && w.prefix().Covers(common)
	})
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
	if e := n.cache.own.find(&p.claim); e != nil {
		e.state |= dead
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
