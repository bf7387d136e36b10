// SPDX-License-Identifier: BSD-3-Clause

package masc

import "time"

// Rules say which values of a received claim are acceptable (RFC 2909, section
// 8.3). A zero limit is not applied; DefaultRules has the ones decision
// MASC-D-66 turns on.
type Rules struct {
	NonContiguous bool          // accept masks with holes
	MaxFuture     time.Duration // a Timestamp further ahead is too new
	MaxAge        time.Duration // of a claim of types 1 to 3; an older Timestamp is too old
	MinLifetime   time.Duration // from the Timestamp on
	MaxLifetime   time.Duration // from now on (or the Timestamp, if that is ahead)
	MinHoldtime   time.Duration // from the Timestamp on
	MaxHoldtime   time.Duration // from now on (or the Timestamp, if that is ahead)
	MinSize       float64       // addresses in a prefix
	MaxSize       float64
}

// DefaultRules refuses a Timestamp more than a day ahead and a Holdtime of more
// than 15768000 seconds, half a year.
func DefaultRules() Rules {
	return Rules{MaxFuture: 24 * time.Hour, MaxHoldtime: 15768000 * time.Second}
}

// legalRoles says which roles a claim may be received with (section 8.3).
var legalRoles = [...][4]bool{
	//              Internal Child  Sibling Parent
	PrefixInUse:   {true, true, true, false},
	ClaimDenied:   {true, false, false, true},
	ClaimToExpand: {true, true, true, false},
	NewClaim:      {true, true, true, false},
	PrefixManaged: {true, false, false, true},
	Withdraw:      {true, true, true, true},
}

// Check returns the first reason not to accept c, or nil. The claim is as
// received, over a session with a peer of domain peer on which the local node
// has the role session. The order of the checks is fixed by decision MASC-D-8.
func (r *Rules) Check(now time.Time, session Role, peer ID, c Claim) error {
	if reason := r.check(now.Unix(), session, peer, &c); reason != 0 {
		return reason
	}
	return nil
}

// check returns 0 if c is acceptable.
func (r *Rules) check(now int64, session Role, peer ID, c *Claim) Reason {
	if c.Type > Withdraw || c.Role > Parent || !legalRoles[c.Type][c.Role] {
		return ClaimTypeError
	}
	if reason := r.checkPrefix(c); reason != 0 {
		return reason
	}
	if c.Domain.IsZero() || session != Internal && c.Role == Internal && c.Type != ClaimDenied && c.Domain != peer {
		return OriginDomainError // decision MASC-D-57
	}
	if c.Node.IsZero() {
		return OriginNodeError
	}
	from := max(now, int64(c.Timestamp)) // what is left is counted from here
	waiting := c.Type.IsClaim() && c.Type != PrefixInUse
	switch {
	case r.MaxAge > 0 && waiting && now-int64(c.Timestamp) > seconds(r.MaxAge):
		return TimestampTooOld
	case r.MaxFuture > 0 && int64(c.Timestamp)-now > seconds(r.MaxFuture):
		return TimestampTooNew
	case int64(c.Lifetime) < seconds(r.MinLifetime):
		return LifetimeTooShort
	case r.MaxLifetime > 0 && c.end()-from > seconds(r.MaxLifetime):
		return LifetimeTooLong
	case r.MinSize > 0 && c.Prefix.Size() < r.MinSize:
		return PrefixTooSmall
	case r.MaxSize > 0 && c.Prefix.Size() > r.MaxSize:
		return PrefixTooLarge
	case int64(c.Holdtime) < seconds(r.MinHoldtime):
		return HoldtimeTooShort
	case r.MaxHoldtime > 0 && c.expiry()-from > seconds(r.MaxHoldtime):
		return HoldtimeTooLong
	}
	return 0
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// checkPrefix checks mask and address (decisions MASC-D-20 to 23). A hint has
// an address of 0, which three types may have.
func (r *Rules) checkPrefix(c *Claim) Reason {
	p := c.Prefix
	if p.family.width() == 0 {
		return InvalidAddress
	}
	space := multicast[p.family]
	switch {
	case p.mask.and(bit(p.width() - 1)).isZero():
		return InvalidMask
	case !r.NonContiguous && !p.IsContiguous():
		return NonContiguousMask
	case p.mask.and(space.mask) != space.mask:
		return InvalidMask
	case p.IsHint():
		if c.Type != NewClaim && c.Type != ClaimDenied && c.Type != Withdraw {
			return InvalidAddress
		}
	case !p.IsValid():
		return InvalidAddress
	}
	return 0
}
