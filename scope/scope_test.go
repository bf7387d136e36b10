// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
)

// TestRelative checks relative addresses and their offsets, both ways.
func TestRelative(t *testing.T) {
	small := Scope{Range: MustRange("239.1.0.0", "239.1.0.255")}
	tiny := Scope{Range: MustRange("239.1.0.10", "239.1.0.12")}
	for _, tc := range []struct {
		name string
		s    Scope
		k    int
		want string
		err  error
	}{
		{"SCOPE-2365-7 offset 0 is the last address", IPv4Local(), OffsetSAP, "239.255.255.255", nil},
		{"SCOPE-2365-8 MADCAP in the Local Scope", IPv4Local(), OffsetMADCAP, "239.255.255.254", nil},
		{"SCOPE-5771-9 SLP in the Local Scope", IPv4Local(), OffsetSLP, "239.255.255.253", nil},
		{"SCOPE-2365-8 MZAP in the Local Scope", IPv4Local(), OffsetMZAP, "239.255.255.252", nil},
		{"SCOPE-2365-8 AAP in the Local Scope", IPv4Local(), OffsetAAP, "239.255.255.248", nil},
		{"SCOPE-2365-8 MBUS in the Local Scope", IPv4Local(), 8, "239.255.255.247", nil},
		{"SCOPE-2908-1 the same offset in another scope", IPv4OrganizationLocal(), OffsetSLP, "239.195.255.253", nil},
		{"SCOPE-2908-1 in a zone of 256 addresses", small, OffsetMZAP, "239.1.0.252", nil},
		{"SCOPE-LIB-2 the first address of 256", small, 255, "239.1.0.0", nil},
		{"SCOPE-LIB-2 not on a /24 boundary", tiny, 2, "239.1.0.10", nil},
		{"SCOPE-LIB-2 too small", tiny, 3, "", ErrTooSmall},
		{"SCOPE-LIB-2 offset 256", IPv4Local(), 256, "", ErrBadOffset},
		{"SCOPE-LIB-2 offset -1", IPv4Local(), -1, "", ErrBadOffset},
		{"SCOPE-LIB-2 no scope", Scope{}, 0, "", ErrInvalid},
		{"SCOPE-LIB-8 MADCAP in FF03::/16", IPv6(3), OffsetMADCAP, "ff03:ffff:ffff:ffff:ffff:ffff:ffff:fffe", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := tc.s.Relative(tc.k)
			if !errors.Is(err, tc.err) || (err == nil) != (tc.err == nil) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if err != nil {
				return
			}
			if a != addr(tc.want) {
				t.Fatalf("got %v, want %v", a, tc.want)
			}
			if k, ok := tc.s.OffsetOf(a); !ok || k != tc.k {
				t.Fatalf("offset of %v is %d, %v", a, k, ok)
			}
		})
	}
	for _, a := range []string{"239.255.254.255", "239.254.255.255", "ff03::1"} {
		if k, ok := IPv4Local().OffsetOf(addr(a)); ok {
			t.Errorf("SCOPE-LIB-2: %v has offset %d", a, k)
		}
	}
	if _, ok := IPv4Local().OffsetOf(netip.Addr{}); ok {
		t.Error("SCOPE-LIB-2: the zero address has an offset")
	}
}

// TestDynamicRange checks what is left for dynamic allocation.
func TestDynamicRange(t *testing.T) {
	for _, tc := range []struct {
		name, first, last, wantLast string
	}{
		{"SCOPE-LIB-4 Local Scope", "239.255.0.0", "239.255.255.255", "239.255.254.255"},
		{"SCOPE-2908-2 256 addresses are all relative", "239.1.0.0", "239.1.0.255", ""},
		{"SCOPE-LIB-4 257 addresses leave one", "239.1.0.0", "239.1.1.0", "239.1.0.0"},
		{"SCOPE-LIB-4 IPv6", "ff08::", "ff08:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff08:ffff:ffff:ffff:ffff:ffff:ffff:feff"},
		{"SCOPE-LIB-4 the whole of IPv6", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:feff"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, ok := (Scope{Range: MustRange(tc.first, tc.last), Divisible: true}).DynamicRange()
			if ok != (tc.wantLast != "") || ok && r != MustRange(tc.first, tc.wantLast) {
				t.Fatalf("got %v, %v", r, ok)
			}
		})
	}
	if r, ok := (Scope{}).DynamicRange(); ok {
		t.Fatalf("no scope has the dynamic range %v", r)
	}
}

// TestWellKnown checks the scopes that have a name.
func TestWellKnown(t *testing.T) {
	for _, tc := range []struct {
		id        string
		s         Scope
		r         string
		ttl       uint8
		divisible bool
		name      string
	}{
		{"SCOPE-2365-1", IPv4LinkLocal(), "224.0.0.0/24", 1, false, "Link-Local"},
		{"SCOPE-2365-3", IPv4Local(), "239.255.0.0/16", 255, false, "Local"},
		{"SCOPE-2365-4", IPv4OrganizationLocal(), "239.192.0.0/14", 255, false, "Organization-Local"},
		{"SCOPE-2908-4", IPv4Allocation(), "239.251.0.0/16", 255, false, "Allocation"},
		{"SCOPE-2365-6 SCOPE-2908-2", IPv4Global(), "224.0.1.0-238.255.255.255", 255, true, "Global"},
		{"SCOPE-2908-6", IPv6(6), "ff06::/16", 255, false, "Allocation"},
		{"SCOPE-2365-6", IPv6(14), "ff0e::/16", 255, true, "Global"},
		{"SCOPE-2365-6", IPv6(3), "ff03::/16", 255, false, "Local"},
		{"link-local", IPv6(2), "ff02::/16", 1, false, "Link-Local"},
		{"low four bits", IPv6(0x18), "ff08::/16", 255, false, "Organization-Local"},
	} {
		t.Run(tc.id+" "+tc.name, func(t *testing.T) {
			n, ok := tc.s.Names.Lookup("en")
			if tc.s.Range.String() != tc.r || tc.s.TTL != tc.ttl || tc.s.Divisible != tc.divisible || !ok || n.Text != tc.name {
				t.Fatalf("got %v", tc.s)
			}
			if tc.s.ID() != tc.s.Range.First() {
				t.Fatal("SCOPE-2730-1: a scope's identity is its lowest address")
			}
			if !slices.Contains(WellKnown(), tc.s) {
				t.Fatal("not among the well-known scopes")
			}
		})
	}
	if IPv6(7).Names.Len() != 0 {
		t.Fatal("scop 7 has no name")
	}
	ids := map[ID]bool{}
	for _, s := range WellKnown() {
		if ids[s.ID()] {
			t.Fatalf("SCOPE-2730-3: %v twice", s.ID())
		}
		ids[s.ID()] = true
	}
	if LocalTTL != 16 || DefaultTTL != 255 {
		t.Fatal("SCOPE-2730-2, SCOPE-2730-4: TTL")
	}
}

// TestScopeText checks the line of a configuration file.
func TestScopeText(t *testing.T) {
	for _, s := range WellKnown() {
		checkScopeText(t, s)
	}
	names, err := NewNames(Name{"de", "Größe \"XL\"", false}, Name{"en", "Size", true})
	if err != nil {
		t.Fatal(err)
	}
	checkScopeText(t, Scope{Range: MustRange("239.1.0.0", "239.1.5.7"), TTL: 0, Divisible: true, Names: names})
	checkScopeText(t, Scope{})
	if got := (Scope{Range: MustRange("239.1.0.0", "239.1.255.255"), TTL: DefaultTTL}).String(); got != "239.1.0.0/16 ttl 255" {
		t.Errorf("SCOPE-3559-2: an unnamed scope is %s", got)
	}
	if got := (Scope{Range: MustRange("239.1.0.5", "239.1.3.7")}).String(); got != "239.1.0.5-239.1.3.7 ttl 0" {
		t.Errorf("SCOPE-2776-3: a scope that is no prefix is %s", got)
	}

	s, err := ParseScope(" 239.255.0.0/16 ")
	if err != nil || s.TTL != DefaultTTL || s.Range != IPv4Local().Range {
		t.Fatalf("a range alone: %v, %v", s, err)
	}
	s, err = ParseScope(`239.192.0.0/14 default-name en "Organization" divisible name de "Organisation" ttl 15`)
	if err != nil || s.TTL != 15 || !s.Divisible || s.Names.Len() != 2 {
		t.Fatalf("all of it: %v, %v", s, err)
	}
	for _, tc := range []struct {
		text string
		want error
	}{
		{"", ErrSyntax},
		{"ttl 5", ErrSyntax},
		{"239.255.0.0/16 ttl", ErrSyntax},
		{"239.255.0.0/16 ttl 256", ErrSyntax},
		{"239.255.0.0/16 ttl -1", ErrSyntax},
		{"239.255.0.0/16 ttl 1 ttl 2", ErrSyntax},
		{"239.255.0.0/16 divisible divisible", ErrSyntax},
		{"239.255.0.0/16 name en", ErrSyntax},
		{"239.255.0.0/16 name en Local", ErrSyntax},
		{"239.255.0.0/16 name en `Local`", ErrSyntax},
		{`239.255.0.0/16 name en "Local`, ErrSyntax},
		{`239.255.0.0/16 name en "a" name EN "b"`, ErrName},
		{`239.255.0.0/16 default-name en "a" default-name de "b"`, ErrName},
		{`239.255.0.0/16 name toolongsubtag "a"`, ErrName},
		{`239.255.0.0/16 size 5`, ErrSyntax},
		{`239.255.0.5-239.255.0.0`, ErrReversed},
		{`::ffff:1.2.3.4`, ErrInvalid},
	} {
		_, err := ParseScope(tc.text)
		var e *Error
		if !errors.Is(err, tc.want) || !errors.As(err, &e) {
			t.Errorf("%q: error %v, want %v", tc.text, err, tc.want)
		}
	}
}

func checkScopeText(t *testing.T, s Scope) {
	t.Helper()
	text, err := s.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	got := Scope{TTL: 77}
	if err := got.UnmarshalText(text); err != nil || got != s {
		t.Fatalf("%v came back from %q as %v, %v", s, text, got, err)
	}
}
