// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/mcastalloc/malloc/internal/plot"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "aapsim:", err)
		os.Exit(1)
	}
}

// params are what a run depends on.
type params struct {
	servers  []int
	duration time.Duration // in which users ask, after the start
	gap      time.Duration // mean time between two requests to a server
	life     time.Duration // of an allocation, in the mean
	count    int           // addresses asked for, at most
	space    int           // addresses of the scope
	pool     int           // addresses kept preallocated by each server; -1: none
	loss     float64
	delay    time.Duration
	seed     uint64
}

func run(args []string, out, progress io.Writer) error {
	var p params
	fs := flag.NewFlagSet("aapsim", flag.ContinueOnError)
	fs.SetOutput(progress)
	servers := fs.String("servers", "2,5,10,20,50,100,200", "numbers of servers, ascending")
	fs.DurationVar(&p.duration, "duration", 10*time.Minute, "how long users ask, in virtual time")
	fs.DurationVar(&p.gap, "gap", 8*time.Minute, "mean time between two requests to one server")
	fs.DurationVar(&p.life, "life", 10*time.Minute, "mean life of an allocation")
	fs.IntVar(&p.count, "count", 4, "most addresses of a request")
	fs.IntVar(&p.space, "space", 1024, "addresses of the scope, at most 65280")
	fs.IntVar(&p.pool, "pool", 4, "least number of addresses that each server keeps preallocated; -1: it never does")
	fs.Float64Var(&p.loss, "loss", 0.01, "share of datagrams lost, for each receiver")
	fs.DurationVar(&p.delay, "delay", 50*time.Millisecond, "longest delay of a datagram")
	fs.Uint64Var(&p.seed, "seed", 1, "seed of all randomness")
	csv := fs.String("csv", "", "file for the figures")
	svg := fs.String("svg", "", "file for a plot of them")
	quiet := fs.Bool("quiet", false, "no progress")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if err := p.check(*servers); err != nil {
		return err
	}
	if *quiet {
		progress = io.Discard
	}
	debug.SetGCPercent(400) // there is little garbage, and much that stays
	var results []result
	for _, n := range p.servers {
		began := time.Now()
		r, err := simulate(p, n, func(done int) { fmt.Fprintf(progress, "\r%d servers: %d %% ", n, done) })
		if err != nil {
			return err
		}
		fmt.Fprintf(progress, "in %v \n", time.Since(began).Round(100*time.Millisecond))
		results = append(results, r)
	}
	report(out, p, results)
	if err := plot.File(*csv, func(w io.Writer) error { return writeCSV(w, results) }); err != nil {
		return err
	}
	return plot.File(*svg, func(w io.Writer) error { return writeSVG(w, results) })
}

func (p *params) check(servers string) error {
	for _, s := range strings.Split(servers, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 || n > 1000 || len(p.servers) > 0 && n <= p.servers[len(p.servers)-1] {
			return fmt.Errorf("servers %q: want numbers from 1 to 1000, ascending", servers)
		}
		p.servers = append(p.servers, n)
	}
	if p.duration < time.Minute || p.gap <= 0 || p.life < time.Minute || p.count < 1 || p.space < 1 || p.space > 65280 ||
		p.pool < -1 || p.loss < 0 || p.loss >= 1 || p.delay < 0 {
		return fmt.Errorf("parameters out of range")
	}
	return nil
}
