// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/madcap/madcaptest"
	"github.com/mcastalloc/malloc/scope"
)

// The places and names of the server tests.
var (
	srvStart     = time.Unix(1700000000, 0).UTC()
	srvAddr      = netip.MustParseAddr("198.51.100.1") // of the server under test
	srvSecond    = netip.MustParseAddr("198.51.100.2") // its other address
	srvOther     = netip.MustParseAddr("203.0.113.7")  // another server
	srvClient    = netip.MustParseAddrPort("192.0.2.10:40000")
	srvElsewhere = netip.MustParseAddrPort("192.0.2.99:9") // another client
	srvLocal     = netip.MustParseAddr("239.255.0.0")      // Scope ID of the Local Scope
	srvGroup     = netip.MustParseAddr("239.255.255.254")
	srvGroup6    = netip.MustParseAddr("ff03:ffff:ffff:ffff:ffff:ffff:ffff:fffe")
	srvScope     = netip.MustParseAddr("239.192.0.0") // what clients ask for
	srvLease     = madcap.LeaseIdentifier("\x00lease one 123456")
)

// srvRig drives a server with an allocator in virtual time. It checks of every
// effect what must hold of all, and keeps them.
type srvRig struct {
	t      testing.TB
	s      *madcap.Server
	cfg    madcap.ServerConfig
	alloc  *madcaptest.Allocator
	now    time.Time
	late   bool // questions wait for resolve
	answer func(*madcap.Ask) (madcap.Outcome, bool)

	sends []madcap.Send
	asks  []madcap.Ask // all of them, ID copied
	open  []*madcap.Ask
}

func srvConfig() madcap.ServerConfig {
	return madcap.ServerConfig{
		Identifiers: []netip.Addr{srvAddr, srvSecond},
		Scopes:      []scope.Scope{scope.IPv4Global(), scope.IPv4OrganizationLocal(), scope.IPv4Local()},
		Features:    []madcap.Feature{madcap.ServerMobility, madcap.RetryAfter, madcap.SharedLeaseIdentifier},
	}
}

func newSrvRig(t testing.TB, change func(*madcap.ServerConfig)) *srvRig {
	t.Helper()
	r := &srvRig{t: t, cfg: srvConfig(), now: srvStart, alloc: madcaptest.NewAllocator(scope.IPv4OrganizationLocal(), 8)}
	if change != nil {
		change(&r.cfg)
	}
	s, err := madcap.NewServer(r.cfg, madcap.ServerSnapshot{})
	if err != nil {
		t.Fatal(err)
	}
	r.s = s
	return r
}

// restart replaces the server by a new one that knows what the snapshot says.
func (r *srvRig) restart(from madcap.ServerSnapshot) {
	r.t.Helper()
	s, err := madcap.NewServer(r.cfg, from)
	if err != nil {
		r.t.Fatal(err)
	}
	r.s, r.open = s, nil
	r.drain()
}

// drain carries out the effects.
func (r *srvRig) drain() {
	for e := range r.s.Effects() {
		switch e := e.(type) {
		case *madcap.Send:
			sent := *e
			sent.Packet = slices.Clone(e.Packet)
			r.sends = append(r.sends, sent)
		case *madcap.Ask:
			kept := *e
			kept.ID, kept.Continuation = slices.Clone(e.ID), slices.Clone(e.Continuation)
			kept.Ranges = slices.Clone(e.Ranges)
			r.asks = append(r.asks, kept)
			switch {
			case e.Token == 0:
				r.alloc.Answer(r.now, e)
			case r.late:
				r.open = append(r.open, e)
			default:
				r.s.Resolve(r.now, e.Token, r.outcome(e))
			}
		}
	}
}

func (r *srvRig) outcome(a *madcap.Ask) madcap.Outcome {
	if r.answer != nil {
		if o, ok := r.answer(a); ok {
			return o
		}
	}
	return r.alloc.Answer(r.now, a)
}

// resolve lets the allocator answer the oldest open question.
func (r *srvRig) resolve() {
	r.t.Helper()
	if len(r.open) == 0 {
		r.t.Fatal("no question is open")
	}
	a := r.open[0]
	r.open = r.open[1:]
	r.s.Resolve(r.now, a.Token, r.outcome(a))
	r.drain()
}

// wait lets time pass.
func (r *srvRig) wait(d time.Duration) {
	for end := r.now.Add(d); ; {
		at, ok := r.s.Deadline()
		if !ok || at.After(end) {
			r.now = end
			return
		}
		if at.After(r.now) {
			r.now = at
		}
		r.s.Advance(r.now)
		r.drain()
	}
}

// give hands over a datagram.
func (r *srvRig) give(d madcap.Datagram) {
	r.s.Receive(r.now, d)
	r.drain()
}

// octets returns a message as a datagram.
func (r *srvRig) octets(m *madcap.Message) []byte {
	r.t.Helper()
	b, err := m.MarshalBinary()
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// unicast and multicast send the server a message.
func (r *srvRig) unicast(m *madcap.Message) {
	r.t.Helper()
	r.give(madcap.Datagram{From: srvClient, To: srvAddr, Local: srvAddr, Payload: r.octets(m)})
}

func (r *srvRig) multicast(m *madcap.Message) {
	r.t.Helper()
	r.give(madcap.Datagram{From: srvClient, To: srvGroup, Local: srvAddr, Payload: r.octets(m)})
}

// raw sends octets by unicast.
func (r *srvRig) raw(b []byte) {
	r.give(madcap.Datagram{From: srvClient, To: srvAddr, Local: srvAddr, Payload: b})
}

// reply takes the one answer there must be, of a type. An ACK must be valid for
// what it answers.
func (r *srvRig) reply(typ, answers madcap.MessageType) *madcap.Message {
	r.t.Helper()
	if len(r.sends) != 1 {
		r.t.Fatalf("%d answers instead of one %v", len(r.sends), typ)
	}
	sent := r.sends[0]
	r.sends = r.sends[:0]
	m := new(madcap.Message)
	if err := m.UnmarshalBinary(sent.Packet); err != nil {
		r.t.Fatalf("answer %x: %v", sent.Packet, err)
	}
	if m.Type != typ {
		r.t.Fatalf("answer %v (%v) instead of %v", m.Type, m.Error.Value, typ)
	}
	if err := m.Validate(answers, false); err != nil {
		r.t.Fatalf("answer %x: %v", sent.Packet, err)
	}
	return m
}

func (r *srvRig) offer() *madcap.Message { r.t.Helper(); return r.reply(madcap.TypeOffer, 0) }

func (r *srvRig) ack(answers madcap.MessageType) *madcap.Message {
	r.t.Helper()
	return r.reply(madcap.TypeAck, answers)
}

// nak takes the one NAK there must be, with a code and, for errors 0 and 1, an
// option.
func (r *srvRig) nak(code madcap.ErrorCode, at madcap.OptionCode) *madcap.Message {
	r.t.Helper()
	m := r.reply(madcap.TypeNak, 0)
	got, _ := m.Error.Value.Option()
	if m.Error.Value.Code != code || code <= madcap.CodeInvalidRequest && got != at {
		r.t.Fatalf("NAK %v, want %v (option %v)", m.Error.Value, code, at)
	}
	return m
}

// silent checks that there is no answer and no question.
func (r *srvRig) silent(why madcap.Ignored) {
	r.t.Helper()
	if len(r.sends) > 0 {
		r.t.Fatalf("answered with %x", r.sends[0].Packet)
	}
	stats := r.s.Stats()
	if stats.Ignored[why] == 0 {
		r.t.Fatalf("not ignored as %v: %+v", why, stats)
	}
}

// asked checks which operations the allocator was asked for since the last
// call, and returns the last question.
func (r *srvRig) asked(ops ...madcap.Op) madcap.Ask {
	r.t.Helper()
	var got []madcap.Op
	var last madcap.Ask
	for _, a := range r.asks {
		got = append(got, a.Op)
		last = a
	}
	r.asks = r.asks[:0]
	if !slices.Equal(got, ops) {
		r.t.Fatalf("allocator asked for %v, want %v", got, ops)
	}
	return last
}

// srvMsg builds a client's message with what each must have, then changes it.
func srvMsg(typ madcap.MessageType, xid uint32, changes ...func(*madcap.Message)) *madcap.Message {
	m := &madcap.Message{Type: typ, Family: madcap.FamilyIPv4, XID: xid, LeaseIdentifier: srvLease}
	switch typ {
	case madcap.TypeDiscover, madcap.TypeRequest:
		m.Scope = srvScope
	case madcap.TypeGetInfo:
		m.OptionRequestList = []madcap.OptionCode{madcap.OptScopeList}
	}
	for _, change := range changes {
		change(m)
	}
	return m
}

func srvDiscover(xid uint32, changes ...func(*madcap.Message)) *madcap.Message {
	return srvMsg(madcap.TypeDiscover, xid, changes...)
}

func srvRequest(xid uint32, changes ...func(*madcap.Message)) *madcap.Message {
	return srvMsg(madcap.TypeRequest, xid, changes...)
}

func srvRenew(xid uint32, changes ...func(*madcap.Message)) *madcap.Message {
	return srvMsg(madcap.TypeRenew, xid, changes...)
}

func srvRelease(xid uint32, changes ...func(*madcap.Message)) *madcap.Message {
	return srvMsg(madcap.TypeRelease, xid, changes...)
}

func srvInfo(xid uint32, codes ...madcap.OptionCode) *madcap.Message {
	return srvMsg(madcap.TypeGetInfo, xid, func(m *madcap.Message) { m.OptionRequestList = codes })
}

// What messages are changed by.
func srvNames(server netip.Addr) func(*madcap.Message) {
	return func(m *madcap.Message) { m.ServerIdentifier = madcap.ServerIdentifierOf(server) }
}

func srvID(id string) func(*madcap.Message) {
	return func(m *madcap.Message) { m.LeaseIdentifier = madcap.LeaseIdentifier(id) }
}

func srvFor(d time.Duration) func(*madcap.Message) {
	return func(m *madcap.Message) { m.LeaseTime = madcap.Some(d) }
}

func srvAtLeast(d time.Duration) func(*madcap.Message) {
	return func(m *madcap.Message) { m.MinLeaseTime = madcap.Some(d) }
}

// srvClock adds the client's clock, off from the server's start by d.
func srvClock(d time.Duration) func(*madcap.Message) {
	return func(m *madcap.Message) { m.CurrentTime = srvStart.Add(d) }
}

func srvFrom(d time.Duration) func(*madcap.Message) {
	return func(m *madcap.Message) { m.StartTime = srvStart.Add(d) }
}

func srvUntil(d time.Duration) func(*madcap.Message) {
	return func(m *madcap.Message) { m.MaxStartTime = srvStart.Add(d) }
}

func srvNumber(least, most uint16) func(*madcap.Message) {
	return func(m *madcap.Message) { m.Addresses = madcap.NumberOfAddresses{Min: least, Desired: most} }
}

func srvRanges(texts ...string) func(*madcap.Message) {
	return func(m *madcap.Message) {
		m.Ranges.Present = true
		for _, text := range texts {
			r, err := scope.ParseRange(text)
			if err != nil {
				panic(err)
			}
			m.Ranges.Value = append(m.Ranges.Value, r)
		}
	}
}

func srvFeatures(supported, requested, required []madcap.Feature) func(*madcap.Message) {
	return func(m *madcap.Message) {
		m.Features = madcap.Some(madcap.FeatureList{Supported: supported, Requested: requested, Required: required})
	}
}

// srvPatience offers Retry After.
var srvPatience = srvFeatures([]madcap.Feature{madcap.RetryAfter}, nil, nil)

// srvCase is a test of one requirement.
type srvCase struct {
	id     string // the requirement, and after a slash which side of it
	change func(*madcap.ServerConfig)
	run    func(*testing.T, *srvRig)
}

func runSrvCases(t *testing.T, cases []srvCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.id, func(t *testing.T) {
			r := newSrvRig(t, c.change)
			c.run(t, r)
		})
	}
}

// expect compares two values.
func srvEqual[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// leased puts the server into the state of the test's name: the Lease
// Identifier is held, leased, deferred, or leased with a deferred RENEW.
func (r *srvRig) state(name string) {
	r.t.Helper()
	const xid = 0xf000
	switch name {
	case "NONE":
	case "HELD":
		r.multicast(srvDiscover(xid))
		r.offer()
	case "LEASED", "LEASED+":
		r.unicast(srvRequest(xid+1, srvFor(2*time.Hour)))
		r.ack(madcap.TypeRequest)
		if name == "LEASED+" {
			r.alloc.Later = func(now time.Time, _ *madcap.Ask) time.Time { return now.Add(10 * time.Minute) }
			r.unicast(srvRenew(xid+2, srvPatience, srvFor(3*time.Hour)))
			if m := r.ack(madcap.TypeRenew); !m.Deferred() {
				r.t.Fatal("RENEW not put off")
			}
			r.alloc.Later = nil
		}
	case "DEFERRED":
		r.alloc.Later = func(now time.Time, _ *madcap.Ask) time.Time { return now.Add(10 * time.Minute) }
		r.unicast(srvRequest(xid+3, srvPatience))
		if m := r.ack(madcap.TypeRequest); !m.Deferred() {
			r.t.Fatal("REQUEST not put off")
		}
		r.alloc.Later = nil
	default:
		panic(fmt.Sprintf("no state %q", name))
	}
	r.asks = r.asks[:0]
	if got := r.stateName(); got != name {
		r.t.Fatalf("state %s instead of %s", got, name)
	}
}

// stateName tells the state of the Lease Identifier of the tests.
func (r *srvRig) stateName() string {
	id := string(srvLease)
	r.alloc.Tick(r.now)
	snap := r.s.Snapshot(r.now)
	held := slices.ContainsFunc(snap.Holds, func(h madcap.ServerHold) bool { return string(h.ID) == id })
	at := slices.IndexFunc(snap.Deferred, func(d madcap.ServerDeferral) bool { return string(d.ID) == id })
	_, reserved := r.alloc.Offers[id]
	_, leased := r.alloc.Leases[id]
	switch {
	case held != reserved:
		r.t.Fatalf("held by the server %v, reserved by the allocator %v", held, reserved)
	case at >= 0 != r.alloc.PutOffs[id]:
		r.t.Fatalf("deferred by the server %v, by the allocator %v", at >= 0, r.alloc.PutOffs[id])
	case held:
		return "HELD"
	case at >= 0 && snap.Deferred[at].Type == madcap.TypeRenew && leased:
		return "LEASED+"
	case at >= 0 && !leased:
		return "DEFERRED"
	case leased:
		return "LEASED"
	}
	return "NONE"
}
