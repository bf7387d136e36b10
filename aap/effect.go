// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"iter"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Datagram is what a machine receives, and how.
type Datagram struct {
	// From is the sender. Its port matters: two processes on one host are two
	// senders (AAP-D-14).
	From netip.AddrPort
	// To is the group it was sent to, the zero Addr if the socket cannot tell.
	To netip.Addr
	// Authenticated says that IPsec vouched for it (section 6).
	Authenticated bool
	// Payload is the message. It is not kept.
	Payload []byte
}

// Authentication says which messages a machine believes (section 6). What the
// lack of authentication allows is described in the package documentation.
type Authentication uint8

// The policies.
const (
	AcceptAll           Authentication = iota // what the draft requires
	AuthenticatedASA                          // ignore an ASA that is not authenticated
	OnlyAuthenticated                         // ignore any message that is not
	authenticationCount                       // not a policy
)

// accepts reports whether a message of this type may be processed.
func (a Authentication) accepts(t Type, authenticated bool) bool {
	return authenticated || a == AcceptAll || a == AuthenticatedASA && t != ASA
}

// Effect is something a machine wants done: by a [Coordinator] one of [Send],
// [Inconsistent], [Restored], [Usage], [Shortage] and [Skewed]; by a [MAAS] one
// of [Persist], [Send], [Granted], [Failed], [Lost], [Available] and [Skewed].
type Effect interface{ effect() }

// Persist asks for the [MAAS.Snapshot] to be stored safely before the effects
// that follow are carried out: they promise what it holds. There is at most one
// in a row of effects, so a server under load saves writes by draining the
// effects once after several calls.
type Persist struct{}

// Send asks for a datagram to a group, [Port], with the TTL or hop limit
// [HopLimit], from [Port].
type Send struct {
	Group  netip.Addr
	Packet []byte
}

// Inconsistent tells that another coordinator announces another space than
// ours (section 4.2.1.1): a serious error that an operator must resolve, or an
// attack.
type Inconsistent struct {
	From  netip.AddrPort
	Space []TimedRange // what it announces, on our clock
}

// Restored tells that a coordinator which had lost its space has taken it from
// an ASA that a server repeated (section 4.1).
type Restored struct {
	From  netip.AddrPort
	Space []TimedRange // on our clock
}

// Usage is what a server reports about the space we announced last (section
// 4.2.2). What to make of it is for the application: get more space, let some
// end, or nothing.
type Usage struct {
	From     netip.AddrPort
	Reports  []Report  // one for each range announced; counts are at most the size of the range
	Requests []Request // unmet, on our clock, in force
}

// Shortage is a hint that a server could not get addresses (section 3.2.9). It
// is in the next [Usage] as well.
type Shortage struct {
	From netip.AddrPort
	Need Request // on our clock
}

// Granted tells that addresses asked for with [MAAS.Allocate] are ours, and
// until when. From now on they are announced and defended.
type Granted struct{ Allocation }

// Failed tells that an allocation came to nothing; its token is free again.
type Failed struct {
	Token Token
	// Err is ErrUnavailable or ErrContended.
	Err error
}

// Lost tells that addresses of an allocation should not be used any more.
// Nothing has been given up yet: make their users stop, then call
// [MAAS.Yield] (at once, if there are none). A MADCAP server must not hand them
// out again (section 3.2.3).
type Lost struct {
	Token Token
	Addrs scope.Set
	// From is another server that announces the same addresses as its own (section
	// 3.2.3). It is zero if the space was taken back by a coordinator (3.2.10.1).
	From netip.AddrPort
	// Until is when the users must have stopped: now in a conflict, otherwise when
	// the addresses are no longer available to this domain.
	Until time.Time
}

// Available tells what can be allocated: when the listening is over, and in a
// large scope whenever an ASA has changed it (section 3.2.10.1).
type Available struct {
	Space []TimedRange // as [MAAS.Usable] has it
	// Withdrawn is what the ASA took back before its end, with the ends it had. That
	// should not happen, and an operator should know of it.
	Withdrawn []TimedRange
	From      netip.AddrPort // who sent the ASA
}

// Skewed tells of a sender whose clock is more than 5 minutes off ours. Its
// times are corrected all the same (AAP-D-11).
type Skewed struct {
	From netip.AddrPort
	Skew time.Duration // our clock minus the sender's
}

func (Persist) effect()      {}
func (Send) effect()         {}
func (Granted) effect()      {}
func (Failed) effect()       {}
func (Lost) effect()         {}
func (Available) effect()    {}
func (Inconsistent) effect() {}
func (Restored) effect()     {}
func (Usage) effect()        {}
func (Shortage) effect()     {}
func (Skewed) effect()       {}

// absurdSkew is what Skewed reports.
const absurdSkew = 5 * time.Minute

// effects is the queue between a machine and its driver: first what is to be
// stored and sent, then what the application is to be told.
type effects struct{ store, work, news []Effect }

func (e *effects) emit(x Effect) {
	switch x.(type) {
	case Persist:
		e.store = append(e.store[:0], x)
	case Send:
		e.work = append(e.work, x)
	default:
		e.news = append(e.news, x)
	}
}

// drain yields what is queued and forgets it.
func (e *effects) drain() iter.Seq[Effect] {
	return func(yield func(Effect) bool) {
		for _, queue := range []*[]Effect{&e.store, &e.work, &e.news} {
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
