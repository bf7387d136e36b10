// SPDX-License-Identifier: BSD-3-Clause

// Package aaptest is for testing against package aap.
//
//   - A [Network] runs a domain of servers and coordinators in virtual time: with
//     loss, delay, duplicates, partitions, clocks that differ, and crashes with and
//     without the stable storage. It checks after every event that the protocol
//     keeps what it promises ([Network.Violations]), and the same seed gives the
//     same run. A second of real time is hours of a domain.
//   - [Message] and its like generate messages for property tests with
//     pgregory.net/rapid.
package aaptest
