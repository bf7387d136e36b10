// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// TestClaimCollides: what an ACLM, AIU or AITU of another server does to a claim
// of 239.255.0.0-239.255.0.3.
func TestClaimCollides(t *testing.T) {
	mine := scope.MustSet("239.255.0.0/30")
	for _, c := range []struct {
		id       string
		heard    aap.Type
		addrs    string
		end      int64
		lost     string
		restarts bool
	}{
		{"AAP-3.2.5-3 ACLM", aap.ACLM, "239.255.0.1", 7200, "239.255.0.1", true},
		{"AAP-3.2.5-3 AIU", aap.AIU, "239.255.0.1", 7200, "239.255.0.1", true},
		{"AAP-D-20 an ACLM of the same end has no priority", aap.ACLM, "239.255.0.0/30", 7200, "239.255.0.0/30", true},
		{"AAP-D-22 of a larger claim the overlap", aap.ACLM, "239.255.0.2-239.255.9.9", 7200, "239.255.0.2/31", true},
		{"AAP-D-21 AITU", aap.AITU, "239.255.0.1", 7200, "", false},
		{"AAP-D-13 ended", aap.AIU, "239.255.0.1", 202, "", false},
		{"others", aap.ACLM, "239.255.0.4", 7200, "", false},
	} {
		t.Run(c.id, func(t *testing.T) {
			s := newServer(t, 3, nil)
			s.allocate(aap.Want{Token: 1, Count: 4, Addrs: mine, Min: 1, End: at(7200)})
			s.until(202)
			s.take()
			s.hear(otherAddr, names(c.heard, 5, scope.MustSet(c.addrs), c.end))
			if !c.restarts {
				s.says("")
				s.until(210)
				if a, ok := s.Allocation(1); !ok || !a.Addrs.Equal(mine) {
					t.Errorf("granted %v, want all", a)
				}
				return
			}
			var kept scope.Set
			kept, _ = mine.Subtract(scope.MustSet(c.lost))
			if kept.IsEmpty() {
				if news := s.told(); len(news) != 1 || !errors.Is(news[0].(aap.Failed).Err, aap.ErrContended) {
					t.Errorf("told %v, want that it failed", news)
				}
				return
			}
			// AAP-D-23, AAP-3.2.5-4, AAP-5.1.4-2: what is left is claimed again by the
			// same request, and waits in full.
			if len(s.sent) != 1 || !aap.Addrs(s.sent[0].Ranges).Equal(kept) || s.sent[0].RSeq != 0 || s.sent[0].MSeq != 2 {
				t.Errorf("AAP-3.2.5-4: sent %s, want a claim 0/2 of %v", s.take(), kept)
			}
			s.take()
			s.until(211.9)
			if _, ok := s.Allocation(1); ok {
				t.Error("AAP-D-23: granted before a full ANNOUNCE-WAIT had passed")
			}
			s.until(212)
			if a, ok := s.Allocation(1); !ok || !a.Addrs.Equal(kept) {
				t.Errorf("granted %v, want %v", a, kept)
			}
		})
	}
}

// TestClaimMoves: AAP-3.2.5-4, others replace what was lost, in the same request
// (AAP-5.1.4-2), and never what is lost again (AAP-D-19).
func TestClaimMoves(t *testing.T) {
	s := newServer(t, 4, nil)
	s.allocate(aap.Want{Token: 1, Count: 2, End: at(7200)})
	var lost scope.Set
	for i := range 3 {
		mine := aap.Addrs(s.sent[len(s.sent)-1].Ranges)
		if mine.Overlaps(lost) || mine.Size() != scope.U128(2) {
			t.Fatalf("claims %v, lost %v before", mine, lost)
		}
		lost, _ = lost.Union(mine)
		s.hear(otherAddr, names(aap.ACLM, uint32(i), mine, 7200))
	}
	for i, m := range s.sent {
		if m.Type != aap.ACLM || m.RSeq != 0 || int(m.MSeq) != i {
			t.Errorf("message %d is %v %d/%d", i, m.Type, m.RSeq, m.MSeq)
		}
	}
	all := s.Free(at(7200))
	s.after(10)
	if len(s.told()) != 1 {
		t.Error("not granted 10 s after the last collision")
	}
	if free := s.Free(at(7200)); free != all.Add(scope.U128(6)) {
		t.Errorf("%v are free, want the 6 lost ones too, which nobody has in the end", free)
	}
}

// TestClaimEndless: AAP-D-24, an attacker who claims whatever we claim makes the
// request fail after 16 tries, and that is no lack of addresses.
func TestClaimEndless(t *testing.T) {
	s := newServer(t, 5, nil)
	s.allocate(aap.Want{Token: 1, Count: 1, End: at(7200)})
	for i := range 20 {
		if len(s.sent) == 0 {
			break
		}
		mine := aap.Addrs(s.sent[0].Ranges)
		if s.sent = s.sent[1:]; i > 15 {
			t.Fatal("still claims")
		}
		s.hear(otherAddr, names(aap.ACLM, uint32(i), mine, 7200))
	}
	if news := s.told(); len(news) != 1 || news[0].(aap.Failed).Err != aap.ErrContended {
		t.Errorf("told %v", news)
	}
	s.after(60)
	s.says("")
}

// TestClaimAndSpace: AAP-3.2.5-5, a newer ASA without some of what is claimed, or
// not for as long; AAP-D-39 within the tolerance it is.
func TestClaimAndSpace(t *testing.T) {
	wide, late := tr("233.252.0.0", "233.252.0.255", 9000), tr("233.252.0.0", "233.252.0.255", 8996)
	for _, c := range []struct {
		id    string
		space []aap.TimedRange
		kept  string
	}{
		{"AAP-3.2.5-5 half", []aap.TimedRange{tr("233.252.0.2", "233.252.0.255", 9000)}, "233.252.0.2/31"},
		{"AAP-3.2.5-5 shorter", []aap.TimedRange{tr("233.252.0.0", "233.252.0.0", 8990), tr("233.252.0.1", "233.252.0.255", 9000)}, "233.252.0.1-233.252.0.3"},
		{"AAP-D-39 tolerance", []aap.TimedRange{late}, "233.252.0.0/30"},
	} {
		t.Run(c.id, func(t *testing.T) {
			s := newServer(t, 6, large)
			s.hear(otherAddr, asaOf(200, wide))
			s.allocate(aap.Want{Token: 1, Addrs: scope.MustSet("233.252.0.0/30"), Min: 1, End: at(9000)})
			s.after(5)
			s.sent = nil
			s.hear(otherAddr, asaOf(205, c.space...))
			if got := len(s.sent) > 0; got != (c.kept != "233.252.0.0/30") {
				t.Errorf("sent %s", s.take())
			}
			s.after(10)
			if a, ok := s.Allocation(1); !ok || !a.Addrs.Equal(scope.MustSet(c.kept)) {
				t.Errorf("granted %v, want %v", a, c.kept)
			}
		})
	}
}

// TestWhole: the whole of an allocation that takes several messages is granted or
// nothing is, and nothing is left behind.
func TestWhole(t *testing.T) {
	var odd scope.SetBuilder
	for i := range byte(60) {
		odd.Add(scope.MustRange(addrOf(2*i), addrOf(2*i)))
	}
	want, _ := odd.Set()
	for _, fails := range []bool{false, true} {
		s := newServer(t, 1, nil)
		s.allocate(aap.Want{Token: 1, Addrs: want, End: at(7200)})
		if len(s.sent) != 2 || len(s.sent[0].Ranges) != 40 || len(s.sent[1].Ranges) != 20 {
			t.Fatalf("AAP-D-50: claimed by %s", s.take())
		}
		s.after(5)
		if fails {
			s.hear(otherAddr, names(aap.AIU, 1, scope.MustSet(addrOf(118)), 7200))
		}
		s.after(6)
		news := s.told()
		if len(news) != 1 {
			t.Fatalf("told %v", news)
		}
		if _, granted := news[0].(aap.Granted); granted == fails {
			t.Errorf("told %v", news)
		}
		free := s.Free(at(7200))
		used := scope.U128(60)
		if fails {
			used = scope.U128(1)
		}
		if all := scope.U128(65536 - 256); free != all.Sub(used) {
			t.Errorf("%v are free of %v, want %v fewer", free, all, used)
		}
	}
}

func addrOf(i byte) string { return "239.255.3." + strconv.Itoa(int(i)) }

// TestVerbs: what the verbs refuse, and what a cancelled request does: nothing.
func TestVerbs(t *testing.T) {
	s := newServer(t, 1, nil)
	for name, w := range map[string]aap.Want{
		"nothing":  {Token: 1, End: at(7200)},
		"past":     {Token: 1, Count: 1, End: at(100)},
		"after":    {Token: 1, Count: 1, End: at(0).AddDate(200, 0, 0)},
		"minimum":  {Token: 1, Count: 1, Min: 2, End: at(7200)},
		"outside":  {Token: 1, Addrs: scope.MustSet("239.254.0.1"), End: at(7200)},
		"reserved": {Token: 1, Addrs: scope.MustSet("239.255.255.248"), End: at(7200)}, // AAP-D-55
		"too many": {Token: 1, Addrs: x1, Count: 2, End: at(7200)},
	} {
		if err := s.Allocate(s.now, w); !errors.Is(err, aap.ErrWant) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.own(1, x1, 7200)
	if err := s.Allocate(s.now, aap.Want{Token: 1, Count: 1, End: at(7200)}); !errors.Is(err, aap.ErrToken) {
		t.Error(err)
	}
	if err := s.SetEnd(s.now, 1, at(10)); !errors.Is(err, aap.ErrWant) {
		t.Error(err)
	}
	for _, err := range []error{s.Release(s.now, 2), s.SetEnd(s.now, 2, at(9000)), s.Yield(s.now, 2, x1)} {
		if !errors.Is(err, aap.ErrToken) {
			t.Error(err)
		}
	}
	s.after(60)
	s.take()
	s.told()
	s.allocate(aap.Want{Token: 5, Count: 3, End: at(7200)})
	if err := s.Release(s.now, 5); err != nil {
		t.Error(err)
	}
	s.sent = nil
	s.until(s.now.Sub(at(0)).Seconds() + 12)
	if hears(s.sent, aap.ACLM, scope.Set{}) || len(s.told()) > 0 {
		t.Errorf("cancelled, but sent %s", s.take())
	}
	for range 3 {
		if s.now.After(at(9000)) {
			break
		}
		s.after(3600)
	}
	if _, ok := s.Allocation(1); ok || len(s.told()) > 0 {
		t.Error("AAP-3.2.1-3: not forgotten at its end")
	}
}
