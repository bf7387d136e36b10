// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"testing"

	"github.com/mcastalloc/malloc/aap"
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
