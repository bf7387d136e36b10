// SPDX-License-Identifier: BSD-3-Clause

package mascbench

import (
	"bytes"
	"os"
	"testing"
)

// TestRows runs the comparison once, briefly; with MALLOC_BENCH set in full, and
// prints it. Allocations are exact and must be none.
func TestRows(t *testing.T) {
	if os.Getenv("MALLOC_BENCH") == "" {
		Passes = 1
	}
	var b bytes.Buffer
	Run(&b)
	t.Logf("\n%s", &b)
	for _, r := range Rows() {
		if r.Allocs != 0 {
			t.Errorf("%s: %v allocations", r.What, r.Allocs)
		}
	}
}
