// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"math/rand/v2"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// defence is an Allocation Defense timer (section 3.2.2): what to do about an
// ACLM or AITU that names addresses which are allocated, by us or by others.
// There is one for each request, that is, for a sender and its request sequence
// number (AAP-D-14). The server that allocated the addresses answers at once;
// the others wait a few seconds, and twice as long whenever they hear it done.
type defence struct {
	Asked    scope.Set // what the message asked for, whether allocated or not
	Interval time.Duration
	Due      time.Time // when to send an AIU
}

// newDefence starts the timer at now. Own says that some of the addresses
// are ours.
func newDefence(now time.Time, asked scope.Set, own bool, t Timing, rng *rand.Rand) defence {
	interval := t.FirstDefence(own, rng.Float64())
	return defence{asked, interval, now.Add(interval)}
}

// Repeats reports whether another ACLM or AITU of the same request is a mere
// repeat, which changes nothing (AAP-D-26). Otherwise the claimant has moved:
// cancel this timer and look at the new addresses from the start.
func (d *defence) Repeats(asked scope.Set) bool { return d.Asked.Equal(asked) }

// Sent restarts the timer after we sent an AIU at now. It returns false when the
// defence is over.
func (d *defence) Sent(now time.Time, t Timing) bool {
	interval, ok := t.NextDefence(d.Interval)
	d.Interval, d.Due = interval, now.Add(interval)
	return ok
}

// Heard restarts the timer after somebody but the claimant sent an AIU with some
// of the addresses asked for, at now. It returns false when the defence is over.
// (An AIU of the claimant itself ends it too, AAP-D-29.)
func (d *defence) Heard(now time.Time, t Timing) bool {
	d.Interval *= 2
	d.Due = now.Add(d.Interval)
	return d.Interval <= t.RepeatInterval
}
