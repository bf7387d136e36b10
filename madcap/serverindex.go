// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// responseIndex finds responses by message. It is a hash table with open
// addressing whose entries are eight octets: part of the hash and part of the
// sequence number. A lookup among a quarter of a million responses then costs
// one or two cache misses, where a map of keys costs several.
//
// The hash is keyed, so that nobody outside can choose messages that collide;
// which key it is shows in nothing but the time taken.
type responseIndex struct {
	seed    maphash.Seed
	entries []indexEntry // a power of two, at most half of them in use
}

// indexEntry is a tag in the high half, never 0, and the low half of a sequence
// number. The zero entry is empty.
type indexEntry uint64

func (e indexEntry) tag() uint32 { return uint32(e >> 32) }
func (e indexEntry) low() uint32 { return uint32(e) }

func (x *responseIndex) init() {
	x.seed = maphash.MakeSeed()
	x.entries = make([]indexEntry, 2)
}

// resize empties the table and makes room for n entries.
func (x *responseIndex) resize(n int) {
	x.entries = make([]indexEntry, 1<<bits.Len(uint(2*n-1)))
}

// tag returns the hash of a key. Its low bit is set, the others say where the
// search begins.
func (x *responseIndex) tag(key *messageKey) uint32 {
	var b [6 + len(key.id.id)]byte
	binary.BigEndian.PutUint32(b[:], key.xid)
	b[4], b[5] = byte(key.typ), key.id.n
	copy(b[6:], key.id.id[:])
	return uint32(maphash.Bytes(x.seed, b[:])) | 1
}

// home is where the search for a tag begins.
func (x *responseIndex) home(tag uint32) int { return int(tag>>1) & (len(x.entries) - 1) }

// start returns the first entry of a search, next the one after it; the search
// ends at an empty one.
func (x *responseIndex) start(tag uint32) (at int, e indexEntry) {
	at = x.home(tag)
	return at, x.entries[at]
}

func (x *responseIndex) next(at int) (int, indexEntry) {
	at = (at + 1) & (len(x.entries) - 1)
	return at, x.entries[at]
}

// put adds an entry that is not there.
func (x *responseIndex) put(tag uint32, seq uint64) {
	at, e := x.start(tag)
	for e != 0 {
		at, e = x.next(at)
	}
	x.entries[at] = indexEntry(tag)<<32 | indexEntry(uint32(seq))
}

// remove takes an entry out and moves those behind it up, so that no search
// ends early at the gap.
func (x *responseIndex) remove(tag uint32, seq uint64) {
	gone := indexEntry(tag)<<32 | indexEntry(uint32(seq))
	at, e := x.start(tag)
	for e != gone {
		if e == 0 {
			return
		}
		at, e = x.next(at)
	}
	mask := len(x.entries) - 1
	for i, e := x.next(at); e != 0; i, e = x.next(i) {
		// e may move to the gap unless its search begins behind that.
		if (i-x.home(e.tag()))&mask >= (i-at)&mask {
			x.entries[at] = e
			at = i
		}
	}
	x.entries[at] = 0
}
