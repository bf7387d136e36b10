// SPDX-License-Identifier: BSD-3-Clause

// Package mzap implements MZAP, the Multicast-Scope Zone Announcement Protocol
// (RFC 2776): by listening to it anybody learns which administrative multicast
// scopes are in effect where they are, and administrators learn which boundaries
// they got wrong.
//
// # The protocol
//
// A scope is a range of multicast addresses that some routers keep inside a part
// of the network, a zone. Such a router is a Zone Boundary Router (ZBR) of the
// zone. Every zone is made up of whole local zones, the zones of the smallest
// scope, the Local Scope. MZAP has four messages, all of them UDP datagrams to
// [Port]:
//
//   - [ZAM]: a ZBR announces a scope with its range and names, to a group of the
//     Local Scope ([LocalGroup]). Routers at the edge of a local zone relay it into
//     the next, never out of the announced zone, and write down the path.
//   - [NIM]: a ZBR of scope Y that hears a ZAM for a scope X which it does not bound
//     knows that X does not nest in Y, and says so, to the same group. Whoever hears
//     both announced, and for long enough nobody objecting, may conclude that X
//     nests in Y.
//   - [ZCM]: the ZBRs of a zone tell each other whom of themselves they hear, inside
//     the zone ([RelativeGroup]). The lowest of their addresses is the Zone ID,
//     which tells zones of the same scope apart.
//   - [ZLE]: a ZAM that crossed too many local zones is sent back into its scope.
//
// # What is here
//
//   - [Message] is the codec: Decode and AppendBinary.
//   - The rules are plain functions: [ForwardZAM], [ForwardNIM], [Nests],
//     [SelectListed], [Jitter], [ZLEDelay], and the detections of section 4, whose
//     names begin with Find.
//   - [Router] is a ZBR as a machine, [Listener] that of a host or an address
//     allocation server. They neither open sockets nor read clocks: package
//     mzapnet runs them on the network, package mzaptest in virtual time.
//
// A machine is driven like this:
//
//	for x := range router.Effects() { ... }        // join groups, send datagrams, report findings
//	router.Receive(now, mzap.Packet{...})          // when a datagram arrived
//	if at, ok := router.Deadline(); ok { ... }     // sleep until then, and
//	router.Advance(now)                            // let it act
//
// # Trust
//
// MZAP itself authenticates nothing (section 8); [Packet] and [Send] carry a flag
// for those who run it over IPsec. Whatever is forged, the machines' tables stay
// within their limits. A forged NIM can make nesting scopes look separate, a forged
// ZAM can make up a scope, and forged ZCMs and ZLEs can raise false alarms.
//
// Rules are cited by section, and by the IDs of this project's list of
// requirements (MZAP-6.3-12; MZAP-A-n are decisions where the document is silent).
package mzap
