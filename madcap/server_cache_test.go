// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// Retransmissions (RFC 2730, section 2.1.4).
func TestServerCache(t *testing.T) {
	interval := func(d time.Duration) func(*madcap.ServerConfig) {
		return func(c *madcap.ServerConfig) { c.ResponseCacheInterval = d }
	}
	runSrvCases(t, []srvCase{
		{id: "MADCAP-2.1.4-6", run: func(t *testing.T, r *srvRig) {
			for _, m := range []*madcap.Message{
				srvDiscover(1, srvID("d")), srvRequest(2), srvRenew(3), srvRequest(4), // ACK, ACK, NAK
				srvInfo(5, madcap.OptCurrentTime), srvRelease(6), srvInfo(7),
			} {
				r.unicast(m)
				asked := len(r.asks)
				r.wait(time.Second) // what is sent again tells the old time
				r.unicast(m)
				if len(r.sends) != 2 || string(r.sends[0].Packet) != string(r.sends[1].Packet) {
					t.Errorf("%v sent again: %d answers, not the same", m.Type, len(r.sends))
				}
				srvEqual(t, "questions", len(r.asks), asked)
				r.sends = nil
			}
		}},
		{id: "MADCAP-D-34/content is not compared", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, srvFor(time.Hour)))
			r.ack(typeRequest)
			r.unicast(srvRequest(1, srvFor(2*time.Hour), srvNumber(3, 3)))
			srvEqual(t, "lease time", r.ack(typeRequest).LeaseTime.Value, time.Hour)
			r.asked(madcap.OpAllocate)
		}},
		{id: "MADCAP-D-34/the sender is not compared", run: func(t *testing.T, r *srvRig) {
			elsewhere := netip.MustParseAddrPort("192.0.2.77:1")
			r.unicast(srvRequest(1))
			r.ack(typeRequest)
			r.give(madcap.Datagram{From: elsewhere, To: srvAddr, Payload: r.octets(srvRequest(1))})
			srvEqual(t, "destination", r.sends[0].To, elsewhere)
			r.ack(typeRequest)
			r.asked(madcap.OpAllocate)
		}},
		{id: "MADCAP-2.1.4-7", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRenew(1))
			r.nak(madcap.CodeLeaseUnknown, 0)
			r.unicast(srvRequest(2))
			r.ack(typeRequest)
			r.wait(59 * time.Second)
			r.unicast(srvRenew(1))
			r.nak(madcap.CodeLeaseUnknown, 0) // still remembered
			r.wait(time.Second)
			r.unicast(srvRenew(1))
			r.ack(typeRenew) // taken for a new message
		}},
		{id: "MADCAP-2.1.4-8", run: func(t *testing.T, r *srvRig) {
			r.alloc.NotYet = srvStart.Add(time.Hour)
			r.multicast(srvDiscover(1, srvClock(0), srvUntil(time.Minute)))
			r.silent(madcap.IgnoredDiscover)
			r.alloc.NotYet = time.Time{}
			r.multicast(srvDiscover(1, srvClock(0), srvUntil(time.Minute)))
			r.offer()
		}},
		{id: "MADCAP-2.1.4-9", run: func(t *testing.T, r *srvRig) {
			for d, ok := range map[time.Duration]bool{0: true, time.Second: true, 300 * time.Second: true, 301 * time.Second: false, -1: false} {
				if err := r.s.SetResponseCacheInterval(d); (err == nil) != ok || err != nil && !errors.Is(err, madcap.ErrConfig) {
					t.Errorf("interval %v: %v", d, err)
				}
			}
			cfg := srvConfig()
			cfg.ResponseCacheInterval = 301 * time.Second
			if _, err := madcap.NewServer(cfg, madcap.ServerSnapshot{}); !errors.Is(err, madcap.ErrConfig) {
				t.Errorf("NewServer: %v", err)
			}
		}},
		{id: "MADCAP-2.1.4-9/adjusted at run time", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1))
			r.ack(typeRequest)
			r.wait(30 * time.Second)
			r.s.SetResponseCacheInterval(20 * time.Second)
			r.unicast(srvRequest(1))
			r.ack(typeRequest) // the allocator knows the transaction
			r.asked(madcap.OpAllocate, madcap.OpAllocate)
		}},
		{id: "MADCAP-B-6", run: func(t *testing.T, r *srvRig) {
			srvEqual(t, "default", madcap.DefaultResponseCacheInterval, 60*time.Second)
			srvEqual(t, "maximum", madcap.MaxResponseCacheInterval, 300*time.Second)
			r.unicast(srvInfo(1, madcap.OptCurrentTime))
			first := r.ack(madcap.TypeGetInfo).CurrentTime
			r.wait(60*time.Second - 1)
			r.unicast(srvInfo(1, madcap.OptCurrentTime))
			srvEqual(t, "from memory", r.ack(madcap.TypeGetInfo).CurrentTime, first)
			r.wait(1)
			r.unicast(srvInfo(1, madcap.OptCurrentTime))
			srvEqual(t, "anew", r.ack(madcap.TypeGetInfo).CurrentTime, first.Add(60*time.Second))
		}},
		{id: "MADCAP-B-7", run: func(t *testing.T, r *srvRig) {
			// The longest a triple is remembered is below XID-REUSE-INTERVAL.
			if madcap.MaxResponseCacheInterval >= 600*time.Second {
				t.Error("a triple may be used again while it is remembered")
			}
			r.s.SetResponseCacheInterval(madcap.MaxResponseCacheInterval)
			r.unicast(srvInfo(1, madcap.OptCurrentTime))
			r.sends = nil
			r.wait(600 * time.Second)
			r.unicast(srvInfo(1, madcap.OptCurrentTime))
			srvEqual(t, "clock", r.ack(madcap.TypeGetInfo).CurrentTime, r.now)
		}},
		{id: "no cache", change: interval(-1), run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRenew(1))
			r.unicast(srvRenew(1))
			srvEqual(t, "questions", len(r.asks), 2)
			srvEqual(t, "answers", len(r.sends), 2)
		}},
		{id: "a NAK of step 6 is repeated, too", run: func(t *testing.T, r *srvRig) {
			for range 2 {
				r.raw(srvType(9)(r.octets(srvRequest(1))))
				r.nak(madcap.CodeInvalidRequest, madcap.NoOption)
			}
		}},
		{id: "at the limit the oldest goes", change: func(c *madcap.ServerConfig) { c.MaxResponses = 100 }, run: func(t *testing.T, r *srvRig) {
			for i := range 150 {
				r.unicast(srvInfo(uint32(i), madcap.OptCurrentTime))
			}
			srvEqual(t, "remembered", len(r.s.Snapshot(r.now).Responses), 100)
			r.wait(time.Second)
			r.sends = nil
			r.unicast(srvInfo(50, madcap.OptCurrentTime))
			srvEqual(t, "51st", r.ack(madcap.TypeGetInfo).CurrentTime, srvStart)
			r.unicast(srvInfo(49, madcap.OptCurrentTime))
			srvEqual(t, "50th", r.ack(madcap.TypeGetInfo).CurrentTime, r.now)
		}},
		{id: "at the limit of octets, too", change: func(c *madcap.ServerConfig) { c.MaxResponseOctets = 100_000 }, run: func(t *testing.T, r *srvRig) {
			for i := range 40 {
				r.unicast(srvMsg(madcap.TypeGetInfo, uint32(i), srvID(fmt.Sprintf("%03d%s", i, make([]byte, 10_000)))))
			}
			octets := 0
			for _, a := range r.s.Snapshot(r.now).Responses {
				octets += len(a.Datagram)
			}
			if octets > 100_000 || octets < 50_000 {
				t.Errorf("%d octets remembered", octets)
			}
			srvEqual(t, "answers", len(r.sends), 40)
		}},
		{id: "one answer beyond the limit of octets", change: func(c *madcap.ServerConfig) { c.MaxResponseOctets = 1 }, run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1))
			r.ack(typeRequest)
			r.unicast(srvRequest(1))
			r.ack(typeRequest)
			r.asked(madcap.OpAllocate, madcap.OpAllocate)
		}},
		{id: "long identifiers that begin alike", run: func(t *testing.T, r *srvRig) {
			long := string(make([]byte, 40))
			for _, id := range []string{long, long + "x", long[:32], long[:31], long[:33]} {
				r.unicast(srvRequest(1, srvID(id)))
			}
			srvEqual(t, "answers", len(r.sends), 5)
			srvEqual(t, "leases", len(r.alloc.Leases), 5)
			for i, id := range []string{long, long + "x", long[:32], long[:31], long[:33]} {
				r.unicast(srvRequest(1, srvID(id)))
				srvEqual(t, "the same answer", string(r.sends[5+i].Packet), string(r.sends[i].Packet))
			}
		}},
	})
}
