// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// TestNewRange checks which pairs of addresses make a range (sheet section 6).
func TestNewRange(t *testing.T) {
	for _, tc := range []struct {
		name        string
		first, last netip.Addr
		want        error
	}{
		{"one address", addr("0.0.0.0"), addr("0.0.0.0"), nil},
		{"all of IPv4", addr("0.0.0.0"), addr("255.255.255.255"), nil},
		{"all of IPv6", addr("::"), addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), nil},
		{"reversed", addr("239.0.0.1"), addr("239.0.0.0"), ErrReversed},
		{"mixed", addr("239.0.0.1"), addr("ff02::1"), ErrMixedFamilies},
		{"zero first", netip.Addr{}, addr("ff02::1"), ErrInvalid},
		{"zero last", addr("ff02::1"), netip.Addr{}, ErrInvalid},
		{"zone", addr("ff02::1%eth0"), addr("ff02::2"), ErrInvalid},
		{"zone last", addr("ff02::1"), addr("ff02::2%eth0"), ErrInvalid},
		{"v4-mapped", addr("::ffff:239.0.0.1"), addr("::ffff:239.0.0.2"), ErrInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := NewRange(tc.first, tc.last)
			if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
				t.Fatalf("NewRange error %v, want %v", err, tc.want)
			}
			if r.IsValid() != (tc.want == nil) {
				t.Fatalf("range %v, error %v", r, err)
			}
		})
	}
}

// TestParseRange checks the three text forms and their errors.
func TestParseRange(t *testing.T) {
	for _, tc := range []struct {
		in, out string
		want    error
	}{
		{"239.0.0.0-239.255.255.255", "239.0.0.0/8", nil},
		{" 224.0.1.0 - 238.255.255.255 ", "224.0.1.0-238.255.255.255", nil},
		{"239.1.2.3/16", "239.1.0.0/16", nil},
		{"239.1.2.3/32", "239.1.2.3", nil},
		{"ff0e::/16", "ff0e::/16", nil},
		{"ff0e::1", "ff0e::1", nil},
		{"::/0", "::/0", nil},
		{"0.0.0.0/0", "0.0.0.0/0", nil},
		{"", "", ErrSyntax},
		{"-", "", ErrSyntax},
		{"239.1.2.3-", "", ErrSyntax},
		{"239.1.2.3/33", "", ErrSyntax},
		{"239.1.2.3/", "", ErrSyntax},
		{"239.1.2", "", ErrSyntax},
		{"239.1.2.4-239.1.2.3", "", ErrReversed},
		{"239.1.2.4-ff02::1", "", ErrMixedFamilies},
		{"::ffff:239.1.2.3", "", ErrInvalid},
		{"::ffff:239.1.2.0/120", "", ErrInvalid},
		{"ff02::1%eth0", "", ErrInvalid},
		{"ff02::%eth0/64", "", ErrSyntax},
	} {
		t.Run(tc.in, func(t *testing.T) {
			r, err := ParseRange(tc.in)
			if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
				t.Fatalf("error %v, want %v", err, tc.want)
			}
			var e *Error
			if err != nil && (!errors.As(err, &e) || e.Text == "" && tc.in != "") {
				t.Fatalf("error %v quotes nothing", err)
			}
			if err == nil && r.String() != tc.out {
				t.Fatalf("got %v, want %v", r, tc.out)
			}
		})
	}
}

// TestRangeZero checks that every method is safe on the zero Range.
func TestRangeZero(t *testing.T) {
	var r Range
	a := addr("239.0.0.1")
	if r.IsValid() || r.Is4() || r.Contains(a) || r.Contains(netip.Addr{}) || r.Overlaps(r) || r.Size() != (Uint128{}) ||
		r.BigSize().Sign() != 0 {
		t.Fatal("the zero Range claims addresses")
	}
	if !r.Covers(r) || !Single(a).Covers(r) {
		t.Fatal("the zero Range is covered by everything")
	}
	if _, ok := r.Intersect(Single(a)); ok {
		t.Fatal("intersects")
	}
	if _, ok := r.At(Uint128{}); ok {
		t.Fatal("has an address 0")
	}
	if _, ok := r.Index(a); ok {
		t.Fatal("has an index")
	}
	if _, ok := r.Prefix(); ok {
		t.Fatal("is a prefix")
	}
	for range r.Prefixes() {
		t.Fatal("has prefixes")
	}
	for range r.Addrs() {
		t.Fatal("has addresses")
	}
	if text, err := r.MarshalText(); err != nil || len(text) != 0 {
		t.Fatalf("text %q, %v", text, err)
	}
	if RangeOf(netip.Prefix{}).IsValid() || Single(netip.Addr{}).IsValid() || Single(addr("::ffff:1.2.3.4")).IsValid() {
		t.Fatal("made from nothing")
	}
	if r.Compare(Single(a)) >= 0 || Single(a).Compare(Single(addr("ff02::1"))) >= 0 {
		t.Fatal("order")
	}
}

// TestRangePrefixes checks the CIDR cover of a range.
func TestRangePrefixes(t *testing.T) {
	for _, tc := range []struct {
		name  string
		r     Range
		first []string
		n     int
	}{
		{"SCOPE-LIB-23 example", MustRange("239.7.0.3", "239.7.0.12"), []string{"239.7.0.3/32", "239.7.0.4/30", "239.7.0.8/30", "239.7.0.12/32"}, 4},
		{"SCOPE-LIB-23 all of IPv4", MustRange("0.0.0.0", "255.255.255.255"), []string{"0.0.0.0/0"}, 1},
		{"SCOPE-LIB-23 all of IPv6", MustRange("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), []string{"::/0"}, 1},
		{"SCOPE-LIB-23 all but the ends", MustRange("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"), []string{"::1/128"}, 254},
		{"SCOPE-2365-6 the global scope takes 22 prefixes", IPv4Global().Range, []string{"224.0.1.0/24", "224.0.2.0/23"}, 22},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for p := range tc.r.Prefixes() {
				got = append(got, p.String())
			}
			if len(got) != tc.n || !slices.Equal(got[:len(tc.first)], tc.first) {
				t.Fatalf("%d prefixes: %v", len(got), got)
			}
		})
	}
}
