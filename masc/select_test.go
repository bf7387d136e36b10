// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/masc/masctest"
)

func prefixes(list ...string) []masc.Prefix {
	var p []masc.Prefix
	for _, s := range list {
		p = append(p, masc.MustPrefix(s))
	}
	return p
}

// TestReverseBitOrder is the example of section 17.1.1 (MASC-17-2).
func TestReverseBitOrder(t *testing.T) {
	parent := masc.MustPrefix("228.0.0.0/28")
	for i, want := range prefixes("228.0.0.0/32", "228.0.0.8/32", "228.0.0.4/32", "228.0.0.12/32", "228.0.0.2/32") {
		if got, ok := masc.ReverseBitOrder(parent, 32, uint64(i)); !ok || got != want {
			t.Errorf("%d: %v, want %v", i, got, want)
		}
	}
	if p, ok := masc.ReverseBitOrder(parent, 32, 16); ok {
		t.Error("a 17th of 16:", p)
	}
	if p, ok := masc.ReverseBitOrder(masc.MustPrefix("ff00::/8"), 128, math.MaxUint64); !ok || !p.IsValid() {
		t.Error(p)
	}
	seen := map[masc.Prefix]bool{}
	for i := range uint64(256) {
		p, _ := masc.ReverseBitOrder(masc.MustPrefix("ff3e::/24"), 32, i)
		seen[p] = true
	}
	if len(seen) != 256 {
		t.Errorf("%d of 256", len(seen))
	}
}

// TestChoose is the example of section 17.1.1: of 01xx, 10xx and 110x the first
// two are chosen, each half of the time (MASC-17-3).
func TestChoose(t *testing.T) {
	parent := prefixes("228.0.0.0/28")
	taken := prefixes("228.0.0.0/30", "228.0.0.14/31") // 00xx, 111x
	if got := masc.FreeBlocks(parent[0], taken); !slices.Equal(got, prefixes("228.0.0.4/30", "228.0.0.8/30", "228.0.0.12/31")) {
		t.Fatal(got)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	count := map[masc.Prefix]int{}
	for range 1000 {
		p, ok := masc.Choose(parent, taken, 32, rnd)
		if !ok {
			t.Fatal("nothing")
		}
		count[p]++
	}
	a, b := count[masc.MustPrefix("228.0.0.4/32")], count[masc.MustPrefix("228.0.0.8/32")]
	if a+b != 1000 || a < 400 || b < 400 {
		t.Error(count)
	}
	if p, ok := masc.Choose(parent, taken, 29, rnd); ok {
		t.Error("no block is so large:", p)
	}
}

// TestFreeBlocks holds the blocks against single addresses, and looks that none
// could be larger.
func TestFreeBlocks(t *testing.T) {
	parent := masc.MustPrefix("228.0.0.0/25")
	sub := rapid.Custom(func(t *rapid.T) masc.Prefix {
		p, _ := masc.ReverseBitOrder(masc.MustPrefix("228.0.0.0/24"), rapid.IntRange(26, 32).Draw(t, "length"), rapid.Uint64Range(0, 3).Draw(t, "number"))
		return p
	})
	rapid.Check(t, func(t *rapid.T) {
		taken := rapid.SliceOfN(sub, 0, 8).Draw(t, "taken")
		blocks := masc.FreeBlocks(parent, taken)
		if !slices.IsSortedFunc(blocks, masc.Prefix.Compare) {
			t.Fatal("not in order")
		}
		size := 0.0
		for i, b := range blocks {
			size += b.Size()
			if slices.ContainsFunc(taken, b.Overlaps) || slices.ContainsFunc(blocks[:i], b.Overlaps) || !parent.Covers(b) {
				t.Fatalf("%v is not free", b)
			}
			if d, ok := masc.Double(b, []masc.Prefix{parent}, taken); ok {
				t.Fatalf("%v could be %v", b, d)
			}
		}
		free := 0.0
		for i := range uint64(128) {
			a, _ := masc.ReverseBitOrder(parent, 32, i)
			if !slices.ContainsFunc(taken, a.Overlaps) {
				free++
			}
		}
		if size != free {
			t.Fatalf("%v of %v addresses", size, free)
		}
	})
}

func TestDouble(t *testing.T) {
	parents := prefixes("228.0.0.0/28")
	for _, tt := range []struct {
		id, p  string
		others []masc.Prefix
		want   string
	}{
		{"MASC-17-2 0000 becomes 000x", "228.0.0.0/32", nil, "228.0.0.0/31"},
		{"MASC-17-2 000x becomes 00xx", "228.0.0.0/31", nil, "228.0.0.0/30"},
		{"MASC-17-2 1100 becomes 110x", "228.0.0.12/32", nil, "228.0.0.12/31"},
		{"MASC-17-2 110x becomes 11xx", "228.0.0.12/31", prefixes("228.0.0.8/30"), "228.0.0.12/30"},
		{"odd ones grow to the left", "228.0.0.13/32", nil, "228.0.0.12/31"},
		{"the buddy is taken", "228.0.0.12/32", prefixes("228.0.0.13/32"), ""},
		{"beyond the parent", "228.0.0.0/28", nil, ""},
	} {
		got, ok := masc.Double(masc.MustPrefix(tt.p), parents, tt.others)
		if ok != (tt.want != "") || ok && got != masc.MustPrefix(tt.want) {
			t.Errorf("%s: %v, %t", tt.id, got, ok)
		}
	}
}

// TestNeighbour is the example of section 17.1.4 (MASC-17-6, MASC-D-50).
func TestNeighbour(t *testing.T) {
	parents := prefixes("224.0.0.0/8")
	own := masc.MustPrefix("224.0.0.0/16")
	got, ok := masc.Neighbour(own, 24, parents, []masc.Prefix{own})
	if !ok || got != masc.MustPrefix("224.1.0.0/24") {
		t.Error(got)
	}
	got, ok = masc.Neighbour(own, 24, parents, prefixes("224.1.0.0/17"))
	if !ok || got != masc.MustPrefix("224.1.128.0/24") {
		t.Error(got)
	}
	for _, taken := range [][]masc.Prefix{prefixes("224.1.0.0/16"), prefixes("224.0.0.0/15")} {
		if got, ok := masc.Neighbour(own, 24, parents, taken); ok {
			t.Error(got)
		}
	}
	if got, ok := masc.Neighbour(own, 15, parents, nil); ok {
		t.Error("larger than its buddy:", got)
	}
}

func TestPredict(t *testing.T) {
	at := func(h int) time.Time { return masctest.Epoch.Add(time.Duration(h) * time.Hour) }
	for _, tt := range []struct {
		id      string
		samples []masc.Sample
		want    float64
	}{
		{"nothing", nil, 0},
		{"one", []masc.Sample{{At: at(0), InUse: 7}}, 7},
		{"MASC-17-4 rising", []masc.Sample{{At: at(0), InUse: 10}, {At: at(10), InUse: 20}, {At: at(20), InUse: 30}}, 78},
		{"falling stays", []masc.Sample{{At: at(0), InUse: 30}, {At: at(20), InUse: 10}}, 10},
		{"all at once", []masc.Sample{{At: at(20), InUse: 30}, {At: at(20), InUse: 40}}, 40},
	} {
		if got := masc.Predict(tt.samples, at(68)); math.Abs(got-tt.want) > 1e-6 {
			t.Errorf("%s: %v, want %v", tt.id, got, tt.want)
		}
	}
}

// TestSamplePolicyGrow: what appendix A claims for a demand.
func TestSamplePolicyGrow(t *testing.T) {
	now := masctest.Epoch
	hold := func(list ...string) (h []masc.Holding) {
		for _, p := range prefixes(list...) {
			h = append(h, masc.Holding{Prefix: p, End: now.Add(30 * day)})
		}
		return h
	}
	pool := []masc.Source{{Prefix: masc.MustPrefix("224.0.0.0/4")}}
	full := []masc.Source{{Prefix: masc.MustPrefix("228.0.0.0/24")}}
	const m = 1 << 16
	for _, tt := range []struct {
		id      string
		parents []masc.Source
		own     []masc.Holding
		pending []masc.Claim
		others  []masc.Prefix
		want    float64
		kind    masc.PlanKind
		bits    int
		prefix  string
	}{
		{id: "MASC-17-4 enough for the waiting period", parents: pool, own: hold("228.0.0.0/16"), want: m - 1, kind: masc.PlanNothing},
		{id: "MASC-17-4 a claim under way covers it", parents: pool, own: hold("228.0.0.0/16"), want: m + 5,
			pending: []masc.Claim{claim(masc.NewClaim, "228.1.0.0/24")}, kind: masc.PlanNothing},
		{id: "no demand", parents: pool, kind: masc.PlanNothing},
		{id: "first claim of 256", parents: pool, want: 3, kind: masc.PlanNew, bits: 24},
		{id: "first claim of what is wanted", parents: pool, want: 3000, kind: masc.PlanNew, bits: 20},
		{id: "MASC-D-50 MASC-17-5 double at 75 %", parents: pool, own: hold("228.0.0.0/16"), want: m + m/2, kind: masc.PlanExpand, prefix: "228.0.0.0/15"},
		{id: "MASC-17-5 double while it is being renewed", parents: pool, own: hold("228.0.0.0/16"), want: m + m/2,
			pending: []masc.Claim{claim(masc.ClaimToExpand, "228.0.0.0/16")}, kind: masc.PlanExpand, prefix: "228.0.0.0/15"},
		{id: "MASC-17-6 a neighbour instead of doubling to 50 %", parents: pool, own: hold("228.0.0.0/16"), want: m + 256, kind: masc.PlanNew, prefix: "228.1.0.0/24"},
		{id: "MASC-17-6 the neighbour doubles", parents: pool, own: hold("228.0.0.0/16", "228.1.0.0/24"), want: m + 257, kind: masc.PlanExpand, prefix: "228.1.0.0/23"},
		{id: "MASC-17-6 anywhere when the buddy is taken", parents: pool, own: hold("228.0.0.0/16"), others: prefixes("228.1.0.0/16"), want: m + 256, kind: masc.PlanNew, bits: 24},
		{id: "MASC-17-7 one larger for too many", parents: pool, own: hold("228.0.0.0/16", "229.0.0.0/16", "230.0.0.0/16"),
			others: prefixes("228.1.0.0/16", "229.1.0.0/16", "230.1.0.0/16"), want: 3*m + 1, kind: masc.PlanReplace, bits: 14},
		{id: "no room: a hint", parents: full, others: prefixes("228.0.0.0/24"), want: 3, kind: masc.PlanHint, bits: 24},
		{id: "MASC-4.3-2 nothing from what is deprecated", parents: []masc.Source{{Prefix: masc.MustPrefix("228.0.0.0/8"), End: now.Add(99 * day), Deprecated: true}},
			want: 3, kind: masc.PlanHint, bits: 24},
	} {
		t.Run(tt.id, func(t *testing.T) {
			v := &masc.View{Now: now, Waiting: 2 * day, Rand: rand.New(rand.NewPCG(1, 1)), Family: masc.FamilyIPv4,
				Parents: tt.parents, Own: tt.own, Pending: tt.pending, Others: func() []masc.Prefix { return tt.others },
				Demand: masc.Demand{InUse: tt.want, Want: tt.want, Lifetime: 30 * day, Used: masc.Prefix.Size}}
			p := masc.SamplePolicy{}.Grow(v)
			if p.Kind != tt.kind || tt.bits != 0 && p.Prefix.Bits() != tt.bits || tt.prefix != "" && p.Prefix != masc.MustPrefix(tt.prefix) {
				t.Errorf("got kind %d, %v; want kind %d, /%d %s", p.Kind, p.Prefix, tt.kind, tt.bits, tt.prefix)
			}
			if p.Kind != masc.PlanNothing && p.Kind != masc.PlanHint && (p.Lifetime != 30*day || !p.Prefix.IsContiguous()) { // MASC-17-1
				t.Errorf("%+v", p)
			}
		})
	}
}

// TestSamplePolicyRenew: MASC-17-8, MASC-17-9.
func TestSamplePolicyRenew(t *testing.T) {
	half := func(p masc.Prefix) float64 { // only the upper half of 224.0.0.0/15 is in use
		if common, ok := p.Meet(masc.MustPrefix("224.1.0.0/16")); ok {
			return common.Size()
		}
		return 0
	}
	pair := []masc.Holding{{Prefix: masc.MustPrefix("224.0.0.0/15")}, {Prefix: masc.MustPrefix("225.0.0.0/16")}}
	for _, tt := range []struct {
		id        string
		own       []masc.Holding
		use, want float64
		used      func(masc.Prefix) float64
		prefix    string
	}{
		{"MASC-17-9 all is needed", pair, 3 << 16, 3 << 16, masc.Prefix.Size, "224.0.0.0/15"},
		{"MASC-17-8 the busier half", pair, 1 << 16, 1 << 16, half, "224.1.0.0/16"},
		{"MASC-17-8 empty and not needed", pair, 100, 100, func(masc.Prefix) float64 { return 0 }, ""},
		{"empty, but wanted soon", pair, 100, 2 << 16, func(masc.Prefix) float64 { return 0 }, "224.0.0.0/15"},
		{"the last one, empty", pair[:1], 0, 0, func(masc.Prefix) float64 { return 0 }, ""},
	} {
		v := &masc.View{Own: tt.own, Demand: masc.Demand{InUse: tt.use, Want: tt.want, Lifetime: time.Hour, Used: tt.used}}
		p := masc.SamplePolicy{}.Renew(v, tt.own[0])
		if tt.prefix == "" && p.Kind != masc.PlanNothing || tt.prefix != "" && (p.Kind != masc.PlanExpand || p.Prefix != masc.MustPrefix(tt.prefix)) {
			t.Errorf("%s: %+v", tt.id, p)
		}
	}
}
