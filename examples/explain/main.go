// SPDX-License-Identifier: BSD-3-Clause

// Explain says what a multicast address is, in plain words: which block it is
// in, whether it may be routed, who may allocate it and how, what else arrives
// at its Ethernet address, and what to use instead if it is a poor choice.
//
//	explain 239.255.3.7
//	explain -json ff3e:30:2001:db8:1::8000:1 232.0.0.0/8
//	explain < addresses.txt
//
// Each argument, or without arguments each line of standard input, is an
// address, a prefix or a range first-last. With -json each answer is one line
// of JSON. The exit status is 1 if anything could not be read.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/mcastalloc/malloc/scope"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, in io.Reader, out, errs io.Writer) int {
	flags := flag.NewFlagSet("explain", flag.ContinueOnError)
	flags.SetOutput(errs)
	asJSON := flags.Bool("json", false, "print one line of JSON for each answer")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	input := slices.Values(flags.Args())
	var scanner *bufio.Scanner
	if flags.NArg() == 0 {
		scanner = bufio.NewScanner(in)
		input = lines(scanner)
	}
	status := 0
	for text := range input {
		r, err := scope.ParseRange(text)
		if err != nil {
			fmt.Fprintln(errs, "explain:", err)
			status = 1
			continue
		}
		for _, e := range explain(r) {
			if err := show(out, e, *asJSON); err != nil {
				fmt.Fprintln(errs, "explain:", err)
				return 1
			}
		}
	}
	if scanner != nil && scanner.Err() != nil {
		fmt.Fprintln(errs, "explain:", scanner.Err())
		return 1
	}
	return status
}

// lines yields the lines that are neither empty nor comments.
func lines(s *bufio.Scanner) iter.Seq[string] {
	return func(yield func(string) bool) {
		for s.Scan() {
			if t := strings.TrimSpace(s.Text()); t != "" && t[0] != '#' && !yield(t) {
				return
			}
		}
	}
}

func explain(r scope.Range) []scope.Explanation {
	if r.First() == r.Last() {
		return []scope.Explanation{scope.Explain(r.First())}
	}
	return scope.ExplainRange(r)
}

func show(out io.Writer, e scope.Explanation, asJSON bool) error {
	if !asJSON {
		_, err := fmt.Fprintln(out, e)
		return err
	}
	line, err := json.Marshal(e)
	if err == nil {
		_, err = fmt.Fprintf(out, "%s\n", line)
	}
	return err
}
