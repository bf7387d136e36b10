// SPDX-License-Identifier: BSD-3-Clause

// Package scopetest has generators of scope's values for property tests with
// pgregory.net/rapid. They prefer the places where code goes wrong: the ends
// of address spaces, of blocks and of scopes, and small neighbourhoods in
// which ranges overlap and touch.
package scopetest

import (
	"net/netip"

	"github.com/mcastalloc/malloc/scope"
	"pgregory.net/rapid"
)

// corners are addresses around which something changes.
var corners4 = []string{"0.0.0.0", "223.255.255.255", "224.0.0.0", "224.0.0.255", "224.0.1.0", "232.0.0.0", "232.0.1.0", "233.251.255.255",
	"234.0.0.0", "238.255.255.255", "239.0.0.0", "239.192.0.0", "239.195.255.255", "239.251.255.255", "239.255.0.0", "239.255.255.0",
	"239.255.255.255", "255.255.255.255"}

var corners6 = []string{"::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff00::", "ff02::1:ff00:0", "ff03:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	"ff0e::", "ff1e::7fff:ffff", "ff1e::8000:0", "ff1e::ffff:ffff", "ff3e::4000:0", "ff3e:30:2001:db8:1::8000:0", "ff7e:140:2001:db8::8000:0",
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}

// Addr4 generates IPv4 addresses.
func Addr4() *rapid.Generator[netip.Addr] { return near(corners4, 4) }

// Addr6 generates IPv6 addresses without zones, none of them IPv4-mapped.
func Addr6() *rapid.Generator[netip.Addr] {
	return near(corners6, 16).Filter(func(a netip.Addr) bool { return !a.Is4In6() })
}

// Addr generates addresses of both families.
func Addr() *rapid.Generator[netip.Addr] { return rapid.OneOf(Addr4(), Addr6()) }

// near generates the corners, addresses close to them and any others.
func near(corners []string, size int) *rapid.Generator[netip.Addr] {
	return rapid.Custom(func(t *rapid.T) netip.Addr {
		if rapid.IntRange(0, 3).Draw(t, "anywhere") == 0 {
			a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "octets"))
			return a
		}
		a := netip.MustParseAddr(rapid.SampledFrom(corners).Draw(t, "corner"))
		for range rapid.IntRange(0, 5).Draw(t, "steps") {
			b := a.Prev()
			if rapid.Bool().Draw(t, "up") {
				b = a.Next()
			}
			if !b.IsValid() {
				break
			}
			a = b
		}
		return a
	})
}

// Range4 generates IPv4 ranges.
func Range4() *rapid.Generator[scope.Range] { return ranges(Addr4()) }

// Range6 generates IPv6 ranges.
func Range6() *rapid.Generator[scope.Range] { return ranges(Addr6()) }

// Range generates valid ranges of both families.
func Range() *rapid.Generator[scope.Range] { return rapid.OneOf(Range4(), Range6()) }

func ranges(addrs *rapid.Generator[netip.Addr]) *rapid.Generator[scope.Range] {
	return rapid.Custom(func(t *rapid.T) scope.Range {
		a := addrs.Draw(t, "first")
		b := a
		if rapid.Bool().Draw(t, "far") {
			b = addrs.Draw(t, "last")
		} else {
			for range rapid.IntRange(0, 20).Draw(t, "length") {
				if next := b.Next(); next.IsValid() {
					b = next
				}
			}
		}
		if b.Less(a) {
			a, b = b, a
		}
		r, err := scope.NewRange(a, b)
		if err != nil {
			t.Fatalf("scopetest: %v", err)
		}
		return r
	})
}

// Set4 generates sets of IPv4 addresses, the empty one included.
func Set4() *rapid.Generator[scope.Set] { return sets(Range4()) }

// Set6 generates sets of IPv6 addresses, the empty one included.
func Set6() *rapid.Generator[scope.Set] { return sets(Range6()) }

// Set generates sets of either family.
func Set() *rapid.Generator[scope.Set] { return rapid.OneOf(Set4(), Set6()) }

func sets(ranges *rapid.Generator[scope.Range]) *rapid.Generator[scope.Set] {
	return rapid.Custom(func(t *rapid.T) scope.Set {
		s, err := scope.SetOf(rapid.SliceOfN(ranges, 0, 8).Draw(t, "ranges")...)
		if err != nil {
			t.Fatalf("scopetest: %v", err)
		}
		return s
	})
}

// Names generates name tables.
func Names() *rapid.Generator[scope.Names] {
	return rapid.Custom(func(t *rapid.T) scope.Names {
		tags := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"en", "de", "de-CH", "zh-Hant", "fr-CA", "x-test"}), 0, 4, rapid.ID).Draw(t, "tags")
		preferred := rapid.IntRange(-1, 4).Draw(t, "default")
		names := make([]scope.Name, len(tags))
		for i, tag := range tags {
			names[i] = scope.Name{Tag: tag, Text: rapid.StringMatching(`[A-Za-zäß台 "\\]{0,12}`).Draw(t, "text"), Default: i == preferred}
		}
		n, err := scope.NewNames(names...)
		if err != nil {
			t.Fatalf("scopetest: %v", err)
		}
		return n
	})
}

// Scope generates scopes of both families.
func Scope() *rapid.Generator[scope.Scope] {
	return rapid.Custom(func(t *rapid.T) scope.Scope {
		return scope.Scope{
			Range:     Range().Draw(t, "range"),
			TTL:       rapid.Uint8().Draw(t, "ttl"),
			Divisible: rapid.Bool().Draw(t, "divisible"),
			Names:     Names().Draw(t, "names"),
		}
	})
}

// Nesting generates what is known about the nesting of the scopes: a part of
// the truth about zones drawn at random, so that it never contradicts itself.
func Nesting(ids ...scope.ID) *rapid.Generator[*scope.Nesting] {
	return rapid.Custom(func(t *rapid.T) *scope.Nesting {
		n := scope.NewNesting(ids...)
		zones := make(map[scope.ID]uint8)
		for _, id := range n.IDs() {
			zones[id] = rapid.Uint8Range(1, 255).Draw(t, "zone")
		}
		for _, inner := range n.IDs() {
			for _, outer := range n.IDs() {
				if inner == outer || !rapid.Bool().Draw(t, "known") {
					continue
				}
				r := scope.No
				if zones[inner]&^zones[outer] == 0 {
					r = scope.Yes
				}
				if err := n.Set(inner, outer, r); err != nil {
					t.Fatalf("scopetest: %v", err)
				}
			}
		}
		return n
	})
}
