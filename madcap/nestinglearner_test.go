// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// learner plays scripts to a NestingLearner. A line has a time in seconds, a
// verb and scopes: "heard a b" for announcements, "not a/b" for "a is not
// inside b"; or what must be known then: "yes a/b", "no a/b", "pending a/b";
// "scopes a b" for those known, "full a" for an announcement there is no room
// for, "next 2340" and "next never" for the deadline.
type learner struct {
	*madcap.NestingLearner
	now time.Time
}

var epoch = time.Date(2000, 9, 1, 0, 0, 0, 0, time.UTC)

// scopeNamed returns the Scope ID that a script calls by one letter.
func scopeNamed(name string) scope.ID { return ip("239.192.0." + fmt.Sprint(name[0])) }

func newLearner(t *testing.T, c madcap.NestingConfig) *learner {
	t.Helper()
	l, err := madcap.NewNestingLearner(c)
	if err != nil {
		t.Fatal(err)
	}
	return &learner{NestingLearner: l}
}

func (l *learner) play(t *testing.T, script string) {
	t.Helper()
	for line := range strings.Lines(script) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		var sec float64
		if _, err := fmt.Sscan(words[0], &sec); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		l.now = epoch.Add(time.Duration(sec * float64(time.Second)))
		if words[1] == "scopes" {
			l.checkScopes(t, line, words[2:])
			continue
		}
		for _, arg := range words[2:] {
			l.step(t, strings.TrimSpace(line), words[1], arg)
		}
	}
}

func (l *learner) step(t *testing.T, line, verb, arg string) {
	t.Helper()
	inner, outer, _ := strings.Cut(arg, "/")
	switch verb {
	case "heard":
		if !l.Heard(l.now, scopeNamed(arg)) {
			t.Errorf("%s: no room", line)
		}
	case "full":
		if l.Heard(l.now, scopeNamed(arg)) {
			t.Errorf("%s: there was room", line)
		}
	case "not":
		l.NotInside(l.now, scopeNamed(inner), scopeNamed(outer))
	case "next":
		l.Advance(l.now)
		at, ok := l.Deadline()
		if got := fmt.Sprint(at.Sub(epoch).Seconds()); ok != (arg != "never") || ok && got != arg {
			t.Errorf("%s: the deadline is %s (%v)", line, got, ok)
		}
	default:
		want := map[string]scope.Relation{"yes": scope.Yes, "no": scope.No, "pending": scope.Unknown}[verb]
		if got := l.Nesting(l.now).Of(scopeNamed(inner), scopeNamed(outer)); got != want {
			t.Errorf("%s: %v is %v, want %v", line, arg, got, want)
		}
	}
}

func (l *learner) checkScopes(t *testing.T, line string, names []string) {
	t.Helper()
	want := []scope.ID{}
	for _, n := range names {
		want = append(want, scopeNamed(n))
	}
	if d := cmp.Diff(want, l.Nesting(l.now).IDs(), sameMessage); d != "" {
		t.Errorf("%s: %s", line, d)
	}
}

// TestNestingLearner goes through the states of a pair (RFC 2907, section 4),
// each row with the default timers.
func TestNestingLearner(t *testing.T) {
	for _, c := range []struct{ id, why, script string }{
		{"MADCAP-N4-3", "no decision before the timer", `
			0 next never
			0 heard a
			0 next 5460
			100 heard b
			100 next 2440
			100 pending a/b b/a
			2439.9 pending a/b b/a`},
		{"MADCAP-N4.2-1", "silence means inside", `
			0 heard a b
			2340 yes a/b b/a`},
		{"MADCAP-N4.2-1", "each direction for itself", `
			0 heard a b
			1000 not a/b
			1000 next 2340
			2340 no a/b
			2340 yes b/a
			3339.9 no a/b
			3340 yes a/b`},
		{"MADCAP-N4.1-2", "at once not inside, when it was decided otherwise", `
			0 heard a b
			2340 yes a/b
			2341 not a/b
			2341 no a/b
			2341 yes b/a`},
		{"MADCAP-N4.1-3", "every denial restarts the timer", `
			0 heard a b
			1800 not a/b
			3600 not a/b
			5400 not a/b
			5400 heard a b
			7739.9 no a/b
			7740 yes a/b`},
		{"MADCAP-N4.1-3", "and also of a pair that nested", `
			0 heard a b
			2340 yes a/b
			3000 not a/b
			3000 heard a b
			5339.9 no a/b
			5340 yes a/b`},
		{"MADCAP-N4.2-2", "from inside on the scopes must be announced", `
			0 heard a b
			2340 next 7800
			7799.9 yes a/b b/a
			7800 next never
			7800 pending a/b b/a
			7800 scopes`},
		{"MADCAP-N4.2-3", "one of the two is not enough", `
			0 heard a b
			2340 yes a/b
			4000 heard a
			6000 heard a
			7799.9 yes a/b
			7800 pending a/b b/a
			7800 scopes a`},
		{"MADCAP-N4.2-3", "the other one is not enough either", `
			0 heard a b
			2340 yes a/b
			4000 heard b
			7799 heard b
			7800 pending a/b b/a
			7800 scopes b`},
		{"MADCAP-N4.2-3", "both are, at the time of the second", `
			0 heard a b
			2340 yes a/b
			4000 heard a
			5000 heard b
			5000 next 10460
			10459.9 yes a/b b/a
			10460 pending a/b`},
		{"MADCAP-N4.2-3", "what was announced before the start does not count", `
			0 heard a b
			2339 heard a b
			2340 yes a/b
			5000 heard b
			7800 pending a/b`},
		{"MADCAP-N4.2-3", "what was announced before the restart does not count again", `
			0 heard a b
			3000 heard a b
			4000 heard a
			8459.9 yes a/b
			8460 pending a/b`},
		{"MADCAP-N4.2-4", "a scope that is gone takes both directions along", `
			0 heard a b
			100 not b/a
			2340 yes a/b
			2440 yes b/a
			7000 not b/a
			7000 heard a
			7799.9 no b/a
			7800 pending a/b b/a
			7800 scopes a`},
		{"MADCAP-N4.2-4", "and when it is back everything begins anew", `
			0 heard a b
			7000 heard a
			7800 scopes a
			9000 heard b
			9000 pending a/b b/a
			11339.9 pending a/b b/a
			11340 yes a/b b/a`},
		{"MADCAP-N4-1", "pending and final differ", `
			0 heard a b
			0 pending a/b
			1 not a/b
			1 no a/b
			1 pending b/a
			2341 yes a/b b/a`},
		{"MADCAP-N4.1-1", "of scopes not announced nothing is known", `
			0 heard a
			0 not a/b b/a c/b
			0 pending a/b b/a
			0 scopes a
			10 heard b
			10 pending a/b b/a
			10 next 2350`},
		{"MADCAP-N2-1", "all four relations", `
			0 heard a b c d
			1000 not a/b b/a c/d
			2340 no a/b b/a c/d
			2340 yes d/c a/c c/a`},
		{"MADCAP-N4-1", "a scope that is alone and silent is gone", `
			0 heard a
			5459.9 scopes a
			5460 scopes
			5460 next never`},
		{"MADCAP-N4-2", "timers that ran out long ago fire in order", `
			0 heard a b
			1e6 scopes
			1e6 heard b a
			1e6 pending a/b
			1e6 scopes b a`},
	} {
		t.Run(c.id+"/"+c.why, func(t *testing.T) {
			l := newLearner(t, madcap.NestingConfig{})
			l.play(t, c.script)
		})
	}
}

// TestNestingConfig sees that the timers and the limit can be set.
func TestNestingConfig(t *testing.T) {
	t.Run("MADCAP-B-10", func(t *testing.T) {
		if madcap.DefaultNestNoDecision != 2340*time.Second {
			t.Error(madcap.DefaultNestNoDecision)
		}
		newLearner(t, madcap.NestingConfig{NoDecision: time.Minute}).play(t, `
			0 heard a b
			59.9 pending a/b
			60 yes a/b
			60 next 5520`)
	})
	t.Run("MADCAP-B-11", func(t *testing.T) {
		if madcap.DefaultZonesExist != 5460*time.Second {
			t.Error(madcap.DefaultZonesExist)
		}
		newLearner(t, madcap.NestingConfig{ZonesExist: time.Minute}).play(t, `
			0 heard a b
			2340 next 2400
			2340 yes a/b
			2400 pending a/b`)
	})
	t.Run("limit", func(t *testing.T) {
		newLearner(t, madcap.NestingConfig{MaxScopes: 2}).play(t, `
			0 heard a b
			1 full c
			2 heard a b
			5000 heard b
			5461 full c
			5462 heard c
			5462 scopes b c
			5462 full a`)
	})
	for _, c := range []madcap.NestingConfig{{NoDecision: -1}, {ZonesExist: -1}, {MaxScopes: -1}} {
		if _, err := madcap.NewNestingLearner(c); err == nil {
			t.Errorf("%+v accepted", c)
		}
	}
}

// TestNestingLearnerWorld lets routers of a real topology talk for weeks of
// virtual time, and compares what is learned with what is so. Some scopes
// vanish and come back, and one border moves.
func TestNestingLearnerWorld(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 0))
		names := []string{"a", "b", "c", "d", "e"}
		inside := map[[2]string]bool{}
		for i, x := range names {
			for _, y := range names[i+1:] {
				inside[[2]string{x, y}] = r.IntN(2) == 0
				inside[[2]string{y, x}] = r.IntN(4) == 0
			}
		}
		lost := map[[2]string]bool{}
		l := newLearner(t, madcap.NestingConfig{})
		alive := map[string]bool{"a": true, "b": true, "c": true, "d": true, "e": true}
		settled := 0.0 // nothing has changed since
		for sec := 0.0; sec < 20*86400; sec += 600 {
			if r.IntN(200) == 0 {
				settled = sec
				if x := names[r.IntN(5)]; r.IntN(2) == 0 {
					alive[x] = !alive[x]
				} else if y := names[r.IntN(5)]; x != y {
					inside[[2]string{x, y}] = !inside[[2]string{x, y}]
				}
			}
			l.now = epoch.Add(time.Duration(sec) * time.Second)
			for _, x := range names {
				if alive[x] {
					l.Heard(l.now, scopeNamed(x))
				}
				for _, y := range names {
					pair := [2]string{x, y}
					if x == y || !alive[x] || !alive[y] || inside[pair] {
						continue
					}
					if lost[pair] = !lost[pair] && r.IntN(3) == 0; !lost[pair] { // never twice in a row
						l.NotInside(l.now, scopeNamed(x), scopeNamed(y))
					}
				}
			}
			if sec-settled < 3*5460 {
				continue
			}
			n := l.Nesting(l.now)
			for _, x := range names {
				if alive[x] != slices.Contains(n.IDs(), scopeNamed(x)) {
					t.Fatalf("seed %d, at %.0f: %s alive: %v, known: %v", seed, sec, x, alive[x], n.IDs())
				}
				for _, y := range names {
					want := alive[x] && alive[y] && (x == y || inside[[2]string{x, y}])
					if got := n.Of(scopeNamed(x), scopeNamed(y)) == scope.Yes; got != want {
						t.Fatalf("seed %d, at %.0f: %s in %s: %v, want %v", seed, sec, x, y, got, want)
					}
				}
			}
		}
	}
}
