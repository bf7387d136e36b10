// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/masc/masctest"
)

func TestCompare(t *testing.T) {
	at := func(typ masc.ClaimType, ts masc.Timestamp, n masc.ID) masc.Claim {
		c := claim(typ, "229.1.0.0/16")
		c.Timestamp, c.Node = ts, n
		return c
	}
	n1, n2 := node("192.0.2.1"), node("192.0.2.2")
	for _, tt := range []struct {
		id   string
		a, b masc.Claim
		want int
	}{
		{"MASC-5.1.1-1 in use beats denied", at(masc.PrefixInUse, 9, n2), at(masc.ClaimDenied, 1, n1), -1},
		{"MASC-5.1.1-1 denied beats expand", at(masc.ClaimDenied, 9, n2), at(masc.ClaimToExpand, 1, n1), -1},
		{"MASC-5.1.1-1 expand beats new", at(masc.ClaimToExpand, 9, n2), at(masc.NewClaim, 1, n1), -1},
		{"MASC-5.1.1-2 earlier wins", at(masc.NewClaim, 1, n2), at(masc.NewClaim, 2, n1), -1},
		{"MASC-D-27 unsigned", at(masc.NewClaim, 0x7FFFFFFF, n2), at(masc.NewClaim, 0x80000000, n1), -1},
		{"MASC-5.1.1-3 smaller node wins", at(masc.NewClaim, 1, n1), at(masc.NewClaim, 1, n2), -1},
		{"MASC-D-9 nodes across widths", at(masc.NewClaim, 1, node("255.255.255.255")), at(masc.NewClaim, 1, node("2001:db8::1")), -1},
		{"MASC-D-24 tie", at(masc.NewClaim, 1, n1), with(at(masc.NewClaim, 1, n1), func(c *masc.Claim) {
			c.Prefix, c.Lifetime, c.Domain, c.Role = masc.MustPrefix("224.0.0.0/4"), 1, masc.NumberID(7), masc.Sibling // MASC-D-26
		}), 0},
		{"MASC-5.1.1-4 no claims tie", at(masc.PrefixManaged, 1, n1), at(masc.Withdraw, 2, n2), 0},
	} {
		t.Run(tt.id, func(t *testing.T) {
			if got := masc.Compare(tt.a, tt.b); got != tt.want {
				t.Errorf("got %d", got)
			}
			if got := masc.Compare(tt.b, tt.a); got != -tt.want {
				t.Errorf("reversed got %d", got)
			}
		})
	}
}

// TestCompareOrder: Compare is a strict total order of claims that differ in
// type, time or node: MASC-5.1.1-1, MASC-5.1.1-2, MASC-5.1.1-3.
func TestCompareOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := masctest.Claims().Draw(t, "a"), masctest.Claims().Draw(t, "b"), masctest.Claims().Draw(t, "c")
		ab, bc, ac := masc.Compare(a, b), masc.Compare(b, c), masc.Compare(a, c)
		if masc.Compare(b, a) != -ab || masc.Compare(a, a) != 0 {
			t.Fatal("not antisymmetric")
		}
		if ab <= 0 && bc <= 0 && (ac > 0 || ac == 0 && (ab != 0 || bc != 0)) {
			t.Fatal("not transitive")
		}
		same := a.Type == b.Type && a.Timestamp == b.Timestamp && a.Node == b.Node
		if a.Type.IsClaim() && b.Type.IsClaim() && (ab == 0) != same {
			t.Fatalf("compare %d of %v and %v", ab, a, b)
		}
	})
}

func TestCollide(t *testing.T) {
	other := func(typ masc.ClaimType, prefix string) masc.Claim {
		c := claim(typ, prefix)
		c.Domain, c.Node, c.Timestamp = masc.NumberID(64502), node("192.0.2.9"), sep9+5
		return c
	}
	mate := func(typ masc.ClaimType, prefix string) masc.Claim {
		return with(claim(typ, prefix), func(c *masc.Claim) { c.Node, c.Timestamp = node("192.0.2.8"), sep9+9 })
	}
	hint := claim(masc.NewClaim, "228.0.0.0/16")
	hint.Prefix = masc.Hint(masc.FamilyIPv4, 16)
	for _, tt := range []struct {
		id   string
		a, b masc.Claim
		want bool
	}{
		{"MASC-D-25 nested", claim(masc.NewClaim, "229.1.0.0/16"), other(masc.NewClaim, "229.1.128.0/17"), true},
		{"MASC-D-25 apart", claim(masc.NewClaim, "229.1.0.0/17"), other(masc.NewClaim, "229.1.128.0/17"), false},
		{"MASC-D-25 other level", claim(masc.NewClaim, "229.1.0.0/16"), with(other(masc.NewClaim, "229.1.0.0/16"),
			func(c *masc.Claim) { c.Role = masc.Child }), false},
		{"MASC-D-25 two nodes of a domain", claim(masc.NewClaim, "229.1.0.0/16"), mate(masc.NewClaim, "229.1.0.0/17"), true},
		{"MASC-D-25 own renewal", claim(masc.PrefixInUse, "229.1.0.0/16"), mate(masc.ClaimToExpand, "229.1.0.0/16"), false},
		{"MASC-D-25 same node", claim(masc.NewClaim, "229.1.0.0/16"), claim(masc.ClaimToExpand, "229.1.0.0/15"), false},
		{"MASC-5.1.1-4 managed", claim(masc.PrefixManaged, "229.1.0.0/16"), other(masc.NewClaim, "229.1.0.0/16"), false},
		{"MASC-5.1.1-4 withdraw", claim(masc.Withdraw, "229.1.0.0/16"), other(masc.NewClaim, "229.1.0.0/16"), false},
		{"MASC-D-48 hint", hint, other(masc.NewClaim, "229.1.0.0/16"), false},
		{"MASC-11.3.3-3 denied", claim(masc.ClaimDenied, "229.1.0.0/16"), claim(masc.NewClaim, "229.1.0.0/16"), true},
		{"MASC-11.3.3-3 denied, other time", claim(masc.ClaimDenied, "229.1.0.0/16"), with(claim(masc.NewClaim, "229.1.0.0/16"),
			func(c *masc.Claim) { c.Timestamp++ }), false},
		{"MASC-D-32 denied, a part", claim(masc.ClaimDenied, "229.1.0.0/17"), claim(masc.NewClaim, "229.1.0.0/16"), false},
		{"MASC-D-25 denied, another domain's", claim(masc.ClaimDenied, "229.1.0.0/16"), other(masc.NewClaim, "229.1.0.0/16"), false},
		{"MASC-D-23 holes", with(claim(masc.NewClaim, "229.1.0.0/16"), func(c *masc.Claim) {
			c.Prefix = masc.MaskedPrefix(netip.MustParseAddr("228.0.5.0"), netip.MustParseAddr("255.0.255.0"))
		}), other(masc.NewClaim, "228.7.5.0/24"), true},
	} {
		t.Run(tt.id, func(t *testing.T) {
			if got := masc.Collide(tt.a, tt.b); got != tt.want {
				t.Errorf("got %t", got)
			}
			if got := masc.Collide(tt.b, tt.a); got != tt.want {
				t.Errorf("reversed got %t", got)
			}
		})
	}
}

// TestPrefixModel holds set arithmetic of prefixes with any mask against the
// addresses they contain (MASC-D-23).
func TestPrefixModel(t *testing.T) {
	mask := func(t *rapid.T, label string) masc.Prefix {
		bits := byte(rapid.IntRange(0, 255).Draw(t, label+" mask"))
		addr := byte(rapid.IntRange(0, 255).Draw(t, label)) & bits
		return masc.MaskedPrefix(netip.AddrFrom4([4]byte{228, 0, 0, addr}), netip.AddrFrom4([4]byte{255, 255, 255, bits}))
	}
	rapid.Check(t, func(t *rapid.T) {
		p, q := mask(t, "p"), mask(t, "q")
		both, all, in := 0, true, 0
		common, ok := p.Meet(q)
		for i := range 256 {
			a := netip.AddrFrom4([4]byte{228, 0, 0, byte(i)})
			inP, inQ := p.Contains(a), q.Contains(a)
			if inP {
				in++
			}
			if inP && inQ {
				both++
			}
			all = all && (inP || !inQ)
			if (inP && inQ) != (ok && common.Contains(a)) {
				t.Fatalf("%v meets %v in %v, not %v", p, q, common, a)
			}
		}
		if p.Overlaps(q) != (both > 0) || ok != (both > 0) || p.Covers(q) != all || p.Size() != float64(in) || !p.IsValid() {
			t.Fatalf("%v and %v: %d in both", p, q, both)
		}
		n, contiguous := p.Netip()
		if contiguous != p.IsContiguous() || contiguous && masc.PrefixOf(n) != p {
			t.Fatalf("%v is %v", p, n)
		}
	})
}

// TestZeroPrefix calls everything on no prefix.
func TestZeroPrefix(t *testing.T) {
	var p masc.Prefix
	q := masc.MustPrefix("228.0.0.0/8")
	if p.IsValid() || p.Overlaps(p) || p.Covers(p) || q.Covers(p) || p.Contains(netip.MustParseAddr("228.0.0.1")) || p.Size() != 0 ||
		p.Addr().IsValid() || p.Mask().IsValid() || p.String() != "no prefix" || masc.PrefixOf(netip.Prefix{}) != p {
		t.Error("the zero Prefix is something")
	}
	if s := masc.MaskedPrefix(netip.MustParseAddr("228.0.5.0"), netip.MustParseAddr("255.0.255.0")).String(); s != "228.0.5.0/255.0.255.0" {
		t.Error(s)
	}
	if s := masc.MustPrefix("ff3e:30::/40").String(); s != "ff3e:30::/40" {
		t.Error(s)
	}
}
