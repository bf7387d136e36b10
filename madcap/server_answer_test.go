// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// What all answers have, and where they go.
func TestServerAnswers(t *testing.T) {
	// all sends one message of each kind and calls f with each answer.
	all := func(t *testing.T, r *srvRig, f func(request, answer *madcap.Message, sent madcap.Send)) {
		t.Helper()
		for i, m := range []*madcap.Message{
			srvInfo(0xfffffff0, madcap.OptCurrentTime), srvDiscover(0x1234, srvID("first")), srvRequest(0xffffffff, srvID("first")),
			srvRenew(0, srvID("first")), srvRelease(7, srvID("first")), srvRelease(8, srvID("second")), srvRequest(9, srvNames(srvOther)),
		} {
			r.unicast(m)
			if len(r.sends) != 1 {
				t.Fatalf("%d answers to message %d, a %v", len(r.sends), i, m.Type)
			}
			answer := new(madcap.Message)
			if err := answer.UnmarshalBinary(r.sends[0].Packet); err != nil {
				t.Fatal(err)
			}
			f(m, answer, r.sends[0])
			r.sends = r.sends[:0]
		}
	}
	runSrvCases(t, []srvCase{
		{id: "MADCAP-2-3", run: func(t *testing.T, r *srvRig) {
			all(t, r, func(_, _ *madcap.Message, sent madcap.Send) { srvEqual(t, "destination", sent.To, srvClient) })
			r.unicast(srvInfo(1, madcap.OptCurrentTime))
			elsewhere := netip.MustParseAddrPort("192.0.2.99:9")
			r.give(madcap.Datagram{From: elsewhere, To: srvAddr, Payload: r.octets(srvInfo(1, madcap.OptCurrentTime))})
			srvEqual(t, "destination of what is sent again", r.sends[1].To, elsewhere)
		}},
		{id: "MADCAP-2.2.6-1", run: func(t *testing.T, r *srvRig) {
			r.give(madcap.Datagram{From: srvClient, To: srvGroup, Local: srvAddr, Payload: r.octets(srvInfo(1))})
			srvEqual(t, "destination of a NAK", r.sends[0].To, srvClient)
			r.nak(madcap.CodeInvalidRequest, madcap.OptOptionRequestList)
		}},
		{id: "MADCAP-2.1.4-4", run: func(t *testing.T, r *srvRig) {
			all(t, r, func(m, answer *madcap.Message, _ madcap.Send) { srvEqual(t, "xid", answer.XID, m.XID) })
		}},
		{id: "MADCAP-2.2.3-9", run: func(t *testing.T, r *srvRig) {
			all(t, r, func(m, answer *madcap.Message, _ madcap.Send) {
				srvEqual(t, "Lease Identifier", string(answer.LeaseIdentifier), string(m.LeaseIdentifier))
				srvEqual(t, "Server Identifier", answer.ServerIdentifier.Addr, srvAddr)
			})
		}},
		{id: "MADCAP-2.2.5-6", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(77))
			m := r.ack(typeRequest)
			srvEqual(t, "xid", m.XID, 77)
			srvEqual(t, "Lease Identifier", string(m.LeaseIdentifier), string(srvLease))
			srvEqual(t, "Server Identifier", m.ServerIdentifier.Addr, srvAddr)
		}},
		{id: "MADCAP-2.2.6-2", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRenew(78))
			m := r.nak(madcap.CodeLeaseUnknown, 0)
			srvEqual(t, "xid", m.XID, 78)
			srvEqual(t, "Lease Identifier", string(m.LeaseIdentifier), string(srvLease))
		}},
		{id: "MADCAP-2.2.6-3", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRenew(78))
			srvEqual(t, "Server Identifier", r.nak(madcap.CodeLeaseUnknown, 0).ServerIdentifier.Addr, srvAddr)
		}},
		{id: "MADCAP-2.2.6-4", run: func(t *testing.T, r *srvRig) {
			all(t, r, func(_, answer *madcap.Message, _ madcap.Send) {
				srvEqual(t, "Error option", answer.Error.Present, answer.Type == madcap.TypeNak)
			})
		}},
		{id: "MADCAP-3.3-3", run: func(t *testing.T, r *srvRig) {
			all(t, r, func(_, answer *madcap.Message, sent madcap.Send) {
				srvEqual(t, "Server Identifier", answer.ServerIdentifier.Addr, srvAddr)
				srvEqual(t, "sent from", sent.From, srvAddr)
			})
		}},
		{id: "MADCAP-D-9", change: srvServe6, run: func(t *testing.T, r *srvRig) {
			all(t, r, func(m, answer *madcap.Message, _ madcap.Send) { srvEqual(t, "family", answer.Family, m.Family) })
			m := srvInfo(1, madcap.OptScopeList)
			m.Family = madcap.FamilyIPv6
			r.unicast(m)
			srvEqual(t, "family", r.ack(madcap.TypeGetInfo).Family, madcap.FamilyIPv6)
		}},
		{id: "MADCAP-2.2.3-10", run: func(t *testing.T, r *srvRig) {
			r.multicast(srvDiscover(1))
			r.offer()
			r.wait(time.Hour)
			srvEqual(t, "answers", len(r.sends), 0)
		}},
		{id: "MADCAP-2.2.5-7", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1))
			r.ack(typeRequest)
			r.wait(time.Hour)
			srvEqual(t, "answers", len(r.sends), 0)
		}},
		{id: "MADCAP-2.2.6-5", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRelease(1))
			r.nak(madcap.CodeLeaseUnknown, 0)
			r.wait(time.Hour)
			srvEqual(t, "answers", len(r.sends), 0)
		}},
		{id: "MADCAP-D-54/the address the request went to", run: func(t *testing.T, r *srvRig) {
			r.give(madcap.Datagram{From: srvClient, To: srvSecond, Local: srvAddr, Payload: r.octets(srvRequest(1))})
			srvEqual(t, "sent from", r.sends[0].From, srvSecond)
			srvEqual(t, "Server Identifier", r.ack(typeRequest).ServerIdentifier.Addr, srvSecond)
		}},
		{id: "MADCAP-D-54/the interface's address", run: func(t *testing.T, r *srvRig) {
			r.give(madcap.Datagram{From: srvClient, To: srvGroup, Local: srvSecond, Payload: r.octets(srvDiscover(1))})
			srvEqual(t, "Server Identifier", r.offer().ServerIdentifier.Addr, srvSecond)
			// Stable within the transaction, wherever the REQUEST comes in.
			r.give(madcap.Datagram{From: srvClient, To: srvGroup, Local: srvAddr, Payload: r.octets(srvRequest(2, srvNames(srvSecond)))})
			srvEqual(t, "Server Identifier", r.ack(typeRequest).ServerIdentifier.Addr, srvSecond)
		}},
		{id: "MADCAP-D-54/an address that is not configured", run: func(t *testing.T, r *srvRig) {
			loopback := netip.MustParseAddr("127.0.0.1")
			r.give(madcap.Datagram{From: srvClient, To: loopback, Payload: r.octets(srvDiscover(1))})
			srvEqual(t, "Server Identifier", r.offer().ServerIdentifier.Addr, loopback)
			r.multicast(srvRequest(2, srvNames(loopback)))
			srvEqual(t, "Server Identifier", r.ack(typeRequest).ServerIdentifier.Addr, loopback)
		}},
		{id: "MADCAP-D-54/neither known", run: func(t *testing.T, r *srvRig) {
			r.give(madcap.Datagram{From: srvClient, Payload: r.octets(srvRequest(1))})
			srvEqual(t, "Server Identifier", r.ack(typeRequest).ServerIdentifier.Addr, srvAddr)
		}},
		{id: "MADCAP-3.3-2", run: func(t *testing.T, r *srvRig) {
			six := netip.MustParseAddr("2001:db8::1")
			r.give(madcap.Datagram{From: netip.MustParseAddrPort("[2001:db8::9]:5"), To: six, Payload: r.octets(srvRequest(1))})
			m := r.ack(typeRequest)
			srvEqual(t, "Server Identifier", m.ServerIdentifier.Addr, six)
			srvEqual(t, "family", m.Family, madcap.FamilyIPv4)
		}},
		{id: "MADCAP-3.11-2", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvNumber(3, 5)))
			srvEqual(t, "ranges", len(r.ack(typeRequest).Ranges.Value), 5)
			r.unicast(srvRenew(2))
			srvEqual(t, "ranges", len(r.ack(typeRenew).Ranges.Value), 5)
		}},
		{id: "MADCAP-2.2.5-2", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvFor(time.Hour)))
			m := r.ack(typeRequest)
			srvEqual(t, "Lease Time", m.LeaseTime, madcap.Some(time.Hour))
			srvEqual(t, "Scope", m.Scope, srvScope)
			srvEqual(t, "Ranges", m.Ranges.Value[0], scope.Single(srvScope.Next()))
			r.unicast(srvRequest(2, srvID("later"), srvClock(0), srvFrom(10*time.Hour)))
			m = r.ack(typeRequest)
			srvEqual(t, "Start Time", m.StartTime, srvStart.Add(10*time.Hour))
			srvEqual(t, "Current Time", m.CurrentTime, r.now)
		}},
		{id: "MADCAP-2.2.5-4", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED")
			r.unicast(srvRenew(1, srvClock(0), srvFrom(-time.Minute), srvFor(3*time.Hour)))
			m := r.ack(typeRenew)
			srvEqual(t, "Lease Time", m.LeaseTime, madcap.Some(3*time.Hour))
			srvEqual(t, "Scope", m.Scope, srvScope)
			srvEqual(t, "Start Time", m.StartTime, srvStart)
			srvEqual(t, "Current Time", m.CurrentTime, srvStart)
		}},
		{id: "MADCAP-2.2.5-5", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED")
			r.unicast(srvRelease(1))
			order := slices.Clone(r.ack(typeRelease).Order)
			slices.Sort(order)
			if want := []madcap.OptionCode{madcap.OptServerIdentifier, madcap.OptLeaseIdentifier}; !slices.Equal(order, want) {
				t.Errorf("options %v, want %v", order, want)
			}
		}},
		{id: "MADCAP-2.2.3-2", run: func(t *testing.T, r *srvRig) {
			r.multicast(srvDiscover(1, srvFor(time.Hour)))
			m := r.offer()
			srvEqual(t, "Lease Time", m.LeaseTime, madcap.Some(time.Hour))
			srvEqual(t, "Scope", m.Scope, srvScope)
		}},
		{id: "MADCAP-2.7-5", run: func(t *testing.T, r *srvRig) {
			r.multicast(srvDiscover(1))
			srvEqual(t, "Scope", r.offer().Scope, srvScope)
			r.unicast(srvRequest(2))
			srvEqual(t, "Scope", r.ack(typeRequest).Scope, srvScope)
			r.unicast(srvRenew(3))
			srvEqual(t, "Scope", r.ack(typeRenew).Scope, srvScope)
		}},
		{id: "MADCAP-2.2.3-3", run: func(t *testing.T, r *srvRig) {
			r.answer = func(a *madcap.Ask) (madcap.Outcome, bool) {
				return madcap.Outcome{Granted: true, Scope: a.Scope, Start: r.now, End: r.now.Add(time.Hour)}, true
			}
			r.multicast(srvDiscover(1))
			srvEqual(t, "Ranges", r.offer().Ranges.Present, false)
		}},
		{id: "MADCAP-2.2.4-6", run: func(t *testing.T, r *srvRig) {
			r.multicast(srvRequest(1, srvNames(srvSecond)))
			r.ack(typeRequest)
			r.multicast(srvRequest(2, srvID("b"), srvNames(srvAddr), srvNumber(100, 100)))
			r.nak(madcap.CodeNotCompleted, madcap.OptNumberOfAddresses)
		}},
		{id: "MADCAP-2.2.8-2", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRelease(1))
			r.nak(madcap.CodeLeaseUnknown, 0)
			r.state("LEASED")
			r.unicast(srvRelease(2))
			r.ack(typeRelease)
		}},
		{id: "MADCAP-2.2.8-3", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvNumber(4, 4)))
			r.unicast(srvRequest(2, srvID("other"), srvNumber(2, 2)))
			r.sends = nil
			r.unicast(srvRelease(3))
			r.ack(typeRelease)
			srvEqual(t, "state", r.stateName(), "NONE")
			srvEqual(t, "leases", len(r.alloc.Leases), 1)
		}},
		{id: "MADCAP-2.4-4", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED")
			r.unicast(srvRenew(1, srvID(string(srvLease)+"x")))
			r.nak(madcap.CodeLeaseUnknown, 0)
			r.unicast(srvRenew(2))
			r.ack(typeRenew)
		}},
		{id: "MADCAP-2.4-5", run: func(t *testing.T, r *srvRig) {
			for i, typ := range []madcap.MessageType{typeRenew, typeRelease} {
				r.unicast(srvMsg(typ, uint32(i)))
				srvEqual(t, "extra data", len(r.nak(madcap.CodeLeaseUnknown, 0).Error.Value.Extra), 0)
			}
		}},
		{id: "MADCAP-2.2.7-4", run: func(t *testing.T, r *srvRig) {
			for i, id := range []string{"one", "two", "three"} {
				r.unicast(srvRequest(uint32(i), srvID(id)))
				r.ack(typeRequest)
			}
			r.unicast(srvRenew(9, srvID("two"), srvFor(30*time.Minute)))
			want := r.alloc.Leases["two"].Addrs[0]
			srvEqual(t, "the lease", r.ack(typeRenew).Ranges.Value[0].First(), want)
			srvEqual(t, "its end", r.alloc.Leases["two"].End, r.now.Add(30*time.Minute))
			srvEqual(t, "another's end", r.alloc.Leases["one"].End, r.now.Add(24*time.Hour))
		}},
		{id: "MADCAP-2.2.7-2", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED")
			r.unicast(srvRenew(1))
			r.ack(typeRenew)
		}},
		{id: "MADCAP-2.2.7-3", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED")
			r.unicast(srvRenew(1, srvAtLeast(100*time.Hour)))
			r.nak(madcap.CodeNotCompleted, madcap.OptMinLeaseTime)
		}},
		{id: "MADCAP-2.4-3", run: func(t *testing.T, r *srvRig) {
			// Anything is an identifier: types unknown and cut, one octet, long.
			for i, id := range []string{"\x00", "\x01", "\x01\x00\x01\x0a", "\xff\xff", "\x02opaque", string(make([]byte, 32)), string(make([]byte, 33)), string(make([]byte, 1024))} {
				r.unicast(srvRequest(uint32(i), srvID(id)))
				r.ack(typeRequest)
				r.unicast(srvRenew(uint32(i), srvID(id)))
				r.ack(typeRenew)
			}
			srvEqual(t, "leases", len(r.alloc.Leases), 8)
		}},
		{id: "MADCAP-2.5-4", run: func(t *testing.T, r *srvRig) {
			// The same xid with another identifier, and the other way round.
			r.unicast(srvRequest(1, srvID("a")))
			r.unicast(srvRequest(1, srvID("b")))
			r.unicast(srvRenew(1, srvID("a")))
			r.unicast(srvRenew(2, srvID("a")))
			srvEqual(t, "answers", len(r.sends), 4)
			r.asked(madcap.OpAllocate, madcap.OpAllocate, madcap.OpChange, madcap.OpChange)
		}},
		{id: "MADCAP-2.5-5", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED")
			r.unicast(srvRequest(1))
			r.nak(madcap.CodeInvalidRequest, madcap.OptLeaseIdentifier)
		}},
		{id: "MADCAP-D-36", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED")
			r.multicast(srvDiscover(1))
			r.silent(madcap.IgnoredDiscover)
			r.multicast(srvRequest(2, srvNames(srvAddr)))
			r.nak(madcap.CodeInvalidRequest, madcap.OptLeaseIdentifier)
		}},
		{id: "MADCAP-2.2-2", run: func(t *testing.T, r *srvRig) {
			got := make(map[madcap.MessageType]string)
			for typ := madcap.MessageType(1); typ <= 8; typ++ {
				d := madcap.Datagram{From: srvClient, To: srvAddr, Payload: r.octets(srvMsg(typ, uint32(typ), srvID("x"+typ.String())))}
				got[typ] = r.react(d)
			}
			invalid, unknown := "NAK "+madcap.InvalidRequest(madcap.NoOption).String(), "NAK "+madcap.ErrorOption{Code: madcap.CodeLeaseUnknown}.String()
			for typ, want := range map[madcap.MessageType]string{1: "OFFER", 2: invalid, 3: "ACK", 4: unknown, 5: invalid, 6: "ignored: a NAK", 7: unknown, 8: "ACK"} {
				srvEqual(t, typ.String(), got[typ], want)
			}
		}},
	})
}

// srvServe6 adds IPv6 scopes to the server's.
func srvServe6(c *madcap.ServerConfig) {
	c.Scopes = append(c.Scopes, scope.IPv6(3), scope.IPv6(5), scope.IPv6(14))
}
