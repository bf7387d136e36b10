// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// The allocator may take its time. Whatever arrives meanwhile about the same
// lease waits for the client to send it again.
func TestServerLateAnswers(t *testing.T) {
	late := func(r *srvRig) { r.late = true }
	runSrvCases(t, []srvCase{
		{id: "no answer before the question is resolved", run: func(t *testing.T, r *srvRig) {
			late(r)
			for i, m := range []*madcap.Message{srvDiscover(1, srvID("a")), srvRequest(2, srvID("b")), srvRenew(3, srvID("c")), srvRelease(4, srvID("d"))} {
				r.unicast(m)
				srvEqual(t, "answers", len(r.sends), 0)
				srvEqual(t, "open questions", len(r.open), i+1)
			}
			r.resolve()
			r.offer()
			r.resolve()
			r.ack(typeRequest)
			r.resolve()
			r.nak(madcap.CodeLeaseUnknown, 0)
			r.resolve()
			r.nak(madcap.CodeLeaseUnknown, 0)
		}},
		{id: "MADCAP-2.1.4-6/a retransmission meanwhile", run: func(t *testing.T, r *srvRig) {
			late(r)
			r.unicast(srvRequest(1))
			r.unicast(srvRequest(1))
			r.silent(madcap.IgnoredInProgress)
			srvEqual(t, "open questions", len(r.open), 1)
			r.resolve()
			r.ack(typeRequest)
			r.unicast(srvRequest(1))
			r.ack(typeRequest)
			r.asked(madcap.OpAllocate)
		}},
		{id: "another message about the lease meanwhile", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED")
			late(r)
			r.unicast(srvRenew(1, srvFor(3*time.Hour)))
			for i, m := range []*madcap.Message{srvRenew(2, srvFor(time.Hour)), srvRequest(3), srvDiscover(4)} {
				r.unicast(m)
				srvEqual(t, "ignored", r.s.Stats().Ignored[madcap.IgnoredInProgress], uint64(i+1))
			}
			r.resolve()
			srvEqual(t, "lease time", r.ack(typeRenew).LeaseTime.Value, 3*time.Hour)
			r.unicast(srvRenew(2, srvFor(time.Hour))) // the client sends it again
			r.resolve()
			srvEqual(t, "lease time", r.ack(typeRenew).LeaseTime.Value, time.Hour)
		}},
		{id: "a RELEASE meanwhile", run: func(t *testing.T, r *srvRig) {
			// The client has given up and sends this once.
			late(r)
			r.unicast(srvRequest(1))
			r.unicast(srvRelease(2, srvFeatures(nil, []madcap.Feature{madcap.SharedLeaseIdentifier}, nil)))
			r.unicast(srvRelease(2)) // again
			r.unicast(srvRelease(3)) // another
			srvEqual(t, "ignored", r.s.Stats().Ignored[madcap.IgnoredInProgress], 2)
			r.asked(madcap.OpAllocate)
			r.resolve()
			r.ack(typeRequest)
			r.asked(madcap.OpRelease)
			r.resolve()
			m := r.ack(typeRelease)
			srvEqual(t, "xid", m.XID, 2)
			srvEqual(t, "Feature List", len(m.Features.Value.Required), 1)
			srvEqual(t, "state", r.stateName(), "NONE")
			r.unicast(srvRelease(2))
			r.ack(typeRelease) // from memory
			r.asked()
		}},
		{id: "a RELEASE while another is worked on", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED")
			late(r)
			r.unicast(srvRelease(1))
			r.unicast(srvRelease(2))
			r.resolve()
			r.ack(typeRelease)
			r.resolve()
			r.nak(madcap.CodeLeaseUnknown, 0)
		}},
		{id: "a RELEASE of what is put off meanwhile", run: func(t *testing.T, r *srvRig) {
			late(r)
			r.alloc.Later = func(now time.Time, _ *madcap.Ask) time.Time { return now.Add(time.Hour) }
			r.unicast(srvRequest(1, srvPatience))
			r.unicast(srvRelease(2))
			r.resolve()
			srvEqual(t, "answers", len(r.sends), 2)
			r.asked(madcap.OpAllocate, madcap.OpCancel)
			srvEqual(t, "state", r.stateName(), "NONE")
		}},
		{id: "a RELEASE of what is refused meanwhile", run: func(t *testing.T, r *srvRig) {
			late(r)
			r.unicast(srvRequest(1, srvNumber(100, 100)))
			r.unicast(srvRelease(2))
			r.resolve()
			r.nak(madcap.CodeNotCompleted, madcap.OptNumberOfAddresses)
			r.resolve()
			r.nak(madcap.CodeLeaseUnknown, 0)
		}},
		{id: "MADCAP-2.2.3-7/chosen otherwise before the offer", run: func(t *testing.T, r *srvRig) {
			late(r)
			r.multicast(srvDiscover(1))
			r.multicast(srvRequest(2, srvNames(srvOther)))
			r.resolve()
			r.silent(madcap.IgnoredOther)
			r.asked(madcap.OpOffer, madcap.OpWithdraw)
			srvEqual(t, "state", r.stateName(), "NONE")
		}},
		{id: "MADCAP-2.2.3-7/chosen otherwise before the second offer", run: func(t *testing.T, r *srvRig) {
			r.state("HELD")
			late(r)
			r.multicast(srvDiscover(1))
			r.multicast(srvRequest(2, srvNames(srvOther)))
			r.resolve()
			srvEqual(t, "answers", len(r.sends), 0)
			srvEqual(t, "state", r.stateName(), "NONE")
		}},
		{id: "a REQUEST taken up is answered, whomever the client turns to", run: func(t *testing.T, r *srvRig) {
			late(r)
			r.unicast(srvRequest(1))
			r.multicast(srvRequest(2, srvNames(srvOther)))
			r.resolve()
			r.ack(typeRequest)
			r.asked(madcap.OpAllocate)
			srvEqual(t, "state", r.stateName(), "LEASED")
		}},
		{id: "a hold outlives the REQUEST for it", run: func(t *testing.T, r *srvRig) {
			r.state("HELD")
			late(r)
			r.wait(50 * time.Second)
			r.unicast(srvRequest(1))
			r.wait(30 * time.Second) // the hold would be over
			r.asked(madcap.OpAllocate)
			r.resolve()
			r.ack(typeRequest)
			r.wait(5 * time.Minute)
			r.asked()
			srvEqual(t, "state", r.stateName(), "LEASED")
		}},
		{id: "a hold lapses after the refusal of a REQUEST", run: func(t *testing.T, r *srvRig) {
			r.state("HELD")
			late(r)
			r.unicast(srvRequest(1, srvNumber(100, 100)))
			r.wait(90 * time.Second)
			r.resolve()
			r.nak(madcap.CodeNotCompleted, madcap.OptNumberOfAddresses)
			r.wait(time.Minute)
			r.asked(madcap.OpAllocate, madcap.OpWithdraw)
		}},
		{id: "a deferral outlives the question about it", run: func(t *testing.T, r *srvRig) {
			r.state("DEFERRED")
			late(r)
			r.wait(40 * time.Minute)
			r.unicast(srvRequest(1, srvPatience))
			if _, ok := r.s.Deadline(); ok {
				t.Error("a deadline though nothing can expire")
			}
			r.wait(2 * time.Hour)
			r.asked(madcap.OpAllocate)
			r.resolve()
			r.ack(typeRequest)
			srvEqual(t, "state", r.stateName(), "LEASED")
		}},
		{id: "a deferral waits on after silence of the allocator", run: func(t *testing.T, r *srvRig) {
			r.state("DEFERRED")
			r.answer = func(*madcap.Ask) (madcap.Outcome, bool) { return madcap.Outcome{Silent: true}, true }
			r.unicast(srvRequest(1, srvPatience))
			r.silent(madcap.IgnoredStore)
			srvEqual(t, "state", r.stateName(), "DEFERRED")
			r.answer = nil
			r.unicast(srvRequest(1, srvPatience)) // tried again
			r.ack(typeRequest)
		}},
		{id: "MADCAP-2.1.4-8/silence is not remembered", run: func(t *testing.T, r *srvRig) {
			r.answer = func(*madcap.Ask) (madcap.Outcome, bool) { return madcap.Outcome{Silent: true}, true }
			r.unicast(srvRequest(1))
			r.silent(madcap.IgnoredStore)
			r.answer = nil
			r.unicast(srvRequest(1))
			r.ack(typeRequest)
		}},
		{id: "a notice keeps its memory until it is taken", run: func(t *testing.T, r *srvRig) {
			late(r)
			r.unicast(srvRequest(1, srvID("first")))
			r.s.Resolve(r.now, r.open[0].Token, madcap.Outcome{Granted: true}) // is given back
			r.open = nil
			r.s.Receive(r.now, madcap.Datagram{From: srvClient, To: srvAddr, Payload: r.octets(srvRequest(2, srvID("other")))})
			r.drain()
			srvEqual(t, "given back", string(r.asks[1].ID), "first")
			r.asked(madcap.OpAllocate, madcap.OpRelease, madcap.OpAllocate)
		}},
		{id: "an answer to no question", run: func(t *testing.T, r *srvRig) {
			late(r)
			r.unicast(srvRequest(1))
			token := r.open[0].Token
			for _, wrong := range []madcap.Token{0, 1, token + 1, token + 1<<32} {
				r.s.Resolve(r.now, wrong, madcap.Outcome{Granted: true})
			}
			r.drain()
			srvEqual(t, "answers", len(r.sends), 0)
			r.resolve()
			r.ack(typeRequest)
			r.s.Resolve(r.now, token, madcap.Outcome{}) // twice
			r.drain()
			srvEqual(t, "answers", len(r.sends), 0)
		}},
	})
}
