// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
	"github.com/mcastalloc/malloc/xcast/xcasttest"
	"pgregory.net/rapid"
)

// slowDecode is Packet.Decode step by step, with sums word by word: why and
// where it refuses b, or where the Xcast header ends. What a Destination
// Options header after that holds it does not check.
func slowDecode(b []byte) (why xcast.Reason, offset, end int) {
	code := xcast.Experimental()
	if len(b) > 0 && b[0]>>4 == 6 {
		if len(b) < 40 {
			return xcast.ErrMalformedIP, 0, 0
		}
		payload := int(binary.BigEndian.Uint16(b[4:]))
		if payload == 0 || len(b) < 40+payload {
			return xcast.ErrMalformedIP, 4, 0
		}
		b = b[:40+payload]
		switch {
		case b[6] != 43 || payload < 4 || b[42] != code.RoutingType:
			return xcast.ErrNotXcast, 6, 0
		case !bytes.Equal(b[24:40], code.AllRouters6.AsSlice()):
			return xcast.ErrNotXcast, 24, 0
		case payload < 8:
			return xcast.ErrTruncated, 40, 0
		case b[43] != 0:
			return xcast.ErrSegmentsLeft, 43, 0
		case b[44]>>4 != 1:
			return xcast.ErrVersion, 44, 0
		}
		n := int(b[45] & 127)
		size := xcast.Overhead(xcast.Xcast6, n, b[44]&2 != 0, false)
		switch {
		case n == 0:
			return xcast.ErrNoDestinations, 45, 0
		case 8+8*int(b[41]) != size:
			return xcast.ErrLength, 41, 0
		case payload < size:
			return xcast.ErrTruncated, 40, 0
		case slowSum(b[40:40+size]) != 0xffff:
			return xcast.ErrChecksum, 46, 0
		}
		return 0, 0, 40 + size
	}
	if len(b) < 20 || b[0]>>4 != 4 || b[0]&15 < 5 {
		return xcast.ErrMalformedIP, 0, 0
	}
	start, total := 4*int(b[0]&15), int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case total < start || total > len(b):
		return xcast.ErrMalformedIP, 2, 0
	case slowSum(b[:start]) != 0xffff:
		return xcast.ErrMalformedIP, 10, 0
	case b[9] != code.ProtoXcast4:
		return xcast.ErrNotXcast, 9, 0
	case !bytes.Equal(b[16:20], code.AllRouters4.AsSlice()):
		return xcast.ErrNotXcast, 16, 0
	case b[6]&0x3f != 0 || b[7] != 0:
		return xcast.ErrFragment, 6, 0
	case total-start < 12:
		return xcast.ErrTruncated, start, 0
	}
	h := b[start:total]
	n := int(h[1] & 127)
	size := xcast.Overhead(xcast.Xcast4, n, h[0]&2 != 0, h[0]&1 != 0)
	switch {
	case h[0]>>4 != 1:
		return xcast.ErrVersion, start, 0
	case n == 0:
		return xcast.ErrNoDestinations, start + 1, 0
	case 4*int(h[9]) != size:
		return xcast.ErrLength, start + 9, 0
	case len(h) < size:
		return xcast.ErrTruncated, start, 0
	case slowSum(h[:size]) != 0xffff:
		return xcast.ErrChecksum, start + 2, 0
	}
	return 0, 0, start + size
}

// checkDecode compares Packet.Decode with slowDecode.
func checkDecode(t interface{ Fatalf(string, ...any) }, b []byte) {
	code := xcast.Experimental()
	var p xcast.Packet
	err := p.Decode(b, &code)
	why, offset, end := slowDecode(b)
	var e *xcast.Error
	switch {
	case err != nil && (!errors.As(err, &e) || p.Bytes() != nil || p.Len() != 0):
		t.Fatalf("%v, and %v is left, of %x", err, p, b)
	case why != 0:
		if e == nil || e.Err != why || e.Offset != offset {
			t.Fatalf("%v, want %v at %d, of %x", err, why, offset, b)
		}
	case e != nil && (b[0]>>4 == 4 || b[40] != 60 || e.Offset < end):
		t.Fatalf("%v, want none, of %x", err, b)
	case e == nil:
		if _, segment := p.Transport(); len(segment) > len(p.Bytes())-end || (p.Family() == xcast.Xcast4 && len(segment) != len(p.Bytes())-end) {
			t.Fatalf("%d octets of transport, the header ends at %d, of %x", len(segment), end, b)
		}
	}
}

// TestDecodeAgrees damages packets, with IPv4 options and without, and leaves
// the checksums wrong or makes them right again: XCAST-9.2-2.
func TestDecodeAgrees(t *testing.T) {
	code := xcast.Experimental()
	rapid.Check(t, func(t *rapid.T) {
		b := xcasttest.Packet(code).Draw(t, "packet")
		if words := rapid.IntRange(0, 10).Draw(t, "words of options"); b[0] == 0x45 && words > 0 {
			b = slices.Insert(b, 20, bytes.Repeat([]byte{1}, 4*words)...)
			b[0] += byte(words)
			binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
			xcast.IPv4(b).UpdateChecksum()
		}
		checkDecode(t, b)
		for range rapid.IntRange(0, 3).Draw(t, "damages") {
			at := rapid.IntRange(0, min(len(b), 100)-1).Draw(t, "at")
			b[at] = rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte{0, 0xff, b[at] + 1, b[at] ^ 0x80})).Draw(t, "octet")
		}
		if rapid.Bool().Draw(t, "seal") {
			seal(b)
		}
		checkDecode(t, b)
		checkDecode(t, b[:rapid.IntRange(0, len(b)).Draw(t, "cut")])
	})
}

// TestDecodeTwoZeros: a checksum of 0xffff is as right as one of 0.
func TestDecodeTwoZeros(t *testing.T) {
	for _, name := range []string{"E1", "E6"} {
		b := golden(t, name)
		start, checksum := 20, 22
		if b[0]>>4 == 6 {
			start, checksum = 40, 46
		} else { // put all of the IPv4 sum into the Identification
			makeZero(b[:20], 4, 10)
		}
		_, _, end := slowDecode(b)
		makeZero(b[start:end], checksum-start+2, checksum-start) // into the channel
		for _, zero := range []byte{0, 0xff} {
			b[checksum], b[checksum+1] = zero, zero
			if start == 20 {
				b[10], b[11] = zero, zero
			}
			checkDecode(t, b)
			code := xcast.Experimental()
			if err := new(xcast.Packet).Decode(b, &code); err != nil {
				t.Errorf("%s, %#02x: %v", name, zero, err)
			}
		}
	}
}

// makeZero changes the word at an offset so that the checksum is 0.
func makeZero(header []byte, word, checksum int) {
	clear(header[word : word+2])
	clear(header[checksum : checksum+2])
	binary.BigEndian.PutUint16(header[word:], ^slowSum(header))
}

// TestDecodeEverySum tries every value of one word under each checksum, and
// every length of a packet that says how long it is.
func TestDecodeEverySum(t *testing.T) {
	for _, c := range []struct {
		name  string
		words []int // the Identification and the channels
	}{{"E1", []int{4, 24}}, {"E6", []int{48}}} {
		for _, at := range c.words {
			b := golden(t, c.name)
			for v := range 1 << 16 {
				binary.BigEndian.PutUint16(b[at:], uint16(v))
				checkDecode(t, b)
			}
		}
		for b := golden(t, c.name); len(b) > 20; b = b[:len(b)-1] {
			if b[0]>>4 == 4 {
				binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
				xcast.IPv4(b).UpdateChecksum()
			} else {
				binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
			}
			checkDecode(t, slices.Clip(b))
		}
	}
}

// TestDecodeAgain: nothing of the packet before is left in a view.
func TestDecodeAgain(t *testing.T) {
	code := xcast.Experimental()
	rapid.Check(t, func(t *rapid.T) {
		var used, fresh xcast.Packet
		a, b := xcasttest.Packet(code).Draw(t, "a"), xcasttest.Packet(code).Draw(t, "b")
		if err := errors.Join(used.Decode(a, &code), used.Decode(b, &code), fresh.Decode(b, &code)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(used, fresh) {
			t.Fatalf("%+v, want %+v", used, fresh)
		}
	})
}

// FuzzDecode is TestDecodeAgrees for arbitrary octets.
func FuzzDecode(f *testing.F) {
	seeds(f, 0, 0)
	f.Fuzz(func(t *testing.T, b []byte) {
		checkDecode(t, b)
		seal(b)
		checkDecode(t, b)
	})
}
