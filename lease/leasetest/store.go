// SPDX-License-Identifier: BSD-3-Clause

package leasetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/mcastalloc/malloc/lease"
)

// TestStore checks what the contract of a [lease.Store] demands, and that a
// pool on it keeps its promises while commits fail before and after they take
// effect. open returns an empty store. reopen closes a store and opens it
// again with what it has; nil if the store does not outlive its process.
func TestStore(t *testing.T, open func(t *testing.T) lease.Store, reopen func(t *testing.T, s lease.Store) lease.Store) {
	if reopen == nil {
		reopen = func(_ *testing.T, s lease.Store) lease.Store { return s }
	}
	t.Run("load", func(t *testing.T) { storeLoad(t, open(t), reopen) })
	t.Run("compare and set", func(t *testing.T) { storeCompareAndSet(t, open(t)) })
	t.Run("all or nothing", func(t *testing.T) { storeAtomic(t, open(t)) })
	t.Run("versions", func(t *testing.T) { storeVersions(t, open(t), reopen) })
	t.Run("snapshot", func(t *testing.T) { storeSnapshot(t, open(t)) })
	t.Run("many writes", func(t *testing.T) { storeMany(t, open(t)) })
	t.Run("concurrent", func(t *testing.T) { storeConcurrent(t, open(t)) })
	t.Run("cancelled", func(t *testing.T) { storeCancelled(t, open(t)) })
	t.Run("pool", func(t *testing.T) { poolOnStore(t, open) })
	t.Run("faults", func(t *testing.T) { poolOnFaultyStore(t, open, reopen) })
}

func commit(t *testing.T, s lease.Store, writes ...lease.Write) uint64 {
	t.Helper()
	v, err := s.Commit(t.Context(), writes...)
	if err != nil {
		t.Fatalf("commit: %v", err)
	}
	return v
}

func load(t *testing.T, s lease.Store, prefix string) (list []lease.Entry) {
	t.Helper()
	for e, err := range s.Load(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("load: %v", err)
		}
		list = append(list, e)
	}
	return list
}

// contents returns keys and values in one line.
func contents(list []lease.Entry) string {
	var words []string
	for _, e := range list {
		words = append(words, e.Key+"="+string(e.Value))
	}
	return strings.Join(words, " ")
}

func wantContents(t *testing.T, s lease.Store, prefix, want string) {
	t.Helper()
	if got := contents(load(t, s, prefix)); got != want {
		t.Errorf("load %q: %s, want %s", prefix, got, want)
	}
}

func storeLoad(t *testing.T, s lease.Store, reopen func(*testing.T, lease.Store) lease.Store) {
	wantContents(t, s, "", "")
	commit(t, s, lease.Write{Key: "b/2", Value: []byte("two")}, lease.Write{Key: "a", Value: []byte{}}, lease.Write{Key: "b/1", Value: []byte("one")}, lease.Write{Key: "b", Value: []byte("b")}, lease.Write{Key: "c\xff", Value: []byte("last")})
	for range 2 {
		wantContents(t, s, "", "a= b=b b/1=one b/2=two c\xff=last")
		wantContents(t, s, "b/", "b/1=one b/2=two")
		wantContents(t, s, "b/2", "b/2=two")
		wantContents(t, s, "c\xff", "c\xff=last")
		wantContents(t, s, "d", "")
		s = reopen(t, s)
	}
	for range s.Load(t.Context(), "") {
		break // stopping early must not hurt
	}
	commit(t, s, lease.Write{Key: "d", Value: []byte("d")})
}

func storeCompareAndSet(t *testing.T, s lease.Store) {
	v := commit(t, s, lease.Write{Key: "k", Value: []byte("1")})
	if e := load(t, s, "k"); len(e) != 1 || e[0].Version != v {
		t.Errorf("LEASE-S-4: version %v, Commit said %d", e, v)
	}
	for _, w := range []lease.Write{
		{Key: "k", Value: []byte("x")}, {Key: "k"}, {Key: "k", Version: v + 1, Value: []byte("x")},
		{Key: "k", Version: v - 1, Value: []byte("x")}, {Key: "none", Version: v, Value: []byte("x")}, {Key: "none", Version: v},
	} {
		if _, err := s.Commit(t.Context(), w); !errors.Is(err, lease.ErrConflict) {
			t.Errorf("LEASE-S-4: write %+v on version %d: %v, want a conflict", w, v, err)
		}
	}
	wantContents(t, s, "", "k=1")
	value := []byte("2")
	w := commit(t, s, lease.Write{Key: "k", Version: v, Value: value})
	value[0] = '?'
	wantContents(t, s, "", "k=2")
	commit(t, s, lease.Write{Key: "k", Version: w})
	wantContents(t, s, "", "")
}

func storeAtomic(t *testing.T, s lease.Store) {
	v := commit(t, s, lease.Write{Key: "a", Value: []byte("1")}, lease.Write{Key: "b", Value: []byte("1")})
	for i := range 3 {
		writes := []lease.Write{{Key: "a", Version: v, Value: []byte("2")}, {Key: "b", Version: v}, {Key: "c", Value: []byte("2")}}
		writes[i].Version++
		if _, err := s.Commit(t.Context(), writes...); !errors.Is(err, lease.ErrConflict) {
			t.Errorf("LEASE-S-1: %v, want a conflict", err)
		}
		wantContents(t, s, "", "a=1 b=1")
	}
	commit(t, s, lease.Write{Key: "a", Version: v, Value: []byte("2")}, lease.Write{Key: "b", Version: v}, lease.Write{Key: "c", Value: []byte("2")})
	wantContents(t, s, "", "a=2 c=2")
}

func storeVersions(t *testing.T, s lease.Store, reopen func(*testing.T, lease.Store) lease.Store) {
	last := uint64(0)
	for i := range 6 {
		v := commit(t, s, lease.Write{Key: "k", Value: []byte("x")})
		if v <= last {
			t.Errorf("LEASE-S-4: version %d after %d: they increase over deletion too", v, last)
		}
		last = v
		commit(t, s, lease.Write{Key: "k", Version: v})
		if i%2 == 0 {
			s = reopen(t, s)
		}
	}
}

func storeSnapshot(t *testing.T, s lease.Store) {
	var versions []uint64
	for _, k := range []string{"a", "b", "c"} {
		versions = append(versions, commit(t, s, lease.Write{Key: k, Value: []byte("old")}))
	}
	n := 0
	for e, err := range s.Load(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			done := make(chan error, 1)
			go func() {
				_, err := s.Commit(t.Context(), lease.Write{Key: "c", Version: versions[2], Value: []byte("new")})
				done <- err
			}()
			select { // a store may also make the writer wait
			case <-done:
			case <-t.Context().Done():
			}
		}
		if string(e.Value) != "old" {
			t.Errorf("a snapshot changed under way: %s=%s", e.Key, e.Value)
		}
	}
	wantContents(t, s, "", "a=old b=old c=new")
}

func storeMany(t *testing.T, s lease.Store) {
	most := lease.DefaultMaxWrites
	if m, ok := s.(interface{ MaxWrites() int }); ok {
		most = m.MaxWrites()
	}
	var writes []lease.Write
	for i := range most {
		writes = append(writes, lease.Write{Key: fmt.Sprintf("k/%06d", i), Value: make([]byte, 1000)})
	}
	v := commit(t, s, writes...)
	for i := range writes {
		writes[i].Version, writes[i].Value = v, nil
	}
	commit(t, s, writes...)
	wantContents(t, s, "", "")
}

func storeConcurrent(t *testing.T, s lease.Store) {
	const workers, each = 4, 10
	commit(t, s, lease.Write{Key: "n", Value: []byte{0}})
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for done := 0; done < each; {
				var e lease.Entry
				for got, err := range s.Load(t.Context(), "n") {
					if e = got; err != nil {
						t.Error(err)
						return
					}
				}
				_, err := s.Commit(t.Context(), lease.Write{Key: "n", Version: e.Version, Value: []byte{e.Value[0] + 1}})
				switch {
				case err == nil:
					done++
				case !errors.Is(err, lease.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if e := load(t, s, "n"); e[0].Value[0] != workers*each {
		t.Errorf("LEASE-S-3: %d writers counted to %d, want %d", workers, e[0].Value[0], workers*each)
	}
}

func storeCancelled(t *testing.T, s lease.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Commit(ctx, lease.Write{Key: "k", Value: []byte("x")}); !errors.Is(err, context.Canceled) {
		t.Errorf("commit on a dead context: %v", err)
	}
	commit(t, s, lease.Write{Key: "k", Value: []byte("x")})
	for _, err := range s.Load(ctx, "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("load on a dead context: %v", err)
		}
	}
}

// fault is what a faulty store does on one commit.
type fault int

const (
	failBefore  fault = iota // an error, and nothing is written
	failAfter                // an error, although all is written
	conflicting              // a conflict that is none
	stolen                   // somebody else writes the same keys first
	faults
)

var errFault = errors.New("the disk is on fire")

// faulty is a store whose n-th commit from now on does not go well.
type faulty struct {
	lease.Store
	mu    sync.Mutex
	in    int
	fault fault
}

// Exclusive answers like the store within.
func (s *faulty) Exclusive() bool {
	e, ok := s.Store.(interface{ Exclusive() bool })
	return ok && e.Exclusive()
}

func (s *faulty) Commit(ctx context.Context, writes ...lease.Write) (uint64, error) {
	s.mu.Lock()
	s.in--
	now := s.in == 0
	s.mu.Unlock()
	if !now {
		return s.Store.Commit(ctx, writes...)
	}
	switch s.fault {
	case failAfter:
		s.Store.Commit(ctx, writes...)
	case conflicting:
		return 0, &lease.Error{Op: "commit", Err: lease.ErrConflict}
	case stolen: // the entries get new versions, the values stay
		var again []lease.Write
		for _, w := range writes {
			for e := range s.Load(ctx, w.Key) {
				if e.Key == w.Key {
					again = append(again, lease.Write(e))
				}
			}
		}
		s.Store.Commit(ctx, again...)
		return s.Store.Commit(ctx, writes...)
	}
	return 0, errFault
}
