// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// Everything that clients can make the server remember has a limit.
func TestServerLimits(t *testing.T) {
	numbered := func(i int) func(*madcap.Message) { return srvID(fmt.Sprintf("lease %d", i)) }
	from := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 1000)
	}
	runSrvCases(t, []srvCase{
		{id: "holds", change: func(c *madcap.ServerConfig) { c.MaxHolds = 3 }, run: func(t *testing.T, r *srvRig) {
			for i := range 5 {
				r.multicast(srvDiscover(uint32(i), numbered(i)))
			}
			srvEqual(t, "offers", len(r.sends), 3)
			srvEqual(t, "busy", r.s.Stats().Ignored[madcap.IgnoredBusy], 2)
			r.sends = nil
			r.multicast(srvDiscover(9, numbered(1))) // held already
			r.offer()
			r.wait(time.Minute)
			r.multicast(srvDiscover(10, numbered(4)))
			r.offer()
		}},
		{id: "holds while the allocator takes its time", change: func(c *madcap.ServerConfig) { c.MaxHolds = 3 }, run: func(t *testing.T, r *srvRig) {
			r.late = true
			for i := range 5 {
				r.multicast(srvDiscover(uint32(i), numbered(i)))
			}
			srvEqual(t, "open questions", len(r.open), 3)
			for range 3 {
				r.resolve()
			}
			srvEqual(t, "offers", len(r.sends), 3)
			srvEqual(t, "held", len(r.s.Snapshot(r.now).Holds), 3)
		}},
		{id: "questions", change: func(c *madcap.ServerConfig) { c.MaxPending = 2 }, run: func(t *testing.T, r *srvRig) {
			r.late = true
			for i := range 3 {
				r.unicast(srvRequest(uint32(i), numbered(i)))
			}
			srvEqual(t, "open questions", len(r.open), 2)
			srvEqual(t, "busy", r.s.Stats().Ignored[madcap.IgnoredBusy], 1)
			r.resolve()
			r.unicast(srvRequest(2, numbered(2))) // sent again
			srvEqual(t, "open questions", len(r.open), 2)
		}},
		{id: "deferrals", change: func(c *madcap.ServerConfig) { c.MaxDeferred = 2 }, run: func(t *testing.T, r *srvRig) {
			r.alloc.Later = func(now time.Time, _ *madcap.Ask) time.Time { return now.Add(time.Hour) }
			r.late = true
			for i := range 4 {
				r.unicast(srvRequest(uint32(i), numbered(i), srvPatience))
				srvEqual(t, "may be deferred", r.asks[i].CanDefer, i < 2)
			}
			for range 4 {
				r.resolve()
			}
			srvEqual(t, "deferred", len(r.s.Snapshot(r.now).Deferred), 2)
			srvEqual(t, "answers", len(r.sends), 4)
			r.unicast(srvRequest(10, numbered(1), srvPatience)) // once more the same
			srvEqual(t, "may be deferred again", r.asks[4].CanDefer, true)
		}},
		{id: "identifiers", change: func(c *madcap.ServerConfig) { c.MaxIdentifier = 20 }, run: func(t *testing.T, r *srvRig) {
			long, fits := srvID("123456789012345678901"), srvID("12345678901234567890")
			r.unicast(srvRequest(1, long))
			r.nak(madcap.CodeNotCompleted, madcap.NoOption)
			r.unicast(srvRenew(2, long))
			r.nak(madcap.CodeLeaseUnknown, 0)
			r.unicast(srvRelease(3, long))
			r.nak(madcap.CodeLeaseUnknown, 0)
			r.multicast(srvDiscover(4, long))
			r.silent(madcap.IgnoredDiscover)
			r.asked()
			r.multicast(srvMsg(madcap.TypeGetInfo, 5, long))
			r.ack(madcap.TypeGetInfo)
			r.unicast(srvRequest(6, fits))
			r.ack(typeRequest)
		}},
		{id: "ranges", change: func(c *madcap.ServerConfig) { c.MaxRanges = 2 }, run: func(t *testing.T, r *srvRig) {
			list := []string{"239.192.0.1", "239.192.0.2", "239.192.0.3"}
			r.unicast(srvRequest(1, srvRanges(list...)))
			r.nak(madcap.CodeNotCompleted, madcap.OptAddressRanges)
			r.multicast(srvDiscover(2, srvRanges(list...)))
			r.silent(madcap.IgnoredDiscover)
			r.asked()
			r.unicast(srvRequest(3, srvRanges(list[:2]...)))
			r.ack(typeRequest)
		}},
		{id: "MADCAP-D-55", run: func(t *testing.T, r *srvRig) {
			for i := range 1000 { // off by default
				r.unicast(srvRenew(uint32(i)))
			}
			srvEqual(t, "answers", len(r.sends), 1000)
		}},
		{id: "MADCAP-2.6-2", change: func(c *madcap.ServerConfig) { c.NakLimit, c.NakInterval, c.MaxSources = 3, time.Minute, 2 }, run: func(t *testing.T, r *srvRig) {
			give := func(i, xid int, m *madcap.Message) int {
				r.sends = nil
				m.XID = uint32(xid)
				r.give(madcap.Datagram{From: from(i), To: srvAddr, Payload: r.octets(m)})
				return len(r.sends)
			}
			for i := range 5 {
				srvEqual(t, fmt.Sprint("NAK ", i), give(1, i, srvRenew(0)) == 1, i < 3)
			}
			srvEqual(t, "another source", give(2, 10, srvRenew(0)), 1)
			srvEqual(t, "a source too many", give(3, 11, srvRenew(0)), 0)
			srvEqual(t, "what is right is answered", give(1, 12, srvRequest(0)), 1)
			srvEqual(t, "limited", r.s.Stats().Ignored[madcap.IgnoredNakLimit], 3)
			r.wait(time.Minute - 1)
			srvEqual(t, "same interval", give(1, 13, srvRenew(0, srvID("none"))), 0)
			r.wait(1)
			srvEqual(t, "next interval", give(1, 14, srvRenew(0, srvID("none"))), 1)
			srvEqual(t, "a source less", give(3, 15, srvRenew(0, srvID("none"))), 1)
		}},
		{id: "GETINFO", change: func(c *madcap.ServerConfig) { c.InfoLimit = 2 }, run: func(t *testing.T, r *srvRig) {
			for i := range 4 {
				r.unicast(srvInfo(uint32(i/2), 9)) // sent again counts, too
			}
			srvEqual(t, "answers", len(r.sends), 2)
			srvEqual(t, "limited", r.s.Stats().Ignored[madcap.IgnoredInfoLimit], 2)
			r.sends = nil
			r.unicast(srvRequest(9))
			r.ack(typeRequest)
			r.wait(time.Minute)
			r.unicast(srvInfo(10, 9))
			r.ack(madcap.TypeGetInfo)
		}},
	})
}

// A configuration that cannot work is refused.
func TestServerConfig(t *testing.T) {
	addr := func(s ...string) []netip.Addr {
		var as []netip.Addr
		for _, a := range s {
			as = append(as, netip.MustParseAddr(a))
		}
		return as
	}
	var many []scope.Scope
	for i := range 256 {
		a := netip.AddrFrom4([4]byte{239, 1, byte(i), 0})
		many = append(many, scope.Scope{Range: scope.RangeOf(netip.PrefixFrom(a, 24))})
	}
	for name, change := range map[string]func(*madcap.ServerConfig){
		"no identifier":           func(c *madcap.ServerConfig) { c.Identifiers = nil },
		"multicast identifier":    func(c *madcap.ServerConfig) { c.Identifiers = addr("198.51.100.1", "239.1.1.1") },
		"unspecified identifier":  func(c *madcap.ServerConfig) { c.Identifiers = addr("::") },
		"broadcast identifier":    func(c *madcap.ServerConfig) { c.Identifiers = addr("255.255.255.255") },
		"zoned identifier":        func(c *madcap.ServerConfig) { c.Identifiers = addr("fe80::1%eth0") },
		"zero identifier":         func(c *madcap.ServerConfig) { c.Identifiers = []netip.Addr{{}} },
		"unicast information":     func(c *madcap.ServerConfig) { c.InfoGroups = addr("192.0.2.1") },
		"unknown feature":         func(c *madcap.ServerConfig) { c.Features = []madcap.Feature{3} },
		"scope without addresses": func(c *madcap.ServerConfig) { c.Scopes = []scope.Scope{{}} },
		"scope not multicast": func(c *madcap.ServerConfig) {
			c.Scopes = []scope.Scope{{Range: scope.MustRange("192.0.2.0", "192.0.2.255")}}
		},
		"256 scopes": func(c *madcap.ServerConfig) { c.Scopes = many },
		"contradictory nesting": func(c *madcap.ServerConfig) {
			a, b, d := scope.IPv4Local().ID(), scope.IPv4OrganizationLocal().ID(), scope.IPv4Global().ID()
			c.Nesting = scope.NewNesting(a, b, d)
			c.Nesting.Set(a, b, scope.Yes)
			c.Nesting.Set(b, d, scope.Yes)
			c.Nesting.Set(a, d, scope.No)
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := srvConfig()
			change(&cfg)
			if _, err := madcap.NewServer(cfg, madcap.ServerSnapshot{}); !errors.Is(err, madcap.ErrConfig) {
				t.Errorf("error %v, want ErrConfig", err)
			}
		})
	}
	cfg := srvConfig()
	cfg.Scopes = many[:255]
	cfg.Identifiers = addr("::ffff:198.51.100.1")
	s, err := madcap.NewServer(cfg, madcap.ServerSnapshot{})
	if err != nil {
		t.Fatalf("255 scopes: %v", err)
	}
	s.Receive(srvStart, madcap.Datagram{From: srvClient, Payload: (&srvRig{t: t}).octets(srvInfo(1, 11))})
	for e := range s.Effects() {
		srvEqual(t, "mapped identifier", e.(*madcap.Send).From, srvAddr)
	}
}

// A server that starts with the snapshot of another goes on where that was.
func TestServerSnapshot(t *testing.T) {
	again := func(r *srvRig) { r.restart(r.s.Snapshot(r.now)) }
	runSrvCases(t, []srvCase{
		{id: "responses", run: func(t *testing.T, r *srvRig) {
			long := srvID(string(make([]byte, 100)))
			r.unicast(srvRequest(1))
			r.unicast(srvRequest(2, long))
			r.unicast(srvRelease(3, srvID("none")))
			before := r.sends
			r.asks, r.sends = nil, nil
			again(r)
			r.wait(59 * time.Second)
			r.unicast(srvRequest(1))
			r.unicast(srvRequest(2, long))
			r.unicast(srvRelease(3, srvID("none")))
			for i := range before {
				srvEqual(t, "the same answer", string(r.sends[i].Packet), string(before[i].Packet))
			}
			r.asked()
			r.sends = nil
			r.wait(time.Second) // their time runs on
			r.unicast(srvRelease(3, srvID("none")))
			r.asked(madcap.OpRelease)
		}},
		{id: "holds", run: func(t *testing.T, r *srvRig) {
			r.state("HELD")
			again(r)
			srvEqual(t, "state", r.stateName(), "HELD")
			r.wait(59 * time.Second)
			r.asked()
			r.wait(time.Second)
			a := r.asked(madcap.OpWithdraw)
			srvEqual(t, "client", a.From, srvClient)
			srvEqual(t, "server", a.Server, srvAddr)
			srvEqual(t, "family", a.Family, madcap.FamilyIPv4)
		}},
		{id: "deferrals", run: func(t *testing.T, r *srvRig) {
			r.state("DEFERRED")
			again(r)
			r.unicast(srvRequest(1, srvPatience, srvFor(time.Hour)))
			r.nak(madcap.CodeInvalidRequest, madcap.NoOption)
			r.unicast(srvRequest(2, srvPatience))
			r.ack(typeRequest)
			srvEqual(t, "continuation", string(r.asked(madcap.OpAllocate).Continuation), "later")
		}},
		{id: "a deferral that is being asked about", run: func(t *testing.T, r *srvRig) {
			r.state("DEFERRED")
			r.late = true
			r.unicast(srvRequest(1, srvPatience))
			again(r) // the question is forgotten
			r.late = false
			r.unicast(srvRequest(1, srvPatience))
			r.ack(typeRequest)
			srvEqual(t, "state", r.stateName(), "LEASED")
		}},
		{id: "without a snapshot the allocator remembers", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1))
			first := r.ack(typeRequest).Ranges.Value[0]
			r.restart(madcap.ServerSnapshot{})
			r.unicast(srvRequest(1))
			srvEqual(t, "the same address", r.ack(typeRequest).Ranges.Value[0], first)
			srvEqual(t, "leases", len(r.alloc.Leases), 1)
		}},
		{id: "lower limits", run: func(t *testing.T, r *srvRig) {
			r.alloc.Later = func(now time.Time, _ *madcap.Ask) time.Time { return now.Add(time.Hour) }
			for i := range 4 {
				r.unicast(srvRequest(uint32(i), srvID(fmt.Sprint("deferred ", i)), srvPatience))
				r.unicast(srvDiscover(uint32(10+i), srvID(fmt.Sprint("held ", i))))
				r.wait(time.Second)
			}
			r.cfg.MaxResponses, r.cfg.MaxHolds, r.cfg.MaxDeferred = 1, 1, 1
			r.asks = nil
			again(r)
			var gone []string
			for _, a := range r.asks {
				gone = append(gone, a.Op.String()+" "+string(a.ID))
			}
			srvEqual(t, "given up", fmt.Sprint(gone), "[withdraw held 0 withdraw held 1 withdraw held 2 cancel deferred 2 cancel deferred 1 cancel deferred 0]")
			snap := r.s.Snapshot(r.now)
			srvEqual(t, "left", [3]int{len(snap.Responses), len(snap.Holds), len(snap.Deferred)}, [3]int{1, 1, 1})
		}},
		{id: "broken", run: func(t *testing.T, r *srvRig) {
			for name, snap := range map[string]madcap.ServerSnapshot{
				"digest":   {Responses: []madcap.ServerResponse{{ID: []byte("short"), Digest: true, Datagram: []byte("x")}}},
				"deferral": {Deferred: []madcap.ServerDeferral{{ID: srvLease, Options: []byte("short")}}},
			} {
				if _, err := madcap.NewServer(r.cfg, snap); !errors.Is(err, madcap.ErrConfig) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}},
	})
}
