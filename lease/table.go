// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"sync/atomic"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// state is what a record stands for.
type state uint8

const (
	offered  state = iota // reserved until its hold is over (DISCOVER, OFFER)
	deferred              // reserved from a later instant on, for whoever was told to try then
	leased
	released // given back; the addresses rest
	excluded // used by somebody else
)

// record is one occupation of addresses: from start until end, and for a rest
// after that, nobody else has them. A record whose time is over or whose hold
// has run out is gone: it does not count, whether or not somebody has swept
// it out of the table.
type record struct {
	id         ID
	holder     *holder
	key        string
	zone       *zone
	span       span    // the addresses; the first run of them if there is more
	more       *[]span // the other runs, ascending; nil if there are none
	start, end instant
	rest       time.Duration
	gone       instant // when the record stops to count
	slot       int32   // place in the zone's queue
	held       int32   // place in the holder's records
	state      state
	shared     bool
	stored     *stored // nil: not in a store
}

// waits reports whether there is a gap before r in the table.
func (r *record) waits() bool { return r.zone.gaps.of[r] != nil }

// busy returns the instant from which others may have the addresses.
func (r *record) busy() instant { return r.end.add(r.rest) }

// live reports whether r is a lease in force, or not yet begun, at now.
func (r *record) live(now instant) bool { return r.state == leased && now < r.end }

// spans yields the runs of addresses, ascending.
func (r *record) spans(yield func(span) bool) {
	if !yield(r.span) {
		return
	}
	if r.more == nil {
		return
	}
	for _, s := range *r.more {
		if !yield(s) {
			return
		}
	}
}

// setRuns gives r its addresses: runs of them, ascending, which it keeps.
func (r *record) setRuns(runs []span) {
	r.span, r.more = runs[0], nil
	if more := runs[1:]; len(more) > 0 {
		r.more = &more
	}
}

// count returns the number of addresses.
func (r *record) count() (n int) {
	for s := range r.spans {
		n += s.size()
	}
	return n
}

func (r *record) lease() Lease {
	l := Lease{ID: r.id, Family: r.zone.family, Scope: r.zone.scope.ID(), Start: r.start.time(), End: r.end.time()}
	if r.more == nil {
		l.Addrs, _ = scope.SetOf(r.span.toRange())
		return l
	}
	var b scope.SetBuilder
	for s := range r.spans {
		b.Add(s.toRange())
	}
	l.Addrs, _ = b.Set()
	return l
}

// holder is a principal with something in the table.
type holder struct {
	Principal
	records []*record
}

func (h *holder) add(r *record) {
	r.held = int32(len(h.records))
	h.records = append(h.records, r)
}

func (h *holder) remove(r *record) {
	last := h.records[len(h.records)-1]
	h.records[r.held], last.held = last, r.held
	h.records[len(h.records)-1] = nil
	h.records = h.records[:len(h.records)-1]
}

// zone is a scope inside a pool.
type zone struct {
	family  Family
	scope   scope.Scope
	sources []*source // those that stay ours longest first
	hidden  bool      // not ours to grant, but the store has leases of it
	queue   queue     // all records of the zone
	gaps    gaps
}

// holds reports whether the zone's scope has all addresses of s.
func (z *zone) holds(s scope.Set) bool {
	for r := range s.Ranges() {
		if r.Is4() != z.scope.Range.Is4() || !z.scope.Range.Covers(sameFlags(r, z.scope.Range)) {
			return false
		}
	}
	return true
}

// requestKey is what makes two requests the same one.
type requestKey struct {
	holder *holder
	key    string
}

func (r *record) request() requestKey { return requestKey{r.holder, r.key} }

// table is who has which addresses when: the records, and what finds them.
// Where nothing else is said, methods expect that no two records that count
// have a common address at a common time.
type table struct {
	cells   index
	link    bool // the index is of Ethernet addresses, see fold
	zones   []*zone
	byID    finder[ID]
	byKey   finder[requestKey] // records that have a key
	holders map[Principal]*holder
	expired atomic.Uint64 // leases that ended without a release
	scratch struct {
		spans   []span
		records []*record
	}
}

func newTable() *table {
	return &table{
		byID:    newFinder(func(r *record) ID { return r.id }),
		byKey:   newFinder((*record).request),
		holders: map[Principal]*holder{},
	}
}

// holder returns the entry of p, a new one if need be.
func (t *table) holder(p Principal) *holder {
	h := t.holders[p]
	if h == nil {
		h = &holder{Principal: p}
		t.holders[p] = h
	}
	return h
}

// add puts r in at now. If fresh, nobody has any of its addresses at any time.
func (t *table) add(r *record, now instant, fresh bool) {
	for s := range r.spans {
		s = t.fold(s)
		t.take(s)
		if fresh {
			t.cells.put(cell{s, r, nil})
		} else {
			t.occupy(r, s)
		}
	}
	r.zone.queue.push(r)
	r.holder.add(r)
	t.byID.set(r)
	if r.key != "" {
		t.byKey.set(r)
	}
	if r.start > now {
		r.zone.gaps.add(r, t.gapBefore(r))
	}
	if !fresh {
		t.regapAfter(r)
	}
}

// occupy puts r into the cells of s and makes cells where there are none.
func (t *table) occupy(r *record, s span) {
	t.cells.cut(s.first)
	t.cells.cut(s.last.Add(one)) // no sum can overflow: ffff::/16 is a reserved scope
	holes := t.scratch.spans[:0]
	next := s.first
	for c := range t.cellsIn(s) {
		if next.Less(c.first) {
			holes = append(holes, span{next, c.first.Sub(one)})
		}
		next = c.last.Add(one)
		c.insert(r)
	}
	if !s.last.Less(next) {
		holes = append(holes, span{next, s.last})
	}
	for _, h := range holes {
		t.cells.put(cell{h, r, nil})
	}
	t.scratch.spans = holes
}

// cellsIn is index.in as an iterator.
func (t *table) cellsIn(s span) func(func(*cell) bool) {
	return func(yield func(*cell) bool) { t.cells.in(s, yield) }
}

// remove takes r out, if it is in.
func (t *table) remove(r *record) {
	if r.slot < 0 {
		return
	}
	t.vacate(r)
	r.zone.queue.remove(r)
	r.slot = -1
	t.unname(r)
	if r.holder.remove(r); len(r.holder.records) == 0 {
		delete(t.holders, r.holder.Principal)
	}
}

// vacate takes r out of its cells and gives addresses that nobody has any
// more back to their sources.
func (t *table) vacate(r *record) {
	r.zone.gaps.remove(r)
	next := t.scratch.records[:0]
	empty := t.scratch.spans[:0]
	for s := range r.spans {
		for c := range t.cellsIn(t.fold(s)) {
			if i := c.position(r); i >= 0 && i+1 < c.len() && c.at(i+1).waits() {
				next = append(next, c.at(i+1))
			}
			if c.remove(r) {
				empty = append(empty, c.span)
			}
		}
	}
	for _, s := range empty {
		t.cells.del(s.first)
		t.rest(s)
	}
	for _, n := range next {
		t.regap(n)
	}
	clear(next)
	t.scratch.records, t.scratch.spans = next, empty
}

// unname forgets the names of r, if they have not become another's.
func (t *table) unname(r *record) {
	t.byID.remove(r)
	if r.key != "" {
		t.byKey.remove(r)
	}
}

// withKey returns the record that a request of who with a key has made, or
// nil.
func (t *table) withKey(who Principal, key string) *record {
	if h := t.holders[who]; h != nil {
		return t.byKey.get(requestKey{h, key})
	}
	return nil
}

// retime moves the end of r, and the instant it is gone at.
func (t *table) retime(r *record, end, gone instant) {
	r.end, r.gone = end, gone
	r.zone.queue.fix(r)
	t.regapAfter(r)
}

// restart moves start and end of r, which has not begun.
func (t *table) restart(r *record, now, start, end instant) {
	t.vacate(r)
	r.zone.queue.remove(r)
	t.unname(r)
	r.holder.remove(r)
	r.start, r.end = start, end
	r.gone = r.busy()
	t.add(r, now, false)
}

// gapBefore returns since when some address of r is unoccupied before it.
func (t *table) gapBefore(r *record) instant {
	from := never
	for s := range r.spans {
		for c := range t.cellsIn(t.fold(s)) {
			switch i := c.position(r); {
			case i == 0:
				return longAgo
			case i > 0:
				from = min(from, c.at(i-1).busy())
			}
		}
	}
	return from
}

func (t *table) regap(r *record) {
	g := r.zone.gaps.of[r]
	if g == nil {
		return
	}
	if from := t.gapBefore(r); from != g.from {
		r.zone.gaps.remove(r)
		r.zone.gaps.add(r, from)
	}
}

// regapAfter brings the gaps after r up to date.
func (t *table) regapAfter(r *record) {
	next := t.scratch.records[:0]
	for s := range r.spans {
		for c := range t.cellsIn(t.fold(s)) {
			if i := c.position(r); i >= 0 && i+1 < c.len() && c.at(i+1).waits() {
				next = append(next, c.at(i+1))
			}
		}
	}
	for _, n := range next {
		t.regap(n)
	}
	clear(next)
	t.scratch.records = next
}

// over takes out a record that nobody has given back, if it was a lease.
func (t *table) over(r *record) {
	if r.state == leased {
		t.expired.Add(1)
	}
	t.remove(r)
}

// sweep takes out records that are gone at now, at most budget of them from
// each zone.
func (t *table) sweep(now instant, budget int) {
	for _, z := range t.zones {
		for n := budget; n > 0 && len(z.queue) > 0 && z.queue[0].gone <= now; n-- {
			t.over(z.queue[0].rec)
		}
	}
}
