// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/scope"
	"pgregory.net/rapid"
)

// machine drives a pool and the model side by side. With a store it restarts
// the pool now and then; with several pools on it, each call goes to another.
type machine struct {
	model
	pool   *Pool
	pools  []*Pool
	config Config
	now    time.Time
	made   int
	names  []Principal
}

func newMachine(t *rapid.T, store Store, pools int, link bool) *machine {
	m := &machine{now: epoch, names: []Principal{{}, {Name: "a", By: ByHost}, {Name: "b", By: ByHost}}}
	m.rest = time.Duration(rapid.SampledFrom([]int{0, 0, 3, 10}).Draw(t, "rest")) * time.Second
	m.longest = 60 * time.Second
	guard := m.rest
	if guard == 0 {
		guard = NoGuard
	}
	n := rapid.IntRange(1, 9).Draw(t, "addresses")
	set := scope.MustSet(fmt.Sprintf("239.255.3.60-239.255.3.%d", 59+n)) // across two pages of a store
	home := scope.IPv4Local()
	if m.link = link; link { // some addresses whose Ethernet addresses are in pairs
		set, _ = set.Union(scope.MustSet("239.127.3.61-239.127.3.63", "238.127.3.63"))
		home = scope.Scope{Range: scope.MustRange("238.0.0.0", "239.255.255.255")}
	}
	m.universe = slices.Collect(set.Addrs())
	m.config = Config{
		Sources:     []Source{{Scope: home, Addrs: set}},
		LinkUnique:  link,
		MaxLifetime: m.longest,
		Guard:       guard,
		Rand:        rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)),
		Now:         func() time.Time { return m.now },
		Store:       store,
		Damaged:     func(key string, err error) { panic(fmt.Sprint(key, err)) },
	}
	for range pools {
		m.pools = append(m.pools, m.open(t))
	}
	m.pool = m.pools[0]
	return m
}

func (m *machine) open(t *rapid.T) *Pool {
	p, err := NewPool(m.config)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shared reports that several pools use the store. Then each knows only some
// of what has become free, and offers of its own.
func (m *machine) shared() bool { return len(m.pools) > 1 }

// turn makes the next call go to some pool.
func (m *machine) turn(t *rapid.T) {
	if m.shared() {
		m.pool = m.pools[rapid.IntRange(0, len(m.pools)-1).Draw(t, "pool")]
	}
}

// Restart forgets a pool and opens another on the same store.
func (m *machine) Restart(t *rapid.T) {
	if m.config.Store == nil {
		t.Skip("no store")
	}
	i := rapid.IntRange(0, len(m.pools)-1).Draw(t, "which")
	m.pools[i] = m.open(t)
	m.pool = m.pools[i]
	m.rects = slices.DeleteFunc(m.rects, func(r *rectangle) bool { return !r.hold.IsZero() })
}

func seconds(t *rapid.T, name string, a, b int) time.Duration {
	return time.Duration(rapid.IntRange(a, b).Draw(t, name)) * time.Second
}

// request draws a request and what it means.
func (m *machine) request(t *rapid.T) (Request, *wanted) {
	n1 := rapid.IntRange(1, 3).Draw(t, "least")
	w := &wanted{n1: n1, n2: n1 + rapid.IntRange(0, 3).Draw(t, "more"), s1: m.now, s2: m.now, addrs: m.universe}
	req := Request{Family: IPv4, Count: Count{w.n1, w.n2}}
	if rapid.Bool().Draw(t, "advance") {
		w.s1 = m.now.Add(seconds(t, "start", 0, 50))
		w.s2 = w.s1.Add(seconds(t, "window", 0, 60))
		req.Start = Window{w.s1, w.s2}
	}
	w.d1 = seconds(t, "shortest", 1, 30)
	w.d2 = w.d1 + seconds(t, "longest", 0, 30)
	req.Lifetime = Span{w.d1, w.d2}
	if rapid.IntRange(0, 3).Draw(t, "particular") == 0 {
		w.addrs = rapid.SliceOfNDistinct(rapid.SampledFrom(m.universe), 1, len(m.universe), rapid.ID).Draw(t, "only")
		for _, a := range w.addrs {
			one, _ := scope.SetOf(scope.Single(a))
			req.Addrs, _ = req.Addrs.Union(one)
		}
	}
	return req, w
}

func (m *machine) who(t *rapid.T) (context.Context, Principal) {
	p := rapid.SampledFrom(m.names).Draw(t, "who")
	return WithPrincipal(context.Background(), p), p
}

// settle compares the pool's answer with the model's and notes it.
func (m *machine) settle(t *rapid.T, w *wanted, ok bool, l Lease, err error, r *rectangle) {
	t.Helper()
	if !ok {
		if !errors.Is(err, ErrNone) {
			t.Fatalf("LEASE-3.1-12: granted %v, error %v, where nothing is possible", l, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("LEASE-3.1-1: error %v, want %d addresses from %v until %v", err, w.count, w.start, w.end)
	}
	r.id, r.addrs, r.start, r.end = l.ID, slices.Collect(l.Addrs.Addrs()), l.Start, l.End
	for _, a := range r.addrs {
		if !slices.Contains(w.addrs, a) {
			t.Fatalf("LEASE-3.1-19: %v is not among the acceptable addresses", a)
		}
	}
	if m.shared() {
		if l.Start.Before(w.s1) || l.Start.After(w.s2) || len(r.addrs) < w.n1 || len(r.addrs) > w.n2 {
			t.Fatalf("LEASE-3.1-2: granted %d addresses at %v, want %+v", len(r.addrs), l.Start, w)
		}
		w.start, w.count, w.end = l.Start, len(r.addrs), l.End
	}
	if !l.Start.Equal(w.start) || len(r.addrs) != w.count {
		t.Fatalf("LEASE-3.1-16: granted %d addresses at %v, want %d at %v", len(r.addrs), l.Start, w.count, w.start)
	}
	if r.key == "" && !l.End.Equal(w.end) {
		t.Fatalf("LEASE-3.1-16: granted until %v, want %v", l.End, w.end)
	}
	if d := l.End.Sub(l.Start); d < w.d1 || d > w.d2 {
		t.Fatalf("LEASE-3.1-3: granted for %v, want %v..%v", d, w.d1, w.d2)
	}
	m.rects = append(m.rects, r)
}

func (m *machine) Tick(t *rapid.T) { m.now = m.now.Add(seconds(t, "tick", 1, 25)) }

// Check holds the invariants after every step.
func (m *machine) Check(t *rapid.T) {
	m.tidy(m.now)
	if s := m.overlap(); s != "" {
		t.Fatalf("LEASE-S-3: an address is taken twice: %s", s)
	}
	live := map[ID]*rectangle{}
	for _, r := range m.rects {
		if r.hold.IsZero() && !r.released && m.now.Before(r.end) {
			live[r.id] = r
		}
	}
	if m.shared() {
		return // a pool sees what others have done when it has to
	}
	for _, p := range m.names {
		for l, err := range m.pool.Leases(WithPrincipal(context.Background(), p), Filter{}) {
			r := live[l.ID]
			if err != nil || r == nil || r.who != p || !l.Start.Equal(r.start) || !l.End.Equal(r.end) || !slices.Equal(slices.Collect(l.Addrs.Addrs()), r.addrs) {
				t.Fatalf("LEASE-3.9-2: listed %v, %v to %v, want %+v", l, err, p, r)
			}
			delete(live, l.ID)
		}
	}
	if len(live) > 0 {
		t.Fatalf("LEASE-3.1-4: %d leases are lost", len(live))
	}
	if err := m.pool.t.consistent(); err != nil && !m.link {
		t.Fatal(err)
	}
}

// TestPoolAgainstModel runs random operations on a pool and on a slice of
// rectangles. More of them: go test -rapid.checks=10000.
func TestPoolAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { t.Repeat(rapid.StateMachineActions(newMachine(t, nil, 1, false))) })
}

// The same with a store and restarts: LEASE-2908.3-2, LEASE-S-2.
func TestStoredPoolAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { t.Repeat(rapid.StateMachineActions(newMachine(t, &MemoryStore{}, 1, false))) })
}

// The same with two pools on one store: LEASE-S-4, LEASE-S-9.
func TestTwoPoolsAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { t.Repeat(rapid.StateMachineActions(newMachine(t, &MemoryStore{}, 2, false))) })
}

// LEASE-U-4: the same where no two leases may share an Ethernet address.
func TestLinkUniqueAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { t.Repeat(rapid.StateMachineActions(newMachine(t, nil, 1, true))) })
}

// LEASE-U-4, LEASE-S-4 c: and with two pools on one store.
func TestLinkUniqueStoreAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { t.Repeat(rapid.StateMachineActions(newMachine(t, &MemoryStore{}, 2, true))) })
}
