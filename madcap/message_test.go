// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/madcap"
)

// TestNumbers compares names and numbers with those of the document.
func TestNumbers(t *testing.T) {
	for want, got := range map[string]fmt.Stringer{
		"DISCOVER 1": madcap.TypeDiscover, "OFFER 2": madcap.TypeOffer, "REQUEST 3": madcap.TypeRequest, "RENEW 4": madcap.TypeRenew,
		"ACK 5": madcap.TypeAck, "NAK 6": madcap.TypeNak, "RELEASE 7": madcap.TypeRelease, "GETINFO 8": madcap.TypeGetInfo,
		"MessageType(9) 9": madcap.MessageType(9), "MessageType(0) 0": madcap.MessageType(0),
		"IPv4 1": madcap.FamilyIPv4, "IPv6 2": madcap.FamilyIPv6, "AddrFamily(16389) 16389": madcap.AddrFamily(16389),
		"End 0": madcap.OptEnd, "LeaseTime 1": madcap.OptLeaseTime, "ServerIdentifier 2": madcap.OptServerIdentifier,
		"LeaseIdentifier 3": madcap.OptLeaseIdentifier, "MulticastScope 4": madcap.OptMulticastScope,
		"OptionRequestList 5": madcap.OptOptionRequestList, "StartTime 6": madcap.OptStartTime,
		"NumberOfAddresses 7": madcap.OptNumberOfAddresses, "RequestedLanguage 8": madcap.OptRequestedLanguage,
		"ScopeList 9": madcap.OptScopeList, "AddressRanges 10": madcap.OptAddressRanges, "CurrentTime 11": madcap.OptCurrentTime,
		"FeatureList 12": madcap.OptFeatureList, "RetryTime 13": madcap.OptRetryTime, "MinLeaseTime 14": madcap.OptMinLeaseTime,
		"MaxStartTime 15": madcap.OptMaxStartTime, "Error 16": madcap.OptError, "NestingState 17": madcap.OptNestingState,
		"NoOption 65535": madcap.NoOption, "OptionCode(18) 18": madcap.OptionCode(18),
		"ServerMobility 0": madcap.ServerMobility, "RetryAfter 1": madcap.RetryAfter,
		"SharedLeaseIdentifier 2": madcap.SharedLeaseIdentifier, "Feature(3) 3": madcap.Feature(3),
		"Valid Request Could Not Be Completed 0": madcap.CodeNotCompleted, "Invalid Request 1": madcap.CodeInvalidRequest,
		"Excessive Clock Skew 2": madcap.CodeClockSkew, "Lease Identifier Not Recognized 3": madcap.CodeLeaseUnknown,
		"Required Feature Not Supported 4": madcap.CodeFeatureUnsupported, "ErrorCode(1024) 1024": madcap.ErrorCode(1024),
	} {
		if s := fmt.Sprintf("%v %d", got, got); s != want {
			t.Errorf("MADCAP-2.1.5-5: %s, want %s", s, want)
		}
	}
	if madcap.Port != 2535 || madcap.Version != 0 || madcap.MaxDatagram != 65507 {
		t.Error("port, version or datagram size")
	}
	for typ := range madcap.MessageType(20) {
		client := typ == 1 || typ == 3 || typ == 4 || typ == 7 || typ == 8
		if typ.FromClient() != client || typ.IsValid() != (typ >= 1 && typ <= 8) {
			t.Errorf("MADCAP-1.5-2: %v", typ)
		}
	}
	if madcap.FamilyOf(ip("10.0.0.1")) != 1 || madcap.FamilyOf(ip("::1")) != 2 || madcap.FamilyOf(ip("::ffff:10.0.0.1")) != 2 || madcap.FamilyOf(netip.Addr{}) != 0 {
		t.Error("FamilyOf")
	}
}

// TestLeaseIdentifiers makes identifiers of both types and takes them apart.
func TestLeaseIdentifiers(t *testing.T) {
	t.Run("MADCAP-2.4.1-2", func(t *testing.T) {
		a := madcap.RandomLeaseIdentifier(rand.New(rand.NewPCG(1, 2)))
		b := madcap.RandomLeaseIdentifier(rand.New(rand.NewPCG(1, 3)))
		if a[0] != madcap.LeaseIdentifierRandom || madcap.LeaseIdentifierRandom != 0 {
			t.Errorf("MADCAP-2.4.1-1: %x is not of type 0", []byte(a))
		}
		if len(a) != 17 || bytes.Equal(a, b) || bytes.Equal(a[1:9], a[9:]) {
			t.Errorf("MADCAP-D-52: %x, %x", []byte(a), []byte(b))
		}
		again := madcap.RandomLeaseIdentifier(rand.New(rand.NewPCG(1, 2)))
		if !bytes.Equal(a, again) {
			t.Error("the same source gives another identifier")
		}
	})
	t.Run("MADCAP-2.4.2-1", func(t *testing.T) {
		for _, c := range []struct {
			addr, specific string
			want           madcap.LeaseIdentifier
		}{
			{"198.51.100.17", "\x00\x00\x00\x2a", addr4ID},
			{"2001:db8:0:aa::5", "\x65\xa0\xbc\x10", addr6ID},
			{"198.51.100.17", "", addr4ID[:7]},
		} {
			id, err := madcap.AddressLeaseIdentifier(ip(c.addr), []byte(c.specific))
			checkError(t, err, nil)
			if !bytes.Equal(id, c.want) {
				t.Errorf("%x, want %x", []byte(id), []byte(c.want))
			}
			a, specific, ok := id.Address()
			if !ok || a != ip(c.addr) || string(specific) != c.specific {
				t.Errorf("%v, %x, %v", a, specific, ok)
			}
		}
		for _, a := range []netip.Addr{{}, ip("fe80::1%eth0")} {
			if _, err := madcap.AddressLeaseIdentifier(a, nil); err == nil {
				t.Errorf("an identifier of %v", a)
			}
		}
	})
	for _, id := range []madcap.LeaseIdentifier{nil, {1}, {1, 0}, {1, 0, 1}, addr4ID[:6], addr6ID[:18], {1, 0, 3, 1, 2, 3, 4}, randomID, {2, 0, 1, 1, 2, 3, 4}} {
		t.Run(fmt.Sprintf("MADCAP-D-52/%x", []byte(id)), func(t *testing.T) {
			if a, _, ok := id.Address(); ok || a.IsValid() {
				t.Errorf("has the address %v", a)
			}
		})
	}
	t.Run("MADCAP-2.4-9", func(t *testing.T) {
		for id, want := range map[string]bool{
			string(randomID): true, string(randomID[:9]): true, string(randomID[:8]): false, "": false,
			string(addr6ID): false, "\x02" + string(randomID[1:]): false,
		} {
			if got := madcap.LeaseIdentifier(id).IsShareable(); got != want {
				t.Errorf("%x: %v", id, got)
			}
		}
	})
	for id, want := range map[string]string{
		"": "none", "\x00": "random(0 octets)", string(randomID): "random(16 octets)",
		string(addr4ID): "address-specific(10 octets)", "\x07abc": "type 7(3 octets)",
	} {
		if got := madcap.LeaseIdentifier(id).String(); got != want {
			t.Errorf("%x is %q, want %q", id, got, want)
		}
	}
}

// TestServerIdentifiers compares identifiers as octets on the wire (D-10).
func TestServerIdentifiers(t *testing.T) {
	opaque := func(f madcap.AddrFamily, s string) madcap.ServerIdentifier {
		return madcap.ServerIdentifier{Family: f, Opaque: []byte(s)}
	}
	all := []madcap.ServerIdentifier{
		{}, server("10.0.0.1"), server("10.0.0.2"), server("::ffff:10.0.0.1"), server("::1"),
		opaque(3, "a"), opaque(4, "a"), opaque(3, "b"), opaque(3, "ab"), opaque(0, "a"),
	}
	names := []string{"none", "10.0.0.1", "10.0.0.2", "::ffff:10.0.0.1", "::1", "AddrFamily(3):61", "AddrFamily(4):61", "AddrFamily(3):62", "AddrFamily(3):6162", "AddrFamily(0):61"}
	for i, a := range all {
		for j, b := range all {
			if a.Equal(b) != (i == j) {
				t.Errorf("MADCAP-D-10: %v equals %v: %v", a, b, i != j)
			}
		}
		if a.IsZero() != (i == 0) || a.String() != names[i] {
			t.Errorf("%v, want %s", a, names[i])
		}
	}
}

// TestErrorOption reads the extra data of each error (section 3.17).
func TestErrorOption(t *testing.T) {
	type option = madcap.ErrorOption
	for _, c := range []struct {
		id       string
		e        option
		option   madcap.OptionCode
		has      bool
		time     time.Time
		features []madcap.Feature
		text     string
	}{
		{"MADCAP-3.17.1-1", option{Code: 0, Extra: []byte{0, 14}}, 14, true, time.Time{}, nil, "Valid Request Could Not Be Completed (option MinLeaseTime)"},
		{"MADCAP-3.17.1-1", option{Code: 0, Extra: []byte{255, 255}}, madcap.NoOption, true, time.Time{}, nil, "Valid Request Could Not Be Completed"},
		{"MADCAP-3.17.1-1", option{Code: 0, Extra: []byte{1}}, madcap.NoOption, false, time.Time{}, nil, "Valid Request Could Not Be Completed"},
		{"MADCAP-3.17.2-1", option{Code: 1, Extra: []byte{16, 225}}, 4321, true, time.Time{}, nil, "Invalid Request (option OptionCode(4321))"},
		{"MADCAP-3.17.3-1", option{Code: 2, Extra: []byte{0x65, 0x53, 0xf1, 0}}, madcap.NoOption, false, unix(1700000000), nil, "Excessive Clock Skew (server time 2023-11-14T22:13:20Z)"},
		{"MADCAP-3.17.3-1", option{Code: 2, Extra: []byte{255, 255, 255, 255}}, madcap.NoOption, false, unix(1<<32 - 1), nil, "Excessive Clock Skew (server time 2106-02-07T06:28:15Z)"},
		{"MADCAP-3.17.3-1", option{Code: 2, Extra: []byte{0, 1}}, madcap.NoOption, false, time.Time{}, nil, "Excessive Clock Skew"},
		{"MADCAP-3.17.4-1", option{Code: 3}, madcap.NoOption, false, time.Time{}, nil, "Lease Identifier Not Recognized"},
		{"MADCAP-3.17.5-1", option{Code: 4, Extra: []byte{0, 2, 1, 0}}, madcap.NoOption, false, time.Time{}, []madcap.Feature{2, 256}, "Required Feature Not Supported [SharedLeaseIdentifier Feature(256)]"},
		{"MADCAP-3.17.5-1", option{Code: 4, Extra: []byte{0}}, madcap.NoOption, false, time.Time{}, nil, "Required Feature Not Supported"},
		{"MADCAP-D-28", option{Code: 1024, Extra: []byte{0, 2}}, madcap.NoOption, false, time.Time{}, nil, "ErrorCode(1024)"},
	} {
		t.Run(c.id+"/"+c.text, func(t *testing.T) {
			code, has := c.e.Option()
			at, hasTime := c.e.ServerTime()
			if code != c.option || has != c.has || !at.Equal(c.time) || hasTime != !c.time.IsZero() {
				t.Errorf("option %v %v, time %v %v", code, has, at, hasTime)
			}
			if d := cmp.Diff(c.features, c.e.Features(), sameMessage); d != "" {
				t.Error(d)
			}
			if c.e.String() != c.text {
				t.Errorf("%q", c.e)
			}
		})
	}
	if d := cmp.Diff(option{Code: 0, Extra: []byte{0, 7}}, madcap.NotCompleted(madcap.OptNumberOfAddresses)); d != "" {
		t.Error(d)
	}
}

// TestErrorText wants errors to say which message, which option, where, what
// was found and what was expected.
func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		in    string
		parts string // separated by |
	}{
		{"00", "madcap:|cut short|12 octets|octet 1"},
		{"07 07 0001 00000000  0000 0000", "madcap:|version|octet 0"},
		{"00 01 0001 00000000  0001 0003 010203  0000 0000", "DISCOVER|LeaseTime|3 octets|instead of 4|octet 8"},
		{"00 01 0001 00000000  0004 0004 0a000001  0000 0000", "MulticastScope|10.0.0.1|not multicast"},
		{"00 01 0001 00000000  000a 0006 efffffff 0002  0000 0000", "AddressRanges|239.255.255.255|2 addresses"},
		{"00 06 0001 00000000  0010 0002 0000  0000 0000", "NAK|Error|Valid Request|0 octets"},
		{"00 08 0001 00000000  0005 0001 09  0000 0000", "GETINFO|OptionRequestList|1 octets"},
	} {
		var m madcap.Message
		err := m.Decode(octets(t, c.in))
		if err == nil {
			t.Errorf("%s: no error", c.in)
			continue
		}
		for part := range strings.SplitSeq(c.parts, "|") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
	}
	var e *madcap.Error
	m := madcap.Message{LeaseIdentifier: shortID}
	if !errors.As(m.Validate(0, false), &e) || strings.Contains(e.Error(), "octet") || strings.Contains(e.Error(), "option") {
		t.Errorf("%v is about no octet and no option", e)
	}
}

// TestQuestions asks a message what it has and names.
func TestQuestions(t *testing.T) {
	m := workedMessages()[0].msg
	for code := range madcap.OptionCode(30) {
		if want := code == 3 || code == 5 || code == 8 || code == 12; m.Has(code) != want {
			t.Errorf("Has(%v) = %v", code, !want)
		}
	}
	t.Run("MADCAP-D-25", func(t *testing.T) {
		m := madcap.Message{Features: madcap.Some(madcap.FeatureList{
			Supported: []madcap.Feature{3}, Requested: []madcap.Feature{4}, Required: []madcap.Feature{5},
		})}
		for f := range madcap.Feature(8) {
			if want := f >= 3 && f <= 5; m.Names(f) != want {
				t.Errorf("Names(%v) = %v", f, !want)
			}
		}
		m.Features.Present = false
		if m.Names(3) {
			t.Error("an absent list names something")
		}
	})
	for _, g := range goldens() {
		if want := g.name == "e8" || g.name == "ack-renew-deferred"; g.msg.Deferred() != want {
			t.Errorf("%s: Deferred() = %v", g.name, !want)
		}
	}
	if madcap.Some(3).Or(4) != 3 || (madcap.Opt[int]{Value: 3}).Or(4) != 4 {
		t.Error("Or")
	}
}

// TestTimes adds what turns Unix time into NTP time, and sees no era guessed
// (MADCAP-D-46).
func TestTimes(t *testing.T) {
	t.Run("MADCAP-D-46", func(t *testing.T) {
		var m madcap.Message
		checkError(t, m.Decode(octets(t, "00 04 0001 00000000  0003 0001 00  000b 0004 ffffffff  0000 0000")), nil)
		if want := time.Date(2106, 2, 7, 6, 28, 15, 0, time.UTC); !m.CurrentTime.Equal(want) || m.CurrentTime.Location() != time.UTC {
			t.Errorf("%v, want %v", m.CurrentTime, want)
		}
		m.CurrentTime = time.Date(2023, 11, 14, 23, 13, 20, 0, time.FixedZone("CET", 3600))
		b, err := m.MarshalBinary()
		checkError(t, err, nil)
		if !bytes.Contains(b, []byte("\x00\x0b\x00\x04\x65\x53\xf1\x00")) {
			t.Errorf("%x", b)
		}
	})
}

// TestUnmarshalCopies changes the octets after UnmarshalBinary, and after
// Decode, which says that it aliases them.
func TestUnmarshalCopies(t *testing.T) {
	for _, g := range goldens() {
		var copied madcap.Message
		b := packet(t, g.name)
		checkError(t, copied.UnmarshalBinary(b), nil)
		clear(b)
		if d := cmp.Diff(g.msg, copied, sameMessage); d != "" {
			t.Errorf("%s: %s", g.name, d)
		}
	}
}
