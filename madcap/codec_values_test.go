// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/madcap"
)

// TestValues is about options whose value the receiver must not accept. Each
// stands between two others of a message that is sound otherwise. What is left
// is the message without that option, and a server answers Invalid Request.
func TestValues(t *testing.T) {
	const lang, long = "02 656e", "0123456789abcdef0123456789abcdef" // a language tag with its length, 16 octets
	for _, c := range []struct {
		id, why string
		header  string // type and family, "" for DISCOVER in IPv4
		option  string
		err     error
	}{
		{"MADCAP-3.3-1", "identifier of an IPv4 server in 16 octets", "", "0002 0012 0001 " + long, madcap.ErrLength},
		{"MADCAP-3.3-1", "identifier of an IPv6 server in 4 octets", "", "0002 0006 0002 c6336401", madcap.ErrLength},
		{"MADCAP-D-10", "identifier of family 3 without an address", "", "0002 0002 0003", madcap.ErrLength},
		{"MADCAP-D-10", "identifier of family 1 of 3 octets", "", "0002 0003 0001 c6", madcap.ErrLength},
		{"MADCAP-2.1.3-1", "IPv6 scope in an IPv4 message", "", "0004 0010 ff150000000000000000000000000000", madcap.ErrLength},
		{"MADCAP-2.1.3-1", "IPv4 scope in an IPv6 message", "01 0002", "0004 0004 efff0000", madcap.ErrLength},
		{"MADCAP-2.1.3-1", "IPv4 range in an IPv6 message", "01 0002", "000a 0006 efff0000 0001", madcap.ErrLength},
		{"MADCAP-3.5-1", "two scopes", "", "0004 0008 efff0000 efc00000", madcap.ErrLength},
		{"MADCAP-D-8", "no scope at all in another family", "01 0003", "0004 0000", madcap.ErrLength},
		{"MADCAP-D-12", "unicast scope", "", "0004 0004 0a000001", madcap.ErrValue},
		{"MADCAP-D-12", "scope above multicast space", "", "0004 0004 f0000000", madcap.ErrValue},
		{"MADCAP-D-12", "IPv6 unicast scope", "01 0002", "0004 0010 20010db8000000000000000000000001", madcap.ErrValue},
		{"MADCAP-D-12", "IPv4-mapped scope", "01 0002", "0004 0010 00000000000000000000ffffefff0000", madcap.ErrValue},
		{"MADCAP-3.6-1", "odd list of codes", "08 0001", "0005 0003 0009 00", madcap.ErrLength},
		{"MADCAP-3.6-1", "empty list of codes", "08 0001", "0005 0000", madcap.ErrLength},
		{"MADCAP-3.8-2", "minimum above desired", "", "0007 0004 0003 0002", madcap.ErrValue},
		{"MADCAP-D-19", "no addresses desired", "", "0007 0004 0000 0000", madcap.ErrValue},
		{"MADCAP-3.10-8", "zone missing", "05 0001", "0009 000b 02 efff0000 efffffff 10 00", madcap.ErrLength},
		{"MADCAP-3.10-8", "octet after the last zone", "05 0001", "0009 000c 01 efff0000 efffffff 10 00 00", madcap.ErrLength},
		{"MADCAP-3.10-8", "octet after no zones", "05 0001", "0009 0002 00 00", madcap.ErrLength},
		{"MADCAP-3.10-8", "zone cut", "05 0001", "0009 000a 01 efff0000 efffffff 10", madcap.ErrLength},
		{"MADCAP-3.10-8", "name missing", "05 0001", "0009 000b 01 efff0000 efffffff 10 01", madcap.ErrLength},
		{"MADCAP-3.10-8", "name flags only", "05 0001", "0009 000c 01 efff0000 efffffff 10 01 00", madcap.ErrLength},
		{"MADCAP-3.10-8", "tag cut", "05 0001", "0009 000e 01 efff0000 efffffff 10 01 00 02 65", madcap.ErrLength},
		{"MADCAP-3.10-8", "name length missing", "05 0001", "0009 000f 01 efff0000 efffffff 10 01 00" + lang, madcap.ErrLength},
		{"MADCAP-3.10-8", "name cut", "05 0001", "0009 0011 01 efff0000 efffffff 10 01 00" + lang + "02 41", madcap.ErrLength},
		{"MADCAP-3.10-8", "IPv4 zone in an IPv6 message", "05 0002", "0009 000b 01 efff0000 efffffff 10 00", madcap.ErrLength},
		{"MADCAP-3.10-9", "tag of no octets", "05 0001", "0009 000f 01 efff0000 efffffff 10 01 00 00 01 41", madcap.ErrLength},
		{"MADCAP-3.10-10", "name of no octets", "05 0001", "0009 0010 01 efff0000 efffffff 10 01 00" + lang + "00", madcap.ErrLength},
		{"MADCAP-3.10-12", "one Scope ID twice", "05 0001", "0009 001f 03 efff0000 efffffff 10 00 efc00000 efc3ffff 10 00 efff0000 efff00ff 10 00", madcap.ErrValue},
		{"MADCAP-D-12", "zone that leaves multicast space", "05 0001", "0009 000b 01 efff0000 f0000000 10 00", madcap.ErrValue},
		{"MADCAP-D-12", "unicast zone", "05 0001", "0009 000b 01 0a000000 0affffff 10 00", madcap.ErrValue},
		{"MADCAP-D-13", "zone that ends before it begins", "05 0001", "0009 000b 01 efffffff efff0000 10 00", madcap.ErrValue},
		{"MADCAP-D-14", "name that is not UTF-8", "05 0001", "0009 0012 01 efff0000 efffffff 10 01 00" + lang + "02 c328", madcap.ErrValue},
		{"MADCAP-D-14", "name with a surrogate", "05 0001", "0009 0013 01 efff0000 efffffff 10 01 00" + lang + "03 eda080", madcap.ErrValue},
		{"MADCAP-D-14", "name beyond U+10FFFF", "05 0001", "0009 0014 01 efff0000 efffffff 10 01 00" + lang + "04 f4908080", madcap.ErrValue},
		{"MADCAP-D-14", "name in overlong UTF-8", "05 0001", "0009 0012 01 efff0000 efffffff 10 01 00" + lang + "02 c081", madcap.ErrValue},
		{"MADCAP-3.11-1", "range cut", "", "000a 000b efff0000 0001 efff0010 00", madcap.ErrLength},
		{"MADCAP-D-16", "block of no addresses", "", "000a 0006 efff0000 0000", madcap.ErrValue},
		{"MADCAP-D-16", "second block of no addresses", "", "000a 000c efff0000 0001 efff0010 0000", madcap.ErrValue},
		{"MADCAP-D-16", "block that leaves multicast space", "", "000a 0006 efffffff 0002", madcap.ErrValue},
		{"MADCAP-D-16", "block that leaves IPv4", "", "000a 0006 ffffffff 0002", madcap.ErrValue},
		{"MADCAP-D-16", "block that leaves IPv6", "01 0002", "000a 0012 ffffffffffffffffffffffffffffffff 0002", madcap.ErrValue},
		{"MADCAP-D-12", "unicast block", "", "000a 0006 dfffffff 0001", madcap.ErrValue},
		{"MADCAP-D-12", "block that begins below multicast space", "", "000a 0006 dfffffff 0002", madcap.ErrValue},
		{"MADCAP-D-12", "block just above multicast space", "", "000a 0006 f0000000 0001", madcap.ErrValue},
		{"MADCAP-D-12", "IPv6 unicast block", "01 0002", "000a 0012 fe800000000000000000000000000001 0001", madcap.ErrValue},
		{"MADCAP-3.13-1", "two feature lists", "", "000c 0006 0000 0001 0001", madcap.ErrLength},
		{"MADCAP-3.13-1", "features missing", "", "000c 0006 0001 0000 0000", madcap.ErrLength},
		{"MADCAP-3.13-1", "octet after the third list", "", "000c 0007 0000 0000 0000 00", madcap.ErrLength},
		{"MADCAP-3.13-1", "count beyond the option", "", "000c 0008 0000 0000 ffff 0001", madcap.ErrLength},
		{"MADCAP-3.17-1", "half an error code", "06 0001", "0010 0001 00", madcap.ErrLength},
		{"MADCAP-3.17.1-1", "error 0 without an option", "06 0001", "0010 0002 0000", madcap.ErrLength},
		{"MADCAP-3.17.1-1", "error 0 with two options", "06 0001", "0010 0006 0000 0001 0002", madcap.ErrLength},
		{"MADCAP-3.17.2-1", "error 1 with half an option", "06 0001", "0010 0003 0001 00", madcap.ErrLength},
		{"MADCAP-3.17.2-1", "error 1 with an octet too many", "06 0001", "0010 0005 0001 000100", madcap.ErrLength},
		{"MADCAP-3.17.3-1", "error 2 without a time", "06 0001", "0010 0002 0002", madcap.ErrLength},
		{"MADCAP-3.17.3-1", "error 2 with three octets", "06 0001", "0010 0005 0002 6553f1", madcap.ErrLength},
		{"MADCAP-3.17.3-1", "error 2 with five octets", "06 0001", "0010 0007 0002 6553f10000", madcap.ErrLength},
		{"MADCAP-3.17.4-1", "error 3 with extra data", "06 0001", "0010 0004 0003 0001", madcap.ErrLength},
		{"MADCAP-3.17.5-1", "error 4 without a feature", "06 0001", "0010 0002 0004", madcap.ErrLength},
		{"MADCAP-3.17.5-1", "error 4 with half a feature", "06 0001", "0010 0005 0004 000100", madcap.ErrLength},
		{"MADCAP-D-28", "error 1 without extra data", "06 0001", "0010 0002 0001", madcap.ErrLength},
	} {
		t.Run(c.id+"/"+c.why, func(t *testing.T) {
			if c.header == "" {
				c.header = "01 0001"
			}
			const before, after = "03e7 0000  0003 0002 0009 ", " 000b 0004 6553f100  03e8 0001 2a  0000 0000"
			start := "00" + c.header + " 00000001" + before
			value := octets(t, c.option)
			code := madcap.OptionCode(value[0])<<8 | madcap.OptionCode(value[1])
			var m, rest madcap.Message
			typ := madcap.MessageType(octets(t, c.header)[0])
			bad := badPacket{err: c.err, option: code, offset: len(octets(t, start)), answer: code}
			switch {
			case typ == madcap.TypeNak:
				bad.answer = silence
			case !typ.FromClient():
				bad.answer = madcap.NoOption
			}
			bad.check(t, m.Decode(octets(t, start+c.option+after)))
			checkError(t, rest.Decode(octets(t, start+after)), nil)
			if d := cmp.Diff(rest, m, sameMessage); d != "" {
				t.Errorf("the rest is not intact:\n%s", d)
			}
			if m.Has(code) {
				t.Errorf("option %v is there", code)
			}

			// Beside a second bad option the first one counts, and without a
			// Lease Identifier to echo nobody can answer.
			second := "0004 0001 00"
			if code == madcap.OptMulticastScope {
				second = "0001 0001 00"
			}
			bad.check(t, m.Decode(octets(t, start+c.option+second+after)))
			bad.offset -= len(octets(t, "0003 0002 0009"))
			bad.answer = silence
			start = strings.Replace(start, "0003 0002 0009", "", 1)
			bad.check(t, m.Decode(octets(t, start+c.option+second+after)))
		})
	}
}

// TestRepeated repeats each known option with the same octets and with others:
// the first one stays, and it is an error about that code (MADCAP-2.1.5-4).
func TestRepeated(t *testing.T) {
	for _, c := range []struct{ first, second string }{
		{"0001 0004 00000e10", "0001 0004 00000e11"},
		{"0002 0006 0001 c6336401", "0002 0003 0003 01"},
		{"0004 0004 efc00000", "0004 0004 efff0000"},
		{"0005 0002 0009", "0005 0002 000c"},
		{"0006 0004 6553ff10", "0006 0004 6553ff11"},
		{"0007 0004 0001 0002", "0007 0004 0002 0002"},
		{"0008 0002 656e", "0008 0000"},
		{"0009 000b 01 efff0000 efffffff 10 00", "0009 0001 00"},
		{"000a 0006 efff0000 0001", "000a 0000"},
		{"000b 0004 6553f100", "000b 0001 65"},
		{"000c 0008 0001 0002 0000 0000", "000c 0006 0000 0000 0000"},
		{"000d 0004 6553f100", "000d 0004 00000000"},
		{"000e 0004 00000e10", "000e 0004 00000000"},
		{"000f 0004 6553f100", "000f 0004 00000000"},
		{"0010 0004 0001 0009", "0010 0002 0003"},
	} {
		code := madcap.OptionCode(octets(t, c.first)[1])
		for _, second := range []string{c.first, c.second} {
			t.Run(fmt.Sprintf("MADCAP-2.1.5-4/%v", code), func(t *testing.T) {
				const start, end = "00 01 0001 00000001  0003 0002 0009 ", "0000 0000"
				var m, want madcap.Message
				checkError(t, want.Decode(octets(t, start+c.first+end)), nil)
				p := badPacket{err: madcap.ErrRepeated, option: code, offset: len(octets(t, start+c.first)), answer: code}
				p.check(t, m.Decode(octets(t, start+c.first+second+end)))
				if d := cmp.Diff(want, m, sameMessage); d != "" {
					t.Errorf("the first one is not intact:\n%s", d)
				}
			})
		}
	}
}

// TestLeaseIdentifierFirst is about option 3, without which nobody can answer:
// silence if there is none to echo, whatever else is wrong (MADCAP-D-1), and an
// answer that echoes the first of two (MADCAP-D-6).
func TestLeaseIdentifierFirst(t *testing.T) {
	for _, c := range []struct {
		p     badPacket
		keeps madcap.LeaseIdentifier
	}{
		{badPacket{"MADCAP-3.4-1", "of no octets", "00 07 0001 00000001  0003 0000  0000 0000",
			madcap.ErrLength, 3, 8, silence}, nil},
		{badPacket{"MADCAP-D-1", "of no octets, then a good one", "00 07 0001 00000001  0003 0000  0003 0001 00  0000 0000",
			madcap.ErrLength, 3, 8, silence}, nil},
		{badPacket{"MADCAP-D-1", "of no octets, after another bad option", "00 01 0001 00000001  0001 0000  0003 0000  0000 0000",
			madcap.ErrLength, 1, 8, silence}, nil},
		{badPacket{"MADCAP-D-1", "none, and a bad option", "00 01 0001 00000001  0001 0000  0000 0000",
			madcap.ErrLength, 1, 8, silence}, nil},
		{badPacket{"MADCAP-2.5-2", "none, and an option twice", "00 01 0001 00000001  0001 0004 00000001  0001 0004 00000001  0000 0000",
			madcap.ErrRepeated, 1, 16, silence}, nil},
		{badPacket{"MADCAP-D-6", "two", "00 07 0001 00000001  0003 0002 0009  0003 0002 0008  0000 0000",
			madcap.ErrRepeated, 3, 14, 3}, shortID},
		{badPacket{"MADCAP-D-6", "two, the second of no octets", "00 07 0001 00000001  0003 0002 0009  0003 0000  0000 0000",
			madcap.ErrRepeated, 3, 14, 3}, shortID},
		{badPacket{"MADCAP-D-4", "two, after another bad option", "00 07 0001 00000001  0003 0002 0009  0001 0000 0003 0000  0000 0000",
			madcap.ErrLength, 1, 14, 1}, shortID},
		{badPacket{"MADCAP-D-7", "a bad option in an OFFER", "00 02 0001 00000001  0003 0002 0009  0001 0000  0000 0000",
			madcap.ErrLength, 1, 14, madcap.NoOption}, shortID},
		{badPacket{"MADCAP-2.2-3", "a bad option in a message of type 9", "00 09 0001 00000001  0003 0002 0009  0001 0000  0000 0000",
			madcap.ErrLength, 1, 14, madcap.NoOption}, shortID},
		{badPacket{"MADCAP-2.6-3", "a bad option in a NAK", "00 06 0001 00000001  0003 0002 0009  0001 0000  0000 0000",
			madcap.ErrLength, 1, 14, silence}, shortID},
	} {
		t.Run(c.p.id+"/"+c.p.why, func(t *testing.T) {
			var m madcap.Message
			c.p.check(t, m.Decode(octets(t, c.p.in)))
			if d := cmp.Diff(c.keeps, m.LeaseIdentifier, sameMessage); d != "" {
				t.Errorf("Lease Identifier: %s", d)
			}
		})
	}
}

// TestOwnFamilies reads addresses that say their family themselves, whatever
// the family of the message is.
func TestOwnFamilies(t *testing.T) {
	for _, family := range []string{"0001", "0002", "0000", "4005"} {
		for _, c := range []struct{ server, option string }{
			{"198.51.100.1", "0002 0006 0001 c6336401"},
			{"2001:db8:aa::1", "0002 0012 0002 20010db800aa00000000000000000001"},
		} {
			t.Run("MADCAP-2.1.3-2/"+family+"/"+c.server, func(t *testing.T) {
				var m madcap.Message
				checkError(t, m.Decode(octets(t, "00 05"+family+"00000001"+c.option+
					"0003 0017 01 0002 20010db8000000aa0000000000000005 65a0bc10  0000 0000")), nil)
				client, _, _ := m.LeaseIdentifier.Address()
				if !m.ServerIdentifier.Equal(server(c.server)) || client != ip("2001:db8:0:aa::5") {
					t.Errorf("server %v, client %v", m.ServerIdentifier, client)
				}
			})
		}
	}
}
