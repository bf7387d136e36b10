// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bufio"
	"fmt"
	"io"
)

// svg draws utilisation and prefixes over time.
func (s *simulation) svg(w io.Writer) error {
	const width, height, left, gap = 900, 260, 60, 50
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width+left+180, 2*(height+gap)+20)
	fmt.Fprintln(b, `<rect width="100%" height="100%" fill="white"/>`)
	panel := func(top int, title string, most float64, unit string, lines []line) {
		fmt.Fprintf(b, `<g transform="translate(%d %d)"><text y="-8" font-weight="bold">%s</text>`+"\n", left, top, title)
		for i := range 6 {
			y := height - i*height/5
			fmt.Fprintf(b, `<path d="M0 %d H%d" stroke="#ddd"/><text x="-8" y="%d" text-anchor="end">%.3g%s</text>`+"\n", y, width, y+4, most*float64(i)/5, unit)
		}
		for i := range 5 {
			fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%d</text>`+"\n", i*width/4, height+16, i*len(s.samples)/4)
		}
		for i, l := range lines {
			fmt.Fprintf(b, `<path fill="none" stroke="%s" stroke-width="1.5" d="`, l.colour)
			for d, x := range s.samples {
				op := 'L'
				if d == 0 {
					op = 'M'
				}
				fmt.Fprintf(b, "%c%.1f %.1f", op, float64(d)*width/float64(max(len(s.samples)-1, 1)), height-min(l.value(x)/most, 1)*height)
			}
			fmt.Fprintf(b, `"/><text x="%d" y="%d" fill="%s">%s</text>`+"\n", width+10, 14+18*i, l.colour, l.name)
		}
		fmt.Fprintln(b, "</g>")
	}
	children := float64(max(s.p.tlds*s.p.children, 1))
	panel(30, "Utilisation by day", 100, "%", []line{
		{"children", "#1b6ca8", func(x sample) float64 { return 100 * ratio(x.used, x.claimed) }},
		{"top-level domains", "#2e8b57", func(x sample) float64 { return 100 * ratio(x.claimed, x.pool) }},
		{"in all", "#b22222", func(x sample) float64 { return 100 * ratio(x.used, x.pool) }},
	})
	panel(30+height+gap, "Prefixes per domain by day", 6, "", []line{
		{"child, mean", "#1b6ca8", func(x sample) float64 { return float64(x.childPrefixes) / children }},
		{"top-level, mean", "#2e8b57", func(x sample) float64 { return float64(x.tldPrefixes) / float64(s.p.tlds) }},
		{"global table, per domain", "#b22222", func(x sample) float64 { return float64(x.table) / float64(s.p.tlds) }},
	})
	fmt.Fprintln(b, "</svg>")
	return b.Flush()
}

type line struct {
	name, colour string
	value        func(sample) float64
}
