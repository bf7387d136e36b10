// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"testing"

	"github.com/mcastalloc/malloc/madcap"
)

// benchPackets are the golden packets worth timing: the richest request, a
// lease in IPv4 and in IPv6, a scope list, a refusal.
var benchPackets = []string{"e3", "ack-request-ten", "e10", "ack-getinfo-ipv6", "e13"}

// BenchmarkDecode reads a packet into a message that is used again.
func BenchmarkDecode(b *testing.B) {
	for _, name := range benchPackets {
		in := packet(b, name)
		b.Run(name, func(b *testing.B) {
			var m madcap.Message
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

// BenchmarkAppend writes a message into a buffer that is used again.
func BenchmarkAppend(b *testing.B) {
	for _, name := range benchPackets {
		in := packet(b, name)
		b.Run(name, func(b *testing.B) {
			var m madcap.Message
			if err := m.Decode(in); err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, 0, 2048)
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				if _, err := m.AppendBinary(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkValidate judges a message.
func BenchmarkValidate(b *testing.B) {
	for _, g := range goldens() {
		if g.name != "e3" && g.name != "ack-request-ten" {
			continue
		}
		b.Run(g.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := g.msg.Validate(g.answers, g.multicast); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
