// SPDX-License-Identifier: BSD-3-Clause

package masc

// ResolveClash settles a clash: a PREFIX_IN_USE of another domain that overlaps
// one of the local domain (RFC 2909, section 12.4). It returns the WITHDRAW the
// local domain originates, and true, if the local prefix loses; nothing is to
// be done if it wins or ties.
//
// The WITHDRAW has the origin of the local claim and the times of the winner;
// its range is what both have in common, as a wider one would be no range of
// the local domain (decision MASC-D-34).
func ResolveClash(received, local Claim) (Claim, bool) {
	common, ok := received.Prefix.Meet(local.Prefix)
	if !ok || received.Type != PrefixInUse || received.Domain == local.Domain || compare(&received, &local) >= 0 {
		return Claim{}, false
	}
	w := received
	w.Type, w.Role, w.Deprecated = Withdraw, local.Role, false
	w.Domain, w.Node, w.Prefix = local.Domain, local.Node, common
	return w, true
}

// Denial returns the CLAIM_DENIED with which a parent refuses a claim of a
// child: the claim itself, but of role INTERNAL, held for the waiting period,
// and with the longest Lifetime that would be accepted, which ends not after
// end and is no longer than the claim's (RFC 2909, section 11.4.3, and decision
// MASC-D-49).
func Denial(c Claim, end Timestamp, hold Seconds) Claim {
	c.Type, c.Role, c.Deprecated = ClaimDenied, Internal, false
	c.Lifetime = min(c.Lifetime, Seconds(max(int64(end)-int64(c.Timestamp), 0)))
	c.Holdtime = hold
	return c
}
