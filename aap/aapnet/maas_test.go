// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// maas adds a server on a host of its own.
func (d *domain) maas(t testing.TB, m aap.MAASConfig) *MAAS {
	t.Helper()
	if !m.Group.IsValid() {
		m.Group, _ = aap.Group(m.Scope)
	}
	s, err := NewMAAS(MAASConfig{Machine: m, Network: d.host(m.Group)})
	if err != nil {
		t.Fatal(err)
	}
	run(t, s)
	return s
}

// TestClaim: two servers want one address at different times, and one gets it; a
// claim that is given up leaves nothing behind.
func TestClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d domain
		a, b := d.maas(t, aap.MAASConfig{Scope: local.Range, MaxPool: -1}), d.maas(t, aap.MAASConfig{Scope: local.Range, MaxPool: -1})
		began := time.Now()
		if !a.Listening() || a.Usable()[0].Range != local.Range {
			t.Error("it does not listen at first")
		}
		want := aap.Want{Token: 1, Addrs: scope.MustSet("239.255.3.0-239.255.3.3"), End: began.Add(time.Hour)}
		got, err := a.Claim(t.Context(), want)
		if err != nil || !got.Addrs.Equal(want.Addrs) || time.Since(began) < 160*time.Second {
			t.Fatalf("%v, %v after %v", got, err, time.Since(began))
		}
		if _, err = b.Claim(t.Context(), want); !errors.Is(err, aap.ErrUnavailable) {
			t.Errorf("the other: %v", err)
		}
		if _, err = a.Claim(t.Context(), want); !errors.Is(err, aap.ErrToken) {
			t.Errorf("the same token: %v", err)
		}
		if err := a.SetEnd(1, began.Add(2*time.Hour)); err != nil {
			t.Error(err)
		}
		if err := a.Release(1); err != nil || len(a.Allocations()) != 0 {
			t.Error("not released:", err)
		}
		pause(10 * time.Second) // for so long the other minds the claim it has heard
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		want.Token = 2
		if _, err = b.Claim(ctx, want); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		pause(time.Minute)
		if list := b.Allocations(); len(list) != 0 || a.Stats().Sent[aap.ACLM] != 4 {
			t.Errorf("%v is left; %+v", list, a.Stats())
		}
		if a.Free(began.Add(3*time.Hour)) != scope.U128(1<<16-256) {
			t.Error(a.Free(began.Add(3 * time.Hour)))
		}
	})
}

// TestClosed: a claim does not wait for a server that has ended.
func TestClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d domain
		s, err := NewMAAS(MAASConfig{Machine: aap.MAASConfig{Scope: local.Range}, Network: d.host(groupOf)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		go s.Run(ctx)
		if _, err := s.Claim(t.Context(), aap.Want{Token: 1, Count: 1, End: time.Now().Add(time.Hour)}); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

// TestPersist: AAP-3.1-1, AAP-3.1-2. What is granted was stored before; while that
// fails nothing is granted and nothing sent; a server with what was stored has
// its allocation still.
func TestPersist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d domain
		var stored aap.Snapshot
		var full atomic.Bool
		var granted atomic.Int32
		ctx, cancel := context.WithCancel(t.Context())
		cfg := MAASConfig{
			Machine: aap.MAASConfig{Scope: local.Range, Group: groupOf, MaxPool: -1}, Network: d.host(groupOf),
			Persist: func(s aap.Snapshot) error {
				if full.Load() {
					return errors.New("disk full")
				}
				stored = s
				return nil
			},
			Notify: func(e aap.Effect) {
				if _, ok := e.(aap.Granted); ok {
					granted.Add(1)
				}
			},
		}
		s, err := NewMAAS(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		ear := d.maas(t, aap.MAASConfig{Scope: local.Range})
		pause(4 * time.Minute)
		full.Store(true)
		if err := s.Allocate(aap.Want{Token: 9, Count: 2, End: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		pause(time.Minute)
		if granted.Load() != 0 || ear.Stats().Received[aap.AIU] != 0 {
			t.Errorf("%d granted, %d announced without being stored", granted.Load(), ear.Stats().Received[aap.AIU])
		}
		full.Store(false)
		pause(time.Minute)
		if granted.Load() != 1 || ear.Stats().Received[aap.AIU] == 0 {
			t.Errorf("%d granted, %d announced", granted.Load(), ear.Stats().Received[aap.AIU])
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		cfg.Restore, cfg.Network = stored, d.host(groupOf)
		again, err := NewMAAS(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer again.conn.close()
		if list := again.Allocations(); len(list) != 1 || list[0].Token != 9 {
			t.Errorf("remembers %v", list)
		}
	})
}

// TestCoordinator: a large scope. A server claims in what the coordinator
// announces, and tells it of what it has.
func TestCoordinator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d domain
		reports := map[aap.Report]bool{}
		c, err := NewCoordinator(CoordinatorConfig{
			Machine: aap.CoordinatorConfig{Scope: scope.IPv4Global().Range, Group: outside, Sole: true}, Network: d.host(outside),
			Notify: func(e aap.Effect) {
				if u, ok := e.(aap.Usage); ok {
					for _, r := range u.Reports {
						reports[r] = true
					}
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		space := aap.TimedRange{Range: scope.MustRange("234.1.0.0", "234.1.0.255"), End: time.Now().Add(24 * time.Hour)}
		if err := c.Announce([]aap.TimedRange{space}); err != nil {
			t.Fatal(err)
		}
		run(t, c)
		s := d.maas(t, aap.MAASConfig{Scope: scope.IPv4Global().Range, Group: outside, Large: true, Sole: true, MaxPool: -1})
		got, err := s.Claim(t.Context(), aap.Want{Token: 1, Count: 3, End: time.Now().Add(time.Hour)})
		if err != nil || !space.Range.Covers(got.Addrs.Bounds()) {
			t.Fatal(got, err)
		}
		pause(time.Minute)
		if !reports[aap.Report{Range: space.Range, InUse: 3}] {
			t.Errorf("heard %v", reports)
		}
		if c.State() != aap.Lead || len(c.Space()) != 1 || c.Stats().Sent == 0 {
			t.Error(c.State(), c.Space(), c.Stats())
		}
		lost, err := c.Retract(nil)
		if err != nil || len(lost) != 1 {
			t.Error(lost, err)
		}
	})
}
