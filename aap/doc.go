// SPDX-License-Identifier: BSD-3-Clause

// Package aap implements AAP, the Multicast Address Allocation Protocol
// (draft-ietf-malloc-aap-04, June 2000, by Handley and Hanna): with it the
// address allocation servers of a domain agree on who uses which multicast
// addresses, without a master. Sections are cited from that draft, which never
// became an RFC.
//
// # The protocol
//
// The servers (MAAS) of a domain and its prefix coordinators talk by UDP
// datagrams to one multicast group per scope, [Port]. Nothing is acknowledged.
//
//   - A server that wants addresses claims them: it repeats an [ACLM] for ten
//     seconds. Whoever knows that they are taken says so by an [AIU], and the
//     server chooses others. If nobody does, they are its own, and it announces
//     them by an AIU every half minute until it no longer needs them.
//   - A server can reserve addresses for later by an [AITU]. It may then allocate
//     them at once, even while the network is partitioned. Such a reservation is
//     weak: a claim beats it.
//   - In a large scope, one that many domains share, a prefix coordinator
//     announces what is available to this domain by an [ASA]. Servers report the
//     use of it by an [ASRP], and their unmet needs by an [ANA]. In a small scope
//     everything is available and nobody coordinates.
//
// # What is here
//
//   - [Message] is the codec: Decode and AppendBinary, and Localize, which puts
//     the times of a message on the receiver's clock.
//   - [MAAS] is an allocation server as a machine, and [Coordinator] a prefix
//     coordinator. They neither open a socket nor read a clock; their examples show
//     how to drive them.
//   - The rules are plain functions: [Collide] and [Resolve] say who gives way to
//     whom, [Candidates] choose addresses, [Invalidated] tells what a space takes
//     back, [MergeRequests] makes a report fit, [Message.Localize] corrects skew,
//     and the methods of [Timing] are the schedules.
//   - Lists of [TimedRange] say which addresses something holds for, and until
//     when; [Normalize] and [Addrs] work on them.
//
// # Trust
//
// AAP authenticates nothing itself; section 6 recommends IPsec with a shared key.
// Without that, anybody who can send to the group can announce a false or empty
// space, answer every claim with an AIU so that no allocation succeeds, or make a
// coordinator grow or shrink by false reports. With it, any holder of the key can
// still speak for any other. Nothing protects against replay: as times are
// corrected by the age of a message, a replayed ASA looks new, and a replayed AIU
// or AITU prolongs what it announced. And all allocation is advisory: nobody is
// kept from sending to an address, so users must filter what they receive.
//
// Rules are cited by section, and by the IDs of this project's list of
// requirements (AAP-3.2.5-3; AAP-D-n are decisions where the draft is silent or
// contradicts itself).
package aap
