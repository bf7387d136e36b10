// SPDX-License-Identifier: BSD-3-Clause

package etcdstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/etcdstore"
	"github.com/mcastalloc/malloc/lease/leasetest"
)

// named is a store that remembers its prefix.
type named struct {
	*etcdstore.Store
	prefix string
}

func TestStore(t *testing.T) {
	leasetest.TestStore(t,
		func(t *testing.T) lease.Store {
			prefix := newPrefix()
			return named{openShared(t, prefix), prefix}
		},
		func(t *testing.T, s lease.Store) lease.Store {
			old := s.(named)
			if err := old.Close(); err != nil {
				t.Fatal(err)
			}
			return named{openShared(t, old.prefix), old.prefix}
		})
}

// A load of several pages is of one revision: what is written under way is
// not in it, what is deleted is.
func TestPagedSnapshot(t *testing.T) {
	s := openShared(t, newPrefix())
	const entries = 2000
	versions := map[string]uint64{}
	for i := 0; i < entries; {
		var writes []lease.Write
		for range s.MaxWrites() {
			writes = append(writes, lease.Write{Key: fmt.Sprintf("k/%06d", i), Value: []byte("old")})
			i++
		}
		v := commit(t, s, writes...)
		for _, w := range writes {
			versions[w.Key] = v
		}
	}
	n := 0
	for e, err := range s.Load(t.Context(), "k/") {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			commit(t, s,
				lease.Write{Key: "k/000001", Version: versions["k/000001"], Value: []byte("new")},
				lease.Write{Key: "k/001999", Version: versions["k/001999"], Value: []byte("new")},
				lease.Write{Key: "k/001998", Version: versions["k/001998"]},
				lease.Write{Key: "k/001998a", Value: []byte("new")})
		}
		if string(e.Value) != "old" || e.Version != versions[e.Key] {
			t.Fatalf("%s=%s of version %d in a snapshot of what was before", e.Key, e.Value, e.Version)
		}
	}
	if n != len(versions) {
		t.Errorf("%d entries, want %d", n, len(versions))
	}
}

// Prefixes do not see each other, also if one is the beginning of another.
func TestPrefixes(t *testing.T) {
	prefix := newPrefix()
	a, b := openShared(t, prefix), openShared(t, prefix+"x")
	commit(t, b, lease.Write{Key: "k", Value: []byte("b")})
	commit(t, a, lease.Write{Key: "k", Value: []byte("a")})
	for s, want := range map[*etcdstore.Store]string{a: "a", b: "b"} {
		if list := load(t, s, "k"); len(list) != 1 || string(list[0].Value) != want {
			t.Errorf("%v, want %s", list, want)
		}
	}
}

// An empty value is not nil when it comes back: written back, nil would delete
// the entry.
func TestEmptyValue(t *testing.T) {
	s := openShared(t, newPrefix())
	commit(t, s, lease.Write{Key: "k", Value: []byte{}})
	e := load(t, s, "k")
	commit(t, s, lease.Write(e[0]))
	if len(load(t, s, "k")) != 1 {
		t.Error("the entry is gone")
	}
}

// A client of one's own is left open.
func TestOwnClient(t *testing.T) {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{shared.address(0)}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := open(t, etcdstore.Config{Client: client})
	v := commit(t, s, lease.Write{Key: "k", Value: []byte("x")})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := client.Get(t.Context(), etcdstore.DefaultPrefix+"k")
	if err != nil || len(got.Kvs) != 1 || got.Kvs[0].ModRevision != int64(v) {
		t.Errorf("%v, %v, want a key written in revision %d", got, err, v)
	}
	commit(t, s, lease.Write{Key: "k", Version: v})
}

// What etcd does not take is an error, not a conflict, and writes nothing.
func TestTooMuch(t *testing.T) {
	s := openShared(t, newPrefix())
	var many []lease.Write
	for i := range s.MaxWrites() + 1 {
		many = append(many, lease.Write{Key: fmt.Sprint(i), Value: []byte("x")})
	}
	big := func(size int) lease.Write { return lease.Write{Key: "big", Value: make([]byte, size)} }
	for name, writes := range map[string][]lease.Write{
		"too many":       many,
		"too large":      {big(3 << 19)},
		"key twice":      {{Key: "k", Value: []byte("1")}, {Key: "k", Value: []byte("2")}},
		"much too large": {big(16 << 20)},
	} {
		if _, err := s.Commit(t.Context(), writes...); !errors.Is(err, lease.ErrStore) || errors.Is(err, lease.ErrConflict) {
			t.Errorf("LEASE-S-4: %s: %v, want ErrStore", name, err)
		} else if strings.Contains(name, "large") && !strings.Contains(err.Error(), "octets, etcd takes") {
			t.Errorf("%s: %v, want how much it takes", name, err)
		}
	}
	if list := load(t, s, ""); len(list) > 0 {
		t.Errorf("LEASE-S-4: %d entries were written", len(list))
	}
	commit(t, s, big(3<<19-1024)) // as much as is promised
	for i := range many[1:] {     // and in as many pieces
		many[i].Value = make([]byte, 3<<19/s.MaxWrites()-100)
	}
	commit(t, s, many[:s.MaxWrites()]...)
}

// A context that ends, and one that has ended.
func TestDeadline(t *testing.T) {
	p := newProxy(t, shared.address(0))
	s := open(t, etcdstore.Config{Endpoints: []string{p.address()}, Prefix: newPrefix(), RequestTimeout: time.Minute})
	commit(t, s, lease.Write{Key: "k", Value: []byte("x")})
	p.stall(toServer)
	for _, tt := range []struct {
		want  error
		until func() (context.Context, context.CancelFunc)
	}{
		{context.DeadlineExceeded, func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 50*time.Millisecond)
		}},
		{context.Canceled, func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return ctx, cancel
		}},
	} {
		ctx, cancel := tt.until()
		if _, err := s.Commit(ctx, lease.Write{Key: "other", Value: []byte("x")}); !errors.Is(err, tt.want) || errors.Is(err, lease.ErrConflict) {
			t.Errorf("commit: %v, want %v", err, tt.want)
		}
		for _, err := range s.Load(ctx, "") {
			if !errors.Is(err, tt.want) || !errors.Is(err, lease.ErrStore) {
				t.Errorf("load: %v, want %v", err, tt.want)
			}
		}
		cancel()
	}
}

// A server that does not answer is ErrStore, and not the end of the caller's
// context.
func TestTimeout(t *testing.T) {
	p := newProxy(t, shared.address(0))
	s := open(t, etcdstore.Config{Endpoints: []string{p.address()}, Prefix: newPrefix(), RequestTimeout: 50 * time.Millisecond})
	p.stall(toServer)
	_, err := s.Commit(t.Context(), lease.Write{Key: "k", Value: []byte("x")})
	for _, loaded := range s.Load(t.Context(), "") {
		err = errors.Join(err, loaded)
	}
	if !errors.Is(err, lease.ErrStore) || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(fmt.Sprint(err), "no answer within 50ms") {
		t.Errorf("%v, want ErrStore that says how long it was", err)
	}
}
