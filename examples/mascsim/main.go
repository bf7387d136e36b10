// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/mcastalloc/malloc/internal/plot"
	"github.com/mcastalloc/malloc/masc"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "mascsim:", err)
		os.Exit(1)
	}
}

// params are what a run depends on.
type params struct {
	tlds, children int
	days           int
	block          int           // addresses a user asks for
	life           time.Duration // of a block
	minGap, maxGap time.Duration // between two requests to one child
	prefixLife     time.Duration // of what children claim
	tldLife        time.Duration // of what top-level domains claim
	waiting        time.Duration
	reclaim        time.Duration
	latency        time.Duration
	pool           masc.Prefix
	policy         string
	links          int // sibling sessions of a top-level domain
	seed           uint64
	workers        int
}

const day = 24 * time.Hour

func run(args []string, out, progress io.Writer) error {
	var p params
	fs := flag.NewFlagSet("mascsim", flag.ContinueOnError)
	fs.SetOutput(progress)
	fs.IntVar(&p.tlds, "tlds", 50, "top-level domains")
	fs.IntVar(&p.children, "children", 50, "children of each")
	fs.IntVar(&p.days, "days", 800, "days to simulate")
	fs.IntVar(&p.block, "block", 256, "addresses in a block, a power of two")
	fs.DurationVar(&p.life, "life", 30*day, "life of a block")
	fs.DurationVar(&p.minGap, "min-gap", time.Hour, "least time between two requests to a child")
	fs.DurationVar(&p.maxGap, "max-gap", 95*time.Hour, "most time between two requests to a child")
	fs.DurationVar(&p.prefixLife, "prefix-life", 0, "life of what children claim; 0 leaves it to the policy")
	fs.DurationVar(&p.tldLife, "tld-life", 0, "life of what top-level domains claim; 0 leaves it to the policy")
	fs.DurationVar(&p.waiting, "waiting", masc.WaitingPeriod, "the waiting period")
	fs.DurationVar(&p.reclaim, "reclaim", 48*time.Hour, "time between two claims of a prefix")
	fs.DurationVar(&p.latency, "latency", time.Minute, "time a message takes from node to node")
	pool := fs.String("pool", "228.0.0.0/6", "the global pool")
	fs.StringVar(&p.policy, "policy", "packed", "how prefixes are chosen: packed, or sample (RFC 2909, appendix A)")
	fs.IntVar(&p.links, "links", 4, "sibling sessions that each top-level domain opens")
	fs.Uint64Var(&p.seed, "seed", 1, "seed of all randomness")
	fs.IntVar(&p.workers, "workers", runtime.GOMAXPROCS(0), "processors to use; the result does not depend on it")
	csv := fs.String("csv", "", "file for the figures of every day")
	svg := fs.String("svg", "", "file for a plot of them")
	quiet := fs.Bool("quiet", false, "no progress bar")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if err := p.check(*pool); err != nil {
		return err
	}
	p.setLives()
	debug.SetGCPercent(400) // there is little garbage, and much that stays
	began := time.Now()
	s, err := newSimulation(p)
	if err != nil {
		return err
	}
	for d := range p.days {
		s.advance(epoch.Add(time.Duration(d+1) * day))
		s.sample()
		if !*quiet && (d%10 == 9 || d == p.days-1) {
			bar(progress, d+1, p.days, time.Since(began))
		}
	}
	if !*quiet {
		fmt.Fprintln(progress)
	}
	s.report(out)
	if err := plot.File(*csv, s.csv); err != nil {
		return err
	}
	return plot.File(*svg, s.svg)
}

func (p *params) check(pool string) error {
	if p.tlds < 1 || p.children < 0 || p.days < 1 || p.block < 1 || p.block&(p.block-1) != 0 || p.minGap <= 0 || p.maxGap <= p.minGap ||
		p.latency <= 0 || p.workers < 1 || p.links < 1 {
		return fmt.Errorf("parameters out of range")
	}
	if p.policy != "sample" && p.policy != "packed" {
		return fmt.Errorf("policy %q: want sample or packed", p.policy)
	}
	var err error
	p.pool, err = parsePrefix(pool)
	return err
}

// bar draws how far the run is.
func bar(w io.Writer, done, all int, took time.Duration) {
	const width = 40
	n := done * width / all
	fmt.Fprintf(w, "\r[%s%s] day %d of %d, %v ", strings.Repeat("=", n), strings.Repeat(" ", width-n), done, all, took.Round(time.Second))
}
