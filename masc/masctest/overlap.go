// SPDX-License-Identifier: BSD-3-Clause

package masctest

import (
	"fmt"

	"github.com/mcastalloc/malloc/masc"
)

// Overlap returns an error if two domains that may not share addresses do: two
// domains whose address servers may use the same address, or two domains that
// manage the same address and are no ancestors of each other (RFC 2909, section
// 12.4). Two hosts of one domain share everything.
func (w *Network) Overlap() error { return w.overlap(false) }

// Ambiguous is Overlap for a network in which clashes have happened. It allows
// that of two overlapping routes one is the more specific, as the loser of a
// clash keeps the route of the prefix the lost range is a part of (section
// 11.7.3).
func (w *Network) Ambiguous() error { return w.overlap(true) }

func (w *Network) overlap(nested bool) error {
	type held struct {
		host *Host
		a    masc.Allotment
	}
	var all []held
	for _, h := range w.hosts {
		if h.down {
			continue
		}
		for _, a := range h.Node().Allotments(w.now) {
			all = append(all, held{h, a})
		}
	}
	for i, x := range all {
		for _, y := range all[:i] {
			dx, dy := x.host.Config.Node.Domain, y.host.Config.Node.Domain
			if dx == dy || !x.a.Prefix.Overlaps(y.a.Prefix) {
				continue
			}
			if nested && !(x.a.Use && y.a.Use) && x.a.Prefix != y.a.Prefix {
				continue
			}
			if x.a.Use && y.a.Use || !w.above(dx, dy) && !w.above(dy, dx) {
				return fmt.Errorf("%v of %s and %v of %s overlap", x.a.Prefix, x.host.Name, y.a.Prefix, y.host.Name)
			}
		}
	}
	return nil
}

// above reports whether domain a is an ancestor of domain b.
func (w *Network) above(a, b masc.ID) bool {
	for _, h := range w.hosts {
		if h.Config.Node.Domain != b {
			continue
		}
		for _, p := range h.Config.Node.Parents {
			if p == a || w.above(a, p) {
				return true
			}
		}
	}
	return false
}
