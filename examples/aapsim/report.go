// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/internal/plot"
)

// report prints a line for each number of servers.
func report(w io.Writer, p params, results []result) {
	fmt.Fprintf(w, "%v of demand, a request every %v at each server for up to %d addresses for about %v, of %d; loss %g %%, seed %d\n",
		p.duration, p.gap, p.count, p.life, p.space, 100*p.loss, p.seed)
	fmt.Fprintln(w, "servers  asked  failed  collisions  doubles  p50       p99       datagrams/s  ACLM     AIU      AITU     used %  reserved %")
	for _, r := range results {
		fmt.Fprintf(w, "%7d%7d%8d%12d%9d  %5.2f s   %5.2f s   %-12.2f %-8.2f %-8.2f %-8.2f %-7.1f %.1f\n", r.servers, r.asked, r.failed, r.collisions, r.doubles,
			r.percentile(50).Seconds(), r.percentile(99).Seconds(), r.announcements(), r.sent[aap.ACLM], r.sent[aap.AIU], r.sent[aap.AITU], 100*r.used, 100*r.reserved)
	}
}

func writeCSV(w io.Writer, results []result) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "servers,asked,granted,failed,collisions,doubles,delay_p50_s,delay_p99_s,datagrams_per_s,aclm_per_s,aiu_per_s,aitu_per_s,used_share,reserved_share")
	for _, r := range results {
		fmt.Fprintf(b, "%d,%d,%d,%d,%d,%d,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.5f,%.5f\n", r.servers, r.asked, r.granted, r.failed, r.collisions, r.doubles,
			r.percentile(50).Seconds(), r.percentile(99).Seconds(), r.announcements(), r.sent[aap.ACLM], r.sent[aap.AIU], r.sent[aap.AITU], r.used, r.reserved)
	}
	return b.Flush()
}

// writeSVG draws the figures over the number of servers, on a logarithmic axis.
func writeSVG(w io.Writer, results []result) error {
	var c plot.Chart
	for _, r := range results {
		x := math.Log(float64(r.servers))
		c.X = append(c.X, x)
		c.Ticks = append(c.Ticks, plot.Tick{At: x, Label: strconv.Itoa(r.servers)})
	}
	line := func(name string, value func(*result) float64) plot.Line {
		l := plot.Line{Name: name}
		for i := range results {
			l.Values = append(l.Values, value(&results[i]))
		}
		return l
	}
	c.Panels = []plot.Panel{
		{Title: "Datagrams that everybody hears, by number of servers", Unit: "/s", Lines: []plot.Line{
			line("all", (*result).announcements),
			line("AIU: in use", func(r *result) float64 { return r.sent[aap.AIU] }),
			line("ACLM: claims", func(r *result) float64 { return r.sent[aap.ACLM] }),
			line("AITU: preallocated", func(r *result) float64 { return r.sent[aap.AITU] }),
		}},
		{Title: "How long an allocation takes", Unit: " s", Lines: []plot.Line{
			line("half of them, at most", func(r *result) float64 { return r.percentile(50).Seconds() }),
			line("99 %, at most", func(r *result) float64 { return r.percentile(99).Seconds() }),
		}},
		{Title: "Collisions and failures per 100 requests", Lines: []plot.Line{
			line("collisions", func(r *result) float64 { return 100 * float64(r.collisions) / float64(max(r.asked, 1)) }),
			line("failures", func(r *result) float64 { return 100 * float64(r.failed) / float64(max(r.asked, 1)) }),
		}},
		{Title: "Share of the address space", Unit: " %", Lines: []plot.Line{
			line("allocated", func(r *result) float64 { return 100 * r.used }),
			line("preallocated, claimed", func(r *result) float64 { return 100 * r.reserved }),
		}},
	}
	return c.Write(w)
}
