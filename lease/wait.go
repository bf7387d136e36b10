// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"errors"
	"time"
)

// The functions in this file wait: they are the only ones in the package that
// use timers.

// AllocateWait allocates and waits out as many [TryLaterError] as come. If ctx
// ends meanwhile, what was put off is cancelled.
func AllocateWait(ctx context.Context, a Allocator, req Request) (Lease, error) {
	req.Retry = true
	l, err := a.Allocate(ctx, req)
	for {
		var later *TryLaterError
		if !errors.As(err, &later) {
			return l, err
		}
		if err := sleep(ctx, time.Until(later.At)); err != nil {
			Cancel(context.WithoutCancel(ctx), a, later.Pending) // best effort: it lapses by itself
			return Lease{}, err
		}
		l, err = Resume(ctx, a, later.Pending)
	}
}

// sleep waits for d, or less if ctx ends; the error is its cause then.
func sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Keep holds addresses for as long as ctx lives. It allocates what req asks
// for, calls use with the lease in a goroutine, and renews the lease again and
// again, each time about half way to its end, for as long as it was granted
// at first.
//
// If the lease can be extended no more, Keep allocates others in time and
// calls use with these while the old ones can still be used, so that an
// application can move its traffic (RFC 2908 section 2.1). The context of the
// old use is cancelled when the old lease ends.
//
// Keep returns when ctx ends, when a use returns before its context is
// cancelled, or when there is no lease any more and none to be had, with the
// error that belongs to it. It waits for all uses to return and releases what
// is left.
func Keep(ctx context.Context, a Allocator, req Request, use func(context.Context, Lease) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	k := keeper{a: a, req: req, use: use, cancel: cancel, done: make(chan struct{})}
	err := k.run(ctx)
	cancel(err)
	for range k.uses {
		<-k.done
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errUseReturned) {
		return cause
	}
	return k.result
}

// errUseReturned is the cause that ends Keep when a use has returned nil.
var errUseReturned = errors.New("use returned")

type keeper struct {
	a      Allocator
	req    Request
	use    func(context.Context, Lease) error
	cancel context.CancelCauseFunc
	done   chan struct{} // one value from each use that has returned
	uses   int           // uses started
	result error
}

// tenure is a lease in use.
type tenure struct {
	lease  Lease
	length time.Duration // as granted at first
	stop   context.CancelFunc
}

// start begins to use a lease.
func (k *keeper) start(ctx context.Context, l Lease) *tenure {
	t := &tenure{lease: l, length: l.End.Sub(l.Start)}
	var mine context.Context
	mine, t.stop = context.WithCancel(ctx)
	k.uses++
	go func() {
		err := k.use(mine, l)
		if mine.Err() == nil { // nobody asked it to stop
			if err == nil {
				err = errUseReturned
			}
			k.cancel(err)
		}
		k.done <- struct{}{}
	}()
	return t
}

// run allocates, renews and replaces until ctx ends or no lease is left.
func (k *keeper) run(ctx context.Context) error {
	l, err := AllocateWait(ctx, k.a, k.req)
	if err != nil {
		return err
	}
	now := k.start(ctx, l)
	defer func() { k.a.Release(context.WithoutCancel(ctx), now.lease) }()
	for ctx.Err() == nil {
		left := time.Until(now.lease.End)
		if err := sleep(ctx, now.pause(left)); err != nil {
			return err
		}
		err := k.renew(ctx, now)
		left = time.Until(now.lease.End)
		if err == nil && left > now.length/4 {
			continue
		}
		if left > now.length/4 && !errors.Is(err, ErrNotLeased) {
			continue // there is time to ask again
		}
		next, err := k.next(ctx, now, left)
		if err != nil {
			return err
		}
		now = next
	}
	return ctx.Err()
}

// pause returns how long to wait before the next renewal: between 45 and 55
// per cent of what is left, by the lease, so that many who began together do
// not go on together.
func (t *tenure) pause(left time.Duration) time.Duration {
	var sum uint
	for i := range len(t.lease.ID) {
		sum = sum*31 + uint(t.lease.ID[i])
	}
	return left * time.Duration(450+sum%101) / 1000
}

// renew asks for as much time as was granted at first.
func (k *keeper) renew(ctx context.Context, t *tenure) error {
	ctx, cancel := context.WithDeadline(ctx, t.lease.End)
	defer cancel()
	l, err := Change(ctx, k.a, t.lease, Terms{Start: At(t.lease.Start), Lifetime: AtMost(t.length)})
	if err == nil && l.End.After(t.lease.End) {
		t.lease = l
	}
	return err
}

// next gets other addresses while the old ones last, and has them used. The
// old lease ends by itself.
func (k *keeper) next(ctx context.Context, old *tenure, left time.Duration) (*tenure, error) {
	req := k.req
	req.Key, req.ID = "", ""
	until, cancel := context.WithDeadline(ctx, old.lease.End)
	defer cancel()
	why := error(ErrNone)
	var l Lease
	for wait := max(left/16, time.Second); ; {
		var err error
		if l, err = AllocateWait(until, k.a, req); err == nil {
			break
		}
		if until.Err() == nil {
			why = err
		}
		if sleep(until, wait) != nil {
			old.stop()
			return nil, why
		}
	}
	next := k.start(ctx, l)
	k.uses++
	go func() { // the old use goes on until its lease ends
		sleep(ctx, time.Until(old.lease.End))
		old.stop()
		k.done <- struct{}{}
	}()
	return next, nil
}
