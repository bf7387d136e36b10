// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/scope"
)

// rig is one router on a bench. Interfaces 1 and 2 are inside its local zone; 3
// and 4 have a Local Scope boundary; 5 has one and a boundary of scope X. Its
// address on interface i is 10.0.i.1, the routing table sends 10.0.i.* and
// 10.i.* to interface i.
type rig struct {
	testing.TB
	r   *mzap.Router
	now time.Time
}

var (
	scopeX     = mzaptestScope("X", "239.130.0.0", "239.130.255.255")
	scopeY     = mzaptestScope("Y", "239.140.0.0", "239.140.255.255")
	localScope = scope.IPv4Local()
	epoch      = time.Date(2000, 2, 1, 0, 0, 0, 0, time.UTC)
)

func mzaptestScope(name, first, last string) scope.Scope {
	n, err := scope.NewNames(scope.Name{Tag: "en", Text: name, Default: true})
	if err != nil {
		panic(err)
	}
	return scope.Scope{Range: scope.MustRange(first, last), TTL: 255, Names: n}
}

// rigConfig is the rig's configuration.
func rigConfig() mzap.RouterConfig {
	c := mzap.RouterConfig{
		Scopes: []mzap.Boundary{
			{Scope: localScope, Interfaces: []int{3, 4, 5}},
			{Scope: scopeX, Interfaces: []int{5}},
		},
		Route: func(a netip.Addr) (int, bool) {
			b := a.As4()
			if b[0] != 10 {
				return 0, false
			}
			return int(max(b[1], b[2])), true
		},
		Rand: rand.New(rand.NewPCG(1, 2)),
	}
	for i := 1; i <= 5; i++ {
		c.Interfaces = append(c.Interfaces, mzap.Interface{Index: i, Addr: netip.AddrFrom4([4]byte{10, 0, byte(i), 1})})
	}
	return c
}

// newRig starts the rig after changes to its configuration.
func newRig(t testing.TB, changes ...func(*mzap.RouterConfig)) *rig {
	t.Helper()
	c := rigConfig()
	for _, change := range changes {
		change(&c)
	}
	r, err := mzap.NewRouter(c, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t, r, epoch}
}

// effects returns and forgets what the router wants done.
func (g *rig) effects() []mzap.Effect { return slices.Collect(g.r.Effects()) }

// receive gives the router a message from a neighbour on an interface.
func (g *rig) receive(in int, m *mzap.Message) []mzap.Effect {
	g.Helper()
	return g.receivePacket(mzap.Packet{Interface: in, Payload: g.encode(m)})
}

func (g *rig) receivePacket(p mzap.Packet) []mzap.Effect {
	g.Helper()
	if err := g.r.Receive(g.now, p); err != nil {
		g.Fatal(err)
	}
	return g.effects()
}

func (g *rig) encode(m *mzap.Message) []byte {
	g.Helper()
	b, err := m.AppendBinary(nil)
	if err != nil {
		g.Fatal(err)
	}
	return b
}

// wait lets time pass and returns all that happened, in order.
func (g *rig) wait(d time.Duration) (out []mzap.Effect) {
	end := g.now.Add(d)
	for {
		at, ok := g.r.Deadline()
		if !ok || at.After(end) {
			break
		}
		if at.Before(g.now) {
			at = g.now
		}
		g.now = at
		g.r.Advance(g.now)
		out = append(out, g.effects()...)
	}
	g.now = end
	return out
}

// ofType returns the effects of one type.
func ofType[E mzap.Effect](effects []mzap.Effect) (out []E) {
	for _, x := range effects {
		if e, ok := x.(E); ok {
			out = append(out, e)
		}
	}
	return out
}

// sent decodes the messages of one type among the effects.
func (g *rig) sent(effects []mzap.Effect, t mzap.Type) (out []*mzap.Message) {
	g.Helper()
	for _, s := range ofType[mzap.Send](effects) {
		var m mzap.Message
		if err := m.UnmarshalBinary(s.Packet); err != nil {
			g.Fatalf("sent a malformed message: %v", err)
		}
		if m.Type == t {
			out = append(out, &m)
		}
	}
	return out
}

// ways returns, for each datagram sent, "source>group via interfaces".
func ways(effects []mzap.Effect) (out []string) {
	for _, s := range ofType[mzap.Send](effects) {
		out = append(out, fmt.Sprintf("%v>%v%v", s.Source, s.Group, s.Interfaces))
	}
	return out
}

// kinds returns the findings among the effects.
func kinds(effects []mzap.Effect) (out []mzap.FindingKind) {
	for _, f := range ofType[mzap.Finding](effects) {
		out = append(out, f.Kind)
	}
	return out
}

// zam makes a ZAM for a scope from an origin, as sent into the rig's local zone.
func zam(s scope.Scope, origin string) *mzap.Message {
	return &mzap.Message{
		Type: mzap.ZAM, Divisible: s.Divisible, Origin: addr(origin), ZoneID: addr(origin), Range: s.Range,
		Names: mzap.WireNames(s.Names), Limit: 32, HoldTime: 1860 * time.Second, LocalZone: addr("10.0.1.1"),
	}
}

// zcm makes a ZCM for a scope that lists some routers.
func zcm(s scope.Scope, origin string, listed ...string) *mzap.Message {
	m := &mzap.Message{Type: mzap.ZCM, Origin: addr(origin), ZoneID: addr(origin), Range: s.Range, HoldTime: 1860 * time.Second}
	for _, a := range listed {
		m.Routers = append(m.Routers, addr(a))
	}
	return m
}

// nim makes the statement that x is not inside y.
func nim(x, y scope.Scope, origin string) *mzap.Message {
	return &mzap.Message{Type: mzap.NIM, Origin: addr(origin), ZoneID: addr(origin), Range: x.Range, NotInside: y.ID()}
}

// TestRouterConfig is what a router refuses to be told.
func TestRouterConfig(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*mzap.RouterConfig)
		ok     bool
	}{
		{"the rig itself", func(c *mzap.RouterConfig) {}, true},
		{"only the Local Scope", func(c *mzap.RouterConfig) { c.Scopes = c.Scopes[:1] }, true},
		{"MZAP-2-1 no Local Scope", func(c *mzap.RouterConfig) { c.Scopes = c.Scopes[1:] }, false},
		{"MZAP-2-1 boundary without Local Scope", func(c *mzap.RouterConfig) { c.Scopes[0].Interfaces = []int{3, 4} }, false},
		{"MZAP-A-4 three addresses", func(c *mzap.RouterConfig) { c.Scopes[1].Scope.Range = scope.MustRange("239.130.0.0", "239.130.0.2") }, false},
		{"MZAP-A-4 four addresses", func(c *mzap.RouterConfig) { c.Scopes[1].Scope.Range = scope.MustRange("239.130.0.0", "239.130.0.3") }, true},
		{"MZAP-1-2 overlap", func(c *mzap.RouterConfig) { c.Scopes[1].Scope.Range = scope.MustRange("239.255.1.0", "239.255.1.255") }, false},
		{"MZAP-5.3-1 link-local scope", func(c *mzap.RouterConfig) { c.Scopes[1].Scope = scope.IPv4LinkLocal() }, false},
		{"unicast scope", func(c *mzap.RouterConfig) { c.Scopes[1].Scope.Range = scope.MustRange("10.0.0.0", "10.0.0.255") }, false},
		{"no range", func(c *mzap.RouterConfig) { c.Scopes[1].Scope.Range = scope.Range{} }, false},
		{"two families", func(c *mzap.RouterConfig) { c.Scopes[1].Scope = scope.IPv6(5) }, false},
		{"no boundary interface", func(c *mzap.RouterConfig) { c.Scopes[1].Interfaces = nil }, false},
		{"unknown interface", func(c *mzap.RouterConfig) {
			c.Scopes[0].Interfaces = []int{3, 4, 5, 9}
		}, false},
		{"interface 0", func(c *mzap.RouterConfig) { c.Interfaces[0].Index = 0 }, false},
		{"interface twice", func(c *mzap.RouterConfig) { c.Interfaces[0].Index = 2 }, false},
		{"zone beyond", func(c *mzap.RouterConfig) { c.Interfaces[2].Beyond = addr("239.1.1.1") }, false},
		{"no routing table", func(c *mzap.RouterConfig) { c.Route = nil }, false},
		{"no randomness", func(c *mzap.RouterConfig) { c.Rand = nil }, false},
		{"no scopes", func(c *mzap.RouterConfig) { c.Scopes = nil }, false},
		{"limit 256", func(c *mzap.RouterConfig) { c.Scopes[1].Limit = 256 }, false},
		{"hold time with a fraction", func(c *mzap.RouterConfig) { c.Timing.ZAMHold = time.Second / 2 }, false},
		{"hold time too long", func(c *mzap.RouterConfig) { c.Timing.ZCMHold = 70000 * time.Second }, false},
		{"negative interval", func(c *mzap.RouterConfig) { c.Timing.NIMInterval = -1 }, false},
		{"negative limit", func(c *mzap.RouterConfig) { c.Limits.NotInside = -1 }, false},
		{"MZAP-3.3-1 only link-local addresses inside", func(c *mzap.RouterConfig) {
			for i := range c.Interfaces {
				c.Interfaces[i].Addr = addr("169.254.0.1")
			}
		}, false},
		{"MZAP-3.3-1 an address of no interface", func(c *mzap.RouterConfig) {
			for i := range c.Interfaces {
				c.Interfaces[i].Addr = netip.Addr{}
			}
			c.Addr = addr("10.9.9.9")
		}, true},
	} {
		cfg := rigConfig()
		c.change(&cfg)
		_, err := mzap.NewRouter(cfg, epoch)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, mzap.ErrConfig) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestIPv6Flags: each range of IPv6 in use is a scope of its own, one for each
// combination of flags. MZAP-A-36.
func TestIPv6Flags(t *testing.T) {
	c := rigConfig()
	for i := range c.Interfaces {
		c.Interfaces[i].Addr = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(i + 1)})
	}
	c.Scopes = []mzap.Boundary{{Scope: scope.IPv6(3), Interfaces: []int{5}}}
	for _, p := range []string{"ff08::/16", "ff18::/16"} {
		c.Scopes = append(c.Scopes, mzap.Boundary{Scope: scope.Scope{Range: scope.RangeOf(netip.MustParsePrefix(p))}, Interfaces: []int{5}})
	}
	r, err := mzap.NewRouter(c, epoch)
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{t, r, epoch}
	for _, b := range c.Scopes[1:] {
		if msgs, _ := g.next(mzap.ZAM, b.Scope.Range); len(msgs) == 0 {
			t.Errorf("%v is not announced", b.Scope.Range)
		}
	}
}
