// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
	"pgregory.net/rapid"
)

// TestCollide is the table of who wins, cell by cell.
func TestCollide(t *testing.T) {
	for _, c := range []struct {
		id    string
		mine  aap.Stake
		heard aap.Type
		want  aap.Outcome
	}{
		{"AAP-3.2.5-3, AAP-D-20", aap.Claimed, aap.ACLM, aap.GiveUp},
		{"AAP-D-21", aap.Claimed, aap.AITU, aap.Untouched},
		{"AAP-3.2.5-3", aap.Claimed, aap.AIU, aap.GiveUp},
		{"AAP-3.2.6-5", aap.Pending, aap.ACLM, aap.Abandon},
		{"AAP-3.2.6-5", aap.Pending, aap.AITU, aap.Abandon},
		{"AAP-3.2.6-5", aap.Pending, aap.AIU, aap.Abandon},
		{"AAP-3.2.6-9", aap.Settled, aap.ACLM, aap.Abandon},
		{"AAP-3.2.6-9", aap.Settled, aap.AITU, aap.Abandon},
		{"AAP-3.2.6-9", aap.Settled, aap.AIU, aap.Abandon},
		{"AAP-3.2.2-7", aap.Allocated, aap.ACLM, aap.Defend},
		{"AAP-3.2.2-7", aap.Allocated, aap.AITU, aap.Defend},
		{"AAP-3.2.3-1", aap.Allocated, aap.AIU, aap.InUse},
		{"no stake", 0, aap.AIU, aap.Untouched},
		{"ANA", aap.Pending, aap.ANA, aap.Untouched},
		{"ASRP", aap.Allocated, aap.ASRP, aap.Untouched},
	} {
		if got := aap.Collide(c.mine, c.heard); got != c.want {
			t.Errorf("%s: %v hears %v: %v, want %v", c.id, c.mine, c.heard, got, c.want)
		}
	}
}

// TestResolve: what is lost and what is kept.
func TestResolve(t *testing.T) {
	held := []aap.TimedRange{tr("239.255.0.0", "239.255.0.15", 3600)}
	overlap := []aap.TimedRange{tr("239.255.0.8", "239.255.0.31", 60)}
	for _, c := range []struct {
		id     string
		mine   aap.Stake
		heard  aap.Type
		ranges []aap.TimedRange
		now    int64
		want   aap.Outcome
		lost   string
		kept   []aap.TimedRange
	}{
		{"AAP-D-22 a claim loses the overlap", aap.Claimed, aap.ACLM, overlap, 0, aap.GiveUp, "239.255.0.8-239.255.0.15", []aap.TimedRange{tr("239.255.0.0", "239.255.0.7", 3600)}},
		{"AAP-D-22 a preallocation loses all", aap.Pending, aap.AITU, overlap, 0, aap.Abandon, "239.255.0.0/28", nil},
		{"AAP-3.2.6-9", aap.Settled, aap.ACLM, overlap, 0, aap.Abandon, "239.255.0.0/28", nil},
		{"an allocation keeps all", aap.Allocated, aap.AITU, overlap, 0, aap.Defend, "239.255.0.8-239.255.0.15", held},
		{"AAP-3.2.3-1", aap.Allocated, aap.AIU, overlap, 0, aap.InUse, "239.255.0.8-239.255.0.15", held},
		{"AAP-D-21", aap.Claimed, aap.AITU, overlap, 0, aap.Untouched, "", held},
		{"AAP-D-12 in force", aap.Claimed, aap.ACLM, overlap, 59, aap.GiveUp, "239.255.0.8-239.255.0.15", []aap.TimedRange{tr("239.255.0.0", "239.255.0.7", 3600)}},
		{"AAP-D-12 over", aap.Claimed, aap.ACLM, overlap, 60, aap.Untouched, "", held},
		{"AAP-D-13 ended AIU", aap.Allocated, aap.AIU, overlap, 61, aap.Untouched, "", held},
		{"AAP-D-13 ended ACLM", aap.Settled, aap.ACLM, overlap, 61, aap.Untouched, "", held},
		{"no overlap", aap.Pending, aap.AIU, []aap.TimedRange{tr("239.255.0.16", "239.255.0.16", 60)}, 0, aap.Untouched, "", held},
		{"AAP-3.2.5-5", aap.Claimed, aap.ASA, []aap.TimedRange{tr("239.255.0.0", "239.255.0.3", 9000)}, 0, aap.GiveUp, "239.255.0.4-239.255.0.15", []aap.TimedRange{tr("239.255.0.0", "239.255.0.3", 3600)}},
		{"AAP-3.2.5-5 ends too early", aap.Claimed, aap.ASA, []aap.TimedRange{tr("239.255.0.0", "239.255.0.15", 3594)}, 0, aap.GiveUp, "239.255.0.0/28", nil},
		{"AAP-D-39", aap.Claimed, aap.ASA, []aap.TimedRange{tr("239.255.0.0", "239.255.0.15", 3595)}, 0, aap.Untouched, "", held},
		{"AAP-3.2.6-7", aap.Pending, aap.ASA, []aap.TimedRange{tr("239.255.0.0", "239.255.0.3", 9000)}, 0, aap.GiveUp, "239.255.0.4-239.255.0.15", []aap.TimedRange{tr("239.255.0.0", "239.255.0.3", 3600)}},
		{"AAP-3.2.6-10", aap.Settled, aap.ASA, []aap.TimedRange{tr("239.255.0.0", "239.255.0.3", 9000)}, 0, aap.Abandon, "239.255.0.0/28", nil},
		{"an allocation is cut, not given up", aap.Allocated, aap.ASA, nil, 0, aap.Untouched, "", held},
	} {
		t.Run(c.id, func(t *testing.T) {
			r := aap.Resolve(c.mine, held, &aap.Message{Type: c.heard, Ranges: c.ranges}, at(c.now), 5*time.Second)
			want, err := scope.ParseSet(c.lost)
			if c.lost != "" && err != nil {
				t.Fatal(err)
			}
			if r.Outcome != c.want || !r.Lost.Equal(want) {
				t.Errorf("%v, lost %v, want %v, %v", r.Outcome, r.Lost, c.want, c.lost)
			}
			if d := cmp.Diff(c.kept, r.Kept, sameMessage); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestResolveSplits: whatever is heard, lost and kept are apart and together
// make up what was held by a claim or a preallocation.
func TestResolveSplits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		held, mh := drawRanges(t, 0, "held")
		heard, mo := drawRanges(t, 0, "heard")
		mine := rapid.SampledFrom([]aap.Stake{aap.Pending, aap.Settled, aap.Claimed}).Draw(t, "stake")
		typ := rapid.SampledFrom([]aap.Type{aap.ACLM, aap.AIU, aap.AITU}).Draw(t, "type")
		now := rapid.Int64Range(0, 21).Draw(t, "now")
		r := aap.Resolve(mine, held, &aap.Message{Type: typ, Ranges: heard}, at(now), 0)
		hit := false
		for i := range mh {
			hit = hit || mh[i] != 0 && mo[i] > now
		}
		for i := range mh {
			lost := mh[i] != 0 && hit && (mine != aap.Claimed || typ != aap.AITU && mo[i] > now)
			if r.Lost.Contains(nth(0, i)) != lost || aap.Addrs(r.Kept).Contains(nth(0, i)) != (mh[i] != 0 && !lost) {
				t.Fatalf("%v hears %v: address %d: lost %v, want %v", mine, typ, i, !lost, lost)
			}
		}
	})
}

// TestEchoes: a defence of our own announcement is no conflict (AAP-D-30), also
// if it was cut to the announced space (AAP-D-33).
func TestEchoes(t *testing.T) {
	announced := []time.Time{at(3600), at(7200)}
	for _, c := range []struct {
		end, limit int64
		want       bool
	}{
		{3600, 0, true}, {7205, 0, true}, {3595, 0, true}, {7206, 0, false}, {3594, 0, false}, {5000, 0, false},
		{5000, 5000, true}, {5004, 5000, true}, {5006, 5000, false}, {9000, 9000, false}, {3600, 5000, true},
	} {
		var limit time.Time
		if c.limit != 0 {
			limit = at(c.limit)
		}
		if got := aap.Echoes(at(c.end), announced, limit, 5*time.Second); got != c.want {
			t.Errorf("end %d, space until %d: %v", c.end, c.limit, got)
		}
	}
	if aap.Echoes(at(5), nil, time.Time{}, time.Minute) {
		t.Error("an echo of nothing")
	}
}

// TestRun: echoes that go on for more than a minute are a rival's (AAP-D-30).
func TestRun(t *testing.T) {
	timing := aap.DefaultTiming()
	for _, c := range []struct {
		name  string
		heard []int64
		rival bool
	}{
		{"one", []int64{5}, false},
		{"a defence", []int64{0, 1, 3, 7, 15, 31}, false},
		{"60 s", []int64{0, 30, 60}, false},
		{"61 s", []int64{0, 30, 61}, true},
		{"90 s between", []int64{0, 90}, true},
		{"a pause", []int64{0, 91}, false},
		{"a pause, then on", []int64{0, 30, 130, 160, 191}, true},
	} {
		var r aap.Run
		for _, s := range c.heard {
			r = r.Next(at(s), timing)
		}
		if r.IsRival(timing) != c.rival {
			t.Errorf("%s: rival %v", c.name, !c.rival)
		}
	}
}

// TestDefence follows one Allocation Defense timer.
func TestDefence(t *testing.T) {
	timing, rng := aap.DefaultTiming(), rand.New(rand.NewPCG(1, 2))
	x, y := scope.MustSet("239.255.0.0-239.255.0.15"), scope.MustSet("239.255.0.0-239.255.0.16")
	owner := aap.NewDefence(at(0), x, true, timing, rng)
	if owner.Due != at(0) || !owner.Sent(at(0), timing) || owner.Due != at(1) {
		t.Errorf("AAP-3.2.2-13, AAP-3.2.2-11: the owner's %+v", owner)
	}
	if !owner.Repeats(scope.MustSet("239.255.0.0/28")) || owner.Repeats(y) || owner.Repeats(scope.Set{}) {
		t.Error("AAP-D-26, AAP-3.2.2-10: repeats")
	}
	for range 100 {
		d := aap.NewDefence(at(0), x, false, timing, rng)
		first := d.Interval
		if first < 2*time.Second || first > 8*time.Second || !d.Due.Equal(at(0).Add(first)) {
			t.Fatalf("AAP-3.2.2-14: %+v", d)
		}
		if !d.Heard(at(1), timing) || d.Interval != 2*first || !d.Due.Equal(at(1).Add(2*first)) {
			t.Fatalf("AAP-3.2.2-9, AAP-D-25: %+v after %v", d, first)
		}
		n := 1
		for d.Heard(d.Due.Add(-1), timing) {
			n++
		}
		if last := first << n; last > timing.RepeatInterval || 2*last <= timing.RepeatInterval {
			t.Fatalf("AAP-3.2.2-12: over after %v", last)
		}
	}
}
