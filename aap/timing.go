// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"cmp"
	"time"
)

// Timing holds the constants of appendix B, and a few of ours. In a
// configuration a field that is zero stands for its default. The functions below
// want all of them: start from [DefaultTiming].
//
// Those with an argument u want a random number of 0 ≤ u < 1, evenly
// distributed.
type Timing struct {
	StartupWait    time.Duration // STARTUP-WAIT, 150 s: how long to listen after a start, times 1 to 1.3
	AnnounceWait   time.Duration // ANNOUNCE-WAIT, 10 s: how long a claim must stand undisputed
	ResendWait     time.Duration // RESEND-WAIT, 1 s: the first gap between repeats
	RepeatInterval time.Duration // REPEAT-INTERVAL, 30 s: the gap that repeats arrive at
	ASAInterval    time.Duration // ASA-INTERVAL, 30 s: between announcements of the space
	ASRPInterval   time.Duration // ASRP-INTERVAL, 30 s: between reports of its use

	// ASAValidity is how far ahead a coordinator puts the expiration of its ASA,
	// 4 times ASAInterval: another coordinator has taken over by then, if there is
	// one (AAP-D-37).
	ASAValidity time.Duration
	// Tolerance is how far apart two ends may be that count as the same, 5 s: each
	// hop adds its delay and rounding (AAP-D-39).
	Tolerance time.Duration
	// Recent is how long a preallocation counts as announced recently, 3 times
	// RepeatInterval (AAP-D-54).
	Recent time.Duration
}

// DefaultTiming returns the values of appendix B.
func DefaultTiming() Timing { return Timing{}.withDefaults() }

func (t Timing) withDefaults() Timing {
	t.StartupWait = cmp.Or(t.StartupWait, 150*time.Second)
	t.AnnounceWait = cmp.Or(t.AnnounceWait, 10*time.Second)
	t.ResendWait = cmp.Or(t.ResendWait, time.Second)
	t.RepeatInterval = cmp.Or(t.RepeatInterval, 30*time.Second)
	t.ASAInterval = cmp.Or(t.ASAInterval, 30*time.Second)
	t.ASRPInterval = cmp.Or(t.ASRPInterval, 30*time.Second)
	t.ASAValidity = cmp.Or(t.ASAValidity, 4*t.ASAInterval)
	t.Tolerance = cmp.Or(t.Tolerance, 5*time.Second)
	t.Recent = cmp.Or(t.Recent, 3*t.RepeatInterval)
	return t
}

// valid reports whether all times are positive and short enough to be doubled.
func (t Timing) valid() bool {
	all := []time.Duration{
		t.StartupWait, t.AnnounceWait, t.ResendWait, t.RepeatInterval, t.ASAInterval, t.ASRPInterval,
		t.ASAValidity, t.Tolerance, t.Recent,
	}
	for _, d := range all {
		if d <= 0 || d > 365*24*time.Hour {
			return false
		}
	}
	return true
}

// between returns the time a share u of the way from low to high times d.
func between(d time.Duration, low, high, u float64) time.Duration {
	return time.Duration(float64(d) * (low + (high-low)*u))
}

// Startup returns how long a server listens before it sends anything (section
// 3.2.4): 1 to 1.3 times StartupWait.
func (t Timing) Startup(u float64) time.Duration { return between(t.StartupWait, 1, 1.3, u) }

// ClaimGap returns how long to wait after so many transmissions of an ACLM or
// ANA, at least one, before the next: RESEND-WAIT, then twice as long each time
// (sections 3.2.5 and 3.2.9). It returns false when that would not be before
// ANNOUNCE-WAIT has passed since the first one; the request is then over.
func (t Timing) ClaimGap(sent int) (time.Duration, bool) {
	gap, next := t.ResendWait, t.ResendWait
	for ; sent > 1 && next < t.AnnounceWait; sent-- {
		gap *= 2
		next += gap
	}
	return gap, next < t.AnnounceWait
}

// AnnounceGap returns how long to wait after so many transmissions of an AIU or
// AITU, at least one, before the next: RESEND-WAIT, then twice as long each time
// until that is REPEAT-INTERVAL, and from then on 0.7 to 1.3 times
// REPEAT-INTERVAL (sections 3.2.2 and 3.2.6).
func (t Timing) AnnounceGap(sent int, u float64) time.Duration {
	if gap, ok := t.burstGap(sent); ok {
		return gap
	}
	return between(t.RepeatInterval, 0.7, 1.3, u)
}

// burstGap returns the gap after so many transmissions, and false once it no
// longer doubles.
func (t Timing) burstGap(sent int) (time.Duration, bool) {
	gap := t.ResendWait
	for ; sent > 1 && gap < t.RepeatInterval; sent-- {
		gap *= 2
	}
	return gap, gap < t.RepeatInterval
}

// FirstDefence returns the initial value of the Allocation Defense timer
// (section 3.2.2): 0 for a server that allocated any of the addresses itself,
// else 2 to 8 times RESEND-WAIT.
func (t Timing) FirstDefence(own bool, u float64) time.Duration {
	if own {
		return 0
	}
	return between(t.ResendWait, 2, 8, u)
}

// NextDefence returns the value to restart the Allocation Defense timer with,
// after it was started with interval last, and expired: twice as long, or
// RESEND-WAIT after 0. It returns false if that is more than REPEAT-INTERVAL: the
// defence is over (section 3.2.2).
func (t Timing) NextDefence(interval time.Duration) (time.Duration, bool) {
	if interval == 0 {
		return t.ResendWait, t.ResendWait <= t.RepeatInterval
	}
	return 2 * interval, 2*interval <= t.RepeatInterval
}

// LeadASA returns how long a coordinator waits after its own ASA before the next
// (section 4.2.1), and a server before it repeats an expired one (section
// 3.2.10.2): 0.7 to 1.3 times ASA-INTERVAL.
func (t Timing) LeadASA(u float64) time.Duration { return between(t.ASAInterval, 0.7, 1.3, u) }

// BackupASA returns how long a coordinator waits for the ASA of another before
// it sends its own (section 4.2.1): 1.7 to 2.3 times ASA-INTERVAL.
func (t Timing) BackupASA(u float64) time.Duration { return between(t.ASAInterval, 1.7, 2.3, u) }

// Quiet returns how long a coordinator says nothing after an ASA that is
// inconsistent with its own (section 4.2.1.1).
func (t Timing) Quiet() time.Duration { return 5 * t.ASAInterval }

// Report returns how long a server waits for the ASRP of another before it sends
// its own (section 3.2.10.3): 0.7 to 1.3 times ASRP-INTERVAL.
func (t Timing) Report(u float64) time.Duration { return between(t.ASRPInterval, 0.7, 1.3, u) }
