// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"errors"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"pgregory.net/rapid"
)

// TestWish translates what is asked of time into options.
func TestWish(t *testing.T) {
	now := time.Unix(1700000000, 0)
	at := func(s float64) time.Time { return now.Add(time.Duration(s * float64(time.Second))) }
	from := func(a, b float64) lease.Window { return lease.Window{Min: at(a), Max: at(b)} }
	const h = time.Hour
	for _, v := range []struct {
		name       string
		start, end lease.Window
		life       lease.Span
		s1, s2     float64 // options 6 and 15 from now, 0: none
		length     time.Duration
		shortest   time.Duration
	}{
		{name: "nothing"},
		{name: "lifetime", life: lease.Between(h, 2*h), length: 2 * h, shortest: h},
		{name: "LEASE-2-9 lifetime", life: lease.Between(h+1, 2*h+999*time.Millisecond), length: 2 * h, shortest: h + time.Second},
		{name: "at least", life: lease.AtLeast(h), shortest: h},
		{name: "at most", life: lease.AtMost(h), length: h},
		{name: "less than a second", life: lease.AtMost(1), length: time.Second},
		{name: "no whole second", life: lease.Between(1200*time.Millisecond, 1700*time.Millisecond), length: 2 * time.Second, shortest: 2 * time.Second},
		{name: "LEASE-W-4 length", life: lease.AtMost(200 * 365 * 24 * h), length: maxLength},

		{name: "LEASE-W-1 now", end: from(3600, 7200), length: 2 * h, shortest: h},
		{name: "LEASE-W-1 exactly", end: from(3600.5, 3600.5), length: h + time.Second, shortest: h + time.Second},
		{name: "LEASE-W-1 no later than", end: lease.NotAfter(at(3600)), length: h},
		{name: "LEASE-W-1 no earlier than", end: lease.NotBefore(at(3600)), shortest: h},
		{name: "LEASE-W-1 every start fits", start: from(100, 200), end: from(3600, 7200), s1: 100, s2: 200, length: 7000 * time.Second, shortest: 3500 * time.Second},
		{name: "LEASE-W-1 not every start fits", start: from(100, 2000), end: from(3600, 3700), s1: 100, s2: 2000, length: 3600 * time.Second, shortest: 1600 * time.Second},
		{name: "LEASE-W-1 start after every end", start: from(100, 9000), end: from(3600, 3700), s1: 100, s2: 9000, length: 3600 * time.Second},
		{name: "LEASE-W-1 any start", start: lease.NotBefore(at(100)), end: from(3600, 3700), s1: 100, length: 3600 * time.Second},

		{name: "LEASE-W-3 now", start: lease.Window{}, life: lease.Exactly(h), length: h, shortest: h},
		{name: "LEASE-W-3 from past", start: from(-100, 100), s2: 100},
		{name: "LEASE-W-3 until past", start: from(-100, -1)},
		{name: "at", start: from(100, 100), s1: 100, s2: 100},
		{name: "LEASE-2-9 start", start: from(99.5, 200.5), s1: 100, s2: 200},
		{name: "start without a whole second", start: from(99.3, 99.6), life: lease.Exactly(h), s1: 99, s2: 99, length: h + time.Second, shortest: h + time.Second},
		{name: "as soon as possible", start: lease.NotAfter(farFuture)},
		{name: "LEASE-W-4 later than all", start: lease.NotAfter(farFuture.Add(h))},
	} {
		t.Run(v.name, func(t *testing.T) {
			w, err := newWish("allocate", now, v.start, v.end, v.life)
			if err != nil {
				t.Fatal(err)
			}
			seconds := func(x time.Time) float64 {
				if x.IsZero() {
					return 0
				}
				return x.Sub(now).Seconds()
			}
			if seconds(w.startTime) != v.s1 || seconds(w.maxStart) != v.s2 || w.length != v.length || w.shortest != v.shortest {
				t.Errorf("start %v to %v, length %v, at least %v; want %v to %v, %v, %v", seconds(w.startTime), seconds(w.maxStart),
					w.length, w.shortest, v.s1, v.s2, v.length, v.shortest)
			}
		})
	}
}

// TestWishErrors are those that need no server, in the order of RFC 2771.
func TestWishErrors(t *testing.T) {
	now := time.Unix(1700000000, 0)
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	for _, v := range []struct {
		name       string
		start, end lease.Window
		life       lease.Span
		want       error
		param      lease.Param
	}{
		{"LEASE-3.1-10 both", lease.Window{}, lease.NotAfter(at(10)), lease.AtLeast(1), lease.ErrLifetime, lease.ParamLifetime},
		{"LEASE-3.1-10 negative minimum", lease.Window{}, lease.Window{}, lease.AtLeast(-1), lease.ErrLifetime, lease.ParamMinLifetime},
		{"LEASE-3.1-10 negative maximum", lease.Window{}, lease.Window{}, lease.AtMost(-1), lease.ErrLifetime, lease.ParamLifetime},
		{"LEASE-3.1-10 lengths reversed", lease.Window{}, lease.Window{}, lease.Between(9, 8), lease.ErrLifetime, lease.ParamMinLifetime},
		{"LEASE-3.1-10 ends reversed", lease.Window{}, lease.Window{Min: at(9), Max: at(8)}, lease.Span{}, lease.ErrLifetime, lease.ParamMinLifetime},
		{"LEASE-3.1-10 end past", lease.Window{}, lease.NotAfter(now), lease.Span{}, lease.ErrLifetime, lease.ParamLifetime},
		{"LEASE-W-4 minimum beyond all", lease.Window{}, lease.Window{}, lease.AtLeast(maxLength + 1), lease.ErrLifetime, lease.ParamMinLifetime},
		{"LEASE-3.1-15 lifetime before start", lease.Window{Min: at(9), Max: at(8)}, lease.NotAfter(now), lease.Span{}, lease.ErrLifetime, lease.ParamLifetime},
		{"LEASE-3.10-3 starts reversed", lease.Window{Min: at(9), Max: at(8)}, lease.Window{}, lease.Span{}, lease.ErrStart, lease.ParamMaxStart},
		{"LEASE-3.10-4 start after end", lease.NotBefore(at(9)), lease.NotAfter(at(9)), lease.Span{}, lease.ErrStart, lease.ParamStart},
		{"LEASE-3.10-5 long past", lease.NotAfter(at(-1801)), lease.Window{}, lease.Span{}, lease.ErrStart, lease.ParamMaxStart},
		{"LEASE-W-4 start beyond all", lease.NotBefore(farFuture.Add(1)), lease.Window{}, lease.Span{}, lease.ErrStart, lease.ParamStart},
	} {
		t.Run(v.name, func(t *testing.T) {
			_, err := newWish("allocate", now, v.start, v.end, v.life)
			var e *lease.Error
			if !errors.As(err, &e) || !errors.Is(err, v.want) || e.Param != v.param || e.Op != "allocate" {
				t.Errorf("error %v (%v), want %v (%v)", err, e, v.want, v.param)
			}
		})
	}
}

// TestWishHolds: whatever a server may answer that keeps to the options, the
// answer is either given back or lies in what was asked for; and where the
// translation is exact every answer is good.
func TestWishHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := func(label string, lo, hi int) time.Duration {
			return time.Duration(rapid.IntRange(lo, hi).Draw(t, label)) * time.Millisecond
		}
		now := time.Unix(1700000000, 0).Add(ms("now", 0, 999))
		var start, end lease.Window
		var life lease.Span
		if rapid.Bool().Draw(t, "start") {
			start.Min = now.Add(ms("s1", -5000, 60000))
			if rapid.Bool().Draw(t, "bounded") {
				start.Max = start.Min.Add(ms("s2", 0, 60000))
			}
		}
		if rapid.Bool().Draw(t, "end") {
			end.Min = now.Add(ms("e1", 0, 200000))
			if rapid.Bool().Draw(t, "end bounded") {
				end.Max = end.Min.Add(ms("e2", 0, 100000))
			}
		} else if rapid.Bool().Draw(t, "life") {
			life.Min = ms("l1", 0, 100000)
			if rapid.Bool().Draw(t, "life bounded") {
				life.Max = max(life.Min+ms("l2", 0, 100000), time.Millisecond)
			}
		}
		w, err := newWish("allocate", now, start, end, life)
		if err != nil {
			t.Skip()
		}
		var m madcap.Message
		w.put(&m)
		m.Type, m.Family, m.LeaseIdentifier, m.Scope = madcap.TypeRequest, madcap.FamilyIPv4, madcap.LeaseIdentifier("\x00x"), groupAt.Addr()
		if !m.StartTime.IsZero() || !m.MaxStartTime.IsZero() {
			m.CurrentTime = now.Truncate(time.Second)
		}
		if err := m.Validate(0, false); err != nil {
			t.Fatalf("not to be sent: %v", err)
		}
		// A server that keeps to the options.
		atOnce := m.StartTime.IsZero() && rapid.Bool().Draw(t, "at once")
		begin := now
		if !atOnce {
			first := m.StartTime
			if first.IsZero() {
				first = now.Truncate(time.Second).Add(time.Second)
			}
			last := m.MaxStartTime
			if last.IsZero() {
				last = first.Add(time.Minute)
			}
			if last.Before(first) {
				t.Skip()
			}
			begin = first.Add(time.Duration(rapid.IntRange(0, int(last.Sub(first)/time.Second)).Draw(t, "wait")) * time.Second)
		}
		length := m.LeaseTime.Value
		if length == 0 {
			length = max(m.MinLeaseTime.Value, time.Second) + time.Minute
		}
		if short := m.MinLeaseTime.Value; rapid.Bool().Draw(t, "shorter") {
			length = max(short, time.Second)
		}
		got, v := w.judge(begin, begin.Add(length), atOnce)
		if v == accepted {
			if d := got.Max.Sub(got.Min); d <= 0 || d < life.Min || life.Max > 0 && d > life.Max ||
				!end.Contains(got.Max) || !start.IsZero() && !atOnce && !start.Contains(got.Min) || got.Max.After(begin.Add(length)) || got.Min.Before(begin) {
				t.Fatalf("accepted %v to %v of %v to %v", got.Min, got.Max, begin, begin.Add(length))
			}
			return
		}
		if v == wrongStart && !atOnce && m.MaxStartTime.IsZero() {
			return // "now" has no option
		}
		if v == wrongEnd && !end.IsZero() && !start.IsZero() {
			return // no lengths fit every start
		}
		t.Fatalf("verdict %d on %v to %v, asked for start %v, end %v, life %v", v, begin, begin.Add(length), start, end, life)
	})
}
