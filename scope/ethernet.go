// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"encoding/binary"
	"net/netip"
)

// MAC is an Ethernet multicast address that IP multicast uses. It is
// comparable with ==.
type MAC [6]byte

// String returns the form 01-00-5e-00-00-01.
func (m MAC) String() string {
	const digits = "0123456789abcdef"
	b := make([]byte, 0, 17)
	for i, c := range m {
		if i > 0 {
			b = append(b, '-')
		}
		b = append(b, digits[c>>4], digits[c&15])
	}
	return string(b)
}

// MarshalText returns the form of [MAC.String].
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// EthernetOf returns the Ethernet address that a multicast address is sent to
// and whether it is one: 01-00-5e and the low 23 bits of an IPv4 address
// (RFC 1112 section 6.4), or 33-33 and the low 32 bits of an IPv6 address
// (RFC 2464 section 7).
func EthernetOf(a netip.Addr) (MAC, bool) {
	switch {
	case !a.IsMulticast() || a.Is4In6():
		return MAC{}, false
	case a.Is4():
		b := a.As4()
		return MAC{0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3]}, true
	}
	b := a.As16()
	return MAC{0x33, 0x33, b[12], b[13], b[14], b[15]}, true
}

// Groups4 returns the 32 IPv4 multicast addresses that share the Ethernet
// address, the empty set if m is none of IPv4 multicast. (The IPv6 addresses
// that share one are all that agree in their low 32 bits.)
func (m MAC) Groups4() Set {
	if m[0] != 0x01 || m[1] != 0x00 || m[2] != 0x5e || m[3] > 0x7f {
		return Set{}
	}
	low := binary.BigEndian.Uint32(m[2:]) & 0x7fffff
	w := newSetWriter(true, 32)
	for i := range uint64(32) {
		n := U128(0xe0000000 | i<<23 | uint64(low))
		w.push(span{n, n})
	}
	return w.set()
}

// Collides reports whether two addresses have the same Ethernet address, so
// that a network card cannot tell them apart. An address collides with
// itself; addresses of different families and those that are not multicast
// never do.
func Collides(a, b netip.Addr) bool {
	m, ok := EthernetOf(a)
	n, ok2 := EthernetOf(b)
	return ok && ok2 && m == n
}

// Apart finds addresses of a set whose Ethernet addresses nobody uses. It is
// arithmetic on ranges: however large the set is, making one takes time in
// proportion to the number of ranges, and so does [Apart.At].
type Apart struct {
	free Set
	bits int     // how many low bits of an address are in its Ethernet address
	low  *tree32 // the values of these bits that nobody uses
}

// NewApart returns the addresses of free that do not share an Ethernet
// address with any address of used. Addresses of free that are not multicast
// are left out, those of used ignored. Its error is an [*Error] with
// [ErrMixedFamilies].
func NewApart(free, used Set) (*Apart, error) {
	if free.n > 0 && used.n > 0 && free.is4 != used.is4 {
		return nil, mixed("tell Ethernet addresses apart of", free, used)
	}
	multicast, bits := MustRange("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 32
	if free.Is4() || used.Is4() {
		multicast, bits = MustRange("224.0.0.0", "239.255.255.255"), 23
	}
	a := &Apart{bits: bits, low: newTree32()}
	a.low.add(0, uint32(1<<bits-1))
	a.free, _ = free.Intersect(setOfOne(multicast))
	for r := range used.shared(setOfOne(multicast)) {
		a.use(r)
	}
	return a, nil
}

// Use marks the Ethernet addresses of the multicast addresses of r as used, so
// that one can take address after address.
func (a *Apart) Use(r Range) {
	if r.IsValid() && r.Is4() == (a.bits == 23) {
		a.use(r.span())
	}
}

func (a *Apart) use(r span) {
	mask := lowMask(a.bits)
	first, last := uint32(r.first.and(mask).Lo), uint32(r.last.and(mask).Lo)
	switch {
	case !r.last.Sub(r.first).Less(mask):
		a.low.remove(0, uint32(mask.Lo)) // all of them
	case first <= last:
		a.low.remove(first, last)
	default: // past a multiple of 2^bits
		a.low.remove(first, uint32(mask.Lo))
		a.low.remove(0, last)
	}
}

// Count returns the number of such addresses.
func (a *Apart) Count() Uint128 {
	var sum Uint128
	for i := range a.free.n {
		sum = sum.Add(a.count(a.free.span(i)))
	}
	return sum
}

// At returns the n-th of them in ascending order, counted from 0, and whether
// it exists. Two of them may collide with each other: mark one with
// [Apart.Use] before asking for the next. A random one is At of a random
// number below [Apart.Count].
func (a *Apart) At(n Uint128) (netip.Addr, bool) {
	for i := range a.free.n {
		r := a.free.span(i)
		count := a.count(r)
		if n.Less(count) {
			return numberAddr(a.nth(r.first, n), a.free.is4), true
		}
		n = n.Sub(count)
	}
	return netip.Addr{}, false
}

// upTo returns how many unused values there are in all numbers below n: each
// 2^bits of them bring all.
func (a *Apart) upTo(n Uint128) Uint128 {
	total := U128(a.low.total)
	whole := times(n.shr(a.bits), total)
	return whole.Add(U128(a.low.below(uint32(n.and(lowMask(a.bits)).Lo))))
}

func (a *Apart) count(r span) Uint128 {
	end := a.upTo(r.last)
	if a.low.contains(uint32(r.last.and(lowMask(a.bits)).Lo)) {
		end = end.inc()
	}
	return end.Sub(a.upTo(r.first))
}

// nth returns the n-th number with an unused value from first on.
func (a *Apart) nth(first, n Uint128) Uint128 {
	n = n.Add(U128(a.low.below(uint32(first.and(lowMask(a.bits)).Lo))))
	rounds, rest := divide(n, a.low.total)
	return first.shr(a.bits).Add(rounds).shl(a.bits).Add(U128(uint64(a.low.at(rest))))
}
