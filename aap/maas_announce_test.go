// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// TestAnnouncements: AAP-3.2.2-1 to -5, AAP-D-58: all that is allocated is announced
// every 21 to 39 s, in as few messages of at most 500 octets as possible, each at
// times of its own; neighbours with equal ends are joined (AAP-D-7).
func TestAnnouncements(t *testing.T) {
	s := newServer(t, 1, nil)
	for i := range 90 { // every other address: no neighbours
		a := scope.MustSet(netip.AddrFrom4([4]byte{239, 255, 1, byte(2 * i)}).String())
		s.allocate(aap.Want{Token: aap.Token(i), Addrs: a, End: at(90000)})
	}
	s.until(400)
	s.sent = nil
	s.until(400 + 39*20)
	last, counts := map[uint32]time.Time{}, map[uint32]int{}
	for _, m := range s.sent {
		if m.Type != aap.AIU || len(m.Ranges) != 40 && len(m.Ranges) != 10 || m.Size() > aap.MaxPayload {
			t.Fatalf("AAP-3.2.2-4: %v of %d ranges", m.Type, len(m.Ranges))
		}
		if was, ok := last[m.RSeq]; ok {
			if gap := m.CurrentTime.Sub(was); gap < 20*time.Second || gap > 40*time.Second {
				t.Errorf("AAP-3.2.2-3: %v after the last", gap)
			}
		}
		last[m.RSeq] = m.CurrentTime
		counts[m.RSeq]++
	}
	if len(counts) != 3 {
		t.Fatalf("AAP-D-58: %d requests announce what fits three", len(counts))
	}
	for _, n := range counts {
		if n < 19 || n > 38 {
			t.Errorf("AAP-3.2.2-2: announced %d times in 780 s", n)
		}
	}
	// The times are their own: not always in the same order.
	order := map[[2]uint32]bool{}
	for i := 1; i < len(s.sent); i++ {
		order[[2]uint32{s.sent[i-1].RSeq, s.sent[i].RSeq}] = true
	}
	if len(order) < 4 {
		t.Errorf("AAP-3.2.2-5: always in the same order: %v", order)
	}
	// Fill the gaps: everything is one range, and one message suffices.
	for i := range 90 {
		a := scope.MustSet(netip.AddrFrom4([4]byte{239, 255, 1, byte(2*i + 1)}).String())
		s.allocate(aap.Want{Token: aap.Token(100 + i), Addrs: a, End: at(90000)})
	}
	s.after(60)
	s.sent = nil
	s.after(39)
	for _, m := range s.sent {
		if len(m.Ranges) != 1 || m.Ranges[0].Range != scope.MustRange("239.255.1.0", "239.255.1.179") {
			t.Errorf("AAP-D-58: announces %d ranges", len(m.Ranges))
		}
	}
	// Releasing one in the middle splits it.
	if err := s.Release(s.now, 50); err != nil {
		t.Fatal(err)
	}
	s.after(60)
	s.sent = nil
	s.after(39)
	if m := s.sent[0]; len(m.Ranges) != 2 || aap.Addrs(m.Ranges).Contains(netip.MustParseAddr("239.255.1.100")) {
		t.Errorf("announces %v", aap.Addrs(m.Ranges))
	}
}

// TestEnd: AAP-3.2.8-3, an end is moved either way, at once, by the same request
// (AAP-5.1.4-3); other addresses are another request.
func TestEnd(t *testing.T) {
	s := newServer(t, 1, nil)
	s.own(1, x1, 7200)
	s.until(300)
	rseq := s.sent[len(s.sent)-1].RSeq
	for _, end := range []int64{9000, 5000} {
		s.sent = nil
		if err := s.SetEnd(s.now, 1, at(end)); err != nil {
			t.Fatal(err)
		}
		s.collect()
		if len(s.sent) != 1 || s.sent[0].RSeq != rseq || !s.sent[0].Ranges[0].End.Equal(at(end)) {
			t.Errorf("sent %s, want request %d until %d", s.take(), rseq, end)
		}
	}
	s.own(2, scope.MustSet("239.255.0.2"), 5000)
	s.until(400)
	s.sent = nil
	s.until(439)
	if m := s.sent[0]; m.RSeq == rseq || m.Ranges[0].Range != scope.MustRange("239.255.0.1", "239.255.0.2") {
		t.Errorf("AAP-5.1.4-3: request %d again, for %v", m.RSeq, aap.Addrs(m.Ranges))
	}
	s.until(5001)
	s.sent = nil
	s.until(6000)
	s.says("")
}

// TestWrap: AAP-5.1.4-5, after 2^24 requests one that is still in use is left out.
func TestWrap(t *testing.T) {
	s := newServer(t, 1, nil)
	s.own(1, x1, 1<<31)
	s.until(300)
	rseq := s.sent[len(s.sent)-1].RSeq
	s.sent = nil
	s.SetNextRequest(1<<24 - 1)
	for i, want := range []uint32{1<<24 - 1, 0, 2} {
		if rseq != 1 {
			t.Fatalf("request %d", rseq)
		}
		s.allocate(aap.Want{Token: aap.Token(10 + i), Count: 1, End: at(9000)})
		if got := s.sent[len(s.sent)-1].RSeq; got != want {
			t.Errorf("request %d, want %d", got, want)
		}
	}
}
