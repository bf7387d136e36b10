// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mcastalloc/malloc/scope"
)

// layout is the value of the layout entry.
type layout struct {
	Version    int  `json:"version"`
	PageBits   int  `json:"pageBits"`
	LinkUnique bool `json:"linkUnique,omitempty"`
	Nameless   bool `json:"nameless,omitempty"`
}

// open reads a store for the first time, or lays it out if it is empty.
func (p *Pool) open(ctx context.Context) error {
	ours := layout{layoutVersion, pageBits, p.cfg.LinkUnique, p.j.exclusive}
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

// loadAll takes over all pages of a store, when nothing has been read yet, and
// checks its names.
func (p *Pool) loadAll(ctx context.Context) error {
	for _, prefix := range []string{idPrefix, keyPrefix, quotaPrefix} {
		for e, err := range p.j.store.Load(ctx, prefix) {
			if err != nil {
				return &Error{Op: "read store", Err: storeError(err)}
			}
			latest, _, err := decodeGrants(e.Value)
			if err != nil {
				p.j.damaged(e.Key, err)
			}
			p.latest = max(p.latest, latest)
		}
	}
	defer p.applyMarks()
	for e, err := range p.j.store.Load(ctx, pagePrefix) {
		if err != nil {
			return &Error{Op: "read store", Err: storeError(err)}
		}
		if page, ok := pageOfKey(e.Key); !ok {
			p.j.damaged(e.Key, errDamaged)
		} else {
			got := decodeStored(page, e.Value, e.Version)
			p.accept(&got)
			p.add(&got)
		}
	}
	return nil
}

// storedPage is the entry of a page as it was read.
type storedPage struct {
	page    number
	version uint64
	latest  instant
	marks   []span
	there   []*storedRecord
	err     error
}

// decodeStored decodes the value of a page; nil is an empty one.
func decodeStored(page number, value []byte, version uint64) storedPage {
	s := storedPage{page: page, version: version}
	if value != nil {
		s.latest, s.marks, s.err = decodePage(value, func(r *storedRecord) { s.there = append(s.there, r) })
	}
	return s
}

// accept notes what comes with a page. The addresses of one that cannot be
// read are kept from everybody.
func (p *Pool) accept(s *storedPage) {
	p.j.versions[s.page] = s.version
	if s.err != nil {
		p.j.damaged(pageKey(s.page), s.err)
		p.block(pageSpan(s.page))
		return
	}
	p.latest = max(p.latest, s.latest)
	p.j.setMarks(s.page, s.marks)
}

// read reads some pages and names, the pages that those names tell of, and
// the other pages of leases in these, and brings the table up to date. The
// pool is locked, but not while the store works; nothing may be on its way to
// the store.
func (p *Pool) read(ctx context.Context, pages []number, names []name) error {
	return p.readWith(pages, func(stale []number, latest instant) (got map[number]storedPage, err error) {
		for range tornMost {
			if err := p.look(ctx, names); err != nil {
				return nil, err
			}
			more := slices.Clone(stale)
			for i := range names {
				for _, g := range names[i].grants {
					if g.gone > latest {
						more = append(more, g.pages...)
					}
				}
			}
			if got, err = p.readAround(ctx, more, latest); err != nil || p.whole(got, latest) {
				return got, err
			}
		}
		return p.snapshot(ctx) // there, each lease is whole
	})
}

// readAll is read for everything.
func (p *Pool) readAll(ctx context.Context, names []name) error {
	err := p.readWith(nil, func([]number, instant) (map[number]storedPage, error) {
		if err := p.look(ctx, names); err != nil {
			return nil, err
		}
		return p.snapshot(ctx)
	})
	p.j.news = p.j.news && err != nil
	return err
}

// readWith calls from, which reads the store, without the lock, and puts what
// it has got into the table. If it fails, the pages remain to be read.
func (p *Pool) readWith(pages []number, from func(stale []number, latest instant) (map[number]storedPage, error)) error {
	j := p.j
	pages = append(pages, j.stale...)
	j.stale, j.reading = nil, true
	latest := p.latest
	p.mu.Unlock()
	got, err := from(pages, latest)
	p.mu.Lock()
	j.reading = false
	if err != nil {
		j.stale = pages
		return err
	}
	p.merge(got)
	return nil
}

// tornMost is how often entries are read one by one, while others write them,
// before all are read at once.
const tornMost = 4

// snapshot reads all pages. What was in those that are there no more is over.
func (p *Pool) snapshot(ctx context.Context) (map[number]storedPage, error) {
	got := map[number]storedPage{}
	for e, err := range p.j.store.Load(ctx, pagePrefix) {
		if err != nil {
			return nil, &Error{Op: "read store", Err: storeError(err)}
		}
		if page, ok := pageOfKey(e.Key); ok {
			got[page] = decodeStored(page, e.Value, e.Version)
		}
	}
	return got, nil
}

// readAround does the reading of read, one entry after the other. So it may
// be that a lease is in one of its pages and in another not yet or no more.
func (p *Pool) readAround(ctx context.Context, pages []number, latest instant) (map[number]storedPage, error) {
	got := map[number]storedPage{}
	for i := 0; i < len(pages); i++ {
		page := pages[i]
		if _, done := got[page]; done {
			continue
		}
		value, version, err := p.j.get(ctx, pageKey(page))
		if err != nil {
			return nil, err
		}
		s := decodeStored(page, value, version)
		got[page] = s
		for _, r := range s.there {
			if r.gone > latest {
				pages = append(pages, p.t.pagesOf(&r.record)...)
			}
		}
	}
	return got, nil
}

// whole reports whether each lease is the same in all of its pages. One that
// is over need not be: a page that is written anew loses it.
func (p *Pool) whole(got map[number]storedPage, latest instant) bool {
	for _, s := range got {
		for _, r := range s.there {
			if r.gone <= latest {
				continue
			}
			for _, other := range p.t.pagesOf(&r.record) {
				if !slices.ContainsFunc(got[other].there, func(o *storedRecord) bool { return r.same(&o.record) }) {
					return false
				}
			}
		}
	}
	return true
}

// same reports whether r and o are the same grant in the same state.
func (r *record) same(o *record) bool {
	return r.stored.serial == o.stored.serial && r.start == o.start && r.end == o.end && r.gone == o.gone && r.state == o.state
}

// merge makes the table agree with some pages.
func (p *Pool) merge(got map[number]storedPage) {
	pages := slices.SortedFunc(maps.Keys(got), number.Cmp)
	for _, page := range pages {
		s := got[page]
		p.accept(&s)
		if s.err != nil {
			continue // what we know of it is better than nothing
		}
		for _, r := range p.t.inPage(page, longAgo) {
			if !slices.ContainsFunc(s.there, func(o *storedRecord) bool { return r.same(&o.record) }) {
				p.t.remove(r)
			}
		}
	}
	for _, page := range pages {
		s := got[page]
		p.add(&s)
	}
	if p.applyMarks() {
		p.j.news = true
	}
}

// add takes over the records of a page that are not in the table.
func (p *Pool) add(s *storedPage) {
	if len(s.there) == 0 {
		return
	}
	here := p.t.inPage(s.page, longAgo)
	for _, r := range s.there {
		if r.gone <= p.latest {
			continue
		}
		if i := slices.IndexFunc(here, r.same); i >= 0 {
			p.nameAgain(here[i])
		} else {
			p.takeOver(r)
		}
	}
}

// nameAgain gives a record its names back, if they were those of another one
// for a while that has turned out to be over.
func (p *Pool) nameAgain(r *record) {
	if o := p.t.byID.get(r.id); o == nil || o.gone <= p.latest {
		p.t.byID.set(r)
	}
	if r.key == "" {
		return
	}
	if o := p.t.byKey.get(r.request()); o == nil || o.gone <= p.latest {
		p.t.byKey.set(r)
	}
}

// takeOver adds a record from the store. What stands in its way are offers,
// which do not count against it, or another record of the store, which should
// not be: then the addresses are kept from everybody.
func (p *Pool) takeOver(s *storedRecord) {
	r := new(record)
	*r = s.record
	p.t.evict(r)
	for run := range r.spans {
		clear := p.t.room(run, r.start, p.latest, nil, func(_ span, until instant, _ bool) bool { return until >= r.busy() })
		if !clear {
			p.j.damaged(pageKey(p.t.pagesOf(r)[0]), fmt.Errorf("%w: addresses in %v are in two leases", errDamaged, run.toRange()))
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
	byID, byKey := p.t.byID.get(r.id), p.t.byKey.get(r.request())
	p.t.add(r, p.latest, false)
	if byID != nil && byID.end > r.end { // that one is newer
		p.t.byID.set(byID)
	}
	if byKey != nil && byKey.end > r.end {
		p.t.byKey.set(byKey)
	}
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

func isConflict(err error) bool { return errors.Is(err, ErrConflict) }
