// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"net/netip"
	"strconv"
	"time"
)

// The constants of RFC 2909, section 6, and the limits of section 7. All but
// Version, MaxMessage and the zero identifier of a top-level domain's parent
// (TLD_ID) are defaults that a configuration can change.
const (
	Port               = 2587             // TCP port a node listens on
	Version            = 1                // of the protocol, in every OPEN
	MaxMessage         = 4096             // octets of a message, header included
	WaitingPeriod      = 48 * time.Hour   // from a claim to the use of what was claimed
	InitiateClaimDelay = 10 * time.Minute // a claim is put off by a random time below this
	DefaultHoldTime    = 4 * time.Minute  // silence after which a connection counts as lost
)

// MessageType says what a message is for (RFC 2909, section 7.1).
type MessageType uint8

// The message types.
const (
	TypeOpen         MessageType = 1 // who I am: the first message of each side (section 7.2)
	TypeUpdate       MessageType = 2 // claims and what became of them (section 7.3)
	TypeNotification MessageType = 3 // something is wrong (section 7.5)
	TypeKeepalive    MessageType = 4 // I am still here (section 7.4)
)

// String returns the document's name of t, or MessageType(n).
func (t MessageType) String() string {
	switch t {
	case TypeOpen:
		return "OPEN"
	case TypeUpdate:
		return "UPDATE"
	case TypeNotification:
		return "NOTIFICATION"
	case TypeKeepalive:
		return "KEEPALIVE"
	}
	return "MessageType(" + strconv.Itoa(int(t)) + ")"
}

// ClaimType is the type of an attribute of an UPDATE (RFC 2909, section 7.3).
// Types 0 to 3 are the CLAIMs, which Compare ranks: the lower the number, the
// stronger the claim.
type ClaimType uint8

// The attribute types.
const (
	PrefixInUse   ClaimType = 0 // the origin's domain has the prefix and uses it
	ClaimDenied   ClaimType = 1 // a parent refuses this claim of a child
	ClaimToExpand ClaimType = 2 // the origin wants a prefix it has to last longer or to be larger
	NewClaim      ClaimType = 3 // the origin wants a new prefix; with Address 0 it only says how much it needs
	PrefixManaged ClaimType = 4 // a domain tells its children that they may claim in this prefix
	Withdraw      ClaimType = 5 // the origin gives up a claim or a range
)

var claimNames = [...]string{"PREFIX_IN_USE", "CLAIM_DENIED", "CLAIM_TO_EXPAND", "NEW_CLAIM", "PREFIX_MANAGED", "WITHDRAW"}

// String returns the document's name of t, or ClaimType(n).
func (t ClaimType) String() string {
	if int(t) < len(claimNames) {
		return claimNames[t]
	}
	return "ClaimType(" + strconv.Itoa(int(t)) + ")"
}

// IsClaim reports whether t is one of the CLAIMs, types 0 to 3 (decision
// MASC-D-62).
func (t ClaimType) IsClaim() bool { return t <= NewClaim }

// Role is what one side is to the other (RFC 2909, section 4). In a
// configuration it is the local node's role towards the peer, in an OPEN the
// sender's role towards the receiver, in a Claim the role of the origin's
// domain towards the domain of the node that sends or holds it.
type Role uint8

// The roles, with the values they have on the wire.
const (
	Internal Role = 0 // of the same domain
	Child    Role = 1 // may obtain address space from the other side
	Sibling  Role = 2 // has a parent in common, or both are top-level domains
	Parent   Role = 3 // may give address space to the other side
)

// String returns the document's name of r: INTERNAL, CHILD, SIBLING or PARENT.
func (r Role) String() string {
	names := [...]string{"INTERNAL", "CHILD", "SIBLING", "PARENT"}
	if int(r) < len(names) {
		return names[r]
	}
	return "Role(" + strconv.Itoa(int(r)) + ")"
}

// Opposite returns the role the other side has: a child's is parent and the
// reverse, the others are the same on both sides.
func (r Role) Opposite() Role {
	switch r {
	case Child:
		return Parent
	case Parent:
		return Child
	}
	return r
}

// AddrFamily is an IANA address family number. It says how long identifiers,
// addresses and masks are (RFC 2909, section 7.2); the wire has 5 bits for it.
type AddrFamily uint8

// The two families MASC defines.
const (
	FamilyIPv4 AddrFamily = 1
	FamilyIPv6 AddrFamily = 2
)

// String returns IPv4, IPv6 or AddrFamily(n).
func (f AddrFamily) String() string {
	switch f {
	case FamilyIPv4:
		return "IPv4"
	case FamilyIPv6:
		return "IPv6"
	}
	return "AddrFamily(" + strconv.Itoa(int(f)) + ")"
}

// width returns the octets of an address of f, 0 for an unknown family.
func (f AddrFamily) width() int {
	switch f {
	case FamilyIPv4:
		return 4
	case FamilyIPv6:
		return 16
	}
	return 0
}

// ID identifies a domain or a node: an unsigned number of up to 128 bits, of
// which a message of family IPv4 carries the lowest 32 (RFC 2909, section 7.2,
// and decision MASC-D-9). A domain should use its autonomous system number, a
// node one of its addresses. IDs compare with == and Compare, whatever family
// they came in. The zero ID is TLD_ID, the parent of a top-level domain; as a
// domain or node of its own it is invalid.
type ID struct{ n u128 }

// NumberID returns the ID of a number, such as an autonomous system number.
func NumberID(n uint64) ID { return ID{u128{0, n}} }

// AddrID returns an address as an ID, the zero ID for the zero Addr. The ID of
// an IPv4 address is below 2^32.
func AddrID(a netip.Addr) ID {
	switch {
	case a.Is4():
		v := a.As4()
		return ID{u128{0, uint64(v[0])<<24 | uint64(v[1])<<16 | uint64(v[2])<<8 | uint64(v[3])}}
	case a.Is6():
		v := a.As16()
		return ID{read128(v[:])}
	}
	return ID{}
}

// IsZero reports whether id is TLD_ID.
func (id ID) IsZero() bool { return id.n.isZero() }

// Fits reports whether a message of family f can carry id.
func (id ID) Fits(f AddrFamily) bool {
	return f == FamilyIPv6 || f == FamilyIPv4 && id.n.hi == 0 && id.n.lo>>32 == 0
}

// Compare returns -1, 0 or +1 as id is the smaller number, equal or the larger.
func (id ID) Compare(other ID) int { return id.n.cmp(other.n) }

// Addr returns id as an address: IPv4 for a number below 2^32, else IPv6.
func (id ID) Addr() netip.Addr { return id.n.addr(id.Fits(FamilyIPv4)) }

// String returns a number below 2^24 in decimal, such as 64500, and a larger
// one as an address.
func (id ID) String() string {
	if id.n.hi == 0 && id.n.lo < 1<<24 {
		return strconv.FormatUint(id.n.lo, 10)
	}
	return id.Addr().String()
}

// Seconds is a length of time as the protocol counts it, 0 to 2^32-1 seconds.
type Seconds uint32

// Timestamp is a moment as the protocol counts it: whole seconds from
// 1970-01-01 00:00 GMT to 2106, unsigned and without serial arithmetic
// (decision MASC-D-27).
type Timestamp uint32

// StampOf returns t as a Timestamp: the second t is in, or the first or last
// one there is.
func StampOf(t time.Time) Timestamp { return Timestamp(clamp(t.Unix())) }

// SecondsOf returns d as whole seconds, rounded down, or the least or most
// there are.
func SecondsOf(d time.Duration) Seconds { return Seconds(clamp(int64(d / time.Second))) }

func clamp(n int64) uint32 { return uint32(min(max(n, 0), 1<<32-1)) }

// Time returns the moment as a time in UTC.
func (t Timestamp) Time() time.Time { return time.Unix(int64(t), 0).UTC() }

// Duration returns the length of time as a Duration.
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Second }
