// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"cmp"
	"math"
	"math/rand/v2"
	"time"
)

// What every MZAP datagram is sent with (RFC 2776 sections 5 and 7).
const (
	Port     = 2106 // destination port of every message
	HopLimit = 255  // IPv4 TTL or IPv6 Hop Limit of every message

	// DefaultLimit is the Zones Traveled Limit a ZAM starts with when nothing
	// else is configured (section 6.2).
	DefaultLimit = 32
)

// Timing holds the time constants of RFC 2776 section 7. The zero value of a
// field stands for the document's value, so the zero Timing is the document's.
// Shorter times suit a laboratory; everybody in one network should use the
// same.
type Timing struct {
	ZAMInterval    time.Duration // between two ZAMs for one scope, 600 s
	ZAMHold        time.Duration // hold time put into a ZAM, 1860 s; at least three intervals
	ZAMDup         time.Duration // for how long a ZAM or NIM is not relayed again, 30 s
	ZCMInterval    time.Duration // between two ZCMs for one scope, 600 s
	ZCMHold        time.Duration // hold time put into a ZCM and patience before silence is reported, 1860 s; at least three intervals
	ZLESuppression time.Duration // scale of the delay before a ZLE, 300 s
	ZLEMin         time.Duration // between two ZLEs of one router, 300 s
	NIMInterval    time.Duration // between two rounds of NIMs for one scope, 1800 s
	NIMHold        time.Duration // for how long the last word about nesting stands, 5460 s; at least three intervals
}

// DefaultTiming returns the values of RFC 2776 section 7.
func DefaultTiming() Timing {
	return Timing{
		ZAMInterval: 600 * time.Second, ZAMHold: 1860 * time.Second, ZAMDup: 30 * time.Second,
		ZCMInterval: 600 * time.Second, ZCMHold: 1860 * time.Second,
		ZLESuppression: 300 * time.Second, ZLEMin: 300 * time.Second,
		NIMInterval: 1800 * time.Second, NIMHold: 5460 * time.Second,
	}
}

// Scaled returns the document's times multiplied by a factor, for a laboratory
// that has no patience. The hold times, which travel in whole seconds, are
// rounded up.
func Scaled(factor float64) Timing {
	t := DefaultTiming()
	scale := func(d *time.Duration) { *d = time.Duration(float64(*d) * factor) }
	for _, d := range []*time.Duration{&t.ZAMInterval, &t.ZAMHold, &t.ZAMDup, &t.ZCMInterval, &t.ZCMHold, &t.ZLESuppression, &t.ZLEMin, &t.NIMInterval, &t.NIMHold} {
		scale(d)
	}
	t.ZAMHold, t.ZCMHold = wholeSeconds(t.ZAMHold), wholeSeconds(t.ZCMHold)
	return t
}

func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// withDefaults fills in the document's value for every zero field.
func (t Timing) withDefaults() Timing {
	d := DefaultTiming()
	t.ZAMInterval = cmp.Or(t.ZAMInterval, d.ZAMInterval)
	t.ZAMHold = cmp.Or(t.ZAMHold, d.ZAMHold)
	t.ZAMDup = cmp.Or(t.ZAMDup, d.ZAMDup)
	t.ZCMInterval = cmp.Or(t.ZCMInterval, d.ZCMInterval)
	t.ZCMHold = cmp.Or(t.ZCMHold, d.ZCMHold)
	t.ZLESuppression = cmp.Or(t.ZLESuppression, d.ZLESuppression)
	t.ZLEMin = cmp.Or(t.ZLEMin, d.ZLEMin)
	t.NIMInterval = cmp.Or(t.NIMInterval, d.NIMInterval)
	t.NIMHold = cmp.Or(t.NIMHold, d.NIMHold)
	return t
}

// valid reports whether the times can be used and the hold times sent.
func (t Timing) valid() bool {
	for _, hold := range []time.Duration{t.ZAMHold, t.ZCMHold} {
		if hold > maxHold || hold%time.Second != 0 {
			return false
		}
	}
	return min(t.ZAMInterval, t.ZAMHold, t.ZAMDup, t.ZCMInterval, t.ZCMHold, t.ZLESuppression, t.ZLEMin, t.NIMInterval, t.NIMHold) > 0
}

// Jitter returns the time until a periodic message is due again: the interval,
// up to 30 % less or more, so that routers do not fall into step (RFC 2776
// sections 6.2, 6.6 and 6.8). Draw u anew each time, uniformly from [0, 1).
func Jitter(interval time.Duration, u float64) time.Duration {
	return time.Duration(float64(interval) * (0.7 + 0.6*u))
}

// ZLEDelay returns how long a router waits before it sends a ZLE, in the hope
// that another one is quicker (RFC 2776 section 6.4):
//
//	suppression * ln(256 x + 1) / ln(256)
//
// Draw x anew each time, uniformly from [0, 1]. Few draws are short, so about
// one router answers. At x = 1 the delay is slightly longer than suppression.
func ZLEDelay(suppression time.Duration, x float64) time.Duration {
	const c = 256
	return time.Duration(float64(suppression) * math.Log(c*x+1) / math.Log(c))
}

func jittered(interval time.Duration, r *rand.Rand) time.Duration {
	return Jitter(interval, r.Float64())
}
