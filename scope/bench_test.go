// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// fragments returns n ranges, one in each n-th part of a prefix, in random
// order.
func fragments(p netip.Prefix, n int) []Range {
	r := rand.New(rand.NewPCG(uint64(n), 9))
	whole := RangeOf(p).span()
	slot := (uint64(1) << min(32, width(p.Addr().Is4())-p.Bits())) / uint64(n)
	out := make([]Range, n)
	for i := range out {
		first := whole.first.Add(U128(uint64(i)*slot + r.Uint64N(slot-1)))
		last := whole.first.Add(U128(uint64(i)*slot + slot - 2))
		last = first.Add(U128(r.Uint64N(last.Sub(first).Lo + 1)))
		out[i] = span{first, last}.toRange(p.Addr().Is4())
	}
	r.Shuffle(n, func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// eachSize runs a benchmark for 1e2 to 1e6 fragments of 239.0.0.0/8, of an
// IPv6 /96 and, spread over two of them, in the wide form.
func eachSize(b *testing.B, f func(b *testing.B, ranges []Range)) {
	for _, where := range []struct{ name, prefix string }{{"IPv4", "239.0.0.0/8"}, {"IPv6", "ff1e::/96"}, {"wide", "ff1e::ffff:0:0/95"}} {
		for _, n := range []int{1e2, 1e3, 1e4, 1e5, 1e6} {
			b.Run(fmt.Sprintf("%s/%.0e", where.name, float64(n)), func(b *testing.B) {
				ranges := fragments(netip.MustParsePrefix(where.prefix), n)
				if where.name == "wide" {
					ranges = append(ranges, Single(addr("ff1f::1")))
				}
				b.ReportAllocs()
				f(b, ranges)
			})
		}
	}
}

func must(s Set, err error) Set {
	if err != nil {
		panic(err)
	}
	return s
}

func BenchmarkSetBuild(b *testing.B) {
	eachSize(b, func(b *testing.B, ranges []Range) {
		for b.Loop() {
			must(SetOf(ranges...))
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ranges)), "ns/range")
	})
}

func BenchmarkSetUnion(b *testing.B) {
	eachSize(b, func(b *testing.B, ranges []Range) {
		x, y := must(SetOf(ranges[:len(ranges)/2]...)), must(SetOf(ranges[len(ranges)/2:]...))
		for b.Loop() {
			must(x.Union(y))
		}
	})
}

func BenchmarkSetSubtract(b *testing.B) {
	eachSize(b, func(b *testing.B, ranges []Range) {
		x, y := setOfOne(Range{ranges[0].first, ranges[0].first}), must(SetOf(ranges...))
		x.bounds = y.bounds
		for b.Loop() {
			must(x.Subtract(y))
		}
	})
}

func BenchmarkSetContains(b *testing.B) {
	eachSize(b, func(b *testing.B, ranges []Range) {
		s, i := must(SetOf(ranges...)), 0
		for b.Loop() {
			s.Contains(ranges[i%len(ranges)].first)
			i++
		}
	})
}

func BenchmarkSpaceBuild(b *testing.B) {
	eachSize(b, func(b *testing.B, ranges []Range) {
		s := must(SetOf(ranges...))
		for b.Loop() {
			NewSpace(s)
		}
	})
}

func BenchmarkSpaceContains(b *testing.B) {
	eachSize(b, func(b *testing.B, ranges []Range) {
		s, i := NewSpace(must(SetOf(ranges...))), 0
		for b.Loop() {
			s.Contains(ranges[i%len(ranges)].first)
			i++
		}
	})
}

func BenchmarkSpaceTakeGive(b *testing.B) {
	eachSize(b, func(b *testing.B, ranges []Range) {
		s, i := NewSpace(must(SetOf(ranges...))), 0
		for b.Loop() {
			r := ranges[i%len(ranges)]
			s.Take(r)
			s.Add(r)
			i++
		}
	})
}

func BenchmarkSpaceFirstFit(b *testing.B) {
	eachSize(b, func(b *testing.B, ranges []Range) {
		s := NewSpace(must(SetOf(ranges...)))
		for b.Loop() {
			r, _ := s.FirstFit(U128(3))
			s.Take(r)
			s.Add(r)
		}
	})
}

func BenchmarkSpaceBestFit(b *testing.B) {
	eachSize(b, func(b *testing.B, ranges []Range) {
		s := NewSpace(must(SetOf(ranges...)))
		s.BestFit(U128(3)) // builds the index
		for b.Loop() {
			r, _ := s.BestFit(U128(3))
			s.Take(r)
			s.Add(r)
		}
	})
}

func BenchmarkSpaceRandomAddr(b *testing.B) {
	eachSize(b, func(b *testing.B, ranges []Range) {
		s, rnd := NewSpace(must(SetOf(ranges...))), rand.New(rand.NewPCG(1, 2))
		for b.Loop() {
			a, _ := s.RandomAddr(rnd)
			r := Single(a)
			s.Take(r)
			s.Add(r)
		}
	})
}

func BenchmarkSpaceRandomPrefix(b *testing.B) {
	eachSize(b, func(b *testing.B, ranges []Range) {
		s, rnd := NewSpace(must(SetOf(ranges...))), rand.New(rand.NewPCG(1, 2))
		bits := width(s.is4) - 2
		s.CountPrefixes(bits) // counts them from now on
		for b.Loop() {
			p, _ := s.RandomPrefix(bits, rnd)
			r := RangeOf(p)
			s.Take(r)
			s.Add(r)
		}
	})
}

func BenchmarkClassify(b *testing.B) {
	for _, s := range []string{"224.0.0.1", "239.255.1.2", "ff1e::8000:1", "ff7e:140:2001:db8::8000:1"} {
		b.Run(s, func(b *testing.B) {
			a := addr(s)
			b.ReportAllocs()
			for b.Loop() {
				Classify(a)
			}
		})
	}
}

func BenchmarkNewRange(b *testing.B) {
	for _, s := range [][2]string{{"239.0.0.1", "239.0.0.9"}, {"ff1e::1", "ff1e::9"}} {
		first, last := addr(s[0]), addr(s[1])
		b.ReportAllocs()
		b.Run(s[0], func(b *testing.B) {
			for b.Loop() {
				if _, err := NewRange(first, last); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
