// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"iter"
	"slices"
	"sort"
	"strings"
	"sync"
)

// MemoryStore is a [Store] in memory: the reference for others, and good for
// tests, several pools on one store included. The zero value is empty. It is
// safe for concurrent use.
type MemoryStore struct {
	mu      sync.Mutex
	entries map[string]Entry
	keys    keyList
	version uint64 // the last one used, for any key
}

// Load implements [Store].
func (s *MemoryStore) Load(ctx context.Context, prefix string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		s.mu.Lock()
		found := make([]Entry, 0, 1)
		for k := range s.keys.from(prefix) {
			if !strings.HasPrefix(k, prefix) {
				break
			}
			found = append(found, s.entries[k])
		}
		s.mu.Unlock()
		for _, e := range found {
			if err := ctx.Err(); err != nil {
				yield(Entry{}, err)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Commit implements [Store].
func (s *MemoryStore) Commit(ctx context.Context, writes ...Write) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range writes {
		if s.entries[w.Key].Version != w.Version {
			return 0, &Error{Op: "commit", Got: w.Key, Want: "the version that was read", Err: ErrConflict}
		}
	}
	if s.entries == nil {
		s.entries = map[string]Entry{}
	}
	s.version++
	for _, w := range writes {
		switch {
		case w.Value == nil && w.Version != 0:
			delete(s.entries, w.Key)
			s.keys.remove(w.Key)
		case w.Value != nil:
			if w.Version == 0 {
				s.keys.insert(w.Key)
			}
			s.entries[w.Key] = Entry{w.Key, s.version, slices.Clone(w.Value)}
		}
	}
	return s.version, nil
}

// keyList is keys in order, in chunks that are cheap to insert into.
type keyList struct{ chunks [][]string }

const chunkMost = 512

// chunk returns the chunk that has or would have the key.
func (l *keyList) chunk(key string) int {
	return max(sort.Search(len(l.chunks), func(i int) bool { return l.chunks[i][0] > key })-1, 0)
}

func (l *keyList) insert(key string) {
	if len(l.chunks) == 0 {
		l.chunks = [][]string{{key}}
		return
	}
	i := l.chunk(key)
	at, _ := slices.BinarySearch(l.chunks[i], key)
	c := slices.Insert(l.chunks[i], at, key)
	l.chunks[i] = c
	if len(c) > chunkMost {
		l.chunks[i] = slices.Clone(c[:chunkMost/2])
		l.chunks = slices.Insert(l.chunks, i+1, slices.Clone(c[chunkMost/2:]))
	}
}

func (l *keyList) remove(key string) {
	i := l.chunk(key)
	at, _ := slices.BinarySearch(l.chunks[i], key)
	if l.chunks[i] = slices.Delete(l.chunks[i], at, at+1); len(l.chunks[i]) == 0 {
		l.chunks = slices.Delete(l.chunks, i, i+1)
	}
}

// from yields the keys from the given one on.
func (l *keyList) from(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := l.chunk(key); i < len(l.chunks); i++ {
			at, _ := slices.BinarySearch(l.chunks[i], key)
			for _, k := range l.chunks[i][at:] {
				if !yield(k) {
					return
				}
			}
		}
	}
}
