// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"cmp"

	"github.com/mcastalloc/malloc/scope"
)

// fits reports whether an OFFER or ACK gives what was asked for. One that does
// not is ignored (decision MADCAP-D-45): another scope, too short a lease, too
// late a start, too few or too many addresses or others than those listed, a
// lease put off although nobody offered to wait.
//
// A lease that starts too early is not judged here: an ACK without Start Time
// says "at once" whatever was asked (RFC 2730, section 2.2.5).
func fits(ask, m *Message) bool {
	if ask.Type == TypeGetInfo || ask.Type == TypeRelease {
		return true
	}
	if ask.Type != TypeRenew && m.Scope != ask.Scope {
		return false
	}
	if m.Deferred() {
		return ask.Names(RetryAfter)
	}
	if m.LeaseTime.Value < ask.MinLeaseTime.Value ||
		!ask.MaxStartTime.IsZero() && m.StartTime.After(ask.MaxStartTime) {
		return false
	}
	return ask.Type == TypeRenew || !m.Ranges.Present || fitsAddresses(ask, m.Ranges.Value)
}

// fitsAddresses reports whether the ranges hold as many addresses as asked for,
// of those asked for.
func fitsAddresses(ask *Message, ranges []scope.Range) bool {
	n, _, err := count(ranges)
	if err != nil || n < max(1, int(ask.Addresses.Min)) || n > max(1, int(ask.Addresses.Desired)) {
		return false
	}
	listed, err := scope.SetOf(ask.Ranges.Value...)
	if err != nil {
		return false
	}
	for _, r := range ranges {
		if r.First().Less(ask.Scope) || !listed.IsEmpty() && !listed.CoversRange(r) {
			return false
		}
	}
	return true
}

// best returns the index of the OFFER with the earliest start, among these the
// one with the most addresses, among these the one with the longest lease,
// among these the first that came.
func best(discover *Message, offers []Answer) int {
	top := 0
	for i := range offers {
		if compareOffers(discover, offers[i].Message, offers[top].Message) < 0 {
			top = i
		}
	}
	return top
}

// compareOffers returns a negative number if a is better than b. What an OFFER
// leaves out is as it was asked for (RFC 2730, section 2.2.3).
func compareOffers(discover, a, b *Message) int {
	start := func(m *Message) int64 {
		if m.StartTime.IsZero() {
			m = discover
		}
		if m.StartTime.IsZero() {
			return 0 // at once
		}
		return m.StartTime.Unix()
	}
	addresses := func(m *Message) int {
		if !m.Ranges.Present {
			return max(1, int(discover.Addresses.Desired))
		}
		n, _, _ := count(m.Ranges.Value)
		return n
	}
	return cmp.Or(
		cmp.Compare(start(a), start(b)),
		cmp.Compare(addresses(b), addresses(a)),
		cmp.Compare(b.LeaseTime.Value, a.LeaseTime.Value),
	)
}
