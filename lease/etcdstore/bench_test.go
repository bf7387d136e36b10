// SPDX-License-Identifier: BSD-3-Clause

package etcdstore_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/etcdstore"
	"github.com/mcastalloc/malloc/scope"
)

// BenchmarkGrant is grants by so many callers of one pool at once, on one etcd
// in this process that syncs its log.
func BenchmarkGrant(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) { grant(b, 1, callers) })
	}
}

// BenchmarkPools is the same with several pools, which do not know of each
// other but through etcd.
func BenchmarkPools(b *testing.B) {
	for _, pools := range []int{1, 3} {
		b.Run(fmt.Sprint(pools), func(b *testing.B) { grant(b, pools, 24) })
	}
}

// grant has callers, shared out over some pools, get addresses of 239/8.
func grant(b *testing.B, pools, callers int) {
	endpoint := durable(b)
	var list []*lease.Pool
	for range pools {
		p, err := lease.NewPool(lease.Config{
			Scopes: []scope.Scope{{Range: scope.MustRange("239.0.0.0", "239.255.255.255"), TTL: 255}},
			Store:  open(b, etcdstore.Config{Endpoints: []string{endpoint}}),
		})
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, p)
	}
	atOnce(b, callers, "leases/s", func(i int) error {
		_, err := list[i%pools].Allocate(b.Context(), lease.Request{Family: lease.IPv4})
		return err
	})
}

// BenchmarkTxn is etcd's own transactions for comparison: a key that must not
// exist, 64 octets.
func BenchmarkTxn(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			c, err := clientv3.New(clientv3.Config{Endpoints: []string{durable(b)}})
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			value := string(make([]byte, 64))
			atOnce(b, callers, "txn/s", func(i int) error {
				key := fmt.Sprintf("%016x", uint64(i)*0x9e3779b97f4a7c15)
				_, err := c.Txn(b.Context()).If(clientv3.Compare(clientv3.ModRevision(key), "=", 0)).Then(clientv3.OpPut(key, value)).Commit()
				return err
			})
		})
	}
}

// durable starts an etcd that keeps its promises.
func durable(b *testing.B) string {
	c, err := startCluster(b.TempDir(), 1, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.close)
	return c.address(0)
}

// atOnce runs b.N calls of do by so many goroutines, and reports how many
// there are in a second and how long half and all but a hundredth of them
// take.
func atOnce(b *testing.B, callers int, unit string, do func(i int) error) {
	took := make([]time.Duration, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := c; i < b.N; i += callers {
				began := time.Now()
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), unit)
	b.ReportMetric(float64(took[b.N/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds()), "p99-µs")
}
