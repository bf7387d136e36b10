// SPDX-License-Identifier: BSD-3-Clause

// Package plot draws the figures of a simulation as SVG, for the examples.
package plot

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
)

// Chart is a column of panels over the same horizontal axis.
type Chart struct {
	X      []float64 // ascending: where the values of each line belong
	Ticks  []Tick
	Panels []Panel
}

// Tick is a label of the horizontal axis.
type Tick struct {
	At    float64
	Label string
}

// Panel has a vertical axis from 0 on.
type Panel struct {
	Title, Unit string
	Most        float64 // the upper end; zero: that of the values, or a little more
	Lines       []Line
}

// Line is a curve, with a value for each X.
type Line struct {
	Name   string
	Values []float64
}

var colours = []string{"#1b6ca8", "#2e8b57", "#b22222", "#8a5a00", "#6a3d9a"}

const width, height, left, gap, legend = 900, 260, 60, 50, 180

// Write draws the chart.
func (c *Chart) Write(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		width+left+legend, len(c.Panels)*(height+gap)+20)
	fmt.Fprintln(b, `<rect width="100%" height="100%" fill="white"/>`)
	for i := range c.Panels {
		c.panel(b, 30+i*(height+gap), &c.Panels[i])
	}
	fmt.Fprintln(b, "</svg>")
	return b.Flush()
}

func (c *Chart) panel(b io.Writer, top int, p *Panel) {
	most := p.Most
	for _, l := range p.Lines {
		for _, v := range l.Values {
			if p.Most == 0 {
				most = max(most, v)
			}
		}
	}
	if p.Most == 0 {
		most = round(most)
	}
	fmt.Fprintf(b, `<g transform="translate(%d %d)"><text y="-8" font-weight="bold">%s</text>`+"\n", left, top, escape(p.Title))
	for i := range 6 {
		y := height - i*height/5
		fmt.Fprintf(b, `<path d="M0 %d H%d" stroke="#ddd"/><text x="-8" y="%d" text-anchor="end">%.3g%s</text>`+"\n",
			y, width, y+4, most*float64(i)/5, escape(p.Unit))
	}
	for _, t := range c.Ticks {
		fmt.Fprintf(b, `<text x="%.0f" y="%d" text-anchor="middle">%s</text>`+"\n", c.place(t.At), height+16, escape(t.Label))
	}
	for i, l := range p.Lines {
		colour := colours[i%len(colours)]
		fmt.Fprintf(b, `<path fill="none" stroke="%s" stroke-width="1.5" d="`, colour)
		op := 'M'
		for k, v := range l.Values {
			fmt.Fprintf(b, "%c%.1f %.1f", op, c.place(c.X[k]), height-min(v/most, 1)*height)
			op = 'L'
		}
		fmt.Fprintf(b, `"/><text x="%d" y="%d" fill="%s">%s</text>`+"\n", width+10, 14+18*i, colour, escape(l.Name))
	}
	fmt.Fprintln(b, "</g>")
}

// place returns where a value of the horizontal axis is.
func (c *Chart) place(x float64) float64 {
	first, last := c.X[0], c.X[len(c.X)-1]
	if last == first {
		return 0
	}
	return (x - first) / (last - first) * width
}

// round returns 1, 2 or 5 times a power of ten that is not below v.
func round(v float64) float64 {
	if v <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if v <= f*unit {
			return f * unit
		}
	}
	return 10 * unit
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}
