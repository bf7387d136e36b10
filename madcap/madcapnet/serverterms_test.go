// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// testCaller returns a Server without sockets, to test how it talks to its allocator.
func testCaller(a lease.Allocator) *Server {
	s := &Server{cfg: ServerConfig{Allocator: a, Principal: ByAddress}}
	s.cfg.fill()
	return s
}

var (
	byValue = cmpopts.EquateComparable(netip.Addr{}, scope.Range{})

	testID = madcap.LeaseIdentifier("\x00sixteen octets!!")
	local  = scope.IPv4Local().ID()
	start  = time.Unix(1_700_000_000, 0).UTC()
)

// TestRefusals holds every error of an allocator to what section 8 of RFC 2730
// makes of it.
func TestRefusals(t *testing.T) {
	at := func(p lease.Param, err error) error { return &lease.Error{Op: "allocate", Param: p, Err: err} }
	nak := func(code madcap.ErrorCode, o madcap.OptionCode) madcap.Outcome {
		return madcap.Outcome{Code: code, Option: o}
	}
	for _, c := range []struct {
		err  error
		want madcap.Outcome
	}{
		{lease.ErrNone, nak(0, madcap.NoOption)},
		{at(lease.ParamCount, lease.ErrNone), nak(0, madcap.OptNumberOfAddresses)},
		{at(lease.ParamAddrs, lease.ErrNone), nak(0, madcap.OptAddressRanges)},
		{at(lease.ParamMinLifetime, lease.ErrNone), nak(0, madcap.OptMinLeaseTime)},
		{at(lease.ParamMaxStart, lease.ErrNone), nak(0, madcap.OptMaxStartTime)},
		{at(lease.ParamScope, lease.ErrScope), nak(0, madcap.OptMulticastScope)},
		{lease.ErrScope, nak(0, madcap.OptMulticastScope)},
		{lease.ErrFamily, nak(0, madcap.NoOption)},
		{lease.ErrDenied, nak(0, madcap.NoOption)},
		{&lease.QuotaError{}, nak(0, madcap.NoOption)},
		{at(lease.ParamMinLifetime, lease.ErrUnchanged), nak(0, madcap.OptMinLeaseTime)},
		{lease.ErrCount, nak(1, madcap.OptNumberOfAddresses)},
		{at(lease.ParamLifetime, lease.ErrLifetime), nak(1, madcap.OptLeaseTime)},
		{at(lease.ParamStart, lease.ErrStart), nak(1, madcap.OptStartTime)},
		{lease.ErrInUse, nak(1, madcap.OptLeaseIdentifier)},
		{&lease.SkewError{}, nak(2, madcap.NoOption)},
		{lease.ErrNotLeased, nak(3, madcap.NoOption)},
		{fmt.Errorf("wrapped: %w", lease.ErrNotLeased), nak(3, madcap.NoOption)},
		// What is no decision is not told: the client will ask again.
		{lease.ErrStore, madcap.Outcome{Silent: true}},
		{lease.ErrConflict, madcap.Outcome{Silent: true}},
		{lease.ErrNoServer, madcap.Outcome{Silent: true}},
		{context.Canceled, madcap.Outcome{Silent: true}},
		{errors.New("disk on fire"), madcap.Outcome{Silent: true}},
	} {
		s := testCaller(&stub{allocate: func(context.Context, lease.Request) (lease.Lease, error) { return lease.Lease{}, c.err }})
		var ranges []scope.Range
		got := s.call(t.Context(), &madcap.Ask{Op: madcap.OpAllocate, ID: testID, Min: 1, Desired: 1}, &ranges)
		if diff := cmp.Diff(c.want, got, byValue); diff != "" {
			t.Errorf("%v: (-want +got)\n%s", c.err, diff)
		}
	}
}

// TestRequestOf holds the request an allocator sees to the options of the
// message: absent ones mean as long and as soon as possible (MADCAP-2.2.2-9).
func TestRequestOf(t *testing.T) {
	ranges := []scope.Range{scope.MustRange("239.255.1.0", "239.255.1.9")}
	set, _ := scope.SetOf(ranges...)
	for name, c := range map[string]struct {
		ask  madcap.Ask
		want lease.Request
	}{
		"bare DISCOVER": {
			madcap.Ask{Op: madcap.OpOffer, ID: testID, Family: madcap.FamilyIPv4, Scope: local, Min: 1, Desired: 1},
			lease.Request{Family: lease.IPv4, Scope: local, ID: lease.ID(testID), Count: lease.Count{Min: 1, Max: 1}, Start: lease.NotAfter(farFuture)},
		},
		"full REQUEST": {
			madcap.Ask{
				Op: madcap.OpAllocate, ID: testID, XID: 0xabc, Family: madcap.FamilyIPv4, Scope: local, Min: 2, Desired: 4,
				LeaseTime: madcap.Some(2 * time.Hour), MinLeaseTime: time.Hour, StartTime: start, MaxStartTime: start.Add(time.Minute),
				Ranges: ranges, Shared: true, CanDefer: true,
			},
			lease.Request{
				Family: lease.IPv4, Scope: local, ID: lease.ID(testID), Key: "00000abc" + fmt.Sprintf("%x", []byte(testID)),
				Count: lease.Count{Min: 2, Max: 4}, Lifetime: lease.Between(time.Hour, 2*time.Hour),
				Start: lease.Window{Min: start, Max: start.Add(time.Minute)}, Addrs: set, Shared: true,
			},
		},
		"client that can wait": {
			madcap.Ask{Op: madcap.OpOffer, ID: testID, Family: madcap.FamilyIPv4, Scope: local, Min: 1, Desired: 1, CanDefer: true},
			lease.Request{Family: lease.IPv4, Scope: local, ID: lease.ID(testID), Count: lease.Count{Min: 1, Max: 1}, Retry: true},
		},
	} {
		if diff := cmp.Diff(c.want, requestOf(&c.ask, lease.ID(testID)), byValue); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

// TestCall follows the other operations to the allocator and back.
func TestCall(t *testing.T) {
	from := netip.MustParseAddrPort("192.0.2.7:4000")
	granted := lease.Lease{
		ID: lease.ID(testID), Family: lease.IPv4, Scope: local, Addrs: scope.MustSet("239.255.1.0", "239.255.1.2"),
		Start: start, End: start.Add(time.Hour),
	}
	var asked []string
	note := func(ctx context.Context, format string, args ...any) {
		asked = append(asked, lease.PrincipalFrom(ctx).String()+" "+fmt.Sprintf(format, args...))
	}
	s := testCaller(&stub{
		offer: func(ctx context.Context, r lease.Request, hold time.Duration) (lease.Lease, error) {
			note(ctx, "offer %v", hold)
			return granted, nil
		},
		change: func(ctx context.Context, l lease.Lease, to lease.Terms) (lease.Lease, error) {
			note(ctx, "change %t %v", l.ID == granted.ID, to.Lifetime)
			return granted, nil
		},
		release: func(ctx context.Context, l lease.Lease) error {
			note(ctx, "release %t", l.ID == granted.ID)
			return nil
		},
		withdraw: func(ctx context.Context, id lease.ID) error { note(ctx, "withdraw %t", id == granted.ID); return nil },
	})
	var ranges []scope.Range
	var outcomes []madcap.Outcome
	for _, ask := range []madcap.Ask{
		{Op: madcap.OpOffer, Hold: time.Minute},
		{Op: madcap.OpChange, LeaseTime: madcap.Some(time.Hour)},
		{Op: madcap.OpRelease},
		{Op: madcap.OpWithdraw},
	} {
		ask.From, ask.ID, ask.Family = from, testID, madcap.FamilyIPv4
		outcomes = append(outcomes, s.call(t.Context(), &ask, &ranges))
		ranges = nil
	}
	if diff := cmp.Diff([]string{
		"address:192.0.2.7 offer 1m0s",
		"address:192.0.2.7 change true " + lease.AtMost(time.Hour).String(),
		"address:192.0.2.7 release true",
		"address:192.0.2.7 withdraw true",
	}, asked); diff != "" {
		t.Errorf("asked (-want +got)\n%s", diff)
	}
	told := madcap.Outcome{
		Granted: true, Scope: local, Start: granted.Start, End: granted.End,
		Ranges: []scope.Range{scope.MustRange("239.255.1.0", "239.255.1.0"), scope.MustRange("239.255.1.2", "239.255.1.2")},
	}
	done := madcap.Outcome{Granted: true}
	if diff := cmp.Diff([]madcap.Outcome{told, told, done, done}, outcomes, byValue); diff != "" {
		t.Errorf("outcomes (-want +got)\n%s", diff)
	}
}

// TestDeferral puts a REQUEST off and takes what the allocator needs to find
// it again through the machine's memory.
func TestDeferral(t *testing.T) {
	pending := lease.Pending{Request: lease.Request{Scope: local, ID: lease.ID(testID), Key: "a key"}, At: start.Add(time.Hour)}
	s := testCaller(&stub{allocate: func(_ context.Context, r lease.Request) (lease.Lease, error) {
		if r.Key == pending.Request.Key { // resumed
			return lease.Lease{Scope: local, Addrs: scope.MustSet("239.255.0.1"), Start: start, End: start.Add(time.Hour)}, nil
		}
		return lease.Lease{}, &lease.TryLaterError{At: pending.At, Pending: pending}
	}})
	var ranges []scope.Range
	ask := madcap.Ask{Op: madcap.OpAllocate, ID: testID, Family: madcap.FamilyIPv4, Scope: local, Min: 1, Desired: 1, CanDefer: true}
	o := s.call(t.Context(), &ask, &ranges)
	if !o.RetryTime.Equal(pending.At) || len(o.Continuation) == 0 || o.Granted {
		t.Fatalf("put off: got %+v", o)
	}
	ask.Continuation = o.Continuation
	if o = s.call(t.Context(), &ask, &ranges); !o.Granted {
		t.Errorf("resumed: got %+v", o)
	}
}
