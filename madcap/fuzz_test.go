// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/madcap"
)

// FuzzDecode holds the law of the codec on any input: an error, or a message
// that can be written and reads back the same; the same result as the slow
// decoder; and no more memory than the input justifies.
func FuzzDecode(f *testing.F) {
	for _, g := range goldens() {
		f.Add(packet(f, g.name))
	}
	var reused madcap.Message
	f.Fuzz(func(t *testing.T, in []byte) {
		original := bytes.Clone(in)
		compareWithSlow(t, in)
		err := reused.Decode(in)
		if n := entries(&reused); 2*n > len(in) {
			t.Fatalf("%d list entries from %d octets", n, len(in))
		}
		if err != nil {
			return
		}
		out, err := reused.AppendBinary(nil)
		if err != nil {
			if why := writable(&reused, len(in)); why == nil || !errors.Is(err, why) {
				t.Fatalf("%x: decoded, but cannot be written: %v", in, err)
			}
			return
		}
		var back madcap.Message
		if err := back.Decode(out); err != nil {
			t.Fatalf("%x: written as %x: %v", in, out, err)
		}
		if d := cmp.Diff(reused, back, sameMessage); d != "" {
			t.Fatalf("%x written as %x (-read +again):\n%s", in, out, d)
		}
		if again, err := back.AppendBinary(nil); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%x written as %x, then as %x (%v)", in, out, again, err)
		}
		if want := canonical(in, &reused); !bytes.Equal(out, want) {
			t.Fatalf("%x written as %x, want %x", in, out, want)
		}
		if !bytes.Equal(in, original) {
			t.Fatalf("the input %x was changed", original)
		}
	})
}

// entries counts what the lists of m hold.
func entries(m *madcap.Message) int {
	l := &m.Features.Value
	n := len(m.OptionRequestList) + len(m.Ranges.Value) + len(m.Unknown) + len(m.Order) +
		len(l.Supported) + len(l.Requested) + len(l.Required)
	for _, z := range m.ScopeList.Value {
		n += 1 + len(z.Names)
	}
	return n
}

// writable returns what AppendBinary may refuse in a message that was decoded
// from n octets: repeated unknown options, odd language tags, more octets than
// a datagram has.
func writable(m *madcap.Message, n int) error {
	codes := map[madcap.OptionCode]bool{}
	for _, o := range m.Unknown {
		if codes[o.Code] {
			return madcap.ErrRepeated
		}
		codes[o.Code] = true
	}
	for _, z := range m.ScopeList.Value {
		for _, name := range z.Names {
			if bytes.ContainsFunc(name.Tag, func(r rune) bool {
				return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
			}) {
				return madcap.ErrValue
			}
		}
	}
	if n > madcap.MaxDatagram {
		return madcap.ErrTooLong
	}
	return nil
}

// canonical returns the octets of a message with the things changed that are
// written otherwise: a scope list of no octets, low Name Flags bits, padding of
// a nesting state, and a nesting state that was dropped.
func canonical(in []byte, m *madcap.Message) []byte {
	out := bytes.Clone(in[:8])
	for code, value := range madcap.RawOptions(in) {
		value = bytes.Clone(value)
		switch {
		case code == madcap.OptNestingState && !m.Nesting.Present:
			continue
		case code == madcap.OptNestingState:
			if n := int(value[0]); n > 1 {
				width := (n + 6) / 8
				for last := width; last < len(value); last += width {
					value[last] &= 0xFF << (8*width - (n - 1))
				}
			}
		case code == madcap.OptScopeList && len(value) == 0 && m.ScopeList.Present:
			value = []byte{0}
		case code == madcap.OptScopeList && m.ScopeList.Present:
			at := 1
			for _, z := range m.ScopeList.Value {
				at += 2*len(z.Range.First().AsSlice()) + 2
				for _, name := range z.Names {
					value[at] &= 0x80
					at += 3 + len(name.Tag) + len(name.Text)
				}
			}
		}
		out = append(out, byte(code>>8), byte(code), byte(len(value)>>8), byte(len(value)))
		out = append(out, value...)
	}
	return append(out, 0, 0, 0, 0)
}

// FuzzValidate judges any message that decodes, in every column: the verdict
// does not depend on the order of options, what is valid can be written, and
// each error says what to answer.
func FuzzValidate(f *testing.F) {
	for _, g := range goldens() {
		f.Add(packet(f, g.name), uint8(g.answers), g.multicast)
	}
	f.Fuzz(func(t *testing.T, in []byte, answers uint8, multicast bool) {
		var m madcap.Message
		if m.Decode(in) != nil {
			return
		}
		err := m.Validate(madcap.MessageType(answers), multicast)
		out, appendErr := m.AppendValid(nil, madcap.MessageType(answers), multicast)
		if err == nil {
			if appendErr != nil && writable(&m, len(in)) == nil {
				t.Fatalf("%x: valid, but cannot be written: %v", in, appendErr)
			}
			if len(m.LeaseIdentifier) == 0 {
				t.Fatalf("%x: valid without a Lease Identifier", in)
			}
		} else {
			var e *madcap.Error
			if !errors.As(err, &e) || e.Offset != -1 || e.Type != m.Type {
				t.Fatalf("%x: %v", in, err)
			}
			if len(out) > 0 {
				t.Fatalf("%x: not valid, but written as %x", in, out)
			}
			answer, ok := e.Answer()
			if ok != (len(m.LeaseIdentifier) > 0 && m.Type != madcap.TypeNak) {
				t.Fatalf("%x: %v answered: %v", in, e, ok)
			}
			if at, has := answer.Option(); ok && (!has || m.Type.FromClient() && at != e.Option) {
				t.Fatalf("%x: %v answered with %v", in, e, answer)
			}
		}
		slices.Reverse(m.Order)
		reversed := m.Validate(madcap.MessageType(answers), multicast)
		if (err == nil) != (reversed == nil) || err != nil && err.Error() != reversed.Error() {
			t.Fatalf("%x: %v, in another order %v", in, err, reversed)
		}
	})
}
