// SPDX-License-Identifier: BSD-3-Clause

package xcast

import (
	"net/netip"
	"slices"
)

// defaultTunnelTTL is the outer TTL of a tunnel that names none.
const defaultTunnelTTL = 64

// carryOut turns a plan into outputs or a drop.
func (f *Forwarder) carryOut(p *plan) {
	j := &f.journey
	switch p.do {
	case doDrop:
		f.drop(p.set, p.reason)
	case doDeliver:
		f.deliver(p.set)
	case doUnicast:
		switch {
		case j.p.StayXcast():
			f.drop(p.set, ErrXBit)
		case !j.mayX2U:
			f.drop(p.set, ErrNotConvertible)
		default:
			f.unicast(p.set)
		}
	case doCopy:
		at := len(f.heads)
		headers, rest := j.p.appendCopy(f.heads, p.set, j.ttl, f.dsOf(p.set, j.ds))
		f.send(XcastCopy, p.set, at, headers, rest, p.set.First())
	case doTunnel:
		f.tunnel(p.set, f.tunnels[p.tunnel])
	case doRelay:
		f.relay(p.set)
	case doTransit:
		f.transit(p.set)
	}
}

// deliver hands this node's own share over, with the TTL it came with: as
// an ordinary packet if that is allowed, else as one Xcast packet.
func (f *Forwarder) deliver(set Bitmap) {
	j := &f.journey
	if j.exitLost {
		f.drop(set, ErrECN)
		return
	}
	var headers, rest []byte
	at := len(f.heads)
	if j.mayX2U {
		i := set.First()
		headers, rest = j.p.appendUnicast(f.heads, i, j.p.TTL(), j.p.dsOf(i, j.exitDS))
	} else {
		headers, rest = j.p.appendCopy(f.heads, set, j.p.TTL(), j.exitDS)
	}
	f.output(Deliver, set, at, headers, rest)
}

// unicast sends an ordinary packet to the one destination of the set.
func (f *Forwarder) unicast(set Bitmap) {
	j := &f.journey
	i := set.First()
	if j.exitLost {
		f.drop(set, ErrECN)
		return
	}
	at := len(f.heads)
	headers, rest := j.p.appendUnicast(f.heads, i, j.x2uTTL, j.p.dsOf(i, j.exitDS))
	f.send(Unicast, set, at, headers, rest, i)
}

// tunnel sends a copy to an Xcast peer.
func (f *Forwarder) tunnel(set Bitmap, t Tunnel) {
	var route Route
	ok := false
	if f.config.Route != nil {
		route, ok = f.config.Route(t.Remote)
	}
	f.encapsulate(set, &t, &route, ok, false)
}

// relay sends a copy from a relaying host to the first destination of the set.
func (f *Forwarder) relay(set Bitmap) {
	p, relay := &f.journey.p, f.config.Relay
	i := set.First()
	t := Tunnel{Local: relay.Local4, Remote: p.Address(i), TTL: relay.TTL}
	if p.family == Xcast6 {
		t.Local = relay.Local6
	}
	permeable := p.family == Xcast6 && relay.SemiPermeable
	if permeable && f.journey.origin {
		t.TTL = p.TTL()
	}
	route, ok := f.lookup(i)
	f.encapsulate(set, &t, route, ok, permeable)
}

// encapsulate wraps a copy in a new IP header.
func (f *Forwarder) encapsulate(set Bitmap, t *Tunnel, route *Route, routed, permeable bool) {
	j := &f.journey
	if t.TTL == 0 {
		t.TTL = defaultTunnelTTL
	}
	switch {
	case j.p.Source() == t.Remote:
		f.drop(set, ErrTunnelLoop)
		return
	case !routed:
		f.drop(set, ErrNoRoute)
		return
	}
	ds := f.dsOf(set, j.ds)
	at := len(f.heads)
	headers, err := f.appendOuter(f.heads, t, ds, permeable)
	if err != nil {
		f.drop(set, reasonOf(err))
		return
	}
	headers, rest := j.p.appendCopy(headers, set, j.ttl, ds)
	next := t.Remote
	if route.Gateway.IsValid() {
		next = route.Gateway
	}
	if f.emit(Tunnelled, set, at, headers, rest, route, next) && j.p.family == Xcast4 {
		f.tunnelID++
	}
}

// appendOuter appends the headers that go before the inner packet.
func (f *Forwarder) appendOuter(dst []byte, t *Tunnel, ds uint8, permeable bool) ([]byte, error) {
	p := &f.journey.p
	if p.family == Xcast4 {
		outer := IPv4Fields{DSField: ds, ID: f.tunnelID, DontFragment: IPv4(p.b).DontFragment(), TTL: t.TTL,
			Protocol: protoIPIP, Source: t.Local, Destination: t.Remote}
		return outer.AppendHeader(dst, len(p.b))
	}
	outer := IPv6Fields{DSField: ds, NextHeader: protoIPv6, HopLimit: t.TTL, Source: t.Local, Destination: t.Remote}
	if !permeable {
		return outer.AppendHeader(dst, len(p.b))
	}
	outer.NextHeader = protoHopByHop
	dst, err := outer.AppendHeader(dst, 8+len(p.b))
	if err != nil {
		return dst, err
	}
	return append(dst, protoIPv6, 0, f.config.Code.TunnelOption, 0, optPadN, 2, 0, 0), nil
}

// transit sends a part on in the semi-permeable tunnel it came in: the same
// outer headers, to a destination that is in the part.
func (f *Forwarder) transit(set Bitmap) {
	j := &f.journey
	end, to := set.First(), IPv6(j.transit).Destination()
	for i := range set.All() {
		if j.p.Address(i) == to {
			end = i
			break
		}
	}
	inner := f.dsOf(set, j.ds)
	at := len(f.heads)
	headers := append(f.heads, j.transit...)
	outer := IPv6(headers[at:])
	outer.SetHopLimit(outer.HopLimit() - 1)
	if j.p.flags&flagD != 0 {
		outer.SetDSField(inner&^3 | outer.DSField()&3)
	}
	address := j.p.Address(end).As16()
	copy(outer[24:40], address[:])
	outer.setPayloadLen(len(j.transit) - ipv6Len + len(j.p.b))
	headers, rest := j.p.appendCopy(headers, set, j.ttl, inner)
	f.send(Tunnelled, set, at, headers, rest, end)
}

// dsOf returns the DS field of a copy for a set: with a list of DSCPs that of
// its most demanding member (section 8.2).
func (f *Forwarder) dsOf(set Bitmap, ds uint8) uint8 {
	if f.journey.p.flags&flagD == 0 {
		return ds
	}
	return byte(mostDemanding(set, f.dscpOf, f.config.CompareDSCP))<<2 | ds&3
}

// send emits a packet by the route of destination i.
func (f *Forwarder) send(kind OutputKind, set Bitmap, at int, headers, rest []byte, i int) {
	route, ok := f.lookup(i)
	if !ok {
		f.drop(set, ErrNoRoute)
		return
	}
	f.emit(kind, set, at, headers, rest, route, f.nextHop(i))
}

// emit puts a packet out if the route's MTU lets it: what is longer is dropped,
// except IPv4 unicast and tunnel packets that may be fragmented. Of the
// fragments of a bare copy only the first would have the list.
func (f *Forwarder) emit(kind OutputKind, set Bitmap, at int, headers, rest []byte, route *Route, next netip.Addr) bool {
	fragment := false
	if route.MTU > 0 && len(headers)-at+len(rest) > int(route.MTU) {
		fragment = f.journey.p.family == Xcast4 && kind != XcastCopy && !IPv4(headers[at:]).DontFragment()
		if !fragment {
			f.drop(set, ErrMTU)
			return false
		}
	}
	o := f.output(kind, set, at, headers, rest)
	o.NextHop, o.Interface, o.Fragment = next, route.Interface, fragment
	return true
}

// output adds an output to the result.
func (f *Forwarder) output(kind OutputKind, set Bitmap, at int, headers, rest []byte) *Output {
	f.heads = headers
	f.stats.Outputs[kind]++
	f.result.Outputs = slices.Grow(f.result.Outputs, 1)
	f.result.Outputs = f.result.Outputs[:len(f.result.Outputs)+1]
	o := &f.result.Outputs[len(f.result.Outputs)-1]
	o.Kind, o.Destinations, o.Head, o.Tail = kind, set, headers[at:len(headers):len(headers)], rest
	o.NextHop, o.Interface, o.Fragment = netip.Addr{}, 0, false
	return o
}

// reasonOf returns the reason of an error of this package.
func reasonOf(err error) Reason {
	if e, ok := err.(*Error); ok {
		return e.Err
	}
	return ErrMalformedIP
}
