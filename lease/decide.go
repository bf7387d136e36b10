// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// query is a request in the terms of the table: checked, and with everything
// left out filled in.
type query struct {
	op     string
	now    instant
	who    Principal
	zone   *zone
	wish   wish
	most   int           // addresses wished for
	least  int           // and acceptable
	only   []span        // the only addresses that will do; nil: any
	prefer []span        // addresses to take if possible
	pair   *pair         // as many addresses of each range; nil: no pair is asked for
	name   string        // what leads to some addresses, see choices; empty: nothing does
	self   *record       // a record that does not bind this request: its own
	rest   time.Duration // the lease will have
	rnd    *rand.Rand
}

// pick is a run of addresses chosen.
type pick struct {
	span
	until instant // others have them from here on
	fresh bool    // nobody has them at any time
}

// choice is an answer: which addresses, from when until when.
type choice struct {
	picks      []pick
	start, end instant
	fresh      bool // nobody has any of the addresses at any time
}

// The search for a place in a crowded table stops after so many cells looked
// at, and so many instants tried; what it then has is the answer.
const (
	cellsMost  = 1 << 10
	workMost   = 1 << 14
	startsMost = 1 << 8
)

// decide says which addresses and which instants a request gets, or why none:
// a function of the table, the query and its random numbers. The table is the
// same afterwards. c is overwritten, its memory reused.
//
// It prefers the earliest start, then the largest count, then the latest end.
// Which addresses: q.prefer, then those the name leads to, then any nobody has claimed for any time,
// uniformly at random (in one run as far as possible if there are several),
// then those that are free for long enough, the longest first.
func (t *table) decide(q *query, c *choice) error {
	if err := q.clamp(); err != nil {
		return err
	}
	s := search{t: t, q: q, c: c, work: workMost}
	if s.at(q.wish.start1) || s.later() {
		return nil
	}
	return s.reason()
}

// clamp narrows the starts to those that leave room for an acceptable end.
func (q *query) clamp() error {
	w := &q.wish
	s1, s2 := max(w.start1, w.end1.add(-w.len2)), min(w.start2, w.end2.add(-w.len1))
	if w.len1 > w.len2 || s1 > s2 {
		return &Error{Op: q.op, Param: ParamMinLifetime, Want: "a lifetime of at most " + w.len2.String(), Err: ErrNone}
	}
	w.start1, w.start2 = s1, s2
	return nil
}

// preferred returns the preferred addresses that are acceptable.
func (q *query) preferred() []span {
	if q.only == nil {
		return q.prefer
	}
	return common(q.prefer, q.only)
}

// search is one run of decide.
type search struct {
	t    *table
	q    *query
	c    *choice
	work int // cells still to be looked at
	left int // addresses still to be found
}

// at tries to satisfy the query with a lease that starts at start.
func (s *search) at(start instant) bool {
	lo, hi := s.q.wish.ends(start)
	s.c.picks, s.c.start, s.c.fresh = s.c.picks[:0], start, true
	s.left = s.q.most
	s.take(start, lo, hi)
	if s.q.most-s.left < s.q.least {
		return false
	}
	s.c.end = hi
	for _, p := range s.c.picks {
		s.c.end = min(s.c.end, p.until)
		s.c.fresh = s.c.fresh && p.fresh
	}
	return true
}

// take picks addresses that are free from start until lo at least, from one
// kind after the other until there are enough.
func (s *search) take(start, lo, hi instant) {
	if s.q.pair != nil {
		s.pairs(start, lo, hi)
		return
	}
	s.runs(s.q.preferred(), start, lo)
	s.named(start, lo)
	if s.q.only != nil {
		s.runs(s.q.only, start, lo)
	} else if s.left > 0 {
		s.unclaimed(lo, hi)
		if s.left > 0 {
			s.gaps(start, lo)
		}
	}
}

// free calls yield for the parts of run that are in an open source and free
// from start until at least lo and its rest: with the latest end they can be
// had until. It stops when yield returns false.
func (s *search) free(run span, start, lo instant, yield func(pick) bool) {
	more := true
	for _, src := range s.q.zone.sources {
		if !more || !src.serves(s.q.who, lo) {
			continue
		}
		src.shared(run, func(run span) bool {
			return s.t.room(run, start, s.q.now, s.q.self, func(sub span, until instant, fresh bool) bool {
				s.work--
				if until != never {
					until = until.add(-s.q.rest)
				}
				if until >= lo {
					more = yield(pick{sub, min(until, src.until), fresh})
				}
				return more && s.work > 0
			})
		})
	}
}

// room calls yield for the parts of run, with the instant until which nobody
// has them from start on: longAgo if somebody has them at start. What is gone
// at now and what is of self does not count.
func (t *table) room(run span, start, now instant, self *record, yield func(sub span, until instant, fresh bool) bool) bool {
	places := t.fold(run)
	back := run.first.Sub(places.first) // from what is in the index to addresses
	next, more := places.first, true
	for c := range t.cellsIn(places) {
		if next.Less(c.first) && !yield(span{next.Add(back), c.first.Sub(one).Add(back)}, never, true) {
			return false
		}
		next = c.last.Add(one)
		cut := c.clip(places)
		if more = yield(span{cut.first.Add(back), cut.last.Add(back)}, c.room(start, now, self), false); !more {
			return false
		}
	}
	if !places.last.Less(next) {
		more = yield(span{next.Add(back), run.last}, never, true)
	}
	return more
}

// room returns the instant until which the cell is free from start on.
func (c *cell) room(start, now instant, self *record) instant {
	counts := func(r *record) bool { return r != self && r.gone > now }
	i := c.after(start + 1)
	for j := i - 1; j >= 0; j-- {
		if r := c.at(j); counts(r) {
			if r.busy() > start {
				return longAgo
			}
			break // what was before it was over even earlier
		}
	}
	for ; i < c.len(); i++ {
		if r := c.at(i); counts(r) {
			return r.start
		}
	}
	return never
}

// runs takes what is free of the given runs, the parts that are free longest
// first, and of a run that is longer than needed a part at random.
func (s *search) runs(runs []span, start, lo instant) {
	if s.left == 0 || len(runs) == 0 {
		return
	}
	had := len(s.c.picks)
	budget := cellsMost
	for _, run := range runs {
		s.free(run, start, lo, func(p pick) bool {
			budget--
			s.c.picks = append(s.c.picks, p)
			return budget > 0
		})
		if budget == 0 {
			break
		}
	}
	s.choose(had)
}

// choose keeps of the picks from position had on the best, as many addresses
// as are still needed. A cell may have been found more than once, and in one
// lease as among several no two addresses may occupy the same place. Of those
// that are equally good one at random comes first, then what follows it.
func (s *search) choose(had int) {
	found := s.c.picks[had:]
	if len(found) > 1 {
		from := found[s.q.rnd.IntN(len(found))].first
		slices.SortFunc(found, func(a, b pick) int {
			return cmp.Or(cmp.Compare(b.until, a.until), a.first.Sub(from).Cmp(b.first.Sub(from)))
		})
	}
	found = slices.CompactFunc(found, func(a, b pick) bool { return a.span == b.span })
	if had > 0 || s.t.link {
		found = slices.Clone(found) // the parts left of one may be several
	}
	s.c.picks = s.c.picks[:had]
	for _, p := range found {
		before := had // what was found now does not overlap
		if s.t.link {
			before = len(s.c.picks)
		}
		parts := []span{p.span}
		for _, other := range s.c.picks[:before] {
			parts = s.t.apart(parts, other.span)
		}
		for _, p.span = range parts {
			if s.left == 0 {
				return
			}
			if p.size() > s.left {
				p.span = s.part(p.span)
			}
			s.left -= p.size()
			s.c.picks = append(s.c.picks, p)
		}
	}
}

// part returns a random run of the addresses still needed out of a longer
// one.
func (s *search) part(run span) span {
	spare := run.last.Sub(run.first).Sub(scope.U128(uint64(s.left - 1)))
	n := number{Lo: s.q.rnd.Uint64()}
	if spare.Hi == 0 {
		n.Lo = s.q.rnd.Uint64N(max(spare.Lo+1, 1))
	}
	run.first = run.first.Add(n)
	return run.head(s.left)
}

// gaps takes addresses that others have, but not from start until lo.
func (s *search) gaps(start, lo instant) {
	had, budget := len(s.c.picks), cellsMost
	add := func(r *record) bool {
		for run := range r.spans {
			s.free(run, start, lo, func(p pick) bool {
				budget--
				s.c.picks = append(s.c.picks, p)
				return budget > 0
			})
			if budget == 0 {
				break
			}
		}
		return budget > 0 && s.work > 0
	}
	s.q.zone.queue.until(start, add)
	s.q.zone.gaps.around(start, lo.add(s.q.rest), add)
	s.choose(had)
}

// later tries the instants after the earliest acceptable start at which some
// address becomes free, in their order.
func (s *search) later() bool {
	w := &s.q.wish
	if w.start2 <= w.start1 {
		return false
	}
	after := starts{zone: s.q.zone, last: w.start1}
	if s.q.only != nil {
		after.listed = s.ends(w.start1)
	}
	for range startsMost {
		start, ok := after.next()
		if !ok || start > w.start2 || s.work <= 0 {
			return false
		}
		if s.at(start) {
			return true
		}
	}
	return false
}

// ends lists the instants after t at which addresses of q.only become free,
// ascending.
func (s *search) ends(t instant) []instant {
	list := make([]instant, 0, 16)
	for _, src := range s.q.zone.sources {
		for _, run := range s.q.only {
			src.shared(run, func(run span) bool {
				for c := range s.t.cellsIn(s.t.fold(run)) {
					for i := range c.len() {
						s.work--
						if end := c.at(i).busy(); end > t {
							list = append(list, end)
						}
					}
					if s.work <= 0 {
						return false
					}
				}
				return true
			})
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// reason says why nothing was found, for a person and for the extra data of a
// MADCAP NAK: which relaxed parameter would have helped.
func (s *search) reason() error {
	e := &Error{Op: s.q.op, Err: ErrNone}
	q := *s.q
	relaxed := func(change func(*query)) bool {
		r := q
		change(&r)
		again := search{t: s.t, q: &r, c: s.c, work: cellsMost}
		return again.at(r.wish.start1)
	}
	switch {
	case q.least > 1 && relaxed(func(r *query) { r.least = 1 }):
		e.Param, e.Want = ParamCount, "fewer addresses"
	case relaxed(func(r *query) { r.least, r.wish.len1, r.wish.end1 = 1, 1, longAgo }):
		e.Param, e.Want = ParamMinLifetime, "a shorter lifetime"
	case q.only != nil:
		e.Param, e.Want = ParamAddrs, "other addresses"
	case q.wish.start1 > q.now || q.wish.start2 > q.wish.start1:
		e.Param, e.Want = ParamMaxStart, "a later start"
	}
	return e
}
