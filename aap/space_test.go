// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/aap"
	"pgregory.net/rapid"
)

// TestNewerThan: an ASA is processed if it expires later, on our clock, than the
// last one (AAP-3.2.10.1-5, AAP-3.2.10.1-6, AAP-3.2.10.1-7), and is another one.
func TestNewerThan(t *testing.T) {
	asa := func(current, expires int64, ranges ...aap.TimedRange) *aap.Message {
		return &aap.Message{Type: aap.ASA, Family: aap.IPv4, CurrentTime: at(current), Expiration: at(expires), Ranges: ranges}
	}
	r, s := tr("233.252.0.0", "233.252.0.255", 86400), tr("233.252.0.0", "233.252.0.127", 86400)
	last := aap.NewSpace(asa(0, 120, r), at(10)) // expires at 130
	for _, c := range []struct {
		id   string
		m    *aap.Message
		now  int64
		want bool
	}{
		{"AAP-3.2.10.1-7", asa(30, 150, r), 40, true},
		{"AAP-3.2.10.1-6 earlier", asa(30, 149, s), 0, false},
		{"AAP-3.2.10.1-6 equal", asa(30, 150, s), 10, false},
		{"AAP-3.2.10.1-5 a fast clock makes nothing newer", asa(5000, 5100, s), 20, false},
		{"AAP-3.2.10.1-5 a slow clock makes nothing older", asa(-5000, -4880, s), 20, true},
		{"AAP-D-36 the same, rounded later", asa(143, 120, r), 154, false},
		{"same expiration, other ranges", asa(0, 120, s), 11, true},
	} {
		space := aap.NewSpace(c.m, at(c.now))
		if space.NewerThan(&last) != c.want {
			t.Errorf("%s: newer %v", c.id, !c.want)
		}
	}
	var none aap.Space
	if !last.NewerThan(&none) {
		t.Error("the first ASA is not newer than none")
	}
	if !last.Expires.Equal(at(130)) || !last.Ranges[0].End.Equal(at(86410)) {
		t.Errorf("expires %v, ends %v", last.Expires, last.Ranges[0].End)
	}
}

// TestResend: example E8 is E7 repeated 143 s after it was received, octet for
// octet (AAP-3.2.10.2-5, AAP-D-35).
func TestResend(t *testing.T) {
	space := aap.NewSpace(&worked[6].msg, at(17).Add(300*time.Millisecond))
	m := space.Resend(at(17 + 143).Add(900 * time.Millisecond))
	if d := cmp.Diff(&worked[7].msg, m, sameMessage); d != "" {
		t.Error(d)
	}
	if !m.IsResent() {
		t.Error("does not show that it is resent")
	}
}

// TestInvalidated: what counts as taking space back, and as adding to it.
func TestInvalidated(t *testing.T) {
	const first, last = "233.252.0.0", "233.252.0.255"
	old := []aap.TimedRange{tr(first, last, 1000)}
	for _, c := range []struct {
		id                string
		now               int64
		new, lost, gained []aap.TimedRange
	}{
		{"unchanged", 0, old, nil, nil},
		{"extended", 0, []aap.TimedRange{tr(first, last, 2000)}, nil, []aap.TimedRange{tr(first, last, 2000)}},
		{"AAP-D-39 a little longer", 0, []aap.TimedRange{tr(first, last, 1005)}, nil, nil},
		{"AAP-D-39 a little shorter", 0, []aap.TimedRange{tr(first, last, 995)}, nil, nil},
		{"shortened", 0, []aap.TimedRange{tr(first, last, 994)}, old, nil},
		{"withdrawn", 0, nil, old, nil},
		{"ended", 1000, nil, nil, nil},
		{"about to end", 996, nil, nil, nil},
		{"withdrawn shortly before the end", 994, nil, old, nil},
		{"cut otherwise", 0, []aap.TimedRange{tr(first, "233.252.0.127", 1000), tr("233.252.0.128", last, 1000)}, nil, nil},
		{"partly withdrawn", 0, []aap.TimedRange{tr("233.252.0.128", last, 1000)}, []aap.TimedRange{tr(first, "233.252.0.127", 1000)}, nil},
		{"added", 0, append([]aap.TimedRange{tr("234.0.0.0", "234.0.0.9", 50)}, old...), nil, []aap.TimedRange{tr("234.0.0.0", "234.0.0.9", 50)}},
		{"added, but over", 60, append([]aap.TimedRange{tr("234.0.0.0", "234.0.0.9", 50)}, old...), nil, nil},
	} {
		if d := cmp.Diff(c.lost, aap.Invalidated(old, c.new, at(c.now), 5*time.Second), sameMessage); d != "" {
			t.Errorf("%s: lost: %s", c.id, d)
		}
		if d := cmp.Diff(c.gained, aap.Grown(old, c.new, at(c.now), 5*time.Second), sameMessage); d != "" {
			t.Errorf("%s: gained: %s", c.id, d)
		}
		if got := aap.Consistent(old, c.new, at(c.now), 5*time.Second); got != (c.lost == nil && c.gained == nil) {
			t.Errorf("AAP-D-40 %s: consistent %v", c.id, got)
		}
	}
}

// TestSpaceModel holds the comparisons of spaces against an address by address
// one.
func TestSpaceModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := rapid.IntRange(0, len(universes)-1).Draw(t, "universe")
		a, ma := drawRanges(t, u, "old")
		b, mb := drawRanges(t, u, "new")
		now, tolerance := rapid.Int64Range(0, 21).Draw(t, "now"), rapid.Int64Range(0, 5).Draw(t, "tolerance")
		tol := time.Duration(tolerance) * time.Second
		check(t, u, "Invalidated", aap.Invalidated(a, b, at(now), tol), func(i int) int64 {
			if ma[i] != 0 && max(mb[i], now) < ma[i]-tolerance {
				return ma[i]
			}
			return 0
		})
		uncovered := aap.Uncovered(a, b, tol)
		same := true
		for i := range ma {
			if want := ma[i] != 0 && (mb[i] == 0 || mb[i] < ma[i]-tolerance); uncovered.Contains(nth(u, i)) != want {
				t.Fatalf("address %d uncovered: %v", i, !want)
			}
			same = same && max(ma[i], now)-max(mb[i], now) <= tolerance && max(mb[i], now)-max(ma[i], now) <= tolerance
		}
		if aap.Consistent(a, b, at(now), tol) != same || aap.Consistent(b, a, at(now), tol) != same {
			t.Fatalf("consistent: %v", !same)
		}
	})
}
