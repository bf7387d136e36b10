// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"iter"
	"net/netip"

	"github.com/mcastalloc/malloc/scope"
)

// Effect is something a machine wants done: one of [Send], [Join], [Leave],
// [Finding], [ZoneIDChanged], [Appeared], [Changed], [Gone] and
// [NestingChanged].
type Effect interface{ effect() }

// Send asks for a datagram to [Port] with the TTL or hop limit [HopLimit].
type Send struct {
	// Source is the address to send from: one that is good in the whole zone the
	// message is about (RFC 2776 section 5).
	Source netip.Addr
	// Group is where to send it.
	Group netip.Addr
	// Interfaces are the ways into the zone it is meant for. Where the network
	// routes multicast, sending on the first one is enough; where nothing does,
	// send on each.
	Interfaces []int
	// Packet is the payload.
	Packet []byte
	// Authenticate says that the datagram should be sent with an IPsec
	// authentication header, if there is a key: it is ours, or its previous sender
	// was authenticated (section 8).
	Authenticate bool
}

// Join asks to listen to a group on some interfaces.
type Join struct {
	Group      netip.Addr
	Interfaces []int
}

// Leave takes a Join back.
type Leave struct {
	Group      netip.Addr
	Interfaces []int
}

// ZoneIDChanged tells that another boundary router of a zone is the lowest now
// (RFC 2776 section 3.3). Nothing needs doing: later messages carry the new ID.
type ZoneIDChanged struct {
	Scope    scope.Range
	Old, New netip.Addr
}

func (Send) effect()          {}
func (Join) effect()          {}
func (Leave) effect()         {}
func (Finding) effect()       {}
func (ZoneIDChanged) effect() {}

// effects is the queue between a machine and its driver: first what is to be
// done, then what the application is to be told.
type effects struct{ work, news []Effect }

func (e *effects) emit(x Effect) {
	switch x.(type) {
	case Send, Join, Leave:
		e.work = append(e.work, x)
	default:
		e.news = append(e.news, x)
	}
}

// drain yields what is queued and forgets it.
func (e *effects) drain() iter.Seq[Effect] {
	return func(yield func(Effect) bool) {
		for _, queue := range []*[]Effect{&e.work, &e.news} {
			for len(*queue) > 0 {
				x := (*queue)[0]
				*queue = (*queue)[1:]
				if !yield(x) {
					return
				}
			}
			*queue = nil
		}
	}
}

// Packet is a datagram as it arrived.
type Packet struct {
	// From is its source address. If it is valid, its family must be that of the
	// message.
	From netip.Addr
	// Interface is where it arrived, the operating system's index.
	Interface int
	// Authenticated says that IPsec vouched for the sender (RFC 2776 section 8).
	Authenticated bool
	// Payload is the message. It is not kept.
	Payload []byte
}
