// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// srvStep is a row of the server's state table: what happens in a state, what
// the server does, and the state it leads to.
type srvStep struct {
	state, event, next string
	run                func(*testing.T, *srvRig)
}

const (
	typeDiscover = madcap.TypeDiscover
	typeRequest  = madcap.TypeRequest
	typeRenew    = madcap.TypeRenew
	typeRelease  = madcap.TypeRelease
)

// Every row of the state machine of one Lease Identifier, and the pairs of
// state and event that no row names but a decision settles.
func TestServerStates(t *testing.T) {
	sayNo := func(r *srvRig) { r.alloc.Pool = nil }
	later := func(r *srvRig) {
		r.alloc.Later = func(now time.Time, _ *madcap.Ask) time.Time { return now.Add(time.Hour) }
	}
	same := func(xid uint32) *madcap.Message { // as in DEFERRED
		return srvRequest(xid, srvPatience)
	}
	again := func(xid uint32) *madcap.Message { // as in LEASED+
		return srvRenew(xid, srvPatience, srvFor(3*time.Hour))
	}
	steps := []srvStep{
		{"NONE", "DISCOVER satisfiable", "HELD", func(t *testing.T, r *srvRig) {
			r.multicast(srvDiscover(1))
			r.offer()
			srvEqual(t, "hold", r.asked(madcap.OpOffer).Hold, time.Minute)
			at, ok := r.s.Deadline()
			srvEqual(t, "hold runs", ok && at.Equal(r.now.Add(time.Minute)), true)
		}},
		{"NONE", "DISCOVER not satisfiable", "NONE", func(t *testing.T, r *srvRig) {
			sayNo(r)
			r.multicast(srvDiscover(1))
			r.silent(madcap.IgnoredDiscover)
		}},
		{"NONE", "multicast REQUEST for another", "NONE", func(t *testing.T, r *srvRig) {
			r.multicast(srvRequest(1, srvNames(srvOther)))
			r.silent(madcap.IgnoredOther)
			r.asked()
		}},
		{"NONE", "unicast REQUEST", "LEASED", func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1))
			r.ack(typeRequest)
			r.asked(madcap.OpAllocate)
		}},
		{"NONE", "multicast REQUEST for me", "LEASED", func(t *testing.T, r *srvRig) {
			r.multicast(srvRequest(1, srvNames(srvAddr)))
			r.ack(typeRequest)
		}},
		{"NONE", "REQUEST possible later", "DEFERRED", func(t *testing.T, r *srvRig) {
			later(r)
			r.unicast(srvRequest(1, srvPatience))
			srvEqual(t, "deferred", r.ack(typeRequest).Deferred(), true)
		}},
		{"NONE", "REQUEST possible later, client impatient", "LEASED", func(t *testing.T, r *srvRig) {
			later(r)
			r.unicast(srvRequest(1))
			srvEqual(t, "deferred", r.ack(typeRequest).Deferred(), false)
		}},
		{"NONE", "REQUEST impossible", "NONE", func(t *testing.T, r *srvRig) {
			sayNo(r)
			r.unicast(srvRequest(1, srvNumber(2, 3)))
			r.nak(madcap.CodeNotCompleted, madcap.OptNumberOfAddresses)
		}},
		{"NONE", "RENEW", "NONE", func(t *testing.T, r *srvRig) {
			r.unicast(srvRenew(1))
			r.nak(madcap.CodeLeaseUnknown, 0)
		}},
		{"NONE", "RELEASE", "NONE", func(t *testing.T, r *srvRig) {
			r.unicast(srvRelease(1))
			r.nak(madcap.CodeLeaseUnknown, 0)
		}},

		{"HELD", "DISCOVER, new xid", "HELD", func(t *testing.T, r *srvRig) {
			r.wait(40 * time.Second)
			held := r.alloc.Offers[string(srvLease)].Addrs[0]
			r.multicast(srvDiscover(2))
			srvEqual(t, "the same address", r.offer().Ranges.Value[0].First(), held)
			r.wait(40 * time.Second) // the hold runs anew
		}},
		{"HELD", "multicast REQUEST for another", "NONE", func(t *testing.T, r *srvRig) {
			r.multicast(srvRequest(2, srvNames(srvOther)))
			r.silent(madcap.IgnoredOther)
			r.asked(madcap.OpWithdraw)
		}},
		{"HELD", "multicast REQUEST for me", "LEASED", func(t *testing.T, r *srvRig) {
			held := r.alloc.Offers[string(srvLease)].Addrs[0]
			r.multicast(srvRequest(2, srvNames(srvAddr)))
			srvEqual(t, "the held address", r.ack(typeRequest).Ranges.Value[0].First(), held)
			r.asked(madcap.OpAllocate)
			r.wait(2 * time.Minute)
			r.asked() // nothing is withdrawn later
		}},
		{"HELD", "unicast REQUEST", "LEASED", func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(2))
			r.ack(typeRequest)
		}},
		{"HELD", "REQUEST impossible", "HELD", func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(2, srvNumber(100, 100)))
			r.nak(madcap.CodeNotCompleted, madcap.OptNumberOfAddresses)
		}},
		{"HELD", "REQUEST possible later", "DEFERRED", func(t *testing.T, r *srvRig) {
			later(r)
			r.unicast(srvRequest(2, srvPatience))
			srvEqual(t, "deferred", r.ack(typeRequest).Deferred(), true)
		}},
		{"HELD", "OFFER-HOLD over", "NONE", func(t *testing.T, r *srvRig) {
			r.wait(time.Minute)
			r.asked(madcap.OpWithdraw)
			srvEqual(t, "lapsed", r.s.Stats().Lapsed, 1)
		}},
		{"HELD", "OFFER-HOLD nearly over", "HELD", func(t *testing.T, r *srvRig) {
			r.wait(time.Minute - 1)
			r.asked()
		}},
		{"HELD", "RENEW", "HELD", func(t *testing.T, r *srvRig) {
			r.unicast(srvRenew(2))
			r.nak(madcap.CodeLeaseUnknown, 0)
		}},
		{"HELD", "RELEASE", "HELD", func(t *testing.T, r *srvRig) {
			r.unicast(srvRelease(2))
			r.nak(madcap.CodeLeaseUnknown, 0)
		}},

		{"DEFERRED", "REQUEST again, ready", "LEASED", func(t *testing.T, r *srvRig) {
			r.wait(10 * time.Minute)
			r.unicast(same(2))
			m := r.ack(typeRequest)
			srvEqual(t, "deferred", m.Deferred(), false)
			srvEqual(t, "continuation", string(r.asked(madcap.OpAllocate).Continuation), "later")
		}},
		{"DEFERRED", "REQUEST again, not yet", "DEFERRED", func(t *testing.T, r *srvRig) {
			later(r)
			r.wait(10 * time.Minute)
			r.unicast(same(2))
			m := r.ack(typeRequest)
			srvEqual(t, "later", m.RetryTime, r.now.Add(time.Hour))
		}},
		{"DEFERRED", "REQUEST again, failed", "NONE", func(t *testing.T, r *srvRig) {
			sayNo(r)
			r.unicast(same(2))
			r.nak(madcap.CodeNotCompleted, madcap.OptNumberOfAddresses)
		}},
		{"DEFERRED", "REQUEST, other options", "DEFERRED", func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(2, srvPatience, srvFor(time.Hour)))
			r.nak(madcap.CodeInvalidRequest, madcap.NoOption)
			r.asked()
		}},
		{"DEFERRED", "RENEW", "DEFERRED", func(t *testing.T, r *srvRig) {
			r.unicast(srvRenew(2))
			r.nak(madcap.CodeInvalidRequest, madcap.NoOption)
			r.asked()
		}},
		{"DEFERRED", "DISCOVER", "DEFERRED", func(t *testing.T, r *srvRig) {
			r.multicast(srvDiscover(2))
			r.silent(madcap.IgnoredDiscover)
			r.asked()
		}},
		{"DEFERRED", "RELEASE", "NONE", func(t *testing.T, r *srvRig) {
			r.unicast(srvRelease(2))
			r.ack(typeRelease)
			srvEqual(t, "continuation", string(r.asked(madcap.OpCancel).Continuation), "later")
		}},
		{"DEFERRED", "nobody asks", "NONE", func(t *testing.T, r *srvRig) {
			r.wait(10*time.Minute + 30*time.Minute + time.Minute)
			r.asked(madcap.OpCancel)
			srvEqual(t, "abandoned", r.s.Stats().Abandoned, 1)
		}},
		{"DEFERRED", "nobody asks yet", "DEFERRED", func(t *testing.T, r *srvRig) {
			r.wait(10*time.Minute + 30*time.Minute + time.Minute - 1)
			r.asked()
		}},

		{"LEASED", "RENEW possible", "LEASED", func(t *testing.T, r *srvRig) {
			r.wait(time.Hour)
			r.unicast(srvRenew(2, srvFor(5*time.Hour)))
			m := r.ack(typeRenew)
			srvEqual(t, "ranges", len(m.Ranges.Value), 1)
			srvEqual(t, "end", r.alloc.Leases[string(srvLease)].End, r.now.Add(5*time.Hour))
		}},
		{"LEASED", "RENEW possible later", "LEASED+", func(t *testing.T, r *srvRig) {
			later(r)
			r.unicast(srvRenew(2, srvPatience))
			srvEqual(t, "deferred", r.ack(typeRenew).Deferred(), true)
			srvEqual(t, "end", r.alloc.Leases[string(srvLease)].End, srvStart.Add(2*time.Hour))
		}},
		{"LEASED", "RENEW impossible", "LEASED", func(t *testing.T, r *srvRig) {
			r.unicast(srvRenew(2, srvAtLeast(48*time.Hour)))
			r.nak(madcap.CodeNotCompleted, madcap.OptMinLeaseTime)
			srvEqual(t, "end", r.alloc.Leases[string(srvLease)].End, srvStart.Add(2*time.Hour))
		}},
		{"LEASED", "RELEASE", "NONE", func(t *testing.T, r *srvRig) {
			r.unicast(srvRelease(2))
			r.ack(typeRelease)
		}},
		{"LEASED", "REQUEST, not in cache", "LEASED", func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(2))
			r.nak(madcap.CodeInvalidRequest, madcap.OptLeaseIdentifier)
		}},
		{"LEASED", "DISCOVER", "LEASED", func(t *testing.T, r *srvRig) {
			r.multicast(srvDiscover(2))
			r.silent(madcap.IgnoredDiscover)
		}},
		{"LEASED", "end + EXTRA-ALLOCATION-TIME", "NONE", func(t *testing.T, r *srvRig) {
			r.wait(2*time.Hour + r.alloc.Extra + 1)
		}},
		{"LEASED", "before end + EXTRA-ALLOCATION-TIME", "LEASED", func(t *testing.T, r *srvRig) {
			r.wait(2*time.Hour + r.alloc.Extra)
			r.unicast(srvRenew(2, srvFor(time.Hour)))
			r.ack(typeRenew)
		}},

		{"LEASED+", "RENEW again, ready", "LEASED", func(t *testing.T, r *srvRig) {
			r.unicast(again(2))
			srvEqual(t, "deferred", r.ack(typeRenew).Deferred(), false)
			srvEqual(t, "end", r.alloc.Leases[string(srvLease)].End, r.now.Add(3*time.Hour))
			srvEqual(t, "continuation", string(r.asked(madcap.OpChange).Continuation), "later")
		}},
		{"LEASED+", "RENEW again, not yet", "LEASED+", func(t *testing.T, r *srvRig) {
			later(r)
			r.unicast(again(2))
			srvEqual(t, "deferred", r.ack(typeRenew).Deferred(), true)
		}},
		{"LEASED+", "RENEW again, failed", "LEASED", func(t *testing.T, r *srvRig) {
			r.answer = func(*madcap.Ask) (madcap.Outcome, bool) {
				delete(r.alloc.PutOffs, string(srvLease))
				return madcap.Outcome{Option: madcap.OptLeaseTime}, true
			}
			r.unicast(again(2))
			r.nak(madcap.CodeNotCompleted, madcap.OptLeaseTime)
			srvEqual(t, "end", r.alloc.Leases[string(srvLease)].End, srvStart.Add(2*time.Hour))
		}},
		{"LEASED+", "RENEW, other options", "LEASED+", func(t *testing.T, r *srvRig) {
			r.unicast(srvRenew(2, srvPatience, srvFor(4*time.Hour)))
			r.nak(madcap.CodeInvalidRequest, madcap.NoOption)
			r.asked()
		}},
		{"LEASED+", "RELEASE", "NONE", func(t *testing.T, r *srvRig) {
			r.unicast(srvRelease(2))
			r.ack(typeRelease)
			r.asked(madcap.OpCancel, madcap.OpRelease)
		}},
		{"LEASED+", "REQUEST, not in cache", "LEASED+", func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(2))
			r.nak(madcap.CodeInvalidRequest, madcap.OptLeaseIdentifier)
		}},
		{"LEASED+", "DISCOVER", "LEASED+", func(t *testing.T, r *srvRig) {
			r.multicast(srvDiscover(2))
			r.silent(madcap.IgnoredDiscover)
		}},
		{"LEASED+", "nobody asks", "LEASED", func(t *testing.T, r *srvRig) {
			r.wait(10*time.Minute + 30*time.Minute + time.Minute)
			r.asked(madcap.OpCancel)
		}},
	}
	for _, state := range []string{"NONE", "HELD", "DEFERRED", "LEASED", "LEASED+"} {
		steps = append(steps, srvStep{state, "GETINFO", state, func(t *testing.T, r *srvRig) {
			r.multicast(srvInfo(2, madcap.OptScopeList))
			r.ack(madcap.TypeGetInfo)
			r.asked()
		}})
		steps = append(steps, srvStep{state, "triple in the response cache", "", func(t *testing.T, r *srvRig) {
			r.unicast(srvInfo(2, madcap.OptCurrentTime))
			r.unicast(srvRelease(3))
			r.unicast(srvRelease(3))
			if n := len(r.sends); n != 3 || string(r.sends[1].Packet) != string(r.sends[2].Packet) {
				t.Fatalf("%d answers, the last two differ", n)
			}
		}})
	}
	for _, s := range steps {
		t.Run(s.state+"/"+s.event, func(t *testing.T) {
			r := newSrvRig(t, nil)
			r.state(s.state)
			s.run(t, r)
			if len(r.sends) > 0 && s.next != "" {
				t.Errorf("%d answers too many", len(r.sends))
			}
			if got := r.stateName(); got != s.next && s.next != "" {
				t.Errorf("state %s, want %s", got, s.next)
			}
		})
	}
}
