// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"testing"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

var wide = tr("233.252.0.0", "233.252.0.255", 90000)

// newLarge returns a server of the global scope that has heard an ASA at 200 s,
// which expires at 320 s, with news of that already taken.
func newLarge(t *testing.T, seed uint64, space ...aap.TimedRange) *server {
	s := newServer(t, seed, large)
	s.hear(otherAddr, asaOf(200, space...))
	s.news = nil
	return s
}

// usable returns what the server may allocate from, in seconds after base.
func (s *server) usable() []aap.TimedRange { return s.Usable(s.now) }

// TestSpace: which ASA replaces the space (AAP-3.2.10.1-5 to -8, AAP-3.2.1-4).
func TestSpace(t *testing.T) {
	other := tr("234.0.0.0", "234.0.0.255", 90000)
	for _, c := range []struct {
		id  string
		asa aap.Message
		now int64
		new bool
	}{
		{"AAP-3.2.10.1-7, AAP-3.2.10.1-8 newer", asaOf(230, wide, other), 230, true},
		{"AAP-3.2.10.1-6 older", asaOf(190, wide, other), 201, true}, // 190 on the clock of a sender 11 s behind
		{"AAP-D-36 the same", asaOf(200, wide), 201, false},
		{"AAP-3.2.10.1-6 expires earlier", func() aap.Message {
			m := asaOf(205, wide, other)
			m.Expiration = at(310)
			return m
		}(), 205, false},
		{"AAP-3.2.10.1-5 corrected for skew it expires earlier", func() aap.Message {
			m := asaOf(3000, wide, other)
			m.Expiration = at(3100)
			return m
		}(), 205, false},
	} {
		t.Run(c.id, func(t *testing.T) {
			s := newLarge(t, 1, wide)
			s.until(float64(c.now))
			s.hear(serverAddr, c.asa)
			if got := len(s.usable()) == 2; got != c.new {
				t.Errorf("usable: %v", s.usable())
			}
			s.until(80000)
			if len(s.usable()) == 0 {
				t.Error("AAP-3.2.1-4: forgotten although nothing replaced it")
			}
		})
	}
}

// TestWithdrawn: AAP-3.2.10.1-10 to -12, AAP-4.2.1.1-7: a space that takes
// addresses back.
func TestWithdrawn(t *testing.T) {
	s := newLarge(t, 1, wide)
	s.own(1, scope.MustSet("233.252.0.0/30"), 9000)
	s.own(2, scope.MustSet("233.252.0.128"), 9000)
	s.after(60)
	s.news = nil
	s.hear(otherAddr, asaOf(280, tr("233.252.0.2", "233.252.0.2", 5000), tr("233.252.0.3", "233.252.0.255", 90000)))
	var lost []aap.Lost
	for _, x := range s.news {
		switch x := x.(type) {
		case aap.Lost:
			lost = append(lost, x)
		case aap.Available:
			if len(x.Withdrawn) != 1 || x.From != otherAddr || len(x.Space) != 2 {
				t.Errorf("AAP-3.2.10.1-12: told %v", x)
			}
		}
	}
	if len(lost) != 2 || !lost[0].Addrs.Equal(scope.MustSet("233.252.0.0/31")) || !lost[0].Until.Equal(s.now) ||
		!lost[1].Addrs.Equal(scope.MustSet("233.252.0.2")) || !lost[1].Until.Equal(at(5000)) || lost[0].Token != 1 || lost[0].From.IsValid() {
		t.Errorf("AAP-3.2.10.1-11: told %v", lost)
	}
	if s.Stats().Withdrawals != 1 {
		t.Error("not counted")
	}
	// The record behaves as if cut to the space: what is gone is not defended.
	s.sent = nil
	s.hear(serverAddr, names(aap.ACLM, 1, scope.MustSet("233.252.0.0/24"), 9000))
	if len(s.sent) != 1 || !aap.Addrs(s.sent[0].Ranges).Equal(scope.MustSet("233.252.0.2/31", "233.252.0.128")) || !s.sent[0].Ranges[0].End.Equal(at(5000)) {
		t.Errorf("AAP-3.2.10.1-10: sent %s", s.take())
	}
}

// TestPoolAndSpace: AAP-3.2.6-7, AAP-3.2.6-10: a space without some of what is
// preallocated.
func TestPoolAndSpace(t *testing.T) {
	for _, settled := range []bool{false, true} {
		s := newServer(t, 1, func(cfg *aap.MAASConfig) { large(cfg); cfg.Pool, cfg.MaxPool = 16, 16 })
		s.hear(otherAddr, asaOf(200, wide))
		if settled {
			s.after(20)
		}
		s.after(5)
		pool := aap.Addrs(s.sent[0].Ranges)
		s.sent = nil
		kept := scope.MustRange(pool.Range(0).First().Next().String(), "233.252.0.255")
		before, _ := pool.Intersect(scope.MustSet("233.252.0.0-" + pool.Range(0).First().String()))
		s.hear(otherAddr, asaOf(230, aap.TimedRange{Range: kept, End: at(90000)}))
		if settled {
			if len(s.sent) > 0 && s.sent[0].RSeq == 0 {
				t.Errorf("AAP-3.2.6-10: sent %s", s.take())
			}
			continue
		}
		if len(s.sent) == 0 || s.sent[0].RSeq != 0 || aap.Addrs(s.sent[0].Ranges).Overlaps(before) {
			t.Errorf("AAP-3.2.6-7: sent %s", s.take())
		}
	}
}

// TestDrawPoolInTime: AAP-3.2.8-1, AAP-D-56: an address of the pool does not serve
// for longer than the space has it.
func TestDrawPoolInTime(t *testing.T) {
	s := newServer(t, 1, func(cfg *aap.MAASConfig) { large(cfg); cfg.Pool, cfg.MaxPool = 4, 4 })
	long := tr("234.0.0.0", "234.0.0.255", 90000)
	s.hear(otherAddr, asaOf(200, tr("233.252.0.0", "233.252.0.255", 6000), long))
	s.after(11)
	for i, want := range []struct {
		end    int64
		pooled bool
	}{{7200, false}, {6000, true}} {
		s.sent = nil
		s.allocate(aap.Want{Token: aap.Token(i), Count: 1, End: at(want.end)})
		if _, ok := s.Allocation(aap.Token(i)); ok != want.pooled {
			t.Errorf("until %d: granted at once: %v", want.end, ok)
		}
		if !want.pooled && !long.Range.Covers(s.sent[0].Ranges[0].Range) {
			t.Errorf("until %d: sent %s", want.end, s.take())
		}
	}
}

// TestSpaceRepeated: AAP-3.2.10.2-1 to -7, AAP-D-38: an expired ASA is repeated.
func TestSpaceRepeated(t *testing.T) {
	for seed := range uint64(10) {
		s := newLarge(t, seed, wide)
		s.until(320 + 20.9)
		if hears(s.sent, aap.ASA, scope.Set{}) {
			t.Fatalf("AAP-3.2.10.2-4: sent %s", s.take())
		}
		s.until(320 + 39.1)
		var resent *aap.Message
		for i := range s.sent {
			if s.sent[i].Type == aap.ASA {
				resent = &s.sent[i]
			}
		}
		if resent == nil || resent.RSeq != 0 || !resent.Expiration.Equal(at(320)) || !resent.IsResent() || len(resent.Ranges) != 1 {
			t.Fatalf("AAP-3.2.10.2-3, AAP-3.2.10.2-5: sent %v", resent)
		}
		// AAP-3.2.10.2-2: it is still allocated from
		s.allocate(aap.Want{Token: 1, Count: 1, End: at(9000)})
		s.after(10)
		if len(s.told()) != 1 {
			t.Error("AAP-3.2.10.2-2: nothing is granted")
		}
		// AAP-3.2.10.2-7: a repeat by another puts ours off
		s.until(400)
		s.sent = nil
		for range 6 {
			m := asaOf(s.now.Sub(at(0)).Seconds(), wide)
			m.Expiration = at(320)
			s.hear(serverAddr, m)
			s.after(20)
		}
		if hears(s.sent, aap.ASA, scope.Set{}) {
			t.Error("AAP-3.2.10.2-7: repeated although another did")
		}
		// AAP-3.2.10.2-6: a new one ends it
		s.sent = nil
		now := s.now.Sub(at(0)).Seconds()
		s.hear(otherAddr, asaOf(now, wide))
		s.until(now + 119)
		if hears(s.sent, aap.ASA, scope.Set{}) {
			t.Error("AAP-3.2.10.2-6: repeated although it has not expired")
		}
	}
	s := newLarge(t, 1, tr("233.252.0.0", "233.252.0.255", 400))
	s.until(500)
	s.sent = nil
	s.until(900)
	if hears(s.sent, aap.ASA, scope.Set{}) {
		t.Error("AAP-D-38: repeats a space that has ended")
	}
}

// TestUseReported: AAP-3.2.10.3-1 to -8: use and requests are reported, unless another
// does, one scope at a time.
func TestUseReported(t *testing.T) {
	late := tr("234.0.0.0", "234.0.0.127", 90000)
	s := newLarge(t, 1, late, wide)
	s.own(1, scope.MustSet("233.252.0.0/28"), 9000)
	s.hear(serverAddr, names(aap.AIU, 1, scope.MustSet("233.252.0.128/25", "234.0.0.0/30"), 9000))
	s.hear(serverAddr, names(aap.AITU, 2, scope.MustSet("233.252.0.64/28"), 9000)) // does not count
	s.hear(serverAddr, aap.Message{Type: aap.ANA, RSeq: 3, Need: aap.Request{Count: 64, End: at(9000)}})
	reports := func() (list []aap.Message) {
		for _, m := range s.sent {
			if m.Type == aap.ASRP {
				list = append(list, m)
			}
		}
		s.sent = nil
		return list
	}
	reports()
	s.after(39.1)
	list := reports()
	if len(list) == 0 {
		t.Fatal("AAP-3.2.10.3-4: no report")
	}
	m := list[0]
	if len(m.Reports) != 2 || m.Reports[0] != (aap.Report{Range: late.Range, InUse: 4}) || m.Reports[1] != (aap.Report{Range: wide.Range, InUse: 144}) {
		t.Errorf("AAP-3.2.10.3-6, AAP-3.2.10.3-2: reports %v", m.Reports)
	}
	if len(m.Requests) != 1 || m.Requests[0] != (aap.Request{Count: 64, End: at(9000)}) {
		t.Errorf("AAP-3.2.9-8: requests %v", m.Requests)
	}
	for range 10 { // AAP-3.2.10.3-5
		s.after(20)
		s.hear(serverAddr, m)
	}
	if list := reports(); len(list) > 0 {
		t.Error("AAP-3.2.10.3-5: reported although another did")
	}
	// AAP-3.2.10.3-7, AAP-3.2.10.3-8: many requests fit 500 octets
	for i := range uint32(200) {
		s.hear(serverAddr, aap.Message{Type: aap.ANA, RSeq: 10 + i, Need: aap.Request{Count: 1, End: at(9000 + int64(i))}})
	}
	s.after(40)
	list = reports()
	var sum uint32
	for _, r := range list[0].Requests {
		sum += r.Count
	}
	if list[0].Size() > aap.MaxPayload || sum != 264 {
		t.Errorf("AAP-3.2.10.3-7: %d octets for %d addresses", list[0].Size(), sum)
	}
	// AAP-3.2.10.1-9: more space satisfies them
	s.hear(otherAddr, asaOf(s.now.Sub(at(0)).Seconds(), late, wide, tr("235.0.0.0", "235.0.255.255", 90000)))
	s.after(40)
	if list := reports(); len(list[0].Requests) != 0 {
		t.Errorf("AAP-3.2.10.1-9: still requests %v", list[0].Requests)
	}
	quiet := newServer(t, 1, func(cfg *aap.MAASConfig) { large(cfg); cfg.NoReports = true })
	quiet.hear(otherAddr, asaOf(200, wide))
	if quiet.after(100); hears(quiet.sent, aap.ASRP, scope.Set{}) {
		t.Error("AAP-3.2.10.3-1: reports although told not to")
	}
}

// TestLack: AAP-3.2.9-1 to -8: what cannot be allocated is asked for, in a large
// scope only.
func TestLack(t *testing.T) {
	s := newLarge(t, 1, wide)
	s.allocate(aap.Want{Token: 1, Count: 300, End: at(9000)})
	if news := s.told(); len(news) != 1 || news[0] != aap.Effect(aap.Failed{Token: 1, Err: aap.ErrUnavailable}) {
		t.Errorf("told %v", news)
	}
	s.after(20)
	var times []time.Duration
	for _, m := range s.sent {
		if m.Type == aap.ANA {
			if m.Need != (aap.Request{Count: 300, End: at(9000)}) || m.RSeq != s.sent[0].RSeq || int(m.MSeq) != len(times) {
				t.Errorf("AAP-3.2.9-4: sent %v %d/%d", m.Need, m.RSeq, m.MSeq)
			}
			times = append(times, m.CurrentTime.Sub(at(200)))
		}
	}
	if len(times) != 4 || times[1] != time.Second || times[2] != 3*time.Second || times[3] != 7*time.Second {
		t.Errorf("AAP-3.2.9-5, AAP-3.2.9-6: sent after %v", times)
	}
	// AAP-3.2.9-7: a repeat is the same request, AAP-D-44: of another sender it is not
	ask := aap.Message{Type: aap.ANA, RSeq: 3, Need: aap.Request{Count: 5, End: at(9000)}}
	s.hear(serverAddr, ask)
	s.hear(serverAddr, ask)
	s.hear(otherAddr, ask)
	s.sent = nil
	s.after(40)
	for _, m := range s.sent {
		if m.Type == aap.ASRP {
			if len(m.Requests) != 3 {
				t.Errorf("AAP-3.2.9-7: requests %v", m.Requests)
			}
			break
		}
	}
	small := newServer(t, 1, func(cfg *aap.MAASConfig) { cfg.Exclude = scope.MustSet("239.255.0.0/16") })
	small.allocate(aap.Want{Token: 1, Count: 1, End: at(9000)})
	small.after(30)
	if len(small.sent) > 0 {
		t.Errorf("AAP-3.2.9-2: sent %s", small.take())
	}
	if news := small.told(); len(news) != 1 {
		t.Errorf("AAP-3.2.9-3: told %v", news)
	}
}

// TestSmall: AAP-2.1.2-1 to -3, AAP-D-18, AAP-3.2.10-1: in a small scope all is
// available for ever, and nobody's ASA, ASRP or ANA changes anything.
func TestSmall(t *testing.T) {
	s := newServer(t, 1, nil)
	before := s.Snapshot()
	here := tr("239.255.0.0", "239.255.0.1", 9000)
	s.hear(otherAddr, asaOf(200, here))
	s.hear(otherAddr, aap.Message{Type: aap.ASRP, Reports: []aap.Report{{Range: here.Range, InUse: 1}}})
	if string(before) != string(s.Snapshot()) || s.Stats().Drops.Foreign != 2 {
		t.Errorf("AAP-D-18: %+v", s.Stats().Drops)
	}
	if u := s.usable(); len(u) != 1 || u[0].Range != small4 || u[0].End.Before(at(1<<31)) {
		t.Errorf("AAP-3.2.10-1: usable %v", u)
	}
	s.allocate(aap.Want{Token: 1, Count: 100, End: at(1 << 31)})
	s.after(300)
	for _, m := range s.sent {
		if m.Type > aap.AITU {
			t.Errorf("AAP-2.1.2-2: sent %v", m.Type)
		}
	}
}

// TestScopes: AAP-2.1.3-1, AAP-2.1.1-5, AAP-2.1.1-6, AAP-D-17, AAP-5.2-1: messages of
// another scope, group or family are nothing to us, and of ours all types are taken.
func TestScopes(t *testing.T) {
	s := newLarge(t, 1, wide)
	before := s.Snapshot()
	drop := func(id string, to string, m aap.Message) {
		t.Helper()
		was := s.Stats().Drops.Foreign
		m.CurrentTime = s.now.Truncate(time.Second)
		if m.Family == 0 {
			m.Family = aap.IPv4
		}
		b, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		d := aap.Datagram{From: otherAddr, To: scope.MustRange(to, to).First(), Payload: b}
		if err := s.Receive(s.now, d); err != nil || s.Stats().Drops.Foreign != was+1 {
			t.Errorf("%s: %v", id, err)
		}
	}
	drop("AAP-2.1.3-1 a small scope", "239.251.255.248", names(aap.AIU, 1, x1, 9000))
	drop("AAP-2.1.3-2 two scopes", "239.251.255.248", names(aap.AIU, 1, scope.MustSet("233.252.0.1", "239.255.0.1"), 9000))
	drop("AAP-2.1.1-5 the group of another scope", "239.255.255.248", names(aap.AIU, 1, scope.MustSet("233.252.0.1"), 9000))
	six := names(aap.AIU, 1, scope.MustSet("ff1e::1"), 9000)
	six.Family = aap.IPv6
	drop("another family", "239.251.255.248", six)
	if string(before) != string(s.Snapshot()) {
		t.Error("the record has changed")
	}
	for typ, m := range map[aap.Type]aap.Message{
		aap.ACLM: names(aap.ACLM, 1, scope.MustSet("233.252.0.1"), 9000), aap.AIU: names(aap.AIU, 1, scope.MustSet("233.252.0.1"), 9000),
		aap.AITU: names(aap.AITU, 1, scope.MustSet("233.252.0.1"), 9000), aap.ASA: asaOf(200, wide),
		aap.ASRP: {Type: aap.ASRP}, aap.ANA: {Type: aap.ANA, Need: aap.Request{Count: 1, End: at(9000)}},
	} {
		was := s.Stats().Received[typ]
		s.hear(serverAddr, m)
		if s.Stats().Received[typ] != was+1 {
			t.Errorf("AAP-5.2-1: %v was not taken", typ)
		}
	}
}
