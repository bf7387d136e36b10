// SPDX-License-Identifier: BSD-3-Clause

package lease_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// watching collects events in a bubble of virtual time.
type watching struct {
	t      *testing.T
	mu     sync.Mutex
	events []lease.Event
	stop   context.CancelFunc
	ended  chan struct{}
}

func watch(t *testing.T, ctx context.Context, a lease.Allocator, f lease.Filter) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	events, err := lease.Watch(ctx, a, f)
	if err != nil {
		t.Fatal(err)
	}
	w := &watching{t: t, stop: cancel, ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		for e := range events {
			w.mu.Lock()
			w.events = append(w.events, e)
			w.mu.Unlock()
		}
	}()
	t.Cleanup(func() { cancel(); <-w.ended })
	return w
}

// next waits until all is told and returns what was told since the last call.
func (w *watching) next() []lease.Event {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	got := w.events
	w.events = nil
	return got
}

// want checks the kinds of the next events.
func (w *watching) want(id string, kinds ...lease.EventKind) []lease.Event {
	w.t.Helper()
	var got []lease.EventKind
	events := w.next()
	for _, e := range events {
		got = append(got, e.Kind)
	}
	if !slices.Equal(got, kinds) {
		w.t.Errorf("%s: told of %v, want %v", id, got, kinds)
	}
	return events
}

func virtualPool(t *testing.T, c lease.Config) *lease.Pool {
	t.Helper()
	if c.Sources == nil {
		c.Scopes = []scope.Scope{scope.IPv4Local()}
	}
	p, err := lease.NewPool(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func allocate(t *testing.T, ctx context.Context, a lease.Allocator, req lease.Request) lease.Lease {
	t.Helper()
	l, err := a.Allocate(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var anHour = lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(time.Hour)}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := virtualPool(t, lease.Config{})
		early := allocate(t, as("a"), p, anHour) // before the watch
		w := watch(t, as("a"), lease.Log(p, slog.New(slog.DiscardHandler)), lease.Filter{})
		time.Sleep(10 * time.Minute)
		late := allocate(t, as("a"), p, anHour)
		allocate(t, as("b"), p, anHour)
		w.want("LEASE-P-5")

		time.Sleep(36 * time.Minute) // a quarter is left of the first at 45
		e := w.want("LEASE-3.1-6 expiry ahead", lease.EventExpiring)
		if len(e) == 1 && !e[0].Lease.Equal(early) {
			t.Errorf("told of %v, want %v", e[0].Lease, early)
		}
		moved, err := p.ChangeLifetime(as("a"), early, lease.At(time.Now().Add(2*time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		e = w.want("changed", lease.EventChanged)
		if len(e) == 1 && !e[0].Lease.Equal(moved) {
			t.Errorf("told of %v, want %v", e[0].Lease, moved)
		}
		time.Sleep(25 * time.Minute)
		e = w.want("LEASE-3.1-6 over", lease.EventExpiring, lease.EventExpired)
		if len(e) == 2 && (!e[0].Lease.Equal(late) || !e[1].Lease.Equal(late)) {
			t.Errorf("told of %v, want %v", e, late)
		}
		clashes, err := p.Exclude(moved.Scope, scope.MustSet("239.255.0.0/16"), time.Now().Add(time.Hour))
		if err != nil || len(clashes) != 1 {
			t.Fatal(clashes, err)
		}
		e = w.want("LEASE-2908.2-5 clash", lease.EventClash)
		if len(e) == 1 && (!e[0].Lease.Equal(moved) || !e[0].Addrs.Equal(moved.Addrs)) {
			t.Errorf("told of %+v, want %v", e[0], moved)
		}
		if err := p.Release(as("a"), moved); err != nil {
			t.Fatal(err)
		}
		w.want("released", lease.EventReleased)
		time.Sleep(24 * time.Hour)
		w.want("nothing more")
	})
}

func TestWatchScopes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := virtualPool(t, lease.Config{Sources: []lease.Source{
			{Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.1.0/24")}, {Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.2.0/24")},
		}})
		w := watch(t, as("a"), p, lease.Filter{})
		other := watch(t, as("a"), p, lease.Filter{Family: lease.IPv6})
		id, gone := scope.IPv4Local().ID(), scope.MustSet("239.255.1.0/25")
		if err := p.CloseSource(id, gone); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if e := w.want("LEASE-L-6 closed", lease.EventClosed); len(e) == 1 && (e[0].Scope != id || !e[0].Addrs.Equal(gone)) {
			t.Errorf("told of %+v, want %v", e[0], gone)
		}
		if err := p.RemoveSource(id, scope.Set{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if e := w.want("LEASE-L-6 gone", lease.EventClosed); len(e) == 1 && e[0].Addrs.Size() != scope.U128(512-128) {
			t.Errorf("told of %+v, want all that was left", e[0])
		}
		other.want("another family")
	})
}

// What another pool on the same store does is told when this one hears of it.
func TestWatchStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &lease.MemoryStore{}
		p, q := virtualPool(t, lease.Config{Store: store}), virtualPool(t, lease.Config{Store: store})
		l := allocate(t, as("a"), p, anHour)
		w := watch(t, as("a"), p, lease.Filter{})
		if err := q.Release(as("a"), l); err != nil {
			t.Fatal(err)
		}
		w.want("not heard of yet")
		if _, err := p.ChangeLifetime(as("a"), l, lease.Window{}); !errors.Is(err, lease.ErrNotLeased) {
			t.Fatal(err)
		}
		w.want("LEASE-S-9 released elsewhere", lease.EventReleased)
	})
}

func TestWatchMisses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := virtualPool(t, lease.Config{})
		ctx, cancel := context.WithCancel(as("a"))
		events, err := p.Watch(ctx, lease.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			if err := p.Release(as("a"), allocate(t, as("a"), p, anHour)); err != nil {
				t.Fatal(err)
			}
		}
		next, stop := iter.Pull(events)
		defer stop()
		for i := range 257 {
			e, ok := next()
			if want := map[bool]lease.EventKind{true: lease.EventReleased, false: lease.EventMissed}[i < 256]; !ok || e.Kind != want {
				t.Fatalf("event %d is %v, %v, want %v", i, e.Kind, ok, want)
			}
		}
		cancel()
		if e, ok := next(); ok {
			t.Errorf("told of %v after the end", e)
		}
	})
}

// Watchers are bounded, and go with their contexts, looked at or not.
func TestWatchersBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := virtualPool(t, lease.Config{})
		ctx, cancel := context.WithCancel(as("a"))
		n := 0
		var err error
		for ; err == nil && n < 1000; n++ {
			_, err = lease.Watch(ctx, p, lease.Filter{})
		}
		var q *lease.QuotaError
		if !errors.As(err, &q) || q.Limit != "Watchers" || q.Max != int64(n-1) {
			t.Errorf("LEASE-P-2: %v after %d watchers", err, n)
		}
		cancel()
		synctest.Wait()
		if _, err := lease.Watch(as("a"), p, lease.Filter{}); err != nil {
			t.Errorf("the watchers are gone, but %v", err)
		}
		if _, err := lease.Watch(as("a"), bare{p}, lease.Filter{}); !errors.Is(err, lease.ErrUnsupported) {
			t.Errorf("LEASE-E-3: %v, want ErrUnsupported", err)
		}
	})
}

// A shared lease can be changed by who knows its identifier, and a list must
// not give that away.
func TestSharedIsNotListed(t *testing.T) {
	r := newRig(t, lease.Config{})
	r.get(as("a"), lease.Request{Family: lease.IPv4, Shared: true})
	for l := range r.Leases(as("b"), lease.Filter{}) {
		t.Errorf("LEASE-4-3: %v is listed to a stranger", l)
	}
}
