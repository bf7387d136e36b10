// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"errors"
	"fmt"
	"iter"
	"time"
)

// SessionConfig says how a Session behaves. OpenRules is the local side, which
// its OPEN states and a received OPEN is held against. A negative HoldTime
// means zero; otherwise zero selects the default.
type SessionConfig struct {
	OpenRules
	HoldTime     time.Duration // proposed: default DefaultHoldTime; else 3 to 65535 whole seconds, or none
	ConnectRetry time.Duration // how long an attempt to connect may take: default 2 minutes
	MinBackoff   time.Duration // before an automatic Start after an error: default 1 minute, doubling
	MaxBackoff   time.Duration // default 24 hours (section 10.1)
}

// Session is one connection to a peer: the state machine of RFC 2909, section
// 10.1, without a socket, clock or goroutine. One owner drives it:
//
//	s.Start(now)            connect, and again after every error
//	s.Connected(now, true)  the transport is up; ConnectFailed, Disconnected, TransportError
//	s.Receive(now, msg)     a whole message came in
//	s.Send(now, update)     send an UPDATE
//	s.Advance(now)          time has passed
//	s.Deadline()            when Advance is next needed
//	s.Effects()             what to do, in order
//
// A Session is not safe for concurrent use.
type Session struct {
	cfg  SessionConfig
	conn ConnID
	peer PeerID

	state     State
	wanted    bool // Start was given and Stop was not
	initiated bool // the connection was
	remote    Open // the peer's, from OpenConfirm on

	retry, hold, alive, start time.Time // timers; zero when stopped
	holdTime                  time.Duration
	backoff                   time.Duration // of the next automatic Start
	since                     time.Time     // of Established

	msg   Message
	body  []byte // of the UPDATE being processed
	buf   []byte // of what is written, reused when the queue is empty
	queue []Effect
	next  int
}

// NewSession returns a Session in Idle.
func NewSession(cfg SessionConfig) (*Session, error) {
	orDefault := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
		*v = max(*v, 0)
	}
	orDefault(&cfg.HoldTime, DefaultHoldTime)
	orDefault(&cfg.ConnectRetry, 2*time.Minute)
	orDefault(&cfg.MinBackoff, time.Minute)
	orDefault(&cfg.MaxBackoff, 24*time.Hour)
	s := &Session{cfg: cfg, backoff: cfg.MinBackoff}
	o := s.open()
	if _, err := o.MarshalBinary(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	switch {
	case cfg.HoldTime != 0 && cfg.HoldTime < 3*time.Second:
		return nil, fmt.Errorf("%w: hold time %v, want none or at least 3 s", ErrConfig, cfg.HoldTime)
	case cfg.Domain.IsZero() || cfg.Node.IsZero():
		return nil, fmt.Errorf("%w: domain %v and node %v, neither may be zero", ErrConfig, cfg.Domain, cfg.Node)
	}
	return s, nil
}

// open returns the own OPEN. Its parent is the one the session is for; toward a
// parent that parent, otherwise the lowest (decisions MASC-D-10 and 11).
func (s *Session) open() Open {
	c := &s.cfg
	o := Open{Family: c.Family, Role: c.Role, HoldTime: c.HoldTime, Domain: c.Domain, Node: c.Node}
	switch {
	case c.Role == Sibling:
		o.Parent = c.Parent
	case c.Role == Child:
		o.Parent = c.PeerDomain
	case c.Orphan && len(c.Parents) == 0:
		o.Parent = c.Domain
	default:
		for i, p := range c.Parents {
			if i == 0 || p.Compare(o.Parent) < 0 {
				o.Parent = p
			}
		}
	}
	return o
}

// State returns the state.
func (s *Session) State() State { return s.state }

// Remote returns the peer's OPEN, in OpenConfirm and Established.
func (s *Session) Remote() (Open, bool) { return s.remote, s.state >= OpenConfirm }

// HoldTime returns the negotiated hold time, 0 for none.
func (s *Session) HoldTime() time.Duration { return s.holdTime }

// IsInternal reports whether the peer has shown itself a node of the local
// domain (section 10.1, OpenSent).
func (s *Session) IsInternal() bool {
	return s.state >= OpenConfirm && s.remote.Role == Internal && s.remote.Domain == s.cfg.Domain
}

// about is how the session appears to KeepConnection.
func (s *Session) about() Conn {
	c := Conn{State: s.state, Initiated: s.initiated, Remote: s.cfg.PeerNode, Parent: s.cfg.Parent}
	if s.state >= OpenConfirm {
		c.Remote = s.remote.Node
	}
	return c
}

// Start asks for a connection: an operator's Start, which also ends any
// back-off.
func (s *Session) Start(now time.Time) {
	s.wanted, s.backoff, s.start = true, s.cfg.MinBackoff, time.Time{}
	s.fire(now, evStart, nil)
}

// Stop ends the connection, if any, and asks for none until the next Start.
func (s *Session) Stop(now time.Time) {
	s.wanted, s.start = false, time.Time{}
	s.fire(now, evStop, nil)
}

// Connected says that the transport is up: that of the last Dial if initiated,
// or one the expected peer has opened.
func (s *Session) Connected(now time.Time, initiated bool) {
	if s.state == Connect || s.state == Active {
		s.initiated = initiated
	}
	s.fire(now, evTransportUp, nil)
}

// ConnectFailed says that the last Dial came to nothing.
func (s *Session) ConnectFailed(now time.Time) { s.fire(now, evConnectFail, nil) }

// Disconnected says that the peer closed the transport.
func (s *Session) Disconnected(now time.Time) { s.fire(now, evClosed, errClosed) }

// TransportError says that the transport failed.
func (s *Session) TransportError(now time.Time, err error) { s.fire(now, evTransportErr, err) }

// Unexpected says that somebody who is not the configured peer tries to
// connect. The driver turns it away.
func (s *Session) Unexpected(now time.Time) { s.fire(now, evUnexpected, nil) }

// Yield says that the connection lost a collision with another one (section
// 8.8).
func (s *Session) Yield(now time.Time) { s.fire(now, evLost, errCollision) }

var (
	errClosed    = errors.New("the peer closed the transport")
	errCollision = errors.New("another connection to the peer is kept")
)

// Send sends an UPDATE. It returns an *Error if it cannot be encoded, and
// otherwise reports nothing: outside of Established it is dropped, as every
// claim that still counts is sent again when the session comes up.
func (s *Session) Send(now time.Time, u *Update) error {
	if s.state != Established {
		return nil
	}
	at := len(s.buf)
	b, err := u.AppendBinary(s.buf)
	if err != nil {
		return err
	}
	s.buf = b
	s.wrote(now, at)
	return nil
}

// Reject reports a claim of the last Received that is not acceptable (section
// 8.3). Reasons that must close the connection do.
func (s *Session) Reject(now time.Time, r Reason) {
	if s.state != Established {
		return
	}
	ev := evFatalUpdate
	if r.CanStay() {
		ev = evBadUpdate
	}
	s.fire(now, ev, &Error{Message: TypeUpdate, Err: r, Offset: -1, Data: s.body})
}

// Fault hands in an error of a Reader: the stream cannot be read any further.
func (s *Session) Fault(now time.Time, err error) {
	var e *Error
	if errors.As(err, &e) {
		s.fire(now, evBadOpen, e)
		return
	}
	s.TransportError(now, err)
}

// Receive handles one whole message.
func (s *Session) Receive(now time.Time, b []byte) {
	t, err := checkHeader(b)
	switch {
	case err != nil:
		ev := evBadOpen
		if s.state == Established && err.Err.(Reason).CanStay() {
			ev = evBadUpdate
		}
		s.fire(now, ev, err)
	case t == TypeOpen:
		s.receiveOpen(now, b)
	case t == TypeUpdate:
		s.receiveUpdate(now, b)
	case t == TypeNotification:
		s.receiveNotification(now, b)
	default:
		s.fire(now, evKeepaliveMsg, nil)
	}
}

func (s *Session) receiveOpen(now time.Time, b []byte) {
	if s.state != OpenSent {
		s.fire(now, evOpen, nil)
		return
	}
	err := s.msg.Decode(b)
	if err == nil {
		err = s.cfg.OpenRules.Check(&s.msg.Open)
	}
	if err != nil {
		e := err.(*Error)
		if e.Data == nil {
			e.Data = b[headerLen:]
		}
		s.fire(now, evBadOpen, e)
		return
	}
	s.remote = s.msg.Open
	s.remote.Params = nil
	s.fire(now, evOpen, nil)
}

func (s *Session) receiveUpdate(now time.Time, b []byte) {
	if s.state != Established {
		s.fire(now, evUpdate, nil)
		return
	}
	err, _ := s.msg.Decode(b).(*Error)
	if err != nil && err.Err != UnrecognizedRequiredAttribute {
		s.fire(now, evFatalUpdate, err)
		return
	}
	s.body = b[headerLen:]
	s.fire(now, evUpdate, nil)
	if err != nil {
		s.fire(now, evBadUpdate, err)
	}
}

func (s *Session) receiveNotification(now time.Time, b []byte) {
	err, _ := s.msg.Decode(b).(*Error)
	n := s.msg.Notification
	n.Data = append([]byte(nil), n.Data...)
	switch {
	case err != nil && !err.silent && n.Stay:
		s.note(n)
		s.fire(now, evBadNotify, err)
	case n.Stay:
		s.fire(now, evNotifyStay, n)
	default:
		s.fire(now, evNotify, n)
	}
}

// Deadline returns when Advance has something to do.
func (s *Session) Deadline() (time.Time, bool) {
	var d time.Time
	for _, t := range [...]time.Time{s.retry, s.hold, s.alive, s.start} {
		if !t.IsZero() && (d.IsZero() || t.Before(d)) {
			d = t
		}
	}
	return d, !d.IsZero()
}

// Advance fires the timers that are due.
func (s *Session) Advance(now time.Time) {
	due := func(t *time.Time) bool {
		if t.IsZero() || t.After(now) {
			return false
		}
		*t = time.Time{}
		return true
	}
	if due(&s.start) {
		s.fire(now, evStart, nil)
	}
	if due(&s.retry) {
		s.fire(now, evRetry, nil)
	}
	if due(&s.hold) {
		s.fire(now, evHold, HoldTimerExpired)
	}
	if due(&s.alive) {
		s.fire(now, evKeepalive, nil)
	}
}

// Effects yields what there is to do and forgets it. The loop may call the
// Session; what that adds is yielded by the same loop.
func (s *Session) Effects() iter.Seq[Effect] {
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
