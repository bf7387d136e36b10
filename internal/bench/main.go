// SPDX-License-Identifier: BSD-3-Clause

// Bench prints how fast this library is beside its peers, as ratios taken in
// one run:
//
//	go run ./internal/bench                  everything, some minutes
//	go run ./internal/bench addrset xcast    some of it
//
// A ratio of 1 is as fast as the peer; whether more or less is better, and what
// is aimed at, stands beside it. The output is Markdown.
package main

import (
	"flag"
	"fmt"
	"iter"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/internal/bench/addrset"
	"github.com/mcastalloc/malloc/internal/bench/durablebench"
	"github.com/mcastalloc/malloc/internal/bench/madcapcodec"
	"github.com/mcastalloc/malloc/internal/bench/madcapserver"
	"github.com/mcastalloc/malloc/internal/bench/mascbench"
	"github.com/mcastalloc/malloc/internal/bench/ratio"
	"github.com/mcastalloc/malloc/internal/bench/xcastbench"
)

type part struct {
	name, title string
	rows        func() iter.Seq[ratio.Row]
}

var parts = []part{
	{"madcapcodec", "MADCAP codec", madcapcodec.Rows},
	{"madcapserver", "MADCAP server on loopback", madcapserver.Rows},
	{"addrset", "Address sets", addrset.Rows},
	{"masc", "MASC codec", mascbench.Rows},
	{"xcast", "Xcast", xcastbench.Rows},
	{"durable", "Durable leases", durablebench.Rows},
}

func main() {
	flag.IntVar(&ratio.Passes, "passes", ratio.Passes, "how often each row is measured")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: bench [-passes n] [part ...]")
		for _, p := range parts {
			fmt.Fprintf(os.Stderr, "  %-14s %s\n", p.name, p.title)
		}
	}
	flag.Parse()
	for _, name := range flag.Args() {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			flag.Usage()
			os.Exit(2)
		}
	}
	fmt.Printf("%s, %s/%s, %d processors, %s, median of %d passes\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), time.Now().Format(time.DateOnly), ratio.Passes)
	for _, p := range parts {
		if flag.NArg() == 0 || slices.Contains(flag.Args(), p.name) {
			fmt.Printf("\n## %s\n\n", p.title)
			ratio.Print(os.Stdout, p.rows())
		}
	}
}
