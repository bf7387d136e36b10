// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"strconv"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Count says how many addresses are acceptable, both ends included. The zero
// value means exactly one; a zero Max means as many as Min, a zero Min with a
// Max means at least one. Min may be at most [MaxCount].
type Count struct{ Min, Max int }

// MaxCount is the largest number of addresses a request can name: MADCAP has
// 16 bits for it (RFC 2730 section 3.8).
const MaxCount = 65535

// Window is a range of acceptable instants, both ends included. A zero Min
// is no lower bound, a zero Max no upper one. What the zero Window means
// depends on its place: "now" for a start, no wish for an end.
type Window struct{ Min, Max time.Time }

// At returns the window that holds nothing but t.
func At(t time.Time) Window { return Window{t, t} }

// NotAfter returns the window of every instant up to t.
func NotAfter(t time.Time) Window { return Window{Max: t} }

// NotBefore returns the window of every instant from t on.
func NotBefore(t time.Time) Window { return Window{Min: t} }

// Span is a range of acceptable lengths of time, both ends included. A zero
// Min is no lower bound, a zero Max is the longest the allocator grants.
type Span struct{ Min, Max time.Duration }

// AtLeast asks for d or anything longer.
func AtLeast(d time.Duration) Span { return Span{Min: d} }

// AtMost asks for d but takes anything shorter.
func AtMost(d time.Duration) Span { return Span{Max: d} }

// Exactly asks for d, no more and no less.
func Exactly(d time.Duration) Span { return Span{d, d} }

// Between asks for b but takes anything not shorter than a.
func Between(a, b time.Duration) Span { return Span{a, b} }

// Request is what [Allocator.Allocate] is asked (RFC 2771 section 3.1).
// Only a family or a scope must be given.
type Request struct {
	// Family of the addresses. Zero: that of the scope.
	Family Family
	// Scope the addresses must lie in, by its identity. Zero: the
	// allocator's default scope for the family.
	Scope scope.ID
	// Count of addresses. Zero: exactly one.
	Count Count
	// Start is when the lease may begin. Zero: now, as a value of its own.
	// With a Min and no Max any later start is acceptable. A Min in the past
	// counts as now.
	Start Window
	// End is when the lease may end. Zero: the allocator decides.
	End Window
	// Lifetime says instead of End how long the lease may last, counted from
	// the start that is granted. Not together with End.
	Lifetime Span
	// Addrs, if not empty, holds the only addresses that will do.
	Addrs scope.Set
	// Pair, if not zero, asks for addresses from each of two disjoint ranges in
	// the scope, for streams that are sent twice. Count is then what either
	// range gives, the same number from both, and the lease holds all of them.
	// Where possible an address and its partner have the same low bits, as
	// many as it takes to tell the addresses of the longer range apart. With
	// Addrs only these will do. MADCAP cannot say it: a client of it answers
	// [ErrUnsupported].
	Pair [2]scope.Range
	// Name, if not empty, leads to a first choice of address and a few next
	// ones, so that the same name tends to get the same address wherever the
	// same ones are to be had: in this pool, in another one that does not know
	// of it, or after the lease has been forgotten. If all of these are taken
	// the choice is random, as without a name. It is a wish and no more:
	// allocators that have no choice themselves pass it over.
	Name string
	// Key is the caller's name for this request. The same key from the same
	// principal is the same request, however often it is sent: it is answered
	// with the same lease as long as that is live, and preferably with the
	// same addresses after that. Empty: every call is a request of its own.
	Key string
	// ID is the identifier the lease is to bear. Empty: one is made. If a
	// live lease bears it already, the answer is [ErrInUse], or that very
	// lease if the principal and the (not empty) key are the same. An offer
	// of the same ID is taken up, see [Offerer].
	ID ID
	// Shared lets anybody who knows the identifier change or release the
	// lease, not only the principal that asked for it (the Shared Lease
	// Identifier feature of RFC 2730 section 3.13).
	Shared bool
	// Retry makes a [*TryLaterError] an acceptable answer. Without it the
	// answer is [ErrNone] where a later attempt might succeed.
	Retry bool
}

// Terms say what is to become of a lease's instants, see [Changer]. Not both
// End and Lifetime.
type Terms struct {
	// Start is when the lease may begin; zero: as soon as possible. A lease
	// that has begun keeps its start, whatever this says.
	Start Window
	// End is when it may end.
	End Window
	// Lifetime says instead how long it may last from its start, or from now
	// if it has begun.
	Lifetime Span
}

// String returns both bounds.
func (c Count) String() string { return strconv.Itoa(c.Min) + ".." + strconv.Itoa(c.Max) }
