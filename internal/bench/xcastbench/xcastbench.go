// SPDX-License-Identifier: BSD-3-Clause

// Package xcastbench compares Xcast with what an application or a router does
// without it: a loop of sends, or one sendmmsg, of a datagram per destination
// on loopback; and the codec with copying the octets it reads.
//
// Library and peer run in one binary, pass after pass; a ratio is taken inside
// each pass and the median counts. The receiving sockets are never read: what
// does not fit their buffers is dropped by the kernel, on either side alike.
package xcastbench

import (
	"iter"

	"github.com/mcastalloc/malloc/internal/bench/ratio"
)

// Rows measures and yields one row after the other.
func Rows() iter.Seq[ratio.Row] {
	return func(yield func(ratio.Row) bool) {
		l := newLoopback()
		defer l.close()
		for _, rows := range []iter.Seq[ratio.Row]{l.sourceRows(), l.routerRows(), codecRows()} {
			for r := range rows {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// compare measures ours against theirs, one operation per call.
func compare(what, peer string, target float64, ours, theirs func()) ratio.Row {
	return ratio.Time(what, peer, target, ratio.Each(ours), ratio.Each(theirs))
}
