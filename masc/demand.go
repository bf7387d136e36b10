// SPDX-License-Identifier: BSD-3-Clause

package masc

import "time"

// Demand is how many addresses a domain needs.
type Demand struct {
	InUse float64 // addresses in use now
	Want  float64 // addresses expected to be in use when a claim made now has waited

	// Lifetime is how long a claimed prefix is to last: the default is that of
	// the node.
	Lifetime time.Duration

	// Block is the largest prefix that is needed in one piece.
	Block float64

	// Used counts the addresses of a prefix that are in use; nil spreads InUse
	// evenly.
	Used func(Prefix) float64
}

// Sample is a number of addresses in use at some time.
type Sample struct {
	At    time.Time
	InUse float64
}

// Predict extrapolates the use of addresses to a later time (RFC 2909, section
// 17.1.2): the line of least squares through the samples, moved to the last one.
// It is never below the last sample, so that a falling demand is noticed when it
// has fallen, and 0 without samples.
func Predict(samples []Sample, at time.Time) float64 {
	n := len(samples)
	if n == 0 {
		return 0
	}
	last := samples[n-1]
	var sx, sy, sxx, sxy float64
	for _, s := range samples {
		x, y := s.At.Sub(last.At).Seconds(), s.InUse
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	d := float64(n)*sxx - sx*sx
	if d <= 0 {
		return last.InUse
	}
	slope := (float64(n)*sxy - sx*sy) / d
	return max(last.InUse, last.InUse+slope*at.Sub(last.At).Seconds())
}
