// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"bytes"
	"flag"
	"go/format"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files that are made from others")

// TestTree128 holds the 128-bit tree to be the 32-bit one with other numbers.
// With -update it makes it so.
func TestTree128(t *testing.T) {
	name := regexp.MustCompile(`([A-Za-z])32\b`)
	for _, from := range []string{"tree32.go", "treeedit32.go", "treefind32.go", "sizes32.go"} {
		source, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		to := strings.Replace(from, "32", "128", 1)
		want := name.ReplaceAll(source, []byte("${1}128"))
		want = bytes.Replace(want, []byte("\n\npackage scope\n"),
			[]byte("\n\n// Code generated from "+from+" by TestTree128 -update. DO NOT EDIT.\n\npackage scope\n"), 1)
		if want, err = format.Source(want); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(to, want, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(to)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what %s makes: run this test with -update (%v)", to, from, err)
		}
	}
}
