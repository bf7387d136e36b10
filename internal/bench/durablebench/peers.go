// SPDX-License-Identifier: BSD-3-Clause

package durablebench

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

const (
	keyLen   = 16
	valueLen = 64
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// keys makes keys in no order, no two alike.
type keys struct{ n atomic.Uint64 }

func (k *keys) next() []byte { return keyOf(k.n.Add(1)) }

func keyOf(n uint64) []byte {
	b := make([]byte, keyLen)
	binary.BigEndian.PutUint64(b, n*0x9e3779b97f4a7c15)
	return b
}

// bolt is a plain bbolt database, filled.
type bolt struct {
	*bbolt.DB
	keys keys
}

var bucket = []byte("leases")

func openBolt(dir string) *bolt {
	db, err := bbolt.Open(filepath.Join(dir, "peer.db"), 0o600, nil)
	check(err)
	b := &bolt{DB: db}
	check(db.Update(func(tx *bbolt.Tx) error {
		leases, err := tx.CreateBucket(bucket)
		if err != nil {
			return err
		}
		for range preloaded {
			if err := leases.Put(b.keys.next(), make([]byte, valueLen)); err != nil {
				return err
			}
		}
		return nil
	}))
	return b
}

func (b *bolt) put(tx *bbolt.Tx) error {
	return tx.Bucket(bucket).Put(b.keys.next(), make([]byte, valueLen))
}

func (b *bolt) update() { check(b.Update(b.put)) }
func (b *bolt) batch()  { check(b.Batch(b.put)) }

// get reads the value of the n-th key.
func (b *bolt) get(n uint64) {
	check(b.View(func(tx *bbolt.Tx) error {
		if len(tx.Bucket(bucket).Get(keyOf(n))) != valueLen {
			panic("no such key")
		}
		return nil
	}))
}

// appendLog is the least that makes records durable: a file that they are
// appended to and a sync. With groups, those that come while a sync is under
// way share the next one.
type appendLog struct {
	mu     sync.Mutex
	file   *os.File
	keys   keys
	buf    []byte        // records that wait for a sync
	synced chan struct{} // closed when those are durable
	busy   bool
}

func openLog(dir, name string) *appendLog {
	f, err := os.Create(filepath.Join(dir, name))
	check(err)
	return &appendLog{file: f, synced: make(chan struct{})}
}

func (l *appendLog) record() []byte { return append(l.keys.next(), make([]byte, valueLen)...) }

// one appends a record and syncs.
func (l *appendLog) one() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.file.Write(l.record())
	check(err)
	check(dataSync(l.file))
}

// grouped appends a record and waits for the sync that makes it durable.
func (l *appendLog) grouped() {
	l.mu.Lock()
	l.buf = append(l.buf, l.record()...)
	done := l.synced
	if l.busy {
		l.mu.Unlock()
		<-done
		return
	}
	l.busy = true
	for len(l.buf) > 0 {
		buf, synced := l.buf, l.synced
		l.buf, l.synced = nil, make(chan struct{})
		l.mu.Unlock()
		_, err := l.file.Write(buf)
		check(err)
		check(dataSync(l.file))
		close(synced)
		l.mu.Lock()
	}
	l.busy = false
	l.mu.Unlock()
}

// rate returns how often a second so many writers can do something, and the
// time that one time in a hundred it takes longer than.
func rate(writers int, do func()) (perSecond float64, p99 time.Duration) {
	const atLeast = 200 * time.Millisecond
	var wg sync.WaitGroup
	took := make([][]time.Duration, writers)
	start := time.Now()
	for w := range writers {
		wg.Go(func() {
			for from := start; from.Sub(start) < atLeast; {
				do()
				now := time.Now()
				took[w] = append(took[w], now.Sub(from))
				from = now
			}
		})
	}
	wg.Wait()
	d := time.Since(start)
	all := sorted(took)
	return float64(len(all)) / d.Seconds(), all[len(all)*99/100]
}
