// SPDX-License-Identifier: BSD-3-Clause

package lease

import "slices"

// On Ethernet 32 IPv4 groups share an address, and IPv6 groups that agree in
// their low 32 bits do: a network card cannot tell them apart (RFC 1112
// section 6.4, RFC 2464 section 7). With Config.LinkUnique no two leases have
// one Ethernet address at one time. A table then keeps, in its index of who
// has what when, Ethernet addresses in the place of addresses: they come as
// numbers below those of any multicast address, the low 23 bits of IPv4 under
// 0 and the low 32 bits of IPv6 under 1.

const (
	linkBits4 = 23
	linkBits6 = 32
)

// fold returns what a run of addresses occupies in the index: the run itself,
// or its Ethernet addresses, which are a run as well, as runs do not cross a
// multiple of 2^23 (2^32 in IPv6) then.
func (t *table) fold(s span) span {
	if !t.link {
		return s
	}
	return span{linkOf(s.first), linkOf(s.last)}
}

func linkOf(n number) number {
	if n.Hi == 0 {
		return number{Lo: n.Lo & (1<<linkBits4 - 1)}
	}
	return number{Hi: 1, Lo: n.Lo & (1<<linkBits6 - 1)}
}

// unfold calls yield for the part of the addresses in run that occupies some
// of s in the index.
func (t *table) unfold(run, s span, yield func(span)) {
	folded := t.fold(run)
	if !folded.overlaps(s) {
		return
	}
	s = s.clip(folded)
	yield(span{run.first.Add(s.first.Sub(folded.first)), run.first.Add(s.last.Sub(folded.first))})
}

// linkRuns cuts runs of addresses so that fold can take them.
func linkRuns(runs []span) (cut []span) {
	for _, s := range runs {
		for {
			end := number{Hi: s.first.Hi, Lo: s.first.Lo | (1<<linkBits6 - 1)}
			if s.first.Hi == 0 {
				end.Lo = s.first.Lo | (1<<linkBits4 - 1)
			}
			if !end.Less(s.last) {
				cut = append(cut, s)
				break
			}
			if len(cut) > linkRunsMost {
				break // the rest of an absurdly large IPv6 range is not granted
			}
			cut = append(cut, span{s.first, end})
			s.first = end.Add(one)
		}
	}
	return cut
}

// linkRunsMost bounds the runs of one source: IPv6 ranges listed as exact can
// have 2^80 of them, all with the same Ethernet addresses.
const linkRunsMost = 1 << 10

// places yields what r occupies in the index.
func (t *table) places(r *record) func(yield func(span) bool) {
	return func(yield func(span) bool) {
		for s := range r.spans {
			if !yield(t.fold(s)) {
				return
			}
		}
	}
}

// runs returns the number of runs of addresses in all sources.
func (t *table) runs() (n int) {
	for _, z := range t.zones {
		for _, src := range z.sources {
			n += len(src.ranges)
		}
	}
	return n
}

// apart returns what is left of some runs without the places that taken
// occupies in the index. It reuses their memory.
func (t *table) apart(runs []span, taken span) []span {
	place := t.fold(taken)
	for i := 0; i < len(runs); i++ {
		run, folded := runs[i], t.fold(runs[i])
		if !folded.overlaps(place) {
			continue
		}
		runs = slices.Delete(runs, i, i+1)
		i--
		back := run.first.Sub(folded.first)
		if place.last.Less(folded.last) {
			runs = slices.Insert(runs, i+1, span{place.last.Add(one).Add(back), run.last})
		}
		if folded.first.Less(place.first) {
			runs = slices.Insert(runs, i+1, span{run.first, place.first.Sub(one).Add(back)})
		}
	}
	return runs
}
