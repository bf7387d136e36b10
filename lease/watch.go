// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"errors"
	"iter"
	"strconv"

	"github.com/mcastalloc/malloc/scope"
)

// Watcher is the ability to tell what happens to leases. RFC 2771 needs none
// of it, as everybody knows from the beginning when his lease ends; but
// addresses can turn out to be in use elsewhere, and leases be changed by
// others. Use the function [Watch].
type Watcher interface {
	// Watch tells what happens to the caller's leases that the filter lets
	// pass, from the call on, and to the scopes that it lets pass. The events
	// are for one loop, which waits for the next one and ends when ctx ends.
	// Who is slow is told that he has missed some, see [EventMissed].
	//
	// Errors: [ErrDenied] if too many are watching.
	Watch(ctx context.Context, f Filter) (iter.Seq[Event], error)
}

// Watch tells what happens to the caller's leases if a, or an allocator it
// wraps, is a [Watcher]. Otherwise the error is [ErrUnsupported].
func Watch(ctx context.Context, a Allocator, f Filter) (iter.Seq[Event], error) {
	if w, ok := ability[Watcher](a); ok {
		if events, err := w.Watch(ctx, f); !errors.Is(err, ErrUnsupported) {
			return events, err
		}
	}
	return nil, unsupported("watch")
}

// Event is something that has happened to a lease or to a scope.
type Event struct {
	Kind  EventKind
	Lease Lease     // that it is about, as it is now, or as it was last if it is over
	Scope scope.ID  // of the lease, or the one whose addresses are closed
	Addrs scope.Set // EventClash: those of the lease that clash; EventClosed: those closed
}

// EventKind says what has happened.
type EventKind uint8

// What can happen.
const (
	// EventMissed says that there were more events than the watcher has taken
	// in time, and that the rest of them, up to here, is lost. List the leases
	// to see how things are.
	EventMissed EventKind = iota
	// EventExpiring says that the lease will end soon: there is as much left as
	// Filter.Ahead says.
	EventExpiring
	// EventExpired says that the lease has ended.
	EventExpired
	// EventReleased says that the lease has been given back, here or
	// elsewhere.
	EventReleased
	// EventChanged says that start or end of the lease have been moved, here
	// or elsewhere.
	EventChanged
	// EventClash says that somebody else uses addresses of the lease, see
	// Pool.Exclude. It is for its holder to judge what to do about it (RFC
	// 2908 section 2 expects that clashes happen).
	EventClash
	// EventClosed says that addresses of a scope are no more to be granted;
	// leases there are not extended.
	EventClosed
)

var eventNames = [...]string{"missed", "expiring", "expired", "released", "changed", "clash", "closed"}

// String returns a short word.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "EventKind(" + strconv.Itoa(int(k)) + ")"
}
