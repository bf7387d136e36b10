// SPDX-License-Identifier: BSD-3-Clause

package boltstore_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/boltstore"
	"github.com/mcastalloc/malloc/scope"
	"go.etcd.io/bbolt"
)

// BenchmarkGrant is durable grants by so many callers at once, BenchmarkBatch
// bbolt's own coalescing of one small write each, for comparison.
func BenchmarkGrant(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			s, err := boltstore.Open(filepath.Join(b.TempDir(), "leases.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			p, err := lease.NewPool(lease.Config{Scopes: []scope.Scope{{Range: scope.MustRange("239.0.0.0", "239.255.255.255"), TTL: 255}}, Store: s})
			if err != nil {
				b.Fatal(err)
			}
			atOnce(b, writers, func() error {
				_, err := p.Allocate(context.Background(), lease.Request{Family: lease.IPv4})
				return err
			})
		})
	}
}

func BenchmarkBatch(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			db, err := bbolt.Open(filepath.Join(b.TempDir(), "peer.db"), 0o600, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			var mu sync.Mutex
			n := uint64(0)
			atOnce(b, writers, func() error {
				mu.Lock()
				n++
				key := fmt.Appendf(nil, "%016d", n*0x9e3779b97f4a7c15)
				mu.Unlock()
				return db.Batch(func(tx *bbolt.Tx) error {
					bucket, err := tx.CreateBucketIfNotExists([]byte("leases"))
					if err != nil {
						return err
					}
					return bucket.Put(key, make([]byte, 64))
				})
			})
		})
	}
}

// atOnce runs b.N calls of do by so many goroutines.
func atOnce(b *testing.B, writers int, do func() error) {
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < b.N; i += writers {
				if err := do(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "leases/s")
}
