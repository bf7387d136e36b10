// SPDX-License-Identifier: BSD-3-Clause

// Package mzap implements MZAP, the Multicast-Scope Zone Announcement Protocol
// (RFC 2776).
package mzap
