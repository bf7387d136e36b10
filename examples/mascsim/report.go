// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/mcastalloc/malloc/masc"
)

// sample is the state at the end of a day.
type sample struct {
	used, claimed, pool float64 // addresses in blocks, in the hands of children, of top-level domains
	table               int     // prefixes of top-level domains, joined where they fit
	childPrefixes       int
	tldPrefixes         int
	maxChild, maxTLD    int // prefixes of one domain
	waiting             int // users who wait
	claims, collisions  uint64
	waited              time.Duration // by all users served so far
	served              int
}

// held returns the routes of a domain without those that another one covers,
// and joined where two are halves of one.
func held(now time.Time, n *masc.Node) (prefixes []masc.Prefix, joined int) {
	list := n.Allotments(now)
	for i, a := range list {
		covered := false
		for j, b := range list {
			covered = covered || i != j && b.Route && b.Prefix.Covers(a.Prefix) && (a.Prefix != b.Prefix || j < i)
		}
		if a.Route && !covered {
			prefixes = append(prefixes, a.Prefix)
		}
	}
	return prefixes, join(prefixes)
}

// join returns how many prefixes remain when halves are put together.
func join(list []masc.Prefix) int {
	list = append([]masc.Prefix(nil), list...)
	for again := true; again; {
		again = false
		for i, p := range list {
			for j, q := range list[:i] {
				if d, ok := masc.Double(p, []masc.Prefix{masc.MustPrefix("224.0.0.0/4")}, nil); ok && p.Bits() == q.Bits() && d.Covers(q) {
					list[j] = d
					list = append(list[:i], list[i+1:]...)
					again = true
					break
				}
			}
			if again {
				break
			}
		}
	}
	return len(list)
}

func (s *simulation) sample() {
	now := epoch.Add(time.Duration(len(s.samples)+1) * day)
	var x sample
	for _, r := range s.regions {
		for i, h := range r.hosts {
			st := h.node.Stats()
			x.claims += st.Claimed
			x.collisions += st.Collisions
			list, joined := held(now, h.node)
			size := 0.0
			for _, p := range list {
				size += p.Size()
			}
			if i == 0 {
				x.pool += size
				x.table += joined
				x.tldPrefixes += len(list)
				x.maxTLD = max(x.maxTLD, len(list))
				continue
			}
			x.claimed += size
			x.childPrefixes += len(list)
			x.maxChild = max(x.maxChild, len(list))
			x.used += float64(len(h.maas.blocks) * s.p.block)
			x.waiting += len(h.maas.queue)
			x.waited += h.maas.waited
			x.served += h.maas.served
		}
	}
	s.samples = append(s.samples, x)
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// csv writes a line a day.
func (s *simulation) csv(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "day,used,children_claimed,tld_claimed,util_children,util_tld,util_total,global_table,"+
		"prefixes_per_child,max_prefixes_child,prefixes_per_tld,max_prefixes_tld,claims,collisions,waiting,mean_wait_hours")
	var before sample
	for d, x := range s.samples {
		wait := ratio((x.waited - before.waited).Hours(), float64(x.served-before.served))
		fmt.Fprintf(b, "%d,%.0f,%.0f,%.0f,%.4f,%.4f,%.4f,%d,%.3f,%d,%.3f,%d,%d,%d,%d,%.2f\n", d+1, x.used, x.claimed, x.pool,
			ratio(x.used, x.claimed), ratio(x.claimed, x.pool), ratio(x.used, x.pool), x.table,
			ratio(float64(x.childPrefixes), float64(s.p.tlds*s.p.children)), x.maxChild,
			ratio(float64(x.tldPrefixes), float64(s.p.tlds)), x.maxTLD,
			x.claims-before.claims, x.collisions-before.collisions, x.waiting, wait)
		before = x
	}
	return b.Flush()
}

// report prints the means over the second half of the run, when the start is
// forgotten.
func (s *simulation) report(w io.Writer) {
	half := s.samples[len(s.samples)/2:]
	mean := func(f func(sample) float64) float64 {
		sum := 0.0
		for _, x := range half {
			sum += f(x)
		}
		return sum / float64(len(half))
	}
	most := func(f func(sample) int) (n int) {
		for _, x := range half {
			n = max(n, f(x))
		}
		return n
	}
	children := float64(max(s.p.tlds*s.p.children, 1))
	last := s.samples[len(s.samples)-1]
	var worst time.Duration
	short := 0
	var clashes uint64
	for _, r := range s.regions {
		for _, h := range r.hosts {
			clashes += h.node.Stats().Clashes
			if h.maas != nil {
				worst = max(worst, h.maas.worst)
				short += h.maas.short
			}
		}
	}
	fmt.Fprintf(w, "%d top-level domains, %d children each, %d days, policy %s, seed %d; means of the last %d days\n",
		s.p.tlds, s.p.children, s.p.days, s.p.policy, s.p.seed, len(half))
	pct := func(f func(sample) float64) float64 { return 100 * mean(f) }
	fmt.Fprintf(w, "utilisation, children     %6.1f %%   addresses in blocks of what children hold\n", pct(func(x sample) float64 { return ratio(x.used, x.claimed) }))
	fmt.Fprintf(w, "utilisation, top level    %6.1f %%   what children hold of what top-level domains hold\n", pct(func(x sample) float64 { return ratio(x.claimed, x.pool) }))
	fmt.Fprintf(w, "utilisation, in all       %6.1f %%\n", pct(func(x sample) float64 { return ratio(x.used, x.pool) }))
	fmt.Fprintf(w, "of the pool               %6.1f %%   held by top-level domains\n", pct(func(x sample) float64 { return x.pool / s.p.pool.Size() }))
	fmt.Fprintf(w, "prefixes, global table    %6.1f     mean, %d at most\n", mean(func(x sample) float64 { return float64(x.table) }), most(func(x sample) int { return x.table }))
	fmt.Fprintf(w, "prefixes per child        %6.2f     mean, %d at most\n", mean(func(x sample) float64 { return float64(x.childPrefixes) / children }), most(func(x sample) int { return x.maxChild }))
	fmt.Fprintf(w, "prefixes per top level    %6.2f     mean, %d at most\n", mean(func(x sample) float64 { return float64(x.tldPrefixes) / float64(s.p.tlds) }), most(func(x sample) int { return x.maxTLD }))
	fmt.Fprintf(w, "claims                  %8d     of which %d collided; %d clashes\n", last.claims, last.collisions, clashes)
	fmt.Fprintf(w, "blocks handed out       %8d     after %.1f h in the mean, %.1f h at most; %d still wait, %d were cut short\n",
		last.served, ratio(last.waited.Hours(), float64(last.served)), worst.Hours(), last.waiting, short)
	h := half[0]
	fmt.Fprintf(w, "in these days           %8d     blocks, after %.1f h in the mean\n", last.served-h.served,
		ratio((last.waited-h.waited).Hours(), float64(last.served-h.served)))
}
