// SPDX-License-Identifier: BSD-3-Clause

package durablebench

import (
	"os"
	"testing"
)

// TestLogs writes with both kinds of log: what is done is in the file.
func TestLogs(t *testing.T) {
	dir := t.TempDir()
	alone, groups := openLog(dir, "one"), openLog(dir, "groups")
	for _, log := range []struct {
		*appendLog
		do func()
	}{{alone, alone.one}, {groups, groups.grouped}} {
		rate(8, log.do)
		info, err := os.Stat(log.file.Name())
		if err != nil {
			t.Fatal(err)
		}
		if n := int64(log.keys.n.Load()) * (keyLen + valueLen); info.Size() != n {
			t.Errorf("%s has %d octets, want %d", log.file.Name(), info.Size(), n)
		}
		log.file.Close()
	}
}
