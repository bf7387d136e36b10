// SPDX-License-Identifier: BSD-3-Clause

package lease_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// bubblePool returns a pool on the bubble's clock with the addresses given.
func bubblePool(t *testing.T, guard time.Duration, addrs ...string) *lease.Pool {
	p, err := lease.NewPool(lease.Config{
		Sources:     []lease.Source{{Scope: scope.IPv4Local(), Addrs: scope.MustSet(addrs...)}},
		MaxLifetime: time.Hour, Guard: guard,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAllocateWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bubblePool(t, 10*time.Minute, "239.255.1.1")
		began := time.Now()
		if _, err := p.Allocate(t.Context(), lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(20 * time.Minute)}); err != nil {
			t.Fatal(err)
		}
		l, err := lease.AllocateWait(t.Context(), p, lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(time.Minute)})
		if err != nil || time.Since(began) != 30*time.Minute || !l.Start.Equal(time.Now()) {
			t.Errorf("LEASE-3.1-13: %v, %v, after %v, want after lease and rest", l, err, time.Since(began))
		}
	})
}

func TestAllocateWaitCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bubblePool(t, lease.NoGuard, "239.255.1.1")
		first, _ := p.Allocate(t.Context(), lease.Request{Family: lease.IPv4})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := lease.AllocateWait(ctx, p, lease.Request{Family: lease.IPv4})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
		u, err := p.Usage(t.Context(), first.Scope, first.End)
		if err != nil || !u[0].Waiting.IsZero() {
			t.Errorf("LEASE-3.1-18: %v addresses still wait for who has given up, %v", u[0].Waiting, err)
		}
	})
}

func TestKeepRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bubblePool(t, 0, "239.255.1.1-239.255.1.9")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Hour)
		defer cancel()
		uses := 0
		err := lease.Keep(ctx, p, lease.Request{Family: lease.IPv4}, func(ctx context.Context, l lease.Lease) error {
			uses++
			<-ctx.Done()
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) || uses != 1 {
			t.Errorf("%v after %d uses, want the deadline after one", err, uses)
		}
		for l := range p.Leases(t.Context(), lease.Filter{}) {
			t.Errorf("still leased: %v", l)
		}
	})
}

// The addresses cannot be kept: others are there before the old ones end.
func TestKeepMovesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bubblePool(t, 0, "239.255.1.1")
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Hour)
		defer cancel()
		type use struct {
			l          lease.Lease
			start, end time.Duration
		}
		ended := make(chan use, 9)
		go func() {
			time.Sleep(2 * time.Hour)
			if err := p.AddSource(lease.Source{Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.2.2")}); err != nil {
				t.Error(err)
			}
			if err := p.CloseSource(scope.IPv4Local().ID(), scope.MustSet("239.255.1.1")); err != nil {
				t.Error(err)
			}
		}()
		err := lease.Keep(ctx, p, lease.Request{Family: lease.IPv4}, func(ctx context.Context, l lease.Lease) error {
			u := use{l: l, start: time.Since(began)}
			<-ctx.Done()
			u.end = time.Since(began)
			ended <- u
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) || len(ended) != 2 {
			t.Fatalf("%v after %d uses, want the deadline after two", err, len(ended))
		}
		a, b := <-ended, <-ended
		if a.l.Addrs.Overlaps(b.l.Addrs) || b.start >= a.end || a.end-b.start < 5*time.Minute {
			t.Errorf("LEASE-2908.2.1-4: first %v until %v, then %v from %v: no time to move", a.l.Addrs, a.end, b.l.Addrs, b.start)
		}
		if b.end != 5*time.Hour {
			t.Errorf("the second use ended after %v", b.end)
		}
	})
}

func TestKeepEndsWithUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bubblePool(t, 0, "239.255.1.1")
		oops := errors.New("oops")
		for _, want := range []error{oops, nil} {
			err := lease.Keep(t.Context(), p, lease.Request{Family: lease.IPv4}, func(ctx context.Context, l lease.Lease) error {
				time.Sleep(100 * time.Minute)
				return want
			})
			if err != want {
				t.Errorf("Keep returned %v, want %v", err, want)
			}
			time.Sleep(2 * time.Hour)
		}
	})
}

// Nothing can be extended and nothing else is to be had: Keep says so when
// the lease is over, and not before.
func TestKeepLosesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bubblePool(t, 0, "239.255.1.1")
		began := time.Now()
		err := lease.Keep(t.Context(), p, lease.Request{Family: lease.IPv4}, func(ctx context.Context, l lease.Lease) error {
			p.CloseSource(scope.IPv4Local().ID(), scope.Set{})
			<-ctx.Done()
			return nil
		})
		if !errors.Is(err, lease.ErrNone) || time.Since(began) < time.Hour {
			t.Errorf("LEASE-3.1-6: %v after %v", err, time.Since(began))
		}
	})
}
