// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// send queues a datagram of ours or one relayed, of a given type.
func (r *Router) send(t Type, s Send) {
	if len(s.Interfaces) > 0 {
		r.stats.Sent[t]++
		r.emit(s)
	}
}

// sendOwn encodes and queues a message of ours. A zone that cannot be put into
// a message, or has no interface to send on, is left out.
func (r *Router) sendOwn(m *Message, s Send) {
	b, err := m.MarshalBinary()
	if err != nil {
		r.stats.Unsendable++
		return
	}
	s.Packet = b
	r.send(m.Type, s)
}

// header returns the header of our messages about a zone (RFC 2776 section 5).
func (z *zone) header(t Type) Message {
	return Message{
		Type: t, Divisible: z.Scope.Divisible, Origin: z.own, ZoneID: z.zoneID,
		Range: z.Scope.Range, Names: z.names,
	}
}

// sendZAM announces a scope (RFC 2776 section 6.2): into our own local zone, and
// over each Local Scope boundary that is inside the scope, as if we relayed what
// we had just sent.
func (r *Router) sendZAM(now time.Time, z *zone) {
	m := z.header(ZAM)
	m.Limit, m.HoldTime, m.LocalZone = z.limit, r.cfg.Timing.ZAMHold, r.local.zoneID
	r.rememberZAM(now, zamKey{z.zoneID, z.first()}, true)
	group := LocalGroup(r.is4)
	r.sendOwn(&m, Send{Source: z.own, Group: group, Interfaces: r.local.inside, Authenticate: true})
	if z.limit == 1 {
		return
	}
	for _, i := range r.local.Interfaces {
		beyond := r.beyond(now, i)
		if z.bounds(i) || beyond == r.local.zoneID {
			continue
		}
		source := r.addrOf(i)
		m.Path = []Hop{{source, beyond}}
		r.sendOwn(&m, Send{Source: source, Group: group, Interfaces: []int{i}, Authenticate: true})
	}
}

// relayZAM sends the copies of a ZAM that is to be forwarded. No copy knows of
// the others.
func (r *Router) relayZAM(p Packet, m *Message, f Forwarding) {
	var fill netip.Addr
	if f.Fill {
		fill = r.local.zoneID
	}
	relay := func(source, zone netip.Addr, interfaces []int) {
		r.send(ZAM, Send{
			Source: source, Group: LocalGroup(r.is4), Interfaces: interfaces, Authenticate: p.Authenticated,
			Packet: AppendRelay(make([]byte, 0, len(p.Payload)+2*addrLen(r.is4)), p.Payload, m, fill, Hop{source, zone}),
		})
	}
	if f.OwnZone {
		relay(r.local.own, r.local.zoneID, r.local.inside)
	}
	for _, l := range f.Links {
		relay(r.addrOf(l.Interface), l.Zone, []int{l.Interface})
	}
}

// sendZCM tells the other boundary routers of a zone whom we hear (RFC 2776
// section 6.6).
func (r *Router) sendZCM(now time.Time, z *zone) {
	m := z.header(ZCM)
	m.HoldTime = r.cfg.Timing.ZCMHold
	candidates := make([]Listed, 0, len(z.routers.entries))
	for a, e := range z.routers.all(now) {
		candidates = append(candidates, Listed{a, e.value.listed})
	}
	m.Routers = SelectListed(candidates, r.room(&m))
	for _, a := range m.Routers {
		z.routers.entries[a].value.listed = now
	}
	r.sendOwn(&m, Send{Source: z.own, Group: z.group, Interfaces: z.inside})
}

// room returns how many addresses fit into a ZCM with this header.
func (r *Router) room(m *Message) int {
	mtu, overhead := r.cfg.MTU, 28
	if !r.is4 {
		overhead = 48
	}
	if mtu == 0 {
		mtu = 1500
		if !r.is4 {
			mtu = 1280
		}
	}
	return max(0, min(255, (mtu-overhead-m.headerLen()-4)/addrLen(r.is4)))
}

// Listed is a live boundary router that the next ZCM may list.
type Listed struct {
	Router netip.Addr
	Last   time.Time // when a ZCM last listed it; zero: never
}

// SelectListed chooses which boundary routers a ZCM lists when not all fit (RFC
// 2776 section 5.3): first those never listed, then those whose turn was
// longest ago, of equals the lowest address. The result is in ascending order.
// The candidates are left as they are.
func SelectListed(candidates []Listed, room int) []netip.Addr {
	byTurn := slices.Clone(candidates)
	slices.SortFunc(byTurn, func(a, b Listed) int {
		if c := a.Last.Compare(b.Last); c != 0 {
			return c
		}
		return a.Router.Compare(b.Router)
	})
	var out []netip.Addr
	for _, c := range byTurn[:min(room, len(byTurn))] {
		out = append(out, c.Router)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

// sendNIMs tells which scopes do not nest in a zone (RFC 2776 section 6.8): into
// our own local zone and over the boundaries that a NIM may cross.
func (r *Router) sendNIMs(now time.Time, y *zone) {
	for id, e := range r.notInside.all(now) {
		x := e.value
		if id == y.first() || r.zone(x.Range) != nil {
			continue
		}
		m := Message{
			Type: NIM, Divisible: x.Divisible, Origin: y.own, ZoneID: x.ZoneID, Range: x.Range, NotInside: y.first(),
		}
		r.rememberNIM(now, nimKey{id, y.first()})
		r.sendNIM(&m, y, y.own, r.local.inside)
		known := r.startsAt(id)
		for _, i := range r.local.Interfaces {
			if !y.bounds(i) && (known == nil || !known.bounds(i)) {
				r.sendNIM(&m, y, r.addrOf(i), []int{i})
			}
		}
	}
}

func (r *Router) sendNIM(m *Message, y *zone, source netip.Addr, interfaces []int) {
	r.sendOwn(m, Send{Source: source, Group: LocalGroup(r.is4), Interfaces: interfaces, Authenticate: true})
}

// relayNIM sends a NIM on, octet for octet.
func (r *Router) relayNIM(p Packet, f Forwarding) {
	relay := func(source netip.Addr, interfaces []int) {
		r.send(NIM, Send{
			Source: source, Group: LocalGroup(r.is4), Interfaces: interfaces, Authenticate: p.Authenticated,
			Packet: bytes.Clone(p.Payload),
		})
	}
	if f.OwnZone {
		relay(r.local.own, r.local.inside)
	}
	for _, l := range f.Links {
		relay(r.addrOf(l.Interface), []int{l.Interface})
	}
}

// scheduleZLE prepares to report a ZAM that has gone too far (RFC 2776 section
// 6.4). One report is pending at a time, and none follows another too soon.
func (r *Router) scheduleZLE(now time.Time, packet []byte, m *Message) {
	_, ok := RelativeGroup(m.Range)
	if !ok || r.zle != nil || !r.lastZLE.IsZero() && now.Sub(r.lastZLE) < r.cfg.Timing.ZLEMin {
		return
	}
	delay := ZLEDelay(r.cfg.Timing.ZLESuppression, r.cfg.Rand.Float64())
	r.zle = &pendingZLE{m.Range, now.Add(delay), AppendZLE(nil, packet)}
	r.joinZLE(m.Range)
}

// sendZLE sends the pending report.
func (r *Router) sendZLE(now time.Time) {
	group, _ := RelativeGroup(r.zle.scope)
	r.send(ZLE, Send{Source: r.local.own, Group: group, Interfaces: r.ways(r.zle.scope), Packet: r.zle.packet})
	r.lastZLE = now
	r.leaveZLE()
}

// ways returns the interfaces inside a scope, configured or not.
func (r *Router) ways(s scope.Range) []int {
	if z := r.zone(s); z != nil {
		return z.inside
	}
	var all []int
	for _, n := range r.cfg.Interfaces {
		all = append(all, n.Index)
	}
	return all
}

// joinZLE listens for ZLEs of others about a scope, unless we do so anyway.
func (r *Router) joinZLE(s scope.Range) {
	if group, _ := RelativeGroup(s); !r.listens(group) {
		r.emit(Join{group, r.ways(s)})
	}
}

// leaveZLE forgets the pending report.
func (r *Router) leaveZLE() {
	s := r.zle.scope
	r.zle = nil
	if group, _ := RelativeGroup(s); !r.listens(group) {
		r.emit(Leave{group, r.ways(s)})
	}
}

// listens reports whether a group is among those the router always listens to.
func (r *Router) listens(group netip.Addr) bool {
	return slices.ContainsFunc(r.zones, func(z *zone) bool { return z.group == group })
}
