// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// verb calls the verb of a message type.
func (r *clientRig) verb(t madcap.MessageType, to netip.AddrPort, m *madcap.Message) (madcap.Handle, error) {
	switch t {
	case madcap.TypeGetInfo:
		return r.c.GetInfo(r.now, to, m)
	case madcap.TypeDiscover:
		return r.c.Allocate(r.now, to, m)
	case madcap.TypeRequest:
		return r.c.Request(r.now, to, m)
	case madcap.TypeRenew:
		return r.c.Renew(r.now, to, m)
	}
	return r.c.Release(r.now, to, m)
}

// TestClientRefuses: what must not be sent is not sent.
func TestClientRefuses(t *testing.T) {
	const (
		getinfo, discover, renew, release = madcap.TypeGetInfo, madcap.TypeDiscover, madcap.TypeRenew, madcap.TypeRelease
		request                           = madcap.TypeRequest
	)
	at := netip.MustParseAddrPort
	features := func(l madcap.FeatureList) func(*madcap.Message) {
		return func(m *madcap.Message) { m.Features = madcap.Some(l) }
	}
	for _, v := range []struct {
		name   string
		verb   madcap.MessageType
		to     netip.AddrPort
		change func(*madcap.Message)
		want   error
		option madcap.OptionCode
	}{
		{"MADCAP-1.5-4", discover, serverAt, nil, madcap.ErrDestination, madcap.NoOption},
		{"MADCAP-2.2.4-5", request, groupAt, nil, madcap.ErrDestination, madcap.NoOption},
		{"MADCAP-D-33/RENEW", renew, groupAt, nil, madcap.ErrDestination, madcap.NoOption},
		{"MADCAP-D-33/RELEASE", release, groupAt, nil, madcap.ErrDestination, madcap.NoOption},
		{"MADCAP-2.2.7-1", renew, at("[ff03::fffe]:2535"), nil, madcap.ErrDestination, madcap.NoOption},
		{"MADCAP-2.2.8-1", release, at("[ff03::fffe]:2535"), nil, madcap.ErrDestination, madcap.NoOption},
		{"MADCAP-2.11-2/DISCOVER", discover, at("238.255.255.254:2535"), nil, madcap.ErrDestination, madcap.NoOption},
		{"MADCAP-2.11-2/GETINFO", getinfo, at("238.255.255.254:2535"), nil, madcap.ErrDestination, madcap.NoOption},
		{"MADCAP-2.11-2/mapped", discover, at("[::ffff:238.255.255.254]:2535"), nil, madcap.ErrDestination, madcap.NoOption},
		{"MADCAP-D-51/IPv4 low end", discover, at("224.0.1.0:2535"), nil, madcap.ErrDestination, madcap.NoOption},
		{"MADCAP-D-51/IPv6", discover, at("[ff0e:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:2535"), nil, madcap.ErrDestination, madcap.NoOption},
		{"MADCAP-D-51/IPv6 transient", getinfo, at("[ff1e:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:2535"), nil, madcap.ErrDestination, madcap.NoOption},
		{"no address", request, netip.AddrPort{}, nil, madcap.ErrDestination, madcap.NoOption},
		{"no port", request, at("198.51.100.1:0"), nil, madcap.ErrDestination, madcap.NoOption},
		{"unspecified", request, at("0.0.0.0:2535"), nil, madcap.ErrDestination, madcap.NoOption},

		{"MADCAP-2.2.7-8", renew, secondAt, func(m *madcap.Message) { m.ServerIdentifier = server("198.51.100.1") }, madcap.ErrDestination, madcap.NoOption},
		{"MADCAP-2.2.8-5", release, secondAt, func(m *madcap.Message) {
			m.ServerIdentifier = server("198.51.100.1")
			m.Features = madcap.Some(madcap.FeatureList{Supported: allFeatures, Requested: []madcap.Feature{madcap.ServerMobility}})
		}, madcap.ErrDestination, madcap.NoOption},

		{"MADCAP-2.2.1-3", getinfo, groupAt, func(m *madcap.Message) { m.OptionRequestList = nil }, madcap.ErrMissing, madcap.OptOptionRequestList},
		{"MADCAP-2.2.2-10", discover, groupAt, func(m *madcap.Message) { m.Scope = netip.Addr{} }, madcap.ErrMissing, madcap.OptMulticastScope},
		{"MADCAP-2.2.4-10", request, serverAt, func(m *madcap.Message) { m.Scope = netip.Addr{} }, madcap.ErrMissing, madcap.OptMulticastScope},
		{"MADCAP-2.7-4", request, serverAt, func(m *madcap.Message) { m.Scope = netip.Addr{} }, madcap.ErrMissing, madcap.OptMulticastScope},
		{"MADCAP-2.4-1/RENEW", renew, serverAt, func(m *madcap.Message) { m.LeaseIdentifier = nil }, madcap.ErrMissing, madcap.OptLeaseIdentifier},
		{"MADCAP-2.4-1/RELEASE", release, serverAt, func(m *madcap.Message) { m.LeaseIdentifier = nil }, madcap.ErrMissing, madcap.OptLeaseIdentifier},
		{"MADCAP-T5-1", renew, serverAt, func(m *madcap.Message) { m.Scope = ip("239.192.0.0") }, madcap.ErrForbidden, madcap.OptMulticastScope},
		{"MADCAP-2.1.3-1", request, serverAt, func(m *madcap.Message) { m.Scope = ip("ff15::") }, madcap.ErrFamily, madcap.OptMulticastScope},

		{"MADCAP-2.13.2-3/requested", request, serverAt, features(madcap.FeatureList{Requested: []madcap.Feature{madcap.RetryAfter}}), madcap.ErrCompanion, madcap.OptFeatureList},
		{"MADCAP-2.13.2-3/required", renew, serverAt, features(madcap.FeatureList{Required: []madcap.Feature{madcap.RetryAfter}}), madcap.ErrCompanion, madcap.OptFeatureList},
		{"MADCAP-2.4-9/type", request, serverAt, func(m *madcap.Message) {
			m.LeaseIdentifier = madcap.LeaseIdentifier("\x01\x00\x01\xc6\x33\x64\x01\x12\x34\x56\x78\x12\x34\x56\x78")
			features(madcap.FeatureList{Requested: []madcap.Feature{madcap.SharedLeaseIdentifier}})(m)
		}, madcap.ErrValue, madcap.OptLeaseIdentifier},
		{"MADCAP-2.4-9/length", discover, groupAt, func(m *madcap.Message) {
			m.LeaseIdentifier = madcap.LeaseIdentifier("\x001234567")
			features(madcap.FeatureList{Required: []madcap.Feature{madcap.SharedLeaseIdentifier}})(m)
		}, madcap.ErrValue, madcap.OptLeaseIdentifier},

		{"MADCAP-3.8-2", request, serverAt, func(m *madcap.Message) { m.Addresses = madcap.NumberOfAddresses{Min: 3, Desired: 2} }, madcap.ErrValue, madcap.OptNumberOfAddresses},
		{"MADCAP-D-17", request, serverAt, func(m *madcap.Message) {
			m.Ranges = blocks("239.192.0.1", "239.192.0.3", "239.192.0.3", "239.192.0.4")
		}, madcap.ErrValue, madcap.OptAddressRanges},
		{"MADCAP-D-20", request, serverAt, func(m *madcap.Message) { m.LeaseTime = seconds(0) }, madcap.ErrCompanion, madcap.OptLeaseTime},
		{"MADCAP-D-21/lease", request, serverAt, func(m *madcap.Message) { m.MinLeaseTime = seconds(3601) }, madcap.ErrCompanion, madcap.OptMinLeaseTime},
		{"MADCAP-D-21/start", request, serverAt, func(m *madcap.Message) { m.StartTime, m.MaxStartTime = unix(1700000002), unix(1700000001) }, madcap.ErrCompanion, madcap.OptMaxStartTime},
		{"MADCAP-D-46", request, serverAt, func(m *madcap.Message) { m.LeaseTime = seconds(1 << 32) }, madcap.ErrValue, madcap.OptLeaseTime},
	} {
		t.Run(v.name, func(t *testing.T) {
			r := newClientRig(t, nil)
			m := infoAsk()
			switch v.verb {
			case discover, request:
				m = ask()
			case renew, release:
				m = knownLease()
			}
			if v.change != nil {
				v.change(m)
			}
			_, err := r.verb(v.verb, v.to, m)
			var e *madcap.Error
			if !errors.As(err, &e) || !errors.Is(err, v.want) || e.Option != v.option {
				t.Errorf("error %v, want %v at %v", err, v.want, v.option)
			}
			r.drain()
			if _, ok := r.c.Deadline(); ok || len(r.sent) > 0 {
				t.Errorf("something began:\n%s", r.transcript())
			}
		})
	}
}

// TestClientSends: what the client makes of a plain wish.
func TestClientSends(t *testing.T) {
	start := unix(1700003600)
	isRandom := func(m *madcap.Message) bool {
		return len(m.LeaseIdentifier) == 17 && m.LeaseIdentifier[0] == madcap.LeaseIdentifierRandom && m.LeaseIdentifier.IsShareable()
	}
	for _, v := range []struct {
		name string
		verb madcap.MessageType
		set  func(*madcap.Message)
		want func(*madcap.Message) bool
	}{
		{"MADCAP-2.2.1-7", madcap.TypeGetInfo, func(m *madcap.Message) { m.RequestedLanguage = madcap.Some([]byte("fr")) },
			func(m *madcap.Message) bool { return string(m.RequestedLanguage.Value) == "fr" }},
		{"MADCAP-D-53", madcap.TypeGetInfo, func(m *madcap.Message) { m.LeaseIdentifier = knownLease().LeaseIdentifier },
			func(m *madcap.Message) bool {
				return isRandom(m) && !bytes.Equal(m.LeaseIdentifier, knownLease().LeaseIdentifier)
			}},
		{"MADCAP-N3.3-2", madcap.TypeGetInfo, func(m *madcap.Message) { m.OptionRequestList = []madcap.OptionCode{madcap.OptNestingState} },
			func(m *madcap.Message) bool {
				return slices.Equal(m.OptionRequestList, []madcap.OptionCode{madcap.OptScopeList, madcap.OptNestingState})
			}},

		{"MADCAP-2.2.2-12", madcap.TypeDiscover, nil, isRandom},
		{"MADCAP-2.4-6", madcap.TypeRequest, nil, isRandom},
		{"MADCAP-2.4.1-2", madcap.TypeRequest, nil, isRandom},
		{"MADCAP-D-52", madcap.TypeRequest, nil, isRandom},
		{"MADCAP-2.2.2-9/nothing", madcap.TypeDiscover, func(m *madcap.Message) { m.LeaseTime.Present = false },
			func(m *madcap.Message) bool {
				return slices.Equal(m.Order, []madcap.OptionCode{madcap.OptLeaseIdentifier, madcap.OptMulticastScope})
			}},
		{"MADCAP-2.2.2-9/everything", madcap.TypeDiscover, everyWish, hasEveryWish},
		{"MADCAP-2.2.4-9", madcap.TypeRequest, everyWish, hasEveryWish},
		{"MADCAP-2.2.7-5", madcap.TypeRenew, func(m *madcap.Message) {
			m.LeaseTime, m.MinLeaseTime, m.StartTime, m.MaxStartTime = seconds(7200), seconds(3600), start, start
		}, func(m *madcap.Message) bool {
			return m.LeaseTime == seconds(7200) && m.MinLeaseTime == seconds(3600) && m.StartTime.Equal(start) && m.MaxStartTime.Equal(start)
		}},
		{"MADCAP-2.2.4-1", madcap.TypeRequest, nil, func(m *madcap.Message) bool { return m.Type == madcap.TypeRequest && m.ServerIdentifier.IsZero() }},

		{"MADCAP-2.2.2-11/start", madcap.TypeDiscover, func(m *madcap.Message) { m.StartTime = start }, hasNow},
		{"MADCAP-2.2.2-11/maximum start", madcap.TypeDiscover, func(m *madcap.Message) { m.MaxStartTime = start }, hasNow},
		{"MADCAP-2.2.4-11", madcap.TypeRequest, func(m *madcap.Message) { m.StartTime = start }, hasNow},
		{"MADCAP-3.16-2", madcap.TypeRequest, func(m *madcap.Message) { m.MaxStartTime = start }, hasNow},
		{"MADCAP-2.2.7-6", madcap.TypeRenew, func(m *madcap.Message) { m.MaxStartTime = start }, hasNow},
		{"MADCAP-2.12-2", madcap.TypeRequest, func(m *madcap.Message) { m.CurrentTime = unix(1) }, hasNow},
		{"no clock without need", madcap.TypeRequest, nil, func(m *madcap.Message) bool { return m.CurrentTime.IsZero() }},

		{"MADCAP-3.8-3", madcap.TypeDiscover, func(m *madcap.Message) { m.Addresses = madcap.NumberOfAddresses{Min: 1, Desired: 1} },
			func(m *madcap.Message) bool { return m.Addresses.IsZero() }},
		{"MADCAP-3.8-3/none at least", madcap.TypeDiscover, func(m *madcap.Message) { m.Addresses = madcap.NumberOfAddresses{Min: 0, Desired: 1} },
			func(m *madcap.Message) bool { return m.Addresses.IsZero() }},
		{"MADCAP-3.8-5", madcap.TypeDiscover, func(m *madcap.Message) { m.Addresses = madcap.NumberOfAddresses{Min: 1, Desired: 3} },
			func(m *madcap.Message) bool { return m.Addresses == madcap.NumberOfAddresses{Min: 1, Desired: 3} }},
		{"MADCAP-D-18", madcap.TypeDiscover, func(m *madcap.Message) { m.Ranges = blocks("239.192.0.1", "239.192.0.3") },
			func(m *madcap.Message) bool { return m.Addresses == madcap.NumberOfAddresses{Min: 1, Desired: 1} }},
		{"MADCAP-D-18/one listed", madcap.TypeDiscover, func(m *madcap.Message) { m.Ranges = blocks("239.192.0.1", "239.192.0.1") },
			func(m *madcap.Message) bool { return m.Addresses.IsZero() && m.Ranges.Present }},
		{"MADCAP-D-17/empty", madcap.TypeDiscover, func(m *madcap.Message) { m.Ranges = blocks() },
			func(m *madcap.Message) bool { return !m.Ranges.Present }},

		{"MADCAP-D-25", madcap.TypeRequest, func(m *madcap.Message) {
			m.Features = madcap.Some(madcap.FeatureList{Supported: []madcap.Feature{madcap.RetryAfter},
				Requested: []madcap.Feature{madcap.SharedLeaseIdentifier}, Required: []madcap.Feature{madcap.ServerMobility, madcap.SharedLeaseIdentifier}})
		}, func(m *madcap.Message) bool {
			return slices.Equal(m.Features.Value.Supported, []madcap.Feature{madcap.RetryAfter, madcap.SharedLeaseIdentifier, madcap.ServerMobility})
		}},
		{"MADCAP-2.13.3-1", madcap.TypeRequest, func(m *madcap.Message) {
			m.Features = madcap.Some(madcap.FeatureList{Required: []madcap.Feature{madcap.SharedLeaseIdentifier}})
		}, func(m *madcap.Message) bool { return m.Names(madcap.SharedLeaseIdentifier) && isRandom(m) }},
		{"MADCAP-2.1.5-10", madcap.TypeRequest, func(m *madcap.Message) { m.Unknown = []madcap.RawOption{raw(4321, "x")} },
			func(m *madcap.Message) bool { return len(m.Unknown) == 1 }},
	} {
		t.Run(v.name, func(t *testing.T) {
			r := newClientRig(t, nil)
			r.now = r.now.Add(999 * time.Millisecond)
			m, to := infoAsk(), serverAt
			switch v.verb {
			case madcap.TypeDiscover:
				m, to = ask(), groupAt
			case madcap.TypeRequest:
				m = ask()
			case madcap.TypeRenew:
				m = knownLease()
			}
			if v.set != nil {
				v.set(m)
			}
			r.must(r.verb(v.verb, to, m))
			if got := r.message(0); !v.want(got) {
				t.Errorf("sent %+v", got)
			}
		})
	}
}

// everyWish fills in all that a DISCOVER or REQUEST may wish.
func everyWish(m *madcap.Message) {
	m.LeaseTime, m.MinLeaseTime = seconds(7200), seconds(3600)
	m.StartTime, m.MaxStartTime = unix(1700003600), unix(1700007200)
	m.Addresses = madcap.NumberOfAddresses{Min: 2, Desired: 4}
	m.Ranges = blocks("239.192.10.0", "239.192.10.3")
}

func hasEveryWish(m *madcap.Message) bool {
	want := madcap.Message{}
	everyWish(&want)
	return m.LeaseTime == want.LeaseTime && m.MinLeaseTime == want.MinLeaseTime && m.StartTime.Equal(want.StartTime) &&
		m.MaxStartTime.Equal(want.MaxStartTime) && m.Addresses == want.Addresses && slices.Equal(m.Ranges.Value, want.Ranges.Value)
}

// hasNow: the client's clock in whole seconds.
func hasNow(m *madcap.Message) bool { return m.CurrentTime.Equal(clientStart) }

// TestClientIdentifierInUse: two allocations at once cannot bear one name, one
// after the other can.
func TestClientIdentifierInUse(t *testing.T) {
	t.Run("MADCAP-2.4-1", func(t *testing.T) {
		r := newClientRig(t, nil)
		m := ask()
		m.LeaseIdentifier = knownLease().LeaseIdentifier
		r.must(r.c.Allocate(r.now, groupAt, m))
		if _, err := r.c.Request(r.now, serverAt, m); !errors.Is(err, madcap.ErrValue) {
			t.Errorf("error %v, want ErrValue", err)
		}
		r.receive(serverAt, r.answer(madcap.TypeOffer, nil))
		r.at(4 * time.Second) // now it is a REQUEST
		if _, err := r.c.Request(r.now, serverAt, m); !errors.Is(err, madcap.ErrValue) {
			t.Errorf("error %v, want ErrValue", err)
		}
		r.receive(serverAt, r.answer(madcap.TypeNak, nil))
		r.wantDone()
		r.must(r.c.Request(r.now, secondAt, m))
	})
}

// TestClientKeepsNothing: the caller may reuse what it passed in.
func TestClientKeepsNothing(t *testing.T) {
	r := newClientRig(t, func(c *madcap.ClientConfig) { c.First = true })
	m := ask()
	everyWish(m)
	m.LeaseIdentifier = bytes.Clone(knownLease().LeaseIdentifier)
	m.Features = supports(madcap.RetryAfter)
	m.Unknown = []madcap.RawOption{{Code: 4321, Value: []byte("x")}}
	r.must(r.c.Allocate(r.now, groupAt, m))
	before := r.message(0)
	clear(m.LeaseIdentifier)
	clear(m.Ranges.Value)
	clear(m.Features.Value.Supported)
	clear(m.Unknown[0].Value)
	r.receive(serverAt, r.answer(madcap.TypeOffer, func(m *madcap.Message) { m.LeaseTime = seconds(7200) }))
	after := r.message(1)
	if !bytes.Equal(after.LeaseIdentifier, before.LeaseIdentifier) || !slices.Equal(after.Ranges.Value, before.Ranges.Value) ||
		!slices.Equal(after.Features.Value.Supported, before.Features.Value.Supported) || !bytes.Equal(after.Unknown[0].Value, before.Unknown[0].Value) {
		t.Errorf("REQUEST %+v after DISCOVER %+v", after, before)
	}
}
