// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"net/netip"
	"testing"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

var x9 = scope.MustSet("239.255.9.9")

// TestDefendOwn: AAP-3.2.2-7, AAP-3.2.2-8, AAP-3.2.2-13: what we have allocated is
// defended at once, and then after 1, 2, 4, 8 and 16 s (AAP-3.2.2-11, -12), by
// what is ours of what was asked for (AAP-D-27), once for repeats (AAP-D-26).
func TestDefendOwn(t *testing.T) {
	for _, typ := range []aap.Type{aap.ACLM, aap.AITU} {
		s := newServer(t, 1, nil)
		s.own(1, x1, 7200)
		s.until(300)
		s.take()
		ask := names(typ, 8, scope.MustSet("239.255.0.0/30"), 9000)
		s.hear(otherAddr, ask)
		if len(s.sent) != 1 || !hears(s.sent, aap.AIU, x1) || len(s.sent[0].Ranges) != 1 || !s.sent[0].Ranges[0].End.Equal(at(7200)) {
			t.Fatalf("%v: sent %s", typ, s.take())
		}
		rseq := s.sent[0].RSeq
		s.after(1.5)
		s.hear(otherAddr, ask) // a repeat, while the defence goes on
		s.until(420)
		var times []float64
		for _, m := range s.sent {
			if m.RSeq == rseq {
				times = append(times, m.CurrentTime.Sub(at(300)).Seconds())
			}
		}
		if len(times) != 6 || times[1] != 1 || times[2] != 3 || times[3] != 7 || times[4] != 15 || times[5] != 31 {
			t.Errorf("%v: defended after %v s, want 0, 1, 3, 7, 15 and 31", typ, times)
		}
		s.take()
		s.hear(otherAddr, ask) // after the defence is over, a repeat opens a new one
		if !hears(s.sent, aap.AIU, x1) {
			t.Errorf("%v: AAP-D-26: not defended again", typ)
		}
	}
}

// TestDefendOthers: AAP-3.2.2-14, what others have is defended after 2 to 8 s, and
// twice as long after each time; AAP-3.2.2-9: somebody else's AIU doubles the
// time; AAP-3.2.2-10: a claimant that moves ends it; AAP-D-29: its own AIU as well.
func TestDefendOthers(t *testing.T) {
	for seed := range uint64(10) {
		s := newServer(t, seed, nil)
		s.hear(otherAddr, names(aap.AIU, 1, x9, 7200))
		s.hear(serverAddr, names(aap.ACLM, 2, x9, 7200))
		s.says("")
		s.after(120)
		if n := len(s.sent); n < 2 || n > 4 {
			t.Fatalf("AAP-3.2.2-12: defended %d times", n)
		}
		first := s.sent[0].CurrentTime.Sub(at(200)).Seconds()
		second := s.sent[1].CurrentTime.Sub(at(200)).Seconds()
		if first < 1 || first > 8 || second < 3*first-1 || second > 3*first+3 {
			t.Errorf("AAP-3.2.2-11: defended after %v and %v s", first, second)
		}
		s.take()

		for _, c := range []struct {
			id    string
			from  netip.AddrPort
			heard aap.Message
			low   float64 // when the first AIU comes, in s; 0 for never
			high  float64
		}{
			{"AAP-3.2.2-9 the owner answers", otherAddr, names(aap.AIU, 3, x9, 7200), 4, 16},
			{"AAP-3.2.2-10 the claimant moves", serverAddr, names(aap.ACLM, 2, x1, 7200), 0, 0},
			{"AAP-D-29 the claimant has it", serverAddr, names(aap.AIU, 3, x9, 7200), 0, 0},
			{"AAP-D-26 another request", serverAddr, names(aap.ACLM, 4, x1, 7200), 2, 8},
			{"AAP-D-13 an ended AIU ends the record", otherAddr, names(aap.AIU, 3, x9, 10), 0, 0},
		} {
			s := newServer(t, seed, nil)
			s.hear(otherAddr, names(aap.AIU, 1, x9, 7200))
			s.hear(serverAddr, names(aap.ACLM, 2, x9, 7200))
			s.hear(c.from, c.heard)
			s.after(40)
			if c.high == 0 {
				if len(s.sent) > 0 {
					t.Errorf("%s: sent %s", c.id, s.take())
				}
				continue
			}
			if len(s.sent) == 0 {
				t.Errorf("%s: nothing was sent", c.id)
				continue
			}
			if after := s.sent[0].CurrentTime.Sub(at(200)).Seconds(); after < c.low-1 || after > c.high {
				t.Errorf("%s: defended after %v s", c.id, after)
			}
		}
	}
}

// TestDefendCut: AAP-D-33, what is announced in defence lies within the space, and
// ends with it; AAP-D-28: whoever claims what we know as allocated is answered,
// even the one who allocated it.
func TestDefendCut(t *testing.T) {
	s := newServer(t, 1, large)
	s.hear(otherAddr, asaOf(200, tr("233.252.0.0", "233.252.0.15", 5000)))
	s.hear(otherAddr, names(aap.AIU, 1, scope.MustSet("233.252.0.8/28"), 9000))
	s.hear(otherAddr, names(aap.ACLM, 2, scope.MustSet("233.252.0.0/24"), 5000))
	s.after(9)
	var answer *aap.Message
	for i := range s.sent {
		if s.sent[i].Type == aap.AIU {
			answer = &s.sent[i]
			break
		}
	}
	if answer == nil || len(answer.Ranges) != 1 || answer.Ranges[0].Range != scope.MustRange("233.252.0.0", "233.252.0.15") || !answer.Ranges[0].End.Equal(at(5000)) {
		t.Errorf("sent %s", s.take())
	}
}

// TestConflict: another server announces what is ours.
func TestConflict(t *testing.T) {
	s := newServer(t, 1, nil)
	pair := scope.MustSet("239.255.0.0/31")
	s.own(1, pair, 7200)
	s.told()
	s.after(60)
	// AAP-3.2.3-1, AAP-D-31: the application is told, once, and the address is
	// announced on until it yields.
	s.hear(otherAddr, names(aap.AIU, 4, x1, 6000))
	s.hear(otherAddr, names(aap.AIU, 4, x1, 6000))
	news := s.told()
	if len(news) != 1 {
		t.Fatalf("told %v", news)
	}
	lost := news[0].(aap.Lost)
	if lost.Token != 1 || !lost.Addrs.Equal(x1) || lost.From != otherAddr || !lost.Until.Equal(s.now) || s.Stats().Conflicts != 1 { // AAP-3.2.3-4
		t.Errorf("told %+v", lost)
	}
	s.sent = nil
	s.after(40)
	if !hears(s.sent, aap.AIU, pair) {
		t.Errorf("AAP-D-31: stopped to announce %v before its users could", pair)
	}
	// AAP-3.2.3-2: then it is dropped without a word, and known as the other's.
	if err := s.Yield(s.now, 1, lost.Addrs); err != nil {
		t.Fatal(err)
	}
	s.sent = nil
	s.after(120)
	for _, m := range s.sent {
		if aap.Addrs(m.Ranges).Overlaps(x1) {
			t.Errorf("AAP-3.2.3-2: sent %s", s.take())
		}
	}
	if a, _ := s.Allocation(1); !a.Addrs.Equal(scope.MustSet("239.255.0.0")) {
		t.Errorf("AAP-3.2.3-3: still has %v", a)
	}
	s.allocate(aap.Want{Token: 2, Addrs: x1, End: at(5000)})
	if news := s.told(); len(news) != 1 {
		t.Errorf("AAP-3.2.3-3: claims what another has: %v", news)
	}
}

// TestEcho: AAP-D-30, an AIU with an end that we announced is a defence, any other
// a conflict.
func TestEcho(t *testing.T) {
	for _, c := range []struct {
		id     string
		strict bool
		ends   []int64 // of the AIUs, 5 s apart
		lost   bool
	}{
		{"our end", false, []int64{7200}, false},
		{"AAP-D-39 within the tolerance", false, []int64{7205}, false},
		{"another end", false, []int64{7206}, true},
		{"a former end", false, []int64{5000}, false},
		{"AAP-D-13 ended", false, []int64{100}, false},
		{"strict", true, []int64{7200}, true},
		{"a rival with our end", false, []int64{7200, 7200, 7200, 7200, 7200, 7200, 7200, 7200, 7200, 7200, 7200, 7200, 7200, 7200}, true},
	} {
		t.Run("AAP-D-30 "+c.id, func(t *testing.T) {
			s := newServer(t, 1, func(cfg *aap.MAASConfig) { cfg.Strict = c.strict })
			s.own(1, x1, 5000)
			if err := s.SetEnd(s.now, 1, at(7200)); err != nil {
				t.Fatal(err)
			}
			s.told()
			for _, end := range c.ends {
				s.hear(otherAddr, names(aap.AIU, 4, x1, end))
				s.after(5)
			}
			if news := s.told(); (len(news) > 0) != c.lost {
				t.Errorf("told %v", news)
			}
		})
	}
	// A question explains more defences.
	s := newServer(t, 1, nil)
	s.own(1, x1, 7200)
	s.told()
	for i := range 30 {
		if i%10 == 9 {
			s.hear(serverAddr, names(aap.ACLM, uint32(i), x1, 7200))
		}
		s.hear(otherAddr, names(aap.AIU, 4, x1, 7200))
		s.after(5)
	}
	if news := s.told(); len(news) > 0 {
		t.Errorf("AAP-D-30: told %v", news)
	}
	// A defence with a former end is answered by the true one at once.
	s = newServer(t, 1, nil)
	s.own(1, x1, 5000)
	s.after(70)
	if err := s.SetEnd(s.now, 1, at(7200)); err != nil {
		t.Fatal(err)
	}
	s.after(50)
	s.sent = nil
	s.hear(otherAddr, names(aap.AIU, 4, x1, 5000))
	if len(s.sent) != 1 || !s.sent[0].Ranges[0].End.Equal(at(7200)) {
		t.Errorf("a false end of our own: sent %s", s.take())
	}
}

// TestRedelete: AAP-3.2.8-4, a defence of what we have deleted is answered with its
// true end, which has passed, once in RESEND-WAIT; unless it was allocated anew.
func TestRedelete(t *testing.T) {
	fresh := func() *server {
		s := newServer(t, 1, nil)
		s.own(1, x1, 7200)
		s.until(300)
		s.take()
		if err := s.Release(s.now, 1); err != nil {
			t.Fatal(err)
		}
		s.collect()
		s.until(340)
		for i, m := range s.sent {
			if m.Type != aap.AIU || !m.Ranges[0].End.Equal(at(300)) {
				t.Errorf("message %d: %v until %v", i, m.Type, m.Ranges[0].End)
			}
		}
		if len(s.sent) != 6 {
			t.Errorf("AAP-3.2.8-3: the deletion was announced %d times", len(s.sent))
		}
		s.until(1000)
		s.sent = nil
		return s
	}
	s := fresh()
	s.hear(otherAddr, names(aap.AIU, 4, x1, 7200))
	s.hear(serverAddr, names(aap.AIU, 4, x1, 7200))
	if len(s.sent) != 1 || !s.sent[0].Ranges[0].End.Equal(at(300)) {
		t.Errorf("sent %s", s.take())
	}
	s.allocate(aap.Want{Token: 2, Addrs: x1, End: at(5000)})
	if s.after(10); len(s.told()) != 2 {
		t.Error("the defence was recorded")
	}

	// If we have it anew, a defence of what we had before is no conflict, nor deleted.
	s = fresh()
	s.own(2, x1, 9000)
	s.told()
	s.after(60)
	s.sent = nil
	s.hear(otherAddr, names(aap.AIU, 4, x1, 7200))
	if len(s.told()) > 0 || len(s.sent) != 1 || !s.sent[0].Ranges[0].End.Equal(at(9000)) {
		t.Errorf("AAP-D-30: allocated anew, sent %s", s.take())
	}

	// The same holds for one that was shortened, once it has ended.
	s = newServer(t, 1, nil)
	s.own(1, x1, 7200)
	if err := s.SetEnd(s.now, 1, at(400)); err != nil {
		t.Fatal(err)
	}
	s.until(500)
	s.sent = nil
	s.hear(otherAddr, names(aap.AIU, 4, x1, 7200))
	if len(s.sent) != 1 || !s.sent[0].Ranges[0].End.Equal(at(400)) {
		t.Errorf("AAP-3.2.8-4: sent %s", s.take())
	}

	for id, heard := range map[string]aap.Message{
		"AAP-D-30 another end":      names(aap.AIU, 4, x1, 6000),
		"by one who has claimed it": names(aap.AIU, 5, x1, 7200),
	} {
		s := fresh()
		if heard.RSeq == 5 {
			s.hear(otherAddr, names(aap.ACLM, 4, x1, 7200))
		}
		s.hear(otherAddr, heard)
		s.hear(serverAddr, names(aap.AIU, 4, x1, 7200))
		s.says("")
		s.allocate(aap.Want{Token: 2, Addrs: x1, End: at(5000)})
		if news := s.told(); len(news) != 2 {
			t.Errorf("%s: not recorded: %v", id, news)
		}
	}
}

// TestHeard: AAP-3.2.1-2, AAP-3.2.1-3, AAP-D-32: one record for an address, the
// last word counts, whoever says it, and it is dropped at its end.
func TestHeard(t *testing.T) {
	s := newServer(t, 1, nil)
	all := s.Free(at(7200))
	free := func(when string, n uint64) {
		t.Helper()
		if got := all.Sub(s.Free(at(7200))); got != scope.U128(n) {
			t.Errorf("%s: %v addresses are not free, want %d", when, got, n)
		}
	}
	s.hear(otherAddr, names(aap.AIU, 1, scope.MustSet("239.255.0.0/28"), 400))
	free("heard", 16)
	s.hear(serverAddr, names(aap.AIU, 1, scope.MustSet("239.255.0.8/29"), 300))
	s.until(299)
	free("before an end", 16)
	s.until(300)
	free("AAP-D-12 at an end", 8)
	s.hear(serverAddr, names(aap.AIU, 2, scope.MustSet("239.255.0.0/30"), 299))
	free("AAP-D-32 ended by another", 4)
	s.until(400)
	free("at the end", 0)

	// Preallocations are by sender and request; each replaces the one before.
	s.hear(otherAddr, names(aap.AITU, 1, scope.MustSet("239.255.0.0/28"), 900))
	s.hear(serverAddr, names(aap.AITU, 1, scope.MustSet("239.255.0.0/29"), 900))
	free("preallocated", 16)
	s.hear(otherAddr, names(aap.AITU, 1, scope.MustSet("239.255.0.4/30"), 900))
	free("AAP-D-32 replaced", 8)
	s.hear(otherAddr, names(aap.AITU, 1, x1, 10))
	free("withdrawn, but not by the other", 8)
	s.until(900)
	free("ended", 0)

	// Claims are kept for ANNOUNCE-WAIT only.
	s.hear(otherAddr, names(aap.ACLM, 1, x1, 9000))
	s.until(909)
	free("AAP-D-19 claimed", 1)
	s.until(910)
	free("AAP-D-19 forgotten", 0)
}
