// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"testing"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// pooled keeps four addresses preallocated, in a scope where the first 16 are
// free.
func pooled(cfg *aap.MAASConfig) {
	cfg.Pool, cfg.MaxPool = 4, 4
	cfg.Exclude = scope.MustSet("239.255.0.16-239.255.255.255")
}

// newPool returns a server with a settled pool, and what is in it, 60 s later.
func newPool(t *testing.T, change func(*aap.MAASConfig)) (*server, scope.Set) {
	t.Helper()
	s := startServer(t, 1, nil, change)
	s.until(260)
	var pool scope.Set
	for _, m := range s.sent {
		if m.Type == aap.AITU {
			pool = aap.Addrs(m.Ranges)
		}
	}
	if pool.Size() != scope.U128(4) {
		t.Fatalf("preallocated %v", pool)
	}
	s.sent, s.news = nil, nil
	return s, pool
}

// TestPreallocate: AAP-3.2.6-1, AAP-3.2.6-2, AAP-3.2.6-3, AAP-3.2.6-8: an AITU is
// repeated 1, 2, 4, 8 and 16 s apart and then every 21 to 39 s, as long as it
// lasts; it is settled after ANNOUNCE-WAIT (AAP-2-2, AAP-D-46).
func TestPreallocate(t *testing.T) {
	s := startServer(t, 1, nil, pooled)
	for s.Listening() {
		s.after(0.25)
	}
	start := s.sent[0].CurrentTime
	// before it is settled it is not drawn from
	s.allocate(aap.Want{Token: 1, Count: 1, End: at(7200)})
	if len(s.told()) > 0 {
		t.Error("AAP-2-2: granted at once from a pending preallocation")
	}
	s.after(11)
	if s.allocate(aap.Want{Token: 2, Count: 1, End: at(7200)}); len(s.told()) != 2 {
		t.Error("AAP-3.2.6-8: not granted at once from a settled preallocation")
	}
	s.after(200)
	var gaps []float64
	last := start
	for _, m := range s.sent[1:] {
		if m.Type == aap.AITU && m.RSeq == s.sent[0].RSeq {
			gaps = append(gaps, m.CurrentTime.Sub(last).Seconds())
			last = m.CurrentTime
		}
	}
	// the fifth was sent early, when the set had shrunk (AAP-D-52)
	for i, low := range []float64{1, 2, 4} {
		if gaps[i] < low-1 || gaps[i] > low+1 {
			t.Errorf("gaps %v", gaps)
		}
	}
	for _, g := range gaps[6:] {
		if g < 20 || g > 40 {
			t.Errorf("AAP-3.2.6-3: gaps %v", gaps)
		}
	}
	// AAP-3.2.8-3: before it ends, its end is moved.
	s.until(4 * 3600)
	if m := s.sent[len(s.sent)-1]; m.Type != aap.AITU || !m.Ranges[0].End.After(s.now) {
		t.Errorf("the preallocation lapsed: %v", m.Type)
	}
}

// TestPoolCollides: what other servers' messages do to a pending and to a settled
// preallocation.
func TestPoolCollides(t *testing.T) {
	for _, c := range []struct {
		id      string
		heard   aap.Type
		settled bool
		end     int64
		kept    bool
	}{
		{"AAP-3.2.6-5", aap.ACLM, false, 7200, false},
		{"AAP-3.2.6-5", aap.AITU, false, 7200, false},
		{"AAP-3.2.6-5", aap.AIU, false, 7200, false},
		{"AAP-3.2.6-9", aap.ACLM, true, 7200, false},
		{"AAP-3.2.6-9", aap.AITU, true, 7200, false},
		{"AAP-3.2.6-9", aap.AIU, true, 7200, false},
		{"AAP-D-13 ended", aap.AIU, true, 100, true},
	} {
		t.Run(c.id+" "+c.heard.String(), func(t *testing.T) {
			s := startServer(t, 1, nil, pooled)
			for s.Listening() {
				s.after(0.1)
			}
			if c.settled {
				s.after(20)
			}
			pool, rseq := aap.Addrs(s.sent[0].Ranges), s.sent[0].RSeq
			touched := scope.MustSet(pool.Range(0).First().String())
			s.sent = nil
			s.hear(otherAddr, names(c.heard, 4, touched, c.end))
			switch {
			case c.kept:
				if len(s.sent) > 0 {
					t.Errorf("sent %s", s.take())
				}
			case c.settled: // AAP-D-53: silently, whole (AAP-D-22); the pool is filled again later
				if len(s.sent) > 0 {
					t.Errorf("AAP-D-53: sent %s", s.take())
				}
				if all := s.Free(at(7200)); all != scope.U128(15) && c.heard != aap.AITU {
					t.Errorf("AAP-D-22: %v addresses are free", all)
				}
			default: // AAP-3.2.6-6: another set, of the same request
				if len(s.sent) != 1 || s.sent[0].RSeq != rseq || s.sent[0].MSeq == 0 || aap.Addrs(s.sent[0].Ranges).Overlaps(touched) {
					t.Fatalf("AAP-3.2.6-6: sent %s", s.take())
				}
				s.after(9.8)
				if s.allocate(aap.Want{Token: 2, Count: 1, End: at(7200)}); len(s.told()) > 0 {
					t.Error("AAP-3.2.6-6: settled without a new timer")
				}
			}
		})
	}
}

// TestDrawPool: AAP-3.2.6.1-1, AAP-3.2.6.1-2, AAP-D-52: addresses of the pool are
// announced at once, without a claim, as after a claim; the rest goes on to be
// preallocated by the same request.
func TestDrawPool(t *testing.T) {
	s, pool := newPool(t, pooled)
	s.allocate(aap.Want{Token: 1, Count: 1, End: at(7200)})
	a, ok := s.Allocation(1)
	if !ok || !pool.Covers(a.Addrs) {
		t.Fatalf("granted %v of %v", a, pool)
	}
	rest, _ := pool.Subtract(a.Addrs)
	if !hears(s.sent, aap.AIU, a.Addrs) || !hears(s.sent, aap.AITU, rest) || hears(s.sent, aap.ACLM, scope.Set{}) {
		t.Fatalf("sent %s", s.take())
	}
	var aiu, aitu int
	for _, m := range s.sent {
		if m.Type == aap.AITU && aap.Addrs(m.Ranges).Equal(rest) && (m.RSeq != 0 || m.MSeq == 0) {
			t.Errorf("AAP-D-52: the rest is %d/%d", m.RSeq, m.MSeq)
		}
	}
	s.until(310)
	for _, m := range s.sent {
		switch {
		case m.Type == aap.AIU:
			aiu++
		case aap.Addrs(m.Ranges).Equal(rest):
			aitu++
		}
	}
	if aiu < 6 || aitu < 2 {
		t.Errorf("AAP-3.2.6.1-1: %d AIUs; AAP-3.2.6.1-2: %d AITUs", aiu, aitu)
	}
}

// TestPoolTarget: AAP-2.2-1, the pool holds what was granted in an hour.
func TestPoolTarget(t *testing.T) {
	s := newServer(t, 1, func(cfg *aap.MAASConfig) { cfg.MaxPool = 64 })
	s.after(100)
	s.says("")
	s.allocate(aap.Want{Token: 1, Count: 40, End: at(90000)})
	s.after(11)
	s.allocate(aap.Want{Token: 2, Count: 1, End: at(90000)})
	s.after(60)
	s.told()
	s.allocate(aap.Want{Token: 3, Count: 40, End: at(90000)})
	if news := s.told(); len(news) != 1 {
		t.Errorf("AAP-2.2-1: told %v, want another 40 at once", news)
	}
	s.after(60)
	if s.SetPool(s.now, 64); s.Stats().Failed != 0 {
		t.Error("failed")
	}
	s.after(3 * 3600)
	s.sent = nil
	if s.SetPool(s.now, 0); len(s.sent) > 0 {
		t.Errorf("AAP-3.2.5.1-1: sent %s", s.take())
	}
}

// TestLowSpace: AAP-3.2.6-4, AAP-3.2.7-2 to -4: where nothing else is left, a claim
// may take what others preallocated, announced lately before silent ones; an AITU
// may not.
func TestLowSpace(t *testing.T) {
	s := newServer(t, 1, func(cfg *aap.MAASConfig) { pooled(cfg); cfg.Pool, cfg.MaxPool = 0, 4 })
	stale, recent, free := scope.MustSet("239.255.0.0/30"), scope.MustSet("239.255.0.4/30"), scope.MustSet("239.255.0.8/29")
	s.hear(otherAddr, names(aap.AITU, 1, stale, 9000))
	s.after(91)
	s.hear(serverAddr, names(aap.AITU, 1, recent, 9000))
	for i, want := range []struct {
		id    string
		n     uint32
		addrs scope.Set
	}{
		{"AAP-3.2.7-1", 8, free}, {"AAP-3.2.7-3", 4, recent}, {"AAP-3.2.7-4", 4, stale},
	} {
		s.allocate(aap.Want{Token: aap.Token(i), Count: want.n, End: at(7200)})
		if m := s.sent[len(s.sent)-1]; m.Type != aap.ACLM || !aap.Addrs(m.Ranges).Equal(want.addrs) {
			t.Errorf("%s: claims %v, want %v", want.id, aap.Addrs(m.Ranges), want.addrs)
		}
	}
	s.allocate(aap.Want{Token: 9, Count: 1, End: at(7200)})
	if _, failed := s.told()[0].(aap.Failed); !failed {
		t.Error("an address was found where none is")
	}
	s = newServer(t, 1, func(cfg *aap.MAASConfig) { pooled(cfg); cfg.Pool, cfg.MaxPool = 0, 4 })
	s.hear(otherAddr, names(aap.AITU, 1, scope.MustSet("239.255.0.0/28"), 9000))
	s.SetPool(s.now, 4)
	s.collect()
	s.after(100)
	s.says("") // AAP-3.2.7-2
}

// TestPoolIsNotInTheWay: AAP-3.2.7-1: a server that lacks addresses takes them from
// its own pool, whether settled or not, and claims them together with free ones. A
// request that would fail all the same leaves the pool alone.
func TestPoolIsNotInTheWay(t *testing.T) {
	for _, wait := range []float64{5, 20} {
		s := startServer(t, 1, nil, pooled)
		for s.Listening() {
			s.after(0.1)
		}
		s.after(wait)
		s.sent = nil
		s.allocate(aap.Want{Token: 1, Count: 17, End: at(7200)})
		if news := s.told(); len(news) != 1 || len(s.sent) > 0 {
			t.Fatalf("told %v, sent %s, want a failure", news, s.take())
		}
		s.allocate(aap.Want{Token: 2, Count: 16, End: at(7200)})
		s.after(11)
		if a, ok := s.Allocation(2); !ok || a.Addrs.Size() != scope.U128(16) {
			t.Errorf("granted %v after %v s, told %v, want all 16", a.Addrs, wait, s.told())
		}
	}
}
