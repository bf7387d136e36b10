// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"testing"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// TestTimeline1: a clean allocation (AAP-3.2.5-1, AAP-3.2.5-2, AAP-3.2.5-6,
// AAP-3.2.2-6, AAP-D-45, AAP-5.1.4-3, AAP-5.1.5-1, AAP-D-47).
func TestTimeline1(t *testing.T) {
	a := newServer(t, 1, nil)
	a.allocate(aap.Want{Token: 9, Addrs: x1, End: at(7200)})
	a.until(209)
	a.says("200 ACLM 0/0 239.255.0.1; 201 ACLM 0/1 239.255.0.1; 203 ACLM 0/2 239.255.0.1; 207 ACLM 0/3 239.255.0.1")
	a.until(241)
	a.says("210 AIU 1/0 239.255.0.1; 211 AIU 1/1 239.255.0.1; 213 AIU 1/2 239.255.0.1; 217 AIU 1/3 239.255.0.1; 225 AIU 1/4 239.255.0.1; 241 AIU 1/5 239.255.0.1")
	a.until(262)
	a.says("")
	a.until(280)
	if len(a.sent) != 1 || a.sent[0].Type != aap.AIU || a.sent[0].RSeq != 1 || a.sent[0].MSeq != 6 {
		t.Errorf("21 to 39 s later: %v", a.take())
	}
}

// TestTimeline2: two servers claim X at once and both give it up (AAP-D-20,
// AAP-D-23), each within its request (AAP-5.1.4-2).
func TestTimeline2(t *testing.T) {
	a, b := newServer(t, 1, nil), newServer(t, 2, nil)
	y, z := scope.MustSet("239.255.0.8"), scope.MustSet("239.255.0.9")
	both, _ := x1.Union(y)
	a.allocate(aap.Want{Token: 1, Count: 1, Addrs: both, End: at(7200)}) // X, and Y if X is lost
	both, _ = x1.Union(z)
	b.until(200.015)
	b.allocate(aap.Want{Token: 1, Count: 1, Addrs: both, End: at(7200)})
	fromA, fromB := a.sent[0], b.sent[0]
	b.until(200.04)
	b.hear(serverAddr, fromA)
	a.until(200.055)
	a.hear(otherAddr, fromB)
	a.hear(otherAddr, b.sent[1])
	b.hear(serverAddr, a.sent[1])
	a.until(210.05)
	b.until(210.035)
	a.says("200 ACLM 0/0 239.255.0.1; 200 ACLM 0/1 239.255.0.8; 201 ACLM 0/2 239.255.0.8; 203 ACLM 0/3 239.255.0.8; 207 ACLM 0/4 239.255.0.8")
	b.says("200 ACLM 0/0 239.255.0.1; 200 ACLM 0/1 239.255.0.9; 201 ACLM 0/2 239.255.0.9; 203 ACLM 0/3 239.255.0.9; 207 ACLM 0/4 239.255.0.9")
	a.until(210.055)
	b.until(210.040)
	a.says("210 AIU 1/0 239.255.0.8")
	b.says("210 AIU 1/0 239.255.0.9")
}

// TestTimeline3: after a partition of which A deleted X and others did not hear,
// they defend it; A corrects them (AAP-3.2.8-4) and they forget it (AAP-D-13).
func TestTimeline3(t *testing.T) {
	a, c := newServer(t, 1, nil), newServer(t, 3, nil)
	a.own(1, x1, 7200)
	c.until(210)
	c.hear(serverAddr, a.sent[len(a.sent)-1])
	a.until(1000)
	deleted := a.sent[len(a.sent)-1].RSeq
	a.sent = nil
	if err := a.Release(a.now, 1); err != nil { // C does not hear it
		t.Fatal(err)
	}
	a.collect()
	if m := a.sent[0]; m.RSeq != deleted || !m.Ranges[0].End.Equal(at(1000)) {
		t.Errorf("AAP-5.1.4-3: deleted by request %d, want %d", m.RSeq, deleted)
	}
	a.until(1900)
	c.until(1900)
	mseq := a.sent[len(a.sent)-1].MSeq
	a.sent = nil
	claim := names(aap.ACLM, 8, x1, 7200)
	claim.Family, claim.CurrentTime = aap.IPv4, at(1900)
	a.hear(otherAddr, claim)
	c.hear(otherAddr, claim)
	a.says("") // it has no objection
	c.after(8)
	if !hears(c.sent, aap.AIU, x1) {
		t.Fatalf("C sent %s", c.take())
	}
	a.until(c.now.Sub(at(0)).Seconds())
	a.hear(serverAddr, c.sent[0])
	if len(a.sent) != 1 || a.sent[0].RSeq != deleted || a.sent[0].MSeq != mseq+1 || !a.sent[0].Ranges[0].End.Equal(at(1000)) {
		t.Fatalf("A sent %s", a.take())
	}
	c.hear(serverAddr, a.sent[0])
	c.sent = nil
	c.after(70)
	c.says("")
}

// TestTimeline4: while the coordinator is down, A and B repeat its ASA by turns,
// and process its next one.
func TestTimeline4(t *testing.T) {
	a, b := newLarge(t, 1, wide), newLarge(t, 2, wide)
	a.sent, b.sent = nil, nil
	var times []time.Duration
	for now := 200.0; now < 600; now += 0.5 {
		a.until(now)
		b.until(now)
		for _, m := range a.sent {
			b.hear(serverAddr, m)
		}
		for _, m := range b.sent {
			a.hear(otherAddr, m)
		}
		for _, m := range append(a.sent, b.sent...) {
			if m.Type == aap.ASA {
				if !m.IsResent() || !m.Expiration.Equal(at(320)) {
					t.Errorf("at %v s: %v", now, m)
				}
				times = append(times, m.CurrentTime.Sub(at(0)))
			}
		}
		a.sent, b.sent = nil, nil
	}
	for i, d := range times {
		last := 320 * time.Second
		if i > 0 {
			last = times[i-1]
		}
		if gap := d - last; gap > time.Second && gap < 20*time.Second || gap > 41*time.Second { // both may at once
			t.Errorf("repeated at %v", times)
		}
	}
	if len(times) < 7 {
		t.Errorf("repeated at %v", times)
	}
	a.until(600)
	back := asaOf(600, wide)
	back.Expiration = at(700)
	a.hear(otherAddr, back)
	a.sent = nil
	a.until(720)
	if hears(a.sent, aap.ASA, scope.Set{}) {
		t.Error("repeated although the coordinator is back")
	}
}

// TestTimeline5: a claim takes an address of a settled preallocation, which is
// abandoned whole and without a word (AAP-3.2.6-9, AAP-D-22, AAP-D-53).
func TestTimeline5(t *testing.T) {
	a, pool := newPool(t, pooled)
	b := newServer(t, 2, func(cfg *aap.MAASConfig) { pooled(cfg); cfg.Pool = 0 })
	b.until(260)
	b.hear(serverAddr, names(aap.AITU, 0, pool, 3600))
	b.allocate(aap.Want{Token: 1, Count: 12, End: at(7200)}) // all that is left
	b.allocate(aap.Want{Token: 2, Count: 1, End: at(7200)})
	claim := b.sent[len(b.sent)-1]
	if claim.Type != aap.ACLM || !pool.Covers(aap.Addrs(claim.Ranges)) {
		t.Fatalf("AAP-3.2.6-4: B claims %v, A has preallocated %v", aap.Addrs(claim.Ranges), pool)
	}
	for _, m := range b.sent {
		a.hear(otherAddr, m)
	}
	if a.until(269.9); hears(a.sent, aap.AITU, aap.Addrs(claim.Ranges)) {
		t.Errorf("A sent %s", a.take())
	}
}
