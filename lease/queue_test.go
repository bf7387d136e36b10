// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"testing"

	"pgregory.net/rapid"
)

// TestQueue compares a queue with a sorted list.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		in := map[*record]bool{}
		soon := rapid.Custom(func(t *rapid.T) instant { return instant(rapid.IntRange(0, 20).Draw(t, "gone")) })
		one := func(t *rapid.T) *record {
			if len(q) == 0 {
				t.Skip()
			}
			return q[rapid.IntRange(0, len(q)-1).Draw(t, "place")].rec
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				r := &record{gone: soon.Draw(t, "gone")}
				q.push(r)
				in[r] = true
			},
			"remove": func(t *rapid.T) {
				r := one(t)
				q.remove(r)
				delete(in, r)
			},
			"fix": func(t *rapid.T) {
				r := one(t)
				r.gone = soon.Draw(t, "gone")
				q.fix(r)
			},
			"": func(t *rapid.T) {
				if len(q) != len(in) {
					t.Fatalf("%d records, want %d", len(q), len(in))
				}
				for i, e := range q {
					if !in[e.rec] || int(e.rec.slot) != i || e.gone != e.rec.gone || e.gone < q[max(i-1, 0)/4].gone {
						t.Fatalf("out of order at %d: %v", i, q)
					}
				}
				end, n := soon.Draw(t, "end"), 0
				q.until(end, func(r *record) bool {
					n++
					return true
				})
				for r := range in {
					if r.gone <= end {
						n--
					}
				}
				if n != 0 {
					t.Fatalf("%d records too many are gone at %d", n, end)
				}
			},
		})
	})
}
