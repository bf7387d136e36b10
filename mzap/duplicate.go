// SPDX-License-Identifier: BSD-3-Clause

package mzap

import "time"

// Remembered is what a router keeps of a ZAM or NIM that it received or sent,
// to know the next copy for a duplicate (RFC 2776 sections 6.3 and 6.9). ZAMs
// are the same when Zone ID and first address of the range are, NIMs when both
// first addresses are.
type Remembered struct {
	At            time.Time // when it was received or sent
	Authenticated bool      // whether its sender was authenticated
}

// Blocks reports whether another copy at now is a duplicate. The window of
// dup (ZAM-DUP-TIME) runs from the remembered copy and a duplicate does not
// prolong it; at its end a copy counts as new. An authenticated copy passes an
// unauthenticated one (section 8), and is then the one to remember.
func (r Remembered) Blocks(now time.Time, authenticated bool, dup time.Duration) bool {
	if authenticated && !r.Authenticated {
		return false
	}
	return now.Sub(r.At) < dup
}
