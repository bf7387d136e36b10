// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/masc/masctest"
)

// TestBootOrder: sessions with parents are opened first, then internal ones,
// then the others (MASC-12.1-1, MASC-12.1-2).
func TestBootOrder(t *testing.T) {
	id := masc.NumberID
	cfg := masc.SpeakerConfig{Node: masc.NodeConfig{Domain: id(100), Node: id(1000), Parents: []masc.ID{id(10)}, Rand: rand.New(rand.NewPCG(1, 1)),
		Peers: []masc.Peer{{Role: masc.Sibling, Domain: id(300), Parent: id(10)}, {Role: masc.Parent, Domain: id(200)},
			{Role: masc.Internal, Domain: id(100)}, {Role: masc.Child, Domain: id(10)}}}}
	s, err := masc.NewSpeaker(cfg, masc.Snapshot{})
	if err != nil {
		t.Fatal(err)
	}
	now := masctest.Epoch
	dials := func() (list []masc.PeerID) {
		for e := range s.Effects() {
			if d, ok := e.(*masc.Dial); ok {
				list = append(list, d.Peer)
			}
		}
		return list
	}
	s.Start(now)
	var got [][]masc.PeerID
	for range 3 {
		got = append(got, dials())
		at, _ := s.Deadline()
		now = at
		s.Advance(now)
	}
	if want := "[[3] [2] [0 1]]"; fmt.Sprint(got) != want {
		t.Errorf("dialled %v, want %s", got, want)
	}
	if s.Accept(now, 9%4) == 0 {
		t.Error("an expected peer is refused in Connect (MASC-D-54)")
	}
	if s.Accept(now) != 0 {
		t.Error("a stranger is accepted")
	}
	s.Stop(now)
	if s.Accept(now, 3) != 0 {
		t.Error("MASC-10.1-1: a stopped speaker accepts")
	}
}

// TestConnectionCollisions lets two hosts connect to each other at once, again
// and again: one connection stays, and both ends agree which (MASC-8.8-1,
// MASC-8.8-8, MASC-D-44, MASC-D-54).
func TestConnectionCollisions(t *testing.T) {
	collided := 0
	for seed := range uint64(20) {
		w := masctest.NewNetwork(seed)
		w.MaxLatency = time.Second
		a := w.Host(1, func(c *masc.SpeakerConfig) {
			c.BootDelay = -1
			c.ConnectRetry = 10 * time.Second
			c.MinBackoff = time.Second
		})
		b := w.Host(2, func(c *masc.SpeakerConfig) {
			c.BootDelay = -1
			c.ConnectRetry = 10 * time.Second
			c.MinBackoff = time.Second
		})
		w.Siblings(a, b, masc.ID{})
		changes := 0
		w.Trace = func(_ time.Time, _ *masctest.Host, what string) {
			if strings.HasPrefix(what, "up") || strings.HasPrefix(what, "down") {
				changes++
			}
			if strings.Contains(what, "(7/0)") {
				collided++
			}
		}
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		w.Run(time.Minute)
		changes = 0
		w.Run(7 * 24 * time.Hour)
		if a.Speaker().State(0) != masc.Established || b.Speaker().State(0) != masc.Established || changes > 0 {
			t.Errorf("seed %d: %v and %v, %d changes", seed, a.Speaker().State(0), b.Speaker().State(0), changes)
		}
	}
	if collided == 0 {
		t.Error("no connections collided")
	}
}

// TestMultiParent: two siblings under two parents have a session for each, and
// what concerns a parent travels on its session (MASC-4.4-1, MASC-4.4-2,
// MASC-4-2, MASC-8.8-9, MASC-D-54).
func TestMultiParent(t *testing.T) {
	w := masctest.NewNetwork(7)
	p, q := w.Host(10, nil), w.Host(20, nil)
	w.Siblings(p, q, masc.ID{})
	a, b := w.Host(100, nil), w.Host(200, nil)
	for _, child := range []*masctest.Host{a, b} {
		w.Peer(child, p, masc.Child)
		w.Peer(child, q, masc.Child)
	}
	w.Siblings(a, b, masc.NumberID(10))
	w.Siblings(a, b, masc.NumberID(20))
	w.Check = w.Overlap
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	a.SetDemand(masc.Demand{InUse: 100, Want: 100})
	b.SetDemand(masc.Demand{InUse: 100, Want: 100})
	if err := w.Run(10 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*masctest.Host{a, b} {
		for i := range h.Config.Node.Peers {
			if s := h.Speaker().State(masc.PeerID(i)); s != masc.Established {
				t.Errorf("%s, session %d: %v", h.Name, i, s)
			}
		}
		if len(h.Node().Allotments(w.Now())) == 0 {
			t.Error(h.Name, "has nothing")
		}
		if st := h.Node().Stats(); st.Rejected > 0 {
			t.Errorf("%s: %+v", h.Name, st)
		}
	}
}

// TestFlooding: a claim reaches top-level domains that have no session with its
// origin, and a parent's children (MASC-4-6, MASC-4-9, MASC-D-36), and can be
// looked up there (MASC-12.6-1).
func TestFlooding(t *testing.T) {
	w := masctest.NewNetwork(3)
	var tops []*masctest.Host
	for i := range 5 {
		tops = append(tops, w.Host(uint64(i+1), nil))
		if i > 0 {
			w.Siblings(tops[i], tops[i-1], masc.ID{})
		}
	}
	child := w.Host(50, nil)
	w.Peer(child, tops[0], masc.Child)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	child.SetDemand(masc.Demand{InUse: 5, Want: 5})
	w.Run(7 * 24 * time.Hour)
	owners := func(h *masctest.Host) (list []string) {
		for c := range h.Node().Claims(w.Now()) {
			if c.Type == masc.PrefixInUse {
				list = append(list, fmt.Sprint(c.Domain, " ", c.Prefix))
			}
		}
		slices.Sort(list)
		return list
	}
	want := owners(tops[1])
	if len(want) == 0 || !strings.HasPrefix(want[0], "1 ") {
		t.Fatal(want)
	}
	for _, h := range tops[2:] {
		if got := owners(h); !slices.Equal(got, want) {
			t.Errorf("%s knows %v, want %v", h.Name, got, want)
		}
	}
	if got := child.Node().Allotments(w.Now()); len(got) == 0 || !got[0].Use {
		t.Error(got)
	}
}

// TestReplay: the same inputs give the same effects.
func TestReplay(t *testing.T) {
	once := func() (trace []string) {
		w := newInternet(5, nil)
		w.Trace = func(now time.Time, h *masctest.Host, what string) {
			trace = append(trace, fmt.Sprint(now, h.Name, what))
		}
		w.Start()
		for range 6 {
			w.want()
			w.Run(3 * day)
			w.Partition(true, w.split())
			w.Run(day)
			w.Heal()
		}
		for _, h := range w.Hosts() {
			trace = append(trace, fmt.Sprint(h.Node().Stats(), h.Node().Allotments(w.Now())))
		}
		return trace
	}
	if a, b := once(), once(); !slices.Equal(a, b) || len(a) < 20 {
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("line %d:\n%s\n%s", i, a[i], b[i])
			}
		}
		t.Fatalf("%d and %d lines", len(a), len(b))
	}
}

// TestFamilies: over a session that is told so only claims of one family travel
// (MASC-D-15).
func TestFamilies(t *testing.T) {
	w := newTown(t, func(c *masc.NodeConfig) {
		c.Spaces = []masc.Space{{Prefix: masc.MustPrefix("224.0.0.0/4")}, {Prefix: masc.MustPrefix("ff3e::/16")}}
		c.Peers[1].Family = masc.FamilyIPv4 // I2
	}).settle()
	w.ok("P1", of(10, masc.PrefixManaged, masc.Internal, "ff3e::/24"))
	w.want("MASC-D-15", w.did(), "I1 P2 S1 S2: PREFIX_MANAGED PARENT ff3e::/24")
	w.ok("P1", of(10, masc.PrefixManaged, masc.Internal, "229.0.0.0/16"))
	w.want("MASC-D-15", w.did(), "I1 I2 P2 S1 S2: PREFIX_MANAGED PARENT 229.0.0.0/16")
}

// TestDeprecatedCovers: a child may use up what its parent lets end (MASC-D-69).
func TestDeprecatedCovers(t *testing.T) {
	w := newTown(t, nil)
	w.ok("P1", of(10, masc.PrefixManaged, masc.Internal, "228.10.0.0/16"))
	w.ok("I1", with(of(100, masc.PrefixManaged, masc.Internal, "228.10.0.0/20"), func(c *masc.Claim) { c.Deprecated = true })) // MASC-11.6.3-1
	w.did()
	w.ok("A1", of(200, masc.NewClaim, masc.Internal, "228.10.1.0/24"))
	w.want("MASC-D-69", w.did(), "I1 I2 A2 B1: NEW_CLAIM CHILD 228.10.1.0/24")
}

// TestPassedOn: what nobody interprets is not passed on (MASC-D-52): claims are
// sent as the node understands them.
func TestPassedOn(t *testing.T) {
	var m masc.Message
	if err := m.Decode(packet(t, "update-optional")); err != nil {
		t.Fatal(err)
	}
	b, err := (&masc.Update{Claims: m.Update.Claims}).MarshalBinary()
	if err != nil || len(b) != 40 {
		t.Errorf("%x, %v", b, err)
	}
}

// TestConstants: MASC-6-1, MASC-D-62, MASC-10.1-3.
func TestConstants(t *testing.T) {
	if masc.Port != 2587 || masc.WaitingPeriod != 172800*time.Second || masc.InitiateClaimDelay != 600*time.Second ||
		masc.DefaultHoldTime != 240*time.Second || !(masc.ID{}).IsZero() || masc.MaxMessage != 4096 || masc.Version != 1 {
		t.Error("a constant of section 6 is another")
	}
	for c := range masc.ClaimType(8) {
		if c.IsClaim() != (c < 4) {
			t.Error("MASC-D-62:", c)
		}
	}
	r := newRig(t, nil)
	r.reach(masc.Connect)
	if d, _ := r.s.Deadline(); d.Sub(r.now) != 2*time.Minute {
		t.Error("MASC-10.1-3:", d.Sub(r.now))
	}
	// MASC-9-1: with one version an Unsupported Version is final.
	r.s.Connected(r.now, true)
	r.did()
	r.receive(masc.Message{Type: masc.TypeNotification, Notification: masc.Notification{Reason: masc.UnsupportedVersion, Data: []byte{1}}})
	r.want("MASC-9-1", "alert, close", masc.Idle)
	n := masc.Notification{Reason: masc.Cease} // MASC-8-3
	if b, err := n.MarshalBinary(); err != nil || len(b) != 6 {
		t.Errorf("MASC-8-3: %x, %v", b, err)
	}
	for id, want := range map[masc.ID]string{masc.NumberID(64500): "64500", node("192.0.2.7"): "192.0.2.7", node("2001:db8::1"): "2001:db8::1"} {
		if id.String() != want {
			t.Errorf("%v, want %s", id, want)
		}
	}
}
