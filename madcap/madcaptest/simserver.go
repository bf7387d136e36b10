// SPDX-License-Identifier: BSD-3-Clause

package madcaptest

import (
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// ServerNode is a server of a [Network]. Its leases survive a crash, as on a
// disk.
type ServerNode struct {
	Addr      netip.Addr
	Server    *madcap.Server // nil while it is down
	Allocator *Allocator
	Skew      time.Duration // its clock is ahead of the true time by so much
	Side      int           // datagrams pass between nodes on the same side
	Blind     bool          // its socket does not tell where a datagram went
	Forgot    bool          // it has once started without its snapshot

	net    *Network
	name   string
	cfg    madcap.ServerConfig
	groups []netip.Addr
	armed  time.Time
	life   int // how often it has started
}

// AddServer adds a server of the given scopes and the default server group, and
// starts it.
func (n *Network) AddServer(addr netip.Addr, cfg madcap.ServerConfig, a *Allocator) *ServerNode {
	s := &ServerNode{Addr: addr, Allocator: a, net: n, name: addr.String(), cfg: cfg}
	s.cfg.Identifiers = []netip.Addr{addr}
	s.groups = []netip.Addr{madcap.DefaultServerGroup(madcap.FamilyIPv4), madcap.DefaultServerGroup(madcap.FamilyIPv6)}
	for _, sc := range cfg.Scopes {
		if g, err := madcap.ServerGroup(sc.Range); err == nil {
			s.groups = append(s.groups, g)
		}
	}
	n.Servers = append(n.Servers, s)
	s.Start(madcap.ServerSnapshot{})
	return s
}

// Clock returns the server's idea of the time.
func (s *ServerNode) Clock() time.Time { return s.net.Now.Add(s.Skew) }

// Start starts the server with what it knows.
func (s *ServerNode) Start(from madcap.ServerSnapshot) {
	server, err := madcap.NewServer(s.cfg, from)
	if err != nil {
		panic(err) // a mistake in the test
	}
	s.Server, s.armed = server, time.Time{}
	s.life++
	s.net.Logf("%s up, %d responses remembered", s.name, len(from.Responses))
	s.drain()
}

// Crash stops the server and returns what it would have saved.
func (s *ServerNode) Crash() madcap.ServerSnapshot {
	snap := s.Server.Snapshot(s.Clock())
	s.Server = nil
	s.net.Logf("%s down", s.name)
	return snap
}

func (s *ServerNode) receive(from netip.AddrPort, to netip.Addr, packet []byte) {
	if s.Server == nil {
		return
	}
	if s.Blind {
		to = netip.Addr{}
	}
	s.Server.Receive(s.Clock(), madcap.Datagram{From: from, To: to, Local: s.Addr, Payload: packet})
	s.drain()
}

// drain carries out the machine's effects and sets the alarm.
func (s *ServerNode) drain() {
	for e := range s.Server.Effects() {
		switch e := e.(type) {
		case *madcap.Send:
			s.net.send(s.name, s.Side, netip.AddrPortFrom(e.From, madcap.Port), e.To, e.Packet)
		case *madcap.Ask:
			s.ask(e)
		}
	}
	at, ok := s.Server.Deadline()
	if !ok || at.Equal(s.armed) {
		return
	}
	s.armed = at
	life := s.life
	s.net.After(at.Sub(s.Clock()), func() {
		if s.Server != nil && s.life == life && s.armed.Equal(at) {
			s.armed = time.Time{}
			s.Server.Advance(s.Clock())
			s.drain()
		}
	})
}

// ask takes a question to the allocator: it is answered after a while, and
// the machine learns of it a while later, if it still is the same then.
func (s *ServerNode) ask(a *madcap.Ask) {
	if a.Token == 0 || s.net.Thinking == 0 {
		s.resolve(a, s.answer(a))
		return
	}
	life := s.life
	think := func() time.Duration { return time.Duration(s.net.Rand.Int64N(int64(s.net.Thinking))) / 2 }
	s.net.After(think(), func() {
		if s.life != life || s.Server == nil {
			return
		}
		o := s.answer(a)
		s.net.After(think(), func() {
			if s.life == life && s.Server != nil {
				s.resolve(a, o)
				s.drain()
			}
		})
	})
}

func (s *ServerNode) answer(a *madcap.Ask) madcap.Outcome {
	o := s.Allocator.Answer(s.Clock(), a)
	s.net.Logf("%s   %v %08x %s: granted %v", s.name, a.Op, a.XID, short(string(a.ID)), o.Granted)
	return o
}

func (s *ServerNode) resolve(a *madcap.Ask, o madcap.Outcome) {
	if a.Token != 0 {
		s.Server.Resolve(s.Clock(), a.Token, o)
	}
}
