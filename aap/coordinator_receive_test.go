// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"errors"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// asrp returns a report on the ranges of E7 in the other order.
func (r *rig) asrp() *aap.Message {
	return &aap.Message{
		Type: aap.ASRP, Family: aap.IPv4, CurrentTime: r.now.Truncate(time.Second),
		Reports:  []aap.Report{{Range: spaceE7[1].Range, InUse: 500}, {Range: spaceE7[0].Range, InUse: 17}},
		Requests: []aap.Request{{Count: 64, End: at(86400)}, {Count: 1, End: r.now.Truncate(time.Second)}},
	}
}

// TestReport: which reports the coordinator heeds, and what it makes of them.
func TestReport(t *testing.T) {
	r := newRig(t, 1, nil)
	r.announce(spaceE7...)
	if list := r.hear(serverAddr, r.asrp()); len(list) != 0 {
		t.Errorf("AAP-4.2.2-4: it does not lead, but tells %v", list)
	}
	r.lead()
	want := []aap.Effect{aap.Usage{ // AAP-4.2.2-1, AAP-D-9 (128 at most), ended requests left out
		From:     serverAddr,
		Reports:  []aap.Report{{Range: spaceE7[1].Range, InUse: 128}, {Range: spaceE7[0].Range, InUse: 17}},
		Requests: []aap.Request{{Count: 64, End: at(86400)}},
	}}
	if d := cmp.Diff(want, r.hear(serverAddr, r.asrp()), sameEffect); d != "" {
		t.Error(d)
	}
	for name, change := range map[string]func(*aap.Message){
		"a range missing":  func(m *aap.Message) { m.Reports = m.Reports[:1] },
		"a range too many": func(m *aap.Message) { m.Reports = append(m.Reports, m.Reports[0]) },
		"another range":    func(m *aap.Message) { m.Reports[0].Range = scope.MustRange("234.192.0.0", "234.192.0.126") },
		"one range twice":  func(m *aap.Message) { m.Reports[1] = m.Reports[0] },
	} {
		m := r.asrp()
		change(m)
		before := r.Stats().Mismatched
		if list := r.hear(serverAddr, m); len(list) != 0 || r.Stats().Mismatched != before+1 {
			t.Errorf("AAP-4.2.2-5, AAP-4.2.2-6 %s: %v", name, list)
		}
	}
	r.announce(append(spaceE7[:2:2], tr("232.0.0.0", "232.0.0.0", 86400))...)
	if list := r.hear(serverAddr, r.asrp()); len(list) != 1 {
		t.Errorf("AAP-4.2.2-5: the ranges announced last count, not those to be announced next: %v", list)
	}
	r.hear(otherAddr, r.asa(spaceE7[0]))
	if list := r.hear(serverAddr, r.asrp()); len(list) != 0 {
		t.Errorf("AAP-4.2.2-4: it is quiet, but tells %v", list)
	}
	r = newRig(t, 1, func(c *aap.CoordinatorConfig) { c.IgnoreReports = true })
	r.announce(spaceE7...)
	r.lead()
	if list := r.hear(serverAddr, r.asrp()); len(list) != 0 {
		t.Errorf("AAP-4.2.2-1: configured otherwise, but %v", list)
	}
}

// TestShortage: AAP-D-49, an ANA is a hint in any state, while it is in force.
func TestShortage(t *testing.T) {
	r := newRig(t, 1, func(c *aap.CoordinatorConfig) { c.Sole = true })
	m := worked[10].msg.Clone()
	r.now = at(103) // the sender's clock shows 3
	want := []aap.Effect{aap.Shortage{From: serverAddr, Need: aap.Request{Count: 64, End: at(86500)}}}
	if d := cmp.Diff(want, r.hear(serverAddr, m), sameEffect); d != "" {
		t.Error(d)
	}
	m.Need.End = m.CurrentTime
	if list := r.hear(serverAddr, m); len(list) != 0 {
		t.Errorf("over, but %v", list)
	}
}

// TestCoordinatorIgnores: AAP-A-1 (what servers tell each other), AAP-D-14 (its
// own messages), AAP-D-17 (what belongs to another scope or group), AAP-D-11,
// AAP-SEC-1. Each message would silence or wake it, or tell the application.
func TestCoordinatorIgnores(t *testing.T) {
	foreign := func(s aap.CoordinatorStats) uint64 { return s.Drops.Foreign }
	unauthenticated := func(s aap.CoordinatorStats) uint64 { return s.Drops.Unauthenticated }
	other := func(m *aap.Message, d *aap.Datagram) {}
	for _, c := range []struct {
		id     string
		config func(*aap.CoordinatorConfig)
		change func(*aap.Message, *aap.Datagram)
		count  func(aap.CoordinatorStats) uint64 // nil: heeded
	}{
		{"heeded", nil, other, nil},
		{"AAP-D-16 from any port, to an unknown group", nil, func(_ *aap.Message, d *aap.Datagram) { d.To, d.From = netip.Addr{}, serverAddr }, nil},
		{"AAP-D-14 another process on this host", nil, func(_ *aap.Message, d *aap.Datagram) { d.From = netip.MustParseAddrPort("192.0.2.1:9") }, nil},
		{"AAP-D-14 own", nil, func(_ *aap.Message, d *aap.Datagram) { d.From = selfAddr }, func(s aap.CoordinatorStats) uint64 { return s.Drops.Own }},
		{"AAP-A-1 ACLM", nil, func(m *aap.Message, _ *aap.Datagram) { m.Type, m.Expiration = aap.ACLM, time.Time{} }, func(s aap.CoordinatorStats) uint64 { return s.Received[aap.ACLM] }},
		{"AAP-A-1 AIU", nil, func(m *aap.Message, _ *aap.Datagram) { m.Type, m.Expiration = aap.AIU, time.Time{} }, func(s aap.CoordinatorStats) uint64 { return s.Received[aap.AIU] }},
		{"AAP-A-1 AITU", nil, func(m *aap.Message, _ *aap.Datagram) { m.Type, m.Expiration = aap.AITU, time.Time{} }, func(s aap.CoordinatorStats) uint64 { return s.Received[aap.AITU] }},
		{"AAP-D-16 another group", nil, func(_ *aap.Message, d *aap.Datagram) { d.To = netip.MustParseAddr("239.255.255.248") }, foreign},
		{"AAP-D-17, AAP-3.2.10.1-4, AAP-4.2.2-3 another scope", nil, func(m *aap.Message, _ *aap.Datagram) { m.Ranges[0].Range = scope.MustRange("239.1.0.0", "239.1.0.1") }, foreign},
		{"AAP-D-17, AAP-4.2.1-3, AAP-4.2.3-1 two scopes", nil, func(m *aap.Message, _ *aap.Datagram) {
			m.Ranges = append(m.Ranges, tr("239.1.0.0", "239.1.0.1", 86400))
		}, foreign},
		{"AAP-D-17, AAP-4.2.2-2 a report on two scopes", nil, func(m *aap.Message, _ *aap.Datagram) {
			*m = aap.Message{Type: aap.ASRP, Family: m.Family, CurrentTime: m.CurrentTime, Reports: []aap.Report{{Range: spaceE7[0].Range}, {Range: scope.MustRange("239.1.0.0", "239.1.0.1")}}}
		}, foreign},
		{"AAP-D-17 another family", nil, func(m *aap.Message, _ *aap.Datagram) { m.Family, m.Ranges = aap.IPv6, nil }, foreign},
		{"AAP-D-17 no address, several scopes", nil, func(m *aap.Message, _ *aap.Datagram) { m.Ranges = nil }, foreign},
		{"AAP-D-17 no address, one scope", func(c *aap.CoordinatorConfig) { c.Sole = true }, func(m *aap.Message, _ *aap.Datagram) { m.Ranges = nil }, nil},
		{"AAP-D-17 an ASA is never about the default scope", func(c *aap.CoordinatorConfig) { c.Default = true }, func(m *aap.Message, _ *aap.Datagram) { m.Ranges = nil }, foreign},
		{"AAP-D-17 ANA, several scopes", nil, ana, foreign},
		{"AAP-D-17 ANA, default scope", func(c *aap.CoordinatorConfig) { c.Default = true }, ana, nil},
		{"AAP-D-11 skew within the limit", func(c *aap.CoordinatorConfig) { c.MaxSkew = time.Hour }, skewed(-3600), nil},
		{"AAP-D-11 skew beyond the limit", func(c *aap.CoordinatorConfig) { c.MaxSkew = time.Hour }, skewed(3601), func(s aap.CoordinatorStats) uint64 { return s.Drops.Skewed }},
		{"AAP-SEC-1, AAP-3.2.10.1-15 ASA", func(c *aap.CoordinatorConfig) { c.Authentication = aap.AuthenticatedASA }, other, unauthenticated},
		{"AAP-SEC-1 authenticated ASA", func(c *aap.CoordinatorConfig) { c.Authentication = aap.AuthenticatedASA }, func(_ *aap.Message, d *aap.Datagram) { d.Authenticated = true }, nil},
		{"AAP-SEC-1 others", func(c *aap.CoordinatorConfig) { c.Authentication, c.Default = aap.AuthenticatedASA, true }, ana, nil},
		{"AAP-2-3, AAP-6-2 everything", func(c *aap.CoordinatorConfig) { c.Authentication, c.Default = aap.OnlyAuthenticated, true }, ana, unauthenticated},
	} {
		t.Run(c.id, func(t *testing.T) {
			r := newRig(t, 1, c.config)
			r.announce(spaceE7...)
			r.lead()
			r.now = r.now.Truncate(time.Second)
			due, _ := r.Deadline()
			m, d := r.asa(tr("233.252.0.0", "233.252.0.255", 5000)), aap.Datagram{From: otherAddr, To: groupOf4}
			c.change(m, &d)
			var err error
			if d.Payload, err = m.MarshalBinary(); err != nil {
				t.Fatal(err)
			}
			if err := r.Receive(r.now, d); err != nil {
				t.Fatal(err)
			}
			list := r.drain()
			if heeded := len(list) > 0; heeded != (c.count == nil) {
				t.Errorf("effects %v", list)
			}
			if now, _ := r.Deadline(); c.count != nil && (c.count(r.Stats()) != 1 || r.State() != aap.Lead || now != due) {
				t.Errorf("state %v, stats %+v", r.State(), r.Stats())
			}
		})
	}
}

// ana turns a message into an ANA.
func ana(m *aap.Message, _ *aap.Datagram) {
	*m = aap.Message{Type: aap.ANA, Family: m.Family, CurrentTime: m.CurrentTime, Need: aap.Request{Count: 1, End: at(86400)}}
}

// skewed moves the sender's clock.
func skewed(s int64) func(*aap.Message, *aap.Datagram) {
	return func(m *aap.Message, _ *aap.Datagram) {
		m.CurrentTime = m.CurrentTime.Add(time.Duration(s) * time.Second)
		m.Expiration = m.Expiration.Add(time.Duration(s) * time.Second)
	}
}

// TestSkewed: AAP-D-11 and AAP-SEC-8, an absurd clock is reported, and believed.
func TestSkewed(t *testing.T) {
	for s, want := range map[int64]bool{300: false, 301: true, -301: true, math.MinInt32 / 4: true} {
		r := newRig(t, 1, nil)
		r.announce(spaceE7...)
		m := r.asa(spaceE7...)
		skewed(s)(m, nil)
		for i := range m.Ranges {
			m.Ranges[i].End = m.Ranges[i].End.Add(time.Duration(s) * time.Second)
		}
		list := r.hear(otherAddr, m)
		x, ok := first(list).(aap.Skewed)
		if ok != want || ok && (x.From != otherAddr || x.Skew != -time.Duration(s)*time.Second) || r.State() != aap.Backup {
			t.Errorf("%d s: %v, state %v", s, list, r.State())
		}
	}
}

// TestMalformed: AAP-D-2, each bad datagram is dropped without a trace but its
// counter.
func TestMalformed(t *testing.T) {
	r := newRig(t, 1, nil)
	r.announce(spaceE7...)
	for _, c := range []struct {
		octets string
		err    error
		count  func(aap.Drops) uint64
	}{
		{"00", aap.ErrShort, func(d aap.Drops) uint64 { return d.Short }},
		{"0103 0001 000000 00 3947b240 3947b240", aap.ErrVersion, func(d aap.Drops) uint64 { return d.Version }},
		{"0006 0001 000000 00 3947b240 3947b240", aap.ErrType, func(d aap.Drops) uint64 { return d.Type }},
		{"0003 0003 000000 00 3947b240 3947b240", aap.ErrFamily, func(d aap.Drops) uint64 { return d.Family }},
		{"0003 0001 000000 00 3947b240 3947b2", aap.ErrLength, func(d aap.Drops) uint64 { return d.Length }},
		{"0001 0001 000000 00 3947b240", aap.ErrEmpty, func(d aap.Drops) uint64 { return d.Empty }},
		{"0003 0001 000000 00 3947b240 3947b240 0a000001 e9fc00ff 394903c0", aap.ErrNotMulticast, func(d aap.Drops) uint64 { return d.NotMulticast }},
		{"0003 0001 000000 00 3947b240 3947b240 e9fc00ff e9fc0000 394903c0", aap.ErrRangeOrder, func(d aap.Drops) uint64 { return d.RangeOrder }},
		{"0005 0001 000000 00 3947b240 00000000 394903c0", aap.ErrZeroCount, func(d aap.Drops) uint64 { return d.ZeroCount }},
	} {
		due, _ := r.Deadline()
		err := r.Receive(r.now, aap.Datagram{From: otherAddr, To: groupOf4, Payload: unhex(t, c.octets)})
		if !errors.Is(err, c.err) || c.count(r.Stats().Drops) != 1 {
			t.Errorf("%s: %v, %+v", c.octets, err, r.Stats())
		}
		if now, _ := r.Deadline(); len(r.drain()) != 0 || now != due || r.State() != aap.Backup {
			t.Errorf("%s: state changed", c.octets)
		}
	}
}

// TestGroup: AAP-D-15, where traffic goes by default.
func TestGroup(t *testing.T) {
	for in, want := range map[string]string{
		"239.255.0.0/16": "239.255.255.248", "239.251.0.0/16": "239.251.255.248", "ff05::/16": "ff15::fd00:b3e", "ff06::/16": "ff16::fd00:b3e",
		"ff3e:20::/32": "ff1e::fd00:b3e", "239.0.0.0/29": "239.0.0.0", "239.0.0.0/30": "", "10.0.0.0/8": "", "fe80::/16": "",
	} {
		r, err := scope.ParseRange(in)
		if err != nil {
			t.Fatal(err)
		}
		a, ok := aap.Group(r)
		if ok != (want != "") || ok && a != netip.MustParseAddr(want) {
			t.Errorf("%s: %v, %v, want %q", in, a, ok, want)
		}
	}
	if _, ok := aap.Group(scope.Range{}); ok {
		t.Error("no range has a group")
	}
}
