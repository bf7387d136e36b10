// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// FuzzParseRange: what parses is written back as text that parses to the
// same, and agrees with net/netip on prefixes and addresses.
func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"239.255.0.0/16", "224.0.1.0-238.255.255.255", "ff0e::1", "::/0", " 1.2.3.4 - 1.2.3.5 ",
		"::ffff:1.2.3.4", "fe80::1%eth0", "1.2.3.4-::", "9.9.9.9-1.1.1.1", "-", "/", "0.0.0.0-255.255.255.255", "ff00::1/8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRange(s)
		if err != nil {
			if r.IsValid() {
				t.Fatalf("%q: %v and %v", s, r, err)
			}
			return
		}
		if !r.IsValid() || r.Last().Less(r.First()) || r.Is4() != r.Last().Is4() {
			t.Fatalf("%q is %v", s, r)
		}
		text, _ := r.MarshalText()
		var back Range
		if err := back.UnmarshalText(text); err != nil || back != r {
			t.Fatalf("%q: %v came back as %v, %v", s, r, back, err)
		}
		if p, err := netip.ParsePrefix(s); err == nil {
			if q, ok := r.Prefix(); !ok || q != p.Masked() {
				t.Fatalf("%q is %v", s, r)
			}
		}
		if a, err := netip.ParseAddr(s); err == nil && r != Single(a) {
			t.Fatalf("%q is %v", s, r)
		}
	})
}

// FuzzParseSet: text, set, text, set; and the same through the binary form.
func FuzzParseSet(f *testing.F) {
	f.Add("239.0.0.0/8")
	f.Add("239.0.0.0/9, 239.128.0.0/9 224.0.0.1")
	f.Add("ff02::1,ff02::3-ff02::9,::/1 8000::/1")
	f.Add("1.1.1.1 ::1")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSet(text)
		if err != nil {
			return
		}
		back, err := ParseSet(s.String())
		if err != nil || !back.Equal(s) {
			t.Fatalf("%q: %v came back as %v, %v", text, s, back, err)
		}
		data, _ := s.MarshalBinary()
		if err := back.UnmarshalBinary(data); err != nil || !back.Equal(s) {
			t.Fatalf("%q: %x came back as %v, %v", text, data, back, err)
		}
	})
}

// FuzzSetBinary: octets that decode are the ones the set is encoded to.
func FuzzSetBinary(f *testing.F) {
	for _, s := range []Set{{}, MustSet("239.0.0.1"), MustSet("239.0.0.1", "239.0.0.3-239.0.0.7"), MustSet("ff02::1", "ff05::/16")} {
		data, _ := s.MarshalBinary()
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Set
		if s.UnmarshalBinary(data) != nil {
			return
		}
		if again, err := s.MarshalBinary(); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%x came back as %x, %v", data, again, err)
		}
	})
}

// FuzzParseScope: what parses is written back as text that parses to the same.
func FuzzParseScope(f *testing.F) {
	for _, s := range WellKnown() {
		f.Add(s.String())
	}
	f.Add(`239.0.0.0/8 ttl 5 divisible name de "a\tb" default-name en "\u00e4"`)
	f.Add(`239.0.0.0/8 name en 'x'`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseScope(text)
		if err != nil {
			return
		}
		if back, err := ParseScope(s.String()); err != nil || back != s {
			t.Fatalf("%q: %v came back as %v, %v", text, s, back, err)
		}
	})
}

// FuzzClassify: every address has a classification that does not contradict
// itself, and an explanation.
func FuzzClassify(f *testing.F) {
	for _, s := range []string{"224.0.0.1", "239.255.255.254", "ff7e:140:2001:db8::8000:1", "ff3e::8000:1", "ff02::1:ff00:1", "::"} {
		f.Add(addr(s).AsSlice())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, _ := netip.AddrFromSlice(b)
		c := Classify(a)
		multicast := a.IsMulticast() && !a.Is4In6()
		if (c.Kind == NotMulticast) == multicast || (c.Dynamic != "") != multicast || (c.Scope != "") != multicast {
			t.Fatalf("%v is %v", a, facts(c))
		}
		if (c.SSM != "") != (c.Kind == SSM) || c.RP.IsValid() != (c.Kind == EmbeddedRP) || (c.Group != "") != (multicast && a.Is6()) {
			t.Fatalf("%v is %v", a, facts(c))
		}
		if c.Offset >= 0 {
			if k, ok := (Scope{Range: c.RelativeTo}).OffsetOf(a); !ok || k != c.Offset {
				t.Fatalf("%v is %v", a, facts(c))
			}
		}
		e := Explain(a)
		if e.Title == "" || e.Meaning[0] == "" || e.Routed == "" || e.Allocate == "" || len(e.Documents) == 0 || (e.Ethernet != "") != multicast {
			t.Fatalf("%v: %+v", a, e)
		}
	})
}

// FuzzSpace: three octets are an operation on 4096 units, compared with a
// bitmap.
func FuzzSpace(f *testing.F) {
	f.Add(uint8(0), []byte{0, 0, 255, 1, 8, 2, 2, 16, 3})
	f.Add(uint8(3), []byte{128, 1, 1, 128, 3, 1, 128, 5, 1, 0, 2, 1})
	f.Fuzz(func(t *testing.T, at uint8, ops []byte) {
		w := newWorld(int(at)%7, 4096, 1<<(at/7%3*5))
		s := &Space{}
		for ; len(ops) >= 3; ops = ops[3:] {
			first := int(ops[0]&15)<<8 | int(ops[1])
			w.edit(t, s, first, min(4095, first+int(ops[2])), ops[0] < 128)
		}
		if err := spaceInvariants(s); err != nil {
			t.Fatal(err)
		}
		w.compare(t, rand.New(rand.NewPCG(1, 1)), s)
	})
}
