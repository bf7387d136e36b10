// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/madcap"
)

// silence, as an answer, means that the protocol wants none.
const silence madcap.OptionCode = 0xFFFE

// badPacket is a datagram that Decode or Validate objects to: why, about which
// option, at which octet, and which Invalid Request a server answers.
type badPacket struct {
	id, why string
	in      string
	err     error
	option  madcap.OptionCode
	offset  int
	answer  madcap.OptionCode
}

func (p badPacket) check(t *testing.T, err error) {
	t.Helper()
	e := checkError(t, err, p.err)
	if e.Option != p.option || e.Offset != p.offset {
		t.Errorf("error about option %v at octet %d, want %v at %d: %v", e.Option, e.Offset, p.option, p.offset, e)
	}
	checkAnswer(t, e, p.answer)
}

func checkAnswer(t *testing.T, e *madcap.Error, want madcap.OptionCode) {
	t.Helper()
	answer, ok := e.Answer()
	if want == silence {
		if ok {
			t.Errorf("answered with %v, want silence: %v", answer, e)
		}
		return
	}
	if d := cmp.Diff(madcap.InvalidRequest(want), answer); !ok || d != "" {
		t.Errorf("answered with %v (%v), want %v: %v", answer, ok, madcap.InvalidRequest(want), e)
	}
}

// TestFraming is about datagrams of which nothing can be used. Client and
// server ignore them, whatever else is wrong.
func TestFraming(t *testing.T) {
	const none = madcap.NoOption
	for _, p := range []badPacket{
		{"MADCAP-2.1-2", "no octets", "", madcap.ErrTruncated, none, 0, silence},
		{"MADCAP-2.1-2", "11 octets", "00 07 0001 00000000  000000", madcap.ErrTruncated, none, 11, silence},
		{"MADCAP-2.1-2", "a header", "00 07 0001 00000000", madcap.ErrTruncated, none, 8, silence},
		{"MADCAP-2.1-2", "11 octets of version 1", "01 07 0001 00000000  000000", madcap.ErrTruncated, none, 11, silence},
		{"MADCAP-2.1.1-1", "version 1", "01 07 0001 00000000  0003 0001 00  0000 0000", madcap.ErrVersion, none, 0, silence},
		{"MADCAP-2.1.1-1", "version 255, no End", "ff 07 0001 00000000  0003 0001 00", madcap.ErrVersion, none, 0, silence},
		{"MADCAP-2.6-3", "NAK of version 1", "01 06 0001 00000000  0003 0001 00  0000 0000", madcap.ErrVersion, none, 0, silence},
		{"MADCAP-2.1.5-2", "no End", "00 07 0001 00000000  0003 0001 00", madcap.ErrTruncated, none, 13, silence},
		{"MADCAP-2.1.5-2", "one octet of a code", "00 07 0001 00000000  0003 0001 00  00", madcap.ErrTruncated, none, 13, silence},
		{"MADCAP-2.1.5-2", "a code and half a length", "00 07 0001 00000000  0003 0001 00  0000 00", madcap.ErrTruncated, none, 13, silence},
		{"MADCAP-2.1.5-2", "option one octet too long", "00 07 0001 00000000  0003 0006 00 00000000", madcap.ErrTruncated, none, 8, silence},
		{"MADCAP-2.1.5-2", "option as long as can be", "00 07 0001 00000000  0003 ffff 00  0000 0000", madcap.ErrTruncated, none, 8, silence},
		{"MADCAP-2.1.5-2", "unknown option too long", "00 07 0001 00000000  7777 0005 00000000", madcap.ErrTruncated, none, 8, silence},
		{"MADCAP-2.1.5-2", "bad value before a cut option", "00 07 0001 00000000  0001 0001 00  0003 0002 00", madcap.ErrTruncated, none, 13, silence},
		{"MADCAP-2.1.5-3", "octet after End", "00 07 0001 00000000  0003 0001 00  0000 0000 00", madcap.ErrEnd, none, 13, silence},
		{"MADCAP-2.1.5-3", "option after End", "00 07 0001 00000000  0000 0000  0003 0001 00", madcap.ErrEnd, none, 8, silence},
		{"MADCAP-3.1-1", "End with a length", "00 07 0001 00000000  0003 0001 00  0000 0001 00", madcap.ErrEnd, none, 13, silence},
		{"MADCAP-D-2", "End twice", "00 07 0001 00000000  0003 0001 00  0000 0000  0000 0000", madcap.ErrEnd, none, 13, silence},
		{"MADCAP-D-2", "End longer than the message", "00 07 0001 00000000  0003 0001 00  0000 0009 00", madcap.ErrEnd, none, 13, silence},
		{"MADCAP-D-3", "broken framing beats a bad value", "00 01 0001 00000000  0001 0001 00  0003 0001 00  0000 0000 00", madcap.ErrEnd, none, 18, silence},
	} {
		t.Run(p.id+"/"+p.why, func(t *testing.T) {
			m := workedMessages()[1].msg // whatever it held before
			p.check(t, m.Decode(octets(t, p.in)))
			if d := cmp.Diff(madcap.Message{}, m, sameMessage); d != "" {
				t.Errorf("something is left of it:\n%s", d)
			}
		})
	}
}

// TestEveryPrefix cuts every golden packet at every octet. No prefix of a
// message is a message.
func TestEveryPrefix(t *testing.T) {
	for _, g := range goldens() {
		b := packet(t, g.name)
		for n := range b {
			var m madcap.Message
			if err := m.Decode(b[:n:n]); err == nil {
				t.Errorf("MADCAP-2.1.5-2: %s cut to %d octets was accepted", g.name, n)
			}
		}
	}
}

// TestByteOrder reads numbers whose octets all differ (MADCAP-2.1-1).
func TestByteOrder(t *testing.T) {
	t.Run("MADCAP-2.1-1", func(t *testing.T) {
		var m madcap.Message
		err := m.Decode(octets(t, "00 01 0102 03040506  000b 0004 0708090a  0007 0004 0b0c 0d0e  0f10 0001 11  0000 0000"))
		checkError(t, err, nil)
		want := madcap.Message{
			Type: madcap.TypeDiscover, Family: 0x0102, XID: 0x03040506,
			CurrentTime: unix(0x0708090a),
			Addresses:   madcap.NumberOfAddresses{Min: 0x0b0c, Desired: 0x0d0e},
			Unknown:     []madcap.RawOption{raw(0x0f10, "\x11")},
			Order:       []madcap.OptionCode{11, 7, 0x0f10},
		}
		if d := cmp.Diff(want, m, sameMessage); d != "" {
			t.Error(d)
		}
	})
}

// TestOrderOfOptions permutes the options of a message: what it says stays the
// same, and each order is written back (MADCAP-2.1.5-9).
func TestOrderOfOptions(t *testing.T) {
	t.Run("MADCAP-2.1.5-9", func(t *testing.T) {
		g := workedMessages()[1] // with a nesting state, which must be read before or after the scope list
		for i := range g.msg.Order {
			for j := range g.msg.Order {
				m := g.msg
				m.Order = slices.Clone(m.Order)
				m.Order[i], m.Order[j] = m.Order[j], m.Order[i]
				b, err := m.AppendBinary(nil)
				checkError(t, err, nil)
				var back madcap.Message
				checkError(t, back.Decode(b), nil)
				checkError(t, back.Validate(g.answers, false), nil)
				if d := cmp.Diff(m, back, sameMessage); d != "" {
					t.Errorf("order %v: %s", m.Order, d)
				}
			}
		}
	})
	t.Run("default", func(t *testing.T) { // an empty Order leaves nothing out
		for _, g := range goldens() {
			m, back := g.msg, madcap.Message{}
			m.Order = nil
			b, err := m.AppendBinary(nil)
			checkError(t, err, nil)
			checkError(t, back.Decode(b), nil)
			slices.Sort(back.Order)
			want := g.msg
			want.Order = slices.Sorted(slices.Values(g.msg.Order))
			if d := cmp.Diff(want, back, sameMessage); d != "" {
				t.Errorf("%s: %s", g.name, d)
			}
		}
	})
	t.Run("loose", func(t *testing.T) { // names of absent options, repeated names, End: all skipped
		m, want := message4(madcap.TypeRelease, 1, 0, 16, 3, 3, 99, 17, 0), message4(madcap.TypeRelease, 1, 3)
		got, err := m.AppendBinary(nil)
		checkError(t, err, nil)
		wantBytes, _ := want.AppendBinary(nil)
		if !bytes.Equal(got, wantBytes) {
			t.Errorf("%x, want %x", got, wantBytes)
		}
	})
}

// TestUnknownOptions sees them preserved, repeated or not, and not in the way
// of anything.
func TestUnknownOptions(t *testing.T) {
	in := octets(t, `00 07 0001 00000001
		ffff 0002 abcd  0003 0002 0009  0012 0000  0012 0001 ff  ffff 0002 abcd  0000 0000`)
	var m madcap.Message
	t.Run("MADCAP-2.1.5-6", func(t *testing.T) {
		checkError(t, m.Decode(in), nil)
		checkError(t, m.Validate(0, false), nil)
		want := message4(madcap.TypeRelease, 1, 0xffff, 3, 18, 18, 0xffff)
		want.Unknown = []madcap.RawOption{raw(0xffff, "\xab\xcd"), raw(18, ""), raw(18, "\xff"), raw(0xffff, "\xab\xcd")}
		if d := cmp.Diff(want, m, sameMessage); d != "" {
			t.Error(d)
		}
	})
	t.Run("MADCAP-D-5", func(t *testing.T) { // kept on receipt, but refused on sending
		_, err := m.AppendBinary(nil)
		if e := checkError(t, err, madcap.ErrRepeated); e.Option != 18 || e.Offset != -1 {
			t.Errorf("error %v, want one about option 18", e)
		}
	})
	t.Run("MADCAP-2.1.5-10", func(t *testing.T) { // options defined later may be sent, many of them
		for _, n := range []int{0, 1, 15, 16, 17, 31, 32, 255, 256} {
			m := message4(madcap.TypeRelease, 1, 3)
			for i := range n {
				m.Unknown = append(m.Unknown, raw(madcap.OptionCode(1000+i), "x"))
				m.Order = append(m.Order, madcap.OptionCode(1000+i))
			}
			checkRoundTrip(t, &m)
			if n == 0 {
				continue
			}
			m.Unknown = append(m.Unknown, m.Unknown[0])
			_, err := m.AppendBinary(nil)
			if e := checkError(t, err, madcap.ErrRepeated); e.Option != 1000 {
				t.Errorf("%d options: %v, want one about option 1000", n, e)
			}
		}
	})
}

// checkRoundTrip fails unless m can be written and reads back the same.
func checkRoundTrip(t testing.TB, m *madcap.Message) {
	t.Helper()
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatalf("%+v: %v", m, err)
	}
	var back madcap.Message
	if err := back.Decode(b); err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	if d := cmp.Diff(*m, back, sameMessage); d != "" {
		t.Fatalf("%x (-written +read):\n%s", b, d)
	}
}

// TestRawOptions walks the options of datagrams good and bad.
func TestRawOptions(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []madcap.RawOption
	}{
		{"", nil},
		{"00 07 0001 00000000", nil},
		{"00 07 0001 00000000  0000 0000", nil},
		{"00 07 0001 00000000  0001 0002 abcd  0001 0000  0000 0001 ff", []madcap.RawOption{raw(1, "\xab\xcd"), raw(1, "")}},
		{"00 07 0001 00000000  0001 0001 ab  0002 0002 cd", []madcap.RawOption{raw(1, "\xab")}},
		{"99 07 0001 00000000  4321 0001 ab", []madcap.RawOption{raw(0x4321, "\xab")}},
	} {
		var got []madcap.RawOption
		for code, value := range madcap.RawOptions(octets(t, c.in)) {
			if cap(value) != len(value) {
				t.Errorf("%s: an append to option %v would run into the next", c.in, code)
			}
			got = append(got, madcap.RawOption{Code: code, Value: value})
		}
		if d := cmp.Diff(c.want, got, sameMessage); d != "" {
			t.Errorf("%s: %s", c.in, d)
		}
	}
	for range madcap.RawOptions(packet(t, "e3")) {
		break // a caller may stop early
	}
}

// TestNoRoomBehind sees that an append to a value that aliases the datagram
// cannot run into the next one.
func TestNoRoomBehind(t *testing.T) {
	for _, g := range goldens() {
		var m madcap.Message
		checkError(t, m.Decode(packet(t, g.name)), nil)
		values := [][]byte{m.LeaseIdentifier, m.ServerIdentifier.Opaque, m.RequestedLanguage.Value, m.Error.Value.Extra}
		for _, o := range m.Unknown {
			values = append(values, o.Value)
		}
		for _, z := range m.ScopeList.Value {
			for _, name := range z.Names {
				values = append(values, name.Tag, name.Text)
			}
		}
		for _, v := range values {
			if cap(v) != len(v) {
				t.Errorf("%s: %x has room for %d octets more", g.name, v, cap(v)-len(v))
			}
		}
	}
}
