// SPDX-License-Identifier: BSD-3-Clause

// Package madcaptest helps to test programs that speak MADCAP (RFC 2730).
//
// It generates messages for pgregory.net/rapid: [Valid] ones of every kind,
// [AlmostValid] ones that name the requirement they violate, [Any] that can be
// written and read, and [Datagram] for whatever may arrive from a network. A
// server must answer or ignore each of them as the document says, and never
// fail:
//
//	rapid.Check(t, func(t *rapid.T) {
//		flawed := madcaptest.AlmostValid().Draw(t, "datagram")
//		answer := serve(flawed.Datagram)
//		// answer is a NAK about flawed.Option, or none
//	})
package madcaptest
