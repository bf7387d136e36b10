// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestSetIndex compares sets large enough to have an index, with ranges spread
// evenly, in heaps and at the ends, with a walk over all ranges.
func TestSetIndex(t *testing.T) {
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		is4 := seed%2 == 0
		top := addrNumber(numberAddr(maxUint128, is4))
		var b SetBuilder
		for range 1 + rnd.IntN(300) {
			n := Uint128{rnd.Uint64(), rnd.Uint64()}.and(top)
			switch seed % 5 {
			case 1: // a heap at one place, some elsewhere
				if rnd.IntN(20) > 0 {
					n = top.shr(1).Add(U128(rnd.Uint64N(4096)))
				}
			case 2: // at both ends
				n = U128(rnd.Uint64N(3000))
				if rnd.IntN(2) == 0 {
					n = top.Sub(n)
				}
			case 3: // all in a small part
				n = top.shr(2).Add(U128(rnd.Uint64N(100000)))
			}
			last := n.Add(U128(rnd.Uint64N(8)))
			if last.Less(n) || top.Less(last) {
				last = top
			}
			b.Add(span{n, last}.toRange(is4))
		}
		s := must(b.Set())
		t.Run(fmt.Sprintf("seed %d, %d ranges", seed, s.Len()), func(t *testing.T) {
			check := func(n Uint128) {
				want := 0
				for want < s.n && s.span(want).last.Less(n) {
					want++
				}
				if got := s.search(n); got != want {
					t.Fatalf("search %v: %d, want %d", n, got, want)
				}
				in := want < s.n && !n.Less(s.span(want).first)
				if a := numberAddr(n, is4); usable(a) && s.Contains(a) != in {
					t.Fatalf("contains %v: %v", a, !in)
				}
			}
			for i := range s.n {
				r := s.span(i)
				for _, n := range []Uint128{r.first, r.last, r.first.dec().and(top), r.last.inc().and(top)} {
					check(n)
				}
			}
			for range 100 {
				check(Uint128{rnd.Uint64(), rnd.Uint64()}.and(top))
			}
			check(Uint128{})
			check(top)
		})
	}
}
