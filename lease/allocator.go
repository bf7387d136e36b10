// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"errors"
	"iter"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Allocator is the abstract allocation service of RFC 2771 in Go.
// Implementations are safe for concurrent use. Whoever calls is the context's
// [Principal].
type Allocator interface {
	// Allocate grants addresses (section 3.1). Among what is acceptable it
	// prefers the earliest start, then the largest count, then the latest
	// end. Parameters are checked in the order family, scope, count,
	// lifetimes, starts, before anything is searched or sent.
	//
	// Errors: [ErrFamily], [ErrScope], [ErrCount], [ErrLifetime], [ErrStart],
	// [ErrInUse], [ErrNone], [ErrDenied], [*TryLaterError], [*SkewError].
	// If ctx ends while the request is under way, its outcome is unknown: the
	// same Key asks again without being given a second lease.
	Allocate(ctx context.Context, req Request) (Lease, error)

	// ChangeLifetime moves the end of a lease to the latest possible instant
	// in the window, which may be earlier or later than the present end
	// (section 3.2), and returns the lease as it then is. If the end cannot
	// be moved but lies in the window already, that is success. The addresses
	// and the start stay. On an error the lease is as it was.
	//
	// Errors: [ErrFamily], [ErrLifetime], [ErrUnchanged], [ErrNotLeased],
	// [ErrDenied].
	ChangeLifetime(ctx context.Context, l Lease, end Window) (Lease, error)

	// ChangeStart moves the start of a lease that has not begun to the
	// earliest possible instant in the window (section 3.10). The end stays.
	// The start of a lease that has begun does not move.
	//
	// Errors: [ErrFamily], [ErrStart], [ErrUnchanged], [ErrNotLeased].
	ChangeStart(ctx context.Context, l Lease, start Window) (Lease, error)

	// Release gives back all addresses of the lease (section 3.3), before its
	// start too. Errors: [ErrFamily], and [ErrNotLeased] if the lease is not
	// the caller's or is over, which a caller may treat as done.
	Release(ctx context.Context, l Lease) error

	// Scopes lists the scopes that addresses can be had in, smallest first as
	// far as that is known (section 3.4). None is no error; not being able to
	// find out is. Errors: [ErrFamily].
	Scopes(ctx context.Context, f Family) ([]scope.Scope, error)

	// Nesting says which of the scopes nest inside which, as far as is known
	// now (section 3.6). Errors: [ErrScope] for a scope that Scopes does not
	// list or for scopes of two families.
	Nesting(ctx context.Context, scopes ...scope.ID) (*scope.Nesting, error)
}

// Changer is the ability to move start and end of a lease in one step, as a
// MADCAP RENEW does. Use the function [Change].
type Changer interface {
	// Change moves a lease's instants. Errors are those of
	// [Allocator.ChangeLifetime] and [Allocator.ChangeStart]; on an error
	// the lease is as it was.
	Change(ctx context.Context, l Lease, to Terms) (Lease, error)
}

// Offerer is the ability to allocate in two phases, as MADCAP servers do with
// DISCOVER and REQUEST. Use the functions [Offer] and [Withdraw].
type Offerer interface {
	// Offer reserves what Allocate would grant, for the time hold, under the
	// identifier req.ID. The same request again gets the same offer, held
	// anew. A later Allocate with that identifier takes the offered addresses
	// first: its own terms count, what the offer lacks is found afresh and
	// what it has too much of is freed.
	//
	// Errors are those of Allocate. An empty req.ID is chosen, as by Allocate.
	Offer(ctx context.Context, req Request, hold time.Duration) (Lease, error)
	// Withdraw frees what is offered under the identifier. Errors:
	// [ErrNotLeased] if nothing is, or not to this principal.
	Withdraw(ctx context.Context, id ID) error
}

// Resumer is the ability to try later without losing one's place. Use the
// functions [Resume] and [Cancel].
type Resumer interface {
	// Resume asks again for what was put off. Before p.At the answer is the
	// same [*TryLaterError] again.
	Resume(ctx context.Context, p Pending) (Lease, error)
	// Cancel gives up what was put off. Errors: [ErrNotLeased].
	Cancel(ctx context.Context, p Pending) error
}

// Lister is the ability to list leases: RFC 2771 section 4 speaks of querying
// them without an operation for it. Use the function [Leases].
type Lister interface {
	// Leases yields the caller's live leases that the filter lets pass, in
	// no particular order. It may be used while others allocate.
	Leases(ctx context.Context, f Filter) iter.Seq2[Lease, error]
}

// Filter restricts a list of leases. The zero value lets all pass.
type Filter struct {
	Family Family    // zero: both
	Scope  scope.ID  // zero: every scope
	Addrs  scope.Set // leases that hold one of these; empty: all

	// Ahead is how long before its end a lease counts as expiring, for
	// [Watch]. Zero: a quarter of its length.
	Ahead time.Duration
}

// Match reports whether the filter lets l pass.
func (f Filter) Match(l Lease) bool {
	return (f.Family == 0 || f.Family == l.Family) && (!f.Scope.IsValid() || f.Scope == l.Scope) &&
		(f.Addrs.IsEmpty() || f.Addrs.Overlaps(l.Addrs))
}

// Pending is an allocation that was put off with a [*TryLaterError]: plain
// data that can be stored and resumed after a restart.
type Pending struct {
	Request Request   // with the identifier and key that the lease will have
	At      time.Time // when to ask again
	// Server that has put it off and knows of it. Zero: this process, or the
	// one server that the allocator is configured with.
	Server netip.AddrPort
}

// ability returns a, or the allocator that a wraps, as a T.
func ability[T any](a Allocator) (T, bool) {
	for a != nil {
		if t, ok := a.(T); ok {
			return t, true
		}
		u, ok := a.(interface{ Unwrap() Allocator })
		if !ok {
			break
		}
		a = u.Unwrap()
	}
	var none T
	return none, false
}

// Change moves start and end of a lease in one step if a, or an allocator it
// wraps (one that has a method Unwrap() Allocator), is a [Changer]; otherwise
// in two, the first of which is undone as well as possible if the second
// fails.
//
// Here and in the functions below, an allocator that has an ability's methods
// but answers [ErrUnsupported] counts as not having it.
func Change(ctx context.Context, a Allocator, l Lease, to Terms) (Lease, error) {
	if c, ok := ability[Changer](a); ok {
		if l, err := c.Change(ctx, l, to); !errors.Is(err, ErrUnsupported) {
			return l, err
		}
	}
	return changeInSteps(ctx, a, l, to)
}

// Offer makes an offer if a, or an allocator it wraps, is an [Offerer].
// Otherwise it allocates at once, with the identifier as the key unless the
// request has one, so that the same Offer finds the lease again.
func Offer(ctx context.Context, a Allocator, req Request, hold time.Duration) (Lease, error) {
	if o, ok := ability[Offerer](a); ok {
		if l, err := o.Offer(ctx, req, hold); !errors.Is(err, ErrUnsupported) {
			return l, err
		}
	}
	if req.Key == "" {
		req.Key = string(req.ID)
	}
	return a.Allocate(ctx, req)
}

// Withdraw takes back an offer, or releases what [Offer] allocated in its
// place.
func Withdraw(ctx context.Context, a Allocator, offer Lease) error {
	if o, ok := ability[Offerer](a); ok {
		if err := o.Withdraw(ctx, offer.ID); !errors.Is(err, ErrUnsupported) {
			return err
		}
	}
	return a.Release(ctx, offer)
}

// Resume asks again for what was put off, with [Allocator.Allocate] if a is
// no [Resumer].
func Resume(ctx context.Context, a Allocator, p Pending) (Lease, error) {
	if r, ok := ability[Resumer](a); ok {
		if l, err := r.Resume(ctx, p); !errors.Is(err, ErrUnsupported) {
			return l, err
		}
	}
	return a.Allocate(ctx, p.Request)
}

// Cancel gives up what was put off. Where a is no [Resumer] there is nothing
// to give up.
func Cancel(ctx context.Context, a Allocator, p Pending) error {
	if r, ok := ability[Resumer](a); ok {
		if err := r.Cancel(ctx, p); !errors.Is(err, ErrUnsupported) {
			return err
		}
	}
	return nil
}

// Leases lists the caller's leases, or yields [ErrUnsupported] if a is no
// [Lister].
func Leases(ctx context.Context, a Allocator, f Filter) iter.Seq2[Lease, error] {
	if l, ok := ability[Lister](a); ok {
		return l.Leases(ctx, f)
	}
	return func(yield func(Lease, error) bool) { yield(Lease{}, unsupported("list")) }
}

func unsupported(op string) error {
	return &Error{Op: op, Want: "an allocator with that ability", Err: ErrUnsupported}
}
