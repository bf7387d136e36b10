// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"bytes"
	"encoding"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/xcast"
)

var (
	_ encoding.BinaryAppender    = (*xcast.Header4)(nil)
	_ encoding.BinaryMarshaler   = (*xcast.Header4)(nil)
	_ encoding.BinaryUnmarshaler = (*xcast.Header4)(nil)
	_ encoding.BinaryAppender    = (*xcast.Header6)(nil)
	_ encoding.BinaryMarshaler   = (*xcast.Header6)(nil)
	_ encoding.BinaryUnmarshaler = (*xcast.Header6)(nil)
)

// list is n destinations, all active.
func list(f xcast.Family, n int, dscps, ports bool) (l xcast.List) {
	for i := range n {
		a := netip.AddrFrom4([4]byte{198, 51, 100, byte(i + 1)})
		if f == xcast.Xcast6 {
			a = netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 15: byte(i + 1)})
		}
		l.Addresses = append(l.Addresses, a)
		if dscps {
			l.DSCPs = append(l.DSCPs, xcast.DSCP(i%64))
		}
		if ports {
			l.Ports = append(l.Ports, uint16(7000+i))
		}
	}
	l.Active = xcast.FirstN(n)
	return l
}

// TestSizes4 holds the sizes of Xcast4: XCAST-9.2.2-2 (LENGTH), XCAST-9.2.2-6
// (up to 127), XCAST-9.2.2-10 (width of the bitmap) and XCAST-9.2-4 (overhead).
func TestSizes4(t *testing.T) {
	// n, start of the addresses, size without lists, with D, P, D and P, start
	// of the ports with P, with D and P.
	rows := [][8]int{
		{1, 16, 20, 24, 24, 28, 20, 24}, {2, 16, 24, 28, 28, 32, 24, 28}, {3, 16, 28, 32, 36, 40, 28, 32},
		{31, 16, 140, 172, 204, 236, 140, 172}, {32, 16, 144, 176, 208, 240, 144, 176}, {33, 20, 152, 188, 220, 256, 152, 188},
		{49, 20, 216, 268, 316, 368, 216, 268}, {63, 20, 272, 336, 400, 464, 272, 336}, {64, 20, 276, 340, 404, 468, 276, 340},
		{65, 24, 284, 352, 416, 484, 284, 352}, {127, 28, 536, 664, 792, 920, 536, 664},
	}
	for _, row := range rows {
		n := row[0]
		for i, lists := range []struct{ d, p bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
			t.Run(fmt.Sprintf("XCAST-9.2.2-2/n=%d/D=%v/P=%v", n, lists.d, lists.p), func(t *testing.T) {
				h := xcast.Header4{Protocol: 17, List: list(xcast.Xcast4, n, lists.d, lists.p)}
				b, err := h.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				if want := row[2+i]; len(b) != want || int(b[9])*4 != want || xcast.Overhead(xcast.Xcast4, n, lists.d, lists.p) != want || h.Size() != want {
					t.Errorf("%d octets, LENGTH %d, want %d octets", len(b), b[9], want)
				}
				at := row[1]
				if !bytes.Equal(b[at:at+4], []byte{198, 51, 100, 1}) {
					t.Errorf("no address at %d: % x", at, b[at:at+4])
				}
				if lists.d && b[at+4*n+min(n-1, 1)] != byte(min(n-1, 1)<<2) {
					t.Errorf("no DS octets at %d", at+4*n)
				}
				if lists.p {
					at := row[6]
					if lists.d {
						at = row[7]
					}
					if !bytes.Equal(b[at:at+2], []byte{7000 >> 8, 7000 & 255}) {
						t.Errorf("no ports at %d", at)
					}
				}
			})
		}
	}
}

// TestSizes6 holds the sizes of Xcast6: XCAST-9.3.2.1-1 (HdrExtLen),
// XCAST-9.3.2.1-2 (at most 125, 118 with D) and XCAST-9.3.2.2-2 (Ports header).
func TestSizes6(t *testing.T) {
	const no = 0 // does not fit
	// n, start of the addresses, Routing header without D, with D, Ports
	// header, its padding.
	rows := [][6]int{
		{1, 32, 48, 56, 8, 2}, {2, 32, 64, 72, 8, 0}, {3, 32, 80, 88, 16, 6}, {31, 32, 528, 560, 72, 6}, {32, 32, 544, 576, 72, 4},
		{33, 32, 560, 600, 72, 2}, {49, 32, 816, 872, 104, 2}, {63, 32, 1040, 1104, 136, 6}, {64, 32, 1056, 1120, 136, 4},
		{65, 40, 1080, 1152, 136, 2}, {118, 40, 1928, 2048, 240, 0}, {119, 40, 1944, no, 248, 6}, {125, 40, 2040, no, 256, 2}, {126, 40, no, no, 256, 0},
	}
	for _, row := range rows {
		n := row[0]
		for i, d := range []bool{false, true} {
			t.Run(fmt.Sprintf("XCAST-9.3.2.1-1/n=%d/D=%v", n, d), func(t *testing.T) {
				h := xcast.Header6{Code: xcast.Experimental(), NextHeader: 17, List: list(xcast.Xcast6, n, d, true)}
				want := row[2+i]
				b, err := h.MarshalBinary()
				if want == no {
					wantReason(t, err, xcast.ErrTooManyDestinations, xcast.MaxDestinations(xcast.Xcast6, d))
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if int(b[1])*8+8 != want || len(b) != want+row[4] || xcast.Overhead(xcast.Xcast6, n, d, false) != want || h.Size() != len(b) {
					t.Errorf("HdrExtLen %d, %d octets, want %d and %d", b[1], len(b), want/8-1, want+row[4])
				}
				if at := row[1]; !bytes.Equal(b[at:at+16], h.Addresses[0].AsSlice()) {
					t.Errorf("no address at %d", at)
				}
				options := b[want:]
				if options[0] != 17 || int(options[1])*8+8 != row[4] || options[2] != 0x5e || int(options[3]) != 2*n {
					t.Errorf("Ports header % x", options[:4])
				}
				padding := options[4+2*n:]
				if len(padding) != row[5] || len(padding) > 0 && (padding[0] != 1 || int(padding[1]) != len(padding)-2) {
					t.Errorf("padding % x, want a PadN of %d", padding, row[5])
				}
			})
		}
	}
}

// edit returns a header with octets replaced and, if seal, the checksum made
// right again.
func edit4(b []byte, seal bool, change func(b []byte) []byte) []byte {
	b = change(bytes.Clone(b))
	if seal {
		b[2], b[3] = 0, 0
		c := xcast.Checksum(b[:min(len(b), int(b[9])*4)])
		b[2], b[3] = byte(c>>8), byte(c)
	}
	return b
}

// TestMalformed4 goes through the order of checks of Xcast4: XCAST-9.2.2-16 and
// the IDs of the rows.
func TestMalformed4(t *testing.T) {
	good := golden(t, "E3")[20:76]
	tests := []struct {
		name   string
		seal   bool
		change func(b []byte) []byte
		want   xcast.Reason
		offset int
	}{
		{"XCAST-9.2.2-16/empty", false, func(b []byte) []byte { return nil }, xcast.ErrTruncated, 0},
		{"XCAST-9.2.2-16/11 octets", false, func(b []byte) []byte { return b[:11] }, xcast.ErrTruncated, 0},
		{"XCAST-9.2.2-1/version 0", true, func(b []byte) []byte { b[0] &= 15; return b }, xcast.ErrVersion, 0},
		{"XCAST-9.2.2-1/version 2 before the rest", false, func(b []byte) []byte { b[0], b[1], b[9] = 0x20, 0, 0; return b }, xcast.ErrVersion, 0},
		{"XCAST-9.2.2-6/no destinations", false, func(b []byte) []byte { b[1], b[9] = 0, 0; return b }, xcast.ErrNoDestinations, 1},
		{"XCAST-9.2.2-2/LENGTH too small", true, func(b []byte) []byte { b[9]--; return b }, xcast.ErrLength, 9},
		{"XCAST-9.2.2-2/LENGTH too large", true, func(b []byte) []byte { b[9]++; return append(b, 0, 0, 0, 0) }, xcast.ErrLength, 9},
		{"XCAST-9.2.2-2/LENGTH right for another D", true, func(b []byte) []byte { b[0] &^= 2; return b }, xcast.ErrLength, 9},
		{"XCAST-9.2.2-16/one octet short", false, func(b []byte) []byte { return b[:len(b)-1] }, xcast.ErrTruncated, 0},
		{"XCAST-9.2.2-14/checksum", false, func(b []byte) []byte { b[2] ^= 1; return b }, xcast.ErrChecksum, 2},
		{"XCAST-9.2.2-14/one wrong bit of an address", false, func(b []byte) []byte { b[30] ^= 1; return b }, xcast.ErrChecksum, 2},
		{"XCAST-9.2.2-13/one wrong bit of the padding", false, func(b []byte) []byte { b[55] ^= 1; return b }, xcast.ErrChecksum, 2},
		{"XCAST-9.2.2-14/zero is no way out", false, func(b []byte) []byte { b[2], b[3] = 0, 0; return b }, xcast.ErrChecksum, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := edit4(good, tt.seal, tt.change)
			h := xcast.Header4{List: list(xcast.Xcast4, 3, true, true)}
			n, err := h.Decode(b)
			wantReason(t, err, tt.want, tt.offset)
			if n != 0 || len(h.Addresses) != 0 || !h.Active.IsEmpty() {
				t.Errorf("not empty after an error: %d, %+v", n, h)
			}
		})
	}
	for n := range good {
		if _, err := new(xcast.Header4).Decode(good[:n:n]); err == nil {
			t.Errorf("%d of %d octets were accepted", n, len(good))
		}
	}
}

// TestIgnored4 sets what a receiver ignores: XCAST-9.2.2-7. Encoding what was
// decoded clears it: XCAST-9.2.2-17. An address under a cleared bit is no
// error: XCAST-9.2.2-8.
func TestIgnored4(t *testing.T) {
	good := golden(t, "E3")[20:76]
	var want xcast.Header4
	if _, err := want.Decode(good); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(b []byte) []byte
	}{
		{"XCAST-9.2.2-7/R", func(b []byte) []byte { b[1] |= 0x80; return b }},
		{"XCAST-9.2.2-7/RESV", func(b []byte) []byte { b[10], b[11] = 0xff, 0xff; return b }},
		{"XCAST-9.2.2-7/bits beyond n", func(b []byte) []byte { b[12], b[15] = 0xff, 0xff; return b }},
		{"XCAST-9.2.2-7/lower bits of DS octets", func(b []byte) []byte { b[36] |= 3; return b }},
		{"XCAST-9.2.2-7/padding", func(b []byte) []byte { b[41], b[42], b[43], b[54], b[55] = 1, 2, 3, 4, 5; return b }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h xcast.Header4
			if _, err := h.Decode(edit4(good, true, tt.change)); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, h, equate...); d != "" {
				t.Error(d)
			}
			if b, err := h.AppendBinary(nil); err != nil || !bytes.Equal(b, good) {
				t.Errorf("XCAST-9.2.2-17: not canonical: %x, %v", b, err)
			}
		})
	}
	t.Run("XCAST-9.2.2-8/address under a cleared bit", func(t *testing.T) {
		var h xcast.Header4
		if _, err := h.Decode(edit4(good, true, func(b []byte) []byte { b[12] = 0xf0; return b })); err != nil {
			t.Fatal(err)
		}
		if !h.Addresses[4].IsUnspecified() || h.Ports[4] != 7005 || h.DSCPs[4] != 36 {
			t.Errorf("under A: address %v, port %d, DSCP %d; want only the address gone", h.Addresses[4], h.Ports[4], h.DSCPs[4])
		}
		h.Addresses[4] = addr("198.51.100.35")
		b, err := h.AppendBinary(nil)
		if err != nil || !bytes.Equal(b[32:36], []byte{0, 0, 0, 0}) {
			t.Errorf("encoder wrote % x, %v", b[32:36], err)
		}
	})
	t.Run("XCAST-9.2.2-14/ffff is zero", func(t *testing.T) {
		// Choose the channel so that the sum comes out as zero.
		b := edit4(good, true, func(b []byte) []byte { return b })
		b[4], b[5] = b[2], b[3]
		b = edit4(b, true, func(b []byte) []byte { return b })
		if b[2] != 0 || b[3] != 0 {
			t.Fatalf("checksum % x, want 0", b[2:4])
		}
		var h xcast.Header4
		if _, err := h.Decode(b); err != nil {
			t.Errorf("0x0000: %v", err)
		}
		if again, _ := h.AppendBinary(nil); again[2] != 0 || again[3] != 0 {
			t.Errorf("encoder sent % x, want 0000", again[2:4])
		}
		b[2], b[3] = 0xff, 0xff
		if _, err := h.Decode(b); err != nil {
			t.Errorf("0xffff: %v", err)
		}
	})
}

// TestEncodeErrors refuses what could not be decoded. XCAST-9.2.2-6,
// XCAST-9.3.2.1-2, XCAST-9.2.2-16.
func TestEncodeErrors(t *testing.T) {
	with := func(change func(*xcast.List)) xcast.List {
		l := list(xcast.Xcast4, 3, true, true)
		change(&l)
		return l
	}
	tests := []struct {
		name   string
		l      xcast.List
		want   xcast.Reason
		offset int
	}{
		{"XCAST-9.2.2-6/none", xcast.List{}, xcast.ErrNoDestinations, 0},
		{"XCAST-9.2.2-6/128", list(xcast.Xcast4, 128, false, false), xcast.ErrTooManyDestinations, 127},
		{"DSCPs", with(func(l *xcast.List) { l.DSCPs = l.DSCPs[:2] }), xcast.ErrListLength, 0},
		{"Ports", with(func(l *xcast.List) { l.Ports = append(l.Ports, 1) }), xcast.ErrListLength, 0},
		{"DSCP 64", with(func(l *xcast.List) { l.DSCPs[1] = 64 }), xcast.ErrDSCP, 1},
		{"bit beyond", with(func(l *xcast.List) { l.Active = xcast.FirstN(4) }), xcast.ErrListLength, 3},
		{"IPv6 address", with(func(l *xcast.List) { l.Addresses[2] = addr("2001:db8::1") }), xcast.ErrAddress, 2},
		{"mapped address", with(func(l *xcast.List) { l.Addresses[2] = addr("::ffff:198.51.100.1") }), xcast.ErrAddress, 2},
		{"zero Addr", with(func(l *xcast.List) { l.Addresses[0] = netip.Addr{} }), xcast.ErrAddress, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := xcast.Header4{List: tt.l}
			b, err := h.AppendBinary([]byte("before"))
			wantReason(t, err, tt.want, tt.offset)
			if string(b) != "before" {
				t.Errorf("returned %q", b)
			}
		})
	}
	for _, a := range []string{"198.51.100.1", "fe80::1%eth0"} {
		h := xcast.Header6{Code: xcast.Experimental(), List: xcast.List{Addresses: addrs(a)}}
		_, err := h.AppendBinary(nil)
		wantReason(t, err, xcast.ErrAddress, 0)
	}
}

// TestDecodeReuses fills one value with headers of all sizes and finds nothing
// of the one before.
func TestDecodeReuses(t *testing.T) {
	var h xcast.Header4
	for _, n := range []int{127, 1, 64, 2} {
		want := xcast.Header4{Channel: uint32(n), Protocol: 6, List: list(xcast.Xcast4, n, n%2 == 0, n > 60)}
		b, err := want.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Decode(b); err != nil {
			t.Fatal(err)
		}
		clear(b)
		if d := cmp.Diff(want, h, equate...); d != "" {
			t.Errorf("n=%d: %s", n, d)
		}
		if err := h.UnmarshalBinary(append(b, 0)); err == nil {
			t.Error("octets after the header were taken")
		}
	}
}

// TestCompact drops what is not active and nothing else. XCAST-2-12.
func TestCompact(t *testing.T) {
	l := list(xcast.Xcast4, 5, true, true)
	l.Active = xcast.Bit(1).Or(xcast.Bit(4))
	want := xcast.List{Active: xcast.FirstN(2), Addresses: addrs("198.51.100.2", "198.51.100.5"), DSCPs: []xcast.DSCP{1, 4}, Ports: []uint16{7001, 7004}}
	if d := cmp.Diff(want, l.Compact(), equate...); d != "" {
		t.Error("XCAST-2-12: ", d)
	}
}
