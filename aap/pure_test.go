// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestPure: the package imports a few packages without any input or output, and
// of this module only scope.
func TestPure(t *testing.T) {
	allowed := []string{
		"cmp", "container/heap", "encoding/binary", "errors", "fmt", "iter", "maps", "math", "math/rand/v2", "net/netip", "slices", "sort", "strconv", "strings",
		"time", "github.com/mcastalloc/malloc/scope",
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		source, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Name(), source, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			if path, _ := strconv.Unquote(i.Path.Value); !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s", f.Name(), path)
			}
		}
		for _, call := range []string{"time.Now", "time.Sleep", "time.After", "time.NewTimer", "rand.Int", "rand.Float64(", "func init("} {
			if strings.Contains(string(source), call) {
				t.Errorf("%s uses %s", f.Name(), call)
			}
		}
	}
}
