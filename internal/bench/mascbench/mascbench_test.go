// SPDX-License-Identifier: BSD-3-Clause

package mascbench

import (
	"testing"

	"github.com/mcastalloc/malloc/internal/bench/ratio"
)

// TestRows runs the comparison once, briefly. Allocations are exact and must be
// none.
func TestRows(t *testing.T) {
	ratio.Passes = 1
	for r := range Rows() {
		t.Log(r)
		if r.Allocs != 0 {
			t.Errorf("%s: %v allocations", r.What, r.Allocs)
		}
	}
}
