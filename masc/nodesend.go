// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"slices"
	"time"
)

// targets is the set of peers a claim is passed on to.
type targets uint8

const (
	toInternal targets = 1 << iota // all internal peers
	toParent                       // all nodes of the parent domain it is about
	toSiblings                     // all siblings under that parent
	toChildren                     // all nodes of all child domains
	toOrigin                       // all nodes of the child domain it comes from
	toSpace                        // top-level spaces: siblings whatever their parent

	toOwnSide = toInternal | toParent | toSiblings
)

// match reports whether p is in the set, for a claim about a parent domain.
func (to targets) match(p *peerState, parent ID, c *Claim) bool {
	switch p.Role {
	case Internal:
		return to&toInternal != 0
	case Child:
		return to&toParent != 0 && p.Domain == parent
	case Sibling:
		return to&toSiblings != 0 && (p.Parent == parent || to&toSpace != 0)
	case Parent:
		return to&toChildren != 0 || to&toOrigin != 0 && p.Domain == c.Domain
	}
	return false
}

// carries reports whether the session with p may carry the claim.
func (p *peerState) carries(c *Claim) bool {
	if p.Family != 0 && p.Family != c.Prefix.family {
		return false
	}
	return p.inside(c)
}

// inside reports whether the claim is about no scope whose boundary the session
// crosses.
func (p *peerState) inside(c *Claim) bool {
	for _, s := range p.Outside {
		if s.Overlaps(c.Prefix) && !c.Prefix.IsHint() {
			return false
		}
	}
	return true
}

// forward sends a claim to the peers in the set, except one.
func (n *Node) forward(c *Claim, parent ID, to targets, except PeerID) {
	var ad *Advertise
	for i := range n.peers {
		p := &n.peers[i]
		if !p.up || PeerID(i) == except || !to.match(p, parent, c) || !p.carries(c) {
			continue
		}
		if ad == nil {
			ad = n.advertise(c)
		}
		ad.Peers = append(ad.Peers, PeerID(i))
	}
	if ad != nil {
		n.stats.Sent += uint64(len(ad.Peers))
	}
}

// advertise queues an Advertise without peers.
func (n *Node) advertise(c *Claim) *Advertise {
	if n.used == len(n.ads) {
		n.ads = append(n.ads, new(Advertise))
	}
	ad := n.ads[n.used]
	n.used++
	ad.Claim, ad.Peers = *c, ad.Peers[:0]
	if c.Type != PrefixManaged && c.Domain == n.cfg.Domain {
		ad.Claim.Deprecated = false // decision MASC-D-51
	}
	n.queue = append(n.queue, ad)
	return ad
}

// PeerUp says that a session is Established, with the identifiers of the peer's
// OPEN. Everything that counts and concerns the peer is sent, in the order of
// section 11.8, whatever an earlier connection carried: this heals partitions.
func (n *Node) PeerUp(now time.Time, id PeerID, domain, node ID) {
	n.begin(now)
	p := &n.peers[id]
	p.up, p.alerted = true, false
	p.Node = node
	if p.Domain.IsZero() {
		p.Domain = domain
	}
	var list []Claim
	for d := range n.cache.all() {
		for i := range d.entries {
			e := &d.entries[i]
			if !e.counts(n.sec) {
				continue
			}
			if c := d.claim(e); e.to.match(p, n.parentID(e.parent), &c) && p.carries(&c) {
				list = append(list, c)
			}
		}
	}
	slices.SortFunc(list, func(a, b Claim) int { return SendOrder(p.Role, a, b) })
	for i := range list {
		ad := n.advertise(&list[i])
		ad.Peers = append(ad.Peers, id)
	}
	n.stats.Sent += uint64(len(list))
	n.replan = true
	n.end()
}

// PeerDown says that a session is no longer Established. What came over it
// stays: a lost connection frees no prefix (decision MASC-D-43).
func (n *Node) PeerDown(now time.Time, id PeerID) {
	n.begin(now)
	n.peers[id].up = false
	n.end()
}

func (n *Node) alert(peer PeerID, err error) {
	n.queue = append(n.queue, &Alert{Peer: peer, Err: err})
}
