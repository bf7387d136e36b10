// SPDX-License-Identifier: BSD-3-Clause

// Package scope says what a multicast address means and does arithmetic with
// ranges of addresses.
//
// A multicast address carries more than a number. Some addresses never leave
// a link, some belong to whoever owns an AS number or a unicast prefix, some
// contain the address of a router, and some are for anybody to allocate for a
// while. Administratively scoped addresses (RFC 2365) are the last kind: a
// scope is a range of them that border routers keep inside a region of the
// network, so that the same address can be used elsewhere for something else.
//
// The package has these parts:
//
//   - [Range] and [Set]: intervals of addresses and immutable sets of them,
//     with exact 128-bit sizes ([Uint128]). Scopes are intervals and not
//     prefixes: the global IPv4 range takes 22 prefixes to write down.
//   - [Space]: the mutable free space of an allocator, for millions of
//     fragments.
//   - [Scope], [Names] and [Nesting]: a scope as MADCAP, MZAP and AAP see it,
//     its names by language, and which scope lies inside which.
//   - [Classify] and [Explain]: everything the RFCs say about one address,
//     as values for a program and as words for a person.
//   - The constructors of derived addresses: GLOP, unicast-prefix-based,
//     embedded-RP and source-specific ranges, and Ethernet addresses.
//
// Nothing here opens a socket, reads a clock or draws a random number of its
// own. All values except [Space], [Nesting] and [SetBuilder] are immutable
// and safe to share between goroutines.
package scope
