// SPDX-License-Identifier: BSD-3-Clause

package lease_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// slow is a store that takes its time, in a bubble of synctest, so that what
// several callers and pools do interleaves in every way, and that fails at
// times: before a commit takes effect or after it, or when it is read.
type slow struct {
	lease.Store
	mu        sync.Mutex
	rnd       *rand.Rand
	faults    int // so many calls of a hundred fail
	exclusive bool
	bytes     int // a commit takes at most; 0: any number
}

var errSlow = errors.New("the store has failed")

func (s *slow) Exclusive() bool { return s.exclusive }
func (s *slow) MaxWrites() int  { return 12 }
func (s *slow) MaxBytes() int   { return s.bytes }

// pause sleeps for a while and says whether the call fails.
func (s *slow) pause() (fails bool) {
	s.mu.Lock()
	d := time.Duration(s.rnd.IntN(8)) * time.Millisecond
	fails = s.rnd.IntN(100) < s.faults
	s.mu.Unlock()
	time.Sleep(d)
	return fails
}

func (s *slow) Load(ctx context.Context, prefix string) iter.Seq2[lease.Entry, error] {
	return func(yield func(lease.Entry, error) bool) {
		if s.pause() {
			yield(lease.Entry{}, errSlow)
			return
		}
		var list []lease.Entry
		for e := range s.Store.Load(ctx, prefix) {
			list = append(list, e)
		}
		s.pause()
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (s *slow) Commit(ctx context.Context, writes ...lease.Write) (uint64, error) {
	if s.pause() {
		return 0, errSlow
	}
	size := 0
	for _, w := range writes {
		size += len(w.Key) + len(w.Value)
	}
	if len(writes) > s.MaxWrites() || s.bytes > 0 && size > s.bytes {
		return 0, fmt.Errorf("%d writes of %d octets in a commit", len(writes), size)
	}
	v, err := s.Store.Commit(ctx, writes...)
	if s.pause() && err == nil {
		return 0, errSlow
	}
	return v, err
}

// TestSlowStore lets callers of several pools work on few addresses of one
// slow and failing store at once. What somebody has been told he has, nobody
// else is given; what was given back can be granted again; after the end a
// new pool finds nothing that nobody knows of. Seeds with MALLOC_SEEDS=1000.
func TestSlowStore(t *testing.T) {
	seeds := 60
	if n, err := strconv.Atoi(os.Getenv("MALLOC_SEEDS")); err == nil {
		seeds = n
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { slowStore(t, uint64(seed)) })
		})
	}
}

func slowStore(t *testing.T, seed uint64) {
	base := &lease.MemoryStore{}
	rnd := rand.New(rand.NewPCG(seed, 1))
	pools := 1 + rnd.IntN(3)
	faults := rnd.IntN(2) * rnd.IntN(12)
	config := func() lease.Config {
		return lease.Config{
			Sources: []lease.Source{{Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.1.60-239.255.1.67", "239.255.1.126-239.255.1.130")}},
			Guard:   lease.NoGuard, Rand: rand.New(rand.NewPCG(seed, rnd.Uint64())),
			Damaged: func(key string, err error) { t.Errorf("LEASE-S-11: %s: %v", key, err) },
		}
	}
	m := slowModel{T: t}
	t.Logf("%d pools, %d of 100 calls fail", pools, faults)
	var wg sync.WaitGroup
	var all []*lease.Pool
	for range pools {
		c := config()
		c.Store = &slow{Store: base, rnd: rand.New(rand.NewPCG(seed, rnd.Uint64())), exclusive: pools == 1 && seed%2 == 0}
		p, err := lease.NewPool(c)
		if err != nil {
			t.Fatal(err)
		}
		c.Store.(*slow).faults = faults
		all = append(all, p)
	}
	for i, p := range all {
		for j := range 5 {
			r := rand.New(rand.NewPCG(seed, rnd.Uint64()))
			wg.Go(func() {
				for range 12 {
					m.turn(as(fmt.Sprint(i, j)), r, p, all[r.IntN(len(all))])
				}
			})
		}
	}
	wg.Wait()
	c := config()
	c.Store = base
	if pools == 1 && seed%2 == 0 {
		c.Store = alone{base}
	}
	p, err := lease.NewPool(c)
	if err != nil {
		t.Fatal(err)
	}
	for h := range p.Held(t.Context(), lease.Filter{}) {
		if !m.unknown.Overlaps(h.Addrs) {
			t.Errorf("LEASE-E-2: %v is left", h)
		}
	}
}

// slowModel knows what was acknowledged.
type slowModel struct {
	*testing.T
	mu      sync.Mutex
	held    scope.Set // acknowledged, and not being given back
	unknown scope.Set // of calls that have failed: nobody knows
}

func (m *slowModel) with(set *scope.Set, f func(scope.Set) (scope.Set, error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	*set, _ = f(*set)
}

// turn allocates at one pool, and changes and releases at another.
func (m *slowModel) turn(ctx context.Context, r *rand.Rand, p, other *lease.Pool) {
	time.Sleep(time.Duration(r.IntN(10)) * time.Millisecond)
	if r.IntN(8) == 0 {
		time.Sleep(2 * time.Hour)
		if _, err := p.Sweep(ctx); err != nil && !errors.Is(err, errSlow) {
			m.Errorf("LEASE-S-5: sweep: %v", err)
		}
	}
	if part := scope.MustSet("239.255.1.60-239.255.1.64"); r.IntN(8) == 0 {
		for _, do := range []func(context.Context, scope.ID, scope.Set) error{p.Retire, other.Reinstate} {
			if err := do(ctx, scope.IPv4Local().ID(), part); err != nil && !errors.Is(err, errSlow) && !errors.Is(err, lease.ErrConflict) {
				m.Errorf("LEASE-S-4: retire: %v", err)
			}
		}
	}
	req := lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 1, Max: 1 + r.IntN(8)}, Key: fmt.Sprint(r.IntN(3))}
	l, err := p.Allocate(ctx, req)
	switch {
	case errors.Is(err, lease.ErrNone):
		return
	case errors.Is(err, errSlow), errors.Is(err, lease.ErrConflict):
		// It may have taken effect: the same request finds out.
		for errors.Is(err, errSlow) || errors.Is(err, lease.ErrConflict) {
			l, err = p.Allocate(ctx, req)
		}
		if err != nil {
			m.Logf("unknown: %v", err)
			return
		}
	case err != nil:
		m.Errorf("LEASE-S-9: allocate: %v", err)
		return
	}
	m.mu.Lock()
	if m.held.Overlaps(l.Addrs) {
		m.Errorf("LEASE-S-1, LEASE-S-3: %v is leased twice", l.Addrs)
	}
	m.held, _ = m.held.Union(l.Addrs)
	m.mu.Unlock()
	if again, err := other.Allocate(ctx, req); err == nil && !again.Equal(l) {
		m.Errorf("LEASE-3.1-17, LEASE-S-9: the same request gave %v, before %v", again, l)
	}
	if r.IntN(2) == 0 {
		m.change(ctx, r, l, p, other)
	}
	m.with(&m.held, func(s scope.Set) (scope.Set, error) { return s.Subtract(l.Addrs) })
	unsure := false
	for range 100 {
		err = p.Release(ctx, l)
		if !errors.Is(err, errSlow) && !errors.Is(err, lease.ErrConflict) {
			break
		}
		unsure = true
	}
	if err != nil && !(unsure && errors.Is(err, lease.ErrNotLeased)) {
		m.Errorf("LEASE-S-9: release: %v", err)
	}
}

// change moves the end of a lease at two pools at the same time, and back.
func (m *slowModel) change(ctx context.Context, r *rand.Rand, l lease.Lease, pools ...*lease.Pool) {
	var wg sync.WaitGroup
	for _, p := range pools {
		end := l.End.Add(-time.Duration(1+r.IntN(5)) * time.Minute)
		wg.Go(func() { m.moved(ctx, p, l, end) })
	}
	wg.Wait()
	m.moved(ctx, pools[0], l, l.End)
}

func (m *slowModel) moved(ctx context.Context, p *lease.Pool, l lease.Lease, end time.Time) {
	changed, err := p.ChangeLifetime(ctx, l, lease.At(end))
	switch {
	case errors.Is(err, errSlow), errors.Is(err, lease.ErrConflict):
	case errors.Is(err, lease.ErrUnchanged): // it is retired
	case err != nil:
		m.Errorf("LEASE-S-9: change: %v", err)
	case !changed.End.Equal(end):
		m.Errorf("LEASE-3.2-1: end %v, want %v", changed.End, end)
	}
}

// What many callers do at once goes into several commits where one would be
// too large.
func TestCommitsAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, exclusive := range []bool{true, false} {
			store := &slow{Store: &lease.MemoryStore{}, rnd: rand.New(rand.NewPCG(1, 1)), exclusive: exclusive, bytes: 2000}
			p, err := lease.NewPool(lease.Config{Scopes: []scope.Scope{scope.IPv4Local()}, Store: store})
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for i := range 40 {
				wg.Go(func() {
					if _, err := p.Allocate(as(fmt.Sprintf("%050d", i)), ipv4); err != nil {
						t.Errorf("LEASE-S-4: exclusive %t, grant %d: %v", exclusive, i, err)
					}
				})
			}
			wg.Wait()
		}
	})
}
