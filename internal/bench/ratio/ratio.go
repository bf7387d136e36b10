// SPDX-License-Identifier: BSD-3-Clause

// Package ratio measures the library beside a peer: both in one binary, pass
// after pass, the ratio taken inside each pass, the median of the ratios as the
// result. A machine's speed changes by the hour; such a ratio hardly does.
package ratio

import (
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"time"
)

// Row compares the library with a peer in one respect.
type Row struct {
	What, Peer   string
	Target       float64 // the ratio to reach, 0 for none
	AtLeast      bool    // more is better; otherwise less is
	Unit         string  // of Ours and Theirs
	Ratio        float64 // library : peer, median of all passes
	Low, High    float64 // the middle half of the passes
	Ours, Theirs float64 // medians
	Allocs       float64 // allocations of one operation of the library, -1 if not counted
}

// Passes is how often each row is measured.
var Passes = 9

// slice is how long one side of a pass runs at least: long enough to contain
// its share of garbage collection.
const slice = 15 * time.Millisecond

// Each makes an operation out of one call of f.
func Each(f func()) func(n int) {
	return func(n int) {
		for range n {
			f()
		}
	}
}

// Time compares how long an operation takes. Each side is called with the
// number of operations to carry out.
func Time(what, peer string, target float64, ours, theirs func(n int)) Row {
	r := Of(what, peer, target, func() (float64, float64) { return perOp(ours), perOp(theirs) })
	r.Unit, r.Allocs = "ns", allocs(ours)
	return r
}

// Of compares two figures that a pass takes. Allocations are not counted.
func Of(what, peer string, target float64, pass func() (ours, theirs float64)) Row {
	var ratios, a, b []float64
	for range Passes {
		x, y := pass()
		ratios, a, b = append(ratios, x/y), append(a, x), append(b, y)
	}
	r := Row{What: what, Peer: peer, Target: target, Allocs: -1}
	r.Low, r.Ratio, r.High = Quartiles(ratios)
	_, r.Ours, _ = Quartiles(a)
	_, r.Theirs, _ = Quartiles(b)
	return r
}

// Quartiles returns the ends and the middle of the middle half.
func Quartiles(v []float64) (low, median, high float64) {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/4], s[len(s)/2], s[len(s)*3/4]
}

// Meets reports whether the target is reached, true without one.
func (r Row) Meets() bool {
	return r.Target == 0 || r.AtLeast && r.Ratio >= r.Target || !r.AtLeast && r.Ratio <= r.Target
}

// Print prints rows as a Markdown table, each as soon as it is measured.
func Print(w io.Writer, rows iter.Seq[Row]) {
	fmt.Fprintln(w, "| what | beside | ratio | middle half | target | library | peer | allocs | |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|")
	for r := range rows {
		fmt.Fprintln(w, r)
	}
}

// String returns the row as a line of the table.
func (r Row) String() string {
	target, verdict, allocs := "-", "", "-"
	if r.Target > 0 {
		sign := "≤"
		if r.AtLeast {
			sign = "≥"
		}
		target, verdict = fmt.Sprintf("%s %.3g", sign, r.Target), "meets"
	}
	if !r.Meets() {
		verdict = "**misses**"
	}
	if r.Allocs >= 0 {
		allocs = fmt.Sprintf("%.2f", r.Allocs)
	}
	return fmt.Sprintf("| %s | %s | %.3g | %.3g – %.3g | %s | %.4g %s | %.4g %s | %s | %s |",
		r.What, r.Peer, r.Ratio, r.Low, r.High, target, r.Ours, r.Unit, r.Theirs, r.Unit, allocs, verdict)
}

// perOp returns the nanoseconds one operation of f takes.
func perOp(f func(n int)) float64 {
	for n := 1; ; {
		start := time.Now()
		f(n)
		d := time.Since(start)
		if d >= slice {
			return float64(d.Nanoseconds()) / float64(n)
		}
		n = max(n*2, int(1.2*float64(n)*float64(slice)/float64(d+1)))
	}
}

// allocs returns the allocations of one operation after a warm-up, -1 for one
// so slow that nobody would count them.
func allocs(f func(n int)) float64 {
	start := time.Now()
	f(1)
	if time.Since(start) > 3*time.Millisecond {
		return -1
	}
	const n = 1 << 12
	f(n)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f(n)
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / n
}

// Heap returns the octets that what build returns keeps alive.
func Heap(build func() any) float64 {
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
