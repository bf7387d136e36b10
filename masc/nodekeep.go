// SPDX-License-Identifier: BSD-3-Clause

package masc

// keep stores an accepted claim and passes it on.
func (n *Node) keep(sp *space, from PeerID, c *Claim, parent ID, to targets) *entry {
	if sp.TopLevel {
		to |= toSpace
	}
	e, fresh := n.cache.put(c.Domain, entryOf(c, from, n.parentNumber(parent), to))
	switch {
	case c.Domain == n.cfg.Domain:
		n.guarded = false
		n.clashed = n.clashed || from != NoPeer
	case c.Role == Child:
		n.child(c, fresh)
	case c.Role == Parent:
		n.announcedUntil = 0
	}
	if fresh && from != NoPeer {
		n.peers[from].claims++
	}
	if fresh && !(c.Type == ClaimToExpand && n.prolongs(c)) || c.Type >= NewClaim { // to prolong what is there changes no plan
		n.replan = n.replan || c.Role == Child || c.Role == Internal
	}
	n.forward(c, parent, to, from)
	return e
}

// prolongs reports whether a claim is for a prefix that its domain has.
func (n *Node) prolongs(c *Claim) bool {
	held := *c
	held.Type = PrefixInUse
	e := n.cache.get(c.Domain).find(&held)
	return e != nil && e.live(n.sec)
}

// child takes note of a claim of a child domain, which makes the own one no
// leaf until it is over.
func (n *Node) child(c *Claim, fresh bool) {
	leaf := n.IsLeaf()
	if fresh {
		n.children++
	}
	const whole = 24 * 60 * 60 // counted in days, so that it is not stored at every claim
	// What a claim has become may be unheard of for a waiting period: the
	// network parts just before it is told.
	until := c.expiry() + max(n.cache.skew, seconds(n.cfg.Waiting))
	if until = until/whole*whole + whole; until > n.parentUntil {
		n.parentUntil = until
		n.held = true
	}
	if leaf {
		n.becomeParent()
	}
}

// sweep forgets what is over.
func (n *Node) sweep() {
	n.cache.forget(n.sec, func(d *domain, e *entry) {
		if e.from != NoPeer {
			n.peers[e.from].claims--
		}
		if e.role == Child && d != n.cache.own {
			n.children--
			n.changed = n.changed || n.children == 0
		}
		n.replan = n.replan || e.role != Sibling
	})
}

// retire ends the claims that a PREFIX_IN_USE makes good: those of the domain
// for the prefix that end no later (decision MASC-D-70).
func (n *Node) retire(c *Claim) {
	d := n.cache.get(c.Domain)
	if d.waits == 0 {
		return
	}
	for i := range d.entries {
		e := &d.entries[i]
		if e.waits() && e.prefix() == c.Prefix && levelOf(e.role) == levelOf(c.Role) && e.end() <= c.end() {
			e.state |= dead
		}
	}
}

// bury ends the prefixes of the origin that a WITHDRAW covers, unless they were
// claimed after it.
func (n *Node) bury(w *Claim) {
	d := n.cache.get(w.Domain)
	for i := range d.entries {
		e := &d.entries[i]
		if (e.kind == PrefixInUse || e.kind == PrefixManaged) && levelOf(e.role) == levelOf(w.Role) &&
			w.Prefix.Covers(e.prefix()) && w.Timestamp >= e.stamp {
			e.state |= dead
		}
	}
}
