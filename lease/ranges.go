// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"cmp"
	"slices"

	"github.com/mcastalloc/malloc/scope"
)

// AddSource adds addresses to grant. If the pool has exactly these addresses
// as a source of that scope already, the source gets the new ValidUntil, which
// must not be earlier, and is open again if it was closed. Addresses that
// belong to another source of the scope are refused.
//
// Scopes whose ranges overlap are one scope as far as leases are concerned:
// no address is leased in two of them at once.
func (p *Pool) AddSource(s Source) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addSource(s)
}

func (p *Pool) addSource(s Source) error {
	set, err := s.grantable(p.cfg.GroupIDs)
	if err != nil {
		return err
	}
	z := p.zoneOf[s.Scope.ID()]
	if z != nil && z.hidden {
		z.scope, z.hidden = s.Scope, false
	}
	if z != nil && z.scope.Range != s.Scope.Range {
		return sourceError(ParamScope, s.Scope.Range.String(), "the range the scope has already, "+z.scope.Range.String(), ErrScope)
	}
	if z == nil {
		z = &zone{family: FamilyOf(s.Scope.ID()), scope: s.Scope}
		p.zoneOf[s.Scope.ID()] = z
		p.t.zones = append(p.t.zones, z)
	}
	src := p.t.newSource(set, s.ValidUntil, s.For)
	for _, old := range z.sources {
		switch {
		case old.addrs.Equal(set):
			if src.until < old.until {
				return sourceError(ParamLifetime, text(s.ValidUntil), "at least "+text(old.until.time())+", as promised", ErrLifetime)
			}
			old.until, old.closed, old.reserve = src.until, false, s.For
			z.sortSources()
			return nil
		case old.addrs.Overlaps(set):
			return sourceError(ParamAddrs, set.String(), "addresses that no other source of the scope has", ErrScope)
		}
	}
	p.t.exclude(src)
	z.sources = append(z.sources, src)
	z.sortSources()
	return nil
}

func sourceError(param Param, got, want string, err error) error {
	return &Error{Op: "configure", Param: param, Got: got, Want: want, Err: err}
}

// sortSources puts those first that are valid longest.
func (z *zone) sortSources() {
	slices.SortStableFunc(z.sources, func(a, b *source) int { return cmp.Compare(b.until, a.until) })
}

// exclude takes out of the free addresses of a new source what is in a cell.
func (t *table) exclude(src *source) {
	for _, r := range src.ranges {
		for c := range t.cellsIn(t.fold(r)) {
			t.unfold(r, c.span, func(s span) { src.free.Remove(s.toRange()) })
		}
	}
}

// CloseSource closes addresses of a scope: no lease is granted there any more
// and none gets a later end, while those there are run out or are released
// (RFC 2908 section 5: addresses that have been promised are not withdrawn).
// The empty set closes the whole scope. The error is [ErrScope] if the scope
// is not served here. AddSource opens a source again.
func (p *Pool) CloseSource(id scope.ID, addrs scope.Set) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	inside, err := p.cutSources(id, addrs)
	for _, src := range inside {
		src.closed = true
	}
	return err
}

// RemoveSource takes addresses out of the pool. It is refused with [ErrInUse]
// as long as somebody has a lease, an offer or a resting address there; close
// them first. The empty set removes all addresses of the scope, which is then
// still listed, but has nothing to grant.
func (p *Pool) RemoveSource(id scope.ID, addrs scope.Set) error {
	now, _ := p.begin()
	defer p.mu.Unlock()
	p.t.sweep(now, p.t.byID.n+1)
	inside, err := p.cutSources(id, addrs)
	if err != nil {
		return err
	}
	for _, src := range inside {
		for _, r := range src.ranges {
			for range p.t.cellsIn(p.t.fold(r)) {
				return sourceError(ParamAddrs, r.toRange().String(), "addresses that nobody has", ErrInUse)
			}
		}
	}
	z := p.zoneOf[id]
	z.sources = slices.DeleteFunc(z.sources, func(s *source) bool { return slices.Contains(inside, s) })
	return nil
}

// cutSources divides the sources of a scope so that each is inside addrs or
// outside, and returns those inside.
func (p *Pool) cutSources(id scope.ID, addrs scope.Set) (inside []*source, err error) {
	z := p.zoneOf[id]
	if z == nil {
		return nil, sourceError(ParamScope, id.String(), "a scope that is served here", ErrScope)
	}
	if addrs.IsEmpty() {
		return slices.Clone(z.sources), nil
	}
	if addrs.Is4() != (z.family == IPv4) {
		return nil, sourceError(ParamAddrs, addrs.String(), "addresses of the scope's family", ErrFamily)
	}
	var all []*source
	for _, src := range z.sources {
		in, _ := src.addrs.Intersect(addrs)
		out, _ := src.addrs.Subtract(addrs)
		switch {
		case in.IsEmpty():
			all = append(all, src)
		case out.IsEmpty():
			all, inside = append(all, src), append(inside, src)
		default:
			for _, part := range []scope.Set{in, out} {
				cut := p.t.newSource(part, never.time(), src.reserve)
				cut.until, cut.closed, cut.retired = src.until, src.closed, src.retired
				p.t.exclude(cut)
				all = append(all, cut)
			}
			inside = append(inside, all[len(all)-2])
		}
	}
	z.sources = all
	z.sortSources()
	return inside, nil
}
