// SPDX-License-Identifier: BSD-3-Clause

package lease_test

import (
	"testing"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/leasetest"
)

func TestMemoryStore(t *testing.T) {
	leasetest.TestStore(t, func(*testing.T) lease.Store { return &lease.MemoryStore{} }, nil)
}

// alone is a store that says that nobody else writes it.
type alone struct{ lease.Store }

func (alone) Exclusive() bool { return true }

func TestExclusiveStore(t *testing.T) {
	leasetest.TestStore(t, func(*testing.T) lease.Store { return alone{&lease.MemoryStore{}} }, nil)
}
