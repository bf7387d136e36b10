// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"encoding/binary"
	"math/bits"
)

// u128 is a number of up to 128 bits: an address, a mask or an identifier. An
// IPv4 address occupies its lowest 32 bits.
type u128 struct{ hi, lo uint64 }

func (a u128) isZero() bool    { return a.hi|a.lo == 0 }
func (a u128) and(b u128) u128 { return u128{a.hi & b.hi, a.lo & b.lo} }
func (a u128) or(b u128) u128  { return u128{a.hi | b.hi, a.lo | b.lo} }
func (a u128) xor(b u128) u128 { return u128{a.hi ^ b.hi, a.lo ^ b.lo} }
func (a u128) not() u128       { return u128{^a.hi, ^a.lo} }

func (a u128) less(b u128) bool { return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo }

func (a u128) cmp(b u128) int {
	switch {
	case a == b:
		return 0
	case a.less(b):
		return -1
	}
	return 1
}

func (a u128) add(b u128) u128 {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, _ := bits.Add64(a.hi, b.hi, carry)
	return u128{hi, lo}
}

// bit returns the number with only bit n set, counted from the lowest; 0 for
// n outside 0 to 127.
func bit(n int) u128 {
	switch {
	case n < 0 || n > 127:
		return u128{}
	case n >= 64:
		return u128{1 << (n - 64), 0}
	}
	return u128{0, 1 << n}
}

// lowOnes returns the number whose lowest n bits are set.
func lowOnes(n int) u128 {
	switch {
	case n <= 0:
		return u128{}
	case n >= 128:
		return u128{^uint64(0), ^uint64(0)}
	case n > 64:
		return u128{1<<(n-64) - 1, ^uint64(0)}
	}
	return u128{0, ^uint64(0) >> (64 - n)}
}

func (a u128) onesCount() int { return bits.OnesCount64(a.hi) + bits.OnesCount64(a.lo) }

// read128 reads a number of 16 octets.
func read128(b []byte) u128 {
	_ = b[15]
	return u128{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}
