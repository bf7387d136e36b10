// SPDX-License-Identifier: BSD-3-Clause

// Package addrset compares the address sets of package scope with their
// strongest peers: go4.org/netipx, which has immutable sets of ranges, and
// github.com/gaissmai/bart, which has mutable tables of prefixes; and with
// two floors, the least code that does the work at all in one /8.
//
// The workload is N disjoint ranges of 239.0.0.0/8 that are taken, one at a
// random place in each N-th part. Library and peer run in one binary, pass
// after pass; a ratio is taken inside each pass and the median counts.
package addrset
