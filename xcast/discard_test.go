// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
)

// TestDiscard refuses whole packets, in the order of the steps.
func TestDiscard(t *testing.T) {
	set := func(b []byte, at int, v ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], v)
		if b[0]>>4 == 4 {
			xcast.IPv4(b).UpdateChecksum()
		}
		return b
	}
	good4, good6 := spec{to: "10.1.0.1 10.2.0.1"}.build(t), spec{to: "2001:db8:1::1 2001:db8:2::1"}.build(t)
	off := spec{to: "10.1.0.1! 10.2.0.1!"}.build(t)
	icmp := func(typ byte) []byte {
		return spec{to: "10.1.0.1 10.2.0.1", proto: 1, segment: []byte{typ, 0, 0, 0}}.build(t)
	}
	icmp6 := func(typ byte) []byte {
		return spec{to: "2001:db8:1::1 2001:db8:2::1", proto: 58, segment: []byte{typ, 0, 0, 0}}.build(t)
	}
	behind := spec{to: "2001:db8:1::1 2001:db8:2::1", proto: 60, segment: []byte{58, 0, 1, 4, 0, 0, 0, 0, 128, 0, 0, 0}}.build(t)
	tests := []struct {
		name   string
		b      []byte
		want   xcast.Reason
		offset int
		active string
	}{
		{"XCAST-15-3/protocol", set(good4, 9, 17), xcast.ErrNotXcast, 9, "{}"},
		{"XCAST-2-2/unicast destination", set(good4, 16, 192, 0, 2, 7), xcast.ErrNotXcast, 16, "{}"},
		{"XCAST-15-3/other group", set(good4, 16, 224, 0, 0, 253), xcast.ErrNotXcast, 16, "{}"},
		{"XCAST-15-3/other group, IPv6", set(good6, 39, 0x15), xcast.ErrNotXcast, 24, "{}"},
		{"XCAST-9.3.1-1/another header first", set(good6, 6, 60), xcast.ErrNotXcast, 6, "{}"},
		{"XCAST-15-3/other routing type", set(good6, 42, 4), xcast.ErrNotXcast, 6, "{}"},
		{"XCAST-9.2-1/more fragments", set(good4, 6, 0x20), xcast.ErrFragment, 6, "{}"},
		{"XCAST-9.2-1/offset", set(good4, 6, 0, 1), xcast.ErrFragment, 6, "{}"},
		{"XCAST-9.2-1/before the source", set(set(good4, 6, 0, 1), 12, 0, 0, 0, 0), xcast.ErrFragment, 6, "{}"},
		{"bad source 0.0.0.0", set(good4, 12, 0, 0, 0, 0), xcast.ErrBadSource, 12, "{}"},
		{"bad source multicast", set(good4, 12, 239, 0, 0, 1), xcast.ErrBadSource, 12, "{}"},
		{"bad source loopback", set(good4, 12, 127, 9, 9, 9), xcast.ErrBadSource, 12, "{}"},
		{"bad source link-local", set(good4, 12, 169, 254, 0, 1), xcast.ErrBadSource, 12, "{}"},
		{"bad source broadcast", set(good4, 12, 255, 255, 255, 255), xcast.ErrBadSource, 12, "{}"},
		{"bad source before the header", set(set(good4, 12, 127), 20, 0), xcast.ErrBadSource, 12, "{}"},
		{"bad source fe80::", set(good6, 8, 0xfe, 0x80), xcast.ErrBadSource, 8, "{}"},
		{"XCAST-9.2.2-14/checksum", set(good4, 22, 0, 0), xcast.ErrChecksum, 22, "{}"},
		{"version", set(good4, 20, 0), xcast.ErrVersion, 20, "{}"},
		{"XCAST-9.2.2-12/empty bitmap", off, xcast.ErrEmptyBitmap, 32, "{}"},
		{"XCAST-14-1/echo", icmp(8), xcast.ErrICMP, 44, "{0 1}"},
		{"XCAST-14-1/timestamp", icmp(13), xcast.ErrICMP, 44, "{0 1}"},
		{"XCAST-14-1/information", icmp(15), xcast.ErrICMP, 44, "{0 1}"},
		{"XCAST-14-1/address mask", icmp(17), xcast.ErrICMP, 44, "{0 1}"},
		{"XCAST-14-1/no type", spec{to: "10.1.0.1 10.2.0.1!", proto: 1, segment: []byte{}}.build(t), xcast.ErrICMP, 44, "{0}"},
		{"XCAST-14-1/echo, IPv6", icmp6(128), xcast.ErrICMP, 104, "{0 1}"},
		{"XCAST-14-1/node information", icmp6(139), xcast.ErrICMP, 104, "{0 1}"},
		{"XCAST-14-1/behind Destination Options", behind, xcast.ErrICMP, 112, "{0 1}"},
	}
	node := crossroads.node(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := node.Stats().Drops[tt.want]
			r, err := node.Forward(0, tt.b)
			wantReason(t, err, tt.want, tt.offset)
			// XCAST-9.1-4: a reason, and nothing to send.
			if want := "drop " + tt.active + " " + tt.want.String(); say(r) != want {
				t.Errorf("XCAST-9.1-4: %q, want %q", say(r), want)
			}
			if node.Stats().Drops[tt.want] != before+1 {
				t.Error("not counted")
			}
		})
	}
	t.Run("XCAST-14-1/one active of several is still several", func(t *testing.T) {
		_, err := node.Forward(0, spec{to: "10.1.0.1 10.2.0.1!", proto: 1, segment: []byte{8, 0, 0, 0}}.build(t))
		wantReason(t, err, xcast.ErrICMP, 44)
	})
	t.Run("XCAST-14-3/reverse path", func(t *testing.T) {
		node := crossroads.node(t, func(c *xcast.Config) {
			c.AcceptSource = func(a netip.Addr, in int) bool { return a == addr("192.0.2.10") && in == 3 }
		})
		if r, err := node.Forward(3, good4); err != nil || len(r.Outputs) != 2 {
			t.Error(say(r), err)
		}
		_, err := node.Forward(4, good4)
		wantReason(t, err, xcast.ErrReversePath, 12)
	})
}

// TestLinkPadding drops what follows the packet. XCAST-9.2-2.
func TestLinkPadding(t *testing.T) {
	for _, to := range []string{"10.1.0.1 10.1.0.2 10.2.0.1", "2001:db8:1::1 2001:db8:1::2 2001:db8:2::1"} {
		packet := spec{to: to}.build(t)
		node := crossroads.node(t, nil)
		r, err := node.Forward(0, packet)
		if err != nil {
			t.Fatal(err)
		}
		var want [][]byte
		for _, o := range r.Outputs {
			want = append(want, octets(o))
		}
		r, err = node.Forward(0, append(packet, 1, 2, 3, 4, 5, 6))
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range r.Outputs {
			if got := octets(o); !bytes.Equal(got, want[i]) {
				t.Errorf("XCAST-9.2-2: %x, want %x", got, want[i])
			}
		}
	}
}

// TestPreserved edits nothing that need not change: XCAST-9.2.2-18 (reserved
// bits, padding), XCAST-9.2.2-5 (n and the entries), XCAST-8.3-1 (channel),
// XCAST-9.3.2.2-4 (ports), XCAST-13.4-1 (DSCP list), XCAST-9.1-2 (transport).
func TestPreserved(t *testing.T) {
	for _, name := range []string{"E3", "E7"} {
		packet := golden(t, name)
		header, fixed := 20, 12
		if name == "E7" {
			header, fixed = 40, 24
			packet[header+4] |= 1            // R
			packet[header+fixed+7] = 0xff    // bits beyond n
			packet[header+80+3] = 0xee       // padding of the DS octets
			packet[header+88+10+2] = 0x55    // in a PadN
			packet[header+5] |= 0x80         // R
			packet[header+80] |= 3           // DS bits
			packet = append(packet, 1, 2, 3) // link padding
			b := packet[header:]
			b[6], b[7] = 0, 0
			c := xcast.Checksum(b[:88])
			b[6], b[7] = byte(c>>8), byte(c)
		} else {
			copy(packet[header:], edit4(packet[header:76], true, func(b []byte) []byte {
				b[1] |= 0x80
				b[10], b[11], b[15], b[36], b[41], b[54] = 0xab, 0xcd, 0xff, b[36]|3, 0x77, 0x66
				return b
			}))
		}
		node := (&table{routes: []string{"0.0.0.0/0 via 192.0.2.2", "::/0 via 2001:db8::2"}}).node(t, nil)
		r, err := node.Forward(0, packet)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range r.Outputs {
			if o.Kind != xcast.XcastCopy {
				continue
			}
			got := octets(o)
			want := bytes.Clone(packet[:len(got)])
			// What may change: TTL, DS field, checksums, bitmap, cleared addresses under A.
			copy(want[:header], got[:header])
			checksum := header + 2
			if name == "E7" {
				checksum = header + 6
			}
			copy(want[checksum:checksum+2], got[checksum:])
			width := 4 * (1 + (header-20)/20)
			copy(want[header+fixed:header+fixed+width], got[header+fixed:])
			if name == "E3" {
				for i := range 5 {
					if !o.Destinations.Has(i) {
						clear(want[header+16+4*i : header+20+4*i])
					}
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("XCAST-9.2.2-18: %s:\n got %x\nwant %x", name, got, want)
			}
			unused := got[header+fixed+1 : header+fixed+width]
			if !bytes.Equal(unused, make([]byte, len(unused))) {
				t.Errorf("XCAST-9.2.2-18: unused bits % x are not zeroed", unused)
			}
		}
	}
}
