// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"cmp"
	"container/heap"
)

// entry is a claim in the cache, with the updated role.
type entry struct {
	claim  Claim
	parent ID      // the parent domain it is about, as far as it is about one
	from   PeerID  // who brought it
	to     targets // to whom it is sent
	dead   bool    // it no longer counts, and is kept only to be recognised (decision MASC-D-70)
	forced bool    // WITHDRAW: because of a lost clash, or a parent's WITHDRAW
	single bool    // WITHDRAW: of one claim that waited, and of nothing the origin holds
}

// counts reports whether the claim is neither over nor replaced.
func (e *entry) counts(now int64) bool { return !e.dead && e.claim.expiry() > now }

// live reports whether the claim counts and its prefix has not become free.
func (e *entry) live(now int64) bool { return e.counts(now) && e.claim.end() > now }

// domain is what is known of the claims of one origin domain. There are few,
// so they are searched one by one.
type domain struct {
	id      ID
	entries []entry
	tags    [16]uint8 // of the first entries: most others need not be looked at
	claims  int32     // entries of the types NEW_CLAIM and CLAIM_TO_EXPAND
	place   int32     // in the heap
	sweep   int64     // when the first entry can be forgotten
}

// tag returns a number that versions of the same claim have in common.
func (c *Claim) tag() uint8 {
	p := &c.Prefix
	x := (p.addr.lo ^ p.addr.hi) + 3*(p.mask.lo^p.mask.hi) + uint64(c.Type)
	return uint8(x * 0x9E3779B97F4A7C15 >> 56)
}

// waits reports whether the claim is one that waits to become a prefix.
func (c *Claim) waits() bool { return c.Type == NewClaim || c.Type == ClaimToExpand }

// cache holds claims by origin domain and forgets them in time.
type cache struct {
	domains map[ID]*domain
	sweeps  sweepHeap
	skew    int64
	size    int
	recent  [2]*domain // found last: most of what is looked for
}

func (c *cache) init(skew int64) { c.domains, c.skew = make(map[ID]*domain), skew }

// get returns what is known of a domain, nil if nothing is.
func (c *cache) get(id ID) *domain {
	for _, d := range c.recent {
		if d != nil && d.id == id {
			return d
		}
	}
	d := c.domains[id]
	if d != nil {
		c.recent = [2]*domain{d, c.recent[0]}
	}
	return d
}

// sameKey reports whether a and b are versions of the same claim (decision
// MASC-D-70); the origin domain is known to be the same.
func sameKey(a, b *Claim) bool {
	return a.Prefix.addr.lo == b.Prefix.addr.lo && a.Type == b.Type && a.Prefix == b.Prefix && (a.Role == Child) == (b.Role == Child) &&
		(a.Node == b.Node || a.Type == PrefixInUse || a.Type == PrefixManaged)
}

// newer reports whether a replaces b, which has the same key.
func newer(a, b *Claim) bool {
	if a.Timestamp != b.Timestamp {
		return a.Timestamp > b.Timestamp
	}
	if a.Deprecated != b.Deprecated {
		return a.Deprecated
	}
	return cmp.Or(cmp.Compare(a.Lifetime, b.Lifetime), cmp.Compare(a.Holdtime, b.Holdtime)) > 0
}

// find returns the cached version of a claim, nil if there is none.
func (d *domain) find(c *Claim) *entry {
	if d == nil {
		return nil
	}
	tag := c.tag()
	for i := range d.entries {
		if i < len(d.tags) && d.tags[i] != tag {
			continue
		}
		if sameKey(&d.entries[i].claim, c) {
			return &d.entries[i]
		}
	}
	return nil
}

// mark sets what stands for entry i in tags and claims.
func (d *domain) mark(i int) {
	c := &d.entries[i].claim
	if i < len(d.tags) {
		d.tags[i] = c.tag()
	}
	if c.waits() {
		d.claims++
	}
}

// put stores e in the place of an older version of the same claim or beside
// the others, and returns its place, which is valid until the next put.
func (c *cache) put(e entry) (at *entry, fresh bool) {
	d := c.get(e.claim.Domain)
	if d == nil {
		d = &domain{id: e.claim.Domain, place: -1}
		c.domains[d.id] = d
	}
	old := d.find(&e.claim)
	if old == nil {
		d.entries = append(d.entries, e)
		d.mark(len(d.entries) - 1)
		old, fresh = &d.entries[len(d.entries)-1], true
		c.size++
	} else {
		e.from = old.from // who is charged for it
		*old = e
	}
	when := c.forgettable(&e.claim)
	switch {
	case d.place < 0:
		d.sweep = when
		heap.Push(&c.sweeps, d)
	case when < d.sweep:
		d.sweep = when
		heap.Fix(&c.sweeps, int(d.place))
	}
	return old, fresh
}

// forgettable returns when a claim is to be forgotten: a little after it has
// ceased to mean anything, so that many are forgotten at once.
func (c *cache) forgettable(claim *Claim) int64 {
	const step = 12 * 60 * 60
	return (claim.expiry()+c.skew)/step*step + step
}

// forget removes what can be forgotten of the domain whose time has come, and
// calls gone for each. It reports false if none has.
func (c *cache) forget(now int64, gone func(*entry)) bool {
	if len(c.sweeps) == 0 || c.sweeps[0].sweep > now {
		return false
	}
	d := c.sweeps[0]
	kept := d.entries[:0]
	next := int64(1<<62 - 1)
	for i := range d.entries {
		if when := c.forgettable(&d.entries[i].claim); when > now {
			kept = append(kept, d.entries[i])
			next = min(next, when)
		} else {
			gone(&d.entries[i])
			c.size--
		}
	}
	clear(d.entries[len(kept):])
	d.entries, d.sweep, d.claims = kept, next, 0
	for i := range kept {
		d.mark(i)
	}
	if len(kept) == 0 {
		heap.Pop(&c.sweeps)
		delete(c.domains, d.id)
		c.recent = [2]*domain{}
	} else {
		heap.Fix(&c.sweeps, 0)
	}
	return true
}

// sweepHeap orders domains by when the first of their claims can be forgotten.
type sweepHeap []*domain

func (h sweepHeap) Len() int           { return len(h) }
func (h sweepHeap) Less(i, j int) bool { return h[i].sweep < h[j].sweep }
func (h sweepHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = int32(i), int32(j)
}
func (h *sweepHeap) Push(x any) {
	d := x.(*domain)
	d.place = int32(len(*h))
	*h = append(*h, d)
}
func (h *sweepHeap) Pop() any {
	last := len(*h) - 1
	d := (*h)[last]
	(*h)[last], *h = nil, (*h)[:last]
	d.place = -1
	return d
}
