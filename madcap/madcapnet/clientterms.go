// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"math"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
)

// wish is what a caller asks of time, as it was said and as MADCAP says it:
// lengths where RFC 2771 has ends, whole seconds, and only where they are no
// defaults.
type wish struct {
	op    string
	start lease.Window
	end   lease.Window
	life  lease.Span

	// Options 6, 15, 1 and 14; zero: left out.
	startTime, maxStart time.Time
	length, shortest    time.Duration
}

// maxLength is the longest lease MADCAP can say.
const maxLength = math.MaxUint32 * time.Second

// newWish checks a request's instants, lengths first, and translates them. It
// fails as lease.Pool does.
func newWish(op string, now time.Time, start, end lease.Window, life lease.Span) (*wish, error) {
	w := &wish{op: op, start: start, end: end, life: life}
	if err := w.checkEnd(now); err != nil {
		return nil, err
	}
	if err := w.checkStart(now); err != nil {
		return nil, err
	}
	w.translate(now)
	return w, nil
}

func (w *wish) bad(p lease.Param, got, want string, err error) error {
	return &lease.Error{Op: w.op, Param: p, Got: got, Want: want, Err: err}
}

// text writes an instant for a person.
func text(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func (w *wish) checkEnd(now time.Time) error {
	end, life := w.end, w.life
	switch {
	case !end.IsZero() && life != lease.Span{}:
		return w.bad(lease.ParamLifetime, life.String(), "either an end or a lifetime, not both", lease.ErrLifetime)
	case life.Min < 0:
		return w.bad(lease.ParamMinLifetime, life.Min.String(), "a length above zero", lease.ErrLifetime)
	case life.Max < 0:
		return w.bad(lease.ParamLifetime, life.Max.String(), "a length above zero", lease.ErrLifetime)
	case life.Max > 0 && life.Min > life.Max:
		return w.bad(lease.ParamMinLifetime, life.Min.String(), "at most the maximum of "+life.Max.String(), lease.ErrLifetime)
	case life.Min > maxLength:
		return w.bad(lease.ParamMinLifetime, life.Min.String(), "at most "+maxLength.String(), lease.ErrLifetime)
	case !end.Min.IsZero() && !end.Max.IsZero() && end.Max.Before(end.Min):
		return w.bad(lease.ParamMinLifetime, text(end.Min), "at most the latest end of "+text(end.Max), lease.ErrLifetime)
	case !end.Max.IsZero() && !end.Max.After(now):
		return w.bad(lease.ParamLifetime, text(end.Max), "an end after "+text(now), lease.ErrLifetime)
	}
	return nil
}

func (w *wish) checkStart(now time.Time) error {
	first, last := w.start.Min, w.start.Max
	switch {
	case w.start.IsZero():
		return nil
	case !first.IsZero() && !last.IsZero() && last.Before(first):
		return w.bad(lease.ParamMaxStart, text(last), "at least the earliest start of "+text(first), lease.ErrStart)
	case !last.IsZero() && last.Add(lease.DefaultSkew).Before(now):
		return w.bad(lease.ParamMaxStart, text(last), "a start not before "+text(now), lease.ErrStart)
	case !w.end.Max.IsZero() && !first.Before(w.end.Max):
		return w.bad(lease.ParamStart, text(first), "a start before the latest end of "+text(w.end.Max), lease.ErrStart)
	case first.After(farFuture):
		return w.bad(lease.ParamStart, text(first), "a start until "+text(farFuture), lease.ErrStart)
	}
	return nil
}

// translate fills in the options. Minima are rounded up to whole seconds and
// maxima down; where nothing is left between them, the server is asked for a
// lease that begins or ends within a second outside of the window, and judge
// tells the caller of the part inside.
func (w *wish) translate(now time.Time) {
	s1, s2, bounded := now, now, true // acceptable starts
	var early time.Duration           // how long before its minimum a lease is asked to start
	if first := w.start.Min; first.After(now) {
		w.startTime = first.Truncate(time.Second)
		if next := w.startTime.Add(time.Second); w.startTime.Before(first) && (w.start.Max.IsZero() || !next.After(w.start.Max)) {
			w.startTime = next
		}
		s1, s2, early = w.startTime, w.startTime, max(0, first.Sub(w.startTime))
	}
	switch last := w.start.Max; {
	case w.start.IsZero():
	case last.IsZero() || !last.Before(farFuture):
		bounded = false
	case last.After(now):
		w.maxStart = last.Truncate(time.Second)
		if w.maxStart.Before(s1) {
			w.maxStart = w.startTime // not later than at once
		}
		if !w.maxStart.IsZero() {
			s2 = w.maxStart
		}
	}
	var span lease.Span
	switch {
	case w.life != lease.Span{}:
		if span = w.life; span.Min > 0 {
			span.Min += early
		}
		if span.Max > 0 {
			span.Max += early
		}
	case !w.end.IsZero():
		span = w.spanOf(s1, s2, bounded)
	}
	w.shortest = min(ceil(span.Min), maxLength)
	w.length = min(span.Max.Truncate(time.Second), maxLength)
	if span.Max > 0 {
		w.length = max(w.length, w.shortest, time.Second)
	}
}

// spanOf turns the window of ends into lengths. Where it can it asks so that
// every answer a server may give is acceptable, whenever the lease starts; where
// it cannot it leaves room for every acceptable answer, and the answer is judged.
func (w *wish) spanOf(s1, s2 time.Time, bounded bool) lease.Span {
	end := w.end
	if end.Min.IsZero() {
		end.Min = s1 // no lower bound
	}
	switch {
	case end.Max.IsZero():
		return lease.Span{Min: max(0, end.Min.Sub(s1))}
	case bounded:
		span, _ := lease.LifetimeFor(lease.Window{Min: s1, Max: s2}, end)
		return lease.Span{Min: max(0, span.Min), Max: max(0, span.Max)}
	}
	return lease.Span{Max: end.Max.Sub(s1)}
}

// ceil rounds up to whole seconds.
func ceil(d time.Duration) time.Duration {
	if whole := d.Truncate(time.Second); whole < d {
		return whole + time.Second
	}
	return d
}

// put writes the options into a message.
func (w *wish) put(m *madcap.Message) {
	m.StartTime, m.MaxStartTime = w.startTime, w.maxStart
	if w.length > 0 {
		m.LeaseTime = madcap.Some(w.length)
	}
	if w.shortest > 0 {
		m.MinLeaseTime = madcap.Some(w.shortest)
	}
}

// verdict is what wish.judge thinks of an answer.
type verdict uint8

const (
	accepted verdict = iota
	wrongStart
	wrongEnd // the start is acceptable
)

// judge says whether the caller can have a lease with these instants, and which
// ones to tell him: a server may reserve the addresses a little longer than he
// asked for. atOnce: the server says that the lease has begun.
func (w *wish) judge(start, end time.Time, atOnce bool) (lease.Window, verdict) {
	if first := w.start.Min; start.Before(first) && first.Sub(start) < time.Second {
		start = first
	}
	switch {
	case w.start.IsZero() && !atOnce,
		start.Before(w.start.Min),
		!atOnce && !w.start.Max.IsZero() && start.After(w.start.Max):
		return lease.Window{Min: start, Max: end}, wrongStart
	}
	end, v := w.judgeEnd(start, end)
	return lease.Window{Min: start, Max: end}, v
}

// judgeEnd is judge for the end of a lease whose length counts from base.
func (w *wish) judgeEnd(base, end time.Time) (time.Time, verdict) {
	last := w.end.Max
	if w.life.Max > 0 {
		last = base.Add(w.life.Max)
	}
	switch excess := end.Sub(last); {
	case last.IsZero() || excess <= 0:
	case excess < time.Second || w.life.Max > 0:
		end = last
	default:
		return end, wrongEnd
	}
	if end.Before(w.end.Min) || end.Before(base.Add(w.life.Min)) || !end.After(base) {
		return end, wrongEnd
	}
	return end, accepted
}
