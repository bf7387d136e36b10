// SPDX-License-Identifier: BSD-3-Clause

package addrset

import "math/bits"

// tree64 is the floor for finding a free address in one /8: a bitmap and, over
// each 64 words of a level, one summary word.
type tree64 struct{ level [4][]uint64 }

func newTree64() *tree64 {
	t := &tree64{}
	for i, n := 0, 1<<24; i < 4; i++ {
		n /= 64
		t.level[i] = make([]uint64, n)
	}
	return t
}

func (t *tree64) give(n uint32) {
	for i := range t.level {
		w := &t.level[i][n>>6]
		old := *w
		*w |= 1 << (n & 63)
		if old != 0 {
			return
		}
		n >>= 6
	}
}

func (t *tree64) take(n uint32) {
	for i := range t.level {
		w := &t.level[i][n>>6]
		*w &^= 1 << (n & 63)
		if *w != 0 {
			return
		}
		n >>= 6
	}
}

// first returns the lowest free address at or above the word of n.
func (t *tree64) first() (uint32, bool) {
	if t.level[3][0] == 0 {
		return 0, false
	}
	n := uint32(0)
	for i := 3; i >= 0; i-- {
		n = n<<6 | uint32(bits.TrailingZeros64(t.level[i][n]))
	}
	return n, true
}
