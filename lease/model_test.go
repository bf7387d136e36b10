// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/scope"
	"pgregory.net/rapid"
)

// The naive model of a pool: a slice of rectangles, addresses by time, and
// linear searches. It knows nothing of indexes, sweeps or budgets.
type rectangle struct {
	id         ID
	who        Principal
	key        string
	addrs      []netip.Addr
	start, end time.Time
	hold       time.Time // of an offer; zero: a lease
	released   bool
}

type model struct {
	link          bool // Ethernet addresses must differ, not only addresses
	rest, longest time.Duration
	universe      []netip.Addr
	rects         []*rectangle
}

// counts reports whether the rectangle still keeps others out at now.
func (m *model) counts(r *rectangle, now time.Time) bool {
	if !r.hold.IsZero() && !now.Before(r.hold) {
		return false
	}
	return now.Before(r.end.Add(m.rest))
}

func (m *model) tidy(now time.Time) {
	m.rects = slices.DeleteFunc(m.rects, func(r *rectangle) bool { return !m.counts(r, now) })
}

var forever = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// same reports whether a and b must not be used by two at once.
func (m *model) same(a, b netip.Addr) bool { return a == b || m.link && scope.Collides(a, b) }

// until returns when a is next taken by anybody but except, seen from t; the
// zero time if it is taken at t.
func (m *model) until(a netip.Addr, t time.Time, except *rectangle) time.Time {
	next := forever
	for _, r := range m.rects {
		if r == except || !slices.ContainsFunc(r.addrs, func(b netip.Addr) bool { return m.same(a, b) }) {
			continue
		}
		if !t.Before(r.start) && t.Before(r.end.Add(m.rest)) {
			return time.Time{}
		}
		if t.Before(r.start) && r.start.Before(next) {
			next = r.start
		}
	}
	return next
}

type wanted struct {
	n1, n2     int
	s1, s2     time.Time
	d1, d2     time.Duration
	addrs      []netip.Addr
	start, end time.Time // answer
	count      int
}

// answer works out what the pool must grant: the earliest start, the largest
// count, the latest end.
func (m *model) answer(w *wanted, except *rectangle) bool {
	starts := []time.Time{w.s1}
	for _, r := range m.rects {
		starts = append(starts, r.end.Add(m.rest))
		if !r.hold.IsZero() {
			starts = append(starts, r.hold)
		}
	}
	slices.SortFunc(starts, time.Time.Compare)
	for _, t := range starts {
		if t.Before(w.s1) || t.After(w.s2) {
			continue
		}
		lo, hi := t.Add(w.d1), t.Add(w.d2)
		var ends []time.Time
		for i, a := range w.addrs {
			if slices.ContainsFunc(w.addrs[:i], func(b netip.Addr) bool { return m.same(a, b) }) {
				continue
			}
			if end := m.until(a, t, except).Add(-m.rest); !end.Before(lo) {
				ends = append(ends, end)
			}
		}
		if len(ends) < w.n1 {
			continue
		}
		slices.SortFunc(ends, func(a, b time.Time) int { return b.Compare(a) })
		w.count = min(w.n2, len(ends))
		w.start, w.end = t, hi
		if last := ends[w.count-1]; last.Before(hi) {
			w.end = last
		}
		return true
	}
	return false
}

// overlap finds two rectangles that share an address at one time.
func (m *model) overlap() string {
	for i, a := range m.rects {
		for _, b := range m.rects[:i] {
			if !a.start.Before(b.end.Add(m.rest)) || !b.start.Before(a.end.Add(m.rest)) {
				continue
			}
			for _, x := range a.addrs {
				if slices.ContainsFunc(b.addrs, func(y netip.Addr) bool { return m.same(x, y) }) {
					return fmt.Sprintf("%v: %v..%v and %v..%v", x, a.start, a.end, b.start, b.end)
				}
			}
		}
	}
	return ""
}

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

func (m *machine) Allocate(t *rapid.T) {
	m.tidy(m.now)
	m.turn(t)
	req, w := m.request(t)
	ctx, p := m.who(t)
	ok := m.answer(w, nil)
	l, err := m.pool.Allocate(ctx, req)
	m.settle(t, w, ok, l, err, &rectangle{who: p})
}

// AllocateByKey sends a request that may have been sent before.
func (m *machine) AllocateByKey(t *rapid.T) {
	m.tidy(m.now)
	m.turn(t)
	req, w := m.request(t)
	ctx, p := m.who(t)
	req.Key = rapid.SampledFrom([]string{"k1", "k2"}).Draw(t, "key")
	i := slices.IndexFunc(m.rects, func(r *rectangle) bool { return r.key == req.Key && r.who == p })
	var old *rectangle
	if i >= 0 {
		old = m.rects[i]
	}
	if old != nil && old.hold.IsZero() && !old.released && m.now.Before(old.end) {
		l, err := m.pool.Allocate(ctx, req)
		if err != nil || l.ID != old.id || !l.End.Equal(old.end) {
			t.Fatalf("LEASE-3.1-17: the same key gave %v, %v, want the lease until %v", l, err, old.end)
		}
		return
	}
	ok := m.answer(w, old)
	l, err := m.pool.Allocate(ctx, req)
	if old != nil && ok && err == nil {
		m.rects = slices.Delete(m.rects, i, i+1)
		left := *old // what is not taken again rests on
		left.addrs = slices.DeleteFunc(slices.Clone(old.addrs), func(a netip.Addr) bool {
			for b := range l.Addrs.Addrs() {
				if m.same(a, b) {
					return true
				}
			}
			return false
		})
		left.key, left.released = "", true
		if len(left.addrs) > 0 {
			m.rects = append(m.rects, &left)
		}
		if same := slices.Collect(l.Addrs.Addrs()); !m.shared() && w.n2 == 1 && len(old.addrs) == 1 && len(w.addrs) == len(m.universe) && !slices.Equal(same, old.addrs) {
			if until := m.until(old.addrs[0], l.Start, nil); !until.Add(-m.rest).Before(l.Start.Add(w.d1)) {
				t.Fatalf("LEASE-S-8: the same key got %v, had %v, which was free", same, old.addrs)
			}
		}
	}
	m.settle(t, w, ok, l, err, &rectangle{who: p, key: req.Key})
}

func (m *machine) Offer(t *rapid.T) {
	if m.shared() {
		t.Skip("offers are each pool's own")
	}
	m.tidy(m.now)
	req, w := m.request(t)
	ctx, p := m.who(t)
	m.made++
	req.ID = ID(fmt.Sprint("offer", m.made))
	hold := seconds(t, "hold", 1, 20)
	ok := m.answer(w, nil)
	l, err := m.pool.Offer(ctx, req, hold)
	m.settle(t, w, ok, l, err, &rectangle{who: p, hold: m.now.Add(hold)})
}

// TakeUp allocates what was offered, on terms of its own.
func (m *machine) TakeUp(t *rapid.T) {
	m.tidy(m.now)
	i := slices.IndexFunc(m.rects, func(r *rectangle) bool { return !r.hold.IsZero() })
	if i < 0 {
		t.Skip("no offer")
	}
	old := m.rects[i]
	req, w := m.request(t)
	req.ID = old.id
	ok := m.answer(w, old)
	l, err := m.pool.Allocate(WithPrincipal(context.Background(), old.who), req)
	if ok && err == nil {
		m.rects = slices.Delete(m.rects, i, i+1)
		w.end = l.End // offered addresses come before longer ones
		if l.ID != old.id {
			t.Fatal("MADCAP-D-59: the lease has another identifier than the offer")
		}
	}
	m.settle(t, w, ok, l, err, &rectangle{who: old.who})
}

// one draws a rectangle that is a lease, with its Lease.
func (m *machine) one(t *rapid.T) (*rectangle, Lease, context.Context) {
	m.tidy(m.now)
	var leases []*rectangle
	for _, r := range m.rects {
		if r.hold.IsZero() && !r.released {
			leases = append(leases, r)
		}
	}
	if len(leases) == 0 {
		t.Skip("no lease")
	}
	r := rapid.SampledFrom(leases).Draw(t, "lease")
	m.turn(t)
	return r, Lease{ID: r.id, Family: IPv4}, WithPrincipal(context.Background(), r.who)
}

func (m *machine) Release(t *rapid.T) {
	r, l, ctx := m.one(t)
	other := WithPrincipal(ctx, Principal{Name: "stranger"})
	if err := m.pool.Release(other, l); !errors.Is(err, ErrNotLeased) {
		t.Fatalf("LEASE-3.9-2: a stranger's release: %v", err)
	}
	if err := m.pool.Release(ctx, l); err != nil {
		t.Fatalf("LEASE-3.3-1: %v", err)
	}
	switch {
	case m.now.Before(r.start):
		m.rects = slices.DeleteFunc(m.rects, func(o *rectangle) bool { return o == r })
	case m.now.Before(r.end):
		r.end, r.released = m.now, true
	default:
		r.released = true
	}
}

func (m *machine) ChangeLifetime(t *rapid.T) {
	r, l, ctx := m.one(t)
	base := m.now
	if r.start.After(base) {
		base = r.start
	}
	min := base.Add(seconds(t, "min", 1, 50))
	max := min.Add(seconds(t, "max", 0, 50))
	lo, hi := min, max
	if limit := base.Add(m.longest); hi.After(limit) {
		hi = limit
	}
	for _, a := range r.addrs {
		if u := m.until(a, r.start, r).Add(-m.rest); u.Before(hi) {
			hi = u
		}
	}
	got, err := m.pool.ChangeLifetime(ctx, l, Window{min, max})
	switch {
	case m.shared() && err == nil && !got.End.After(hi) && !got.End.Before(lo):
		r.end = got.End
	case !hi.Before(lo):
		if err != nil || !got.End.Equal(hi) {
			t.Fatalf("LEASE-3.2-9: end %v, %v, want %v", got.End, err, hi)
		}
		r.end = hi
	case !r.end.Before(min) && !r.end.After(max):
		if err != nil || !got.End.Equal(r.end) {
			t.Fatalf("LEASE-3.2-5: end %v, %v, want %v as it was", got.End, err, r.end)
		}
	default:
		if !errors.Is(err, ErrUnchanged) {
			t.Fatalf("LEASE-3.2-5: end %v, error %v where nothing is possible", got.End, err)
		}
	}
}

func (m *machine) ChangeStart(t *rapid.T) {
	r, l, ctx := m.one(t)
	if !r.start.After(m.now) {
		got, err := m.pool.ChangeStart(ctx, l, NotAfter(r.start.Add(time.Second)))
		if r.start.Add(time.Second+DefaultSkew).Before(m.now) || err == nil && got.Start.Equal(r.start) {
			return
		}
		t.Fatalf("LEASE-3.10-9: a lease that has begun at %v: start %v, %v", r.start, got.Start, err)
	}
	length := r.end.Sub(m.now)
	w := wanted{s1: m.now.Add(time.Duration(rapid.Int64Range(0, int64(length-1)).Draw(t, "min"))).Truncate(time.Second)}
	if w.s1.Before(m.now) {
		w.s1 = m.now
	}
	w.s2 = w.s1.Add(seconds(t, "max", 0, 60))
	if !w.s2.Before(r.end) {
		w.s2 = r.end.Add(-1)
	}
	starts := []time.Time{w.s1, r.end.Add(-m.longest)}
	for _, o := range m.rects {
		starts = append(starts, o.end.Add(m.rest))
	}
	slices.SortFunc(starts, time.Time.Compare)
	want := time.Time{}
	for _, s := range starts {
		fits := !s.Before(w.s1) && !s.After(w.s2) && !r.end.After(s.Add(m.longest))
		for _, a := range r.addrs {
			fits = fits && !m.until(a, s, r).Before(r.end.Add(m.rest))
		}
		if fits {
			want = s
			break
		}
	}
	got, err := m.pool.ChangeStart(ctx, l, Window{w.s1, w.s2})
	switch {
	case m.shared() && !want.IsZero() && err == nil && !got.Start.Before(want) && !got.Start.After(w.s2):
		r.start = got.Start
	case !want.IsZero():
		if err != nil || !got.Start.Equal(want) || !got.End.Equal(r.end) {
			t.Fatalf("LEASE-3.10-7: %v..%v, %v, want %v..%v", got.Start, got.End, err, want, r.end)
		}
		r.start = want
	case !r.start.Before(w.s1) && !r.start.After(w.s2):
		if err != nil || !got.Start.Equal(r.start) {
			t.Fatalf("LEASE-3.10-8: %v, %v, want the start as it was", got.Start, err)
		}
	default:
		if !errors.Is(err, ErrUnchanged) {
			t.Fatalf("LEASE-3.10-8: %v, error %v where nothing is possible", got.Start, err)
		}
	}
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
