// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// A universe is 64 consecutive addresses at a place where arithmetic may go
// wrong; a model is which of them a set holds.
type model [64]bool

var universes = []netip.Addr{
	addr("239.7.0.0"), addr("0.0.0.0"), addr("255.255.255.192"), addr("224.0.0.224"),
	addr("ff3e::8000:0"), addr("::"), addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffc0"), addr("ff02::ffff:ffff:ffff:ffe0"),
}

// place returns the i-th address of the universe that starts at base.
func place(base netip.Addr, i int) netip.Addr {
	return numberAddr(addrNumber(base).Add(U128(uint64(i))), base.Is4())
}

// drawSet draws ranges in any order and returns them as a set and as a model.
func drawSet(t *rapid.T, base netip.Addr, label string) (Set, model) {
	var m model
	var b SetBuilder
	for range rapid.IntRange(0, 6).Draw(t, label+" ranges") {
		first := rapid.IntRange(0, 63).Draw(t, "first")
		last := rapid.IntRange(first, 63).Draw(t, "last")
		r, err := NewRange(place(base, first), place(base, last))
		if err != nil {
			t.Fatal(err)
		}
		add := rapid.IntRange(0, 3).Draw(t, "add") > 0
		if add {
			b.Add(r)
		} else {
			b.Remove(r)
		}
		for i := first; i <= last; i++ {
			m[i] = add
		}
	}
	s, err := b.Set()
	if err != nil {
		t.Fatal(err)
	}
	return s, m
}

// check holds a set against its model, address by address, and its form.
func check(t *rapid.T, what string, s Set, base netip.Addr, m model) {
	t.Helper()
	count, ranges := 0, 0
	for i := range m {
		a := place(base, i)
		if s.Contains(a) != m[i] {
			t.Fatalf("%s: %v contains %v: %v, model %v", what, s, a, s.Contains(a), m[i])
		}
		k, ok := s.Index(a)
		if ok != m[i] || ok && k != U128(uint64(count)) {
			t.Fatalf("%s: index of %v = %v, %v", what, a, k, ok)
		}
		if m[i] {
			if got, ok := s.At(U128(uint64(count))); !ok || got != a {
				t.Fatalf("%s: At(%d) = %v, %v, want %v", what, count, got, ok, a)
			}
			count++
			if i == 0 || !m[i-1] {
				ranges++
			}
		}
	}
	if s.Size() != U128(uint64(count)) || s.Len() != ranges || s.IsEmpty() != (count == 0) {
		t.Fatalf("%s: size %v, %d ranges; model %d, %d", what, s.Size(), s.Len(), count, ranges)
	}
	if _, ok := s.At(U128(uint64(count))); ok {
		t.Fatalf("%s: an address past the end", what)
	}
	var last Range
	for r := range s.Ranges() {
		if last.IsValid() && !last.last.Next().Less(r.first) {
			t.Fatalf("%s: %v is not in normal form", what, s)
		}
		last = r
	}
}

// TestSetAlgebra holds the binary operations against a bit by bit model:
// SCOPE-LIB-20, SCOPE-LIB-21, SCOPE-LIB-22.
func TestSetAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom(universes).Draw(t, "base")
		x, mx := drawSet(t, base, "x")
		y, my := drawSet(t, base, "y")
		check(t, "x", x, base, mx)
		var union, minus, both model
		covers, overlaps := true, false
		for i := range mx {
			union[i] = mx[i] || my[i]
			minus[i] = mx[i] && !my[i]
			both[i] = mx[i] && my[i]
			covers = covers && (mx[i] || !my[i])
			overlaps = overlaps || both[i]
		}
		for _, op := range []struct {
			name string
			do   func(Set) (Set, error)
			want model
		}{{"SCOPE-LIB-20 union", x.Union, union}, {"SCOPE-LIB-20 subtract", x.Subtract, minus}, {"SCOPE-LIB-20 intersect", x.Intersect, both}} {
			z, err := op.do(y)
			if err != nil {
				t.Fatal(err)
			}
			check(t, op.name, z, base, op.want)
		}
		if x.Covers(y) != covers || x.Overlaps(y) != overlaps || y.Overlaps(x) != overlaps || x.Equal(y) != (mx == my) {
			t.Fatalf("covers %v, overlaps %v, equal %v: x %v, y %v", x.Covers(y), x.Overlaps(y), x.Equal(y), x, y)
		}
	})
}
