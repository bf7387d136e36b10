// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// Name is the name of a scope in one language.
type Name struct {
	Tag     string // language tag (RFC 5646), for example "en" or "pt-BR"
	Text    string // the name in UTF-8
	Default bool   // the name to show when none is in a wanted language
}

// Names is the table of a scope's names, one for each language tag and at most
// one default. It is comparable with ==: tables with the same names are equal
// whatever order they were made in. The zero value is the empty table.
type Names struct {
	// encoded holds each name as tag, NUL, text, NUL or SOH (the default),
	// sorted by tag without regard to case. Neither part contains a NUL, and
	// a tag no SOH, so the text ends at the terminator that comes first.
	encoded string
}

const (
	nameEnd    = '\x00'
	defaultEnd = '\x01'
)

// NewNames returns the table of the names. Its error is an [*Error] with
// [ErrName] if a tag is not made of 1 to 8 letters or digits between hyphens
// or occurs twice (compared without regard to case), if a text is not UTF-8
// or holds control characters, or if there are two defaults.
func NewNames(names ...Name) (Names, error) {
	sorted := slices.Clone(names)
	slices.SortStableFunc(sorted, func(a, b Name) int {
		return strings.Compare(lower(a.Tag), lower(b.Tag))
	})
	var b strings.Builder
	defaults := 0
	for i, n := range sorted {
		switch {
		case !validTag(n.Tag):
			return Names{}, nameError(n.Tag, "a language tag such as en or pt-BR")
		case i > 0 && lower(sorted[i-1].Tag) == lower(n.Tag):
			return Names{}, nameError(n.Tag, "one name for each language tag")
		case !validNameText(n.Text):
			return Names{}, nameError(n.Text, "a name in UTF-8 without control characters")
		}
		end := byte(nameEnd)
		if n.Default {
			end = defaultEnd
			if defaults++; defaults > 1 {
				return Names{}, nameError(n.Tag, "one default name")
			}
		}
		b.WriteString(n.Tag)
		b.WriteByte(nameEnd)
		b.WriteString(n.Text)
		b.WriteByte(end)
	}
	return Names{b.String()}, nil
}

func nameError(text, want string) error {
	return &Error{"make names", quoted(text), want, ErrName}
}

// mustNames is NewNames for the constants of this package.
func mustNames(names ...Name) Names {
	n, err := NewNames(names...)
	if err != nil {
		panic(err)
	}
	return n
}

// Len returns the number of names.
func (n Names) Len() int {
	count := 0
	for range n.All() {
		count++
	}
	return count
}

// All yields the names sorted by tag.
func (n Names) All() iter.Seq[Name] {
	return func(yield func(Name) bool) {
		rest := n.encoded
		for rest != "" {
			tagEnd := strings.IndexByte(rest, nameEnd)
			textEnd := tagEnd + 1 + strings.IndexAny(rest[tagEnd+1:], "\x00\x01")
			if !yield(Name{rest[:tagEnd], rest[tagEnd+1 : textEnd], rest[textEnd] == defaultEnd}) {
				return
			}
			rest = rest[textEnd+1:]
		}
	}
}

// Name returns the name whose tag is exactly the first of tags that has one,
// without regard to case, and whether there is one.
func (n Names) Name(tags ...string) (Name, bool) {
	for _, tag := range tags {
		for name := range n.All() {
			if sameTag(name.Tag, tag) {
				return name, true
			}
		}
	}
	return Name{}, false
}

// Lookup returns the name that fits the languages best, given in order of
// preference: the lookup of RFC 4647 section 3.4. Each tag is tried as it is
// and then cut short from its end, subtag by subtag, and only then the next
// tag; "*" fits nothing of its own. If no language fits, the default name is
// returned, and if none is marked, false.
func (n Names) Lookup(tags ...string) (Name, bool) {
	for _, tag := range tags {
		for tag != "" && tag != "*" {
			if name, ok := n.Name(tag); ok {
				return name, true
			}
			tag = shorten(tag)
		}
	}
	for name := range n.All() {
		if name.Default {
			return name, true
		}
	}
	return Name{}, false
}

// shorten removes the last subtag, and with it a single-character subtag
// that would then be the last one.
func shorten(tag string) string {
	i := strings.LastIndexByte(tag, '-')
	if i < 0 {
		return ""
	}
	if i >= 2 && tag[i-2] == '-' {
		i -= 2
	}
	return tag[:i]
}

// validTag reports whether tag has the outer form of RFC 5646: subtags of 1
// to 8 ASCII letters and digits. Which subtags exist is not checked.
func validTag(tag string) bool {
	size := 0
	for i := range len(tag) {
		switch c := tag[i]; {
		case c == '-':
			if size == 0 {
				return false
			}
			size = 0
		case '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z':
			if size++; size > 8 {
				return false
			}
		default:
			return false
		}
	}
	return size > 0
}

func validNameText(text string) bool {
	for i := range len(text) {
		if text[i] < 0x20 || text[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(text)
}

// sameTag compares ASCII text without regard to case.
func sameTag(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lowerByte(a[i]) != lowerByte(b[i]) {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// lower is strings.ToLower for ASCII only, so that no other letter becomes
// an ASCII one.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = lowerByte(c)
	}
	return string(b)
}
