// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"crypto/sha512"
	"encoding/binary"
	"slices"
)

// choices returns where a name leads to in some runs of addresses, ascending:
// its first choice and seven more for when that is taken. It depends on nothing
// else, so that wherever the same addresses are to be had, the same name gets
// the same one if it is free. No name has no choices.
//
// The choices are the eight 64-bit numbers, most significant octet first, of
// the SHA-512 hash of the name, each modulo the number of addresses.
func choices(name string, runs []span) []number {
	if name == "" || len(runs) == 0 {
		return nil
	}
	hash := sha512.Sum512([]byte(name))
	list := make([]number, 0, len(hash)/8)
	for h := hash[:]; len(h) > 0; h = h[8:] {
		_, a := nth(runs, number{Lo: binary.BigEndian.Uint64(h)})
		list = append(list, a)
	}
	return list
}

// named takes the addresses that the name of the query leads to.
func (s *search) named(start, lo instant) {
	if s.q.name == "" || s.left == 0 {
		return
	}
	runs := s.q.only
	if runs == nil {
		runs = s.q.zone.runs()
	}
	for _, first := range choices(s.q.name, runs) {
		s.runs(common([]span{runFrom(first, s.left)}, runs), start, lo)
	}
}

// runs returns all addresses of the zone's sources, ascending, closed ones
// too: names lead to the same addresses when a source closes.
func (z *zone) runs() (list []span) {
	for _, src := range z.sources {
		list = append(list, src.ranges...)
	}
	slices.SortFunc(list, func(a, b span) int { return a.first.Cmp(b.first) })
	return list
}

// runFrom returns n addresses from first on, at least one.
func runFrom(first number, n int) span {
	return span{first, first.Add(number{Lo: uint64(max(n, 1) - 1)})}
}
