// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"testing"

	"pgregory.net/rapid"
)

// TestFinder compares a finder with a map. There are few names and fewer
// hashes, so that records are in each other's way.
func TestFinder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFinder(func(r *record) ID { return r.id })
		model := map[ID]*record{}
		id := rapid.Custom(func(t *rapid.T) ID { return ID(rapid.StringMatching("[a-e]{1,3}").Draw(t, "id")) })
		var all []*record
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				r := &record{id: id.Draw(t, "id")}
				all = append(all, r)
				f.set(r)
				model[r.id] = r
			},
			"remove": func(t *rapid.T) {
				if len(all) == 0 {
					t.Skip()
				}
				r := rapid.SampledFrom(all).Draw(t, "record")
				f.remove(r)
				if model[r.id] == r {
					delete(model, r.id)
				}
			},
			"": func(t *rapid.T) {
				if f.n != len(model) {
					t.Fatalf("%d records, want %d", f.n, len(model))
				}
				for name, r := range model {
					if f.get(name) != r {
						t.Fatalf("%s: not found", name)
					}
				}
				if name := id.Draw(t, "id"); f.get(name) != model[name] {
					t.Fatalf("%s: found, want none", name)
				}
			},
		})
	})
}
