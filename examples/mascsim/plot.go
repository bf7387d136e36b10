// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"io"
	"strconv"

	"github.com/mcastalloc/malloc/internal/plot"
)

// svg draws utilisation and prefixes over time.
func (s *simulation) svg(w io.Writer) error {
	var c plot.Chart
	for d := range s.samples {
		c.X = append(c.X, float64(d))
	}
	for i := range 5 {
		at := i * len(s.samples) / 4
		c.Ticks = append(c.Ticks, plot.Tick{At: float64(max(at-1, 0)), Label: strconv.Itoa(at)})
	}
	line := func(name string, value func(sample) float64) plot.Line {
		l := plot.Line{Name: name}
		for _, x := range s.samples {
			l.Values = append(l.Values, value(x))
		}
		return l
	}
	children := float64(max(s.p.tlds*s.p.children, 1))
	c.Panels = []plot.Panel{
		{Title: "Utilisation by day", Unit: "%", Most: 100, Lines: []plot.Line{
			line("children", func(x sample) float64 { return 100 * ratio(x.used, x.claimed) }),
			line("top-level domains", func(x sample) float64 { return 100 * ratio(x.claimed, x.pool) }),
			line("in all", func(x sample) float64 { return 100 * ratio(x.used, x.pool) }),
		}},
		{Title: "Prefixes per domain by day", Most: 6, Lines: []plot.Line{
			line("child, mean", func(x sample) float64 { return float64(x.childPrefixes) / children }),
			line("top-level, mean", func(x sample) float64 { return float64(x.tldPrefixes) / float64(s.p.tlds) }),
			line("global table, per domain", func(x sample) float64 { return float64(x.table) / float64(s.p.tlds) }),
		}},
	}
	return c.Write(w)
}
