// SPDX-License-Identifier: BSD-3-Clause

package mascnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/mcastalloc/malloc/masc"
)

// Config says how a Server behaves. Only Speaker and Peers are required.
type Config struct {
	Speaker masc.SpeakerConfig

	// Peers are the addresses of the peers, in the order of Speaker.Node.Peers.
	// They are connected to, and connections are accepted only from their
	// addresses, whatever the port (RFC 2909, section 10.1). A port of 0 waits
	// for the peer to connect.
	Peers []netip.AddrPort

	// Listener accepts connections; Run closes it. Without one none are
	// accepted.
	Listener net.Listener

	// Dial connects to a peer. The default dials TCP from Local.
	Dial  func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	Local netip.Addr // the zero Addr leaves the choice to the system

	// Snapshot is what an earlier Server stored. Persist stores one, before
	// anything that depends on it is sent; without it nothing is stored. If it
	// fails, Run ends with its error.
	Snapshot masc.Snapshot
	Persist  func(masc.Snapshot) error

	// Allotted is told what the domain may use, whenever that changes. It must
	// not call the Server.
	Allotted func([]masc.Allotment)

	Logger *slog.Logger     // default: none
	Now    func() time.Time // default: time.Now
}

// Server is a MASC node on TCP. Its methods may be called by several goroutines.
type Server struct {
	cfg     Config
	speaker *masc.Speaker
	conns   map[masc.ConnID]*conn
	calls   chan func(now time.Time) // to be called by Run
	done    chan struct{}            // closed when Run has ended
	ctx     context.Context
	tasks   sync.WaitGroup
	failed  error
}

// queueLength is how many messages wait for a connection before it counts as
// broken; writeTime is how long a message may take.
const (
	queueLength = 4096
	writeTime   = 30 * time.Second
)

// New returns a Server that Run starts.
func New(cfg Config) (*Server, error) {
	if len(cfg.Peers) != len(cfg.Speaker.Node.Peers) {
		return nil, fmt.Errorf("%w: %d addresses for %d peers", masc.ErrConfig, len(cfg.Peers), len(cfg.Speaker.Node.Peers))
	}
	speaker, err := masc.NewSpeaker(cfg.Speaker, cfg.Snapshot)
	if err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Dial == nil {
		var d net.Dialer
		if cfg.Local.IsValid() {
			d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(cfg.Local, 0))
		}
		cfg.Dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			return d.DialContext(ctx, "tcp", to.String())
		}
	}
	return &Server{cfg: cfg, speaker: speaker, conns: make(map[masc.ConnID]*conn),
		calls: make(chan func(time.Time)), done: make(chan struct{})}, nil
}

// errStopped is returned by Do after Run has ended.
var errStopped = errors.New("mascnet: the server has stopped")

// Do calls f with the node in the goroutine of Run, and carries out what comes
// of it before it returns. f must not keep the node.
func (s *Server) Do(ctx context.Context, f func(now time.Time, n *masc.Node)) error {
	finished := make(chan struct{})
	call := func(now time.Time) {
		s.speaker.Do(now, func(n *masc.Node) { f(now, n) })
		close(finished)
	}
	select {
	case s.calls <- call:
	case <-s.done:
		return errStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-finished:
		return nil
	case <-s.done:
		return errStopped
	}
}

// State returns the state of the session with a peer.
func (s *Server) State(ctx context.Context, p masc.PeerID) (state masc.State, err error) {
	err = s.Do(ctx, func(time.Time, *masc.Node) { state = s.speaker.State(p) })
	return state, err
}

// Run runs the node until ctx is done: then it says goodbye to its peers and
// returns nil. It returns an error if Persist or the Listener fails. A Server
// runs once.
func (s *Server) Run(ctx context.Context) error {
	defer s.tasks.Wait()
	defer close(s.done)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.ctx = ctx
	if s.cfg.Listener != nil {
		defer s.cfg.Listener.Close()
		s.tasks.Go(func() { s.accept(ctx) })
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	now := s.cfg.Now()
	s.speaker.Start(now)
	s.speaker.Advance(now)
	for {
		s.carry()
		if s.failed != nil {
			break
		}
		wait := time.Hour
		if at, ok := s.speaker.Deadline(); ok {
			wait = min(wait, max(at.Sub(s.cfg.Now()), 0))
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			s.speaker.Stop(s.cfg.Now())
			s.carry()
			s.hangUp()
			return s.failed
		case call := <-s.calls:
			call(s.cfg.Now())
		case <-timer.C:
			s.speaker.Advance(s.cfg.Now())
		}
	}
	s.hangUp()
	return s.failed
}

// hangUp closes the connections that are left, after what is queued.
func (s *Server) hangUp() {
	for _, c := range s.conns {
		c.close()
	}
}

// later runs f in Run's goroutine, unless that has ended.
func (s *Server) later(f func(now time.Time)) bool {
	select {
	case s.calls <- f:
		return true
	case <-s.done:
		return false
	case <-s.ctx.Done():
		return false
	}
}

// carry carries out what the speaker wants.
func (s *Server) carry() {
	log := s.cfg.Logger
	for e := range s.speaker.Effects() {
		switch e := e.(type) {
		case *masc.Dial:
			s.dial(e.Conn, e.Peer)
		case *masc.Write:
			if c := s.conns[e.Conn]; c != nil {
				c.write(e.Packet)
			}
		case *masc.Close:
			if c := s.conns[e.Conn]; c != nil {
				delete(s.conns, e.Conn)
				c.close()
			}
		case *masc.Persist:
			if s.cfg.Persist != nil {
				if err := s.cfg.Persist(s.speaker.Node().Snapshot()); err != nil {
					s.failed = fmt.Errorf("mascnet: storing the snapshot: %w", err)
					return // and nothing that depends on it
				}
			}
		case *masc.Allotted:
			if s.cfg.Allotted != nil {
				s.cfg.Allotted(s.speaker.Node().Allotments(s.cfg.Now()))
			}
		case *masc.Up:
			log.Info("session up", "peer", s.cfg.Peers[e.Peer], "domain", e.Open.Domain, "node", e.Open.Node)
		case *masc.Down:
			log.Info("session down", "peer", s.cfg.Peers[e.Peer], "err", e.Err)
		case *masc.Alert:
			log.Warn("alert", "peer", e.Peer, "err", e.Err)
		}
	}
}

// dial connects to a peer in the background.
func (s *Server) dial(id masc.ConnID, peer masc.PeerID) {
	to := s.cfg.Peers[peer]
	ctx, cancel := context.WithCancel(s.ctx)
	c := &conn{cancel: cancel}
	s.conns[id] = c
	s.tasks.Go(func() {
		defer cancel()
		var nc net.Conn
		err := errPassive
		if to.Port() != 0 {
			nc, err = s.cfg.Dial(ctx, to)
		}
		ok := s.later(func(now time.Time) {
			if s.conns[id] != c { // given up in the meantime
				if nc != nil {
					nc.Close()
				}
				return
			}
			delete(s.conns, id)
			if err != nil {
				s.cfg.Logger.Debug("not connected", "peer", to, "err", err)
				s.speaker.ConnectFailed(now, id)
				return
			}
			s.serve(id, nc)
			s.speaker.Connected(now, id)
		})
		if !ok && nc != nil {
			nc.Close()
		}
	})
}

var errPassive = errors.New("waits for the peer to connect")

// accept takes connections until the listener is closed.
func (s *Server) accept(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { s.cfg.Listener.Close() })
	defer stop()
	for {
		nc, err := s.cfg.Listener.Accept()
		if err != nil {
			s.later(func(time.Time) { s.failed = fmt.Errorf("mascnet: %w", err) })
			return
		}
		if !s.later(func(now time.Time) { s.welcome(now, nc) }) {
			nc.Close()
		}
	}
}

// welcome hands a connection to the speaker, which may not want it.
func (s *Server) welcome(now time.Time, nc net.Conn) {
	id := s.speaker.Accept(now, s.known(nc.RemoteAddr())...)
	if id == 0 {
		s.cfg.Logger.Debug("connection refused", "from", nc.RemoteAddr())
		nc.Close()
		return
	}
	s.serve(id, nc)
}

// known returns which peers have the address.
func (s *Server) known(a net.Addr) []masc.PeerID {
	from, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return nil
	}
	var list []masc.PeerID
	for i, p := range s.cfg.Peers {
		if p.Addr().Unmap() == from.Addr().Unmap().WithZone("") {
			list = append(list, masc.PeerID(i))
		}
	}
	return list
}

// serve reads from and writes to a connection in the background.
func (s *Server) serve(id masc.ConnID, nc net.Conn) {
	c := &conn{nc: nc, out: make(chan []byte, queueLength), cancel: func() {}}
	s.conns[id] = c
	s.tasks.Go(c.writer)
	s.tasks.Go(func() {
		r := masc.NewReader(nc)
		for {
			b, err := r.Next()
			handled := make(chan struct{})
			ok := s.later(func(now time.Time) {
				defer close(handled)
				if s.conns[id] != c {
					return
				}
				if err == nil {
					s.speaker.Receive(now, id, b)
					return
				}
				if errors.Is(err, io.EOF) {
					s.speaker.Disconnected(now, id, nil)
				} else {
					s.speaker.Disconnected(now, id, err)
				}
			})
			if !ok || err != nil {
				return
			}
			<-handled // b is valid until the next one is read
		}
	})
}
