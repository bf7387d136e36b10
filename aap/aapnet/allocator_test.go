// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/leasetest"
	"github.com/mcastalloc/malloc/scope"
)

// TestAllocator runs the conformance suite of package lease, with short timers:
// with addresses preallocated and without, with rest and without, in IPv6, and
// with a store.
func TestAllocator(t *testing.T) {
	for _, tt := range []struct {
		name   string
		scope  scope.Scope
		guard  time.Duration
		change func(*AllocatorConfig)
	}{
		{"preallocated", local, 2 * time.Minute, func(c *AllocatorConfig) { c.Scopes[0].MAAS.Machine.Pool = 64 }},
		{"claimed", local, 2 * time.Minute, func(c *AllocatorConfig) { c.Scopes[0].MAAS.Machine.MaxPool = -1 }},
		{"without rest", small, 0, func(c *AllocatorConfig) {
			c.Pool.Guard = lease.NoGuard
			c.Scopes[0].MAAS.Machine.MaxPool = -1
		}},
		{"IPv6", scope.IPv6(3), 2 * time.Minute, nil},
		{"stored", local, 2 * time.Minute, func(c *AllocatorConfig) { c.Pool.Store = new(lease.MemoryStore) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			leasetest.TestAllocator(t, func(t *testing.T) leasetest.Subject {
				var d domain
				var ahead atomic.Int64
				now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
				a := d.allocator(t, tt.scope, func(c *AllocatorConfig) {
					c.Now = now
					c.Scopes[0].MAAS.Machine.Timing = aap.Timing{
						StartupWait: time.Millisecond, AnnounceWait: 10 * time.Millisecond, ResendWait: 4 * time.Millisecond, RepeatInterval: time.Second,
					}
					if tt.change != nil {
						tt.change(c)
					}
				})
				return leasetest.Subject{
					Allocator: a, Scope: tt.scope.ID(), Guard: tt.guard, Now: now,
					Advance: func(by time.Duration) { ahead.Add(int64(by)) },
				}
			})
		})
	}
}
