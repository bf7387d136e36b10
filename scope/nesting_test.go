// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestNestingNotFromRanges checks SCOPE-2776-2: one range inside another says
// nothing about the zones.
func TestNestingNotFromRanges(t *testing.T) {
	inner, outer := MustRange("239.1.0.1", "239.1.255.255"), MustRange("239.1.0.0", "239.2.0.0")
	n := NewNesting(inner.First(), outer.First())
	if !outer.Covers(inner) || n.Of(inner.First(), outer.First()) != Unknown || n.Of(outer.First(), inner.First()) != Unknown {
		t.Fatal("nesting was read off the ranges")
	}
	if err := n.Closure(); err != nil || n.Of(inner.First(), outer.First()) != Unknown {
		t.Fatalf("closure made it up: %v", err)
	}
	// The same boundary: each nests in the other (SCOPE-2365-12 allows equality).
	n.Set(inner.First(), outer.First(), Yes)
	n.Set(outer.First(), inner.First(), Yes)
	if m, err := n.Matrix(); err != nil || !m[0][1] || !m[1][0] {
		t.Fatalf("identical scopes: %v, %v", m, err)
	}
}

// TestClosure holds the closure to a partial order drawn at random: what it
// adds must be true of every order that agrees with what was known.
func TestClosure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = 5
		ids := make([]ID, size)
		inside := [size]uint8{} // the zone as a set of routers
		for i := range ids {
			ids[i] = addr4(uint32(i))
			inside[i] = rapid.Uint8Range(1, 15).Draw(t, "zone")
		}
		truth := func(i, j int) Relation {
			if inside[i]&^inside[j] == 0 {
				return Yes
			}
			return No
		}
		n := NewNesting(ids...)
		for i := range ids {
			for j := range ids {
				if i != j && rapid.Bool().Draw(t, "known") {
					if err := n.Set(ids[i], ids[j], truth(i, j)); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if err := n.Closure(); err != nil {
			t.Fatalf("the truth contradicts itself: %v", err)
		}
		for i := range ids {
			for j := range ids {
				r := n.Of(ids[i], ids[j])
				if r != Unknown && r != truth(i, j) {
					t.Fatalf("%d in %d is %v", i, j, r)
				}
				for k := range ids {
					if r == Yes && n.Of(ids[j], ids[k]) == Yes && n.Of(ids[i], ids[k]) != Yes {
						t.Fatal("not transitive")
					}
				}
			}
		}
	})
}

func TestNesting(t *testing.T) {
	local, org, global := IPv4Local().ID(), IPv4OrganizationLocal().ID(), IPv4Global().ID()
	n := NewNesting(local, org, global, local)
	if !slices.Equal(n.IDs(), []ID{local, org, global}) {
		t.Fatalf("ids %v", n.IDs())
	}
	if n.Of(local, local) != Yes || n.Of(local, org) != Unknown {
		t.Fatal("a new nesting knows only that every scope nests in itself")
	}
	if _, err := n.Matrix(); !errors.Is(err, ErrNesting) {
		t.Fatalf("matrix of the unknown: %v", err)
	}
	for _, p := range []struct {
		in, out ID
		r       Relation
	}{{local, org, Yes}, {org, global, Yes}, {org, local, No}, {global, org, No}} {
		if err := n.Set(p.in, p.out, p.r); err != nil {
			t.Fatal(err)
		}
	}
	yes, unknown := n.Larger(local)
	if !slices.Equal(slices.Collect(yes), []ID{org}) || !slices.Equal(slices.Collect(unknown), []ID{global}) {
		t.Fatal("larger")
	}
	if err := n.Closure(); err != nil {
		t.Fatal(err)
	}
	m, err := n.Matrix()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]bool{{true, true, true}, {false, true, true}, {false, false, true}}
	for i := range want {
		if !slices.Equal(m[i], want[i]) {
			t.Fatalf("matrix %v, want %v", m, want)
		}
	}
	yes, _ = n.Smaller(global)
	if !slices.Equal(slices.Collect(yes), []ID{local, org}) {
		t.Fatal("smaller")
	}
	if err := n.Set(local, global, No); err != nil {
		t.Fatal(err)
	}
	if err := n.Closure(); !errors.Is(err, ErrNesting) {
		t.Fatalf("closure of a contradiction: %v", err)
	}
	if err := n.Set(local, local, No); !errors.Is(err, ErrNesting) {
		t.Fatalf("a scope that does not nest in itself: %v", err)
	}
	if err := n.Set(local, addr("239.1.0.0"), Yes); !errors.Is(err, ErrInvalid) {
		t.Fatalf("an unknown scope: %v", err)
	}
	var none *Nesting
	if none.Of(local, local) != Unknown || none.IDs() != nil || none.Closure() != nil {
		t.Fatal("nil knows no scope")
	}
}
