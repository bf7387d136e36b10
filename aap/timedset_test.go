// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
	"pgregory.net/rapid"
)

// A model of a list of timed ranges: the end of each of 24 addresses in seconds
// after base, 0 for none. The universe straddles the boundary of an octet and, in
// IPv6, lies at the very end of the address space.
type model [24]int64

var universes = []netip.Addr{netip.MustParseAddr("239.255.0.250"), netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffe8")}

func nth(u, i int) netip.Addr {
	a := universes[u]
	for range i {
		a = a.Next()
	}
	return a
}

// drawRanges draws a list in any order, with overlaps, and its model.
func drawRanges(t *rapid.T, u int, label string) ([]aap.TimedRange, model) {
	var list []aap.TimedRange
	var m model
	for range rapid.IntRange(0, 6).Draw(t, label) {
		first := rapid.IntRange(0, len(m)-1).Draw(t, "first")
		last := rapid.IntRange(first, len(m)-1).Draw(t, "last")
		end := rapid.Int64Range(1, 20).Draw(t, "end")
		r, err := scope.NewRange(nth(u, first), nth(u, last))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, aap.TimedRange{Range: r, End: at(end)})
		for i := first; i <= last; i++ {
			m[i] = max(m[i], end)
		}
	}
	return list, m
}

// ranges returns the normal form of a model.
func (m model) ranges(u int) []aap.TimedRange {
	var list []aap.TimedRange
	for i, end := range m {
		if end == 0 {
			continue
		}
		if i > 0 && m[i-1] == end {
			last := &list[len(list)-1]
			last.Range, _ = scope.NewRange(last.Range.First(), nth(u, i))
			continue
		}
		list = append(list, aap.TimedRange{Range: scope.Single(nth(u, i)), End: at(end)})
	}
	return list
}

// check compares a result with f of the models at each address.
func check(t *rapid.T, u int, what string, got []aap.TimedRange, f func(i int) int64) {
	var want model
	for i := range want {
		want[i] = f(i)
	}
	if d := cmp.Diff(want.ranges(u), got, sameMessage); d != "" {
		t.Fatalf("%s: %s", what, d)
	}
}

// TestTimedRanges holds the arithmetic against the model: overlaps go to the
// latest end (AAP-D-7), and what ends at now is gone at now (AAP-D-12).
func TestTimedRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := rapid.IntRange(0, len(universes)-1).Draw(t, "universe")
		a, ma := drawRanges(t, u, "a")
		b, mb := drawRanges(t, u, "b")
		now := rapid.Int64Range(0, 21).Draw(t, "now")
		check(t, u, "Normalize", aap.Normalize(a), func(i int) int64 { return ma[i] })
		check(t, u, "Live", aap.Live(a, at(now)), func(i int) int64 {
			if ma[i] > now {
				return ma[i]
			}
			return 0
		})
		check(t, u, "Cut", aap.Cut(a, b), func(i int) int64 { return min(ma[i], mb[i]) })
		check(t, u, "Without", aap.Without(a, aap.Addrs(b)), func(i int) int64 {
			if mb[i] != 0 {
				return 0
			}
			return ma[i]
		})
		for i := range ma {
			if aap.Addrs(a).Contains(nth(u, i)) != (ma[i] != 0) {
				t.Fatalf("Addrs is wrong about address %d", i)
			}
		}
	})
}

// TestTimedRangesOdd: what is no range counts for nothing, and both families
// can stand in one list.
func TestTimedRangesOdd(t *testing.T) {
	got := aap.Normalize([]aap.TimedRange{
		{}, tr("ff05::1", "ff05::9", 5), {End: at(1)}, tr("239.0.0.1", "239.0.0.9", 5), {Range: scope.MustRange("239.0.0.0", "239.0.0.0"), End: time.Time{}},
	})
	if d := cmp.Diff([]aap.TimedRange{tr("239.0.0.1", "239.0.0.9", 5), tr("ff05::1", "ff05::9", 5)}, got, sameMessage); d != "" {
		t.Error(d)
	}
}

// TestNames of the small types.
func TestNames(t *testing.T) {
	for got, want := range map[fmt.Stringer]string{
		aap.ACLM: "ACLM", aap.AIU: "AIU", aap.AITU: "AITU", aap.ASA: "ASA", aap.ASRP: "ASRP", aap.ANA: "ANA", aap.Type(6): "Type(6)",
		aap.IPv4: "IPv4", aap.IPv6: "IPv6", aap.Family(7): "Family(7)",
		aap.FamilyOf(netip.MustParseAddr("ff05::1")): "IPv6", aap.FamilyOf(netip.Addr{}): "Family(0)",
	} {
		if got.String() != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
}
