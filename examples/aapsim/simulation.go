// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/aap/aaptest"
	"github.com/mcastalloc/malloc/scope"
)

// result is what came of a number of servers.
type result struct {
	servers    int
	seconds    float64
	asked      int
	granted    int
	failed     int
	collisions uint64
	doubles    int             // conflicts: an address that two servers had
	delays     []time.Duration // of those granted, ascending
	sent       [6]float64      // datagrams a second, by type
	used       float64         // mean share of the scope that is allocated
	reserved   float64         // mean share that is preallocated
}

// start is when all servers have listened for long enough.
const start = 200 * time.Second

var epoch = time.Date(2000, 6, 14, 16, 0, 0, 0, time.UTC)

// simulation is a domain and its users.
type simulation struct {
	p      params
	net    *aaptest.Network
	rng    *rand.Rand
	result result
	asked  map[aap.Token]time.Time
	next   aap.Token
}

// simulate runs n servers; it reports how many percent are done.
func simulate(p params, n int, progress func(int)) (result, error) {
	s := &simulation{
		p: p, net: aaptest.NewNetwork(p.seed, epoch), rng: rand.New(rand.NewPCG(p.seed, uint64(n))),
		result: result{servers: n, seconds: p.duration.Seconds()}, asked: map[aap.Token]time.Time{},
	}
	s.net.Faults = aaptest.Faults{Jitter: p.delay, Loss: p.loss}
	for range n {
		x := s.net.AddServer(config(p), 0)
		x.Notify = s.notify
		s.waitAndAsk(x)
	}
	s.net.Run(epoch.Add(start))
	before := s.net.Transmitted
	const steps = 50
	for i := range steps {
		s.net.Run(epoch.Add(start + p.duration*time.Duration(i+1)/steps))
		s.measure(steps)
		progress(100 * (i + 1) / steps)
	}
	r := &s.result
	for t, sent := range s.net.Transmitted {
		r.sent[t] = float64(sent-before[t]) / r.seconds
	}
	for _, x := range s.net.Nodes() {
		r.collisions += x.Server().Stats().Collisions
	}
	slices.Sort(r.delays)
	if v := s.net.Violations(); len(v) > 0 {
		return *r, fmt.Errorf("%d servers: %s", n, v[0])
	}
	return *r, nil
}

// config returns a server of a scope in which so many addresses can be allocated.
func config(p params) aap.MAASConfig {
	local := scope.IPv4Local().Range
	group, _ := aap.Group(local)
	first, _ := local.At(scope.U128(uint64(p.space)))
	rest, _ := scope.NewRange(first, local.Last())
	exclude, _ := scope.SetOf(rest)
	c := aap.MAASConfig{Scope: local, Group: group, Exclude: exclude, Pool: max(p.pool, 0)}
	if p.pool < 0 {
		c.MaxPool = -1
	}
	return c
}

// rate is the demand at a time: from a tenth of the mean at the start up to
// nearly twice as much in the middle, and down again.
func (s *simulation) rate(t time.Duration) float64 {
	return 1 - 0.9*math.Cos(2*math.Pi*t.Seconds()/s.p.duration.Seconds())
}

// waitAndAsk has the users of a server ask time and again.
func (s *simulation) waitAndAsk(x *aaptest.Node) {
	at := start
	var ask func()
	wait := func() {
		// Of requests at the highest rate those are left out that are too many now.
		for {
			at += time.Duration(s.rng.ExpFloat64() * float64(s.p.gap) / 1.9)
			if at >= start+s.p.duration {
				return
			}
			if s.rng.Float64()*1.9 < s.rate(at-start) {
				s.net.At(epoch.Add(at), ask)
				return
			}
		}
	}
	ask = func() {
		s.ask(x)
		wait()
	}
	wait()
}

func (s *simulation) ask(x *aaptest.Node) {
	s.next++
	life := time.Duration((0.5 + s.rng.Float64()) * float64(s.p.life))
	w := aap.Want{Token: s.next, Count: uint32(1 + s.rng.IntN(s.p.count)), End: x.Now().Add(life)}
	s.asked[w.Token] = s.net.Now()
	s.result.asked++
	x.Do(func(now time.Time) {
		if err := x.Server().Allocate(now, w); err != nil {
			s.result.failed++
		}
	})
}

func (s *simulation) notify(e aap.Effect) {
	switch e := e.(type) {
	case aap.Granted:
		s.result.granted++
		s.result.delays = append(s.result.delays, s.net.Now().Sub(s.asked[e.Token]))
	case aap.Failed:
		s.result.failed++
	case aap.Lost:
		s.result.doubles++
	}
}

// measure adds the present use of the scope to its mean over so many steps.
func (s *simulation) measure(steps int) {
	var used, reserved uint64
	for _, x := range s.net.Nodes() {
		n, _ := x.Holds().Size().Uint64()
		used += n
	}
	if nodes := s.net.Nodes(); len(nodes) > 0 {
		// What one server neither has nor may claim is allocated or preallocated.
		m := nodes[0].Server()
		free, _ := m.Free(s.net.Now()).Uint64()
		if all := uint64(s.p.space); free+used < all {
			reserved = all - free - used
		}
	}
	s.result.used += float64(used) / float64(s.p.space) / float64(steps)
	s.result.reserved += float64(reserved) / float64(s.p.space) / float64(steps)
}

// percentile returns the delay that so many percent do not exceed.
func (r *result) percentile(p float64) time.Duration {
	if len(r.delays) == 0 {
		return 0
	}
	return r.delays[min(int(p/100*float64(len(r.delays))), len(r.delays)-1)]
}

// announcements returns the datagrams a second of all types.
func (r *result) announcements() (sum float64) {
	for _, x := range r.sent {
		sum += x
	}
	return sum
}
