// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
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

// A world is a universe of units, each of them stride addresses in a row, and
// which units are free. Strides make spaces sparse.
type world struct {
	free   []bool
	base   Uint128
	stride uint64
	is4    bool
}

// newWorld returns a world of size units, both powers of two, at one of the
// places where arithmetic may go wrong.
func newWorld(place, size, stride int) *world {
	w := &world{free: make([]bool, size), stride: uint64(stride), is4: place < 3}
	n := U128(uint64(size * stride))
	switch place {
	case 0, 3: // where the address space begins
	case 1, 4: // where it ends
		w.base = addrNumber(numberAddr(maxUint128, w.is4)).Sub(n).inc()
	case 2:
		w.base = addrNumber(addr("239.0.0.0"))
	case 5: // inside one /96
		w.base = addrNumber(addr("ff3e::"))
	case 6: // in two
		w.base = addrNumber(addr("ff3e::1:0:0")).Sub(n.shr(1))
	}
	return w
}

func (w *world) first(i int) netip.Addr {
	return numberAddr(w.base.Add(U128(uint64(i)*w.stride)), w.is4)
}

func (w *world) units(first, last int) Range {
	return span{addrNumber(w.first(first)), addrNumber(w.first(last)).Add(U128(w.stride - 1))}.toRange(w.is4)
}

// TestSpaceModel drives a Space through random changes next to a bitmap of
// the same units, in dense and in sparse patterns, and compares every answer.
// MALLOC_SEEDS sets the number of runs.
func TestSpaceModel(t *testing.T) {
	for seed := range uint64(seeds(42)) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		w := newWorld(int(seed)%7, 1<<(7+rnd.IntN(6)), 1<<(rnd.IntN(3)*5))
		t.Run(fmt.Sprintf("seed %d, %d units of %d from %v", seed, len(w.free), w.stride, w.first(0)), func(t *testing.T) {
			w.run(t, rnd, 300)
		})
	}
}

// TestSpaceLarge does the same with trees of four levels and compares at the
// end.
func TestSpaceLarge(t *testing.T) {
	runs := 4
	if raceEnabled {
		runs = 1
	}
	for seed := range uint64(seeds(runs)) {
		rnd := rand.New(rand.NewPCG(seed, 8))
		w := newWorld(int(seed*4+2)%7, 1<<17, 64)
		t.Run(fmt.Sprintf("seed %d from %v", seed, w.first(0)), func(t *testing.T) {
			s := &Space{}
			s.CountPrefixes(0)
			for phase, longest := range []int{1, 1, 3, 1, 300, 1} {
				for range 60000 / longest {
					first := rnd.IntN(len(w.free))
					w.edit(t, s, first, min(len(w.free)-1, first+rnd.IntN(longest)), (phase%2 == 0) == (rnd.IntN(10) > 0))
				}
				if err := spaceInvariants(s); err != nil {
					t.Fatalf("phase %d: %v", phase, err)
				}
				w.compare(t, rnd, s)
			}
			for i := 0; i < len(w.free); i += 100 {
				w.edit(t, s, i, min(len(w.free)-1, i+99), false)
			}
			w.compare(t, rnd, s)
			if err := spaceInvariants(s); err != nil || !s.IsEmpty() {
				t.Fatalf("%d ranges left, %v", s.Len(), err)
			}
		})
	}
}

// edit adds or removes units.
func (w *world) edit(t *testing.T, s *Space, first, last int, add bool) {
	t.Helper()
	r := w.units(first, last)
	var err error
	if add {
		err = s.Add(r)
	} else {
		err = s.Remove(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := first; i <= last; i++ {
		w.free[i] = add
	}
}

func (w *world) run(t *testing.T, rnd *rand.Rand, steps int) {
	size := len(w.free)
	s := &Space{}
	if rnd.IntN(2) == 0 {
		var b SetBuilder
		for range rnd.IntN(size / 4) {
			first := rnd.IntN(size)
			last := min(size-1, first+rnd.IntN(4))
			b.Add(w.units(first, last))
			for i := first; i <= last; i++ {
				w.free[i] = true
			}
		}
		set, err := b.Set()
		if err != nil {
			t.Fatal(err)
		}
		s = NewSpace(set)
	}
	if !w.is4 && rnd.IntN(2) == 0 {
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
		for range 1 + rnd.IntN(size/64) {
			first := rnd.IntN(size)
			last := min(size-1, first+rnd.IntN(longest))
			r := w.units(first, last)
			free := 0
			for i := first; i <= last; i++ {
				if w.free[i] {
					free++
				}
			}
			whole := free == last-first+1
			if s.Covers(r) != whole || s.Overlaps(r) != (free > 0) {
				t.Fatalf("step %d: covers %v, overlaps %v, %d free of %v", step, s.Covers(r), s.Overlaps(r), free, r)
			}
			add := (rnd.IntN(4) > 0) == growing
			if !add && rnd.IntN(2) == 0 {
				if s.Take(r) != whole {
					t.Fatalf("step %d: take %v with %d free", step, r, free)
				}
				if !whole {
					continue
				}
			}
			w.edit(t, s, first, last, add)
		}
		if err := spaceInvariants(s); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		if step%8 == 0 {
			w.compare(t, rnd, s)
		}
	}
	w.compare(t, rnd, s)
}

// compare asks everything and compares with the bitmap.
func (w *world) compare(t *testing.T, rnd *rand.Rand, s *Space) {
	t.Helper()
	type run struct{ first, n int }
	var free []int
	var runs []run
	for i, f := range w.free {
		if !f {
			continue
		}
		free = append(free, i)
		if i > 0 && w.free[i-1] {
			runs[len(runs)-1].n++
		} else {
			runs = append(runs, run{i, 1})
		}
	}
	if s.Size() != U128(uint64(len(free))*w.stride) || s.Len() != len(runs) {
		t.Fatalf("size %v, %d ranges; model %d, %d", s.Size(), s.Len(), len(free), len(runs))
	}
	k := 0
	for r := range s.Ranges() {
		if want := w.units(runs[k].first, runs[k].first+runs[k].n-1); r != want {
			t.Fatalf("range %d is %v, want %v", k, r, want)
		}
		k++
	}
	if len(runs) > 0 { // take the first run and give it back
		first := runs[0]
		r, ok := s.TakeFirst(U128(uint64(first.n) * w.stride))
		if want := w.units(first.first, first.first+first.n-1); !ok || !w.is4 && r.Size() != want.Size() || s.Overlaps(r) ||
			r.First() != want.First() || s.Len() != len(runs)-1 || s.Add(r) != nil {
			t.Fatalf("took %v, %v, want %v", r, ok, want)
		}
	}
	for range 5 {
		w.compareAddr(t, rnd, s, free)
		want := 1 + rnd.Uint64N(w.stride<<rnd.IntN(9))
		firstFit, bestFit := -1, -1
		for j, r := range runs {
			if uint64(r.n)*w.stride >= want {
				if firstFit < 0 {
					firstFit = r.first
				}
				if bestFit < 0 || r.n < runs[bestFit].n {
					bestFit = j
				}
			}
		}
		r, ok := s.FirstFit(U128(want))
		if ok != (firstFit >= 0) || ok && (r.First() != w.first(firstFit) || r.Size() != U128(want)) {
			t.Fatalf("first fit of %d: %v, %v, want %d", want, r, ok, firstFit)
		}
		r, ok = s.BestFit(U128(want))
		if ok != (bestFit >= 0) || ok && (r.First() != w.first(runs[bestFit].first) || r.Size() != U128(want)) {
			t.Fatalf("best fit of %d: %v, %v", want, r, ok)
		}
		host := rnd.IntN(6)
		var blocks []int
		for b := range len(w.free) >> host {
			whole := true
			for x := b << host; x < (b+1)<<host && whole; x++ {
				whole = w.free[x]
			}
			if whole {
				blocks = append(blocks, b<<host)
			}
		}
		bits := width(w.is4) - host - bits.TrailingZeros64(w.stride)
		if n := s.CountPrefixes(bits); n != U128(uint64(len(blocks))) {
			t.Fatalf("%v prefixes /%d, want %d", n, bits, len(blocks))
		}
		n := rnd.IntN(len(blocks) + 1)
		p, ok := s.NthPrefix(bits, U128(uint64(n)))
		if ok != (n < len(blocks)) || ok && p != netip.PrefixFrom(w.first(blocks[n]), bits) {
			t.Fatalf("prefix %d /%d: %v, %v", n, bits, p, ok)
		}
	}
}

// compareAddr asks about single addresses.
func (w *world) compareAddr(t *testing.T, rnd *rand.Rand, s *Space, free []int) {
	t.Helper()
	i, within := rnd.IntN(len(w.free)), rnd.Uint64N(w.stride)
	a := numberAddr(addrNumber(w.first(i)).Add(U128(within)), w.is4)
	if s.Contains(a) != w.free[i] {
		t.Fatalf("contains %v", a)
	}
	below, exact := slices.BinarySearch(free, i)
	if n, ok := s.Index(a); ok != exact || ok && n != U128(uint64(below)*w.stride+within) {
		t.Fatalf("index of %v is %v, %v", a, n, ok)
	}
	b, ok := s.Next(a)
	switch {
	case len(w.free) == 0 || !s.known:
	case exact && (!ok || b != a), !exact && ok != (below < len(free)), !exact && ok && b != w.first(free[below]):
		t.Fatalf("next of %v is %v, %v", a, b, ok)
	}
	b, ok = s.At(U128(uint64(i)*w.stride + within))
	if ok != (i < len(free)) || ok && b != numberAddr(addrNumber(w.first(free[i])).Add(U128(within)), w.is4) {
		t.Fatalf("at %d units and %d: %v, %v", i, within, b, ok)
	}
}
