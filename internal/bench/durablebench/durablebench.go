// SPDX-License-Identifier: BSD-3-Clause

// Package durablebench compares leases that are durable when they are granted,
// by a pool on boltstore, with what a bbolt database does with a key of 16
// octets and a value of 64, and with a log that such records are appended to.
// Pool and database hold a hundred thousand of them.
package durablebench

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/mcastalloc/malloc/internal/bench/ratio"
	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/boltstore"
	"github.com/mcastalloc/malloc/scope"
)

const preloaded = 100_000

// Rows measures and yields one row after the other. What it writes lies in a
// temporary folder: TMPDIR says on which disk.
func Rows() iter.Seq[ratio.Row] {
	return func(yield func(ratio.Row) bool) {
		dir, err := os.MkdirTemp("", "durable")
		check(err)
		defer os.RemoveAll(dir)
		store, err := boltstore.Open(filepath.Join(dir, "leases.db"))
		check(err)
		defer store.Close()
		pool := openPool(store)
		peer, alone, groups := openBolt(dir), openLog(dir, "one"), openLog(dir, "groups")
		defer peer.Close()
		defer alone.file.Close()
		defer groups.file.Close()
		grant := func() { allocate(pool, "") }
		better := func(writers int) (perSecond float64, p99 time.Duration) {
			for i, delay := range []time.Duration{10 * time.Millisecond, 200 * time.Microsecond} {
				peer.MaxBatchDelay = delay
				r, p := rate(writers, peer.batch)
				if perSecond = max(perSecond, r); i == 0 || p < p99 {
					p99 = p
				}
			}
			return perSecond, p99
		}
		update := func(writers int) (float64, time.Duration) { return rate(writers, peer.update) }
		for _, row := range []struct {
			writers int
			peer    string
			target  float64
			theirs  func(writers int) (float64, time.Duration)
		}{
			{1, "bbolt Update", 1.6, update},
			{8, "bbolt Batch, better of 10 ms and 200 us", 2.5, better},
			{64, "bbolt Batch, better of 10 ms and 200 us", 5, better},
			{256, "bbolt Batch, better of 10 ms and 200 us", 10, better},
			{64, "a log, one sync a group", 0.7, func(n int) (float64, time.Duration) { return rate(n, groups.grouped) }},
			{64, "a log, one sync a record", 15, func(n int) (float64, time.Duration) { return rate(n, alone.one) }},
		} {
			var ours, theirs []float64
			r := ratio.Of(fmt.Sprintf("durable grants, %d at once", row.writers), row.peer, row.target, func() (float64, float64) {
				a, p := rate(row.writers, grant)
				b, q := row.theirs(row.writers)
				ours, theirs = append(ours, float64(p.Microseconds())), append(theirs, float64(q.Microseconds()))
				return a, b
			})
			r.Unit, r.AtLeast = "/s", true
			if !yield(r) {
				return
			}
			if row.writers == 64 && row.target == 5 {
				i := -1
				r := ratio.Of("p99 of a durable grant, 64 at once", row.peer, 0.5, func() (float64, float64) {
					i++
					return ours[i], theirs[i]
				})
				r.Unit = "us"
				if !yield(r) {
					return
				}
			}
		}
		rnd := rand.New(rand.NewPCG(1, 1))
		yield(ratio.Time("a lease found by its key, in memory", "bbolt View and Get", 0.1,
			ratio.Each(func() { allocate(pool, strconv.Itoa(rnd.IntN(preloaded))) }),
			ratio.Each(func() { peer.get(1 + rnd.Uint64N(preloaded)) })))
	}
}

// openPool makes a pool with leases that have keys.
func openPool(store lease.Store) *lease.Pool {
	pool, err := lease.NewPool(lease.Config{
		Scopes: []scope.Scope{{Range: scope.MustRange("239.0.0.0", "239.255.255.255"), TTL: 255}},
		Store:  store, MaxLeases: 1 << 22,
	})
	check(err)
	const writers = 2000
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < preloaded; i += writers {
				allocate(pool, strconv.Itoa(i))
			}
		})
	}
	wg.Wait()
	return pool
}

func allocate(pool *lease.Pool, key string) {
	_, err := pool.Allocate(context.Background(), lease.Request{Family: lease.IPv4, Key: key, Lifetime: lease.Exactly(time.Hour)})
	check(err)
}

func sorted(lists [][]time.Duration) []time.Duration {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return all
}
