// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"errors"
	"slices"
	"time"
)

// ErrLimit is in the Alert of a node that drops claims because their origin or
// the peer that brings them has reached a limit; ErrTie in that of claims of
// two domains that are equal in type, time and node: a Node Identifier is used
// twice.
var (
	ErrLimit = errors.New("masc: a limit on remembered claims is reached")
	ErrTie   = errors.New("masc: two domains use the same node identifier")
)

// errDown is the error of a claim over a session that is not Established.
var errDown error = FSMError

// Receive handles one claim of an UPDATE (RFC 2909, section 11). The error is
// the Reason of the NOTIFICATION to answer with; nil if the claim is accepted,
// or silently dropped.
func (n *Node) Receive(now time.Time, from PeerID, c Claim) error {
	n.begin(now)
	n.stats.Received++
	p := &n.peers[from]
	if !p.up {
		return errDown
	}
	reason := n.receive(from, p, &c)
	if reason != 0 {
		n.stats.Rejected++
		n.end()
		return reason
	}
	n.end()
	return nil
}

// receive takes a claim through the gates of section 11.1.
func (n *Node) receive(from PeerID, p *peerState, c *Claim) Reason {
	if n.ignored[c.Domain] {
		n.stats.Dropped++
		return 0
	}
	if reason := n.rules.check(n.sec, p.Role, p.Domain, c); reason != 0 {
		return reason
	}
	received := c.Role
	role, err := UpdatedOriginRole(Origin{
		Type: c.Type, Received: received, Session: p.Role, Local: c.Domain == n.cfg.Domain,
		Children: received == Parent && p.Role == Parent && n.isChild(c.Domain),
	})
	if err != nil {
		return IllegalOriginRole
	}
	c.Role = role
	if c.expiry() <= n.sec { // no allowance for skew (decision MASC-D-28)
		n.stats.Expired++
		return 0
	}
	d := n.cache.get(c.Domain)
	if e := d.find(c); e != nil && !newer(c, &e.claim) {
		n.stats.Duplicates++
		return 0
	}
	if !p.inside(c) || n.cfg.Strict && !n.trusts(p, received, c) {
		n.stats.Dropped++
		return 0
	}
	sp := n.spaceOf(c.Prefix)
	if sp == nil {
		return noPrefix(c)
	}
	if d != nil && len(d.entries) >= n.cfg.MaxPerDomain && d.find(c) == nil || p.claims >= n.cfg.MaxPerPeer {
		n.stats.Dropped++
		if !p.alerted {
			p.alerted = true
			n.alert(from, ErrLimit)
		}
		return 0
	}
	switch c.Type {
	case PrefixInUse:
		return n.receiveInUse(sp, from, p, c)
	case ClaimDenied:
		return n.receiveDenied(sp, from, p, c)
	case ClaimToExpand, NewClaim:
		return n.receiveClaim(sp, from, p, c)
	case PrefixManaged:
		return n.receiveManaged(sp, from, p, c)
	}
	return n.receiveWithdraw(sp, from, p, c)
}

// noPrefix is the reason for a claim that belongs to no space of the node.
func noPrefix(c *Claim) Reason {
	if c.Type == Withdraw {
		return [...]Reason{Internal: NoInternalPrefix, Child: NoChildPrefix, Sibling: NoSiblingPrefix, Parent: NoParentPrefix}[c.Role]
	}
	return NoParentPrefix
}

// isChild reports whether d is a child domain.
func (n *Node) isChild(d ID) bool {
	return slices.ContainsFunc(n.peers, func(p peerState) bool { return p.Role == Parent && p.Domain == d })
}

// trusts applies what section 14 proposes against forged origins: claims of
// third-party siblings only by way of the common parent, claims of children
// only from an internal peer or from the node that made them.
func (n *Node) trusts(p *peerState, received Role, c *Claim) bool {
	switch p.Role {
	case Sibling:
		return p.Parent.IsZero() || received == Internal
	case Parent:
		return c.Role != Child || c.Node == p.Node
	}
	return true
}

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
	d := n.cache.get(parent)
	if d == nil {
		return false
	}
	for i := range d.entries {
		e := &d.entries[i]
		if e.claim.Type == PrefixManaged && e.claim.Role == Parent && e.claim.Prefix.Covers(p) && e.live(n.sec) {
			return true
		}
	}
	return false
}

// mine returns the latest end of an own prefix that covers p, active or not
// (decision MASC-D-69).
func (n *Node) mine(p Prefix) (end int64, ok bool) {
	d := n.cache.get(n.cfg.Domain)
	if d == nil {
		return 0, false
	}
	for i := range d.entries {
		e := &d.entries[i]
		if (e.claim.Type == PrefixManaged || e.claim.Type == PrefixInUse) && e.claim.Role == Internal &&
			e.claim.Prefix.Covers(p) && e.live(n.sec) {
			end, ok = max(end, e.claim.end()), true
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
		managed := e.claim.Type == PrefixManaged && role == Internal && e.claim.Role == Internal
		if (e.claim.Type == PrefixInUse || managed) && levelOf(e.claim.Role) == levelOf(role) && e.live(n.sec) &&
			(e.claim.Prefix.Covers(p) || !whole && e.claim.Prefix.Overlaps(p)) {
			return true
		}
	}
	return false
}

// keep stores an accepted claim and passes it on.
func (n *Node) keep(sp *space, from PeerID, c *Claim, parent ID, to targets) *entry {
	if sp.TopLevel {
		to |= toSpace
	}
	e, fresh := n.cache.put(entry{claim: *c, parent: parent, from: from, to: to})
	if c.Domain == n.cfg.Domain {
		n.guarded = false
		n.clashed = n.clashed || from != NoPeer
	}
	if fresh {
		if from != NoPeer {
			n.peers[from].claims++
		}
	}
	if c.Role == Child && c.Domain != n.cfg.Domain {
		n.child(c, fresh)
	}
	if fresh || c.Type >= NewClaim {
		n.replan = n.replan || c.Role == Child || c.Role == Internal
	}
	n.forward(c, parent, to, from)
	return e
}

// child takes note of a claim of a child domain, which makes the own one no
// leaf until it is over.
func (n *Node) child(c *Claim, fresh bool) {
	leaf := n.IsLeaf()
	if fresh {
		n.children++
	}
	const whole = 24 * 60 * 60 // counted in days, so that it is not stored at every claim
	if until := (c.expiry()+n.cache.skew)/whole*whole + whole; until > n.parentUntil {
		n.parentUntil = until
		n.held = true
	}
	if leaf {
		n.becomeParent()
	}
}

// sweep forgets what is over.
func (n *Node) sweep() {
	for n.cache.forget(n.sec, func(e *entry) {
		if e.from != NoPeer {
			n.peers[e.from].claims--
		}
		if e.claim.Role == Child && e.claim.Domain != n.cfg.Domain {
			n.children--
			n.changed = n.changed || n.children == 0
		}
		n.replan = n.replan || e.claim.Role != Sibling
	}) {
	}
}

// receiveInUse handles PREFIX_IN_USE (section 11.2).
func (n *Node) receiveInUse(sp *space, from PeerID, p *peerState, c *Claim) Reason {
	switch c.Role {
	case Parent:
		return IllegalOriginRole
	case Internal:
		n.record(sp, from, c)
		return 0
	case Sibling:
		parent, ok := n.parentOf(sp, p, c.Prefix)
		if !ok {
			return NoParentPrefix
		}
		n.keep(sp, from, c, parent, toOwnSide)
	case Child:
		if _, ok := n.mine(c.Prefix); !ok {
			return NoParentPrefix
		}
		n.keep(sp, from, c, ID{}, toInternal|toChildren)
	}
	n.retire(c)
	n.contest(from, c)
	return 0
}

// retire ends the claims that a PREFIX_IN_USE makes good: those of the domain
// for the prefix that end no later (decision MASC-D-70).
func (n *Node) retire(c *Claim) {
	d := n.cache.get(c.Domain)
	if d.claims == 0 {
		return
	}
	for i := range d.entries {
		e := &d.entries[i]
		if e.claim.waits() && e.claim.Prefix == c.Prefix &&
			levelOf(e.claim.Role) == levelOf(c.Role) && e.claim.end() <= c.end() {
			e.dead = true
		}
	}
}

// receiveDenied handles CLAIM_DENIED (section 11.3).
func (n *Node) receiveDenied(sp *space, from PeerID, p *peerState, c *Claim) Reason {
	hint := c.Prefix.IsHint()
	switch {
	case c.Role == Child || c.Role == Sibling:
		return IllegalOriginRole
	case c.Role == Internal:
		to := toInternal | toChildren
		if hint {
			to = toInternal | toOrigin
		}
		n.keep(sp, from, c, ID{}, to)
		return 0
	case c.Domain != n.cfg.Domain:
		if hint {
			n.stats.Dropped++
			return 0
		}
		parent, ok := n.parentOf(sp, p, c.Prefix)
		if !ok {
			return NoParentPrefix
		}
		n.keep(sp, from, c, parent, toOwnSide)
		return 0
	}
	claim := n.claimOf(c)
	if claim == nil {
		return NoInternalPrefix
	}
	claim.dead = true
	parent, to := claim.parent, toOwnSide
	if hint {
		to = toInternal | toParent
	}
	n.keep(sp, from, c, parent, to)
	for _, q := range n.pending {
		if q.waiting && q.claim.deniedBy(c) {
			n.denied(q, c)
			break
		}
	}
	return 0
}

// claimOf returns the cached claim that a CLAIM_DENIED or a WITHDRAW names: of
// the same domain, time, address and mask.
func (n *Node) claimOf(c *Claim) *entry {
	d := n.cache.get(c.Domain)
	if d == nil {
		return nil
	}
	for i := range d.entries {
		if e := &d.entries[i]; e.claim.deniedBy(c) {
			return e
		}
	}
	return nil
}

// receiveClaim handles CLAIM_TO_EXPAND and NEW_CLAIM (sections 11.4 and 11.5).
func (n *Node) receiveClaim(sp *space, from PeerID, p *peerState, c *Claim) Reason {
	if c.Role == Parent {
		return IllegalOriginRole
	}
	if c.Prefix.IsHint() {
		n.receiveHint(sp, from, p, c)
		return 0
	}
	var parent ID
	var end int64
	var ok bool
	if c.Role == Child {
		end, ok = n.mine(c.Prefix)
	} else {
		parent, ok = n.parentOf(sp, p, c.Prefix)
	}
	if !ok {
		return NoParentPrefix
	}
	if c.Type == ClaimToExpand && !n.holds(c.Domain, c.Role, c.Prefix, false) {
		return [...]Reason{Internal: NoInternalPrefix, Child: NoChildPrefix, Sibling: NoSiblingPrefix}[c.Role]
	}
	if c.Role != Child {
		n.keep(sp, from, c, parent, toOwnSide)
		n.contest(from, c)
		return 0
	}
	if limit, refused := n.refuses(c, end); refused && c.Domain != n.cfg.Domain {
		n.keep(sp, from, c, ID{}, toInternal)
		denial := Denial(*c, limit, SecondsOf(n.cfg.Waiting))
		n.stats.Refused++
		n.keep(sp, NoPeer, &denial, ID{}, toInternal|toOrigin)
		return 0
	}
	n.keep(sp, from, c, ID{}, toInternal|toChildren)
	n.satisfied(c)
	n.contest(from, c)
	return 0
}

// receiveHint handles a NEW_CLAIM without address: the need for more space.
func (n *Node) receiveHint(sp *space, from PeerID, p *peerState, c *Claim) {
	switch c.Role {
	case Child:
		n.keep(sp, from, c, ID{}, toInternal|toOrigin)
	case Internal:
		// Only its originator tells the parents (decision MASC-D-48).
		to, parent := toInternal, ID{}
		if len(n.parents) == 1 {
			to, parent = toInternal|toParent, n.parents[0]
		}
		n.keep(sp, from, c, parent, to)
	default:
		n.stats.Dropped++
	}
}

// satisfied ends the hints of a child that now claims.
func (n *Node) satisfied(c *Claim) {
	d := n.cache.get(c.Domain)
	for i := range d.entries {
		e := &d.entries[i]
		if e.claim.Type == NewClaim && e.claim.Prefix.IsHint() && e.claim.Timestamp <= c.Timestamp {
			e.dead = true
		}
	}
}

// receiveManaged handles PREFIX_MANAGED (section 11.6).
func (n *Node) receiveManaged(sp *space, from PeerID, p *peerState, c *Claim) Reason {
	switch c.Role {
	case Child, Sibling:
		return IllegalOriginRole
	case Internal:
		n.record(sp, from, c)
		return 0
	}
	if !slices.Contains(n.parents, c.Domain) {
		if p.Role != Internal || sp.TopLevel {
			return OriginDomainError // decision MASC-D-38
		}
		n.parents = append(n.parents, c.Domain)
	}
	n.keep(sp, from, c, c.Domain, toOwnSide)
	n.replan = true
	return 0
}

// record stores a prefix that a node of the local domain has won: as
// PREFIX_MANAGED, which children and internal peers are sent, and as
// PREFIX_IN_USE, for parents and siblings (decision MASC-D-35).
func (n *Node) record(sp *space, from PeerID, c *Claim) {
	parent, ok := n.parentOf(sp, nil, c.Prefix)
	inUse, managed := *c, *c
	inUse.Type, inUse.Deprecated = PrefixInUse, false
	managed.Type = PrefixManaged
	d := n.cache.get(c.Domain)
	old := d.find(&managed)
	n.replan = n.replan || old == nil || old.dead // to prolong what is there changes no plan
	if e := d.find(&inUse); e == nil || newer(&inUse, &e.claim) {
		to := toParent | toSiblings
		if !ok {
			to = 0
		}
		n.keep(sp, from, &inUse, parent, to)
		d = n.cache.get(c.Domain)
	}
	e := d.find(&managed)
	if e != nil && e.claim.Timestamp == managed.Timestamp && e.claim.Deprecated {
		managed.Deprecated = true // a renewal that was under way does not bring it back
	}
	if e == nil || newer(&managed, &e.claim) {
		n.keep(sp, from, &managed, parent, toInternal|toChildren)
	}
	n.retire(&inUse)
	if _, ok := sp.claimers[managing].reclaim[c.Prefix]; !ok && !c.Deprecated {
		n.due(sp, managing, c.Prefix, n.now.Add(n.cfg.ReclaimPeriod)) // whichever node of the domain comes first
	}
	n.held, n.changed = true, true
}

// receiveWithdraw handles WITHDRAW (section 11.7).
func (n *Node) receiveWithdraw(sp *space, from PeerID, p *peerState, c *Claim) Reason {
	if c.Role == Parent {
		return n.receiveParentWithdraw(sp, from, p, c)
	}
	claim := n.claimOf(c)
	if claim != nil && levelOf(claim.claim.Role) != levelOf(c.Role) {
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
// covers of the origin's prefixes does.
func (n *Node) withdraw(sp *space, from PeerID, p *peerState, c *Claim, claim *entry, forced bool) {
	var parent ID
	var to targets
	switch {
	case c.Role == Child:
		to = toInternal | toChildren
	case claim != nil:
		parent, to = claim.parent, toOwnSide
	default:
		parent, _ = n.parentOf(sp, p, c.Prefix)
		to = toOwnSide
		if c.Role == Internal {
			to |= toChildren
		}
	}
	single := claim != nil
	if single {
		claim.dead = true
	}
	e := n.keep(sp, from, c, parent, to)
	e.single = single
	e.forced = forced || c.Domain == n.cfg.Domain && !single && n.answersClash(c)
	for i, q := range n.pending {
		if single && q.waiting && q.claim.deniedBy(c) {
			n.pending = slices.Delete(n.pending, i, i+1)
			n.stale, n.replan = true, true
			break
		}
	}
	if !single {
		n.bury(c)
	}
	if c.Domain == n.cfg.Domain {
		n.held, n.changed = true, true
		if !single && c.Role == Internal {
			n.cancelIn(using, c.Prefix)
		}
	}
	n.replan = true
}

// bury ends the prefixes of the origin that a WITHDRAW covers, unless they were
// claimed after it.
func (n *Node) bury(w *Claim) {
	d := n.cache.get(w.Domain)
	for i := range d.entries {
		e := &d.entries[i]
		if (e.claim.Type == PrefixInUse || e.claim.Type == PrefixManaged) && levelOf(e.claim.Role) == levelOf(w.Role) &&
			w.Prefix.Covers(e.claim.Prefix) && w.Timestamp >= e.claim.Timestamp {
			e.dead = true
		}
	}
}

// answersClash reports whether a WITHDRAW of the local domain answers a clash: a
// foreign prefix with the same times covers it.
func (n *Node) answersClash(w *Claim) bool {
	for _, d := range n.cache.domains {
		if d.id == w.Domain {
			continue
		}
		for i := range d.entries {
			c := &d.entries[i].claim
			if c.Type == PrefixInUse && c.Timestamp == w.Timestamp && c.Lifetime == w.Lifetime && c.Prefix.Covers(w.Prefix) {
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
	if e := n.cache.get(w.Domain).find(w); e != nil && !newer(w, &e.claim) {
		return
	}
	n.withdraw(sp, NoPeer, nil, w, nil, true)
}
