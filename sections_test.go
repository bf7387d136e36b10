// SPDX-License-Identifier: BSD-3-Clause

package malloc_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// idPrefix begins the requirement IDs of a document.
var idPrefix = map[string]string{
	"RFC 2730": "MADCAP-", "RFC 2907": "MADCAP-N", "RFC 2771": "LEASE-", "RFC 2776": "MZAP-",
	"RFC 2909": "MASC-", "AAP draft": "AAP-", "RFC 5058": "XCAST-",
}

// TestSections keeps the README's table of sections true: a section said to be
// done has a requirement that a test names, or that CONFORMANCE.md excuses, and
// what is said to implement it exists.
func TestSections(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	named := namedIDs(t)
	rows := 0
	for line := range strings.Lines(string(readme)) {
		cells := strings.Split(line, "|")
		if len(cells) != 7 || idPrefix[strings.TrimSpace(cells[1])] == "" {
			continue
		}
		rows++
		prefix := idPrefix[strings.TrimSpace(cells[1])]
		for _, section := range sectionsOf(cells[2]) {
			if strings.Contains(cells[5], "done") && !anyIn(named, prefix+section) {
				t.Errorf("%s: no test names a requirement of section %s (%s%s-...)", strings.TrimSpace(cells[1]), section, prefix, section)
			}
		}
		for _, symbol := range regexp.MustCompile("`[^`]+`").FindAllString(cells[4], -1) {
			checkExists(t, strings.Trim(symbol, "`"))
		}
	}
	if rows < 10 {
		t.Errorf("README.md has %d rows of sections", rows)
	}
}

// namedIDs returns the requirement IDs that tests, and lines of CONFORMANCE.md
// with a reason, name.
func namedIDs(t *testing.T) map[string]bool {
	id := regexp.MustCompile(`\b[A-Z]+-[0-9A-Za-z.]+-[0-9]+[a-z]?\b`)
	named := make(map[string]bool)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		test := strings.HasSuffix(path, "_test.go") || strings.HasSuffix(filepath.Dir(path), "test") && strings.HasSuffix(path, ".go")
		if !test && filepath.Base(path) != "CONFORMANCE.md" {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, s := range id.FindAllString(string(text), -1) {
			named[s] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return named
}

// sectionsOf expands a cell: "1.5, 2.7 – 2.9" is 1.5, 2.7, 2.8 and 2.9.
func sectionsOf(cell string) []string {
	var sections []string
	for part := range strings.SplitSeq(cell, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), " – ")
		sections = append(sections, from)
		if !isRange {
			continue
		}
		dot := strings.LastIndex(from, ".") + 1
		first, _ := strconv.Atoi(from[dot:])
		last, _ := strconv.Atoi(to[dot:])
		for n := first + 1; n <= last; n++ {
			sections = append(sections, from[:dot]+strconv.Itoa(n))
		}
	}
	return sections
}

// anyIn reports whether an ID of the section, or of a part of it, is named.
func anyIn(named map[string]bool, section string) bool {
	for id := range named {
		if strings.HasPrefix(id, section+"-") || strings.HasPrefix(id, section+".") {
			return true
		}
	}
	return false
}

// checkExists fails unless there is a folder of that name, or a package with an
// exported type or function of that name.
func checkExists(t *testing.T, name string) {
	if _, err := os.Stat(name); err == nil {
		return
	}
	pkg, symbol, _ := strings.Cut(name, ".")
	if base, _, isField := strings.Cut(symbol, "."); isField {
		symbol = base
	}
	files, _ := filepath.Glob(filepath.Join(pkg, "*.go"))
	declares := regexp.MustCompile(`(?m)^(type|func) ` + regexp.QuoteMeta(symbol) + `\b`)
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil && symbol != "" && declares.Match(text) {
			return
		}
	}
	t.Errorf("README.md names %q, which does not exist", name)
}
