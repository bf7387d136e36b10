// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/madcap/madcaptest"
	"github.com/mcastalloc/malloc/scope"
)

// srvTwin is one of two servers that get the same inputs.
type srvTwin struct {
	s     *madcap.Server
	alloc *madcaptest.Allocator
	open  []*madcap.Ask
}

// take carries out the effects and returns them, the questions' memory copied.
func (w *srvTwin) take(now time.Time) (sends []madcap.Send, asks []madcap.Ask) {
	for e := range w.s.Effects() {
		switch e := e.(type) {
		case *madcap.Send:
			sent := *e
			sent.Packet = bytes.Clone(e.Packet)
			sends = append(sends, sent)
		case *madcap.Ask:
			kept := *e
			kept.ID, kept.Continuation, kept.Ranges = bytes.Clone(e.ID), bytes.Clone(e.Continuation), slices.Clone(e.Ranges)
			asks = append(asks, kept)
			if e.Token == 0 {
				w.alloc.Answer(now, e)
			} else {
				w.open = append(w.open, e)
			}
		}
	}
	return sends, asks
}

// srvKey is what makes two messages retransmissions.
type srvKey struct {
	xid uint32
	typ madcap.MessageType
	id  string
}

func srvKeyOf(m *madcap.Message) srvKey { return srvKey{m.XID, m.Type, string(m.LeaseIdentifier)} }

// srvDone is what became of a message.
type srvDone struct {
	at     time.Time // when it was taken up
	open   bool      // the allocator is being asked
	answer []byte    // nil if there was none
}

// srvMachine drives two servers with the same random inputs and checks what
// must hold after every step.
type srvMachine struct {
	t    *rapid.T
	cfg  madcap.ServerConfig
	now  time.Time
	twin [2]*srvTwin
	past []madcap.Datagram
	done map[srvKey]*srvDone

	waiting map[string]*srvWaiting // by Lease Identifier
}

// srvWaiting is a RELEASE that waits for the answer to another question.
type srvWaiting struct {
	in   *madcap.Message
	from netip.AddrPort
	at   time.Time
}

const srvCacheInterval = 60 * time.Second

func (m *srvMachine) init(t *rapid.T) {
	m.t, m.now, m.done = t, srvStart, make(map[srvKey]*srvDone)
	m.waiting = make(map[string]*srvWaiting)
	m.cfg = srvConfig()
	srvServe6(&m.cfg)
	m.cfg.MaxHolds, m.cfg.MaxDeferred, m.cfg.MaxPending = 2, 2, 3
	m.cfg.NakLimit = rapid.SampledFrom([]int{0, 0, 5}).Draw(t, "NAK limit")
	m.cfg.Secure = rapid.IntRange(0, 9).Draw(t, "secure") == 0
	for i := range m.twin {
		a := madcaptest.NewAllocator(scope.IPv4OrganizationLocal(), 4)
		a.Later = func(now time.Time, ask *madcap.Ask) time.Time {
			if ask.XID%2 == 0 {
				return time.Time{}
			}
			return now.Add(90 * time.Second)
		}
		m.twin[i] = &srvTwin{alloc: a}
	}
	m.restart(madcap.ServerSnapshot{})
}

// restart replaces both servers.
func (m *srvMachine) restart(from madcap.ServerSnapshot) {
	for _, w := range m.twin {
		s, err := madcap.NewServer(m.cfg, from)
		if err != nil {
			m.t.Fatal(err)
		}
		w.s, w.open = s, nil
		w.take(m.now)
	}
	clear(m.waiting)
	for key, d := range m.done {
		if d.open { // the question is forgotten, the message may come again
			delete(m.done, key)
		}
	}
}

// datagram draws what a client might send: sensible messages about few leases,
// and now and then anything at all.
func (m *srvMachine) datagram() madcap.Datagram {
	t := m.t
	d := madcap.Datagram{
		From:  rapid.SampledFrom([]netip.AddrPort{srvClient, srvElsewhere}).Draw(t, "from"),
		To:    rapid.SampledFrom([]netip.Addr{srvAddr, srvSecond, srvGroup, srvGroup, {}, netip.MustParseAddr("238.255.255.254")}).Draw(t, "to"),
		Local: srvAddr,
	}
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		d.Payload = madcaptest.Datagram().Draw(t, "datagram")
		return d
	case 1:
		d.Payload = madcaptest.AlmostValid().Draw(t, "flawed").Datagram
		return d
	}
	typ := rapid.SampledFrom([]madcap.MessageType{1, 1, 3, 3, 3, 4, 4, 7, 8}).Draw(t, "type")
	msg := srvMsg(typ, rapid.Uint32Range(1, 4).Draw(t, "xid"), srvID(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "id")))
	if typ == typeRequest {
		msg.ServerIdentifier = madcap.ServerIdentifierOf(rapid.SampledFrom([]netip.Addr{{}, srvAddr, srvSecond, srvOther}).Draw(t, "server"))
	}
	if typ != typeRelease && typ != madcap.TypeGetInfo && rapid.Bool().Draw(t, "times") {
		srvFor(time.Duration(rapid.IntRange(1, 7200).Draw(t, "lease")) * time.Second)(msg)
		srvClock(m.now.Sub(srvStart).Truncate(time.Second))(msg)
		srvFrom(msg.CurrentTime.Sub(srvStart) + time.Duration(rapid.IntRange(-100, 100).Draw(t, "start"))*time.Second)(msg)
	}
	if typ == typeDiscover || typ == typeRequest {
		if n := rapid.Uint16Range(0, 3).Draw(t, "number"); n > 0 {
			srvNumber(1, n)(msg)
		}
	}
	if rapid.Bool().Draw(t, "features") {
		srvPatience(msg)
	}
	if msg.ServerIdentifier.IsZero() {
		msg.ServerIdentifier = madcap.ServerIdentifier{}
	}
	b, err := msg.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	d.Payload = b
	return d
}

// receive gives a datagram to both and checks what comes of it.
func (m *srvMachine) receive(d madcap.Datagram) {
	t := m.t
	// The servers must not rely on the datagram's memory after Receive.
	d0 := d
	ignored := m.twin[0].s.Stats().Ignored
	for i, w := range m.twin {
		d0.Payload = bytes.Clone(d.Payload)
		w.s.Receive(m.now, d0)
		if i == 0 {
			clear(d0.Payload)
		}
	}
	sends, asks := m.compare()
	tokens := 0
	for _, a := range asks {
		if a.Token != 0 {
			tokens++
		}
	}
	if len(sends)+tokens > 1 || len(asks)-tokens > 1 {
		t.Fatalf("%d answers, %d questions, %d notices for one datagram", len(sends), tokens, len(asks)-tokens)
	}
	in := new(madcap.Message)
	err := in.Decode(d.Payload)
	if silent := in.Type == madcap.TypeNak || len(in.LeaseIdentifier) == 0; silent && len(sends)+len(asks) > 0 {
		t.Fatalf("a reaction to what must be ignored: %x", d.Payload)
	}
	key := srvKeyOf(in)
	was := m.done[key]
	if was != nil && !m.now.Before(was.at.Add(srvCacheInterval)) && !was.open {
		was = nil
	}
	if tokens == 1 {
		if was != nil && (was.open || was.answer != nil) {
			t.Fatalf("%v executed twice", key)
		}
		m.done[key] = &srvDone{at: m.now, open: true}
	}
	if len(sends) == 0 {
		if in.Type == typeRelease && tokens == 0 && m.twin[0].s.Stats().Ignored == ignored {
			if m.waiting[key.id] != nil || len(asks) > 0 {
				t.Fatalf("nothing became of %v", key)
			}
			m.waiting[key.id] = &srvWaiting{in: in, from: d.From, at: m.now}
			m.done[key] = &srvDone{at: m.now, open: true}
		}
		return
	}
	if sends[0].To != d.From {
		t.Fatalf("answer to %v goes to %v", d.From, sends[0].To)
	}
	if was != nil && was.answer != nil {
		if !bytes.Equal(was.answer, sends[0].Packet) {
			t.Fatalf("%v is answered %x, before %x", key, sends[0].Packet, was.answer)
		}
		return
	}
	m.checkAnswer(in, err, sends[0])
	out := new(madcap.Message)
	if err := out.Decode(sends[0].Packet); err != nil {
		t.Fatal(err)
	}
	promise := out.Type == madcap.TypeOffer || out.Type == madcap.TypeAck && in.Type != madcap.TypeGetInfo
	switch {
	case promise && !(in.Type == typeRelease && len(asks) == 1 && asks[0].Op == madcap.OpCancel):
		t.Fatalf("%v before the allocator was asked", out.Type)
	case in.Type.FromClient():
		m.done[key] = &srvDone{at: m.now, answer: sends[0].Packet}
	}
}

// checkAnswer checks an answer against what it answers.
func (m *srvMachine) checkAnswer(in *madcap.Message, bad error, sent madcap.Send) {
	t := m.t
	out := new(madcap.Message)
	if err := out.Decode(sent.Packet); err != nil {
		t.Fatalf("answer %x: %v", sent.Packet, err)
	}
	if err := out.Validate(in.Type, false); err != nil {
		t.Fatalf("answer %x: %v", sent.Packet, err)
	}
	if out.XID != in.XID || out.Family != in.Family || !bytes.Equal(out.LeaseIdentifier, in.LeaseIdentifier) {
		t.Fatalf("answer %x does not repeat %x", sent.Packet, in.LeaseIdentifier)
	}
	if bad == nil && in.Type.FromClient() && in.Features.Present && !out.Features.Present {
		t.Fatalf("answer %x without Feature List", sent.Packet)
	}
	if bad != nil && out.Type != madcap.TypeNak {
		t.Fatalf("%v to a malformed message", out.Type)
	}
}

// resolve answers an open question of both.
func (m *srvMachine) resolve(i int, o func(*srvTwin, *madcap.Ask) madcap.Outcome) {
	var a *madcap.Ask
	for _, w := range m.twin {
		a = w.open[i]
		w.open = slices.Delete(w.open, i, i+1)
	}
	in := &madcap.Message{Type: 0, XID: a.XID, Family: a.Family, LeaseIdentifier: bytes.Clone(a.ID)}
	in.Type = map[madcap.Op]madcap.MessageType{madcap.OpOffer: 1, madcap.OpAllocate: 3, madcap.OpChange: 4, madcap.OpRelease: 7}[a.Op]
	from := a.From
	for _, w := range m.twin {
		w.s.Resolve(m.now, a.Token, o(w, a))
	}
	sends, asks := m.compare()
	// Besides the answer there may be a RELEASE that waited: its question, or if
	// it is about what is put off, its answer.
	release := m.waiting[string(in.LeaseIdentifier)]
	delete(m.waiting, string(in.LeaseIdentifier))
	for _, a := range asks {
		if a.Token == 0 {
			if a.Op == madcap.OpCancel && release != nil {
				last := sends[len(sends)-1]
				sends = sends[:len(sends)-1]
				m.check(release.in, last, release.from)
				m.done[srvKeyOf(release.in)] = &srvDone{at: release.at, answer: last.Packet}
			}
			continue
		}
		if a.Op != madcap.OpRelease || release == nil || a.XID != release.in.XID {
			m.t.Fatalf("%v after an answer of the allocator", a.Op)
		}
		m.done[srvKeyOf(release.in)] = &srvDone{at: release.at, open: true}
	}
	if len(sends) > 1 {
		m.t.Fatalf("%d answers after an answer of the allocator", len(sends))
	}
	d := m.done[srvKeyOf(in)]
	d.open = false
	if len(sends) == 0 {
		delete(m.done, srvKeyOf(in))
		return
	}
	d.answer = sends[0].Packet
	if !m.now.Before(d.at.Add(srvCacheInterval)) {
		delete(m.done, srvKeyOf(in)) // too old to be remembered
	}
	m.check(in, sends[0], from)
}

// check checks an answer and where it goes.
func (m *srvMachine) check(in *madcap.Message, sent madcap.Send, from netip.AddrPort) {
	m.checkAnswer(in, nil, sent)
	if sent.To != from {
		m.t.Fatalf("answer to %v goes to %v", from, sent.To)
	}
}

// compare takes the effects of both, which must be the same, and checks the
// limits.
func (m *srvMachine) compare() ([]madcap.Send, []madcap.Ask) {
	sends, asks := m.twin[0].take(m.now)
	sends1, asks1 := m.twin[1].take(m.now)
	if a, b := fmt.Sprintf("%+v %+v", sends, asks), fmt.Sprintf("%+v %+v", sends1, asks1); a != b {
		m.t.Fatalf("the same inputs had different effects:\n%s\n%s", a, b)
	}
	snap := m.twin[0].s.Snapshot(m.now)
	if len(snap.Holds) > m.cfg.MaxHolds || len(snap.Deferred) > m.cfg.MaxDeferred || len(m.twin[0].open) > m.cfg.MaxPending {
		m.t.Fatalf("%d holds, %d deferrals, %d questions", len(snap.Holds), len(snap.Deferred), len(m.twin[0].open))
	}
	seen := make(map[string]bool)
	for _, a := range m.twin[0].open {
		if seen[string(a.ID)] {
			m.t.Fatalf("two open questions about %q", a.ID)
		}
		seen[string(a.ID)] = true
	}
	return sends, asks
}

// Whatever clients send, however late the allocator answers and whenever the
// server restarts: what must hold holds after every step.
func TestServerProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := new(srvMachine)
		m.init(t)
		t.Repeat(map[string]func(*rapid.T){
			"new message": func(t *rapid.T) {
				m.t = t
				d := m.datagram()
				m.past = append(m.past, d)
				m.receive(d)
			},
			"old message": func(t *rapid.T) {
				m.t = t
				if len(m.past) == 0 {
					t.Skip()
				}
				d := rapid.SampledFrom(m.past).Draw(t, "again")
				d.From = rapid.SampledFrom([]netip.AddrPort{srvClient, srvElsewhere}).Draw(t, "from")
				m.receive(d)
			},
			"resolve": func(t *rapid.T) {
				m.t = t
				n := len(m.twin[0].open)
				if n == 0 {
					t.Skip()
				}
				kind := rapid.IntRange(0, 9).Draw(t, "outcome")
				m.resolve(rapid.IntRange(0, n-1).Draw(t, "question"), func(w *srvTwin, a *madcap.Ask) madcap.Outcome {
					switch kind {
					case 0:
						return madcap.Outcome{Silent: true}
					case 1:
						return madcap.Outcome{Granted: true} // not even a scope
					case 2:
						return madcap.Outcome{RetryTime: m.now.Add(time.Minute)}
					}
					return w.alloc.Answer(m.now, a)
				})
			},
			"wait": func(t *rapid.T) {
				m.t = t
				m.now = m.now.Add(time.Duration(rapid.IntRange(0, 100_000).Draw(t, "ms")) * time.Millisecond)
				for _, w := range m.twin {
					w.s.Advance(m.now)
					if at, ok := w.s.Deadline(); ok && !at.After(m.now) {
						t.Fatalf("deadline %v, not after %v", at, m.now)
					}
				}
				m.compare()
			},
			"restart": func(t *rapid.T) {
				m.t = t
				m.restart(m.twin[0].s.Snapshot(m.now))
			},
		})
	})
}
