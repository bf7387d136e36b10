// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"bytes"
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTree128 holds the 128-bit tree to be the 32-bit one with other numbers.
// If it fails, run go generate.
func TestTree128(t *testing.T) {
	names, err := filepath.Glob("*32*.go")
	if err != nil || len(names) < 6 {
		t.Fatalf("files %v, %v", names, err)
	}
	width := regexp.MustCompile(`([A-Za-z])32\b`)
	note := regexp.MustCompile(`\n\n// Code generated from .* DO NOT EDIT\.\n`)
	for _, from := range names {
		to := strings.Replace(from, "32", "128", 1)
		if from == "key32.go" {
			continue // written by hand
		}
		source, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		want, err := format.Source(width.ReplaceAll(source, []byte("${1}128")))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(note.ReplaceAll(got, []byte("\n")), want) {
			t.Errorf("%s is not what %s makes", to, from)
		}
	}
}
