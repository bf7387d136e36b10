// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// offerRetry lets a server put the lease off.
func offerRetry(m *madcap.Message) *madcap.Message {
	m.Features = supports(madcap.RetryAfter)
	return m
}

// TestClientDeferral plays RFC 2730 section 2.13.2: put off, asked again, put
// off again, granted.
func TestClientDeferral(t *testing.T) {
	r := newClientRig(t, func(c *madcap.ClientConfig) { c.First = true })
	wanted := offerRetry(ask())
	wanted.MaxStartTime = unix(1800000000)
	r.must(r.c.Allocate(r.now, groupAt, wanted))
	r.receive(serverAt, r.answer(madcap.TypeOffer, nil))
	first := r.message(-1)
	r.at(time.Second)
	// The server's clock is 100 s ahead of ours; it wants us to wait 1000 s.
	r.receive(serverAt, r.answer(madcap.TypeAck, func(m *madcap.Message) {
		deferring(m)
		m.CurrentTime, m.RetryTime = unix(1700000101), unix(1700001101)
	}))
	d := r.wantDone()
	start, end := d.Period()
	if d.Err != nil || !start.IsZero() || !end.IsZero() {
		t.Fatalf("ended with %+v", d)
	}
	t.Run("MADCAP-D-56", func(t *testing.T) {
		if !start.IsZero() {
			t.Errorf("a lease has begun: %v", start)
		}
	})
	t.Run("immune to skew", func(t *testing.T) {
		if want := clientStart.Add(1001 * time.Second); !d.RetryAt.Equal(want) {
			t.Errorf("retry at %v, want %v", d.RetryAt, want)
		}
	})
	r.at(1001 * time.Second)
	r.must(r.c.Request(r.now, d.Answers[0].From, d.Request))
	t.Run("MADCAP-2.13.2-4", func(t *testing.T) {
		again := r.message(-1)
		if r.sent[len(r.sent)-1].To != serverAt || again.XID == first.XID || !bytes.Equal(again.LeaseIdentifier, first.LeaseIdentifier) {
			t.Errorf("%+v to %v", again, r.sent[len(r.sent)-1].To)
		}
		if !again.CurrentTime.Equal(r.now) || first.CurrentTime.Equal(again.CurrentTime) {
			t.Errorf("Current Time %v at %v", again.CurrentTime, r.now)
		}
		again.XID, again.CurrentTime = first.XID, first.CurrentTime
		if a, _ := again.AppendBinary(nil); !bytes.Equal(a, r.sent[1].Packet) {
			t.Errorf("options differ:\n%x\n%x", a, r.sent[1].Packet)
		}
	})
	t.Run("MADCAP-2.13.2-5", func(t *testing.T) {
		r.receive(serverAt, r.answer(madcap.TypeAck, func(m *madcap.Message) {
			deferring(m)
			m.CurrentTime, m.RetryTime = unix(1700001101), unix(1700001101) // at once
		}))
		d = r.wantDone()
		if !d.RetryAt.Equal(r.now) {
			t.Errorf("retry at %v, want %v", d.RetryAt, r.now)
		}
		r.must(r.c.Request(r.now, d.Answers[0].From, d.Request))
		r.receive(serverAt, r.answer(madcap.TypeAck, nil))
		if d = r.wantDone(); d.Err != nil || !d.RetryAt.IsZero() {
			t.Errorf("ended with %+v", d)
		}
	})
	t.Run("MADCAP-2.13.2-7", func(t *testing.T) { // the same for RENEW
		r.must(r.c.Renew(r.now, serverAt, offerRetry(knownLease())))
		r.receive(serverAt, r.answer(madcap.TypeAck, deferring))
		d := r.wantDone()
		if d.Err != nil || !d.RetryAt.Equal(r.now.Add(1000*time.Second)) {
			t.Fatalf("ended with %+v", d)
		}
		r.must(r.c.Renew(r.now, d.Answers[0].From, d.Request))
		r.receive(serverAt, r.answer(madcap.TypeAck, nil))
		if d = r.wantDone(); d.Err != nil {
			t.Error(d.Err)
		}
	})
	t.Run("MADCAP-2.13.2-6", func(t *testing.T) { // given up
		r.must(r.c.Release(r.now, serverAt, &madcap.Message{Family: madcap.FamilyIPv4, LeaseIdentifier: first.LeaseIdentifier}))
		r.receive(serverAt, r.answer(madcap.TypeAck, nil))
		r.wantDone()
	})
	t.Run("MADCAP-2.13.2-10", func(t *testing.T) { // what was offered once is not offered for ever
		r.must(r.c.Request(r.now, serverAt, ask()))
		if m := r.message(-1); m.Names(madcap.RetryAfter) {
			t.Errorf("sent %+v", m)
		}
	})
}

// TestClientPeriod: where a lease without Start Time begins.
func TestClientPeriod(t *testing.T) {
	t.Run("MADCAP-D-44", func(t *testing.T) { // with the first copy, though the second was answered
		r := newClientRig(t, nil)
		m := ask()
		m.StartTime = unix(1700000500)
		r.must(r.c.Request(r.now, serverAt, m))
		r.at(6 * time.Second)
		r.receive(serverAt, r.answer(madcap.TypeAck, nil))
		start, end := r.wantDone().Period()
		if !start.Equal(clientStart) || !end.Equal(clientStart.Add(time.Hour)) {
			t.Errorf("from %v to %v", start, end)
		}
	})
	t.Run("MADCAP-2.2.5-3", func(t *testing.T) { // whatever start was asked for
		r := newClientRig(t, nil)
		m := knownLease()
		m.StartTime = unix(1700000500)
		r.must(r.c.Renew(r.now, serverAt, m))
		r.receive(serverAt, r.answer(madcap.TypeAck, nil))
		if start, _ := r.wantDone().Period(); !start.Equal(clientStart) {
			t.Errorf("from %v", start)
		}
	})
	t.Run("no lease", func(t *testing.T) {
		r := newClientRig(t, nil)
		r.must(r.c.Release(r.now, serverAt, knownLease()))
		r.receive(serverAt, r.answer(madcap.TypeAck, nil))
		if start, end := r.wantDone().Period(); !start.IsZero() || !end.IsZero() {
			t.Errorf("from %v to %v", start, end)
		}
	})
}

// wantRelease checks that the i-th packet is a lone RELEASE of id.
func (r *clientRig) wantRelease(i int, to netip.AddrPort, id madcap.LeaseIdentifier) {
	r.t.Helper()
	m := r.message(i)
	if m.Type != madcap.TypeRelease || !bytes.Equal(m.LeaseIdentifier, id) || r.sent[i].To != to || m.XID == r.message(0).XID {
		r.t.Errorf("packet %d is %+v to %v, want a RELEASE to %v", i, m, r.sent[i].To, to)
	}
}

// TestClientAbandons: a REQUEST whose fate is unknown is followed by one
// RELEASE.
func TestClientAbandons(t *testing.T) {
	t.Run("MADCAP-D-35/unicast", func(t *testing.T) {
		r := newClientRig(t, nil)
		r.must(r.c.Request(r.now, serverAt, ask()))
		id := r.message(0).LeaseIdentifier
		r.at(time.Hour)
		r.wantDone()
		if len(r.sent) != 5 || !r.sent[4].at.Equal(clientStart.Add(time.Minute)) {
			t.Fatal(r.transcript())
		}
		r.wantRelease(4, serverAt, id)
	})
	t.Run("MADCAP-D-35/after DISCOVER", func(t *testing.T) { // to the chosen server, by unicast
		r := newClientRig(t, func(c *madcap.ClientConfig) { c.First = true })
		r.must(r.c.Allocate(r.now, groupAt, ask()))
		id := r.message(0).LeaseIdentifier
		r.offer(secondAt, nil)
		r.at(time.Hour)
		if d := r.wantDone(); !errors.Is(d.Err, madcap.ErrNoAnswer) || d.Request.Type != madcap.TypeRequest {
			t.Errorf("ended with %+v", d)
		}
		if len(r.sent) != 6 {
			t.Fatal(r.transcript())
		}
		r.wantRelease(5, secondAt, id)
	})
	t.Run("MADCAP-D-45/no answer", func(t *testing.T) { // to the one that answered wrongly, too
		r := newClientRig(t, nil)
		r.must(r.c.Request(r.now, serverAt, ask()))
		id := r.message(0).LeaseIdentifier
		r.receive(secondAt, r.answer(madcap.TypeAck, func(m *madcap.Message) { m.Scope = ip("239.191.0.0") }))
		r.at(time.Hour)
		r.wantDone()
		if len(r.sent) != 6 {
			t.Fatal(r.transcript())
		}
		r.wantRelease(4, serverAt, id)
		r.wantRelease(5, secondAt, id)
	})
	t.Run("MADCAP-D-45/then a NAK", func(t *testing.T) {
		r := newClientRig(t, nil)
		r.must(r.c.Request(r.now, serverAt, ask()))
		id := r.message(0).LeaseIdentifier
		nak := r.answer(madcap.TypeNak, nil)
		r.receive(serverAt, r.answer(madcap.TypeAck, func(m *madcap.Message) { m.Ranges = blocks("239.192.0.1", "239.192.0.2") }))
		r.receive(serverAt, nak)
		r.wantDone()
		if len(r.sent) != 2 {
			t.Fatal(r.transcript())
		}
		r.wantRelease(1, serverAt, id)
	})
	t.Run("MADCAP-3.17-6 MADCAP-2.2.4-13", func(t *testing.T) { // a NAK alone is clear; the next try is a new message
		r := newClientRig(t, nil)
		r.must(r.c.Request(r.now, serverAt, ask()))
		r.receive(serverAt, r.answer(madcap.TypeNak, nil))
		var nak *madcap.NakError
		if d := r.wantDone(); !errors.As(d.Err, &nak) {
			t.Errorf("ended with %v", d.Err)
		}
		r.at(time.Minute)
		r.must(r.c.Request(r.now, secondAt, ask()))
		r.wantTranscript("+0s REQUEST xid+0 to 198.51.100.1:2535\n+1m0s REQUEST xid+1 to 198.51.100.2:2535")
		if bytes.Equal(r.message(0).LeaseIdentifier, r.message(1).LeaseIdentifier) {
			t.Error("same Lease Identifier at another server")
		}
	})
	t.Run("nothing to release", func(t *testing.T) {
		for _, v := range verbs {
			if v.name == "MADCAP-2.2.4-12/REQUEST" {
				continue
			}
			r := newClientRig(t, nil)
			v.start(r)
			r.at(time.Hour)
			if len(r.sent) != 4 {
				t.Errorf("%s:\n%s", v.name, r.transcript())
			}
		}
	})
}

// TestClientNak: for a unicast message the NAK is the end.
func TestClientNak(t *testing.T) {
	for _, v := range verbs {
		r := newClientRig(t, nil)
		h := v.start(r)
		if r.sent[0].To == groupAt {
			continue // see TestClientNakToMulticast
		}
		t.Run("MADCAP-3.17-4/"+v.name, func(t *testing.T) {
			r.t = t
			r.receive(serverAt, r.answer(madcap.TypeNak, func(m *madcap.Message) {
				m.Error = madcap.Some(madcap.ErrorOption{Code: 1024, Extra: []byte("data")})
			}))
			var nak *madcap.NakError
			d := r.wantDone()
			if d.Handle != h || !errors.As(d.Err, &nak) || nak.Reason.Code != 1024 || string(nak.Reason.Extra) != "data" || nak.Server.Addr != serverAt.Addr() {
				t.Errorf("ended with %+v", d)
			}
			r.at(time.Hour)
			if len(r.sent) != 1 || r.c.Stats().Refused != 1 {
				t.Errorf("counters %+v:\n%s", r.c.Stats(), r.transcript())
			}
		})
	}
}

// TestClientCancel: nothing is heard of a cancelled transaction, and no lease
// is left behind.
func TestClientCancel(t *testing.T) {
	for _, v := range verbs {
		t.Run("MADCAP-2.3-5/"+v.name, func(t *testing.T) {
			r := newClientRig(t, nil)
			h := v.start(r)
			late := r.answer(v.reply, nil)
			release, ok := r.c.Cancel(r.now, h)
			r.drain()
			if want := v.name == "MADCAP-2.2.4-12/REQUEST"; ok != want || (release != 0) != want {
				t.Fatalf("release %d, %v", release, ok)
			}
			r.receive(serverAt, late)
			r.at(59 * time.Second)
			r.wantOpen()
			if !ok && len(r.sent) != 1 {
				t.Errorf("sent after Cancel:\n%s", r.transcript())
			}
			if s := r.c.Stats(); s.Foreign != 1 || s.Cancelled != 1 {
				t.Errorf("counters %+v", s)
			}
			if _, again := r.c.Cancel(r.now, h); again {
				t.Error("cancelled twice")
			}
		})
	}
	t.Run("LEASE-W-6", func(t *testing.T) { // the REQUEST after a DISCOVER, released until the server says so
		r := newClientRig(t, func(c *madcap.ClientConfig) { c.First = true })
		h := r.must(r.c.Allocate(r.now, groupAt, ask()))
		id := r.message(0).LeaseIdentifier
		r.offer(secondAt, nil)
		r.at(time.Second)
		release, ok := r.c.Cancel(r.now, h)
		r.drain()
		r.at(5 * time.Second)
		if !ok || len(r.sent) != 4 {
			t.Fatal(r.transcript())
		}
		r.wantRelease(2, secondAt, id)
		r.wantRelease(3, secondAt, id)
		r.receive(secondAt, r.answer(madcap.TypeAck, nil))
		if d := r.wantDone(); d.Handle != release || d.Err != nil {
			t.Errorf("ended with %+v", d)
		}
	})
	t.Run("MADCAP-D-45", func(t *testing.T) { // and at the server that answered wrongly
		r := newClientRig(t, nil)
		h := r.must(r.c.Request(r.now, serverAt, ask()))
		id := r.message(0).LeaseIdentifier
		r.receive(secondAt, r.answer(madcap.TypeAck, func(m *madcap.Message) { m.Scope = ip("239.191.0.0") }))
		r.c.Cancel(r.now, h)
		r.drain()
		if len(r.sent) != 3 {
			t.Fatal(r.transcript())
		}
		r.wantRelease(1, secondAt, id)
		r.wantRelease(2, serverAt, id)
	})
	t.Run("unknown handle", func(t *testing.T) {
		r := newClientRig(t, nil)
		if _, ok := r.c.Cancel(r.now, 7); ok || r.c.Stats().Cancelled != 0 {
			t.Error("cancelled what never was")
		}
	})
}

// TestClientStaysInScope: without an answer a client does not try a larger
// scope on its own.
func TestClientStaysInScope(t *testing.T) {
	t.Run("MADCAP-2.11-1", func(t *testing.T) {
		r := newClientRig(t, nil)
		r.must(r.c.Allocate(r.now, groupAt, ask()))
		r.must(r.c.GetInfo(r.now, groupAt, infoAsk()))
		r.at(time.Hour)
		for _, s := range r.sent {
			if s.To != groupAt {
				t.Errorf("sent to %v", s.To)
			}
		}
	})
}

// TestClientMobility: with Server Mobility another server may renew and
// release, the granting one always.
func TestClientMobility(t *testing.T) {
	mobile := madcap.Some(madcap.FeatureList{Required: []madcap.Feature{madcap.ServerMobility}})
	t.Run("MADCAP-2.13.1-1", func(t *testing.T) { // in the DISCOVER and in the REQUEST
		r := newClientRig(t, func(c *madcap.ClientConfig) { c.First = true })
		m := ask()
		m.Features = mobile
		r.must(r.c.Allocate(r.now, groupAt, m))
		r.receive(serverAt, r.answer(madcap.TypeOffer, nil))
		for i := range 2 {
			if l := r.message(i).Features.Value; !slices.Contains(l.Required, madcap.ServerMobility) || !slices.Contains(l.Supported, madcap.ServerMobility) {
				t.Errorf("message %d has %+v", i, l)
			}
		}
	})
	for _, v := range []struct {
		name string
		to   netip.AddrPort
		with madcap.Opt[madcap.FeatureList]
	}{
		{"MADCAP-2.13.1-2", serverAt, madcap.Opt[madcap.FeatureList]{}},
		{"MADCAP-2.13.1-3", secondAt, mobile},
	} {
		t.Run(v.name, func(t *testing.T) {
			r := newClientRig(t, nil)
			for _, verb := range []madcap.MessageType{madcap.TypeRenew, madcap.TypeRelease} {
				m := knownLease()
				m.ServerIdentifier, m.Features = server("198.51.100.1"), v.with
				r.must(r.verb(verb, v.to, m))
				if sent := r.message(-1); !sent.ServerIdentifier.IsZero() || sent.Features.Present != v.with.Present {
					t.Errorf("sent %+v", sent)
				}
				r.receive(v.to, r.answer(madcap.TypeAck, func(m *madcap.Message) { m.ServerIdentifier = madcap.ServerIdentifierOf(v.to.Addr()) }))
				if d := r.wantDone(); d.Err != nil {
					t.Error(d.Err)
				}
			}
		})
	}
}
