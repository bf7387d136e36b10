// SPDX-License-Identifier: BSD-3-Clause

package lease

import "time"

// Contains reports whether t lies in the window.
func (w Window) Contains(t time.Time) bool {
	return (w.Min.IsZero() || !t.Before(w.Min)) && (w.Max.IsZero() || !t.After(w.Max))
}

// IsZero reports whether the window is the zero value.
func (w Window) IsZero() bool { return w.Min.IsZero() && w.Max.IsZero() }

// WholeSeconds cuts the window inwards to whole seconds, the minimum up and
// the maximum down, as protocols that carry seconds need it. It reports false
// if no whole second is left in the window.
func (w Window) WholeSeconds() (Window, bool) {
	if t := w.Min.Truncate(time.Second); t.Before(w.Min) {
		w.Min = t.Add(time.Second)
	}
	w.Max = w.Max.Truncate(time.Second)
	return w, w.Max.IsZero() || !w.Max.Before(w.Min)
}

// LifetimeFor turns a window of ends into a span of lifetimes, for protocols
// that carry lengths where RFC 2771 has instants (MADCAP's Lease Time). Both
// windows must have both bounds. If exact is true, every start in its window
// and every length in the span make an end in its window; the other answers
// are lost. If it is false no such span exists: then the span allows for
// every acceptable answer and some others, so check what comes.
func LifetimeFor(start, end Window) (s Span, exact bool) {
	shortest, longest := end.Min.Sub(start.Min), end.Max.Sub(start.Max)
	if shortest <= longest && longest > 0 {
		return Span{max(shortest, 0), longest}, true
	}
	return Span{max(end.Min.Sub(start.Max), 0), end.Max.Sub(start.Min)}, false
}

// wish is what a request asks of time, checked and with "now" and the
// allocator's limits filled in. All bounds are inclusive.
type wish struct {
	start1, start2 instant       // acceptable starts, none before now
	end1, end2     instant       // acceptable ends
	len1, len2     time.Duration // acceptable lengths
}

// shortest is the least length of a lease whose request knows no lower bound:
// what MADCAP can say.
const shortest = time.Second

// ends returns the acceptable ends of a lease that starts at t. There is none
// if the first is after the second.
func (w *wish) ends(t instant) (lo, hi instant) {
	return max(w.end1, t.add(w.len1)), min(w.end2, t.add(w.len2))
}

// limits of time that an allocator sets.
type limits struct {
	longest  time.Duration // the longest lease
	standard time.Duration // its length if nothing is asked; 0: longest
	skew     time.Duration // how far clocks may be apart
}

// resolve checks the instants of a request and returns what they mean at now.
// The lengths are checked first, then the starts (RFC 2771 section 3.1 in the
// order of its parameters).
func resolve(op string, now instant, start, end Window, life Span, lim limits) (wish, error) {
	w := wish{start1: now, start2: now, end1: longAgo, end2: never, len1: 0, len2: lim.longest}
	if err := w.setEnds(op, now, end, life, lim); err != nil {
		return wish{}, err
	}
	return w, w.setStarts(op, now, start, lim)
}

func (w *wish) setEnds(op string, now instant, end Window, life Span, lim limits) error {
	bad := func(p Param, got, want string) error {
		return &Error{Op: op, Param: p, Got: got, Want: want, Err: ErrLifetime}
	}
	switch {
	case !end.IsZero() && life != Span{}:
		return bad(ParamLifetime, life.String(), "either an end or a lifetime, not both")
	case life.Min < 0:
		return bad(ParamMinLifetime, life.Min.String(), "a length above zero")
	case life.Max < 0:
		return bad(ParamLifetime, life.Max.String(), "a length above zero")
	case life.Max > 0 && life.Min > life.Max:
		return bad(ParamMinLifetime, life.Min.String(), "at most the maximum of "+life.Max.String())
	case !end.Min.IsZero() && !end.Max.IsZero() && end.Max.Before(end.Min):
		return bad(ParamMinLifetime, text(end.Min), "at most the latest end of "+text(end.Max))
	case !end.Max.IsZero() && instantOf(end.Max) <= now:
		return bad(ParamLifetime, text(end.Max), "an end after "+text(now.time()))
	}
	switch {
	case !end.IsZero():
		if !end.Min.IsZero() {
			w.end1 = instantOf(end.Min)
		}
		if !end.Max.IsZero() {
			w.end2 = instantOf(end.Max)
		}
		w.len1 = 1
	case life != Span{}:
		w.len1 = life.Min
		if life.Max > 0 {
			w.len2 = min(w.len2, life.Max)
		}
	case lim.standard > 0:
		w.len2 = min(w.len2, lim.standard)
	}
	if w.len1 == 0 {
		w.len1 = min(shortest, w.len2)
	}
	return nil
}

func (w *wish) setStarts(op string, now instant, start Window, lim limits) error {
	bad := func(p Param, got, want string) error {
		return &Error{Op: op, Param: p, Got: got, Want: want, Err: ErrStart}
	}
	if start.IsZero() {
		return nil
	}
	w.start2 = never
	if !start.Max.IsZero() {
		last := instantOf(start.Max)
		switch {
		case !start.Min.IsZero() && start.Max.Before(start.Min):
			return bad(ParamMaxStart, text(start.Max), "at least the earliest start of "+text(start.Min))
		case last.add(lim.skew) < now:
			return bad(ParamMaxStart, text(start.Max), "a start not before "+text(now.time()))
		}
		w.start2 = max(now, last)
	}
	if !start.Min.IsZero() {
		w.start1 = max(now, instantOf(start.Min))
	}
	if w.start1 >= w.end2 {
		return bad(ParamStart, text(start.Min), "a start before the latest end of "+text(w.end2.time()))
	}
	w.start2 = min(w.start2, w.end2-1)
	return nil
}

// String returns both bounds.
func (s Span) String() string { return s.Min.String() + ".." + s.Max.String() }

func text(t time.Time) string { return t.Format(time.RFC3339Nano) }
