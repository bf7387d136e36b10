// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"net/netip"
	"strconv"
	"time"
)

// Port is the UDP port of every AAP message (section 2).
const Port = 2878

// version is the protocol version every message carries (section 5.1.1).
const version = 0

// HopLimit is the TTL or hop limit to send with. What keeps a message inside
// its scope are the scope's boundaries.
const HopLimit = 255

// MaxDatagram is the longest message there can be, in octets: what fits a UDP
// datagram over IPv4.
const MaxDatagram = 65507

// MaxPayload is the length in octets that a message should not exceed (sections
// 3.2.2 and 3.2.10.3), so that it crosses any network in one piece. An ASA is
// as long as it must be, as the space may not be split. See maxRanges and
// maxRequests.
const MaxPayload = 500

// maxRSeq is the highest request sequence number, of 24 bits (section 5.1.4).
const maxRSeq = 1<<24 - 1

// Type says what a message is for (section 5.2).
type Type uint8

// The message types. An allocation server (MAAS) sends all but ASA, which comes
// from a prefix coordinator and, while there is none, is repeated by a MAAS.
const (
	ACLM Type = 0 // Address Claim: I want these addresses until then
	AIU  Type = 1 // Address In Use: these are allocated until then, by me or by someone I speak for
	AITU Type = 2 // Address Intent To Use: I preallocate these until then
	ASA  Type = 3 // Address Space Announce: the whole space available in the scope
	ASRP Type = 4 // Address Space Report: how much of it is in use, and what is wanted
	ANA  Type = 5 // Address Not Available: I lack so many addresses until then
)

var typeNames = [...]string{"ACLM", "AIU", "AITU", "ASA", "ASRP", "ANA"}

// String returns the document's abbreviation, or "Type(n)".
func (t Type) String() string {
	if t <= ANA {
		return typeNames[t]
	}
	return "Type(" + strconv.Itoa(int(t)) + ")"
}

// Family is an address family number as IANA assigns them (section 5.1.3). It
// is that of every address in the message, and of those an ANA asks for.
type Family uint16

// The families of AAP. A message of another one is ignored.
const (
	IPv4 Family = 1
	IPv6 Family = 2
)

// FamilyOf returns the family of a, 0 for the zero Addr.
func FamilyOf(a netip.Addr) Family {
	switch {
	case a.Is4():
		return IPv4
	case a.Is6():
		return IPv6
	}
	return 0
}

// String returns "IPv4", "IPv6" or "Family(n)".
func (f Family) String() string {
	switch f {
	case IPv4:
		return "IPv4"
	case IPv6:
		return "IPv6"
	}
	return "Family(" + strconv.Itoa(int(f)) + ")"
}

// isKnown reports whether f is IPv4 or IPv6.
func (f Family) isKnown() bool { return f == IPv4 || f == IPv6 }

// addrLen returns the octets of an address of f, which is known.
func (f Family) addrLen() int {
	if f == IPv4 {
		return 4
	}
	return 16
}

// elementLen returns the octets of a range with an end, or of a report.
func (f Family) elementLen() int { return 2*f.addrLen() + 4 }

// instant returns the time of a wire field: seconds since 1970 (section 5.3).
func instant(seconds uint32) time.Time { return time.Unix(int64(seconds), 0).UTC() }

// seconds returns the wire field of a time, or false if it has none: it is
// before 1970 or after 2106, or not a whole second.
func seconds(t time.Time) (uint32, bool) {
	s := t.Unix()
	return uint32(s), s>>32 == 0 && t.Nanosecond() == 0
}
