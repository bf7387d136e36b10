// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"pgregory.net/rapid"
)

// TestForwardZAMModel compares ForwardZAM with the rules of section 6.3 written
// down as they are read, on paths and links of few zones. MZAP-6.3-10,
// MZAP-6.3-11, MZAP-6.3-12, MZAP-6.3-14, MZAP-A-5, MZAP-A-6.
func TestForwardZAMModel(t *testing.T) {
	zone := rapid.SampledFrom([]string{"0", "L1", "L2", "L3", "L4"})
	rapid.Check(t, func(t *rapid.T) {
		path := zone.Draw(t, "zone 0")
		for range rapid.IntRange(0, 5).Draw(t, "hops") {
			path += " " + zone.Draw(t, "zone")
		}
		m := pathZAM(path, uint8(rapid.IntRange(0, 8).Draw(t, "limit")))
		at := mzap.Crossing{In: rapid.IntRange(1, 5).Draw(t, "in"), LocalZone: zoneID(rapid.SampledFrom([]string{"L1", "L2"}).Draw(t, "local zone"))}
		for i := 3; i <= 5; i++ {
			at.Links = append(at.Links, mzap.Link{Interface: i, Zone: zoneID(zone.Draw(t, "beyond")), Bounds: rapid.Bool().Draw(t, "bounds")})
		}
		got, want := described(mzap.ForwardZAM(m, at)), naiveForwardZAM(m, at)
		if got != want {
			t.Fatalf("path %s, limit %d, %+v: %q, want %q", path, m.Limit, at, got, want)
		}
	})
}

// naiveForwardZAM is the oracle: it works on a copy of the message.
func naiveForwardZAM(m *mzap.Message, at mzap.Crossing) string {
	m, said := m.Clone(), ""
	last := &m.LocalZone
	if len(m.Path) > 0 {
		last = &m.Path[len(m.Path)-1].LocalZone
	}
	boundary := false
	for _, l := range at.Links {
		boundary = boundary || l.Interface == at.In
	}
	if !boundary && !last.IsValid() {
		*last, said = at.LocalZone, " fill"
	}
	if m.Limit != 0 && len(m.Path)+1 >= int(m.Limit) {
		return "limit reached" + said
	}
	seen := map[netip.Addr]bool{m.LocalZone: true}
	for _, h := range m.Path {
		seen[h.LocalZone] = true
	}
	delete(seen, netip.Addr{})
	if !seen[at.LocalZone] {
		said += " own"
	}
	for _, l := range at.Links {
		if l.Interface != at.In && !l.Bounds && !seen[l.Zone] {
			said += fmt.Sprint(" ", l.Interface)
		}
	}
	return "forward" + said
}

// TestSelectListedModel: nobody left out has waited longer than anybody listed.
// MZAP-5.3-5, MZAP-A-27.
func TestSelectListedModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var candidates []mzap.Listed
		for i := range rapid.IntRange(0, 12).Draw(t, "routers") {
			c := mzap.Listed{Router: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})}
			if turn := rapid.IntRange(0, 3).Draw(t, "turn"); turn > 0 {
				c.Last = epoch.Add(time.Duration(turn) * time.Hour)
			}
			candidates = append(candidates, c)
		}
		room := rapid.IntRange(0, 14).Draw(t, "room")
		got := mzap.SelectListed(rapid.Permutation(candidates).Draw(t, "order"), room)
		if len(got) != min(room, len(candidates)) || !slices.IsSortedFunc(got, netip.Addr.Compare) {
			t.Fatalf("%v of %d for room %d", got, len(candidates), room)
		}
		for _, in := range candidates {
			for _, out := range candidates {
				better := cmp.Or(out.Last.Compare(in.Last), out.Router.Compare(in.Router)) < 0
				if better && slices.Contains(got, in.Router) && !slices.Contains(got, out.Router) {
					t.Fatalf("%v was taken before %v", in, out)
				}
			}
		}
	})
}
