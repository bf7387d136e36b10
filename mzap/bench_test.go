// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/scope"
)

// TestCodecAllocs: decoding into a reused message and appending to a reused
// buffer allocate nothing, for every worked message.
func TestCodecAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	var m mzap.Message
	buf := make([]byte, 0, 1500)
	for _, w := range worked {
		in := golden(t, w.name)
		allocs := testing.AllocsPerRun(100, func() {
			if err := m.Decode(in); err != nil {
				t.Fatal(err)
			}
			if _, err := m.AppendBinary(buf); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", w.name, allocs)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, w := range worked {
		b.Run(w.name, func(b *testing.B) {
			in := golden(b, w.name)
			var m mzap.Message
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				if err := m.Decode(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, w := range worked {
		b.Run(w.name, func(b *testing.B) {
			buf := make([]byte, 0, 1500)
			b.ReportAllocs()
			b.SetBytes(int64(w.msg.Size()))
			for b.Loop() {
				if _, err := w.msg.AppendBinary(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRouterReceive is what a datagram costs a boundary router: one that it
// relays over three boundaries, one that it knows already, and a ZCM.
func BenchmarkRouterReceive(b *testing.B) {
	encode := func(m *mzap.Message) []byte {
		out, err := m.MarshalBinary()
		if err != nil {
			b.Fatal(err)
		}
		return out
	}
	for _, c := range []struct {
		name   string
		packet []byte
		wait   time.Duration
	}{
		{"relayed", encode(zam(scopeY, "10.0.1.9")), time.Minute},
		{"duplicate", encode(zam(scopeY, "10.0.1.9")), 0},
		{"ZCM", encode(zcm(scopeX, "10.0.1.9", "10.0.1.7", "10.0.1.8")), 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			g := newRig(b)
			now := g.now
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(c.wait)
				if err := g.r.Receive(now, mzap.Packet{Interface: 1, Payload: c.packet}); err != nil {
					b.Fatal(err)
				}
				for range g.r.Effects() {
				}
			}
		})
	}
}

// BenchmarkRouterFlood is a flood of forged ZAMs, each for another scope: every
// table is full.
func BenchmarkRouterFlood(b *testing.B) {
	g := newRig(b)
	m := zam(scopeY, "10.0.1.9")
	b.ReportAllocs()
	n := 0
	var packet []byte
	for b.Loop() {
		n++
		first := netip.AddrFrom4([4]byte{239, byte(n >> 8 & 63), byte(n), 0})
		m.Range = scope.Single(first)
		var err error
		if packet, err = m.AppendBinary(packet[:0]); err != nil {
			b.Fatal(err)
		}
		if err := g.r.Receive(g.now.Add(time.Duration(n)), mzap.Packet{Interface: 1, Payload: packet}); err != nil {
			b.Fatal(err)
		}
		for range g.r.Effects() {
		}
	}
}
