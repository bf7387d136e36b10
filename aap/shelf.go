// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// shelf holds the free addresses of the parts of a space that have the same end.
type shelf struct {
	end    time.Time
	area   scope.Set
	free   scope.Space
	beside scope.Space // the free ones beside our own allocations
}

// shelve returns the shelves of a space, still empty, by end.
func shelve(space []TimedRange) []*shelf {
	space = Normalize(space)
	slices.SortStableFunc(space, func(a, b TimedRange) int { return a.End.Compare(b.End) })
	var shelves []*shelf
	for len(space) > 0 {
		n := slices.IndexFunc(space, func(r TimedRange) bool { return !r.End.Equal(space[0].End) })
		if n < 0 {
			n = len(space)
		}
		shelves = append(shelves, &shelf{end: space[0].End, area: Addrs(space[:n])})
		space = space[n:]
	}
	return shelves
}

// fill puts a set on an empty shelf, and finds what of it is beside our own.
func (s *shelf) fill(free scope.Set, own func(netip.Addr) bool) {
	s.free, s.beside = scope.Space{}, scope.Space{}
	for r := range free.Ranges() {
		s.add(r, own)
	}
}

// add makes addresses free.
func (s *shelf) add(r scope.Range, own func(netip.Addr) bool) {
	_ = s.free.Add(r)
	if own(r.First().Prev()) {
		_ = s.beside.Add(scope.Single(r.First()))
	}
	if own(r.Last().Next()) {
		_ = s.beside.Add(scope.Single(r.Last()))
	}
}

// remove makes addresses no longer free.
func (s *shelf) remove(r scope.Range) {
	_ = s.free.Remove(r)
	_ = s.beside.Remove(r)
}

// neighbours looks anew whether an address is beside our own.
func (s *shelf) neighbours(a netip.Addr, own func(netip.Addr) bool) {
	if s.free.Contains(a) && (own(a.Prev()) || own(a.Next())) {
		_ = s.beside.Add(scope.Single(a))
	} else {
		_ = s.beside.Remove(scope.Single(a))
	}
}

// setShelves makes the shelves of a space. If only ends have changed, and alike
// for addresses that had the same, the shelves stay.
func (m *MAAS) setShelves(space []TimedRange) {
	shelves := shelve(space)
	if slices.EqualFunc(m.shelves, shelves, func(a, b *shelf) bool { return a.area.Equal(b.area) }) {
		for i, s := range m.shelves {
			s.end = shelves[i].end
		}
		return
	}
	m.shelves, m.weak = shelves, scope.Space{}
	m.areas = intervals[*shelf]{rng: m.rng}
	for _, s := range shelves {
		var free scope.SetBuilder
		for area := range s.area.Ranges() {
			m.areas.put(area, s)
			for gap := range m.blocks.gaps(area) {
				free.Add(gap)
			}
			for p := range m.blocks.in(area) {
				if p.v.isWeak() {
					_ = m.weak.Add(p.r)
				}
			}
		}
		set, _ := free.Set()
		s.fill(set, m.isOwn)
	}
}

// reshelve moves addresses whose reasons not to be free have changed.
func (m *MAAS) reshelve(r scope.Range, was, is block) {
	if was.isFree() == is.isFree() && was.isWeak() == is.isWeak() {
		return
	}
	for area := range m.areas.in(r) {
		switch {
		case is.isFree():
			area.v.add(area.r, m.isOwn)
		case was.isFree():
			area.v.remove(area.r)
		}
		switch {
		case is.isWeak():
			_ = m.weak.Add(area.r)
		case was.isWeak():
			_ = m.weak.Remove(area.r)
		}
	}
}

// isOwn reports whether we have allocated an address.
func (m *MAAS) isOwn(a netip.Addr) bool {
	_, ok := m.held.at(a)
	return ok
}

// setOwn makes r part of an allocation, or of none if h is nil.
func (m *MAAS) setOwn(r scope.Range, h *holding) {
	m.held.take(r)
	if h != nil {
		m.held.put(r, h)
	}
	for _, a := range [...]netip.Addr{r.First().Prev(), r.Last().Next()} {
		if p, ok := m.areas.at(a); ok {
			p.v.neighbours(a, m.isOwn)
		}
	}
}

// pick chooses up to n free addresses until a time for an ACLM or AITU, by the
// rules of [Candidates], and takes them off their shelves.
func (m *MAAS) pick(now time.Time, purpose Type, n uint64, until time.Time) scope.Set {
	p := picker{need: scope.U128(n), rng: m.cfg.Rand, own: m.isOwn, take: func(r scope.Range) { m.block(r, taken) }}
	for _, s := range m.shelves {
		if !s.end.Before(until) {
			p.pickFrom(s)
		}
	}
	if purpose == ACLM && !p.need.IsZero() && !m.weak.IsEmpty() {
		m.pickWeak(now, &p, until)
	}
	return p.set()
}

// pickWeak picks from what others have preallocated, as free space is low. It
// takes time in proportion to that.
func (m *MAAS) pickWeak(now time.Time, p *picker, until time.Time) {
	weak := Candidates{}
	for _, s := range m.shelves {
		for r := range common(s.area, m.weak.Set()).Ranges() {
			weak.Space = append(weak.Space, TimedRange{r, s.end})
			for _, a := range [...]netip.Addr{r.First().Prev(), r.Last().Next()} {
				if m.isOwn(a) {
					weak.Own = union(weak.Own, setOf(a))
				}
			}
		}
	}
	weak.Stale = m.others.silent(now.Add(-m.cfg.Timing.Recent))
	weak.Recent = minus(m.weak.Set(), weak.Stale)
	n, _ := p.need.Uint64()
	for r := range weak.Choose(ACLM, n, until, p.rng).Ranges() {
		p.take(r)
		p.picked.Add(r)
	}
}

func setOf(a netip.Addr) scope.Set {
	s, _ := scope.SetOf(scope.Single(a))
	return s
}
