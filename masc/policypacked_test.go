// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/masc/masctest"
)

// view returns what a policy sees of a domain in the pool 228.0.0.0/8 that
// wants so many addresses and has some prefixes, the first half of each of which
// is in use, for a year.
func view(want float64, own, others []masc.Prefix) *masc.View {
	v := &masc.View{Now: masctest.Epoch, Waiting: 2 * day, Rand: rand.New(rand.NewPCG(1, 1)), Family: masc.FamilyIPv4,
		Parents: []masc.Source{{Prefix: masc.MustPrefix("228.0.0.0/8")}}, Others: func() []masc.Prefix { return others },
		Demand: masc.Demand{InUse: want, Want: want, Lifetime: 30 * day}}
	for _, p := range own {
		v.Own = append(v.Own, masc.Holding{Prefix: p, End: v.Now.Add(30 * day), Timestamp: masc.StampOf(v.Now.Add(-365 * day))})
	}
	v.Demand.Used = func(p masc.Prefix) float64 {
		n := 0.0
		for _, q := range own {
			half, _ := masc.ReverseBitOrder(q, q.Bits()+1, 0)
			if common, ok := half.Meet(p); ok {
				n += common.Size()
			}
		}
		return n
	}
	return v
}

// TestPackedPolicyGrow: what is claimed for what is missing.
func TestPackedPolicyGrow(t *testing.T) {
	for _, tt := range []struct {
		name        string
		own, others []masc.Prefix
		pending     []masc.Claim
		want        float64
		kind        masc.PlanKind
		bits        int
		prefix      string
	}{
		{name: "enough", own: prefixes("228.0.0.0/20"), want: 4096, kind: masc.PlanNothing},
		{name: "nothing wanted", kind: masc.PlanNothing},
		{name: "one claim at a time", own: prefixes("228.0.0.0/20"), want: 5000,
			pending: []masc.Claim{claim(masc.NewClaim, "228.0.16.0/24")}, kind: masc.PlanNothing},
		{name: "a renewal is not in the way", own: prefixes("228.0.0.0/20"), want: 4300,
			pending: []masc.Claim{claim(masc.ClaimToExpand, "228.0.0.0/20")}, kind: masc.PlanNew, prefix: "228.0.16.0/24"},
		{name: "the first claim", want: 300, kind: masc.PlanNew, bits: 20},
		{name: "MASC-17-6 double when it is used well", own: prefixes("228.0.0.0/24"), want: 500, kind: masc.PlanExpand, prefix: "228.0.0.0/23"},
		{name: "MASC-17-6 else what is missing, beside it", own: prefixes("228.0.0.0/20"), want: 4097, kind: masc.PlanNew, prefix: "228.0.16.0/24"},
		{name: "in the tightest block with room to double", own: prefixes("228.0.0.0/20"), want: 4097,
			others: prefixes("228.0.16.0/20", "228.0.32.0/19", "228.0.64.0/24", "228.0.66.0/23", "228.0.68.0/22", "228.0.72.0/21", "228.0.80.0/20", "228.0.96.0/19",
				"228.0.128.0/17", "228.1.0.0/16", "228.2.0.0/15", "228.4.0.0/22", "228.4.6.0/23", "228.4.8.0/21", "228.4.16.0/20", "228.4.32.0/19", "228.4.64.0/18", "228.4.128.0/17",
				"228.5.0.0/16"), kind: masc.PlanNew, prefix: "228.4.4.0/24"},
		{name: "three of which two are one", own: prefixes("228.0.0.0/20", "229.0.0.0/24", "229.0.1.0/24"), want: 4700,
			kind: masc.PlanExpand, prefix: "229.0.0.0/23"},
		{name: "MASC-17-7 one for the two smallest", own: prefixes("228.0.0.0/20", "228.0.64.0/24", "228.0.128.0/24"), want: 4700,
			others: prefixes("228.0.16.0/20", "228.0.65.0/24", "228.0.129.0/24"), kind: masc.PlanReplace, bits: 22},
		{name: "no room", want: 300, others: prefixes("228.0.0.0/8"), kind: masc.PlanHint, bits: 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := view(tt.want, tt.own, tt.others)
			v.Pending = tt.pending
			p := masc.PackedPolicy{LeastSize: 256, FirstSize: 4096}.Grow(v)
			if p.Kind != tt.kind || tt.bits != 0 && p.Prefix.Bits() != tt.bits || tt.prefix != "" && p.Prefix != masc.MustPrefix(tt.prefix) {
				t.Errorf("got kind %d, %v; want kind %d, /%d %s", p.Kind, p.Prefix, tt.kind, tt.bits, tt.prefix)
			}
		})
	}
}

// TestPackedPolicyRenew: what becomes of a prefix.
func TestPackedPolicyRenew(t *testing.T) {
	unused := masc.MustPrefix("228.9.0.0/24")
	for _, tt := range []struct {
		name    string
		own     []masc.Prefix
		renew   int
		want    float64
		settled time.Duration
		enough  time.Duration
		empty   bool
		kind    masc.PlanKind
		prefix  string
	}{
		{name: "MASC-17-9 claimed again", own: prefixes("228.0.0.0/20"), want: 3000, kind: masc.PlanExpand, prefix: "228.0.0.0/20"},
		{name: "not while it lasts", own: prefixes("228.0.0.0/20"), want: 3000, enough: 29 * day, kind: masc.PlanKeep, prefix: "228.0.0.0/20"},
		{name: "when too little is left", own: prefixes("228.0.0.0/20"), want: 3000, enough: 30 * day, kind: masc.PlanExpand, prefix: "228.0.0.0/20"},
		{name: "empty, and the rest suffices: given back", own: append(prefixes("228.0.0.0/20"), unused), renew: 1, want: 4096, empty: true,
			kind: masc.PlanRelease, prefix: "228.9.0.0/24"},
		{name: "empty, but about to be needed", own: append(prefixes("228.0.0.0/20"), unused), renew: 1, want: 4097, empty: true,
			kind: masc.PlanExpand, prefix: "228.9.0.0/24"},
		{name: "MASC-17-8 the busier half", own: prefixes("228.0.0.0/20"), want: 1800, kind: masc.PlanExpand, prefix: "228.0.0.0/21"},
		{name: "MASC-17-8 not without a tenth to spare", own: prefixes("228.0.0.0/20"), want: 2000, kind: masc.PlanExpand, prefix: "228.0.0.0/20"},
		{name: "MASC-17-8 not what it has had for a short time", own: prefixes("228.0.0.0/20"), want: 1800, settled: 366 * day,
			kind: masc.PlanExpand, prefix: "228.0.0.0/20"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := view(tt.want, tt.own, nil)
			if tt.empty {
				v.Demand.Used = func(p masc.Prefix) float64 {
					if unused.Covers(p) {
						return 0
					}
					return p.Size()
				}
			}
			p := masc.PackedPolicy{LeastSize: 256, Settled: tt.settled, Enough: tt.enough}.Renew(v, v.Own[tt.renew])
			if p.Kind != tt.kind || p.Prefix != masc.MustPrefix(tt.prefix) {
				t.Errorf("got kind %d, %v; want kind %d, %s", p.Kind, p.Prefix, tt.kind, tt.prefix)
			}
		})
	}
}
