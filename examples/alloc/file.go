// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	bolt "go.etcd.io/bbolt/errors"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/boltstore"
	"github.com/mcastalloc/malloc/scope"
)

// file is an allocator on a file that several processes share. As only one of
// them can have it open, each call opens it and closes it again.
type file struct {
	path   string
	scopes []scope.Scope
	warn   io.Writer // told of entries that cannot be read; their addresses stay taken
}

// with calls do with a pool on the file, after waiting for others who have it
// open.
func (f *file) with(ctx context.Context, do func(*lease.Pool) error) (err error) {
	var s *boltstore.Store
	for s == nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s, err = boltstore.Open(f.path); err != nil && !errors.Is(err, bolt.ErrTimeout) {
			return err
		}
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	p, err := lease.NewPool(lease.Config{Scopes: f.scopes, Store: s, Damaged: func(key string, err error) {
		fmt.Fprintf(f.warn, "alloc: %s: the entry %q cannot be read: %v\n", f.path, key, err)
	}})
	if err != nil {
		return err
	}
	return do(p)
}

// leaseWith is with for what returns a lease.
func (f *file) leaseWith(ctx context.Context, do func(*lease.Pool) (lease.Lease, error)) (l lease.Lease, err error) {
	err = f.with(ctx, func(p *lease.Pool) (err error) {
		l, err = do(p)
		return err
	})
	return l, err
}

func (f *file) Allocate(ctx context.Context, req lease.Request) (lease.Lease, error) {
	return f.leaseWith(ctx, func(p *lease.Pool) (lease.Lease, error) { return p.Allocate(ctx, req) })
}

func (f *file) ChangeLifetime(ctx context.Context, l lease.Lease, end lease.Window) (lease.Lease, error) {
	return f.leaseWith(ctx, func(p *lease.Pool) (lease.Lease, error) { return p.ChangeLifetime(ctx, l, end) })
}

func (f *file) ChangeStart(ctx context.Context, l lease.Lease, start lease.Window) (lease.Lease, error) {
	return f.leaseWith(ctx, func(p *lease.Pool) (lease.Lease, error) { return p.ChangeStart(ctx, l, start) })
}

// Change implements [lease.Changer].
func (f *file) Change(ctx context.Context, l lease.Lease, to lease.Terms) (lease.Lease, error) {
	return f.leaseWith(ctx, func(p *lease.Pool) (lease.Lease, error) { return p.Change(ctx, l, to) })
}

// Resume implements [lease.Resumer].
func (f *file) Resume(ctx context.Context, d lease.Pending) (lease.Lease, error) {
	return f.leaseWith(ctx, func(p *lease.Pool) (lease.Lease, error) { return p.Resume(ctx, d) })
}

// Cancel implements [lease.Resumer].
func (f *file) Cancel(ctx context.Context, d lease.Pending) error {
	return f.with(ctx, func(p *lease.Pool) error { return p.Cancel(ctx, d) })
}

func (f *file) Release(ctx context.Context, l lease.Lease) error {
	return f.with(ctx, func(p *lease.Pool) error { return p.Release(ctx, l) })
}

func (f *file) Scopes(ctx context.Context, family lease.Family) (list []scope.Scope, err error) {
	err = f.with(ctx, func(p *lease.Pool) (err error) {
		list, err = p.Scopes(ctx, family)
		return err
	})
	return list, err
}

func (f *file) Nesting(ctx context.Context, ids ...scope.ID) (n *scope.Nesting, err error) {
	err = f.with(ctx, func(p *lease.Pool) (err error) {
		n, err = p.Nesting(ctx, ids...)
		return err
	})
	return n, err
}

// Leases implements [lease.Lister].
func (f *file) Leases(ctx context.Context, filter lease.Filter) iter.Seq2[lease.Lease, error] {
	return each(ctx, f, func(p *lease.Pool) iter.Seq2[lease.Lease, error] { return p.Leases(ctx, filter) })
}

// Held lists everybody's leases.
func (f *file) Held(ctx context.Context, filter lease.Filter) iter.Seq2[lease.Held, error] {
	return each(ctx, f, func(p *lease.Pool) iter.Seq2[lease.Held, error] { return p.Held(ctx, filter) })
}

// each yields what a pool on the file lists, once the file is closed again.
func each[T any](ctx context.Context, f *file, list func(*lease.Pool) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var all []T
		err := f.with(ctx, func(p *lease.Pool) error {
			for v, err := range list(p) {
				if err != nil {
					return err
				}
				all = append(all, v)
			}
			return nil
		})
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}
