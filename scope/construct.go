// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"net/netip"
	"strconv"
)

// Addresses that somebody owns without asking anyone, because they contain a
// number he owns already.

// GLOPPrefix returns the /24 that an AS owns: 233.high.low.0/24 (RFC 3180).
// Its error is an [*Error] with [ErrNoGLOP] for any other number than
// 1..64511: longer ones do not fit, and private ones own nothing (RFC 5771
// section 9).
func GLOPPrefix(as uint32) (netip.Prefix, error) {
	if as < 1 || as > 64511 {
		return netip.Prefix{}, &Error{"make GLOP prefix of AS", strconv.FormatUint(uint64(as), 10), "an AS number in 1..64511", ErrNoGLOP}
	}
	return netip.PrefixFrom(addr4(233<<24|as<<8), 24), nil
}

// UnicastPrefix4 returns the multicast prefix that the owner of an IPv4
// unicast prefix owns: a.b.c.0/n owns 234.a.b.c/(n+8) (RFC 6034 section 3).
// Its error is an [*Error] with [ErrInvalid] if p is not an IPv4 prefix,
// [ErrTooLong] if it has more than 24 bits, and [ErrNotGlobal] if it overlaps
// with addresses that are not globally unique.
func UnicastPrefix4(p netip.Prefix) (netip.Prefix, error) {
	fail := func(want string, cause error) (netip.Prefix, error) {
		return netip.Prefix{}, &Error{"make multicast prefix of", p.String(), want, cause}
	}
	switch {
	case !p.IsValid() || !p.Addr().Is4():
		return fail("an IPv4 prefix", ErrInvalid)
	case p.Bits() > 24:
		return fail("a prefix of 24 bits or fewer", ErrTooLong)
	case !global4(p):
		return fail("a globally unique unicast prefix", ErrNotGlobal)
	}
	return netip.PrefixFrom(addr4(234<<24|number4(p.Masked().Addr())>>8), p.Bits()+8), nil
}

// UnicastPrefix6 returns the multicast /96 of a scop that the owner of an IPv6
// unicast prefix owns: ff3s:00nn:prefix::/96 (RFC 3306 section 4). In it,
// group IDs from 8000:0 on are for dynamic allocation. Its error is an
// [*Error] with [ErrInvalid] if p is not an IPv6 prefix, [ErrBadLength] if it
// has no or more than 64 bits, [ErrBadScop] if scop is not in 1..14,
// [ErrNotUnicast] if p is multicast, and [ErrScopeExceeded] if p is link-local
// and scop above 2, or p is site-local and scop above 5.
func UnicastPrefix6(p netip.Prefix, scop uint8) (netip.Prefix, error) {
	fail := func(want string, cause error) (netip.Prefix, error) {
		return netip.Prefix{}, &Error{"make multicast prefix of", p.String() + " scop " + strconv.Itoa(int(scop)), want, cause}
	}
	if want, cause := unicast6(p, scop); cause != nil {
		return fail(want, cause)
	}
	b := p.Masked().Addr().As16()
	switch {
	case b[0] == 0xff && p.Bits() >= 8:
		return fail("a unicast prefix", ErrNotUnicast)
	case p.Bits() >= 10 && b[0] == 0xfe && b[1]&0xc0 == 0x80 && scop > 2:
		return fail("scop 2 or less for a link-local prefix", ErrScopeExceeded)
	case p.Bits() >= 10 && b[0] == 0xfe && b[1]&0xc0 == 0xc0 && scop > 5:
		return fail("scop 5 or less for a site-local prefix", ErrScopeExceeded)
	}
	out := [16]byte{0xff, 0x30 | scop, 0, byte(p.Bits())}
	copy(out[4:], b[:8])
	return netip.PrefixFrom(netip.AddrFrom16(out), 96), nil
}

// unicast6 checks what both constructors from IPv6 prefixes require.
func unicast6(p netip.Prefix, scop uint8) (want string, cause error) {
	switch {
	case !p.IsValid() || !p.Addr().Is6() || p.Addr().Is4In6():
		return "an IPv6 prefix", ErrInvalid
	case p.Bits() < 1 || p.Bits() > 64:
		return "a prefix of 1..64 bits", ErrBadLength
	case scop < 1 || scop > 14:
		return "a scop in 1..14", ErrBadScop
	}
	return "", nil
}

// EmbeddedRPPrefix returns the multicast prefix of a scop whose rendezvous
// point is the address of unicast prefix p with the interface identifier riid:
// ff7s:0ynn:prefix of 32 more bits than p (RFC 3956 section 3). Everybody who
// sends to or joins an address of it reads the rendezvous point there. Its
// error is an [*Error] with [ErrInvalid] if p is not an IPv6 prefix,
// [ErrBadLength] if it has no or more than 64 bits, [ErrBadRIID] if riid is
// not in 1..15, [ErrBadScop] if scop is not in 1..14, and [ErrBadRP] if the
// address is link-local, in ::/16 or multicast.
func EmbeddedRPPrefix(p netip.Prefix, riid, scop uint8) (netip.Prefix, error) {
	fail := func(want string, cause error) (netip.Prefix, error) {
		text := p.String() + " RIID " + strconv.Itoa(int(riid)) + " scop " + strconv.Itoa(int(scop))
		return netip.Prefix{}, &Error{"make embedded-RP prefix of", text, want, cause}
	}
	if want, cause := unicast6(p, scop); cause != nil {
		return fail(want, cause)
	}
	b := p.Masked().Addr().As16()
	switch {
	case riid < 1 || riid > 15:
		return fail("a RIID in 1..15", ErrBadRIID)
	case !possibleRP(netip.AddrFrom16(b)):
		return fail("a prefix of routable unicast addresses", ErrBadRP)
	}
	out := [16]byte{0xff, 0x70 | scop, riid, byte(p.Bits())}
	copy(out[4:], b[:8])
	return netip.PrefixFrom(netip.AddrFrom16(out), 32+p.Bits()), nil
}

// SSMRange4 returns the source-specific addresses that a sending host chooses
// from alone, at random: 232.0.1.0-232.255.255.255 (RFC 4607 sections 4.3 and
// 9). No allocation protocol is needed for them.
func SSMRange4() Range { return Range{addr4(0xe8000100), addr4(0xe8ffffff)} }

// SSMRange6 returns the same of a scop in IPv6, ff3s::8000:0-ff3s::ffff:ffff.
// Its error is an [*Error] with [ErrBadScop] if scop is not in 1..14.
func SSMRange6(scop uint8) (Range, error) {
	if scop < 1 || scop > 14 {
		return Range{}, &Error{"make SSM range of scop", strconv.Itoa(int(scop)), "a scop in 1..14", ErrBadScop}
	}
	first := [16]byte{0: 0xff, 1: 0x30 | scop, 12: 0x80}
	last := [16]byte{0: 0xff, 1: 0x30 | scop, 12: 0xff, 13: 0xff, 14: 0xff, 15: 0xff}
	return Range{netip.AddrFrom16(first), netip.AddrFrom16(last)}, nil
}
