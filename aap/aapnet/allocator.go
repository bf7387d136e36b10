// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// AllocatorConfig says what an [Allocator] grants, and whom it talks to. Scopes
// must be given.
type AllocatorConfig struct {
	// Scopes to allocate in. The first of a family is its default scope.
	Scopes []ScopeConfig
	// Pool sets the limits, times and policy of the leases, and where they are
	// stored: in a store of its own, as two allocators cannot have the same
	// addresses. Scopes, Sources and Now are filled in. A Policy is asked twice
	// about an allocation, before the claim and after it.
	//
	// Guard lasts in the whole domain: addresses stay announced for that long
	// after a lease.
	Pool lease.Config
	// Lost is told of what other servers have too, or coordinators take back, from
	// within Run. It may call the Allocator's methods. Nil: it is only logged.
	Lost func(Loss)
	// Logger is told of what goes wrong; nil: nobody is.
	Logger *slog.Logger
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// ScopeConfig is one scope of an [Allocator].
type ScopeConfig struct {
	// Scope to allocate in. If it is divisible, the prefix coordinators of the
	// domain say which of its addresses are available (section 3.2.10), and
	// MAAS.Machine.Group must be given.
	Scope scope.Scope
	// MAAS is the allocation server of the scope. Of its Machine, Scope, Large and
	// Exclude are filled in, and Pool unless it is given: 16 addresses are kept
	// preallocated. Its Notify and Network.Now are not used.
	MAAS MAASConfig
}

// Loss says that addresses should not be used any more.
type Loss struct {
	// Leases that hold any of the addresses. They stay in force, as their holders
	// may be using them, but cannot be changed any more; nobody else is granted the
	// addresses. Whoever can make the holders stop does so, and then releases the
	// leases.
	Leases []lease.Lease
	Addrs  scope.Set
	// From is the other server that announces the addresses, the zero AddrPort if a
	// coordinator has taken them back.
	From  netip.AddrPort
	Until time.Time // when their use must have stopped
}

// Allocator is a [lease.Allocator] whose leases are known to the whole domain: no
// other server that speaks AAP has the addresses. It joins a [lease.Pool] and
// a [MAAS] for each scope.
//
// An allocation first finds out from the pool what would be granted; then the
// MAAS claims as many addresses, which takes no time if they are preallocated
// and 10 s otherwise, 150 s more at the start; then the pool leases just those.
// An offer claims too, for as long as it is held. As AAP knows no start times,
// addresses for the future are claimed from now on. What is held for one lease
// is lent to another in between, without a claim.
//
// It is a [lease.Changer], [lease.Offerer] and [lease.Lister]. Nobody is put off
// (Request.Retry): who wants to come later asks for a later start.
//
// During Run its methods are safe for concurrent use. Allocate waits for Run.
type Allocator struct {
	cfg  AllocatorConfig
	log  *slog.Logger
	pool *lease.Pool

	plans sync.RWMutex // written while a plan borrows addresses from the pool

	mu    sync.Mutex // guards what follows, and is held while ends are set
	zones map[scope.ID]*zone
	uses  map[lease.ID]*use
	keys  map[request]lease.ID
	rand  *rand.Rand
	calls int // since uses were swept

	newsMu sync.Mutex
	news   []zoneNews
	told   chan struct{} // there are news
}

// zone is one scope.
type zone struct {
	id        scope.ID
	scope     scope.Scope
	grantable scope.Set // by the pool, with space or without
	maas      *MAAS
	pieces    []piece
	last      aap.Token
	holds     map[aap.Token]*holding
	owner     map[netip.Addr]*holding
	reclaims  map[aap.Token]scope.Set // addresses of stored leases that the MAAS forgot
}

// request is a key, and whose it is.
type request struct {
	who lease.Principal
	key string
}

type zoneNews struct {
	z *zone
	e aap.Effect
}

// NewAllocator opens the sockets and reads the store. Call [Allocator.Run] next:
// it closes the sockets.
func NewAllocator(ctx context.Context, cfg AllocatorConfig) (*Allocator, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Pool.Now, cfg.Pool.Scopes, cfg.Pool.Sources = cfg.Now, nil, nil
	for _, s := range cfg.Scopes {
		cfg.Pool.Sources = append(cfg.Pool.Sources, source(s.Scope))
	}
	cfg.Pool.Guard = cmp.Or(cfg.Pool.Guard, lease.DefaultGuard)
	pool, err := lease.NewPool(cfg.Pool)
	if err != nil {
		return nil, err
	}
	a := &Allocator{
		cfg: cfg, log: cfg.Logger, pool: pool, zones: map[scope.ID]*zone{}, uses: map[lease.ID]*use{},
		keys: map[request]lease.ID{}, rand: newRand(), told: make(chan struct{}, 1),
	}
	for _, s := range cfg.Scopes {
		if err = a.addZone(ctx, s); err != nil {
			break
		}
	}
	if err == nil {
		err = a.recall(ctx)
	}
	if err != nil {
		for _, z := range a.zones {
			z.maas.conn.close()
		}
		return nil, err
	}
	return a, nil
}

// addZone makes the server of a scope.
func (a *Allocator) addZone(ctx context.Context, s ScopeConfig) error {
	z := &zone{
		id: s.Scope.ID(), scope: s.Scope, holds: map[aap.Token]*holding{}, owner: map[netip.Addr]*holding{}, reclaims: map[aap.Token]scope.Set{},
	}
	if a.zones[z.id] != nil {
		return fmt.Errorf("aapnet: scope %v is given twice", z.id)
	}
	usage, err := a.pool.Usage(ctx, z.id, a.cfg.Now())
	if err != nil {
		return err
	}
	z.grantable = usage[0].Addrs
	z.pieces = []piece{{addrs: z.grantable}}
	cfg := s.MAAS
	m := &cfg.Machine
	m.Scope, m.Large = transient(s.Scope.Range), s.Scope.Divisible
	if whole, err := scope.SetOf(m.Scope); err == nil {
		m.Exclude, _ = whole.Subtract(z.grantable)
	}
	m.Pool = cmp.Or(m.Pool, 16)
	if cfg.Network.Logger == nil {
		cfg.Network.Logger = a.log
	}
	cfg.Network.Now = a.cfg.Now
	cfg.Notify = func(e aap.Effect) { a.hear(z, e) }
	if z.maas, err = NewMAAS(cfg); err != nil {
		return err
	}
	a.zones[z.id] = z
	a.follow(z, z.maas.Usable())
	return nil
}

// Run does the work until ctx is done; then it closes the sockets and returns
// nil. If a socket fails it returns the error. Call it once.
func (a *Allocator) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	errs := make(chan error, len(a.zones))
	for _, z := range a.zones {
		running.Go(func() {
			if err := z.maas.Run(ctx); err != nil {
				errs <- err
			}
		})
	}
	defer running.Wait()
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-errs:
			return err
		case <-a.told:
			a.heed()
		}
	}
}

// Listening reports whether a server still only listens, as all do at first.
func (a *Allocator) Listening() bool {
	for _, z := range a.zones {
		if z.maas.Listening() {
			return true
		}
	}
	return false
}

// MAAS returns the allocation server of a scope, to look at; nil if there is none.
func (a *Allocator) MAAS(id scope.ID) *MAAS {
	if z := a.zones[id]; z != nil {
		return z.maas
	}
	return nil
}

// Usage says how full the scope is, as [lease.Pool.Usage] does; what other
// servers have counts as free.
func (a *Allocator) Usage(ctx context.Context, id scope.ID, at time.Time) ([]lease.Usage, error) {
	return a.pool.Usage(ctx, id, at)
}

// Scopes implements [lease.Allocator].
func (a *Allocator) Scopes(ctx context.Context, f lease.Family) ([]scope.Scope, error) {
	return a.pool.Scopes(ctx, f)
}

// Nesting implements [lease.Allocator].
func (a *Allocator) Nesting(ctx context.Context, ids ...scope.ID) (*scope.Nesting, error) {
	return a.pool.Nesting(ctx, ids...)
}

// Leases implements [lease.Lister].
func (a *Allocator) Leases(ctx context.Context, f lease.Filter) iter.Seq2[lease.Lease, error] {
	return a.pool.Leases(ctx, f)
}

// Release implements [lease.Allocator]. The addresses are given back to the domain
// when they have rested.
func (a *Allocator) Release(ctx context.Context, l lease.Lease) error {
	if err := a.pool.Release(ctx, l); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if u := a.uses[l.ID]; u != nil && !u.over {
		a.end(u)
	}
	return nil
}

// Withdraw implements [lease.Offerer].
func (a *Allocator) Withdraw(ctx context.Context, id lease.ID) error {
	if err := a.pool.Withdraw(ctx, id); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if u := a.uses[id]; u != nil {
		a.end(u)
	}
	return nil
}

// ChangeLifetime implements [lease.Allocator].
func (a *Allocator) ChangeLifetime(ctx context.Context, l lease.Lease, end lease.Window) (lease.Lease, error) {
	return a.change(ctx, "change lifetime", l, func() (lease.Lease, error) { return a.pool.ChangeLifetime(ctx, l, end) })
}

// ChangeStart implements [lease.Allocator].
func (a *Allocator) ChangeStart(ctx context.Context, l lease.Lease, start lease.Window) (lease.Lease, error) {
	return a.change(ctx, "change start", l, func() (lease.Lease, error) { return a.pool.ChangeStart(ctx, l, start) })
}

// Change implements [lease.Changer].
func (a *Allocator) Change(ctx context.Context, l lease.Lease, to lease.Terms) (lease.Lease, error) {
	return a.change(ctx, "change", l, func() (lease.Lease, error) { return a.pool.Change(ctx, l, to) })
}

// change moves a lease and then has its end announced. What others have too is
// not prolonged.
func (a *Allocator) change(ctx context.Context, op string, l lease.Lease, do func() (lease.Lease, error)) (lease.Lease, error) {
	unchanged := func(want string) (lease.Lease, error) {
		return lease.Lease{}, &lease.Error{Op: op, Want: want, Err: lease.ErrUnchanged}
	}
	a.mu.Lock()
	u := a.uses[l.ID]
	lost := u != nil && u.isLost()
	a.mu.Unlock()
	if lost {
		return unchanged("addresses that no other server has")
	}
	moved, err := do()
	if err != nil || u == nil {
		return moved, err
	}
	a.mu.Lock()
	before := u.lease
	err = a.prolong(u, moved)
	a.mu.Unlock()
	if err == nil {
		return moved, nil
	}
	terms := lease.Terms{Start: lease.At(before.Start), End: lease.At(before.End)}
	if _, undo := a.pool.Change(context.WithoutCancel(ctx), moved, terms); undo != nil {
		err = errors.Join(err, undo)
	}
	a.log.Warn("cannot announce another end", "lease", before, "error", err)
	return unchanged("an end that the space allows")
}
