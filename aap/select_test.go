// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"math/rand/v2"
	"testing"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
	"pgregory.net/rapid"
)

// TestChoose: the criteria of section 3.2.7 in their order, each with a case in
// which those below it would choose otherwise.
func TestChoose(t *testing.T) {
	set := scope.MustSet
	long, short := tr("239.1.0.0", "239.1.0.15", 9000), tr("239.2.0.0", "239.2.0.15", 5000)
	for _, c := range []struct {
		id    string
		c     aap.Candidates
		typ   aap.Type
		n     uint64
		until int64
		want  scope.Set
	}{
		{"AAP-3.2.7-1 what nobody preallocated", aap.Candidates{
			Space: []aap.TimedRange{long, short}, Taken: set("239.1.0.0-239.1.0.13"), Recent: set("239.2.0.0/28"), Own: set("239.2.0.16"),
		}, aap.ACLM, 2, 3600, set("239.1.0.14-239.1.0.15")},
		{"AAP-3.2.7-1 nor allocated", aap.Candidates{
			Space: []aap.TimedRange{long}, Taken: set("239.1.0.0-239.1.0.6", "239.1.0.8/29"),
		}, aap.AITU, 5, 3600, set("239.1.0.7")},
		{"AAP-3.2.7-2 no preallocation of what is preallocated", aap.Candidates{
			Space: []aap.TimedRange{long}, Recent: set("239.1.0.0/29"), Stale: set("239.1.0.8/29"),
		}, aap.AITU, 5, 3600, scope.Set{}},
		{"AAP-3.2.7-3 then what was announced recently", aap.Candidates{
			Space: []aap.TimedRange{long, short}, Recent: set("239.1.0.0/28"), Stale: set("239.2.0.0/28"), Own: set("239.2.0.16"),
		}, aap.ACLM, 16, 3600, set("239.1.0.0/28")},
		{"AAP-3.2.7-3 stale if one of two is silent", aap.Candidates{
			Space: []aap.TimedRange{long}, Recent: set("239.1.0.0/28"), Stale: set("239.1.0.0-239.1.0.14"),
		}, aap.ACLM, 1, 3600, set("239.1.0.15")},
		{"AAP-3.2.7-4 then what was not", aap.Candidates{
			Space: []aap.TimedRange{long}, Recent: set("239.1.0.0/29"), Stale: set("239.1.0.8/29"),
		}, aap.ACLM, 16, 3600, set("239.1.0.0/28")},
		{"AAP-3.2.7-5 the shortest sufficient end", aap.Candidates{
			Space: []aap.TimedRange{long, short}, Own: set("239.1.0.16"),
		}, aap.ACLM, 16, 5000, set("239.2.0.0/28")},
		{"AAP-D-56 an end beyond the space's is not sufficient", aap.Candidates{
			Space: []aap.TimedRange{long, short},
		}, aap.ACLM, 20, 5001, set("239.1.0.0/28")},
		{"AAP-3.2.8-1 no range lasts as long", aap.Candidates{
			Space: []aap.TimedRange{long, short},
		}, aap.AITU, 1, 9001, scope.Set{}},
		{"AAP-3.2.7-6 above our own", aap.Candidates{
			Space: []aap.TimedRange{long}, Own: set("239.1.0.0-239.1.0.5"),
		}, aap.ACLM, 3, 3600, set("239.1.0.6-239.1.0.8")},
		{"AAP-3.2.7-6 below our own", aap.Candidates{
			Space: []aap.TimedRange{long}, Own: set("239.1.0.5-239.1.0.15"),
		}, aap.ACLM, 3, 3600, set("239.1.0.2-239.1.0.4")},
		{"AAP-D-19, AAP-D-55 what is taken is never chosen", aap.Candidates{
			Space: []aap.TimedRange{long}, Taken: set("239.1.0.0/28"),
		}, aap.ACLM, 1, 3600, scope.Set{}},
		{"IPv6", aap.Candidates{
			Space: []aap.TimedRange{tr("ff05::", "ff05:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 9000)}, Own: set("ff05::5"), Taken: set("ff05::0-ff05::4"),
		}, aap.AITU, 1 << 40, 3600, set("ff05::6-ff05::100:0:5")},
	} {
		t.Run(c.id, func(t *testing.T) {
			for seed := range uint64(10) {
				got := c.c.Choose(c.typ, c.n, at(c.until), rand.New(rand.NewPCG(seed, 0)))
				if !got.Equal(c.want) {
					t.Fatalf("chose %v, want %v", got, c.want)
				}
			}
		})
	}
}

// TestChooseAtRandom: AAP-3.2.7-7, every address is as likely as any other where
// nothing else decides, in IPv6 too, where the space is larger than 64 bits.
func TestChooseAtRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	c := aap.Candidates{Space: []aap.TimedRange{tr("239.1.0.0", "239.1.0.15", 9000)}}
	var hits [16]int
	for range 3200 {
		a := c.Choose(aap.ACLM, 1, at(0), rng).Bounds().First().As4()
		hits[a[3]]++
	}
	for i, n := range hits {
		if n < 140 || n > 260 {
			t.Errorf("239.1.0.%d was chosen %d times of 3200", i, n)
		}
	}
	c.Space = []aap.TimedRange{tr("ff1e::", "ff1e:2:ffff:ffff:ffff:ffff:ffff:ffff", 9000)}
	var thirds [3]int
	for range 300 {
		a := c.Choose(aap.ACLM, 1, at(0), rng).Bounds().First().As16()
		thirds[a[3]]++
	}
	for i, n := range thirds {
		if n < 60 {
			t.Errorf("third %d of the space was chosen %d times of 300", i, n)
		}
	}
}

// TestChooseProperties: as many as there are and no more, nothing that is taken,
// a worse kind only when no better one is left, and all in one range when the
// space is whole.
func TestChooseProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := rapid.IntRange(0, len(universes)-1).Draw(t, "universe")
		space, ends := drawRanges(t, u, "space")
		draw := func(label string) scope.Set { r, _ := drawRanges(t, u, label); return aap.Addrs(r) }
		c := aap.Candidates{Space: space, Taken: draw("taken"), Recent: draw("recent"), Stale: draw("stale"), Own: draw("own")}
		typ := rapid.SampledFrom([]aap.Type{aap.ACLM, aap.AITU}).Draw(t, "type")
		n, until := rapid.IntRange(0, 24).Draw(t, "n"), rapid.Int64Range(0, 21).Draw(t, "until")
		got := c.Choose(typ, uint64(n), at(until), rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
		type rank struct {
			tier int
			end  int64
		}
		free, chosen := map[rank]int{}, map[rank]int{}
		total, size := 0, 0
		for i, end := range ends {
			a := nth(u, i)
			r := rank{end: end}
			switch {
			case c.Stale.Contains(a):
				r.tier = 2
			case c.Recent.Contains(a):
				r.tier = 1
			}
			allowed := end >= max(until, 1) && !c.Taken.Contains(a) && !c.Own.Contains(a) && (typ == aap.ACLM || r.tier == 0)
			if got.Contains(a) {
				chosen[r]++
				size++
			}
			if allowed {
				free[r]++
				total++
			} else if got.Contains(a) {
				t.Fatalf("chose address %d", i)
			}
		}
		if size != min(n, total) || got.Size() != scope.U128(uint64(size)) {
			t.Fatalf("chose %d of %d free ones, wanted %d", size, total, n)
		}
		for worse := range chosen {
			for better, k := range free {
				if (better.tier < worse.tier || better.tier == worse.tier && better.end < worse.end) && chosen[better] < k {
					t.Fatalf("chose %v although %v is left", worse, better)
				}
			}
		}
	})
}
