// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"bytes"
	"context"
	"errors"
	"slices"
)

// journal writes what a pool does to its store. An operation changes the
// table at once, under the pool's lock, and queues what is to be written; its
// caller waits until that is durable. One of those who wait, the leader,
// writes what has queued up in as few commits as possible. If a commit fails,
// all that is not durable is undone, the table takes over what the store has,
// and the operations are tried again.
type journal struct {
	store     Store
	most      int // writes in a commit
	exclusive bool
	versions  map[string]uint64
	queue     []*op
	keys      int            // at most so many entries are to be written for the queue
	open      map[serial]int // operations on a grant that are not settled
	leading   bool
	stale     []string // keys that could not be read when that was needed
	damaged   func(key string, err error)
}

func newJournal(s Store, damaged func(string, error)) *journal {
	j := &journal{store: s, most: DefaultMaxWrites, versions: map[string]uint64{}, open: map[serial]int{}, damaged: damaged}
	if m, ok := s.(maxWrites); ok {
		j.most = m.MaxWrites()
	}
	if e, ok := s.(exclusive); ok {
		j.exclusive = e.Exclusive()
	}
	if j.damaged == nil {
		j.damaged = func(string, error) {}
	}
	return j
}

// op is something done to one record that is to become durable.
type op struct {
	rec   *record
	about []serial // the grants whose records it has changed, added or removed
	pages []number
	names []string
	undo  func()
	turn  chan struct{} // its caller is to lead
	done  chan struct{} // closed when it is settled
	after *op           // it was undone at once, as the queue was full; to be tried again after that one
	err   error
	first []byte // the value of its first name, as written
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

// note queues what has been done to r, and to others on the way; undo is the
// way back. Without a store it returns nil.
func (p *Pool) note(r *record, undo func(), others ...*record) *op {
	if p.j == nil || r.stored == nil {
		return nil
	}
	o := &op{rec: r, pages: p.t.pagesOf(r), undo: undo, turn: make(chan struct{}, 1), done: make(chan struct{})}
	o.names = []string{idKey(r.id)}
	if r.key != "" {
		o.names = append(o.names, requestKeyKey(r.holder.Principal, r.key))
	}
	for _, r := range others {
		if r != nil && r.stored != nil {
			o.pages = append(o.pages, p.t.pagesOf(r)...)
		}
	}
	n := len(o.pages) + len(o.names)
	if len(p.j.queue) > 0 && p.j.keys+n > p.j.most {
		undo()
		return &op{after: p.j.queue[len(p.j.queue)-1]}
	}
	p.j.keys += n
	r.stored.op = o
	for _, r := range append(others, r) {
		if r != nil && r.stored != nil {
			o.about = append(o.about, r.stored.serial)
			p.j.open[r.stored.serial]++
		}
	}
	p.j.queue = append(p.j.queue, o)
	return o
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
	p.mu.Lock()
	if p.j.leading {
		p.mu.Unlock()
		select {
		case <-o.done:
			return o.err
		case <-o.turn:
		}
		p.mu.Lock()
	} else {
		select {
		case <-o.done: // settled before we came to it
			p.mu.Unlock()
			return o.err
		default:
		}
	}
	p.j.leading = true
	p.lead(context.WithoutCancel(ctx))
	p.mu.Unlock()
	<-o.done
	return o.err
}

// lead commits the head of the queue and hands on. The pool is locked, but
// not while the store works.
func (p *Pool) lead(ctx context.Context) {
	j := p.j
	if len(j.queue) > 0 {
		batch, writes := p.batch()
		p.mu.Unlock()
		version, err := j.store.Commit(ctx, writes...)
		p.mu.Lock()
		if err == nil {
			for _, w := range writes {
				j.versions[w.Key] = version
			}
			for _, o := range batch {
				j.forget(o)
				o.settled(nil)
			}
		} else {
			p.failed(ctx, batch, writes, err)
		}
	}
	if len(j.queue) > 0 {
		j.queue[0].turn <- struct{}{}
	} else {
		j.leading = false
	}
}

// forget says that what o has done is in the store, or undone.
func (j *journal) forget(o *op) {
	for _, s := range o.about {
		if j.open[s]--; j.open[s] == 0 {
			delete(j.open, s)
		}
	}
	o.about = nil
}

func (o *op) settled(err error) {
	if o.rec.stored.op == o {
		o.rec.stored.op = nil
	}
	o.err = err
	close(o.done)
}

// batch takes the queue, all of which fits in one commit, and returns what is
// to be written. All of it, as what one operation writes shows what the others
// have done.
func (p *Pool) batch() (batch []*op, writes []Write) {
	j := p.j
	keys := map[string]int{}
	add := func(key string, value []byte) {
		if i, ok := keys[key]; ok {
			writes[i].Value = value
			return
		}
		keys[key] = len(writes)
		writes = append(writes, Write{key, j.versions[key], value})
	}
	batch, j.queue, j.keys = j.queue, nil, 0
	for _, o := range batch {
		for _, page := range o.pages {
			add(pageKey(page), nil)
		}
		value := encodeName(&name{p.latest, o.rec.stored.serial, o.rec.gone, o.pages})
		o.first = value
		for _, k := range o.names {
			add(k, value)
		}
	}
	for i, w := range writes {
		if w.Value == nil {
			page, _ := pageOfKey(w.Key)
			writes[i].Value = encodePage(p.latest, p.t.inPage(page, p.latest))
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

// failed undoes all that is not durable and reads what the store has.
func (p *Pool) failed(ctx context.Context, batch []*op, writes []Write, err error) {
	j := p.j
	for _, o := range slices.Backward(append(slices.Clip(batch), j.queue...)) {
		o.undo()
		j.forget(o)
	}
	var keys []string
	for _, w := range writes {
		keys = append(keys, w.Key)
	}
	values, again := p.refresh(ctx, keys)
	for _, o := range batch {
		switch {
		case errors.Is(err, ErrConflict):
			o.settled(errRetry)
		case again == nil && bytes.Equal(values[o.names[0]], o.first):
			o.settled(nil) // it did take effect
		default:
			o.settled(&Error{Op: "commit", Err: storeError(err)})
		}
	}
	for _, o := range j.queue {
		o.settled(errRetry)
	}
	j.queue, j.keys = nil, 0
}

// storeError makes err an ErrStore unless it is one.
func storeError(err error) error {
	if errors.Is(err, ErrStore) || errors.Is(err, ErrConflict) {
		return err
	}
	return joined{ErrStore, err}
}

// joined is an error that is two: a class and its cause.
type joined struct{ class, cause error }

func (e joined) Error() string   { return e.class.Error() + ": " + e.cause.Error() }
func (e joined) Unwrap() []error { return []error{e.class, e.cause} }
