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

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"
)

// A Row compares the library with a peer in one respect.
type Row struct {
	What, Peer   string
	Target       float64 // the ratio should not exceed this
	Ratio        float64 // library : peer, median of all passes
	Low, High    float64 // the middle half of the passes
	Ours, Theirs float64 // medians, in ns or octets
	Allocs       float64 // allocations of one operation of the library, -1 if not counted
	Bytes        bool    // Ours and Theirs are octets
}

// Passes is how often each row is measured.
var Passes = 9

// A pass takes the shortest of so many slices of about this length: what else
// runs on the machine only ever adds to them.
const (
	sliceCount = 15
	slice      = 700 * time.Microsecond
)

// Run measures all rows and prints them as a table.
func Run(w io.Writer) {
	fmt.Fprintf(w, "%-62s %-44s %9s %9s %19s %12s %12s %s\n",
		"what", "peer", "target", "ratio", "middle half", "library", "peer", "allocs")
	for r := range Rows() {
		fmt.Fprintln(w, r)
	}
}

// String returns the row as one line of the table.
func (r Row) String() string {
	unit := "ns"
	if r.Bytes {
		unit = "B"
	}
	verdict := "meets"
	if r.Ratio > r.Target {
		verdict = "MISSES"
	}
	allocs := "-"
	if r.Allocs >= 0 {
		allocs = fmt.Sprintf("%.2f", r.Allocs)
	}
	return fmt.Sprintf("%-62s %-44s %9.3g %9.3g (%8.3g-%8.3g) %10.4g%-2s %10.4g%-2s %6s %s",
		r.What, r.Peer, r.Target, r.Ratio, r.Low, r.High, r.Ours, unit, r.Theirs, unit, allocs, verdict)
}

// compare measures ours against theirs. Each is called with the number of
// operations to carry out.
func compare(what, peer string, target float64, ours, theirs func(n int)) Row {
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

// perOp returns the nanoseconds one operation of f takes.
func perOp(f func(n int)) float64 {
	n, least := 1, time.Duration(0)
	for { // how many operations make a slice
		least = elapsed(f, n)
		if least >= slice || n >= 1<<26 {
			break
		}
		n = max(n*2, int(1.2*float64(n)*float64(slice)/float64(least+1)))
	}
	repeat := sliceCount
	if least > 20*slice { // a slow one: it has no short slices
		repeat = 1
	}
	for range repeat {
		least = min(least, elapsed(f, n))
	}
	return float64(least.Nanoseconds()) / float64(n)
}

func elapsed(f func(n int), n int) time.Duration {
	start := time.Now()
	f(n)
	return time.Since(start)
}

// allocs returns the allocations of one operation after a warm-up.
func allocs(f func(n int)) float64 {
	const n = 1 << 14
	done := make(chan float64)
	start := time.Now()
	f(1)
	if time.Since(start) > time.Millisecond {
		return -1 // a build: of no interest
	}
	f(n)
	go func() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f(n)
		runtime.ReadMemStats(&after)
		done <- float64(after.Mallocs-before.Mallocs) / n
	}()
	return <-done
}

func quartiles(v []float64) (low, median, high float64) {
	slices.Sort(v)
	return v[len(v)/4], v[len(v)/2], v[len(v)*3/4]
}

// heap returns the octets that what build returns keeps alive.
func heap(build func() any) float64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := build()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return float64(after.HeapAlloc) - float64(before.HeapAlloc)
}
