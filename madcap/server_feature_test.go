// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// Optional features (RFC 2730, sections 2.13 and 3.13).
func TestServerFeatures(t *testing.T) {
	type fs = []madcap.Feature
	const mobility, retry, shared = madcap.ServerMobility, madcap.RetryAfter, madcap.SharedLeaseIdentifier
	only := func(f ...madcap.Feature) func(*madcap.ServerConfig) {
		return func(c *madcap.ServerConfig) { c.Features = f }
	}
	required := func(t *testing.T, m *madcap.Message, want ...madcap.Feature) {
		t.Helper()
		if !m.Features.Present || !slices.Equal(m.Features.Value.Required, want) || len(m.Features.Value.Requested) > 0 {
			t.Errorf("features %+v, want %v applied", m.Features, want)
		}
	}
	runSrvCases(t, []srvCase{
		{id: "MADCAP-3.13-6", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED")
			for i, m := range []*madcap.Message{srvRequest(1, srvID("x")), srvRenew(2), srvRelease(3), srvInfo(4, madcap.OptCurrentTime)} {
				srvFeatures(nil, nil, fs{9, mobility, 7, 9})(m)
				r.unicast(m)
				if got := r.nak(madcap.CodeFeatureUnsupported, 0).Error.Value.Features(); !slices.Equal(got, fs{9, 7, 9}) {
					t.Errorf("message %d: unsupported %v, want 9 7 9 in their order", i, got)
				}
			}
			r.asked()
		}},
		{id: "MADCAP-D-29/features", run: func(t *testing.T, r *srvRig) {
			r.multicast(srvDiscover(1, srvFeatures(nil, nil, fs{9})))
			r.silent(madcap.IgnoredDiscover)
			r.asked()
		}},
		{id: "MADCAP-3.13-7", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvFeatures(nil, nil, fs{shared, mobility})))
			required(t, r.ack(typeRequest), mobility, shared)
			a := r.asked(madcap.OpAllocate)
			srvEqual(t, "asked for mobility", a.Mobility, true)
			srvEqual(t, "asked for sharing", a.Shared, true)
		}},
		{id: "MADCAP-3.13-8", change: only(mobility), run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvFeatures(nil, fs{shared, mobility, 99}, nil)))
			required(t, r.ack(typeRequest), mobility)
			a := r.asked(madcap.OpAllocate)
			srvEqual(t, "asked for mobility", a.Mobility, true)
			srvEqual(t, "asked for sharing", a.Shared, false)
		}},
		{id: "MADCAP-3.13-9", run: func(t *testing.T, r *srvRig) {
			r.alloc.Later = func(now time.Time, _ *madcap.Ask) time.Time { return now.Add(time.Hour) }
			for i, change := range []func(*madcap.Message){func(*madcap.Message) {}, srvFeatures(fs{mobility}, nil, nil)} {
				r.unicast(srvRequest(uint32(i), srvID(string(rune('a'+i))), change))
				m := r.ack(typeRequest)
				srvEqual(t, "Feature List", m.Features.Present, i == 1)
				srvEqual(t, "applied", len(m.Features.Value.Required), 0)
				a := r.asked(madcap.OpAllocate)
				srvEqual(t, "asked for any", a.Mobility || a.Shared || a.CanDefer, false)
			}
		}},
		{id: "MADCAP-3.13-10", run: func(t *testing.T, r *srvRig) {
			r.state("HELD")
			for i, m := range []*madcap.Message{
				srvDiscover(1), srvRequest(2), srvRenew(3), srvRequest(4) /* NAK */, srvRelease(5), srvInfo(6, madcap.OptCurrentTime), srvRequest(7, srvNames(srvOther)),
			} {
				srvFeatures(fs{retry}, nil, nil)(m)
				r.unicast(m)
				answer := new(madcap.Message)
				if len(r.sends) != 1 || answer.UnmarshalBinary(r.sends[0].Packet) != nil {
					t.Fatalf("message %d: %d answers", i, len(r.sends))
				}
				r.sends = nil
				required(t, answer)
				if !slices.Equal(answer.Features.Value.Supported, fs{mobility, retry, shared}) {
					t.Errorf("%v supports %v", answer.Type, answer.Features.Value.Supported)
				}
			}
		}},
		{id: "MADCAP-3.13-10/a refusal has done nothing", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRenew(1, srvFeatures(nil, fs{shared}, fs{mobility})))
			required(t, r.nak(madcap.CodeLeaseUnknown, 0))
		}},
		{id: "MADCAP-3.13-4", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvFeatures(fs{mobility}, fs{mobility, shared}, nil)))
			srvEqual(t, "requested by the server", len(r.ack(typeRequest).Features.Value.Requested), 0)
		}},
		{id: "MADCAP-D-25", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvFeatures(nil, fs{mobility}, nil))) // only requested
			required(t, r.ack(typeRequest), mobility)
		}},
		{id: "MADCAP-D-26", run: func(t *testing.T, r *srvRig) {
			for i, change := range []func(*madcap.Message){func(*madcap.Message) {}, srvFeatures(nil, nil, nil)} {
				r.unicast(srvRequest(uint32(10 + i)))
				r.sends = nil
				r.unicast(srvRelease(uint32(20+i), change))
				srvEqual(t, "in an ACK to RELEASE", r.ack(typeRelease).Features.Present, i == 1)
				r.unicast(srvRelease(uint32(30+i), change))
				srvEqual(t, "in a NAK", r.nak(madcap.CodeLeaseUnknown, 0).Features.Present, i == 1)
			}
			r.raw(srvInsert(madcap.OptFeatureList, 0)(r.octets(srvRelease(40)))) // malformed
			srvEqual(t, "in a NAK about it", r.nak(madcap.CodeInvalidRequest, madcap.OptFeatureList).Features.Present, true)
		}},
		{id: "MADCAP-1.5-1", run: func(t *testing.T, r *srvRig) {
			// Each message speaks for itself.
			r.alloc.Later = func(now time.Time, _ *madcap.Ask) time.Time { return now.Add(time.Hour) }
			r.unicast(srvRequest(1, srvID("a"), srvPatience))
			srvEqual(t, "deferred", r.ack(typeRequest).Deferred(), true)
			r.unicast(srvRequest(2, srvID("b")))
			m := r.ack(typeRequest)
			srvEqual(t, "deferred", m.Deferred(), false)
			srvEqual(t, "Feature List", m.Features.Present, false)
			r.unicast(srvRenew(3, srvID("b"), srvPatience))
			srvEqual(t, "deferred", r.ack(typeRenew).Deferred(), true)
		}},
		{id: "MADCAP-2.13-1", change: only(), run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvFeatures(fs{retry}, fs{mobility, shared}, nil)))
			m := r.ack(typeRequest)
			required(t, m)
			srvEqual(t, "supported", len(m.Features.Value.Supported), 0)
			r.unicast(srvRequest(2, srvID("x"), srvFeatures(nil, nil, fs{mobility})))
			r.nak(madcap.CodeFeatureUnsupported, 0)
		}},
		{id: "MADCAP-2.13.3-2", run: func(t *testing.T, r *srvRig) {
			r.multicast(srvDiscover(1, srvFeatures(nil, fs{shared}, nil)))
			required(t, r.offer(), shared)
			r.multicast(srvRequest(2, srvNames(srvAddr), srvFeatures(nil, nil, fs{shared})))
			required(t, r.ack(typeRequest), shared)
			srvEqual(t, "told the allocator", r.asked(madcap.OpOffer, madcap.OpAllocate).Shared, true)
		}},
		{id: "MADCAP-2.4-7", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvFeatures(nil, fs{shared}, nil)))
			r.ack(typeRequest)
			srvEqual(t, "lease is shared", r.alloc.Leases[string(srvLease)].Shared, true)
			// Anyone who knows the identifier may change it.
			r.give(madcap.Datagram{From: srvElsewhere, To: srvAddr, Payload: r.octets(srvRelease(2))})
			r.ack(typeRelease)
		}},
		{id: "MADCAP-2.13.3-3", change: only(mobility), run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvFeatures(nil, nil, fs{shared})))
			if got := r.nak(madcap.CodeFeatureUnsupported, 0).Error.Value.Features(); !slices.Equal(got, fs{shared}) {
				t.Errorf("unsupported %v", got)
			}
		}},
		{id: "MADCAP-2.13.3-3/for this lease", run: func(t *testing.T, r *srvRig) {
			r.answer = func(*madcap.Ask) (madcap.Outcome, bool) {
				return madcap.Outcome{Code: madcap.CodeFeatureUnsupported}, true
			}
			r.unicast(srvRenew(1, srvFeatures(nil, fs{mobility}, fs{shared})))
			if got := r.nak(madcap.CodeFeatureUnsupported, 0).Error.Value.Features(); !slices.Equal(got, fs{shared}) {
				t.Errorf("unsupported %v", got)
			}
			r.unicast(srvRenew(2, srvFeatures(nil, fs{shared}, nil))) // not required: no such error
			r.nak(madcap.CodeNotCompleted, madcap.NoOption)
		}},
		{id: "MADCAP-2.13.3-4", change: only(mobility), run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvFeatures(nil, fs{shared}, nil)))
			required(t, r.ack(typeRequest))
		}},
		{id: "MADCAP-2.13.3-5", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvFeatures(nil, fs{shared}, nil)))
			required(t, r.ack(typeRequest), shared)
			r.unicast(srvRenew(2, srvFeatures(nil, nil, fs{shared})))
			required(t, r.ack(typeRenew), shared)
		}},
		{id: "MADCAP-2.13.2-3", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvFeatures(fs{retry}, fs{retry}, nil)))
			r.nak(madcap.CodeInvalidRequest, madcap.OptFeatureList)
			r.unicast(srvRequest(2, srvFeatures(fs{retry}, nil, fs{retry})))
			r.nak(madcap.CodeInvalidRequest, madcap.OptFeatureList)
		}},
	})
}

// Retry After (RFC 2730, section 2.13.2).
func TestServerDeferral(t *testing.T) {
	in := func(d time.Duration) func(time.Time, *madcap.Ask) time.Time {
		return func(now time.Time, _ *madcap.Ask) time.Time { return now.Add(d) }
	}
	runSrvCases(t, []srvCase{
		{id: "MADCAP-2.13.2-1", run: func(t *testing.T, r *srvRig) {
			for i, typ := range []madcap.MessageType{typeRequest, typeRenew, typeDiscover, typeRelease} {
				for j, change := range []func(*madcap.Message){func(*madcap.Message) {}, srvPatience} {
					r.unicast(srvMsg(typ, uint32(10*i+j), srvID(typ.String()), change))
					last := r.asks[len(r.asks)-1]
					srvEqual(t, typ.String()+" may be deferred", last.CanDefer, j == 1 && (typ == typeRequest || typ == typeRenew))
				}
			}
		}},
		{id: "MADCAP-2.13.2-1/server without", change: func(c *madcap.ServerConfig) { c.Features = nil }, run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvPatience))
			srvEqual(t, "may be deferred", r.asked(madcap.OpAllocate).CanDefer, false)
		}},
		{id: "MADCAP-2.13.2-2", run: func(t *testing.T, r *srvRig) {
			r.now = r.now.Add(300 * time.Millisecond)
			r.alloc.Later = in(time.Hour)
			r.unicast(srvRequest(1, srvFeatures([]madcap.Feature{madcap.RetryAfter}, []madcap.Feature{madcap.SharedLeaseIdentifier}, []madcap.Feature{madcap.ServerMobility})))
			m := r.ack(typeRequest)
			srvEqual(t, "ranges there", m.Ranges.Present, true)
			srvEqual(t, "ranges", len(m.Ranges.Value), 0)
			srvEqual(t, "Retry Time", m.RetryTime, srvStart.Add(time.Hour+time.Second)) // rounded up
			srvEqual(t, "Current Time", m.CurrentTime, srvStart)
			if want := []madcap.Feature{0, 1, 2}; !slices.Equal(m.Features.Value.Required, want) {
				t.Errorf("applied %v, want %v", m.Features.Value.Required, want)
			}
		}},
		{id: "MADCAP-3.14-2", run: func(t *testing.T, r *srvRig) {
			r.answer = func(*madcap.Ask) (madcap.Outcome, bool) {
				return madcap.Outcome{RetryTime: r.now.Add(time.Hour), Scope: srvScope}, true
			}
			r.unicast(srvRequest(1)) // did not name Retry After
			r.nak(madcap.CodeNotCompleted, madcap.NoOption)
			r.multicast(srvDiscover(2, srvPatience))
			r.silent(madcap.IgnoredDiscover)
		}},
		{id: "MADCAP-3.14-3", run: func(t *testing.T, r *srvRig) {
			r.alloc.Later = in(time.Hour)
			r.unicast(srvRequest(1, srvPatience))
			srvEqual(t, "Current Time", r.ack(typeRequest).CurrentTime, r.now)
		}},
		{id: "MADCAP-D-56", run: func(t *testing.T, r *srvRig) {
			r.alloc.Later = in(time.Hour)
			r.unicast(srvRequest(1, srvPatience, srvFor(5*time.Hour)))
			m := r.ack(typeRequest)
			srvEqual(t, "Scope", m.Scope, srvScope)
			srvEqual(t, "Lease Time", m.LeaseTime, madcap.Some(5*time.Hour))
			r.answer = func(*madcap.Ask) (madcap.Outcome, bool) {
				return madcap.Outcome{RetryTime: r.now.Add(time.Hour), Start: r.now, End: r.now.Add(time.Minute)}, true
			}
			r.unicast(srvRequest(2, srvID("x"), srvPatience, srvFor(5*time.Hour)))
			m = r.ack(typeRequest)
			srvEqual(t, "Scope", m.Scope, srvScope)
			srvEqual(t, "Lease Time", m.LeaseTime, madcap.Some(time.Minute)) // what the allocator intends
		}},
		{id: "MADCAP-2.13.2-5", run: func(t *testing.T, r *srvRig) {
			at := r.now.Add(time.Hour)
			r.alloc.Later = func(time.Time, *madcap.Ask) time.Time { return at } // never any later
			last := r.now
			for i := range 5 {
				r.unicast(srvRequest(uint32(i), srvPatience))
				m := r.ack(typeRequest)
				if !m.RetryTime.After(last) || !m.RetryTime.After(r.now) {
					t.Errorf("Retry Time %v after %v, at %v", m.RetryTime, last, r.now)
				}
				last = m.RetryTime
				r.wait(20 * time.Minute)
			}
		}},
		{id: "MADCAP-D-37", run: func(t *testing.T, r *srvRig) {
			r.alloc.Later = in(time.Hour)
			first := srvRequest(1, srvPatience, srvFor(time.Hour), srvClock(0), srvNumber(2, 3), func(m *madcap.Message) {
				m.Unknown = []madcap.RawOption{{Code: 500, Value: []byte("x")}, {Code: 501}}
			})
			r.unicast(first)
			r.ack(typeRequest)
			again := *first
			again.XID = 2
			again.Order = []madcap.OptionCode{501, madcap.OptFeatureList, madcap.OptLeaseTime, 500} // another order
			again.CurrentTime = srvStart.Add(time.Minute)
			again.ServerIdentifier = madcap.ServerIdentifierOf(srvAddr)
			r.unicast(&again)
			srvEqual(t, "the same options", r.ack(typeRequest).Deferred(), true)
			b := r.octets(&again)
			b[7] = 3
			r.raw(srvInsert(500, 'x')(b)) // a set holds an element once
			srvEqual(t, "the same set", r.ack(typeRequest).Deferred(), true)
			for i, change := range []func(*madcap.Message){
				srvFor(2 * time.Hour), srvAtLeast(time.Minute), srvNumber(1, 3), srvUntil(time.Hour), srvRanges("239.192.0.0/24"),
				func(m *madcap.Message) { m.LeaseTime.Present = false }, func(m *madcap.Message) { m.Unknown = m.Unknown[:1] },
				func(m *madcap.Message) { m.Scope = srvLocal }, srvFeatures([]madcap.Feature{1, 2}, nil, nil),
			} {
				other := *first
				other.XID = uint32(10 + i)
				change(&other)
				r.unicast(&other)
				r.nak(madcap.CodeInvalidRequest, madcap.NoOption)
			}
		}},
		{id: "MADCAP-2.13.2-8", run: func(t *testing.T, r *srvRig) {
			r.state("DEFERRED")
			r.unicast(srvRenew(1, srvPatience))
			r.nak(madcap.CodeInvalidRequest, madcap.NoOption)
		}},
		{id: "MADCAP-2.13.2-9", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED+")
			r.unicast(srvRenew(1, srvPatience))
			r.nak(madcap.CodeInvalidRequest, madcap.NoOption)
			r.unicast(srvRenew(2, srvPatience, srvFor(3*time.Hour)))
			r.ack(typeRenew)
		}},
		{id: "MADCAP-2.13.2-7", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED")
			r.alloc.Later = in(time.Hour)
			r.unicast(srvRenew(1, srvPatience))
			m := r.ack(typeRenew)
			srvEqual(t, "deferred", m.Deferred(), true)
			srvEqual(t, "Scope", m.Scope, srvScope)
		}},
		{id: "MADCAP-2.13.2-10", run: func(t *testing.T, r *srvRig) {
			// The repetition no longer offers Retry After: other options.
			r.state("DEFERRED")
			r.unicast(srvRequest(1))
			r.nak(madcap.CodeInvalidRequest, madcap.NoOption)
		}},
		{id: "MADCAP-2.13.2-6", run: func(t *testing.T, r *srvRig) {
			r.state("DEFERRED")
			r.give(madcap.Datagram{From: srvClient, To: srvSecond, Payload: r.octets(srvRelease(1))})
			r.ack(typeRelease)
			r.asked(madcap.OpCancel)
			srvEqual(t, "state", r.stateName(), "NONE")
		}},
		{id: "MADCAP-D-38", run: func(t *testing.T, r *srvRig) {
			r.state("DEFERRED") // until Retry Time, 10 minutes from now
			r.wait(10*time.Minute + 30*time.Minute + 59*time.Second)
			r.unicast(srvRequest(1, srvPatience)) // a client whose clock is slow by the allowance
			srvEqual(t, "deferred", r.ack(typeRequest).Deferred(), false)
		}},
		{id: "MADCAP-D-24", run: func(t *testing.T, r *srvRig) {
			// What the server defers passes its own Validate, which wants all
			// four; one that cannot be told (a RENEW without a scope) is refused.
			r.state("LEASED")
			r.answer = func(a *madcap.Ask) (madcap.Outcome, bool) {
				return madcap.Outcome{RetryTime: r.now.Add(time.Hour), Continuation: []byte("c")}, a.Op == madcap.OpChange
			}
			r.unicast(srvRenew(1, srvPatience))
			r.nak(madcap.CodeNotCompleted, madcap.NoOption)
			r.asked(madcap.OpChange, madcap.OpCancel)
			srvEqual(t, "state", r.stateName(), "LEASED")
		}},
		{id: "many deferrals end in order", run: func(t *testing.T, r *srvRig) {
			for i, d := range []time.Duration{50, 10, 30, 20, 40} {
				r.alloc.Later = in(d * time.Minute)
				r.unicast(srvRequest(uint32(i), srvID(string(rune('a'+i))), srvPatience))
			}
			r.asks = nil
			r.now = r.now.Add(3 * time.Hour) // all at once
			r.s.Advance(r.now)
			r.drain()
			var order string
			for _, a := range r.asks {
				order += string(a.ID)
			}
			srvEqual(t, "cancelled", order, "bdcea")
		}},
	})
}
