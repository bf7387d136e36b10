// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mcastalloc/malloc/scope"
)

// layout is the value of the layout entry.
type layout struct {
	Version  int `json:"version"`
	PageBits int `json:"pageBits"`
}

// open reads a store for the first time, or lays it out if it is empty.
func (p *Pool) open(ctx context.Context) error {
	for range conflictsMost {
		found := false
		for e, err := range p.j.store.Load(ctx, layoutKey) {
			if err != nil {
				return &Error{Op: "open store", Err: storeError(err)}
			}
			found = true
			var l layout
			if err := json.Unmarshal(e.Value, &l); err != nil || l.Version != layoutVersion || l.PageBits != pageBits {
				return &Error{Op: "open store", Got: string(e.Value), Want: fmt.Sprintf("layout version %d with %d page bits", layoutVersion, pageBits), Err: ErrStore}
			}
		}
		if found {
			return p.loadAll(ctx)
		}
		value, _ := json.Marshal(layout{layoutVersion, pageBits})
		if _, err := p.j.store.Commit(ctx, Write{Key: layoutKey, Value: value}); err != nil && !isConflict(err) {
			return &Error{Op: "open store", Err: storeError(err)}
		}
	}
	return &Error{Op: "open store", Err: ErrConflict}
}

// loadAll takes over everything in the store.
func (p *Pool) loadAll(ctx context.Context) error {
	for _, prefix := range []string{idPrefix, keyPrefix, pagePrefix} {
		for e, err := range p.j.store.Load(ctx, prefix) {
			if err != nil {
				return &Error{Op: "read store", Err: storeError(err)}
			}
			p.j.versions[e.Key] = e.Version
			if prefix == pagePrefix {
				if page, ok := pageOfKey(e.Key); ok {
					p.merge(page, e.Key, e.Value)
				}
			} else if n, err := decodeName(e.Value); err != nil {
				p.j.damaged(e.Key, err)
			} else {
				p.latest = max(p.latest, n.latest)
			}
		}
	}
	return nil
}

// refresh reads the entries of some keys, and of the pages that names among
// them tell of, and brings the table up to date. It returns the values.
func (p *Pool) refresh(ctx context.Context, keys []string) (map[string][]byte, error) {
	values := map[string][]byte{}
	for len(keys) > 0 {
		key := keys[0]
		if _, done := values[key]; !done {
			values[key] = nil
			delete(p.j.versions, key)
			for e, err := range p.j.store.Load(ctx, key) {
				if err != nil {
					p.j.stale = append(p.j.stale, keys...)
					return values, &Error{Op: "read store", Err: storeError(err)}
				}
				if e.Key == key {
					values[key], p.j.versions[key] = e.Value, e.Version
				}
			}
			if page, ok := pageOfKey(key); ok && strings.HasPrefix(key, pagePrefix) {
				p.merge(page, key, values[key])
			} else if values[key] != nil {
				n, err := decodeName(values[key])
				if err != nil {
					p.j.damaged(key, err)
				}
				p.latest = max(p.latest, n.latest)
				for _, page := range n.pages { // what is over may still be in our table
					keys = append(keys, pageKey(page))
				}
			}
		}
		keys = keys[1:]
	}
	return values, nil
}

// merge makes the table agree with the value of a page; nil is an empty one.
func (p *Pool) merge(page number, key string, value []byte) {
	var there []*storedRecord
	if value != nil {
		latest, err := decodePage(value, func(r *storedRecord) { there = append(there, r) })
		if err != nil {
			p.j.damaged(key, err)
			p.block(pageSpan(page))
			return
		}
		p.latest = max(p.latest, latest)
	}
	for _, r := range p.t.inPage(page, longAgo) {
		same := slices.IndexFunc(there, func(s *storedRecord) bool { return s.stored.serial == r.stored.serial })
		if same >= 0 {
			s := there[same]
			if s.start == r.start && s.end == r.end && s.gone == r.gone && s.state == r.state {
				there = slices.Delete(there, same, same+1)
				continue
			}
		}
		p.t.remove(r)
	}
	for _, s := range there {
		if s.gone > p.latest {
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
		if !clear {
			p.j.damaged(key, fmt.Errorf("%w: addresses in %v are in two leases", errDamaged, run.toRange()))
			p.block(run)
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

// evict removes the offers that r is in conflict with.
func (t *table) evict(r *record) {
	var offers []*record
	for s := range r.spans {
		for c := range t.cellsIn(s) {
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

// block keeps what is free of some addresses from everybody, for good.
func (p *Pool) block(run span) {
	var free []span
	p.t.room(run, longAgo, longAgo, nil, func(sub span, _ instant, fresh bool) bool {
		if fresh {
			free = append(free, sub)
		}
		return true
	})
	for _, s := range free {
		p.t.add(&record{
			id: NewID(p.cfg.Rand), holder: p.t.holder(Principal{}), zone: p.t.zones[0], span: s,
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
