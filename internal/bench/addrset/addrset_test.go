// SPDX-License-Identifier: BSD-3-Clause

package addrset

import (
	"math/rand/v2"
	"testing"
)

// TestTree64 holds the floor to what it is a floor of.
func TestTree64(t *testing.T) {
	floor, free := newTree64(), map[uint32]bool{}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		n := rnd.Uint32N(all)
		floor.give(n)
		free[n] = true
	}
	for range 1000 {
		from := rnd.Uint32N(all)
		want, found := uint32(all), false
		lowest := uint32(all)
		for n := range free {
			if n >= from && n < want {
				want, found = n, true
			}
			lowest = min(lowest, n)
		}
		if !found {
			want = lowest
		}
		if got := floor.next(from); got != want {
			t.Fatalf("next of %d is %d, want %d", from, got, want)
		}
		if rnd.IntN(4) == 0 && len(free) > 1 {
			floor.take(want)
			delete(free, want)
		}
	}
}
