// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

var (
	global4    = scope.MustRange("224.0.1.0", "238.255.255.255")
	groupOf4   = netip.MustParseAddr("239.251.255.248")
	selfAddr   = netip.MustParseAddrPort("192.0.2.1:2878")
	otherAddr  = netip.MustParseAddrPort("192.0.2.2:2878")
	serverAddr = netip.MustParseAddrPort("192.0.2.3:40000")

	// spaceE7 is the space of example E7.
	spaceE7 = []aap.TimedRange{tr("233.252.0.0", "233.252.0.255", 86400), tr("234.192.0.0", "234.192.0.127", 604800)}
)

// rig drives one coordinator by hand.
type rig struct {
	t *testing.T
	*aap.Coordinator
	now time.Time
}

// newRig returns an idle coordinator of the global scope at base, configured by
// change.
func newRig(t *testing.T, seed uint64, change func(*aap.CoordinatorConfig)) *rig {
	t.Helper()
	cfg := aap.CoordinatorConfig{
		Scope: global4, Group: groupOf4, Self: []netip.AddrPort{selfAddr}, Rand: rand.New(rand.NewPCG(seed, 7)),
	}
	if change != nil {
		change(&cfg)
	}
	c, err := aap.NewCoordinator(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t, c, at(0)}
}

// announce starts it or changes its space.
func (r *rig) announce(space ...aap.TimedRange) {
	r.t.Helper()
	if err := r.Announce(r.now, space); err != nil {
		r.t.Fatal(err)
	}
}

// next goes on to the deadline and returns how many seconds that took, and what
// came out.
func (r *rig) next() (float64, []aap.Effect) {
	r.t.Helper()
	due, ok := r.Deadline()
	if !ok || due.Before(r.now) {
		r.t.Fatalf("deadline %v, %v in state %v", due, ok, r.State())
	}
	d := due.Sub(r.now)
	r.now = due
	r.Advance(r.now)
	return d.Seconds(), r.drain()
}

// lead goes on until it leads.
func (r *rig) lead() {
	r.t.Helper()
	for range 3 {
		if r.State() == aap.Lead {
			return
		}
		r.next()
	}
	r.t.Fatalf("state %v", r.State())
}

// hear passes a message on and returns what came out.
func (r *rig) hear(from netip.AddrPort, m *aap.Message) []aap.Effect {
	r.t.Helper()
	b, err := m.MarshalBinary()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.Receive(r.now, aap.Datagram{From: from, To: groupOf4, Payload: b}); err != nil {
		r.t.Fatal(err)
	}
	return r.drain()
}

func (r *rig) drain() (list []aap.Effect) {
	for x := range r.Effects() {
		list = append(list, x)
	}
	return list
}

// asa returns a new ASA as another coordinator sends it now.
func (r *rig) asa(space ...aap.TimedRange) *aap.Message {
	now := r.now.Truncate(time.Second)
	return &aap.Message{Type: aap.ASA, Family: aap.IPv4, CurrentTime: now, Expiration: now.Add(2 * time.Minute), Ranges: slices.Clone(space)}
}

// sent decodes the one ASA among effects.
func (r *rig) sent(list []aap.Effect) *aap.Message {
	r.t.Helper()
	var m aap.Message
	if len(list) != 1 {
		r.t.Fatalf("effects %v, want one ASA", list)
	}
	s, ok := list[0].(aap.Send)
	if !ok || s.Group != groupOf4 {
		r.t.Fatalf("effect %v, want an ASA to %v", list[0], groupOf4)
	}
	if err := m.Decode(s.Packet); err != nil {
		r.t.Fatal(err)
	}
	return &m
}

// between fails unless low ≤ d ≤ high seconds.
func (r *rig) between(what string, d, low, high float64) {
	r.t.Helper()
	if d < low-1e-6 || d > high+1e-6 {
		r.t.Errorf("%s after %v s, want %v to %v", what, d, low, high)
	}
}

// wants fails unless it is in a state, and due in low to high seconds.
func (r *rig) wants(what string, s aap.CoordinatorState, low, high float64) {
	r.t.Helper()
	due, _ := r.Deadline()
	if r.State() != s {
		r.t.Errorf("%s: state %v, want %v", what, r.State(), s)
	}
	r.between(what+": due", due.Sub(r.now).Seconds(), low, high)
}
