// SPDX-License-Identifier: BSD-3-Clause

// Package masctest is for testing programs that use MASC: a network of nodes
// in one goroutine and in virtual time, with latency, broken connections,
// partitions and restarts, and generators of messages for property tests.
//
// Everything a Network does follows from its seed, so that what fails once can
// be run again.
package masctest
