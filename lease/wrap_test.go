// SPDX-License-Identifier: BSD-3-Clause

package lease_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/leasetest"
	"github.com/mcastalloc/malloc/scope"
)

// silence is an allocator that nobody answers for.
type silence struct{}

var errSilence = &lease.Error{Op: "ask", Err: lease.ErrNoServer}

func (silence) Allocate(context.Context, lease.Request) (lease.Lease, error) {
	return lease.Lease{}, errSilence
}
func (silence) ChangeLifetime(context.Context, lease.Lease, lease.Window) (lease.Lease, error) {
	return lease.Lease{}, errSilence
}
func (silence) ChangeStart(context.Context, lease.Lease, lease.Window) (lease.Lease, error) {
	return lease.Lease{}, errSilence
}
func (silence) Release(context.Context, lease.Lease) error { return errSilence }
func (silence) Scopes(context.Context, lease.Family) ([]scope.Scope, error) {
	return nil, errSilence
}
func (silence) Nesting(context.Context, ...scope.ID) (*scope.Nesting, error) {
	return nil, errSilence
}

// bare hides all abilities of an allocator.
type bare struct{ lease.Allocator }

type recorder map[string]int

func (r recorder) Record(op string, took time.Duration, err error) { r[op+" "+lease.Reason(err)]++ }

func TestWrappersConform(t *testing.T) {
	admit := func(context.Context, lease.Attempt) error { return nil }
	for name, wrap := range map[string]func(lease.Allocator) lease.Allocator{
		"Chain":       func(a lease.Allocator) lease.Allocator { return lease.Chain(a) },
		"Limit":       func(a lease.Allocator) lease.Allocator { return lease.Limit(a, admit) },
		"Log":         func(a lease.Allocator) lease.Allocator { return lease.Log(a, slog.New(slog.DiscardHandler)) },
		"bare":        func(a lease.Allocator) lease.Allocator { return bare{a} },
		"Log of bare": func(a lease.Allocator) lease.Allocator { return lease.Log(bare{a}, slog.New(slog.DiscardHandler)) },
	} {
		t.Run(name, func(t *testing.T) {
			leasetest.TestAllocator(t, func(t *testing.T) leasetest.Subject {
				clock := &clock{time.Now()} // Change in two steps reads the system's
				p, err := lease.NewPool(lease.Config{Scopes: []scope.Scope{scope.IPv4Local()}, Now: clock.now})
				if err != nil {
					t.Fatal(err)
				}
				return leasetest.Subject{Allocator: wrap(p), Scope: scope.IPv4Local().ID(), Guard: lease.DefaultGuard, Now: clock.now, Advance: clock.advance}
			})
		})
	}
}

func TestChain(t *testing.T) {
	p, err := lease.NewPool(lease.Config{Scopes: []scope.Scope{scope.IPv4Local()}})
	if err != nil {
		t.Fatal(err)
	}
	c := lease.Chain(silence{}, p)
	l, err := c.Allocate(t.Context(), lease.Request{Family: lease.IPv4})
	if err != nil {
		t.Fatalf("the fallback was not asked: %v", err)
	}
	if _, err := c.ChangeLifetime(t.Context(), l, lease.Window{}); err != nil {
		t.Errorf("the lease was not found: %v", err)
	}
	if err := c.Release(t.Context(), lease.Lease{ID: "?", Family: lease.IPv4}); !errors.Is(err, lease.ErrNoServer) {
		t.Errorf("a lease that only the silent one may know: %v", err)
	}
	if _, err := c.Allocate(t.Context(), lease.Request{Family: 9}); !errors.Is(err, lease.ErrFamily) {
		t.Errorf("LEASE-E-3: %v", err)
	}
}

func TestLogMeasureLimit(t *testing.T) {
	p, err := lease.NewPool(lease.Config{Scopes: []scope.Scope{scope.IPv4Local()}})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	seen := recorder{}
	refuse := errors.New("not on Sundays")
	limit := func(ctx context.Context, a lease.Attempt) error {
		if a.Who.Name == "mallory" {
			return refuse
		}
		return nil
	}
	a := lease.Measure(lease.Limit(lease.Log(p, slog.New(slog.NewTextHandler(&text, nil))), limit), seen)
	l, err := a.Allocate(t.Context(), lease.Request{Family: lease.IPv4, Key: "secret key"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lease.Change(t.Context(), a, l, lease.Terms{}); err != nil {
		t.Error(err)
	}
	if err := a.Release(t.Context(), lease.Lease{ID: "?", Family: lease.IPv4}); err == nil {
		t.Error("released what is not leased")
	}
	mallory := lease.WithPrincipal(t.Context(), lease.Principal{Name: "mallory"})
	if _, err := a.Allocate(mallory, lease.Request{Family: lease.IPv4}); !errors.Is(err, lease.ErrDenied) || !errors.Is(err, refuse) {
		t.Errorf("LEASE-P-6: %v, want a refusal with its cause", err)
	}
	if want := fmt.Sprint(recorder{"allocate ok": 1, "change ok": 1, "release not-leased": 1, "allocate denied": 1}); fmt.Sprint(seen) != want {
		t.Errorf("LEASE-M-4: recorded %v, want %v", seen, want)
	}
	hex, _ := l.ID.MarshalText()
	for _, secret := range []string{string(hex), string(l.ID), "secret key"} {
		if strings.Contains(text.String(), secret) {
			t.Errorf("LEASE-4-3: the log has a secret:\n%s", &text)
		}
	}
	for _, word := range []string{"level=INFO msg=\"lease: allocate\"", "level=WARN msg=\"lease: release\"", l.Addr().String(), "principal=anonymous"} {
		if !strings.Contains(text.String(), word) {
			t.Errorf("LEASE-P-9: the log lacks %s:\n%s", word, &text)
		}
	}
}
