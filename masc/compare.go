// SPDX-License-Identifier: BSD-3-Clause

package masc

import "cmp"

// Compare ranks two claims (RFC 2909, section 5.1.1): it returns -1 if a wins,
// +1 if b wins, and 0 for a tie. PREFIX_IN_USE beats CLAIM_DENIED, that
// CLAIM_TO_EXPAND, that NEW_CLAIM; of the same type the earlier Timestamp wins,
// then the smaller Origin Node Identifier. Nothing else counts: no size, no
// lifetime, no domain. In a tie, which only one node can cause, the claim that
// is already held stays (decision MASC-D-24).
//
// PREFIX_MANAGED and WITHDRAW are not compared: they lose against every claim
// and tie with each other, which keeps Compare a weak order of all Claims and a
// strict total order of those that differ in type, time or node.
//
// Whether the claims compete at all is for Collide to say.
func Compare(a, b Claim) int { return compare(&a, &b) }

func compare(a, b *Claim) int {
	if !a.Type.IsClaim() || !b.Type.IsClaim() {
		return cmp.Compare(min(a.Type, PrefixManaged), min(b.Type, PrefixManaged))
	}
	if a.Type != b.Type {
		return cmp.Compare(a.Type, b.Type)
	}
	if a.Timestamp != b.Timestamp {
		return cmp.Compare(a.Timestamp, b.Timestamp)
	}
	return a.Node.Compare(b.Node)
}

// Collide reports whether two claims cannot both succeed, so that Compare has
// to decide between them (decision MASC-D-25). The roles must be those towards
// the local domain. They collide if they overlap, unless
//
//   - one is no CLAIM, or a hint;
//   - they come from the same domain and from the same node, or one is the
//     PREFIX_IN_USE that the other extends;
//   - one is at the level of the local domain's children and the other is not.
//
// A CLAIM_DENIED collides only with the claim it refuses.
func Collide(a, b Claim) bool { return collide(&a, &b) }

func collide(a, b *Claim) bool {
	switch {
	case !a.Type.IsClaim() || !b.Type.IsClaim() || a.Prefix.IsHint() || b.Prefix.IsHint():
		return false
	case a.Type == ClaimDenied:
		return b.deniedBy(a)
	case b.Type == ClaimDenied:
		return a.deniedBy(b)
	case !a.Prefix.Overlaps(b.Prefix):
		return false
	case a.Domain == b.Domain && (a.Node == b.Node || a.Type == PrefixInUse || b.Type == PrefixInUse):
		return false
	}
	return (a.Role == Child) == (b.Role == Child)
}

// deniedBy reports whether denial refuses c, a claim that waits.
func (c *Claim) deniedBy(denial *Claim) bool {
	return (c.Type == NewClaim || c.Type == ClaimToExpand) &&
		c.Domain == denial.Domain && c.Timestamp == denial.Timestamp && c.Prefix == denial.Prefix
}
