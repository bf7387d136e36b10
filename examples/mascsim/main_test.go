// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRun runs small networks with both policies: nobody's addresses go before
// their time, nothing clashes, and the result does not depend on the number of
// processors.
func TestRun(t *testing.T) {
	for _, policy := range []string{"sample", "packed"} {
		t.Run(policy, func(t *testing.T) {
			dir := t.TempDir()
			var first []byte
			for _, workers := range []string{"1", "3"} {
				csv, svg := filepath.Join(dir, "run.csv"), filepath.Join(dir, "run.svg")
				var out bytes.Buffer
				err := run([]string{"-tlds", "3", "-children", "4", "-days", "120", "-policy", policy, "-workers", workers,
					"-csv", csv, "-svg", svg}, &out, io.Discard)
				if err != nil {
					t.Fatal(err)
				}
				text := out.String()
				for _, want := range []string{" 0 clashes", " 0 were cut short"} {
					if !strings.Contains(text, want) {
						t.Errorf("want %q in\n%s", want, text)
					}
				}
				lines, err := os.ReadFile(csv)
				if err != nil || bytes.Count(lines, []byte("\n")) != 121 {
					t.Errorf("%d lines of figures, %v", bytes.Count(lines, []byte("\n")), err)
				}
				if first == nil {
					first = append(lines, text...)
				} else if !bytes.Equal(first, append(lines, text...)) {
					t.Error("another number of processors, another result")
				}
				plot, err := os.Open(svg)
				if err != nil {
					t.Fatal(err)
				}
				for d := xml.NewDecoder(plot); err == nil; _, err = d.Token() {
				}
				if err != io.EOF {
					t.Error(err)
				}
				plot.Close()
			}
		})
	}
	for _, bad := range [][]string{{"-pool", "10.0.0.0/8"}, {"-pool", "x"}, {"-policy", "none"}, {"-days", "0"}, {"-block", "3"}, {"-nonsense"}} {
		if err := run(bad, io.Discard, io.Discard); err == nil {
			t.Error(bad, "is accepted")
		}
	}
}
