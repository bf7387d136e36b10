// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/xcast"
)

var (
	epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	left  = xcast.Neighbour{Interface: 1, Addr: netip.MustParseAddr("192.0.2.2")}
	right = xcast.Neighbour{Interface: 2, Addr: netip.MustParseAddr("192.0.2.3")}
)

func prober(t *testing.T, change func(*xcast.ProberConfig)) *xcast.Prober {
	t.Helper()
	c := xcast.ProberConfig{Rand: rand.New(rand.NewPCG(1, 2))}
	if change != nil {
		change(&c)
	}
	p, err := xcast.NewProber(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// drain returns the effects as text and the nonces of the pings.
func drain(p *xcast.Prober) (text string, nonces []xcast.Nonce) {
	var lines []string
	for e := range p.Effects() {
		switch e := e.(type) {
		case xcast.Ping:
			lines, nonces = append(lines, fmt.Sprint("ping ", e.Neighbour.Addr)), append(nonces, e.Nonce)
		case xcast.CapabilityChange:
			lines = append(lines, fmt.Sprint(e.Neighbour.Addr, " capable ", e.Capable))
		}
	}
	return strings.Join(lines, "; "), nonces
}

// TestProber walks one neighbour through its states: XCAST-11.2-3.
func TestProber(t *testing.T) {
	p := prober(t, nil)
	if err := p.Add(epoch, left); err != nil {
		t.Fatal(err)
	}
	text, nonces := drain(p)
	if text != "ping 192.0.2.2" || p.Capable(left) {
		t.Fatalf("XCAST-11.2-3: %s, capable %v before any answer", text, p.Capable(left))
	}
	if at, ok := p.Deadline(); !ok || !at.Equal(epoch.Add(3*time.Second)) {
		t.Errorf("XCAST-11.2-3: answer awaited until %v", at)
	}
	now := epoch.Add(time.Second)
	if !p.Receive(now, nonces[0][:]) || !p.Capable(left) {
		t.Error("XCAST-11.2-3: one answer did not make it capable")
	}
	if text, _ := drain(p); text != "192.0.2.2 capable true" {
		t.Errorf("XCAST-11.2-3: %s", text)
	}
	if p.Receive(now, nonces[0][:]) {
		t.Error("XCAST-11.2-4: an answer was taken twice")
	}
	var all []string
	for len(all) < 5 { // no more answers
		at, _ := p.Deadline()
		if !at.After(now) {
			t.Fatalf("no progress at %v", now)
		}
		now = at
		p.Advance(now)
		if text, _ := drain(p); text != "" {
			all = append(all, text)
		}
	}
	want := []string{"ping 192.0.2.2", "ping 192.0.2.2", "ping 192.0.2.2", "192.0.2.2 capable false", "ping 192.0.2.2"}
	if !slices.Equal(all, want) || p.Capable(left) {
		t.Errorf("XCAST-11.2-3: three missed pings gave %q", all)
	}
}

// TestProberMissesInARow: an answer between starts the count anew, and the
// interval is varied by a quarter. XCAST-11.2-3.
func TestProberMissesInARow(t *testing.T) {
	p := prober(t, nil)
	_ = p.Add(epoch, left)
	_, nonces := drain(p)
	now := epoch
	p.Receive(now, nonces[0][:])
	drain(p)
	last := now
	for round := range 60 {
		var ping []xcast.Nonce
		for len(ping) == 0 {
			now, _ = p.Deadline()
			p.Advance(now)
			var text string
			if text, ping = drain(p); strings.Contains(text, "false") {
				t.Fatalf("XCAST-11.2-3: round %d: %s", round, text)
			}
		}
		if gap := now.Sub(last); gap < 7500*time.Millisecond || gap > 12500*time.Millisecond {
			t.Errorf("XCAST-11.2-3: interval %v", gap)
		}
		last = now
		if round%3 == 2 {
			p.Receive(now, ping[0][:])
		}
	}
}

// TestProberWithoutJitter: XCAST-11.2-3, all of it can be configured.
func TestProberWithoutJitter(t *testing.T) {
	p := prober(t, func(c *xcast.ProberConfig) {
		c.Interval, c.Jitter, c.Timeout, c.Misses = time.Second, -1, time.Second, 1
	})
	_ = p.Add(epoch, left)
	_, nonces := drain(p)
	p.Receive(epoch, nonces[0][:])
	var all []string
	for range 2 {
		at, _ := p.Deadline()
		p.Advance(at)
		text, _ := drain(p)
		all = append(all, fmt.Sprint(at.Sub(epoch), " ", text))
	}
	if want := []string{"1s 192.0.2.2 capable true; ping 192.0.2.2", "2s 192.0.2.2 capable false; ping 192.0.2.2"}; !slices.Equal(all, want) {
		t.Errorf("XCAST-11.2-3: %q", all)
	}
}

// TestProberIgnores: XCAST-11.2-4, unknown content and late answers.
func TestProberIgnores(t *testing.T) {
	p := prober(t, nil)
	_ = p.Add(epoch, left)
	_ = p.Add(epoch, right)
	_, nonces := drain(p)
	for _, payload := range [][]byte{nil, nonces[0][:15], append(nonces[0][:], 0), make([]byte, 16)} {
		if p.Receive(epoch, payload) {
			t.Errorf("XCAST-11.2-4: %x was an answer", payload)
		}
	}
	if p.Receive(epoch.Add(3*time.Second), nonces[0][:]) || p.Capable(left) {
		t.Error("XCAST-11.2-4: an expired ping was answered")
	}
	if text, _ := drain(p); text != "" {
		t.Errorf("XCAST-11.2-4: %s", text)
	}
	p.Remove(left)
	p.Remove(right)
	if _, ok := p.Deadline(); ok {
		t.Error("a deadline without neighbours")
	}
}

// TestProberConfig: limits and bad values.
func TestProberConfig(t *testing.T) {
	p := prober(t, func(c *xcast.ProberConfig) { c.MaxNeighbours = 1 })
	_ = p.Add(epoch, left)
	if err := p.Add(epoch, left); err != nil {
		t.Error("the same neighbour again:", err)
	}
	if err := p.Add(epoch, right); !errors.Is(err, xcast.ErrTooManyNeighbours) {
		t.Error(err)
	}
	source := rand.New(rand.NewPCG(1, 2))
	for _, c := range []xcast.ProberConfig{{}, {Rand: source, Interval: -1}, {Rand: source, Misses: -1}, {Rand: source, Interval: time.Second, Timeout: time.Second}} {
		if _, err := xcast.NewProber(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

// TestPingPacket: XCAST-11.2-2, the packet itself.
func TestPingPacket(t *testing.T) {
	nonce := xcast.Nonce([]byte("0123456789abcdef"))
	for _, own := range []string{"192.0.2.1:777", "[2001:db8::1]:777"} {
		own := netip.MustParseAddrPort(own)
		b, err := xcast.AppendPing(nil, xcast.Experimental(), own, nonce)
		if err != nil {
			t.Fatal(err)
		}
		p := view(t, b)
		proto, segment := p.Transport()
		if p.TTL() != 2 || p.Len() != 1 || p.Address(0) != own.Addr() || p.Source() != own.Addr() || p.StayXcast() || proto != 17 || string(segment[8:]) != string(nonce[:]) {
			t.Errorf("XCAST-11.2-2: %+v", p)
		}
	}
}
