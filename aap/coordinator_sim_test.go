// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/aap"
)

// seeds returns how many simulations to run: MALLOC_SEEDS, or few.
func seeds(t *testing.T, few int) int {
	if s := os.Getenv("MALLOC_SEEDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return few
}

// domain is a network of coordinators in virtual time, with clocks that differ.
// A datagram takes 40 ms, or is lost.
type domain struct {
	now   time.Time
	rng   *rand.Rand
	loss  float64
	nodes []*simNode
	mail  []simMail
	log   strings.Builder

	lastASA  time.Time
	rivals   time.Duration // the longest that two of them led
	twoSince time.Time
}

type simNode struct {
	*aap.Coordinator
	addr netip.AddrPort
	skew time.Duration
	dead bool
}

type simMail struct {
	at time.Time
	to *simNode
	aap.Datagram
}

const latency = 40 * time.Millisecond

// newDomain returns n coordinators that announce the same space.
func newDomain(t testing.TB, seed uint64, n int, loss float64) *domain {
	d := &domain{now: at(0), rng: rand.New(rand.NewPCG(seed, 99)), loss: loss, lastASA: at(0)}
	for i := range n {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), aap.Port)
		c, err := aap.NewCoordinator(aap.CoordinatorConfig{
			Scope: global4, Group: groupOf4, Self: []netip.AddrPort{addr}, Rand: rand.New(rand.NewPCG(seed, uint64(i))),
		})
		if err != nil {
			t.Fatal(err)
		}
		node := &simNode{Coordinator: c, addr: addr, skew: time.Duration(d.rng.Int64N(int64(200 * time.Second)))}
		space := slices.Clone(spaceE7)
		for j := range space {
			space[j].End = space[j].End.Add(node.skew)
		}
		if err := c.Announce(d.now.Add(node.skew), space); err != nil {
			t.Fatal(err)
		}
		d.nodes = append(d.nodes, node)
	}
	return d
}

// run lets the domain live until a time, event by event.
func (d *domain) run(t testing.TB, until time.Time) {
	for {
		next := until
		for _, n := range d.nodes {
			if due, ok := n.Deadline(); ok && !n.dead && due.Add(-n.skew).Before(next) {
				next = due.Add(-n.skew)
			}
		}
		for _, m := range d.mail {
			if m.at.Before(next) {
				next = m.at
			}
		}
		if d.now = next; !next.Before(until) {
			return
		}
		due := d.mail
		d.mail = nil
		for _, m := range due {
			if m.at.After(d.now) {
				d.mail = append(d.mail, m)
			} else if !m.to.dead {
				if err := m.to.Receive(d.now.Add(m.to.skew), m.Datagram); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, n := range d.nodes {
			if !n.dead {
				n.Advance(d.now.Add(n.skew))
				d.carryOut(t, n)
			}
		}
		d.watch()
	}
}

// carryOut sends what a node wants sent, to itself as well.
func (d *domain) carryOut(t testing.TB, from *simNode) {
	for x := range from.Effects() {
		s, ok := x.(aap.Send)
		if !ok {
			t.Fatalf("%v at %v: %v", from.addr, d.now, x)
		}
		fmt.Fprintf(&d.log, "%v %v %x\n", d.now, from.addr, s.Packet)
		d.lastASA = d.now
		for _, to := range d.nodes {
			if d.rng.Float64() >= d.loss {
				d.mail = append(d.mail, simMail{d.now.Add(latency), to, aap.Datagram{From: from.addr, To: s.Group, Payload: s.Packet}})
			}
		}
	}
}

// watch measures how long more than one of them leads.
func (d *domain) watch() {
	leads := 0
	for _, n := range d.nodes {
		if !n.dead && n.State() == aap.Lead {
			leads++
		}
	}
	switch {
	case leads < 2:
		d.twoSince = time.Time{}
	case d.twoSince.IsZero():
		d.twoSince = d.now
	default:
		d.rivals = max(d.rivals, d.now.Sub(d.twoSince))
	}
}

// TestDomain: without loss two coordinators lead for no longer than a datagram
// travels; none ever takes the others, whose clocks differ, for inconsistent; and
// when the leading one dies, another takes over within 69 s of its last ASA
// (AAP-D-41, AAP-4.2.1-6).
func TestDomain(t *testing.T) {
	for seed := range seeds(t, 60) {
		d := newDomain(t, uint64(seed), 2+seed%4, 0)
		for hour := range 3 {
			d.run(t, at(int64(3600*hour+3600)))
			if silent := d.now.Sub(d.lastASA); silent > 69*time.Second {
				t.Fatalf("seed %d: no ASA for %v", seed, silent)
			}
			lead := slices.IndexFunc(d.nodes, func(n *simNode) bool { return !n.dead && n.State() == aap.Lead })
			if lead < 0 {
				t.Fatalf("seed %d: nobody leads", seed)
			}
			if hour < len(d.nodes)-1 {
				d.nodes[lead].dead = true
			}
		}
		if d.rivals > latency {
			t.Errorf("seed %d: two led for %v", seed, d.rivals)
		}
	}
}

// TestDomainReplays: the same seed gives the same run, octet for octet, loss
// included; another seed does not.
func TestDomainReplays(t *testing.T) {
	run := func(seed uint64) string {
		d := newDomain(t, seed, 3, 0.2)
		d.run(t, at(3600))
		if d.now.Sub(d.lastASA) > 2*time.Minute {
			t.Errorf("seed %d: silence since %v", seed, d.lastASA)
		}
		return d.log.String()
	}
	if a, b, c := run(5), run(5), run(6); a != b || a == c {
		t.Error("runs differ, or do not")
	}
}

// FuzzCoordinator: no datagram, whoever sends it, makes a coordinator do anything
// but wait, or say what it says anyway.
func FuzzCoordinator(f *testing.F) {
	for _, w := range worked {
		f.Add(golden(f, w.name), uint16(10))
	}
	f.Fuzz(func(t *testing.T, in []byte, seconds uint16) {
		d := newDomain(t, 1, 1, 0)
		c := d.nodes[0]
		now := at(0).Add(c.skew)
		for range 4 {
			now = now.Add(time.Duration(seconds) * time.Second)
			_ = c.Receive(now, aap.Datagram{From: otherAddr, Payload: in})
			c.Advance(now)
			due, ok := c.Deadline()
			if !ok || due.Before(now) || due.Sub(now) > 150*time.Second {
				t.Fatalf("due %v, %v after %v", due, ok, now)
			}
			sent := 0
			for x := range c.Effects() {
				if s, ok := x.(aap.Send); ok {
					var m aap.Message
					if err := m.Decode(s.Packet); err != nil || m.Type != aap.ASA || m.IsResent() || len(m.Ranges) > len(spaceE7) {
						t.Fatalf("sent %x: %v", s.Packet, err)
					}
					sent++
				}
			}
			if sent > 1 {
				t.Fatalf("%d datagrams at once", sent)
			}
		}
	})
}
