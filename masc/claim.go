// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"fmt"
	"time"
)

// Claim is one attribute of an UPDATE: a claim, an answer to one, or the news
// of a prefix (RFC 2909, section 7.3):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|              Length           |      Type     |   Reserved    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Reserved1   |D| AddrFam |Rol|           Reserved2           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        Claim Timestamp                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        Claim Lifetime                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        Claim Holdtime                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Origin Domain Identifier (4 or 16 octets)            |
//	|          Origin Node Identifier   (4 or 16 octets)            |
//	|          Address                  (4 or 16 octets)            |
//	|          Mask                     (4 or 16 octets)            |
//	|          Optional Parameters                                  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// It is a comparable value of about a hundred octets without pointers, so that
// caches of many of them cost the garbage collector nothing. The address family
// is that of Prefix and sizes the identifiers too: those of an IPv4 claim are
// below 2^32.
type Claim struct {
	Type       ClaimType
	Role       Role      // of the origin's domain towards the domain of the sender or, in a cache, the holder
	Deprecated bool      // the D bit: the prefix will not be prolonged (section 4.3); for PREFIX_MANAGED only
	Timestamp  Timestamp // when the claim was originated
	Lifetime   Seconds   // from Timestamp until the prefix is free
	Holdtime   Seconds   // from Timestamp until caches may forget the claim
	Domain     ID        // of the origin; of the claimant in a CLAIM_DENIED
	Node       ID        // of the origin
	Prefix     Prefix
}

// end returns the second in which the prefix becomes free, as a 64-bit sum.
func (c *Claim) end() int64 { return int64(c.Timestamp) + int64(c.Lifetime) }

// expiry returns the second in which caches may forget the claim.
func (c *Claim) expiry() int64 { return int64(c.Timestamp) + int64(c.Holdtime) }

// End returns when the prefix becomes free: Timestamp + Lifetime.
func (c Claim) End() time.Time { return time.Unix(c.end(), 0).UTC() }

// Expiry returns when caches may forget the claim: Timestamp + Holdtime.
func (c Claim) Expiry() time.Time { return time.Unix(c.expiry(), 0).UTC() }

// String returns the claim in one line, for logs.
func (c Claim) String() string {
	state := ""
	if c.Deprecated {
		state = " deprecated"
	}
	return fmt.Sprintf("%v %v%s by %v/%v (%v) at %s for %v, hold %v", c.Type, c.Prefix, state, c.Domain, c.Node, c.Role,
		c.Timestamp.Time().Format(time.RFC3339), c.Lifetime.Duration(), c.Holdtime.Duration())
}
