// SPDX-License-Identifier: BSD-3-Clause

// Package aaptest is for testing against package aap: generators of messages for
// property tests with pgregory.net/rapid.
package aaptest
