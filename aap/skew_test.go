// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/aap/aaptest"
	"pgregory.net/rapid"
)

// TestSkew: the receiver's clock minus the sender's is added (AAP-5.3.1-1,
// AAP-5.3.1-3, AAP-5.3.1-4, AAP-D-10), in whole seconds, within 1970 to 2106.
func TestSkew(t *testing.T) {
	sec := func(s int64) time.Time { return time.Unix(s, 0) }
	for _, c := range []struct {
		name                     string
		now                      time.Time
		current, end, want, skew int64
	}{
		{"sender 40 s fast, 1 s in transit", sec(961), 1000, 1600, 1561, -39},
		{"sender slow", sec(5000), 1000, 1600, 5600, 4000},
		{"seconds are floored", time.Unix(961, 999999999), 1000, 1600, 1561, -39},
		{"no skew", sec(1000), 1000, 0, 0, 0},
		{"not before 1970", sec(100), 1000, 500, 0, -900},
		{"not after 2106", sec(math.MaxUint32), 0, 10, math.MaxUint32, math.MaxUint32},
		{"the widest skew", sec(0), math.MaxUint32, math.MaxUint32, 0, -math.MaxUint32},
	} {
		skew := aap.Skew(c.now, sec(c.current))
		if got := aap.Shift(sec(c.end), skew); got.Unix() != c.want || skew != time.Duration(c.skew)*time.Second {
			t.Errorf("%s: %v by %v, want %v by %v", c.name, got.Unix(), skew, c.want, c.skew)
		}
	}
}

// TestLocalize: every time of every type is moved (AAP-5.3.1-4), and relaying a
// message keeps the distance of its ends from now.
func TestLocalize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := aaptest.Message().Draw(t, "message")
		now := time.Unix(rapid.Int64Range(0, math.MaxUint32).Draw(t, "now"), 5)
		was := m.Clone()
		skew := m.Localize(now)
		check := func(name string, before, after time.Time) {
			want := max(0, min(math.MaxUint32, before.Unix()-was.CurrentTime.Unix()+now.Unix()))
			if after.Unix() != want {
				t.Fatalf("%s: %d became %d, want %d", name, before.Unix(), after.Unix(), want)
			}
		}
		check("current-time", was.CurrentTime, m.CurrentTime)
		if m.Type == aap.ASA {
			check("expiration-time", was.Expiration, m.Expiration)
		}
		for i := range m.Ranges {
			check("end-time", was.Ranges[i].End, m.Ranges[i].End)
		}
		for i := range m.Requests {
			check("end-time-requested", was.Requests[i].End, m.Requests[i].End)
		}
		if m.Type == aap.ANA {
			check("needed until", was.Need.End, m.Need.End)
		}
		if again := m.Localize(now); again != 0 || skew != aap.Skew(now, was.CurrentTime) {
			t.Fatalf("skew %v, then %v", skew, again)
		}
		if _, err := m.MarshalBinary(); err != nil {
			t.Fatal(err)
		}
	})
	m := worked[7].msg.Clone()
	m.Localize(at(1143))
	want := worked[7].msg.Clone()
	want.CurrentTime, want.Expiration = at(1143), at(1120)
	want.Ranges[0].End, want.Ranges[1].End = at(87400), at(605800)
	if d := cmp.Diff(want, m, sameMessage); d != "" {
		t.Error(d)
	}
}
