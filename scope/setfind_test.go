// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestFreeSpaceExample is the example of the free-space operations: .6 and .7
// of twenty addresses are used.
func TestFreeSpaceExample(t *testing.T) {
	free, err := MustSet("239.7.0.0-239.7.0.19").Subtract(MustSet("239.7.0.6-239.7.0.7", "239.9.0.0/16"))
	if err != nil || free.String() != "239.7.0.0-239.7.0.5, 239.7.0.8-239.7.0.19" {
		t.Fatalf("SCOPE-LIB-26: free %v, %v", free, err)
	}
	spaces := NewSpace(free)
	for bits, want := range map[int][]string{
		30: {"239.7.0.0/30", "239.7.0.8/30", "239.7.0.12/30", "239.7.0.16/30"},
		29: {"239.7.0.8/29"},
		28: nil, 8: nil, 0: nil, -1: nil, 33: nil,
	} {
		var got, fromSpace []string
		for i := range uint64(6) {
			if p, ok := free.NthPrefix(bits, U128(i)); ok {
				got = append(got, p.String())
			}
			if p, ok := spaces.NthPrefix(bits, U128(i)); ok {
				fromSpace = append(fromSpace, p.String())
			}
		}
		if !slices.Equal(got, want) || !slices.Equal(fromSpace, want) || free.CountPrefixes(bits) != U128(uint64(len(want))) {
			t.Errorf("SCOPE-LIB-27: /%d are %v, %v, want %v", bits, got, fromSpace, want)
		}
	}
	var cover []string
	for p := range free.Prefixes() {
		cover = append(cover, p.String())
	}
	if !slices.Equal(cover, []string{"239.7.0.0/30", "239.7.0.4/31", "239.7.0.8/29", "239.7.0.16/30"}) {
		t.Errorf("SCOPE-LIB-23: cover %v", cover)
	}
	for bits, want := range map[int]string{31: "239.7.0.4/31", 30: "239.7.0.0/30", 29: "239.7.0.8/29", 32: "239.7.0.4/32", 28: ""} {
		p, ok := free.BestFitPrefix(bits)
		if ok != (want != "") || ok && p.String() != want {
			t.Errorf("SCOPE-LIB-28: best fit /%d is %v, %v, want %s", bits, p, ok, want)
		}
	}
	for _, tc := range []struct {
		id          string
		n           uint64
		first, best string
	}{
		{"SCOPE-LIB-29", 6, "239.7.0.0-239.7.0.5", "239.7.0.0-239.7.0.5"},
		{"SCOPE-LIB-29", 7, "239.7.0.8-239.7.0.14", "239.7.0.8-239.7.0.14"},
		{"SCOPE-LIB-30", 3, "239.7.0.0-239.7.0.2", "239.7.0.0-239.7.0.2"},
		{"SCOPE-LIB-30", 12, "239.7.0.8-239.7.0.19", "239.7.0.8-239.7.0.19"},
		{"SCOPE-LIB-29 too many", 13, "", ""},
		{"SCOPE-LIB-29 none wanted", 0, "", ""},
	} {
		for what, find := range map[string]func(Uint128) (Range, bool){"set": free.FirstFit, "space": spaces.FirstFit} {
			if r, ok := find(U128(tc.n)); ok != (tc.first != "") || ok && r.String() != tc.first {
				t.Errorf("%s: first fit of %d in a %s is %v, %v", tc.id, tc.n, what, r, ok)
			}
		}
		for what, find := range map[string]func(Uint128) (Range, bool){"set": free.BestFit, "space": spaces.BestFit} {
			if r, ok := find(U128(tc.n)); ok != (tc.best != "") || ok && r.String() != tc.best {
				t.Errorf("%s: best fit of %d in a %s is %v, %v", tc.id, tc.n, what, r, ok)
			}
		}
	}
	// The tightest range, and the lowest among equals.
	tie := MustSet("239.7.0.0/24", "239.8.0.0-239.8.0.9", "239.9.0.0-239.9.0.9")
	if r, ok := tie.BestFit(U128(10)); !ok || r.First() != addr("239.8.0.0") {
		t.Errorf("SCOPE-LIB-30: %v", r)
	}
	taken, total, err := Utilisation(MustSet("239.7.0.0-239.7.0.19"), MustSet("239.7.0.6-239.7.0.7", "239.9.0.0/16"))
	if err != nil || taken != U128(2) || total != U128(20) {
		t.Errorf("SCOPE-LIB-33: %v of %v, %v", taken, total, err)
	}
	if taken, total, err = Utilisation(Set{}, Set{}); err != nil || !taken.IsZero() || !total.IsZero() {
		t.Errorf("SCOPE-LIB-33: %v of %v, %v", taken, total, err)
	}
	if _, _, err = Utilisation(MustSet("239.0.0.0/8"), MustSet("ff0e::1")); !errors.Is(err, ErrMixedFamilies) {
		t.Errorf("SCOPE-LIB-33: %v", err)
	}
}

// TestSeam checks that ranges added one by one are one range.
func TestSeam(t *testing.T) {
	s := MustSet("239.0.0.128-239.0.0.255", "239.0.0.0-239.0.0.127")
	if s.Len() != 1 {
		t.Fatalf("SCOPE-LIB-20: touching ranges stay apart: %v", s)
	}
	if p, ok := s.NthPrefix(24, U128(0)); !ok || p != prefix("239.0.0.0/24") {
		t.Fatalf("SCOPE-LIB-27: a prefix across the seam: %v, %v", p, ok)
	}
}

// TestWholeSpaces checks the ends of both address spaces.
func TestWholeSpaces(t *testing.T) {
	all4, all6 := MustSet("0.0.0.0/0"), MustSet("::/0")
	two := MustSet("::/1", "8000::/1")
	if !two.Equal(all6) || all4.Size() != U128(1<<32) || all6.Size() != maxUint128 {
		t.Fatalf("SCOPE-LIB-22: sizes %v, %v", all4.Size(), all6.Size())
	}
	if got := all6.BigSize().String(); got != "340282366920938463463374607431768211456" {
		t.Fatalf("SCOPE-LIB-22: 2^128 is %s", got)
	}
	for _, tc := range []struct {
		s    Set
		last string
	}{{all4, "255.255.255.255"}, {all6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}} {
		last := addr(tc.last)
		bits := last.BitLen()
		lastIndex := addrNumber(last)
		if a, ok := tc.s.At(lastIndex); !ok || a != last {
			t.Errorf("SCOPE-LIB-22: the last address is %v, %v", a, ok)
		}
		if i, ok := tc.s.Index(last); !ok || i != lastIndex {
			t.Errorf("SCOPE-LIB-22: its index is %v, %v", i, ok)
		}
		if p, ok := tc.s.Enclosing(); !ok || p.Bits() != 0 {
			t.Errorf("SCOPE-LIB-25: enclosed by %v", p)
		}
		if p, ok := tc.s.NthPrefix(0, Uint128{}); !ok || p.Bits() != 0 || tc.s.CountPrefixes(0) != U128(1) {
			t.Errorf("SCOPE-LIB-27: /0 is %v, %v", p, ok)
		}
		if p, ok := tc.s.NthPrefix(bits, lastIndex); !ok || p.Addr() != last {
			t.Errorf("SCOPE-LIB-27: the last one is %v, %v", p, ok)
		}
		if n := tc.s.CountPrefixes(bits - 1); n != U128(1).shl(bits-1) {
			t.Errorf("SCOPE-LIB-27: %v prefixes of length %d", n, bits-1)
		}
		rest, err := tc.s.Subtract(setOfOne(Single(last)))
		if err != nil || rest.Contains(last) || rest.Bounds().Last() != last.Prev() {
			t.Errorf("SCOPE-LIB-20: %v, %v", rest, err)
		}
		back, err := rest.Union(setOfOne(Single(last)))
		if err != nil || !back.Equal(tc.s) {
			t.Errorf("SCOPE-LIB-20: %v, %v", back, err)
		}
		space := NewSpace(tc.s)
		if space.Size() != tc.s.Size() || space.CountPrefixes(bits) != tc.s.Size() {
			t.Errorf("size of the space is %v", space.Size())
		}
		if a, ok := space.At(lastIndex); !ok || a != last {
			t.Errorf("the last address of the space is %v, %v", a, ok)
		}
		if a, ok := space.RandomAddr(rand.New(rand.NewPCG(1, 2))); !ok || !tc.s.Contains(a) {
			t.Errorf("a random address is %v, %v", a, ok)
		}
		if !space.Take(Single(last)) || space.Take(Single(last)) || space.Contains(last) {
			t.Error("the last address cannot be taken once")
		}
		if err := space.Add(Single(last)); err != nil || space.Len() != 1 {
			t.Errorf("%d ranges, %v", space.Len(), err)
		}
		n := 0
		for a := range MustRange(last.Prev().String(), last.String()).Addrs() {
			if n++; !a.IsValid() || n > 2 {
				t.Fatal("SCOPE-LIB-32: the iteration does not stop at the end")
			}
		}
		if n != 2 {
			t.Errorf("SCOPE-LIB-32: %d addresses", n)
		}
	}
}

// TestFamilies checks that families do not mix, and that {} goes with both.
func TestFamilies(t *testing.T) {
	x, y := MustSet("239.0.0.0/8"), MustSet("ff0e::/16")
	for name, op := range map[string]func(Set) (Set, error){"union": x.Union, "subtract": x.Subtract, "intersect": x.Intersect} {
		if _, err := op(y); !errors.Is(err, ErrMixedFamilies) {
			t.Errorf("SCOPE-LIB-20 %s: %v", name, err)
		}
		if _, err := op(Set{}); err != nil {
			t.Errorf("SCOPE-LIB-20 %s with {}: %v", name, err)
		}
	}
	if x.Covers(y) || x.Overlaps(y) || x.Equal(y) || x.OverlapsRange(y.Range(0)) || x.CoversRange(y.Range(0)) {
		t.Error("SCOPE-LIB-21: families share addresses")
	}
	var none Set
	if !x.Covers(none) || !none.Covers(none) || none.Covers(x) || x.Overlaps(none) || none.Overlaps(none) || !none.Equal(Set{}) {
		t.Error("SCOPE-LIB-21: {} is contained in everything and overlaps nothing")
	}
	if _, ok := none.Enclosing(); ok {
		t.Error("SCOPE-LIB-25: {} is enclosed")
	}
	if _, err := SetOf(x.Range(0), y.Range(0)); !errors.Is(err, ErrMixedFamilies) {
		t.Errorf("SetOf: %v", err)
	}
	if _, err := SetOf(Range{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("SetOf nothing: %v", err)
	}
	s := NewSpace(x)
	if err := s.Add(y.Range(0)); !errors.Is(err, ErrMixedFamilies) {
		t.Errorf("Space.Add: %v", err)
	}
	if err := s.Remove(Range{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("Space.Remove: %v", err)
	}
	if s.Take(y.Range(0)) || s.Covers(y.Range(0)) || s.Overlaps(y.Range(0)) || s.Contains(y.Range(0).First()) || s.Take(Range{}) {
		t.Error("a space of IPv4 has IPv6 addresses")
	}
}

// TestPrefixArithmetic holds prefixes against net/netip: SCOPE-LIB-23,
// SCOPE-LIB-24, SCOPE-LIB-25.
func TestPrefixArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom(universes).Draw(t, "base")
		s, m := drawSet(t, base, "s")
		var list []netip.Prefix
		seen := model{}
		for p := range s.Prefixes() {
			for i := range m {
				if p.Contains(place(base, i)) {
					if seen[i] {
						t.Fatalf("%v is covered twice", place(base, i))
					}
					seen[i] = true
				}
			}
			list = append(list, p)
		}
		if seen != m {
			t.Fatalf("%v is not %v", list, s)
		}
		// The list is shortest if no two neighbours are halves of one prefix.
		for i := 1; i < len(list); i++ {
			p, q := list[i-1], list[i]
			if p.Bits() == q.Bits() && netip.PrefixFrom(p.Addr(), p.Bits()-1).Masked().Contains(q.Addr()) {
				t.Fatalf("%v and %v are one", p, q)
			}
		}
		shuffled := slices.Clone(list)
		for i := range shuffled {
			j := rapid.IntRange(0, i).Draw(t, "shuffle")
			shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
			if p := shuffled[j]; p.Bits() < p.Addr().BitLen() { // and some halves
				shuffled = append(shuffled, netip.PrefixFrom(p.Addr(), p.Bits()+1))
			}
		}
		if got, err := Aggregate(shuffled...); err != nil || !slices.Equal(got, list) {
			t.Fatalf("SCOPE-LIB-24: %v, %v, want %v", got, err, list)
		}
		enclosing, ok := s.Enclosing()
		if ok != (len(list) > 0) {
			t.Fatal("SCOPE-LIB-25")
		}
		if ok {
			first, last := s.Bounds().First(), s.Bounds().Last()
			if !enclosing.Contains(first) || !enclosing.Contains(last) {
				t.Fatalf("SCOPE-LIB-25: %v does not enclose %v", enclosing, s)
			}
			if longer := netip.PrefixFrom(first, min(enclosing.Bits()+1, first.BitLen())).Masked(); first != last && longer.Contains(last) {
				t.Fatalf("SCOPE-LIB-25: %v encloses %v too", longer, s)
			}
		}
	})
}

// TestRandom checks that all candidates are drawn, about equally often and
// reproducibly: SCOPE-LIB-31.
func TestRandom(t *testing.T) {
	s := NewSpace(MustSet("239.7.0.0-239.7.0.5", "239.7.0.8-239.7.0.19"))
	draw := func(seed uint64) (addrs map[netip.Addr]int, prefixes map[netip.Prefix]int) {
		r := rand.New(rand.NewPCG(seed, 1))
		addrs, prefixes = map[netip.Addr]int{}, map[netip.Prefix]int{}
		for range 18000 {
			a, _ := s.RandomAddr(r)
			p, _ := s.RandomPrefix(30, r)
			addrs[a]++
			prefixes[p]++
		}
		return addrs, prefixes
	}
	addrs, prefixes := draw(1)
	if len(addrs) != 18 || len(prefixes) != 4 {
		t.Fatalf("drawn: %d addresses, %d prefixes", len(addrs), len(prefixes))
	}
	for a, n := range addrs {
		if n < 800 || n > 1200 {
			t.Errorf("%v drawn %d times of about 1000", a, n)
		}
	}
	for p, n := range prefixes {
		if n < 4000 || n > 5000 {
			t.Errorf("%v drawn %d times of about 4500", p, n)
		}
	}
	again, _ := draw(1)
	for a, n := range addrs {
		if again[a] != n {
			t.Fatal("not reproducible")
		}
	}
	if _, ok := (&Space{}).RandomAddr(rand.New(rand.NewPCG(1, 1))); ok {
		t.Error("an address out of nothing")
	}
	if _, ok := s.RandomPrefix(28, rand.New(rand.NewPCG(1, 1))); ok {
		t.Error("a /28 out of nothing")
	}
}
