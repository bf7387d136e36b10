// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"testing"

	"github.com/mcastalloc/malloc/aap"
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
