// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"time"
)

// changeInSteps does with the two calls RFC 2771 has what a [Changer] does in
// one. The clock is read only to tell whether the lease has begun.
func changeInSteps(ctx context.Context, a Allocator, l Lease, to Terms) (Lease, error) {
	if !to.End.IsZero() && to.Lifetime != (Span{}) {
		return Lease{}, &Error{Op: "change", Param: ParamLifetime, Got: to.Lifetime.String(), Want: "either an end or a lifetime, not both", Err: ErrLifetime}
	}
	now := time.Now()
	if !now.Before(l.Start) {
		return a.ChangeLifetime(ctx, l, to.endFrom(now))
	}
	start := to.Start
	if start.IsZero() {
		start.Max = l.Start // as soon as possible
	}
	if start.Min.Before(l.End) {
		moved, err := a.ChangeStart(ctx, l, start)
		if err != nil {
			return Lease{}, err
		}
		done, err := a.ChangeLifetime(ctx, moved, to.endFrom(moved.Start))
		if err != nil && !moved.Start.Equal(l.Start) {
			a.ChangeStart(ctx, moved, At(l.Start)) // best effort: the first error is what matters
		}
		return done, err
	}
	// The lease moves to a time after its end, so the end has to go first.
	longer, err := a.ChangeLifetime(ctx, l, to.endFrom(start.Min))
	if err != nil {
		return Lease{}, err
	}
	done, err := a.ChangeStart(ctx, longer, start)
	if err != nil {
		a.ChangeLifetime(ctx, longer, At(l.End))
	}
	return done, err
}

// endFrom returns the window of ends for a lease that starts at t.
func (to Terms) endFrom(t time.Time) Window {
	w := to.End
	if to.Lifetime.Min > 0 {
		w.Min = t.Add(to.Lifetime.Min)
	}
	if to.Lifetime.Max > 0 {
		w.Max = t.Add(to.Lifetime.Max)
	}
	return w
}
