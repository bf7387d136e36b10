// SPDX-License-Identifier: BSD-3-Clause

package mzaptest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/mcastalloc/malloc/scope"
)

// World is a random network that is configured without a mistake, and knows
// its own truth. Its local zones, called areas, form a tree, sometimes with two
// connections between neighbours; a connection has a boundary router at either
// end. The zones of its scopes are connected sets of areas, so all of them are
// convex; they may contain, equal, overlap and miss each other, and a scope may
// have two zones. Every area has a host.
type World struct {
	*Network
	Scopes []scope.Scope

	parents []int      // of each area but the first
	zones   [][][]bool // by scope and zone: which areas belong to it
	borders []border
	areas   []*Link
}

// border is a router of one area on a connection to another one.
type border struct {
	router   *Router
	area, to int
	across   *Link
}

// NewWorld makes a world of 2 to maxAreas areas and 1 to maxScopes scopes. If
// laminar is set, zones that share an area contain one another.
func NewWorld(seed uint64, maxAreas, maxScopes int, laminar bool) *World {
	rnd := rand.New(rand.NewPCG(seed, 1))
	w := &World{Network: NewNetwork(seed)}
	w.IPv6 = rnd.IntN(4) == 0
	areas := 2 + rnd.IntN(maxAreas-1)
	for a := range areas {
		w.parents = append(w.parents, max(0, a-1-rnd.IntN(3)))
		w.addArea(a, rnd)
	}
	for range 1 + rnd.IntN(maxScopes) {
		w.addScope(rnd, laminar)
	}
	for a := 1; a < areas; a++ {
		w.connect(a, w.parents[a], rnd)
		if rnd.IntN(4) == 0 {
			w.connect(a, w.parents[a], rnd)
		}
	}
	return w
}

// addArea adds a link with a host, and perhaps a second link behind a router
// that bounds nothing.
func (w *World) addArea(a int, rnd *rand.Rand) {
	l := w.Link(fmt.Sprint("area", a))
	w.areas = append(w.areas, l)
	at := l
	if rnd.IntN(3) == 0 {
		at = w.Link(fmt.Sprint("inner", a))
		w.Router(fmt.Sprint("inner", a), l, at)
	}
	w.Host(fmt.Sprint("host", a), at)
}

// addScope gives a scope one or two zones, none of which covers everything.
func (w *World) addScope(rnd *rand.Rand, laminar bool) {
	i := len(w.Scopes) + 1
	s := ScopeOf(fmt.Sprint("Scope ", i), fmt.Sprintf("239.%d.0.0", i), fmt.Sprintf("239.%d.255.255", i))
	if w.IPv6 {
		s = ScopeOf(fmt.Sprint("Scope ", i), fmt.Sprintf("ff05:%x::", i), fmt.Sprintf("ff05:%x:ffff:ffff:ffff:ffff:ffff:ffff", i))
	}
	s.Divisible = rnd.IntN(3) == 0
	taken := make([]bool, len(w.areas))
	var zones [][]bool
	for range 1 + rnd.IntN(2) {
		zone := w.randomZone(rnd, taken)
		if zone == nil || laminar && !w.laminarWith(zone) {
			continue
		}
		zones = append(zones, zone)
		for a := range zone {
			taken[a] = taken[a] || zone[a]
		}
	}
	w.Scopes, w.zones = append(w.Scopes, s), append(w.zones, zones)
}

// randomZone grows a connected set of areas that are not taken. It leaves at
// least one area out.
func (w *World) randomZone(rnd *rand.Rand, taken []bool) []bool {
	start := rnd.IntN(len(w.areas))
	if taken[start] {
		return nil
	}
	zone := make([]bool, len(w.areas))
	zone[start] = true
	for size := 1 + rnd.IntN(len(w.areas)-1); size > 1; size-- {
		var next []int
		for a := range zone {
			if !zone[a] && !taken[a] && w.touches(a, zone) {
				next = append(next, a)
			}
		}
		if len(next) == 0 {
			break
		}
		zone[next[rnd.IntN(len(next))]] = true
	}
	return zone
}

// touches reports whether an area is a neighbour of a zone.
func (w *World) touches(a int, zone []bool) bool {
	if a > 0 && zone[w.parents[a]] {
		return true
	}
	for b := a + 1; b < len(w.parents); b++ {
		if w.parents[b] == a && zone[b] {
			return true
		}
	}
	return false
}

func (w *World) laminarWith(zone []bool) bool {
	for _, zones := range w.zones {
		for _, z := range zones {
			if meet(z, zone) && !subset(z, zone) && !subset(zone, z) {
				return false
			}
		}
	}
	return true
}

func meet(a, b []bool) bool {
	for i := range a {
		if a[i] && b[i] {
			return true
		}
	}
	return false
}

func subset(a, b []bool) bool {
	for i := range a {
		if a[i] && !b[i] {
			return false
		}
	}
	return true
}

// connect joins two areas by two routers and a link between them, which may
// belong to either of the local zones or to none.
func (w *World) connect(a, b int, rnd *rand.Rand) {
	across := w.Link(fmt.Sprintf("%d-%d", a, b))
	local := 1 + rnd.IntN(3)
	for side, area := range []int{a, b} {
		to := a + b - area
		r := w.Router(fmt.Sprintf("r%d-%d.%d", area, to, across.number), w.areas[area], across)
		w.borders = append(w.borders, border{r, area, to, across})
		if local&(1+side) != 0 {
			r.BoundLocal(across)
		}
		for i, s := range w.Scopes {
			if z := w.zoneAt(i, area); z != nil && !z[to] {
				r.Bound(s, across)
			}
		}
	}
}

// zoneAt returns the zone of a scope that holds an area, or nil.
func (w *World) zoneAt(s, area int) []bool {
	for _, z := range w.zones[s] {
		if z[area] {
			return z
		}
	}
	return nil
}

// Areas returns the number of areas. Host i is in area i.
func (w *World) Areas() int { return len(w.areas) }

// In reports whether an area is in some zone of a scope.
func (w *World) In(area int, id scope.ID) bool { return w.zoneAt(w.index(id), area) != nil }

// Nests reports whether, seen from an area that is in both, the zone of one
// scope consists of areas of the other's.
func (w *World) Nests(area int, inner, outer scope.ID) bool {
	return subset(w.zoneAt(w.index(inner), area), w.zoneAt(w.index(outer), area))
}

func (w *World) index(id scope.ID) int {
	return slices.IndexFunc(w.Scopes, func(s scope.Scope) bool { return s.ID() == id })
}
