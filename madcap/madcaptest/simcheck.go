// SPDX-License-Identifier: BSD-3-Clause

package madcaptest

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Check returns an error if servers and clients disagree about who holds what:
//
//   - a lease that a client believes in, and whose end has not come by its
//     clock, is held by its server for this client, with the same addresses,
//     and not for a shorter time. Instants are compared as the parties mean
//     them: those told as such as they stand, those that count from now by the
//     true time;
//   - no two clients believe at one time that they may use the same address;
//   - what a server has confirmed as released it does not hold any more,
//     unless it has started without its memory since.
func (n *Network) Check() error {
	used := make(map[netip.Addr]string)
	for _, c := range n.Clients {
		for id, b := range c.Leases {
			if !c.Clock().Before(b.End) {
				continue
			}
			if err := n.checkBelief(c, id, b); err != nil {
				return err
			}
			if c.Clock().Before(b.Start) {
				continue
			}
			for _, a := range b.Addrs {
				if other, ok := used[a]; ok {
					return fmt.Errorf("%v is used by %s and %s", a, other, c.name)
				}
				used[a] = c.name
			}
		}
		for id, s := range c.Released {
			if s.Allocator.Leases[id] != nil && !s.Forgot {
				return fmt.Errorf("%s holds lease %s, which %s has released", s.name, short(id), c.name)
			}
		}
	}
	return nil
}

func (n *Network) checkBelief(c *ClientNode, id string, b *Belief) error {
	s := b.Server
	g := s.Allocator.Leases[id]
	if g == nil {
		return fmt.Errorf("%s believes in lease %s, which %s does not hold", c.name, short(id), s.name)
	}
	if !slices.Equal(g.Addrs, b.Addrs) {
		return fmt.Errorf("lease %s: %s believes in %v, %s holds %v", short(id), c.name, b.Addrs, s.name, g.Addrs)
	}
	told := !b.End.After(g.End) && !b.Start.Before(g.Start.Truncate(time.Second))
	counted := !b.End.Add(s.Skew-c.Skew).After(g.End) && !g.Start.After(s.Clock().Add(time.Second))
	if b.Absolute && told || !b.Absolute && counted || b.Unsure && counted {
		return nil
	}
	return fmt.Errorf("lease %s: %s believes from %v until %v, %s holds it from %v until %v", short(id), c.name, b.Start, b.End, s.name, g.Start, g.End)
}

// CheckAgreement returns an error unless the servers hold exactly what the
// clients believe in, but for what ends within two seconds. That is so in a
// perfect network where nothing is under way.
func (n *Network) CheckAgreement() error {
	for _, s := range n.Servers {
		for id, g := range s.Allocator.Leases {
			if !s.Clock().Add(2 * time.Second).Before(g.End) {
				continue // only still renewable
			}
			if !slices.ContainsFunc(n.Clients, func(c *ClientNode) bool { return c.Leases[id] != nil && c.Leases[id].Server == s }) {
				return fmt.Errorf("%s holds lease %s, which no client believes in", s.name, short(id))
			}
		}
		if err := s.checkIdle(); err != nil {
			return err
		}
	}
	return n.Check()
}

// CheckFree returns an error unless nothing is held anywhere.
func (n *Network) CheckFree() error {
	for _, s := range n.Servers {
		s.Allocator.Tick(s.Clock())
		if len(s.Allocator.Leases) > 0 {
			return fmt.Errorf("%s still holds %d leases", s.name, len(s.Allocator.Leases))
		}
		if err := s.checkIdle(); err != nil {
			return err
		}
	}
	return nil
}

// checkIdle returns an error if a server still waits for a client.
func (s *ServerNode) checkIdle() error {
	s.Allocator.Tick(s.Clock())
	snap := s.Server.Snapshot(s.Clock())
	if len(snap.Holds) > 0 || len(s.Allocator.Offers) > 0 {
		return fmt.Errorf("%s still holds %d offers, its allocator %d", s.name, len(snap.Holds), len(s.Allocator.Offers))
	}
	if len(snap.Deferred) > 0 || len(s.Allocator.PutOffs) > 0 && !s.Forgot {
		return fmt.Errorf("%s still waits for %d clients it has put off, its allocator for %d", s.name, len(snap.Deferred), len(s.Allocator.PutOffs))
	}
	return nil
}
