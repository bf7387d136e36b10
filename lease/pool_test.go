// SPDX-License-Identifier: BSD-3-Clause

package lease_test

import (
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/leasetest"
	"github.com/mcastalloc/malloc/scope"
)

// clock is a clock that stands still until it is moved.
type clock struct{ t time.Time }

func newClock() *clock { return &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time          { return c.t }
func (c *clock) advance(d time.Duration) { c.t = c.t.Add(d) }

func TestPoolConforms(t *testing.T) {
	for name, c := range map[string]lease.Config{
		"IPv4":      {Scopes: []scope.Scope{scope.IPv4Local()}},
		"IPv6":      {Scopes: []scope.Scope{scope.IPv6(5)}},
		"no guard":  {Scopes: []scope.Scope{scope.IPv4Local()}, Guard: lease.NoGuard},
		"piecemeal": {Sources: []lease.Source{{Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.1.0/26", "239.255.3.1-239.255.3.99")}, {Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.1.80-239.255.2.3")}}},
	} {
		t.Run(name, func(t *testing.T) {
			leasetest.TestAllocator(t, func(t *testing.T) leasetest.Subject {
				clock, c := newClock(), c
				c.Now = clock.now
				p, err := lease.NewPool(c)
				if err != nil {
					t.Fatal(err)
				}
				var id scope.ID
				for _, f := range []lease.Family{lease.IPv4, lease.IPv6} {
					if list, _ := p.Scopes(t.Context(), f); len(list) > 0 {
						id = list[0].ID()
					}
				}
				guard := lease.DefaultGuard
				if c.Guard != 0 {
					guard = 0
				}
				return leasetest.Subject{Allocator: p, Scope: id, Guard: guard, Now: clock.now, Advance: clock.advance}
			})
		})
	}
}
