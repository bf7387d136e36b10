// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"math/bits"
	"math/rand/v2"
)

// index finds the place of a number: a hash table with open addressing. A slot
// holds the hash and the place plus one, 0 if it is free, so that a search
// hardly ever looks at an entry other than the right one. The hash depends on a
// secret, as peers choose the numbers.
type index struct {
	slots  []uint64
	used   int
	secret [2]uint64
}

func (x *index) init(rnd *rand.Rand) {
	x.secret = [2]uint64{rnd.Uint64(), rnd.Uint64()}
	x.slots = make([]uint64, 16)
}

func (x *index) hash(id ID) uint32 {
	hi, lo := bits.Mul64(id.n.lo^x.secret[0], id.n.hi^x.secret[1])
	h := (hi ^ lo ^ id.n.lo) * 0x9E3779B97F4A7C15
	return uint32(h >> 32)
}

// home returns the slot where the search for a hash begins.
func (x *index) home(hash uint32) int { return int(hash) & (len(x.slots) - 1) }

// find returns the place for which is says yes among those with this hash, or
// -1.
func (x *index) find(hash uint32, is func(place int) bool) int {
	for i := x.home(hash); ; i = (i + 1) & (len(x.slots) - 1) {
		s := x.slots[i]
		if s == 0 {
			return -1
		}
		if uint32(s>>32) == hash {
			if place := int(uint32(s)) - 1; is(place) {
				return place
			}
		}
	}
}

// add enters a place that is not there yet.
func (x *index) add(hash uint32, place int) {
	if x.used++; 4*x.used > 3*len(x.slots) {
		old := x.slots
		x.slots = make([]uint64, 2*len(old))
		for _, s := range old {
			if s != 0 {
				x.enter(s)
			}
		}
	}
	x.enter(uint64(hash)<<32 | uint64(place+1))
}

func (x *index) enter(slot uint64) {
	i := x.home(uint32(slot >> 32))
	for x.slots[i] != 0 {
		i = (i + 1) & (len(x.slots) - 1)
	}
	x.slots[i] = slot
}

// remove takes a place out and moves what was displaced by it closer to where
// it belongs.
func (x *index) remove(hash uint32, place int) {
	mask := len(x.slots) - 1
	gap := x.home(hash)
	for x.slots[gap] != uint64(hash)<<32|uint64(place+1) {
		gap = (gap + 1) & mask
	}
	x.used--
	for i := gap; ; {
		i = (i + 1) & mask
		s := x.slots[i]
		if s == 0 {
			break
		}
		if (i-x.home(uint32(s>>32)))&mask >= (i-gap)&mask {
			x.slots[gap], gap = s, i
		}
	}
	x.slots[gap] = 0
}
