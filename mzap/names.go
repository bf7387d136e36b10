// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"bytes"
	"unicode"

	"github.com/mcastalloc/malloc/scope"
)

// WireNames returns the names of a scope as a message carries them, each
// without white space at its ends (RFC 2776 section 5). Names that have
// nothing left are dropped.
func WireNames(names scope.Names) []Name {
	var out []Name
	for n := range names.All() {
		if text := trimSpace([]byte(n.Text)); len(text) > 0 {
			out = append(out, Name{n.Default, []byte(n.Tag), text})
		}
	}
	return out
}

// ScopeNames returns the names of a message as the table of a scope. Where a
// message says something twice, two names in one language or two default
// names, the first one counts; names the table cannot hold (without a
// language tag, or with control characters) are left out.
func ScopeNames(names []Name) scope.Names {
	var table []scope.Name
	hasDefault := false
	for i := range names {
		n := &names[i]
		if first, _ := nameIn(names, n.Tag); first != n {
			continue
		}
		named := scope.Name{Tag: string(n.Tag), Text: string(trimSpace(n.Text)), Default: n.Default && !hasDefault}
		if _, err := scope.NewNames(named); err != nil || named.Text == "" {
			continue
		}
		hasDefault = hasDefault || named.Default
		table = append(table, named)
	}
	out, err := scope.NewNames(table...)
	if err != nil {
		return scope.Names{}
	}
	return out
}

// PickName chooses the name to show to somebody who wants a language (RFC 2730
// section 3.10): the first name with exactly that tag, upper and lower case
// being the same; else the first default; else the first one of all. Only
// without any name there is none.
func PickName(names []Name, tag string) (Name, bool) {
	if n, ok := nameIn(names, []byte(tag)); ok {
		return *n, true
	}
	for i := range names {
		if names[i].Default {
			return names[i], true
		}
	}
	if len(names) == 0 {
		return Name{}, false
	}
	return names[0], true
}

// nameIn returns the first name with a tag.
func nameIn(names []Name, tag []byte) (*Name, bool) {
	for i := range names {
		if sameTag(names[i].Tag, tag) {
			return &names[i], true
		}
	}
	return nil, false
}

// sameTag compares two language tags, ASCII upper and lower case being the same
// (RFC 1766 section 2).
func sameTag(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// trimSpace cuts Unicode white space off both ends.
func trimSpace(b []byte) []byte { return bytes.TrimFunc(b, unicode.IsSpace) }
