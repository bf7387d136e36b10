// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/madcap/madcaptest"
	"pgregory.net/rapid"
)

// TestRoundTrip writes messages and reads them back into a message that held
// another one: the same value, in the same order, and the same octets again.
func TestRoundTrip(t *testing.T) {
	var back madcap.Message
	check := func(t *rapid.T, m *madcap.Message) {
		b, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := back.Decode(b); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(*m, back, sameMessage); d != "" {
			t.Fatalf("%x (-written +read):\n%s", b, d)
		}
		again, err := back.AppendBinary([]byte("before"))
		if err != nil || !bytes.Equal(again[6:], b) {
			t.Fatalf("written as %x, then as %x (%v)", b, again, err)
		}
	}
	t.Run("any", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) { check(t, madcaptest.Any().Draw(t, "message")) })
	})
	for _, c := range madcaptest.Columns() {
		t.Run(c.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := madcaptest.Valid(c).Draw(t, "message")
				check(t, m)
				if err := back.Validate(c.Answers, c.Multicast); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// TestAlmostValid sees each flaw found, and no other.
func TestAlmostValid(t *testing.T) {
	found := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		f := madcaptest.AlmostValid().Draw(t, "datagram")
		var m madcap.Message
		err := m.Decode(f.Datagram)
		if err == nil {
			err = m.Validate(f.Answers, f.Multicast)
		}
		var e *madcap.Error
		if !errors.As(err, &e) || !errors.Is(err, f.Class) || e.Option != f.Option {
			t.Fatalf("%s: %x: %v, want %v about option %v", f.Requirement, f.Datagram, err, f.Class, f.Option)
		}
		answer, ok := e.Answer()
		framing := f.Class == madcap.ErrTruncated || f.Class == madcap.ErrVersion || f.Class == madcap.ErrEnd
		mute := framing || m.Type == madcap.TypeNak || len(m.LeaseIdentifier) == 0
		if ok == mute {
			t.Fatalf("%s: answered: %v", f.Requirement, ok)
		}
		if at, _ := answer.Option(); ok && m.Type.FromClient() && at != f.Option {
			t.Fatalf("%s: answered with %v", f.Requirement, answer)
		}
		found[f.Requirement]++
	})
	if testing.Verbose() {
		t.Log(found)
	}
}

// TestAgainstSlow compares Decode with the decoder of codec_slow_test.go.
func TestAgainstSlow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { compareWithSlow(t, madcaptest.Datagram().Draw(t, "datagram")) })
}

// fataler is what tests, fuzz targets and properties have in common.
type fataler interface {
	Fatalf(format string, args ...any)
}

func compareWithSlow(t fataler, b []byte) {
	want, option, class := slowDecode(b)
	var got madcap.Message
	err := got.Decode(b)
	var e *madcap.Error
	if err != nil && (!errors.As(err, &e) || !errors.Is(err, class) || e.Option != option) || (err == nil) != (class == nil) {
		t.Fatalf("%x: %v, the slow decoder says %v about option %v", b, err, class, option)
	}
	if d := cmp.Diff(want, got, sameMessage); d != "" {
		t.Fatalf("%x (-slow +real):\n%s", b, d)
	}
}
