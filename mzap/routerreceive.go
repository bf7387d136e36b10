// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Receive takes in a datagram. Only a malformed one is an error, an [*Error];
// it is dropped and counted (RFC 2776 says nothing about answering). All else
// that this router need not heed is dropped too, and counted in the
// [Router.Stats].
func (r *Router) Receive(now time.Time, p Packet) error {
	m := &r.msg
	if err := m.Decode(p.Payload); err != nil {
		r.stats.Malformed++
		return err
	}
	r.expire(now)
	switch {
	case m.Is4() != r.is4 || p.From.IsValid() && p.From.Unmap().Is4() != m.Is4() || !r.has(p.Interface):
		r.stats.Foreign++
		return nil
	case r.isOwn(p.From):
		r.stats.Own++
		return nil
	}
	r.stats.Received[m.Type]++
	link := m.Range == linkLocal(r.is4)
	announcement := m.Type == ZAM || m.Type == ZLE
	if link && m.Type != NIM || announcement && m.Range == r.local.Scope.Range {
		r.stats.Unannounceable++
		return nil
	}
	switch m.Type {
	case ZAM:
		r.receiveZAM(now, p, m)
	case ZLE:
		r.receiveZLE(p, m)
	case ZCM:
		r.receiveZCM(now, p, m)
	case NIM:
		r.receiveNIM(now, p, m)
	}
	return nil
}

func (r *Router) has(index int) bool {
	for _, n := range r.cfg.Interfaces {
		if n.Index == index {
			return true
		}
	}
	return false
}

// signal queues a finding.
func (r *Router) signal(f Finding, in int) {
	r.stats.Findings++
	f.Interface = in
	r.emit(f)
}

// receiveZAM follows RFC 2776 section 6.3, in its order.
func (r *Router) receiveZAM(now time.Time, p Packet, m *Message) {
	x := r.zone(m.Range)
	outside := x != nil && x.bounds(p.Interface)
	switch {
	case x == nil:
		r.noteOutsider(now, p, m)
	case outside:
		if f, ok := FindLeakyBoundary(m, x.known(), true); ok {
			r.signal(f, p.Interface)
		}
	default:
		r.inspectZAM(now, p, m, x)
	}
	if outside {
		r.stats.Dropped[FromOutside]++
		return
	}
	key := zamKey{m.ZoneID, m.Range.First()}
	if old, ok := r.zams.get(key, now); ok && old.Blocks(now, p.Authenticated, r.cfg.Timing.ZAMDup) {
		r.stats.Dropped[Duplicate]++
		return
	}
	r.rememberZAM(now, key, p.Authenticated)
	f := ForwardZAM(m, r.crossing(now, p.Interface, func(i int) bool { return x != nil && x.bounds(i) }))
	r.stats.Dropped[f.Verdict]++
	switch f.Verdict {
	case LimitReached:
		r.scheduleZLE(now, p.Payload, m)
	case Forward:
		r.relayZAM(p, m, f)
	}
}

// noteOutsider handles a ZAM for a scope this router does not bound: its zone
// lies on both sides of each of our boundaries, so it nests in none of our
// zones.
func (r *Router) noteOutsider(now time.Time, p Packet, m *Message) {
	for _, y := range r.zones {
		if f, ok := FindRangeConflict(m, y.known()); ok {
			r.signal(f, p.Interface)
		}
	}
	// With a hold time of 0 the entry ends at once.
	r.notInside.put(m.Range.First(), outsider{m.Range, m.ZoneID, m.Divisible}, now.Add(m.HoldTime))
}

// inspectZAM looks for misconfigurations in a ZAM for a scope this router
// bounds that arrived inside.
func (r *Router) inspectZAM(now time.Time, p Packet, m *Message, x *zone) {
	if f, ok := FindNonConvexRoute(m, x.known(), m.Origin, r.leaves(m.Origin, x)); ok {
		r.signal(f, p.Interface)
	}
	if m.ZoneID == x.zoneID || r.isOwn(m.Origin) {
		x.mismatches.delete(m.Origin)
	} else {
		since, ok := x.mismatches.get(m.Origin, now)
		if !ok {
			since = now
		}
		x.mismatches.put(m.Origin, since, now.Add(never))
		if f, ok := FindLeakyLocalScope(m, x.known(), since, now, r.cfg.Timing.ZCMHold); ok {
			r.signal(f, p.Interface)
		}
	}
	for f := range FindNameConflicts(m, x.known()) {
		r.signal(f, p.Interface)
	}
}

// leaves reports whether the way to a router leads over a boundary of a zone.
func (r *Router) leaves(router netip.Addr, z *zone) bool {
	if r.isOwn(router) {
		return false
	}
	i, ok := r.cfg.Route(router)
	return ok && z.bounds(i)
}

// crossing describes this router to the forwarding decisions.
func (r *Router) crossing(now time.Time, in int, bounds func(int) bool) Crossing {
	r.links = r.links[:0]
	for _, i := range r.local.Interfaces {
		r.links = append(r.links, Link{i, r.beyond(now, i), bounds(i)})
	}
	return Crossing{In: in, InBounds: bounds(in), LocalZone: r.local.zoneID, Links: r.links}
}

func (r *Router) rememberZAM(now time.Time, key zamKey, authenticated bool) {
	r.zams.put(key, Remembered{now, authenticated}, now.Add(r.cfg.Timing.ZAMDup))
}

// receiveZLE follows RFC 2776 section 6.5.
func (r *Router) receiveZLE(p Packet, m *Message) {
	if r.zle != nil && r.zle.scope == m.Range {
		r.leaveZLE()
	}
	z := Zone{Scope: scope.Scope{Range: m.Range}}
	if x := r.zone(m.Range); x != nil {
		z = x.known()
	}
	if f, ok := FindLimitExceeded(m, z, r.isOwn); ok {
		r.signal(f, p.Interface)
	}
}

// receiveZCM follows RFC 2776 section 6.7. A ZCM of the Local Scope from beyond
// a boundary tells the Zone ID of the local zone over there.
func (r *Router) receiveZCM(now time.Time, p Packet, m *Message) {
	x := r.zone(m.Range)
	switch {
	case x == nil:
		r.stats.Unheeded++
		return
	case x.bounds(p.Interface):
		if x == r.local {
			r.neighbours.put(p.Interface, m.ZoneID, now.Add(m.HoldTime))
		} else {
			r.stats.Unheeded++
		}
		return
	}
	if !r.isOwn(m.Origin) {
		r.hear(now, m, x)
	}
	for i, listed := range m.Routers {
		if !r.isOwn(listed) && !contains(m.Routers[:i], listed) {
			r.inspectListed(now, p, m, x, listed)
		}
	}
	for f := range FindNameConflicts(m, x.known()) {
		r.signal(f, p.Interface)
	}
}

func contains(list []netip.Addr, a netip.Addr) bool {
	for _, b := range list {
		if a == b {
			return true
		}
	}
	return false
}

// hear enters the sender of a ZCM into the zone's list of boundary routers.
func (r *Router) hear(now time.Time, m *Message, x *zone) {
	x.silent.delete(m.Origin)
	if m.HoldTime == 0 {
		x.routers.delete(m.Origin)
		x.silent.put(m.Origin, now, now.Add(never))
	} else {
		h, _ := x.routers.get(m.Origin, now)
		h.at = now
		x.routers.put(m.Origin, h, now.Add(m.HoldTime))
	}
	r.updateZoneID(now, x)
}

// inspectListed looks at a boundary router that somebody else hears.
func (r *Router) inspectListed(now time.Time, p Packet, m *Message, x *zone, listed netip.Addr) {
	if f, ok := FindNonConvexRoute(m, x.known(), listed, r.leaves(listed, x)); ok {
		r.signal(f, p.Interface)
	}
	if _, live := x.routers.get(listed, now); live {
		return
	}
	since, ok := x.silent.get(listed, now)
	if !ok {
		since = now
	}
	x.silent.put(listed, since, now.Add(never))
	if f, ok := FindNonConvexSilence(m, x.known(), listed, since, now, r.cfg.Timing.ZCMHold); ok {
		r.signal(f, p.Interface)
	}
}

// receiveNIM follows RFC 2776 section 6.9.
func (r *Router) receiveNIM(now time.Time, p Packet, m *Message) {
	x, y := r.startsAt(m.Range.First()), r.startsAt(m.NotInside)
	at := r.crossing(now, p.Interface, func(i int) bool {
		return x != nil && x.bounds(i) || y != nil && y.bounds(i)
	})
	if i, ok := r.cfg.Route(m.Origin); ok && !r.isOwn(m.Origin) {
		at.Route = i
	}
	f := ForwardNIM(m, at)
	if f.Verdict == Forward {
		key := nimKey{m.Range.First(), m.NotInside}
		if old, ok := r.nims.get(key, now); ok && old.Blocks(now, old.Authenticated, r.cfg.Timing.ZAMDup) {
			f.Verdict = Duplicate
		} else {
			r.rememberNIM(now, key)
		}
	}
	r.stats.Dropped[f.Verdict]++
	if f.Verdict == Forward {
		r.relayNIM(p, f)
	}
}

func (r *Router) rememberNIM(now time.Time, key nimKey) {
	r.nims.put(key, Remembered{At: now}, now.Add(r.cfg.Timing.ZAMDup))
}
