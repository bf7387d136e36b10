// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/aap/aaptest"
	"pgregory.net/rapid"
)

// FuzzDecode holds the law of the codec on any input (AAP-SEC-6): an error and
// an empty message, or a message that is written back as exactly the same
// octets; and no more memory than the input justifies.
func FuzzDecode(f *testing.F) {
	for _, w := range worked {
		f.Add(golden(f, w.name))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		original := bytes.Clone(in)
		var m, back aap.Message
		if err := m.Decode(in); err != nil {
			if d := cmp.Diff(aap.Message{}, m, sameMessage); d != "" {
				t.Fatalf("%x: rejected, but left %s", in, d)
			}
			return
		}
		if n := cap(m.Ranges)*8 + cap(m.Reports)*8 + cap(m.Requests)*4; n > len(in)+64 {
			t.Fatalf("%d octets' worth of entries from %d octets", n, len(in))
		}
		out, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatalf("%x: decoded, but cannot be written: %v", in, err)
		}
		if !bytes.Equal(out, in) || m.Size() != len(in) {
			t.Fatalf("%x: written as %x, Size %d", in, out, m.Size())
		}
		if err := back.Decode(out); err != nil || !cmp.Equal(m, back, sameMessage) {
			t.Fatalf("%x: reads back as %v (%v)", out, back, err)
		}
		if !bytes.Equal(in, original) {
			t.Fatalf("Decode changed its input %x", original)
		}
	})
}

// TestRoundTrip is the other direction of the law: what can be written reads
// back as the same value, into a message that held another one before; and no
// part of a message is a message of the same contents (AAP-D-4).
func TestRoundTrip(t *testing.T) {
	var back, part aap.Message
	rapid.Check(t, func(t *rapid.T) {
		m := aaptest.Message().Draw(t, "message")
		b, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err := back.Decode(b); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(*m, back, sameMessage); d != "" {
			t.Fatal(d)
		}
		if part.Decode(append(b, 0)) == nil {
			t.Fatal("an octet too many was accepted")
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if part.Decode(b[:cut]) == nil && len(m.Ranges) == len(part.Ranges) {
			t.Fatalf("the first %d of %d octets read the same", cut, len(b))
		}
	})
}
