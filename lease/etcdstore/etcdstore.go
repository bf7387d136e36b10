// SPDX-License-Identifier: BSD-3-Clause

// Package etcdstore keeps leases in an etcd cluster, on
// go.etcd.io/etcd/client/v3. It is the store for servers on several machines:
// each has a pool of its own on the same store, none of them is the leader,
// and any of them renews and releases what another one has granted.
//
//	store, err := etcdstore.Open(etcdstore.Config{Endpoints: []string{"https://etcd-1:2379", "https://etcd-2:2379"}, TLS: tls})
//	...
//	defer store.Close()
//	pool, err := lease.NewPool(lease.Config{Scopes: scopes, Store: store})
//
// What is committed has been accepted by a majority of the cluster, and what
// is loaded is no older than the call. A server that is cut off from the
// cluster grants nothing; it goes on by itself when the cluster is back.
//
// A version is the revision of the cluster in which an entry was written. So
// it matters that revisions never go back: restore a backup with the options
// --bump-revision and --mark-compacted of etcdutl, and start the programs on
// it anew.
package etcdstore

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/mcastalloc/malloc/lease"
)

// Config says where the cluster is. Either Client or Endpoints must be given.
type Config struct {
	// Client is used as it is, and left open by Close.
	Client *clientv3.Client

	// Endpoints are the URLs of the cluster's servers. Name all of them: a
	// call that one of them cannot serve goes to another.
	Endpoints []string
	// TLS is for endpoints that begin with https.
	TLS *tls.Config
	// Username and Password, if the cluster demands them. Let nobody else
	// read what is under the prefix: it holds lease identifiers, which are
	// capabilities.
	Username, Password string

	// Prefix of all keys, [DefaultPrefix] if empty. Whoever writes under it
	// must be a pool; pools with the same prefix share their leases.
	Prefix string
	// RequestTimeout bounds every exchange with the cluster, in addition to
	// the context of the call; a Load may need several. Zero:
	// [DefaultRequestTimeout].
	RequestTimeout time.Duration
}

// Defaults of a [Config].
const (
	DefaultPrefix         = "malloc/lease/"
	DefaultRequestTimeout = 5 * time.Second
)

// What etcd takes in one transaction unless its servers are configured
// otherwise: --max-txn-ops and --max-request-bytes.
const (
	maxWrites  = 128
	maxRequest = 3 << 19 // octets

	writeOverhead   = 64 // octets around a key, named twice, and a value
	requestOverhead = 512
)

// pageSize is how many entries Load asks for at once.
const pageSize = 512

// Store is a [lease.Store] in an etcd cluster. It is safe for concurrent use.
type Store struct {
	client  *clientv3.Client
	ours    bool // to be closed
	prefix  string
	timeout time.Duration
}

// Open returns the store in a cluster. It talks to the cluster only if there
// is a Username, and otherwise does not find out whether it can be reached.
// The error wraps [lease.ErrStore].
func Open(c Config) (*Store, error) {
	s := &Store{
		client:  c.Client,
		prefix:  cmp.Or(c.Prefix, DefaultPrefix),
		timeout: cmp.Or(c.RequestTimeout, DefaultRequestTimeout),
	}
	if s.client != nil {
		return s, nil
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: c.Endpoints, TLS: c.TLS, Username: c.Username, Password: c.Password,
		DialTimeout: s.timeout,
		// A server that has vanished without a word is noticed by what it
		// does not acknowledge. 10 s is the least that etcd's servers like.
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: s.timeout,
		Logger: zap.NewNop(),
	})
	if err != nil {
		return nil, storeError("open", err)
	}
	s.client, s.ours = client, true
	return s, nil
}

// Close ends the connections that Open has made. Calls under way fail.
func (s *Store) Close() error {
	if !s.ours {
		return nil
	}
	return s.client.Close()
}

// MaxWrites says how many writes one Commit takes: as many as etcd takes by
// default. They may have 1.5 MiB together.
func (s *Store) MaxWrites() int { return maxWrites }

// MaxBytes says how many octets of keys and values one Commit takes for sure:
// etcd's limit is on the whole request, which names each key twice.
func (s *Store) MaxBytes() int {
	return maxRequest - requestOverhead - maxWrites*(writeOverhead+2*(len(s.prefix)+longestKey))
}

// longestKey is more than the pool's keys have, counted once too often.
const longestKey = 64

// Load implements [lease.Store]. It reads page by page at one revision; if
// etcd is made to forget that revision meanwhile (compaction), it ends with an
// error.
func (s *Store) Load(ctx context.Context, prefix string) iter.Seq2[lease.Entry, error] {
	return func(yield func(lease.Entry, error) bool) {
		from := s.prefix + prefix
		end := clientv3.GetPrefixRangeEnd(from)
		for revision := int64(0); ; { // 0: the present one
			page, err := s.page(ctx, from, end, revision)
			if err != nil {
				yield(lease.Entry{}, storeError("load", err))
				return
			}
			for _, kv := range page.Kvs {
				e := lease.Entry{Key: string(kv.Key[len(s.prefix):]), Version: uint64(kv.ModRevision), Value: kv.Value}
				if e.Value == nil {
					e.Value = []byte{} // nil would delete it, if written back
				}
				if !yield(e, nil) {
					return
				}
			}
			if !page.More {
				return
			}
			from = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00" // the next key there can be
			if revision == 0 {
				revision = page.Header.Revision
			}
		}
	}
}

// page reads some entries with keys from one up to another, at a revision.
func (s *Store) page(ctx context.Context, from, end string, revision int64) (page *clientv3.GetResponse, err error) {
	err = s.exchange(ctx, func(ctx context.Context) error {
		page, err = s.client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithRev(revision), clientv3.WithLimit(pageSize))
		return err
	})
	return page, err
}

// Commit implements [lease.Store] with one transaction. The version is its
// revision.
func (s *Store) Commit(ctx context.Context, writes ...lease.Write) (version uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	size := requestOverhead
	var have []clientv3.Cmp
	var do []clientv3.Op
	for _, w := range writes {
		key := s.prefix + w.Key
		size += 2*len(key) + len(w.Value) + writeOverhead
		have = append(have, clientv3.Compare(clientv3.ModRevision(key), "=", int64(w.Version)))
		if w.Value == nil {
			do = append(do, clientv3.OpDelete(key))
		} else {
			do = append(do, clientv3.OpPut(key, string(w.Value)))
		}
	}
	if size > maxRequest {
		return 0, storeError("commit", fmt.Errorf("%d writes need %d octets, etcd takes %d at once", len(writes), size, maxRequest))
	}
	var done *clientv3.TxnResponse
	err = s.exchange(ctx, func(ctx context.Context) error {
		done, err = s.client.Txn(ctx).If(have...).Then(do...).Commit()
		return err
	})
	switch {
	case err != nil:
		return 0, storeError("commit", err)
	case !done.Succeeded:
		return 0, fmt.Errorf("etcdstore: commit: %w: one of %d entries does not have the version that was read", lease.ErrConflict, len(writes))
	}
	return uint64(done.Header.Revision), nil
}

// exchange has an exchange with the cluster, within the timeout. A server
// that has no leader says so and does nothing: then another one is asked, or
// the same again, as it is what happens during every election. After any
// other error there is no telling what has been done.
func (s *Store) exchange(ctx context.Context, do func(context.Context) error) error {
	limited, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), s.timeout)
	defer cancel()
	for {
		err := do(limited)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case limited.Err() != nil:
			return fmt.Errorf("no answer within %v", s.timeout)
		case !errors.Is(err, rpctypes.ErrNoLeader):
			return err
		}
		wait := time.NewTimer(s.timeout / 50)
		select {
		case <-wait.C:
		case <-limited.Done():
			wait.Stop()
			return err
		}
	}
}

func storeError(what string, err error) error {
	return fmt.Errorf("etcdstore: %s: %w: %w", what, lease.ErrStore, err)
}
