// SPDX-License-Identifier: BSD-3-Clause

package masc

import "time"

// pump carries effects between the sessions and the node, and outwards, until
// all are still.
func (s *Speaker) pump(now time.Time) {
	for again := true; again; {
		again = false
		for i := range s.peerings {
			p := &s.peerings[i]
			again = s.drain(now, p.main) || again
			if p.second != nil {
				again = s.drain(now, p.second) || again
			}
			s.settle(p)
		}
		again = s.drainNode(now) || again
	}
}

// settle lets the second session take over from one that has ended, and
// forgets a second one that has.
func (s *Speaker) settle(p *peering) {
	if p.second == nil {
		return
	}
	if p.second.state == Idle {
		p.second = nil
		return
	}
	if p.main.state <= Active {
		old := p.main
		p.main, p.second = p.second, nil
		p.main.wanted, p.main.backoff = old.wanted, old.backoff
		if p.dial != 0 {
			s.queue = append(s.queue, &Close{Conn: p.dial})
			p.dial = 0
		}
	}
}

// drain carries out the effects of one session.
func (s *Speaker) drain(now time.Time, session *Session) (any bool) {
	p := &s.peerings[session.peer]
	for e := range session.Effects() {
		any = true
		switch e := e.(type) {
		case *Dial:
			if p.dial != 0 {
				s.queue = append(s.queue, &Close{Conn: p.dial})
			}
			p.dial = s.newConn()
			s.queue = append(s.queue, &Dial{Conn: p.dial, Peer: session.peer})
		case *Write:
			at := len(s.buf)
			s.buf = append(s.buf, e.Packet...)
			s.queue = append(s.queue, &Write{Conn: e.Conn, Packet: s.buf[at:len(s.buf):len(s.buf)]})
		case *Close:
			s.close(p, session)
		case *Up:
			s.node.PeerUp(now, session.peer, e.Open.Domain, e.Open.Node)
			s.queue = append(s.queue, e)
			if s.stage > 0 && !s.nextGo.IsZero() && s.staged() {
				s.boot(now)
			}
		case *Down:
			s.node.PeerDown(now, session.peer)
			s.queue = append(s.queue, e)
		case *Received:
			s.deliver(now, session, e.Update)
		default:
			s.queue = append(s.queue, e)
		}
	}
	return any
}

// established returns the session that can send.
func (p *peering) established() *Session {
	if p.second != nil && p.second.state == Established {
		return p.second
	}
	return p.main
}

// staged reports whether all peerings started so far are up, so that the next
// stage need not wait.
func (s *Speaker) staged() bool {
	for i := range s.peerings {
		if m := s.peerings[i].main; m.wanted && m.state != Established {
			return false
		}
	}
	return true
}

// close ends the connection of a session, or the attempt that was to become it.
func (s *Speaker) close(p *peering, session *Session) {
	id := session.conn
	if id == 0 && session == p.main {
		id, p.dial = p.dial, 0
	}
	session.conn = 0
	delete(s.conns, id)
	if id != 0 {
		s.queue = append(s.queue, &Close{Conn: id})
	}
}

// deliver hands the claims of an UPDATE to the node, one by one, and reports
// those it does not accept: one that is wrong does not keep the others from
// being processed (decision MASC-D-18).
func (s *Speaker) deliver(now time.Time, session *Session, u *Update) {
	for i := range u.Claims {
		if err := s.node.Receive(now, session.peer, u.Claims[i]); err != nil {
			session.Reject(now, err.(Reason))
			if session.state != Established {
				return
			}
		}
	}
}

// drainNode carries out the effects of the node. Every claim is an UPDATE of
// its own.
func (s *Speaker) drainNode(now time.Time) (any bool) {
	for e := range s.node.Effects() {
		any = true
		ad, ok := e.(*Advertise)
		if !ok {
			s.queue = append(s.queue, e)
			continue
		}
		u := Update{Claims: []Claim{ad.Claim}}
		for _, id := range ad.Peers {
			if err := s.peerings[id].established().Send(now, &u); err != nil {
				s.queue = append(s.queue, &Alert{Peer: id, Err: err})
			}
		}
	}
	return any
}
