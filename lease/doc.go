// SPDX-License-Identifier: BSD-3-Clause

// Package lease is the multicast address allocation service of RFC 2771: who
// may use which multicast addresses, and from when until when.
//
// A program picks a scope (a set of addresses whose traffic stays inside some
// zone of the network), says how many addresses it wants and for how long,
// and gets a [Lease]: a set of addresses, one start and one end instant.
// Between the two nobody else is given these addresses. Nothing is ever
// announced: the end is known from the beginning, and the program must stop
// by then, move to other addresses, or ask for more time.
//
//	asked for                          granted
//	count    [min .. max]              as many addresses as possible
//	start    [min .. max] instants     the earliest possible
//	end      [min .. max] instants     the latest possible
//
// [Allocator] is the interface everything meets at. A [Pool] implements it on
// ranges of addresses inside the process; a MADCAP client implements it over
// the network (RFC 2730), and a MADCAP server serves any implementation. A
// program cannot tell which one it uses, and need not.
//
//	pool, err := lease.NewPool(lease.Config{Scopes: []scope.Scope{scope.IPv4Local()}})
//	...
//	l, err := pool.Allocate(ctx, lease.Request{Family: lease.IPv4, Lifetime: lease.AtLeast(time.Hour)})
//	...
//	defer pool.Release(ctx, l)
//
// # Who may do what
//
// Every call is made by a [Principal], which travels in the context
// ([WithPrincipal]); without one the caller is anonymous. A lease is changed,
// released and listed by the principal that allocated it and nobody else, as
// RFC 2771 section 3.9 suggests, unless [Config.Owner] says otherwise or the
// lease was asked for as shared. Who is refused is told only that the lease
// is none of his.
//
// The [ID] of a lease is a capability: whoever knows it may be taken for its
// owner. It is kept out of logs and errors.
//
// # Errors
//
// Every error wraps exactly one of the sentinels beginning with Err, so
// errors.Is decides; most are an [*Error], which names the parameter at
// fault. An error never leaves an allocation behind.
package lease
