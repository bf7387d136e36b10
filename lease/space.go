// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// source is a Source inside a pool.
type source struct {
	addrs   scope.Set
	ranges  []span       // the same, ascending
	free    *scope.Space // addresses that no record holds at any time
	rested  spanQueue    // more of them, those that became free last
	until   instant      // when the addresses are ours no more
	closed  bool         // no new lease and no later end here
	retired bool         // the same, as the store says
	reserve func(Principal) bool
}

// restedMost bounds source.rested: of more runs than that the oldest count
// as having rested long enough.
const restedMost = 1 << 12

func (t *table) newSource(set scope.Set, until time.Time, reserve func(Principal) bool) *source {
	s := &source{addrs: set, free: scope.NewSpace(set), until: never, reserve: reserve}
	if !until.IsZero() {
		s.until = instantOf(until)
	}
	for r := range set.Ranges() {
		s.ranges = append(s.ranges, spanOf(r))
	}
	if t.link {
		s.ranges = linkRuns(s.ranges)
	}
	return s
}

// shut reports whether nothing is granted or prolonged in the source.
func (src *source) shut() bool { return src.closed || src.retired }

// serves reports whether who can have a lease until t at least in the source.
func (src *source) serves(who Principal, t instant) bool {
	return !src.shut() && src.until >= t && (src.reserve == nil || src.reserve(who))
}

// shared calls yield for the parts of s that lie in the source, ascending,
// until it returns false.
func (src *source) shared(s span, yield func(span) bool) bool {
	i, _ := slices.BinarySearchFunc(src.ranges, s.first, func(r span, n number) int { return r.last.Cmp(n) })
	for ; i < len(src.ranges) && !s.last.Less(src.ranges[i].first); i++ {
		if !yield(s.clip(src.ranges[i])) {
			return false
		}
	}
	return true
}

// take takes out of the free addresses of every source what occupies s in the
// index.
func (t *table) take(s span) {
	t.eachShare(s, func(src *source, s span) { src.free.Remove(s.toRange()) })
}

// give puts s back into the free addresses at once.
func (t *table) give(s span) { t.eachShare(s, func(src *source, s span) { src.free.Add(s.toRange()) }) }

// rest puts s, which nobody has any more, behind the free addresses: it is
// granted again when these run short, or when many others have become free
// since.
func (t *table) rest(s span) {
	t.eachShare(s, func(src *source, s span) {
		if src.rested.push(s); src.rested.len() > restedMost {
			t.wakeOne(src)
		}
	})
}

// wake makes rested addresses of the source free, oldest first, until n are
// free or none is resting.
func (t *table) wake(src *source, n int) {
	for src.rested.len() > 0 && src.free.Size().Cmp(scope.U128(uint64(n))) < 0 {
		t.wakeOne(src)
	}
}

// wakeOne makes the run that has rested longest free, except for what
// somebody has taken meanwhile by its address.
func (t *table) wakeOne(src *source) {
	t.room(src.rested.pop(), 0, 0, nil, func(sub span, _ instant, fresh bool) bool {
		if fresh {
			src.free.Add(sub.toRange())
		}
		return true
	})
}

// eachShare calls do for the addresses in each source that occupy s in the
// index.
func (t *table) eachShare(s span, do func(*source, span)) {
	for _, z := range t.zones {
		for _, src := range z.sources {
			if t.link {
				for _, run := range src.ranges {
					t.unfold(run, s, func(s span) { do(src, s) })
				}
				continue
			}
			src.shared(s, func(s span) bool {
				do(src, s)
				return true
			})
		}
	}
}

// spanQueue is a queue of runs of addresses.
type spanQueue struct {
	runs []span
	head int // so many of the runs have left
}

func (q *spanQueue) len() int { return len(q.runs) - q.head }

func (q *spanQueue) push(s span) {
	if q.head > len(q.runs)/2 {
		n := copy(q.runs, q.runs[q.head:])
		q.runs, q.head = q.runs[:n], 0
	}
	q.runs = append(q.runs, s)
}

// pop returns the run that came first.
func (q *spanQueue) pop() span {
	q.head++
	return q.runs[q.head-1]
}
