// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"cmp"
	"math/bits"
)

// The numbers a tree32 is about. key128.go has the same for tree128; they are
// functions and not methods or type parameters because these are inlined.

type (
	key32  = uint32
	sum32  = uint64 // counts up to 2^32
	span32 struct{ first, last key32 }
)

const (
	min32  key32 = 0
	max32  key32 = 1<<32 - 1
	zero32 sum32 = 0
)

var noSpan32 = span32{max32, max32}

func lt32(a, b key32) bool                { return a < b }
func sub32(a, b key32) key32              { return a - b }
func add32(a, b key32) key32              { return a + b }
func next32(a key32) key32                { return a + 1 }
func prev32(a key32) key32                { return a - 1 }
func plus32(a, b sum32) sum32             { return a + b }
func minus32(a, b sum32) sum32            { return a - b }
func less32(a, b sum32) bool              { return a < b }
func count32(first, last key32) sum32     { return sum32(last-first) + 1 }
func neg32(first, last key32) sum32       { return -count32(first, last) }
func low32(a sum32) key32                 { return key32(a) }
func times32(a sum32, host int) key32     { return key32(a << host) }
func hint32(a key32, shift int) uint64    { return uint64(a >> (shift & 31)) }
func hintKey32(i uint64, shift int) key32 { return key32(i << (shift & 31)) }
func bitLen32(a key32) int                { return bits.Len32(a) }
func keyOf32(n int) key32                 { return key32(n) }
func lowBits32(a sum32) uint64            { return a }
func sumOfBits32(n int) sum32             { return sum32(n) }
func cmp32(a, b key32) int                { return cmp.Compare(a, b) }

// aligned32 returns the number of aligned blocks of 2^host numbers inside r
// and the number of the first one.
func aligned32(r span32, host int) (first, n sum32) {
	size := uint64(1) << host
	from := (uint64(r.first) + size - 1) >> host
	to := (uint64(r.last) + 1) >> host
	if to <= from {
		return 0, 0
	}
	return from, to - from
}

// below32 returns 1 if a is below b, else 0.
func below32(a, b key32) int {
	if a < b {
		return 1
	}
	return 0
}

// A dense leaf is a bitmap in the place of its spans: words32 words.
const (
	words32  = 32
	window32 = words32 * 64
)

func (l *leaf32) word(i int) uint64 {
	r := &l.r[i&low5]
	return uint64(r.first)<<32 | uint64(r.last)
}

func (l *leaf32) setWord(i int, w uint64) {
	l.r[i&low5] = span32{uint32(w >> 32), uint32(w)}
}

// windowOf32 returns the first number of the window that x is in.
func windowOf32(x key32) key32 { return x &^ (window32 - 1) }

// offset32 returns the place of x in the window that begins at from, and
// whether it is there.
func offset32(x, from key32) (int, bool) {
	d := x - from
	return int(d & (window32 - 1)), d < window32
}
