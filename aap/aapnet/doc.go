// SPDX-License-Identifier: BSD-3-Clause

// Package aapnet runs the AAP machines of package aap on UDP multicast sockets,
// and makes a [lease.Allocator] of them.
//
// An [Allocator] grants leases of addresses that no other allocation server of
// the domain has:
//
//	a, err := aapnet.NewAllocator(ctx, aapnet.AllocatorConfig{
//		Scopes: []aapnet.ScopeConfig{{Scope: scope.IPv4Local()}},
//	})
//	if err != nil { ... }
//	go a.Run(ctx)
//	...
//	l, err := a.Allocate(ctx, lease.Request{Family: lease.IPv4})
//
// It listens for 150 to 195 s first, as every allocation server does after a
// start, and an allocation waits for that. After that the usual one is granted at
// once, from addresses that are kept preallocated, and any other after a claim of
// 10 s that nobody disputes. A madcapnet.Server in front of it, with Concurrent
// set, serves hosts.
//
// A [MAAS] alone, without leases, and a [Coordinator] are there for who needs
// them: each opens its socket when made, and does its work in Run. Their
// connection is a [Network], the zero value of which is good for one machine on
// a host.
//
// Nothing here authenticates anybody: who wants to believe in messages uses IPsec,
// and says in Network.Authenticated whom it vouches for.
package aapnet
