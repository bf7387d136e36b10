// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/scope"
)

// patch replaces octets of a golden message from an offset on.
func patch(name string, at int, octets string) func(testing.TB) []byte {
	return func(t testing.TB) []byte {
		b := golden(t, name)
		copy(b[at:], octets)
		return b
	}
}

// cut keeps the first octets of a golden message; a negative count leaves out
// so many at its end.
func cut(name string, n int) func(testing.TB) []byte {
	return func(t testing.TB) []byte {
		b := golden(t, name)
		if n < 0 {
			n += len(b)
		}
		return b[:n]
	}
}

// grow appends octets to a golden message.
func grow(name, octets string) func(testing.TB) []byte {
	return func(t testing.TB) []byte { return append(golden(t, name), octets...) }
}

// TestReject is the list of what a decoder rejects, one row and more for each
// cause, with the field and offset that the error names.
func TestReject(t *testing.T) {
	for _, c := range []struct {
		name   string
		input  func(testing.TB) []byte
		cause  error
		field  string
		offset int
	}{
		{"MZAP-5-20 nothing", cut("w5", 0), mzap.ErrTruncated, "header", 0},
		{"MZAP-5-20 header cut early", cut("w5", 3), mzap.ErrTruncated, "header", 3},
		{"MZAP-5-20 header cut late", cut("w5", 19), mzap.ErrTruncated, "header", 19},
		{"MZAP-5-20 IPv6 header cut", cut("w8", 67), mzap.ErrTruncated, "header", 67},
		{"MZAP-5-20 body cut before the count", cut("w4", 23), mzap.ErrTruncated, "Hold Time", 23},
		{"MZAP-5-20 no body", cut("w4", 20), mzap.ErrTruncated, "Hold Time", 20},
		{"MZAP-5-5 version 1", patch("w5", 0, "\x01"), mzap.ErrVersion, "Version", 0},
		{"MZAP-5-7 type 4", patch("w5", 1, "\x04"), mzap.ErrType, "PTYPE", 1},
		{"MZAP-5-7 type 127 with B", patch("w5", 1, "\xff"), mzap.ErrType, "PTYPE", 1},
		{"MZAP-5-8 family 0", patch("w5", 2, "\x00"), mzap.ErrFamily, "Address Family", 2},
		{"MZAP-5-8 family 3", patch("w5", 2, "\x03"), mzap.ErrFamily, "Address Family", 2},
		{"MZAP-5-11 link-local origin", patch("w3", 4, "\xa9\xfe\x01\x01"), mzap.ErrAddress, "Message Origin", 4},
		{"MZAP-A-9 origin 0.0.0.0", patch("w3", 4, "\x00\x00\x00\x00"), mzap.ErrAddress, "Message Origin", 4},
		{"MZAP-A-9 origin in 0/8", patch("w3", 4, "\x00\x01\x02\x03"), mzap.ErrAddress, "Message Origin", 4},
		{"MZAP-A-9 loopback origin", patch("w3", 4, "\x7f\x00\x00\x01"), mzap.ErrAddress, "Message Origin", 4},
		{"MZAP-A-9 multicast origin", patch("w3", 4, "\xef\x01\x02\x03"), mzap.ErrAddress, "Message Origin", 4},
		{"MZAP-A-9 origin in 240/4", patch("w3", 4, "\xf0\x01\x02\x03"), mzap.ErrAddress, "Message Origin", 4},
		{"MZAP-A-9 IPv4-mapped origin", patch("w8", 4, strings.Repeat("\x00", 10)+"\xff\xff\xc0\x00\x02\x01"), mzap.ErrAddress, "Message Origin", 4},
		{"MZAP-A-9 IPv6 origin ::", patch("w8", 4, strings.Repeat("\x00", 16)), mzap.ErrAddress, "Message Origin", 4},
		{"MZAP-A-9 IPv6 origin ::1", patch("w8", 4, strings.Repeat("\x00", 15)+"\x01"), mzap.ErrAddress, "Message Origin", 4},
		{"MZAP-A-9 IPv6 link-local zone ID", patch("w8", 20, "\xfe\x80"), mzap.ErrAddress, "Zone ID Address", 20},
		{"MZAP-A-9 IPv6 multicast zone ID", patch("w8", 20, "\xff\x02"), mzap.ErrAddress, "Zone ID Address", 20},
		{"MZAP-5-12 unspecified zone ID", patch("w3", 8, "\x00\x00\x00\x00"), mzap.ErrAddress, "Zone ID Address", 8},
		{"MZAP-5-10 start not multicast", patch("w3", 12, "\xdf"), mzap.ErrRange, "Zone Start Address", 12},
		{"MZAP-5-10 end not multicast", patch("w3", 16, "\xf0"), mzap.ErrRange, "Zone Start Address", 12},
		{"MZAP-5-10 end below start", patch("w1", 16, "\xef\xbf\xff\xff"), mzap.ErrRange, "Zone End Address", 16},
		{"MZAP-5-10 IPv6 start not multicast", patch("w8", 36, "\xfe"), mzap.ErrRange, "Zone Start Address", 36},
		{"MZAP-5-10 IPv6 start an IPv4 group", patch("w8", 36, strings.Repeat("\x00", 10)+"\xff\xff\xef\x00\x02\x01"), mzap.ErrRange, "Zone Start Address", 36},
		{"MZAP-5-9 more names counted than there are", patch("w5", 3, "\x01"), mzap.ErrTruncated, "Language Tag", 24},
		{"MZAP-5-9 name block cut", cut("w1", 21), mzap.ErrTruncated, "Encoded Zone Name", 21},
		{"MZAP-5-9 tag cut", cut("w1", 23), mzap.ErrTruncated, "Language Tag", 23},
		{"MZAP-5-9 name length cut", cut("w1", 24), mzap.ErrTruncated, "Language Tag", 24},
		{"MZAP-5-9 name cut", cut("w1", 30), mzap.ErrTruncated, "Zone Name", 30},
		{"MZAP-5-16 empty name", patch("w1", 24, "\x00"), mzap.ErrEmptyName, "NameLen", 24},
		{"MZAP-5-17 broken sequence", patch("w1", 50, "\x28"), mzap.ErrNotUTF8, "Zone Name", 45},
		{"MZAP-5-17 overlong form", patch("w1", 25, "\xc0\xaf"), mzap.ErrNotUTF8, "Zone Name", 25},
		{"MZAP-5-17 surrogate", patch("w1", 25, "\xed\xa0\x80"), mzap.ErrNotUTF8, "Zone Name", 25},
		{"MZAP-5-17 above U+10FFFF", patch("w1", 25, "\xf4\x90\x80\x80"), mzap.ErrNotUTF8, "Zone Name", 25},
		{"MZAP-5-15 underscore in the tag", patch("w1", 41, "_"), mzap.ErrTag, "Language Tag", 39},
		{"MZAP-A-12 digit first", patch("w1", 22, "1n"), mzap.ErrTag, "Language Tag", 22},
		{"MZAP-A-12 hyphen last", patch("w1", 39, "fran-"), mzap.ErrTag, "Language Tag", 39},
		{"MZAP-A-12 hyphen first", patch("w1", 39, "-fran"), mzap.ErrTag, "Language Tag", 39},
		{"MZAP-A-12 two hyphens", patch("w1", 39, "f--ca"), mzap.ErrTag, "Language Tag", 39},
		{"MZAP-5-19 padding cut", cut("w1", 63), mzap.ErrTruncated, "Padding", 63},
		{"MZAP-5.1-2 no pair follows", patch("w1", 64, "\x01"), mzap.ErrTruncated, "Zone Path", 72},
		{"MZAP-5.1-2 last pair cut", cut("w2", -4), mzap.ErrTruncated, "Zone Path", 84},
		{"MZAP-5.1-2 one pair too many", patch("w2", 64, "\x01"), mzap.ErrTrailing, "Zone Path", 80},
		{"MZAP-5.1-2 ZLE without its local zone", cut("w3", 24), mzap.ErrTruncated, "Zone Path", 24},
		{"MZAP-5.1-5 router unspecified", patch("w2", 72, "\x00\x00\x00\x00"), mzap.ErrAddress, "Router Address", 72},
		{"MZAP-5.1-5 local zone multicast", patch("w2", 76, "\xef\x00\x00\x01"), mzap.ErrAddress, "Local Zone ID Address", 76},
		{"MZAP-5.1-5 local zone 0 link-local", patch("w2", 68, "\xa9\xfe\x00\x01"), mzap.ErrAddress, "Local Zone ID Address", 68},
		{"MZAP-5.3-3 one address too many", patch("w4", 20, "\x02"), mzap.ErrTrailing, "ZBR Address", 32},
		{"MZAP-5.3-3 one address missing", patch("w4", 20, "\x04"), mzap.ErrTruncated, "ZBR Address", 36},
		{"MZAP-5.3-5 listed router multicast", patch("w4", 28, "\xe0"), mzap.ErrAddress, "ZBR Address", 28},
		{"MZAP-5.4-3 not multicast", patch("w5", 20, "\xc0"), mzap.ErrNotInside, "Not-Inside Zone Start Address", 20},
		{"MZAP-5.4-3 X not inside X", patch("w5", 20, "\xef\xc0\x00\x00"), mzap.ErrNotInside, "Not-Inside Zone Start Address", 20},
		{"MZAP-5.4-3 IPv6 X not inside X", patch("w8", 68, "\xff\x05\x00\x00"), mzap.ErrNotInside, "Not-Inside Zone Start Address", 68},
		{"MZAP-5-20 NIM too long", grow("w5", "\x00\x00"), mzap.ErrTrailing, "Not-Inside Zone Start Address", 24},
		{"MZAP-5-20 NIM too short", cut("w5", -1), mzap.ErrTruncated, "Not-Inside Zone Start Address", 23},
		{"MZAP-A-20 ZAM too long", grow("w1", "\x00"), mzap.ErrTrailing, "Zone Path", 72},
		{"MZAP-A-20 ZCM too long", grow("w4", "\x00\x00\x00\x00"), mzap.ErrTrailing, "ZBR Address", 36},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := *worked[1].msg.Clone()
			err := m.Decode(c.input(t))
			var e *mzap.Error
			if !errors.As(err, &e) || !errors.Is(err, c.cause) {
				t.Fatalf("error %v, want %v", err, c.cause)
			}
			if e.Field != c.field || e.Offset != c.offset {
				t.Errorf("error names %q at %d, want %q at %d: %v", e.Field, e.Offset, c.field, c.offset, err)
			}
			// MZAP-A-23: nothing of a malformed message is used.
			if d := cmp.Diff(mzap.Message{}, m, sameMessage); d != "" {
				t.Errorf("a rejected message left something behind:\n%s", d)
			}
		})
	}
}

// TestAccept is what looks odd and is fine.
func TestAccept(t *testing.T) {
	base := worked[0].msg
	for _, c := range []struct {
		name   string
		change func(*mzap.Message)
	}{
		{"MZAP-A-12 empty language tag", func(m *mzap.Message) { m.Names = []mzap.Name{{Text: []byte("x")}} }},
		{"MZAP-A-12 longest subtags", func(m *mzap.Message) { m.Names = []mzap.Name{{Tag: []byte("abcdefgh-12345678-x"), Text: []byte("x")}} }},
		{"MZAP-A-13 two defaults, one language twice", func(m *mzap.Message) {
			m.Names = []mzap.Name{
				{Default: true, Tag: []byte("en"), Text: []byte("a")}, {Default: true, Tag: []byte("EN"), Text: []byte("b")},
			}
		}},
		{"MZAP-A-14 white space kept by the codec", func(m *mzap.Message) { m.Names = []mzap.Name{{Tag: []byte("en"), Text: []byte(" a ")}} }},
		{"MZAP-5-17 longest name", func(m *mzap.Message) {
			m.Names = []mzap.Name{{Tag: []byte("en"), Text: []byte(strings.Repeat("é", 127) + "e")}}
		}},
		{"MZAP-5-9 255 names", func(m *mzap.Message) {
			m.Names = nil
			for range 255 {
				m.Names = append(m.Names, mzap.Name{Tag: []byte("en"), Text: []byte("x")})
			}
		}},
		{"MZAP-5-9 no names", func(m *mzap.Message) { m.Names = nil }},
		{"MZAP-5.1-3 no limit", func(m *mzap.Message) { m.Limit = 0 }},
		{"MZAP-A-11 hold time 0", func(m *mzap.Message) { m.HoldTime = 0 }},
		{"longest hold time", func(m *mzap.Message) { m.HoldTime = 65535 * time.Second }},
		{"MZAP-5.1-5 local zone 0 unknown", func(m *mzap.Message) { m.LocalZone = netip.Addr{} }},
		{"MZAP-A-15 own origin in the list, twice", func(m *mzap.Message) {
			*m = *worked[3].msg.Clone()
			m.Routers = []netip.Addr{m.Origin, m.Origin}
		}},
		{"MZAP-5.1-1 a ZAM for the Local Scope", func(m *mzap.Message) { m.Range = mzap.LocalScope(true) }},
		{"range of one address", func(m *mzap.Message) { m.Range = scope.Single(addr("239.1.2.3")) }},
		{"all of IPv4 multicast", func(m *mzap.Message) { m.Range = scope.MustRange("224.0.0.0", "239.255.255.255") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := *base.Clone()
			c.change(&m)
			b, err := m.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			var back mzap.Message
			if err := back.Decode(b); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(m, back, sameMessage); d != "" {
				t.Errorf("came back different:\n%s", d)
			}
		})
	}
}

// TestRefuse is what an encoder refuses: all that a decoder rejects, and what
// does not fit the wire.
func TestRefuse(t *testing.T) {
	v6 := addr("2001:db8::1")
	long := bytes.Repeat([]byte("a"), 256)
	for _, c := range []struct {
		name   string
		worked int
		change func(*mzap.Message)
		cause  error
	}{
		{"MZAP-5-7 type", 0, func(m *mzap.Message) { m.Type = 4 }, mzap.ErrType},
		{"MZAP-5-10 no range", 0, func(m *mzap.Message) { m.Range = scope.Range{} }, mzap.ErrRange},
		{"MZAP-5-10 unicast range", 0, func(m *mzap.Message) { m.Range = scope.MustRange("192.0.2.0", "192.0.2.9") }, mzap.ErrRange},
		{"MZAP-5-11 no origin", 0, func(m *mzap.Message) { m.Origin = netip.Addr{} }, mzap.ErrAddress},
		{"MZAP-5-4 link-local origin", 0, func(m *mzap.Message) { m.Origin = addr("169.254.1.1") }, mzap.ErrAddress},
		{"MZAP-5-4 link-local IPv6 origin", 5, func(m *mzap.Message) { m.Origin = addr("fe80::1") }, mzap.ErrAddress},
		{"zoned origin", 5, func(m *mzap.Message) { m.Origin = addr("2001:db8::1%eth0") }, mzap.ErrAddress},
		{"MZAP-5-8 origin of the other family", 0, func(m *mzap.Message) { m.Origin = v6 }, mzap.ErrFamily},
		{"MZAP-5-8 zone ID of the other family", 0, func(m *mzap.Message) { m.ZoneID = v6 }, mzap.ErrFamily},
		{"MZAP-5-12 zone ID multicast", 0, func(m *mzap.Message) { m.ZoneID = addr("239.0.0.1") }, mzap.ErrAddress},
		{"MZAP-5-9 256 names", 0, func(m *mzap.Message) { m.Names = make([]mzap.Name, 256) }, mzap.ErrField},
		{"MZAP-5-15 tag", 0, func(m *mzap.Message) { m.Names[0].Tag = []byte("e_n") }, mzap.ErrTag},
		{"MZAP-A-12 nine letters", 0, func(m *mzap.Message) { m.Names[0].Tag = []byte("abcdefghi") }, mzap.ErrTag},
		{"MZAP-A-12 nine digits", 0, func(m *mzap.Message) { m.Names[0].Tag = []byte("a-123456789") }, mzap.ErrTag},
		{"MZAP-5-15 tag too long", 0, func(m *mzap.Message) { m.Names[0].Tag = long }, mzap.ErrField},
		{"MZAP-5-16 empty name", 0, func(m *mzap.Message) { m.Names[0].Text = nil }, mzap.ErrEmptyName},
		{"MZAP-5-17 not UTF-8", 0, func(m *mzap.Message) { m.Names[0].Text = []byte{0xff} }, mzap.ErrNotUTF8},
		{"MZAP-5-17 name too long", 0, func(m *mzap.Message) { m.Names[0].Text = long }, mzap.ErrField},
		{"MZAP-5.1-2 path too long", 0, func(m *mzap.Message) { m.Path = make([]mzap.Hop, 256) }, mzap.ErrField},
		{"MZAP-5.1-5 router", 1, func(m *mzap.Message) { m.Path[0].Router = netip.Addr{} }, mzap.ErrAddress},
		{"MZAP-5.1-5 zone", 1, func(m *mzap.Message) { m.Path[1].LocalZone = addr("127.0.0.1") }, mzap.ErrAddress},
		{"MZAP-5.1-5 zone 0 written as 0.0.0.0", 1, func(m *mzap.Message) { m.LocalZone = addr("0.0.0.0") }, mzap.ErrAddress},
		{"MZAP-5.3-3 list too long", 3, func(m *mzap.Message) { m.Routers = make([]netip.Addr, 256) }, mzap.ErrField},
		{"MZAP-5.3-5 listed router", 3, func(m *mzap.Message) { m.Routers[0] = addr("0.0.0.0") }, mzap.ErrAddress},
		{"MZAP-5.4-3 X not inside X", 4, func(m *mzap.Message) { m.NotInside = m.Range.First() }, mzap.ErrNotInside},
		{"MZAP-5.4-3 nothing", 7, func(m *mzap.Message) { m.NotInside = netip.Addr{} }, mzap.ErrNotInside},
		{"MZAP-5.4-3 unicast", 4, func(m *mzap.Message) { m.NotInside = addr("192.0.2.1") }, mzap.ErrNotInside},
		{"MZAP-5.4-3 other family", 4, func(m *mzap.Message) { m.NotInside = addr("ff05::") }, mzap.ErrFamily},
		{"half a second", 0, func(m *mzap.Message) { m.HoldTime += time.Second / 2 }, mzap.ErrField},
		{"hold time below 0", 0, func(m *mzap.Message) { m.HoldTime = -time.Second }, mzap.ErrField},
		{"hold time too long", 0, func(m *mzap.Message) { m.HoldTime = 65536 * time.Second }, mzap.ErrField},
		{"ZCM with a path", 3, func(m *mzap.Message) { m.Path = worked[1].msg.Path }, mzap.ErrField},
		{"ZCM with a limit", 3, func(m *mzap.Message) { m.Limit = 1 }, mzap.ErrField},
		{"NIM with a local zone", 4, func(m *mzap.Message) { m.LocalZone = m.Origin }, mzap.ErrField},
		{"NIM with a hold time", 4, func(m *mzap.Message) { m.HoldTime = time.Second }, mzap.ErrField},
		{"ZAM with routers", 0, func(m *mzap.Message) { m.Routers = []netip.Addr{m.Origin} }, mzap.ErrField},
		{"ZLE with a not-inside scope", 2, func(m *mzap.Message) { m.NotInside = addr("239.1.0.0") }, mzap.ErrField},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := worked[c.worked].msg.Clone()
			c.change(m)
			dst := []byte("x")
			got, err := m.AppendBinary(dst)
			var e *mzap.Error
			if !errors.Is(err, c.cause) || !errors.As(err, &e) || e.Offset != -1 {
				t.Errorf("error %v, want %v", err, c.cause)
			}
			if string(got) != "x" {
				t.Errorf("appended %x in spite of the error", got[1:])
			}
		})
	}
}
