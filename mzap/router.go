// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"cmp"
	"iter"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Router is the machine of a Zone Boundary Router (RFC 2776). It announces the
// scopes it bounds, relays the announcements of others from one local zone to
// the next, and looks for misconfigurations.
//
// One caller drives it: [Router.Receive] when a datagram arrived,
// [Router.Advance] when the [Router.Deadline] has come, and after each of them
// it carries out the [Router.Effects] in order. A Router is not safe for
// concurrent use. It opens no socket and reads no clock, and the same calls
// with the same times and random numbers have the same effects.
type Router struct {
	cfg        RouterConfig
	is4        bool
	zones      []*zone // in the order of cfg.Scopes
	local      *zone   // the one of the Local Scope
	own        []netip.Addr
	notInside  table[scope.ID, outsider]
	zams       table[zamKey, Remembered]
	nims       table[nimKey, Remembered]
	neighbours table[int, netip.Addr] // interface: Zone ID beyond, as its routers say
	zle        *pendingZLE
	lastZLE    time.Time // zero: never sent one
	stats      RouterStats
	msg        Message // of the packet at hand
	links      []Link  // for it
	effects
}

// zone is a scope this router bounds, and what it knows about the zone it is
// in.
type zone struct {
	Boundary
	names  []Name
	limit  uint8
	group  netip.Addr // its relative group
	own    netip.Addr // our address in it
	zoneID netip.Addr
	inside []int // interfaces without its boundary

	zamDue, zcmDue, nimDue time.Time
	routers                table[netip.Addr, heard]
	mismatches             table[netip.Addr, time.Time] // origin: since when
	silent                 table[netip.Addr, time.Time] // listed, not heard: since when
}

// heard is a live boundary router of a zone.
type heard struct {
	at     time.Time // its last ZCM
	listed time.Time // when a ZCM of ours last listed it; zero: never
}

// outsider is an "X not inside" entry: X as last heard.
type outsider struct {
	Range     scope.Range
	ZoneID    netip.Addr
	Divisible bool
}

type zamKey struct {
	zoneID netip.Addr
	start  scope.ID
}

type nimKey struct{ inner, outer scope.ID }

// pendingZLE waits for its delay to pass.
type pendingZLE struct {
	scope  scope.Range
	due    time.Time
	packet []byte
}

// never is the time of entries that end by an event instead of a time.
const never = time.Duration(math.MaxInt64)

func (z *zone) first() scope.ID       { return z.Scope.Range.First() }
func (z *zone) bounds(index int) bool { return slices.Contains(z.Interfaces, index) }
func (z *zone) isLocal() bool         { return z.Scope.Range == LocalScope(z.Scope.Range.Is4()) }
func (z *zone) known() Zone           { return Zone{z.Scope, z.zoneID} }
func compareZAM(a, b zamKey) int      { return cmp.Or(a.zoneID.Compare(b.zoneID), a.start.Compare(b.start)) }
func compareNIM(a, b nimKey) int      { return cmp.Or(a.inner.Compare(b.inner), a.outer.Compare(b.outer)) }
func compareAddr(a, b netip.Addr) int { return a.Compare(b) }

// NewRouter starts a router at now. It sends nothing yet: the first message of
// each kind is due one jittered interval later (RFC 2776 section 3.3). The
// groups to join are among the first [Router.Effects].
func NewRouter(cfg RouterConfig, now time.Time) (*Router, error) {
	cfg.Timing, cfg.Limits = cfg.Timing.withDefaults(), cfg.Limits.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	r := &Router{cfg: cfg, is4: cfg.Scopes[0].Scope.Range.Is4()}
	r.notInside = newTable[scope.ID, outsider](cfg.Limits.NotInside, compareAddr)
	r.zams = newTable[zamKey, Remembered](cfg.Limits.Duplicates, compareZAM)
	r.nims = newTable[nimKey, Remembered](cfg.Limits.Duplicates, compareNIM)
	r.neighbours = newTable[int, netip.Addr](len(cfg.Interfaces), cmp.Compare[int])
	if r.usable(cfg.Addr) {
		r.own = append(r.own, cfg.Addr)
	}
	for _, n := range cfg.Interfaces {
		if r.usable(n.Addr) {
			r.own = append(r.own, n.Addr)
		}
	}
	for _, b := range cfg.Scopes {
		z, err := r.newZone(b, now)
		if err != nil {
			return nil, err
		}
		r.zones = append(r.zones, z)
		if z.isLocal() {
			r.local = z
		}
	}
	r.join()
	return r, nil
}

func (r *Router) usable(a netip.Addr) bool { return UsableUnicast(a) && a.Is4() == r.is4 }

func (r *Router) newZone(b Boundary, now time.Time) (*zone, error) {
	z := &zone{Boundary: b, names: WireNames(b.Scope.Names), limit: DefaultLimit}
	switch {
	case b.Limit > 0:
		z.limit = uint8(b.Limit)
	case b.Limit < 0:
		z.limit = 0
	}
	z.group, _ = RelativeGroup(b.Scope.Range)
	if r.usable(r.cfg.Addr) {
		z.own = r.cfg.Addr
	}
	for _, n := range r.cfg.Interfaces {
		if z.bounds(n.Index) {
			continue
		}
		z.inside = append(z.inside, n.Index)
		if r.usable(n.Addr) && (!z.own.IsValid() || n.Addr.Less(z.own)) {
			z.own = n.Addr
		}
	}
	if !z.own.IsValid() {
		return nil, badConfig("scope %v: the router has no usable address inside", b.Scope.Range)
	}
	z.zoneID = z.own
	z.routers = newTable[netip.Addr, heard](r.cfg.Limits.Routers, compareAddr)
	z.mismatches = newTable[netip.Addr, time.Time](r.cfg.Limits.Routers, compareAddr)
	z.silent = newTable[netip.Addr, time.Time](r.cfg.Limits.Routers, compareAddr)
	t := r.cfg.Timing
	z.zamDue = now.Add(jittered(t.ZAMInterval, r.cfg.Rand))
	z.zcmDue = now.Add(jittered(t.ZCMInterval, r.cfg.Rand))
	z.nimDue = now.Add(jittered(t.NIMInterval, r.cfg.Rand))
	return z, nil
}

// join asks for the groups a router always listens to: the local group on
// every interface, and the relative group of each scope inside.
func (r *Router) join() {
	var all []int
	for _, n := range r.cfg.Interfaces {
		all = append(all, n.Index)
	}
	r.emit(Join{LocalGroup(r.is4), all})
	for _, z := range r.zones {
		if z.group != LocalGroup(r.is4) && len(z.inside) > 0 {
			r.emit(Join{z.group, z.inside})
		}
	}
}

// Effects yields what is to be done, in order, and forgets it: groups to join and
// datagrams to send, then findings and news for the application.
func (r *Router) Effects() iter.Seq[Effect] { return r.drain() }

// ZoneID returns the Zone ID of the zone of a scope that this router bounds and
// is in, and whether it bounds that scope.
func (r *Router) ZoneID(s scope.Range) (netip.Addr, bool) {
	if z := r.zone(s); z != nil {
		return z.zoneID, true
	}
	return netip.Addr{}, false
}

// zone returns the configured scope with exactly this range, or nil.
func (r *Router) zone(s scope.Range) *zone {
	for _, z := range r.zones {
		if z.Scope.Range == s {
			return z
		}
	}
	return nil
}

// startsAt returns the configured scope with this first address, or nil.
func (r *Router) startsAt(id scope.ID) *zone {
	for _, z := range r.zones {
		if z.first() == id {
			return z
		}
	}
	return nil
}

func (r *Router) isOwn(a netip.Addr) bool { return slices.Contains(r.own, a) }

// Deadline returns when [Router.Advance] is next needed.
func (r *Router) Deadline() (time.Time, bool) {
	next := r.local.zcmDue
	earlier := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	for _, z := range r.zones {
		if !z.isLocal() {
			earlier(z.zamDue)
		}
		earlier(z.zcmDue)
		earlier(z.nimDue)
		if t, ok := z.routers.deadline(); ok {
			earlier(t)
		}
	}
	if r.zle != nil {
		earlier(r.zle.due)
	}
	return next, true
}

// Advance lets time pass: it drops what has expired and sends what is due at
// now or before.
func (r *Router) Advance(now time.Time) {
	r.expire(now)
	r.zams.drop(now)
	r.nims.drop(now)
	t := r.cfg.Timing
	for _, z := range r.zones {
		if !z.isLocal() && !now.Before(z.zamDue) {
			r.sendZAM(now, z)
			z.zamDue = now.Add(jittered(t.ZAMInterval, r.cfg.Rand))
		}
		if !now.Before(z.zcmDue) {
			r.sendZCM(now, z)
			z.zcmDue = now.Add(jittered(t.ZCMInterval, r.cfg.Rand))
		}
		if !now.Before(z.nimDue) {
			r.sendNIMs(now, z)
			z.nimDue = now.Add(jittered(t.NIMInterval, r.cfg.Rand))
		}
	}
	if r.zle != nil && !now.Before(r.zle.due) {
		r.sendZLE(now)
	}
}

// expire forgets the boundary routers whose time is over.
func (r *Router) expire(now time.Time) {
	for _, z := range r.zones {
		gone := false
		for a, h := range z.routers.expire(now) {
			z.silent.put(a, h.at, h.at.Add(never))
			gone = true
		}
		if gone {
			r.updateZoneID(now, z)
		}
	}
	r.notInside.drop(now)
	r.neighbours.drop(now)
}

// updateZoneID makes the lowest of the zone's boundary routers its ID.
func (r *Router) updateZoneID(now time.Time, z *zone) {
	id := z.own
	for a := range z.routers.entries {
		if a.Less(id) {
			id = a
		}
	}
	if id != z.zoneID {
		r.emit(ZoneIDChanged{z.Scope.Range, z.zoneID, id})
		z.zoneID = id
	}
}

// beyond returns the Zone ID of the local zone beyond an interface, the zero
// Addr if unknown: what its routers say, else the configured one.
func (r *Router) beyond(now time.Time, index int) netip.Addr {
	if id, ok := r.neighbours.get(index, now); ok {
		return id
	}
	for _, n := range r.cfg.Interfaces {
		if n.Index == index {
			return n.Beyond
		}
	}
	return netip.Addr{}
}

// addrOf returns our address on an interface, else the one in the local zone.
func (r *Router) addrOf(index int) netip.Addr {
	for _, n := range r.cfg.Interfaces {
		if n.Index == index && r.usable(n.Addr) {
			return n.Addr
		}
	}
	return r.local.own
}
