// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/masc/masctest"
)

// TestSecondTakesOver: when the connection a speaker has opened breaks before a
// collision is settled, the one it has accepted is the session, and takes the
// back-off with it (MASC-D-54, MASC-10.1-6).
func TestSecondTakesOver(t *testing.T) {
	id := masc.NumberID
	s, err := masc.NewSpeaker(masc.SpeakerConfig{BootDelay: -1, Node: masc.NodeConfig{Domain: id(1), Node: id(1), Rand: rand.New(rand.NewPCG(1, 1)),
		Peers: []masc.Peer{{Role: masc.Sibling, Domain: id(2)}}}}, masc.Snapshot{})
	if err != nil {
		t.Fatal(err)
	}
	now := masctest.Epoch
	dialled := func() (conn masc.ConnID) {
		for e := range s.Effects() {
			if d, ok := e.(*masc.Dial); ok {
				conn = d.Conn
			}
		}
		return conn
	}
	wait := func() time.Duration {
		at, _ := s.Deadline()
		d := at.Sub(now)
		now = at
		s.Advance(now)
		return d
	}
	garbage := []byte{0, 0, 0, 0}
	s.Start(now)
	for i, want := range []time.Duration{time.Minute, 2 * time.Minute} {
		conn := dialled()
		s.Connected(now, conn)
		s.Receive(now, conn, garbage)
		if got := wait(); got != want {
			t.Errorf("attempt %d is followed by %v, want %v", i, got, want)
		}
	}
	conn := dialled()
	s.Connected(now, conn)
	accepted := s.Accept(now, 0)
	s.Disconnected(now, conn, nil)
	if got := s.State(0); got != masc.OpenSent {
		t.Errorf("the session is in %v, want what the accepted connection is in, OpenSent", got)
	}
	dialled()
	s.Receive(now, accepted, garbage)
	if got := wait(); got != 4*time.Minute {
		t.Errorf("the accepted connection is followed by %v, want 4m", got)
	}
}
