// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mcastalloc/malloc/scope"
)

// layout is the value of the layout entry.
type layout struct {
	Version    int  `json:"version"`
	PageBits   int  `json:"pageBits"`
	LinkUnique bool `json:"linkUnique,omitempty"`
}

// open reads a store for the first time, or lays it out if it is empty.
func (p *Pool) open(ctx context.Context) error {
	ours := layout{layoutVersion, pageBits, p.cfg.LinkUnique}
	value, _ := json.Marshal(ours)
	for range conflictsMost {
		found := false
		for e, err := range p.j.store.Load(ctx, layoutKey) {
			if err != nil {
				return &Error{Op: "open store", Err: storeError(err)}
			}
			found = true
			var l layout
			if err := json.Unmarshal(e.Value, &l); err != nil || l != ours {
				return &Error{Op: "open store", Got: string(e.Value), Want: "the layout " + string(value), Err: ErrStore}
			}
		}
		if found {
			return p.loadAll(ctx)
		}
		if _, err := p.j.store.Commit(ctx, Write{Key: layoutKey, Value: value}); err != nil && !isConflict(err) {
			return &Error{Op: "open store", Err: storeError(err)}
		}
	}
	return &Error{Op: "open store", Err: ErrConflict}
}

// loadAll takes over everything in the store. What is added goes into the
// table page by page as it comes.
func (p *Pool) loadAll(ctx context.Context) error {
	for _, prefix := range []string{idPrefix, keyPrefix, pagePrefix} {
		empty := len(p.t.byID) == 0
		all := map[string][]*storedRecord{}
		for e, err := range p.j.store.Load(ctx, prefix) {
			if err != nil {
				return &Error{Op: "read store", Err: storeError(err)}
			}
			p.j.versions[e.Key] = e.Version
			if prefix != pagePrefix {
				p.readName(e.Key, e.Value)
				continue
			}
			there := p.readPage(e.Key, e.Value)
			if empty {
				p.add(e.Key, there)
			} else {
				all[e.Key] = there
			}
		}
		if !empty && prefix == pagePrefix {
			p.merge(all)
		}
	}
	return nil
}

// readName decodes the value of a name.
func (p *Pool) readName(key string, value []byte) name {
	n, err := decodeName(value)
	if err != nil {
		p.j.damaged(key, err)
		return name{}
	}
	p.latest = max(p.latest, n.latest)
	return n
}

// readPage decodes the value of a page; nil is an empty one. The addresses of
// one that cannot be read are kept from everybody.
func (p *Pool) readPage(key string, value []byte) (there []*storedRecord) {
	if value == nil {
		return nil
	}
	latest, err := decodePage(value, func(r *storedRecord) { there = append(there, r) })
	if err != nil {
		p.j.damaged(key, err)
		if page, ok := pageOfKey(key); ok {
			p.block(pageSpan(page))
		}
		return there
	}
	p.latest = max(p.latest, latest)
	return there
}

// refresh reads the entries of some keys, the pages that names among them
// tell of, and the other pages of leases in these, and brings the table up to
// date. It returns the values.
func (p *Pool) refresh(ctx context.Context, keys []string) (map[string][]byte, error) {
	var values map[string][]byte
	var err error
	for range tornMost {
		var pages map[string][]*storedRecord
		if values, pages, err = p.readAround(ctx, keys); err != nil {
			break
		}
		if p.whole(pages) {
			p.merge(pages)
			return values, nil
		}
	}
	if err == nil {
		err = p.loadAll(ctx) // a snapshot: there, each lease is whole
	}
	if err != nil {
		p.j.stale = append(p.j.stale, keys...)
	}
	return values, err
}

// tornMost is how often entries are read one by one, while others write them,
// before all are read at once.
const tornMost = 4

// readAround does the reading of refresh, one entry after the other. So it
// may be that a lease is in one of its pages and in another not yet or no
// more.
func (p *Pool) readAround(ctx context.Context, keys []string) (map[string][]byte, map[string][]*storedRecord, error) {
	values, pages := map[string][]byte{}, map[string][]*storedRecord{}
	keys = slices.Clone(keys)
	for i := 0; i < len(keys); i++ {
		key := keys[i]
		if _, done := values[key]; done {
			continue
		}
		values[key] = nil
		delete(p.j.versions, key)
		for e, err := range p.j.store.Load(ctx, key) {
			if err != nil {
				return values, nil, &Error{Op: "read store", Err: storeError(err)}
			}
			if e.Key == key {
				values[key], p.j.versions[key] = e.Value, e.Version
			}
		}
		var around []number
		if strings.HasPrefix(key, pagePrefix) {
			pages[key] = p.readPage(key, values[key])
			for _, r := range pages[key] {
				around = append(around, p.t.pagesOf(&r.record)...)
			}
		} else if values[key] != nil {
			around = p.readName(key, values[key]).pages
		}
		for _, page := range around {
			keys = append(keys, pageKey(page))
		}
	}
	return values, pages, nil
}

// whole reports whether each lease is the same in all of its pages. One that
// is over need not be: a page that is written anew loses it.
func (p *Pool) whole(pages map[string][]*storedRecord) bool {
	for _, there := range pages {
		for _, r := range there {
			if r.gone <= p.latest {
				continue
			}
			for _, other := range p.t.pagesOf(&r.record) {
				if !slices.ContainsFunc(pages[pageKey(other)], r.same) {
					return false
				}
			}
		}
	}
	return true
}

func (r *storedRecord) same(s *storedRecord) bool { return r.sameAs(&s.record) }

func (r *storedRecord) sameAs(s *record) bool {
	return s.stored.serial == r.stored.serial && s.start == r.start && s.end == r.end && s.gone == r.gone && s.state == r.state
}

// merge makes the table agree with some pages, but for what is on its way to
// the store: that is still to be settled.
func (p *Pool) merge(pages map[string][]*storedRecord) {
	keys := slices.Sorted(maps.Keys(pages))
	for _, key := range keys {
		page, _ := pageOfKey(key)
		for _, r := range p.t.inPage(page, longAgo) {
			if p.j.open[r.stored.serial] == 0 && !slices.ContainsFunc(pages[key], func(s *storedRecord) bool { return s.sameAs(r) }) {
				p.t.remove(r)
			}
		}
	}
	for _, key := range keys {
		p.add(key, pages[key])
	}
}

// add takes over the records of a page that are not in the table.
func (p *Pool) add(key string, there []*storedRecord) {
	if len(there) == 0 {
		return
	}
	page, _ := pageOfKey(key)
	here := p.t.inPage(page, longAgo)
	for _, s := range there {
		if s.gone > p.latest && p.j.open[s.stored.serial] == 0 && !slices.ContainsFunc(here, s.sameAs) {
			p.takeOver(key, s)
		}
	}
}

// takeOver adds a record from the store. What stands in its way are offers,
// which do not count against it, or another record of the store, which should
// not be: then the addresses are kept from everybody.
func (p *Pool) takeOver(key string, s *storedRecord) {
	r := &s.record
	p.t.evict(r)
	for run := range r.spans {
		clear := p.t.room(run, r.start, p.latest, nil, func(_ span, until instant, _ bool) bool { return until >= r.busy() })
		if !clear && p.unsettledIn(r) {
			// One of ours will not get through: look again then, and write
			// nothing here until we know what this is.
			delete(p.j.versions, key)
			p.j.stale = append(p.j.stale, key)
			return
		}
		if !clear {
			p.j.damaged(key, fmt.Errorf("%w: addresses in %v are in two leases", errDamaged, run.toRange()))
			p.block(p.t.fold(run))
			return
		}
	}
	r.holder = p.t.holder(s.who)
	if r.zone = p.zoneOf[s.scope]; r.zone == nil {
		r.zone = &zone{family: FamilyOf(s.scope), scope: scope.Scope{Range: scope.Single(s.scope)}, hidden: true}
		p.zoneOf[s.scope] = r.zone
		p.t.zones = append(p.t.zones, r.zone)
	}
	byID, byKey := p.t.byID[r.id], p.t.byKey[requestKey{r.holder, r.key}]
	p.t.add(r, p.latest, false)
	if byID != nil && byID.end > r.end { // that one is newer
		p.t.byID[r.id] = byID
	}
	if byKey != nil && byKey.end > r.end {
		p.t.byKey[requestKey{r.holder, r.key}] = byKey
	}
}

// unsettledIn reports whether r is in the way of something that is on its way
// to the store.
func (p *Pool) unsettledIn(r *record) bool {
	for s := range p.t.places(r) {
		for c := range p.t.cellsIn(s) {
			for i := range c.len() {
				if o := c.at(i); o.stored != nil && p.j.open[o.stored.serial] > 0 && o.start < r.busy() && r.start < o.busy() {
					return true
				}
			}
		}
	}
	return false
}

// evict removes the offers that r is in conflict with.
func (t *table) evict(r *record) {
	var offers []*record
	for s := range r.spans {
		for c := range t.cellsIn(t.fold(s)) {
			for i := range c.len() {
				o := c.at(i)
				if o.state == offered && o.start < r.busy() && r.start < o.busy() && !slices.Contains(offers, o) {
					offers = append(offers, o)
				}
			}
		}
	}
	for _, o := range offers {
		t.remove(o)
	}
}

// block keeps the addresses that occupy s in the index from everybody, where
// nobody has them, for good.
func (p *Pool) block(s span) {
	for _, z := range p.t.zones {
		for _, src := range z.sources {
			for _, run := range src.ranges {
				p.t.unfold(run, s, func(part span) { p.blockRun(z, part) })
			}
		}
	}
}

func (p *Pool) blockRun(z *zone, run span) {
	var free []span
	p.t.room(run, longAgo, longAgo, nil, func(sub span, _ instant, fresh bool) bool {
		if fresh {
			free = append(free, sub)
		}
		return true
	})
	for _, s := range free {
		p.t.add(&record{
			id: NewID(p.cfg.Rand), holder: p.t.holder(Principal{}), zone: z, span: s,
			start: longAgo, end: never, gone: never, state: excluded,
		}, p.latest, false)
	}
}

// catchUp reads what an answer about some names depends on, if anybody else
// may have written it, and what could not be read before.
func (p *Pool) catchUp(ctx context.Context, names ...string) error {
	if p.j == nil {
		return nil
	}
	keys := p.j.stale
	p.j.stale = nil
	if !p.j.exclusive {
		keys = append(keys, names...)
	}
	if len(keys) == 0 {
		return nil
	}
	_, err := p.refresh(ctx, keys)
	return err
}

func isConflict(err error) bool { return errors.Is(err, ErrConflict) }
