// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// TestCoordinatorSends: AAP-4.2.1-4 and AAP-4.2.1-5 (the waits), AAP-4.2.1-1 and
// AAP-4.2.1-2 (one ASA with all of the space, as AAP-3.2.10.1-1 and
// AAP-3.2.10.1-2 demand), AAP-5.1.4-1 and AAP-5.1.4-4 (request sequence numbers
// from 0, one for each, message number 0), AAP-5.3.1-2 (current time), AAP-D-37
// (expiration), AAP-4.1-1.
func TestCoordinatorSends(t *testing.T) {
	for seed := range uint64(20) {
		r := newRig(t, seed, nil)
		if _, ok := r.Deadline(); ok || r.State() != aap.Idle {
			t.Fatal("it is busy without a space")
		}
		r.now = r.now.Add(700 * time.Millisecond)
		r.announce(spaceE7[1], spaceE7[0])
		r.wants("AAP-4.2.1-4 start", aap.Backup, 51, 69)
		for i := range uint32(6) {
			d, list := r.next()
			if i == 0 {
				r.between("first ASA", d, 51, 69)
			} else {
				r.between("next ASA", d, 21, 39)
			}
			current := r.now.Truncate(time.Second)
			want := &aap.Message{
				Type: aap.ASA, Family: aap.IPv4, RSeq: i, CurrentTime: current, Expiration: current.Add(120 * time.Second), Ranges: spaceE7,
			}
			if d := cmp.Diff(want, r.sent(list), sameMessage); d != "" {
				t.Fatal(d)
			}
			r.wants("AAP-4.2.1-5 after its ASA", aap.Lead, 21, 39)
		}
		r.Advance(r.now) // too early
		if list := r.drain(); len(list) != 0 || r.Stats().Sent != 6 {
			t.Errorf("effects %v, stats %+v", list, r.Stats())
		}
	}
}

// TestCoordinatorEnds: what has ended is announced no more, and an empty space is
// announced as such (AAP-D-12, AAP-D-5).
func TestCoordinatorEnds(t *testing.T) {
	r := newRig(t, 1, nil)
	r.announce(tr("233.252.0.0", "233.252.0.255", 100), tr("234.192.0.0", "234.192.0.127", 300))
	seen := map[int]bool{}
	for r.now.Before(at(400)) {
		_, list := r.next()
		m, want := r.sent(list), 0
		for _, end := range []int64{100, 300} {
			if r.now.Before(at(end)) {
				want++
			}
		}
		if len(m.Ranges) != want {
			t.Errorf("%d ranges at %v, want %d", len(m.Ranges), r.now, want)
		}
		seen[len(m.Ranges)] = true
	}
	if len(seen) != 3 {
		t.Errorf("announced %v ranges", seen)
	}
}

// TestCoordinatorHaste: AAP-4.2.1-8, shorter timers.
func TestCoordinatorHaste(t *testing.T) {
	r := newRig(t, 1, func(c *aap.CoordinatorConfig) { c.Haste = 0.5 })
	r.announce(spaceE7...)
	r.wants("start", aap.Backup, 25.5, 34.5)
	r.next()
	r.wants("lead", aap.Lead, 10.5, 19.5)
}

// TestCoordinatorHears: what the ASA of another does, state by state.
func TestCoordinatorHears(t *testing.T) {
	other := []aap.TimedRange{spaceE7[0]} // lacks a range
	for _, c := range []struct {
		id        string
		from      aap.CoordinatorState
		heard     func(r *rig) *aap.Message
		to        aap.CoordinatorState
		low, high float64
		notified  bool
	}{
		{"AAP-4.2.1-6 backup", aap.Backup, func(r *rig) *aap.Message { return r.asa(spaceE7...) }, aap.Backup, 51, 69, false},
		{"AAP-4.2.1-6, AAP-D-41, AAP-3.2.10.1-13 the lead changes", aap.Lead, func(r *rig) *aap.Message { return r.asa(spaceE7...) }, aap.Backup, 51, 69, false},
		{"AAP-4.2.1.1-4, AAP-4.2.1.1-5 backup", aap.Backup, func(r *rig) *aap.Message { return r.asa(other...) }, aap.Quiet, 150, 150, true},
		{"AAP-4.2.1.1-4, AAP-4.2.1.1-5, AAP-4.2.1.1-3 lead", aap.Lead, func(r *rig) *aap.Message { return r.asa(other...) }, aap.Quiet, 150, 150, true},
		{"AAP-4.2.1.1-5 again", aap.Quiet, func(r *rig) *aap.Message { return r.asa(spaceE7[0]) }, aap.Quiet, 150, 150, true},
		{"quiet hears agreement", aap.Quiet, func(r *rig) *aap.Message { return r.asa(spaceE7...) }, aap.Quiet, 140, 140, false},
		{"AAP-D-40 grown", aap.Lead, func(r *rig) *aap.Message {
			return r.asa(append([]aap.TimedRange{tr("232.0.0.0", "232.0.0.0", 86400)}, spaceE7...)...)
		}, aap.Quiet, 150, 150, true},
		{"AAP-D-40 cut otherwise", aap.Lead, func(r *rig) *aap.Message {
			return r.asa(tr("233.252.0.0", "233.252.0.9", 86400), tr("233.252.0.10", "233.252.0.255", 86400), spaceE7[1])
		}, aap.Backup, 51, 69, false},
		{"AAP-D-39 ends 5 s apart", aap.Lead, func(r *rig) *aap.Message {
			return r.asa(tr("233.252.0.0", "233.252.0.255", 86405), tr("234.192.0.0", "234.192.0.127", 604795))
		}, aap.Backup, 51, 69, false},
		{"AAP-5.3.1-4 another clock", aap.Lead, func(r *rig) *aap.Message {
			m := r.asa(tr("233.252.0.0", "233.252.0.255", 86400-200), tr("234.192.0.0", "234.192.0.127", 604800-200))
			m.CurrentTime, m.Expiration = m.CurrentTime.Add(-200*time.Second), m.Expiration.Add(-200*time.Second)
			return m
		}, aap.Backup, 51, 69, false},
		{"AAP-D-34 equal times are new", aap.Lead, func(r *rig) *aap.Message {
			m := r.asa(spaceE7...)
			m.Expiration = m.CurrentTime
			return m
		}, aap.Backup, 51, 69, false},
		{"AAP-4.2.1-7, AAP-D-34 resent", aap.Lead, func(r *rig) *aap.Message {
			m := r.asa(other...)
			m.Expiration = m.CurrentTime.Add(-time.Second)
			return m
		}, aap.Lead, 1, 29, false},
		{"AAP-4.2.1-7 resent while it waits", aap.Backup, func(r *rig) *aap.Message {
			m := r.asa(spaceE7...)
			m.Expiration = m.CurrentTime.Add(-time.Second)
			return m
		}, aap.Backup, 31, 59, false},
	} {
		t.Run(c.id, func(t *testing.T) {
			for seed := range uint64(5) {
				r := newRig(t, seed, nil)
				r.announce(spaceE7...)
				switch c.from {
				case aap.Lead:
					r.lead()
				case aap.Quiet:
					r.hear(otherAddr, r.asa(spaceE7[0]))
				}
				due, _ := r.Deadline()
				r.now = r.now.Add(10 * time.Second).Truncate(time.Second)
				if r.State() != c.from {
					t.Fatalf("state %v", r.State())
				}
				list := r.hear(otherAddr, c.heard(r))
				r.wants(c.id, c.to, c.low, c.high)
				if now, _ := r.Deadline(); c.to == c.from && c.high-c.low == 28 && !now.Equal(due) {
					t.Errorf("a resent ASA moved the timer")
				}
				if x, ok := first(list).(aap.Inconsistent); ok != c.notified || ok && x.From != otherAddr {
					t.Errorf("told %v", list)
				}
			}
		})
	}
}

func first(list []aap.Effect) aap.Effect {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// TestCoordinatorQuiet: after the silence it waits like a newcomer.
func TestCoordinatorQuiet(t *testing.T) {
	r := newRig(t, 3, nil)
	r.announce(spaceE7...)
	r.lead()
	r.hear(otherAddr, r.asa(spaceE7[0]))
	if d, list := r.next(); d != 150 || len(list) != 0 {
		t.Errorf("AAP-4.2.1.1-5: after %v s: %v", d, list)
	}
	r.wants("after the silence", aap.Backup, 51, 69)
	r = newRig(t, 3, func(c *aap.CoordinatorConfig) { c.Stubborn = true })
	r.announce(spaceE7...)
	r.lead()
	due, _ := r.Deadline()
	list := r.hear(otherAddr, r.asa(spaceE7[0]))
	if _, ok := first(list).(aap.Inconsistent); !ok {
		t.Error("AAP-4.2.1.1-4: not told")
	}
	if now, _ := r.Deadline(); r.State() != aap.Lead || now != due {
		t.Errorf("AAP-4.2.1.1-6: overridden, but %v", r.State())
	}
}

// TestCoordinatorRestores: AAP-4.1-2, without a space of its own it
// takes that of an ASA which a server repeats.
func TestCoordinatorRestores(t *testing.T) {
	restore := func(c *aap.CoordinatorConfig) { c.Restore = true }
	r := newRig(t, 1, restore)
	r.now = at(200)
	if list := r.hear(otherAddr, r.asa(spaceE7...)); len(list) != 0 || r.State() != aap.Idle {
		t.Errorf("a new ASA gave it %v", list)
	}
	resent := worked[7].msg.Clone() // E8: current time 143, 57 s ago on our clock
	list := r.hear(serverAddr, resent)
	want := []aap.TimedRange{tr("233.252.0.0", "233.252.0.255", 86457), tr("234.192.0.0", "234.192.0.127", 604857)}
	x, ok := first(list).(aap.Restored)
	if d := cmp.Diff(want, x.Space, sameMessage); !ok || x.From != serverAddr || d != "" {
		t.Errorf("%v: %s", list, d)
	}
	r.wants("restored", aap.Backup, 51, 69)
	r.lead()
	if d := cmp.Diff(want, r.Space(), sameMessage); d != "" {
		t.Error(d)
	}
	r = newRig(t, 1, nil)
	if list := r.hear(serverAddr, resent); len(list) != 0 || r.State() != aap.Idle {
		t.Errorf("it took a space although not told to: %v", list)
	}
	r = newRig(t, 1, restore)
	r.announce(spaceE7[0])
	if list := r.hear(serverAddr, resent); len(list) != 0 || len(r.Space()) != 1 {
		t.Errorf("it gave up its own space: %v", list)
	}
}

// TestAnnounce: what Announce refuses (AAP-4.2.1.1-1, AAP-3.2.10.1-16, AAP-D-42)
// and what Retract does.
func TestAnnounce(t *testing.T) {
	r := newRig(t, 1, nil)
	r.announce(spaceE7...)
	r.lead()
	due, _ := r.Deadline()
	many := make([]aap.TimedRange, 256)
	for i := range many {
		many[i] = aap.TimedRange{Range: scope.Single(netip.AddrFrom4([4]byte{232, 1, byte(i), 0})), End: at(86400)}
	}
	for _, c := range []struct {
		id    string
		space []aap.TimedRange
		err   error
	}{
		{"extended and grown", []aap.TimedRange{tr("233.252.0.0", "233.252.1.255", 90000), tr("234.192.0.0", "234.192.0.127", 604800)}, nil},
		{"AAP-4.2.1.1-1 removed", spaceE7[:1], aap.ErrInvalidating},
		{"AAP-3.2.10.1-16 shortened", []aap.TimedRange{tr("233.252.0.0", "233.252.0.255", 86300), spaceE7[1]}, aap.ErrInvalidating},
		{"AAP-3.2.10.1-3, AAP-4.2.1-3 of another scope", append(spaceE7[:2:2], tr("239.255.0.0", "239.255.0.1", 86400)), aap.ErrSpace},
		{"AAP-2.1.3-2 reaching into another scope", append(spaceE7[:2:2], tr("238.255.255.0", "239.0.0.1", 86400)), aap.ErrSpace},
		{"of another family", append(spaceE7[:2:2], tr("ff1e::1", "ff1e::1", 86400)), aap.ErrSpace},
		{"no range", append(spaceE7[:2:2], aap.TimedRange{End: at(5)}), aap.ErrSpace},
		{"after 2106", append(spaceE7[:2:2], tr("232.0.0.0", "232.0.0.0", 1<<32)), aap.ErrSpace},
		{"AAP-D-42 256 ranges", append(spaceE7[:2:2], many...), aap.ErrSpace},
	} {
		before := r.Space()
		if err := r.Announce(r.now, c.space); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.id, err, c.err)
		}
		if c.err != nil && !cmp.Equal(before, r.Space(), sameMessage) {
			t.Errorf("%s: refused, but changed to %v", c.id, r.Space())
		}
		if now, _ := r.Deadline(); now != due {
			t.Errorf("%s: moved the timer", c.id)
		}
		if c.err == nil {
			r.Retract(r.now, spaceE7)
		}
	}
	if err := r.Announce(r.now, append(spaceE7[:2:2], many[:253]...)); err != nil {
		t.Errorf("255 ranges: %v", err)
	}
	lost, err := r.Retract(r.now, spaceE7[:1])
	if err != nil || len(lost) != 254 {
		t.Errorf("took back %d ranges, %v", len(lost), err)
	}
	if _, err := r.Retract(r.now, many); !errors.Is(err, aap.ErrSpace) {
		t.Error(err)
	}
	_, list := r.next()
	if d := cmp.Diff(spaceE7[:1], r.sent(list).Ranges, sameMessage); d != "" {
		t.Error(d)
	}
	r = newRig(t, 1, nil)
	r.announce(aap.TimedRange{Range: spaceE7[0].Range, End: at(500).Add(999 * time.Millisecond)})
	r.lead() // AAP-D-59: ends are floored
	if d := cmp.Diff([]aap.TimedRange{tr("233.252.0.0", "233.252.0.255", 500)}, r.Space(), sameMessage); d != "" {
		t.Error(d)
	}
}

// TestCoordinatorConfig: what NewCoordinator refuses.
func TestCoordinatorConfig(t *testing.T) {
	for name, change := range map[string]func(*aap.CoordinatorConfig){
		"no scope":        func(c *aap.CoordinatorConfig) { c.Scope = scope.Range{} },
		"unicast":         func(c *aap.CoordinatorConfig) { c.Scope = scope.MustRange("10.0.0.0", "224.0.0.0") },
		"no group":        func(c *aap.CoordinatorConfig) { c.Group = netip.Addr{} },
		"group of IPv6":   func(c *aap.CoordinatorConfig) { c.Group = netip.MustParseAddr("ff16::fd00:b3e") },
		"no randomness":   func(c *aap.CoordinatorConfig) { c.Rand = nil },
		"policy":          func(c *aap.CoordinatorConfig) { c.Authentication = 9 },
		"negative skew":   func(c *aap.CoordinatorConfig) { c.MaxSkew = -1 },
		"haste":           func(c *aap.CoordinatorConfig) { c.Haste = 1.1 },
		"negative haste":  func(c *aap.CoordinatorConfig) { c.Haste = -1 },
		"negative time":   func(c *aap.CoordinatorConfig) { c.Timing.ASAInterval = -1 },
		"no validity":     func(c *aap.CoordinatorConfig) { c.Timing.ASAValidity = 1 },
		"endless waiting": func(c *aap.CoordinatorConfig) { c.Timing.StartupWait = 1 << 62 },
	} {
		cfg := aap.CoordinatorConfig{Scope: global4, Group: groupOf4, Rand: rand.New(rand.NewPCG(1, 1))}
		change(&cfg)
		if _, err := aap.NewCoordinator(cfg); !errors.Is(err, aap.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// sameEffect compares effects, which hold addresses.
var sameEffect = cmp.Options{sameMessage, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})}
