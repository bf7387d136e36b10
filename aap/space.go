// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// spaceState is what an ASA says: which addresses of a large scope are available to
// this domain, and until when (section 3.2.10.1). The zero spaceState is that of a
// server which has heard none.
type spaceState struct {
	Announcement Message      // as received, on the sender's clock
	Received     time.Time    // zero if none was
	Expires      time.Time    // on our clock: repeat the ASA from then on
	Ranges       []TimedRange // on our clock, in normal form
}

// newSpace returns what an ASA that arrived at now says.
func newSpace(m *Message, now time.Time) spaceState {
	local := m.Clone()
	local.Localize(now)
	return spaceState{*m.Clone(), now, local.Expiration, Normalize(local.Ranges)}
}

// NewerThan reports whether s is to be processed after the space last processed:
// it expires later. An ASA with the expiration and ranges of the last one, on
// the sender's clock, is the same one repeated, even if rounding makes it look
// newer (AAP-D-36).
func (s *spaceState) NewerThan(last *spaceState) bool {
	if last.Received.IsZero() {
		return true
	}
	same := s.Announcement.Expiration.Equal(last.Announcement.Expiration) &&
		slices.EqualFunc(s.Announcement.Ranges, last.Announcement.Ranges, func(a, b TimedRange) bool {
			return a.Range == b.Range && a.End.Equal(b.End)
		})
	return !same && s.Expires.After(last.Expires)
}

// Resend returns the ASA to repeat at now, once it has expired (section
// 3.2.10.2): as received, its sequence numbers included, but with its current
// time as much later as it was received long ago (AAP-D-35). So whoever hears it
// knows that no coordinator sent it, and corrects its times rightly.
func (s *spaceState) Resend(now time.Time) *Message {
	m := s.Announcement.Clone()
	m.CurrentTime = m.CurrentTime.Add(now.Sub(s.Received).Truncate(time.Second))
	return m
}

// Invalidated returns what of an old space a new one takes back (sections
// 3.2.10.1 and 4.2.1.1), with the old ends: addresses it leaves out, or makes
// available for a shorter time. Such a change endangers allocations. What ends
// by itself is not taken back, and differences up to the tolerance are none: an
// address that is left out counts as available until now.
func Invalidated(old, new []TimedRange, now time.Time, tolerance time.Duration) []TimedRange {
	return overlay(Normalize(old), Normalize(new), func(was, is time.Time) time.Time {
		if was.IsZero() || later(is, now).Before(was.Add(-tolerance)) {
			return was
		}
		return time.Time{}
	})
}

// grown returns what a new space adds to an old one, with the new ends:
// addresses, or time, beyond the tolerance.
func grown(old, new []TimedRange, now time.Time, tolerance time.Duration) []TimedRange {
	return Invalidated(new, old, now, tolerance)
}

// consistent reports whether two coordinators announce the same space at now
// (section 4.2.1.1): neither has an address, or time for it, that the other has
// not. How they cut it into ranges does not matter (AAP-D-40).
func consistent(a, b []TimedRange, now time.Time, tolerance time.Duration) bool {
	return len(Invalidated(a, b, now, tolerance)) == 0 && len(Invalidated(b, a, now, tolerance)) == 0
}

// uncovered returns the addresses of held ranges that a space does not make
// available until their end, give or take the tolerance.
func uncovered(held, space []TimedRange, tolerance time.Duration) scope.Set {
	return Addrs(overlay(Normalize(held), Normalize(space), func(end, limit time.Time) time.Time {
		if !end.IsZero() && (limit.IsZero() || limit.Before(end.Add(-tolerance))) {
			return end
		}
		return time.Time{}
	}))
}
