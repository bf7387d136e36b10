// SPDX-License-Identifier: BSD-3-Clause

package mzaptest_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/mzap/mzaptest"
)

// transcript runs a world for some hours and writes down all that is sent and
// found.
func transcript(t *testing.T, seed uint64) string {
	t.Helper()
	w := mzaptest.NewWorld(seed, 6, 4, false)
	w.Loss, w.Duplication = 0.1, 0.1
	var out bytes.Buffer
	w.Trace = func(from *mzaptest.Router, s mzap.Send) {
		fmt.Fprintln(&out, w.Now(), from.Name, s.Source, s.Group, s.Interfaces, s.Packet)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	w.Run(3 * time.Hour)
	fmt.Fprintln(&out, w.Findings)
	return out.String()
}

// TestSameSeedSameRun: the same seed gives the same run, octet for octet.
func TestSameSeedSameRun(t *testing.T) {
	for seed := range uint64(5) {
		first := transcript(t, seed)
		if len(first) < 1000 {
			t.Errorf("seed %d: hardly anything happened", seed)
		}
		if transcript(t, seed) != first {
			t.Errorf("seed %d: two runs differ", seed)
		}
		if transcript(t, seed+100) == first {
			t.Errorf("seeds %d and %d give the same run", seed, seed+100)
		}
	}
}

// TestInject: a forged announcement spreads from a host's link as far as routing
// and relaying carry it, and Drop and Down stop it.
func TestInject(t *testing.T) {
	m := mzap.Message{
		Type: mzap.ZAM, Range: mzaptest.ScopeOf("Forged", "239.77.0.0", "239.77.255.255").Range, HoldTime: time.Hour,
	}
	for _, c := range []struct {
		name  string
		setup func(*mzaptest.Network)
		heard int
	}{
		{"free way", func(n *mzaptest.Network) {}, 3},
		{"dropped", func(n *mzaptest.Network) {
			n.Drop = func(to string, on *mzaptest.Link, m *mzap.Message) bool { return true }
		}, 0},
		{"routers down", func(n *mzaptest.Network) {
			for _, r := range n.Routers() {
				r.Down = true
			}
		}, 1},
	} {
		n := mzaptest.Figure2(1)
		c.setup(n)
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		m.Origin = n.Routers()[1].Addr(n.Hosts()[0].Link)
		m.ZoneID = m.Origin
		packet, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		n.Inject(n.Hosts()[0].Link, mzap.LocalGroup(true), packet)
		n.Run(time.Second)
		heard := 0
		for _, h := range n.Hosts() {
			heard += len(h.Listener.Discovered(n.Now()))
		}
		if heard != c.heard {
			t.Errorf("%s: %d hosts heard it, want %d", c.name, heard, c.heard)
		}
	}
}
