// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// ListenerConfig tells a listener how to take what it hears. The zero value is
// good.
type ListenerConfig struct {
	// TTL is the TTL or hop limit of the scopes found; MZAP does not tell one. 0
	// stands for 255, which suits scopes with boundary routers.
	TTL uint8
	// AuthenticatedOnly ignores everything from senders that nobody vouched for
	// (RFC 2776 section 8). Without it, only a ZAM for a scope that is known from an
	// authenticated one is ignored.
	AuthenticatedOnly bool
	// NIMHold is for how long nobody must object before a scope counts as nested
	// in another one (NIM-HOLDTIME). 0 stands for 5460 s.
	NIMHold time.Duration
	// MaxScopes bounds the scopes remembered, 0 stands for 256.
	MaxScopes int
	// MaxNotInside bounds the pairs of scopes remembered not to nest, 0 stands for
	// 4096.
	MaxNotInside int
}

// Listener is the machine of whoever wants to know which scopes there are: a
// MADCAP server or another address allocation server, or a host (RFC 2776
// section 6.1). It sends nothing.
//
// One caller drives it: [Listener.Receive] when a datagram to the local group
// arrived, [Listener.Advance] when the [Listener.Deadline] has come; the
// [Listener.Effects] tell what is new. A Listener is not safe for concurrent
// use. It hears both address families.
//
// What an unauthenticated ZAM says about a scope, its names above all, is a
// guideline at best, and traffic sent to a scope that was found with MZAP may
// travel anywhere: do not infer that it stays confidential (section 8).
type Listener struct {
	cfg    ListenerConfig
	scopes table[scope.ID, familiar]
	nims   table[nimKey, time.Time] // when last heard
	stats  ListenerStats
	msg    Message
	effects
}

// Discovered is a scope a listener has heard of.
type Discovered struct {
	Scope      scope.Scope
	ZoneID     netip.Addr // of the zone we are in
	Origin     netip.Addr // of the last ZAM
	FirstHeard time.Time  // of the ZAMs since it was last unknown
	Expires    time.Time  // when it is gone unless another ZAM comes
	// Authenticated says that the last ZAM's sender was vouched for.
	Authenticated bool
}

// familiar is a scope heard of, ripe when that was long enough ago to conclude
// about its nesting.
type familiar struct {
	Discovered
	ripe bool
}

// Appeared tells of a scope not known before.
type Appeared struct{ Discovered }

// Changed tells that a scope's range, names, B bit or Zone ID changed.
type Changed struct{ Old, New Discovered }

// Gone tells that a scope is no longer announced.
type Gone struct{ Discovered }

// NestingChanged tells that [Listener.Nesting] may answer differently now.
type NestingChanged struct{}

func (Appeared) effect()       {}
func (Changed) effect()        {}
func (Gone) effect()           {}
func (NestingChanged) effect() {}

// ListenerStats counts what a listener did since it started.
type ListenerStats struct {
	Received        [4]uint64 // messages taken in, by Type
	Malformed       uint64    // datagrams that are no MZAP message
	Foreign         uint64    // messages of another address family than their datagram's
	Unannounceable  uint64    // ZAMs for the Local, link-local or global scope
	Unauthenticated uint64    // messages ignored for want of authentication
	Findings        uint64
	Evicted         uint64 // what a full table had to forget too early
}

// NewListener starts a listener that knows nothing but the Local and the global
// scope.
func NewListener(cfg ListenerConfig) (*Listener, error) {
	if min(cfg.NIMHold, 0) < 0 || min(cfg.MaxScopes, cfg.MaxNotInside) < 0 {
		return nil, badConfig("negative time or limit")
	}
	cfg.TTL = cmp.Or(cfg.TTL, scope.DefaultTTL)
	cfg.NIMHold = cmp.Or(cfg.NIMHold, DefaultTiming().NIMHold)
	l := &Listener{cfg: cfg}
	l.scopes = newTable[scope.ID, familiar](cmp.Or(cfg.MaxScopes, 256), compareAddr)
	l.scopes.onEvict = func(_ scope.ID, d familiar) { l.emit(Gone{d.Discovered}) }
	l.nims = newTable[nimKey, time.Time](cmp.Or(cfg.MaxNotInside, 4096), compareNIM)
	return l, nil
}

// Effects yields what is new, in order, and forgets it.
func (l *Listener) Effects() iter.Seq[Effect] { return l.drain() }

// Stats returns the counters.
func (l *Listener) Stats() ListenerStats {
	s := l.stats
	s.Evicted = l.scopes.evicted + l.nims.evicted
	return s
}

// Receive takes in a datagram. Only a malformed one is an error, an [*Error].
func (l *Listener) Receive(now time.Time, p Packet) error {
	l.Advance(now)
	m := &l.msg
	if err := m.Decode(p.Payload); err != nil {
		l.stats.Malformed++
		return err
	}
	switch {
	case p.From.IsValid() && p.From.Unmap().Is4() != m.Is4():
		l.stats.Foreign++
		return nil
	case l.cfg.AuthenticatedOnly && !p.Authenticated:
		l.stats.Unauthenticated++
		return nil
	}
	l.stats.Received[m.Type]++
	switch m.Type {
	case ZAM:
		l.receiveZAM(now, p, m)
	case NIM:
		l.receiveNIM(now, m)
	}
	return nil
}

func (l *Listener) receiveZAM(now time.Time, p Packet, m *Message) {
	id, is4 := m.Range.First(), m.Is4()
	l.compare(p, m)
	if id == LocalScope(is4).First() || id == linkLocal(is4).First() || id == globalScope(is4).First() {
		l.stats.Unannounceable++
		return
	}
	old, known := l.scopes.get(id, now)
	switch {
	case known && old.Authenticated && !p.Authenticated:
		l.stats.Unauthenticated++
		return
	case m.HoldTime == 0:
		if known {
			l.scopes.delete(id)
			l.emit(Gone{old.Discovered})
		}
		return
	}
	d := familiar{Discovered: Discovered{
		Scope:  scope.Scope{Range: m.Range, TTL: l.cfg.TTL, Divisible: m.Divisible, Names: ScopeNames(m.Names)},
		ZoneID: m.ZoneID, Origin: m.Origin, FirstHeard: now, Expires: now.Add(m.HoldTime), Authenticated: p.Authenticated,
	}}
	if known {
		d.FirstHeard, d.ripe = old.FirstHeard, old.ripe
	}
	if !l.scopes.put(id, d, d.Expires) {
		return
	}
	switch {
	case !known:
		l.emit(Appeared{d.Discovered})
	case d.Scope != old.Scope || d.ZoneID != old.ZoneID:
		l.emit(Changed{old.Discovered, d.Discovered})
	}
}

// compare looks for conflicts with the scopes known so far (RFC 2776 section
// 4.4): a listener hears of them like a router does.
func (l *Listener) compare(p Packet, m *Message) {
	signal := func(f Finding) {
		l.stats.Findings++
		f.Interface = p.Interface
		l.emit(f)
	}
	local := scope.Scope{Range: LocalScope(m.Is4())}
	if f, ok := FindRangeConflict(m, Zone{Scope: local}); ok {
		signal(f)
	}
	for _, id := range l.ids() {
		d := l.scopes.entries[id].value
		z := Zone{d.Scope, d.ZoneID}
		if f, ok := FindRangeConflict(m, z); ok {
			signal(f)
		}
		if d.Origin == m.Origin {
			continue
		}
		for f := range FindNameConflicts(m, z) {
			signal(f)
		}
	}
}

// ids returns the scopes heard of in ascending order.
func (l *Listener) ids() []scope.ID {
	ids := make([]scope.ID, 0, len(l.scopes.entries))
	for id := range l.scopes.entries {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, compareAddr)
	return ids
}

func (l *Listener) receiveNIM(now time.Time, m *Message) {
	key := nimKey{m.Range.First(), m.NotInside}
	_, known := l.nims.get(key, now)
	if l.nims.put(key, now, now.Add(l.cfg.NIMHold)) && !known {
		l.emit(NestingChanged{})
	}
}

// Deadline returns when [Listener.Advance] is next needed, and false if nothing
// will happen until another datagram arrives.
func (l *Listener) Deadline() (next time.Time, ok bool) {
	earlier := func(t time.Time) {
		if !ok || t.Before(next) {
			next, ok = t, true
		}
	}
	if t, any := l.scopes.deadline(); any {
		earlier(t)
	}
	if t, any := l.nims.deadline(); any {
		earlier(t)
	}
	for _, e := range l.scopes.entries {
		if !e.value.ripe {
			earlier(e.value.FirstHeard.Add(l.cfg.NIMHold))
		}
	}
	return next, ok
}

// Advance lets time pass: scopes that were not announced again are gone, and
// silence about nesting becomes an answer.
func (l *Listener) Advance(now time.Time) {
	for _, d := range l.scopes.expire(now) {
		l.emit(Gone{d.Discovered})
	}
	changed := false
	for range l.nims.expire(now) {
		changed = true
	}
	for _, e := range l.scopes.entries {
		if !e.value.ripe && now.Sub(e.value.FirstHeard) >= l.cfg.NIMHold {
			e.value.ripe, changed = true, true
		}
	}
	if changed {
		l.emit(NestingChanged{})
	}
}
