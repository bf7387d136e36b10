// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/masc"
)

// maas stands for the address servers of a child domain and their users, who
// ask for blocks of addresses that live for a fixed time.
type maas struct {
	p      *params
	rnd    *rand.Rand
	next   int64   // when the next user comes or the next block ends, in ns
	user   int64   // when the next user comes
	blocks []block // by end
	queue  []int64 // when those came who still wait

	space  []masc.Allotment
	short  int // blocks whose addresses went before they did
	served int
	waited time.Duration // by those served
	worst  time.Duration
	now    time.Time
}

type block struct {
	prefix masc.Prefix
	end    int64
}

func newMAAS(p *params, rnd *rand.Rand) *maas {
	m := &maas{p: p, rnd: rnd}
	m.user = epoch.UnixNano() + m.gap()
	m.next = m.user
	return m
}

func (m *maas) gap() int64 {
	return int64(m.p.minGap) + m.rnd.Int64N(int64(m.p.maxGap-m.p.minGap)+1)
}

// advance lets users come and blocks end.
func (m *maas) advance(now time.Time, n *masc.Node) {
	t := now.UnixNano()
	if t < m.next {
		return
	}
	for len(m.blocks) > 0 && m.blocks[0].end <= t {
		m.blocks = m.blocks[1:]
	}
	for m.user <= t {
		m.queue = append(m.queue, m.user)
		m.user += m.gap()
	}
	m.settle(now, n)
}

// allotted takes note of what the domain may use now.
func (m *maas) allotted(now time.Time, n *masc.Node) {
	m.space = m.space[:0]
	for _, a := range n.Allotments(now) {
		if a.Use {
			m.space = append(m.space, a)
		}
	}
	slices.SortStableFunc(m.space, func(a, b masc.Allotment) int { return cmp.Compare(b.Prefix.Size(), a.Prefix.Size()) })
	for _, b := range m.blocks {
		if !slices.ContainsFunc(m.space, func(a masc.Allotment) bool { return a.Prefix.Covers(b.prefix) }) {
			m.short++
		}
	}
	if len(m.queue) > 0 {
		m.settle(now, n)
	}
}

// settle serves who waits, in order, and tells the node what is needed.
func (m *maas) settle(now time.Time, n *masc.Node) {
	for len(m.queue) > 0 {
		p, ok := m.place(now)
		if !ok {
			break
		}
		m.blocks = append(m.blocks, block{p, now.Add(m.p.life).UnixNano()})
		wait := now.Sub(time.Unix(0, m.queue[0]))
		m.waited += wait
		m.worst = max(m.worst, wait)
		m.served++
		m.queue = m.queue[1:]
	}
	m.next = m.user
	if len(m.blocks) > 0 {
		m.next = min(m.next, m.blocks[0].end)
	}
	size := float64(m.p.block)
	use := size * float64(len(m.blocks))
	coming := float64(m.p.waiting+masc.InitiateClaimDelay) / float64(m.p.minGap+m.p.maxGap) * 2
	m.now = now
	n.SetDemand(now, 0, masc.Demand{InUse: use, Want: use + size*(float64(len(m.queue))+coming), Block: size, Used: m.used})
}

// used counts the addresses of a prefix that are in use.
func (m *maas) used(p masc.Prefix) float64 {
	n := 0.0
	for i := range m.blocks {
		if common, ok := m.blocks[i].prefix.Meet(p); ok {
			n += common.Size()
		}
	}
	return n
}

// place finds room for a block in what lasts long enough: in the largest prefix
// that will be kept, so that small ones become empty, and there the first free
// place.
func (m *maas) place(now time.Time) (masc.Prefix, bool) {
	end := now.Add(m.p.life)
	length := 32
	for s := m.p.block; s > 1; s >>= 1 {
		length--
	}
	taken := make([]masc.Prefix, 0, len(m.blocks))
	for i := range m.blocks {
		taken = append(taken, m.blocks[i].prefix)
	}
	for _, deprecated := range []bool{false, true} {
		for _, a := range m.space {
			if a.Deprecated != deprecated || a.End.Before(end) {
				continue
			}
			for _, f := range masc.FreeBlocks(a.Prefix, taken) {
				if f.Bits() <= length {
					p, ok := masc.ReverseBitOrder(f, length, 0)
					return p, ok
				}
			}
		}
	}
	return masc.Prefix{}, false
}
