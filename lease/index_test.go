// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A cell may begin in one leaf and end where another once began.
func TestIndexAcrossLeaves(t *testing.T) {
	var x index
	at := func(n int) number { return number{Lo: uint64(n)} }
	for i := range 1000 {
		x.put(cell{span{at(i), at(i)}, &record{}, nil})
	}
	for i := 0; i+2 < 1000; i++ {
		x.del(at(i))
		x.del(at(i + 1))
		x.put(cell{span{at(i), at(i + 1)}, &record{}, nil})
		if x.find(at(i)) == nil || x.find(at(i+1)) == nil {
			t.Fatalf("LEASE-S-1: the cell of %d and %d is not found", i, i+1)
		}
		x.del(at(i))
		x.put(cell{span{at(i), at(i)}, &record{}, nil})
		x.put(cell{span{at(i + 1), at(i + 1)}, &record{}, nil})
	}
}

// A cell may reach over many leaves, and nodes are merged when little is left.
func TestIndexMerges(t *testing.T) {
	var x index
	at := func(n int) number { return number{Lo: uint64(n)} }
	const most, step = 20000, 400
	for i := range most {
		x.put(cell{span{at(i), at(i)}, &record{}, nil})
	}
	for from := 0; from < most; from += step {
		for i := from; i < from+step; i++ {
			x.del(at(i))
		}
		x.put(cell{span{at(from), at(from + step - 1)}, &record{}, nil})
		for i := range most {
			if x.find(at(i)) == nil {
				t.Fatalf("LEASE-S-1: cells end at %d: %d is not found", from+step, i)
			}
		}
	}
	if x.n != most/step {
		t.Errorf("%d cells, want %d", x.n, most/step)
	}
}

// TestIndex compares an index with a map, with enough cells for several levels
// and with few enough that leaves and nodes are merged again.
func TestIndex(t *testing.T) {
	const most = 1 << 15
	rapid.Check(t, func(t *rapid.T) {
		var x index
		model := map[uint64]uint64{} // the last address of a cell by its first
		free := func(s span) bool {
			for range func(yield func(*cell) bool) { x.in(s, yield) } {
				return false
			}
			return true
		}
		place := rapid.Uint64Range(0, most)
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				// Many at a time: a distance apart, up or down.
				first, n, step := place.Draw(t, "first"), rapid.IntRange(1, 3000).Draw(t, "n"), rapid.SampledFrom([]uint64{1, 7, 61, most - 3}).Draw(t, "step")
				long := rapid.Uint64Range(0, 2).Draw(t, "long")
				for range n {
					first = (first + step) % most
					if s := (span{number{Lo: first}, number{Lo: first + long}}); free(s) {
						x.put(cell{s, &record{}, nil})
						model[first] = first + long
					}
				}
			},
			"del": func(t *rapid.T) {
				from, to := place.Draw(t, "from"), place.Draw(t, "to")
				for first := from; first < to; first++ {
					x.del(number{Lo: first})
					delete(model, first)
				}
			},
			"": func(t *rapid.T) {
				if x.n != len(model) {
					t.Fatalf("%d cells, want %d", x.n, len(model))
				}
				from := place.Draw(t, "from")
				to := from + place.Draw(t, "more")
				var got, want [][2]uint64
				for c := range func(yield func(*cell) bool) { x.in(span{number{Lo: from}, number{Lo: to}}, yield) } {
					got = append(got, [2]uint64{c.first.Lo, c.last.Lo})
				}
				for first, last := range maps.All(model) {
					if last >= from && first <= to {
						want = append(want, [2]uint64{first, last})
					}
				}
				slices.SortFunc(want, func(a, b [2]uint64) int { return cmp.Compare(a[0], b[0]) })
				if !slices.Equal(got, want) {
					t.Fatalf("from %d to %d: %v, want %v", from, to, got, want)
				}
				if c := x.find(number{Lo: from}); (c != nil) != (len(got) > 0 && got[0][0] <= from) {
					t.Fatalf("find %d: %v", from, c)
				}
			},
		})
	})
}
