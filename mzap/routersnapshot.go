// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// RouterSnapshot is everything a [Router] knows besides its configuration. MZAP
// is soft state: a router that starts without one learns it again within a few
// hold times. With it, a restarted router goes on where it stopped. Keep it as
// JSON; what is in it is of interest to the Router only.
type RouterSnapshot struct {
	Zones      []zoneSnapshot
	NotInside  []outsiderSnapshot
	ZAMs       []duplicateSnapshot // First is the Zone ID, Second the first address of the range
	NIMs       []duplicateSnapshot // First and Second are the first addresses of X and Y
	Neighbours []neighbourSnapshot
	LastZLE    time.Time // when the router last sent a ZLE, zero for never
	// PendingZLE is the ZLE that waits until ZLEDue; empty if none does.
	PendingZLE []byte
	ZLEDue     time.Time
}

// zoneSnapshot is what a router knows about one zone it bounds.
type zoneSnapshot struct {
	Scope                  scope.Range
	ZoneID                 netip.Addr
	ZAMDue, ZCMDue, NIMDue time.Time         // when the next message of each type is due
	Routers                []heardSnapshot   // those heard
	Mismatches             []unheardSnapshot // origins of ZAMs with another Zone ID
	Silent                 []unheardSnapshot // those listed by others and not heard
}

// heardSnapshot is a live boundary router of a zone.
type heardSnapshot struct {
	Router  netip.Addr
	Heard   time.Time // its last ZCM
	Listed  time.Time // when our ZCM last listed it, zero for never
	Expires time.Time
}

// unheardSnapshot is a router that something has been wrong with since a time.
type unheardSnapshot struct {
	Router  netip.Addr
	Since   time.Time
	Touched time.Time // the last message about it
}

// outsiderSnapshot is an "X not inside" entry: a scope X that nests in none of
// the router's zones (RFC 2776 section 6.3).
type outsiderSnapshot struct {
	Scope     scope.Range
	ZoneID    netip.Addr
	Divisible bool
	Expires   time.Time
}

// duplicateSnapshot is a message remembered to recognise its copies.
type duplicateSnapshot struct {
	First, Second netip.Addr
	Remembered
	Expires time.Time
}

// neighbourSnapshot is what routers beyond a Local Scope boundary said their
// Zone ID is.
type neighbourSnapshot struct {
	Interface int
	ZoneID    netip.Addr
	Expires   time.Time
}

// Snapshot returns what the router knows at now.
func (r *Router) Snapshot(now time.Time) RouterSnapshot {
	s := RouterSnapshot{LastZLE: r.lastZLE}
	for _, z := range r.zones {
		s.Zones = append(s.Zones, z.snapshot(now))
	}
	for _, e := range r.notInside.all(now) {
		x := e.value
		s.NotInside = append(s.NotInside, outsiderSnapshot{x.Range, x.ZoneID, x.Divisible, e.expires})
	}
	for k, e := range r.zams.all(now) {
		s.ZAMs = append(s.ZAMs, duplicateSnapshot{k.zoneID, k.start, e.value, e.expires})
	}
	for k, e := range r.nims.all(now) {
		s.NIMs = append(s.NIMs, duplicateSnapshot{k.inner, k.outer, e.value, e.expires})
	}
	for i, e := range r.neighbours.all(now) {
		s.Neighbours = append(s.Neighbours, neighbourSnapshot{i, e.value, e.expires})
	}
	if r.zle != nil {
		s.PendingZLE, s.ZLEDue = bytes.Clone(r.zle.packet), r.zle.due
	}
	return s
}

func (z *zone) snapshot(now time.Time) zoneSnapshot {
	s := zoneSnapshot{Scope: z.Scope.Range, ZoneID: z.zoneID, ZAMDue: z.zamDue, ZCMDue: z.zcmDue, NIMDue: z.nimDue}
	for a, e := range z.routers.all(time.Time{}) { // an expired one still turns into a silent one
		s.Routers = append(s.Routers, heardSnapshot{a, e.value.at, e.value.listed, e.expires})
	}
	unheard := func(t *table[netip.Addr, time.Time]) (out []unheardSnapshot) {
		for a, e := range t.all(now) {
			out = append(out, unheardSnapshot{a, e.value, e.expires.Add(-never)})
		}
		return out
	}
	s.Mismatches, s.Silent = unheard(&z.mismatches), unheard(&z.silent)
	return s
}

// Restore gives a router that has just been made with [NewRouter] the memory of
// an earlier one. What belongs to scopes or interfaces that are no longer
// configured is left out.
func (r *Router) Restore(s RouterSnapshot) {
	for _, zs := range s.Zones {
		if z := r.zone(zs.Scope); z != nil {
			z.restore(zs)
		}
	}
	for _, x := range s.NotInside {
		if r.zone(x.Scope) == nil {
			r.notInside.put(x.Scope.First(), outsider{x.Scope, x.ZoneID, x.Divisible}, x.Expires)
		}
	}
	for _, d := range s.ZAMs {
		r.zams.put(zamKey{d.First, d.Second}, d.Remembered, d.Expires)
	}
	for _, d := range s.NIMs {
		r.nims.put(nimKey{d.First, d.Second}, d.Remembered, d.Expires)
	}
	for _, n := range s.Neighbours {
		if r.local.bounds(n.Interface) {
			r.neighbours.put(n.Interface, n.ZoneID, n.Expires)
		}
	}
	r.lastZLE = s.LastZLE
	if r.msg.Decode(s.PendingZLE) == nil {
		r.zle = &pendingZLE{r.msg.Range, s.ZLEDue, bytes.Clone(s.PendingZLE)}
		r.joinZLE(r.msg.Range)
	}
}

func (z *zone) restore(s zoneSnapshot) {
	z.zamDue, z.zcmDue, z.nimDue = s.ZAMDue, s.ZCMDue, s.NIMDue
	z.zoneID = z.own
	for _, h := range s.Routers {
		z.routers.put(h.Router, heard{h.Heard, h.Listed}, h.Expires)
		if h.Router.Less(z.zoneID) {
			z.zoneID = h.Router
		}
	}
	for _, u := range s.Mismatches {
		z.mismatches.put(u.Router, u.Since, u.Touched.Add(never))
	}
	for _, u := range s.Silent {
		z.silent.put(u.Router, u.Since, u.Touched.Add(never))
	}
}
