// SPDX-License-Identifier: BSD-3-Clause

package lease_test

import (
	"testing"

	"github.com/mcastalloc/malloc/lease"
)

// TestAllocations holds what a release and a grant together leave to the
// garbage collector without a store. With a key, which the caller has, it is no
// more.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates on its own account")
	}
	const most = 4
	for _, key := range []string{"", "a camera"} {
		p, leases := full(t, 1000, lease.NoGuard)
		ctx := t.Context()
		l := leases[0]
		n := testing.AllocsPerRun(1000, func() {
			if err := p.Release(ctx, l); err != nil {
				t.Fatal(err)
			}
			var err error
			if l, err = p.Allocate(ctx, lease.Request{Family: lease.IPv4, Key: key}); err != nil {
				t.Fatal(err)
			}
		})
		if n > most {
			t.Errorf("with the key %q a release and a grant allocate %.0f times, want %d at most", key, n, most)
		}
	}
}
