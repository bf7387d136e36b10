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
	if e := d.find(c); e != nil && !e.older(c) {
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
	claim := n.cache.own.named(c)
	if claim == nil {
		return NoInternalPrefix
	}
	claim.state |= dead
	parent, to := n.parentID(claim.parent), toOwnSide
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
		if e.kind == NewClaim && e.isHint() && e.stamp <= c.Timestamp {
			e.state |= dead
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
		if len(n.parents) == maxParents {
			n.stats.Dropped++
			return 0
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
	d := n.cache.own
	old := d.find(&managed)
	n.replan = n.replan || old == nil || old.is(dead) // to prolong what is there changes no plan
	if e := d.find(&inUse); e == nil || e.older(&inUse) {
		to := toParent | toSiblings
		if !ok {
			to = 0
		}
		n.keep(sp, from, &inUse, parent, to)
	}
	e := d.find(&managed)
	if e != nil && e.stamp == managed.Timestamp && e.is(deprecated) {
		managed.Deprecated = true // a renewal that was under way does not bring it back
	}
	if e == nil || e.older(&managed) {
		n.keep(sp, from, &managed, parent, toInternal|toChildren)
	}
	n.retire(&inUse)
	if !sp.claimers[managing].isDue(c.Prefix) && !c.Deprecated {
		n.due(sp, managing, c.Prefix, n.now.Add(n.cfg.ReclaimPeriod)) // whichever node of the domain comes first
	}
	n.held, n.changed = true, true
}
