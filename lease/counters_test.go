// SPDX-License-Identifier: BSD-3-Clause

package lease_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
)

func TestCounters(t *testing.T) {
	r := newRig(t, listed("239.255.1.0/30"))
	req := lease.Request{Family: lease.IPv4, Key: "k", Lifetime: lease.AtMost(time.Hour)}
	l := r.get(as("a"), req)
	r.get(as("a"), req) // a repeat
	r.get(as("b"), lease.Request{Family: lease.IPv4, Lifetime: lease.Exactly(time.Hour)})
	r.Allocate(as("a"), lease.Request{Family: 9})
	r.Allocate(as("a"), lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 4}})
	r.Offer(as("c"), ipv4, time.Minute)
	if _, err := r.ChangeLifetime(as("a"), l, lease.Window{}); err != nil {
		t.Fatal(err)
	}
	r.ChangeLifetime(as("b"), l, lease.Window{})
	if _, err := r.Exclude(l.Scope, l.Addrs, r.now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Release(as("a"), l); err != nil {
			t.Fatal(err)
		}
	}
	r.advance(3 * time.Hour)
	r.get(as("b"), ipv4)
	got := r.Counters()
	want := lease.Counters{
		Requests: 7, Grants: 3, Renewals: 1, Releases: 1, Clashes: 1, Expiries: 1,
		Refusals: map[string]uint64{"family": 1, "none": 1, "not-leased": 1},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("LEASE-M-4: counted %+v, want %+v", got, want)
	}
}
