// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"testing"

	"pgregory.net/rapid"
)

// TestResponseIndex holds the table to a map, with tags so few that most of
// them collide.
func TestResponseIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x responseIndex
		x.init()
		x.resize(16)
		model := make(map[uint64]uint32) // sequence number to tag
		seq := uint64(1<<32 - 20)        // its low half wraps on the way
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				if len(model) == 16 {
					t.Skip("full")
				}
				seq++
				tag := rapid.SampledFrom([]uint32{1, 3, 61, 63, 65}).Draw(t, "tag")
				x.put(tag, seq)
				model[seq] = tag
			},
			"remove": func(t *rapid.T) {
				for s := seq - 16; s <= seq; s++ {
					if tag, ok := model[s]; ok && rapid.Bool().Draw(t, "this") {
						x.remove(tag, s)
						delete(model, s)
					}
				}
			},
			"": func(t *rapid.T) {
				used := 0
				for _, e := range x.entries {
					if e != 0 {
						used++
					}
				}
				if used != len(model) {
					t.Fatalf("%d entries instead of %d", used, len(model))
				}
				for s, tag := range model {
					found := false
					for at, e := x.start(tag); e != 0; at, e = x.next(at) {
						found = found || e.tag() == tag && e.low() == uint32(s)
					}
					if !found {
						t.Fatalf("entry %d with tag %d is lost", s, tag)
					}
				}
			},
		})
	})
}
