// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// srvLoad drives a server as a busy driver does: every question is granted at
// once, from memory that is used again.
type srvLoad struct {
	s      *madcap.Server
	now    time.Time
	xid    uint32
	tick   time.Duration // of fresh
	ranges []scope.Range
	sends  int
}

func newSrvLoad(t testing.TB, change func(*madcap.ServerConfig)) *srvLoad {
	t.Helper()
	cfg := srvConfig()
	if change != nil {
		change(&cfg)
	}
	s, err := madcap.NewServer(cfg, madcap.ServerSnapshot{})
	if err != nil {
		t.Fatal(err)
	}
	return &srvLoad{s: s, now: srvStart, tick: 10 * time.Millisecond, ranges: []scope.Range{scope.Single(srvScope.Next())}}
}

// give hands a datagram over and carries out what comes of it.
func (l *srvLoad) give(to netip.Addr, payload []byte) {
	l.s.Receive(l.now, madcap.Datagram{From: srvClient, To: to, Local: srvAddr, Payload: payload})
	for e := range l.s.Effects() {
		switch e := e.(type) {
		case *madcap.Send:
			l.sends++
		case *madcap.Ask:
			if e.Token != 0 {
				l.s.Resolve(l.now, e.Token, madcap.Outcome{Granted: true, Scope: srvScope, Ranges: l.ranges, Start: l.now, End: l.now.Add(time.Hour)})
			}
		}
	}
}

// fresh gives the datagram with another xid and Lease Identifier, which stand
// in octets 4 to 7 and, as it comes first, from octet 13 on, and lets a little
// time pass.
func (l *srvLoad) fresh(to netip.Addr, payload []byte) {
	l.xid++
	l.now = l.now.Add(l.tick)
	binary.BigEndian.PutUint32(payload[4:], l.xid)
	binary.BigEndian.PutUint32(payload[13:], l.xid)
	l.give(to, payload)
	l.s.Advance(l.now)
}

// srvPlain returns a message with the Lease Identifier first.
func srvPlain(t testing.TB, m *madcap.Message) []byte {
	m.Order = []madcap.OptionCode{madcap.OptLeaseIdentifier}
	return (&srvRig{t: t}).octets(m)
}

// The steady state of a server, its caches full and its reservations coming
// and going, costs no memory, whatever clients send.
func TestServerAllocs(t *testing.T) {
	if srvRace {
		t.Skip("the race detector allocates")
	}
	language := func(m *madcap.Message) { m.RequestedLanguage = madcap.Some([]byte("en")) }
	ones := make([]madcap.OptionCode, 0, 4)
	for _, c := range []struct {
		name    string
		to      netip.Addr
		payload []byte
		repeat  bool // the same datagram again and again
		sends   bool
	}{
		{"GETINFO", srvGroup, srvPlain(t, srvInfo(1, append(ones, 9, 11, 12, 17)...)), false, true},
		{"GETINFO with language", srvGroup, srvPlain(t, srvMsg(madcap.TypeGetInfo, 1, language)), false, true},
		{"DISCOVER", srvGroup, srvPlain(t, srvDiscover(1, srvFor(time.Hour))), false, true},
		{"REQUEST", srvAddr, srvPlain(t, srvRequest(1, srvFor(time.Hour), srvFeatures([]madcap.Feature{1}, []madcap.Feature{0}, nil))), false, true},
		{"REQUEST with ranges", srvAddr, srvPlain(t, srvRequest(1, srvRanges("239.192.0.1", "239.192.1.0/24"))), false, true},
		{"REQUEST for another server", srvGroup, srvPlain(t, srvRequest(1, srvNames(srvOther))), false, false},
		{"RENEW", srvAddr, srvPlain(t, srvRenew(1, srvFor(time.Hour))), false, true},
		{"RELEASE", srvAddr, srvPlain(t, srvRelease(1)), false, true},
		{"retransmission", srvAddr, srvPlain(t, srvRequest(1)), true, true},
		{"NAK", srvAddr, srvPlain(t, srvMsg(madcap.TypeNak, 1)), false, false},
		{"no Lease Identifier", srvAddr, []byte("\x00\x03\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"), true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newSrvLoad(t, func(c *madcap.ServerConfig) {
				c.ResponseCacheInterval = 2 * time.Second
				c.OfferHold = 2 * time.Second
				c.Nesting = scope.NewNesting(c.Scopes[0].ID(), c.Scopes[1].ID())
			})
			step := l.fresh
			if c.repeat {
				step = l.give
			}
			for range 2000 {
				step(c.to, c.payload)
			}
			before := l.sends
			if n := testing.AllocsPerRun(1000, func() { step(c.to, c.payload) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
			srvEqual(t, "answered", l.sends > before, c.sends)
		})
	}
}

// BenchmarkServerReceive takes a datagram to its answer, with an allocator that
// grants everything, in a server that remembers so many responses and
// reservations: the cost must not grow with them, but for the processor's own
// caches.
func BenchmarkServerReceive(b *testing.B) {
	for _, c := range []struct {
		name    string
		to      netip.Addr
		message *madcap.Message
		repeat  bool
	}{
		{"GETINFO", srvGroup, srvInfo(1, 9, 12), false},
		{"DISCOVER", srvGroup, srvDiscover(1, srvFor(time.Hour)), false},
		{"REQUEST", srvAddr, srvRequest(1, srvFor(time.Hour)), false},
		{"RENEW", srvAddr, srvRenew(1, srvFor(time.Hour)), false},
		{"duplicate", srvAddr, srvRequest(1, srvFor(time.Hour)), true},
		{"malformed", srvAddr, nil, true},
	} {
		for _, size := range []int{100, 100_000} {
			b.Run(fmt.Sprintf("%s/remembered=%d", c.name, size), func(b *testing.B) {
				l := newSrvLoad(b, func(c *madcap.ServerConfig) {
					c.MaxHolds, c.MaxResponses = 2*size, size
					c.OfferHold = time.Duration(size) * time.Millisecond
					c.ResponseCacheInterval = 300 * time.Second
				})
				l.tick = time.Millisecond
				discover := srvPlain(b, srvDiscover(1))
				for range size {
					l.fresh(srvGroup, discover)
				}
				if c.name != "DISCOVER" {
					l.tick = 0 // the reservations stay
				}
				payload := []byte("\x00\x03\x00\x01")
				if c.message != nil {
					payload = srvPlain(b, c.message)
				}
				step := l.fresh
				if c.repeat {
					step = l.give
				}
				for range size {
					step(c.to, payload)
				}
				b.ReportAllocs()
				for b.Loop() {
					step(c.to, payload)
				}
			})
		}
	}
}
