// SPDX-License-Identifier: BSD-3-Clause

// Package madcapnet runs the machines of package madcap on UDP sockets and
// joins them to package lease.
//
// A [Server] hands out the addresses of any lease.Allocator. A [Client] is a
// lease.Allocator whose addresses come from servers. So a Server over a Client
// is a relay, and a program written against lease.Allocator does not notice
// whether its addresses come from a pool of its own or from the network.
//
// The drivers own their sockets, timers and goroutines: all of them end when
// the context of Serve ends or Close is called.
package madcapnet
