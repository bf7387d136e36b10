// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"container/heap"
	"iter"
	"maps"
	"slices"
	"time"
)

// table holds what other routers made us remember: a bounded map whose entries
// expire. When it is full, the entry that would expire soonest makes room, the
// new one included, in logarithmic time. Of entries that expire together the
// one with the lowest key goes first, so that the same inputs always give the
// same table.
type table[K comparable, V any] struct {
	entries map[K]*entry[K, V]
	order   expiry[K, V]
	limit   int
	onEvict func(K, V) // may be nil
	evicted uint64
}

// entry is a value of the table. The value may be changed in place.
type entry[K comparable, V any] struct {
	key     K
	value   V
	expires time.Time
	at      int // its place in the heap
}

func newTable[K comparable, V any](limit int, compare func(a, b K) int) table[K, V] {
	return table[K, V]{entries: map[K]*entry[K, V]{}, limit: limit, order: expiry[K, V]{compare: compare}}
}

// get returns the value of a key unless it has expired. At the instant of
// expiry it has.
func (t *table[K, V]) get(k K, now time.Time) (v V, ok bool) {
	e := t.entries[k]
	if e == nil || !now.Before(e.expires) {
		return v, false
	}
	return e.value, true
}

// put stores a value until it expires and reports whether there was room.
func (t *table[K, V]) put(k K, v V, expires time.Time) bool {
	if e := t.entries[k]; e != nil {
		e.value, e.expires = v, expires
		heap.Fix(&t.order, e.at)
		return true
	}
	if len(t.entries) >= t.limit {
		t.evicted++
		if t.limit == 0 || expires.Before(t.order.heap[0].expires) {
			return false
		}
		victim := t.pop()
		if t.onEvict != nil {
			t.onEvict(victim.key, victim.value)
		}
	}
	e := &entry[K, V]{key: k, value: v, expires: expires}
	t.entries[k] = e
	heap.Push(&t.order, e)
	return true
}

func (t *table[K, V]) delete(k K) {
	if e := t.entries[k]; e != nil {
		heap.Remove(&t.order, e.at)
		delete(t.entries, k)
	}
}

// pop takes out the entry that expires soonest.
func (t *table[K, V]) pop() *entry[K, V] {
	e := heap.Pop(&t.order).(*entry[K, V])
	delete(t.entries, e.key)
	return e
}

// deadline returns when the next entry expires.
func (t *table[K, V]) deadline() (time.Time, bool) {
	if len(t.order.heap) == 0 {
		return time.Time{}, false
	}
	return t.order.heap[0].expires, true
}

// expire drops what has expired, in order, and yields it.
func (t *table[K, V]) expire(now time.Time) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for len(t.order.heap) > 0 && !now.Before(t.order.heap[0].expires) {
			if e := t.pop(); !yield(e.key, e.value) {
				return
			}
		}
	}
}

// drop is expire for those who do not care what went.
func (t *table[K, V]) drop(now time.Time) {
	for range t.expire(now) {
	}
}

// all yields what has not expired in the order of the keys.
func (t *table[K, V]) all(now time.Time) iter.Seq2[K, *entry[K, V]] {
	return func(yield func(K, *entry[K, V]) bool) {
		for _, k := range slices.SortedFunc(maps.Keys(t.entries), t.order.compare) {
			if e := t.entries[k]; now.Before(e.expires) && !yield(k, e) {
				return
			}
		}
	}
}

// expiry is a heap of entries by their time and then their key.
type expiry[K comparable, V any] struct {
	heap    []*entry[K, V]
	compare func(a, b K) int
}

func (x *expiry[K, V]) Len() int { return len(x.heap) }

func (x *expiry[K, V]) Less(i, j int) bool {
	a, b := x.heap[i], x.heap[j]
	if c := a.expires.Compare(b.expires); c != 0 {
		return c < 0
	}
	return x.compare(a.key, b.key) < 0
}

func (x *expiry[K, V]) Swap(i, j int) {
	x.heap[i], x.heap[j] = x.heap[j], x.heap[i]
	x.heap[i].at, x.heap[j].at = i, j
}

func (x *expiry[K, V]) Push(e any) {
	added := e.(*entry[K, V])
	added.at = len(x.heap)
	x.heap = append(x.heap, added)
}

func (x *expiry[K, V]) Pop() any {
	last := len(x.heap) - 1
	e := x.heap[last]
	x.heap[last] = nil
	x.heap = x.heap[:last]
	return e
}
