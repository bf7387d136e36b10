// SPDX-License-Identifier: BSD-3-Clause

package masc

import "cmp"

// SendStep returns the step in which a cached claim is sent when several wait
// for one peer (RFC 2909, section 11.8), 1 to 5, or 0 for one that such a peer
// is not sent. The local role on the session is session, the claim's role is
// the updated one.
func SendStep(session Role, c Claim) int {
	claims := c.Type == PrefixInUse || c.Type == ClaimToExpand || c.Type == NewClaim
	switch session {
	case Parent: // to a child
		switch {
		case c.Role == Internal && (c.Type == PrefixManaged || c.Type == Withdraw):
			return 1
		case c.Role == Child && claims:
			return 2
		case c.Role == Internal && c.Type == ClaimDenied, c.Role == Child && c.Type == Withdraw:
			return 3
		}
	case Child, Sibling: // to a parent or a sibling
		switch {
		case c.Role == Parent && (c.Type == PrefixManaged || c.Type == Withdraw):
			return 1
		case (c.Role == Internal || c.Role == Sibling) && claims:
			return 2
		case c.Role == Parent && c.Type == ClaimDenied,
			(c.Role == Internal || c.Role == Sibling) && c.Type == Withdraw:
			return 3
		}
	case Internal:
		switch {
		case c.Role == Parent && (c.Type == PrefixManaged || c.Type == Withdraw):
			return 1
		case (c.Role == Internal || c.Role == Sibling) && claims, c.Role == Internal && c.Type == PrefixManaged:
			return 2
		case c.Role == Parent && c.Type == ClaimDenied,
			(c.Role == Internal || c.Role == Sibling) && c.Type == Withdraw:
			return 3
		case c.Role == Child && claims:
			return 4
		case c.Role == Internal && c.Type == ClaimDenied, c.Role == Child && c.Type == Withdraw:
			return 5
		}
	}
	return 0
}

// typeOrder orders what one domain sends in one step: what it has before what
// it wants, and what it gives up last.
var typeOrder = [...]int{PrefixInUse: 0, PrefixManaged: 1, ClaimToExpand: 2, NewClaim: 3, ClaimDenied: 4, Withdraw: 5}

// SendOrder compares two claims for slices.SortFunc: which is sent first on a
// session with the local role session. Claims of the same step and type keep
// the order of their timestamps.
func SendOrder(session Role, a, b Claim) int {
	return cmp.Or(
		cmp.Compare(SendStep(session, a), SendStep(session, b)),
		cmp.Compare(typeOrder[min(a.Type, Withdraw)], typeOrder[min(b.Type, Withdraw)]),
		cmp.Compare(a.Timestamp, b.Timestamp),
		a.Domain.Compare(b.Domain), a.Prefix.Compare(b.Prefix), a.Node.Compare(b.Node),
	)
}
