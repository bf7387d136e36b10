// SPDX-License-Identifier: BSD-3-Clause

package madcapserver

import (
	"testing"

	"github.com/mcastalloc/malloc/internal/bench/ratio"
)

// TestRows keeps the comparison runnable: one pass, no verdict.
func TestRows(t *testing.T) {
	ratio.Passes = 1
	for r := range Rows() {
		t.Log(r)
	}
}
