// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"cmp"
	"math"
	"math/bits"
	"net/netip"
)

// Prefix is a set of addresses in the form the wire has it: an address and a
// mask (RFC 2909, section 7.3). The mask need not be contiguous, so every
// operation is written with masks. Prefix is comparable; its zero value is no
// prefix, and every method is safe on it.
//
// An address of 0 makes it a hint: not a set, but the size of one that is
// wanted.
type Prefix struct {
	addr, mask u128
	family     AddrFamily
}

// PrefixOf returns p, with the bits below its length cleared. It returns the
// zero Prefix if p is invalid or IPv4-mapped.
func PrefixOf(p netip.Prefix) Prefix {
	if !p.IsValid() || p.Addr().Is4In6() {
		return Prefix{}
	}
	f := FamilyIPv6
	if p.Addr().Is4() {
		f = FamilyIPv4
	}
	q := Prefix{family: f, addr: AddrID(p.Addr()).n, mask: maskOf(f, p.Bits())}
	q.addr = q.addr.and(q.mask)
	return q
}

// MustPrefix parses a prefix such as 228.0.0.0/16. It panics if s is none, so
// it is for constants and tests.
func MustPrefix(s string) Prefix { return PrefixOf(netip.MustParsePrefix(s)) }

// MaskedPrefix returns the set of addresses that agree with addr where mask has
// ones, as it stands: the result may be one that IsValid refuses. It returns
// the zero Prefix if addr and mask are of different families.
func MaskedPrefix(addr, mask netip.Addr) Prefix {
	if addr.Is4() != mask.Is4() || !addr.IsValid() || !mask.IsValid() || addr.Is4In6() || mask.Is4In6() {
		return Prefix{}
	}
	f := FamilyIPv6
	if addr.Is4() {
		f = FamilyIPv4
	}
	return Prefix{family: f, addr: AddrID(addr).n, mask: AddrID(mask).n}
}

// Hint returns the prefix of a hint: no address, and the mask of a prefix of
// the given length.
func Hint(f AddrFamily, length int) Prefix { return Prefix{family: f, mask: maskOf(f, length)} }

// maskOf returns the contiguous mask of a length of 0 to 32 or 128.
func maskOf(f AddrFamily, length int) u128 {
	w := 8 * f.width()
	return lowOnes(w - max(length, 0)).xor(lowOnes(w))
}

// addr returns the number as an address.
func (a u128) addr(is4 bool) netip.Addr {
	if is4 {
		return netip.AddrFrom4([4]byte{byte(a.lo >> 24), byte(a.lo >> 16), byte(a.lo >> 8), byte(a.lo)})
	}
	var v [16]byte
	for i := range 8 {
		v[i], v[8+i] = byte(a.hi>>(56-8*i)), byte(a.lo>>(56-8*i))
	}
	return netip.AddrFrom16(v)
}

// Family returns the address family, 0 for the zero Prefix.
func (p Prefix) Family() AddrFamily { return p.family }

// Addr returns the address, the zero Addr for the zero Prefix.
func (p Prefix) Addr() netip.Addr { return p.convert(p.addr) }

// Mask returns the mask as an address, the zero Addr for the zero Prefix.
func (p Prefix) Mask() netip.Addr { return p.convert(p.mask) }

func (p Prefix) convert(n u128) netip.Addr {
	if p.family == 0 {
		return netip.Addr{}
	}
	return n.addr(p.family == FamilyIPv4)
}

// width returns the bits of an address.
func (p Prefix) width() int { return 8 * p.family.width() }

// Bits returns the number of ones in the mask: the prefix length if the mask is
// contiguous.
func (p Prefix) Bits() int { return p.mask.onesCount() }

// IsContiguous reports whether all ones of the mask precede all zeros.
func (p Prefix) IsContiguous() bool {
	inverse := p.mask.xor(lowOnes(p.width()))
	return inverse.and(inverse.add(u128{0, 1})).isZero()
}

// IsHint reports whether the address is 0.
func (p Prefix) IsHint() bool { return p.addr.isZero() }

// Netip returns p as a netip.Prefix. It reports false if the mask is not
// contiguous.
func (p Prefix) Netip() (netip.Prefix, bool) {
	if p.family == 0 || !p.IsContiguous() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(p.Addr(), p.Bits()), true
}

// Size returns the number of addresses in p, which is a power of two and so
// exact; 0 for the zero Prefix.
func (p Prefix) Size() float64 {
	if p.family == 0 {
		return 0
	}
	return math.Ldexp(1, p.width()-p.Bits())
}

// Contains reports whether a is in p.
func (p Prefix) Contains(a netip.Addr) bool {
	return !a.Is4In6() && a.IsValid() && a.Is4() == (p.family == FamilyIPv4) && p.family != 0 &&
		AddrID(a).n.and(p.mask) == p.addr
}

// Overlaps reports whether p and q have an address in common, for any masks.
func (p Prefix) Overlaps(q Prefix) bool {
	return p.family == q.family && p.addr.xor(q.addr).and(p.mask).and(q.mask).isZero() && p.family != 0
}

// Covers reports whether all addresses of q are in p.
func (p Prefix) Covers(q Prefix) bool {
	return p.family == q.family && p.mask.and(q.mask) == p.mask && q.addr.and(p.mask) == p.addr && p.family != 0
}

// Meet returns the addresses p and q have in common, and whether there are any.
func (p Prefix) Meet(q Prefix) (Prefix, bool) {
	if !p.Overlaps(q) {
		return Prefix{}, false
	}
	return Prefix{family: p.family, addr: p.addr.or(q.addr), mask: p.mask.or(q.mask)}, true
}

// multicast is the space of each family: 224/4 and ff00::/8.
var multicast = [...]Prefix{FamilyIPv4: MustPrefix("224.0.0.0/4"), FamilyIPv6: MustPrefix("ff00::/8")}

// IsValid reports whether p is a set of multicast addresses without a bit
// outside its mask (decision MASC-D-20).
func (p Prefix) IsValid() bool {
	return p.family.width() != 0 && p.addr.and(p.mask) == p.addr && multicast[p.family].Covers(p)
}

// Compare orders prefixes by family, address and mask, so that a prefix comes
// before those it covers.
func (p Prefix) Compare(q Prefix) int {
	return cmp.Or(cmp.Compare(p.family, q.family), p.addr.cmp(q.addr), p.mask.cmp(q.mask))
}

// String returns p as address/length, or as address/mask if the mask is not
// contiguous; "no prefix" for the zero Prefix.
func (p Prefix) String() string {
	switch {
	case p.family == 0:
		return "no prefix"
	case p.IsContiguous():
		return netip.PrefixFrom(p.Addr(), p.Bits()).String()
	}
	return p.Addr().String() + "/" + p.Mask().String()
}

// buddy returns the other half of the prefix one bit shorter: p with its last
// masked bit flipped. It reports false for a mask without ones or with holes.
func (p Prefix) buddy() (Prefix, bool) {
	l := p.Bits()
	if l == 0 || !p.IsContiguous() {
		return Prefix{}, false
	}
	p.addr = p.addr.xor(bit(p.width() - l))
	return p, true
}

// half returns the lower or the upper half of a contiguous p that has more than
// one address.
func (p Prefix) half(upper bool) Prefix {
	b := bit(p.width() - p.Bits() - 1)
	p.mask = p.mask.or(b)
	if upper {
		p.addr = p.addr.or(b)
	}
	return p
}

// double returns the prefix one bit shorter that contains p.
func (p Prefix) double() Prefix {
	b := bit(p.width() - p.Bits())
	p.mask = p.mask.and(b.not())
	p.addr = p.addr.and(b.not())
	return p
}

// first returns the lowest prefix of the given length in p.
func (p Prefix) first(length int) Prefix {
	p.mask = maskOf(p.family, length)
	return p
}

// lengthFor returns the longest prefix length of family f that holds size
// addresses; size is at least 1.
func lengthFor(f AddrFamily, size float64) int {
	w := 8 * f.width()
	if size <= 1 {
		return w
	}
	n := 0
	if size < 1<<62 {
		n = bits.Len64(uint64(math.Ceil(size)) - 1)
	} else {
		frac, e := math.Frexp(size)
		if n = e; frac == 0.5 {
			n--
		}
	}
	return max(w-n, 0)
}
