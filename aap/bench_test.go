// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// fullAIU is a message of 500 octets: 40 ranges of IPv4.
func fullAIU(t testing.TB) []byte {
	m := worked[2].msg.Clone()
	for len(m.Ranges) < aap.MaxRanges(aap.IPv4) {
		m.Ranges = append(m.Ranges, m.Ranges[1])
	}
	b, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestAllocations: reading into a used value and writing into a used buffer
// take no memory, whatever the type.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	var m aap.Message
	buf := make([]byte, 0, 2*aap.MaxPayload)
	packets := [][]byte{fullAIU(t)}
	for _, w := range worked {
		packets = append(packets, golden(t, w.name))
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, b := range packets {
			if err := m.Decode(b); err != nil {
				t.Fatal(err)
			}
			if _, err := m.AppendBinary(buf); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, p := range []struct {
		name   string
		packet []byte
	}{{"AIU40", fullAIU(b)}, {"ACLM1", golden(b, "e1")}, {"ASRP", golden(b, "e9")}} {
		b.Run(p.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(p.packet)))
			var m aap.Message
			for b.Loop() {
				if err := m.Decode(p.packet); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, p := range []struct {
		name   string
		packet []byte
	}{{"AIU40", fullAIU(b)}, {"ACLM1", golden(b, "e1")}, {"ASRP", golden(b, "e9")}} {
		b.Run(p.name, func(b *testing.B) {
			b.ReportAllocs()
			var m aap.Message
			if err := m.Decode(p.packet); err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, 0, m.Size())
			for b.Loop() {
				buf, _ = m.AppendBinary(buf[:0])
			}
		})
	}
}

// BenchmarkChoose claims one address of a /8 in which so many others are
// allocated, all apart from each other.
func BenchmarkChoose(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			var taken scope.SetBuilder
			for i := range n {
				taken.Add(scope.Single(netip.AddrFrom4([4]byte{239, byte(i >> 12), byte(i >> 4), byte(i << 4)})))
			}
			c := aap.Candidates{Space: []aap.TimedRange{tr("239.0.0.0", "239.255.255.255", 9000)}}
			var err error
			if c.Taken, err = taken.Set(); err != nil {
				b.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, 2))
			b.ReportAllocs()
			for b.Loop() {
				if c.Choose(aap.ACLM, 1, at(0), rng).IsEmpty() {
					b.Fatal("nothing")
				}
			}
		})
	}
}
