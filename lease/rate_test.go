// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

func TestRate(t *testing.T) {
	now := epoch
	p, err := NewPool(Config{
		Scopes: []scope.Scope{scope.IPv4Local(), scope.IPv4OrganizationLocal()}, Now: func() time.Time { return now },
		Sources: []Source{{Scope: scope.IPv6(5)}},
		Limits: func(who Principal, id scope.ID) Limits {
			if id == scope.IPv4Local().ID() && who.Name == "a" {
				return Limits{Rate: 6}
			}
			return Limits{}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := WithPrincipal(t.Context(), Principal{Name: "a"})
	var l Lease
	for range 6 {
		if l, err = p.Allocate(ctx, Request{Family: IPv4, Key: "again"}); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(err error) {
		t.Helper()
		var q *QuotaError
		if !errors.As(err, &q) || q.Limit != "Rate" || q.Max != 6 || !errors.Is(err, ErrDenied) {
			t.Errorf("LEASE-P-2: %v, want the limit Rate of 6", err)
		}
	}
	_, err = p.Allocate(ctx, Request{Family: IPv4, Key: "again"})
	refused(err)
	_, err = p.Offer(ctx, Request{Scope: scope.IPv4Local().ID()}, time.Minute)
	refused(err)
	_, err = p.ChangeLifetime(ctx, Lease{ID: l.ID, Family: IPv4}, Window{})
	refused(err)
	_, err = p.ChangeLifetime(ctx, Lease{ID: "unknown", Family: IPv4}, Window{})
	refused(err)
	for _, free := range []Request{{Scope: scope.IPv4OrganizationLocal().ID()}, {Family: IPv6}} {
		if _, err := p.Allocate(ctx, free); err != nil {
			t.Errorf("LEASE-P-2: the limit is of another scope: %v", err)
		}
	}
	if _, err := p.Allocate(t.Context(), Request{Family: IPv4}); err != nil {
		t.Errorf("LEASE-P-2: the limit is of another principal: %v", err)
	}
	if err := p.Release(ctx, l); err != nil {
		t.Errorf("LEASE-P-2: what is given back does not count: %v", err)
	}
	now = now.Add(10 * time.Second) // one more has room
	if _, err := p.Allocate(ctx, Request{Family: IPv4}); err != nil {
		t.Errorf("LEASE-P-2: %v after ten seconds", err)
	}
	_, err = p.Allocate(ctx, Request{Family: IPv4})
	refused(err)
	now = now.Add(time.Hour)
	for range 6 {
		if _, err := p.Allocate(ctx, Request{Family: IPv4}); err != nil {
			t.Errorf("LEASE-P-2: %v after an hour", err)
		}
	}
	_, err = p.Allocate(ctx, Request{Family: IPv4})
	refused(err)
}

// However many ask, only so many are remembered: LEASE-P-2.
func TestRatesBounded(t *testing.T) {
	m := rates{}
	now := instantOf(epoch)
	busy := rateKey{who: Principal{Name: "busy"}}
	for i := range ratesMost + 1000 {
		m.take(rateKey{who: Principal{Name: strconv.Itoa(i)}}, 6000, now)
		if i == ratesMost/2 {
			for m.take(busy, 6000, now) {
			}
		}
	}
	if len(m) != ratesMost {
		t.Errorf("%d principals are remembered, want %d", len(m), ratesMost)
	}
	if m.take(busy, 6000, now) {
		t.Error("the busiest is forgotten")
	}
}
