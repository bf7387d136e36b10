// SPDX-License-Identifier: BSD-3-Clause

// Package masc implements the Multicast Address-Set Claim protocol (RFC 2909),
// with which domains win ranges of multicast addresses from each other without
// anybody who hands them out.
//
// A node of a domain claims a prefix by telling its parent domain, its siblings
// and the other nodes of its own domain. Then it waits 48 hours. If meanwhile
// nobody shows a better claim to any of these addresses, the prefix is the
// domain's for its lifetime, to use and to let its own children claim from.
// Claims that collide are settled by the same comparison everywhere, so nobody
// has to be asked.
//
// The package has three layers, each usable alone:
//
//   - the codec: [Message] with [Open], [Update] and [Notification], [Claim],
//     [Reader] for byte streams, and [Error], which carries the NOTIFICATION to
//     answer with;
//   - the decisions, pure functions: [Compare], [Collide], [UpdatedOriginRole],
//     [Rules], [KeepConnection], [SendOrder], [ResolveClash], [Denial], and for
//     the choice of prefixes [FreeBlocks], [ReverseBitOrder], [Choose], [Double],
//     [Neighbour], [Predict], [SamplePolicy] and [PackedPolicy];
//   - the machines, driven by one caller with the time as an argument:
//     [Session], the connection to one peer; [Node], the claims of a domain; and
//     [Speaker], a node with all its sessions.
//
// None of it opens a socket, reads a clock or starts a goroutine; masc/mascnet
// does, and masc/masctest runs whole networks in virtual time.
package masc
