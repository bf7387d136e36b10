// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/mzap/mzaptest"
)

// scenario is a network of the laboratory.
type scenario struct {
	name, about string
	build       func(seed uint64) *mzaptest.Network
}

var scenarios = []scenario{
	{"figure2", "sound: one large zone over three local zones; E's announcements flood them all", mzaptest.Figure2},
	{"figure3a", "sound: zone Two is contained in zone One", mzaptest.Figure3a},
	{"figure3b", "sound: zone Four shares a part of zone Three's border", mzaptest.Figure3b},
	{"figure3c", "sound: zones Five and Six overlap, neither nests", mzaptest.Figure3c},
	{"figure4", "broken: the way from B to D leaves the zone and comes back", mzaptest.Figure4},
	{"figure5", "broken: router C lacks the boundary, announcements leak and come back to E", mzaptest.Figure5},
	{"far-leak", "broken: a boundary is missing at left2 and announcements get too far", farLeak},
	{"local-leak", "broken: two zones of one scope, and no Local Scope boundary between them", localLeak},
	{"names", "broken: two routers of a zone disagree about its name", otherName},
	{"ranges", "broken: two routers of a zone disagree about its range", otherRange},
}

// lab runs scenarios and prints what hosts learn and what routers find.
func lab(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mzap lab", flag.ContinueOnError)
	hours := flags.Float64("hours", 4, "hours of virtual time")
	seed := flags.Uint64("seed", 1, "seed of all randomness")
	netns := flags.Bool("netns", false, "real sockets in network namespaces, for figure3a and figure5 (root, Linux)")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: mzap lab [flags] [scenario...]")
		for _, s := range scenarios {
			fmt.Fprintf(flags.Output(), "  %-10s  %s\n", s.name, s.about)
		}
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted := flags.Args()
	for _, name := range wanted {
		if !slices.ContainsFunc(scenarios, func(s scenario) bool { return s.name == name }) {
			return fmt.Errorf("unknown scenario %q; mzap lab -h lists them", name)
		}
	}
	if *netns {
		return namespaces(ctx, wanted, out)
	}
	for _, s := range scenarios {
		if len(wanted) > 0 && !slices.Contains(wanted, s.name) {
			continue
		}
		fmt.Fprintf(out, "== %s (%s)\n", s.name, s.about)
		n := s.build(*seed)
		if err := n.Start(); err != nil {
			return err
		}
		n.Run(time.Duration(*hours * float64(time.Hour)))
		report(out, n)
	}
	return nil
}

// report prints what the hosts know and what was found.
func report(out io.Writer, n *mzaptest.Network) {
	for _, h := range n.Hosts() {
		var known []string
		nesting := h.Listener.Nesting(n.Now())
		found := h.Listener.Discovered(n.Now())
		for _, d := range found {
			name, _ := d.Scope.Names.Lookup("en")
			line := fmt.Sprintf("%s %v", name.Text, d.Scope.Range)
			for _, o := range found {
				if o.Scope.ID() != d.Scope.ID() {
					outer, _ := o.Scope.Names.Lookup("en")
					line += fmt.Sprintf(" (in %s: %v)", outer.Text, nesting.Of(d.Scope.ID(), o.Scope.ID()))
				}
			}
			known = append(known, line)
		}
		fmt.Fprintf(out, "%s hears of: %s\n", h.Name, strings.Join(known, "; "))
	}
	type key struct {
		node    string
		kind    mzap.FindingKind
		message mzap.Type
	}
	count, first := map[key]int{}, map[key]mzaptest.Found{}
	var order []key
	for _, f := range n.Findings {
		k := key{f.Node, f.Kind, f.Message}
		if count[k]++; count[k] == 1 {
			first[k] = f
			order = append(order, k)
		}
	}
	for _, k := range order {
		fmt.Fprintf(out, "FOUND %d times, first: %v\n", count[k], first[k])
	}
	if len(order) == 0 {
		fmt.Fprintln(out, "nothing is wrong")
	}
	fmt.Fprintln(out)
}

// line builds a row of local zones with two boundary routers, left and right, on
// each connection. The zones of scope X are [1..2] and, if two are wanted,
// [3..4].
func line(seed uint64, two bool) (n *mzaptest.Network, left, right []*mzaptest.Router, across []*mzaptest.Link) {
	n = mzaptest.NewNetwork(seed)
	var zones []*mzaptest.Link
	for i := range 8 {
		zones = append(zones, n.Link(fmt.Sprint("zone", i)))
	}
	for i := range len(zones) - 1 {
		across = append(across, n.Link(fmt.Sprintf("%d-%d", i, i+1)))
		left = append(left, n.Router(fmt.Sprint("left", i), zones[i], across[i]))
		right = append(right, n.Router(fmt.Sprint("right", i), zones[i+1], across[i]))
		left[i].BoundLocal(across[i])
		right[i].BoundLocal(across[i])
	}
	n.Host("host", zones[1])
	right[0].Bound(x, across[0])
	left[2].Bound(x, across[2])
	if two {
		right[2].Bound(x, across[2])
		left[4].Bound(x, across[4])
	}
	return n, left, right, across
}

var x = mzaptest.ScopeOf("X", "239.130.0.0", "239.130.255.255")

func farLeak(seed uint64) *mzaptest.Network {
	n, left, right, _ := line(seed, false)
	right[0].Config.Scopes[1].Limit = 8
	left[2].Config.Scopes = left[2].Config.Scopes[:1]
	return n
}

func localLeak(seed uint64) *mzaptest.Network {
	n, left, right, across := line(seed, true)
	left[2].Leak(mzap.LocalScope(true), across[2])
	right[2].Leak(mzap.LocalScope(true), across[2])
	return n
}

func otherName(seed uint64) *mzaptest.Network {
	n, left, _, _ := line(seed, false)
	left[2].Config.Scopes[1].Scope = mzaptest.ScopeOf("Unknown", "239.130.0.0", "239.130.255.255")
	return n
}

func otherRange(seed uint64) *mzaptest.Network {
	n, left, _, _ := line(seed, false)
	left[2].Config.Scopes[1].Scope = mzaptest.ScopeOf("X", "239.130.0.0", "239.130.127.255")
	return n
}
