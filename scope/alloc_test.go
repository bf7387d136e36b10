// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"go/parser"
	"go/token"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// TestImports holds the package to the standard library, and of that to what
// needs no system.
func TestImports(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{"bytes": true, "cmp": true, "encoding/binary": true, "errors": true, "fmt": true, "iter": true,
		"math/big": true, "math/bits": true, "math/rand/v2": true, "net/netip": true, "slices": true, "sort": true,
		"strconv": true, "strings": true, "unicode": true, "unicode/utf8": true}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || name == "gentree.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			if path := strings.Trim(i.Path.Value, `"`); !allowed[path] {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}

// TestNoAllocs lists what must not allocate: all that a codec or an allocator
// does for each packet.
func TestNoAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations differ under the race detector")
	}
	var (
		a, b    = addr("239.1.2.3"), addr("239.1.2.9")
		r       = Range{a, b}
		set     = MustSet("239.0.0.0/9", "239.200.0.0/16", "239.255.3.0-239.255.4.7")
		set6    = MustSet("ff1e::8000:0/97", "ff15::1-ff15::9")
		one     = MustSet("239.0.0.0/8")
		local   = IPv4Local()
		unicast = prefix("2001:db8::/32")
		text    = make([]byte, 0, 100)
		rnd     = rand.New(rand.NewPCG(1, 2))
		spaces  = []*Space{NewSpace(set), NewSpace(set6)}
		yield   = func(netip.Prefix) bool { return true }
	)
	for name, f := range map[string]func(){
		"NewRange":           func() { r, _ = NewRange(a, b) },
		"RangeOf":            func() { RangeOf(netip.PrefixFrom(a, 24)) },
		"Range.Contains":     func() { r.Contains(a) },
		"Range.Size":         func() { r.Size() },
		"Range.At":           func() { r.At(U128(3)) },
		"Range.Prefixes":     func() { r.Prefixes()(yield) },
		"Range.AppendText":   func() { text, _ = r.AppendText(text[:0]) },
		"SetOf one":          func() { setOfOne(r) },
		"Set.Contains":       func() { set.Contains(a) },
		"Set.Contains IPv6":  func() { set6.Contains(addr6) },
		"Set.Covers":         func() { set.Covers(one) },
		"Set.Overlaps":       func() { set.Overlaps(one) },
		"Set.At":             func() { set.At(U128(77777)) },
		"Set.NthPrefix":      func() { set.NthPrefix(24, U128(7)) },
		"Set.BestFitPrefix":  func() { set.BestFitPrefix(24) },
		"Set.AppendBinary":   func() { text, _ = set.AppendBinary(text[:0]) },
		"Scope.Relative":     func() { local.Relative(3) },
		"Scope.OffsetOf":     func() { local.OffsetOf(a) },
		"Scope.DynamicRange": func() { local.DynamicRange() },
		"Scope.AppendText":   func() { text, _ = local.AppendText(text[:0]) },
		"Classify":           func() { Classify(a) },
		"Classify IPv6":      func() { Classify(addr6) },
		"EthernetOf":         func() { EthernetOf(a) },
		"Collides":           func() { Collides(a, b) },
		"GLOPPrefix":         func() { GLOPPrefix(5662) },
		"UnicastPrefix4":     func() { UnicastPrefix4(netip.PrefixFrom(addrA, 24)) },
		"UnicastPrefix6":     func() { UnicastPrefix6(unicast, 14) },
		"EmbeddedRPPrefix":   func() { EmbeddedRPPrefix(unicast, 1, 14) },
		"Uint128.AppendText": func() { text, _ = maxUint128.AppendText(text[:0]) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	for _, s := range spaces {
		bits := width(s.is4)
		churn := func() {
			s.Size()
			s.FirstFit(U128(3))
			first, _ := s.At(U128(1000))
			s.Take(Single(first))
			p, _ := s.RandomPrefix(bits-4, rnd)
			s.Take(RangeOf(p))
			s.Contains(first)
			s.Covers(RangeOf(p))
			s.Next(first)
			a, _ := s.RandomAddr(rnd)
			s.Take(Single(a))
			s.Add(Single(a))
			s.Add(RangeOf(p))
			s.Add(Single(first))
		}
		if n := testing.AllocsPerRun(500, churn); n != 0 {
			t.Errorf("taking and giving allocates %v times (IPv4: %v)", n, s.is4)
		}
	}
}

var addrA, addr6 = addr("1.2.3.4"), addr("ff1e::8000:77")

// TestSpaceMemory holds the memory of a space to its number of ranges, and
// taking and giving among many ranges to no allocation.
func TestSpaceMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations differ under the race detector")
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	s := NewSpace(MustSet("239.0.0.0/8"))
	taken := make([]Range, 20000)
	for i := range taken {
		a, _ := s.RandomAddr(rnd)
		taken[i] = Single(a)
		s.Take(taken[i])
	}
	churn := func() {
		for range 100 {
			i := rnd.IntN(len(taken))
			s.Add(taken[i])
			a, _ := s.RandomAddr(rnd)
			taken[i] = Single(a)
			s.Take(taken[i])
		}
	}
	for range 500 {
		churn()
	}
	if n := testing.AllocsPerRun(100, churn); n > 1 { // a new leaf now and then
		t.Errorf("100 addresses taken and given: %v allocations", n)
	}
	for _, r := range taken {
		s.Add(r)
	}
	if s.Len() != 1 || s.low.leaves != 1 || len(s.low.freeLeaves) > 16 {
		t.Errorf("%d ranges in %d leaves, %d kept for later", s.Len(), s.low.leaves, len(s.low.freeLeaves))
	}
}
