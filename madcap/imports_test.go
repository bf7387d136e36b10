// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestImports keeps the package pure: apart from scope it imports the standard
// library only, and of that nothing that opens sockets, reads clocks behind
// the caller's back, starts programs or looks into memory.
func TestImports(t *testing.T) {
	impure := map[string]bool{
		"net": true, "os": true, "log": true, "log/slog": true, "reflect": true, "unsafe": true,
		"sync": true, "context": true, "math/rand": true, "syscall": true, "runtime": true,
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			first, _, _ := strings.Cut(path, "/")
			switch {
			case path == "github.com/mcastalloc/malloc/scope":
			case strings.Contains(first, "."):
				t.Errorf("%s imports %s", f.Name(), path)
			case impure[path]:
				t.Errorf("%s imports %s", f.Name(), path)
			}
		}
	}
}
