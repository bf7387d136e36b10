// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// fuzzedClient has one transaction of each kind under way. All draws are fixed,
// so that a seed can name their xids and Lease Identifiers.
func fuzzedClient(t testing.TB) *clientRig {
	r := newClientRig(t, nil)
	for _, v := range verbs {
		v.start(r)
	}
	return r
}

// FuzzClientReceive: no datagram makes a client panic, and one that carries no
// outstanding xid and Lease Identifier, or is no server's, has no effect.
func FuzzClientReceive(f *testing.F) {
	r := fuzzedClient(f)
	for i, v := range verbs {
		r.sent = r.sent[:i+1]
		for _, kind := range []madcap.MessageType{v.reply, madcap.TypeNak} {
			b, err := r.answer(kind, nil).AppendBinary(nil)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
		r = fuzzedClient(f)
	}
	for _, g := range goldens() {
		f.Add(packet(f, g.name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := fuzzedClient(t)
		known := false
		for i := range r.sent {
			m := r.message(i)
			known = known || len(b) >= 12 && binary.BigEndian.Uint32(b[4:]) == m.XID && bytes.Contains(b, m.LeaseIdentifier)
		}
		good := known && b[0] == 0 && (b[1] == 2 || b[1] == 5 || b[1] == 6)
		n := len(r.sent)
		due, _ := r.c.Deadline()
		before := bytes.Clone(b)
		r.receiveOctets(serverAt, b)
		if !bytes.Equal(b, before) {
			t.Fatal("the datagram was written to")
		}
		now, _ := r.c.Deadline()
		if !good && (len(r.sent) > n || len(r.done) > 0 || !now.Equal(due)) {
			t.Fatalf("a foreign datagram had an effect: %x", b)
		}
		clear(b) // nothing of it is kept
		r.at(10 * time.Minute)
		if _, ok := r.c.Deadline(); ok || len(r.done) != len(verbs) {
			t.Fatalf("%d of %d transactions ended", len(r.done), len(verbs))
		}
	})
}

// TestClientReceiveAllocs: a flood of foreign datagrams costs no memory, even
// if it guesses an xid.
func TestClientReceiveAllocs(t *testing.T) {
	r := newClientRig(t, nil)
	r.must(r.c.Request(r.now, serverAt, ask()))
	good := r.answer(madcap.TypeAck, nil)
	datagram := func(change func(*madcap.Message)) []byte {
		m := *good
		change(&m)
		b, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, b := range map[string][]byte{
		"another xid":        datagram(func(m *madcap.Message) { m.XID++ }),
		"another identifier": datagram(func(m *madcap.Message) { m.LeaseIdentifier = knownLease().LeaseIdentifier }),
		"a client's message": datagram(func(m *madcap.Message) { m.Type = madcap.TypeRenew }),
		"an OFFER":           datagram(func(m *madcap.Message) { m.Type = madcap.TypeOffer }),
		"garbage":            []byte("hello"),
		"another scope":      datagram(func(m *madcap.Message) { m.Scope = ip("239.191.0.0") }),
	} {
		if n := testing.AllocsPerRun(100, func() { r.c.Receive(r.now, serverAt, b) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	r.drain()
	r.wantOpen()
}

// BenchmarkClientExchange is a REQUEST and its ACK.
func BenchmarkClientExchange(b *testing.B) {
	c, err := madcap.NewClient(madcap.ClientConfig{Rand: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		b.Fatal(err)
	}
	to, wanted := netip.MustParseAddrPort("198.51.100.1:2535"), ask()
	var in, out madcap.Message
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Request(clientStart, to, wanted); err != nil {
			b.Fatal(err)
		}
		for e := range c.Effects() {
			if s, ok := e.(*madcap.Send); ok {
				if err := in.Decode(s.Packet); err != nil {
					b.Fatal(err)
				}
			}
		}
		out = madcap.Message{Type: madcap.TypeAck, Family: in.Family, XID: in.XID, LeaseIdentifier: in.LeaseIdentifier, Scope: in.Scope,
			ServerIdentifier: madcap.ServerIdentifierOf(to.Addr()), LeaseTime: in.LeaseTime, Ranges: out.Ranges}
		if !out.Ranges.Present {
			out.Ranges = blocks("239.192.0.1", "239.192.0.1")
		}
		if buf, err = out.AppendBinary(buf[:0]); err != nil {
			b.Fatal(err)
		}
		c.Receive(clientStart, to, buf)
		done := 0
		for e := range c.Effects() {
			if _, ok := e.(*madcap.Done); ok {
				done++
			}
		}
		if done != 1 {
			b.Fatal("not granted")
		}
	}
}
