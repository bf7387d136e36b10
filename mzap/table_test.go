// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestTableModel compares the table with a slice that is searched from end to
// end.
func TestTableModel(t *testing.T) {
	type item struct {
		key, value int
		expires    time.Time
	}
	epoch := time.Date(2000, 2, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(0, 5).Draw(t, "limit")
		var evicted, wantEvicted []int
		table := newTable[int, int](limit, cmp.Compare[int])
		table.onEvict = func(k, _ int) { evicted = append(evicted, k) }
		var model []item
		now := epoch
		sooner := func(a, b item) int { return cmp.Or(a.expires.Compare(b.expires), cmp.Compare(a.key, b.key)) }
		for step := range rapid.IntRange(1, 60).Draw(t, "steps") {
			key := rapid.IntRange(0, 8).Draw(t, "key")
			at := slices.IndexFunc(model, func(i item) bool { return i.key == key })
			switch rapid.IntRange(0, 4).Draw(t, "operation") {
			case 0, 1: // put
				added := item{key, step, now.Add(time.Duration(rapid.IntRange(0, 6).Draw(t, "life")))}
				stored := true
				switch {
				case at >= 0:
					model[at] = added
				case len(model) < limit:
					model = append(model, added)
				case limit == 0 || added.expires.Before(slices.MinFunc(model, sooner).expires):
					stored = false
				default:
					victim := slices.MinFunc(model, sooner)
					wantEvicted = append(wantEvicted, victim.key)
					model[slices.Index(model, victim)] = added
				}
				if got := table.put(key, step, added.expires); got != stored {
					t.Fatalf("put: %v, want %v", got, stored)
				}
			case 2:
				table.delete(key)
				if at >= 0 {
					model = slices.Delete(model, at, at+1)
				}
			case 3:
				now = now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "wait")))
			case 4:
				var got, want []int
				for k := range table.expire(now) {
					got = append(got, k)
				}
				slices.SortFunc(model, sooner)
				for len(model) > 0 && !model[0].expires.After(now) {
					want, model = append(want, model[0].key), model[1:]
				}
				if !slices.Equal(got, want) {
					t.Fatalf("expired %v, want %v", got, want)
				}
			}
			var got, want []string
			for k, e := range table.all(now) {
				v, ok := table.get(k, now)
				got = append(got, fmt.Sprint(k, v, ok, e.expires.Sub(epoch)))
			}
			slices.SortFunc(model, func(a, b item) int { return cmp.Compare(a.key, b.key) })
			for _, i := range model {
				live := i.expires.After(now)
				if _, ok := table.get(i.key, now); ok != live {
					t.Fatalf("get(%d) at %v: %v", i.key, now.Sub(epoch), ok)
				}
				if live {
					want = append(want, fmt.Sprint(i.key, i.value, true, i.expires.Sub(epoch)))
				}
			}
			if !slices.Equal(got, want) || !slices.Equal(evicted, wantEvicted) || len(table.entries) != len(model) {
				t.Fatalf("holds %v, want %v; evicted %v, want %v", got, want, evicted, wantEvicted)
			}
			if at, ok := table.deadline(); ok != (len(model) > 0) || ok && !at.Equal(slices.MinFunc(model, sooner).expires) {
				t.Fatalf("deadline %v %v", at, ok)
			}
		}
	})
}
