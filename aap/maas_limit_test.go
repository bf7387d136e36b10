// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// TestLimits: AAP-D-51, AAP-SEC-7: whatever others send, what is kept of it has a
// limit, and what is our own stays announced and defended.
func TestLimits(t *testing.T) {
	s := newServer(t, 1, func(cfg *aap.MAASConfig) {
		cfg.MaxHeard, cfg.MaxPreallocations, cfg.MaxDefences, cfg.MaxRequests = 100, 10, 10, 10
	})
	s.own(1, x1, 90000)
	s.after(60)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range uint32(3000) {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 9)
		first := rng.IntN(200)
		r := scope.MustRange("239.255.0.0", "239.255.0.255")
		a, _ := r.At(scope.U128(uint64(first)))
		b, _ := r.At(scope.U128(uint64(first + rng.IntN(50))))
		set, _ := scope.ParseSet(a.String() + "-" + b.String())
		s.hear(from, names(aap.Type(rng.IntN(3)), i, set, 80000+int64(i%1000)))
		if i%100 == 0 {
			s.after(0.1)
		}
	}
	if size := len(s.Snapshot()); size > 100*12+10*80+1000 {
		t.Errorf("the record has grown to %d octets", size)
	}
	if s.Stats().Overflows == 0 {
		t.Error("nothing was refused")
	}
	if a, ok := s.Allocation(1); !ok || !a.Addrs.Equal(x1) {
		t.Error("an allocation was given up")
	}
	// With all defences taken, a new claim for what is ours is still answered.
	s.after(2)
	s.sent = nil
	s.hear(otherAddr, names(aap.ACLM, 9999, x1, 9000))
	if !hears(s.sent, aap.AIU, x1) {
		t.Error("AAP-D-51: our own is not defended any more")
	}
	s.sent = nil
	s.after(39)
	if !hears(s.sent, aap.AIU, x1) {
		t.Error("AAP-D-51: our own is not announced any more")
	}
}

// TestDefenceRate: AAP-D-51, at most 40 AIUs at once and 20 a second in defence;
// the others wait, our own first, and none is lost.
func TestDefenceRate(t *testing.T) {
	s := newServer(t, 1, nil)
	var ours scope.Set
	for i := range byte(100) {
		a := scope.MustSet(addrOf(2 * i))
		ours, _ = ours.Union(a)
	}
	s.own(1, ours, 90000)
	s.after(60)
	s.sent = nil
	for i := range uint32(100) {
		s.hear(otherAddr, names(aap.ACLM, i, scope.MustSet(addrOf(byte(2*i))), 9000))
	}
	if n := len(s.sent); n != 40 {
		t.Errorf("%d AIUs at once, want 40", n)
	}
	s.after(0.96)
	if n := len(s.sent); n < 55 || n > 61 {
		t.Errorf("%d AIUs after a second, want about 60", n)
	}
	s.after(200)
	var defended scope.Set
	for _, m := range s.sent {
		if len(m.Ranges) == 1 {
			defended, _ = defended.Union(aap.Addrs(m.Ranges))
		}
	}
	if !defended.Equal(ours) {
		t.Errorf("only %v was defended", defended)
	}
	// A claim for everything is answered in full, in parts.
	s = newServer(t, 1, nil)
	s.own(1, ours, 90000)
	s.after(60)
	s.sent = nil
	s.hear(otherAddr, names(aap.ACLM, 1, scope.MustSet("239.255.0.0/16"), 9000))
	defended = scope.Set{}
	for i, m := range s.sent {
		defended, _ = defended.Union(aap.Addrs(m.Ranges))
		if m.Size() > aap.MaxPayload || m.RSeq != s.sent[0].RSeq || int(m.MSeq) != i {
			t.Errorf("AAP-D-27: %d/%d of %d octets", m.RSeq, m.MSeq, m.Size())
		}
	}
	if !defended.Equal(ours) || len(s.sent) != 3 {
		t.Errorf("AAP-D-27: %d AIUs for %v", len(s.sent), defended)
	}
}

// TestMAASAuthentication: AAP-SEC-1, AAP-2-3, AAP-6-2, AAP-3.2.10.1-15.
func TestMAASAuthentication(t *testing.T) {
	for _, c := range []struct {
		policy        aap.Authentication
		authenticated bool
		aiu, asa      bool
	}{
		{aap.AcceptAll, false, true, true}, {aap.AuthenticatedASA, false, true, false},
		{aap.OnlyAuthenticated, false, false, false}, {aap.OnlyAuthenticated, true, true, true},
	} {
		s := newServer(t, 1, func(cfg *aap.MAASConfig) { large(cfg); cfg.Authentication = c.policy })
		for typ, want := range map[aap.Type]bool{aap.AIU: c.aiu, aap.ASA: c.asa} {
			m := asaOf(200, wide)
			m.Type, m.Family = typ, aap.IPv4
			if typ == aap.AIU {
				m.Expiration = time.Time{}
			}
			b, err := m.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Receive(s.now, aap.Datagram{From: otherAddr, Authenticated: c.authenticated, Payload: b}); err != nil {
				t.Fatal(err)
			}
			if got := s.Stats().Received[typ] == 1; got != want {
				t.Errorf("policy %d, authenticated %v, %v: %v", c.policy, c.authenticated, typ, got)
			}
		}
	}
}

// FuzzMAAS: no row of datagrams, whoever sends them, makes a server panic, send
// what nobody can read, give up what is its own, or ask for an Advance that has
// no end.
func FuzzMAAS(f *testing.F) {
	for _, w := range worked {
		f.Add(append([]byte{0, 10, byte(len(golden(f, w.name)))}, golden(f, w.name)...))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		s := newServer(t, 1, func(cfg *aap.MAASConfig) {
			cfg.Sole, cfg.Large = true, len(in)%2 == 0
			cfg.Pool, cfg.MaxPool, cfg.MaxHeard = 20, 20, 50
		})
		s.hear(otherAddr, func() aap.Message { m := asaOf(200, aap.TimedRange{Range: small4, End: at(90000)}); return m }())
		s.own(1, x1, 80000)
		for len(in) > 3 {
			n := min(int(in[2]), len(in)-3)
			payload := in[3 : 3+n]
			if n >= 12 { // what is fresh is more of a threat
				payload = append([]byte(nil), payload...)
				binary.BigEndian.PutUint32(payload[8:], uint32(s.now.Unix()))
			}
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, in[0] & 3}), 9)
			_ = s.Receive(s.now, aap.Datagram{From: from, Payload: payload})
			s.collect()
			s.after(float64(in[1]) / 8)
			in = in[3+n:]
		}
		if a, ok := s.Allocation(1); !ok || !a.Addrs.Equal(x1) {
			t.Errorf("has %v", a)
		}
		if _, err := aap.NewMAAS(configOf(1, func(cfg *aap.MAASConfig) { cfg.Large = s.cfg.Large }), s.Snapshot()); err != nil {
			t.Error(err)
		}
	})
}
