// SPDX-License-Identifier: BSD-3-Clause

package addrset

import (
	"os"
	"testing"
)

// TestRun prints the table: MALLOC_BENCH=1 go test -v ./addrset
func TestRun(t *testing.T) {
	if os.Getenv("MALLOC_BENCH") == "" {
		t.Skip("set MALLOC_BENCH=1 to measure")
	}
	Run(os.Stdout)
}
