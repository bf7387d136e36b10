// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Discovered returns the scopes heard of and not gone, in the order of their
// addresses, IPv4 first. The Local and the global scope, which need no
// discovery, are not among them.
func (l *Listener) Discovered(now time.Time) []Discovered {
	var out []Discovered
	for _, e := range l.scopes.all(now) {
		out = append(out, e.value.Discovered)
	}
	return out
}

// Scopes returns the scopes in effect here: for each address family the Local
// Scope, those heard of in the order of their addresses, and the global scope.
// Somebody who has heard nothing can assume just the first and the last (RFC
// 2776 section 6.1). Divisible scopes are among them, for those who use
// relative addresses in them.
func (l *Listener) Scopes(now time.Time) []scope.Scope {
	var out []scope.Scope
	found := l.Discovered(now)
	for _, family := range [][2]scope.Scope{
		{scope.IPv4Local(), scope.IPv4Global()}, {scope.IPv6(3), scope.IPv6(14)},
	} {
		out = append(out, family[0])
		for _, d := range found {
			if d.Scope.Range.Is4() == family[0].Range.Is4() {
				out = append(out, d.Scope)
			}
		}
		out = append(out, family[1])
	}
	return out
}

// Allocatable returns those of the scopes that an allocator may take addresses
// from without asking anybody for a part of them: the ones without the B bit
// (RFC 2776 section 6.1).
func (l *Listener) Allocatable(now time.Time) []scope.Scope {
	return slices.DeleteFunc(l.Scopes(now), func(s scope.Scope) bool { return s.Divisible })
}

// Nesting returns what is known about the nesting of scopes, given by the first
// address of each. Without any it is about all of [Listener.Scopes]. Scopes
// never heard of, and pairs of different families, are unknown.
func (l *Listener) Nesting(now time.Time, ids ...scope.ID) *scope.Nesting {
	all, known := len(ids) == 0, map[scope.ID]scope.Range{}
	for _, s := range l.Scopes(now) {
		known[s.ID()] = s.Range
		if all {
			ids = append(ids, s.ID())
		}
	}
	n := scope.NewNesting(ids...)
	for _, inner := range n.IDs() {
		for _, outer := range n.IDs() {
			if inner != outer {
				n.Set(inner, outer, l.relation(now, known[inner], known[outer]))
			}
		}
	}
	return n
}

// relation concludes about one pair; ranges of scopes not known are zero.
func (l *Listener) relation(now time.Time, inner, outer scope.Range) scope.Relation {
	x, _ := l.scopes.get(inner.First(), now)
	y, _ := l.scopes.get(outer.First(), now)
	objection, _ := l.nims.get(nimKey{inner.First(), outer.First()}, now)
	return Nests(NestingEvidence{inner, outer, x.FirstHeard, y.FirstHeard, objection}, now, l.cfg.NIMHold)
}

// ListenerSnapshot is everything a [Listener] knows besides its configuration.
// A listener that starts without one has to wait for NIM-HOLDTIME before it
// can tell what nests in what.
type ListenerSnapshot struct {
	Scopes    []Discovered
	NotInside []NotInside
}

// NotInside is a statement heard in a NIM: scope Inner does not nest in Outer.
type NotInside struct {
	Inner, Outer scope.ID
	Heard        time.Time // for the last time
}

// Snapshot returns what the listener knows at now.
func (l *Listener) Snapshot(now time.Time) ListenerSnapshot {
	s := ListenerSnapshot{Scopes: l.Discovered(now)}
	for k, e := range l.nims.all(now) {
		s.NotInside = append(s.NotInside, NotInside{k.inner, k.outer, e.value})
	}
	return s
}

// Restore gives a listener that has just been made with [NewListener] the
// memory of an earlier one. It makes no effects for what it brings back.
func (l *Listener) Restore(s ListenerSnapshot) {
	for _, d := range s.Scopes {
		l.scopes.put(d.Scope.ID(), familiar{Discovered: d}, d.Expires)
	}
	for _, n := range s.NotInside {
		l.nims.put(nimKey{n.Inner, n.Outer}, n.Heard, n.Heard.Add(l.cfg.NIMHold))
	}
}
