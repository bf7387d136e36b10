// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"math"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/scope"
)

// TestConstants compares the constants with RFC 2776 section 7.
func TestConstants(t *testing.T) {
	d := mzap.DefaultTiming()
	for _, c := range []struct {
		name string
		got  any
		want any
	}{
		{"MZAP-7-1 port", mzap.Port, 2106},
		{"MZAP-7-2 local group", mzap.LocalGroup(true), addr("239.255.255.252")},
		{"MZAP-A-21 local group of IPv6", mzap.LocalGroup(false), addr("ff03:ffff:ffff:ffff:ffff:ffff:ffff:fffc")},
		{"MZAP-7-4 ZAM-INTERVAL", d.ZAMInterval, 600 * time.Second},
		{"MZAP-7-5 ZAM-HOLDTIME", d.ZAMHold, 1860 * time.Second},
		{"MZAP-7-6 ZAM-DUP-TIME", d.ZAMDup, 30 * time.Second},
		{"MZAP-7-7 ZCM-INTERVAL", d.ZCMInterval, 600 * time.Second},
		{"MZAP-7-8 ZCM-HOLDTIME", d.ZCMHold, 1860 * time.Second},
		{"MZAP-7-9 ZLE-SUPPRESSION-INTERVAL", d.ZLESuppression, 300 * time.Second},
		{"MZAP-7-10 ZLE-MIN-INTERVAL", d.ZLEMin, 300 * time.Second},
		{"MZAP-7-11 NIM-INTERVAL", d.NIMInterval, 1800 * time.Second},
		{"MZAP-7-12 NIM-HOLDTIME", d.NIMHold, 5460 * time.Second},
		{"MZAP-6.2-2 ZTL", mzap.DefaultLimit, 32},
		{"MZAP-5-2 hop limit", mzap.HopLimit, 255},
		{"MZAP-2-6 Local Scope", mzap.LocalScope(true), scope.MustRange("239.255.0.0", "239.255.255.255")},
		{"MZAP-2-6 Local Scope of IPv6", mzap.LocalScope(false), scope.MustRange("ff03::", "ff03:ffff:ffff:ffff:ffff:ffff:ffff:ffff")},
		{"MZAP-7-5 three intervals", d.ZAMHold >= 3*d.ZAMInterval && d.ZCMHold >= 3*d.ZCMInterval && d.NIMHold >= 3*d.NIMInterval, true},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}

// TestRelativeGroup: MZAP-7-3, MZAP-6.6-2, MZAP-A-21, MZAP-A-4.
func TestRelativeGroup(t *testing.T) {
	for _, c := range []struct{ first, last, want string }{
		{"239.1.0.0", "239.1.0.255", "239.1.0.252"},
		{"239.255.0.0", "239.255.255.255", "239.255.255.252"},
		{"239.1.0.0", "239.1.0.3", "239.1.0.0"},
		{"239.1.0.0", "239.1.0.2", ""},
		{"239.1.0.9", "239.1.0.9", ""},
		{"ff03::", "ff03:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff03:ffff:ffff:ffff:ffff:ffff:ffff:fffc"},
	} {
		got, ok := mzap.RelativeGroup(scope.MustRange(c.first, c.last))
		if ok != (c.want != "") || ok && got != addr(c.want) {
			t.Errorf("%s-%s: %v %v, want %q", c.first, c.last, got, ok, c.want)
		}
	}
	if _, ok := mzap.RelativeGroup(scope.Range{}); ok {
		t.Error("the zero Range has a relative group")
	}
}

// TestJitter: 30 % around the interval, for ZAM and ZCM 420 to 780 s, for NIM
// 1260 to 2340 s. MZAP-6.2-1, MZAP-6.6-1, MZAP-6.8-3.
func TestJitter(t *testing.T) {
	for _, c := range []struct{ interval, low, high time.Duration }{
		{600 * time.Second, 420 * time.Second, 780 * time.Second},
		{1800 * time.Second, 1260 * time.Second, 2340 * time.Second},
	} {
		if got := mzap.Jitter(c.interval, 0); got.Round(time.Millisecond) != c.low {
			t.Errorf("earliest %v, want %v", got, c.low)
		}
		if got := mzap.Jitter(c.interval, math.Nextafter(1, 0)); got.Round(time.Millisecond) != c.high {
			t.Errorf("latest %v, want %v", got, c.high)
		}
		if got := mzap.Jitter(c.interval, 0.5); got.Round(time.Millisecond) != c.interval {
			t.Errorf("middle %v, want %v", got, c.interval)
		}
	}
}

// TestZLEDelay compares with values worked out by hand. MZAP-6.4-3.
func TestZLEDelay(t *testing.T) {
	for _, c := range []struct{ x, seconds float64 }{
		{0, 0}, {0.002, 22.367}, {0.02, 98.007}, {0.2, 213.974}, {0.6, 272.715}, {0.95, 297.447}, {1, 300.211},
	} {
		if got := mzap.ZLEDelay(300*time.Second, c.x).Seconds(); math.Abs(got-c.seconds) > 0.0006 {
			t.Errorf("x = %v: %v s, want %v", c.x, got, c.seconds)
		}
	}
}

// TestScaled: a laboratory's times keep the document's proportions and can be
// sent.
func TestScaled(t *testing.T) {
	s := mzap.Scaled(0.01)
	if s.ZAMInterval != 6*time.Second || s.ZAMHold != 19*time.Second || s.NIMHold != 54600*time.Millisecond {
		t.Errorf("%+v", s)
	}
}
