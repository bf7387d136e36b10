// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"pgregory.net/rapid"
)

func secs(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// TestClaimSchedule: an ACLM is sent at 0, 1, 3 and 7 s, and then the Claim
// Timer expires (AAP-3.2.5-2); an ANA likewise (AAP-3.2.9-6).
func TestClaimSchedule(t *testing.T) {
	times := func(timing aap.Timing) (sent []time.Duration) {
		var now time.Duration
		for {
			sent = append(sent, now)
			gap, ok := timing.ClaimGap(len(sent))
			if !ok {
				return sent
			}
			now += gap
		}
	}
	if got := times(aap.DefaultTiming()); !slices.Equal(got, []time.Duration{0, secs(1), secs(3), secs(7)}) {
		t.Errorf("sent at %v", got)
	}
	timing := aap.DefaultTiming()
	timing.AnnounceWait = 15 * time.Second // the fifth would be at the very end
	if got := times(timing); !slices.Equal(got, []time.Duration{0, secs(1), secs(3), secs(7)}) {
		t.Errorf("sent at %v although the timer expires at 15 s", got)
	}
	timing.AnnounceWait = time.Second
	if got := times(timing); len(got) != 1 {
		t.Errorf("sent at %v although the timer expires at 1 s", got)
	}
	if _, ok := timing.ClaimGap(1 << 30); ok {
		t.Error("a claim is repeated for ever")
	}
}

// TestAnnounceSchedule: an AIU or AITU is sent at 0, 1, 3, 7, 15 and 31 s
// (AAP-3.2.2-6, AAP-3.2.6-2), then every 21 to 39 s (AAP-3.2.2-2, AAP-3.2.2-3,
// AAP-3.2.6-3), jittered only then (AAP-D-45).
func TestAnnounceSchedule(t *testing.T) {
	timing := aap.DefaultTiming()
	var now time.Duration
	for sent, want := range []float64{1, 3, 7, 15, 31} {
		now += timing.AnnounceGap(sent+1, 0.99)
		if now != secs(want) {
			t.Errorf("transmission %d at %v, want %v", sent+2, now, secs(want))
		}
	}
	for _, sent := range []int{6, 7, 1000, 1 << 30} {
		for u, want := range map[float64]float64{0: 21, 0.5: 30, 1: 39} {
			if got := timing.AnnounceGap(sent, u); (got - secs(want)).Abs() > time.Microsecond {
				t.Errorf("after %d transmissions, u %v: %v, want %v s", sent, u, got, want)
			}
		}
	}
}

// TestAnnounceCeiling: a gap that has reached REPEAT-INTERVAL is a steady one,
// with jitter (AAP-D-45).
func TestAnnounceCeiling(t *testing.T) {
	timing := aap.DefaultTiming()
	timing.RepeatInterval = 16 * time.Second
	if got := timing.AnnounceGap(5, 0); (got - secs(11.2)).Abs() > time.Microsecond {
		t.Errorf("fifth gap %v, want 11.2 s", got)
	}
}

// TestDefenceSchedule: the owner answers at once and repeats at gaps of 1 to 16 s
// (AAP-3.2.2-11, AAP-3.2.2-13), a third party starts between 2 and 8 s
// (AAP-3.2.2-14), and all stop when the gap would exceed 30 s (AAP-3.2.2-12).
func TestDefenceSchedule(t *testing.T) {
	timing := aap.DefaultTiming()
	for first, want := range map[float64][]float64{
		0: {0, 1, 3, 7, 15, 31}, 2: {2, 6, 14, 30}, 4.5: {4.5, 13.5, 31.5}, 8: {8, 24}, 7.5: {7.5, 22.5, 52.5},
	} {
		interval := secs(first)
		now := interval
		var got []float64
		for ok := true; ok; now += interval {
			got = append(got, now.Seconds())
			interval, ok = timing.NextDefence(interval)
		}
		if !slices.Equal(got, want) {
			t.Errorf("started with %v: AIUs at %v, want %v", first, got, want)
		}
	}
	if timing.FirstDefence(true, 0.7) != 0 || timing.FirstDefence(false, 0) != secs(2) || timing.FirstDefence(false, 1) != secs(8) {
		t.Error("initial value")
	}
}

// TestDrawn holds the random times to their bounds: AAP-3.2.4-1 (start),
// AAP-3.2.10.2-4 (resending an ASA), AAP-3.2.10.3-3 (ASRP), AAP-4.2.1-4 and
// AAP-4.2.1-5 (coordinator), AAP-4.2.1.1-5 (quiet time), AAP-D-37, AAP-D-54.
func TestDrawn(t *testing.T) {
	timing := aap.DefaultTiming()
	for _, c := range []struct {
		name      string
		f         func(float64) time.Duration
		low, high float64
	}{
		{"startup", timing.Startup, 150, 195},
		{"lead", timing.LeadASA, 21, 39},
		{"backup", timing.BackupASA, 51, 69},
		{"report", timing.Report, 21, 39},
	} {
		if low, high := c.f(0), c.f(1); (low-secs(c.low)).Abs() > time.Microsecond || (high-secs(c.high)).Abs() > time.Microsecond {
			t.Errorf("%s: %v to %v, want %v to %v s", c.name, low, high, c.low, c.high)
		}
	}
	if timing.Quiet() != 150*time.Second || timing.ASAValidity != 120*time.Second || timing.Recent != 90*time.Second {
		t.Errorf("quiet %v, validity %v, recent %v", timing.Quiet(), timing.ASAValidity, timing.Recent)
	}
}

// TestGapsGrow: whatever the constants, gaps double up to their ceiling.
func TestGapsGrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		timing := aap.DefaultTiming()
		timing.ResendWait = time.Duration(rapid.IntRange(1, 5000).Draw(t, "resend")) * time.Millisecond
		timing.RepeatInterval = time.Duration(rapid.IntRange(1, 100000).Draw(t, "repeat")) * time.Millisecond
		timing.AnnounceWait = time.Duration(rapid.IntRange(1, 50000).Draw(t, "announce")) * time.Millisecond
		n := rapid.IntRange(1, 80).Draw(t, "sent")
		gap := timing.ResendWait << min(n-1, 24)
		if got := timing.AnnounceGap(n, 0.5); gap < timing.RepeatInterval && got != gap || gap >= timing.RepeatInterval && got != timing.RepeatInterval {
			t.Fatalf("gap %v after %d", got, n)
		}
		if got, ok := timing.ClaimGap(n); ok != (timing.ResendWait*(1<<min(n, 25)-1) < timing.AnnounceWait) || ok && got != gap {
			t.Fatalf("claim gap %v, %v after %d", got, ok, n)
		}
	})
}
