// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// The naive model of a pool: a slice of rectangles, addresses by time, and
// linear searches. It knows nothing of indexes, sweeps or budgets.
type rectangle struct {
	id         ID
	who        Principal
	key        string
	addrs      []netip.Addr
	start, end time.Time
	hold       time.Time // of an offer; zero: a lease
	released   bool
}

type model struct {
	link          bool // Ethernet addresses must differ, not only addresses
	rest, longest time.Duration
	universe      []netip.Addr
	rects         []*rectangle
}

// counts reports whether the rectangle still keeps others out at now.
func (m *model) counts(r *rectangle, now time.Time) bool {
	if !r.hold.IsZero() && !now.Before(r.hold) {
		return false
	}
	return now.Before(r.end.Add(m.rest))
}

func (m *model) tidy(now time.Time) {
	m.rects = slices.DeleteFunc(m.rects, func(r *rectangle) bool { return !m.counts(r, now) })
}

var forever = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// same reports whether a and b must not be used by two at once.
func (m *model) same(a, b netip.Addr) bool { return a == b || m.link && scope.Collides(a, b) }

// until returns when a is next taken by anybody but except, seen from t; the
// zero time if it is taken at t.
func (m *model) until(a netip.Addr, t time.Time, except *rectangle) time.Time {
	next := forever
	for _, r := range m.rects {
		if r == except || !slices.ContainsFunc(r.addrs, func(b netip.Addr) bool { return m.same(a, b) }) {
			continue
		}
		if !t.Before(r.start) && t.Before(r.end.Add(m.rest)) {
			return time.Time{}
		}
		if t.Before(r.start) && r.start.Before(next) {
			next = r.start
		}
	}
	return next
}

type wanted struct {
	n1, n2     int
	s1, s2     time.Time
	d1, d2     time.Duration
	addrs      []netip.Addr
	start, end time.Time // answer
	count      int
}

// answer works out what the pool must grant: the earliest start, the largest
// count, the latest end.
func (m *model) answer(w *wanted, except *rectangle) bool {
	starts := []time.Time{w.s1}
	for _, r := range m.rects {
		starts = append(starts, r.end.Add(m.rest))
		if !r.hold.IsZero() {
			starts = append(starts, r.hold)
		}
	}
	slices.SortFunc(starts, time.Time.Compare)
	for _, t := range starts {
		if t.Before(w.s1) || t.After(w.s2) {
			continue
		}
		lo, hi := t.Add(w.d1), t.Add(w.d2)
		var ends []time.Time
		for i, a := range w.addrs {
			if slices.ContainsFunc(w.addrs[:i], func(b netip.Addr) bool { return m.same(a, b) }) {
				continue
			}
			if end := m.until(a, t, except).Add(-m.rest); !end.Before(lo) {
				ends = append(ends, end)
			}
		}
		if len(ends) < w.n1 {
			continue
		}
		slices.SortFunc(ends, func(a, b time.Time) int { return b.Compare(a) })
		w.count = min(w.n2, len(ends))
		w.start, w.end = t, hi
		if last := ends[w.count-1]; last.Before(hi) {
			w.end = last
		}
		return true
	}
	return false
}

// overlap finds two rectangles that share an address at one time.
func (m *model) overlap() string {
	for i, a := range m.rects {
		for _, b := range m.rects[:i] {
			if !a.start.Before(b.end.Add(m.rest)) || !b.start.Before(a.end.Add(m.rest)) {
				continue
			}
			for _, x := range a.addrs {
				if slices.ContainsFunc(b.addrs, func(y netip.Addr) bool { return m.same(x, y) }) {
					return fmt.Sprintf("%v: %v..%v and %v..%v", x, a.start, a.end, b.start, b.end)
				}
			}
		}
	}
	return ""
}
