// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Stake is how a server holds addresses of its own.
type Stake uint8

// The stakes, from weak to strong.
const (
	Pending   Stake = iota + 1 // preallocated by AITU, the Preallocation Timer runs
	Settled                    // preallocated, the timer has expired
	Claimed                    // claimed by ACLM, the Claim Timer runs
	Allocated                  // announced by AIU
)

// String returns "pending", "settled", "claimed" or "allocated".
func (s Stake) String() string {
	if s < Pending || s > Allocated {
		return "no stake"
	}
	return [...]string{"pending", "settled", "claimed", "allocated"}[s-Pending]
}

// Outcome is what a message of another server does to a stake.
type Outcome uint8

// The outcomes.
const (
	// Untouched: nothing happens to it.
	Untouched Outcome = iota
	// GiveUp: cancel the timer and give up the addresses in Resolution.Lost. Those
	// in Kept are still wanted, but need a new message and a full timer (AAP-D-23).
	GiveUp
	// Abandon: give up the whole set, without a word.
	Abandon
	// Defend: say that the addresses are in use; see [Timing.FirstDefence].
	Defend
	// InUse: someone announces what we have allocated. It is an echo if
	// echoes says so, else a conflict (section 3.2.3).
	InUse
)

// String returns the name of the outcome in small letters.
func (o Outcome) String() string {
	if o > InUse {
		return "no outcome"
	}
	return [...]string{"untouched", "give up", "abandon", "defend", "in use"}[o]
}

// Collide says what happens to a stake when a message of another server names
// any of its addresses, ended ranges aside. There is no tie-break, neither by
// age nor by address: two claims for one address destroy each other, and so do
// two preallocations, whole (AAP-D-20). Only a claim heard by its rival, but not
// the other way round, has a winner.
//
//	             ACLM      AITU       AIU
//	claimed      give up   untouched  give up
//	pending      abandon   abandon    abandon
//	settled      abandon   abandon    abandon
//	allocated    defend    defend     in use
//
// An ASA collides with what it does not cover; see [Resolve]. Other types are
// no concern of a stake.
func Collide(mine Stake, heard Type) Outcome {
	if heard > AITU {
		return Untouched
	}
	switch mine {
	case Pending, Settled:
		return Abandon
	case Claimed:
		if heard != AITU {
			return GiveUp
		}
	case Allocated:
		if heard != AIU {
			return Defend
		}
		return InUse
	}
	return Untouched
}

// Resolution is what a message does to a held set of addresses.
type Resolution struct {
	Outcome Outcome
	// Lost are the addresses concerned: given up, abandoned, to be defended or
	// also in use elsewhere.
	Lost scope.Set
	// Kept is what remains of the held ranges after GiveUp and Abandon, and all
	// of them otherwise.
	Kept []TimedRange
}

// Resolve applies a message of another server, already on our clock
// ([Message.Localize]), to a set of addresses that we hold. Only what is in force
// at now collides (AAP-D-13). A claim loses the addresses both name, a
// preallocation the whole set (sections 3.2.5 and 3.2.6, AAP-D-22).
//
// From an ASA, if it is newer than the last one (spaceState.NewerThan), a claim or
// a pending preallocation loses the addresses that it does not make available
// until their end, give or take the tolerance, and a settled preallocation loses
// all. Allocations are not given up but cut to the new space; see cut.
func Resolve(mine Stake, held []TimedRange, heard *Message, now time.Time, tolerance time.Duration) Resolution {
	r := Resolution{Kept: held}
	if heard.Type == ASA {
		if r.Lost = uncovered(live(held, now), heard.Ranges, tolerance); r.Lost.IsEmpty() || mine == Allocated {
			return Resolution{Kept: held}
		}
		r.Outcome = GiveUp
		if mine == Settled {
			r.Outcome = Abandon
		}
	} else {
		if r.Outcome = Collide(mine, heard.Type); r.Outcome == Untouched {
			return r
		}
		common := overlay(Normalize(held), live(heard.Ranges, now), func(x, y time.Time) time.Time {
			if y.IsZero() {
				return y
			}
			return x
		})
		if r.Lost = Addrs(common); r.Lost.IsEmpty() {
			return Resolution{Kept: held}
		}
	}
	switch r.Outcome {
	case GiveUp:
		r.Kept = without(held, r.Lost)
	case Abandon:
		r.Lost, r.Kept = Addrs(held), nil
	}
	return r
}

// echoes reports whether an AIU for an address, with this end on our clock, can
// be somebody's defence of our own announcement: the end is one we announced for
// the address, or such an end cut to limit, the end of the announced space at
// the address (zero for no limit), give or take the tolerance (AAP-D-30). What
// is no echo is a conflict: another server allocated the address as well.
//
// Two servers may well choose equal ends. A rival that does is known by its
// persistence; see run.
func echoes(end time.Time, announced []time.Time, limit time.Time, tolerance time.Duration) bool {
	for _, own := range announced {
		if near(end, own, tolerance) || !limit.IsZero() && limit.Before(own) && near(end, limit, tolerance) {
			return true
		}
	}
	return false
}

func near(a, b time.Time, tolerance time.Duration) bool { return a.Sub(b).Abs() <= tolerance }

// run is a run of AIUs from one sender for an address of ours that echo what
// we announced. Defences end within a minute, so a run that does not is that
// of a server which allocated the address too (AAP-D-30). An ACLM or AITU for the
// address from anybody ends all runs, as it explains more defences. The zero run
// has not begun.
type run struct {
	Start, Last time.Time // its first and its last AIU
}

// Next returns the run with another AIU at now. After a pause of more than 3
// times REPEAT-INTERVAL it starts anew.
func (r run) Next(now time.Time, t Timing) run {
	if r.Start.IsZero() || now.Sub(r.Last) > 3*t.RepeatInterval {
		r.Start = now
	}
	r.Last = now
	return r
}

// IsRival reports whether the run is too long for a defence: more than twice
// REPEAT-INTERVAL.
func (r run) IsRival(t Timing) bool { return r.Last.Sub(r.Start) > 2*t.RepeatInterval }
