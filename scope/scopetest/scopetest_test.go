// SPDX-License-Identifier: BSD-3-Clause

package scopetest_test

import (
	"testing"

	"github.com/mcastalloc/malloc/scope"
	"github.com/mcastalloc/malloc/scope/scopetest"
	"pgregory.net/rapid"
)

// TestText uses every generator on the law that text comes back as it was.
func TestText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := scopetest.Scope().Draw(t, "scope")
		if back, err := scope.ParseScope(s.String()); err != nil || back != s {
			t.Fatalf("%v came back as %v, %v", s, back, err)
		}
		r := scopetest.Range().Draw(t, "range")
		if back, err := scope.ParseRange(r.String()); err != nil || back != r {
			t.Fatalf("%v came back as %v, %v", r, back, err)
		}
		set := scopetest.Set().Draw(t, "set")
		if back, err := scope.ParseSet(set.String()); err != nil || !back.Equal(set) {
			t.Fatalf("%v came back as %v, %v", set, back, err)
		}
		a := scopetest.Addr().Draw(t, "addr")
		if scope.Classify(a).Kind == "" || !scope.Single(a).Contains(a) {
			t.Fatalf("%v", a)
		}
		if err := scopetest.Nesting(a, r.First(), s.ID()).Draw(t, "nesting").Closure(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestLaws checks laws of set algebra where a bitmap cannot reach.
func TestLaws(t *testing.T) {
	for name, sets := range map[string]*rapid.Generator[scope.Set]{"IPv4": scopetest.Set4(), "IPv6": scopetest.Set6()} {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			x, y, z := sets.Draw(t, "x"), sets.Draw(t, "y"), sets.Draw(t, "z")
			do := func(s scope.Set, err error) scope.Set {
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			same := func(law string, a, b scope.Set) {
				if !a.Equal(b) || a.Size() != b.Size() {
					t.Fatalf("%s: %v and %v", law, a, b)
				}
			}
			union, minus, both := do(x.Union(y)), do(x.Subtract(y)), do(x.Intersect(y))
			same("union commutes", union, do(y.Union(x)))
			same("intersection commutes", both, do(y.Intersect(x)))
			same("what is taken away and what stays", do(minus.Union(both)), x)
			same("distribution", do(do(x.Union(y)).Intersect(z)), do(do(x.Intersect(z)).Union(do(y.Intersect(z)))))
			same("de Morgan", do(z.Subtract(union)), do(do(z.Subtract(x)).Subtract(y)))
			if minus.Overlaps(y) || !x.Covers(minus) || !union.Covers(x) || x.Overlaps(y) == both.IsEmpty() {
				t.Fatal("covers and overlaps")
			}
			// A space that is edited ends up where the algebra does.
			space := scope.NewSpace(x)
			for r := range y.Ranges() {
				if err := space.Remove(r); err != nil {
					t.Fatal(err)
				}
			}
			same("a space minus", space.Set(), minus)
			for r := range y.Ranges() {
				if err := space.Add(r); err != nil {
					t.Fatal(err)
				}
			}
			same("a space plus", space.Set(), union)
			if space.Size() != union.Size() || space.Len() != union.Len() {
				t.Fatal("size of the space")
			}
		}))
	}
}
