// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/xcast"
	"github.com/mcastalloc/malloc/xcast/xcasttest"
	"pgregory.net/rapid"
)

// TestHeaderRoundTrip: what is encoded decodes to the same, and encodes to the
// same octets again; the buffer before it is not touched. XCAST-9.2.2-17.
func TestHeaderRoundTrip(t *testing.T) {
	guard := []byte("guard")
	rapid.Check(t, func(t *rapid.T) {
		h := xcasttest.Header4().Draw(t, "h")
		b, err := h.AppendBinary(append(make([]byte, 0, 2000), guard...))
		if err != nil || !bytes.Equal(b[:5], guard) || len(b) != 5+h.Size() {
			t.Fatal(err)
		}
		var got xcast.Header4
		if err := got.UnmarshalBinary(b[5:]); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(h, got, equate...); d != "" {
			t.Fatal(d)
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		h := xcasttest.Header6(xcast.Experimental()).Draw(t, "h")
		b, err := h.AppendBinary(append(make([]byte, 0, 3000), guard...))
		if err != nil || !bytes.Equal(b[:5], guard) || len(b) != 5+h.Size() {
			t.Fatal(err)
		}
		got := xcast.Header6{Code: xcast.Experimental()}
		if err := got.UnmarshalBinary(b[5:]); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(h, got, equate...); d != "" {
			t.Fatal(d)
		}
	})
}

// tables draws the tables of a node: which of the generators' networks go
// where.
func tables(t *rapid.T) xcast.Config {
	kinds := rapid.SliceOfN(rapid.IntRange(0, 6), 6, 6).Draw(t, "networks")
	mtu := rapid.SampledFrom([]uint16{0, 0, 60, 300}).Draw(t, "mtu")
	network := func(a netip.Addr) int {
		if a.Is4() {
			return int(a.As4()[2]) % 6
		}
		return int(a.As16()[7]) % 6
	}
	return xcast.Config{
		Code:   xcast.Experimental(),
		Policy: rapid.SampledFrom([]xcast.Policy{xcast.X2USingle, xcast.X2UNever, xcast.X2UAlways}).Draw(t, "policy"),
		Local: func(a netip.Addr) bool {
			return kinds[network(a)] == 0 && a.AsSlice()[a.BitLen()/8-1]%8 == 0
		},
		Route: func(a netip.Addr) (xcast.Route, bool) {
			switch k := int32(kinds[network(a)]); k {
			case 1:
				return xcast.Route{}, false
			case 2, 3, 5:
				return xcast.Route{Gateway: a.Next(), Interface: k, MTU: mtu}, true
			default:
				gateway := "192.0.2.1"
				if a.Is6() {
					gateway = "2001:db8:ffff::1"
				}
				return xcast.Route{Gateway: addr(gateway).Next(), Interface: k, Capable: true, MTU: mtu}, true
			}
		},
		Peer: func(a netip.Addr) (xcast.Tunnel, bool) {
			if kinds[network(a)] < 5 {
				return xcast.Tunnel{}, false
			}
			if a.Is4() {
				return xcast.Tunnel{Local: addr("10.0.0.1"), Remote: addr("10.0.5.1")}, true
			}
			return xcast.Tunnel{Local: addr("2001:db8::1"), Remote: addr("2001:db8:0:5::1")}, true
		},
	}
}

// TestForwardProperties draws packets and tables. It holds XCAST-9.2.2-11 (the
// union of what happens is the active set, disjoint), XCAST-14-2, XCAST-9.1-1,
// that copies differ from the packet only where they may, and that what goes
// out decodes.
func TestForwardProperties(t *testing.T) {
	code := xcast.Experimental()
	rapid.Check(t, func(t *rapid.T) {
		packet := xcasttest.Packet(code).Draw(t, "packet")
		before := bytes.Clone(packet)
		f, err := xcast.NewForwarder(tables(t))
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Forward(0, packet)
		if !bytes.Equal(packet, before) {
			t.Fatal("the packet that came in was changed")
		}
		if err != nil {
			if len(r.Outputs) != 0 || len(r.Drops) != 1 || !errors.Is(err, r.Drops[0].Reason) {
				t.Fatalf("%v, but %s", err, say(r))
			}
			return
		}
		checkResult(t, packet, r, code)
		p := view(t, packet)
		for _, o := range r.Outputs {
			if o.Kind == xcast.XcastCopy {
				checkCopy(t, p, octets(o), o.Destinations)
			}
		}
	})
}

// checkCopy compares a copy with the naive way to make it: decode, clear the
// bits, encode.
func checkCopy(t *rapid.T, p *xcast.Packet, b []byte, set xcast.Bitmap) {
	c := view(t, b)
	if c.Active() != set || c.TTL() != p.TTL()-1 || !bytes.Equal(c.Channel(), p.Channel()) {
		t.Fatalf("copy for %v: bitmap %v, TTL %d", set, c.Active(), c.TTL())
	}
	at := 20
	var want []byte
	var err error
	if p.Family() == xcast.Xcast4 {
		var h xcast.Header4
		if _, err := h.Decode(p.Bytes()[at:]); err != nil {
			t.Fatal(err)
		}
		h.Active = set
		want, err = h.AppendBinary(nil)
	} else {
		at = 40
		h := xcast.Header6{Code: xcast.Experimental()}
		if _, err := h.Decode(p.Bytes()[at:]); err != nil {
			t.Fatal(err)
		}
		h.Active = set
		want, err = h.AppendBinary(nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	// XCAST-9.2.2-15: the checksum by delta is the one computed anew.
	if got := b[at : at+len(want)]; !bytes.Equal(got, want) {
		t.Fatalf("XCAST-9.2.2-15: header of the copy for %v\n got %x\nwant %x", set, got, want)
	}
	if rest := p.Bytes()[at+len(want):]; !bytes.Equal(b[at+len(want):], rest) {
		t.Fatalf("XCAST-9.1-2: transport of the copy: %x, want %x", b[at+len(want):], rest)
	}
}

// TestX2UProperties: the delta checksum equals a full one, and a wrong checksum
// stays wrong. XCAST-10.1-1, XCAST-10.1-2, XCAST-10.1-3.
func TestX2UProperties(t *testing.T) {
	code := xcast.Experimental()
	rapid.Check(t, func(t *rapid.T) {
		packet := xcasttest.Packet(code).Draw(t, "packet")
		p := view(t, packet)
		proto, segment := p.Transport()
		checksumAt, ok := map[uint8]int{17: 6, 6: 16, 58: 2}[proto]
		if !ok || !p.Convertible() || p.StayXcast() || p.Active().IsEmpty() {
			t.Skip()
		}
		wrong := rapid.Bool().Draw(t, "wrong")
		if wrong {
			at := rapid.IntRange(0, len(segment)-1).Draw(t, "at")
			if at/2 == checksumAt/2 || at < 4 {
				t.Skip() // a checksum field of 0 means none; ports are replaced
			}
			segment[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		i := rapid.SampledFrom(slices.Collect(p.Active().All())).Draw(t, "i")
		out, err := xcast.X2U(nil, p, i, 9)
		if err != nil {
			t.Fatal(err)
		}
		got := out[len(out)-len(segment):]
		want := bytes.Clone(segment)
		if port, ok := p.Port(i); ok {
			binary.BigEndian.PutUint16(want[2:], port)
		}
		want[checksumAt], want[checksumAt+1] = 0, 0
		right := xcast.TransportChecksum(proto, p.Source().AsSlice(), p.Address(i).AsSlice(), want)
		binary.BigEndian.PutUint16(want[checksumAt:], right)
		if bytes.Equal(got, want) == wrong {
			t.Fatalf("XCAST-10.1-3: wrong=%v\n got %x\nwant %x", wrong, got, want)
		}
	})
}

// TestViewMutators compares edits in place with headers encoded anew.
func TestViewMutators(t *testing.T) {
	code := xcast.Experimental()
	rapid.Check(t, func(t *rapid.T) {
		p := view(t, xcasttest.Packet(code).Draw(t, "packet"))
		original := view(t, bytes.Clone(p.Bytes()))
		set := xcast.Bitmap{}
		for i := range p.Len() {
			if p.Active().Has(i) && rapid.Bool().Draw(t, "keep") {
				set = set.Or(xcast.Bit(i))
			}
		}
		ttl := max(1, p.TTL())
		p.SetTTL(ttl)
		p.SetActive(set)
		original.SetTTL(ttl)
		p.SetTTL(ttl - 1)
		checkCopy(t, original, p.Bytes(), set)
	})
}
