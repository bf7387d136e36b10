// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// call is an operation on its way through a wrapper.
type call struct {
	op  string
	req *Request // of an allocation or an offer; a hook may change it
	l   *Lease   // of the other operations: what goes in and, on success, what comes out
	out *Lease   // what comes out
}

// hooked is an allocator with something done around each operation. Abilities
// that the wrapped allocator lacks answer ErrUnsupported, as the helper
// functions expect.
type hooked struct {
	Allocator
	around func(ctx context.Context, c call, do func() error) error
}

// Unwrap returns the wrapped allocator.
func (h hooked) Unwrap() Allocator { return h.Allocator }

func (h hooked) request(ctx context.Context, op string, req Request, do func(Request) (Lease, error)) (l Lease, err error) {
	err = h.around(ctx, call{op: op, req: &req, out: &l}, func() (err error) {
		l, err = do(req)
		return err
	})
	if err != nil {
		l = Lease{}
	}
	return l, err
}

func (h hooked) lease(ctx context.Context, op string, l Lease, do func() (Lease, error)) (out Lease, err error) {
	err = h.around(ctx, call{op: op, l: &l, out: &out}, func() (err error) {
		out, err = do()
		return err
	})
	if err != nil {
		out = Lease{}
	}
	return out, err
}

func (h hooked) Allocate(ctx context.Context, req Request) (Lease, error) {
	return h.request(ctx, "allocate", req, func(req Request) (Lease, error) { return h.Allocator.Allocate(ctx, req) })
}

func (h hooked) ChangeLifetime(ctx context.Context, l Lease, end Window) (Lease, error) {
	return h.lease(ctx, "change lifetime", l, func() (Lease, error) { return h.Allocator.ChangeLifetime(ctx, l, end) })
}

func (h hooked) ChangeStart(ctx context.Context, l Lease, start Window) (Lease, error) {
	return h.lease(ctx, "change start", l, func() (Lease, error) { return h.Allocator.ChangeStart(ctx, l, start) })
}

func (h hooked) Release(ctx context.Context, l Lease) error {
	_, err := h.lease(ctx, "release", l, func() (Lease, error) { return Lease{}, h.Allocator.Release(ctx, l) })
	return err
}

func (h hooked) Scopes(ctx context.Context, f Family) (list []scope.Scope, err error) {
	err = h.around(ctx, call{op: "list scopes"}, func() (err error) {
		list, err = h.Allocator.Scopes(ctx, f)
		return err
	})
	return list, err
}

func (h hooked) Nesting(ctx context.Context, ids ...scope.ID) (n *scope.Nesting, err error) {
	err = h.around(ctx, call{op: "nesting"}, func() (err error) {
		n, err = h.Allocator.Nesting(ctx, ids...)
		return err
	})
	return n, err
}

func (h hooked) Change(ctx context.Context, l Lease, to Terms) (Lease, error) {
	c, ok := ability[Changer](h.Allocator)
	if !ok {
		return Lease{}, unsupported("change")
	}
	return h.lease(ctx, "change", l, func() (Lease, error) { return c.Change(ctx, l, to) })
}

func (h hooked) Offer(ctx context.Context, req Request, hold time.Duration) (Lease, error) {
	o, ok := ability[Offerer](h.Allocator)
	if !ok {
		return Lease{}, unsupported("offer")
	}
	return h.request(ctx, "offer", req, func(req Request) (Lease, error) { return o.Offer(ctx, req, hold) })
}

func (h hooked) Withdraw(ctx context.Context, id ID) error {
	o, ok := ability[Offerer](h.Allocator)
	if !ok {
		return unsupported("withdraw")
	}
	return h.around(ctx, call{op: "withdraw"}, func() error { return o.Withdraw(ctx, id) })
}

func (h hooked) Resume(ctx context.Context, p Pending) (Lease, error) {
	r, ok := ability[Resumer](h.Allocator)
	if !ok {
		return Lease{}, unsupported("resume")
	}
	return h.request(ctx, "resume", p.Request, func(req Request) (Lease, error) {
		p.Request = req
		return r.Resume(ctx, p)
	})
}

func (h hooked) Cancel(ctx context.Context, p Pending) error {
	r, ok := ability[Resumer](h.Allocator)
	if !ok {
		return unsupported("cancel")
	}
	return h.around(ctx, call{op: "cancel"}, func() error { return r.Cancel(ctx, p) })
}

func (h hooked) Leases(ctx context.Context, f Filter) iter.Seq2[Lease, error] {
	return Leases(ctx, h.Allocator, f)
}

// Limit returns an allocator that asks the policy before every allocation,
// offer, change and release on a. It does not know what callers hold
// (Attempt.Held is zero); a [Pool] does, with Config.Policy.
func Limit(a Allocator, policy Policy) Allocator {
	return hooked{a, func(ctx context.Context, c call, do func() error) error {
		if c.req != nil || c.l != nil {
			at := Attempt{Op: c.op, Who: PrincipalFrom(ctx), Request: c.req}
			if c.l != nil {
				at.Lease = *c.l
			}
			if err := policy(ctx, at); err != nil {
				return denied(c.op, err)
			}
		}
		return do()
	}}
}

// Log returns an allocator that logs every operation on a: what changes
// something at level Info, questions at Debug, errors at Warn. Lease
// identifiers and keys are left out.
func Log(a Allocator, log *slog.Logger) Allocator {
	return hooked{a, func(ctx context.Context, c call, do func() error) error {
		err := do()
		level := slog.LevelInfo
		attrs := []slog.Attr{slog.String("principal", PrincipalFrom(ctx).String())}
		if c.req != nil {
			attrs = append(attrs, slog.String("family", c.req.Family.String()), slog.String("scope", c.req.Scope.String()), slog.String("count", c.req.Count.String()))
		}
		switch {
		case err != nil:
			level = slog.LevelWarn
			if c.l != nil {
				attrs = append(attrs, slog.Any("lease", *c.l))
			}
			attrs = append(attrs, slog.String("error", err.Error()))
		case c.op == "release":
			attrs = append(attrs, slog.Any("lease", *c.l))
		case c.out != nil:
			attrs = append(attrs, slog.Any("lease", *c.out))
		case c.op == "list scopes" || c.op == "nesting":
			level = slog.LevelDebug
		}
		log.LogAttrs(ctx, level, "lease: "+c.op, attrs...)
		return err
	}}
}

// Recorder takes note of an operation that took so long and ended with err,
// which may be nil. [Reason] gives a short word for it.
type Recorder interface {
	Record(op string, took time.Duration, err error)
}

// Measure returns an allocator that tells the recorder about every operation
// on a.
func Measure(a Allocator, to Recorder) Allocator {
	return hooked{a, func(ctx context.Context, c call, do func() error) error {
		start := time.Now()
		err := do()
		to.Record(c.op, time.Since(start), err)
		return err
	}}
}

// Reason returns a short word for an error, fit for a metric's label: "ok"
// for nil, "other" for one that is none of this package's.
func Reason(err error) string {
	if err == nil {
		return "ok"
	}
	return wordOf(reasonOf(err))
}

// reasonOf returns the place of an error among the reasons, the number of them
// if it is none.
func reasonOf(err error) int {
	for i := range reasons {
		if errors.Is(err, reasons[i].err) {
			return i
		}
	}
	return len(reasons)
}

func wordOf(i int) string {
	if i == len(reasons) {
		return "other"
	}
	return reasons[i].word
}

var reasons = [...]struct {
	err  error
	word string
}{
	{ErrFamily, "family"}, {ErrScope, "scope"}, {ErrCount, "count"}, {ErrLifetime, "lifetime"}, {ErrStart, "start"},
	{ErrNone, "none"}, {ErrTryLater, "try-later"}, {ErrUnchanged, "unchanged"}, {ErrNotLeased, "not-leased"},
	{ErrNesting, "nesting"}, {ErrInUse, "in-use"}, {ErrSkew, "skew"}, {ErrDenied, "denied"}, {ErrNoServer, "no-server"},
	{ErrStore, "store"}, {ErrConflict, "conflict"}, {ErrUnsupported, "unsupported"},
	{context.Canceled, "canceled"}, {context.DeadlineExceeded, "deadline"},
}
