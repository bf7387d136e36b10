// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"fmt"
	"slices"
	"time"
)

// plan asks the Policy what to claim, at both levels of every space.
func (n *Node) plan() {
	for i := range n.spaces {
		sp := &n.spaces[i]
		if !n.IsLeaf() {
			n.planLevel(sp, using)
		}
		n.planLevel(sp, managing)
	}
}

// planLevel carries plans out until the Policy has no more, a few at most.
func (n *Node) planLevel(sp *space, l level) {
	c := &sp.claimers[l]
	if n.now.Before(c.quiet) {
		return
	}
	c.unmet = 0
	for range 4 {
		d := n.demand(sp, l)
		if d.Want <= 0 {
			return
		}
		p := n.cfg.Policy.Grow(n.view(sp, l, d))
		switch p.Kind {
		case PlanNew, PlanReplace, PlanExpand:
			if !n.schedule(sp, l, p, false) {
				n.retry(sp, l)
				return
			}
		case PlanHint:
			n.hint(sp, l, p)
			return
		default:
			return
		}
	}
}

// hint asks the parents for more space, once in a waiting period; at the level
// of own use the parent is the domain itself.
func (n *Node) hint(sp *space, l level, p Plan) {
	c := &sp.claimers[l]
	c.unmet = p.Prefix.Size()
	n.retry(sp, l)
	if l == using || sp.TopLevel {
		return
	}
	if slices.ContainsFunc(n.cache.own.entries, func(e entry) bool {
		return e.kind == NewClaim && e.isHint() && e.counts(n.sec) && e.mask.onesCount() <= p.Prefix.Bits()
	}) {
		return
	}
	for _, parent := range n.parents {
		if n.canClaim(sp, l, parent) {
			n.stats.Hints++
			h := Claim{Type: NewClaim, Role: Internal, Timestamp: StampOf(n.now), Lifetime: SecondsOf(n.cfg.Lifetime),
				Holdtime: SecondsOf(n.cfg.Waiting), Domain: n.cfg.Domain, Node: n.cfg.Node, Prefix: p.Prefix}
			n.keep(sp, NoPeer, &h, parent, toInternal|toParent)
			n.replan = false // it changes nothing here
			return
		}
	}
}

// renew asks the Policy about the prefixes that are due to be claimed again.
func (n *Node) renew(sp *space, l level) {
	c := &sp.claimers[l]
	if !c.review.IsZero() && !c.review.After(n.now) {
		c.review = time.Time{}
		n.replan = true
	}
	var ready []Prefix
	for _, a := range c.reclaim {
		if !a.at.After(n.now) {
			ready = append(ready, a.prefix)
		}
	}
	slices.SortFunc(ready, Prefix.Compare)
	for _, p := range ready {
		n.renewOne(sp, l, c, p)
	}
}

func (n *Node) renewOne(sp *space, l level, c *claimer, p Prefix) {
	n.stale = true
	c.notDue(p)
	held := n.holdings(sp, l)
	i := slices.IndexFunc(held, func(h Holding) bool { return h.Prefix == p && !h.Deprecated })
	if i < 0 || n.clashing(sp, l, p) {
		return
	}
	for _, q := range n.pending {
		if q.sp == sp && q.level == l && q.prefix.Overlaps(p) {
			n.due(sp, l, p, q.at.Add(time.Second)) // when that is settled
			return
		}
	}
	v := n.view(sp, l, n.demand(sp, l))
	plan := n.cfg.Policy.Renew(v, held[i])
	switch plan.Kind {
	case PlanExpand, PlanNew:
		if src, ok := n.sourceOf(sp, l, p); ok && src.Deprecated {
			n.deprecate(sp, l, held[i]) // nothing is prolonged in what the parent gives up
			n.replan = true
			return
		}
		if !n.schedule(sp, l, plan, p.Covers(plan.Prefix)) {
			n.due(sp, l, p, n.now.Add(max(n.cfg.Waiting/8, time.Second)))
		}
	case PlanKeep:
		n.due(sp, l, p, n.now.Add(n.cfg.ReclaimPeriod))
	case PlanRelease:
		n.release(sp, l, p)
	default:
		n.deprecate(sp, l, held[i])
	}
}

// view shows one level of a space to the Policy.
func (n *Node) view(sp *space, l level, d Demand) *View {
	v := &View{Now: n.now, Waiting: n.cfg.Waiting, Rand: n.cfg.Rand, Family: sp.Prefix.family,
		Parents: n.sources(sp, l), Own: n.holdings(sp, l), Demand: d}
	for i := range n.cache.own.entries {
		e := &n.cache.own.entries[i]
		if e.takes(sp, l) && e.kind != PrefixInUse && e.counts(n.sec) && e.node != n.cfg.Node.n {
			v.Pending = append(v.Pending, n.cache.own.claim(e))
		}
	}
	var others []Prefix
	known := false
	v.Others = func() []Prefix {
		if !known {
			others, known = n.others(sp, l), true
		}
		return others
	}
	for _, p := range n.pending {
		switch {
		case p.sp != sp || p.level != l:
		case p.waiting: // even if its Holdtime is just over (decision MASC-D-68)
			v.Pending = append(v.Pending, p.claim)
		default:
			v.Pending = append(v.Pending, Claim{Type: NewClaim, Domain: n.cfg.Domain, Node: n.cfg.Node, Prefix: p.prefix})
		}
	}
	return v
}

// takes reports whether the claim is for addresses of a space at a level.
func (e *entry) takes(sp *space, l level) bool {
	return !e.is(dead) && (e.kind == PrefixInUse || e.waits()) && levelOf(e.role) == l && !e.isHint() && sp.Prefix.Covers(e.prefix())
}

// others returns what other domains have or claim at a level, for as long as it
// is remembered, and what the parents have taken back.
func (n *Node) others(sp *space, l level) []Prefix {
	var list []Prefix
	for d := range n.cache.all() {
		if d == n.cache.own {
			continue
		}
		for i := range d.entries {
			e := &d.entries[i]
			if e.takes(sp, l) && e.expiry()+n.cache.skew > n.sec { // section 12.3
				list = d.remaining(list, e)
			} else if e.kind == Withdraw && e.role == Parent && l == managing && e.counts(n.sec) {
				list = append(list, e.prefix())
			}
		}
	}
	return list
}

// remaining appends what is left of a prefix after the WITHDRAWs of its origin
// that are not older than it.
func (d *domain) remaining(dst []Prefix, e *entry) []Prefix {
	var gone []Prefix
	for i := range d.entries {
		w := &d.entries[i]
		if w.kind == Withdraw && !w.is(single) && levelOf(w.role) == levelOf(e.role) &&
			w.stamp >= e.stamp && w.prefix().Overlaps(e.prefix()) {
			gone = append(gone, w.prefix())
		}
	}
	if len(gone) == 0 || !e.prefix().IsContiguous() {
		return append(dst, e.prefix())
	}
	return append(dst, FreeBlocks(e.prefix(), gone)...)
}

// sources returns what can be claimed from at a level.
func (n *Node) sources(sp *space, l level) []Source {
	var list []Source
	if l == using {
		for _, h := range n.holdings(sp, managing) {
			list = append(list, Source{Prefix: h.Prefix, Domain: n.cfg.Domain, End: h.End, Deprecated: h.Deprecated})
		}
		return list
	}
	if sp.TopLevel {
		return []Source{{Prefix: sp.Prefix}}
	}
	for _, s := range n.above() {
		if sp.Prefix.Covers(s.Prefix) {
			list = append(list, s)
		}
	}
	return list
}

// sourceOf returns the source that covers p and lasts longest, active ones
// first.
func (n *Node) sourceOf(sp *space, l level, p Prefix) (best Source, ok bool) {
	for _, s := range n.sources(sp, l) {
		if s.Prefix.Covers(p) && (!ok || best.Deprecated && !s.Deprecated ||
			best.Deprecated == s.Deprecated && !best.End.IsZero() && (s.End.IsZero() || s.End.After(best.End))) {
			best, ok = s, true
		}
	}
	return best, ok
}

// demand returns what is needed at a level. What a domain with children needs
// is what they and itself have claimed from it, what that will be when a claim
// made now has waited, and what they have asked for.
func (n *Node) demand(sp *space, l level) Demand {
	d := sp.demand
	if l == managing && !n.IsLeaf() {
		hints := 0.0
		d.Block = sp.claimers[using].unmet
		used := n.childPrefixes(sp, &hints, &d.Block)
		in := 0.0
		for _, p := range used {
			in += p.Size()
		}
		n.sample(sp, in)
		d.InUse = in
		// Children that begin claim much at once: that is no trend.
		d.Want = min(Predict(sp.samples, n.now.Add(n.cfg.Waiting)), 1.1*in) + hints + sp.claimers[using].unmet
		d.Used = func(p Prefix) float64 {
			sum := 0.0
			for _, q := range used {
				if common, ok := p.Meet(q); ok {
					sum += common.Size()
				}
			}
			return sum
		}
	}
	if d.Lifetime == 0 {
		d.Lifetime = n.cfg.Lifetime
	}
	if d.Used == nil {
		total := 0.0
		for _, h := range n.holdings(sp, l) {
			total += h.Prefix.Size()
		}
		d.Used = func(p Prefix) float64 { return d.InUse * p.Size() / max(total, 1) }
	}
	return d
}

// childPrefixes returns what the child domains and the domain itself hold or
// claim of what the domain manages, without what another prefix of the same
// domain covers, and adds up what was asked for and its largest piece.
func (n *Node) childPrefixes(sp *space, hints, block *float64) []Prefix {
	var list []Prefix
	for d := range n.cache.all() {
		for i := range d.entries {
			e := &d.entries[i]
			if e.role != Child || !e.live(n.sec) {
				continue
			}
			switch p := e.prefix(); {
			case e.kind == NewClaim && e.isHint():
				if d != n.cache.own {
					*hints += p.Size()
					*block = max(*block, p.Size())
				}
			case e.kind == PrefixInUse || e.waits():
				if sp.Prefix.Covers(p) && !d.covers(e, n.sec) {
					list = d.remaining(list, e)
				}
			}
		}
	}
	return list
}

// covers reports whether another claim of the domain at the same level covers
// that of e.
func (d *domain) covers(e *entry, now int64) bool {
	for i := range d.entries {
		o := &d.entries[i]
		if e.addr.and(o.mask) != o.addr || o.mask.and(e.mask) != o.mask || o == e || o.family != e.family || o.role != e.role {
			continue
		}
		if (o.kind == PrefixInUse || o.waits()) && (o.mask != e.mask || o.kind < e.kind) && o.live(now) {
			return true
		}
	}
	return false
}

// sample remembers the use of addresses, at most eight times in two waiting
// periods.
func (n *Node) sample(sp *space, use float64) {
	if k := len(sp.samples); k > 0 && n.now.Sub(sp.samples[k-1].At) < n.cfg.Waiting/4 {
		sp.samples[k-1].InUse = use
		return
	}
	sp.samples = append(sp.samples, Sample{At: n.now, InUse: use})
	if len(sp.samples) > 8 {
		sp.samples = slices.Delete(sp.samples, 0, 1)
	}
}

// refuses reports whether a claim of a child is to be denied, and until when one
// would be accepted (sections 11.4.3 and 18).
func (n *Node) refuses(c *Claim, end int64) (until Timestamp, refused bool) {
	if own, ok := n.ownUse(c.Prefix); ok && own {
		return c.Timestamp, true // decision MASC-D-61
	}
	if n.cfg.HardLimit > 0 || n.cfg.SoftLimit > 0 {
		total := n.total(c)
		if n.cfg.HardLimit > 0 && total > n.cfg.HardLimit {
			return c.Timestamp, true
		}
		if n.cfg.SoftLimit > 0 && total >= n.cfg.SoftLimit {
			n.alert(NoPeer, fmt.Errorf("masc: domain %v has and claims %.0f addresses", c.Domain, total))
		}
	}
	if n.cfg.Deny != nil && n.cfg.Deny(*c) {
		return c.Timestamp, true
	}
	if n.cfg.MaxLifetime > 0 {
		end = min(end, max(n.sec, int64(c.Timestamp))+seconds(n.cfg.MaxLifetime))
	}
	return Timestamp(clamp(end)), c.end() > end
}

// ownUse reports whether the domain itself uses a part of p.
func (n *Node) ownUse(p Prefix) (used, ok bool) {
	d := n.cache.own
	for i := range d.entries {
		e := &d.entries[i]
		if e.kind == PrefixInUse && e.role == Child && e.live(n.sec) && e.prefix().Overlaps(p) {
			return true, true
		}
	}
	return false, true
}

// total returns how many addresses a child domain would have with a claim.
func (n *Node) total(c *Claim) float64 {
	sum := c.Prefix.Size()
	if d := n.cache.get(c.Domain); d != nil {
		for i := range d.entries {
			e := &d.entries[i]
			if e.role == Child && e.live(n.sec) && e.kind.IsClaim() && e.kind != ClaimDenied && !e.isHint() &&
				!c.Prefix.Covers(e.prefix()) && !d.covers(e, n.sec) {
				sum += e.prefix().Size()
				if common, ok := c.Prefix.Meet(e.prefix()); ok {
					sum -= common.Size()
				}
			}
		}
	}
	return sum
}
