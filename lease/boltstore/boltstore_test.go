// SPDX-License-Identifier: BSD-3-Clause

package boltstore_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/boltstore"
	"github.com/mcastalloc/malloc/lease/leasetest"
)

// named is a store that remembers its file.
type named struct {
	*boltstore.Store
	path string
}

func open(t *testing.T, path string) named {
	s, err := boltstore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return named{s, path}
}

func TestStore(t *testing.T) {
	leasetest.TestStore(t,
		func(t *testing.T) lease.Store { return open(t, filepath.Join(t.TempDir(), "leases.db")) },
		func(t *testing.T, s lease.Store) lease.Store {
			old := s.(named)
			if err := old.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, old.path)
		})
}

func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := open(t, path)
	if _, err := boltstore.Open(path); !errors.Is(err, lease.ErrStore) {
		t.Errorf("a second opening: %v, want ErrStore", err)
	}
	s.Close()
	if _, err := s.Commit(t.Context(), lease.Write{Key: "k", Value: []byte("x")}); !errors.Is(err, lease.ErrStore) {
		t.Errorf("a commit after Close: %v, want ErrStore", err)
	}
	for _, err := range s.Load(t.Context(), "") {
		if !errors.Is(err, lease.ErrStore) {
			t.Errorf("a load after Close: %v, want ErrStore", err)
		}
	}
}
