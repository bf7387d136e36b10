// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"github.com/mcastalloc/malloc/madcap"
)

// Lease Identifiers of the worked messages: a random one, and those of two
// clients with globally unique addresses.
var (
	randomID = madcap.LeaseIdentifier("\x00\xa1\xb2\xc3\xd4\xe5\xf6\x07\x18\x29\x3a\x4b\x5c\x6d\x7e\x8f\x90")
	addr4ID  = madcap.LeaseIdentifier("\x01\x00\x01\xc6\x33\x64\x11\x00\x00\x00\x2a")
	addr6ID  = madcap.LeaseIdentifier("\x01\x00\x02\x20\x01\x0d\xb8\x00\x00\x00\xaa\x00\x00\x00\x00\x00\x00\x00\x05\x65\xa0\xbc\x10")
)

var allFeatures = []madcap.Feature{madcap.ServerMobility, madcap.RetryAfter, madcap.SharedLeaseIdentifier}

// workedMessages is a session from the search for scopes to the refusal of a
// renewal, E1 to E14.
func workedMessages() []goldenPacket {
	discover := madcap.Message{
		Type: madcap.TypeDiscover, Family: madcap.FamilyIPv4, XID: 0x1c0ffee1,
		LeaseIdentifier: randomID,
		Scope:           ip("239.192.0.0"),
		LeaseTime:       seconds(7200),
		MinLeaseTime:    seconds(3600),
		StartTime:       unix(1700003600),
		MaxStartTime:    unix(1700007200),
		CurrentTime:     unix(1700000000),
		Addresses:       madcap.NumberOfAddresses{Min: 2, Desired: 4},
		Ranges:          blocks("239.192.10.0", "239.192.10.3"),
		Features:        supports(madcap.RetryAfter),
		Order:           []madcap.OptionCode{3, 4, 1, 14, 6, 15, 11, 7, 10, 12},
	}
	request := discover
	request.Type, request.XID = madcap.TypeRequest, 0x1c0ffee2
	request.ServerIdentifier = server("198.51.100.1")
	request.CurrentTime = unix(1700000004)
	request.Order = []madcap.OptionCode{2, 3, 4, 1, 14, 6, 15, 11, 7, 10, 12}

	return []goldenPacket{
		{name: "e1", multicast: true, msg: madcap.Message{
			Type: madcap.TypeGetInfo, Family: madcap.FamilyIPv4, XID: 0x1c0ffee0,
			LeaseIdentifier:   randomID,
			OptionRequestList: []madcap.OptionCode{madcap.OptScopeList, madcap.OptNestingState, madcap.OptFeatureList},
			RequestedLanguage: madcap.Some([]byte("fr")),
			Features:          supports(madcap.RetryAfter),
			Order:             []madcap.OptionCode{3, 5, 8, 12},
		}},
		{name: "e2", answers: madcap.TypeGetInfo, msg: madcap.Message{
			Type: madcap.TypeAck, Family: madcap.FamilyIPv4, XID: 0x1c0ffee0,
			ServerIdentifier: server("198.51.100.1"),
			LeaseIdentifier:  randomID,
			ScopeList: madcap.Some([]madcap.Zone{
				zone("239.255.0.0", "239.255.255.255", 16, madcap.ZoneName{Tag: []byte("fr"), Text: []byte("Étage")}),
				zone("239.192.0.0", "239.195.255.255", 63, madcap.ZoneName{Default: true, Tag: []byte("en"), Text: []byte("Campus")}),
				zone("224.0.1.0", "238.255.255.255", 255),
			}),
			Nesting:  nesting(3, [2]int{0, 1}, [2]int{0, 2}, [2]int{1, 2}),
			Features: supports(allFeatures...),
			Order:    []madcap.OptionCode{2, 3, 9, 17, 12},
		}},
		{name: "e3", multicast: true, msg: discover},
		{name: "e4", msg: madcap.Message{
			Type: madcap.TypeOffer, Family: madcap.FamilyIPv4, XID: 0x1c0ffee1,
			ServerIdentifier: server("198.51.100.1"),
			LeaseIdentifier:  randomID,
			Scope:            ip("239.192.0.0"),
			LeaseTime:        seconds(5400),
			StartTime:        unix(1700003600),
			CurrentTime:      unix(1700000002),
			Features:         supports(allFeatures...),
			Order:            []madcap.OptionCode{2, 3, 4, 1, 6, 11, 12},
		}},
		{name: "e5", multicast: true, msg: request},
		{name: "e6", answers: madcap.TypeRequest, msg: madcap.Message{
			Type: madcap.TypeAck, Family: madcap.FamilyIPv4, XID: 0x1c0ffee2,
			ServerIdentifier: server("198.51.100.1"),
			LeaseIdentifier:  randomID,
			Scope:            ip("239.192.0.0"),
			LeaseTime:        seconds(5400),
			StartTime:        unix(1700003600),
			CurrentTime:      unix(1700000005),
			Ranges:           blocks("239.192.10.0", "239.192.10.1", "239.192.10.3", "239.192.10.3"),
			Features:         supports(allFeatures...),
			Order:            []madcap.OptionCode{2, 3, 4, 1, 6, 11, 10, 12},
		}},
		{name: "e7", msg: madcap.Message{
			Type: madcap.TypeRequest, Family: madcap.FamilyIPv6, XID: 7,
			LeaseIdentifier: addr6ID,
			Scope:           ip("ff15::"),
			LeaseTime:       seconds(86400),
			Addresses:       madcap.NumberOfAddresses{Min: 1, Desired: 2000},
			Features: madcap.Some(madcap.FeatureList{
				Supported: allFeatures,
				Required:  []madcap.Feature{madcap.ServerMobility, madcap.SharedLeaseIdentifier},
			}),
			Order: []madcap.OptionCode{3, 4, 1, 7, 12},
		}},
		{name: "e8", answers: madcap.TypeRequest, msg: madcap.Message{
			Type: madcap.TypeAck, Family: madcap.FamilyIPv6, XID: 7,
			ServerIdentifier: server("2001:db8:aa::1"),
			LeaseIdentifier:  addr6ID,
			Scope:            ip("ff15::"),
			LeaseTime:        seconds(86400),
			Ranges:           blocks(),
			CurrentTime:      unix(1700000100),
			RetryTime:        unix(1700010100),
			Features:         madcap.Some(madcap.FeatureList{Supported: allFeatures, Required: allFeatures}),
			Order:            []madcap.OptionCode{2, 3, 4, 1, 10, 11, 13, 12},
		}},
		{name: "e9", msg: madcap.Message{
			Type: madcap.TypeRenew, Family: madcap.FamilyIPv6, XID: 12,
			LeaseIdentifier: addr6ID,
			LeaseTime:       seconds(3600),
			Features: madcap.Some(madcap.FeatureList{
				Supported: []madcap.Feature{madcap.ServerMobility},
				Required:  []madcap.Feature{madcap.ServerMobility},
			}),
			Order: []madcap.OptionCode{3, 1, 12},
		}},
		{name: "e10", answers: madcap.TypeRenew, msg: madcap.Message{
			Type: madcap.TypeAck, Family: madcap.FamilyIPv6, XID: 12,
			ServerIdentifier: server("198.51.100.1"),
			LeaseIdentifier:  addr6ID,
			Scope:            ip("ff15::"),
			LeaseTime:        seconds(3600),
			Ranges:           blocks("ff15::8000:100", "ff15::8000:8cf"),
			Features: madcap.Some(madcap.FeatureList{
				Supported: []madcap.Feature{madcap.ServerMobility, madcap.RetryAfter},
				Required:  []madcap.Feature{madcap.ServerMobility},
			}),
			Order: []madcap.OptionCode{2, 3, 4, 1, 10, 12},
		}},
		{name: "e11", msg: madcap.Message{
			Type: madcap.TypeRelease, Family: madcap.FamilyIPv4, XID: 0xffffffff,
			LeaseIdentifier: addr4ID,
			Order:           []madcap.OptionCode{3},
		}},
		{name: "e12", answers: madcap.TypeRelease, msg: madcap.Message{
			Type: madcap.TypeAck, Family: madcap.FamilyIPv4, XID: 0xffffffff,
			ServerIdentifier: server("198.51.100.1"),
			LeaseIdentifier:  addr4ID,
			Order:            []madcap.OptionCode{2, 3},
		}},
		{name: "e13", msg: madcap.Message{
			Type: madcap.TypeNak, Family: madcap.FamilyIPv4, XID: 0x1c0ffee3,
			ServerIdentifier: server("198.51.100.1"),
			LeaseIdentifier:  randomID,
			Error:            madcap.Some(madcap.ErrorOption{Code: madcap.CodeClockSkew, Extra: []byte("\x65\x53\xf1\x00")}),
			Order:            []madcap.OptionCode{2, 3, 16},
		}},
		{name: "e14", msg: madcap.Message{
			Type: madcap.TypeNak, Family: madcap.FamilyIPv6, XID: 13,
			ServerIdentifier: server("2001:db8:aa::1"),
			LeaseIdentifier:  addr6ID,
			Error:            madcap.Some(madcap.InvalidRequest(madcap.OptMinLeaseTime)),
			Unknown:          []madcap.RawOption{{Code: 4321, Value: []byte("\xbe\xef")}},
			Order:            []madcap.OptionCode{2, 3, 16, 4321},
		}},
	}
}
