// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"encoding/binary"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"net/netip"
)

// Uint128 is an unsigned 128-bit number: a count of addresses or a position
// among them. The zero value is 0 and the type is comparable with ==.
type Uint128 struct{ Hi, Lo uint64 }

// maxUint128 is the largest Uint128.
var maxUint128 = Uint128{^uint64(0), ^uint64(0)}

// U128 returns n as a Uint128.
func U128(n uint64) Uint128 { return Uint128{Lo: n} }

// IsZero reports whether u is 0.
func (u Uint128) IsZero() bool { return u == Uint128{} }

// Cmp returns -1, 0 or +1 as u is below, equal to or above v.
func (u Uint128) Cmp(v Uint128) int {
	switch {
	case u == v:
		return 0
	case u.Less(v):
		return -1
	}
	return 1
}

// Less reports whether u is below v.
func (u Uint128) Less(v Uint128) bool {
	return u.Hi < v.Hi || u.Hi == v.Hi && u.Lo < v.Lo
}

// Add returns u+v modulo 2^128.
func (u Uint128) Add(v Uint128) Uint128 {
	lo, c := bits.Add64(u.Lo, v.Lo, 0)
	hi, _ := bits.Add64(u.Hi, v.Hi, c)
	return Uint128{hi, lo}
}

// Sub returns u-v modulo 2^128.
func (u Uint128) Sub(v Uint128) Uint128 {
	lo, b := bits.Sub64(u.Lo, v.Lo, 0)
	hi, _ := bits.Sub64(u.Hi, v.Hi, b)
	return Uint128{hi, lo}
}

// Uint64 returns u as a uint64 and whether it fits.
func (u Uint128) Uint64() (n uint64, ok bool) { return u.Lo, u.Hi == 0 }

// Float64 returns the float64 nearest to u, for ratios and reports.
func (u Uint128) Float64() float64 { return float64(u.Hi)*(1<<64) + float64(u.Lo) }

// Big returns u as a new big.Int.
func (u Uint128) Big() *big.Int {
	n := new(big.Int).SetUint64(u.Hi)
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(u.Lo))
}

// String returns u in decimal.
func (u Uint128) String() string { return string(u.appendDecimal(nil)) }

// AppendText appends u in decimal.
func (u Uint128) AppendText(b []byte) ([]byte, error) { return u.appendDecimal(b), nil }

// MarshalText returns u in decimal.
func (u Uint128) MarshalText() ([]byte, error) { return u.appendDecimal(nil), nil }

// UnmarshalText reads decimal digits. Its error is an [*Error] with
// [ErrSyntax].
func (u *Uint128) UnmarshalText(text []byte) error {
	var n Uint128
	for _, c := range text {
		digit := c - '0'
		hi, lo := bits.Mul64(n.Lo, 10)
		over, top := bits.Mul64(n.Hi, 10)
		top, carry := bits.Add64(top, hi, 0)
		next := Uint128{top, lo}.Add(U128(uint64(digit)))
		if digit > 9 || over|carry != 0 || next.Less(Uint128{top, lo}) {
			return badNumber(text)
		}
		n = next
	}
	if len(text) == 0 {
		return badNumber(text)
	}
	*u = n
	return nil
}

func badNumber(text []byte) error {
	return &Error{"parse number", quoted(string(text)), "a decimal number below 2^128", ErrSyntax}
}

func (u Uint128) appendDecimal(b []byte) []byte {
	var buf [39]byte // 2^128 has 39 digits
	i := len(buf)
	for {
		i--
		// Long division of (Hi, Lo) by 10, high half first.
		hi := u.Hi / 10
		lo, digit := bits.Div64(u.Hi%10, u.Lo, 10)
		u = Uint128{hi, lo}
		buf[i] = '0' + byte(digit)
		if u.IsZero() {
			return append(b, buf[i:]...)
		}
	}
}

// What follows is for this package: shifts, counts of zero bits, and the
// conversion between addresses and numbers.

func (u Uint128) inc() Uint128 { return u.Add(Uint128{Lo: 1}) }
func (u Uint128) dec() Uint128 { return u.Sub(Uint128{Lo: 1}) }

func (u Uint128) and(v Uint128) Uint128 { return Uint128{u.Hi & v.Hi, u.Lo & v.Lo} }
func (u Uint128) or(v Uint128) Uint128  { return Uint128{u.Hi | v.Hi, u.Lo | v.Lo} }
func (u Uint128) xor(v Uint128) Uint128 { return Uint128{u.Hi ^ v.Hi, u.Lo ^ v.Lo} }
func (u Uint128) not() Uint128          { return Uint128{^u.Hi, ^u.Lo} }

// shl returns u shifted left by n bits, 0 for n >= 128.
func (u Uint128) shl(n int) Uint128 {
	if n >= 64 {
		return Uint128{Hi: u.Lo << (n - 64)}
	}
	return Uint128{u.Hi<<n | u.Lo>>(64-n), u.Lo << n}
}

// shr returns u shifted right by n bits, 0 for n >= 128.
func (u Uint128) shr(n int) Uint128 {
	if n >= 64 {
		return Uint128{Lo: u.Hi >> (n - 64)}
	}
	return Uint128{u.Hi >> n, u.Lo>>n | u.Hi<<(64-n)}
}

// trailingZeros returns the number of low bits that are 0, 128 for 0.
func (u Uint128) trailingZeros() int {
	if u.Lo == 0 {
		return 64 + bits.TrailingZeros64(u.Hi)
	}
	return bits.TrailingZeros64(u.Lo)
}

// bitLen returns the number of bits needed to write u, 0 for 0.
func (u Uint128) bitLen() int {
	if u.Hi != 0 {
		return 64 + bits.Len64(u.Hi)
	}
	return bits.Len64(u.Lo)
}

// lowMask returns the number whose n low bits are set, n in 0..128.
func lowMask(n int) Uint128 { return maxUint128.shr(128 - n) }

// random draws uniformly from 0..last, both included.
func random(r *rand.Rand, last Uint128) Uint128 {
	if last.Hi == 0 {
		if last.Lo == ^uint64(0) {
			return U128(r.Uint64())
		}
		return U128(r.Uint64N(last.Lo + 1))
	}
	mask := lowMask(last.bitLen())
	for { // fewer than two turns on average
		u := Uint128{r.Uint64(), r.Uint64()}.and(mask)
		if !last.Less(u) {
			return u
		}
	}
}

// addrNumber returns an address as a number: 32 bits for IPv4, 128 for IPv6.
func addrNumber(a netip.Addr) Uint128 {
	if a.Is4() {
		return U128(uint64(number4(a)))
	}
	b := a.As16()
	return Uint128{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// number4 is addrNumber for an address known to be an IPv4 one.
func number4(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// numberAddr is the inverse of addrNumber.
func numberAddr(u Uint128, is4 bool) netip.Addr {
	if is4 {
		return addr4(uint32(u.Lo))
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], u.Hi)
	binary.BigEndian.PutUint64(b[8:], u.Lo)
	return netip.AddrFrom16(b)
}

func addr4(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

// width returns the number of bits of an address of the family.
func width(is4 bool) int {
	if is4 {
		return 32
	}
	return 128
}

// times returns u*v modulo 2^128.
func times(u, v Uint128) Uint128 {
	hi, lo := bits.Mul64(u.Lo, v.Lo)
	return Uint128{hi + u.Hi*v.Lo + u.Lo*v.Hi, lo}
}

// divide returns u/v and the rest.
func divide(u Uint128, v uint64) (Uint128, uint64) {
	hi := u.Hi / v
	lo, rest := bits.Div64(u.Hi%v, u.Lo, v)
	return Uint128{hi, lo}, rest
}
