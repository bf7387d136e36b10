// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// journal writes what a pool does to its store. An operation changes the
// table at once, under the pool's lock, and queues what is to be written; its
// caller waits until that is durable. One of those who wait leads: it writes
// all that has queued up in one commit, while the next operations queue.
//
// What is in the table and not yet durable lies on top of what the store has,
// like a stack. Nothing from the store goes into the table as long as
// something lies there: if a commit fails, or the store is to be read, all of
// it is undone first, from the top, and those operations are tried again.
type journal struct {
	store     Store
	most      int // writes in a commit
	mostBytes int // octets in a commit; 0: no limit
	exclusive bool
	versions  map[number]uint64 // of the pages, as the table has them
	marks     map[number][]span // addresses in the pages that are retired
	remarked  [2]remarked       // what of that, in IPv4 and IPv6, is to be applied
	news      bool              // some was found, so that there may be more
	queue     []*op
	keys      int           // at most so many entries are to be written for the queue
	busy      bool          // somebody is at the store
	reading   bool          // to read it, so that nothing may be queued
	flying    []*op         // what is being committed
	readers   int           // who wait until the store is free, to read it
	free      chan struct{} // closed when the store is free; nil: nobody waits for that
	stale     []number      // pages that could not be read when that was needed
	damaged   func(key string, err error)
}

// shared reports whether other pools may be on the store.
func (p *Pool) shared() bool { return p.j != nil && !p.j.exclusive }

func newJournal(s Store, damaged func(string, error)) *journal {
	j := &journal{store: s, most: DefaultMaxWrites, versions: map[number]uint64{}, marks: map[number][]span{}, damaged: damaged}
	if m, ok := s.(maxWrites); ok {
		j.most = m.MaxWrites()
	}
	if m, ok := s.(maxBytes); ok {
		j.mostBytes = m.MaxBytes()
	}
	if e, ok := s.(exclusive); ok {
		j.exclusive = e.Exclusive()
	}
	if j.damaged == nil {
		j.damaged = func(string, error) {}
	}
	return j
}

// op is something done to one record, and to others on the way, that is to
// become durable.
type op struct {
	rec   *record
	about []*record // all that it has added or changed
	were  []earlier // those that it has changed or removed
	pages []number
	names []name
	turn  chan struct{} // its caller is to lead
	done  chan struct{} // closed when it is settled
	after *op           // it was undone at once, as the queue was full; to be tried again after that one
	err   error
	wrote record // rec as written
}

// earlier is what a record was before an operation.
type earlier struct {
	rec *record
	was record
}

// errRetry says that the operation was undone and is to be tried again, errFull
// that this was not for a conflict.
var (
	errRetry = errors.New("try again")
	errFull  = errors.New("try again, there is room now")
)

// pagesOf returns the pages that r touches.
func (t *table) pagesOf(r *record) []number {
	var list []number
	for s := range t.places(r) {
		for p, last := pageOf(s.first), pageOf(s.last); !last.Less(p); p = p.Add(one) {
			if len(list) == 0 || list[len(list)-1] != p {
				list = append(list, p)
			}
		}
	}
	return list
}

// note queues what has been done to rec, on behalf of somebody who has looked
// at some names; were are the records that it has changed or removed, as they
// were, and added another that it has added. Without a store it returns nil.
func (p *Pool) note(rec *record, names []name, added *record, were ...earlier) *op {
	if p.j == nil || rec.stored == nil {
		return nil
	}
	o := &op{rec: rec, names: names, were: were, turn: make(chan struct{}, 1), done: make(chan struct{})}
	o.touch(p.t, rec)
	if added != nil {
		o.touch(p.t, added)
	}
	for i := range were {
		if were[i].was.stored != nil {
			o.pages = append(o.pages, p.t.pagesOf(&were[i].was)...)
		}
	}
	n := len(o.pages) + len(o.names)
	if len(p.j.queue) > 0 && (p.j.keys+n > p.j.most || p.j.named(o)) {
		p.undo(o)
		return &op{after: p.j.queue[len(p.j.queue)-1]}
	}
	p.j.keys += n
	for _, r := range o.about {
		r.stored.op = o
	}
	p.j.queue = append(p.j.queue, o)
	return o
}

func (o *op) touch(t *table, r *record) {
	o.about = append(o.about, r)
	o.pages = append(o.pages, t.pagesOf(r)...)
}

// named reports whether something in the queue writes a name of o.
func (j *journal) named(o *op) bool {
	return len(o.names) > 0 && slices.ContainsFunc(j.queue, func(q *op) bool {
		return slices.ContainsFunc(q.names, func(n name) bool {
			return slices.ContainsFunc(o.names, func(m name) bool { return m.key == n.key })
		})
	})
}

// undo takes back what o has done to the table. What was done after it has
// been taken back before.
func (p *Pool) undo(o *op) {
	for _, r := range o.about {
		p.t.remove(r)
	}
	for _, e := range o.were {
		p.t.remove(e.rec)
		*e.rec = e.was
		p.restore(e.rec)
	}
}

// undoAll undoes operations and returns the pages they were about.
func (p *Pool) undoAll(list []*op) (pages []number) {
	for _, o := range slices.Backward(list) {
		p.undo(o)
		pages = append(pages, o.pages...)
	}
	slices.SortFunc(pages, number.Cmp)
	return slices.Compact(pages)
}

// settle waits until o is durable, and leads if nobody else does. The pool is
// not locked.
func (p *Pool) settle(ctx context.Context, o *op) error {
	if o == nil {
		return nil
	}
	if o.after != nil {
		<-o.after.done
		return errFull
	}
	for {
		select {
		case <-o.done:
			return o.err
		default:
		}
		p.mu.Lock()
		if !p.j.busy && p.j.readers == 0 && len(p.j.queue) > 0 {
			p.lead(context.WithoutCancel(ctx))
		}
		p.mu.Unlock()
		select {
		case <-o.done:
			return o.err
		case <-o.turn:
		}
	}
}

// leave says that nobody is at the store any more, and whose turn it is.
func (j *journal) leave() {
	j.busy = false
	if j.free != nil {
		close(j.free)
		j.free = nil
	}
	if j.readers == 0 && len(j.queue) > 0 {
		select {
		case j.queue[0].turn <- struct{}{}:
		default: // it was told before
		}
	}
}

// lead commits the queue. The pool is locked, but not while the store works.
func (p *Pool) lead(ctx context.Context) {
	j := p.j
	j.busy = true
	defer j.leave()
	batch, writes := p.batch()
	for len(batch) > 1 && j.mostBytes > 0 && size(writes) > j.mostBytes {
		half := len(batch) / 2
		j.queue = batch[half:]
		p.clearQueue()
		j.queue = batch[:half]
		batch, writes = p.batch()
	}
	j.flying = batch
	p.mu.Unlock()
	version, err := j.store.Commit(ctx, writes...)
	p.mu.Lock()
	j.flying = nil
	if err != nil {
		p.failed(ctx, batch, err)
		return
	}
	for _, o := range batch {
		for _, page := range o.pages {
			j.versions[page] = version
		}
		o.settled(nil)
	}
}

// size returns about how many octets a commit has.
func size(writes []Write) (n int) {
	for _, w := range writes {
		n += len(w.Key) + len(w.Value)
	}
	return n
}

func (o *op) settled(err error) {
	for _, r := range o.about {
		if r.stored.op == o {
			r.stored.op = nil
		}
	}
	o.err = err
	close(o.done)
}

// batch takes the queue, all of which fits in one commit, and returns what is
// to be written. All of it, as what one operation writes shows what the others
// have done.
func (p *Pool) batch() (batch []*op, writes []Write) {
	j := p.j
	pages := make(map[number]bool, j.keys)
	writes = make([]Write, 0, j.keys)
	batch, j.queue, j.keys = j.queue, nil, 0
	for _, o := range batch {
		o.wrote = *o.rec
		for _, page := range o.pages {
			if !pages[page] {
				pages[page] = true
				value := encodePage(p.latest, j.marks[page], p.t.inPage(page, p.latest))
				writes = append(writes, Write{pageKey(page), j.versions[page], value})
			}
		}
		for i := range o.names {
			n := &o.names[i]
			writes = append(writes, Write{n.key, n.version, encodeGrants(p.latest, p.t, n.write(p, o.rec))})
		}
	}
	return batch, writes
}

// inPage returns the records of a page that are in the store and count.
func (t *table) inPage(page number, now instant) (list []*record) {
	for c := range t.cellsIn(pageSpan(page)) {
		for i := range c.len() {
			if r := c.at(i); r.stored != nil && r.gone > now && !slices.Contains(list, r) {
				list = append(list, r)
			}
		}
	}
	return list
}

// last returns the operation on top of the stack, or nil.
func (j *journal) last() *op {
	for _, list := range [][]*op{j.queue, j.flying} {
		if len(list) > 0 {
			return list[len(list)-1]
		}
	}
	return nil
}

// clearQueue undoes what has queued up; it is tried again.
func (p *Pool) clearQueue() {
	j := p.j
	p.undoAll(j.queue)
	for _, o := range j.queue {
		o.settled(errFull)
	}
	j.queue, j.keys = nil, 0
}

// failed undoes all that is not durable and reads what the store has in its
// place.
func (p *Pool) failed(ctx context.Context, batch []*op, err error) {
	j := p.j
	later := j.queue
	j.queue, j.keys = nil, 0
	again := p.read(ctx, p.undoAll(append(slices.Clip(batch), later...)), nil)
	for _, o := range batch {
		switch {
		case errors.Is(err, ErrConflict):
			o.settled(errRetry)
		case again == nil && p.took(o):
			o.settled(nil)
		default:
			o.settled(&Error{Op: "commit", Err: storeError(err)})
		}
	}
	for _, o := range later {
		o.settled(errRetry)
	}
}

// took reports whether o has taken effect after all, as the table now shows.
func (p *Pool) took(o *op) bool {
	for _, r := range p.t.inPage(o.pages[0], p.latest) {
		if r.stored.serial == o.wrote.stored.serial {
			return r.same(&o.wrote)
		}
	}
	return o.wrote.gone <= p.latest
}

// storeError makes err an ErrStore unless it is one.
func storeError(err error) error {
	if errors.Is(err, ErrStore) || errors.Is(err, ErrConflict) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrStore, err)
}
