// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"testing"

	"github.com/mcastalloc/malloc/mzap"
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
