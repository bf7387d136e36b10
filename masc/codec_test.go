// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/masc/masctest"
)

// patch returns a copy of b with octets replaced from at on.
func patch(b []byte, at int, with ...byte) []byte {
	b = slices.Clone(b)
	copy(b[at:], with)
	return b
}

// sized returns b with the header's length set to its own.
func sized(b []byte) []byte {
	b = slices.Clone(b)
	binary.BigEndian.PutUint16(b, uint16(len(b)))
	return b
}

func concat(parts ...[]byte) []byte { return slices.Concat(parts...) }

// TestFaults decodes a message with one fault each and looks at the
// NOTIFICATION that answers it: the reason, whether the connection may stay,
// and the data.
func TestFaults(t *testing.T) {
	keepalive := packet(t, "keepalive")
	open, open6 := packet(t, "open-ipv4-child"), packet(t, "open-ipv6-sibling")
	claim, claim6, two := packet(t, "new-claim"), packet(t, "new-claim-ipv6"), packet(t, "prefix-in-use")
	params := packet(t, "update-optional")
	opt := func(n int, typ byte, data ...byte) []byte { return concat([]byte{byte(n >> 8), byte(n), typ, 0}, data) }
	after := func(b []byte, more ...byte) []byte { return sized(concat(b, more)) }
	long := after(claim, make([]byte, 4092-40)...) // an UPDATE of 4092 octets, cut after the claim
	for _, tt := range []struct {
		id   string
		b    []byte
		want masc.Reason
		stay bool
		data func(b []byte) []byte // nil: the message without its header
	}{
		{"MASC-7.1-1 length 3", patch(keepalive, 0, 0, 3), masc.BadMessageLength, false, header},
		{"MASC-D-5 length 4097", patch(make([]byte, 4097), 0, 0x10, 1, 4), masc.BadMessageLength, false, header},
		{"MASC-8.1-2 KEEPALIVE of 5", []byte{0, 5, 4, 0, 0}, masc.BadMessageLength, false, whole},
		{"MASC-7.2-4 OPEN of 19", sized(open[:19]), masc.BadMessageLength, false, whole},
		{"MASC-D-3 IPv6 OPEN of 55", sized(open6[:55]), masc.BadMessageLength, false, whole},
		{"MASC-7.3-2 UPDATE of 36", sized(claim[:36]), masc.BadMessageLength, false, whole},
		{"MASC-D-19 UPDATE of one small optional attribute", sized(concat(claim[:4], opt(8, 200, 1, 2, 3, 4))), masc.BadMessageLength, false, whole},
		{"MASC-7.5-7 MASC-D-4 NOTIFICATION of 5", []byte{0, 5, 3, 0, 7}, masc.BadMessageLength, false, whole},
		{"MASC-8.1-3 MASC-8.1-1 type 5", []byte{0, 6, 5, 0, 1, 2}, masc.BadMessageType, true, whole},
		{"MASC-8.1-3 type 0", []byte{0, 4, 0, 0}, masc.BadMessageType, true, whole},

		{"MASC-8.2-2 version 2", patch(open, 4, 2), masc.UnsupportedVersion, false, func([]byte) []byte { return []byte{1} }},
		{"MASC-D-45 version 0", patch(open, 4, 0), masc.UnsupportedVersion, false, func([]byte) []byte { return []byte{1} }},
		{"MASC-D-8 version before family", patch(open, 4, 2, 0x7C), masc.UnsupportedVersion, false, func([]byte) []byte { return []byte{1} }},
		{"MASC-8.2-13 MASC-8.2-1 family 3", patch(open, 5, 3<<2), masc.OpenAddressFamily, false, nil},
		{"MASC-D-14 parameter of one octet", after(open, 0), masc.OpenUnspecific, false, nil},
		{"MASC-D-14 parameter is cut", after(open, 3, 1, 1, 2), masc.OpenUnspecific, false, nil},

		{"MASC-8.3-24 3 octets left over", after(claim, 0, 4, 200), masc.MalformedAttributeList, false, tail(3)},
		{"MASC-D-17 unknown type, length 3", after(claim, 0, 3, 200, 0), masc.MalformedAttributeList, false, tail(4)},
		{"MASC-D-17 unknown type, length 6", after(claim, opt(6, 200, 1, 2, 3, 4)...), masc.MalformedAttributeList, false,
			func(b []byte) []byte { return b[40:46] }},
		{"MASC-D-17 unknown required type beyond the end", after(claim, opt(12, 9, 1, 2, 3, 4)...), masc.MalformedAttributeList, false, tail(8)},
		{"MASC-8.3-2 length 3", patch(claim, 4, 0, 3), masc.AttributeLengthError, false, nil},
		{"MASC-8.3-2 length 0", patch(claim, 4, 0, 0), masc.AttributeLengthError, false, nil},
		{"MASC-8.3-2 beyond the end", patch(claim, 4, 0, 40), masc.AttributeLengthError, false, nil},
		{"MASC-7.3-3 MASC-D-16 length 37", after(patch(claim, 4, 0, 37), 0, 0, 0, 0), masc.AttributeLengthError, false, nil},
		{"MASC-8.3-2 length 4", patch(claim, 4, 0, 4), masc.AttributeLengthError, false, nil},
		{"MASC-8.3-2 length 32", patch(claim, 4, 0, 32), masc.AttributeLengthError, false, nil},
		{"MASC-D-3 IPv6 attribute of 80", sized(concat(patch(claim6[:84], 4, 0, 80))), masc.AttributeLengthError, false, nil},
		{"MASC-8.3-7 family 0", patch(claim, 9, 0), masc.UpdateAddressFamily, false, nil},
		{"MASC-8.3-7 family 31", patch(claim, 9, 31<<2), masc.UpdateAddressFamily, false, nil},
		{"MASC-8.3-24 parameter is cut", patch(params, 54, 9), masc.MalformedAttributeList, false, func(b []byte) []byte { return b[12:] }},
		{"MASC-D-18 second attribute closes", patch(two, 45, 0), masc.UpdateAddressFamily, false, nil},
		{"MASC-D-6 data is cut", patch(long, 43, 0), masc.AttributeLengthError, false, nil},

		{"MASC-7.3-7 MASC-8.3-3 required type 6", after(claim, opt(8, 6, 1, 2, 3, 4)...), masc.UnrecognizedRequiredAttribute, true, nil},
		{"MASC-7.3-7 required type 127", after(claim, opt(4, 127)...), masc.UnrecognizedRequiredAttribute, true, nil},
		{"MASC-8.6-1 MASC-8.6-2 MASC-D-64 unknown code, kept open", []byte{0, 7, 3, 0, 0x88, 0, 1}, masc.BadNotification, false, whole},
		{"MASC-7.5-4 must-close reason, kept open", []byte{0, 6, 3, 0, 0x82, 1}, masc.BadNotification, false, whole},
		{"MASC-7.5-8 Cease, kept open", []byte{0, 6, 3, 0, 0x87, 0}, masc.BadNotification, false, whole},
		{"MASC-7.5-3 Unspecific, kept open", []byte{0, 6, 3, 0, 0x83, 0}, masc.BadNotification, false, whole},
	} {
		t.Run(tt.id, func(t *testing.T) {
			var m masc.Message
			err := m.Decode(tt.b)
			var e *masc.Error
			if !errors.As(err, &e) || !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			n, ok := e.Notification()
			if !ok || n.Stay != tt.stay || n.Reason != tt.want {
				t.Errorf("answer %+v, %t", n, ok)
			}
			if tt.data == nil {
				tt.data = func(b []byte) []byte { return b[4:] }
			}
			if want := tt.data(tt.b); !bytes.Equal(n.Data, want[:min(len(want), masc.MaxNotificationData)]) {
				t.Errorf("data %x, want %x", n.Data, want)
			}
			if _, err := n.MarshalBinary(); err != nil {
				t.Error(err)
			}
		})
	}
}

func whole(b []byte) []byte  { return b }
func header(b []byte) []byte { return b[:4] }
func tail(n int) func([]byte) []byte {
	return func(b []byte) []byte { return b[len(b)-n:] }
}

// TestIgnored changes what receivers ignore; the message means the same.
func TestIgnored(t *testing.T) {
	for _, tt := range []struct {
		id, packet string
		change     func(b []byte) []byte
	}{
		{"MASC-7.1-5 Reserved of the header", "new-claim", func(b []byte) []byte { return patch(b, 3, 0xff) }},
		{"MASC-7.2-7 R bit", "open-ipv4-child", func(b []byte) []byte { b[5] |= 0x80; return b }},
		{"MASC-7.3-9 Reserved of an attribute", "new-claim", func(b []byte) []byte { return patch(b, 7, 0xff) }},
		{"MASC-7.3-10 Reserved1", "new-claim", func(b []byte) []byte { return patch(b, 8, 0xff) }},
		{"MASC-7.3-11 Reserved2", "new-claim", func(b []byte) []byte { return patch(b, 10, 0xff, 0xff) }},
	} {
		t.Run(tt.id, func(t *testing.T) {
			want := packet(t, tt.packet)
			var m masc.Message
			if err := m.Decode(tt.change(packet(t, tt.packet))); err != nil {
				t.Fatal(err)
			}
			got, err := m.MarshalBinary()
			if err != nil || !bytes.Equal(got, want) { // MASC-7.1-4, MASC-7.2-6, MASC-7.3-8: written as zero
				t.Errorf("wrote %x, %v", got, err)
			}
		})
	}
}

// TestOptional reads what may be there and nobody knows: MASC-7.2-19,
// MASC-7.3-6, MASC-7.3-22; and MASC-D-18, a required attribute nobody knows,
// which leaves the others usable.
func TestOptional(t *testing.T) {
	var m masc.Message
	if err := m.Decode(packet(t, "update-optional")); err != nil || len(m.Update.Claims) != 1 {
		t.Errorf("%v, %v", m, err)
	}
	if err := m.Decode(packet(t, "open-parameter")); err != nil || m.Open.Domain != masc.NumberID(64501) {
		t.Errorf("%v, %v", m, err)
	}
	b := sized(concat(packet(t, "new-claim"), []byte{0, 4, 6, 0, 0, 4, 7, 0}))
	err := m.Decode(b)
	if !errors.Is(err, masc.UnrecognizedRequiredAttribute) || len(m.Update.Claims) != 1 {
		t.Errorf("%v, %v", m, err)
	}
	only := sized(concat([]byte{0, 0, 2, 0, 0, 40, 200, 0}, make([]byte, 36)))
	if err := m.Decode(only); err != nil || len(m.Update.Claims) != 0 { // MASC-D-19
		t.Errorf("%v, %v", m, err)
	}
}

// TestSilentNotification: an error in a NOTIFICATION that closes is not
// answered (MASC-8.6-3).
func TestSilentNotification(t *testing.T) {
	var m masc.Message
	err := m.Decode([]byte{0, 6, 3, 0, 0x08, 0})
	var e *masc.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if n, ok := e.Notification(); ok {
		t.Errorf("answered with %v", n)
	}
	if m.Type != masc.TypeNotification || m.Notification.Stay {
		t.Errorf("%+v", m)
	}
}

// TestRefused appends what no receiver could read back.
func TestRefused(t *testing.T) {
	many := masc.Update{Claims: slices.Repeat([]masc.Claim{claim(masc.NewClaim, "228.0.0.0/16")}, 114)}
	wide := claim(masc.NewClaim, "228.0.0.0/16")
	wide.Domain = node("2001:db8::")
	for name, m := range map[string]masc.Message{
		"no type":              {},
		"hold of half seconds": {Type: masc.TypeOpen, Open: masc.Open{HoldTime: time.Second / 2}},
		"hold too long":        {Type: masc.TypeOpen, Open: masc.Open{HoldTime: 65536 * time.Second}},
		"wide identifier":      {Type: masc.TypeOpen, Open: masc.Open{Node: node("2001:db8::1")}},
		"family":               {Type: masc.TypeOpen, Open: masc.Open{Family: 3}},
		"role":                 {Type: masc.TypeOpen, Open: masc.Open{Role: 4}},
		"long parameter":       {Type: masc.TypeOpen, Open: masc.Open{Params: []masc.Param{{Value: make([]byte, 256)}}}},
		"MASC-7.3-1 no claim":  {Type: masc.TypeUpdate},
		"MASC-7-2 114 claims":  {Type: masc.TypeUpdate, Update: many},
		"wide domain":          update(wide),
		"claim type":           update(masc.Claim{Type: 6, Prefix: masc.MustPrefix("228.0.0.0/16")}),
		"no prefix":            update(masc.Claim{}),
		"odd parameters": {Type: masc.TypeUpdate, Update: masc.Update{Claims: []masc.Claim{claim(masc.NewClaim, "228.0.0.0/16")},
			Extra: []masc.Extra{{Data: []byte{1, 7, 7}}}}},
		"extra out of order": {Type: masc.TypeUpdate, Update: masc.Update{Claims: []masc.Claim{claim(masc.NewClaim, "228.0.0.0/16")},
			Extra: []masc.Extra{{Claim: 1, Type: 200}, {Claim: 0, Type: 200}}}},
		"required extra": {Type: masc.TypeUpdate, Update: masc.Update{Claims: []masc.Claim{claim(masc.NewClaim, "228.0.0.0/16")},
			Extra: []masc.Extra{{Type: 20}}}},
		"unknown reason": {Type: masc.TypeNotification, Notification: masc.Notification{Reason: 0x0800}},
		"stay":           {Type: masc.TypeNotification, Notification: masc.Notification{Reason: masc.Cease, Stay: true}},
	} {
		b, err := m.AppendBinary([]byte("x"))
		if err == nil || string(b) != "x" {
			t.Errorf("%s: %x, %v", name, b, err)
		}
		var e *masc.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		} else if _, ok := e.Notification(); ok {
			t.Errorf("%s has a NOTIFICATION", name)
		}
	}
	full := masc.Update{Claims: many.Claims[:113]}
	if b, err := full.MarshalBinary(); err != nil || len(b) != 4072 {
		t.Errorf("113 claims: %d octets, %v", len(b), err)
	}
}

// TestLargest reads a message of 4096 octets (MASC-7-3).
func TestLargest(t *testing.T) {
	n := masc.Notification{Reason: masc.NonContiguousMask, Data: bytes.Repeat([]byte{7}, 5000)}
	b, err := n.MarshalBinary()
	if err != nil || len(b) != masc.MaxMessage {
		t.Fatalf("%d octets, %v", len(b), err)
	}
	var m masc.Message
	if err := m.Decode(b); err != nil || len(m.Notification.Data) != masc.MaxNotificationData {
		t.Error(err)
	}
}

// TestRoundTrip: what is appended decodes to the same, and again to the same
// octets.
func TestRoundTrip(t *testing.T) {
	var reused masc.Message
	rapid.Check(t, func(t *rapid.T) {
		m := masctest.Messages().Draw(t, "message")
		b, err := m.AppendBinary(nil)
		if errors.Is(err, masc.ErrTooLong) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := reused.Decode(b); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m, reused, equate...); d != "" {
			t.Fatal(d)
		}
		again, err := reused.AppendBinary(nil)
		if err != nil || !bytes.Equal(b, again) {
			t.Fatalf("%x\n%x\n%v", b, again, err)
		}
	})
}

// TestReader reads a stream octet by octet: MASC-7-1, MASC-7.1-2.
func TestReader(t *testing.T) {
	var stream []byte
	names := []string{"open-ipv4-child", "keepalive", "prefix-managed", "notification-cease"}
	for _, n := range names {
		stream = append(stream, packet(t, n)...)
	}
	for name, src := range map[string]io.Reader{
		"whole": bytes.NewReader(stream), "octets": iotest.OneByteReader(bytes.NewReader(stream)),
		"with EOF": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		r := masc.NewReader(src)
		for _, n := range names {
			b, err := r.Next()
			if err != nil || !bytes.Equal(b, packet(t, n)) {
				t.Errorf("%s, %s: %x, %v", name, n, b, err)
			}
		}
		for range 2 {
			if _, err := r.Next(); err != io.EOF {
				t.Errorf("%s: %v at the end", name, err)
			}
		}
	}
	if _, err := masc.NewReader(bytes.NewReader(stream[:10])).Next(); err != io.ErrUnexpectedEOF {
		t.Errorf("%v inside a message", err)
	}
	for _, n := range []uint16{0, 3, 4097, 65535} { // refused before anything else is waited for
		_, err := masc.NewReader(bytes.NewReader([]byte{byte(n >> 8), byte(n), 2, 0})).Next()
		if !errors.Is(err, masc.BadMessageLength) {
			t.Errorf("length %d: %v", n, err)
		}
	}
	broken := errors.New("broken")
	r := masc.NewReader(io.MultiReader(bytes.NewReader(stream[:22]), iotest.ErrReader(broken)))
	if _, err := r.Next(); err != nil {
		t.Error(err)
	}
	if _, err := r.Next(); err != broken {
		t.Error(err)
	}
}
