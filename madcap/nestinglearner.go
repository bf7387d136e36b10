// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// The timers of RFC 2907, section 6, as they are when scopes are learned by
// MZAP (RFC 2776): NIM-INTERVAL and 30 percent, and NIM-HOLDTIME.
const (
	DefaultNestNoDecision = 2340 * time.Second
	DefaultZonesExist     = 5460 * time.Second
)

// NestingConfig configures a NestingLearner. Its zero value works.
type NestingConfig struct {
	// NoDecision is NEST_NO_DECISION_TIMER: so long nobody must have said that a
	// scope is not inside another before it counts as inside. 0 means
	// DefaultNestNoDecision. It should exceed the interval at which routers say so.
	NoDecision time.Duration
	// ZonesExist is ZONES_EXIST_TIMER: within so long both scopes of a pair must
	// have been announced, else one of them is gone. 0 means DefaultZonesExist.
	ZonesExist time.Duration
	// MaxScopes limits the scopes remembered, as anybody can announce some; 0
	// means 64. Memory grows with its square.
	MaxScopes int
}

// NestingLearner finds out which scopes nest inside which by listening to what
// routers announce (RFC 2907, section 4). Routers announce scopes that are there
// (in MZAP, Zone Announcement Messages) and pairs of which the first is not
// inside the second (Not-Inside Messages); that one is inside the other nobody
// says, and it follows from a long silence. Each ordered pair X/Y, "X nests
// inside Y", goes its own way:
//
//	state      event                                       action                        next
//	absent     X and Y were both announced                 start NoDecision              undecided
//	undecided  X is not inside Y                           restart NoDecision            undecided
//	undecided  NoDecision runs out                         start ZonesExist              nests
//	nests      X is not inside Y                           restart NoDecision            undecided
//	nests      X and Y both announced since the last start restart ZonesExist            nests
//	nests      ZonesExist runs out                         forget X/Y and Y/X            absent
//
// A scope that is the only one is forgotten when it was silent for ZonesExist.
// The learner is driven by one caller at a time, who tells it the time. Answers to the
// same calls are always the same.
type NestingLearner struct {
	cfg    NestingConfig
	scopes []heardScope // in the order they were first announced
	pairs  map[nestingPair]*pairState
}

// heardScope is a scope that was announced, and when it was last.
type heardScope struct {
	id   scope.ID
	last time.Time
}

// nestingPair is X/Y: whether inner nests inside outer.
type nestingPair struct{ inner, outer scope.ID }

// pairState is the state of a pair that is not absent.
type pairState struct {
	nests    bool      // else undecided
	denied   bool      // undecided because it was said not to nest
	deadline time.Time // of ZonesExist if it nests, else of NoDecision

	// Announced since ZonesExist was last started.
	innerHeard, outerHeard bool
}

// NewNestingLearner returns a learner that knows no scope. It fails for a
// negative time or number in c.
func NewNestingLearner(c NestingConfig) (*NestingLearner, error) {
	if c.NoDecision < 0 || c.ZonesExist < 0 || c.MaxScopes < 0 {
		return nil, fmt.Errorf("madcap: nesting config %+v: times and numbers must not be negative", c)
	}
	if c.NoDecision == 0 {
		c.NoDecision = DefaultNestNoDecision
	}
	if c.ZonesExist == 0 {
		c.ZonesExist = DefaultZonesExist
	}
	if c.MaxScopes == 0 {
		c.MaxScopes = 64
	}
	return &NestingLearner{cfg: c, pairs: make(map[nestingPair]*pairState)}, nil
}

// Heard tells that a scope was announced. It reports false if the scope is new
// and there is no room for it: as many as MaxScopes are known, each of which
// was announced within ZonesExist.
func (l *NestingLearner) Heard(now time.Time, id scope.ID) bool {
	l.Advance(now)
	i := l.index(id)
	if i < 0 && !l.add(now, id) {
		return false
	}
	if i >= 0 {
		l.scopes[i].last = now
	}
	for p, s := range l.pairs {
		s.innerHeard = s.innerHeard || p.inner == id
		s.outerHeard = s.outerHeard || p.outer == id
		if s.nests && s.innerHeard && s.outerHeard {
			s.start(now, l.cfg.ZonesExist)
		}
	}
	for _, other := range l.scopes { // pairs that are absent begin here
		for _, p := range [...]nestingPair{{id, other.id}, {other.id, id}} {
			if other.id != id && l.pairs[p] == nil {
				s := &pairState{}
				s.start(now, l.cfg.NoDecision)
				l.pairs[p] = s
			}
		}
	}
	return true
}

// start starts the timer of the state s is in.
func (s *pairState) start(now time.Time, d time.Duration) {
	s.deadline = now.Add(d)
	s.innerHeard, s.outerHeard = false, false
}

// NotInside tells that inner was said not to nest inside outer. Of scopes that
// were not announced it is not remembered: they count as not nesting anyway.
func (l *NestingLearner) NotInside(now time.Time, inner, outer scope.ID) {
	l.Advance(now)
	if s := l.pairs[nestingPair{inner, outer}]; s != nil {
		s.nests, s.denied = false, true
		s.start(now, l.cfg.NoDecision)
	}
}

// Advance fires every timer due at or before now, in the order they are due.
func (l *NestingLearner) Advance(now time.Time) {
	var due []nestingPair
	for {
		at, ok := l.Deadline()
		if !ok || at.After(now) {
			return
		}
		due = due[:0]
		for p, s := range l.pairs {
			if s.deadline.Equal(at) {
				due = append(due, p)
			}
		}
		if len(due) == 0 { // the only scope, which is silent
			l.scopes = l.scopes[:0]
		}
		slices.SortFunc(due, nestingPair.compare)
		for _, p := range due {
			if s := l.pairs[p]; s != nil && s.deadline.Equal(at) {
				l.expire(p, s)
			}
		}
	}
}

// Deadline returns when Advance is next needed.
func (l *NestingLearner) Deadline() (at time.Time, ok bool) {
	if len(l.scopes) == 1 { // one that has no other to make a pair with
		return l.scopes[0].last.Add(l.cfg.ZonesExist), true
	}
	for _, s := range l.pairs {
		if !ok || s.deadline.Before(at) {
			at, ok = s.deadline, true
		}
	}
	return at, ok
}

func (p nestingPair) compare(q nestingPair) int {
	return cmp.Or(p.inner.Compare(q.inner), p.outer.Compare(q.outer))
}

// expire lets the timer of pair p, in state s, run out.
func (l *NestingLearner) expire(p nestingPair, s *pairState) {
	if !s.nests { // long enough nobody has denied it
		s.nests, s.denied = true, false
		s.start(s.deadline, l.cfg.ZonesExist)
		return
	}
	delete(l.pairs, p)
	delete(l.pairs, nestingPair{p.outer, p.inner})
	if !s.innerHeard {
		l.gone(p.inner, s.deadline)
	}
	if !s.outerHeard {
		l.gone(p.outer, s.deadline)
	}
}

// gone forgets a scope that was not announced for the time before at, with
// what is known of it.
func (l *NestingLearner) gone(id scope.ID, at time.Time) {
	i := l.index(id)
	if i < 0 || l.scopes[i].last.Add(l.cfg.ZonesExist).After(at) {
		return
	}
	l.scopes = slices.Delete(l.scopes, i, i+1)
	for p := range l.pairs {
		if p.inner == id || p.outer == id {
			delete(l.pairs, p)
		}
	}
}

// add remembers a new scope. If there is no room it replaces the one that has
// been silent longest, if that is gone for sure.
func (l *NestingLearner) add(now time.Time, id scope.ID) bool {
	if len(l.scopes) >= l.cfg.MaxScopes {
		oldest := slices.MinFunc(l.scopes, func(a, b heardScope) int { return a.last.Compare(b.last) })
		l.gone(oldest.id, now)
	}
	if len(l.scopes) >= l.cfg.MaxScopes {
		return false
	}
	l.scopes = append(l.scopes, heardScope{id, now})
	return true
}

func (l *NestingLearner) index(id scope.ID) int {
	return slices.IndexFunc(l.scopes, func(s heardScope) bool { return s.id == id })
}

// Nesting returns what is known at now of the scopes announced, in the order
// they were first. A pair is Yes if it nests, No if it was said not to and
// nothing else has followed yet, and Unknown while the decision is pending. On
// the wire both No and Unknown are 0 (RFC 2907, section 2).
func (l *NestingLearner) Nesting(now time.Time) *scope.Nesting {
	l.Advance(now)
	ids := make([]scope.ID, len(l.scopes))
	for i, s := range l.scopes {
		ids[i] = s.id
	}
	n := scope.NewNesting(ids...)
	for p, s := range l.pairs {
		r := scope.Unknown
		switch {
		case s.nests:
			r = scope.Yes
		case s.denied:
			r = scope.No
		}
		_ = n.Set(p.inner, p.outer, r) // both are in the list
	}
	return n
}
