// SPDX-License-Identifier: BSD-3-Clause

package madcap

import "fmt"

// Ignored says why a server left a datagram unanswered.
type Ignored uint8

// The reasons, in the order in which they are looked for.
const (
	IgnoredSource     Ignored = iota // no unicast address and port to answer to
	IgnoredMalformed                 // broken framing or another version
	IgnoredNak                       // a NAK is never answered
	IgnoredInsecure                  // by multicast, or DISCOVER, in secure mode
	IgnoredAnonymous                 // no Lease Identifier to answer to
	IgnoredServer                    // OFFER or ACK, where SilentToServers is set
	IgnoredMulticast                 // RENEW or RELEASE by multicast
	IgnoredInProgress                // a retransmission of what is being worked on, or about a lease that is
	IgnoredOther                     // a REQUEST that chose another server
	IgnoredScope                     // came in on a server group of another scope
	IgnoredDiscover                  // a DISCOVER that cannot be satisfied
	IgnoredBusy                      // a limit of the configuration is reached
	IgnoredNakLimit                  // the source has been sent enough NAKs
	IgnoredInfoLimit                 // the source has been told enough
	IgnoredStore                     // the allocator has nothing to say
	IgnoredTooLong                   // not even a NAK fits a datagram
	numIgnored
)

// String returns the reason in a few words.
func (i Ignored) String() string {
	names := [...]string{"no source", "malformed", "a NAK", "insecure", "no lease identifier", "from a server", "multicast",
		"in progress", "for another server", "out of scope", "cannot offer", "busy", "NAK limit", "GETINFO limit", "no allocator", "too long"}
	if int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("Ignored(%d)", uint8(i))
}

// ServerStats counts what a server has done since it was made.
type ServerStats struct {
	Received  uint64             // datagrams
	Ignored   [numIgnored]uint64 // of these, by reason; index it with the constants of type Ignored
	Resent    uint64             // answers given again to a retransmission
	Offers    uint64
	Acks      uint64
	Deferred  uint64    // ACKs that put a request off
	Naks      [5]uint64 // by error code, 0 to 4
	Abandoned uint64    // deferred requests nobody asked for again
	Withdrawn uint64    // reservations that another server's were preferred to
	Lapsed    uint64    // reservations nobody came for
}
