// SPDX-License-Identifier: BSD-3-Clause

package xcast

import "cmp"

// A DSCP is a Differentiated Services codepoint (RFC 2474), 0 to 63. In the
// Xcast header and in the IP header it stands in the upper six bits of an
// octet.
type DSCP uint8

// maxDSCP is the largest codepoint.
const maxDSCP DSCP = 63

// CompareDSCP is the default order of codepoints: which of two is more
// demanding (RFC 5058 section 8.2 leaves the question open). It returns a
// negative number when a is less demanding than b, 0 when they are equal, and
// false when they cannot be compared: such destinations do not share a packet.
//
// LE (1) is below DF (0), which is below everything else. The class selectors
// CS1 to CS7 ascend. Within one Assured Forwarding class a lower drop
// precedence is more demanding: AFx3 < AFx2 < AFx1. No other two codepoints
// can be compared.
func CompareDSCP(a, b DSCP) (order int, comparable bool) {
	if a == b {
		return 0, true
	}
	if rank(a) != rank(b) {
		return cmp.Compare(rank(a), rank(b)), true
	}
	switch {
	case a&7 == 0 && b&7 == 0: // class selectors
		return cmp.Compare(a, b), true
	case isAF(a) && isAF(b) && a>>3 == b>>3:
		return cmp.Compare(b, a), true
	}
	return 0, false
}

// rank puts Lower Effort below default below the rest.
func rank(d DSCP) int {
	switch d {
	case 1:
		return 0
	case 0:
		return 1
	}
	return 2
}

// isAF reports an Assured Forwarding codepoint (RFC 2597): class 1 to 4 in the
// upper three bits, drop precedence 1 to 3 in the next two, then a zero.
func isAF(d DSCP) bool {
	class, drop := d>>3, d>>1&3
	return d&1 == 0 && 1 <= class && class <= 4 && 1 <= drop && drop <= 3
}

// SplitDSCP divides a set of destinations into parts whose members can all be
// compared with each other, and appends the parts to dst, each before those
// with a higher lowest index. In ascending order every destination joins the
// first part all of whose members it can be compared with (section 8.2).
// The function of gives the codepoint of a destination; order is [CompareDSCP]
// or the caller's own.
func SplitDSCP(dst []Bitmap, set Bitmap, of func(i int) DSCP, order func(a, b DSCP) (int, bool)) []Bitmap {
	first := len(dst)
next:
	for i := range set.All() {
	parts:
		for k := first; k < len(dst); k++ {
			for j := range dst[k].All() {
				if _, ok := order(of(i), of(j)); !ok {
					continue parts
				}
			}
			dst[k] = dst[k].Or(Bit(i))
			continue next
		}
		dst = append(dst, Bit(i))
	}
	return dst
}

// mostDemanding returns the highest codepoint of a part made by SplitDSCP.
func mostDemanding(set Bitmap, of func(i int) DSCP, order func(a, b DSCP) (int, bool)) DSCP {
	top := of(set.First())
	for i := range set.All() {
		if c, ok := order(of(i), top); ok && c > 0 {
			top = of(i)
		}
	}
	return top
}
