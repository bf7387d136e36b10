// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// TestRefusals spoils a sound message in one way after the other. The encoder
// names the option and leaves the buffer as it was.
func TestRefusals(t *testing.T) {
	type message = madcap.Message
	name := func(tag, text string) func(*message) {
		return func(m *message) {
			z := zone("239.255.0.0", "239.255.255.255", 1, madcap.ZoneName{Tag: []byte(tag), Text: []byte(text)})
			m.ScopeList = madcap.Some([]madcap.Zone{z})
		}
	}
	failure := func(code madcap.ErrorCode, extra string) func(*message) {
		return func(m *message) { m.Error = madcap.Some(madcap.ErrorOption{Code: code, Extra: []byte(extra)}) }
	}
	for _, c := range []struct {
		id, why string
		code    madcap.OptionCode
		err     error
		spoil   func(*message)
	}{
		{"MADCAP-2.1.5-1", "value of 65536 octets", 999, madcap.ErrLength, func(m *message) { m.Unknown = []madcap.RawOption{raw(999, strings.Repeat("x", 65536))} }},
		{"MADCAP-2.1.5-1", "identifier of 65536 octets", 3, madcap.ErrLength, func(m *message) { m.LeaseIdentifier = make([]byte, 65536) }},
		{"MADCAP-2.1.5-1", "tag of 65536 octets", 8, madcap.ErrLength, func(m *message) { m.RequestedLanguage = madcap.Some(make([]byte, 65536)) }},
		{"MADCAP-2.1.5-3", "an End among the options", 0, madcap.ErrValue, func(m *message) { m.Unknown = []madcap.RawOption{raw(0, "")} }},
		{"MADCAP-D-2", "an End named by Order as well", 0, madcap.ErrValue, func(m *message) {
			m.Unknown, m.Order = []madcap.RawOption{raw(0, "")}, []madcap.OptionCode{0}
		}},
		{"MADCAP-2.1.5-4", "an option twice", 999, madcap.ErrRepeated, func(m *message) { m.Unknown = []madcap.RawOption{raw(999, ""), raw(998, ""), raw(999, "x")} }},
		{"MADCAP-2.1.5-4", "a known option as an unknown one", 1, madcap.ErrValue, func(m *message) { m.Unknown = []madcap.RawOption{raw(1, "\x00\x00\x00\x01")} }},
		{"MADCAP-2.1.5-4", "an opaque scope in IPv4", 4, madcap.ErrValue, func(m *message) { m.Unknown = []madcap.RawOption{raw(4, "\xef\xff\x00\x00")} }},
		{"MADCAP-2.1.5-4", "an opaque scope twice", 4, madcap.ErrRepeated, func(m *message) { m.Family, m.Unknown = 3, []madcap.RawOption{raw(4, "x"), raw(4, "x")} }},
		{"MADCAP-D-8", "an opaque scope of no octets", 4, madcap.ErrValue, func(m *message) { m.Family, m.Unknown = 3, []madcap.RawOption{raw(4, "")} }},
		{"MADCAP-D-8", "an opaque scope and a scope", 4, madcap.ErrRepeated, func(m *message) {
			m.Family, m.Scope, m.Unknown = 3, ip("239.255.0.0"), []madcap.RawOption{raw(4, "x")}
		}},
		{"MADCAP-2.1.3-1", "IPv6 scope in IPv4", 4, madcap.ErrFamily, func(m *message) { m.Scope = ip("ff15::") }},
		{"MADCAP-2.1.3-1", "IPv4 scope in IPv6", 4, madcap.ErrFamily, func(m *message) { m.Family, m.Scope = 2, ip("239.255.0.0") }},
		{"MADCAP-2.1.3-1", "IPv4-mapped scope in IPv4", 4, madcap.ErrFamily, func(m *message) { m.Scope = ip("::ffff:239.255.0.0") }},
		{"MADCAP-2.1.3-1", "scope in an unknown family", 4, madcap.ErrFamily, func(m *message) { m.Family, m.Scope = 3, ip("239.255.0.0") }},
		{"MADCAP-2.1.3-1", "IPv6 range in IPv4", 10, madcap.ErrFamily, func(m *message) { m.Ranges = blocks("239.255.0.0", "239.255.0.0", "ff15::", "ff15::") }},
		{"MADCAP-2.1.3-1", "no ranges in an unknown family", 10, madcap.ErrFamily, func(m *message) { m.Family, m.Ranges = 0, blocks() }},
		{"MADCAP-2.1.3-1", "IPv6 zone in IPv4", 9, madcap.ErrFamily, func(m *message) { m.ScopeList = madcap.Some([]madcap.Zone{zone("ff15::", "ff15::", 1)}) }},
		{"MADCAP-2.1.3-1", "no zones in an unknown family", 9, madcap.ErrFamily, func(m *message) { m.Family, m.ScopeList = 0, madcap.Some([]madcap.Zone(nil)) }},
		{"MADCAP-D-12", "unicast scope", 4, madcap.ErrValue, func(m *message) { m.Scope = ip("10.0.0.1") }},
		{"MADCAP-D-12", "IPv4-mapped scope", 4, madcap.ErrValue, func(m *message) { m.Family, m.Scope = 2, ip("::ffff:239.255.0.0") }},
		{"MADCAP-D-12", "scope with a zone", 4, madcap.ErrValue, func(m *message) { m.Family, m.Scope = 2, ip("ff15::%eth0") }},
		{"MADCAP-D-12", "unicast range", 10, madcap.ErrValue, func(m *message) { m.Ranges = blocks("10.0.0.1", "10.0.0.1") }},
		{"MADCAP-D-12", "range that leaves multicast space", 10, madcap.ErrValue, func(m *message) { m.Ranges = blocks("239.255.255.255", "240.0.0.0") }},
		{"MADCAP-D-12", "zone that leaves multicast space", 9, madcap.ErrValue, func(m *message) { m.ScopeList = madcap.Some([]madcap.Zone{zone("239.0.0.0", "240.0.0.0", 1)}) }},
		{"MADCAP-D-13", "no zone at all", 9, madcap.ErrFamily, func(m *message) { m.ScopeList = madcap.Some(make([]madcap.Zone, 1)) }},
		{"MADCAP-D-16", "range of 65536 addresses", 10, madcap.ErrValue, func(m *message) { m.Ranges = blocks("239.255.0.0", "239.255.255.255") }},
		{"MADCAP-D-16", "range of 2^64 addresses", 10, madcap.ErrValue, func(m *message) { m.Family, m.Ranges = 2, blocks("ff15::", "ff15::ffff:ffff:ffff:ffff") }},
		{"MADCAP-D-16", "no range at all", 10, madcap.ErrFamily, func(m *message) { m.Ranges = madcap.Some(make([]scope.Range, 1)) }},
		{"MADCAP-3.3-1", "server of family 3 without address", 2, madcap.ErrValue, func(m *message) { m.ServerIdentifier = madcap.ServerIdentifier{Family: 3} }},
		{"MADCAP-3.3-1", "opaque server of family 1", 2, madcap.ErrValue, func(m *message) { m.ServerIdentifier = madcap.ServerIdentifier{Family: 1, Opaque: []byte("abcd")} }},
		{"MADCAP-3.3-1", "opaque server of family 2", 2, madcap.ErrValue, func(m *message) { m.ServerIdentifier = madcap.ServerIdentifier{Family: 2, Opaque: []byte("abcd")} }},
		{"MADCAP-3.3-1", "server with a zone", 2, madcap.ErrValue, func(m *message) { m.ServerIdentifier = server("fe80::1%eth0") }},
		{"MADCAP-3.3-1", "server with two values", 2, madcap.ErrValue, func(m *message) { m.ServerIdentifier.Addr, m.ServerIdentifier.Opaque = ip("10.0.0.1"), []byte("x") }},
		{"MADCAP-3.3-1", "server with an address and another family", 2, madcap.ErrValue, func(m *message) { m.ServerIdentifier.Addr, m.ServerIdentifier.Family = ip("10.0.0.1"), 3 }},
		{"MADCAP-3.8-2", "minimum above desired", 7, madcap.ErrValue, func(m *message) { m.Addresses = madcap.NumberOfAddresses{Min: 3, Desired: 2} }},
		{"MADCAP-D-19", "none desired", 7, madcap.ErrValue, func(m *message) { m.Addresses = madcap.NumberOfAddresses{Min: 1} }},
		{"MADCAP-D-15", "tag of no octets", 9, madcap.ErrValue, name("", "x")},
		{"MADCAP-3.10-9", "tag of 256 octets", 9, madcap.ErrValue, name(strings.Repeat("e", 256), "x")},
		{"MADCAP-D-15", "tag with a space", 9, madcap.ErrValue, name("e n", "x")},
		{"MADCAP-D-15", "tag with an underscore", 9, madcap.ErrValue, name("de_CH", "x")},
		{"MADCAP-D-15", "tag with an umlaut", 9, madcap.ErrValue, name("dü", "x")},
		{"MADCAP-D-15", "tag with an at sign", 9, madcap.ErrValue, name("@", "x")},
		{"MADCAP-D-15", "tag with a bracket", 9, madcap.ErrValue, name("e[", "x")},
		{"MADCAP-3.10-10", "name of no octets", 9, madcap.ErrValue, name("en", "")},
		{"MADCAP-3.10-10", "name of 256 octets", 9, madcap.ErrValue, name("en", strings.Repeat("x", 256))},
		{"MADCAP-D-14", "name that is not UTF-8", 9, madcap.ErrValue, name("en", "\xff")},
		{"MADCAP-3.10-12", "one Scope ID twice", 9, madcap.ErrValue, func(m *message) {
			m.ScopeList = madcap.Some([]madcap.Zone{zone("239.0.0.0", "239.0.0.0", 1), zone("239.1.0.0", "239.1.0.0", 1), zone("239.0.0.0", "239.0.0.1", 1)})
		}},
		{"MADCAP-N3.3-1", "nesting without a scope list", 17, madcap.ErrCompanion, func(m *message) { m.Nesting = nesting(0) }},
		{"MADCAP-N3.3-1", "nesting in a NAK", 17, madcap.ErrCompanion, func(m *message) {
			m.Type, m.ScopeList, m.Nesting = madcap.TypeNak, madcap.Some(zones4(2)), nesting(2)
		}},
		{"MADCAP-N5-2", "nesting of one zone too few", 17, madcap.ErrCompanion, func(m *message) { m.ScopeList, m.Nesting = madcap.Some(zones4(3)), nesting(2) }},
		{"MADCAP-N5-2", "nesting of one zone too many", 17, madcap.ErrCompanion, func(m *message) { m.ScopeList, m.Nesting = madcap.Some(zones4(3)), nesting(4) }},
		{"MADCAP-D-46", "lease time below 0", 1, madcap.ErrValue, func(m *message) { m.LeaseTime = seconds(-1) }},
		{"MADCAP-D-46", "lease time of 2^32 seconds", 1, madcap.ErrValue, func(m *message) { m.LeaseTime = seconds(1 << 32) }},
		{"MADCAP-D-46", "lease time of half a second", 1, madcap.ErrValue, func(m *message) { m.LeaseTime = madcap.Some(time.Second / 2) }},
		{"MADCAP-D-46", "minimum lease time of 2^32 seconds", 14, madcap.ErrValue, func(m *message) { m.MinLeaseTime = seconds(1 << 32) }},
		{"MADCAP-D-46", "start before 1970", 6, madcap.ErrValue, func(m *message) { m.StartTime = unix(-1) }},
		{"MADCAP-D-46", "start after 2106", 6, madcap.ErrValue, func(m *message) { m.StartTime = unix(1 << 32) }},
		{"MADCAP-D-46", "start between seconds", 6, madcap.ErrValue, func(m *message) { m.StartTime = time.Unix(1, 1) }},
		{"MADCAP-D-46", "current time after 2106", 11, madcap.ErrValue, func(m *message) { m.CurrentTime = unix(1 << 32) }},
		{"MADCAP-D-46", "retry time after 2106", 13, madcap.ErrValue, func(m *message) { m.RetryTime = unix(1 << 32) }},
		{"MADCAP-D-46", "maximum start before 1970", 15, madcap.ErrValue, func(m *message) { m.MaxStartTime = unix(-1) }},
		{"MADCAP-3.17.1-1", "error 0 without an option", 16, madcap.ErrLength, failure(0, "")},
		{"MADCAP-3.17.2-1", "error 1 with three octets", 16, madcap.ErrLength, failure(1, "abc")},
		{"MADCAP-3.17.3-1", "error 2 with half a time", 16, madcap.ErrLength, failure(2, "ab")},
		{"MADCAP-3.17.4-1", "error 3 with extra data", 16, madcap.ErrLength, failure(3, "a")},
		{"MADCAP-3.17.5-1", "error 4 without a feature", 16, madcap.ErrLength, failure(4, "")},
		{"MADCAP-3.17.5-1", "error 4 with half a feature", 16, madcap.ErrLength, failure(4, "abc")},
		{"MADCAP-D-47", "a datagram of 65508 octets", madcap.NoOption, madcap.ErrTooLong, func(m *message) { fillUp(m, madcap.MaxDatagram+1) }},
	} {
		for _, ordered := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%s/%v", c.id, c.why, ordered), func(t *testing.T) {
				m := message4(madcap.TypeAck, 1)
				c.spoil(&m)
				if ordered {
					m.Order = append([]madcap.OptionCode{c.code}, m.Order...)
				}
				dst := []byte("before and room for what comes")[:6]
				got, err := m.AppendBinary(dst)
				if e := checkError(t, err, c.err); e.Option != c.code || e.Offset != -1 || e.Type != m.Type {
					t.Errorf("error %v, want one about option %v of %v", e, c.code, m.Type)
				}
				if len(got) != 6 || &got[0] != &dst[0] || string(got) != "before" {
					t.Errorf("returned %q", got)
				}
				if b, err := m.MarshalBinary(); err == nil || b != nil {
					t.Errorf("MarshalBinary: %x, %v", b, err)
				}
			})
		}
	}
}

// fillUp makes the datagram n octets long.
func fillUp(m *madcap.Message, n int) {
	b, err := m.MarshalBinary()
	if err != nil {
		panic(err)
	}
	m.Unknown = append(m.Unknown, raw(999, strings.Repeat("x", n-len(b)-4)))
	m.Order = append(m.Order, 999)
}

// TestAccepted holds values at the edge of what is refused.
func TestAccepted(t *testing.T) {
	type message = madcap.Message
	for _, c := range []struct {
		id, why string
		code    madcap.OptionCode
		with    func(*message)
	}{
		{"MADCAP-D-47", "65507 octets", 0, func(m *message) { fillUp(m, madcap.MaxDatagram) }},
		{"MADCAP-D-13", "a zone of one address", 9, func(m *message) { m.ScopeList = madcap.Some([]madcap.Zone{zone("239.0.0.0", "239.0.0.0", 0)}) }},
		{"MADCAP-D-12", "all of multicast space as a zone", 9, func(m *message) {
			m.ScopeList = madcap.Some([]madcap.Zone{zone("224.0.0.0", "239.255.255.255", 0)})
		}},
		{"MADCAP-D-12", "all of IPv6 multicast space as a zone", 9, func(m *message) {
			m.Family, m.ScopeList = 2, madcap.Some([]madcap.Zone{zone("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0)})
		}},
		{"MADCAP-D-16", "65535 addresses", 10, func(m *message) { m.Ranges = blocks("239.255.0.1", "239.255.255.255", "224.0.0.0", "224.0.0.0") }},
		{"MADCAP-D-17", "ranges that overlap", 10, func(m *message) {
			m.Ranges = blocks("239.255.0.1", "239.255.0.9", "239.255.0.5", "239.255.0.9", "239.255.0.5", "239.255.0.9")
		}},
		{"MADCAP-D-19", "a minimum of 0", 7, func(m *message) { m.Addresses = madcap.NumberOfAddresses{Desired: 65535} }},
		{"MADCAP-3.8-2", "a minimum equal to the desired number", 7, func(m *message) { m.Addresses = madcap.NumberOfAddresses{Min: 65535, Desired: 65535} }},
		{"MADCAP-D-20", "2^32-1 seconds", 1, func(m *message) { m.LeaseTime = seconds(1<<32 - 1) }},
		{"MADCAP-D-20", "0 seconds", 14, func(m *message) { m.MinLeaseTime = seconds(0) }},
		{"MADCAP-D-46", "the first second", 6, func(m *message) { m.StartTime = unix(0) }},
		{"MADCAP-D-46", "the last second", 15, func(m *message) { m.MaxStartTime = unix(1<<32 - 1) }},
		{"MADCAP-D-14", "any valid name", 9, func(m *message) {
			z := zone("239.0.0.0", "239.0.0.0", 0)
			for _, s := range []string{"\x00", "\u0085\u200e", "\U0010ffff", "\ufeff", strings.Repeat("é", 127)} {
				z.Names = append(z.Names, madcap.ZoneName{Tag: []byte("i-x"), Text: []byte(s)})
			}
			m.ScopeList = madcap.Some([]madcap.Zone{z})
		}},
		{"MADCAP-D-15", "every letter of a tag", 9, func(m *message) {
			z := zone("239.0.0.0", "239.0.0.0", 0)
			for _, s := range []string{"az-AZ-09", "-", "0", strings.Repeat("a", 255)} {
				z.Names = append(z.Names, madcap.ZoneName{Tag: []byte(s), Text: []byte("x")})
			}
			m.ScopeList = madcap.Some([]madcap.Zone{z})
		}},
		{"MADCAP-3.3-2", "an IPv6 server of IPv4 addresses", 2, func(m *message) { m.ServerIdentifier = server("2001:db8::1") }},
		{"MADCAP-D-10", "a server of family 0", 2, func(m *message) { m.ServerIdentifier = madcap.ServerIdentifier{Opaque: []byte("x")} }},
		{"MADCAP-D-8", "an empty opaque list", 10, func(m *message) { m.Family, m.Unknown = 3, []madcap.RawOption{raw(10, "")} }},
	} {
		t.Run(c.id+"/"+c.why, func(t *testing.T) {
			m := message4(madcap.TypeAck, 1, 3)
			c.with(&m)
			if c.code != 0 {
				m.Order = append(m.Order, c.code)
			}
			checkRoundTrip(t, &m)
		})
	}
}

// TestLooseTags reads tags that nobody writes (MADCAP-D-15).
func TestLooseTags(t *testing.T) {
	t.Run("MADCAP-D-15", func(t *testing.T) {
		var m madcap.Message
		checkError(t, m.Decode(octets(t, `00 05 0001 00000001  0003 0002 0009
			0009 0013 01 efff0000 efffffff 10 01 7f 03 20ff00 02 4142  0000 0000`)), nil)
		want := []madcap.Zone{zone("239.255.0.0", "239.255.255.255", 16, madcap.ZoneName{Tag: []byte(" \xff\x00"), Text: []byte("AB")})}
		if d := cmp.Diff(want, m.ScopeList.Value, sameMessage); d != "" {
			t.Error(d)
		}
	})
}

// TestAppendTouchesNothing puts guards around the part of a buffer that
// AppendBinary may write to.
func TestAppendTouchesNothing(t *testing.T) {
	for _, g := range goldens() {
		want, err := g.msg.MarshalBinary()
		checkError(t, err, nil)
		for _, spare := range []int{0, 1, 7, len(want) - 1, len(want), len(want) + 9} {
			whole := bytes.Repeat([]byte{0xA5}, 16+spare+8)
			dst := whole[4 : 16 : 16+spare]
			got, err := g.msg.AppendBinary(dst)
			checkError(t, err, nil)
			if !bytes.Equal(got, slices.Concat(bytes.Repeat([]byte{0xA5}, 12), want)) {
				t.Errorf("%s: appended %x", g.name, got)
			}
			guards := slices.Concat(whole[:16], whole[16+spare:])
			if !bytes.Equal(guards, bytes.Repeat([]byte{0xA5}, 24)) {
				t.Errorf("%s with room for %d octets: wrote outside of it", g.name, spare)
			}
		}
	}
}
