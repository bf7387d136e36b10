// SPDX-License-Identifier: BSD-3-Clause

package madcapserver

import (
	"os"
	"strings"
	"testing"
)

// TestRun keeps the comparison runnable: one pass, no verdict.
func TestRun(t *testing.T) {
	Passes = 1
	if os.Getenv("MALLOC_BENCH") != "" {
		Passes = 9
	}
	var out strings.Builder
	if err := Run(&out); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + out.String())
}
