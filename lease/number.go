// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"github.com/mcastalloc/malloc/scope"
)

// number is an address as the pool's index keeps it: its 16 octets, IPv4 in
// mapped form, so that both families fit in one order without meeting.
type number = scope.Uint128

var one = scope.U128(1)

func numberOf(a netip.Addr) number {
	b := a.As16()
	return number{Hi: binary.BigEndian.Uint64(b[:8]), Lo: binary.BigEndian.Uint64(b[8:])}
}

func addrOf(n number) netip.Addr {
	if n.Hi == 0 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(n.Lo))
		return netip.AddrFrom4(b)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], n.Hi)
	binary.BigEndian.PutUint64(b[8:], n.Lo)
	return netip.AddrFrom16(b)
}

// span is a run of addresses, both ends included.
type span struct{ first, last number }

func spanOf(r scope.Range) span { return span{numberOf(r.First()), numberOf(r.Last())} }

func (s span) toRange() scope.Range {
	r, _ := scope.NewRange(addrOf(s.first), addrOf(s.last))
	return r
}

// size returns the number of addresses, at most MaxCount+1: more are never
// asked for.
func (s span) size() int {
	d := s.last.Sub(s.first)
	if d.Hi != 0 || d.Lo > MaxCount {
		return MaxCount + 1
	}
	return int(d.Lo) + 1
}

// head returns the first n addresses of s, all of s if it has fewer.
func (s span) head(n int) span {
	if n < s.size() {
		s.last = s.first.Add(scope.U128(uint64(n - 1)))
	}
	return s
}

func (s span) overlaps(t span) bool { return !s.last.Less(t.first) && !t.last.Less(s.first) }

// up and down return the addresses n above s, and n below it.
func (s span) up(n number) span   { return span{s.first.Add(n), s.last.Add(n)} }
func (s span) down(n number) span { return span{s.first.Sub(n), s.last.Sub(n)} }

// common returns what some runs have in common with others.
func common(runs, others []span) (both []span) {
	for _, a := range runs {
		for _, b := range others {
			if a.overlaps(b) {
				both = append(both, a.clip(b))
			}
		}
	}
	return both
}

// clip returns the part of s inside t, which must overlap it.
func (s span) clip(t span) span {
	if s.first.Less(t.first) {
		s.first = t.first
	}
	if t.last.Less(s.last) {
		s.last = t.last
	}
	return s
}

// nth returns the address at position n, modulo their number, of some runs of
// addresses, and the run it is in. There must be one.
func nth(runs []span, n number) (i int, a number) {
	var total number
	for _, run := range runs {
		total = total.Add(run.last.Sub(run.first)).Add(one)
	}
	if total.Hi == 0 && n.Hi == 0 {
		n.Lo %= total.Lo
	}
	for i, run := range runs {
		most := run.last.Sub(run.first)
		if !most.Less(n) {
			return i, run.first.Add(n)
		}
		n = n.Sub(most).Sub(one)
	}
	return 0, runs[0].first
}

// rotated returns some runs from a random address of theirs on, and then those
// up to it.
func rotated(runs []span, rnd *rand.Rand) []span {
	i, a := nth(runs, number{Lo: rnd.Uint64()})
	list := append([]span{{a, runs[i].last}}, runs[i+1:]...)
	list = append(list, runs[:i]...)
	if runs[i].first.Less(a) {
		list = append(list, span{runs[i].first, a.Sub(one)})
	}
	return list
}
