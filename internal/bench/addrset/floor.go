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

// next returns the lowest free address from n on, in a circle: the first free
// one if there is none above.
func (t *tree64) next(n uint32) uint32 {
	for i := range t.level {
		if w := t.level[i][n>>6] >> (n & 63) << (n & 63); w != 0 {
			n = n&^63 | uint32(bits.TrailingZeros64(w))
			for ; i > 0; i-- {
				n = n<<6 | uint32(bits.TrailingZeros64(t.level[i-1][n]))
			}
			return n
		}
		n = n>>6 + 1
		if i < len(t.level)-1 && n>>6 == uint32(len(t.level[i+1])) {
			return t.next(0)
		}
	}
	return t.next(0)
}
