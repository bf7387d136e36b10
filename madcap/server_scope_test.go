// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// Which messages a server answers that came by multicast, and of which scopes
// (RFC 2730, section 2.11).
func TestServerScopes(t *testing.T) {
	at := func(r *srvRig, group string, m *madcap.Message) {
		r.give(madcap.Datagram{From: srvClient, To: netip.MustParseAddr(group), Local: srvAddr, Payload: r.octets(m)})
	}
	of := func(id string) func(*madcap.Message) {
		return func(m *madcap.Message) { m.Scope = netip.MustParseAddr(id) }
	}
	grantAny := func(r *srvRig) {
		r.answer = func(a *madcap.Ask) (madcap.Outcome, bool) {
			return madcap.Outcome{Granted: true, Scope: a.Scope, Ranges: []scope.Range{scope.Single(a.Scope)}, Start: r.now, End: r.now.Add(time.Hour)}, true
		}
	}
	runSrvCases(t, []srvCase{
		{id: "MADCAP-2.11-5", run: func(t *testing.T, r *srvRig) {
			grantAny(r)
			const local, org, global = "239.255.0.0", "239.192.0.0", "224.0.1.0"
			for i, c := range []struct {
				group, scope string
				answered     bool
			}{
				{"239.255.255.254", local, true}, {"239.255.255.254", org, true}, {"239.255.255.254", global, true},
				{"239.195.255.254", local, false}, {"239.195.255.254", org, true}, {"239.195.255.254", global, true},
				{"238.255.255.254", local, false}, {"238.255.255.254", org, false}, {"238.255.255.254", global, true},
				{"239.1.2.3", global, false}, // no server group
			} {
				id := srvID(c.group + c.scope)
				at(r, c.group, srvDiscover(uint32(i), id, of(c.scope)))
				srvEqual(t, "DISCOVER at "+c.group+" for "+c.scope, len(r.sends) == 1, c.answered)
				r.sends = nil
				at(r, c.group, srvRequest(uint32(i), id, of(c.scope), srvNames(srvAddr)))
				srvEqual(t, "REQUEST at "+c.group+" for "+c.scope, len(r.sends) == 1, c.answered)
				r.sends = nil
			}
		}},
		{id: "MADCAP-2.11-5/what is known counts", run: func(t *testing.T, r *srvRig) {
			a, b := scope.Scope{Range: scope.MustRange("239.250.0.0", "239.250.0.255")}, scope.Scope{Range: scope.MustRange("239.251.0.0", "239.251.0.255")}
			n := scope.NewNesting(a.ID(), b.ID())
			n.Set(a.ID(), b.ID(), scope.Yes)
			r.s.SetScopes([]scope.Scope{a, b}, n)
			at(r, "239.250.0.254", srvRequest(1, srvNames(srvAddr), of("239.251.0.0")))
			r.asked(madcap.OpAllocate) // came in on the group of a scope inside
			r.sends = nil
			at(r, "239.251.0.254", srvRequest(2, srvID("x"), srvNames(srvAddr), of("239.250.0.0")))
			r.silent(madcap.IgnoredScope)
			r.asked()
		}},
		{id: "MADCAP-2.11-5/the Local Scope's group without the Local Scope", run: func(t *testing.T, r *srvRig) {
			r.s.SetScopes([]scope.Scope{scope.IPv4OrganizationLocal()}, nil)
			r.multicast(srvDiscover(1))
			r.offer()
		}},
		{id: "MADCAP-2.11-5/IPv6", change: srvServe6, run: func(t *testing.T, r *srvRig) {
			grantAny(r)
			for i, c := range []struct {
				group, scope string
				want         madcap.Op
			}{
				{srvGroup6.String(), "ff03::", madcap.OpOffer}, {srvGroup6.String(), "ff05::", madcap.OpOffer}, {srvGroup6.String(), "ff0e::", madcap.OpOffer},
				{"ff05:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "ff03::", 0}, {"ff05:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "ff0e::", madcap.OpOffer},
			} {
				m := srvDiscover(uint32(i), srvID(c.group+c.scope), of(c.scope))
				m.Family = madcap.FamilyIPv6
				at(r, c.group, m)
				if c.want == 0 {
					r.silent(madcap.IgnoredScope)
					r.asked()
				} else {
					r.asked(c.want)
				}
				r.sends = nil
			}
		}},
		{id: "MADCAP-2.11-6", change: srvServe6, run: func(t *testing.T, r *srvRig) {
			for group, answered := range map[string]bool{"239.255.255.254": true, "239.195.255.254": false, srvGroup6.String(): true, "ff05:ffff:ffff:ffff:ffff:ffff:ffff:fffe": false} {
				at(r, group, srvMsg(madcap.TypeGetInfo, 1, srvID(group)))
				srvEqual(t, group, len(r.sends) == 1, answered)
				r.sends = nil
			}
		}},
		{id: "MADCAP-D-39", run: func(t *testing.T, r *srvRig) {
			for i, to := range []netip.Addr{srvAddr, netip.MustParseAddr("2001:db8::1"), {}} { // unicast, or not known
				r.give(madcap.Datagram{From: srvClient, To: to, Payload: r.octets(srvInfo(uint32(i), 9))})
				r.ack(madcap.TypeGetInfo)
			}
			r.multicast(srvInfo(9, 9))
			r.ack(madcap.TypeGetInfo)
			r.give(madcap.Datagram{From: srvClient, To: netip.MustParseAddr("::ffff:239.255.255.254"), Payload: r.octets(srvInfo(10, 9))})
			r.ack(madcap.TypeGetInfo)
			at(r, srvGroup6.String()+"%eth0", srvInfo(11, 9))
			r.ack(madcap.TypeGetInfo)
		}},
		{id: "MADCAP-D-39/configured", change: func(c *madcap.ServerConfig) { c.InfoGroups = []netip.Addr{netip.MustParseAddr("239.1.2.3")} }, run: func(t *testing.T, r *srvRig) {
			at(r, "239.1.2.3", srvInfo(1, 9))
			r.ack(madcap.TypeGetInfo)
			at(r, "239.1.2.3", srvDiscover(2))
			r.offer()
			r.multicast(srvInfo(3, 9))
			r.silent(madcap.IgnoredScope)
		}},
		{id: "MADCAP-D-40", change: srvServe6, run: func(t *testing.T, r *srvRig) {
			m := srvInfo(1, madcap.OptScopeList)
			m.Family = madcap.FamilyIPv6
			at(r, "ff03:ffff:ffff:ffff:ffff:ffff:ffff:fffe", m)
			srvEqual(t, "zones", len(r.ack(madcap.TypeGetInfo).ScopeList.Value), 3)
		}},
		{id: "MADCAP-D-58", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, of("239.1.0.0")))
			r.nak(madcap.CodeNotCompleted, madcap.OptMulticastScope)
			r.unicast(srvDiscover(2, of("239.1.0.0")))
			r.silent(madcap.IgnoredDiscover)
			r.unicast(srvRequest(3, of("239.192.0.1"))) // inside a scope, but not its first address
			r.nak(madcap.CodeNotCompleted, madcap.OptMulticastScope)
			r.asked()
		}},
		{id: "MADCAP-3.5-2", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, of("239.192.0.1")))
			r.nak(madcap.CodeNotCompleted, madcap.OptMulticastScope)
			r.unicast(srvRequest(2))
			srvEqual(t, "Scope", r.ack(typeRequest).Scope, srvScope)
		}},
		{id: "MADCAP-D-33", run: func(t *testing.T, r *srvRig) {
			r.state("LEASED")
			r.multicast(srvRenew(1))
			r.multicast(srvRelease(2))
			r.silent(madcap.IgnoredMulticast)
			r.asked()
			r.give(madcap.Datagram{From: srvClient, Payload: r.octets(srvRelease(2))}) // MADCAP-D-61: not known is unicast
			r.ack(typeRelease)
		}},
		{id: "MADCAP-D-32", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvDiscover(1))
			r.offer()
		}},
		{id: "MADCAP-D-31", run: func(t *testing.T, r *srvRig) {
			// By multicast silence, whatever else; by unicast IR(2), after
			// features and clock.
			r.state("HELD")
			r.multicast(srvRequest(1, srvNames(srvOther), srvFeatures(nil, nil, []madcap.Feature{9}), srvClock(5*time.Hour)))
			r.silent(madcap.IgnoredOther)
			r.asked(madcap.OpWithdraw)
			r.unicast(srvRequest(2, srvNames(srvOther)))
			r.nak(madcap.CodeInvalidRequest, madcap.OptServerIdentifier)
			r.unicast(srvRequest(3, srvNames(srvSecond))) // any address of its own
			r.ack(typeRequest)
		}},
		{id: "MADCAP-D-31/an identifier of another family", run: func(t *testing.T, r *srvRig) {
			r.state("HELD")
			r.multicast(srvRequest(1, func(m *madcap.Message) {
				m.ServerIdentifier = madcap.ServerIdentifier{Family: 9, Opaque: []byte("somebody")}
			}))
			r.silent(madcap.IgnoredOther)
			r.asked(madcap.OpWithdraw)
		}},
		{id: "MADCAP-2.2.3-7", run: func(t *testing.T, r *srvRig) {
			r.state("HELD")
			r.multicast(srvRequest(1, srvID("somebody else"), srvNames(srvOther)))
			srvEqual(t, "state", r.stateName(), "HELD")
			r.multicast(srvRequest(2, srvNames(srvOther)))
			srvEqual(t, "state", r.stateName(), "NONE")
			srvEqual(t, "withdrawn", r.s.Stats().Withdrawn, 1)
		}},
		{id: "MADCAP-2.2.3-8", run: func(t *testing.T, r *srvRig) {
			r.state("HELD")
			r.wait(60 * time.Second)
			srvEqual(t, "state", r.stateName(), "NONE")
		}},
		{id: "MADCAP-B-5", change: func(c *madcap.ServerConfig) { c.OfferHold = 90 * time.Second }, run: func(t *testing.T, r *srvRig) {
			srvEqual(t, "default", madcap.DefaultOfferHold, 60*time.Second)
			r.state("HELD")
			r.wait(89 * time.Second)
			srvEqual(t, "state", r.stateName(), "HELD")
			r.wait(time.Second)
			srvEqual(t, "state", r.stateName(), "NONE")
		}},
		{id: "MADCAP-2.2.3-6", run: func(t *testing.T, r *srvRig) {
			r.multicast(srvDiscover(1, srvNumber(8, 8))) // all there are
			r.offer()
			r.unicast(srvRequest(2, srvID("thief")))
			r.nak(madcap.CodeNotCompleted, madcap.OptNumberOfAddresses)
			r.multicast(srvRequest(3, srvNames(srvAddr), srvNumber(8, 8)))
			r.ack(typeRequest)
		}},
		{id: "MADCAP-2.2.3-1", change: func(c *madcap.ServerConfig) { c.MaxHolds = -1 }, run: func(t *testing.T, r *srvRig) {
			r.multicast(srvDiscover(1))
			r.silent(madcap.IgnoredBusy)
			r.multicast(srvRequest(2, srvNames(srvAddr)))
			r.ack(typeRequest)
		}},
		{id: "MADCAP-D-61", run: func(t *testing.T, r *srvRig) {
			unknown := func(m *madcap.Message) { r.give(madcap.Datagram{From: srvClient, Payload: r.octets(m)}) }
			r.state("HELD")
			unknown(srvRequest(1, srvNames(srvOther)))
			r.silent(madcap.IgnoredOther)
			r.asked(madcap.OpWithdraw)
			unknown(srvRequest(2)) // without a Server Identifier: unicast
			r.ack(typeRequest)
			unknown(srvRenew(3))
			r.ack(typeRenew)
			r.cfg.Secure = true
			r.restart(madcap.ServerSnapshot{})
			unknown(srvRenew(4))
			r.silent(madcap.IgnoredInsecure)
		}},
		{id: "MADCAP-4-2", change: func(c *madcap.ServerConfig) { c.Secure = true }, run: func(t *testing.T, r *srvRig) {
			for typ := madcap.MessageType(1); typ <= 9; typ++ {
				m := srvMsg(typ, uint32(typ))
				r.multicast(m)
				srvEqual(t, typ.String()+" answered", len(r.sends) == 1, typ == madcap.TypeGetInfo)
				r.sends = nil
			}
			r.unicast(srvRequest(20))
			r.ack(typeRequest)
			r.unicast(srvRelease(21))
			r.ack(typeRelease)
		}},
		{id: "MADCAP-2.2-6", change: func(c *madcap.ServerConfig) { c.Secure = true }, run: func(t *testing.T, r *srvRig) {
			r.unicast(srvDiscover(1))
			r.multicast(srvDiscover(2))
			r.silent(madcap.IgnoredInsecure)
			r.asked()
		}},
	})
}
