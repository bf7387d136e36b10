// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/mzap/mzapnet"
	"github.com/mcastalloc/malloc/scope"
)

// listen prints the scopes in effect here whenever they change.
func listen(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mzap listen", flag.ContinueOnError)
	on := flags.String("i", "", "interfaces to listen on, with commas between (default: all that can do multicast)")
	lang := flags.String("lang", "en", "language to show the names of scopes in")
	hold := flags.Duration("nim-hold", 0, "how long nobody must object to a nesting (default 91m)")
	verbose := flags.Bool("v", false, "tell about every datagram dropped")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg := mzapnet.ListenerConfig{Logger: logTo(os.Stderr, *verbose)}
	cfg.Machine.NIMHold = *hold
	for _, name := range fields(*on) {
		i, err := net.InterfaceByName(name)
		if err != nil {
			return fmt.Errorf("interface %q: %w", name, err)
		}
		cfg.Interfaces = append(cfg.Interfaces, i.Index)
	}
	var l *mzapnet.Listener
	said := findings{out: out}
	var shown string
	show := func() {
		var table strings.Builder
		printScopes(&table, l.Scopes(), l.Nesting(), *lang)
		if table.String() != shown {
			shown = table.String()
			fmt.Fprintln(out, shown)
		}
	}
	cfg.Notify = func(x mzap.Effect) {
		if f, ok := x.(mzap.Finding); ok {
			said.print(f)
			return
		}
		show()
	}
	l, err := mzapnet.NewListener(cfg)
	if err != nil {
		return err
	}
	show()
	return l.Run(ctx)
}

// findings prints each finding once, however often it is made.
type findings struct {
	out  io.Writer
	said map[string]bool
}

func (s *findings) print(f mzap.Finding) {
	const enough = 1000 // of all that forgers can make up
	line := f.String()
	if s.said[line] || len(s.said) >= enough {
		return
	}
	if s.said == nil {
		s.said = map[string]bool{}
	}
	s.said[line] = true
	fmt.Fprintln(s.out, "FOUND", line)
}

// fields splits a list at its commas; an empty one has no fields.
func fields(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}

// printScopes prints a table of scopes and what each nests in.
func printScopes(w io.Writer, scopes []scope.Scope, nesting *scope.Nesting, lang string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "scope\tname\tallocation\tnests in")
	for _, s := range scopes {
		name, _ := s.Names.Lookup(lang)
		kind := "whole range"
		if s.Divisible {
			kind = "sub-ranges only"
		}
		fmt.Fprintf(t, "%v\t%s\t%s\t%s\n", s.Range, name.Text, kind, nestsIn(scopes, nesting, s, lang))
	}
	t.Flush()
}

// nestsIn lists the scopes of the same family that s nests in; those of which
// nothing is known yet have a question mark.
func nestsIn(scopes []scope.Scope, nesting *scope.Nesting, s scope.Scope, lang string) string {
	var out []string
	for _, o := range scopes {
		if o == s || o.Range.Is4() != s.Range.Is4() {
			continue
		}
		name := o.Range.String()
		if n, ok := o.Names.Lookup(lang); ok {
			name = n.Text
		}
		switch nesting.Of(s.ID(), o.ID()) {
		case scope.Yes:
			out = append(out, name)
		case scope.Unknown:
			out = append(out, name+"?")
		}
	}
	return strings.Join(out, ", ")
}
