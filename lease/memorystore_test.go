// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The keys of a store that has grown and shrunk are in order: LEASE-S-4.
func TestMemoryStoreOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var s MemoryStore
	model := map[string]uint64{}
	for round := range 40_000 {
		key := fmt.Sprintf("%x", rnd.Uint32N(1<<13))
		w := Write{Key: key, Version: model[key], Value: []byte{1}}
		if grows := round < 20_000; model[key] != 0 && rnd.IntN(8) > 5 == grows {
			w.Value = nil
		}
		v, err := s.Commit(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		if model[key] = v; w.Value == nil {
			delete(model, key)
		}
		if round%400 != 0 {
			continue
		}
		prefix := key[:rnd.IntN(len(key)+1)]
		var got []string
		for e := range s.Load(t.Context(), prefix) {
			if got = append(got, e.Key); e.Version != model[e.Key] {
				t.Fatalf("%s has version %d, want %d", e.Key, e.Version, model[e.Key])
			}
		}
		want := slices.DeleteFunc(slices.Sorted(maps.Keys(model)), func(k string) bool { return !strings.HasPrefix(k, prefix) })
		if !slices.Equal(got, want) {
			t.Fatalf("round %d: %d keys begin with %q, want %d", round, len(got), prefix, len(want))
		}
	}
}
