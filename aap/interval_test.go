// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/scope"
	"pgregory.net/rapid"
)

// TestIntervals: the map does what an array of 64 addresses does, at the end of
// the address space too, joins neighbours, and stays in order.
func TestIntervals(t *testing.T) {
	for _, first := range []string{"239.255.0.0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffc0"} {
		rapid.Check(t, func(t *rapid.T) { checkIntervals(t, netip.MustParseAddr(first)) })
	}
}

func checkIntervals(t *rapid.T, first netip.Addr) {
	const size = 64
	var addrs [size]netip.Addr
	for i := range addrs {
		addrs[i] = first
		first = first.Next()
	}
	base := time.Unix(1000, 0)
	m := intervals[time.Time]{rng: rand.New(rand.NewPCG(1, 2)), end: func(v time.Time) time.Time { return v }}
	var model [size]time.Time // zero for nothing
	draw := func(t *rapid.T) (int, int, scope.Range) {
		a, b := rapid.IntRange(0, size-1).Draw(t, "a"), rapid.IntRange(0, size-1).Draw(t, "b")
		a, b = min(a, b), max(a, b)
		return a, b, rangeOf(addrs[a], addrs[b])
	}
	t.Repeat(map[string]func(*rapid.T){
		"set": func(t *rapid.T) {
			a, b, r := draw(t)
			v := base.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "v")) * time.Second)
			m.update(r, func(r scope.Range, was time.Time, in bool) (time.Time, bool) {
				for i := range addrs {
					if r.Contains(addrs[i]) && (in != !model[i].IsZero() || in && !was.Equal(model[i])) {
						t.Fatalf("%v was %v, %v", addrs[i], was, in)
					}
				}
				return v, true
			})
			for i := a; i <= b; i++ {
				model[i] = v
			}
		},
		"take": func(t *rapid.T) {
			a, b, r := draw(t)
			n := 0
			for _, p := range m.take(r) {
				size, _ := p.r.Size().Uint64()
				n += int(size)
			}
			for i := a; i <= b; i++ {
				if !model[i].IsZero() {
					n--
				}
				model[i] = time.Time{}
			}
			if n != 0 {
				t.Fatalf("took %d too many", n)
			}
		},
		"removeEnded": func(t *rapid.T) {
			now := base.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "now")) * time.Second)
			m.removeEnded(now)
			for i := range model {
				if !model[i].After(now) {
					model[i] = time.Time{}
				}
			}
		},
		"": func(t *rapid.T) {
			var earliest time.Time
			for i, want := range model {
				p, ok := m.at(addrs[i])
				if ok == want.IsZero() || ok && !p.v.Equal(want) {
					t.Fatalf("%v maps to %v, want %v", addrs[i], p.v, want)
				}
				if !want.IsZero() && (earliest.IsZero() || want.Before(earliest)) {
					earliest = want
				}
			}
			if !m.earliest().Equal(earliest) {
				t.Fatalf("earliest %v, want %v", m.earliest(), earliest)
			}
			a, b, r := draw(t)
			covered, gaps, n := 0, 0, 0
			for p := range m.in(r) {
				size, _ := p.r.Size().Uint64()
				covered += int(size)
			}
			for gap := range m.gaps(r) {
				size, _ := gap.Size().Uint64()
				gaps += int(size)
				if m.overlaps(gap) {
					t.Fatalf("gap %v is none", gap)
				}
			}
			if covered+gaps != b-a+1 {
				t.Fatalf("%d covered and %d not of %d", covered, gaps, b-a+1)
			}
			var last piece[time.Time]
			for p := range m.all() {
				if n++; n > 1 && !last.r.Last().Less(p.r.First()) {
					t.Fatalf("%v after %v", p.r, last.r)
				}
				last = p
			}
			if n != m.len() {
				t.Fatalf("%d entries, counted %d", n, m.len())
			}
		},
	})
}
