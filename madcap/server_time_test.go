// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// Clocks, and how long and from when leases last.
func TestServerTimes(t *testing.T) {
	allow := func(d time.Duration) func(*madcap.ServerConfig) {
		return func(c *madcap.ServerConfig) { c.ClockSkewAllowance = d }
	}
	// granting lets the allocator grant a period, offsets from now.
	granting := func(r *srvRig, start, end time.Duration) {
		r.answer = func(a *madcap.Ask) (madcap.Outcome, bool) {
			return madcap.Outcome{Granted: true, Scope: srvScope, Ranges: []scope.Range{scope.Single(srvScope.Next())},
				Start: r.now.Add(start), End: r.now.Add(end)}, true
		}
	}
	runSrvCases(t, []srvCase{
		{id: "MADCAP-2.12-6", run: func(t *testing.T, r *srvRig) {
			r.now = r.now.Add(700 * time.Millisecond)
			for i, d := range []time.Duration{30 * time.Minute, -30 * time.Minute, 0} {
				r.unicast(srvRequest(uint32(i), srvID(d.String()), srvClock(d)))
				r.ack(typeRequest)
			}
			for i, d := range []time.Duration{30*time.Minute + time.Second, -30*time.Minute - time.Second, 1000 * time.Hour, -1000 * time.Hour} {
				for j, typ := range []madcap.MessageType{typeRequest, typeRenew} {
					r.unicast(srvMsg(typ, uint32(100+10*i+j), srvClock(d)))
					got, ok := r.nak(madcap.CodeClockSkew, 0).Error.Value.ServerTime()
					srvEqual(t, "server time", got, srvStart)
					srvEqual(t, "server time there", ok, true)
				}
			}
			r.asked(madcap.OpAllocate, madcap.OpAllocate, madcap.OpAllocate)
		}},
		{id: "MADCAP-D-29/clock", run: func(t *testing.T, r *srvRig) {
			r.multicast(srvDiscover(1, srvClock(time.Hour)))
			r.nak(madcap.CodeClockSkew, 0)
		}},
		{id: "MADCAP-2.12-8", change: allow(time.Minute), run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvClock(time.Minute)))
			r.ack(typeRequest)
			r.unicast(srvRenew(2, srvClock(time.Minute+time.Second)))
			r.nak(madcap.CodeClockSkew, 0)
		}},
		{id: "MADCAP-B-1", run: func(t *testing.T, r *srvRig) {
			srvEqual(t, "default", madcap.DefaultClockSkewAllowance, 30*time.Minute)
			r.cfg.ClockSkewAllowance = -1 // none at all
			r.restart(madcap.ServerSnapshot{})
			r.unicast(srvRequest(1, srvClock(time.Second)))
			r.nak(madcap.CodeClockSkew, 0)
			r.unicast(srvRequest(2, srvClock(0)))
			r.ack(typeRequest)
		}},
		{id: "MADCAP-2.12-1", run: func(t *testing.T, r *srvRig) {
			for i, change := range []func(*madcap.Message){srvFrom(time.Hour), srvUntil(time.Hour)} {
				for j, typ := range []madcap.MessageType{typeDiscover, typeRequest, typeRenew} {
					r.unicast(srvMsg(typ, uint32(10*i+j), change))
					r.nak(madcap.CodeInvalidRequest, madcap.OptCurrentTime)
				}
			}
		}},
		{id: "MADCAP-D-27", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvClock(time.Hour)))
			srvEqual(t, "Current Time beside error 2", r.nak(madcap.CodeClockSkew, 0).CurrentTime.IsZero(), true)
			r.state("LEASED")
			r.unicast(srvRelease(2))
			srvEqual(t, "Current Time in an ACK to RELEASE", r.ack(typeRelease).CurrentTime.IsZero(), true)
		}},
		{id: "MADCAP-2.12-3", run: func(t *testing.T, r *srvRig) {
			r.wait(12345*time.Second + 600*time.Millisecond)
			r.unicast(srvInfo(1, madcap.OptCurrentTime))
			srvEqual(t, "Current Time", r.ack(madcap.TypeGetInfo).CurrentTime, srvStart.Add(12345*time.Second))
		}},

		{id: "MADCAP-2.2.2-9", run: func(t *testing.T, r *srvRig) {
			r.multicast(srvDiscover(1))
			a := r.asked(madcap.OpOffer)
			srvEqual(t, "lease time", a.LeaseTime.Present, false)
			srvEqual(t, "minimum", a.MinLeaseTime, 0)
			srvEqual(t, "start", a.StartTime.IsZero() && a.MaxStartTime.IsZero(), true)
			srvEqual(t, "addresses", [2]int{a.Min, a.Desired}, [2]int{1, 1})
			srvEqual(t, "ranges", len(a.Ranges), 0)
		}},
		{id: "MADCAP-2.2.4-9", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(7, srvFor(2*time.Hour), srvAtLeast(time.Hour), srvClock(0), srvFrom(3*time.Hour), srvUntil(4*time.Hour),
				srvNumber(2, 6), srvRanges("239.192.0.0-239.192.0.9", "239.192.0.5-239.192.0.20")))
			a := r.asked(madcap.OpAllocate)
			srvEqual(t, "lease time", a.LeaseTime, madcap.Some(2*time.Hour))
			srvEqual(t, "minimum", a.MinLeaseTime, time.Hour)
			srvEqual(t, "start", a.StartTime, srvStart.Add(3*time.Hour))
			srvEqual(t, "maximum", a.MaxStartTime, srvStart.Add(4*time.Hour))
			srvEqual(t, "addresses", [2]int{a.Min, a.Desired}, [2]int{2, 6})
			srvEqual(t, "ranges", len(a.Ranges), 2)
			srvEqual(t, "family", a.Family, madcap.FamilyIPv4)
			srvEqual(t, "scope", a.Scope, srvScope)
			srvEqual(t, "client", a.From, srvClient)
			srvEqual(t, "xid", a.XID, 7)
			srvEqual(t, "identifier", string(a.ID), string(srvLease))
		}},
		{id: "MADCAP-2.2.7-5", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED")
			r.unicast(srvRenew(1))
			a := r.asked(madcap.OpChange)
			srvEqual(t, "lease time", a.LeaseTime.Present, false)
			srvEqual(t, "minimum", a.MinLeaseTime, 0)
			srvEqual(t, "start", a.StartTime.IsZero() && a.MaxStartTime.IsZero(), true)
			srvEqual(t, "as long as possible", r.ack(typeRenew).LeaseTime, madcap.Some(24*time.Hour))
			r.unicast(srvRenew(2, srvNumber(1, 2))) // never changes the addresses
			r.nak(madcap.CodeInvalidRequest, madcap.OptNumberOfAddresses)
		}},
		{id: "MADCAP-D-19", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvNumber(0, 3)))
			srvEqual(t, "minimum", r.asked(madcap.OpAllocate).Min, 1)
			b := r.octets(srvRequest(2))
			r.sends = nil
			r.raw(srvInsert(madcap.OptNumberOfAddresses, 0, 0, 0, 0)(b))
			r.nak(madcap.CodeInvalidRequest, madcap.OptNumberOfAddresses)
		}},
		{id: "MADCAP-3.8-2", run: func(t *testing.T, r *srvRig) {
			r.raw(srvInsert(madcap.OptNumberOfAddresses, 0, 3, 0, 2)(r.octets(srvRequest(1))))
			r.nak(madcap.CodeInvalidRequest, madcap.OptNumberOfAddresses)
		}},
		{id: "MADCAP-D-17", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvRanges()))
			srvEqual(t, "ranges", len(r.asked(madcap.OpAllocate).Ranges), 0)
			r.ack(typeRequest)
			r.unicast(srvRequest(2, srvID("x"), srvNumber(3, 3), srvRanges("239.192.0.2-239.192.0.3", "239.192.0.3-239.192.0.4")))
			srvEqual(t, "addresses", len(r.ack(typeRequest).Ranges.Value), 3)
		}},
		{id: "MADCAP-D-18", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvRanges("239.192.0.4-239.192.0.6")))
			if got := r.ack(typeRequest).Ranges.Value; len(got) != 1 || got[0] != scope.Single(netip.MustParseAddr("239.192.0.4")) {
				t.Errorf("granted %v, want one of the listed", got)
			}
		}},
		{id: "MADCAP-3.8-4", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvNumber(2, 5)))
			srvEqual(t, "addresses", len(r.ack(typeRequest).Ranges.Value), 5)
			r.unicast(srvRequest(2, srvID("b"), srvNumber(2, 5))) // three are left
			srvEqual(t, "addresses", len(r.ack(typeRequest).Ranges.Value), 3)
			r.unicast(srvRequest(3, srvID("c"), srvNumber(1, 5)))
			r.nak(madcap.CodeNotCompleted, madcap.OptNumberOfAddresses)
		}},
		{id: "MADCAP-3.8-4/an allocator that errs", run: func(t *testing.T, r *srvRig) {
			granting(r, 0, time.Hour) // always one
			r.unicast(srvRequest(1, srvNumber(2, 5)))
			r.nak(madcap.CodeNotCompleted, madcap.OptNumberOfAddresses)
			r.asked(madcap.OpAllocate, madcap.OpRelease)
			r.multicast(srvDiscover(2, srvNumber(2, 5)))
			r.silent(madcap.IgnoredDiscover)
			r.asked(madcap.OpOffer, madcap.OpWithdraw)
		}},
		{id: "MADCAP-2.2.2-3", run: func(t *testing.T, r *srvRig) {
			r.alloc.Longest, r.alloc.NotYet = time.Hour, srvStart.Add(2*time.Hour)
			r.multicast(srvDiscover(1, srvFor(5*time.Hour), srvAtLeast(time.Hour), srvClock(0), srvFrom(time.Hour), srvUntil(2*time.Hour)))
			m := r.offer()
			srvEqual(t, "shorter", m.LeaseTime.Value, time.Hour)
			srvEqual(t, "later", m.StartTime, srvStart.Add(2*time.Hour))
		}},
		{id: "MADCAP-2.2.2-2", run: func(t *testing.T, r *srvRig) {
			r.multicast(srvDiscover(1))
			r.offer()
		}},
		{id: "MADCAP-2.2-7", run: func(t *testing.T, r *srvRig) {
			r.alloc.Pool = nil
			r.multicast(srvDiscover(1))
			r.silent(madcap.IgnoredDiscover)
		}},
		{id: "MADCAP-2.2.2-4", run: func(t *testing.T, r *srvRig) {
			granting(r, 0, 59*time.Minute+59*time.Second) // an allocator that does not care
			r.multicast(srvDiscover(1, srvAtLeast(time.Hour)))
			r.silent(madcap.IgnoredDiscover)
			granting(r, time.Hour+time.Second, 9*time.Hour)
			r.multicast(srvDiscover(2, srvClock(0), srvUntil(time.Hour)))
			srvEqual(t, "answers", len(r.sends), 0)
			r.asked(madcap.OpOffer, madcap.OpWithdraw, madcap.OpOffer, madcap.OpWithdraw)
			srvEqual(t, "held", len(r.s.Snapshot(r.now).Holds), 0)
		}},
		{id: "MADCAP-2.2.4-7", run: func(t *testing.T, r *srvRig) {
			r.alloc.Longest, r.alloc.NotYet = time.Hour, srvStart.Add(2*time.Hour)
			r.unicast(srvRequest(1, srvFor(5*time.Hour)))
			m := r.ack(typeRequest)
			srvEqual(t, "shorter", m.LeaseTime.Value, time.Hour)
			srvEqual(t, "later", m.StartTime, srvStart.Add(2*time.Hour))
		}},
		{id: "MADCAP-2.2.4-8", run: func(t *testing.T, r *srvRig) {
			granting(r, 0, 59*time.Minute+59*time.Second)
			r.unicast(srvRequest(1, srvAtLeast(time.Hour)))
			r.nak(madcap.CodeNotCompleted, madcap.OptMinLeaseTime)
			granting(r, time.Hour+time.Second, 9*time.Hour)
			r.unicast(srvRequest(2, srvClock(0), srvUntil(time.Hour)))
			r.nak(madcap.CodeNotCompleted, madcap.OptMaxStartTime)
			r.asked(madcap.OpAllocate, madcap.OpRelease, madcap.OpAllocate, madcap.OpRelease)
		}},
		{id: "MADCAP-3.15-2", run: func(t *testing.T, r *srvRig) {
			r.alloc.Longest = time.Hour
			r.unicast(srvRequest(1, srvAtLeast(time.Hour+time.Second)))
			r.nak(madcap.CodeNotCompleted, madcap.OptMinLeaseTime)
			r.multicast(srvDiscover(2, srvAtLeast(time.Hour+time.Second)))
			r.silent(madcap.IgnoredDiscover) // MADCAP-D-29
			r.unicast(srvRequest(3, srvAtLeast(time.Hour)))
			r.ack(typeRequest)
		}},
		{id: "MADCAP-3.16-3", run: func(t *testing.T, r *srvRig) {
			r.alloc.NotYet = srvStart.Add(time.Hour)
			r.unicast(srvRequest(1, srvClock(0), srvUntil(time.Hour-time.Second)))
			r.nak(madcap.CodeNotCompleted, madcap.OptMaxStartTime)
			r.multicast(srvDiscover(2, srvClock(0), srvUntil(time.Hour-time.Second)))
			r.silent(madcap.IgnoredDiscover)
			r.unicast(srvRequest(3, srvClock(0), srvUntil(time.Hour)))
			srvEqual(t, "start", r.ack(typeRequest).StartTime, srvStart.Add(time.Hour))
		}},
		{id: "MADCAP-D-29", run: func(t *testing.T, r *srvRig) {
			// Errors 1 and 2 on DISCOVER are answered, errors 0 and 4 are not.
			r.multicast(srvDiscover(1, srvFrom(time.Hour)))
			r.nak(madcap.CodeInvalidRequest, madcap.OptCurrentTime)
			r.multicast(srvDiscover(2, srvClock(5*time.Hour)))
			r.nak(madcap.CodeClockSkew, 0)
			r.multicast(srvDiscover(3, srvNumber(99, 99)))
			r.multicast(srvDiscover(4, srvFeatures(nil, nil, []madcap.Feature{5})))
			r.silent(madcap.IgnoredDiscover)
		}},
		{id: "MADCAP-D-20", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvFor(0)))
			r.nak(madcap.CodeInvalidRequest, madcap.OptLeaseTime)
			r.alloc.Longest = math.MaxUint32 * time.Second
			r.unicast(srvRequest(2, srvFor(math.MaxUint32*time.Second), srvAtLeast(0)))
			srvEqual(t, "just a number", r.ack(typeRequest).LeaseTime.Value, math.MaxUint32*time.Second)
		}},
		{id: "MADCAP-D-21", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvFor(time.Hour), srvAtLeast(time.Hour+time.Second)))
			r.nak(madcap.CodeInvalidRequest, madcap.OptMinLeaseTime)
			r.unicast(srvRequest(2, srvClock(0), srvFrom(time.Hour), srvUntil(time.Hour-time.Second)))
			r.nak(madcap.CodeInvalidRequest, madcap.OptMaxStartTime)
		}},
		{id: "MADCAP-D-22", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvClock(0), srvFrom(-10*time.Minute), srvFor(time.Hour)))
			srvEqual(t, "asked for now", r.asked(madcap.OpAllocate).StartTime.IsZero(), true)
			m := r.ack(typeRequest)
			srvEqual(t, "start", m.StartTime, srvStart)
			srvEqual(t, "lease time", m.LeaseTime.Value, time.Hour)
		}},
		{id: "MADCAP-2.2.3-5", run: func(t *testing.T, r *srvRig) {
			r.multicast(srvDiscover(1, srvClock(-time.Minute), srvFrom(time.Hour)))
			m := r.offer()
			srvEqual(t, "start", m.StartTime, srvStart.Add(time.Hour))
			srvEqual(t, "clock", m.CurrentTime, srvStart)
		}},
		{id: "MADCAP-3.2-2", run: func(t *testing.T, r *srvRig) {
			r.alloc.Longest = 5000 * time.Second
			r.multicast(srvDiscover(1, srvFor(9000*time.Second)))
			srvEqual(t, "offered", r.offer().LeaseTime.Value, 5000*time.Second)
			r.unicast(srvRequest(2, srvFor(9000*time.Second)))
			srvEqual(t, "granted", r.ack(typeRequest).LeaseTime.Value, 5000*time.Second)
		}},
		{id: "MADCAP-3.7-3", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvClock(0), srvFrom(3*time.Hour), srvFor(time.Hour)))
			srvEqual(t, "lease time", r.ack(typeRequest).LeaseTime.Value, time.Hour)
			srvEqual(t, "end", r.alloc.Leases[string(srvLease)].End, srvStart.Add(4*time.Hour))
		}},
		{id: "MADCAP-D-44/RENEW counts from now", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED") // for two hours
			r.wait(time.Hour)
			r.unicast(srvRenew(1, srvFor(30*time.Minute)))
			m := r.ack(typeRenew)
			srvEqual(t, "lease time", m.LeaseTime.Value, 30*time.Minute)
			srvEqual(t, "start told", m.StartTime.IsZero(), true)
			srvEqual(t, "end", r.alloc.Leases[string(srvLease)].End, r.now.Add(30*time.Minute))
		}},
		{id: "MADCAP-D-44/a slow allocator does not lengthen the lease", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED")
			r.late = true
			r.wait(time.Hour)
			r.unicast(srvRenew(1, srvFor(30*time.Minute))) // the client counts from now
			came := r.now
			r.wait(10 * time.Second)
			r.answer = func(*madcap.Ask) (madcap.Outcome, bool) {
				return madcap.Outcome{Granted: true, Scope: srvScope, Ranges: []scope.Range{scope.Single(srvScope.Next())},
					Start: srvStart, End: came.Add(30 * time.Minute)}, true
			}
			r.resolve()
			srvEqual(t, "lease time", r.ack(typeRenew).LeaseTime.Value, 30*time.Minute)
		}},
		{id: "MADCAP-D-44/executed before", run: func(t *testing.T, r *srvRig) {
			// The server forgot all but the leases; the minimum still holds for a
			// client that counts from its first transmission.
			r.unicast(srvRequest(1, srvFor(time.Hour), srvAtLeast(time.Hour)))
			r.ack(typeRequest)
			r.restart(madcap.ServerSnapshot{})
			r.wait(8 * time.Second)
			r.unicast(srvRequest(1, srvFor(time.Hour), srvAtLeast(time.Hour)))
			srvEqual(t, "lease time", r.ack(typeRequest).LeaseTime.Value, time.Hour)
		}},
		{id: "MADCAP-D-44/after the end", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED")
			r.wait(2*time.Hour + 59*time.Minute)
			r.unicast(srvRenew(1, srvFor(time.Hour)))
			srvEqual(t, "lease time", r.ack(typeRenew).LeaseTime.Value, time.Hour)
		}},
		{id: "MADCAP-D-59", run: func(t *testing.T, r *srvRig) {
			r.multicast(srvDiscover(1, srvNumber(2, 2), srvFor(time.Hour)))
			held := r.offer().Ranges.Value
			r.multicast(srvRequest(2, srvNames(srvAddr), srvNumber(3, 3), srvFor(2*time.Hour)))
			m := r.ack(typeRequest)
			srvEqual(t, "addresses", len(m.Ranges.Value), 3)
			srvEqual(t, "the held ones first", slices.Equal(m.Ranges.Value[:2], held), true)
			srvEqual(t, "lease time", m.LeaseTime.Value, 2*time.Hour)
		}},
	})
}

// What an allocator grants in fractions of a second is told in whole ones:
// never more than it is, never beyond the client's limits.
func TestServerWholeSeconds(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name       string
		change     []func(*madcap.Message)
		start, end time.Duration // granted, from srvStart; it is srvStart+500ms
		wantStart  time.Duration // -1: not told
		wantLease  time.Duration
		refused    madcap.OptionCode
	}{
		{name: "now", start: 500 * ms, end: time.Hour + 500*ms, wantStart: -1, wantLease: time.Hour},
		{name: "cut", start: 500 * ms, end: time.Hour + 499*ms, wantStart: -1, wantLease: time.Hour - time.Second},
		{name: "began before the request", start: -time.Hour, end: time.Hour, wantStart: -1, wantLease: time.Hour - time.Second},
		{name: "soon", start: 1400 * ms, end: time.Hour + 1400*ms, wantStart: -1, wantLease: time.Hour},
		{name: "later, rounded up", start: 2200 * ms, end: time.Hour + 2200*ms, wantStart: 3 * time.Second, wantLease: time.Hour - time.Second},
		{name: "later, up to the minimum", change: []func(*madcap.Message){srvAtLeast(time.Hour)}, start: 2200 * ms, end: time.Hour + 2200*ms, wantStart: 2 * time.Second, wantLease: time.Hour},
		{name: "later, up to the maximum", change: []func(*madcap.Message){srvClock(0), srvUntil(2 * time.Second)}, start: 2200 * ms, end: time.Hour, wantStart: 2 * time.Second, wantLease: time.Hour - 2*time.Second},
		{name: "asked for the past", change: []func(*madcap.Message){srvClock(0), srvFrom(-time.Second)}, start: 500 * ms, end: time.Hour + 500*ms, wantStart: 0, wantLease: time.Hour},
		{name: "below the minimum", change: []func(*madcap.Message){srvAtLeast(time.Hour)}, start: 500 * ms, end: time.Hour + 499*ms, refused: madcap.OptMinLeaseTime},
		{name: "no time at all", start: 500 * ms, end: 1400 * ms, refused: madcap.NoOption},
		{name: "over before it begins", start: 500 * ms, end: -time.Hour, refused: madcap.NoOption},
		{name: "longer than can be told", start: 500 * ms, end: math.MaxInt64, wantStart: -1, wantLease: math.MaxUint32 * time.Second},
		{name: "after 2106", start: 4e9 * time.Second, end: 4e9*time.Second + time.Hour, refused: madcap.NoOption},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newSrvRig(t, nil)
			r.wait(500 * ms)
			r.answer = func(*madcap.Ask) (madcap.Outcome, bool) {
				return madcap.Outcome{Granted: true, Scope: srvScope, Ranges: []scope.Range{scope.Single(srvScope.Next())},
					Start: srvStart.Add(c.start), End: srvStart.Add(c.end)}, true
			}
			r.unicast(srvRequest(1, c.change...))
			if c.refused != 0 {
				r.nak(madcap.CodeNotCompleted, c.refused)
				r.asked(madcap.OpAllocate, madcap.OpRelease)
				return
			}
			m := r.ack(typeRequest)
			srvEqual(t, "lease time", m.LeaseTime.Value, c.wantLease)
			if c.wantStart < 0 {
				srvEqual(t, "start told", m.StartTime.IsZero(), true)
			} else {
				srvEqual(t, "start", m.StartTime, srvStart.Add(c.wantStart))
			}
		})
	}
}
