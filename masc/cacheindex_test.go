// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestCacheDomains holds the domains of a cache against a map: claims come, are
// prolonged and end.
func TestCacheDomains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c cache
		c.init(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)), NumberID(1000), 0)
		model := map[ID]int64{} // when each domain can be forgotten
		now := int64(0)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			id := NumberID(rapid.Uint64Range(1, 60).Draw(t, "domain"))
			if rapid.IntRange(0, 9).Draw(t, "pass") == 0 {
				now += rapid.Int64Range(1, 3*sweepStep).Draw(t, "time")
				c.forget(now, func(d *domain, e *entry) { delete(model, d.id) })
				for id, end := range model {
					if end+sweepStep <= now {
						t.Fatalf("domain %v ended at %d and is remembered at %d", id, end, now)
					}
				}
			} else {
				hold := rapid.Int64Range(1, 6*sweepStep).Draw(t, "hold")
				e := entryOf(&Claim{Type: PrefixInUse, Role: Sibling, Timestamp: Timestamp(now), Holdtime: Seconds(hold), Domain: id,
					Prefix: multicast[FamilyIPv4]}, NoPeer, noParent, 0)
				c.put(id, e)
				model[id] = now + hold
			}
			for n := range uint64(61) {
				id := NumberID(n)
				end, want := model[id]
				if d := c.get(id); (d != nil) != want || want && d.entries[0].expiry() != end {
					t.Fatalf("domain %v: %v, want one until %d", id, d, end)
				}
			}
			if c.size != len(model) {
				t.Fatalf("%d claims, want %d", c.size, len(model))
			}
		}
	})
}
