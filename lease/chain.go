// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Chain returns an allocator that asks the first of several, and the next one
// only where the one before gives no answer at all ([ErrNoServer],
// [ErrStore]): a server, say, and a local range for when none is there. A
// lease is changed and released by whichever knows it. The allocators must not
// have addresses in common.
func Chain(first Allocator, others ...Allocator) Allocator {
	return chain(append([]Allocator{first}, others...))
}

type chain []Allocator

func silent(err error) bool { return errors.Is(err, ErrNoServer) || errors.Is(err, ErrStore) }

// ask tries one after the other until an answer comes.
func ask[T any](c chain, ctx context.Context, do func(Allocator) (T, error)) (v T, err error) {
	for _, a := range c {
		if v, err = do(a); !silent(err) || ctx.Err() != nil {
			break
		}
	}
	return v, err
}

// find tries one after the other until one knows the lease. If none does but
// one was silent, that is the answer.
func find[T any](c chain, do func(Allocator) (T, error)) (v T, err error) {
	var unanswered error
	for _, a := range c {
		v, err = do(a)
		if silent(err) {
			unanswered = err
		} else if !errors.Is(err, ErrNotLeased) {
			return v, err
		}
	}
	if unanswered != nil {
		err = unanswered
	}
	return v, err
}

func (c chain) Allocate(ctx context.Context, req Request) (Lease, error) {
	return ask(c, ctx, func(a Allocator) (Lease, error) { return a.Allocate(ctx, req) })
}

func (c chain) ChangeLifetime(ctx context.Context, l Lease, end Window) (Lease, error) {
	return find(c, func(a Allocator) (Lease, error) { return a.ChangeLifetime(ctx, l, end) })
}

func (c chain) ChangeStart(ctx context.Context, l Lease, start Window) (Lease, error) {
	return find(c, func(a Allocator) (Lease, error) { return a.ChangeStart(ctx, l, start) })
}

func (c chain) Release(ctx context.Context, l Lease) error {
	_, err := find(c, func(a Allocator) (struct{}, error) { return struct{}{}, a.Release(ctx, l) })
	return err
}

func (c chain) Scopes(ctx context.Context, f Family) ([]scope.Scope, error) {
	return ask(c, ctx, func(a Allocator) ([]scope.Scope, error) { return a.Scopes(ctx, f) })
}

func (c chain) Nesting(ctx context.Context, ids ...scope.ID) (*scope.Nesting, error) {
	return ask(c, ctx, func(a Allocator) (*scope.Nesting, error) { return a.Nesting(ctx, ids...) })
}

func (c chain) Change(ctx context.Context, l Lease, to Terms) (Lease, error) {
	return find(c, func(a Allocator) (Lease, error) { return Change(ctx, a, l, to) })
}

func (c chain) Offer(ctx context.Context, req Request, hold time.Duration) (Lease, error) {
	return ask(c, ctx, func(a Allocator) (Lease, error) { return Offer(ctx, a, req, hold) })
}

func (c chain) Withdraw(ctx context.Context, id ID) error {
	_, err := find(c, func(a Allocator) (struct{}, error) {
		if o, ok := ability[Offerer](a); ok {
			return struct{}{}, o.Withdraw(ctx, id)
		}
		return struct{}{}, notLeased("withdraw")
	})
	return err
}

func (c chain) Resume(ctx context.Context, p Pending) (Lease, error) {
	return ask(c, ctx, func(a Allocator) (Lease, error) { return Resume(ctx, a, p) })
}

func (c chain) Cancel(ctx context.Context, p Pending) error {
	_, err := find(c, func(a Allocator) (struct{}, error) { return struct{}{}, Cancel(ctx, a, p) })
	return err
}

// Leases lists the leases of all that can list.
func (c chain) Leases(ctx context.Context, f Filter) iter.Seq2[Lease, error] {
	return func(yield func(Lease, error) bool) {
		for _, a := range c {
			for l, err := range Leases(ctx, a, f) {
				if !errors.Is(err, ErrUnsupported) && !yield(l, err) {
					return
				}
			}
		}
	}
}
