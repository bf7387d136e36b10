// SPDX-License-Identifier: BSD-3-Clause

package lease_test

import (
	"net/netip"
	"testing"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// A name leads to the same addresses in pools that know nothing of each other.
func TestName(t *testing.T) {
	named := func(name string) lease.Request { return lease.Request{Family: lease.IPv4, Name: name} }
	first := newRig(t, lease.Config{})
	second := newRig(t, lease.Config{})
	same, clashes := 0, 0
	for _, name := range []string{"news", "weather", "camera 1", "camera 2", "café"} {
		a, b := first.get(as("a"), named(name)), second.get(as("b"), named(name))
		if a.Addrs.Equal(b.Addrs) {
			same++
		}
		if c := first.get(as("a"), named(name)); c.Addrs.Overlaps(a.Addrs) {
			clashes++
		}
	}
	if same != 5 || clashes != 0 {
		t.Errorf("LEASE-U-6: %d of 5 names have the same address in two pools, %d taken twice", same, clashes)
	}
	if l := first.get(as("a"), named("frozen")); l.Addr() != netip.MustParseAddr("239.255.135.249") {
		t.Errorf("LEASE-U-6: %v: names lead elsewhere than in earlier versions", l.Addr())
	}
	// Next choices are the same everywhere, too, and there is an answer when
	// all are taken.
	small := newRig(t, listed("239.255.1.0/27"))
	other := newRig(t, listed("239.255.1.0/27"))
	for i := range 32 {
		a, b := small.get(as("a"), named("one")), other.get(as("a"), named("one"))
		if i < 5 && !a.Addrs.Equal(b.Addrs) {
			t.Errorf("LEASE-U-6: choice %d is %v here and %v there", i, a.Addrs, b.Addrs)
		}
	}
	_, err := small.Allocate(as("a"), named("one"))
	small.want("LEASE-U-6", err, lease.ErrNone, lease.ParamNone)
	only := scope.MustSet("239.255.7.0/28")
	if l := first.get(as("a"), lease.Request{Family: lease.IPv4, Name: "x", Addrs: only, Pair: [2]scope.Range{}}); !only.Covers(l.Addrs) {
		t.Errorf("LEASE-3.1-19: %v", l.Addrs)
	}
	a := first.get(as("a"), lease.Request{Family: lease.IPv4, Name: "twice", Pair: both})
	b := second.get(as("b"), lease.Request{Family: lease.IPv4, Name: "twice", Pair: both})
	if !a.Addrs.Equal(b.Addrs) {
		t.Errorf("LEASE-U-6, LEASE-U-7: %v here and %v there", a.Addrs, b.Addrs)
	}
}
