// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
	"pgregory.net/rapid"
)

// TestReports: AAP-3.2.10.3-6, each range of the ASA in its order with what is
// allocated of it, and AAP-5.4.5-1, a count that does not fit.
func TestReports(t *testing.T) {
	got := aap.Reports([]aap.TimedRange{
		tr("234.192.0.0", "234.192.0.127", 9), tr("233.252.0.0", "233.252.0.255", 9), tr("233.252.1.0", "233.252.1.0", 9),
	}, scope.MustSet("233.252.0.250-233.252.0.255", "234.192.0.0/16", "239.1.1.1"))
	want := []aap.Report{
		{Range: scope.MustRange("234.192.0.0", "234.192.0.127"), InUse: 128},
		{Range: scope.MustRange("233.252.0.0", "233.252.0.255"), InUse: 6},
		{Range: scope.MustRange("233.252.1.0", "233.252.1.0")},
	}
	if d := cmp.Diff(want, got, sameMessage); d != "" {
		t.Error(d)
	}
	for set, want := range map[string]uint32{
		"ff1e::1-ff1e::ffff:fffe": math.MaxUint32 - 1, "ff1e::1-ff1e::ffff:ffff": math.MaxUint32,
		"ff1e::-ff1e::ffff:ffff": math.MaxUint32, "ff1e::/16": math.MaxUint32, "239.0.0.0/8": 0,
	} {
		got := aap.Reports([]aap.TimedRange{tr("ff1e::", "ff1e:ffff::", 9)}, scope.MustSet(set))
		if got[0].InUse != want {
			t.Errorf("%s: %d in use, want %d", set, got[0].InUse, want)
		}
	}
}

// TestMergeRequests: AAP-3.2.10.3-7, AAP-3.2.10.3-8 and AAP-D-43: similar ends
// are put together, counts added, the later end counts.
func TestMergeRequests(t *testing.T) {
	req := func(n uint32, end int64) aap.Request { return aap.Request{Count: n, End: at(end)} }
	given := []aap.Request{req(5, 900), req(1, 100), req(2, 110), req(7, 300), req(3, 310)}
	for limit, want := range map[int][]aap.Request{
		9: {req(1, 100), req(2, 110), req(7, 300), req(3, 310), req(5, 900)},
		5: {req(1, 100), req(2, 110), req(7, 300), req(3, 310), req(5, 900)},
		4: {req(3, 110), req(7, 300), req(3, 310), req(5, 900)}, // the first of equally close pairs
		3: {req(3, 110), req(10, 310), req(5, 900)},
		2: {req(13, 310), req(5, 900)},
		1: {req(18, 900)},
		0: {req(18, 900)},
	} {
		if d := cmp.Diff(want, aap.MergeRequests(given, limit)); d != "" {
			t.Errorf("limit %d: %s", limit, d)
		}
	}
	got := aap.MergeRequests([]aap.Request{req(math.MaxUint32, 1), req(1, 2)}, 1)
	if d := cmp.Diff([]aap.Request{req(math.MaxUint32, 2)}, got); d != "" {
		t.Error(d)
	}
	if got := aap.MergeRequests(nil, 0); len(got) != 0 {
		t.Errorf("%v out of nothing", got)
	}
}

// TestMergeProperties: nobody asks for less, or not as long, than before; and
// the order of the requests does not matter.
func TestMergeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) aap.Request {
			return aap.Request{Count: rapid.Uint32Range(1, 1000).Draw(t, "count"), End: at(rapid.Int64Range(0, 60).Draw(t, "end"))}
		}), 0, 20).Draw(t, "requests")
		limit := rapid.IntRange(0, 12).Draw(t, "limit")
		got := aap.MergeRequests(given, limit)
		if len(got) != min(len(given), max(limit, 1)) || !slices.IsSortedFunc(got, aap.Request.Compare) {
			t.Fatalf("%d merged into %v", len(given), got)
		}
		from := func(list []aap.Request, end time.Time) (n uint64) {
			for _, r := range list {
				if !r.End.Before(end) {
					n += uint64(r.Count)
				}
			}
			return n
		}
		for _, r := range given {
			if from(got, r.End) < from(given, r.End) {
				t.Fatalf("%v became %v: too few until %v", given, got, r.End)
			}
		}
		if from(got, time.Time{}) != from(given, time.Time{}) {
			t.Fatalf("%v became %v", given, got)
		}
		other := slices.Clone(given)
		slices.Reverse(other)
		if d := cmp.Diff(got, aap.MergeRequests(other, limit)); d != "" {
			t.Fatal(d)
		}
	})
}

// TestUnmet: AAP-3.2.10.1-9, oldest first, each taking what it is given.
func TestUnmet(t *testing.T) {
	space := []aap.TimedRange{tr("233.252.0.0", "233.252.0.15", 1000), tr("234.0.0.0", "234.0.0.7", 2000)}
	req := func(n uint32, end int64) aap.Request { return aap.Request{Count: n, End: at(end)} }
	for _, c := range []struct {
		name      string
		allocated string
		given     []aap.Request
		want      []aap.Request
	}{
		{"all", "233.252.0.0/29", []aap.Request{req(16, 1000)}, nil},
		{"one too many", "233.252.0.0/29", []aap.Request{req(17, 1000)}, []aap.Request{req(17, 1000)}},
		{"only what lasts", "239.0.0.0", []aap.Request{req(9, 1500)}, []aap.Request{req(9, 1500)}},
		{"AAP-D-39", "239.0.0.0", []aap.Request{req(24, 1005), req(1, 2006)}, []aap.Request{req(1, 2006)}},
		{"oldest first", "239.0.0.0", []aap.Request{req(20, 500), req(5, 500), req(4, 500)}, []aap.Request{req(5, 500)}},
	} {
		if d := cmp.Diff(c.want, aap.Unmet(c.given, space, scope.MustSet(c.allocated), 5*time.Second)); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}
