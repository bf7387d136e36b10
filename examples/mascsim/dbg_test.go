package main

import (
	"fmt"
	"testing"
	"time"
)

func TestDbg(t *testing.T) {
	p := params{tlds: 2, children: 10, days: 100, block: 256, life: 30 * day, minGap: time.Hour, maxGap: 95 * time.Hour, prefixLife: 35 * day, tldLife: 45 * day, waiting: 48 * time.Hour, reclaim: 48 * time.Hour, latency: time.Minute, policy: "sample", links: 4, seed: 1, workers: 1}
	p.pool, _ = parsePrefix("228.0.0.0/6")
	s, _ := newSimulation(p)
	for d := range p.days {
		now := epoch.Add(time.Duration(d+1) * day)
		s.advance(now)
		if d < 60 && d%4 != 0 {
			continue
		}
		for _, i := range []int{0, 3} {
			h := s.regions[0].hosts[i]
			out := fmt.Sprint(d, " ", i, " ")
			if i > 0 {
				out += fmt.Sprint(len(h.maas.blocks), " ")
			}
			for _, a := range h.node.Allotments(now) {
				if a.Route {
					out += fmt.Sprint(a.Prefix, " ", int(a.End.Sub(now)/day))
					if a.Deprecated {
						out += "d"
					}
					out += "; "
				}
			}
			t.Log(out)
		}
	}
}
