// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"maps"
	"slices"

	"github.com/mcastalloc/malloc/scope"
)

// retireMost bounds the pages that one call of Retire or Reinstate writes:
// about four million addresses.
const retireMost = 1 << 16

// Retire closes addresses of a scope like CloseSource, but at every pool on
// the store, at this one and at those that are opened later too, whatever
// their configuration says, until somebody calls Reinstate: it leaves marks in
// the store. When no lease is left there the addresses can be taken out of
// all pools. The empty set is all that the scope's sources have here.
//
// A pool hears of it when it next reads the store, at the latest before it
// could grant one of these addresses. If Retire fails half-way, call it again.
//
// The error is [ErrScope] if the scope is not served here or the set is too
// large for marks (more than four million addresses), [ErrStore] if the store
// cannot be written. Without a store that others share Retire is CloseSource.
func (p *Pool) Retire(ctx context.Context, id scope.ID, addrs scope.Set) error {
	return p.remark(ctx, "retire", id, addrs, func(marks []span, s span) []span {
		if !slices.Contains(marks, s) {
			marks = append(slices.Clip(marks), s)
		}
		return marks
	})
}

// Reinstate takes back what Retire has said about the same addresses.
func (p *Pool) Reinstate(ctx context.Context, id scope.ID, addrs scope.Set) error {
	return p.remark(ctx, "reinstate", id, addrs, func(marks []span, s span) (left []span) {
		for _, m := range marks {
			if !m.overlaps(s) {
				left = append(left, m)
				continue
			}
			if m.first.Less(s.first) {
				left = append(left, span{m.first, s.first.Sub(one)})
			}
			if s.last.Less(m.last) {
				left = append(left, span{s.last.Add(one), m.last})
			}
		}
		return left
	})
}

// remark changes the marks of all pages of some addresses.
func (p *Pool) remark(ctx context.Context, op string, id scope.ID, addrs scope.Set, change func(marks []span, s span) []span) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	inside, err := p.cutSources(id, addrs)
	if err != nil {
		return err
	}
	retire := op == "retire"
	if !p.shared() {
		for _, src := range inside {
			src.closed = retire
		}
		return nil
	}
	parts := map[number][]span{}
	for _, src := range inside {
		for _, run := range src.ranges {
			place := p.t.fold(run)
			for page, last := pageOf(place.first), pageOf(place.last); !last.Less(page) && len(parts) <= retireMost; page = page.Add(one) {
				p.t.unfold(run, pageSpan(page), func(part span) { parts[page] = append(parts[page], part) })
			}
		}
	}
	if len(parts) > retireMost {
		return &Error{Op: op, Param: ParamAddrs, Got: addrs.String(), Want: "at most four million addresses", Err: ErrScope}
	}
	if retire { // here at once
		p.setRetired(id, addrs, true)
	}
	for part := range slices.Chunk(slices.SortedFunc(maps.Keys(parts), number.Cmp), p.j.most) {
		if err := p.remarkPages(ctx, op, part, parts, change); err != nil {
			return err
		}
	}
	p.setRetired(id, addrs, retire)
	return nil
}

func (p *Pool) setRetired(id scope.ID, addrs scope.Set, retired bool) {
	inside, err := p.cutSources(id, addrs)
	if err != nil {
		return
	}
	for _, src := range inside {
		src.retired = retired
	}
}

// remarkPages changes the marks of as many pages as one commit takes.
func (p *Pool) remarkPages(ctx context.Context, op string, pages []number, parts map[number][]span, change func([]span, span) []span) error {
	for range conflictsMost {
		if err := p.enter(ctx); err != nil {
			return err
		}
		p.clearQueue()
		err := p.read(ctx, pages, nil)
		if err == nil {
			err = p.writeMarks(ctx, pages, parts, change)
		}
		if err != nil { // what is in the table is not what the store has
			p.clearQueue()
			if again := p.read(context.WithoutCancel(ctx), pages, nil); again != nil && isConflict(err) {
				err = again
			}
		}
		p.j.leave()
		if err == nil || !isConflict(err) {
			return err
		}
	}
	return &Error{Op: op, Err: ErrConflict}
}

func (p *Pool) writeMarks(ctx context.Context, pages []number, parts map[number][]span, change func([]span, span) []span) error {
	var writes []Write
	for _, page := range pages {
		marks := p.j.marks[page]
		for _, s := range parts[page] {
			marks = change(marks, s)
		}
		p.j.setMarks(page, marks)
		writes = append(writes, Write{pageKey(page), p.j.versions[page], encodePage(p.latest, marks, p.t.inPage(page, p.latest))})
	}
	p.j.remarked = [2]remarked{} // applied in one go when all are written
	p.mu.Unlock()
	version, err := p.j.store.Commit(ctx, writes...)
	p.mu.Lock()
	if err != nil {
		return storeError(err)
	}
	for _, page := range pages {
		p.j.versions[page] = version
	}
	return nil
}

// remarked is what has got marks and what has lost them.
type remarked struct{ now, before scope.SetBuilder }

// setMarks notes the marks of a page. What has changed is to be applied.
func (j *journal) setMarks(page number, marks []span) {
	old := j.marks[page]
	if slices.Equal(old, marks) {
		return
	}
	for _, s := range old {
		j.remarked[familyOf(s)].before.Add(s.toRange())
	}
	for _, s := range marks {
		j.remarked[familyOf(s)].now.Add(s.toRange())
	}
	if j.marks[page] = marks; len(marks) == 0 {
		delete(j.marks, page)
	}
}

func familyOf(s span) int {
	if s.first.Hi == 0 {
		return 0
	}
	return 1
}

// applyMarks retires the addresses of sources that have got a mark, and no
// longer those that have lost one. It reports whether there were any.
func (p *Pool) applyMarks() (news bool) {
	for i := range p.j.remarked {
		r := &p.j.remarked[i]
		before, _ := r.before.Set()
		now, _ := r.now.Set()
		before, _ = before.Subtract(now)
		*r = remarked{}
		p.applyTo(before, false)
		p.applyTo(now, true)
		news = news || !now.IsEmpty()
	}
	return news
}

func (p *Pool) applyTo(addrs scope.Set, retired bool) {
	for _, z := range p.t.zones {
		if slices.ContainsFunc(z.sources, func(src *source) bool { return src.retired != retired && src.addrs.Overlaps(addrs) }) {
			p.setRetired(z.scope.ID(), addrs, retired)
		}
	}
}
