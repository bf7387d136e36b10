// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"strconv"
	"strings"
)

// ParseScope reads a scope as a line of a configuration file holds it:
//
//	239.192.0.0/14 ttl 255 divisible default-name en "Organization" name de "Organisation"
//
// First comes the range, as [ParseRange] reads it but without spaces inside;
// the rest may be left out and comes in any order. ttl is 0..255 and 255 if
// left out, a name is in double quotes with the escapes of Go. Its error is an
// [*Error] with [ErrSyntax] or a cause of [ParseRange] or [NewNames].
func ParseScope(text string) (Scope, error) {
	bad := func(at, want string) (Scope, error) {
		return Scope{}, &Error{"parse scope", quoted(at), want, ErrSyntax}
	}
	word, rest := nextWord(text)
	r, err := ParseRange(word)
	if err != nil {
		return Scope{}, err
	}
	s := Scope{Range: r, TTL: DefaultTTL}
	var names []Name
	seen := ""
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		word, rest = nextWord(rest)
		if strings.Contains(seen, " "+word+" ") {
			return bad(text, "ttl and divisible once only")
		}
		switch word {
		case "ttl":
			word, rest = nextWord(rest)
			n, err := strconv.ParseUint(word, 10, 8)
			if err != nil {
				return bad(word, "a TTL in 0..255")
			}
			s.TTL = uint8(n)
			seen += " ttl "
		case "divisible":
			s.Divisible = true
			seen += " divisible "
		case "name", "default-name":
			name := Name{Default: word == "default-name"}
			name.Tag, rest = nextWord(rest)
			rest = strings.TrimSpace(rest)
			quote, err := strconv.QuotedPrefix(rest)
			if err != nil || quote[0] != '"' {
				return bad(rest, "a name in double quotes")
			}
			rest = rest[len(quote):]
			if name.Text, err = strconv.Unquote(quote); err != nil {
				return bad(quote, "a name in double quotes")
			}
			names = append(names, name)
		default:
			return bad(word, "ttl, divisible, name or default-name")
		}
	}
	s.Names, err = NewNames(names...)
	if err != nil {
		return Scope{}, err
	}
	return s, nil
}

// nextWord cuts the first word off s.
func nextWord(s string) (word, rest string) {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, " \t\r\n"); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// String returns the text that [ParseScope] reads, "invalid Scope" for a
// scope without a range.
func (s Scope) String() string {
	if !s.Range.IsValid() {
		return "invalid Scope"
	}
	b, _ := s.AppendText(nil)
	return string(b)
}

// AppendText appends the text that [ParseScope] reads, nothing for a scope
// without a range.
func (s Scope) AppendText(b []byte) ([]byte, error) {
	if !s.Range.IsValid() {
		return b, nil
	}
	b = s.Range.appendTo(b)
	b = strconv.AppendUint(append(b, " ttl "...), uint64(s.TTL), 10)
	if s.Divisible {
		b = append(b, " divisible"...)
	}
	for n := range s.Names.All() {
		if n.Default {
			b = append(b, " default-name "...)
		} else {
			b = append(b, " name "...)
		}
		b = strconv.AppendQuote(append(append(b, n.Tag...), ' '), n.Text)
	}
	return b, nil
}

// MarshalText returns the text that [ParseScope] reads, empty for a scope
// without a range.
func (s Scope) MarshalText() ([]byte, error) { return s.AppendText(nil) }

// UnmarshalText reads what [ParseScope] reads; empty text gives the zero
// Scope.
func (s *Scope) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*s = Scope{}
		return nil
	}
	t, err := ParseScope(string(text))
	if err == nil {
		*s = t
	}
	return err
}
