// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// holding is an allocation of the MAAS: addresses that the domain knows to be
// ours, until an end that follows what they are used for.
type holding struct {
	zone  *zone
	token aap.Token
	addrs scope.Set
	end   time.Time
	uses  map[*use]struct{} // leases, resting ones too, and offers
	lost  scope.Set         // of addrs: others have them too
	kept  bool              // from before a restart, perhaps for leases that the pool forgot
}

// use is what a lease or an offer has.
type use struct {
	lease   lease.Lease
	key     request
	until   time.Time // when the addresses have rested
	offered bool
	over    bool // a released lease whose addresses rest
	holds   []*holding
}

// isLost reports whether somebody else announces some of the addresses.
func (u *use) isLost() bool {
	for _, h := range u.holds {
		if h.lost.Overlaps(u.lease.Addrs) {
			return true
		}
	}
	return false
}

// inForce reports whether somebody may be using a lease.
func (u *use) inForce(now time.Time) bool {
	return !u.offered && !u.over && now.Before(u.lease.End)
}

// tie notes that a use has addresses of a holding.
func (u *use) tie(h *holding) {
	if _, ok := h.uses[u]; !ok {
		h.uses[u] = struct{}{}
		u.holds = append(u.holds, h)
	}
}

// need returns until when the uses of a holding need it, the zero time if there
// are none.
func (h *holding) need() (last time.Time) {
	for u := range h.uses {
		if u.until.After(last) {
			last = u.until
		}
	}
	return last
}

func (a *Allocator) guard() time.Duration { return max(a.cfg.Pool.Guard, 0) }

// add notes what the MAAS was granted.
func (z *zone) add(got aap.Allocation) *holding {
	h := &holding{zone: z, token: got.Token, addrs: got.Addrs, end: got.End, uses: map[*use]struct{}{}}
	z.holds[h.token] = h
	z.last = max(z.last, h.token)
	for addr := range h.addrs.Addrs() {
		z.owner[addr] = h
	}
	return h
}

// remove forgets addresses that we no longer hold, and the holding with the last.
func (h *holding) remove(addrs scope.Set) {
	gone, _ := h.addrs.Intersect(addrs)
	for addr := range gone.Addrs() {
		if h.zone.owner[addr] == h {
			delete(h.zone.owner, addr)
		}
	}
	h.addrs, _ = h.addrs.Subtract(gone)
	h.lost, _ = h.lost.Subtract(gone)
	if h.addrs.IsEmpty() {
		delete(h.zone.holds, h.token)
	}
}

// held returns which of the addresses are ours, and nobody else's.
func (a *Allocator) held(z *zone, addrs scope.Set) scope.Set {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.cfg.Now()
	var b scope.SetBuilder
	for addr := range addrs.Addrs() {
		if h := z.owner[addr]; h != nil && h.end.After(now) && !h.lost.Contains(addr) {
			b.Add(scope.Single(addr))
		}
	}
	s, _ := b.Set()
	return s
}

// use notes a lease, or an offer that is held for so long, on addresses that we
// hold, and has them announced for as long. It takes the place of the offer with
// its identifier.
func (a *Allocator) use(z *zone, key request, l lease.Lease, hold time.Duration) error {
	old := a.uses[l.ID]
	u := &use{lease: l, key: key, offered: hold > 0, until: z.within(l.Addrs, wholeSecond(l.End.Add(a.guard())))}
	if u.offered {
		u.until = wholeSecond(a.cfg.Now().Add(hold))
	}
	if err := a.link(z, u); err != nil {
		a.unlink(u)
		return err
	}
	a.uses[l.ID] = u
	if key.key != "" && !u.offered {
		a.keys[key] = l.ID
	}
	if old != nil {
		a.unlink(old)
	}
	a.sweep()
	return nil
}

// link ties a use to what it uses, whose ends move if necessary.
func (a *Allocator) link(z *zone, u *use) error {
	for addr := range u.lease.Addrs.Addrs() {
		h := z.owner[addr]
		if h == nil {
			return aap.ErrToken // it ended just now
		}
		u.tie(h)
	}
	for _, h := range u.holds {
		if err := a.settle(h); err != nil {
			return err
		}
	}
	return nil
}

// unlink gives up what a use has.
func (a *Allocator) unlink(u *use) {
	if a.uses[u.lease.ID] == u {
		delete(a.uses, u.lease.ID)
	}
	if a.keys[u.key] == u.lease.ID && a.uses[u.lease.ID] == nil {
		delete(a.keys, u.key)
	}
	for _, h := range u.holds {
		delete(h.uses, u)
		_ = a.settle(h) // what is given up does not fail
	}
}

// end ends a lease or an offer now. What was used rests.
func (a *Allocator) end(u *use) {
	now := a.cfg.Now()
	if u.offered || now.Before(u.lease.Start) || a.guard() == 0 {
		a.unlink(u)
		return
	}
	if now.Before(u.lease.End) {
		u.lease.End = now
	}
	u.over = true
	u.until = wholeSecond(u.lease.End.Add(a.guard()))
	for _, h := range u.holds {
		_ = a.settle(h)
	}
}

// prolong notes that a lease was moved. On an error it is as it was.
func (a *Allocator) prolong(u *use, moved lease.Lease) error {
	was, until := u.lease, u.until
	var failed error
	for _, h := range u.holds {
		u.lease, u.until = moved, h.zone.within(moved.Addrs, wholeSecond(moved.End.Add(a.guard())))
		if err := a.settle(h); err != nil {
			failed = err
		}
	}
	if failed != nil {
		u.lease, u.until = was, until
		for _, h := range u.holds {
			_ = a.settle(h)
		}
	}
	return failed
}

// endSlack is how much longer than needed a holding may last before that is
// announced.
const endSlack = time.Minute

// settle makes the end of a holding follow its uses: it is moved, or released when
// there are none. Lost addresses are yielded as soon as nobody uses them
// (section 3.2.3). The error is that of a later end.
func (a *Allocator) settle(h *holding) error {
	if h.kept || h.zone.holds[h.token] != h {
		return nil
	}
	now, need := a.cfg.Now(), h.need()
	inUse := false
	for u := range h.uses {
		inUse = inUse || u.inForce(now)
	}
	if !h.lost.IsEmpty() && !inUse {
		_ = h.zone.maas.Yield(h.token, h.lost) // it may have ended
		h.remove(h.lost)
	}
	var err error
	switch {
	case h.addrs.IsEmpty():
	case !need.After(now):
		_ = h.zone.maas.Release(h.token)
		h.remove(h.addrs)
	case need.After(h.end):
		if err = h.zone.maas.SetEnd(h.token, need); err == nil {
			h.end = need
		}
	case need.Add(endSlack).Before(h.end):
		if h.zone.maas.SetEnd(h.token, need) == nil {
			h.end = need
		}
	}
	return err
}

// sweep forgets what has ended, now and then.
func (a *Allocator) sweep() {
	if a.calls++; a.calls < len(a.uses)+64 {
		return
	}
	a.calls = 0
	now := a.cfg.Now()
	for _, u := range a.uses {
		if !u.until.After(now) {
			a.unlink(u)
		}
	}
	for _, z := range a.zones {
		for _, h := range z.holds {
			if !h.end.After(now) {
				h.remove(h.addrs)
			}
		}
	}
}

// wholeSecond rounds up: AAP knows no parts of seconds.
func wholeSecond(t time.Time) time.Time {
	if s := t.Truncate(time.Second); s.Before(t) {
		return s.Add(time.Second)
	}
	return t
}

// transient returns an IPv6 range of permanent addresses with the T flag: scopes
// are named by these, and others are allocated (RFC 3307 section 4.3).
func transient(r scope.Range) scope.Range {
	first, last := r.First().As16(), r.Last().As16()
	if r.Is4() || first[1]>>4 != 0 {
		return r
	}
	first[1] |= 0x10
	last[1] |= 0x10
	t, _ := scope.NewRange(netip.AddrFrom16(first), netip.AddrFrom16(last))
	return t
}
