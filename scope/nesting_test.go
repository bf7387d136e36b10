// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"errors"
	"slices"
	"testing"
)

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
