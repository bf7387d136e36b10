// SPDX-License-Identifier: BSD-3-Clause

package masc

import "time"

// fire looks an event up in the table, acts and changes the state. The cause
// is an *Error to report, a Notification received, or what ended a connection.
func (s *Session) fire(now time.Time, ev event, cause error) {
	cell := fsm[s.state][ev]
	from := s.state
	s.act(now, cell.do, cause)
	s.state = cell.next
	if from == Established && s.state != Established {
		s.add(&Down{Peer: s.peer, Err: cause})
	}
	if from != Idle && s.state == Idle {
		s.rest(now, from)
	}
	if from != Established && s.state == Established {
		s.since = now
		s.add(&Up{Peer: s.peer, Open: s.remote})
	}
}

// rest prepares the next automatic Start after a connection has come to Idle.
// The back-off begins anew if the session was up for a hold time (decision
// MASC-D-46).
func (s *Session) rest(now time.Time, from State) {
	if !s.wanted {
		return
	}
	lasting := s.holdTime
	if lasting == 0 {
		lasting = DefaultHoldTime
	}
	if from == Established && now.Sub(s.since) >= lasting {
		s.backoff = s.cfg.MinBackoff
	}
	s.start = now.Add(s.backoff)
	s.backoff = min(2*s.backoff, s.cfg.MaxBackoff)
}

// act carries out what a cell of the table says; see the constants.
func (s *Session) act(now time.Time, do action, cause error) {
	switch do {
	case begin, redial:
		s.retry = now.Add(s.cfg.ConnectRetry)
		s.add(&Dial{Conn: s.conn, Peer: s.peer})
	case sendOpen:
		s.retry = time.Time{}
		o := s.open()
		at := len(s.buf)
		s.buf, _ = o.AppendBinary(s.buf) // NewSession has tried it
		s.write(at)
		s.hold = now.Add(DefaultHoldTime)
	case restartRetry, turnAwayRetry:
		s.retry = now.Add(s.cfg.ConnectRetry)
	case reactivate:
		s.release()
		s.retry = now.Add(s.cfg.ConnectRetry)
	case release:
		if n, ok := cause.(Notification); ok {
			s.note(n)
		}
		s.release()
	case cease:
		s.notify(Cease, nil)
		s.release()
	case expire:
		s.notify(HoldTimerExpired, nil)
		s.release()
	case fsmError:
		r := FSMError
		if s.state == OpenSent {
			r = OpenCloseFSMError
		}
		s.notify(r, nil)
		s.release()
	case confirm:
		s.holdTime = min(s.cfg.HoldTime, s.remote.HoldTime)
		s.hold = time.Time{}
		s.restartHold(now)
		s.sendKeepalive(now)
	case report:
		e := cause.(*Error)
		s.note(e)
		s.notify(e.Err.(Reason), e.Data)
		s.release()
	case reportStay:
		e := cause.(*Error)
		s.note(e)
		if n, ok := e.Notification(); ok {
			at := len(s.buf)
			s.buf, _ = n.AppendBinary(s.buf)
			s.write(at)
		}
		s.restartHold(now)
	case note:
		s.note(cause)
	case keepalive:
		s.sendKeepalive(now)
	case establish, refresh:
		s.restartHold(now)
	case refreshNote:
		s.restartHold(now)
		s.note(cause)
	case deliver:
		s.restartHold(now)
		s.add(&Received{Update: &s.msg.Update})
	}
}

// release stops all timers and closes the transport.
func (s *Session) release() {
	s.retry, s.hold, s.alive = time.Time{}, time.Time{}, time.Time{}
	s.add(&Close{Conn: s.conn})
}

func (s *Session) restartHold(now time.Time) {
	if s.holdTime > 0 {
		s.hold = now.Add(s.holdTime)
	}
}

// notify sends a NOTIFICATION that closes.
func (s *Session) notify(r Reason, data []byte) {
	at := len(s.buf)
	n := Notification{Reason: r, Data: data}
	s.buf, _ = n.AppendBinary(s.buf)
	s.write(at)
}

func (s *Session) sendKeepalive(now time.Time) {
	at := len(s.buf)
	s.buf = AppendKeepalive(s.buf)
	s.wrote(now, at)
}

// wrote queues a KEEPALIVE or an UPDATE, which restarts the KeepAlive timer: a
// third of the hold time, and at least a second.
func (s *Session) wrote(now time.Time, at int) {
	s.write(at)
	if s.holdTime > 0 {
		s.alive = now.Add(max(s.holdTime/3, time.Second).Truncate(time.Second))
	}
}

// write queues the octets of buf from at on.
func (s *Session) write(at int) {
	s.add(&Write{Conn: s.conn, Packet: s.buf[at:len(s.buf):len(s.buf)]})
}

func (s *Session) note(err error) { s.add(&Alert{Peer: s.peer, Err: err}) }

func (s *Session) add(e Effect) { s.queue = append(s.queue, e) }
