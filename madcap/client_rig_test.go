// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// The places of the client tests.
var (
	groupAt  = netip.MustParseAddrPort("239.255.255.254:2535")
	serverAt = netip.MustParseAddrPort("198.51.100.1:2535")
	secondAt = netip.MustParseAddrPort("198.51.100.2:2535")
	thirdAt  = netip.MustParseAddrPort("198.51.100.3:2535")
)

var clientStart = unix(1700000000)

// sentPacket is a *madcap.Send and when it came.
type sentPacket struct {
	at time.Time
	madcap.Send
}

// clientRig drives a client in virtual time and keeps all it does.
type clientRig struct {
	t    testing.TB
	c    *madcap.Client
	now  time.Time
	sent []sentPacket
	done []*madcap.Done
}

func newClientRig(t testing.TB, change func(*madcap.ClientConfig)) *clientRig {
	t.Helper()
	cfg := madcap.ClientConfig{Rand: rand.New(rand.NewPCG(1, 2))}
	if change != nil {
		change(&cfg)
	}
	c, err := madcap.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &clientRig{t: t, c: c, now: clientStart}
}

// drain takes the effects.
func (r *clientRig) drain() {
	for e := range r.c.Effects() {
		switch e := e.(type) {
		case *madcap.Send:
			r.sent = append(r.sent, sentPacket{r.now, *e})
		case *madcap.Done:
			r.done = append(r.done, e)
		default:
			r.t.Fatalf("effect %T", e)
		}
	}
}

// at moves the clock to an offset from the start, firing every timer on the
// way at its very instant.
func (r *clientRig) at(offset time.Duration) {
	r.t.Helper()
	to := clientStart.Add(offset)
	for {
		due, ok := r.c.Deadline()
		if !ok || due.After(to) {
			break
		}
		if due.Before(r.now) {
			r.t.Fatalf("deadline %v is before now, %v", due, r.now)
		}
		r.now = due
		r.c.Advance(due)
		r.drain()
	}
	r.now = to
}

// must takes what a verb returns.
func (r *clientRig) must(h madcap.Handle, err error) madcap.Handle {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	r.drain()
	return h
}

// message decodes the i-th packet sent, from the end if i is negative.
func (r *clientRig) message(i int) *madcap.Message {
	r.t.Helper()
	if i < 0 {
		i += len(r.sent)
	}
	if i < 0 || i >= len(r.sent) {
		r.t.Fatalf("only %d packets were sent", len(r.sent))
	}
	m := new(madcap.Message)
	if err := m.UnmarshalBinary(r.sent[i].Packet); err != nil {
		r.t.Fatal(err)
	}
	return m
}

// answer builds the answer of the server at serverAt to the last packet sent:
// an OFFER or ACK that grants what was asked, or a NAK.
func (r *clientRig) answer(t madcap.MessageType, change func(*madcap.Message)) *madcap.Message {
	r.t.Helper()
	ask := r.message(-1)
	m := &madcap.Message{Type: t, Family: ask.Family, XID: ask.XID, LeaseIdentifier: ask.LeaseIdentifier,
		ServerIdentifier: madcap.ServerIdentifierOf(serverAt.Addr())}
	switch {
	case t == madcap.TypeNak:
		m.Error = madcap.Some(madcap.NotCompleted(madcap.NoOption))
	case ask.Type == madcap.TypeGetInfo:
		m.ScopeList = madcap.Some([]madcap.Zone{zone("239.255.0.0", "239.255.255.255", 255)})
	case ask.Type != madcap.TypeRelease:
		m.Scope = ask.Scope
		if !m.Scope.IsValid() {
			m.Scope = ip("239.192.0.0")
		}
		m.LeaseTime = seconds(3600)
		if t == madcap.TypeAck {
			m.Ranges = blocks("239.192.0.1", "239.192.0.1")
		}
	}
	if change != nil {
		change(m)
	}
	return m
}

// receive gives the client a message as a datagram.
func (r *clientRig) receive(from netip.AddrPort, m *madcap.Message) {
	r.t.Helper()
	b, err := m.AppendBinary(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.receiveOctets(from, b)
}

func (r *clientRig) receiveOctets(from netip.AddrPort, b []byte) {
	r.c.Receive(r.now, from, b)
	r.drain()
}

// ask is a plain request for one address.
func ask() *madcap.Message {
	return &madcap.Message{Family: madcap.FamilyIPv4, Scope: ip("239.192.0.0"), LeaseTime: seconds(3600)}
}

func knownLease() *madcap.Message {
	return &madcap.Message{Family: madcap.FamilyIPv4, LeaseIdentifier: madcap.LeaseIdentifier("\x00known-lease-0001")}
}

func infoAsk() *madcap.Message {
	return &madcap.Message{Family: madcap.FamilyIPv4, OptionRequestList: []madcap.OptionCode{madcap.OptScopeList}}
}

// transcript lists what was sent and when, one line each: "+4s DISCOVER xid+0
// to ...". Xids are counted from the first one.
func (r *clientRig) transcript() string {
	var b strings.Builder
	var first uint32
	for i, s := range r.sent {
		m := r.message(i)
		if i == 0 {
			first = m.XID
		}
		fmt.Fprintf(&b, "+%v %v xid+%d to %v\n", s.at.Sub(clientStart), m.Type, m.XID-first, s.To)
	}
	return b.String()
}

func (r *clientRig) wantTranscript(want string) {
	r.t.Helper()
	lines := strings.Fields(strings.ReplaceAll(strings.TrimSpace(want), "\n", " ; "))
	if got := strings.Fields(strings.ReplaceAll(strings.TrimSpace(r.transcript()), "\n", " ; ")); strings.Join(got, " ") != strings.Join(lines, " ") {
		r.t.Errorf("transcript:\n%swant:\n%s", r.transcript(), want)
	}
}

// wantDone checks that exactly one transaction has ended, and takes it.
func (r *clientRig) wantDone() *madcap.Done {
	r.t.Helper()
	if len(r.done) != 1 {
		r.t.Fatalf("%d transactions ended, want 1", len(r.done))
	}
	d := r.done[0]
	r.done = nil
	return d
}

// wantOpen checks that nothing has ended.
func (r *clientRig) wantOpen() {
	r.t.Helper()
	if len(r.done) > 0 {
		r.t.Fatalf("a transaction has ended: %+v", r.done[0])
	}
}
