// SPDX-License-Identifier: BSD-3-Clause

package lease

import "hash/maphash"

// finder finds records by a name that can be read in them. It is a hash table
// of half the size of a map, as the names stay in the records, and it looks at
// hardly a record but the one sought, as the hashes are beside it. What it
// does for others does not depend on its seed.
type finder[K comparable] struct {
	name   func(*record) K
	seed   maphash.Seed
	hashes []uint32
	recs   []*record // nil: nobody in this place
	n      int       // records
}

func newFinder[K comparable](name func(*record) K) finder[K] {
	return finder[K]{name: name, seed: maphash.MakeSeed()}
}

// get returns the record with a name, or nil.
func (f *finder[K]) get(name K) *record {
	if i := f.place(name, f.hash(name)); i >= 0 {
		return f.recs[i]
	}
	return nil
}

// set puts r in, in the place of another with its name.
func (f *finder[K]) set(r *record) {
	name := f.name(r)
	hash := f.hash(name)
	if i := f.place(name, hash); i >= 0 {
		f.recs[i] = r
		return
	}
	if f.n >= len(f.recs)/5*4 {
		f.grow()
	}
	f.insert(hash, r)
}

// remove takes r out, unless another has its name by now.
func (f *finder[K]) remove(r *record) {
	name := f.name(r)
	if i := f.place(name, f.hash(name)); i >= 0 && f.recs[i] == r {
		f.empty(i)
	}
}

func (f *finder[K]) hash(name K) uint32 { return uint32(maphash.Comparable(f.seed, name)) }

// place returns where the record with a name is, or -1.
func (f *finder[K]) place(name K, hash uint32) int {
	if f.n == 0 {
		return -1
	}
	for i := f.home(hash); f.recs[i] != nil; i = f.next(i) {
		if f.hashes[i] == hash && f.name(f.recs[i]) == name {
			return i
		}
	}
	return -1
}

// home returns the place where the search for a hash begins.
func (f *finder[K]) home(hash uint32) int {
	return int(uint64(hash) * uint64(len(f.recs)) >> 32)
}

func (f *finder[K]) next(i int) int {
	if i++; i < len(f.recs) {
		return i
	}
	return 0
}

// insert puts r into the first place from its home on that is free.
func (f *finder[K]) insert(hash uint32, r *record) {
	i := f.home(hash)
	for f.recs[i] != nil {
		i = f.next(i)
	}
	f.hashes[i], f.recs[i] = hash, r
	f.n++
}

// grow makes half as many places again.
func (f *finder[K]) grow() {
	hashes, recs := f.hashes, f.recs
	size := max(16, len(recs)+len(recs)/2)
	f.hashes, f.recs, f.n = make([]uint32, size), make([]*record, size), 0
	for i, r := range recs {
		if r != nil {
			f.insert(hashes[i], r)
		}
	}
}

// empty takes out what is in a place, and moves those up that had to go
// further for it.
func (f *finder[K]) empty(i int) {
	way := func(from, to int) int {
		if to < from {
			to += len(f.recs)
		}
		return to - from
	}
	for j := f.next(i); f.recs[j] != nil; j = f.next(j) {
		if way(f.home(f.hashes[j]), j) >= way(i, j) {
			f.hashes[i], f.recs[i] = f.hashes[j], f.recs[j]
			i = j
		}
	}
	f.recs[i] = nil
	f.n--
}
