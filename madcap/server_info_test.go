// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// srvNamed gives a scope names: tag, text, and a leading ! for the default.
func srvNamed(s scope.Scope, names ...string) scope.Scope {
	var list []scope.Name
	for i := 0; i < len(names); i += 2 {
		tag, isDefault := strings.CutPrefix(names[i], "!")
		list = append(list, scope.Name{Tag: tag, Text: names[i+1], Default: isDefault})
	}
	n, err := scope.NewNames(list...)
	if err != nil {
		panic(err)
	}
	s.Names = n
	return s
}

// srvZones asks for the scope list, in a language if there is one.
func (r *srvRig) srvZones(xid uint32, language ...string) []madcap.Zone {
	r.t.Helper()
	m := srvInfo(xid, madcap.OptScopeList)
	if len(language) > 0 {
		m.RequestedLanguage = madcap.Some([]byte(language[0]))
	}
	r.multicast(m)
	return r.ack(madcap.TypeGetInfo).ScopeList.Value
}

// srvTexts returns the names of each zone.
func srvTexts(zones []madcap.Zone) string {
	var b strings.Builder
	for _, z := range zones {
		for _, n := range z.Names {
			b.WriteString(string(n.Text) + " ")
		}
		b.WriteString("| ")
	}
	return b.String()
}

// GETINFO and the lists it gets (RFC 2730, sections 2.2.1, 3.6 and 3.10; RFC
// 2907).
func TestServerInfo(t *testing.T) {
	names := func(c *madcap.ServerConfig) {
		c.Scopes = []scope.Scope{
			srvNamed(scope.IPv4Local(), "en", "Floor", "fr", "Étage", "!de", "Stock"),
			srvNamed(scope.IPv4OrganizationLocal(), "en", "Campus", "en-GB", "Site"),
			srvNamed(scope.IPv4Global()),
		}
	}
	// order tells the Scope IDs of the list.
	order := func(zones []madcap.Zone) string {
		var ids []string
		for _, z := range zones {
			ids = append(ids, z.Range.First().String())
		}
		return strings.Join(ids, " ")
	}
	small := scope.Scope{Range: scope.MustRange("239.250.0.0", "239.250.0.255"), TTL: 255}
	large := scope.Scope{Range: scope.MustRange("239.240.0.0", "239.240.0.127"), TTL: 255}
	nest := func(pairs ...scope.ID) *scope.Nesting {
		n := scope.NewNesting(pairs...)
		for i := 0; i < len(pairs); i += 2 {
			if err := n.Set(pairs[i], pairs[i+1], scope.Yes); err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	runSrvCases(t, []srvCase{
		{id: "MADCAP-2.2.1-2", run: func(t *testing.T, r *srvRig) {
			for i, to := range []netip.Addr{srvAddr, srvGroup, {}} {
				r.give(madcap.Datagram{From: srvClient, To: to, Payload: r.octets(srvInfo(uint32(i), 999))})
				r.ack(madcap.TypeGetInfo)
			}
		}},
		{id: "MADCAP-2.2.1-4", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvInfo(1, 4711, madcap.OptCurrentTime, madcap.OptFeatureList, madcap.OptScopeList))
			m := r.ack(madcap.TypeGetInfo)
			srvEqual(t, "all there", m.ScopeList.Present && m.Features.Present && !m.CurrentTime.IsZero(), true)
		}},
		{id: "MADCAP-3.6-2", run: func(t *testing.T, r *srvRig) {
			for i, codes := range [][]madcap.OptionCode{{madcap.OptScopeList}, {madcap.OptCurrentTime}, {madcap.OptFeatureList}} {
				r.unicast(srvInfo(uint32(i), codes...))
				m := r.ack(madcap.TypeGetInfo)
				for _, c := range []madcap.OptionCode{madcap.OptScopeList, madcap.OptCurrentTime, madcap.OptFeatureList} {
					srvEqual(t, c.String(), m.Has(c), slices.Contains(codes, c))
				}
			}
		}},
		{id: "MADCAP-2.2.5-1", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvInfo(1, madcap.OptScopeList, madcap.OptFeatureList))
			m := r.ack(madcap.TypeGetInfo)
			srvEqual(t, "zones", len(m.ScopeList.Value), 3)
			srvEqual(t, "features", len(m.Features.Value.Supported), 3)
		}},
		{id: "MADCAP-D-41/odd lists", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvInfo(1, 0, 1, 2, madcap.OptScopeList, madcap.OptScopeList, 3, 16, madcap.NoOption, madcap.OptScopeList))
			m := r.ack(madcap.TypeGetInfo)
			srvEqual(t, "zones", len(m.ScopeList.Value), 3)
			srvEqual(t, "options", len(m.Order), 3)
		}},
		{id: "MADCAP-2.2.1-5", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvInfo(1))
			r.nak(madcap.CodeInvalidRequest, madcap.OptOptionRequestList)
		}},
		{id: "MADCAP-2.2.1-5/an answer that fits no datagram", run: func(t *testing.T, r *srvRig) {
			r.unicast(srvMsg(madcap.TypeGetInfo, 1, srvID(string(make([]byte, 65_440)))))
			r.nak(madcap.CodeNotCompleted, madcap.NoOption)
			r.unicast(srvMsg(madcap.TypeGetInfo, 2, srvID(string(make([]byte, 65_480)))))
			r.silent(madcap.IgnoredTooLong)
		}},
		{id: "MADCAP-2.10-2", run: func(t *testing.T, r *srvRig) {
			r.multicast(srvInfo(1, madcap.OptScopeList))
			srvEqual(t, "to the client", r.sends[0].To, srvClient)
			r.ack(madcap.TypeGetInfo)
		}},
		{id: "MADCAP-3.10-2", change: names, run: func(t *testing.T, r *srvRig) {
			srvEqual(t, "names", srvTexts(r.srvZones(1)), "Stock Floor Étage | Campus Site | | ")
		}},
		{id: "MADCAP-3.10-3", change: names, run: func(t *testing.T, r *srvRig) {
			for i, language := range []string{"en", "fr", "xx", "", "en-gb", "*"} {
				for _, z := range r.srvZones(uint32(i), language) {
					if len(z.Names) > 1 {
						t.Errorf("%q: %d names", language, len(z.Names))
					}
				}
			}
		}},
		{id: "MADCAP-3.10-4", change: names, run: func(t *testing.T, r *srvRig) {
			srvEqual(t, "fr", srvTexts(r.srvZones(1, "fr")), "Étage | Campus | | ")
			srvEqual(t, "EN", srvTexts(r.srvZones(2, "EN")), "Floor | Campus | | ")
			srvEqual(t, "En-gB", srvTexts(r.srvZones(3, "En-gB")), "Stock | Site | | ")
		}},
		{id: "MADCAP-3.10-5", change: names, run: func(t *testing.T, r *srvRig) {
			srvEqual(t, "de", srvTexts(r.srvZones(1, "de")), "Stock | Campus | | ")
		}},
		{id: "MADCAP-3.10-6", change: names, run: func(t *testing.T, r *srvRig) {
			zones := r.srvZones(1, "it")
			srvEqual(t, "it", srvTexts(zones), "Stock | Campus | | ")
			srvEqual(t, "flag", zones[0].Names[0].Default, true)
		}},
		{id: "MADCAP-D-41/languages", change: names, run: func(t *testing.T, r *srvRig) {
			srvEqual(t, "empty", srvTexts(r.srvZones(1, "")), "Stock | Campus | | ")
			srvEqual(t, "a prefix is no match", srvTexts(r.srvZones(2, "fr-CA")), "Stock | Campus | | ")
			srvEqual(t, "nor a part", srvTexts(r.srvZones(3, "e")), "Stock | Campus | | ")
			srvEqual(t, "all again", srvTexts(r.srvZones(4)), "Stock Floor Étage | Campus Site | | ")
		}},
		{id: "MADCAP-3.10-12", run: func(t *testing.T, r *srvRig) {
			twice := []scope.Scope{scope.IPv4Local(), {Range: scope.MustRange("239.255.0.0", "239.255.0.255"), TTL: 1}}
			if err := r.s.SetScopes(twice, nil); !errors.Is(err, madcap.ErrConfig) {
				t.Errorf("two scopes with one ID: %v", err)
			}
			srvEqual(t, "zones as before", len(r.srvZones(1)), 3)
		}},
		{id: "MADCAP-3.10-13", run: func(t *testing.T, r *srvRig) {
			srvEqual(t, "usual nesting", order(r.srvZones(1)), "239.255.0.0 239.192.0.0 224.0.1.0")
			all := []scope.Scope{scope.IPv4Global(), small, scope.IPv4Local(), large}
			if err := r.s.SetScopes(all, nil); err != nil {
				t.Fatal(err)
			}
			srvEqual(t, "without knowledge by size", order(r.srvZones(2)), "239.255.0.0 239.240.0.0 239.250.0.0 224.0.1.0")
			if err := r.s.SetScopes(all, nest(small.ID(), large.ID())); err != nil {
				t.Fatal(err)
			}
			srvEqual(t, "by topology", order(r.srvZones(3)), "239.255.0.0 239.250.0.0 239.240.0.0 224.0.1.0")
			slices.Reverse(all)
			r.s.SetScopes(all, nest(small.ID(), large.ID()))
			srvEqual(t, "stable", order(r.srvZones(4)), "239.255.0.0 239.250.0.0 239.240.0.0 224.0.1.0")
		}},
		{id: "MADCAP-2.8-1", run: func(t *testing.T, r *srvRig) {
			ttl := scope.IPv4Local()
			ttl.TTL = 15
			r.s.SetScopes([]scope.Scope{ttl}, nil)
			srvEqual(t, "TTL", r.srvZones(1)[0].TTL, 15)
		}},
		{id: "MADCAP-N2-3", run: func(t *testing.T, r *srvRig) {
			ask := func(xid uint32) madcap.Opt[madcap.NestingState] {
				r.unicast(srvInfo(xid, madcap.OptScopeList, madcap.OptNestingState))
				return r.ack(madcap.TypeGetInfo).Nesting
			}
			srvEqual(t, "not known", ask(1).Present, false)
			local, org := scope.IPv4Local().ID(), scope.IPv4OrganizationLocal().ID()
			r.s.SetScopes(r.cfg.Scopes, nest(local, org))
			n := ask(2)
			srvEqual(t, "learned", n.Present && n.Value.Nests(0, 1), true)
			srvEqual(t, "the other way", n.Value.Nests(1, 0), false)
			r.s.SetScopes(r.cfg.Scopes, scope.NewNesting(local, org))
			srvEqual(t, "changed", ask(3).Value.Nests(0, 1), false)
		}},
		{id: "MADCAP-N2-4", run: func(t *testing.T, r *srvRig) {
			a, b, c := scope.IPv4Local().ID(), scope.IPv4OrganizationLocal().ID(), scope.IPv4Global().ID()
			n := nest(a, b, b, a)
			merged := scope.NewNesting(a, b, c)
			merged.Set(a, b, n.Of(a, b))
			merged.Set(b, a, n.Of(b, a))
			merged.Set(c, a, scope.No)
			r.s.SetScopes(r.cfg.Scopes, merged)
			r.unicast(srvInfo(1, madcap.OptScopeList, madcap.OptNestingState))
			m := r.ack(madcap.TypeGetInfo)
			at := make(map[netip.Addr]int)
			for i, z := range m.ScopeList.Value {
				at[z.Range.First()] = i
			}
			nests := func(x, y netip.Addr) bool { return m.Nesting.Value.Nests(at[x], at[y]) }
			srvEqual(t, "a in b", nests(a, b), true)
			srvEqual(t, "b in a", nests(b, a), true)
			srvEqual(t, "c in a, known not to", nests(c, a), false)
			srvEqual(t, "a in c, not known", nests(a, c), false)
		}},
		{id: "MADCAP-D-57", run: func(t *testing.T, r *srvRig) {
			a, b, c := scope.IPv4Local().ID(), scope.IPv4OrganizationLocal().ID(), scope.IPv4Global().ID()
			n := scope.NewNesting(a, b, c)
			n.Set(a, b, scope.Yes)
			n.Set(b, c, scope.Yes)
			r.s.SetScopes(r.cfg.Scopes, n)
			r.unicast(srvInfo(1, madcap.OptScopeList, madcap.OptNestingState))
			srvEqual(t, "follows", r.ack(madcap.TypeGetInfo).Nesting.Value.Nests(0, 2), true)
		}},
		{id: "MADCAP-D-43", run: func(t *testing.T, r *srvRig) {
			r.s.SetScopes(r.cfg.Scopes, nest(scope.IPv4Local().ID(), scope.IPv4Global().ID()))
			r.unicast(srvInfo(1, madcap.OptNestingState))
			m := r.ack(madcap.TypeGetInfo)
			srvEqual(t, "nesting", m.Nesting.Present || m.ScopeList.Present, false)
		}},
		{id: "MADCAP-N3.3-1", run: func(t *testing.T, r *srvRig) {
			r.s.SetScopes(r.cfg.Scopes, nest(scope.IPv4Local().ID(), scope.IPv4Global().ID()))
			for i, codes := range [][]madcap.OptionCode{{9, 17}, {17, 9}, {17, 12}, {9}} {
				r.unicast(srvInfo(uint32(i), codes...))
				sent := r.sends[0].Packet
				m := r.ack(madcap.TypeGetInfo)
				found := false // in the octets, as a receiver would drop it
				for code := range madcap.RawOptions(sent) {
					found = found || code == madcap.OptNestingState
				}
				srvEqual(t, "nesting", found, i < 2)
				srvEqual(t, "scope list", m.ScopeList.Present, i != 2)
			}
		}},
		{id: "MADCAP-N5-2", run: func(t *testing.T, r *srvRig) {
			// One scope of each family: each list has its own matrix.
			six := scope.IPv6(5)
			r.s.SetScopes(append(r.cfg.Scopes, six), nest(scope.IPv4Local().ID(), scope.IPv4Global().ID()))
			for i, family := range []madcap.AddrFamily{madcap.FamilyIPv4, madcap.FamilyIPv6} {
				m := srvInfo(uint32(i), madcap.OptScopeList, madcap.OptNestingState)
				m.Family = family
				r.unicast(m)
				m = r.ack(madcap.TypeGetInfo)
				srvEqual(t, "present", m.Nesting.Present, true)
				srvEqual(t, "count", m.Nesting.Value.Len(), len(m.ScopeList.Value))
			}
		}},
		{id: "MADCAP-D-8", run: func(t *testing.T, r *srvRig) {
			for i, typ := range []madcap.MessageType{typeRequest, madcap.TypeGetInfo, typeDiscover} {
				for j, family := range []madcap.AddrFamily{madcap.FamilyIPv6, 77} {
					m := srvMsg(typ, uint32(10*i+j))
					m.Family, m.Scope = family, netip.Addr{}
					if typ != madcap.TypeGetInfo && family == 77 {
						m.Unknown = []madcap.RawOption{{Code: madcap.OptMulticastScope, Value: []byte("far")}}
					} else if typ != madcap.TypeGetInfo {
						m.Scope = netip.MustParseAddr("ff15::")
					}
					r.unicast(m)
					if typ == typeDiscover {
						r.silent(madcap.IgnoredDiscover)
					} else {
						srvEqual(t, "family", r.nak(madcap.CodeNotCompleted, madcap.NoOption).Family, family)
					}
				}
			}
			r.asked()
			r.state("LEASED") // of the other family
			m := srvRenew(99)
			m.Family = madcap.FamilyIPv6
			r.unicast(m)
			r.nak(madcap.CodeNotCompleted, madcap.NoOption)
		}},
	})
}
