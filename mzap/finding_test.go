// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/scope"
)

func names(t *testing.T, list ...scope.Name) scope.Names {
	t.Helper()
	n, err := scope.NewNames(list...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// zoneOf is what a router knows about the zone of a worked ZAM.
func zoneOf(t *testing.T) mzap.Zone {
	return mzap.Zone{
		Scope: scope.Scope{
			Range: scope.MustRange("239.192.0.0", "239.195.255.255"), Divisible: true,
			Names: names(t, scope.Name{Tag: "EN", Text: "Example Corp"}, scope.Name{Tag: "de", Text: "Beispiel AG"}),
		},
		ZoneID: addr("192.0.2.17"),
	}
}

func TestFindLeaks(t *testing.T) {
	now := time.Date(2000, 2, 1, 0, 0, 0, 0, time.UTC)
	zam, zle, z := &worked[1].msg, &worked[2].msg, zoneOf(t)
	other := z
	other.ZoneID = addr("192.0.2.18")
	own := func(a netip.Addr) bool { return a == zle.Origin }
	if f, ok := mzap.FindLeakyBoundary(zam, z, true); !ok || f.Kind != mzap.LeakyBoundary || len(f.Path) != 2 || f.Origin != zam.Origin || f.LocalZone != zam.LocalZone {
		t.Errorf("MZAP-4.2-1 MZAP-6.3-3: own zone ID from outside: %v %v", f, ok)
	}
	if _, ok := mzap.FindLeakyBoundary(zam, z, false); ok {
		t.Error("MZAP-4.2-1: from inside is no leak")
	}
	if _, ok := mzap.FindLeakyBoundary(zam, other, true); ok {
		t.Error("MZAP-4.2-1: another zone's ZAM is no leak")
	}
	if f, ok := mzap.FindLimitExceeded(zle, mzap.Zone{}, own); !ok || f.Kind != mzap.LimitExceeded || f.Message != mzap.ZLE {
		t.Errorf("MZAP-4.2-2 MZAP-6.5-2: a ZLE of ours: %v %v", f, ok)
	}
	if _, ok := mzap.FindLimitExceeded(zle, mzap.Zone{}, func(netip.Addr) bool { return false }); ok {
		t.Error("MZAP-6.5-2: somebody else's ZLE")
	}
	for _, c := range []struct {
		name  string
		zone  mzap.Zone
		after time.Duration
		want  bool
	}{
		{"MZAP-4.3-2 not persistent yet", other, 1859 * time.Second, false},
		{"MZAP-4.3-1 MZAP-A-16 persistent", other, 1860 * time.Second, true},
		{"MZAP-4.3-1 same zone ID", z, 9999 * time.Second, false},
	} {
		f, ok := mzap.FindLeakyLocalScope(zam, c.zone, now, now.Add(c.after), 1860*time.Second)
		if ok != c.want || ok && (f.ZoneID != zam.ZoneID || f.OwnZoneID != other.ZoneID || f.Since != now) {
			t.Errorf("%s: %v %v", c.name, f, ok)
		}
	}
}

func TestFindNonConvex(t *testing.T) {
	now := time.Date(2000, 2, 1, 0, 0, 0, 0, time.UTC)
	zcm, listed := &worked[3].msg, addr("198.51.100.77")
	z := mzap.Zone{Scope: scope.Scope{Range: zcm.Range}}
	if f, ok := mzap.FindNonConvexRoute(zcm, z, listed, true); !ok || f.Router != listed || f.Origin != zcm.Origin {
		t.Errorf("MZAP-4.1-1: %v %v", f, ok)
	}
	if _, ok := mzap.FindNonConvexRoute(zcm, z, listed, false); ok {
		t.Error("MZAP-4.1-1: a route inside")
	}
	if _, ok := mzap.FindNonConvexSilence(zcm, z, listed, now, now.Add(1859*time.Second), 1860*time.Second); ok {
		t.Error("MZAP-4.1-2: silent for too short a time")
	}
	if f, ok := mzap.FindNonConvexSilence(zcm, z, listed, now, now.Add(1860*time.Second), 1860*time.Second); !ok || f.Router != listed || f.Since != now {
		t.Errorf("MZAP-4.1-2: %v %v", f, ok)
	}
}

func TestFindRangeConflict(t *testing.T) {
	z := zoneOf(t)
	for _, c := range []struct {
		name, first, last string
		want              bool
	}{
		{"MZAP-4.4-1 overlaps below", "239.191.0.0", "239.192.0.0", true},
		{"MZAP-4.4-1 inside", "239.193.0.0", "239.193.255.255", true},
		{"MZAP-4.4-1 around", "239.0.0.0", "239.255.255.255", true},
		{"MZAP-A-22 same start, other end", "239.192.0.0", "239.192.255.255", true},
		{"MZAP-4.4-1 identical", "239.192.0.0", "239.195.255.255", false},
		{"MZAP-1-2 touching", "239.196.0.0", "239.196.255.255", false},
		{"MZAP-4.4-1 other family", "ff05::", "ff05::ffff", false},
	} {
		m := worked[0].msg
		m.Range = scope.MustRange(c.first, c.last)
		f, ok := mzap.FindRangeConflict(&m, z)
		if ok != c.want || ok && (f.Announced != m.Range || f.Scope != z.Scope.Range || f.Kind != mzap.RangeConflict) {
			t.Errorf("%s: %v %v", c.name, f, ok)
		}
	}
}

// TestFindNameConflicts: MZAP-4.4-2, MZAP-6.3-7, MZAP-A-14, MZAP-A-13, MZAP-1-1.
func TestFindNameConflicts(t *testing.T) {
	z := zoneOf(t)
	name := func(tag, text string) mzap.Name { return mzap.Name{Tag: []byte(tag), Text: []byte(text)} }
	for _, c := range []struct {
		name  string
		names []mzap.Name
		want  []string // languages
	}{
		{"same", []mzap.Name{name("en", "Example Corp")}, nil},
		{"tags without regard to case", []mzap.Name{name("eN", "Other")}, []string{"EN"}},
		{"two at once", []mzap.Name{name("de", "x"), name("en", "y")}, []string{"de", "EN"}},
		{"MZAP-A-14 white space at the ends", []mzap.Name{name("en", "\u00a0 Example Corp\u2003\n")}, nil},
		{"MZAP-A-14 white space inside", []mzap.Name{name("en", "Example  Corp")}, []string{"EN"}},
		{"MZAP-A-14 no case folding", []mzap.Name{name("en", "example corp")}, []string{"EN"}},
		{"MZAP-A-14 no normalisation", []mzap.Name{name("de", "Beispiel A\u0047")}, nil},
		{"language on one side only", []mzap.Name{name("fr", "Exemple")}, nil},
		{"MZAP-1-1 no names at all", nil, nil},
		{"MZAP-A-13 the first one counts", []mzap.Name{name("en", "Example Corp"), name("en", "Other")}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := worked[0].msg
			m.Names = c.names
			var got []string
			for f := range mzap.FindNameConflicts(&m, z) {
				got = append(got, f.Tag)
				if f.Kind != mzap.NameConflict || f.Name == "" || f.OwnName == "" {
					t.Errorf("%+v", f)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("conflicts in %q, want %q", got, c.want)
			}
		})
	}
}

// TestFindingText: every kind tells its evidence. MZAP-4-1.
func TestFindingText(t *testing.T) {
	f := mzap.Finding{
		Message: mzap.ZAM, Scope: scope.MustRange("239.1.0.0", "239.1.0.255"), Announced: scope.MustRange("239.1.0.0", "239.2.0.255"),
		Origin: addr("192.0.2.1"), Router: addr("192.0.2.2"), ZoneID: addr("192.0.2.3"), OwnZoneID: addr("192.0.2.4"),
		Interface: 7, Path: []mzap.Hop{{Router: addr("192.0.2.5")}}, Tag: "en", Name: "theirs", OwnName: "ours",
	}
	for kind, parts := range map[mzap.FindingKind][]string{
		mzap.LeakyBoundary:    {"leaky boundary", "interface 7", "192.0.2.1", "path ? > 192.0.2.5 > ?"},
		mzap.LimitExceeded:    {"crossed 1 local zones"},
		mzap.LeakyLocalScope:  {"192.0.2.3", "192.0.2.4"},
		mzap.NonConvexRoute:   {"192.0.2.2"},
		mzap.NonConvexSilence: {"192.0.2.2"},
		mzap.RangeConflict:    {"239.2.0.255"},
		mzap.NameConflict:     {`"theirs"`, `"ours"`, `"en"`},
	} {
		f.Kind = kind
		for _, p := range parts {
			if !strings.Contains(f.String(), p) {
				t.Errorf("%q does not tell %q", f.String(), p)
			}
		}
	}
	if got := mzap.FindingKind(99).String(); got != "FindingKind(99)" {
		t.Errorf("unknown kind: %q", got)
	}
}
