// SPDX-License-Identifier: BSD-3-Clause

// Package madcap implements the Multicast Address Dynamic Client Allocation
// Protocol (RFC 2730) and its Multicast Scope Nesting State option (RFC 2907).
package madcap
