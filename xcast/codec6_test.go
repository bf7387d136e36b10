// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/xcast"
)

func edit6(b []byte, seal bool, change func(b []byte) []byte) []byte {
	b = change(bytes.Clone(b))
	if seal {
		b[6], b[7] = 0, 0
		c := xcast.Checksum(b[:min(len(b), int(b[1])*8+8)])
		b[6], b[7] = byte(c>>8), byte(c)
	}
	return b
}

// TestMalformed6 goes through the order of checks of Xcast6. The Routing header
// of E7 is 88 octets, its Ports header 16: next, 1, 5e 06 and six octets of
// ports at 92, PadN of 6 at 98.
func TestMalformed6(t *testing.T) {
	good := golden(t, "E7")[40:144]
	set := func(values ...int) func(b []byte) []byte {
		return func(b []byte) []byte {
			for i := 0; i < len(values); i += 2 {
				b[values[i]] = byte(values[i+1])
			}
			return b
		}
	}
	cut := func(n int) func(b []byte) []byte { return func(b []byte) []byte { return b[:n:n] } }
	tests := []struct {
		name   string
		seal   bool
		change func(b []byte) []byte
		want   xcast.Reason
		offset int
	}{
		{"XCAST-9.2.2-16/7 octets", false, cut(7), xcast.ErrTruncated, 0},
		{"XCAST-9.3.2.1-3/routing type", true, set(2, 254, 3, 1), xcast.ErrRoutingType, 2},
		{"XCAST-9.3.2.1-3/segments left", true, set(3, 1, 4, 0), xcast.ErrSegmentsLeft, 3},
		{"XCAST-9.3.2.1-4/version", true, set(4, 0x22, 5, 0), xcast.ErrVersion, 4},
		{"XCAST-9.3.2.1-4/no destinations", true, set(5, 0, 1, 3), xcast.ErrNoDestinations, 5},
		{"XCAST-9.3.2.1-1/HdrExtLen small", true, set(1, 9), xcast.ErrLength, 1},
		{"XCAST-9.3.2.1-1/HdrExtLen large", true, set(1, 11), xcast.ErrLength, 1},
		{"XCAST-9.3.2.1-2/n = 126", false, set(4, 0x10, 5, 126, 1, 255), xcast.ErrLength, 1},
		{"XCAST-9.3.2.1-2/n = 127", false, set(4, 0x10, 5, 127, 1, 255), xcast.ErrLength, 1},
		{"XCAST-9.3.2.1-2/n = 119 with D", false, set(5, 119, 1, 255), xcast.ErrLength, 1},
		{"XCAST-9.2.2-16/Routing header", false, cut(87), xcast.ErrTruncated, 0},
		{"XCAST-9.2.2-14/checksum", false, set(6, 0), xcast.ErrChecksum, 6},
		{"XCAST-9.2.2-13/octet 0 is covered", false, set(0, 61), xcast.ErrChecksum, 6},
		{"XCAST-9.3.2.2-2/no Destination Options", false, cut(95), xcast.ErrTruncated, 88},
		{"XCAST-9.3.2.2-2/short Destination Options", false, cut(103), xcast.ErrTruncated, 88},
		{"XCAST-9.3.2.2-2/option overruns", false, set(99, 5), xcast.ErrOption, 98},
		{"XCAST-9.3.2.2-2/option without a length", false, set(99, 3, 103, 4), xcast.ErrOption, 103},
		{"XCAST-9.3.2.2-2/second Ports", false, set(98, 0x5e), xcast.ErrOption, 98},
		{"XCAST-9.3.2.2-2/unknown, discard", false, set(98, 0x7e), xcast.ErrOption, 98},
		{"XCAST-9.3.2.2-1/too few ports", false, set(91, 4, 96, 1, 97, 0), xcast.ErrPortCount, 91},
		{"XCAST-9.3.2.2-1/too many ports", false, set(91, 12), xcast.ErrPortCount, 91},
		{"XCAST-9.3.2.2-1/odd length", false, set(91, 5), xcast.ErrPortCount, 91},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := xcast.Header6{Code: xcast.Experimental(), List: list(xcast.Xcast6, 3, true, true)}
			n, err := h.Decode(edit6(good, tt.seal, tt.change))
			wantReason(t, err, tt.want, tt.offset)
			if n != 0 || len(h.Addresses) != 0 || h.Code != xcast.Experimental() {
				t.Errorf("after an error: %d, %+v", n, h)
			}
		})
	}
}

// TestIgnored6 sets what a receiver of Xcast6 ignores: XCAST-9.3.2.1-4.
func TestIgnored6(t *testing.T) {
	good := golden(t, "E7")[40:144]
	want := xcast.Header6{Code: xcast.Experimental()}
	if _, err := want.Decode(good); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(b []byte) []byte
	}{
		{"XCAST-9.3.2.1-4/R", func(b []byte) []byte { b[4] |= 1; b[5] |= 0x80; return b }},
		{"XCAST-9.3.2.1-4/bits beyond n", func(b []byte) []byte { b[24] |= 0x1f; b[31] = 0xff; return b }},
		{"XCAST-9.3.2.1-4/padding and DS bits", func(b []byte) []byte { b[80] |= 3; b[83], b[87] = 1, 1; return b }},
		{"XCAST-9.2.2-13/Ports header is not covered", func(b []byte) []byte { b[100] = 1; return b }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := xcast.Header6{Code: xcast.Experimental()}
			if _, err := h.Decode(edit6(good, true, tt.change)); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, h, equate...); d != "" {
				t.Error(d)
			}
			if b, err := h.AppendBinary(nil); err != nil || !bytes.Equal(b, good) {
				t.Errorf("not canonical: %x, %v", b, err)
			}
		})
	}
}

// TestDestinationOptions reads and writes what may stand beside the ports:
// XCAST-9.3.2.2-2. A header without ports is not part of Xcast: XCAST-9.3.2.2-3.
func TestDestinationOptions(t *testing.T) {
	routing := golden(t, "E7")[40:128]
	decode := func(t *testing.T, options string) (xcast.Header6, int) {
		h := xcast.Header6{Code: xcast.Experimental()}
		n, err := h.Decode(append(bytes.Clone(routing), unhex(options)...))
		if err != nil {
			t.Fatal(err)
		}
		return h, n
	}
	t.Run("XCAST-9.3.2.2-2/padding and skippable options anywhere", func(t *testing.T) {
		// Pad1, PadN, option 0x04 of one octet, Ports, option 0x3e without data, Pad1.
		h, n := decode(t, "1102 00 0100 0401aa 5e06 1b59 1b5a 1b5b 3e00 00 00 00 00 00 00")
		if n != 88+24 || h.NextHeader != 17 || len(h.Ports) != 3 || !bytes.Equal(h.Options, unhex("0401aa3e00")) {
			t.Errorf("%d, %+v", n, h)
		}
		b, err := h.AppendBinary(nil)
		if err != nil || !bytes.Equal(b[88:], unhex("1101 5e06 1b59 1b5a 1b5b 0401aa 3e00 00")) {
			t.Errorf("AppendBinary: %x, %v", b[88:], err)
		}
	})
	t.Run("XCAST-9.3.2.2-3/no Ports", func(t *testing.T) {
		h, n := decode(t, "1100 0401aa 00 00 00")
		if n != 88 || h.NextHeader != 60 || len(h.Ports) != 0 || len(h.Options) != 0 {
			t.Errorf("%d, %+v", n, h)
		}
	})
	for _, bad := range []struct {
		name    string
		options string
		ports   int
	}{
		{"overrun", "0405", 2}, {"padding", "0100", 2}, {"not skippable", "4400", 2}, {"no ports", "0400", 0}, {"half", "04", 2},
	} {
		h := xcast.Header6{Code: xcast.Experimental(), List: list(xcast.Xcast6, 2, false, bad.ports > 0), Options: unhex(bad.options)}
		_, err := h.AppendBinary(nil)
		t.Run("XCAST-9.3.2.2-2/refused/"+bad.name, func(t *testing.T) { wantReason(t, err, xcast.ErrOption, 0) })
	}
}
