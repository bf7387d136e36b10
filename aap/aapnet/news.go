// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// hear takes the news of a server, for Run to heed: here no lock may be taken.
func (a *Allocator) hear(z *zone, e aap.Effect) {
	a.newsMu.Lock()
	a.news = append(a.news, zoneNews{z, e})
	a.newsMu.Unlock()
	select {
	case a.told <- struct{}{}:
	default:
	}
}

// heed does what the news ask for.
func (a *Allocator) heed() {
	a.newsMu.Lock()
	news := a.news
	a.news = nil
	a.newsMu.Unlock()
	for _, n := range news {
		switch e := n.e.(type) {
		case aap.Available:
			a.mu.Lock()
			a.follow(n.z, e.Space)
			a.mu.Unlock()
		case aap.Lost:
			a.lose(n.z, e)
		case aap.Granted:
			a.reclaimed(n.z, e.Allocation)
		case aap.Failed:
			a.notReclaimed(n.z, e)
		}
	}
}

// lose takes note that somebody else has some of our addresses, or that they are
// taken back. They are not granted again.
func (a *Allocator) lose(z *zone, e aap.Lost) {
	a.mu.Lock()
	h := z.holds[e.Token]
	if h == nil {
		a.mu.Unlock()
		return
	}
	loss := Loss{Leases: a.leasesOn(e.Addrs), Addrs: e.Addrs, From: e.From, Until: e.Until}
	end := h.end
	h.lost, _ = h.lost.Union(e.Addrs)
	_ = a.settle(h) // yields what nobody uses
	a.mu.Unlock()
	if _, err := a.pool.Exclude(z.id, e.Addrs, end); err != nil {
		a.log.Error("cannot exclude", "addrs", e.Addrs, "error", err)
	}
	a.tell(loss)
}

// exported is what [lease.Pool.Export] writes of a lease.
type exported struct {
	ID       lease.ID      `json:"id"`
	Holder   string        `json:"holder"`
	By       lease.Voucher `json:"by"`
	Key      string        `json:"key"`
	Scope    scope.ID      `json:"scope"`
	Addrs    scope.Set     `json:"addrs"`
	Start    time.Time     `json:"start"`
	End      time.Time     `json:"end"`
	Rest     time.Duration `json:"rest"`
	Released bool          `json:"released"`
}

// recall ties what the MAASs remember to the leases of the store. An allocation
// that no lease uses stays until its end, as a pool without a store has forgotten
// its leases, but their holders have not.
func (a *Allocator) recall(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, z := range a.zones {
		for _, got := range z.maas.Allocations() {
			z.add(got).kept = true
		}
	}
	r, w := io.Pipe()
	defer r.Close()
	go func() { w.CloseWithError(a.pool.Export(ctx, w)) }()
	for dec := json.NewDecoder(r); ; {
		var x exported
		if err := dec.Decode(&x); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		if z := a.zones[x.Scope]; z != nil { // else it is no longer served
			a.recallUse(z, &x)
		}
	}
	for _, z := range a.zones {
		for _, h := range z.holds {
			if h.need().After(h.end) { // the crash came between pool and MAAS
				_ = a.settle(h)
			}
			if h.kept {
				if _, err := a.pool.Exclude(z.id, h.addrs, h.end); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// recallUse notes a lease of the store. What it has and we do not hold any more is
// claimed again.
func (a *Allocator) recallUse(z *zone, x *exported) {
	u := &use{
		lease: lease.Lease{ID: x.ID, Family: lease.FamilyOf(x.Scope), Scope: x.Scope, Addrs: x.Addrs, Start: x.Start, End: x.End},
		key:   request{lease.Principal{Name: x.Holder, By: x.By}, x.Key},
		until: z.within(x.Addrs, wholeSecond(x.End.Add(x.Rest))), over: x.Released,
	}
	a.uses[x.ID] = u
	if x.Key != "" && !x.Released {
		a.keys[u.key] = x.ID
	}
	var missing scope.SetBuilder
	for addr := range x.Addrs.Addrs() {
		if h := z.owner[addr]; h != nil {
			h.kept = false
			u.tie(h)
		} else {
			missing.Add(scope.Single(addr))
		}
	}
	lost, _ := missing.Set()
	for _, pending := range z.reclaims {
		lost = subtract(lost, pending)
	}
	if lost.IsEmpty() {
		return
	}
	z.last++
	z.reclaims[z.last] = lost
	if err := z.maas.Allocate(aap.Want{Token: z.last, Addrs: lost, End: u.until}); err != nil {
		a.log.Error("cannot claim the addresses of a lease again", "lease", u.lease, "error", err)
	}
}

// reclaimed notes that the addresses of stored leases are ours again.
func (a *Allocator) reclaimed(z *zone, got aap.Allocation) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(z.reclaims, got.Token)
	h := z.add(got)
	for _, u := range a.uses {
		if u.lease.Addrs.Overlaps(got.Addrs) {
			u.tie(h)
		}
	}
	_ = a.settle(h)
}

// notReclaimed tells that somebody else has them.
func (a *Allocator) notReclaimed(z *zone, e aap.Failed) {
	a.mu.Lock()
	loss := Loss{Addrs: z.reclaims[e.Token], Until: a.cfg.Now()}
	delete(z.reclaims, e.Token)
	loss.Leases = a.leasesOn(loss.Addrs)
	a.mu.Unlock()
	if len(loss.Leases) > 0 { // else they only rested
		a.tell(loss)
	}
}

// leasesOn returns the leases in force that have any of the addresses.
func (a *Allocator) leasesOn(addrs scope.Set) (list []lease.Lease) {
	now := a.cfg.Now()
	for _, u := range a.uses {
		if u.inForce(now) && u.lease.Addrs.Overlaps(addrs) {
			list = append(list, u.lease)
		}
	}
	slices.SortFunc(list, func(x, y lease.Lease) int { return x.Addrs.Bounds().Compare(y.Addrs.Bounds()) })
	return list
}

func (a *Allocator) tell(loss Loss) {
	for _, l := range loss.Leases {
		a.log.Warn("addresses of a lease lost", "lease", l, "to", loss.From, "until", loss.Until)
	}
	if a.cfg.Lost != nil {
		a.cfg.Lost(loss)
	}
}
