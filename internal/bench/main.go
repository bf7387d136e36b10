// SPDX-License-Identifier: BSD-3-Clause

// Bench prints how fast this library is beside its peers, as ratios taken in
// one run:
//
//	go run ./internal/bench                  everything, some minutes
//	go run ./internal/bench addrset xcast    some of it
//
// A ratio of 1 is as fast as the peer; whether more or less is better, and how
// much is aimed at, stands beside it. Read ratios, not nanoseconds: machines
// change their speed by the hour, a ratio taken inside one pass hardly moves.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/mcastalloc/malloc/internal/bench/addrset"
	"github.com/mcastalloc/malloc/internal/bench/madcapcodec"
	"github.com/mcastalloc/malloc/internal/bench/madcapserver"
	"github.com/mcastalloc/malloc/internal/bench/xcastbench"
)

var parts = []struct {
	name, title string
	run         func(io.Writer) error
}{
	{"madcapcodec", "MADCAP codec", plain(madcapcodec.Run)},
	{"madcapserver", "MADCAP server on loopback", madcapserver.Run},
	{"addrset", "Address sets", plain(addrset.Run)},
	{"xcast", "Xcast", plain(xcastbench.Run)},
}

func plain(run func(io.Writer)) func(io.Writer) error {
	return func(w io.Writer) error { run(w); return nil }
}

func main() {
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: bench [part ...]; parts:")
		for _, p := range parts {
			fmt.Fprintf(os.Stderr, "  %-14s %s\n", p.name, p.title)
		}
	}
	flag.Parse()
	for _, name := range flag.Args() {
		if !slices.ContainsFunc(parts, func(p struct {
			name, title string
			run         func(io.Writer) error
		}) bool {
			return p.name == name
		}) {
			flag.Usage()
			os.Exit(2)
		}
	}
	for _, p := range parts {
		if flag.NArg() > 0 && !slices.Contains(flag.Args(), p.name) {
			continue
		}
		fmt.Printf("\n## %s\n\n", p.title)
		if err := p.run(os.Stdout); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", p.name, err)
			os.Exit(1)
		}
	}
}
