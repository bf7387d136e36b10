// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// The places of the fake network.
var (
	clientAt = netip.MustParseAddrPort("192.0.2.9:40000")
	fakeAt   = netip.MustParseAddrPort("198.51.100.1:2535")
	otherAt  = netip.MustParseAddrPort("198.51.100.2:2535")
	groupAt  = netip.MustParseAddrPort("239.255.255.254:2535")
)

// fakeNet carries what one client sends to scripted servers, and keeps a list
// of it. It is made for synctest bubbles: nothing takes time.
type fakeNet struct {
	t       testing.TB
	mu      sync.Mutex
	begin   time.Time
	servers []*fakeServer
	sent    []fakePacket
	fail    error // of WriteTo

	in      chan fakePacket // to the client
	past    chan struct{}   // closed when the read deadline is over
	closed  bool
	expires []time.Time // every read deadline set
}

// fakePacket is a datagram with its message.
type fakePacket struct {
	at   time.Time
	peer netip.AddrPort
	msg  *madcap.Message
	raw  []byte
}

// fakeServer answers what is sent to it, or to the group, with what its script
// returns: nil for silence.
type fakeServer struct {
	at     netip.AddrPort
	script func(m *madcap.Message) *madcap.Message
}

// newFakeNet makes a network of servers.
func newFakeNet(t testing.TB, servers ...*fakeServer) *fakeNet {
	return &fakeNet{t: t, begin: time.Now(), servers: servers, in: make(chan fakePacket, 1024), past: make(chan struct{})}
}

func (n *fakeNet) WriteTo(b []byte, to net.Addr) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail != nil {
		return 0, n.fail
	}
	m := new(madcap.Message)
	if err := m.UnmarshalBinary(b); err != nil {
		n.t.Errorf("the client sends %x: %v", b, err)
	}
	peer := to.(*net.UDPAddr).AddrPort()
	n.sent = append(n.sent, fakePacket{time.Now(), peer, m, append([]byte(nil), b...)})
	for _, s := range n.servers {
		if peer != s.at && !peer.Addr().IsMulticast() {
			continue
		}
		if answer := s.script(m); answer != nil {
			n.deliver(s.at, m, answer)
		}
	}
	return len(b), nil
}

// deliver puts an answer into the client's queue, completed with what every
// answer has.
func (n *fakeNet) deliver(from netip.AddrPort, ask, answer *madcap.Message) {
	answer.Family, answer.XID, answer.LeaseIdentifier = ask.Family, ask.XID, ask.LeaseIdentifier
	if answer.ServerIdentifier.IsZero() {
		answer.ServerIdentifier = madcap.ServerIdentifierOf(from.Addr())
	}
	raw, err := answer.AppendBinary(nil)
	if err != nil {
		n.t.Errorf("script: %v", err)
		return
	}
	n.in <- fakePacket{peer: from, raw: raw}
}

// setScript changes what a server does, setFail whether anything is sent.
func (n *fakeNet) setScript(i int, script func(*madcap.Message) *madcap.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers[i].script = script
}

func (n *fakeNet) setFail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fail = err
}

func (n *fakeNet) ReadFrom(b []byte) (int, net.Addr, error) {
	n.mu.Lock()
	past := n.past
	n.mu.Unlock()
	select {
	case p := <-n.in:
		return copy(b, p.raw), net.UDPAddrFromAddrPort(p.peer), nil
	case <-past:
		return 0, nil, os.ErrDeadlineExceeded
	}
}

func (n *fakeNet) SetReadDeadline(t time.Time) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.expires = append(n.expires, t)
	if t.IsZero() {
		n.past = make(chan struct{})
	} else if !t.After(time.Now()) {
		close(n.past)
	}
	return nil
}

func (n *fakeNet) Close() error                     { n.closed = true; return nil }
func (n *fakeNet) LocalAddr() net.Addr              { return net.UDPAddrFromAddrPort(clientAt) }
func (n *fakeNet) SetDeadline(time.Time) error      { return nil }
func (n *fakeNet) SetWriteDeadline(time.Time) error { return nil }

// client makes a client on the network that the test ends.
func (n *fakeNet) client(cfg ClientConfig) *Client {
	n.t.Helper()
	cfg.Conns = []net.PacketConn{n}
	return newClient(n.t, cfg)
}

// transcript lists what the client has sent: "+4s RELEASE to 198.51.100.1".
func (n *fakeNet) transcript() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var b strings.Builder
	for _, p := range n.sent {
		fmt.Fprintf(&b, "+%v %v to %v\n", p.at.Sub(n.begin), p.msg.Type, p.peer.Addr())
	}
	return b.String()
}

func (n *fakeNet) wantTranscript(lines ...string) {
	n.t.Helper()
	want := ""
	for _, l := range lines {
		want += l + "\n"
	}
	if got := n.transcript(); got != want {
		n.t.Errorf("transcript:\n%swant:\n%s", got, want)
	}
}

// last returns the last message of a type that the client has sent.
func (n *fakeNet) last(t madcap.MessageType) *madcap.Message {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := len(n.sent) - 1; i >= 0; i-- {
		if n.sent[i].msg.Type == t {
			return n.sent[i].msg
		}
	}
	n.t.Fatalf("no %v was sent", t)
	return nil
}

// count returns how many messages of a type the client has sent.
func (n *fakeNet) count(t madcap.MessageType) (c int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.sent {
		if p.msg.Type == t {
			c++
		}
	}
	return c
}

// forget empties the list of what was sent and restarts the clock of the
// transcript.
func (n *fakeNet) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sent, n.begin = nil, time.Now()
}

// granting is the script of a server that grants what is asked for: the first
// addresses of the scope from .1.1 on, an hour where no time is asked for.
func granting(m *madcap.Message) *madcap.Message {
	switch m.Type {
	case madcap.TypeGetInfo:
		return &madcap.Message{Type: madcap.TypeAck, ScopeList: madcap.Some([]madcap.Zone{
			{Range: scope.IPv4Local().Range, TTL: 255}, {Range: scope.IPv4OrganizationLocal().Range, TTL: 255},
		})}
	case madcap.TypeRelease:
		return &madcap.Message{Type: madcap.TypeAck}
	}
	a := &madcap.Message{Type: madcap.TypeAck, Scope: m.Scope, LeaseTime: m.LeaseTime, StartTime: m.StartTime, CurrentTime: m.CurrentTime}
	if m.Type == madcap.TypeDiscover {
		a.Type = madcap.TypeOffer
	}
	if !a.Scope.IsValid() {
		a.Scope = scope.IPv4Local().ID()
	}
	if !a.LeaseTime.Present {
		a.LeaseTime = madcap.Some(time.Hour)
		if m.MinLeaseTime.Value > time.Hour {
			a.LeaseTime = m.MinLeaseTime
		}
	}
	r, _ := scope.NewRange(firstOf(a.Scope), firstOf(a.Scope))
	if n := max(1, int(m.Addresses.Desired)); n > 1 {
		last, _ := scope.IPv4Local().Range.At(scope.U128(uint64(min(0x100+n, 0xffff))))
		r, _ = scope.NewRange(firstOf(a.Scope), last)
	}
	a.Ranges = madcap.Some([]scope.Range{r})
	if m.Ranges.Present {
		a.Ranges = m.Ranges
	}
	return a
}

func firstOf(id scope.ID) netip.Addr {
	b := id.As4()
	b[2], b[3] = 1, 1
	return netip.AddrFrom4(b)
}

// silent is the script of a server that has gone.
func silent(*madcap.Message) *madcap.Message { return nil }

// except wraps a script for messages of one type.
func except(t madcap.MessageType, special, other func(*madcap.Message) *madcap.Message) func(*madcap.Message) *madcap.Message {
	return func(m *madcap.Message) *madcap.Message {
		if m.Type == t {
			return special(m)
		}
		return other(m)
	}
}

// altered wraps a script, changing its answers to messages of one type.
func altered(t madcap.MessageType, change func(ask, answer *madcap.Message), script func(*madcap.Message) *madcap.Message) func(*madcap.Message) *madcap.Message {
	return except(t, func(m *madcap.Message) *madcap.Message {
		a := script(m)
		change(m, a)
		return a
	}, script)
}

// refusing is a script that NAKs.
func refusing(e madcap.ErrorOption) func(*madcap.Message) *madcap.Message {
	return func(*madcap.Message) *madcap.Message {
		return &madcap.Message{Type: madcap.TypeNak, Error: madcap.Some(e)}
	}
}

// known makes a client at one server that already knows the scopes, so that
// what follows is seen alone.
func known(t testing.TB, script func(*madcap.Message) *madcap.Message, cfg ClientConfig) (*fakeNet, *Client) {
	t.Helper()
	cfg.Server = fakeAt
	return knownBy(t, cfg, &fakeServer{fakeAt, script})
}

func knownBy(t testing.TB, cfg ClientConfig, servers ...*fakeServer) (*fakeNet, *Client) {
	t.Helper()
	if cfg.ScopesFor == 0 {
		cfg.ScopesFor = 1000 * time.Hour
	}
	n := newFakeNet(t, servers...)
	scripts := make([]func(*madcap.Message) *madcap.Message, len(servers))
	for i, s := range servers {
		scripts[i] = s.script
		s.script = granting
	}
	c := n.client(cfg)
	if _, err := c.Scopes(t.Context(), lease.IPv4); err != nil {
		t.Fatal(err)
	}
	for i := range servers {
		n.setScript(i, scripts[i])
	}
	n.forget()
	return n, c
}
