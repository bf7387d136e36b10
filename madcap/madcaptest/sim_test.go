// SPDX-License-Identifier: BSD-3-Clause

package madcaptest_test

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/madcap/madcaptest"
	"github.com/mcastalloc/malloc/scope"
)

// seeds returns how many runs to make: so many, or what MALLOC_SEEDS says.
func seeds(t *testing.T, n uint64) uint64 {
	if v := os.Getenv("MALLOC_SEEDS"); v != "" {
		var err error
		if n, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if testing.Short() {
		n = min(n, 5)
	}
	return n
}

// world is a network at work.
type world struct {
	*madcaptest.Network
	until    time.Time // when its clients rest
	renewals int
}

// newWorld makes a network of three servers, who share the addresses of a scope,
// and four clients.
func newWorld(seed uint64, c madcaptest.Conditions) *world {
	w := &world{Network: madcaptest.NewNetwork(seed, c)}
	all := madcaptest.NewAllocator(scope.IPv4OrganizationLocal(), 24)
	for i := range 3 {
		a := madcaptest.NewAllocator(scope.IPv4OrganizationLocal(), 0)
		a.Pool, a.Longest = all.Pool[8*i:8*i+8], 3*time.Hour
		cfg := madcap.ServerConfig{
			Scopes:   []scope.Scope{scope.IPv4Local(), scope.IPv4OrganizationLocal()},
			Features: []madcap.Feature{madcap.RetryAfter, madcap.SharedLeaseIdentifier},
		}
		w.AddServer(netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + i)}), cfg, a)
	}
	for i := range 4 {
		w.AddClient(netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}), 40000))
	}
	return w
}

// chance is true with a probability of one in n.
func (w *world) chance(n int) bool { return w.Rand.IntN(n) == 0 }

func (w *world) seconds(least, most int) time.Duration {
	return time.Duration(least+w.Rand.IntN(most-least+1)) * time.Second
}

// live lets a client do something now and then.
func (w *world) live(c *madcaptest.ClientNode) {
	if w.Now.After(w.until) {
		return
	}
	w.act(c)
	w.After(w.seconds(5, 120), func() { w.live(c) })
}

func (w *world) act(c *madcaptest.ClientNode) {
	var idle []string
	for _, id := range slices.Sorted(maps.Keys(c.Leases)) {
		switch b := c.Leases[id]; {
		case !c.Clock().Before(b.End):
			delete(c.Leases, id) // over
		case !b.Busy:
			idle = append(idle, id)
		}
	}
	switch kind := w.Rand.IntN(10); {
	case kind < 4 && len(c.Leases)+c.Open < 6:
		m := &madcap.Message{Family: madcap.FamilyIPv4, Scope: scope.IPv4OrganizationLocal().ID(), LeaseTime: madcap.Some(w.seconds(60, 7200))}
		if w.chance(3) {
			m.MinLeaseTime = madcap.Some((m.LeaseTime.Value / 2).Truncate(time.Second))
		}
		if w.chance(3) {
			m.Addresses = madcap.NumberOfAddresses{Min: 1, Desired: uint16(1 + w.Rand.IntN(3))}
		}
		if w.chance(4) {
			m.StartTime = c.Clock().Add(w.seconds(-30, 3600)).Truncate(time.Second)
		}
		if w.chance(2) {
			m.Features = madcap.Some(madcap.FeatureList{Supported: []madcap.Feature{madcap.RetryAfter}})
		}
		var at *madcaptest.ServerNode
		if w.chance(3) {
			at = w.Servers[w.Rand.IntN(len(w.Servers))]
		}
		c.Allocate(m, at)
	case kind < 7 && len(idle) > 0:
		id := idle[w.Rand.IntN(len(idle))]
		length := w.seconds(60, 7200)
		c.Renew(id, length, (length / time.Duration(1+w.Rand.IntN(4))).Truncate(time.Second), w.chance(2))
		w.renewals++
	case kind < 9 && len(idle) > 0:
		c.Release(idle[w.Rand.IntN(len(idle))])
	case kind == 9 && w.chance(2):
		c.Cancel()
	}
}

// putOff lets the allocators put off one request in five.
func (w *world) putOff() {
	for _, s := range w.Servers {
		s.Allocator.Later = func(now time.Time, a *madcap.Ask) time.Time {
			if a.Continuation == nil && a.XID%5 != 0 || a.Continuation != nil && a.XID%2 == 0 {
				return time.Time{}
			}
			return now.Add(time.Duration(30+a.XID%300) * time.Second)
		}
	}
}

// trouble lets servers and clients crash and the network break, now and then.
func (w *world) trouble() {
	if w.Now.After(w.until) {
		return
	}
	switch w.Rand.IntN(6) {
	case 0, 1: // a server goes and comes back
		s := w.Servers[w.Rand.IntN(len(w.Servers))]
		if s.Server == nil {
			break
		}
		snap := s.Crash()
		forget := w.chance(2)
		w.After(w.seconds(0, 90), func() {
			if forget {
				s.Forgot = true
				snap = madcap.ServerSnapshot{}
			}
			s.Start(snap)
		})
	case 2: // a client goes and comes back; its leases are nobody's
		w.Clients[w.Rand.IntN(len(w.Clients))].Restart()
	case 3, 4: // the network is divided for a while
		for _, s := range w.Servers {
			s.Side = w.Rand.IntN(2)
		}
		for _, c := range w.Clients {
			c.Side = w.Rand.IntN(2)
		}
		w.After(w.seconds(1, 120), w.heal)
	}
	w.After(w.seconds(30, 600), w.trouble)
}

func (w *world) heal() {
	for _, s := range w.Servers {
		s.Side = 0
	}
	for _, c := range w.Clients {
		c.Side = 0
	}
}

// run lets the clients live for a time, and rest.
func (w *world) run(t *testing.T, seed uint64, d time.Duration) {
	t.Helper()
	w.until = w.Now.Add(d)
	for _, c := range w.Clients {
		w.After(w.seconds(0, 10), func() { w.live(c) })
	}
	w.must(t, seed, w.Run(d))
	w.heal()
	w.must(t, seed, w.Run(time.Hour)) // transactions and retries end
	for _, c := range w.Clients {
		if c.Open != 0 {
			w.must(t, seed, fmt.Errorf("%v has %d transactions under way", c.Addr, c.Open))
		}
	}
}

func (w *world) must(t *testing.T, seed uint64, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, w.Transcript())
	}
}

// In a perfect network servers hold exactly what their clients believe in: what
// was offered, put off or cancelled leaves nothing behind.
func TestPerfectNetwork(t *testing.T) {
	var offers, acks, deferred uint64
	renewals := 0
	for seed := range seeds(t, 6) {
		w := newWorld(seed, madcaptest.Conditions{MinDelay: 20 * time.Millisecond, MaxDelay: 20 * time.Millisecond})
		if seed%2 == 1 {
			w.putOff()
		}
		for i, s := range w.Servers {
			s.Blind = seed%3 == 1 && i < 2
		}
		w.run(t, seed, 4*time.Hour)
		w.must(t, seed, w.CheckAgreement())
		for _, s := range w.Servers {
			stats := s.Server.Stats()
			offers, acks, deferred = offers+stats.Offers, acks+stats.Acks, deferred+stats.Deferred
		}
		renewals += w.renewals
	}
	t.Logf("%d offers, %d ACKs, %d put off, %d renewals", offers, acks, deferred, renewals)
	if min(offers, acks, deferred) == 0 || renewals == 0 {
		t.Error("not everything happened")
	}
}

// bad is a network that loses, repeats and reorders.
var bad = madcaptest.Conditions{Loss: 0.15, Duplicate: 0.2, MinDelay: time.Millisecond, MaxDelay: 3 * time.Second, Thinking: 5 * time.Second}

// However bad the network, clients never believe in what their server does not
// hold; and in the end everything is free again.
func TestBadNetwork(t *testing.T) {
	for seed := range seeds(t, 6) {
		w := newWorld(seed, bad)
		if seed%2 == 1 {
			w.putOff()
		}
		for i, s := range w.Servers {
			s.Blind = seed%3 == 1 && i < 2
		}
		w.run(t, seed, 3*time.Hour)
		w.end(t, seed)
	}
}

// The same while servers crash and come back with or without their memory,
// clients forget everything, and the network is divided and heals.
func TestTroubledNetwork(t *testing.T) {
	for seed := range seeds(t, 12) {
		w := newWorld(seed, bad)
		if seed%2 == 1 {
			w.putOff()
		}
		w.After(time.Minute, w.trouble)
		w.run(t, seed, 3*time.Hour)
		w.end(t, seed)
	}
}

// The same with clocks that are wrong, up to a third of the allowance each and
// one far beyond it.
func TestSkewedNetwork(t *testing.T) {
	for seed := range seeds(t, 6) {
		w := newWorld(seed, bad)
		w.putOff()
		for _, s := range w.Servers {
			s.Crash() // it has read its clock
			s.Skew = w.seconds(-600, 600)
			s.Start(madcap.ServerSnapshot{})
		}
		for i, c := range w.Clients {
			c.Skew = w.seconds(-600, 600)
			if i == 0 {
				c.Skew = 5 * time.Hour
			}
		}
		w.run(t, seed, 3*time.Hour)
		w.end(t, seed)
	}
}

// end lets the clients go without a word and waits for the servers to be free.
func (w *world) end(t *testing.T, seed uint64) {
	t.Helper()
	for _, c := range w.Clients {
		c.Restart()
	}
	w.must(t, seed, w.Run(5*time.Hour)) // the longest lease and an hour
	w.must(t, seed, w.CheckFree())
}

// The same seed gives the same run.
func TestSimulationRepeats(t *testing.T) {
	run := func() string {
		w := newWorld(4711, bad)
		w.putOff()
		w.After(time.Minute, w.trouble)
		w.run(t, 4711, 20*time.Minute)
		return w.Transcript()
	}
	if first := run(); first != run() {
		t.Error("two runs with one seed differ")
	}
}
