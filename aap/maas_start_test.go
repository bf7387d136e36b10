// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"testing"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// TestListen: for 150 to 195 s after a start nothing is sent, whatever is asked,
// heard or remembered (AAP-3.2.4-1, AAP-3.2.4-2); then what was asked is claimed.
func TestListen(t *testing.T) {
	for seed := range uint64(20) {
		s := startServer(t, seed, nil, func(cfg *aap.MAASConfig) { cfg.Pool, cfg.MaxPool = 16, 16 })
		s.allocate(aap.Want{Token: 1, Count: 1, End: at(7200)})
		s.hear(otherAddr, names(aap.AIU, 1, x1, 7200))
		s.hear(serverAddr, names(aap.ACLM, 1, x1, 7200))
		s.until(149.9)
		if !s.Listening() || len(s.sent) > 0 {
			t.Fatalf("seed %d: sent %s", seed, s.take())
		}
		s.until(195.1)
		if s.Listening() || len(s.sent) == 0 || s.sent[0].CurrentTime.Before(at(150)) {
			t.Fatalf("seed %d: sent %s", seed, s.take())
		}
		if s.until(260); hears(s.sent, aap.AIU, x1) {
			t.Errorf("seed %d: answered what was heard while listening (AAP-D-48)", seed)
		}
	}
}

// TestListenForSpace: AAP-3.2.4-3 and AAP-3.2.4-4, in a large scope a server
// allocates from what it heard or, if it has a stored space with a range that has
// not ended, from that; else requests wait.
func TestListenForSpace(t *testing.T) {
	asa := asaOf(0, tr("233.252.0.0", "233.252.0.255", 5000))
	for _, c := range []struct {
		name   string
		before bool    // heard by a former process
		during bool    // heard while listening
		start  float64 // of the server, seconds after base
		claims bool
	}{
		{"AAP-3.2.4-3 heard one", false, true, 0, true},
		{"AAP-3.2.4-4 cached one", true, false, 300, true},
		{"AAP-3.2.4-4 cached one, but all has ended", true, false, 6000, false},
		{"nothing", false, false, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stored aap.Snapshot
			if c.before {
				old := startServer(t, 1, nil, large)
				old.hear(otherAddr, asa)
				stored = old.Snapshot()
			}
			m, err := aap.NewMAAS(configOf(2, large), stored)
			if err != nil {
				t.Fatal(err)
			}
			s := &server{t: t, MAAS: m, cfg: configOf(2, large), now: at(int64(c.start))}
			s.Start(s.now)
			if c.during {
				s.hear(otherAddr, asa)
			}
			s.allocate(aap.Want{Token: 1, Count: 1, End: s.now.Add(1000 * time.Second)})
			s.after(200)
			claims := false
			for _, m := range s.sent {
				claims = claims || m.Type == aap.ACLM
			}
			if claims != c.claims || len(s.news) > 0 && !c.claims {
				t.Fatalf("sent %s", s.take())
			}
			s.hear(otherAddr, asaOf(s.now.Sub(at(0)).Seconds(), tr("233.252.0.0", "233.252.0.255", 90000)))
			s.after(15)
			if _, ok := s.Allocation(1); !ok {
				t.Error("nothing was granted once a space was heard")
			}
		})
	}
}

// TestStored: AAP-3.1-1, AAP-3.1-2, what is own, of others and available is in the
// store before it is relied on, survives a restart (AAP-D-48), and is announced
// again under new numbers (AAP-5.1.4-1).
func TestStored(t *testing.T) {
	s := newServer(t, 1, func(cfg *aap.MAASConfig) { large(cfg); cfg.Pool, cfg.MaxPool = 20, 20 })
	s.hear(otherAddr, asaOf(200, tr("233.252.0.0", "233.252.0.255", 90000)))
	s.after(20)
	theirs, pool := scope.MustSet("233.252.0.200"), scope.MustSet("233.252.0.210/31")
	s.hear(otherAddr, names(aap.AIU, 3, theirs, 7200))
	s.hear(otherAddr, names(aap.AITU, 4, pool, 7200))
	s.hear(otherAddr, aap.Message{Type: aap.ANA, RSeq: 5, Need: aap.Request{Count: 3, End: at(7200)}})
	s.allocate(aap.Want{Token: 7, Count: 9, End: at(7200)})
	s.allocate(aap.Want{Token: 8, Addrs: scope.MustSet("233.252.0.77"), End: at(7200)})
	s.after(11)
	if err := s.Release(s.now, 8); err != nil {
		t.Fatal(err)
	}
	s.after(40)
	if s.persists < 3 {
		t.Errorf("stored %d times", s.persists)
	}
	own, _ := s.Allocation(7)
	quiet := startServer(t, 3, s.Snapshot(), large)
	quiet.hear(otherAddr, names(aap.ACLM, 9, scope.MustSet("233.252.0.0/24"), 7200))
	quiet.says("") // AAP-3.2.4-2: not even another set for its pool
	back := startServer(t, 2, s.Snapshot(), large)
	back.now = s.now
	if got, ok := back.Allocation(7); !ok || !got.Addrs.Equal(own.Addrs) || !got.End.Equal(own.End) {
		t.Errorf("remembers %v, want %v", got, own)
	}
	if len(back.Usable(back.now)) != 1 {
		t.Errorf("remembers the space %v", back.Usable(back.now))
	}
	if again := back.Snapshot(); string(again) != string(s.Snapshot()) {
		t.Error("what was stored is not stored again")
	}
	back.after(240)
	said := map[aap.Type]scope.Set{}
	for i, m := range back.sent {
		if i == 0 && (m.RSeq != 0 || m.MSeq != 0) {
			t.Errorf("starts with %d/%d", m.RSeq, m.MSeq)
		}
		said[m.Type], _ = said[m.Type].Union(aap.Addrs(m.Ranges))
	}
	if !said[aap.AIU].Equal(own.Addrs) || said[aap.AITU].Size() != scope.U128(20) {
		t.Errorf("announces %v and preallocates %v", said[aap.AIU], said[aap.AITU])
	}
	back.sent = nil
	back.hear(serverAddr, names(aap.ACLM, 1, theirs, 7200))
	back.after(8)
	if !hears(back.sent, aap.AIU, theirs) {
		t.Errorf("does not defend what others have: %s", back.take())
	}
	back.hear(serverAddr, names(aap.AIU, 2, scope.MustSet("233.252.0.77"), 7200))
	if !hears(back.sent, aap.AIU, scope.MustSet("233.252.0.77")) {
		t.Error("does not correct an end that it withdrew before the restart")
	}
}

// TestSnapshotDamaged: no snapshot makes a server panic, and a damaged one is
// refused.
func TestSnapshotDamaged(t *testing.T) {
	s := newServer(t, 1, nil)
	s.own(1, x1, 7200)
	whole := s.Snapshot()
	for n := range whole {
		if n == 0 || n == 1 {
			continue
		}
		if _, err := aap.NewMAAS(configOf(1, nil), whole[:n]); err == nil {
			t.Errorf("%d octets of %d were accepted", n, len(whole))
		}
	}
	for i := range whole {
		damaged := append(aap.Snapshot(nil), whole...)
		damaged[i] ^= 0xff
		if m, err := aap.NewMAAS(configOf(1, nil), damaged); err == nil {
			m.Start(at(0))
			m.Advance(at(9000))
		}
	}
}

// TestMAASConfig: what a configuration must not be.
func TestMAASConfig(t *testing.T) {
	for name, change := range map[string]func(*aap.MAASConfig){
		"no randomness":     func(c *aap.MAASConfig) { c.Rand = nil },
		"no scope":          func(c *aap.MAASConfig) { c.Scope = scope.Range{} },
		"AAP-2.1-1 unicast": func(c *aap.MAASConfig) { c.Scope = scope.MustRange("10.0.0.0", "10.0.0.9") },
		"group of IPv6":     func(c *aap.MAASConfig) { c.Group = scope.IPv6(5).Range.First() },
		"exclusion of IPv6": func(c *aap.MAASConfig) { c.Exclude = scope.MustSet("ff05::1") },
		"negative pool":     func(c *aap.MAASConfig) { c.Pool = -1 },
		"short pool":        func(c *aap.MAASConfig) { c.PoolTime = 1 },
		"negative limit":    func(c *aap.MAASConfig) { c.MaxHeard = -1 },
		"times":             func(c *aap.MAASConfig) { c.Timing.AnnounceWait = 1 },
		"policy":            func(c *aap.MAASConfig) { c.Authentication = 9 },
	} {
		if _, err := aap.NewMAAS(configOf(1, change), nil); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
