// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// verbs are all ways to begin a transaction.
var verbs = []struct {
	name  string
	reply madcap.MessageType // that ends it, or for a DISCOVER carries it on
	start func(r *clientRig) madcap.Handle
}{
	{"MADCAP-2.2.1-6/GETINFO by unicast", madcap.TypeAck, func(r *clientRig) madcap.Handle {
		return r.must(r.c.GetInfo(r.now, serverAt, infoAsk()))
	}},
	{"MADCAP-2.2.1-6/GETINFO by multicast", madcap.TypeAck, func(r *clientRig) madcap.Handle {
		return r.must(r.c.GetInfo(r.now, groupAt, infoAsk()))
	}},
	{"MADCAP-2.2.2-5/DISCOVER", madcap.TypeOffer, func(r *clientRig) madcap.Handle {
		return r.must(r.c.Allocate(r.now, groupAt, ask()))
	}},
	{"MADCAP-2.2.4-12/REQUEST", madcap.TypeAck, func(r *clientRig) madcap.Handle {
		return r.must(r.c.Request(r.now, serverAt, ask()))
	}},
	{"MADCAP-2.2.7-7/RENEW", madcap.TypeAck, func(r *clientRig) madcap.Handle {
		return r.must(r.c.Renew(r.now, serverAt, knownLease()))
	}},
	{"MADCAP-2.2.8-4/RELEASE", madcap.TypeAck, func(r *clientRig) madcap.Handle {
		return r.must(r.c.Release(r.now, serverAt, knownLease()))
	}},
}

// TestClientRetransmits is RFC 2730 section 2.3 for every message: sent at t,
// t+4, t+12 and t+28, given up at t+60, always the same octets to the same
// place.
func TestClientRetransmits(t *testing.T) {
	for _, v := range verbs {
		t.Run(v.name, func(t *testing.T) {
			r := newClientRig(t, nil)
			h := v.start(r)
			for _, id := range []string{"MADCAP-2.3-1", "MADCAP-2.3-3", "MADCAP-B-8", "MADCAP-2.1.4-5", "LEASE-W-8"} {
				t.Run(id, func(t *testing.T) { r.t = t; r.checkCopies() })
			}
			r.at(60*time.Second - 1)
			r.wantOpen()
			r.at(60 * time.Second)
			t.Run("MADCAP-2.3-4", func(t *testing.T) {
				if d := r.wantDone(); d.Handle != h || !errors.Is(d.Err, madcap.ErrNoAnswer) || len(d.Answers) > 0 {
					t.Errorf("ended with %+v, want ErrNoAnswer for handle %d", d, h)
				}
				if _, ok := r.c.Deadline(); ok {
					t.Error("a timer runs on")
				}
			})
			if s := r.c.Stats(); s.Resent != 3 || s.GivenUp != 1 {
				t.Errorf("counters: %+v", s)
			}
		})
	}
}

// checkCopies runs to just before the end and checks the four copies.
func (r *clientRig) checkCopies() {
	r.t.Helper()
	r.at(60*time.Second - 1)
	want := []time.Duration{0, 4 * time.Second, 12 * time.Second, 28 * time.Second}
	if len(r.sent) != len(want) {
		r.t.Fatalf("%d copies:\n%s", len(r.sent), r.transcript())
	}
	for i, s := range r.sent {
		if s.at.Sub(clientStart) != want[i] || s.To != r.sent[0].To || !bytes.Equal(s.Packet, r.sent[0].Packet) {
			r.t.Errorf("copy %d at +%v to %v: %x", i, s.at.Sub(clientStart), s.To, s.Packet)
		}
	}
}

// TestClientStopsResending: an answer ends the retransmissions at once.
func TestClientStopsResending(t *testing.T) {
	for _, v := range verbs {
		t.Run(v.name, func(t *testing.T) {
			r := newClientRig(t, func(c *madcap.ClientConfig) { c.First = true })
			v.start(r)
			r.at(5 * time.Second)
			r.receive(serverAt, r.answer(v.reply, nil))
			if v.reply == madcap.TypeOffer {
				r.receive(serverAt, r.answer(madcap.TypeAck, nil))
			}
			if d := r.wantDone(); d.Err != nil || len(d.Answers) != 1 || d.Answers[0].From != serverAt {
				t.Errorf("ended with %+v", d)
			}
			n := len(r.sent)
			r.at(5 * time.Minute)
			r.wantOpen()
			if len(r.sent) != n {
				t.Errorf("sent after the end:\n%s", r.transcript())
			}
		})
	}
}

// TestClientLateAdvance: a driver that sleeps too long sends no burst.
func TestClientLateAdvance(t *testing.T) {
	r := newClientRig(t, nil)
	r.must(r.c.Request(r.now, serverAt, ask()))
	r.now = clientStart.Add(30 * time.Second) // all three are overdue
	r.c.Advance(r.now)
	r.drain()
	r.wantTranscript("+0s REQUEST xid+0 to 198.51.100.1:2535\n+30s REQUEST xid+0 to 198.51.100.1:2535")
	r.at(59 * time.Second)
	r.wantTranscript("+0s REQUEST xid+0 to 198.51.100.1:2535\n+30s REQUEST xid+0 to 198.51.100.1:2535\n" +
		"+38s REQUEST xid+0 to 198.51.100.1:2535\n+54s REQUEST xid+0 to 198.51.100.1:2535")
	r.at(60 * time.Second)
	r.wantDone()
}

// TestClientDelays: the delays can be configured (MADCAP-2.3-2), but they back
// off, and the last copy comes before the end.
func TestClientDelays(t *testing.T) {
	s := time.Second
	t.Run("MADCAP-2.3-2", func(t *testing.T) {
		r := newClientRig(t, func(c *madcap.ClientConfig) { c.Retransmit, c.GiveUp = []time.Duration{s, 2 * s}, 10*s })
		r.must(r.c.Request(r.now, serverAt, ask()))
		r.at(9 * s)
		if len(r.sent) != 3 || r.sent[1].at != clientStart.Add(s) || r.sent[2].at != clientStart.Add(3*s) {
			t.Error(r.transcript())
		}
		r.at(10 * s)
		r.wantDone()
	})
	t.Run("MADCAP-B-4", func(t *testing.T) { // sent once, given up when told to
		r := newClientRig(t, func(c *madcap.ClientConfig) { c.Retransmit, c.GiveUp = []time.Duration{}, 7*s })
		r.must(r.c.Renew(r.now, serverAt, knownLease()))
		r.at(7*s - 1)
		r.wantOpen()
		r.at(7 * s)
		r.wantDone()
		if len(r.sent) != 1 {
			t.Error(r.transcript())
		}
	})
	for name, change := range map[string]func(*madcap.ClientConfig){
		"MADCAP-2.3-1/shrinking":       func(c *madcap.ClientConfig) { c.Retransmit = []time.Duration{4 * s, 2 * s} },
		"MADCAP-2.3-1/zero":            func(c *madcap.ClientConfig) { c.Retransmit = []time.Duration{0} },
		"copies after the end":         func(c *madcap.ClientConfig) { c.GiveUp = 28 * s },
		"end after every cache":        func(c *madcap.ClientConfig) { c.GiveUp = 301 * s },
		"end in the past":              func(c *madcap.ClientConfig) { c.GiveUp = -s },
		"no randomness":                func(c *madcap.ClientConfig) { c.Rand = nil },
		"MADCAP-B-2/as long as a hold": func(c *madcap.ClientConfig) { c.DiscoverDelay = 60 * s },
		"MADCAP-2.2.2-8/too long":      func(c *madcap.ClientConfig) { c.DiscoverDelay = time.Hour },
		"jitter":                       func(c *madcap.ClientConfig) { c.Jitter = 0.6 },
		"negative jitter":              func(c *madcap.ClientConfig) { c.Jitter = -0.1 },
		"hop limit":                    func(c *madcap.ClientConfig) { c.HopLimit = 256 },
		"negative hop limit":           func(c *madcap.ClientConfig) { c.HopLimit = -1 },
		"no transactions":              func(c *madcap.ClientConfig) { c.MaxTransactions = -1 },
		"no answers":                   func(c *madcap.ClientConfig) { c.MaxAnswers = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := madcap.ClientConfig{Rand: rand.New(rand.NewPCG(1, 2))}
			change(&cfg)
			if _, err := madcap.NewClient(cfg); !errors.Is(err, madcap.ErrConfig) {
				t.Errorf("error %v, want ErrConfig", err)
			}
		})
	}
}

// TestClientJitter: none unless switched on, then at most the fraction, and the
// end stays where it is (MADCAP-D-48).
func TestClientJitter(t *testing.T) {
	t.Run("MADCAP-D-48", func(t *testing.T) {
		varied := false
		for seed := range uint64(50) {
			r := newClientRig(t, func(c *madcap.ClientConfig) { c.Jitter, c.Rand = 0.1, rand.New(rand.NewPCG(seed, 0)) })
			r.must(r.c.Request(r.now, serverAt, ask()))
			r.at(60*time.Second - 1)
			r.wantOpen()
			if len(r.sent) != 4 {
				t.Fatalf("seed %d:\n%s", seed, r.transcript())
			}
			for i, nominal := range []time.Duration{4 * time.Second, 8 * time.Second, 16 * time.Second} {
				delay := r.sent[i+1].at.Sub(r.sent[i].at)
				if delay < nominal*9/10 || delay > nominal*11/10 {
					t.Errorf("seed %d: delay %d is %v", seed, i, delay)
				}
				varied = varied || delay != nominal
			}
			r.at(60 * time.Second)
			r.wantDone()
		}
		if !varied {
			t.Error("no delay differs from the nominal one")
		}
	})
}

// TestClientXIDs: the first is random, each new message has the next one.
func TestClientXIDs(t *testing.T) {
	t.Run("MADCAP-2.1.4-3", func(t *testing.T) {
		r := newClientRig(t, nil)
		for range 3 {
			r.must(r.c.Request(r.now, serverAt, ask()))
		}
		r.wantTranscript("+0s REQUEST xid+0 to 198.51.100.1:2535\n+0s REQUEST xid+1 to 198.51.100.1:2535\n+0s REQUEST xid+2 to 198.51.100.1:2535")
	})
	t.Run("MADCAP-2.1.4-2", func(t *testing.T) {
		xids, ids := map[uint32]bool{}, map[string]bool{}
		for seed := range uint64(1000) {
			r := newClientRig(t, func(c *madcap.ClientConfig) { c.Rand = rand.New(rand.NewPCG(seed, 7)) })
			r.must(r.c.Request(r.now, serverAt, ask()))
			m := r.message(0)
			xids[m.XID], ids[string(m.LeaseIdentifier)] = true, true
		}
		if len(xids) < 990 || len(ids) != 1000 {
			t.Errorf("%d xids and %d identifiers of 1000 clients", len(xids), len(ids))
		}
	})
	t.Run("MADCAP-2.1.4-1", func(t *testing.T) { // one lease renewed again and again: the triple never repeats
		r := newClientRig(t, nil)
		seen := map[uint32]bool{}
		for range 100 {
			r.must(r.c.Renew(r.now, serverAt, knownLease()))
			m := r.message(-1)
			if seen[m.XID] {
				t.Fatalf("xid %d again", m.XID)
			}
			seen[m.XID] = true
			r.receive(serverAt, r.answer(madcap.TypeAck, nil))
			r.wantDone()
		}
	})
}

// TestClientReplay: the same calls have the same effects.
func TestClientReplay(t *testing.T) {
	play := func() string {
		r := newClientRig(t, func(c *madcap.ClientConfig) { c.Jitter = 0.1 })
		for i := range 40 {
			verbs[i%len(verbs)].start(r)
			r.c.Cancel(r.now, madcap.Handle(i/2))
			r.drain()
			r.at(time.Duration(i) * time.Second)
		}
		r.at(5 * time.Minute)
		return r.transcript()
	}
	if a, b := play(), play(); a != b {
		t.Errorf("first:\n%ssecond:\n%s", a, b)
	}
}

// TestClientLimit: transactions are bounded, and room comes back.
func TestClientLimit(t *testing.T) {
	r := newClientRig(t, func(c *madcap.ClientConfig) { c.MaxTransactions = 3 })
	for range 3 {
		r.must(r.c.Release(r.now, serverAt, knownLease()))
	}
	if _, err := r.c.GetInfo(r.now, groupAt, infoAsk()); !errors.Is(err, madcap.ErrBusy) {
		t.Fatalf("error %v, want ErrBusy", err)
	}
	r.receive(serverAt, r.answer(madcap.TypeAck, nil))
	r.must(r.c.GetInfo(r.now, groupAt, infoAsk()))
}

// TestClientHopLimit: multicast goes out with a TTL of 16, unicast with the
// system's.
func TestClientHopLimit(t *testing.T) {
	for _, v := range []struct {
		name string
		to   netip.AddrPort
		set  int
		want int
	}{
		{"MADCAP-B-9", groupAt, 0, 16},
		{"MADCAP-2.10-3", netip.AddrPortFrom(madcap.DefaultServerGroup(madcap.FamilyIPv6), madcap.Port), 0, 16},
		{"MADCAP-2.7-3", netip.AddrPortFrom(madcap.DefaultServerGroup(madcap.FamilyIPv4), madcap.Port), 0, 16},
		{"MADCAP-2.8-2", groupAt, 3, 3},
		{"unicast", serverAt, 3, 0},
	} {
		t.Run(v.name, func(t *testing.T) {
			r := newClientRig(t, func(c *madcap.ClientConfig) { c.HopLimit = v.set })
			r.must(r.c.GetInfo(r.now, v.to, infoAsk()))
			r.at(time.Minute - 1)
			for _, s := range r.sent {
				if s.HopLimit != v.want || s.To != v.to {
					t.Errorf("sent to %v with hop limit %d, want %v with %d", s.To, s.HopLimit, v.to, v.want)
				}
			}
		})
	}
}
