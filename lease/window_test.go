// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

// epoch is the "now" of the tests in this package.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func in(d time.Duration) time.Time { return epoch.Add(d) }

func within(a, b time.Duration) Window { return Window{in(a), in(b)} }

const hour = time.Hour

var testLimits = limits{longest: 24 * hour, skew: 30 * time.Minute}

func TestResolve(t *testing.T) {
	now := instantOf(epoch)
	rel := func(i instant) time.Duration {
		if i == never {
			return 1 << 62
		}
		return i.sub(now)
	}
	const forever = 1 << 62
	for _, tt := range []struct {
		name                   string
		start, end             Window
		life                   Span
		start1, start2, lo, hi time.Duration // lo, hi: ends for the first start
		err                    error
		param                  Param
	}{
		{name: "LEASE-3.1-14 zero start is now", start1: 0, start2: 0, lo: time.Second, hi: 24 * hour},
		{name: "LEASE-3.10-5 past minimum counts as now", start: NotBefore(in(-hour)), start1: 0, start2: forever - 1, lo: time.Second, hi: 24 * hour},
		{name: "LEASE-3.10-5 past maximum within the skew", start: NotAfter(in(-29 * time.Minute)), lo: time.Second, hi: 24 * hour},
		{name: "LEASE-3.10-5 past maximum beyond the skew", start: NotAfter(in(-31 * time.Minute)), err: ErrStart, param: ParamMaxStart},
		{name: "LEASE-3.10-2 future start", start: within(hour, 2*hour), life: Exactly(hour), start1: hour, start2: 2 * hour, lo: 2 * hour, hi: 2 * hour},
		{name: "LEASE-3.10-3 max below min", start: within(2*hour, hour), err: ErrStart, param: ParamMaxStart},
		{name: "LEASE-3.1-11 max below min", start: within(2*hour, hour), end: within(3*hour, 4*hour), err: ErrStart, param: ParamMaxStart},
		{name: "LEASE-3.10-4 min start after max end", start: within(3*hour, 4*hour), end: NotAfter(in(2 * hour)), err: ErrStart, param: ParamStart},
		{name: "LEASE-3.10-4 min start at max end", start: within(2*hour, 4*hour), end: NotAfter(in(2 * hour)), err: ErrStart, param: ParamStart},
		{name: "LEASE-3.10-6 max start clipped", start: within(hour, 9*hour), end: within(2*hour, 3*hour), start1: hour, start2: 3*hour - 1, lo: 2 * hour, hi: 3 * hour},
		{name: "LEASE-3.1-10 end max below min", end: within(2*hour, hour), err: ErrLifetime, param: ParamMinLifetime},
		{name: "LEASE-3.1-10 end already past", end: NotAfter(in(-1)), err: ErrLifetime, param: ParamLifetime},
		{name: "LEASE-3.1-10 end now", end: NotAfter(epoch), err: ErrLifetime, param: ParamLifetime},
		{name: "LEASE-3.1-10 end and lifetime", end: NotAfter(in(hour)), life: AtLeast(1), err: ErrLifetime, param: ParamLifetime},
		{name: "LEASE-3.1-10 length max below min", life: Between(2*hour, hour), err: ErrLifetime, param: ParamMinLifetime},
		{name: "LEASE-3.1-10 negative length", life: AtLeast(-1), err: ErrLifetime, param: ParamMinLifetime},
		{name: "LEASE-3.1-15 lifetimes before starts", life: AtMost(-1), start: within(2, 1), err: ErrLifetime, param: ParamLifetime},
		{name: "LEASE-P-4 wish beyond the longest is shortened", life: AtLeast(hour), lo: hour, hi: 24 * hour},
		{name: "LEASE-3.1-14 one fixed lifetime", life: Exactly(hour), lo: hour, hi: hour},
		{name: "a window of ends", end: within(hour, 3*hour), lo: hour, hi: 3 * hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, err := resolve("allocate", now, tt.start, tt.end, tt.life, testLimits)
			if tt.err != nil {
				var e *Error
				if !errors.Is(err, tt.err) || !errors.As(err, &e) || e.Param != tt.param {
					t.Fatalf("error %v, want %v for the %v", err, tt.err, tt.param)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if lo, hi := w.ends(w.start1); rel(w.start1) != tt.start1 || min(rel(w.start2), never.sub(now)) != min(tt.start2, (never-1).sub(now)) || rel(lo) != tt.lo || rel(hi) != tt.hi {
				t.Errorf("starts %v..%v, ends %v..%v, want %v..%v, %v..%v",
					rel(w.start1), rel(w.start2), rel(lo), rel(hi), tt.start1, tt.start2, tt.lo, tt.hi)
			}
		})
	}
}

// LEASE-W-1: a span computed as exact allows no answer outside the windows;
// one that is not allows every answer inside them.
func TestLifetimeFor(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	second := func(n int) time.Time { return in(time.Duration(n) * time.Second) }
	for range 2000 {
		s1 := rnd.IntN(6)
		s2 := s1 + rnd.IntN(6)
		e1 := rnd.IntN(12)
		e2 := max(e1, s1+1) + rnd.IntN(8)
		span, exact := LifetimeFor(Window{second(s1), second(s2)}, Window{second(e1), second(e2)})
		for start := s1; start <= s2; start++ {
			for n := 1; n < 30; n++ {
				allowed := time.Duration(n)*time.Second >= span.Min && time.Duration(n)*time.Second <= span.Max
				good := start+n >= e1 && start+n <= e2
				if exact && allowed && !good {
					t.Fatalf("LEASE-W-1: starts %d..%d, ends %d..%d: span %v lets %d+%d through", s1, s2, e1, e2, span, start, n)
				}
				if !exact && good && !allowed {
					t.Fatalf("LEASE-W-1: starts %d..%d, ends %d..%d: span %v forbids %d+%d", s1, s2, e1, e2, span, start, n)
				}
			}
		}
	}
}

func TestWholeSeconds(t *testing.T) {
	ms := time.Millisecond
	for _, tt := range []struct {
		w, want Window
		ok      bool
	}{
		{Window{}, Window{}, true},
		{within(100*ms, 1900*ms), within(1000*ms, 1000*ms), true},
		{within(1000*ms, 2000*ms), within(1000*ms, 2000*ms), true},
		{within(100*ms, 900*ms), Window{}, false},
		{NotBefore(in(1)), NotBefore(in(1000 * ms)), true},
		{NotAfter(in(999 * ms)), NotAfter(epoch), true},
	} {
		if got, ok := tt.w.WholeSeconds(); ok != tt.ok || ok && got != tt.want {
			t.Errorf("LEASE-2-9: %v.WholeSeconds() = %v, %v", tt.w, got, ok)
		}
	}
}
