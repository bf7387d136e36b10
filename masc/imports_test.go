// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestImports: the package is pure. It reads no clock, opens no socket and
// starts no goroutine; of this module it knows package scope only.
func TestImports(t *testing.T) {
	allowed := []string{"bytes", "cmp", "container/heap", "encoding/binary", "errors", "fmt", "io", "iter", "math", "math/bits", "math/rand/v2",
		"net/netip", "slices", "strconv", "time", "github.com/mcastalloc/malloc/scope"}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if path, _ := strconv.Unquote(i.Path.Value); !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}
