// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Source is a set of addresses that a pool may grant, and until when: out of
// configuration, or learned from an allocation server's peers or from MASC
// (RFC 2908 section 4). A scope may have several.
type Source struct {
	// Scope the addresses belong to.
	Scope scope.Scope
	// Addrs that may be granted. Empty: all of the scope that is for dynamic
	// allocation, which in IPv6 are its transient addresses with group IDs
	// from Config.GroupIDs. A divisible scope needs Addrs.
	//
	// Not everything listed is granted: addresses that alias the control
	// block on Ethernet are left out (IPv4 x.0.0.y and x.128.0.y, IPv6 group
	// IDs 1 to 255), and so are group IDs outside Config.GroupIDs.
	Addrs scope.Set
	// Exact takes Addrs as they are, aliases and group IDs included. What
	// must never be allocated is left out all the same: the last 256
	// addresses of the scope, 224.0.0.0/24, 233.252.0.0/24 and permanent
	// (T = 0), interface-local and reserved IPv6 addresses.
	Exact bool
	// ValidUntil is when the addresses go back to whoever they are from: no
	// lease ends later. Zero: they are ours for good.
	ValidUntil time.Time
	// For, if not nil, keeps the addresses for the principals it accepts: a
	// reserve that nobody else can exhaust.
	For func(Principal) bool
}

// GroupIDs is a range of IPv6 group IDs, the low 32 bits of an address, both
// ends included.
type GroupIDs struct{ First, Last uint32 }

// DynamicGroupIDs are the group IDs of RFC 3307 section 4.3 for dynamic
// allocation, without the upper end from 0xff000000 on, where solicited-node
// groups have their Ethernet addresses.
var DynamicGroupIDs = GroupIDs{0x80000000, 0xfeffffff}

// grantable returns the addresses of the source that a pool may grant.
func (s *Source) grantable(groups []GroupIDs) (scope.Set, error) {
	bad := func(got, want string) (scope.Set, error) {
		return scope.Set{}, &Error{Op: "configure", Param: ParamScope, Got: got, Want: want, Err: ErrScope}
	}
	r := s.Scope.Range
	if !r.IsValid() || !r.First().IsMulticast() || !r.Last().IsMulticast() {
		return bad(r.String(), "a range of multicast addresses")
	}
	dynamic, ok := s.Scope.DynamicRange()
	if !ok {
		return bad(r.String(), "a scope of more than 256 addresses: the last 256 are never allocated")
	}
	dynamic = transient(dynamic)
	wanted := s.Addrs
	if wanted.IsEmpty() {
		if s.Scope.Divisible {
			return bad(r.String(), "a list of addresses: those of a divisible scope are not ours as a whole")
		}
		wanted, _ = scope.SetOf(dynamic)
		if !r.Is4() { // the group IDs under the prefix of no bits
			base := dynamic.First().As16()
			clear(base[2:12])
			wanted, _ = wanted.Intersect(setOf(group(base, 0), group(base, 1<<32-1)))
		}
	}
	for w := range wanted.Ranges() {
		if w.Is4() != r.Is4() || !dynamic.Covers(sameFlags(w, dynamic)) && !s.Exact {
			return bad(w.String(), "addresses in "+dynamic.String())
		}
	}
	return s.refine(wanted, groups)
}

// refine takes out of wanted what is not to be granted.
func (s *Source) refine(wanted scope.Set, groups []GroupIDs) (scope.Set, error) {
	var b scope.SetBuilder
	b.AddSet(wanted)
	relative, _ := s.Scope.Relative(255)
	last, _ := scope.NewRange(relative, s.Scope.Range.Last())
	b.Remove(last)
	if wanted.Is4() {
		b.Remove(linkLocal)
		b.Remove(documentation)
		if !s.Exact {
			for first := int(wanted.Bounds().First().As4()[0]); first <= int(wanted.Bounds().Last().As4()[0]); first++ {
				for _, second := range []byte{0, 128} {
					b.Remove(scope.RangeOf(netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(first), second}), 24)))
				}
			}
		}
		return b.Set()
	}
	for w := range wanted.Ranges() {
		first, last := w.First().As16(), w.Last().As16()
		if scop := first[1] & 15; first[1] != last[1] || first[1]>>4&1 == 0 || scop < 2 || scop == 15 {
			b.Remove(w) // reserved, interface-local or permanent
			continue
		}
		if s.Exact {
			continue
		}
		if [12]byte(first[:12]) != [12]byte(last[:12]) {
			return scope.Set{}, &Error{Op: "configure", Param: ParamAddrs, Got: w.String(), Want: "IPv6 ranges that differ in their last 32 bits only", Err: ErrScope}
		}
		next := uint64(1) // group ID 0 is nobody's
		b.Remove(scope.Single(group(first, 0)))
		for _, g := range groups {
			if uint64(g.First) > next {
				b.Remove(rangeOf(group(first, next), group(first, uint64(g.First)-1)))
			}
			next = max(next, uint64(g.Last)+1)
		}
		if next < 1<<32 {
			b.Remove(rangeOf(group(first, next), group(first, 1<<32-1)))
		}
		b.Remove(rangeOf(group(first, 1), group(first, 255)))
	}
	return b.Set()
}

var (
	linkLocal     = scope.MustRange("224.0.0.0", "224.0.0.255")
	documentation = scope.MustRange("233.252.0.0", "233.252.0.255")
)

// group returns the address with the prefix of a and the group ID id.
func group(a [16]byte, id uint64) netip.Addr {
	a[12], a[13], a[14], a[15] = byte(id>>24), byte(id>>16), byte(id>>8), byte(id)
	return netip.AddrFrom16(a)
}

func rangeOf(first, last netip.Addr) scope.Range {
	r, _ := scope.NewRange(first, last)
	return r
}

func setOf(first, last netip.Addr) scope.Set {
	s, _ := scope.SetOf(rangeOf(first, last))
	return s
}

// transient returns an IPv6 range of permanent addresses (all flags 0) with
// the T flag set, any other range as it is. Scopes are named by their
// permanent addresses, ff0s::, while only transient ones may be allocated
// (RFC 3307 section 4.3).
func transient(r scope.Range) scope.Range {
	if f := r.First().As16(); !r.Is4() && f[1]>>4 == 0 {
		l := r.Last().As16()
		f[1] |= 0x10
		l[1] |= 0x10
		return rangeOf(netip.AddrFrom16(f), netip.AddrFrom16(l))
	}
	return r
}

// sameFlags returns the IPv6 range r with the flags of like, so that
// addresses of one scop compare whatever their flags; IPv4 as it is.
func sameFlags(r, like scope.Range) scope.Range {
	if r.Is4() || like.Is4() {
		return r
	}
	f, l, flags := r.First().As16(), r.Last().As16(), like.First().As16()[1]&0xf0
	f[1], l[1] = f[1]&15|flags, l[1]&15|flags
	return rangeOf(netip.AddrFrom16(f), netip.AddrFrom16(l))
}
