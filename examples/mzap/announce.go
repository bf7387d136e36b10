// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/mzap/mzapnet"
	"github.com/mcastalloc/malloc/scope"
)

// announceFlags describe a boundary router.
type announceFlags struct {
	inside, local string
	scopes, names []string
	divisible     bool
	limit         int
	speed         float64
	every         bool
	verbose       bool
}

// announce plays a boundary router, without its filters.
func announce(ctx context.Context, args []string, out io.Writer) error {
	var f announceFlags
	flags := flag.NewFlagSet("mzap announce", flag.ContinueOnError)
	list := func(to *[]string) func(string) error {
		return func(s string) error { *to = append(*to, s); return nil }
	}
	flags.StringVar(&f.inside, "inside", "", "interfaces inside the local zone, with commas between")
	flags.StringVar(&f.local, "local", "", "interfaces with only a Local Scope boundary, with commas between")
	flags.Func("scope", "`range@interfaces`: a scope and where its boundary is, such as 239.192.0.0/14@eth1; may be repeated", list(&f.scopes))
	flags.Func("name", "`language=name` of the scopes, the first is the default; may be repeated", list(&f.names))
	flags.BoolVar(&f.divisible, "divisible", false, "the scopes are divisible: allocators need sub-ranges")
	flags.IntVar(&f.limit, "limit", 0, "local zones an announcement may cross; -1 for any number (default 32)")
	flags.Float64Var(&f.speed, "times", 1, "factor for all times, below 1 for a laboratory")
	flags.BoolVar(&f.every, "every", true, "send on every interface of a zone; false where a multicast routing daemon runs")
	flags.BoolVar(&f.verbose, "v", false, "tell about everything")
	if err := flags.Parse(args); err != nil {
		return err
	}
	machine, err := f.machine()
	if err != nil {
		return err
	}
	said := findings{out: out}
	r, err := mzapnet.NewRouter(mzapnet.RouterConfig{
		Machine: machine, EveryInterface: f.every, Logger: logTo(os.Stderr, f.verbose),
		Notify: func(x mzap.Effect) {
			switch x := x.(type) {
			case mzap.Finding:
				said.print(x)
			case mzap.ZoneIDChanged:
				fmt.Fprintf(out, "scope %v: zone ID is now %v\n", x.Scope, x.New)
			}
		},
	})
	if err != nil {
		return err
	}
	for _, b := range machine.Scopes {
		id, _ := r.ZoneID(b.Scope.Range)
		fmt.Fprintf(out, "boundary router of %v, zone ID %v\n", b.Scope.Range, id)
	}
	return r.Run(ctx)
}

// machine makes the configuration of the router.
func (f *announceFlags) machine() (c mzap.RouterConfig, err error) {
	if len(f.scopes) == 0 && f.local == "" {
		return c, errors.New("want at least one -scope or -local")
	}
	names, err := parseNames(f.names)
	if err != nil {
		return c, err
	}
	bounded := fields(f.local)
	where := map[scope.Range][]string{}
	var ranges []scope.Range
	for _, s := range f.scopes {
		text, on, ok := strings.Cut(s, "@")
		if !ok {
			return c, fmt.Errorf("-scope %q, want range@interfaces", s)
		}
		r, err := scope.ParseRange(text)
		if err != nil {
			return c, err
		}
		ranges = append(ranges, r)
		where[r] = fields(on)
		bounded = append(bounded, where[r]...)
	}
	slices.Sort(bounded)
	bounded = slices.Compact(bounded)
	is4 := len(ranges) == 0 || ranges[0].Is4()
	c.Interfaces, err = mzapnet.Interfaces(is4, append(fields(f.inside), bounded...)...)
	if err != nil {
		return c, err
	}
	index := map[string]int{}
	for i, name := range append(fields(f.inside), bounded...) {
		index[name] = c.Interfaces[i].Index
	}
	boundary := func(s scope.Scope, on []string) mzap.Boundary {
		b := mzap.Boundary{Scope: s, Limit: f.limit}
		for _, name := range on {
			b.Interfaces = append(b.Interfaces, index[name])
		}
		return b
	}
	local := scope.IPv4Local()
	if !is4 {
		local = scope.IPv6(3)
	}
	c.Scopes = append(c.Scopes, boundary(local, bounded))
	for _, r := range ranges {
		c.Scopes = append(c.Scopes, boundary(scope.Scope{Range: r, Names: names, Divisible: f.divisible}, where[r]))
	}
	if f.speed != 1 {
		c.Timing = mzap.Scaled(f.speed)
	}
	return c, nil
}

// parseNames reads names such as "en=Example Corp".
func parseNames(list []string) (scope.Names, error) {
	var names []scope.Name
	for i, s := range list {
		tag, text, ok := strings.Cut(s, "=")
		if !ok {
			return scope.Names{}, fmt.Errorf("-name %q, want language=name", s)
		}
		names = append(names, scope.Name{Tag: tag, Text: strings.TrimSpace(text), Default: i == 0})
	}
	return scope.NewNames(names...)
}
