// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"iter"
	"maps"
	"slices"
	"time"
)

// table holds what other routers made us remember: a bounded map whose entries
// expire. When it is full, the entry that would expire soonest makes room, the
// new one included. Ties go to the lowest key, so that the same inputs always
// give the same table.
type table[K comparable, V any] struct {
	entries map[K]entry[V]
	limit   int
	compare func(a, b K) int
	onEvict func(K, V) // may be nil
	evicted uint64
	// soonest is an instant before which nothing expires; zero when unknown.
	soonest time.Time
}

type entry[V any] struct {
	value   V
	expires time.Time
}

func newTable[K comparable, V any](limit int, compare func(a, b K) int) table[K, V] {
	return table[K, V]{entries: map[K]entry[V]{}, limit: limit, compare: compare}
}

// get returns the value of a key unless it has expired. At the instant of
// expiry it has.
func (t *table[K, V]) get(k K, now time.Time) (V, bool) {
	e, ok := t.entries[k]
	if !ok || !now.Before(e.expires) {
		var none V
		return none, false
	}
	return e.value, true
}

// put stores a value until it expires and reports whether there was room.
func (t *table[K, V]) put(k K, v V, expires time.Time) bool {
	if _, ok := t.entries[k]; !ok && len(t.entries) >= t.limit {
		t.evicted++
		victim, first := t.first()
		if len(t.entries) == 0 || expires.Before(first) {
			return false
		}
		if t.onEvict != nil {
			t.onEvict(victim, t.entries[victim].value)
		}
		delete(t.entries, victim)
	}
	t.entries[k] = entry[V]{v, expires}
	if t.soonest.IsZero() || expires.Before(t.soonest) {
		t.soonest = expires
	}
	return true
}

func (t *table[K, V]) delete(k K) { delete(t.entries, k) }

// first returns the entry that expires soonest.
func (t *table[K, V]) first() (key K, expires time.Time) {
	for k, e := range t.entries {
		if expires.IsZero() || e.expires.Before(expires) || e.expires.Equal(expires) && t.compare(k, key) < 0 {
			key, expires = k, e.expires
		}
	}
	return key, expires
}

// deadline returns an instant at or before the next expiry.
func (t *table[K, V]) deadline() (time.Time, bool) { return t.soonest, len(t.entries) > 0 }

// expire drops what has expired and yields it in the order of the keys.
func (t *table[K, V]) expire(now time.Time) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if len(t.entries) == 0 || now.Before(t.soonest) {
			return
		}
		var gone []K
		for k, e := range t.entries {
			if !now.Before(e.expires) {
				gone = append(gone, k)
			}
		}
		slices.SortFunc(gone, t.compare)
		values := make([]V, len(gone))
		for i, k := range gone {
			values[i] = t.entries[k].value
			delete(t.entries, k)
		}
		_, t.soonest = t.first()
		for i, k := range gone {
			if !yield(k, values[i]) {
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
func (t *table[K, V]) all(now time.Time) iter.Seq2[K, entry[V]] {
	return func(yield func(K, entry[V]) bool) {
		for _, k := range slices.SortedFunc(maps.Keys(t.entries), t.compare) {
			if e := t.entries[k]; now.Before(e.expires) && !yield(k, e) {
				return
			}
		}
	}
}
