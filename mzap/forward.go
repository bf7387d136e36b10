// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"fmt"
	"net/netip"
	"slices"
)

// Verdict is what becomes of a ZAM or NIM at a router.
type Verdict uint8

// The verdicts.
const (
	Forward      Verdict = iota // relay it where the rest of the Forwarding says, if anywhere
	FromOutside                 // it came over a boundary of its own scope (sections 6.3 and 6.9): drop it
	WrongRoute                  // a NIM that did not come on the way its origin is reached (section 6.9): drop it
	Duplicate                   // the same was seen a moment ago: drop it
	LimitReached                // its Zones Traveled Limit is reached: answer with a ZLE, do not relay
	PathFull                    // its path holds 255 routers and cannot grow: drop it
)

var verdictNames = [...]string{"forward", "from outside", "wrong route", "duplicate", "limit reached", "path full"}

// String returns the verdict in words.
func (v Verdict) String() string {
	if int(v) >= len(verdictNames) {
		return fmt.Sprintf("Verdict(%d)", v)
	}
	return verdictNames[v]
}

// Crossing is where a router stands towards one ZAM or NIM.
type Crossing struct {
	// In is the interface the message arrived on.
	In int
	// InBounds says that In is a boundary of the message's scope X, or of the
	// other scope Y of a NIM.
	InBounds bool
	// Route is the interface that leads to the message's origin, 0 if none is
	// known. It matters for NIMs only.
	Route int
	// LocalZone is the Zone ID of the router's own local zone.
	LocalZone netip.Addr
	// Links are the router's interfaces with a Local Scope boundary.
	Links []Link
}

// Link is an interface with a Local Scope boundary, as seen by one message.
type Link struct {
	Interface int
	// Zone is the Zone ID of the local zone beyond, the zero Addr if unknown.
	Zone netip.Addr
	// Bounds says that the interface is also a boundary of the message's scope X,
	// or of the other scope Y of a NIM.
	Bounds bool
}

// Forwarding says where a message goes.
type Forwarding struct {
	Verdict Verdict
	// Fill says that the last local zone of a ZAM's path is unknown and that it is
	// our own: its ID is to be filled in, before anything else.
	Fill bool
	// OwnZone says that a copy goes into the router's own local zone.
	OwnZone bool
	// Links are the boundaries across which a copy goes. Each copy of a ZAM
	// extends the path by (own address, Zone of the link).
	Links []Link
}

// ForwardZAM decides where a router relays a ZAM that is no duplicate (RFC 2776
// section 6.3). It goes into every local zone the router touches, except the
// one it came from and those it has been in, and never across a boundary of its
// own scope. The limit counts the pair that relaying would add.
func ForwardZAM(zam *Message, at Crossing) Forwarding {
	if at.InBounds {
		return Forwarding{Verdict: FromOutside}
	}
	f := Forwarding{Fill: !zam.lastZone().IsValid() && !at.crossed()}
	switch zt := len(zam.Path); {
	case zam.Limit != 0 && zt+1 >= int(zam.Limit):
		f.Verdict = LimitReached
		return f
	case zt >= 255:
		f.Verdict = PathFull
		return f
	}
	been := func(zone netip.Addr) bool {
		return zam.Visited(zone) || f.Fill && zone == at.LocalZone
	}
	f.OwnZone = !been(at.LocalZone)
	for _, l := range at.Links {
		if l.Interface != at.In && !l.Bounds && !been(l.Zone) {
			f.Links = append(f.Links, l)
		}
	}
	return f
}

// ForwardNIM decides where a router relays a NIM that is no duplicate (RFC 2776
// section 6.9): unchanged into every local zone it touches, except the one the
// message came from, and never across a boundary of X or Y. Only the copy that
// comes on the way to the origin counts.
func ForwardNIM(nim *Message, at Crossing) Forwarding {
	switch {
	case at.InBounds:
		return Forwarding{Verdict: FromOutside}
	case at.Route != at.In:
		return Forwarding{Verdict: WrongRoute}
	}
	from := at.LocalZone
	if i := at.link(at.In); i >= 0 {
		from = at.Links[i].Zone
	}
	f := Forwarding{OwnZone: at.crossed() && from != at.LocalZone}
	for _, l := range at.Links {
		if l.Interface != at.In && !l.Bounds && (!from.IsValid() || l.Zone != from) {
			f.Links = append(f.Links, l)
		}
	}
	return f
}

// crossed reports whether the message arrived over a Local Scope boundary.
func (at Crossing) crossed() bool { return at.link(at.In) >= 0 }

func (at Crossing) link(index int) int {
	return slices.IndexFunc(at.Links, func(l Link) bool { return l.Interface == index })
}

// Visited reports whether a ZAM or ZLE has been in a local zone: it started
// there or its path leads there. It has never been in an unknown zone, the zero
// Addr.
func (m *Message) Visited(zone netip.Addr) bool {
	return zone.IsValid() && (m.LocalZone == zone ||
		slices.ContainsFunc(m.Path, func(h Hop) bool { return h.LocalZone == zone }))
}

// lastZone returns the local zone a ZAM is in, the zero Addr if unknown.
func (m *Message) lastZone() netip.Addr {
	if n := len(m.Path); n > 0 {
		return m.Path[n-1].LocalZone
	}
	return m.LocalZone
}

// AppendRelay appends to dst the copy of a ZAM that a router sends on. Of the
// packet, from which zam was decoded, everything is kept octet for octet,
// ignored ones too, except: the last local zone, if fill is valid, is set to
// it, the hop joins the end of the path, and the count grows by one. The path
// must have room (see [PathFull]).
func AppendRelay(dst, packet []byte, zam *Message, fill netip.Addr, hop Hop) []byte {
	is4, start := zam.Is4(), len(dst)
	dst = append(dst, packet...)
	dst[start+zam.headerLen()]++
	if fill.IsValid() {
		appendAddr(dst[:len(dst)-addrLen(is4)], fill, is4)
	}
	return hop.append(dst, is4)
}

// AppendZLE appends to dst the ZLE for a ZAM (RFC 2776 section 5.2): its packet
// as received with another type.
func AppendZLE(dst, packet []byte) []byte {
	start := len(dst)
	dst = append(dst, packet...)
	dst[start+1] = dst[start+1]&0x80 | byte(ZLE)
	return dst
}
