// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// effects carries out what the machine wants, answers through c or, collected,
// through b. The caller holds the lock.
func (s *Server) effects(c *socket, b *batch) {
	for e := range s.machine.Effects() {
		switch e := e.(type) {
		case *madcap.Send:
			var err error
			if b != nil {
				err = b.add(e.Packet, e.To, e.From)
			} else {
				err = s.socketFor(c, e.To).write(e.Packet, e.To, e.From)
			}
			if err != nil {
				s.cfg.Logger.Debug("answer not sent", "to", e.To, "err", err)
			}
		case *madcap.Ask:
			if s.cfg.Concurrent {
				s.askLater(c, e)
				continue
			}
			o := s.call(s.ctx, e, &s.ranges)
			if e.Token != 0 {
				s.machine.Resolve(s.cfg.Now(), e.Token, o)
			}
		}
	}
}

// arm makes keepTime wait for the machine's deadline if that is earlier than
// what it waits for. The caller holds the lock.
func (s *Server) arm() {
	at, ok := s.machine.Deadline()
	if !ok || !s.armed.IsZero() && !at.Before(s.armed) {
		return
	}
	s.armed = at
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// socketFor returns c, or without one the first socket of the family.
func (s *Server) socketFor(c *socket, to netip.AddrPort) *socket {
	if c != nil {
		return c
	}
	for _, c := range s.sockets {
		if to.Addr().Is4() && c.is4() || to.Addr().Is6() && c.is6() {
			return c
		}
	}
	return s.sockets[0]
}

// askLater calls the allocator in a goroutine and takes its answer back to the
// machine. Questions about one lease wait for each other. The caller holds the
// lock.
func (s *Server) askLater(c *socket, e *madcap.Ask) {
	ask := *e
	id, before, done := string(e.ID), s.asking[string(e.ID)], make(chan struct{})
	s.asking[id] = done
	if ask.Token == 0 { // what it points to is not kept for it
		ask.ID = slices.Clone(ask.ID)
		ask.Continuation = slices.Clone(ask.Continuation)
	}
	ctx := s.ctx
	s.calls.Go(func() {
		if before != nil {
			<-before
		}
		var ranges []scope.Range
		o := s.call(ctx, &ask, &ranges)
		close(done)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.asking[id] == done {
			delete(s.asking, id)
		}
		if ask.Token == 0 {
			return
		}
		s.machine.Resolve(s.cfg.Now(), ask.Token, o)
		if ctx.Err() == nil {
			s.effects(c, nil)
			s.arm()
		}
	})
}

// keepTime advances the machine when it is due.
func (s *Server) keepTime(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.wake:
		}
		s.mu.Lock()
		now := s.cfg.Now()
		s.machine.Advance(now)
		s.effects(nil, nil)
		if at, ok := s.machine.Deadline(); ok {
			s.armed = at
			timer.Reset(at.Sub(now))
		} else {
			s.armed = time.Time{}
			timer.Stop()
		}
		s.mu.Unlock()
	}
}

// keepScopes asks for the scopes from time to time, and when told to.
func (s *Server) keepScopes(ctx context.Context) {
	ticker := time.NewTicker(s.cfg.Refresh)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.refresh:
		}
		scopes, nesting, err := s.scopes(ctx)
		if err != nil {
			s.cfg.Logger.Warn("scopes not refreshed", "err", err)
			continue
		}
		s.mu.Lock()
		if err := s.machine.SetScopes(scopes, nesting); err != nil {
			s.cfg.Logger.Warn("scopes not taken over", "err", err)
		}
		s.findLocals()
		s.mu.Unlock()
		s.join(scopes)
	}
}

// scopes returns the scopes of both families and their nesting.
func (s *Server) scopes(ctx context.Context) ([]scope.Scope, *scope.Nesting, error) {
	if s.cfg.Scopes != nil {
		all := s.cfg.Scopes.Scopes()
		ids := make([]scope.ID, len(all))
		for i, sc := range all {
			ids[i] = sc.ID()
		}
		return all, s.cfg.Scopes.Nesting(ids...), nil
	}
	var all []scope.Scope
	var ids []scope.ID
	nesting := make([]*scope.Nesting, 0, 2)
	for _, f := range []lease.Family{lease.IPv4, lease.IPv6} {
		scopes, err := s.cfg.Allocator.Scopes(ctx, f)
		if err != nil {
			return nil, nil, err
		}
		if len(scopes) == 0 {
			continue
		}
		of := make([]scope.ID, len(scopes))
		for i, sc := range scopes {
			of[i] = sc.ID()
		}
		all, ids = append(all, scopes...), append(ids, of...)
		if n, err := s.cfg.Allocator.Nesting(ctx, of...); err == nil {
			nesting = append(nesting, n)
		}
	}
	if len(nesting) == 0 {
		return all, nil, nil
	}
	merged := scope.NewNesting(ids...)
	for _, n := range nesting {
		for _, inner := range n.IDs() {
			for _, outer := range n.IDs() {
				if r := n.Of(inner, outer); inner != outer && r != scope.Unknown {
					if err := merged.Set(inner, outer, r); err != nil {
						return nil, nil, err
					}
				}
			}
		}
	}
	return all, merged, nil
}

// join makes the sockets members of the server groups of the scopes, and of no
// others.
func (s *Server) join(scopes []scope.Scope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	interfaces := s.cfg.Interfaces
	if len(interfaces) == 0 {
		interfaces = multicastInterfaces()
	}
	wanted := make(map[membership]bool)
	for _, sc := range scopes {
		group, err := madcap.ServerGroup(sc.Range)
		if err != nil {
			continue
		}
		for i := range interfaces {
			wanted[membership{interfaces[i].Index, group}] = true
			s.setMembership(&interfaces[i], group, true)
		}
	}
	for m := range s.groups {
		if wanted[m] {
			continue
		}
		if ifi, err := net.InterfaceByIndex(m.ifIndex); err == nil {
			s.setMembership(ifi, m.group, false)
		}
		delete(s.groups, m)
	}
}

// setMembership joins or leaves a group with the sockets of its family.
func (s *Server) setMembership(ifi *net.Interface, group netip.Addr, in bool) {
	m := membership{ifi.Index, group}
	if s.groups[m] == in {
		return
	}
	for _, c := range s.sockets {
		if group.Is4() != c.is4() || !c.is4() && !c.is6() {
			continue
		}
		change := c.join
		if !in {
			change = c.leave
		}
		if err := change(ifi, group); err != nil {
			s.cfg.Logger.Debug("group membership not changed", "group", group, "interface", ifi.Name, "join", in, "err", err)
			continue
		}
		s.groups[m] = in
		s.cfg.Logger.Debug("group membership changed", "group", group, "interface", ifi.Name, "join", in)
	}
}

// Groups returns the server groups that at least one interface has joined, in
// ascending order.
func (s *Server) Groups() []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	var groups []netip.Addr
	for m := range s.groups {
		groups = append(groups, m.group)
	}
	slices.SortFunc(groups, netip.Addr.Compare)
	return slices.Compact(groups)
}

// multicastInterfaces returns the interfaces that are up and can multicast, and
// loopback.
func multicastInterfaces() []net.Interface {
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(all, func(i net.Interface) bool {
		return i.Flags&net.FlagUp == 0 || i.Flags&(net.FlagMulticast|net.FlagLoopback) == 0
	})
}

// findLocals notes the addresses of this host, one of each family for every
// interface and all of them as the server's own.
func (s *Server) findLocals() {
	s.locals, s.own = make(map[int]localAddrs), nil
	interfaces, err := net.Interfaces()
	if err != nil {
		return
	}
	for _, ifi := range interfaces {
		addrs, err := ifi.Addrs()
		if err != nil {
			continue
		}
		var l localAddrs
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err != nil {
				continue
			}
			a := p.Addr().WithZone("")
			s.own = append(s.own, a)
			switch {
			case a.Is4() && !l.v4.IsValid():
				l.v4 = a
			case a.Is6() && (!l.v6.IsValid() || l.v6.IsLinkLocalUnicast()):
				l.v6 = a
			}
		}
		s.locals[ifi.Index] = l
	}
	// Those that others can reach come first.
	slices.SortStableFunc(s.own, func(a, b netip.Addr) int {
		return cmp.Or(cmp.Compare(remoteness(a), remoteness(b)), a.Compare(b))
	})
}

// remoteness is higher for addresses that fewer hosts can reach.
func remoteness(a netip.Addr) int {
	switch {
	case a.IsLoopback():
		return 2
	case a.IsLinkLocalUnicast():
		return 1
	}
	return 0
}
