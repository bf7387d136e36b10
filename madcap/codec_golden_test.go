// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"fmt"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// shortID is the Lease Identifier of most packets below.
var shortID = madcap.LeaseIdentifier("\x00\x09")

// message4 returns an IPv4 message with the short Lease Identifier.
func message4(t madcap.MessageType, xid uint32, order ...madcap.OptionCode) madcap.Message {
	return madcap.Message{Type: t, Family: madcap.FamilyIPv4, XID: xid, LeaseIdentifier: shortID, Order: order}
}

// nak returns a NAK by 198.51.100.1.
func nak(xid uint32, code madcap.ErrorCode, extra string) madcap.Message {
	m := message4(madcap.TypeNak, xid, 2, 3, 16)
	m.ServerIdentifier = server("198.51.100.1")
	m.Error = madcap.Some(madcap.ErrorOption{Code: code, Extra: []byte(extra)})
	return m
}

// info returns an ACK to GETINFO by 198.51.100.1.
func info(xid uint32, order ...madcap.OptionCode) madcap.Message {
	m := message4(madcap.TypeAck, xid, order...)
	m.ServerIdentifier = server("198.51.100.1")
	return m
}

func raw(code madcap.OptionCode, value string) madcap.RawOption {
	return madcap.RawOption{Code: code, Value: []byte(value)}
}

// otherMessages covers what the worked messages do not: the other errors and
// answers, opaque families, the ends of every scale, and what a decoder
// accepts although no encoder writes it.
func otherMessages() []goldenPacket {
	return append(nakPackets(), append(infoPackets(), append(leasePackets(), loosePackets()...)...)...)
}

func nakPackets() []goldenPacket {
	shortest := nak(0x1c0ffee4, 0, "\x00\x0a")
	shortest.LeaseIdentifier = madcap.LeaseIdentifier{0}
	noOption := nak(0x1c0ffee5, 0, "\xff\xff")
	noOption.Features = supports(madcap.ServerMobility)
	noOption.Order = append(noOption.Order, 12)
	features := nak(0x1c0ffee6, 4, "\x00\x02\x00\xff")
	features.Features = supports(madcap.ServerMobility, madcap.RetryAfter)
	features.Order = append(features.Order, 12)
	unknown := nak(0, 3, "")
	unknown.Family, unknown.ServerIdentifier = madcap.FamilyIPv6, server("2001:db8:aa::1")
	unknown.LeaseIdentifier = madcap.LeaseIdentifier("\x07\xc0\xff\xee")
	return []goldenPacket{
		{name: "nak-not-completed", msg: shortest},
		{name: "nak-no-option", msg: noOption},
		{name: "nak-lease-unknown", msg: unknown},
		{name: "nak-features", msg: features},
		{name: "nak-experimental", msg: nak(0x1c0ffee7, 1024, "\x0a\x0b\x0c")},
		{name: "nak-unassigned", msg: nak(0x1c0ffee8, 5, "")},
	}
}

// figure4 is the nesting of RFC 2907, figure 4, zones counted from 0.
var figure4 = [][2]int{
	{0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 5}, {0, 6},
	{1, 2}, {1, 3}, {1, 4}, {1, 5}, {1, 6},
	{2, 4}, {2, 5}, {2, 6},
	{3, 4}, {3, 5}, {3, 6},
	{4, 5}, {4, 6},
	{5, 6},
}

func infoPackets() []goldenPacket {
	rfc := info(16, 2, 3, 9, 11)
	rfc.CurrentTime = unix(1700000000)
	rfc.ScopeList = madcap.Some([]madcap.Zone{
		zone("239.192.0.0", "239.195.255.255", 10, madcap.ZoneName{Default: true, Tag: []byte("en"), Text: []byte("Inside abcd.com")}),
		zone("224.0.1.0", "238.255.255.255", 16, madcap.ZoneName{Default: true, Tag: []byte("en"), Text: []byte("world")}),
	})

	seven := info(17, 2, 3, 17, 9)
	seven.Family, seven.ServerIdentifier = madcap.FamilyIPv6, server("2001:db8:aa::1")
	zones := []madcap.Zone{zone("ff12::", "ff12::ffff:ffff:ffff:ffff", 1,
		madcap.ZoneName{Default: true, Tag: []byte("en"), Text: []byte("link")},
		madcap.ZoneName{Tag: []byte("de-ch-1"), Text: []byte("Lülli")})}
	for _, p := range []string{"ff13", "ff14", "ff15", "ff16", "ff18", "ff1e"} {
		zones = append(zones, zone(p+"::", p+":ffff:ffff:ffff:ffff:ffff:ffff:ffff", 255))
	}
	seven.ScopeList, seven.Nesting = madcap.Some(zones), nesting(7, figure4...)

	wide := info(18, 2, 3, 9, 17)
	var pairs [][2]int
	zones = nil
	for i := range 10 {
		a := fmt.Sprint("239.255.0.", i)
		zones = append(zones, zone(a, a, 255))
		for j := i + 1; j < 10; j++ {
			pairs = append(pairs, [2]int{i, j})
		}
	}
	wide.ScopeList, wide.Nesting = madcap.Some(zones), nesting(10, append(pairs, [2]int{9, 0})...)

	none := info(19, 2, 3, 9, 17)
	none.ScopeList, none.Nesting = madcap.Some([]madcap.Zone{}), nesting(0)

	opaque := madcap.Message{
		Type: madcap.TypeAck, XID: 27, LeaseIdentifier: shortID,
		ServerIdentifier: madcap.ServerIdentifier{Family: 16389, Opaque: []byte("\x02\x00\x5e\x00\x00\x01")},
		Unknown:          []madcap.RawOption{raw(4096, ""), raw(9, "\xaa\xbb\xcc"), raw(4095, "\x2a")},
		Order:            []madcap.OptionCode{2, 4096, 3, 9, 4095},
	}

	minimal := message4(madcap.TypeGetInfo, 21, 3, 5, 8)
	minimal.Family = madcap.FamilyIPv6
	minimal.OptionRequestList = []madcap.OptionCode{madcap.OptFeatureList}
	minimal.RequestedLanguage = madcap.Some([]byte{})

	return []goldenPacket{
		{name: "ack-getinfo-rfc", answers: madcap.TypeGetInfo, msg: rfc},
		{name: "ack-getinfo-ipv6", answers: madcap.TypeGetInfo, msg: seven},
		{name: "ack-getinfo-wide", answers: madcap.TypeGetInfo, msg: wide},
		{name: "ack-getinfo-none", answers: madcap.TypeGetInfo, msg: none},
		{name: "ack-other-family", answers: madcap.TypeGetInfo, msg: opaque},
		{name: "getinfo-minimal", msg: minimal},
	}
}

func leasePackets() []goldenPacket {
	deferred := info(20, 2, 3, 4, 1, 13, 11, 10, 12)
	deferred.Scope, deferred.LeaseTime = ip("239.255.0.0"), seconds(3600)
	deferred.RetryTime, deferred.CurrentTime = unix(1700003968), unix(1700000000)
	deferred.Ranges = blocks()
	deferred.Features = madcap.Some(madcap.FeatureList{
		Supported: []madcap.Feature{madcap.RetryAfter},
		Required:  []madcap.Feature{madcap.RetryAfter},
	})

	discover := message4(madcap.TypeDiscover, 22, 4, 3)
	discover.Scope, discover.LeaseIdentifier = ip("239.255.0.0"), madcap.LeaseIdentifier{0}

	offer := message4(madcap.TypeOffer, 23, 2, 3, 4, 1, 10)
	offer.Family, offer.ServerIdentifier = madcap.FamilyIPv6, server("2001:db8:aa::1")
	offer.Scope, offer.LeaseTime = ip("ff1e::"), seconds(4294967295)
	offer.Ranges = blocks(
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"ff1e::ffff:ffff:ffff:ffff", "ff1e:0:0:1::")

	renew := message4(madcap.TypeRenew, 24, 3, 1, 14, 6, 15, 11, 12)
	renew.LeaseTime, renew.MinLeaseTime = seconds(1), seconds(0)
	renew.StartTime, renew.MaxStartTime, renew.CurrentTime = unix(0), unix(4294967295), unix(2147483648)
	renew.Features = supports()

	release := message4(madcap.TypeRelease, 25, 12, 3)
	release.Features = madcap.Some(madcap.FeatureList{
		Supported: []madcap.Feature{0}, Requested: []madcap.Feature{2}, Required: []madcap.Feature{0},
	})

	opaque := message4(madcap.TypeDiscover, 26, 3, 4, 7, 10)
	opaque.Family = 16389
	opaque.Addresses = madcap.NumberOfAddresses{Desired: 1}
	opaque.Unknown = []madcap.RawOption{raw(4, "\x01\x80\xc2\x00\x00\x00"), raw(10, "\x01\x80\xc2")}

	ten := info(0x1c0ffee9, 2, 3, 4, 1, 6, 11, 10, 12, 4097, 4098)
	ten.LeaseIdentifier, ten.Scope, ten.LeaseTime = randomID, ip("239.192.0.0"), seconds(5400)
	ten.StartTime, ten.CurrentTime = unix(1700003600), unix(1700000005)
	var pairs []scope.Range
	for i := 0; i < 48; i += 4 {
		pairs = append(pairs, scope.MustRange(fmt.Sprint("239.192.10.", i), fmt.Sprint("239.192.10.", i+1)))
	}
	ten.Ranges, ten.Features = madcap.Some(pairs), supports(allFeatures...)
	ten.Unknown = []madcap.RawOption{raw(4097, "\xca\xfe\xba\xbe"), raw(4098, "")}

	nobody := madcap.Message{Type: madcap.TypeRelease, Family: madcap.FamilyIPv4, XID: 29}
	return []goldenPacket{
		{name: "ack-renew-deferred", answers: madcap.TypeRenew, msg: deferred},
		{name: "discover-minimal", multicast: true, msg: discover},
		{name: "offer-ipv6", msg: offer},
		{name: "renew-times", msg: renew},
		{name: "release-mobile", msg: release},
		{name: "discover-other-family", multicast: true, msg: opaque},
		{name: "ack-request-ten", answers: madcap.TypeRequest, msg: ten},
		{name: "unknown-type", msg: message4(9, 28, 3), invalid: madcap.ErrType},
		{name: "empty", msg: nobody, invalid: madcap.ErrMissing},
	}
}

// loosePackets decode, but are written otherwise.
func loosePackets() []goldenPacket {
	ack := func(xid uint32, zones ...madcap.Zone) madcap.Message {
		m := message4(madcap.TypeAck, xid, 3, 9)
		m.ScopeList = madcap.Some(zones)
		return m
	}
	local := zone("239.255.0.0", "239.255.255.255", 255)
	named := local
	named.Names = []madcap.ZoneName{{Default: true, Tag: []byte("en"), Text: []byte("\x00A")}}
	padded := ack(31, local, zone("239.192.0.0", "239.195.255.255", 255))
	padded.Nesting, padded.Order = nesting(2, [2]int{0, 1}), []madcap.OptionCode{3, 9, 17}
	return []goldenPacket{
		{name: "loose-flags", answers: madcap.TypeGetInfo, msg: ack(30, named), invalid: madcap.ErrMissing, canonical: `
			00 05 0001 0000001e  0003 0002 0009  0009 0012 01 efff0000 efffffff ff 01
			80 02 656e 02 0041  0000 0000`},
		{name: "loose-padding", answers: madcap.TypeGetInfo, msg: padded, invalid: madcap.ErrMissing, canonical: `
			00 05 0001 0000001f  0003 0002 0009  0009 0015 02 efff0000 efffffff ff 00 efc00000 efc3ffff ff 00
			0011 0003 02 80 00  0000 0000`},
		{name: "loose-no-count", answers: madcap.TypeGetInfo, msg: ack(32), invalid: madcap.ErrMissing, canonical: `
			00 05 0001 00000020  0003 0002 0009  0009 0001 00  0000 0000`},
		{name: "loose-nesting", answers: madcap.TypeGetInfo, msg: ack(33, local), invalid: madcap.ErrMissing, canonical: `
			00 05 0001 00000021  0003 0002 0009  0009 000b 01 efff0000 efffffff ff 00  0000 0000`},
	}
}
