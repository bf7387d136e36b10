// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"testing"
)

func spaceInvariants(s *Space) error {
	switch {
	case s.low != nil:
		return s.low.invariants()
	case s.wide != nil:
		return s.wide.invariants()
	}
	return nil
}

// seeds returns how many random runs a test makes: MALLOC_SEEDS, or few.
func seeds(few int) int {
	if n, err := strconv.Atoi(os.Getenv("MALLOC_SEEDS")); err == nil {
		return n
	}
	return few
}

// TestSpaceModel drives a Space through random changes next to a bitmap of
// the same addresses, in dense and in sparse patterns, and compares every
// answer. MALLOC_SEEDS sets the number of runs.
func TestSpaceModel(t *testing.T) {
	bases := []netip.Addr{
		addr("239.7.0.0"), addr("0.0.0.0"), addr("255.255.224.0"), addr("ff3e::8000:0"),
		addr("ff3e::ffff:f000"), addr("::"), addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:e000"),
	}
	for seed := range uint64(seeds(len(bases) * 4)) {
		base := bases[int(seed)%len(bases)]
		t.Run(fmt.Sprintf("seed %d at %v", seed, base), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			runSpaceModel(t, rnd, base, 1<<(7+seed%7), 600)
		})
	}
}

func runSpaceModel(t *testing.T, rnd *rand.Rand, base netip.Addr, size, steps int) {
	m := make([]bool, size)
	at := func(i int) netip.Addr { return numberAddr(addrNumber(base).Add(U128(uint64(i))), base.Is4()) }
	var s *Space
	if rnd.IntN(2) == 0 {
		s = &Space{}
	} else {
		var b SetBuilder
		for range rnd.IntN(size / 4) {
			first := rnd.IntN(size)
			last := min(size-1, first+rnd.IntN(4))
			b.Add(Range{at(first), at(last)})
			for i := first; i <= last; i++ {
				m[i] = true
			}
		}
		set, err := b.Set()
		if err != nil {
			t.Fatal(err)
		}
		s = NewSpace(set)
	}
	if !base.Is4() && rnd.IntN(2) == 0 {
		far := MustRange("7000::", "7001::")
		if err := errors.Join(s.Add(far), s.Remove(far)); err != nil || s.wide == nil {
			t.Fatal("not wide", err)
		}
	}
	longest := 1 << rnd.IntN(10)
	growing := true
	for step := range steps {
		if rnd.IntN(40) == 0 {
			growing = !growing
			longest = 1 << rnd.IntN(10)
		}
		first := rnd.IntN(size)
		last := min(size-1, first+rnd.IntN(longest))
		r := Range{at(first), at(last)}
		free := 0
		for i := first; i <= last; i++ {
			if m[i] {
				free++
			}
		}
		if s.Covers(r) != (free == last-first+1) || s.Overlaps(r) != (free > 0) {
			t.Fatalf("step %d: covers %v, overlaps %v, %d free of %v", step, s.Covers(r), s.Overlaps(r), free, r)
		}
		add := (rnd.IntN(4) > 0) == growing
		var err error
		switch {
		case add:
			err = s.Add(r)
		case rnd.IntN(2) == 0:
			err = s.Remove(r)
		case s.Take(r) != (free == last-first+1):
			t.Fatalf("step %d: take %v with %d free", step, r, free)
		case free != last-first+1:
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := first; i <= last; i++ {
			m[i] = add
		}
		if err := spaceInvariants(s); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		if step%8 == 0 {
			compareSpace(t, rnd, s, m, at)
		}
	}
	compareSpace(t, rnd, s, m, at)
}

// compareSpace asks everything and compares with the bitmap.
func compareSpace(t *testing.T, rnd *rand.Rand, s *Space, m []bool, at func(int) netip.Addr) {
	t.Helper()
	type run struct{ first, n int }
	var free []int
	var runs []run
	for i, f := range m {
		if !f {
			continue
		}
		free = append(free, i)
		if i > 0 && m[i-1] {
			runs[len(runs)-1].n++
		} else {
			runs = append(runs, run{i, 1})
		}
	}
	if s.Size() != U128(uint64(len(free))) || s.Len() != len(runs) {
		t.Fatalf("size %v, %d ranges; model %d, %d", s.Size(), s.Len(), len(free), len(runs))
	}
	k := 0
	for r := range s.Ranges() {
		if want := (Range{at(runs[k].first), at(runs[k].first + runs[k].n - 1)}); r != want {
			t.Fatalf("range %d is %v, want %v", k, r, want)
		}
		k++
	}
	for range 5 {
		i := rnd.IntN(len(m))
		if s.Contains(at(i)) != m[i] {
			t.Fatalf("contains %v", at(i))
		}
		if a, ok := s.At(U128(uint64(i))); ok != (i < len(free)) || ok && a != at(free[i]) {
			t.Fatalf("at %d: %v, %v", i, a, ok)
		}
		want := 1 + rnd.IntN(1<<rnd.IntN(9))
		firstFit, bestFit := -1, -1
		for j, r := range runs {
			if r.n >= want {
				if firstFit < 0 {
					firstFit = r.first
				}
				if bestFit < 0 || r.n < runs[bestFit].n {
					bestFit = j
				}
			}
		}
		r, ok := s.FirstFit(U128(uint64(want)))
		if ok != (firstFit >= 0) || ok && (r.First() != at(firstFit) || r.Size() != U128(uint64(want))) {
			t.Fatalf("first fit of %d: %v, %v, want %d", want, r, ok, firstFit)
		}
		r, ok = s.BestFit(U128(uint64(want)))
		if ok != (bestFit >= 0) || ok && (r.First() != at(runs[bestFit].first) || r.Size() != U128(uint64(want))) {
			t.Fatalf("best fit of %d: %v, %v", want, r, ok)
		}
		host := rnd.IntN(6)
		var blocks []int
		for b := range len(m) >> host {
			whole := true
			for x := b << host; x < (b+1)<<host; x++ {
				whole = whole && m[x]
			}
			if whole {
				blocks = append(blocks, b<<host)
			}
		}
		bits := at(0).BitLen() - host
		if n := s.CountPrefixes(bits); n != U128(uint64(len(blocks))) {
			t.Fatalf("%v prefixes /%d, want %d", n, bits, len(blocks))
		}
		n := rnd.IntN(len(blocks) + 1)
		p, ok := s.NthPrefix(bits, U128(uint64(n)))
		if ok != (n < len(blocks)) || ok && p != netip.PrefixFrom(at(blocks[n]), bits) {
			t.Fatalf("prefix %d /%d: %v, %v", n, bits, p, ok)
		}
	}
}
