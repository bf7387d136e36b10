// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/mzap/mzaptest"
	"pgregory.net/rapid"
)

// FuzzDecode holds the law of the codec on any input: an error, or a message
// that can be written and reads back the same; and no more memory than the
// input justifies.
func FuzzDecode(f *testing.F) {
	for _, w := range worked {
		f.Add(golden(f, w.name))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		original := bytes.Clone(in)
		var m, back mzap.Message
		if err := m.Decode(in); err != nil {
			return
		}
		if n := len(m.Names) + len(m.Path) + len(m.Routers); n > len(in) {
			t.Fatalf("%d list entries from %d octets", n, len(in))
		}
		out, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatalf("%x: decoded, but cannot be written: %v", in, err)
		}
		if len(out) != len(in) || len(out) != m.Size() {
			t.Fatalf("%x: written as %d octets, Size %d, read from %d", in, len(out), m.Size(), len(in))
		}
		if err := back.Decode(out); err != nil {
			t.Fatalf("%x: written as %x: %v", in, out, err)
		}
		if d := cmp.Diff(m, back, sameMessage); d != "" {
			t.Fatalf("%x: %s", in, d)
		}
		if !bytes.Equal(in, original) {
			t.Fatalf("Decode changed its input %x", original)
		}
	})
}

// TestRoundTrip is the other direction of the law: what can be written reads
// back as the same value, into a message that held another one before.
func TestRoundTrip(t *testing.T) {
	var back mzap.Message
	rapid.Check(t, func(t *rapid.T) {
		m := mzaptest.Message().Draw(t, "message")
		b, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := back.Decode(b); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(*m, back, sameMessage); d != "" {
			t.Fatal(d)
		}
		again, err := back.AppendBinary(nil)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("written as %x, then as %x (%v)", b, again, err)
		}
		for i := range b {
			if back.Decode(b[:i]) == nil {
				t.Fatalf("the first %d of %d octets were accepted", i, len(b))
			}
		}
	})
}
