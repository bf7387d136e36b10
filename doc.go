// SPDX-License-Identifier: BSD-3-Clause

// Package malloc is the tour of a library for the Internet's multicast address
// allocation architecture (MALLOC, RFC 2908). It has nothing to do with
// memory: what is allocated here are multicast addresses, IPv4 and IPv6, and
// for a limited time.
package malloc
