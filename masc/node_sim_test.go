// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/masc/masctest"
)

// seeds returns how many seeds a simulation runs: MALLOC_SEEDS, or few.
func seeds(t *testing.T, few int) int {
	if n, err := strconv.Atoi(os.Getenv("MALLOC_SEEDS")); err == nil {
		return n
	}
	if testing.Short() {
		return min(few, 3)
	}
	return few
}

const day = 24 * time.Hour

// internet is a random network of top-level domains and children, with
// demands.
type internet struct {
	*masctest.Network
	tops, children []*masctest.Host
}

func newInternet(seed uint64, change func(*masc.SpeakerConfig)) *internet {
	w := &internet{Network: masctest.NewNetwork(seed)}
	w.Check = w.Overlap
	r := w.Rand()
	small := func(c *masc.SpeakerConfig) {
		// A small pool, so that domains get into each other's way.
		top := c.Node.Domain.Compare(masc.NumberID(100)) < 0
		c.Node.Spaces = []masc.Space{{Prefix: masc.MustPrefix("228.0.0.0/18"), TopLevel: top}}
		if change != nil {
			change(c)
		}
	}
	for i := range 2 + r.IntN(2) {
		h := w.Host(uint64(i+1), small)
		for _, other := range w.tops {
			if len(w.tops) == 1 || r.IntN(3) > 0 || other == w.tops[len(w.tops)-1] {
				w.Siblings(h, other, masc.ID{})
			}
		}
		w.tops = append(w.tops, h)
	}
	for i, top := range w.tops {
		if r.IntN(3) == 0 {
			w.Peer(w.Host(uint64(i+1), small), top, masc.Internal)
		}
		first := len(w.children)
		for j := range r.IntN(4) {
			h := w.Host(uint64(100*(i+1)+j), small)
			w.Peer(h, top, masc.Child)
			if siblings := w.children[first:]; len(siblings) > 0 && r.IntN(2) == 0 {
				w.Siblings(h, siblings[0], top.Config.Node.Domain)
			}
			w.children = append(w.children, h)
		}
	}
	return w
}

// want gives a random domain a new demand.
func (w *internet) want() {
	r := w.Rand()
	hosts := append(append([]*masctest.Host(nil), w.tops...), w.children...)
	h := hosts[r.IntN(len(hosts))]
	n := float64(int(1) << r.IntN(11))
	h.SetDemand(masc.Demand{InUse: n * r.Float64(), Want: n})
}

// split returns a random part of the hosts.
func (w *internet) split() []*masctest.Host {
	var part []*masctest.Host
	for _, h := range w.Hosts() {
		if w.Rand().IntN(2) == 0 {
			part = append(part, h)
		}
	}
	return part
}

// TestShortPartitions holds that no two domains ever have the same addresses
// while partitions are shorter than the waiting period: MASC-3-1, MASC-5.1-12,
// MASC-12.4-2, MASC-12.4-3, MASC-D-43, MASC-D-68. MALLOC_SEEDS sets the number
// of seeds.
func TestShortPartitions(t *testing.T) {
	var total masc.NodeStats
	for seed := range seeds(t, 12) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			w := newInternet(uint64(seed), nil)
			if err := w.Start(); err != nil {
				t.Fatal(err)
			}
			r := w.Rand()
			step := func(d time.Duration) {
				if err := w.Run(d); err != nil {
					t.Fatal(err)
				}
			}
			step(time.Hour)
			for range 12 {
				w.want()
				step(time.Duration(r.Int64N(int64(3 * day))))
				w.want()
				switch r.IntN(3) {
				case 0:
					w.Partition(r.IntN(2) == 0, w.split())
					w.want()
					step(time.Duration(r.Int64N(int64(20 * time.Hour))))
					w.want()
					step(time.Duration(r.Int64N(int64(20 * time.Hour))))
					w.Heal()
				case 1:
					h := w.Hosts()[r.IntN(len(w.Hosts()))]
					h.Crash(r.IntN(2) == 0)
					step(time.Duration(r.Int64N(int64(30 * time.Hour))))
					if err := h.Restart(); err != nil {
						t.Fatal(err)
					}
				}
				step(12 * time.Hour) // sessions are back and have told everything
			}
			for _, h := range w.Hosts() {
				s := h.Node().Stats()
				total.Allocated += s.Allocated
				total.Collisions += s.Collisions
				total.Clashes += s.Clashes
				total.Rejected += s.Rejected
				total.Received += s.Received
			}
		})
	}
	t.Logf("%+v", total)
	if total.Allocated == 0 {
		t.Error("nothing was allocated")
	}
}

// TestLongPartitions holds that what overlaps after a partition longer than the
// waiting period is found and resolved when it is over: MASC-12.4-1,
// MASC-12.4-4, MASC-12.4-6, MASC-12.4-8, MASC-11.2.2-3. MALLOC_SEEDS sets the
// number of seeds.
func TestLongPartitions(t *testing.T) {
	var total masc.NodeStats
	for seed := range seeds(t, 6) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			w := newInternet(uint64(seed), func(c *masc.SpeakerConfig) {
				c.Node.Spaces[0].Prefix = masc.MustPrefix("228.0.0.0/20")
			})
			w.Check = nil
			if err := w.Start(); err != nil {
				t.Fatal(err)
			}
			r := w.Rand()
			step := func(d time.Duration) {
				if err := w.Run(d); err != nil {
					t.Fatal(err)
				}
			}
			step(time.Hour)
			for round := range 4 {
				for range 3 {
					w.want()
					step(time.Duration(r.Int64N(int64(2 * day))))
				}
				w.Partition(r.IntN(2) == 0, w.split())
				for range 3 {
					w.want()
					step(time.Duration(r.Int64N(int64(4 * day))))
				}
				w.Heal()
				step(12 * time.Hour)
				if err := w.Ambiguous(); err != nil {
					t.Fatal("round", round, w.Now(), err)
				}
			}
			for _, h := range w.Hosts() {
				s := h.Node().Stats()
				total.Allocated += s.Allocated
				total.Collisions += s.Collisions
				total.Clashes += s.Clashes
				total.Rejected += s.Rejected
			}
		})
	}
	t.Logf("%+v", total)
	if total.Clashes == 0 {
		t.Error("nothing clashed")
	}
}
