// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/mcastalloc/malloc/masc"
)

// simulation is a network of regions.
type simulation struct {
	p       params
	regions []*region
	samples []sample
}

// newSimulation builds a network whose top-level domains form a ring with
// random chords.
func newSimulation(p params) (*simulation, error) {
	s := &simulation{p: p}
	rnd := rand.New(rand.NewPCG(p.seed, 2909))
	links := make([][]int, p.tlds)
	linked := map[[2]int]bool{}
	link := func(a, b int) {
		if a != b && !linked[[2]int{a, b}] {
			linked[[2]int{a, b}], linked[[2]int{b, a}] = true, true
			links[a] = append(links[a], b)
			links[b] = append(links[b], a)
		}
	}
	for i := range p.tlds {
		link(i, (i+1)%p.tlds)
		for range p.links/2 - 1 {
			link(i, rnd.IntN(p.tlds))
		}
	}
	for i := range p.tlds {
		back := make([]masc.PeerID, len(links[i]))
		for k, other := range links[i] {
			for j, x := range links[other] {
				if x == i {
					back[k] = masc.PeerID(p.children + j)
				}
			}
		}
		r, err := newRegion(&s.p, i, links[i], back)
		if err != nil {
			return nil, err
		}
		s.regions = append(s.regions, r)
	}
	s.exchange()
	return s, nil
}

// advance simulates until end: in steps no longer than a message travels, in
// which the regions cannot influence each other.
func (s *simulation) advance(end time.Time) {
	stop := end.UnixNano()
	workers := min(s.p.workers, len(s.regions))
	work := make([]chan int64, workers)
	var wg sync.WaitGroup
	for w := range workers {
		work[w] = make(chan int64)
		go func() {
			for until := range work[w] {
				for i := w; i < len(s.regions); i += workers {
					s.regions[i].run(until)
				}
				wg.Done()
			}
		}()
	}
	for {
		next := int64(1<<63 - 1)
		for _, r := range s.regions {
			at, _ := r.soonest()
			next = min(next, at)
		}
		if next >= stop {
			break
		}
		until := min(next+int64(s.p.latency), stop)
		wg.Add(workers)
		for _, c := range work {
			c <- until
		}
		wg.Wait()
		s.exchange()
	}
	for _, c := range work {
		close(c)
	}
}

// exchange hands over what the regions have sent each other, in a fixed order.
func (s *simulation) exchange() {
	for _, r := range s.regions {
		for _, m := range r.out {
			s.regions[m.region].queue.insert(m)
		}
		r.out = r.out[:0]
	}
}

// insert puts a message in its place: near the end.
func (f *fifo) insert(m message) {
	f.list = append(f.list, m)
	for i := len(f.list) - 1; i > f.first && f.list[i-1].at > m.at; i-- {
		f.list[i], f.list[i-1] = f.list[i-1], m
	}
}
