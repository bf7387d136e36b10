// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// crowded returns a server in 239.0.0.0/8 that knows n ranges allocated, every
// tenth of them its own, and the AIUs of the others.
func crowded(b *testing.B, n int) (m *aap.MAAS, now time.Time, others [][]byte) {
	b.Helper()
	group := netip.MustParseAddr("239.255.255.248")
	m, err := aap.NewMAAS(aap.MAASConfig{
		Scope: scope.MustRange("239.0.0.0", "239.255.255.255"), Group: group, MaxPool: -1, MaxHeard: 1 << 20, MaxWaiting: 1 << 20,
		Rand: rand.New(rand.NewPCG(1, 2)),
	}, nil)
	if err != nil {
		b.Fatal(err)
	}
	now = at(0)
	m.Start(now)
	now = now.Add(200 * time.Second)
	m.Advance(now)
	msg := aap.Message{Type: aap.AIU, Family: aap.IPv4, CurrentTime: now}
	flush := func() {
		if len(msg.Ranges) == 0 {
			return
		}
		packet, err := msg.MarshalBinary()
		if err != nil {
			b.Fatal(err)
		}
		others = append(others, packet)
		if err := m.Receive(now, aap.Datagram{From: otherAddr, Payload: packet}); err != nil {
			b.Fatal(err)
		}
		msg.Ranges = msg.Ranges[:0]
	}
	for i := range n {
		a := netip.AddrFrom4([4]byte{239, byte(i >> 12), byte(i >> 4), byte(i << 4)})
		if i%10 == 0 {
			set, _ := scope.SetOf(scope.Single(a))
			if err := m.Allocate(now, aap.Want{Token: aap.Token(i), Addrs: set, End: at(1 << 30)}); err != nil {
				b.Fatal(err)
			}
			continue
		}
		if msg.Ranges = append(msg.Ranges, aap.TimedRange{Range: scope.Single(a), End: at(1 << 29)}); len(msg.Ranges) == 40 {
			flush()
		}
	}
	flush()
	for range 120 {
		now = now.Add(time.Second)
		m.Advance(now)
		for range m.Effects() {
		}
	}
	return m, now, others
}

var crowds = []int{1_000, 100_000}

// BenchmarkMAASReceiveAIU takes a full AIU that says what is known already, of 40
// ranges.
func BenchmarkMAASReceiveAIU(b *testing.B) {
	for _, n := range crowds {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			m, now, others := crowded(b, n)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := m.Receive(at(200), aap.Datagram{From: otherAddr, Payload: others[i%len(others)]}); err != nil {
					b.Fatal(err)
				}
			}
			_ = now
		})
	}
}

// BenchmarkMAASAllocate claims an address and cancels that.
func BenchmarkMAASAllocate(b *testing.B) {
	for _, n := range crowds {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			m, now, _ := crowded(b, n)
			b.ReportAllocs()
			for b.Loop() {
				if err := m.Allocate(now, aap.Want{Token: 1, Count: 1, End: now.Add(time.Hour)}); err != nil {
					b.Fatal(err)
				}
				if err := m.Release(now, 1); err != nil {
					b.Fatal(err)
				}
				for range m.Effects() {
				}
			}
		})
	}
}

// BenchmarkMAASDefend answers a claim for an address of its own; the rate of
// answers is limited, so most wait.
func BenchmarkMAASDefend(b *testing.B) {
	for _, n := range crowds {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			m, now, _ := crowded(b, n)
			claim := names(aap.ACLM, 1, scope.MustSet("239.0.0.0"), 9000)
			claim.Family = aap.IPv4
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(time.Second)
				claim.CurrentTime = now.Truncate(time.Second)
				claim.RSeq = (claim.RSeq + 1) & 0xffffff
				claim.Ranges[0].End = now.Add(time.Hour).Truncate(time.Second)
				packet, _ := claim.MarshalBinary()
				if err := m.Receive(now, aap.Datagram{From: otherAddr, Payload: packet}); err != nil {
					b.Fatal(err)
				}
				for range m.Effects() {
				}
			}
		})
	}
}

// BenchmarkMAASMinute lets a minute pass, in which all that is its own is
// announced twice.
func BenchmarkMAASMinute(b *testing.B) {
	for _, n := range crowds {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			m, now, _ := crowded(b, n)
			b.ReportAllocs()
			sent := 0
			for b.Loop() {
				for range 60 {
					now = now.Add(time.Second)
					m.Advance(now)
					for x := range m.Effects() {
						if _, ok := x.(aap.Send); ok {
							sent++
						}
					}
				}
			}
			b.ReportMetric(float64(sent)/float64(b.N), "AIUs/op")
		})
	}
}

// BenchmarkMAASSnapshot writes the whole record.
func BenchmarkMAASSnapshot(b *testing.B) {
	for _, n := range crowds {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			m, _, _ := crowded(b, n)
			b.ReportAllocs()
			var size int
			for b.Loop() {
				size = len(m.Snapshot())
			}
			b.ReportMetric(float64(size), "octets")
		})
	}
}
