// SPDX-License-Identifier: BSD-3-Clause

package malloc_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// allocate is the README's snippet; TestReadme compares the two.
func allocate(ctx context.Context) error {
	var a lease.Allocator
	a, err := lease.NewPool(lease.Config{Scopes: []scope.Scope{scope.IPv4Local()}})
	if err != nil {
		return err
	}
	l, err := a.Allocate(ctx, lease.Request{Family: lease.IPv4, Lifetime: lease.AtLeast(time.Hour)})
	if err != nil {
		return err
	}
	defer a.Release(ctx, l)
	fmt.Println("send to", l.Addrs, "until", l.End)
	return nil
}

func TestReadme(t *testing.T) {
	if err := allocate(t.Context()); err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "```go\n")
	snippet, _, _ := strings.Cut(rest, "```")
	if !found || snippet == "" {
		t.Fatal("README.md has no Go snippet")
	}
	for line := range strings.Lines(snippet) {
		if !strings.Contains(string(source), strings.TrimSpace(line)) {
			t.Errorf("README.md has a line that is not tested: %s", line)
		}
	}
}
