// SPDX-License-Identifier: BSD-3-Clause

// Package boltstore keeps leases in one file, on go.etcd.io/bbolt. It is the
// store for a single server on one machine:
//
//	store, err := boltstore.Open("/var/lib/madcap/leases.db")
//	...
//	defer store.Close()
//	pool, err := lease.NewPool(lease.Config{Scopes: scopes, Store: store})
//
// What is committed has been synced to disk. The file is locked: nobody else
// can open it meanwhile.
package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"go.etcd.io/bbolt"
)

// Store is a [lease.Store] in a bbolt file. It is safe for concurrent use.
type Store struct{ db *bbolt.DB }

// maxWrites is how many writes go into one transaction, and so share one
// sync.
const maxWrites = 4096

var bucketName = []byte("leases")

// Open opens the file, or creates it with mode 0600: it holds lease
// identifiers, which are capabilities. If another process has it open, Open
// waits for a second and then gives up. The error wraps [lease.ErrStore].
func Open(path string) (*Store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:         time.Second,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: 64 << 20, // so that a long Load seldom holds up a Commit
	})
	if err != nil {
		return nil, storeError("open "+path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucketName)
		return err
	})
	if err != nil {
		db.Close()
		return nil, storeError("open "+path, err)
	}
	return &Store{db}, nil
}

// Close closes the file. Calls under way finish before.
func (s *Store) Close() error { return s.db.Close() }

func storeError(what string, err error) error {
	return fmt.Errorf("boltstore: %s: %w: %w", what, lease.ErrStore, err)
}

// Exclusive says that nobody else writes the file.
func (s *Store) Exclusive() bool { return true }

// MaxWrites says how many writes one Commit takes.
func (s *Store) MaxWrites() int { return maxWrites }

// Load implements [lease.Store]. As long as its loop runs, the file cannot
// shrink, and a Commit may have to wait if the file has to be mapped anew.
func (s *Store) Load(ctx context.Context, prefix string) iter.Seq2[lease.Entry, error] {
	return func(yield func(lease.Entry, error) bool) {
		stopped := false
		err := s.db.View(func(tx *bbolt.Tx) error {
			c := tx.Bucket(bucketName).Cursor()
			for k, v := c.Seek([]byte(prefix)); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, v = c.Next() {
				if err := ctx.Err(); err != nil {
					return err
				}
				version, value, err := split(k, v)
				if err != nil {
					return err
				}
				if stopped = !yield(lease.Entry{Key: string(k), Version: version, Value: slices.Clone(value)}, nil); stopped {
					return nil
				}
			}
			return ctx.Err()
		})
		if err != nil && !stopped {
			yield(lease.Entry{}, storeError("load", err))
		}
	}
}

// split takes the version off what stands in the file.
func split(key, v []byte) (version uint64, value []byte, err error) {
	if len(v) < 8 {
		return 0, nil, fmt.Errorf("the entry %q has %d octets, want 8 or more", key, len(v))
	}
	return binary.BigEndian.Uint64(v), v[8:], nil
}

// Commit implements [lease.Store]. The version is the number of the commit.
func (s *Store) Commit(ctx context.Context, writes ...lease.Write) (version uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var conflict error
	err = s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketName)
		for _, w := range writes {
			var have uint64
			if v := b.Get([]byte(w.Key)); v != nil {
				if have, _, err = split([]byte(w.Key), v); err != nil {
					return err
				}
			}
			if have != w.Version {
				conflict = fmt.Errorf("boltstore: commit: %w: %q has version %d, want %d", lease.ErrConflict, w.Key, have, w.Version)
				return conflict
			}
		}
		if version, err = b.NextSequence(); err != nil {
			return err
		}
		for _, w := range writes {
			if w.Value == nil {
				err = b.Delete([]byte(w.Key))
			} else {
				err = b.Put([]byte(w.Key), append(binary.BigEndian.AppendUint64(nil, version), w.Value...))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case conflict != nil:
		return 0, conflict
	case err != nil:
		return 0, storeError("commit", err)
	}
	return version, nil
}
