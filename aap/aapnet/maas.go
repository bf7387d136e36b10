// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// MAASConfig tells a [MAAS] what it is. Machine.Scope is required.
type MAASConfig struct {
	// Machine is the configuration of the server. Without a Rand it gets one,
	// seeded at random; without a Group that of [aap.Group], for a small scope.
	// Self need not be given.
	Machine aap.MAASConfig
	Network Network
	// Persist stores a snapshot safely: the next one replaces it (section 3.1). It is
	// called with the machine locked. While it fails, nothing is sent or granted,
	// and it is tried again every second. Nil: nothing is stored.
	Persist func(aap.Snapshot) error
	// Restore is what was stored last, nil for nothing.
	Restore aap.Snapshot
	// Notify is called for the news of the machine, one at a time and in order:
	// [aap.Granted] and [aap.Failed], except those that [MAAS.Claim] returns,
	// [aap.Lost], [aap.Available] and [aap.Skewed]. It may call the methods here,
	// but must not wait.
	Notify func(aap.Effect)
}

// MAAS runs an allocation server on the network. Its methods are safe for
// concurrent use, during Run and before and after it.
type MAAS struct {
	*driver
	cfg     MAASConfig
	machine *aap.MAAS

	claimsMu sync.Mutex
	claims   map[aap.Token]chan outcome // whom Claim tells
}

type outcome struct {
	aap.Allocation
	err error
}

// NewMAAS opens the socket and joins the group. Call [MAAS.Run] next: it closes
// the socket.
func NewMAAS(cfg MAASConfig) (*MAAS, error) {
	if cfg.Machine.Rand == nil {
		cfg.Machine.Rand = newRand()
	}
	if group, ok := aap.Group(cfg.Machine.Scope); ok && !cfg.Machine.Group.IsValid() && !cfg.Machine.Large {
		cfg.Machine.Group = group
	}
	m, err := aap.NewMAAS(cfg.Machine, cfg.Restore)
	if err != nil {
		return nil, err
	}
	d, err := cfg.Network.withDefaults().newDriver(cfg.Machine.Group, m)
	if err != nil {
		return nil, err
	}
	s := &MAAS{driver: d, cfg: cfg, machine: m, claims: map[aap.Token]chan outcome{}}
	d.save, d.tell = s.persist, s.notify
	return s, nil
}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) }

// Run is the server until ctx is done; then it closes the socket and returns
// nil. If the socket fails it returns the error. Call it once.
//
// What is allocated stays so in the eyes of the others until its end: they
// defend it while this server is away.
func (s *MAAS) Run(ctx context.Context) error { return s.run(ctx, s.machine.Start) }

func (s *MAAS) persist() error {
	if s.cfg.Persist == nil {
		return nil
	}
	return s.cfg.Persist(s.machine.Snapshot())
}

// notify tells who waits for it, or else the application.
func (s *MAAS) notify(e aap.Effect) {
	switch e := e.(type) {
	case aap.Granted:
		if s.conclude(e.Token, outcome{Allocation: e.Allocation}) {
			return
		}
	case aap.Failed:
		if s.conclude(e.Token, outcome{err: e.Err}) {
			return
		}
	case aap.Lost:
		s.net.Logger.Warn("addresses lost", "addrs", e.Addrs, "to", e.From, "until", e.Until)
	case aap.Available:
		if len(e.Withdrawn) > 0 {
			s.net.Logger.Warn("space taken back", "by", e.From, "ranges", len(e.Withdrawn))
		}
	case aap.Skewed:
		s.net.Logger.Warn("clocks far apart", "sender", e.From, "skew", e.Skew)
	}
	if s.cfg.Notify != nil {
		s.cfg.Notify(e)
	}
}

func (s *MAAS) conclude(t aap.Token, o outcome) bool {
	s.claimsMu.Lock()
	defer s.claimsMu.Unlock()
	c, ok := s.claims[t]
	if ok {
		c <- o // has room for it
		delete(s.claims, t)
	}
	return ok
}

// Claim allocates as [MAAS.Allocate] does and waits for the outcome: no time
// if the pool has the addresses, otherwise 10 s or longer. If ctx ends first, the
// claim is given up. It returns [net.ErrClosed] if Run has ended.
func (s *MAAS) Claim(ctx context.Context, w aap.Want) (aap.Allocation, error) {
	if err := ctx.Err(); err != nil {
		return aap.Allocation{}, err
	}
	c := make(chan outcome, 1)
	s.claimsMu.Lock()
	_, taken := s.claims[w.Token]
	if !taken {
		s.claims[w.Token] = c
	}
	s.claimsMu.Unlock()
	if taken {
		return aap.Allocation{}, fmt.Errorf("%w: %d is in use", aap.ErrToken, w.Token)
	}
	err := s.Allocate(w)
	if err == nil {
		select {
		case o := <-c:
			return o.Allocation, o.err
		case <-ctx.Done():
			err = ctx.Err()
		case <-s.done:
			err = net.ErrClosed
		}
		defer s.Release(w.Token)
	}
	s.claimsMu.Lock()
	defer s.claimsMu.Unlock()
	delete(s.claims, w.Token)
	return aap.Allocation{}, err
}

// Allocate asks for addresses, as [aap.MAAS.Allocate] does. The answer comes by
// Notify.
func (s *MAAS) Allocate(w aap.Want) (err error) {
	s.do(func(now time.Time) { err = s.machine.Allocate(now, w) })
	return err
}

// Release gives an allocation back, as [aap.MAAS.Release] does.
func (s *MAAS) Release(t aap.Token) (err error) {
	s.do(func(now time.Time) { err = s.machine.Release(now, t) })
	return err
}

// SetEnd moves the end of an allocation, as [aap.MAAS.SetEnd] does.
func (s *MAAS) SetEnd(t aap.Token, end time.Time) (err error) {
	s.do(func(now time.Time) { err = s.machine.SetEnd(now, t, end) })
	return err
}

// Yield gives up lost addresses, as [aap.MAAS.Yield] does.
func (s *MAAS) Yield(t aap.Token, addrs scope.Set) (err error) {
	s.do(func(now time.Time) { err = s.machine.Yield(now, t, addrs) })
	return err
}

// SetPool changes how many addresses are kept preallocated at least.
func (s *MAAS) SetPool(n int) { s.do(func(now time.Time) { s.machine.SetPool(now, n) }) }

// Allocations returns what the server has allocated, by token.
func (s *MAAS) Allocations() (list []aap.Allocation) {
	s.ask(func(time.Time) { list = slices.Collect(s.machine.Allocations()) })
	return list
}

// Listening reports whether the server still only listens, as it does at first.
func (s *MAAS) Listening() (yes bool) {
	s.ask(func(time.Time) { yes = s.machine.Listening() })
	return yes
}

// Usable returns from what the server may allocate now, as [aap.MAAS.Usable]
// does.
func (s *MAAS) Usable() (space []aap.TimedRange) {
	s.ask(func(now time.Time) { space = s.machine.Usable(now) })
	return space
}

// Free returns how many addresses could be claimed until a time.
func (s *MAAS) Free(until time.Time) (n scope.Uint128) {
	s.ask(func(time.Time) { n = s.machine.Free(until) })
	return n
}

// Stats returns the counters.
func (s *MAAS) Stats() (st aap.MAASStats) {
	s.ask(func(time.Time) { st = s.machine.Stats() })
	return st
}
