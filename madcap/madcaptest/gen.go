// SPDX-License-Identifier: BSD-3-Clause

package madcaptest

import (
	"slices"
	"time"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
	"pgregory.net/rapid"
)

// Column names a column of Table 5 of RFC 2730: the kind of message that says
// which options it must and may have.
type Column struct {
	Type      madcap.MessageType
	Answers   madcap.MessageType // of an ACK: the type of the message it answers, else 0
	Multicast bool               // of a REQUEST: sent by multicast

	must, may []madcap.OptionCode
}

// String returns "REQUEST", "REQUEST by multicast", "ACK to REQUEST" and so on.
func (c Column) String() string {
	switch {
	case c.Answers != 0:
		return c.Type.String() + " to " + c.Answers.String()
	case c.Multicast:
		return c.Type.String() + " by multicast"
	}
	return c.Type.String()
}

type codes = []madcap.OptionCode

// columns is Table 5 with the option of RFC 2907, REQUEST twice.
var columns = []Column{
	{Type: madcap.TypeGetInfo, must: codes{3, 5}, may: codes{8, 12}},
	{Type: madcap.TypeAck, Answers: madcap.TypeGetInfo, must: codes{2, 3}, may: codes{9, 11, 12, 17}},
	{Type: madcap.TypeDiscover, must: codes{3, 4}, may: codes{1, 6, 7, 10, 11, 12, 14, 15}},
	{Type: madcap.TypeOffer, must: codes{1, 2, 3, 4}, may: codes{6, 10, 11, 12}},
	{Type: madcap.TypeRequest, must: codes{3, 4}, may: codes{1, 2, 6, 7, 10, 11, 12, 14, 15}},
	{Type: madcap.TypeRequest, Multicast: true, must: codes{2, 3, 4}, may: codes{1, 6, 7, 10, 11, 12, 14, 15}},
	{Type: madcap.TypeAck, Answers: madcap.TypeRequest, must: codes{1, 2, 3, 4, 10}, may: codes{6, 11, 12, 13}},
	{Type: madcap.TypeRenew, must: codes{3}, may: codes{1, 6, 11, 12, 14, 15}},
	{Type: madcap.TypeAck, Answers: madcap.TypeRenew, must: codes{1, 2, 3, 4, 10}, may: codes{6, 11, 12, 13}},
	{Type: madcap.TypeRelease, must: codes{3}, may: codes{12}},
	{Type: madcap.TypeAck, Answers: madcap.TypeRelease, must: codes{2, 3}, may: codes{12}},
	{Type: madcap.TypeNak, must: codes{2, 3, 16}, may: codes{12}},
}

// Columns returns the twelve columns: those of Table 5, with REQUEST once by
// unicast and once by multicast.
func Columns() []Column { return slices.Clone(columns) }

// Valid generates messages that AppendBinary writes and Validate accepts in
// column c, with all kinds of values, some options nobody knows, and now and
// then a family nobody knows.
func Valid(c Column) *rapid.Generator[*madcap.Message] {
	return rapid.Custom(func(t *rapid.T) *madcap.Message {
		m := &madcap.Message{
			Type:   c.Type,
			Family: rapid.SampledFrom([]madcap.AddrFamily{1, 1, 1, 2, 2, 2, 0, 3, 16389}).Draw(t, "family"),
			XID:    rapid.Uint32().Draw(t, "xid"),
		}
		present := slices.Clone(c.must)
		for _, code := range c.may {
			if rapid.Bool().Draw(t, code.String()) {
				present = append(present, code)
			}
		}
		m.Order = order(t, agree(present, m.Family))
		for _, code := range m.Order {
			draw(t, m, code)
		}
		reconcile(t, m)
		return m
	})
}

// Any generates messages that AppendBinary writes and Decode reads back, valid
// or not: of any type, with any set of options.
func Any() *rapid.Generator[*madcap.Message] {
	return rapid.Custom(func(t *rapid.T) *madcap.Message {
		m := &madcap.Message{
			Type:   madcap.MessageType(rapid.Uint8().Draw(t, "type")),
			Family: rapid.SampledFrom([]madcap.AddrFamily{1, 1, 2, 2, 0, 65535}).Draw(t, "family"),
			XID:    rapid.Uint32().Draw(t, "xid"),
		}
		if rapid.Bool().Draw(t, "known type") {
			m.Type = rapid.SampledFrom(columns).Draw(t, "column").Type
		}
		var present codes
		for code := madcap.OptLeaseTime; code <= madcap.OptNestingState; code++ {
			if rapid.Bool().Draw(t, code.String()) && (code != madcap.OptNestingState || m.Type == madcap.TypeAck) {
				present = append(present, code)
			}
		}
		m.Order = order(t, agree(present, m.Family))
		for _, code := range m.Order {
			draw(t, m, code)
		}
		return m
	})
}

// agree adds and removes what the presence of some options says of others:
// Current Time stands beside every other time, and a nesting state beside a
// scope list that is not opaque.
func agree(present codes, family madcap.AddrFamily) codes {
	has := func(c madcap.OptionCode) bool { return slices.Contains(present, c) }
	if (has(6) || has(13) || has(15)) && !has(11) {
		present = append(present, 11)
	}
	if has(13) && !has(12) {
		present = append(present, 12)
	}
	if has(17) && (!has(9) || opaque(family)) {
		present = slices.DeleteFunc(present, func(c madcap.OptionCode) bool { return c == 17 })
	}
	return present
}

func opaque(f madcap.AddrFamily) bool { return f != madcap.FamilyIPv4 && f != madcap.FamilyIPv6 }

// order adds up to three unknown options and shuffles all.
func order(t *rapid.T, present codes) codes {
	unknown := rapid.SliceOfNDistinct(rapid.Uint16Range(18, 65535), 0, 3, rapid.ID[uint16]).Draw(t, "unknown options")
	for _, c := range unknown {
		present = append(present, madcap.OptionCode(c))
	}
	return rapid.Permutation(present).Draw(t, "order")
}

// draw puts an option into m.
func draw(t *rapid.T, m *madcap.Message, code madcap.OptionCode) {
	addresses := code == madcap.OptMulticastScope || code == madcap.OptScopeList || code == madcap.OptAddressRanges
	if code > madcap.OptNestingState || addresses && opaque(m.Family) {
		n := 0
		if code == madcap.OptMulticastScope {
			n = 1
		}
		m.Unknown = append(m.Unknown, madcap.RawOption{Code: code, Value: Octets(n, 20).Draw(t, code.String())})
		return
	}
	switch code {
	case madcap.OptLeaseTime:
		m.LeaseTime = madcap.Some(Seconds().Draw(t, "lease time"))
	case madcap.OptServerIdentifier:
		m.ServerIdentifier = Server().Draw(t, "server")
	case madcap.OptLeaseIdentifier:
		m.LeaseIdentifier = Octets(1, 24).Draw(t, "lease identifier")
	case madcap.OptMulticastScope:
		m.Scope = Address(m.Family).Draw(t, "scope")
	case madcap.OptOptionRequestList:
		for _, c := range rapid.SliceOfN(rapid.Uint16(), 1, 8).Draw(t, "requested options") {
			m.OptionRequestList = append(m.OptionRequestList, madcap.OptionCode(c))
		}
	case madcap.OptStartTime:
		m.StartTime = Time().Draw(t, "start")
	case madcap.OptNumberOfAddresses:
		desired := rapid.Uint16Range(1, 65535).Draw(t, "desired")
		m.Addresses = madcap.NumberOfAddresses{Min: rapid.Uint16Range(0, desired).Draw(t, "minimum"), Desired: desired}
	case madcap.OptRequestedLanguage:
		m.RequestedLanguage = madcap.Some(Octets(0, 8).Draw(t, "language"))
	case madcap.OptScopeList:
		m.ScopeList = madcap.Some(Zones(m.Family).Draw(t, "zones"))
		if m.Nesting.Present { // drawn before, for another number of zones
			m.Nesting = madcap.Some(Nesting(len(m.ScopeList.Value)).Draw(t, "nesting"))
		}
	case madcap.OptAddressRanges:
		m.Ranges = madcap.Some(rapid.SliceOfN(Block(m.Family), 0, 6).Draw(t, "ranges"))
	case madcap.OptCurrentTime:
		m.CurrentTime = Time().Draw(t, "current time")
	case madcap.OptFeatureList:
		m.Features = madcap.Some(madcap.FeatureList{
			Supported: features(t, "supported"), Requested: features(t, "requested"), Required: features(t, "required"),
		})
	case madcap.OptRetryTime:
		m.RetryTime = Time().Draw(t, "retry time")
	case madcap.OptMinLeaseTime:
		m.MinLeaseTime = madcap.Some(Seconds().Draw(t, "minimum lease time"))
	case madcap.OptMaxStartTime:
		m.MaxStartTime = Time().Draw(t, "maximum start")
	case madcap.OptError:
		m.Error = madcap.Some(Failure().Draw(t, "error"))
	case madcap.OptNestingState:
		m.Nesting = madcap.Some(Nesting(len(m.ScopeList.Value)).Draw(t, "nesting"))
	}
}

// reconcile changes the values of m that contradict each other.
func reconcile(t *rapid.T, m *madcap.Message) {
	list := &m.Features.Value
	if m.LeaseTime.Present && m.LeaseTime.Value == 0 {
		m.LeaseTime.Value = time.Second
	}
	if m.Type.FromClient() {
		notRetryAfter := func(f madcap.Feature) bool { return f == madcap.RetryAfter }
		list.Requested = slices.DeleteFunc(list.Requested, notRetryAfter)
		list.Required = slices.DeleteFunc(list.Required, notRetryAfter)
		if m.LeaseTime.Present {
			m.MinLeaseTime.Value = min(m.MinLeaseTime.Value, m.LeaseTime.Value)
		}
		if !m.MaxStartTime.IsZero() && m.MaxStartTime.Before(m.StartTime) {
			m.MaxStartTime = m.StartTime
		}
		return
	}
	list.Requested = nil
	i := slices.IndexFunc(m.Unknown, func(o madcap.RawOption) bool { return o.Code == madcap.OptAddressRanges })
	switch {
	case !m.RetryTime.IsZero(): // a message that defers
		if list.Required = append(list.Required, madcap.RetryAfter); m.Ranges.Present {
			m.Ranges.Value = nil
		} else {
			m.Unknown[i].Value = nil
		}
	case m.Ranges.Present && len(m.Ranges.Value) == 0:
		m.Ranges.Value = []scope.Range{Block(m.Family).Draw(t, "range")}
	case i >= 0 && len(m.Unknown[i].Value) == 0:
		m.Unknown[i].Value = []byte{1}
	}
}

func features(t *rapid.T, label string) []madcap.Feature {
	var fs []madcap.Feature
	for _, f := range rapid.SliceOfN(rapid.Uint16Range(0, 4), 0, 3).Draw(t, label) {
		fs = append(fs, madcap.Feature(f))
	}
	return fs
}
