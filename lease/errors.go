// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"errors"
	"strconv"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// What can be wrong. Every error of this package and of every [Allocator]
// wraps exactly one of these; test with errors.Is. The same wrong call gives
// the same sentinel from every allocator, local or remote.
var (
	// RFC 2771's own errors.

	ErrFamily    = errors.New("bad address family")
	ErrScope     = errors.New("bad scope")
	ErrCount     = errors.New("bad number of addresses")
	ErrLifetime  = errors.New("bad lifetime")
	ErrStart     = errors.New("bad start time")
	ErrNone      = errors.New("no addresses can be allocated")
	ErrTryLater  = errors.New("try later")                                // see TryLaterError
	ErrUnchanged = errors.New("could not be changed as asked")            // and the present value is not acceptable
	ErrNotLeased = errors.New("not a lease of yours, or already expired") // which of them is not disclosed
	ErrNesting   = scope.ErrNesting                                       // nesting of scopes undetermined

	// What practice adds.

	ErrInUse       = errors.New("lease identifier in use")
	ErrSkew        = errors.New("clocks too far apart") // see SkewError
	ErrDenied      = errors.New("refused by policy")    // see QuotaError
	ErrNoServer    = errors.New("no server answered")
	ErrStore       = errors.New("store unavailable")
	ErrConflict    = errors.New("store changed underneath")
	ErrUnsupported = errors.ErrUnsupported
)

// Param names a parameter of a request, so that a server can say in its NAK
// which option is at fault.
type Param uint8

// The parameters. In brackets the MADCAP option that carries it.
const (
	ParamNone        Param = iota
	ParamFamily            // the header's address family
	ParamScope             // Multicast Scope [4]
	ParamCount             // Number of Addresses Requested [7]
	ParamAddrs             // List of Address Ranges [10]
	ParamStart             // Start Time [6]
	ParamMaxStart          // Maximum Start Time [15]
	ParamLifetime          // Lease Time [1]: the longest acceptable lifetime, or the latest end
	ParamMinLifetime       // Minimum Lease Time [14]: the shortest lifetime, or the earliest end
	ParamID                // Lease Identifier [3]
)

var paramNames = [...]string{"", "family", "scope", "count", "addresses", "start", "maximum start", "lifetime", "minimum lifetime", "lease identifier"}

// String returns the parameter's name in English, empty for ParamNone.
func (p Param) String() string {
	if int(p) < len(paramNames) {
		return paramNames[p]
	}
	return "Param(" + strconv.Itoa(int(p)) + ")"
}

// Error says which operation failed, through the fault of which parameter,
// and why.
type Error struct {
	Op    string // what was attempted: "allocate", "change", "release", ...
	Param Param  // the parameter at fault, ParamNone if none is
	Got   string // the offending value, may be empty; never a lease identifier
	Want  string // what was expected, may be empty
	Err   error  // one of the sentinels, or something that wraps one
}

// Error returns one line of text.
func (e *Error) Error() string {
	b := []byte("lease: " + e.Op + ": ")
	b = append(b, e.Err.Error()...)
	if e.Param != ParamNone {
		b = append(b, " ("+e.Param.String()+")"...)
	}
	if e.Got != "" {
		b = strconv.AppendQuote(append(b, ": "...), e.Got)
	}
	if e.Want != "" {
		b = append(b, ", want "+e.Want...)
	}
	return string(b)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// TryLaterError is the answer TRY_LATER of RFC 2771: not now, perhaps at a
// later instant. It is [ErrTryLater]. [Resume] asks again without losing the
// place in the queue, [Cancel] gives it up; [AllocateWait] does both.
type TryLaterError struct {
	At      time.Time // when to ask again
	Pending Pending   // what to ask with, storable
}

// Error returns one line of text with the instant.
func (e *TryLaterError) Error() string {
	return "lease: allocate: try again at " + e.At.Format(time.RFC3339)
}

// Unwrap returns [ErrTryLater].
func (e *TryLaterError) Unwrap() error { return ErrTryLater }

// SkewError says that two clocks are further apart than is allowed. It is
// [ErrSkew].
type SkewError struct {
	Offset time.Duration // how far the other clock, or the store's latest instant, is ahead of ours
}

// Error returns one line of text with the offset.
func (e *SkewError) Error() string {
	return "lease: clocks too far apart: the other one is ahead by " + e.Offset.String()
}

// Unwrap returns [ErrSkew].
func (e *SkewError) Unwrap() error { return ErrSkew }

// QuotaError says which limit a request would exceed. It is [ErrDenied].
type QuotaError struct {
	Limit string // the limit's name, as in the field of [Limits]: "Leases", "Addrs", ...
	Max   int64  // its value; nanoseconds if it is a length of time
}

// Error returns one line of text with the limit.
func (e *QuotaError) Error() string {
	return "lease: limit " + e.Limit + " of " + strconv.FormatInt(e.Max, 10) + " would be exceeded"
}

// Unwrap returns [ErrDenied].
func (e *QuotaError) Unwrap() error { return ErrDenied }
