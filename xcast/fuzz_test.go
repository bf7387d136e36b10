// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/xcast"
)

// seeds adds every worked packet, cut at its Xcast header if at says so.
func seeds(f *testing.F, v4, v6 int) {
	names, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(names) == 0 {
		f.Fatal("no worked packets", err)
	}
	for _, name := range names {
		name = strings.TrimSuffix(filepath.Base(name), ".txt")
		if b := golden(f, name); b[0]>>4 == 4 && len(b) > v4 {
			f.Add(b[v4:])
		} else if len(b) > v6 {
			f.Add(b[v6:])
		}
	}
	if _, err := os.Stat("testdata/fuzz"); err != nil {
		f.Fatal("the checked-in seeds are gone: ", err)
	}
}

// FuzzHeader4: bytes, decode, append, decode, equal.
func FuzzHeader4(f *testing.F) {
	seeds(f, 20, 0)
	f.Fuzz(func(t *testing.T, b []byte) {
		var h xcast.Header4
		n, err := h.Decode(b)
		if err != nil {
			var e *xcast.Error
			if !errors.As(err, &e) || n != 0 || e.Offset > len(b) {
				t.Fatalf("%d, %#v", n, err)
			}
			return
		}
		if n > len(b) || n%4 != 0 {
			t.Fatalf("%d of %d octets", n, len(b))
		}
		again, err := h.AppendBinary(nil)
		if err != nil || len(again) != n {
			t.Fatalf("%v: %d octets of %d", err, len(again), n)
		}
		var h2 xcast.Header4
		if err := h2.UnmarshalBinary(again); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(h, h2, equate...); d != "" {
			t.Fatal(d)
		}
	})
}

// FuzzHeader6 is the same for Xcast6.
func FuzzHeader6(f *testing.F) {
	seeds(f, 0, 40)
	f.Fuzz(func(t *testing.T, b []byte) {
		h := xcast.Header6{Code: xcast.Experimental()}
		n, err := h.Decode(b)
		if err != nil {
			var e *xcast.Error
			if !errors.As(err, &e) || n != 0 || e.Offset > len(b) {
				t.Fatalf("%d, %#v", n, err)
			}
			return
		}
		if n > len(b) || n%8 != 0 {
			t.Fatalf("%d of %d octets", n, len(b))
		}
		again, err := h.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if h.NextHeader == 60 && len(h.Ports) == 0 {
			again = append(again, b[n:]...) // the options that follow are the caller's
		}
		h2 := xcast.Header6{Code: xcast.Experimental()}
		if _, err := h2.Decode(again); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(h, h2, equate...); d != "" {
			t.Fatal(d)
		}
	})
}

// fuzzNode reads its tables from the addresses themselves.
func fuzzNode(t testing.TB, policy uint8) *xcast.Forwarder {
	last := func(a netip.Addr) byte { return a.AsSlice()[a.BitLen()/8-1] }
	c := xcast.Config{
		Code: xcast.Experimental(), Policy: xcast.Policy(policy % 3), AllowICMP: policy&8 != 0,
		Local: func(a netip.Addr) bool { return last(a)%16 == 3 },
		Route: func(a netip.Addr) (xcast.Route, bool) {
			r := xcast.Route{Interface: int32(last(a) % 4), Capable: last(a)%3 != 0, MTU: uint16(last(a)) * 16}
			if last(a)%4 != 0 {
				r.Gateway = addr("192.0.2.1")
			}
			return r, last(a)%8 != 7
		},
		Special: func(a netip.Addr) bool { return last(a) == 200 },
		Peer: func(a netip.Addr) (xcast.Tunnel, bool) {
			to := addr("203.0.113.1")
			if a.Is6() {
				to = addr("2001:db8:7::1")
			}
			return xcast.Tunnel{Local: to.Next(), Remote: to}, last(a)%16 == 6
		},
	}
	if policy&16 != 0 {
		c.Relay = &xcast.Relay{Local4: addr("10.0.0.3"), Local6: addr("2001:db8::3"), SemiPermeable: policy&32 != 0}
	}
	f, err := xcast.NewForwarder(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// FuzzForward gives arbitrary octets to a node. It never panics, never makes
// more packets than destinations, and everything it sends is a packet that the
// next node can read.
func FuzzForward(f *testing.F) {
	seeds(f, 0, 0)
	f.Fuzz(func(t *testing.T, b []byte) {
		seal(b)
		before := bytes.Clone(b)
		for _, policy := range []uint8{0, 1, 2, 8, 16, 48} {
			r, err := fuzzNode(t, policy).Forward(1, b)
			if !bytes.Equal(b, before) {
				t.Fatal("the packet that came in was changed")
			}
			var e *xcast.Error
			if err != nil && (!errors.As(err, &e) || e.Offset > len(b) || len(r.Outputs) != 0) {
				t.Fatalf("%#v, %s", err, say(r))
			}
			if err != nil {
				continue
			}
			var all xcast.Bitmap
			count := 0
			for _, o := range r.Outputs {
				all, count = all.Or(o.Destinations), count+o.Destinations.Len()
				checkEmitted(t, octets(o), o)
			}
			for _, d := range r.Drops {
				all, count = all.Or(d.Destinations), count+d.Destinations.Len()
			}
			if all.Len() != count || len(r.Outputs) > count || count == 0 {
				t.Fatalf("XCAST-9.2.2-11: %s", say(r))
			}
			checkResult(t, b, r, xcast.Experimental())
		}
	})
}

// seal makes the checksums of a packet right, so that the fuzzer gets past
// them, unless the last octet of the packet is 0.
func seal(b []byte) {
	if len(b) == 0 || b[len(b)-1] == 0 {
		return
	}
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		n := int(b[0]&15) * 4
		if n < 20 || n > len(b) {
			return
		}
		xcast.IPv4(b).UpdateChecksum()
		if rest := b[n:]; b[9] == 4 {
			seal(rest)
		} else if len(rest) >= 12 && int(rest[9])*4 <= len(rest) && rest[9] >= 3 {
			sealAt(rest[:int(rest[9])*4], 2)
		}
	case len(b) >= 48 && b[0]>>4 == 6 && b[6] == 43:
		if rest := b[40:]; int(rest[1])*8+8 <= len(rest) {
			sealAt(rest[:int(rest[1])*8+8], 6)
		}
	case len(b) >= 48 && b[0]>>4 == 6 && b[6] == 0:
		if n := 40 + int(b[41])*8 + 8; n <= len(b) {
			seal(b[n:])
		}
	case len(b) >= 48 && b[0]>>4 == 6 && b[6] == 41:
		seal(b[40:])
	}
}

func sealAt(header []byte, at int) {
	header[at], header[at+1] = 0, 0
	c := xcast.Checksum(header)
	header[at], header[at+1] = byte(c>>8), byte(c)
}

// checkEmitted decodes an output with the same codec.
func checkEmitted(t *testing.T, b []byte, o xcast.Output) {
	var err error
	if b[0]>>4 == 4 {
		var ip xcast.IPv4
		if ip, err = xcast.ParseIPv4(b); len(ip) != len(b) {
			t.Fatalf("%v: %d of %d octets, %v", o.Kind, len(ip), len(b), err)
		}
		if o.Kind == xcast.Tunnelled {
			b = ip.Payload()
		}
	} else {
		var ip xcast.IPv6
		if ip, err = xcast.ParseIPv6(b); len(ip) != len(b) {
			t.Fatalf("%v: %d of %d octets, %v", o.Kind, len(ip), len(b), err)
		}
		if o.Kind == xcast.Tunnelled {
			b = ip.Payload()
			if ip.NextHeader() == 0 {
				b = b[int(b[1])*8+8:]
			}
		}
	}
	if o.Kind == xcast.XcastCopy || o.Kind == xcast.Tunnelled {
		code := xcast.Experimental()
		var p xcast.Packet
		if err := p.Decode(b, &code); err != nil && !errors.Is(err, xcast.ErrNotXcast) { // special addresses
			t.Fatalf("%v: %v: %x", o.Kind, err, b)
		} else if err == nil && p.Active() != o.Destinations {
			t.Fatalf("%v: %v, want %v", o.Kind, p.Active(), o.Destinations)
		}
	}
}
