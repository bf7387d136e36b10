// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/mcastalloc/malloc/scope"
)

// served is what a server knows of the scopes of one family.
type served struct {
	scopes  []scope.Scope // topologically smallest first
	zones   []Zone        // the same as they go into a Scope List
	nesting Opt[NestingState]
	known   *scope.Nesting            // what is known, and what follows from it
	likely  *scope.Nesting            // and what can be assumed besides
	groups  map[netip.Addr]netip.Addr // server group to Scope ID
}

// SetScopes changes which scopes are in effect and which nests inside which;
// nesting may be nil. It fails for scopes that no Scope List can hold: not
// multicast, more than 255 of a family, two with the same Scope ID, or names
// longer than 255 octets.
func (s *Server) SetScopes(scopes []scope.Scope, nesting *scope.Nesting) error {
	zones := make(map[AddrFamily]*served)
	for _, family := range []AddrFamily{FamilyIPv4, FamilyIPv6} {
		v := &served{groups: make(map[netip.Addr]netip.Addr)}
		for _, sc := range scopes {
			if FamilyOf(sc.ID()) == family {
				v.scopes = append(v.scopes, sc)
			}
		}
		if len(v.scopes) == 0 {
			continue
		}
		if err := v.prepare(family, nesting); err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
		zones[family] = v
	}
	for _, sc := range scopes {
		if !sc.Range.IsValid() {
			return fmt.Errorf("%w: a scope without addresses", ErrConfig)
		}
	}
	s.zones = zones
	return nil
}

// prepare orders the scopes and computes what is asked for often.
func (v *served) prepare(family AddrFamily, nesting *scope.Nesting) error {
	ids := make([]scope.ID, len(v.scopes))
	for i, sc := range v.scopes {
		ids[i] = sc.ID()
	}
	v.known = scope.NewNesting(ids...)
	if nesting != nil {
		for _, inner := range ids {
			for _, outer := range ids {
				if r := nesting.Of(inner, outer); inner != outer && r != scope.Unknown {
					if err := v.known.Set(inner, outer, r); err != nil {
						return err
					}
				}
			}
		}
		if err := v.known.Closure(); err != nil {
			return err
		}
	}
	v.likely = assume(v.known, ids)
	// A scope has more scopes inside it than any of these has.
	inside := make(map[scope.ID]int)
	for _, id := range ids {
		smaller, _ := v.likely.Smaller(id)
		for range smaller {
			inside[id]++
		}
	}
	slices.SortStableFunc(v.scopes, func(a, b scope.Scope) int {
		return cmp.Or(cmp.Compare(inside[a.ID()], inside[b.ID()]), a.Range.Size().Cmp(b.Range.Size()), a.ID().Compare(b.ID()))
	})
	for _, sc := range v.scopes {
		z := Zone{Range: sc.Range, TTL: sc.TTL}
		for n := range sc.Names.All() {
			z.Names = append(z.Names, ZoneName{Default: n.Default, Tag: []byte(n.Tag), Text: []byte(n.Text)})
		}
		v.zones = append(v.zones, z)
		if g, err := ServerGroup(sc.Range); err == nil {
			v.groups[g] = sc.ID()
		}
	}
	if nesting != nil {
		n := NewNestingState(min(len(v.scopes), 255))
		for i := range n.Len() {
			for j := range n.Len() {
				if i != j && v.known.Of(v.scopes[i].ID(), v.scopes[j].ID()) == scope.Yes {
					if err := n.SetNests(i, j, true); err != nil {
						return err
					}
				}
			}
		}
		v.nesting = Some(n)
	}
	probe := Message{Type: TypeAck, Family: family, ScopeList: Some(v.zones)}
	_, err := probe.MarshalBinary()
	return err
}

// serves reports whether a Scope ID is one of the server's.
func (v *served) serves(id netip.Addr) bool {
	return slices.ContainsFunc(v.scopes, func(sc scope.Scope) bool { return sc.ID() == id })
}

// mayAsk reports whether a DISCOVER or REQUEST for the scope wanted may come in
// on a server group: that of the scope itself or of one inside it (RFC 2730,
// section 2.11). A group that is none of a scope's is the Local Scope's, or
// configured to be used like it.
func (v *served) mayAsk(group netip.Addr, local bool, wanted scope.ID) bool {
	if from, ok := v.groups[group]; ok {
		return v.likely.Of(from, wanted) == scope.Yes
	}
	id := scope.IPv4Local().ID()
	if wanted.Is6() {
		id = scope.IPv6(3).ID()
	}
	return local && (id == wanted || isWithin(id, wanted))
}

// assume adds to what is known of some scopes how scopes usually nest, unless
// that contradicts it.
func assume(known *scope.Nesting, ids []scope.ID) *scope.Nesting {
	likely := scope.NewNesting(ids...)
	for _, inner := range ids {
		for _, outer := range ids {
			r := known.Of(inner, outer)
			if r == scope.Unknown && known.Of(outer, inner) != scope.Yes && isWithin(inner, outer) {
				r = scope.Yes
			}
			if likely.Set(inner, outer, r) != nil {
				return known
			}
		}
	}
	if likely.Closure() != nil {
		return known
	}
	return likely
}

// isWithin reports whether one scope usually nests inside another: the IPv4
// Local Scope in all but link scope, all in the global one (RFC 2365, sections
// 6.1 and 7); an IPv6 scope in those with a higher scop.
func isWithin(inner, outer scope.ID) bool {
	if inner.Is6() {
		a, b := inner.As16(), outer.As16()
		return a[1]&15 < b[1]&15
	}
	rank := func(id scope.ID) int {
		switch {
		case scope.IPv4LinkLocal().Range.Contains(id):
			return 0
		case scope.IPv4Local().Range.Contains(id):
			return 1
		case inGlobalScope(id):
			return 3
		}
		return 2
	}
	return rank(inner) < rank(outer)
}

// inLanguage fills the server's buffers with the zones, at most one name in
// each: the one with the tag, else the default, else the first (RFC 2730,
// section 3.10).
func (s *Server) inLanguage(zones []Zone, tag []byte) []Zone {
	s.zoneBuf, s.nameBuf = s.zoneBuf[:0], s.nameBuf[:0]
	s.nameBuf = slices.Grow(s.nameBuf, len(zones)) // the zones point into it
	for _, z := range zones {
		best := -1
		for i := range z.Names {
			n := &z.Names[i]
			if equalTag(n.Tag, tag) {
				best = i
				break
			}
			if best < 0 || n.Default && !z.Names[best].Default {
				best = i
			}
		}
		if best >= 0 {
			at := len(s.nameBuf)
			s.nameBuf = append(s.nameBuf, z.Names[best])
			z.Names = s.nameBuf[at : at+1 : at+1]
		}
		s.zoneBuf = append(s.zoneBuf, z)
	}
	return s.zoneBuf
}

// equalTag compares language tags without regard to ASCII case.
func equalTag(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
