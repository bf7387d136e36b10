// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"cmp"
	"iter"
	"math/rand/v2"
)

// entry is a claim in the cache, with the updated role, in the form that takes
// the least room: the origin domain is that of the list it is in. The node may
// remember a hundred thousand, and what is not looked for is not touched.
type entry struct {
	addr, mask, node u128
	stamp            Timestamp
	lifetime         Seconds
	holdtime         Seconds
	kind             ClaimType
	role             Role
	family           AddrFamily
	state            state
	from             PeerID // who brought it
	parent           int16  // the parent domain it is about: its number in Node.parents, or noParent
	to               targets
}

// state is what has become of a claim.
type state uint8

const (
	deprecated state = 1 << iota // the D bit
	dead                         // it no longer counts, and is kept only to be recognised (decision MASC-D-70)
	forced                       // WITHDRAW: because of a lost clash, or a parent's WITHDRAW
	single                       // WITHDRAW: of one claim that waited, and of nothing the origin holds
)

// noParent is the parent of a claim that is about none, or about the pool of a
// top-level domain.
const noParent = -1

// entryOf returns the entry of a claim.
func entryOf(c *Claim, from PeerID, parent int16, to targets) entry {
	e := entry{addr: c.Prefix.addr, mask: c.Prefix.mask, node: c.Node.n, stamp: c.Timestamp, lifetime: c.Lifetime, holdtime: c.Holdtime,
		kind: c.Type, role: c.Role, family: c.Prefix.family, from: from, parent: parent, to: to}
	if c.Deprecated {
		e.state = deprecated
	}
	return e
}

// claim returns the entry as a claim of the domain it belongs to.
func (d *domain) claim(e *entry) Claim {
	return Claim{Type: e.kind, Role: e.role, Deprecated: e.is(deprecated), Timestamp: e.stamp, Lifetime: e.lifetime,
		Holdtime: e.holdtime, Domain: d.id, Node: ID{e.node}, Prefix: e.prefix()}
}

func (e *entry) prefix() Prefix { return Prefix{addr: e.addr, mask: e.mask, family: e.family} }

func (e *entry) is(s state) bool { return e.state&s != 0 }

// isHint is Prefix.IsHint.
func (e *entry) isHint() bool { return e.addr.isZero() }

// end and expiry are those of Claim.
func (e *entry) end() int64    { return int64(e.stamp) + int64(e.lifetime) }
func (e *entry) expiry() int64 { return int64(e.stamp) + int64(e.holdtime) }

// waits reports whether the claim is one that waits to become a prefix.
func (e *entry) waits() bool { return e.kind == NewClaim || e.kind == ClaimToExpand }

// counts reports whether the claim is neither over nor replaced.
func (e *entry) counts(now int64) bool { return !e.is(dead) && e.expiry() > now }

// live reports whether the claim counts and its prefix has not become free.
func (e *entry) live(now int64) bool { return e.counts(now) && e.end() > now }

// same reports whether c, of the same domain, is a version of the same claim
// (decision MASC-D-70).
func (e *entry) same(c *Claim) bool {
	return e.addr == c.Prefix.addr && e.kind == c.Type && e.mask == c.Prefix.mask && e.family == c.Prefix.family &&
		levelOf(e.role) == levelOf(c.Role) && (e.node == c.Node.n || c.Type == PrefixInUse || c.Type == PrefixManaged)
}

// older reports whether c, a version of the same claim, replaces it.
func (e *entry) older(c *Claim) bool {
	if e.stamp != c.Timestamp {
		return e.stamp < c.Timestamp
	}
	if e.is(deprecated) != c.Deprecated {
		return c.Deprecated
	}
	return cmp.Or(cmp.Compare(e.lifetime, c.Lifetime), cmp.Compare(e.holdtime, c.Holdtime)) < 0
}

// named reports whether it is the claim that c, a CLAIM_DENIED or a WITHDRAW of
// the same domain, names by time, address and mask.
func (e *entry) named(c *Claim) bool {
	return e.waits() && e.stamp == c.Timestamp && e.prefix() == c.Prefix
}

// domain is what is known of the claims of one origin domain. There are few,
// so they are searched one by one.
type domain struct {
	id      ID
	entries []entry
	tags    [16]uint8 // of the first entries: most others need not be looked at
	waits   int32     // entries of claims that wait
	sweep   int32     // the step in which the first entry can be forgotten
}

// tag returns a number that versions of the same claim have in common.
func tag(t ClaimType, addr, mask u128) uint8 {
	x := (addr.lo ^ addr.hi) + 3*(mask.lo^mask.hi) + uint64(t)
	return uint8(x * 0x9E3779B97F4A7C15 >> 56)
}

// find returns the cached version of a claim, nil if there is none.
func (d *domain) find(c *Claim) *entry {
	if d == nil {
		return nil
	}
	want := tag(c.Type, c.Prefix.addr, c.Prefix.mask)
	for i := range d.entries {
		if i < len(d.tags) && d.tags[i] != want {
			continue
		}
		if e := &d.entries[i]; e.same(c) {
			return e
		}
	}
	return nil
}

// mark sets what stands for entry i in tags and waits.
func (d *domain) mark(i int) {
	e := &d.entries[i]
	if i < len(d.tags) {
		d.tags[i] = tag(e.kind, e.addr, e.mask)
	}
	if e.waits() {
		d.waits++
	}
}

// cache holds claims by origin domain and forgets them in time.
type cache struct {
	index   index
	pages   [][]domain // of pageLen each; domains do not move
	vacant  []int      // places without domain
	recent  *domain    // found last
	own     *domain    // the local domain: always there
	skew    int64
	sweepAt int32 // when something can be forgotten
	size    int
}

const (
	pageLen   = 32
	sweepStep = 12 * 60 * 60 // seconds: many claims are forgotten at once
	never     = 1<<31 - 1
)

func (c *cache) init(rnd *rand.Rand, own ID, skew int64) {
	c.skew, c.sweepAt = skew, never
	c.index.init(rnd)
	c.own = c.add(own)
}

func (c *cache) at(place int) *domain { return &c.pages[place/pageLen][place%pageLen] }

// get returns what is known of a domain, nil if nothing is.
func (c *cache) get(id ID) *domain {
	if c.recent != nil && c.recent.id == id {
		return c.recent
	}
	place := c.index.find(c.index.hash(id), func(place int) bool { return c.at(place).id == id })
	if place < 0 {
		return nil
	}
	c.recent = c.at(place)
	return c.recent
}

// add adds a domain that is not there.
func (c *cache) add(id ID) *domain {
	if len(c.vacant) == 0 {
		base := len(c.pages) * pageLen
		c.pages = append(c.pages, make([]domain, pageLen))
		for i := pageLen - 1; i >= 0; i-- {
			c.vacant = append(c.vacant, base+i)
		}
	}
	place := c.vacant[len(c.vacant)-1]
	c.vacant = c.vacant[:len(c.vacant)-1]
	c.index.add(c.index.hash(id), place)
	d := c.at(place)
	*d = domain{id: id, sweep: never}
	c.recent = d
	return d
}

// all yields the domains, in no particular but always the same order.
func (c *cache) all() iter.Seq[*domain] {
	return func(yield func(*domain) bool) {
		for _, page := range c.pages {
			for i := range page {
				if len(page[i].entries) > 0 && !yield(&page[i]) {
					return
				}
			}
		}
	}
}

// put stores a claim in the place of an older version or beside the others,
// and returns its place, which is valid until the next put.
func (c *cache) put(id ID, e entry) (at *entry, fresh bool) {
	d := c.get(id)
	if d == nil {
		d = c.add(id)
	}
	claim := d.claim(&e)
	at = d.find(&claim)
	if at == nil {
		d.entries = append(d.entries, e)
		d.mark(len(d.entries) - 1)
		at, fresh = &d.entries[len(d.entries)-1], true
		c.size++
	} else {
		e.from = at.from // who is charged for it
		*at = e
	}
	d.sweep = min(d.sweep, c.forgettable(&e))
	c.sweepAt = min(c.sweepAt, d.sweep)
	return at, fresh
}

// forgettable returns the step in which a claim is to be forgotten: a little
// after it has ceased to mean anything.
func (c *cache) forgettable(e *entry) int32 { return int32((e.expiry()+c.skew)/sweepStep) + 1 }

// next returns when something can be forgotten, in seconds, and whether ever.
func (c *cache) next() (int64, bool) { return int64(c.sweepAt) * sweepStep, c.sweepAt != never }

// forget removes what can be forgotten and calls gone for each claim.
func (c *cache) forget(now int64, gone func(*domain, *entry)) {
	step := int32(now / sweepStep)
	if c.sweepAt > step {
		return
	}
	c.sweepAt, c.recent = never, nil
	for p, page := range c.pages {
		for i := range page {
			d := &page[i]
			if len(d.entries) > 0 && d.sweep <= step {
				c.sweepDomain(d, step, gone)
				if len(d.entries) == 0 && d != c.own {
					place := p*pageLen + i
					c.index.remove(c.index.hash(d.id), place)
					*d = domain{sweep: never}
					c.vacant = append(c.vacant, place)
				}
			}
			if len(d.entries) > 0 {
				c.sweepAt = min(c.sweepAt, d.sweep)
			}
		}
	}
}

func (c *cache) sweepDomain(d *domain, step int32, gone func(*domain, *entry)) {
	kept := d.entries[:0]
	d.sweep, d.waits = never, 0
	for i := range d.entries {
		e := &d.entries[i]
		if when := c.forgettable(e); when > step {
			kept = append(kept, *e)
			d.sweep = min(d.sweep, when)
		} else {
			gone(d, e)
			c.size--
		}
	}
	d.entries = kept
	for i := range kept {
		d.mark(i)
	}
}

// beats reports whether the claim wins against c.
func (d *domain) beats(e *entry, c *Claim) bool {
	claim := d.claim(e)
	return compare(&claim, c) < 0
}
