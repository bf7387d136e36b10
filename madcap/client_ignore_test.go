// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// ignored is an answer that a client must ignore: the good one of the exchange,
// spoilt.
type ignored struct {
	name    string
	verb    madcap.MessageType // 0: REQUEST
	spoil   func(*madcap.Message)
	octets  func(good []byte) []byte // where no Message can be so bad
	counter func(*madcap.ClientStats) *uint64
}

func malformed(s *madcap.ClientStats) *uint64   { return &s.Malformed }
func misdirected(s *madcap.ClientStats) *uint64 { return &s.Misdirected }
func foreign(s *madcap.ClientStats) *uint64     { return &s.Foreign }
func invalid(s *madcap.ClientStats) *uint64     { return &s.Invalid }
func strange(s *madcap.ClientStats) *uint64     { return &s.Strange }
func unfit(s *madcap.ClientStats) *uint64       { return &s.Unfit }

// option returns the octets of an option.
func option(code madcap.OptionCode, value string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(code))
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}

// with inserts an option before End.
func with(code madcap.OptionCode, value string) func([]byte) []byte {
	return func(b []byte) []byte {
		b = append(bytes.Clone(b[:len(b)-4]), option(code, value)...)
		return append(b, 0, 0, 0, 0)
	}
}

// withError makes a NAK of the answer, with this Error option.
func withError(value string) func([]byte) []byte {
	return func(b []byte) []byte {
		var m madcap.Message
		if m.Decode(b) != nil {
			panic("no message")
		}
		nak := madcap.Message{Type: madcap.TypeNak, Family: m.Family, XID: m.XID, LeaseIdentifier: m.LeaseIdentifier, ServerIdentifier: m.ServerIdentifier}
		b, _ = nak.AppendBinary(nil)
		return with(madcap.OptError, value)(b)
	}
}

// without removes an option.
func without(code madcap.OptionCode) func([]byte) []byte {
	return func(b []byte) []byte {
		out := bytes.Clone(b[:8])
		for c, v := range madcap.RawOptions(b) {
			if c != code {
				out = append(out, option(c, string(v))...)
			}
		}
		return append(out, 0, 0, 0, 0)
	}
}

// deferring makes the answer put the lease off.
func deferring(m *madcap.Message) {
	m.Ranges = madcap.Some(m.Ranges.Value[:0])
	m.RetryTime, m.CurrentTime = unix(1700001000), unix(1700000000)
	m.Features = madcap.Some(madcap.FeatureList{Supported: allFeatures, Required: []madcap.Feature{madcap.RetryAfter}})
}

func ignoredAnswers() []ignored {
	const (
		getinfo, discover, renew, release = madcap.TypeGetInfo, madcap.TypeDiscover, madcap.TypeRenew, madcap.TypeRelease
		request                           = madcap.TypeRequest
	)
	kind := func(t madcap.MessageType) func(*madcap.Message) { return func(m *madcap.Message) { m.Type = t } }
	return []ignored{
		// Framing and layout.
		{name: "MADCAP-2.1-2", octets: func(b []byte) []byte { return b[:11] }, counter: malformed},
		{name: "MADCAP-2.1.1-1", octets: func(b []byte) []byte { b[0] = 1; return b }, counter: malformed},
		{name: "MADCAP-2.1.5-2", octets: func(b []byte) []byte { return b[:len(b)-4] }, counter: malformed},
		{name: "MADCAP-2.1.5-3", octets: func(b []byte) []byte { return append(b, 0) }, counter: malformed},
		{name: "MADCAP-2.1.5-4", octets: with(madcap.OptLeaseTime, "\x00\x00\x0e\x10"), counter: malformed},
		{name: "MADCAP-2.1.5-8", octets: with(madcap.OptFeatureList, "\x00"), counter: malformed},
		{name: "MADCAP-2.6-4", octets: with(madcap.OptStartTime, "123"), counter: malformed},
		{name: "MADCAP-3.10-9", verb: getinfo, octets: with(madcap.OptScopeList, "\x01\xef\xff\x00\x00\xef\xff\xff\xff\xff\x01\x80\x00\x01x"), counter: malformed},
		{name: "MADCAP-3.10-10", verb: getinfo, octets: with(madcap.OptScopeList, "\x01\xef\xff\x00\x00\xef\xff\xff\xff\xff\x01\x80\x02en\x00"), counter: malformed},
		{name: "MADCAP-3.10-12", verb: getinfo, octets: with(madcap.OptScopeList, "\x02\xef\xff\x00\x00\xef\xff\xff\xff\xff\x00\xef\xff\x00\x00\xef\xff\xff\xfe\xff\x00"), counter: malformed},
		{name: "MADCAP-3.17-1", octets: withError("\x00"), counter: malformed},
		{name: "MADCAP-3.17.1-1", octets: withError("\x00\x00\xff"), counter: malformed},
		{name: "MADCAP-3.17.2-1", octets: withError("\x00\x01\xff\xff\xff"), counter: malformed},
		{name: "MADCAP-3.17.3-1", octets: withError("\x00\x02\x65\x53"), counter: malformed},
		{name: "MADCAP-3.17.4-1", octets: withError("\x00\x03\x00"), counter: malformed},
		{name: "MADCAP-3.17.5-1", octets: withError("\x00\x04"), counter: malformed},
		{name: "MADCAP-D-28", octets: withError("\x00\x04\x00\x01\x00"), counter: malformed},

		// Types, and who sends them.
		{name: "MADCAP-2.2-4/0", spoil: kind(0), counter: misdirected},
		{name: "MADCAP-2.2-4/9", spoil: kind(9), counter: misdirected},
		{name: "MADCAP-2.2-4/255", spoil: kind(255), counter: misdirected},
		{name: "MADCAP-1.5-2/DISCOVER", spoil: kind(discover), counter: misdirected},
		{name: "MADCAP-1.5-2/REQUEST", spoil: kind(request), counter: misdirected},
		{name: "MADCAP-D-7/RENEW", spoil: kind(renew), counter: misdirected},
		{name: "MADCAP-1.5-2/RELEASE", spoil: kind(release), counter: misdirected},
		{name: "MADCAP-1.5-2/GETINFO", spoil: kind(getinfo), counter: misdirected},
		{name: "MADCAP-2.2-5/REQUEST", spoil: kind(madcap.TypeOffer), counter: misdirected},
		{name: "MADCAP-2.5-6/RENEW offered", verb: renew, spoil: kind(madcap.TypeOffer), counter: misdirected},
		{name: "MADCAP-2.5-6/RELEASE offered", verb: release, spoil: kind(madcap.TypeOffer), counter: misdirected},
		{name: "MADCAP-2.5-6/GETINFO offered", verb: getinfo, spoil: kind(madcap.TypeOffer), counter: misdirected},
		{name: "MADCAP-2.5-6/DISCOVER granted", verb: discover, spoil: func(m *madcap.Message) {
			m.Type, m.Ranges = madcap.TypeAck, blocks("239.192.0.1", "239.192.0.1")
		}, counter: misdirected},

		// Which transaction.
		{name: "MADCAP-2.5-3/xid", spoil: func(m *madcap.Message) { m.XID++ }, counter: foreign},
		{name: "MADCAP-2.1.4-4", spoil: func(m *madcap.Message) { m.XID-- }, counter: foreign},
		{name: "MADCAP-2.5-3/identifier", spoil: func(m *madcap.Message) { m.LeaseIdentifier = knownLease().LeaseIdentifier }, counter: foreign},
		{name: "MADCAP-2.5-2", octets: without(madcap.OptLeaseIdentifier), counter: foreign},
		{name: "MADCAP-2.2.6-2", octets: func(b []byte) []byte { return without(madcap.OptLeaseIdentifier)(withError("\x00\x03")(b)) }, counter: foreign},
		{name: "MADCAP-2.2.3-9", verb: discover, spoil: func(m *madcap.Message) { m.XID ^= 1 << 31 }, counter: foreign},
		{name: "MADCAP-2.2.5-6", spoil: func(m *madcap.Message) { m.LeaseIdentifier = m.LeaseIdentifier[:16] }, counter: foreign},
		{name: "MADCAP-D-9", verb: release, spoil: func(m *madcap.Message) { m.Family = madcap.FamilyIPv6 }, counter: foreign},

		// Table 5.
		{name: "MADCAP-3.3-3", octets: without(madcap.OptServerIdentifier), counter: invalid},
		{name: "MADCAP-2.2.6-3", octets: func(b []byte) []byte { return without(madcap.OptServerIdentifier)(withError("\x00\x03")(b)) }, counter: invalid},
		{name: "MADCAP-2.2.6-4", octets: func(b []byte) []byte { return without(madcap.OptError)(withError("\x00\x03")(b)) }, counter: invalid},
		{name: "MADCAP-3.17-2", verb: discover, octets: func(b []byte) []byte { return without(madcap.OptError)(withError("\x00\x03")(b)) }, counter: invalid},
		{name: "MADCAP-2.2.5-2/lease time", octets: without(madcap.OptLeaseTime), counter: invalid},
		{name: "MADCAP-2.2.5-2/scope", octets: without(madcap.OptMulticastScope), counter: invalid},
		{name: "MADCAP-2.2.5-2/ranges", octets: without(madcap.OptAddressRanges), counter: invalid},
		{name: "MADCAP-2.2.5-4/lease time", verb: renew, octets: without(madcap.OptLeaseTime), counter: invalid},
		{name: "MADCAP-2.2.5-4/scope", verb: renew, octets: without(madcap.OptMulticastScope), counter: invalid},
		{name: "MADCAP-2.2.5-4/ranges", verb: renew, octets: without(madcap.OptAddressRanges), counter: invalid},
		{name: "MADCAP-2.2.5-4/current time", verb: renew, spoil: func(m *madcap.Message) { m.StartTime = unix(1700001000) }, counter: invalid},
		{name: "MADCAP-2.2.5-5", verb: release, spoil: func(m *madcap.Message) { m.CurrentTime = unix(1700000000) }, counter: invalid},
		{name: "MADCAP-2.2.3-2", verb: discover, octets: without(madcap.OptLeaseTime), counter: invalid},
		{name: "MADCAP-2.7-5", verb: discover, octets: without(madcap.OptMulticastScope), counter: invalid},
		{name: "MADCAP-2.2.3-5", verb: discover, spoil: func(m *madcap.Message) { m.StartTime = unix(1700001000) }, counter: invalid},
		{name: "MADCAP-2.12-1", spoil: func(m *madcap.Message) { m.StartTime = unix(1700001000) }, counter: invalid},
		{name: "MADCAP-3.7-2", verb: renew, spoil: func(m *madcap.Message) { m.StartTime = unix(1700001000) }, counter: invalid},
		{name: "MADCAP-3.14-3", spoil: func(m *madcap.Message) { deferring(m); m.CurrentTime = time.Time{} }, counter: invalid},
		{name: "MADCAP-3.10-1", octets: with(madcap.OptScopeList, "\x00"), counter: invalid},
		{name: "MADCAP-T5-1", verb: getinfo, octets: with(madcap.OptLeaseTime, "\x00\x00\x0e\x10"), counter: invalid},
		{name: "MADCAP-T5-2", verb: getinfo, octets: without(madcap.OptServerIdentifier), counter: invalid},

		// Across options.
		{name: "MADCAP-3.13-4", spoil: func(m *madcap.Message) {
			m.Features = madcap.Some(madcap.FeatureList{Requested: []madcap.Feature{madcap.ServerMobility}})
		}, counter: invalid},
		{name: "MADCAP-D-20/ACK", spoil: func(m *madcap.Message) { m.LeaseTime = seconds(0) }, counter: invalid},
		{name: "MADCAP-D-20/OFFER", verb: discover, spoil: func(m *madcap.Message) { m.LeaseTime = seconds(0) }, counter: invalid},
		{name: "MADCAP-D-24/addresses", spoil: func(m *madcap.Message) { deferring(m); m.Ranges = blocks("239.192.0.1", "239.192.0.1") }, counter: invalid},
		{name: "MADCAP-D-24/feature", spoil: func(m *madcap.Message) { deferring(m); m.Features.Value.Required = nil }, counter: invalid},
		{name: "MADCAP-2.13.2-2", spoil: func(m *madcap.Message) { deferring(m); m.Features = madcap.Opt[madcap.FeatureList]{} }, counter: invalid},
		{name: "MADCAP-D-24/retry time", spoil: func(m *madcap.Message) { deferring(m); m.RetryTime = time.Time{} }, counter: invalid},
		{name: "MADCAP-D-24/OFFER", verb: discover, spoil: func(m *madcap.Message) { m.Ranges = blocks() }, counter: invalid},

		// Against the request, which asks for 2 to 4 addresses of a list, for at
		// least 1000 s, starting at 1700001000 at the latest.
		{name: "MADCAP-D-45/scope", spoil: func(m *madcap.Message) { m.Scope = ip("239.191.0.0") }, counter: unfit},
		{name: "MADCAP-D-45/lease time", spoil: func(m *madcap.Message) { m.LeaseTime = seconds(999) }, counter: unfit},
		{name: "MADCAP-D-45/renewed too short", verb: renew, spoil: func(m *madcap.Message) { m.LeaseTime = seconds(999) }, counter: unfit},
		{name: "MADCAP-D-45/start", spoil: func(m *madcap.Message) { m.StartTime, m.CurrentTime = unix(1700001001), unix(1700000000) }, counter: unfit},
		{name: "MADCAP-D-45/renewed too late", verb: renew, spoil: func(m *madcap.Message) { m.StartTime, m.CurrentTime = unix(1700001001), unix(1700000000) }, counter: unfit},
		{name: "MADCAP-3.8-4/few", spoil: func(m *madcap.Message) { m.Ranges = blocks("239.192.0.1", "239.192.0.1") }, counter: unfit},
		{name: "MADCAP-3.8-4/many", spoil: func(m *madcap.Message) { m.Ranges = blocks("239.192.0.1", "239.192.0.5") }, counter: unfit},
		{name: "MADCAP-D-17/few", spoil: func(m *madcap.Message) {
			m.Ranges = blocks("239.192.0.1", "239.192.0.1", "239.192.0.1", "239.192.0.1")
		}, counter: unfit},
		{name: "MADCAP-3.11-3", spoil: func(m *madcap.Message) { m.Ranges = blocks("239.192.0.9", "239.192.0.11") }, counter: unfit},
		{name: "MADCAP-D-45/deferred", spoil: deferring, counter: unfit},
		{name: "MADCAP-D-45/renewal deferred", verb: renew, spoil: deferring, counter: unfit},
		{name: "MADCAP-D-45/offered scope", verb: discover, spoil: func(m *madcap.Message) { m.Scope = ip("239.191.0.0") }, counter: unfit},
		{name: "MADCAP-D-45/offered lease time", verb: discover, spoil: func(m *madcap.Message) { m.LeaseTime = seconds(999) }, counter: unfit},
		{name: "MADCAP-D-45/offered addresses", verb: discover, spoil: func(m *madcap.Message) { m.Ranges = blocks("239.192.0.1", "239.192.0.1") }, counter: unfit},
		{name: "MADCAP-D-45/server", spoil: func(m *madcap.Message) { m.ServerIdentifier = server("198.51.100.2") }, counter: strange},
		{name: "MADCAP-D-60", spoil: func(m *madcap.Message) {
			*m = madcap.Message{Type: madcap.TypeNak, Family: m.Family, XID: m.XID, LeaseIdentifier: m.LeaseIdentifier,
				ServerIdentifier: server("198.51.100.2"), Error: madcap.Some(madcap.NotCompleted(madcap.NoOption))}
		}, counter: strange},
	}
}

// begin starts the exchange of an ignored answer and returns the good answer.
func (v *ignored) begin(r *clientRig) *madcap.Message {
	wanted := ask()
	wanted.ServerIdentifier = server("198.51.100.1")
	wanted.MinLeaseTime = seconds(1000)
	wanted.MaxStartTime = unix(1700001000)
	wanted.Addresses = madcap.NumberOfAddresses{Min: 2, Desired: 4}
	wanted.Ranges = blocks("239.192.0.0", "239.192.0.9")
	granted := func(m *madcap.Message) { m.Ranges = blocks("239.192.0.1", "239.192.0.2") }
	switch v.verb {
	case madcap.TypeGetInfo:
		r.must(r.c.GetInfo(r.now, serverAt, infoAsk()))
		return r.answer(madcap.TypeAck, func(m *madcap.Message) { m.ScopeList = madcap.Opt[[]madcap.Zone]{} })
	case madcap.TypeDiscover:
		wanted.ServerIdentifier = madcap.ServerIdentifier{}
		r.must(r.c.Allocate(r.now, groupAt, wanted))
		return r.answer(madcap.TypeOffer, nil)
	case madcap.TypeRenew:
		m := knownLease()
		m.LeaseTime, m.MinLeaseTime, m.MaxStartTime = seconds(3600), seconds(1000), unix(1700001000)
		r.must(r.c.Renew(r.now, serverAt, m))
		return r.answer(madcap.TypeAck, granted)
	case madcap.TypeRelease:
		r.must(r.c.Release(r.now, serverAt, knownLease()))
		return r.answer(madcap.TypeAck, nil)
	}
	r.must(r.c.Request(r.now, serverAt, wanted))
	return r.answer(madcap.TypeAck, granted)
}

// TestClientIgnores: what is no fitting answer changes nothing but its counter,
// and the good answer is taken afterwards.
func TestClientIgnores(t *testing.T) {
	for _, v := range ignoredAnswers() {
		t.Run(v.name, func(t *testing.T) {
			r := newClientRig(t, func(c *madcap.ClientConfig) { c.First = true })
			good := v.begin(r)
			octets, err := good.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			bad := bytes.Clone(octets)
			if v.spoil != nil {
				m := new(madcap.Message)
				if err := m.UnmarshalBinary(octets); err != nil {
					t.Fatal(err)
				}
				v.spoil(m)
				if bad, err = m.AppendBinary(nil); err != nil {
					t.Fatal(err)
				}
			}
			if v.octets != nil {
				bad = v.octets(bad)
			}
			r.at(time.Second)
			sent, before := len(r.sent), r.c.Stats()
			due, _ := r.c.Deadline()
			r.receiveOctets(serverAt, bad)
			r.wantOpen()
			after := r.c.Stats()
			before.Received++
			*v.counter(&before)++
			if after != before {
				t.Errorf("counters\n%+v, want\n%+v", after, before)
			}
			if now, _ := r.c.Deadline(); !now.Equal(due) || len(r.sent) != sent {
				t.Errorf("timer moved from %v to %v, or something was sent:\n%s", due, now, r.transcript())
			}
			r.receiveOctets(serverAt, octets)
			if v.verb == madcap.TypeDiscover {
				if r.message(-1).Type != madcap.TypeRequest {
					t.Errorf("the good answer was not taken:\n%s", r.transcript())
				}
			} else if d := r.wantDone(); d.Err != nil {
				t.Errorf("the good answer ended with %v", d.Err)
			}
		})
	}
}

// TestClientOutsideScope: a Scope ID is the lowest address of its scope.
func TestClientOutsideScope(t *testing.T) {
	t.Run("MADCAP-3.5-2", func(t *testing.T) {
		r := newClientRig(t, nil)
		r.must(r.c.Request(r.now, serverAt, ask()))
		r.receive(serverAt, r.answer(madcap.TypeAck, func(m *madcap.Message) { m.Ranges = blocks("239.191.255.255", "239.191.255.255") }))
		r.wantOpen()
		if r.c.Stats().Unfit != 1 {
			t.Errorf("counters %+v", r.c.Stats())
		}
	})
}

// TestClientAccepts: what looks odd and is right all the same.
func TestClientAccepts(t *testing.T) {
	for _, v := range []ignored{
		{name: "MADCAP-D-26/ACK to RELEASE", verb: madcap.TypeRelease, spoil: func(m *madcap.Message) { m.Features = supports(madcap.RetryAfter) }},
		{name: "MADCAP-D-24/final ACK", spoil: func(m *madcap.Message) {
			m.Features = madcap.Some(madcap.FeatureList{Supported: allFeatures, Required: allFeatures})
		}},
		{name: "MADCAP-2.1.5-6", octets: with(4321, "\xbe\xef")},
		{name: "MADCAP-D-5", octets: func(b []byte) []byte { return with(4321, "")(with(4321, "x")(b)) }},
		{name: "MADCAP-D-17/overlap", spoil: func(m *madcap.Message) {
			m.Ranges = blocks("239.192.0.1", "239.192.0.3", "239.192.0.2", "239.192.0.4")
		}},
		{name: "MADCAP-D-42", verb: madcap.TypeGetInfo, octets: with(madcap.OptNestingState, "\x07")},
		{name: "MADCAP-3.10-11", verb: madcap.TypeGetInfo, octets: with(madcap.OptScopeList, "\x01\xef\xff\x00\x00\xef\xff\xff\xff\xff\x01\xff\x02en\x01x")},
		{name: "MADCAP-3.3-2", verb: madcap.TypeRenew, spoil: func(m *madcap.Message) { m.ServerIdentifier = server("2001:db8::1") }},
		{name: "MADCAP-D-10", verb: madcap.TypeRenew, spoil: func(m *madcap.Message) {
			m.ServerIdentifier = madcap.ServerIdentifier{Family: 16389, Opaque: []byte("server")}
		}},
		{name: "longer than asked", spoil: func(m *madcap.Message) { m.LeaseTime = seconds(1 << 31) }},
		{name: "MADCAP-2.2.3-3", verb: madcap.TypeDiscover, spoil: func(m *madcap.Message) { m.Ranges.Present = false }},
	} {
		t.Run(v.name, func(t *testing.T) {
			r := newClientRig(t, func(c *madcap.ClientConfig) { c.First = true })
			good := v.begin(r)
			if v.spoil != nil {
				v.spoil(good)
			}
			b, err := good.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			if v.octets != nil {
				b = v.octets(b)
			}
			r.receiveOctets(serverAt, b)
			if v.verb != madcap.TypeDiscover {
				if d := r.wantDone(); d.Err != nil {
					t.Error(d.Err)
				}
			} else if r.message(-1).Type != madcap.TypeRequest {
				t.Error(r.transcript())
			}
		})
	}
}

// TestClientNestingMismatch: an option 17 that does not fit its scope list is
// dropped, the list stays.
func TestClientNestingMismatch(t *testing.T) {
	t.Run("MADCAP-N5-3", func(t *testing.T) {
		r := newClientRig(t, nil)
		r.must(r.c.GetInfo(r.now, serverAt, infoAsk()))
		b, _ := r.answer(madcap.TypeAck, nil).AppendBinary(nil)
		r.receiveOctets(serverAt, with(madcap.OptNestingState, "\x02\x80\x00")(b))
		if m := r.wantDone().Answers[0].Message; m.Nesting.Present || len(m.ScopeList.Value) != 1 {
			t.Errorf("got %+v", m)
		}
	})
}

// TestClientCheckSource: answers to unicast from elsewhere, if that is wanted.
func TestClientCheckSource(t *testing.T) {
	r := newClientRig(t, func(c *madcap.ClientConfig) { c.CheckSource = true })
	r.must(r.c.Request(r.now, serverAt, ask()))
	good := r.answer(madcap.TypeAck, nil)
	r.receive(secondAt, good)
	r.wantOpen()
	if r.c.Stats().Strange != 1 {
		t.Errorf("counters %+v", r.c.Stats())
	}
	r.receive(serverAt, good)
	r.wantDone()
	r.must(r.c.GetInfo(r.now, groupAt, infoAsk())) // by multicast anybody may answer
	r.receive(secondAt, r.answer(madcap.TypeAck, nil))
	r.at(time.Minute)
	if d := r.wantDone(); d.Err != nil {
		t.Error(d.Err)
	}
	r = newClientRig(t, nil)
	r.must(r.c.Request(r.now, serverAt, ask()))
	r.receive(secondAt, r.answer(madcap.TypeAck, nil))
	r.wantDone()
}
