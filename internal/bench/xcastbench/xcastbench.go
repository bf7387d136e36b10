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
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"time"
)

// A Row compares the library with a peer in one respect.
type Row struct {
	What, Peer   string
	Target       float64 // the ratio should not exceed this; 0 means that there is none
	Ratio        float64 // library : peer, median of all passes
	Low, High    float64 // the middle half of the passes
	Ours, Theirs float64 // medians, in nanoseconds
	Allocs       float64 // allocations of one operation of the library
}

// Passes is how often each row is measured.
var Passes = 11

// budget is the least time one side of one pass runs.
const budget = 20 * time.Millisecond

// Run measures all rows and prints them as a table.
func Run(w io.Writer) {
	fmt.Fprintf(w, "%-66s %-34s %8s %8s %19s %12s %12s %s\n", "what", "peer", "target", "ratio", "middle half", "library", "peer", "allocs")
	for r := range Rows() {
		fmt.Fprintln(w, r)
	}
}

// String returns the row as one line of the table.
func (r Row) String() string {
	target, verdict := "-", ""
	if r.Target > 0 {
		target, verdict = fmt.Sprintf("%.3g", r.Target), "meets"
		if r.Ratio > r.Target {
			verdict = "MISSES"
		}
	}
	return fmt.Sprintf("%-66s %-34s %8s %8.3g (%8.3g-%8.3g) %10.4gns %10.4gns %6.2f %s",
		r.What, r.Peer, target, r.Ratio, r.Low, r.High, r.Ours, r.Theirs, r.Allocs, verdict)
}

// Rows measures and yields one row after the other.
func Rows() iter.Seq[Row] {
	return func(yield func(Row) bool) {
		l := newLoopback()
		defer l.close()
		for _, rows := range []iter.Seq[Row]{l.sourceRows(), l.routerRows(), codecRows()} {
			for r := range rows {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// compare measures ours against theirs, one operation per call.
func compare(what, peer string, target float64, ours, theirs func()) Row {
	r := Row{What: what, Peer: peer, Target: target, Allocs: allocs(ours)}
	var ratios, a, b []float64
	for range Passes {
		x, y := perOp(ours), perOp(theirs)
		ratios, a, b = append(ratios, x/y), append(a, x), append(b, y)
	}
	r.Low, r.Ratio, r.High = quartiles(ratios)
	_, r.Ours, _ = quartiles(a)
	_, r.Theirs, _ = quartiles(b)
	return r
}

// perOp returns the nanoseconds one call of f takes.
func perOp(f func()) float64 {
	for n := 1; ; {
		start := time.Now()
		for range n {
			f()
		}
		d := time.Since(start)
		if d >= budget {
			return float64(d.Nanoseconds()) / float64(n)
		}
		n = max(n*2, int(1.2*float64(n)*float64(budget)/float64(d+1)))
	}
}

// allocs returns the allocations of one call after a warm-up.
func allocs(f func()) float64 {
	const n = 500
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / n)
}

func quartiles(v []float64) (low, median, high float64) {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/4], s[len(s)/2], s[len(s)*3/4]
}
