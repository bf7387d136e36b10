// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"iter"
)

// Store keeps what a [Pool] must not forget: pairs of a key and a value, each
// with a version. Two methods, so that a map, a file, an embedded database, a
// cluster's key-value store or one SQL table can be one. The pool owns the
// layout of keys and values.
//
// A store may have three methods more. MaxWrites() int says how many writes one
// Commit takes, MaxBytes() int how many octets of keys and values, and
// Exclusive() bool that nobody but this pool writes it as long as it is open:
// then a pool need not read anew what it remembers, and writes less.
//
// leasetest.TestStore checks what is demanded here.
type Store interface {
	// Load yields the entries whose keys begin with the prefix, in the order
	// of their keys; the empty prefix is everything. They are a consistent
	// snapshot, no older than the call. After an error nothing more comes.
	// The values must not be changed, and are the caller's to keep.
	Load(ctx context.Context, prefix string) iter.Seq2[Entry, error]

	// Commit does all of the writes or none, and returns when they are
	// durable, with the version that all of the entries have now. It is an
	// [ErrConflict], and nothing is written, if an entry does not have the
	// version that its write names. After any other error the writes may have
	// taken effect or not. Keys are named once each.
	//
	// Versions of a key strictly increase, also when it is deleted and made
	// again.
	Commit(ctx context.Context, writes ...Write) (version uint64, err error)
}

// Entry is what a store holds under a key. Versions are above zero.
type Entry struct {
	Key     string
	Version uint64
	Value   []byte
}

// Write is a change to a store.
type Write struct {
	Key     string
	Version uint64 // the entry's present version; 0: there is no such entry
	Value   []byte // nil: the entry is deleted
}

// DefaultMaxWrites is how many writes a store must take in one Commit, unless
// it has a method MaxWrites() int that says otherwise: what etcd and Consul
// take without being configured.
const DefaultMaxWrites = 60

// A store whose method Exclusive() bool says true is written by nobody but
// this pool as long as it is open. Then what the pool remembers is true, and
// answers that change nothing need not be read anew.
type exclusive interface{ Exclusive() bool }

type maxWrites interface{ MaxWrites() int }

// A store whose method MaxBytes() int gives a number takes commits of so many
// octets at most, keys and values together.
type maxBytes interface{ MaxBytes() int }
