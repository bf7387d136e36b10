// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// telling is the script of a server with a scope list, and the pairs that nest
// in it unless pairs is nil.
func telling(zones []madcap.Zone, pairs [][2]int) func(*madcap.Message) *madcap.Message {
	return func(m *madcap.Message) *madcap.Message {
		a := &madcap.Message{Type: madcap.TypeAck, ScopeList: madcap.Some(zones)}
		if pairs != nil {
			s := madcap.NewNestingState(len(zones))
			for _, p := range pairs {
				s.SetNests(p[0], p[1], true)
			}
			a.Nesting = madcap.Some(s)
		}
		return a
	}
}

func zoneOf(r scope.Range, ttl uint8, names ...string) madcap.Zone {
	z := madcap.Zone{Range: r, TTL: ttl}
	for i := 0; i < len(names); i += 2 {
		z.Names = append(z.Names, madcap.ZoneName{Tag: []byte(names[i]), Text: []byte(names[i+1]), Default: i == 0})
	}
	return z
}

// TestClientScopes merges what several servers tell.
func TestClientScopes(t *testing.T) {
	small, wide, global := scope.IPv4Local().Range, scope.IPv4OrganizationLocal().Range, scope.IPv4Global().Range
	bubble(t, "LEASE-3.4-5", func(t *testing.T) {
		n := newFakeNet(t,
			&fakeServer{fakeAt, telling([]madcap.Zone{zoneOf(small, 255, "fr", "Étage"), zoneOf(wide, 63)}, [][2]int{{0, 1}})},
			&fakeServer{otherAt, telling([]madcap.Zone{zoneOf(small, 16, "en", "Floor", "fr", "Autre", "overlongtag", "bad tag"), zoneOf(global, 255)}, [][2]int{{0, 1}})})
		c := n.client(ClientConfig{})
		list, err := c.Scopes(t.Context(), lease.IPv4)
		if err != nil {
			t.Fatal(err)
		}
		names, _ := scope.NewNames(scope.Name{Tag: "fr", Text: "Étage", Default: true}, scope.Name{Tag: "en", Text: "Floor"})
		want := []scope.Scope{{Range: small, TTL: 16, Names: names}, {Range: wide, TTL: 63}, {Range: global, TTL: 255, Divisible: true}}
		if !slices.Equal(list, want) {
			t.Errorf("got %v, want %v", list, want)
		}
		n.wantTranscript("+0s GETINFO to 239.255.255.254")
		if m := n.last(madcap.TypeGetInfo); !slices.Equal(m.OptionRequestList, []madcap.OptionCode{madcap.OptScopeList, madcap.OptNestingState, madcap.OptFeatureList}) {
			t.Errorf("MADCAP-N3.3-2: asked for %v", m.OptionRequestList)
		}
		g, err := c.Nesting(t.Context(), small.First(), wide.First(), global.First())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []struct {
			inner, outer scope.Range
			want         scope.Relation
		}{
			{small, wide, scope.Yes}, {wide, small, scope.No}, {small, global, scope.Yes}, {global, small, scope.No},
			{wide, global, scope.Unknown}, {global, wide, scope.Unknown}, {small, small, scope.Yes},
		} {
			if got := g.Of(v.inner.First(), v.outer.First()); got != v.want {
				t.Errorf("LEASE-N-3: %v in %v: %v, want %v", v.inner, v.outer, got, v.want)
			}
		}
		if _, err := g.Matrix(); !errors.Is(err, lease.ErrNesting) {
			t.Errorf("matrix: %v", err)
		}
	})
	bubble(t, "LEASE-N-1", func(t *testing.T) { // no option 17: nothing is known
		n := newFakeNet(t, &fakeServer{fakeAt, telling([]madcap.Zone{zoneOf(small, 255), zoneOf(wide, 255)}, nil)})
		c := n.client(ClientConfig{Server: fakeAt})
		g, err := c.Nesting(t.Context(), small.First(), wide.First())
		if err != nil || g.Of(small.First(), wide.First()) != scope.Unknown {
			t.Errorf("%v, %v", g, err)
		}
		_, err = c.Nesting(t.Context(), small.First(), global.First())
		wantErr(t, err, lease.ErrScope)
		_, err = c.Nesting(t.Context(), small.First(), netip.MustParseAddr("ff03::"))
		wantErr(t, err, lease.ErrScope)
		_, err = c.Nesting(t.Context(), scope.ID{})
		wantErr(t, err, lease.ErrScope)
		if _, err = c.Nesting(t.Context()); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "LEASE-N-3 disagreement", func(t *testing.T) {
		zones := []madcap.Zone{zoneOf(small, 255), zoneOf(wide, 255)}
		n := newFakeNet(t, &fakeServer{fakeAt, telling(zones, [][2]int{{0, 1}})}, &fakeServer{otherAt, telling(zones, [][2]int{})})
		c := n.client(ClientConfig{})
		g, err := c.Nesting(t.Context(), small.First(), wide.First())
		if err != nil || g.Of(small.First(), wide.First()) != scope.Unknown || g.Of(wide.First(), small.First()) != scope.No {
			t.Errorf("%v, %v", g, err)
		}
	})
	bubble(t, "MADCAP-N2-2", func(t *testing.T) { // both ways: the same boundary, not the same scope
		n := newFakeNet(t, &fakeServer{fakeAt, telling([]madcap.Zone{zoneOf(small, 255), zoneOf(wide, 255)}, [][2]int{{0, 1}, {1, 0}})})
		c := n.client(ClientConfig{Server: fakeAt})
		g, err := c.Nesting(t.Context(), small.First(), wide.First())
		if err != nil || g.Of(small.First(), wide.First()) != scope.Yes || g.Of(wide.First(), small.First()) != scope.Yes {
			t.Errorf("%v, %v", g, err)
		}
		if list, _ := c.Scopes(t.Context(), lease.IPv4); len(list) != 2 {
			t.Errorf("scopes %v", list)
		}
	})
	bubble(t, "LEASE-3.4-3", func(t *testing.T) { // a family that is not served has no scopes
		n := newFakeNet(t, &fakeServer{fakeAt, refusing(madcap.NotCompleted(madcap.NoOption))})
		c := n.client(ClientConfig{Server: fakeAt})
		if list, err := c.Scopes(t.Context(), lease.IPv6); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
		_, err := c.Allocate(t.Context(), lease.Request{Family: lease.IPv6})
		wantErr(t, err, lease.ErrScope)
		_, err = c.Scopes(t.Context(), 3)
		wantErr(t, err, lease.ErrFamily)
	})
	bubble(t, "MADCAP-2.7-2", func(t *testing.T) { // knowing nothing, the client assumes a scope, and asks there which there are
		for f, group := range map[lease.Family]string{lease.IPv4: "239.255.255.254", lease.IPv6: "ff03:ffff:ffff:ffff:ffff:ffff:ffff:fffe"} {
			n := newFakeNet(t, &fakeServer{fakeAt, func(*madcap.Message) *madcap.Message { return &madcap.Message{Type: madcap.TypeAck} }})
			c := n.client(ClientConfig{})
			if list, err := c.Scopes(t.Context(), f); err != nil || len(list) != 0 {
				t.Errorf("%v, %v: what was assumed is listed", list, err)
			}
			n.wantTranscript("+0s GETINFO to " + group)
		}
	})
	bubble(t, "LEASE-W-11", func(t *testing.T) { // the TTL that traffic to a scope may have
		n := newFakeNet(t, &fakeServer{fakeAt, telling([]madcap.Zone{zoneOf(small, 16)}, nil)})
		c := n.client(ClientConfig{Server: fakeAt})
		if list, err := c.Scopes(t.Context(), lease.IPv4); err != nil || list[0].TTL != 16 {
			t.Errorf("%v, %v", list, err)
		}
	})
}

// TestClientInfo gives a program the servers' own words.
func TestClientInfo(t *testing.T) {
	bubble(t, "MADCAP-2.2.1-7", func(t *testing.T) {
		n := newFakeNet(t, &fakeServer{fakeAt, granting}, &fakeServer{otherAt, granting})
		c := n.client(ClientConfig{})
		answers, err := c.Info(t.Context(), &madcap.Message{Family: madcap.FamilyIPv4, RequestedLanguage: madcap.Some([]byte("fr")),
			OptionRequestList: []madcap.OptionCode{madcap.OptScopeList, madcap.OptCurrentTime}})
		if err != nil || len(answers) != 2 || answers[0].From != fakeAt || answers[1].From != otherAt {
			t.Errorf("%v, %v", answers, err)
		}
		if m := n.last(madcap.TypeGetInfo); string(m.RequestedLanguage.Value) != "fr" {
			t.Errorf("sent %+v", m)
		}
		n.wantTranscript("+0s GETINFO to 239.255.255.254")
		if d := time.Since(n.begin); d != 4*time.Second {
			t.Errorf("took %v", d)
		}
	})
	bubble(t, "bad", func(t *testing.T) {
		n := newFakeNet(t)
		c := n.client(ClientConfig{})
		_, err := c.Info(t.Context(), &madcap.Message{Family: madcap.FamilyIPv4}) // asks for nothing
		wantErr(t, err, lease.ErrUnsupported)
		_, err = c.Info(t.Context(), &madcap.Message{Family: 3, OptionRequestList: []madcap.OptionCode{madcap.OptScopeList}})
		wantErr(t, err, lease.ErrFamily)
		n.wantTranscript()
	})
}

// TestClientErrors is the table of RFC 2730's errors and RFC 2771's, for each
// request. The NAK itself comes with the error.
func TestClientErrors(t *testing.T) {
	completed := func(o madcap.OptionCode) madcap.ErrorOption { return madcap.NotCompleted(o) }
	invalid := func(o madcap.OptionCode) madcap.ErrorOption { return madcap.InvalidRequest(o) }
	for _, v := range []struct {
		name                     string
		nak                      madcap.ErrorOption
		allocate, renew, release error
		param                    lease.Param
	}{
		{"0 none", completed(madcap.NoOption), lease.ErrNone, lease.ErrUnchanged, lease.ErrDenied, lease.ParamNone},
		{"0 scope", completed(madcap.OptMulticastScope), lease.ErrScope, lease.ErrUnchanged, lease.ErrDenied, lease.ParamScope},
		{"0 count", completed(madcap.OptNumberOfAddresses), lease.ErrNone, lease.ErrUnchanged, lease.ErrDenied, lease.ParamCount},
		{"0 ranges", completed(madcap.OptAddressRanges), lease.ErrNone, lease.ErrUnchanged, lease.ErrDenied, lease.ParamAddrs},
		{"0 lifetime", completed(madcap.OptLeaseTime), lease.ErrNone, lease.ErrUnchanged, lease.ErrDenied, lease.ParamLifetime},
		{"0 minimum", completed(madcap.OptMinLeaseTime), lease.ErrNone, lease.ErrUnchanged, lease.ErrDenied, lease.ParamMinLifetime},
		{"0 start", completed(madcap.OptStartTime), lease.ErrNone, lease.ErrUnchanged, lease.ErrDenied, lease.ParamStart},
		{"0 maximum start", completed(madcap.OptMaxStartTime), lease.ErrNone, lease.ErrUnchanged, lease.ErrDenied, lease.ParamMaxStart},
		{"1 none", invalid(madcap.NoOption), lease.ErrUnsupported, lease.ErrUnchanged, lease.ErrUnsupported, lease.ParamNone},
		{"1 count", invalid(madcap.OptNumberOfAddresses), lease.ErrCount, lease.ErrCount, lease.ErrCount, lease.ParamCount},
		{"1 lifetime", invalid(madcap.OptLeaseTime), lease.ErrLifetime, lease.ErrLifetime, lease.ErrLifetime, lease.ParamLifetime},
		{"1 minimum", invalid(madcap.OptMinLeaseTime), lease.ErrLifetime, lease.ErrLifetime, lease.ErrLifetime, lease.ParamMinLifetime},
		{"1 start", invalid(madcap.OptStartTime), lease.ErrStart, lease.ErrStart, lease.ErrStart, lease.ParamStart},
		{"1 maximum start", invalid(madcap.OptMaxStartTime), lease.ErrStart, lease.ErrStart, lease.ErrStart, lease.ParamMaxStart},
		{"1 identifier", invalid(madcap.OptLeaseIdentifier), lease.ErrInUse, lease.ErrInUse, lease.ErrInUse, lease.ParamID},
		{"1 unknown option", invalid(4321), lease.ErrUnsupported, lease.ErrUnsupported, lease.ErrUnsupported, lease.ParamNone},
		{"3", madcap.ErrorOption{Code: madcap.CodeLeaseUnknown}, lease.ErrNotLeased, lease.ErrNotLeased, lease.ErrNotLeased, lease.ParamNone},
		{"4", madcap.FeatureUnsupported(madcap.ServerMobility), lease.ErrUnsupported, lease.ErrUnsupported, lease.ErrUnsupported, lease.ParamNone},
		{"1024", madcap.ErrorOption{Code: 1024, Extra: []byte("?")}, lease.ErrDenied, lease.ErrDenied, lease.ErrDenied, lease.ParamNone},
	} {
		bubble(t, "LEASE-E "+v.name, func(t *testing.T) {
			_, c := known(t, refusing(v.nak), ClientConfig{})
			_, allocate := c.Allocate(t.Context(), lease.Request{Scope: localScope})
			_, renew := c.ChangeLifetime(t.Context(), leaseNow(), lease.NotBefore(time.Now().Add(10*time.Hour)))
			release := c.Release(t.Context(), leaseNow())
			for i, err := range []error{allocate, renew, release} {
				wantErr(t, err, []error{v.allocate, v.renew, v.release}[i])
				var e *lease.Error
				var nak *madcap.NakError
				if !errors.As(err, &e) || e.Param != v.param || !errors.As(err, &nak) || nak.Reason.Code != v.nak.Code {
					t.Errorf("error %v: parameter %v, NAK %v", err, e.Param, nak)
				}
			}
		})
	}
	bubble(t, "LEASE-E 2", func(t *testing.T) { // the server's clock is an hour ahead
		_, c := known(t, refusing(madcap.ClockSkew(time.Now().Add(time.Hour))), ClientConfig{})
		_, err := c.Allocate(t.Context(), lease.Request{Scope: localScope})
		wantErr(t, err, lease.ErrSkew)
		var e *lease.SkewError
		if !errors.As(err, &e) || e.Offset != time.Hour {
			t.Errorf("error %v", err)
		}
	})
	bubble(t, "too many at once", func(t *testing.T) {
		_, c := known(t, silent, ClientConfig{Protocol: madcap.ClientConfig{MaxTransactions: 1}})
		go c.Release(t.Context(), leaseNow())
		time.Sleep(time.Second)
		_, err := c.Allocate(t.Context(), lease.Request{Scope: localScope})
		wantErr(t, err, lease.ErrDenied)
		time.Sleep(time.Minute)
	})
}

// TestClientConfig: what cannot work is refused at once.
func TestClientConfig(t *testing.T) {
	for name, cfg := range map[string]ClientConfig{
		"multicast server": {Server: groupAt},
		"server, no port":  {Server: netip.AddrPortFrom(fakeAt.Addr(), 0)},
		"no server":        {Server: netip.MustParseAddrPort("0.0.0.0:2535")},
		"unicast group":    {Groups: []netip.Addr{fakeAt.Addr()}},
		"protocol":         {Protocol: madcap.ClientConfig{HopLimit: 300}},
	} {
		if c, err := NewClient(cfg); !errors.Is(err, madcap.ErrConfig) {
			t.Errorf("%s: error %v", name, err)
			if c != nil {
				c.Close()
			}
		}
	}
	c := newClient(t, ClientConfig{}) // the zero value works
	if len(c.Addrs()) == 0 || c.Stats().Sent != 0 {
		t.Errorf("bound to %v, counted %+v", c.Addrs(), c.Stats())
	}
	bubble(t, "MADCAP-2.11-2", func(t *testing.T) {
		n := newFakeNet(t)
		c := n.client(ClientConfig{Groups: []netip.Addr{netip.MustParseAddr("238.255.255.254")}})
		_, err := c.Scopes(t.Context(), lease.IPv4)
		wantErr(t, err, lease.ErrUnsupported)
		n.wantTranscript()
	})
}
