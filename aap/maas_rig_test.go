// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

var (
	small4 = scope.MustRange("239.255.0.0", "239.255.255.255")
	group4 = netip.MustParseAddr("239.255.255.248")
	x1     = scope.MustSet("239.255.0.1")
)

// server drives one MAAS by hand.
type server struct {
	t *testing.T
	*aap.MAAS
	cfg  aap.MAASConfig
	now  time.Time
	sent []aap.Message
	news []aap.Effect
	// persists counts what was asked to be stored.
	persists int
}

// newServer returns a MAAS of the Local Scope that has just finished to listen,
// configured by change. It keeps no pool.
func newServer(t *testing.T, seed uint64, change func(*aap.MAASConfig)) *server {
	t.Helper()
	s := startServer(t, seed, nil, change)
	s.until(200)
	s.sent, s.news, s.persists = nil, nil, 0
	return s
}

// startServer returns one that has just started, at base.
func startServer(t *testing.T, seed uint64, from aap.Snapshot, change func(*aap.MAASConfig)) *server {
	t.Helper()
	cfg := configOf(seed, change)
	m, err := aap.NewMAAS(cfg, from)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, MAAS: m, cfg: cfg, now: at(0)}
	s.Start(s.now)
	s.collect()
	return s
}

// configOf returns the configuration of a server without a pool.
func configOf(seed uint64, change func(*aap.MAASConfig)) aap.MAASConfig {
	cfg := aap.MAASConfig{
		Scope: small4, Group: group4, Self: []netip.AddrPort{selfAddr}, MaxPool: -1, Rand: rand.New(rand.NewPCG(seed, 3)),
	}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

// asaOf returns a new ASA of a coordinator so many seconds after base, valid for
// two minutes.
func asaOf(seconds float64, space ...aap.TimedRange) aap.Message {
	now := at(int64(seconds))
	return aap.Message{Type: aap.ASA, CurrentTime: now, Expiration: now.Add(2 * time.Minute), Ranges: space}
}

// hears reports whether a message of a type names all of the addresses.
func hears(list []aap.Message, typ aap.Type, addrs scope.Set) bool {
	return slices.ContainsFunc(list, func(m aap.Message) bool { return m.Type == typ && aap.Addrs(m.Ranges).Covers(addrs) })
}

// large makes it one of the global scope.
func large(cfg *aap.MAASConfig) {
	cfg.Scope, cfg.Group, cfg.Large, cfg.Sole = global4, groupOf4, true, true
}

// collect carries out the effects.
func (s *server) collect() {
	s.t.Helper()
	stage := 0
	for x := range s.Effects() {
		switch x := x.(type) {
		case aap.Persist:
			if stage > 0 || s.persists < 0 {
				s.t.Fatal("stored after something was sent")
			}
			s.persists++
		case aap.Send:
			stage = max(stage, 1)
			var m aap.Message
			if err := m.UnmarshalBinary(x.Packet); err != nil || x.Group != s.cfg.Group {
				s.t.Fatalf("AAP-2-1: sent %x to %v: %v", x.Packet, x.Group, err)
			}
			s.sent = append(s.sent, m)
		default:
			stage = 2
			s.news = append(s.news, x)
		}
	}
}

// until lets time pass, event by event, up to so many seconds after base.
func (s *server) until(seconds float64) {
	s.t.Helper()
	end := at(0).Add(time.Duration(seconds * float64(time.Second)))
	for {
		due, ok := s.Deadline()
		if !ok || due.After(end) {
			break
		}
		if due.Before(s.now) {
			due = s.now
		}
		s.now = due
		s.Advance(s.now)
		s.collect()
	}
	s.now = end
	s.Advance(s.now)
	s.collect()
}

// after lets seconds pass.
func (s *server) after(seconds float64) { s.until(s.now.Sub(at(0)).Seconds() + seconds) }

// hear passes a message on.
func (s *server) hear(from netip.AddrPort, m aap.Message) {
	s.t.Helper()
	if m.CurrentTime.IsZero() {
		m.CurrentTime = s.now.Truncate(time.Second)
	}
	if m.Family == 0 {
		m.Family = aap.FamilyOf(s.cfg.Scope.First())
	}
	b, err := m.MarshalBinary()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.Receive(s.now, aap.Datagram{From: from, To: s.cfg.Group, Payload: b}); err != nil {
		s.t.Fatal(err)
	}
	s.collect()
}

// names returns a message about addresses until so many seconds after base.
func names(t aap.Type, rseq uint32, addrs scope.Set, end int64) aap.Message {
	m := aap.Message{Type: t, RSeq: rseq}
	for r := range addrs.Ranges() {
		m.Ranges = append(m.Ranges, aap.TimedRange{Range: r, End: at(end)})
	}
	return m
}

// allocate asks for addresses and fails if that is refused.
func (s *server) allocate(w aap.Want) {
	s.t.Helper()
	if err := s.Allocate(s.now, w); err != nil {
		s.t.Fatal(err)
	}
	s.collect()
}

// own claims particular addresses until an end and waits until they are granted.
func (s *server) own(token aap.Token, addrs scope.Set, end int64) {
	s.t.Helper()
	s.allocate(aap.Want{Token: token, Addrs: addrs, End: at(end)})
	s.after(10)
	if a, ok := s.Allocation(token); !ok || !a.Addrs.Equal(addrs) {
		s.t.Fatalf("got %v of %v", a, addrs)
	}
}

// take returns what was sent since the last call, in short.
func (s *server) take() string {
	var b strings.Builder
	for _, m := range s.sent {
		fmt.Fprintf(&b, "%v %v %d/%d %v; ", m.CurrentTime.Sub(at(0)).Seconds(), m.Type, m.RSeq, m.MSeq, aap.Addrs(m.Ranges))
	}
	s.sent = nil
	return strings.TrimSuffix(b.String(), "; ")
}

// says fails unless just this was sent since the last call.
func (s *server) says(want string) {
	s.t.Helper()
	if got := s.take(); got != want {
		s.t.Errorf("sent %s\nwant %s", got, want)
	}
}

// told returns the news since the last call.
func (s *server) told() (news []aap.Effect) {
	news, s.news = s.news, nil
	return slices.DeleteFunc(news, func(x aap.Effect) bool { _, ok := x.(aap.Available); return ok })
}
