// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"time"
)

// SpeakerConfig says how a Speaker behaves: its Node, whose Peers are those it
// has sessions with, and what all sessions have in common. See SessionConfig
// for the defaults.
type SpeakerConfig struct {
	Node                   NodeConfig
	Family                 AddrFamily // of the identifiers in OPEN: default IPv4
	HoldTime, ConnectRetry time.Duration
	MinBackoff, MaxBackoff time.Duration

	// BootDelay is how long sessions with parents, then with internal peers, get
	// to come up before those with siblings and children are started (RFC 2909,
	// section 12.1): default 10 seconds each, none if negative.
	BootDelay time.Duration
}

// Speaker is a Node with a Session for each of its peers: all of MASC but the
// sockets. One owner drives it:
//
//	s.Start(now)                 open all sessions
//	s.Connected(now, conn)       a Dial succeeded; ConnectFailed
//	s.Accept(now, peers...)      somebody connected
//	s.Receive(now, conn, msg)    a whole message came in
//	s.Disconnected(now, conn)    a connection ended
//	s.Do(now, func(*Node) {...}) use the node
//	s.Advance(now)               time has passed
//	s.Deadline()                 when Advance is next needed
//	s.Effects()                  what to do, in order
//
// It opens connections and accepts them, and if both happens at once settles
// which one stays (section 8.8). A Speaker is not safe for concurrent use.
type Speaker struct {
	cfg      SpeakerConfig
	node     *Node
	peerings []peering
	conns    map[ConnID]*Session
	unsorted []unsorted
	last     ConnID

	stage   Role      // peerings of which roles have been started; see bootOrder
	started bool      // Start was given
	nextGo  time.Time // when the next stage starts

	buf   []byte
	queue []Effect
	next  int
}

// peering is what a Speaker has with one configured peer: a session, and for a
// moment a second one, while a collision is not settled.
type peering struct {
	main, second *Session
	dial         ConnID // the attempt under way
}

// unsorted is an accepted connection of a sibling with several common parents,
// before its OPEN has said which one it is for (decision MASC-D-54).
type unsorted struct {
	conn  ConnID
	peers []PeerID
	until time.Time
}

// NewSpeaker returns a stopped speaker with a node that starts from a Snapshot.
func NewSpeaker(cfg SpeakerConfig, from Snapshot) (*Speaker, error) {
	node, err := NewNode(cfg.Node, from)
	if err != nil {
		return nil, err
	}
	cfg.Family = cmp.Or(cfg.Family, FamilyIPv4)
	cfg.BootDelay = max(cmp.Or(cfg.BootDelay, 10*time.Second), 0)
	s := &Speaker{cfg: cfg, node: node, peerings: make([]peering, len(cfg.Node.Peers)), conns: make(map[ConnID]*Session)}
	for i := range s.peerings {
		if s.peerings[i].main, err = s.newSession(PeerID(i)); err != nil {
			return nil, fmt.Errorf("peer %d: %w", i, err)
		}
	}
	return s, nil
}

func (s *Speaker) newSession(id PeerID) (*Session, error) {
	c, p := &s.cfg, &s.cfg.Node.Peers[id]
	session, err := NewSession(SessionConfig{
		OpenRules: OpenRules{Domain: c.Node.Domain, Node: c.Node.Node, Parents: c.Node.Parents, Role: p.Role, Parent: p.Parent,
			Family: c.Family, PeerDomain: p.Domain, PeerNode: p.Node},
		HoldTime: c.HoldTime, ConnectRetry: c.ConnectRetry, MinBackoff: c.MinBackoff, MaxBackoff: c.MaxBackoff,
	})
	if err != nil {
		return nil, err
	}
	session.peer = id
	return session, nil
}

// bootOrder is the order in which peerings are started, by local role: parents
// first, so that their prefixes are known, and the own ones from the most
// trustworthy side (section 12.1).
var bootOrder = [...]Role{Child, Internal, Sibling, Parent}

// Start opens the sessions, those with parents first.
func (s *Speaker) Start(now time.Time) {
	if s.started {
		return
	}
	s.started, s.stage = true, 0
	s.boot(now)
	s.pump(now)
}

// boot starts the stages that may start: the first, and each after the one
// before it has had its time or is up.
func (s *Speaker) boot(now time.Time) {
	for s.started && int(s.stage) < len(bootOrder) {
		waits := false
		for i := range s.peerings {
			role := s.cfg.Node.Peers[i].Role
			if role == bootOrder[s.stage] {
				s.peerings[i].main.Start(now)
			}
			earlier := s.stage > 0 && slices.Contains(bootOrder[:s.stage], role)
			waits = waits || (earlier || role == bootOrder[s.stage]) && s.peerings[i].main.state != Established
		}
		s.stage++
		if s.stage == 3 {
			continue // siblings and children start together
		}
		if waits && s.cfg.BootDelay > 0 && int(s.stage) < len(bootOrder) {
			s.nextGo = now.Add(s.cfg.BootDelay)
			return
		}
	}
	s.nextGo = time.Time{}
}

// Stop closes all sessions with a Cease and opens none until the next Start.
func (s *Speaker) Stop(now time.Time) {
	s.started, s.nextGo = false, time.Time{}
	for i := range s.peerings {
		p := &s.peerings[i]
		if p.second != nil {
			p.second.Stop(now)
		}
		p.main.Stop(now)
	}
	for _, u := range s.unsorted {
		s.queue = append(s.queue, &Close{Conn: u.conn})
	}
	s.unsorted = nil
	s.pump(now)
}

// State returns the state of the session with a peer.
func (s *Speaker) State(p PeerID) State { return s.peerings[p].established().state }

// Node returns the node, to read from. Whatever changes it goes through Do.
func (s *Speaker) Node() *Node { return s.node }

// Do calls f with the node and carries out what comes of it.
func (s *Speaker) Do(now time.Time, f func(*Node)) {
	f(s.node)
	s.pump(now)
}

func (s *Speaker) newConn() ConnID { s.last++; return s.last }

// Accept takes a connection that somebody opened whom the driver knows as one
// of these peers: siblings with several common parents are several peers. It
// returns the name of the connection, or 0 if it is to be closed at once. With
// no peers it says that somebody unexpected tried (section 10.1, Active).
func (s *Speaker) Accept(now time.Time, peers ...PeerID) ConnID {
	defer s.pump(now)
	switch {
	case len(peers) == 0:
		for i := range s.peerings {
			s.peerings[i].main.Unexpected(now)
		}
		return 0
	case len(peers) > 1:
		if !s.started || len(s.unsorted) >= 2*len(s.peerings) {
			return 0
		}
		id := s.newConn()
		s.unsorted = append(s.unsorted, unsorted{conn: id, peers: slices.Clone(peers), until: now.Add(DefaultHoldTime)})
		return id
	}
	id := s.newConn()
	if !s.attach(now, peers[0], id, false) {
		return 0
	}
	return id
}

// attach gives a transport connection to a session of the peer. It reports
// false if it is to be refused (decision MASC-D-54).
func (s *Speaker) attach(now time.Time, peer PeerID, id ConnID, initiated bool) bool {
	p := &s.peerings[peer]
	session := p.main
	switch {
	case session.state == Idle:
		return false
	case session.state > Active:
		if p.second != nil {
			return false
		}
		session, _ = s.newSession(peer) // the same configuration has been accepted
		session.state, p.second = Active, session
	}
	session.conn = id
	s.conns[id] = session
	session.Connected(now, initiated)
	return true
}

// Connected says that a Dial succeeded.
func (s *Speaker) Connected(now time.Time, id ConnID) {
	for i := range s.peerings {
		p := &s.peerings[i]
		if p.dial == id {
			p.dial = 0
			if !s.attach(now, PeerID(i), id, true) {
				s.queue = append(s.queue, &Close{Conn: id})
			}
			s.pump(now)
			return
		}
	}
	s.queue = append(s.queue, &Close{Conn: id}) // given up in the meantime
}

// ConnectFailed says that a Dial came to nothing.
func (s *Speaker) ConnectFailed(now time.Time, id ConnID) {
	for i := range s.peerings {
		if p := &s.peerings[i]; p.dial == id {
			p.dial = 0
			if p.main.state == Connect {
				p.main.ConnectFailed(now)
			}
			s.pump(now)
			return
		}
	}
}

// Disconnected says that a connection ended: err is nil if the peer closed it,
// otherwise what broke it. An *Error of a Reader is answered first.
func (s *Speaker) Disconnected(now time.Time, id ConnID, err error) {
	if session := s.conns[id]; session != nil {
		if err == nil {
			session.Disconnected(now)
		} else {
			session.Fault(now, err)
		}
	}
	s.unsorted = slices.DeleteFunc(s.unsorted, func(u unsorted) bool { return u.conn == id })
	s.pump(now)
}

// Receive handles one whole message.
func (s *Speaker) Receive(now time.Time, id ConnID, b []byte) {
	session := s.conns[id]
	if session == nil {
		session = s.sort(now, id, b)
	}
	if session == nil {
		return
	}
	before := session.state
	session.Receive(now, b)
	if before == OpenSent && session.state == OpenConfirm {
		s.collide(now, session)
	}
	s.pump(now)
}

// sort finds the peer of a connection by the parent in its OPEN.
func (s *Speaker) sort(now time.Time, id ConnID, b []byte) *Session {
	i := slices.IndexFunc(s.unsorted, func(u unsorted) bool { return u.conn == id })
	if i < 0 {
		return nil
	}
	u := s.unsorted[i]
	s.unsorted = slices.Delete(s.unsorted, i, i+1)
	peer := u.peers[0]
	var o Open
	if o.Decode(b) == nil {
		for _, p := range u.peers {
			if s.cfg.Node.Peers[p].Parent == o.Parent {
				peer = p
			}
		}
	}
	if !s.attach(now, peer, id, false) {
		s.queue = append(s.queue, &Close{Conn: id})
		return nil
	}
	return s.conns[id]
}

// collide settles a collision of connections after an OPEN (section 8.8).
func (s *Speaker) collide(now time.Time, opened *Session) {
	p := &s.peerings[opened.peer]
	other := p.main
	if other == opened {
		other = p.second
	}
	if other == nil {
		return
	}
	switch KeepConnection(s.cfg.Node.Node, other.about(), opened.about()) {
	case KeepOld:
		opened.Yield(now)
	case KeepNew:
		other.Yield(now)
	}
}

// Deadline returns when Advance has something to do.
func (s *Speaker) Deadline() (time.Time, bool) {
	d, ok := s.node.Deadline()
	sooner := func(t time.Time, set bool) {
		if set && (!ok || t.Before(d)) {
			d, ok = t, true
		}
	}
	sooner(s.nextGo, !s.nextGo.IsZero())
	for i := range s.peerings {
		sooner(s.peerings[i].main.Deadline())
		if s.peerings[i].second != nil {
			sooner(s.peerings[i].second.Deadline())
		}
	}
	for _, u := range s.unsorted {
		sooner(u.until, true)
	}
	return d, ok
}

// Advance fires the timers that are due.
func (s *Speaker) Advance(now time.Time) {
	for i := range s.peerings {
		s.peerings[i].main.Advance(now)
		if s.peerings[i].second != nil {
			s.peerings[i].second.Advance(now)
		}
	}
	if !s.nextGo.IsZero() && !s.nextGo.After(now) {
		s.boot(now)
	}
	s.unsorted = slices.DeleteFunc(s.unsorted, func(u unsorted) bool {
		over := !u.until.After(now)
		if over {
			s.queue = append(s.queue, &Close{Conn: u.conn})
		}
		return over
	})
	if d, ok := s.node.Deadline(); ok && !d.After(now) {
		s.node.Advance(now)
	}
	s.pump(now)
}

// Effects yields what there is to do and forgets it. The loop may call the
// Speaker; what that adds is yielded by the same loop.
func (s *Speaker) Effects() iter.Seq[Effect] {
	return func(yield func(Effect) bool) {
		for s.next < len(s.queue) {
			s.next++
			if !yield(s.queue[s.next-1]) {
				return
			}
		}
		s.queue, s.next, s.buf = s.queue[:0], 0, s.buf[:0]
	}
}
