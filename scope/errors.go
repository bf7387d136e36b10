// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"errors"
	"strconv"
)

// The causes of an [Error]. Test for them with errors.Is; their texts are
// short tokens meant for a program's output.
var (
	// ErrInvalid: the zero address, an address with a zone, an IPv4-mapped
	// IPv6 address, or a value made of one of these.
	ErrInvalid = errors.New("invalid")
	// ErrSyntax: text that cannot be read at all.
	ErrSyntax = errors.New("syntax")
	// ErrReversed: the first address of a range is above its last one.
	ErrReversed = errors.New("reversed")
	// ErrMixedFamilies: IPv4 and IPv6 in one range or in one set operation.
	ErrMixedFamilies = errors.New("mixed-families")
	// ErrBadOffset: a scope-relative offset outside 0..255.
	ErrBadOffset = errors.New("bad-offset")
	// ErrTooSmall: the scope is too small to have that relative address.
	ErrTooSmall = errors.New("too-small")
	// ErrName: a scope name or a language tag that cannot be kept.
	ErrName = errors.New("bad-name")
	// ErrNesting: a question about the nesting of scopes that has no
	// consistent answer yet (RFC 2771 section 3.6).
	ErrNesting = errors.New("nesting-undetermined")
	// ErrNoGLOP: an AS number without GLOP addresses.
	ErrNoGLOP = errors.New("no-glop")
	// ErrTooLong: a unicast prefix too long to own multicast addresses.
	ErrTooLong = errors.New("too-long")
	// ErrNotGlobal: a unicast prefix that is not globally unique.
	ErrNotGlobal = errors.New("not-global")
	// ErrBadLength: a prefix length the address format cannot hold.
	ErrBadLength = errors.New("bad-length")
	// ErrBadScop: a scop value outside 1..14.
	ErrBadScop = errors.New("bad-scop")
	// ErrNotUnicast: a multicast prefix where a unicast one must stand.
	ErrNotUnicast = errors.New("not-unicast")
	// ErrScopeExceeded: a scop wider than the scope of the unicast prefix.
	ErrScopeExceeded = errors.New("scope-exceeded")
	// ErrBadRIID: a rendezvous point interface identifier outside 1..15.
	ErrBadRIID = errors.New("bad-riid")
	// ErrBadRP: an address that cannot be a rendezvous point.
	ErrBadRP = errors.New("bad-rp")
)

// Error says which text or value was refused, why, and what was expected.
type Error struct {
	Op   string // what was attempted, for example "parse range"
	Text string // the offending text or value
	Want string // what was expected instead, may be empty
	Err  error  // one of the sentinels above
}

// Error returns one line that quotes the offending text.
func (e *Error) Error() string {
	s := "scope: " + e.Op + " " + strconv.Quote(e.Text) + ": " + e.Err.Error()
	if e.Want != "" {
		s += ", want " + e.Want
	}
	return s
}

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }

const wantAddr = "an IPv4 or IPv6 address without zone, not IPv4-mapped"

// quoted bounds the text an error keeps: a peer's megabyte does not belong
// in a log line.
func quoted(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
