// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// open opens where addresses come from and calls do with it, on behalf of the
// user.
func (a *app) open(ctx context.Context, do func(context.Context, lease.Allocator) error) error {
	ctx, from, stop, err := a.from.open(ctx, a.err)
	if err != nil {
		return err
	}
	defer stop()
	return do(ctx, from)
}

// with is open for what must be done within the timeout.
func (a *app) with(ctx context.Context, do func(context.Context, lease.Allocator) error) error {
	return a.open(ctx, func(ctx context.Context, from lease.Allocator) error {
		return a.within(ctx, func(ctx context.Context) error { return do(ctx, from) })
	})
}

func (a *app) within(ctx context.Context, do func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, a.from.timeout)
	defer cancel()
	err := do(limited)
	if errors.Is(err, context.DeadlineExceeded) {
		err = lease.ErrNoServer
		if a.from.store != "" {
			err = fmt.Errorf("%w: somebody else has %s open", lease.ErrStore, a.from.store)
		}
		err = fmt.Errorf("nothing within %v: %w", a.from.timeout, err)
	}
	return err
}

func (a *app) defineJSON() { a.flags.BoolVar(&a.asJSON, "json", false, "print JSON") }

func none(args []string) error {
	if len(args) > 0 {
		return usagef("%q is too much: flags come before arguments, and there are none of these here", args[0])
	}
	return nil
}

// scopes is the command of that name.
func scopes(a *app) func(context.Context, []string) error {
	a.usage = "alloc scopes [flags]"
	a.defineJSON()
	ipv6 := a.flags.Bool("6", false, "IPv6 scopes")
	return func(ctx context.Context, args []string) error {
		if err := none(args); err != nil {
			return err
		}
		return a.with(ctx, func(ctx context.Context, from lease.Allocator) error {
			list, err := from.Scopes(ctx, family(*ipv6))
			if err != nil {
				return err
			}
			table := a.newTable("SCOPE\tTTL\tNAME")
			defer table.Flush()
			for _, s := range list {
				if a.asJSON {
					err = a.printJSON(describe(s))
				} else {
					_, err = fmt.Fprintf(table, "%v\t%d\t%s\n", s.Range, s.TTL, nameOf(s))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func family(ipv6 bool) lease.Family {
	if ipv6 {
		return lease.IPv6
	}
	return lease.IPv4
}

// newTable returns a table for people, with a first line.
func (a *app) newTable(head string) *tabwriter.Writer {
	table := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	if !a.asJSON {
		fmt.Fprintln(table, head)
	}
	return table
}

// wishes are the flags that say what is wanted.
type wishes struct {
	scope string
	ipv6  bool
	wait  bool
	req   lease.Request
}

func (w *wishes) define(f *flag.FlagSet) {
	f.StringVar(&w.scope, "scope", "", "the `scope`: its range, lowest address or name (default the smallest there is)")
	f.BoolVar(&w.ipv6, "6", false, "IPv6 addresses")
	f.Func("n", "how `many` addresses, 3 or 3-10 (default 1)", func(text string) (err error) {
		w.req.Count, err = parseCount(text)
		return err
	})
	defineFor(f, &w.req.Lifetime, "default what the server or store gives")
	f.Func("at", "when to begin: a `time` like 20:15 or 2026-12-24T20:15:00+01:00, or +2h from now (default now)", func(text string) error {
		t, err := parseTime(text, time.Now())
		w.req.Start = lease.At(t)
		return err
	})
	f.Func("addrs", "these `addresses` and no others, like 239.255.1.1-239.255.1.4", func(text string) (err error) {
		w.req.Addrs, err = scope.ParseSet(text)
		return err
	})
	f.StringVar(&w.req.Key, "key", "", "a `name` for what is wanted: the same name gets the same lease again; with -server only if MALLOC_SECRET is set, to anything nobody else knows")
	f.BoolVar(&w.wait, "wait", false, "wait for addresses if there are none")
}

// request returns what is to be asked for.
func (a *app) request(ctx context.Context, from lease.Allocator, w *wishes) (lease.Request, error) {
	req := w.req
	req.Family = family(w.ipv6 || strings.Contains(w.scope, ":"))
	if !req.Addrs.IsEmpty() {
		req.Family = lease.FamilyOf(req.Addrs.Bounds().First())
		if n, _ := req.Addrs.Size().Uint64(); req.Count == (lease.Count{}) {
			req.Count.Min = int(min(n, lease.MaxCount))
		}
	}
	if w.scope == "" {
		return req, nil
	}
	err := a.within(ctx, func(ctx context.Context) error {
		s, err := findScope(ctx, from, w.scope, req.Family)
		req.Scope = s.ID()
		return err
	})
	return req, err
}

// get is the command of that name.
func get(a *app) func(context.Context, []string) error {
	var w wishes
	var save string
	a.usage = "alloc get [flags]\n\nPrints the addresses, one a line, or the lease as JSON."
	a.defineJSON()
	w.define(a.flags)
	a.flags.StringVar(&save, "save", "", "write the lease into this `file`, for renew and release")
	return func(ctx context.Context, args []string) error {
		if err := none(args); err != nil {
			return err
		}
		return a.open(ctx, func(ctx context.Context, from lease.Allocator) error {
			req, err := a.request(ctx, from, &w)
			if err != nil {
				return err
			}
			var l lease.Lease
			if w.wait {
				l, err = lease.AllocateWait(ctx, from, req)
			} else {
				err = a.within(ctx, func(ctx context.Context) (err error) {
					l, err = from.Allocate(ctx, req)
					return err
				})
			}
			if err != nil {
				return err
			}
			if err := a.saveLease(save, l); err != nil {
				return errors.Join(err, from.Release(ctx, l))
			}
			return a.printLease(l, save)
		})
	}
}

// renew is the command of that name.
func renew(a *app) func(context.Context, []string) error {
	var length lease.Span
	a.usage = "alloc renew [flags] [lease]\n\n\"alloc help\" says what can stand for a lease. A file is written anew."
	a.defineJSON()
	defineFor(a.flags, &length, "default what the server or store gives")
	return func(ctx context.Context, args []string) error {
		return a.with(ctx, func(ctx context.Context, from lease.Allocator) error {
			l, file, err := a.findLease(ctx, from, args)
			if err != nil {
				return err
			}
			l, err = lease.Change(ctx, from, l, lease.Terms{Start: lease.At(l.Start), Lifetime: length})
			if err != nil {
				return err
			}
			if err := a.saveLease(file, l); err != nil {
				return err
			}
			return a.printLease(l, file)
		})
	}
}

// release is the command of that name.
func release(a *app) func(context.Context, []string) error {
	a.usage = "alloc release [flags] [lease]\n\n\"alloc help\" says what can stand for a lease."
	return func(ctx context.Context, args []string) error {
		return a.with(ctx, func(ctx context.Context, from lease.Allocator) error {
			l, _, err := a.findLease(ctx, from, args)
			if err != nil {
				return err
			}
			return from.Release(ctx, l)
		})
	}
}

// who is the command of that name.
func who(a *app) func(context.Context, []string) error {
	a.usage = "alloc who [flags] [addresses]\n\nLists who holds the addresses, or any. Only a -store can tell; MADCAP has no question for it."
	a.defineJSON()
	return func(ctx context.Context, args []string) error {
		var filter lease.Filter
		if len(args) > 1 {
			return usagef("want one argument at most, addresses like 239.255.1.0/24")
		} else if len(args) == 1 {
			var err error
			if filter.Addrs, err = scope.ParseSet(args[0]); err != nil {
				return usageError{err}
			}
		}
		return a.with(ctx, func(ctx context.Context, from lease.Allocator) error {
			all, ok := from.(interface {
				Held(context.Context, lease.Filter) iter.Seq2[lease.Held, error]
			})
			if !ok {
				return errors.New("a MADCAP server does not tell who holds what; ask whoever runs it, or name a file with -store")
			}
			table := a.newTable("WHO\tADDRESSES\tFROM\tUNTIL")
			defer table.Flush()
			for h, err := range all.Held(ctx, filter) {
				if err == nil && a.asJSON {
					err = a.printJSON(holding(h))
				} else if err == nil {
					fmt.Fprintf(table, "%v\t%v\t%s\t%s\n", h.Who, h.Addrs, local(h.Start), local(h.End))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
}
