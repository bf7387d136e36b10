// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// offer is what r.answer builds, from another server.
func (r *clientRig) offer(from netip.AddrPort, change func(*madcap.Message)) {
	r.t.Helper()
	r.receive(from, r.answer(madcap.TypeOffer, func(m *madcap.Message) {
		m.ServerIdentifier = madcap.ServerIdentifierOf(from.Addr())
		if change != nil {
			change(m)
		}
	}))
}

// TestClientAllocates plays the worked exchange E3 to E6 and compares every
// octet the client sends.
func TestClientAllocates(t *testing.T) {
	e3 := new(madcap.Message)
	if err := e3.Decode(packet(t, "e3")); err != nil {
		t.Fatal(err)
	}
	want := *e3
	want.Order, want.CurrentTime = nil, time.Time{} // the client knows both
	r := newClientRig(t, nil)
	r.must(r.c.Allocate(r.now, groupAt, &want))
	got := r.sent[0].Packet
	copy(got[4:8], packet(t, "e3")[4:8]) // the xid is random
	if !bytes.Equal(got, packet(t, "e3")) {
		t.Errorf("DISCOVER\n%x, want\n%x", got, packet(t, "e3"))
	}

	r = newClientRig(t, nil)
	r.must(r.c.Allocate(r.now, groupAt, &want))
	x := r.message(0).XID
	r.at(time.Second)
	offer := new(madcap.Message)
	if err := offer.Decode(packet(t, "e4")); err != nil {
		t.Fatal(err)
	}
	offer.XID = x
	r.receive(serverAt, offer)
	r.at(5 * time.Second) // the delay of 4 s counts from the OFFER
	r.wantTranscript("+0s DISCOVER xid+0 to 239.255.255.254:2535\n+5s REQUEST xid+1 to 239.255.255.254:2535")
	e5 := packet(t, "e5")
	e5[7] = 0xe2
	check := func(name string, ok bool) {
		t.Run(name, func(t *testing.T) {
			if !ok {
				t.Errorf("REQUEST\n%x, want\n%x", r.sent[1].Packet, e5)
			}
		})
	}
	m := r.message(1)
	check("MADCAP-2.2.4-2", r.sent[1].To == r.sent[0].To)
	check("MADCAP-2.2.4-3", bytes.Equal(m.LeaseIdentifier, e3.LeaseIdentifier))
	check("MADCAP-2.2.4-4", m.ServerIdentifier.Equal(offer.ServerIdentifier))
	check("MADCAP-3.3-4", m.ServerIdentifier.Equal(offer.ServerIdentifier))
	check("MADCAP-D-35", m.XID == x+1)
	check("MADCAP-2.12-3", m.CurrentTime.Equal(clientStart.Add(5*time.Second)))
	octets := bytes.Clone(r.sent[1].Packet)
	copy(octets[4:8], e5[4:8])
	copy(octets[bytes.Index(octets, []byte{0, 11, 0, 4})+4:], []byte{0x65, 0x53, 0xf1, 0x04}) // E5 was sent a second earlier
	check("every octet", bytes.Equal(octets, e5))

	ack := new(madcap.Message)
	if err := ack.Decode(packet(t, "e6")); err != nil {
		t.Fatal(err)
	}
	ack.XID = m.XID
	r.receive(serverAt, ack)
	d := r.wantDone()
	if d.Err != nil || len(d.Answers) != 1 || d.Request.Type != madcap.TypeRequest || !d.Sent.Equal(clientStart.Add(5*time.Second)) {
		t.Fatalf("ended with %+v", d)
	}
	t.Run("MADCAP-3.7-3", func(t *testing.T) { // the lease time counts from the start time
		start, end := d.Period()
		if !start.Equal(unix(1700003600)) || !end.Equal(unix(1700003600+5400)) {
			t.Errorf("lease from %v to %v", start, end)
		}
	})
}

// TestClientDiscoverDelay: the first OFFER stops the retransmissions and starts
// a wait as long as the retransmission delay of that moment.
func TestClientDiscoverDelay(t *testing.T) {
	for _, v := range []struct {
		name         string
		at, want     time.Duration // first OFFER, REQUEST
		copies       int
		delay        time.Duration
		first, never bool
	}{
		{name: "MADCAP-2.2.2-8/first delay", at: time.Second, want: 5 * time.Second, copies: 1},
		{name: "MADCAP-B-2/second delay", at: 5 * time.Second, want: 13 * time.Second, copies: 2},
		{name: "MADCAP-2.2.2-6/third delay", at: 13 * time.Second, want: 29 * time.Second, copies: 3},
		{name: "last delay", at: 40 * time.Second, want: 56 * time.Second, copies: 4},
		{name: "last moment", at: 59 * time.Second, want: 75 * time.Second, copies: 4},
		{name: "configured", at: time.Second, want: 3 * time.Second, copies: 1, delay: 2 * time.Second},
		{name: "MADCAP-2.2.2-7/first", at: time.Second, want: time.Second, copies: 1, first: true},
		{name: "negative", at: time.Second, want: time.Second, copies: 1, delay: -1},
	} {
		t.Run(v.name, func(t *testing.T) {
			r := newClientRig(t, func(c *madcap.ClientConfig) { c.DiscoverDelay, c.First = v.delay, v.first })
			r.must(r.c.Allocate(r.now, groupAt, ask()))
			r.at(v.at)
			r.offer(serverAt, nil)
			if v.want > v.at {
				r.at(v.want - 1)
				if len(r.sent) != v.copies {
					t.Fatal(r.transcript())
				}
			}
			r.at(v.want)
			if len(r.sent) != v.copies+1 || r.message(-1).Type != madcap.TypeRequest {
				t.Error(r.transcript())
			}
		})
	}
}

// TestClientChooses: the OFFERs that came in time compete.
func TestClientChooses(t *testing.T) {
	later := func(m *madcap.Message) { m.StartTime, m.CurrentTime = unix(1700005000), unix(1700000000) }
	many := func(first, last string) func(*madcap.Message) {
		return func(m *madcap.Message) { m.Ranges = blocks(first, last) }
	}
	lasting := func(s int64) func(*madcap.Message) { return func(m *madcap.Message) { m.LeaseTime = seconds(s) } }
	for _, v := range []struct {
		name   string
		offers []func(*madcap.Message) // of the servers 1, 2, 3
		choose func(*madcap.Message, []madcap.Answer) int
		want   netip.AddrPort
	}{
		{"first of equals", []func(*madcap.Message){nil, nil, nil}, nil, serverAt},
		{"longest lease", []func(*madcap.Message){lasting(100), lasting(3000), lasting(2999)}, nil, secondAt},
		{"most addresses", []func(*madcap.Message){lasting(4000), many("239.192.0.1", "239.192.0.3"), many("239.192.0.1", "239.192.0.4")}, nil, serverAt},
		{"fewer addresses", []func(*madcap.Message){many("239.192.0.1", "239.192.0.2"), many("239.192.0.1", "239.192.0.3"), later}, nil, secondAt},
		{"earliest start", []func(*madcap.Message){later, later, many("239.192.0.1", "239.192.0.2")}, nil, thirdAt},
		{"MADCAP-2.2.2-7/caller", []func(*madcap.Message){nil, nil, nil}, func(*madcap.Message, []madcap.Answer) int { return 2 }, thirdAt},
	} {
		t.Run(v.name, func(t *testing.T) {
			r := newClientRig(t, func(c *madcap.ClientConfig) { c.Choose = v.choose })
			m := ask()
			m.Addresses = madcap.NumberOfAddresses{Min: 2, Desired: 4}
			r.must(r.c.Allocate(r.now, groupAt, m))
			for i, from := range []netip.AddrPort{serverAt, secondAt, thirdAt} {
				r.at(time.Duration(i) * time.Second)
				r.offer(from, v.offers[i])
			}
			r.at(4 * time.Second)
			if got := r.message(-1); got.Type != madcap.TypeRequest || got.ServerIdentifier.Addr != v.want.Addr() {
				t.Errorf("%v to %v, want a REQUEST to %v", got.Type, got.ServerIdentifier, v.want)
			}
		})
	}
	t.Run("first", func(t *testing.T) { // no choice
		r := newClientRig(t, func(c *madcap.ClientConfig) {
			c.First = true
			c.Choose = func(*madcap.Message, []madcap.Answer) int { return -1 }
		})
		r.must(r.c.Allocate(r.now, groupAt, ask()))
		r.offer(serverAt, nil)
		if r.message(-1).Type != madcap.TypeRequest {
			t.Error(r.transcript())
		}
	})
	t.Run("none", func(t *testing.T) {
		r := newClientRig(t, func(c *madcap.ClientConfig) {
			c.Choose = func(*madcap.Message, []madcap.Answer) int { return -1 }
		})
		r.must(r.c.Allocate(r.now, groupAt, ask()))
		r.offer(serverAt, nil)
		r.at(4 * time.Second)
		if d := r.wantDone(); !errors.Is(d.Err, madcap.ErrNoOffer) || len(r.sent) != 1 {
			t.Errorf("ended with %v:\n%s", d.Err, r.transcript())
		}
	})
}

// TestClientManyServers: one OFFER a server, and no more than there is room
// for.
func TestClientManyServers(t *testing.T) {
	var got int
	r := newClientRig(t, func(c *madcap.ClientConfig) {
		c.MaxAnswers = 5
		c.Choose = func(_ *madcap.Message, offers []madcap.Answer) int { got = len(offers); return 0 }
	})
	r.must(r.c.Allocate(r.now, groupAt, ask()))
	for i := range 20 {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i / 2)}), 2535)
		r.offer(at, nil)
	}
	r.at(4 * time.Second)
	if got != 5 || r.c.Stats().Surplus != 15 {
		t.Errorf("%d offers, counters %+v", got, r.c.Stats())
	}
}

// TestClientNakToMulticast is decision MADCAP-D-30: a NAK ends the
// retransmissions, but another server's answer may still come.
func TestClientNakToMulticast(t *testing.T) {
	for _, v := range []struct {
		name  string
		start func(r *clientRig)
		reply madcap.MessageType
	}{
		{"DISCOVER", func(r *clientRig) { r.must(r.c.Allocate(r.now, groupAt, ask())) }, madcap.TypeOffer},
		{"GETINFO", func(r *clientRig) { r.must(r.c.GetInfo(r.now, groupAt, infoAsk())) }, madcap.TypeAck},
	} {
		t.Run("MADCAP-D-30/"+v.name+"/nothing better", func(t *testing.T) {
			r := newClientRig(t, nil)
			v.start(r)
			r.at(5 * time.Second) // in the second delay, which ends at 12 s
			r.receive(serverAt, r.answer(madcap.TypeNak, nil))
			r.receive(secondAt, r.answer(madcap.TypeNak, func(m *madcap.Message) { m.ServerIdentifier = server("198.51.100.2") }))
			r.at(12*time.Second - 1)
			r.wantOpen()
			r.at(12 * time.Second)
			var nak *madcap.NakError
			if d := r.wantDone(); !errors.As(d.Err, &nak) || nak.From != serverAt || nak.Server.Addr != serverAt.Addr() || nak.Reason.Code != madcap.CodeNotCompleted {
				t.Errorf("ended with %v", d.Err)
			}
			r.at(time.Minute)
			if len(r.sent) != 2 {
				t.Errorf("sent after the NAK:\n%s", r.transcript())
			}
		})
		t.Run("MADCAP-D-30/"+v.name+"/good answer", func(t *testing.T) {
			r := newClientRig(t, nil)
			v.start(r)
			r.receive(secondAt, r.answer(madcap.TypeNak, nil))
			r.at(3 * time.Second)
			r.receive(serverAt, r.answer(v.reply, nil))
			r.at(7 * time.Second)
			if v.reply == madcap.TypeOffer {
				r.receive(serverAt, r.answer(madcap.TypeAck, nil))
			}
			if d := r.wantDone(); d.Err != nil {
				t.Errorf("ended with %v", d.Err)
			}
		})
		t.Run("MADCAP-3.17-5/"+v.name, func(t *testing.T) {
			r := newClientRig(t, nil)
			v.start(r)
			r.receive(secondAt, r.answer(madcap.TypeNak, nil))
			r.at(time.Minute)
			if len(r.sent) != 1 {
				t.Errorf("sent after the NAK:\n%s", r.transcript())
			}
		})
	}
}

// TestClientCollectsInfo is decision MADCAP-D-49: a multicast GETINFO gathers
// the ACKs that come within a retransmission delay of the first one.
func TestClientCollectsInfo(t *testing.T) {
	r := newClientRig(t, nil)
	r.must(r.c.GetInfo(r.now, groupAt, infoAsk()))
	r.at(5 * time.Second)
	for i, from := range []netip.AddrPort{serverAt, secondAt, serverAt, thirdAt} {
		r.at(time.Duration(5+i) * time.Second)
		r.receive(from, r.answer(madcap.TypeAck, func(m *madcap.Message) { m.ServerIdentifier = madcap.ServerIdentifierOf(from.Addr()) }))
	}
	r.at(13*time.Second - 1)
	r.wantOpen()
	r.at(13 * time.Second)
	t.Run("MADCAP-D-49", func(t *testing.T) {
		d := r.wantDone()
		if len(d.Answers) != 3 || d.Answers[0].From != serverAt || d.Answers[1].From != secondAt || d.Answers[2].From != thirdAt {
			t.Errorf("answers %+v", d.Answers)
		}
		if len(r.sent) != 2 {
			t.Errorf("sent after the first ACK:\n%s", r.transcript())
		}
	})
	t.Run("MADCAP-2.2.1-1", func(t *testing.T) { // one server: the first ACK is all
		r := newClientRig(t, nil)
		r.must(r.c.GetInfo(r.now, serverAt, infoAsk()))
		r.receive(serverAt, r.answer(madcap.TypeAck, nil))
		if d := r.wantDone(); d.Err != nil || r.sent[0].To != serverAt || r.sent[0].HopLimit != 0 {
			t.Errorf("ended with %+v:\n%s", d, r.transcript())
		}
	})
	t.Run("MADCAP-2.9-1 MADCAP-2.2.2-1", func(t *testing.T) { // whoever answers can be asked by unicast next
		r := newClientRig(t, func(c *madcap.ClientConfig) { c.First = true })
		r.must(r.c.GetInfo(r.now, groupAt, infoAsk()))
		r.receive(serverAt, r.answer(madcap.TypeAck, nil))
		r.must(r.c.Request(r.now, r.wantDone().Answers[0].From, ask()))
		r.receive(serverAt, r.answer(madcap.TypeAck, nil))
		if d := r.wantDone(); d.Err != nil {
			t.Error(d.Err)
		}
	})
}
