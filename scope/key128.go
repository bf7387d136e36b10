// SPDX-License-Identifier: BSD-3-Clause

package scope

import "math/bits"

// The numbers a tree128 is about: see key32.go.

type (
	key128  = Uint128
	sum128  = Uint128 // counts modulo 2^128
	span128 = span
)

var (
	min128    = Uint128{}
	max128    = maxUint128
	zero128   = Uint128{}
	noSpan128 = span{maxUint128, maxUint128}
)

func lt128(a, b key128) bool                { return a.Less(b) }
func sub128(a, b key128) key128             { return a.Sub(b) }
func add128(a, b key128) key128             { return a.Add(b) }
func next128(a key128) key128               { return a.inc() }
func prev128(a key128) key128               { return a.dec() }
func plus128(a, b sum128) sum128            { return a.Add(b) }
func minus128(a, b sum128) sum128           { return a.Sub(b) }
func less128(a, b sum128) bool              { return a.Less(b) }
func count128(first, last key128) sum128    { return last.Sub(first).inc() }
func neg128(first, last key128) sum128      { return first.Sub(last).dec() }
func low128(a sum128) key128                { return a }
func times128(a sum128, host int) key128    { return a.shl(host) }
func hintKey128(i uint64, shift int) key128 { return U128(i).shl(shift) }
func bitLen128(a key128) int                { return a.bitLen() }
func keyOf128(n int) key128                 { return U128(uint64(n)) }
func lowBits128(a sum128) uint64            { return a.Lo }
func sumOfBits128(n int) sum128             { return U128(uint64(n)) }
func cmp128(a, b key128) int                { return a.Cmp(b) }

func hint128(a key128, shift int) uint64 {
	if a = a.shr(shift); a.Hi == 0 {
		return a.Lo
	}
	return ^uint64(0)
}

// aligned128 returns the number of aligned blocks of 2^host numbers inside r
// and the number of the first one.
func aligned128(r span128, host int) (first, n sum128) {
	first, last, ok := r.aligned(host)
	if !ok {
		return sum128{}, sum128{}
	}
	return first, last.Sub(first).inc()
}

// below128 returns 1 if a is below b, else 0.
func below128(a, b key128) int {
	_, borrow := bits.Sub64(a.Lo, b.Lo, 0)
	_, borrow = bits.Sub64(a.Hi, b.Hi, borrow)
	return int(borrow)
}

// A dense leaf is a bitmap in the place of its spans: words128 words, four in
// each span.
const (
	words128  = 128
	window128 = words128 * 64
)

func (l *leaf128) word(i int) uint64 {
	r := &l.r[i>>2&low5]
	switch i & 3 {
	case 0:
		return r.first.Hi
	case 1:
		return r.first.Lo
	case 2:
		return r.last.Hi
	}
	return r.last.Lo
}

func (l *leaf128) setWord(i int, w uint64) {
	r := &l.r[i>>2&low5]
	switch i & 3 {
	case 0:
		r.first.Hi = w
	case 1:
		r.first.Lo = w
	case 2:
		r.last.Hi = w
	default:
		r.last.Lo = w
	}
}

func windowOf128(x key128) key128 { return Uint128{x.Hi, x.Lo &^ (window128 - 1)} }

func offset128(x, from key128) (int, bool) {
	d := x.Sub(from)
	return int(d.Lo & (window128 - 1)), d.Hi == 0 && d.Lo < window128
}
