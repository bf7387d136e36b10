// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"errors"
	"slices"
)

// conflictsMost is how often an operation is tried while other pools keep
// writing what it depends on.
const conflictsMost = 128

// sight is what an operation knows of the store when it is done.
type sight struct {
	names []name   // those that it depends on, as they are
	pages []number // the table agreed with these pages just now
	all   bool     // the table agreed with all of the store just now
}

// list returns the names, for an operation to write. It works without a sight.
func (s *sight) list() []name {
	if s == nil {
		return nil
	}
	return s.names
}

// lookAlso is the error of an operation that depends on more of what other
// pools have done: on one more name, or on some pages, or on everything.
type lookAlso struct {
	name  name
	pages []number
	all   bool
}

func (*lookAlso) Error() string { return "look at more of the store first" }

// durably does something that depends on some names: it calls do with the
// pool locked and the table up to date, and returns when what do has queued
// for the store is durable, or when an answer without that can be relied upon.
func (p *Pool) durably(ctx context.Context, what string, names []name, do func(*sight) (*op, error)) error {
	if p.j == nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		_, err := do(nil)
		return err
	}
	s := sight{names: names}
	var also *lookAlso
	for conflicts := 0; conflicts < conflictsMost; {
		if err := p.look(ctx, s.names); err != nil {
			return err
		}
		p.mu.Lock()
		ready, err := p.catchUp(ctx, &s, also)
		if !ready {
			p.mu.Unlock()
			if err != nil {
				return err
			}
			continue
		}
		o, err := do(&s)
		mine := o != nil
		if !mine && err != nil {
			o = p.j.last() // the answer is about what is not durable yet
		}
		p.mu.Unlock()
		failed := p.settle(ctx, o)
		also = nil
		switch {
		case errors.As(err, &also):
			if also.name.key != "" {
				s.names = append(slices.Clip(s.names), also.name)
			}
		case failed == nil:
			return err
		case failed == errFull:
		case failed == errRetry || !mine:
			conflicts++
		default:
			return failed
		}
	}
	return &Error{Op: what, Err: ErrConflict}
}

// look reads names. The pool is not locked.
func (p *Pool) look(ctx context.Context, names []name) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for i := range names {
		n := &names[i]
		value, version, err := p.j.get(ctx, n.key)
		if err != nil {
			return err
		}
		n.version, n.grants, n.damaged = version, nil, false
		if value == nil {
			continue
		}
		if _, n.grants, err = decodeGrants(value); err != nil {
			n.damaged = true
			p.mu.Lock()
			p.j.damaged(n.key, err)
			p.mu.Unlock()
		}
	}
	return nil
}

// get reads one entry; without one there the value is nil.
func (j *journal) get(ctx context.Context, key string) (value []byte, version uint64, err error) {
	for e, err := range j.store.Load(ctx, key) {
		if err != nil {
			return nil, 0, &Error{Op: "read store", Err: storeError(err)}
		}
		if e.Key == key {
			return e.Value, e.Version, nil
		}
		break // the first in order would be the key itself
	}
	return nil, 0, nil
}

// catchUp brings the table up to date with some names, and also with what an
// operation wants. Not ready and without an error, the names have to be looked
// at anew. The pool is locked, but not while it waits.
func (p *Pool) catchUp(ctx context.Context, s *sight, also *lookAlso) (ready bool, err error) {
	j := p.j
	for j.reading {
		if err := p.waitFree(ctx); err != nil {
			return false, err
		}
	}
	p.tick()
	for i := range s.names {
		for _, r := range s.names[i].here(p) {
			if o := r.stored.op; o != nil {
				p.mu.Unlock()
				p.settle(ctx, o)
				p.mu.Lock()
				return false, nil
			}
		}
	}
	s.all, s.pages = false, nil
	if len(j.stale) == 0 && !j.news && (also == nil || !also.all && also.pages == nil) && !slices.ContainsFunc(s.names, func(n name) bool { return !n.agrees(p) }) {
		return true, nil
	}
	if err := p.enter(ctx); err != nil {
		return false, err
	}
	defer j.leave()
	p.clearQueue()
	var pages []number
	all := j.news
	if also != nil {
		pages, all = also.pages, all || also.all
	}
	for i := range s.names {
		all = all || s.names[i].damaged
		for _, r := range s.names[i].here(p) {
			pages = append(pages, p.t.pagesOf(r)...)
		}
	}
	if all {
		err = p.readAll(ctx, s.names)
	} else {
		err = p.read(ctx, pages, s.names)
	}
	s.pages, s.all = pages, all
	return err == nil, err
}

// enter waits until nobody is at the store, lets what has queued up go first,
// and keeps the store until [journal.leave]. The pool is locked, but not while
// it waits.
func (p *Pool) enter(ctx context.Context) error {
	for p.j.busy {
		if err := p.waitFree(ctx); err != nil {
			return err
		}
	}
	if len(p.j.queue) > 0 {
		p.lead(context.WithoutCancel(ctx))
	}
	p.j.busy = true
	return nil
}

// waitFree waits until the store is free. The pool is locked, but not
// meanwhile.
func (p *Pool) waitFree(ctx context.Context) error {
	j := p.j
	if j.free == nil {
		j.free = make(chan struct{})
	}
	free := j.free
	j.readers++
	p.mu.Unlock()
	var err error
	select {
	case <-free:
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.mu.Lock()
	if j.readers--; !j.busy {
		j.leave() // the turn may be the queue's
	}
	return err
}
