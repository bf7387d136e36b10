// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// piece is a source of the pool in a large scope.
type piece struct {
	addrs scope.Set
	until time.Time // zero: never available so far
}

// source returns what the pool is made with: in a small scope all of it for good,
// in a large one all of it until long ago.
func source(s scope.Scope) lease.Source {
	src := lease.Source{Scope: s}
	if s.Divisible {
		src.Addrs, src.ValidUntil = dynamic(s), time.Unix(1, 0)
	}
	return src
}

// dynamic returns what may be allocated of a scope at all: in IPv6 the addresses
// with a group ID and no prefix.
func dynamic(s scope.Scope) scope.Set {
	r, ok := s.DynamicRange()
	if !ok {
		return scope.Set{} // the pool says what is wrong
	}
	r = transient(r)
	if !r.Is4() {
		first, last := r.First().As16(), r.First().As16()
		clear(first[2:])
		clear(last[2:])
		for i := range 4 {
			last[12+i] = 0xff
		}
		r, _ = scope.NewRange(netip.AddrFrom16(first), netip.AddrFrom16(last))
	}
	set, _ := scope.SetOf(r)
	return set
}

// follow makes the sources of the pool those of a space: what is available longer
// than before is granted for longer, what is no longer available is closed.
func (a *Allocator) follow(z *zone, space []aap.TimedRange) {
	if !z.scope.Divisible {
		return
	}
	for _, s := range space {
		set, err := scope.SetOf(s.Range)
		if err != nil {
			continue
		}
		for _, p := range z.cut(set) {
			if err := a.open(z, p, s.End); err != nil {
				a.log.Warn("cannot use a range", "range", p.addrs, "until", s.End, "error", err)
			}
		}
	}
	gone := z.grantable
	for _, s := range space {
		set, _ := scope.SetOf(s.Range)
		gone, _ = gone.Subtract(set)
	}
	if !gone.IsEmpty() {
		_ = a.pool.CloseSource(z.id, gone) // the scope is served
	}
}

// cut divides the pieces at the borders of a set, and returns those inside.
func (z *zone) cut(set scope.Set) (inside []*piece) {
	var all []piece
	for _, p := range z.pieces {
		for _, part := range []scope.Set{intersect(p.addrs, set), subtract(p.addrs, set)} {
			if !part.IsEmpty() {
				all = append(all, piece{part, p.until})
			}
		}
	}
	z.pieces = all
	for i, p := range all {
		if set.Covers(p.addrs) {
			inside = append(inside, &all[i])
		}
	}
	return inside
}

// open has the pool grant a piece until an end. One that is taken back before the
// end promised stays closed.
func (a *Allocator) open(z *zone, p *piece, until time.Time) error {
	if err := a.pool.CloseSource(z.id, p.addrs); err != nil { // divides the pool's sources likewise
		return err
	}
	if until.Before(p.until) {
		return nil
	}
	p.until = until
	return a.pool.AddSource(lease.Source{Scope: z.scope, Addrs: p.addrs, ValidUntil: until})
}

// claimEnd returns until when to claim addresses that are needed until least at
// least: wanted, but no longer than all ranges last that last long enough, lest
// some of them are left out.
func (z *zone) claimEnd(least, wanted time.Time) time.Time {
	if z.scope.Divisible {
		for _, s := range z.maas.Usable() {
			if !s.End.Before(least) && s.End.Before(wanted) {
				wanted = s.End
			}
		}
	}
	return wanted
}

// within returns a time, but no later than any of the addresses is available.
func (z *zone) within(addrs scope.Set, t time.Time) time.Time {
	for _, p := range z.pieces {
		if !p.until.IsZero() && p.until.Before(t) && p.addrs.Overlaps(addrs) {
			t = p.until
		}
	}
	return t
}

// Sets of one family, for which these do not fail.
func intersect(a, b scope.Set) scope.Set { s, _ := a.Intersect(b); return s }
func subtract(a, b scope.Set) scope.Set  { s, _ := a.Subtract(b); return s }
