// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// srvDefect makes a message wrong in one way. Text ways change the octets.
type srvDefect struct {
	step   string
	reply  string // what the server does about it
	change func(*madcap.Message)
	octets func([]byte) []byte
	local  func(*madcap.Datagram)
	before func(*srvRig)
}

// srvInsert puts an option before all others.
func srvInsert(code madcap.OptionCode, value ...byte) func([]byte) []byte {
	return func(b []byte) []byte {
		o := binary.BigEndian.AppendUint16(nil, uint16(code))
		o = binary.BigEndian.AppendUint16(o, uint16(len(value)))
		return slices.Insert(b, 8, append(o, value...)...)
	}
}

func srvType(typ byte) func([]byte) []byte {
	return func(b []byte) []byte { b[1] = typ; return b }
}

// react gives a datagram and says what the server did.
func (r *srvRig) react(d madcap.Datagram) string {
	r.t.Helper()
	before := r.s.Stats()
	r.give(d)
	after := r.s.Stats()
	if len(r.sends) > 1 {
		r.t.Fatalf("%d answers", len(r.sends))
	}
	if len(r.sends) == 1 {
		m := new(madcap.Message)
		if err := m.UnmarshalBinary(r.sends[0].Packet); err != nil {
			r.t.Fatal(err)
		}
		r.sends = r.sends[:0]
		if after.Resent > before.Resent {
			return "resent"
		}
		if m.Type != madcap.TypeNak {
			return m.Type.String()
		}
		return "NAK " + m.Error.Value.String()
	}
	for i := range after.Ignored {
		if after.Ignored[i] != before.Ignored[i] {
			return "ignored: " + madcap.Ignored(i).String()
		}
	}
	return "nothing"
}

// The order of the receive pipeline is part of the contract: a message with the
// defects of two steps gets the reaction of the earlier one. The table holds,
// for each step of the server's column, a defect of a multicast or unicast
// REQUEST (or of the message its step is about).
func TestServerPipelineOrder(t *testing.T) {
	nak := func(code madcap.ErrorCode, at madcap.OptionCode) string {
		e := madcap.InvalidRequest(at)
		e.Code = code
		return "NAK " + e.String()
	}
	invalid := func(at madcap.OptionCode) string { return nak(madcap.CodeInvalidRequest, at) }
	byGroup := func(d *madcap.Datagram) {
		if !d.To.IsMulticast() {
			d.To = srvGroup
		}
	}
	short := srvDefect{step: "1 length", reply: "ignored: malformed", octets: func(b []byte) []byte { return b[:11] }}
	version := srvDefect{step: "2 version", reply: "ignored: malformed", octets: func(b []byte) []byte { b[0] = 1; return b }}
	walk := srvDefect{step: "3 walk", reply: "ignored: malformed", octets: func(b []byte) []byte { return append(b, 0) }}
	isNak := srvDefect{step: "4 NAK", reply: "ignored: a NAK", octets: srvType(6)}
	secure := srvDefect{step: "4 secure", reply: "ignored: insecure", before: func(r *srvRig) { r.cfg.Secure = true; r.restart(madcap.ServerSnapshot{}) },
		local: byGroup}
	anonymous := srvDefect{step: "5 Lease Identifier", reply: "ignored: no lease identifier", change: func(m *madcap.Message) { m.LeaseIdentifier = nil }}
	isOffer := srvDefect{step: "6 type", reply: invalid(madcap.NoOption), octets: srvType(2)}
	unknown := srvDefect{step: "6 type", reply: invalid(madcap.NoOption), octets: srvType(9)}
	renewGroup := srvDefect{step: "7 multicast", reply: "ignored: multicast", local: byGroup}
	cached := srvDefect{step: "7a cache", reply: "resent", before: func(r *srvRig) {
		for _, typ := range []madcap.MessageType{madcap.TypeRequest, madcap.TypeRenew, madcap.TypeDiscover} {
			r.unicast(srvMsg(typ, 1, func(m *madcap.Message) { m.RequestedLanguage = madcap.Some([]byte("x")) }))
			r.nak(madcap.CodeInvalidRequest, madcap.OptRequestedLanguage)
		}
	}}
	layout := srvDefect{step: "8 layout", reply: invalid(madcap.OptLeaseTime), octets: srvInsert(madcap.OptLeaseTime, 1)}
	prohibited := srvDefect{step: "9 prohibited", reply: invalid(madcap.OptRequestedLanguage), octets: srvInsert(madcap.OptRequestedLanguage)}
	missing := srvDefect{step: "10 missing", reply: invalid(madcap.OptMulticastScope), change: func(m *madcap.Message) { m.Scope = netip.Addr{} }}
	companion := srvDefect{step: "11 companion", reply: invalid(madcap.OptCurrentTime), change: srvFrom(time.Hour)}
	foreign := srvDefect{step: "11a foreign server", reply: "ignored: for another server", change: srvNames(srvOther), local: byGroup}
	scoped := srvDefect{step: "11a scope", reply: "ignored: out of scope", change: srvNames(srvAddr),
		local: func(d *madcap.Datagram) { d.To = netip.MustParseAddr("238.255.255.254") }}
	feature := srvDefect{step: "12 features", reply: "NAK " + madcap.FeatureUnsupported(77).String(), change: srvFeatures(nil, nil, []madcap.Feature{77})}
	skew := srvDefect{step: "13 clock", reply: "NAK " + madcap.ClockSkew(srvStart).String(), change: srvClock(time.Hour)}
	lookup := srvDefect{step: "14 lookup", reply: "NAK " + madcap.ErrorOption{Code: madcap.CodeLeaseUnknown}.String()}
	misdirected := srvDefect{step: "15 context", reply: invalid(madcap.OptServerIdentifier), change: srvNames(srvOther)}
	inUse := srvDefect{step: "15 context", reply: invalid(madcap.OptLeaseIdentifier), before: func(r *srvRig) { r.state("LEASED") }}
	deferred := srvDefect{step: "15 context", reply: invalid(madcap.NoOption), before: func(r *srvRig) { r.state("DEFERRED") }}
	family := srvDefect{step: "16 family", reply: nak(madcap.CodeNotCompleted, madcap.NoOption),
		change: func(m *madcap.Message) { m.Family, m.Scope = madcap.FamilyIPv6, netip.MustParseAddr("ff15::") }}
	wrongScope := srvDefect{step: "16 policy", reply: nak(madcap.CodeNotCompleted, madcap.OptMulticastScope),
		change: func(m *madcap.Message) { m.Scope = netip.MustParseAddr("239.250.0.0") }}

	request, renew, discover := madcap.TypeRequest, madcap.TypeRenew, madcap.TypeDiscover
	pairs := []struct {
		typ          madcap.MessageType
		first, later srvDefect
	}{
		{request, short, version}, {request, version, walk}, {request, walk, isNak}, {request, walk, secure}, {request, isNak, anonymous},
		{request, secure, anonymous}, {discover, secure, anonymous}, {request, anonymous, isOffer}, {request, anonymous, unknown}, {request, isOffer, layout},
		{renew, isOffer, renewGroup}, {renew, unknown, renewGroup}, {renew, renewGroup, cached}, {request, cached, layout},
		{request, layout, prohibited}, {request, prohibited, missing}, {request, missing, companion},
		{request, companion, foreign}, {request, companion, scoped}, {request, foreign, scoped}, {request, foreign, feature}, {request, scoped, feature}, {request, feature, skew},
		{renew, skew, lookup}, {request, skew, misdirected}, {renew, deferred, lookup}, {request, skew, inUse}, {request, misdirected, family}, {request, deferred, family},
		{request, deferred, wrongScope}, {request, family, wrongScope},
	}
	for _, p := range pairs {
		t.Run(p.typ.String()+" "+p.first.step+" before "+p.later.step, func(t *testing.T) {
			// Each defect alone first, so that the pair is about the order.
			for _, alone := range []srvDefect{p.first, p.later} {
				if got := srvReaction(t, p.typ, alone); got != alone.reply {
					t.Errorf("%s alone: %s, want %s", alone.step, got, alone.reply)
				}
			}
			if got := srvReaction(t, p.typ, p.first, p.later); got != p.first.reply {
				t.Errorf("%s, want %s", got, p.first.reply)
			}
		})
	}
}

// srvReaction sends a message with defects to a fresh server. Where they differ
// about the same field the first decides.
func srvReaction(t *testing.T, typ madcap.MessageType, defects ...srvDefect) string {
	t.Helper()
	r := newSrvRig(t, nil)
	m := srvMsg(typ, 1)
	d := madcap.Datagram{From: srvClient, To: srvAddr, Local: srvAddr}
	for _, x := range slices.Backward(defects) {
		if x.before != nil {
			x.before(r)
		}
		if x.change != nil {
			x.change(m)
		}
		if x.local != nil {
			x.local(&d)
		}
	}
	d.Payload = r.octets(m)
	for _, x := range slices.Backward(defects) {
		if x.octets != nil {
			d.Payload = x.octets(d.Payload)
		}
	}
	return r.react(d)
}

// Of several defects of one step, the first in its order counts.
func TestServerPipelineWithinStep(t *testing.T) {
	runSrvCases(t, []srvCase{
		{id: "MADCAP-D-4/bad value or duplicate first in wire order", run: func(t *testing.T, r *srvRig) {
			b := r.octets(srvRequest(1))
			b = srvInsert(madcap.OptMinLeaseTime, 1)(b)
			r.raw(srvInsert(madcap.OptMaxStartTime, 1)(b)) // stands before it now
			r.nak(madcap.CodeInvalidRequest, madcap.OptMaxStartTime)
		}},
		{id: "MADCAP-D-4/prohibited by ascending code", run: func(t *testing.T, r *srvRig) {
			b := r.octets(srvRequest(1))
			b = srvInsert(madcap.OptOptionRequestList, 0, 9)(b)
			r.raw(srvInsert(madcap.OptScopeList)(b))
			r.nak(madcap.CodeInvalidRequest, madcap.OptOptionRequestList)
		}},
		{id: "MADCAP-D-4/missing by ascending code", run: func(t *testing.T, r *srvRig) {
			r.multicast(srvRequest(1, func(m *madcap.Message) { m.Scope = netip.Addr{} }))
			r.nak(madcap.CodeInvalidRequest, madcap.OptServerIdentifier)
		}},
		{id: "MADCAP-2.1.5-7", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, func(m *madcap.Message) { m.Scope = netip.Addr{} }))
			r.nak(madcap.CodeInvalidRequest, madcap.OptMulticastScope)
			r.asked()
		}},
		{id: "MADCAP-D-6", run: func(t *testing.T, r *srvRig) {
			r.raw(srvInsert(madcap.OptLeaseIdentifier, 0, 1, 2)(r.octets(srvRequest(1))))
			m := r.nak(madcap.CodeInvalidRequest, madcap.OptLeaseIdentifier)
			srvEqual(t, "identifier echoed", string(m.LeaseIdentifier), "\x00\x01\x02")
		}},
		{id: "MADCAP-D-1/empty", run: func(t *testing.T, r *srvRig) {
			b := r.octets(srvRequest(1, func(m *madcap.Message) { m.LeaseIdentifier = nil }))
			r.raw(srvInsert(madcap.OptLeaseIdentifier)(b))
			r.silent(madcap.IgnoredAnonymous)
		}},
		{id: "MADCAP-2.5-2", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvRequest(1, func(m *madcap.Message) { m.LeaseIdentifier = nil }))
			r.silent(madcap.IgnoredAnonymous)
			r.asked()
		}},
		{id: "MADCAP-D-5", run: func(t *testing.T, r *srvRig) {
			b := srvInsert(4321, 1)(r.octets(srvRequest(1)))
			r.raw(srvInsert(4321, 2)(b))
			r.ack(madcap.TypeRequest)
		}},
		{id: "MADCAP-2.1.5-6", run: func(t *testing.T, r *srvRig) {
			r.raw(srvInsert(999, 1, 2, 3)(r.octets(srvRequest(1))))
			srvEqual(t, "unknown options in the answer", len(r.ack(madcap.TypeRequest).Unknown), 0)
		}},
		{id: "MADCAP-D-42", run: func(t *testing.T, r *srvRig) {
			r.raw(srvInsert(madcap.OptNestingState, 9, 9)(r.octets(srvRequest(1))))
			r.ack(madcap.TypeRequest)
		}},
		{id: "MADCAP-2.1.5-9", run: func(t *testing.T, r *srvRig) {
			m := srvRequest(1, srvFor(time.Hour), srvNumber(1, 2), srvClock(0))
			m.Order = []madcap.OptionCode{madcap.OptNumberOfAddresses, madcap.OptCurrentTime, madcap.OptLeaseTime, madcap.OptMulticastScope, madcap.OptLeaseIdentifier}
			r.unicast(m)
			first := r.ack(madcap.TypeRequest)
			srvEqual(t, "addresses", len(first.Ranges.Value), 2)
			srvEqual(t, "lease time", first.LeaseTime.Value, time.Hour)
		}},
		{id: "MADCAP-2.6-1", run: func(t *testing.T, r *srvRig) {
			r.raw(srvType(200)(r.octets(srvRequest(1))))
			r.nak(madcap.CodeInvalidRequest, madcap.NoOption)
		}},
		{id: "MADCAP-2.6-3", run: func(t *testing.T, r *srvRig) {
			for _, change := range []func([]byte) []byte{srvType(6), func(b []byte) []byte { b[0] = 9; return b }, func(b []byte) []byte { return b[:len(b)-1] }} {
				r.raw(change(r.octets(srvRequest(1))))
				srvEqual(t, "answers", len(r.sends), 0)
			}
			r.asked()
		}},
		{id: "MADCAP-1.5-2/silent to servers", change: func(c *madcap.ServerConfig) { c.SilentToServers = true }, run: func(t *testing.T, r *srvRig) {
			r.raw(srvType(5)(r.octets(srvRequest(1))))
			r.silent(madcap.IgnoredServer)
			r.raw(srvType(9)(r.octets(srvRequest(1)))) // an unknown type is no server's
			r.nak(madcap.CodeInvalidRequest, madcap.NoOption)
		}},
		{id: "MADCAP-D-7", run: func(t *testing.T, r *srvRig) {
			for _, typ := range []byte{2, 5} {
				r.raw(srvType(typ)(r.octets(srvRequest(1))))
				r.nak(madcap.CodeInvalidRequest, madcap.NoOption)
			}
		}},
		{id: "MADCAP-1.5-3", run: func(t *testing.T, r *srvRig) {
			for _, from := range []string{"239.1.2.3:2535", "255.255.255.255:2535", "0.0.0.0:2535", "192.0.2.1:0", "[ff02::1]:2535", "[::ffff:224.0.0.1]:9"} {
				r.give(madcap.Datagram{From: netip.MustParseAddrPort(from), To: srvAddr, Payload: r.octets(srvRequest(1))})
			}
			r.give(madcap.Datagram{To: srvAddr, Payload: r.octets(srvRequest(1))})
			r.silent(madcap.IgnoredSource)
			srvEqual(t, "ignored", r.s.Stats().Ignored[madcap.IgnoredSource], 7)
			r.asked()
		}},
	})
}
