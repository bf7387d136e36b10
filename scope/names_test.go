// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestNewNames(t *testing.T) {
	for _, tc := range []struct {
		why   string
		names []Name
		ok    bool
	}{
		{"none", nil, true},
		{"an empty text", []Name{{"en", "", false}}, true},
		{"a long tag", []Name{{"zh-Hant-TW-x-whatever", "台", false}}, true},
		{"two names, one default", []Name{{"en", "a", true}, {"de", "b", false}}, true},
		{"the same tag twice", []Name{{"en", "a", false}, {"EN", "b", false}}, false},
		{"two defaults", []Name{{"en", "a", true}, {"de", "b", true}}, false},
		{"no tag", []Name{{"", "a", false}}, false},
		{"an empty subtag", []Name{{"en--x", "a", false}}, false},
		{"a hyphen first", []Name{{"-en", "a", false}}, false},
		{"a hyphen last", []Name{{"en-", "a", false}}, false},
		{"a long subtag", []Name{{"abcdefghi", "a", false}}, false},
		{"an underscore", []Name{{"en_US", "a", false}}, false},
		{"a letter that is not ASCII", []Name{{"\u212a", "a", false}}, false},
		{"a NUL", []Name{{"en", "a\x00b", false}}, false},
		{"a control character", []Name{{"en", "a\x01b", false}}, false},
		{"no UTF-8", []Name{{"en", "a\xffb", false}}, false},
	} {
		n, err := NewNames(tc.names...)
		if (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("%s: %v", tc.why, err)
			continue
		}
		if !tc.ok {
			continue
		}
		want := slices.Clone(tc.names)
		slices.SortFunc(want, func(a, b Name) int { return strings.Compare(a.Tag, b.Tag) })
		if got := slices.Collect(n.All()); !slices.Equal(got, want) || n.Len() != len(want) {
			t.Errorf("%s: got %v", tc.why, got)
		}
		slices.Reverse(want)
		if m, _ := NewNames(want...); m != n {
			t.Errorf("%s: order matters", tc.why)
		}
	}
}

// TestLookup checks RFC 4647 section 3.4.
func TestLookup(t *testing.T) {
	names, err := NewNames(Name{"en", "English", false}, Name{"zh-Hant", "traditional", false},
		Name{"de-CH", "Schwiizerdütsch", false}, Name{"fr", "français", true}, Name{"x-a", "private", false})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		want string
		tags []string
	}{
		{"English", []string{"en"}},
		{"English", []string{"EN-us"}},
		{"traditional", []string{"zh-Hant-CN-x-private1-private2"}},
		{"traditional", []string{"zh-hant-x"}},
		{"français", []string{"zh"}},
		{"français", []string{"de"}},
		{"Schwiizerdütsch", []string{"de", "de-ch"}},
		{"English", []string{"de", "en-GB", "fr"}},
		{"English", []string{"*", "en"}},
		{"français", nil},
		{"français", []string{""}},
		{"private", []string{"x-a"}},
		{"français", []string{"x-a-b"}},
	} {
		if n, ok := names.Lookup(tc.tags...); !ok || n.Text != tc.want {
			t.Errorf("lookup %v: %v, %v, want %s", tc.tags, n, ok, tc.want)
		}
	}
	if n, ok := names.Name("de", "DE-CH"); !ok || n.Tag != "de-CH" {
		t.Errorf("exact: %v, %v", n, ok)
	}
	if n, ok := names.Name("en-US"); ok {
		t.Errorf("exact: %v", n)
	}
	if n, ok := (Names{}).Lookup("en"); ok {
		t.Errorf("no names: %v", n)
	}
	noDefault, _ := NewNames(Name{"en", "English", false})
	if n, ok := noDefault.Lookup("fr"); ok {
		t.Errorf("no default: %v", n)
	}
	if a := testing.AllocsPerRun(100, func() { names.Lookup("de", "zh-Hant-CN") }); a != 0 && !raceEnabled {
		t.Errorf("lookup allocates %v times", a)
	}
}
