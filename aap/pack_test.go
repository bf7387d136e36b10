// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// TestMaxRanges: 40 ranges of IPv4 and 13 of IPv6 fit 500 octets and not one
// more (AAP-3.2.2-4).
func TestMaxRanges(t *testing.T) {
	for f, want := range map[aap.Family]int{aap.IPv4: 40, aap.IPv6: 13, 0: 0, 3: 0} {
		n := aap.MaxRanges(f)
		if n != want {
			t.Errorf("%v: %d, want %d", f, n, want)
		}
		for _, typ := range []aap.Type{aap.ACLM, aap.AIU, aap.AITU, aap.ASA} {
			m := aap.Message{Type: typ, Family: f, Ranges: make([]aap.TimedRange, n)}
			if m.Size() > aap.MaxPayload {
				t.Errorf("%v of %d %v ranges has %d octets", typ, n, f, m.Size())
			}
			m.Ranges = make([]aap.TimedRange, n+1)
			if n > 0 && m.Size() <= aap.MaxPayload {
				t.Errorf("%v: another %v range would fit", typ, f)
			}
		}
	}
}

// TestMaxRequests: as many requests as the reports leave room for
// (AAP-3.2.10.3-7), a whole datagram's worth counted in octets.
func TestMaxRequests(t *testing.T) {
	for _, f := range []aap.Family{aap.IPv4, aap.IPv6} {
		for reports := range 60 {
			n := aap.MaxRequests(f, reports)
			m := aap.Message{Type: aap.ASRP, Family: f, Reports: make([]aap.Report, reports), Requests: make([]aap.Request, n)}
			if n > 0 && m.Size() > aap.MaxPayload {
				t.Errorf("%v: %d reports, %d requests: %d octets", f, reports, n, m.Size())
			}
			m.Requests = make([]aap.Request, n+1)
			if m.Size() <= aap.MaxPayload {
				t.Errorf("%v: %d reports leave room for more than %d requests", f, reports, n)
			}
		}
	}
	if aap.MaxRequests(aap.IPv4, 0) != 60 || aap.MaxRequests(aap.IPv6, 13) != 2 || aap.MaxRequests(3, 0) != 0 || aap.MaxRequests(aap.IPv4, -1) != 0 {
		t.Error("60 requests fit an empty ASRP, 2 fit beside 13 IPv6 reports")
	}
}

// TestPack: sorted, disjoint, equal-end neighbours joined, as few messages as
// possible (AAP-D-7, AAP-D-58, AAP-3.2.2-4).
func TestPack(t *testing.T) {
	var ranges []aap.TimedRange
	a := netip.MustParseAddr("239.255.1.0")
	for i := range 81 { // every other address, so that none are neighbours
		ranges = append(ranges, aap.TimedRange{Range: scope.Single(a), End: at(int64(i % 2))})
		a = a.Next().Next()
	}
	var sizes []int
	for part := range aap.Pack(ranges) {
		sizes = append(sizes, len(part))
	}
	if d := cmp.Diff([]int{40, 40, 1}, sizes); d != "" {
		t.Error(d)
	}
	for part := range aap.Pack([]aap.TimedRange{
		tr("239.255.0.8", "239.255.0.15", 60), tr("239.255.0.0", "239.255.0.7", 60), tr("239.255.0.4", "239.255.0.5", 90), tr("239.255.0.16", "239.255.0.16", 61),
	}) {
		want := []aap.TimedRange{
			tr("239.255.0.0", "239.255.0.3", 60), tr("239.255.0.4", "239.255.0.5", 90), tr("239.255.0.6", "239.255.0.15", 60), tr("239.255.0.16", "239.255.0.16", 61),
		}
		if d := cmp.Diff(want, part, sameMessage); d != "" {
			t.Error(d)
		}
	}
	for range aap.Pack(nil) {
		t.Error("nothing is announced")
	}
}
