// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/madcap"
)

// nestingOption returns option 17 with its code and length as AppendBinary
// writes it.
func nestingOption(t *testing.T, s madcap.NestingState) []byte {
	t.Helper()
	m := madcap.Message{Type: madcap.TypeAck, Family: madcap.FamilyIPv4, LeaseIdentifier: shortID, Order: []madcap.OptionCode{3, 9, 17}}
	m.ScopeList, m.Nesting = madcap.Some(zones4(s.Len())), madcap.Some(s)
	b, err := m.MarshalBinary()
	checkError(t, err, nil)
	for code, value := range madcap.RawOptions(b) {
		if code == madcap.OptNestingState {
			return value
		}
	}
	t.Fatal("no option 17")
	return nil
}

// TestNestingMatrix lays out matrices of many numbers of zones against the
// plain definition of RFC 2907, section 3.2: a matrix of bits, its diagonal
// taken out, each row filled up to octets.
func TestNestingMatrix(t *testing.T) {
	t.Run("MADCAP-N3.2-1/figure 4", func(t *testing.T) {
		got := nestingOption(t, nesting(7, figure4...).Value)
		if want := octets(t, "07 fc 7c 1c 1c 0c 04 00"); !bytes.Equal(got, want) {
			t.Errorf("%x, want %x", got, want)
		}
	})
	for _, n := range []int{0, 1, 2, 3, 7, 8, 9, 10, 16, 17, 18, 33, 64, 65, 66, 129, 255} {
		nests := func(i, j int) bool { return (i*7+j*3)%5 < 2 }
		s := madcap.NewNestingState(n)
		want := []byte{byte(n)}
		for i := range n {
			var bits []bool
			for j := range n {
				if i != j {
					bits = append(bits, nests(i, j))
					checkError(t, s.SetNests(i, j, nests(i, j)), nil)
				}
			}
			for ; len(bits) > 0; bits = bits[min(8, len(bits)):] {
				var octet byte
				for k, bit := range bits[:min(8, len(bits))] {
					if bit {
						octet |= 0x80 >> k
					}
				}
				want = append(want, octet)
			}
		}
		if got := nestingOption(t, s); !bytes.Equal(got, want) {
			t.Fatalf("MADCAP-N5-1: %d zones: %x, want %x", n, got, want)
		}
		for i := range n {
			for j := range n {
				if s.Nests(i, j) != (i == j || nests(i, j)) {
					t.Fatalf("MADCAP-N3.2-1: %d zones: Nests(%d, %d) = %v", n, i, j, s.Nests(i, j))
				}
			}
		}
	}
	for n, length := range map[int]int{0: 1, 1: 1, 2: 3, 7: 8, 8: 9, 9: 10, 10: 21, 17: 35, 18: 55, 255: 8161} {
		if got := len(nestingOption(t, madcap.NewNestingState(n))); got != length {
			t.Errorf("MADCAP-N5-1: %d zones take %d octets, want %d", n, got, length)
		}
	}
}

// TestNestingPairs is about pairs that cannot be.
func TestNestingPairs(t *testing.T) {
	s := madcap.NewNestingState(3)
	for _, p := range [][2]int{{0, 0}, {2, 2}, {0, 3}, {3, 0}, {-1, 0}, {0, -1}, {1 << 30, 1}} {
		t.Run(fmt.Sprintf("MADCAP-N3.2-1/%v", p), func(t *testing.T) {
			if s.SetNests(p[0], p[1], true) == nil {
				t.Error("accepted")
			}
			if diagonal := p[0] == p[1]; s.Nests(p[0], p[1]) != diagonal {
				t.Errorf("Nests = %v", !diagonal)
			}
		})
	}
	if !s.Equal(madcap.NewNestingState(3)) || s.Equal(madcap.NewNestingState(4)) {
		t.Error("a refused pair left a trace")
	}
	t.Run("MADCAP-N2-1", func(t *testing.T) { // two independent values, which can be set and taken back
		checkError(t, s.SetNests(0, 1, true), nil)
		if !s.Nests(0, 1) || s.Nests(1, 0) || s.Equal(madcap.NewNestingState(3)) {
			t.Error("0 in 1 is not all that is set")
		}
		checkError(t, s.SetNests(1, 0, true), nil)
		checkError(t, s.SetNests(0, 1, false), nil)
		if s.Nests(0, 1) || !s.Nests(1, 0) {
			t.Error("1 in 0 is not all that is set")
		}
	})
	for _, n := range []int{-1, 256} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a state of %d zones", n)
				}
			}()
			madcap.NewNestingState(n)
		}()
	}
}

// TestNestingDropped is about nesting states of no use. They cost nothing but
// themselves.
func TestNestingDropped(t *testing.T) {
	const (
		two  = "0009 0015 02 efff0000 efffffff ff 00 efc00000 efc3ffff ff 00"
		good = "0011 0003 02 80 00"
	)
	for _, c := range []struct{ id, why, header, options string }{
		{"MADCAP-D-42", "of no octets", "05 0001", two + "0011 0000"},
		{"MADCAP-D-42", "a row missing", "05 0001", two + "0011 0002 02 80"},
		{"MADCAP-D-42", "a row too many", "05 0001", two + "0011 0004 02 80 00 00"},
		{"MADCAP-D-42", "an octet after no zones", "05 0001", "0009 0001 00  0011 0002 00 00"},
		{"MADCAP-D-42", "twice", "05 0001", two + good + good},
		{"MADCAP-D-42", "three times", "05 0001", good + two + good + good},
		{"MADCAP-D-42", "twice, the first malformed", "05 0001", two + "0011 0000" + good},
		{"MADCAP-D-42", "twice, the second malformed", "05 0001", good + "0011 0000" + two},
		{"MADCAP-N5-3", "of one zone, the list has two", "05 0001", two + "0011 0001 01"},
		{"MADCAP-N5-3", "of three zones, the list has two", "05 0001", "0011 0004 03 e0 60 20" + two},
		{"MADCAP-N3.3-1", "without a scope list", "05 0001", good},
		{"MADCAP-N3.3-1", "without a scope list it could fit", "05 0001", "0011 0001 00"},
		{"MADCAP-N3.3-1", "in a GETINFO", "08 0001", good + "0005 0002 0009"},
		{"MADCAP-N3.3-1", "in an OFFER with a scope list", "02 0001", two + good},
		{"MADCAP-N3.3-1", "in a NAK", "06 0001", good + "0010 0002 0003"},
		{"MADCAP-N5-1", "beside an opaque scope list", "05 0003", two + good},
	} {
		t.Run(c.id+"/"+c.why, func(t *testing.T) {
			var with, without madcap.Message
			start := "00" + c.header + "00000001  0003 0002 0009  "
			checkError(t, with.Decode(octets(t, start+c.options+"03e7 0000  0000 0000")), nil)
			checkError(t, without.Decode(withoutOption17(octets(t, start+c.options+"03e7 0000  0000 0000"))), nil)
			if d := cmp.Diff(without, with, sameMessage); d != "" {
				t.Errorf("not as without option 17:\n%s", d)
			}
			if with.Has(madcap.OptNestingState) {
				t.Error("the nesting state is there")
			}
		})
	}
	t.Run("MADCAP-D-42/a malformed scope list is the only fault", func(t *testing.T) {
		var m madcap.Message
		in := octets(t, "00 05 0001 00000001  0003 0002 0009 "+good+"0009 000b 01 efff0000 efffffff 10 01  0000 0000")
		badPacket{err: madcap.ErrLength, option: 9, offset: 21, answer: madcap.NoOption}.check(t, m.Decode(in))
		if m.Has(17) || len(m.Order) != 1 {
			t.Errorf("left %v", m.Order)
		}
	})
	t.Run("MADCAP-D-42/padding and order", func(t *testing.T) {
		for _, options := range []string{two + "0011 0003 02 ff 7f", "0011 0003 02 80 00" + two} {
			var m madcap.Message
			checkError(t, m.Decode(octets(t, "00 05 0001 00000001  0003 0002 0009 "+options+"0000 0000")), nil)
			if !m.Nesting.Present || !m.Nesting.Value.Equal(nesting(2, [2]int{0, 1}).Value) {
				t.Errorf("%s: %v", options, m.Nesting)
			}
		}
	})
}

// withoutOption17 returns the datagram b without any option 17.
func withoutOption17(b []byte) []byte {
	out := bytes.Clone(b[:8])
	for code, value := range madcap.RawOptions(b) {
		if code != madcap.OptNestingState {
			out = append(out, byte(code>>8), byte(code), byte(len(value)>>8), byte(len(value)))
			out = append(out, value...)
		}
	}
	return append(out, 0, 0, 0, 0)
}
