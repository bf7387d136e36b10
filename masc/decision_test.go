// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/masc"
)

// TestUpdatedOriginRole is Table 1, cell by cell, and what section 11.1 adds:
// MASC-11.1-1.
func TestUpdatedOriginRole(t *testing.T) {
	const no = masc.Role(9)
	table := [4][4]masc.Role{ // by role received, then by session
		{masc.Internal, masc.Parent, masc.Sibling, masc.Child},
		{masc.Child, masc.Sibling, no, no},
		{masc.Sibling, no, masc.Sibling, masc.Child},
		{masc.Parent, no, masc.Parent, no},
	}
	for received, row := range table {
		for session, want := range row {
			o := masc.Origin{Type: masc.Withdraw, Received: masc.Role(received), Session: masc.Role(session), Local: want == masc.Internal}
			got, err := masc.UpdatedOriginRole(o)
			if want == no && !errors.Is(err, masc.IllegalOriginRole) || want != no && (err != nil || got != want) {
				t.Errorf("%v over %v: %v, %v, want %v", o.Received, o.Session, got, err, want)
			}
		}
	}
	for _, tt := range []struct {
		id   string
		o    masc.Origin
		want masc.Role
	}{
		{"MASC-11.1-2 own by a sibling", masc.Origin{Type: masc.NewClaim, Received: masc.Sibling, Session: masc.Sibling, Local: true}, masc.Internal},
		{"MASC-11.1-2 own by a parent", masc.Origin{Type: masc.PrefixInUse, Received: masc.Child, Session: masc.Child, Local: true}, masc.Internal},
		{"MASC-11.1-3 own by a child", masc.Origin{Type: masc.PrefixManaged, Received: masc.Parent, Session: masc.Parent, Local: true}, masc.Internal},
		{"MASC-11.1-4 MASC-11.1-5 own denial by a child", masc.Origin{Type: masc.ClaimDenied, Received: masc.Parent, Session: masc.Parent, Children: true}, masc.Internal},
		{"MASC-11.1-4 denial of a stranger by a child", masc.Origin{Type: masc.ClaimDenied, Received: masc.Parent, Session: masc.Parent}, no},
		{"MASC-11.1-6 foreign by an internal peer", masc.Origin{Type: masc.PrefixInUse, Received: masc.Internal, Session: masc.Internal}, no},
		{"MASC-D-30 denial by an internal peer", masc.Origin{Type: masc.ClaimDenied, Received: masc.Internal, Session: masc.Internal}, masc.Internal},
		{"MASC-D-30 denial of an own claim by a sibling", masc.Origin{Type: masc.ClaimDenied, Received: masc.Internal, Session: masc.Sibling, Local: true}, masc.Sibling},
	} {
		t.Run(tt.id, func(t *testing.T) {
			got, err := masc.UpdatedOriginRole(tt.o)
			if tt.want == no && !errors.Is(err, masc.IllegalOriginRole) || tt.want != no && (err != nil || got != tt.want) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestRules(t *testing.T) {
	now := masc.Timestamp(sep9).Time()
	ip := netip.MustParseAddr
	c := claim(masc.NewClaim, "228.5.0.0/16")
	masked := func(addr, mask string) masc.Claim {
		return with(c, func(c *masc.Claim) { c.Prefix = masc.MaskedPrefix(ip(addr), ip(mask)) })
	}
	hint := func(typ masc.ClaimType) masc.Claim {
		return with(claim(typ, "228.0.0.0/16"), func(c *masc.Claim) { c.Prefix = masc.Hint(masc.FamilyIPv4, 22) })
	}
	old := func(typ masc.ClaimType) masc.Claim {
		return with(claim(typ, "228.5.0.0/16"), func(c *masc.Claim) { c.Timestamp -= 7200 })
	}
	strict := masc.DefaultRules()
	strict.MaxAge, strict.MinLifetime, strict.MaxLifetime = time.Hour, days2*time.Second, 40*day
	strict.MinHoldtime, strict.MinSize, strict.MaxSize = time.Minute, 16, 1<<20
	for _, tt := range []struct {
		id    string
		c     masc.Claim
		rules masc.Rules
		want  masc.Reason
	}{
		{"good", c, masc.DefaultRules(), 0},
		{"good, strict", c, strict, 0},
		{"MASC-D-20 not multicast", masked("10.0.0.0", "255.0.0.0"), masc.DefaultRules(), masc.InvalidAddress},
		{"MASC-8.3-4 host bits", masked("228.5.1.0", "255.255.0.0"), masc.DefaultRules(), masc.InvalidAddress},
		{"MASC-D-21 hint", hint(masc.NewClaim), masc.DefaultRules(), 0},
		{"MASC-D-21 denied hint", hint(masc.ClaimDenied), masc.DefaultRules(), 0},
		{"MASC-D-21 address 0 in use", hint(masc.PrefixInUse), masc.DefaultRules(), masc.InvalidAddress},
		{"MASC-D-21 address 0 managed", hint(masc.PrefixManaged), masc.DefaultRules(), masc.InvalidAddress},
		{"MASC-8.3-5 mask begins with 0", masked("228.0.0.0", "127.255.0.0"), masc.DefaultRules(), masc.InvalidMask},
		{"MASC-D-22 mask of 0", masked("0.0.0.0", "0.0.0.0"), masc.DefaultRules(), masc.InvalidMask},
		{"MASC-D-22 mask too short", masked("224.0.0.0", "224.0.0.0"), masc.DefaultRules(), masc.InvalidMask},
		{"MASC-8.3-6 holes", masked("228.0.5.0", "255.0.255.0"), masc.DefaultRules(), masc.NonContiguousMask},
		{"MASC-D-23 holes allowed", masked("228.0.5.0", "255.0.255.0"), masc.Rules{NonContiguous: true}, 0},
		{"MASC-D-22 holes in the first four bits", masked("208.0.0.0", "208.0.0.0"), masc.Rules{NonContiguous: true}, masc.InvalidMask},
		{"MASC-8.3-8 in use by a parent", with(claim(masc.PrefixInUse, "228.5.0.0/16"), func(c *masc.Claim) { c.Role = masc.Parent }), masc.DefaultRules(), masc.ClaimTypeError},
		{"MASC-D-31 denied by a child", with(claim(masc.ClaimDenied, "228.5.0.0/16"), func(c *masc.Claim) { c.Role = masc.Child }), masc.DefaultRules(), masc.ClaimTypeError},
		{"MASC-D-8 type before mask", with(masked("228.0.0.0", "127.255.0.0"), func(c *masc.Claim) { c.Role = masc.Parent }), masc.DefaultRules(), masc.ClaimTypeError},
		{"MASC-8.3-9 domain 0", with(c, func(c *masc.Claim) { c.Domain = masc.ID{} }), masc.DefaultRules(), masc.OriginDomainError},
		{"MASC-D-57 not the peer's domain", with(c, func(c *masc.Claim) { c.Domain = masc.NumberID(5) }), masc.DefaultRules(), masc.OriginDomainError},
		{"MASC-D-57 a denial names the claimant", with(claim(masc.ClaimDenied, "228.5.0.0/16"), func(c *masc.Claim) { c.Domain = masc.NumberID(5) }), masc.DefaultRules(), 0},
		{"MASC-8.3-10 node 0", with(c, func(c *masc.Claim) { c.Node = masc.ID{} }), masc.DefaultRules(), masc.OriginNodeError},
		{"MASC-8.3-14 too old", old(masc.NewClaim), strict, masc.TimestampTooOld},
		{"MASC-D-27 a held prefix is never too old", old(masc.PrefixInUse), strict, 0},
		{"MASC-D-27 too old is off", old(masc.NewClaim), masc.DefaultRules(), 0},
		{"MASC-8.3-15 too new", with(c, func(c *masc.Claim) { c.Timestamp += 86401 }), masc.DefaultRules(), masc.TimestampTooNew},
		{"MASC-D-27 a day ahead", with(c, func(c *masc.Claim) { c.Timestamp += 86400 }), masc.DefaultRules(), 0},
		{"MASC-8.3-11 short life", with(c, func(c *masc.Claim) { c.Lifetime = days2 - 1 }), strict, masc.LifetimeTooShort},
		{"MASC-8.3-12 long life", with(c, func(c *masc.Claim) { c.Lifetime = 41 * 86400 }), strict, masc.LifetimeTooLong},
		{"MASC-D-66 what is left counts", with(c, func(c *masc.Claim) {
			c.Type, c.Timestamp, c.Lifetime, c.Holdtime = masc.PrefixInUse, c.Timestamp-30*86400, 70*86400, 70*86400
		}), strict, 0},
		{"MASC-D-66 a Timestamp ahead counts as now", with(c, func(c *masc.Claim) { c.Timestamp, c.Lifetime = c.Timestamp+3600, 40*86400 }), strict, 0},
		{"MASC-8.3-16 small", with(c, func(c *masc.Claim) { c.Prefix = masc.MustPrefix("228.0.0.0/29") }), strict, masc.PrefixTooSmall},
		{"MASC-8.3-17 large", with(c, func(c *masc.Claim) { c.Prefix = masc.MustPrefix("228.0.0.0/11") }), strict, masc.PrefixTooLarge},
		{"MASC-8.3-22 short hold", with(c, func(c *masc.Claim) { c.Holdtime = 59 }), strict, masc.HoldtimeTooShort},
		{"MASC-8.3-23 long hold", with(c, func(c *masc.Claim) { c.Holdtime = 15768001 }), masc.DefaultRules(), masc.HoldtimeTooLong},
		{"MASC-D-67 odd hold", with(c, func(c *masc.Claim) { c.Holdtime = 12345 }), masc.DefaultRules(), 0},
	} {
		t.Run(tt.id, func(t *testing.T) {
			err := tt.rules.Check(now, masc.Parent, masc.NumberID(64501), tt.c)
			if tt.want == 0 && err != nil || tt.want != 0 && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestOpenRules(t *testing.T) {
	id := masc.NumberID
	leaf := masc.OpenRules{Domain: id(5), Node: id(55), Parents: []masc.ID{id(1), id(2)}, Family: masc.FamilyIPv4}
	as := func(r masc.OpenRules, role masc.Role, peer, parent uint64) masc.OpenRules {
		r.Role, r.PeerDomain, r.Parent = role, id(peer), id(parent)
		return r
	}
	top := masc.OpenRules{Domain: id(1), Node: id(11), Family: masc.FamilyIPv4}
	open := func(role masc.Role, domain, node, parent uint64) masc.Open {
		return masc.Open{Role: role, Domain: id(domain), Node: id(node), Parent: id(parent), HoldTime: 240 * time.Second}
	}
	hold := func(o masc.Open, d time.Duration) masc.Open { o.HoldTime = d; return o }
	u32 := func(v ...byte) []byte { // each as 4 octets
		var b []byte
		for _, x := range v {
			b = append(b, 0, 0, 0, x)
		}
		return b
	}
	known := as(leaf, masc.Child, 1, 0)
	known.PeerNode = id(11)
	long := as(leaf, masc.Child, 1, 0)
	long.MinHoldTime = time.Minute
	for _, tt := range []struct {
		id    string
		rules masc.OpenRules
		o     masc.Open
		want  masc.Reason
		data  []byte
	}{
		{"child accepts parent", as(leaf, masc.Child, 1, 0), open(masc.Parent, 1, 11, 0), 0, nil},
		{"MASC-7.2-16 MASC-D-10 parent field ignored", as(leaf, masc.Child, 1, 0), open(masc.Parent, 1, 11, 99), 0, nil},
		{"MASC-8.2-3 domain 0", as(leaf, masc.Child, 0, 0), open(masc.Parent, 0, 11, 0), masc.BadPeerDomain, nil},
		{"MASC-D-12 another domain", as(leaf, masc.Child, 1, 0), open(masc.Parent, 2, 11, 0), masc.BadPeerDomain, nil},
		{"MASC-D-12 external of own domain", as(leaf, masc.Child, 0, 0), open(masc.Parent, 5, 11, 0), masc.BadPeerDomain, nil},
		{"MASC-D-12 internal of another domain", as(leaf, masc.Internal, 0, 0), open(masc.Internal, 6, 11, 1), masc.BadPeerDomain, nil},
		{"MASC-8.2-4 node 0", as(leaf, masc.Child, 1, 0), open(masc.Parent, 1, 0, 0), masc.BadPeerNode, nil},
		{"MASC-D-13 own node", as(leaf, masc.Child, 1, 0), open(masc.Parent, 1, 55, 0), masc.BadPeerNode, nil},
		{"MASC-7.2-14 another node than configured", known, open(masc.Parent, 1, 12, 0), masc.BadPeerNode, nil},
		{"MASC-8.2-6 hold of 1 s", as(leaf, masc.Child, 1, 0), hold(open(masc.Parent, 1, 11, 0), time.Second), masc.UnacceptableHoldTime, nil},
		{"MASC-8.2-6 MASC-8.2-5 hold of 2 s", as(leaf, masc.Child, 1, 0), hold(open(masc.Parent, 1, 11, 0), 2*time.Second), masc.UnacceptableHoldTime, nil},
		{"MASC-7.2-9 hold of 3 s", as(leaf, masc.Child, 1, 0), hold(open(masc.Parent, 1, 11, 0), 3*time.Second), 0, nil},
		{"MASC-7.2-9 hold of 0", as(leaf, masc.Child, 1, 0), hold(open(masc.Parent, 1, 11, 0), 0), 0, nil},
		{"MASC-8.2-7 MASC-7.2-10 hold by policy", long, hold(open(masc.Parent, 1, 11, 0), 59*time.Second), masc.UnacceptableHoldTime, nil},
		{"MASC-8.2-10 child meets child", as(leaf, masc.Child, 1, 0), open(masc.Child, 1, 11, 0), masc.InconsistentRole, []byte{1}},
		{"MASC-8.2-10 sibling meets parent", as(leaf, masc.Sibling, 6, 1), open(masc.Parent, 6, 11, 1), masc.InconsistentRole, []byte{2}},
		{"MASC-8.2-9 internal, only the peer is top-level", as(leaf, masc.Internal, 5, 0), open(masc.Internal, 5, 11, 0), masc.InvalidParentConfiguration, u32(1, 2)},
		{"MASC-8.2-9 MASC-D-47 internal, only the node is top-level", as(top, masc.Internal, 1, 0), open(masc.Internal, 1, 12, 9), masc.InvalidParentConfiguration, u32(0)},
		{"MASC-D-11 internal, other parents", as(leaf, masc.Internal, 5, 0), open(masc.Internal, 5, 11, 7), 0, nil},
		{"sibling", as(leaf, masc.Sibling, 6, 2), open(masc.Sibling, 6, 11, 2), 0, nil},
		{"top-level sibling", as(top, masc.Sibling, 2, 0), open(masc.Sibling, 2, 12, 0), 0, nil},
		{"MASC-8.2-12 MASC-10.1-19 no common parent", as(leaf, masc.Sibling, 6, 2), open(masc.Sibling, 6, 11, 3), masc.NoCommonParent, u32(1, 2)},
		{"MASC-8.2-12 sibling is top-level", as(leaf, masc.Sibling, 6, 2), open(masc.Sibling, 6, 11, 0), masc.NoCommonParent, u32(1, 2)},
		{"MASC-8.2-12 node is top-level", as(top, masc.Sibling, 2, 0), open(masc.Sibling, 2, 12, 7), masc.NoCommonParent, u32(0)},
		{"MASC-8.2-11 MASC-D-10 own domain as parent", as(leaf, masc.Sibling, 6, 2), open(masc.Sibling, 6, 11, 5), masc.BadParentDomain, u32(5)},
		{"MASC-8.2-11 MASC-D-10 its own domain as parent", as(leaf, masc.Sibling, 6, 2), open(masc.Sibling, 6, 11, 6), masc.BadParentDomain, u32(6)},
		{"MASC-D-54 another common parent", as(leaf, masc.Sibling, 6, 2), open(masc.Sibling, 6, 11, 1), masc.BadParentDomain, u32(1)},
	} {
		t.Run(tt.id, func(t *testing.T) {
			err := tt.rules.Check(&tt.o)
			if tt.want == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *masc.Error
			if !errors.As(err, &e) || e.Err != tt.want || !bytes.Equal(e.Data, tt.data) {
				t.Fatalf("got %v %x, want %v", err, e.Data, tt.want)
			}
			if n, _ := e.Notification(); n.Stay {
				t.Error("stays")
			}
		})
	}
}

func TestKeepConnection(t *testing.T) {
	low, high := masc.NumberID(5), masc.NumberID(0x80000000)
	conn := func(s masc.State, initiated bool, remote masc.ID) masc.Conn {
		return masc.Conn{State: s, Initiated: initiated, Remote: remote, Parent: masc.NumberID(1)}
	}
	other := conn(masc.OpenConfirm, true, high)
	other.Parent = masc.NumberID(2)
	for _, tt := range []struct {
		id       string
		local    masc.ID
		old, new masc.Conn
		want     masc.Keep
	}{
		{"MASC-8.8-5 local lower", low, conn(masc.OpenConfirm, true, high), conn(masc.OpenConfirm, false, high), masc.KeepNew},
		{"MASC-8.8-6 MASC-8.8-4 local higher", high, conn(masc.OpenConfirm, true, low), conn(masc.OpenConfirm, false, low), masc.KeepOld},
		{"MASC-D-44 MASC-8.8-6 new by lower local", low, conn(masc.OpenConfirm, false, high), conn(masc.OpenConfirm, true, high), masc.KeepOld},
		{"MASC-D-44 new by higher local", high, conn(masc.OpenConfirm, false, low), conn(masc.OpenConfirm, true, low), masc.KeepNew},
		{"MASC-D-44 twice by the same side", low, conn(masc.OpenConfirm, false, high), conn(masc.OpenConfirm, false, high), masc.KeepOld},
		{"MASC-8.8-7 established stays", low, conn(masc.Established, true, high), conn(masc.OpenConfirm, false, high), masc.KeepOld},
		{"MASC-8.8-3 other node", low, conn(masc.OpenConfirm, true, masc.NumberID(6)), conn(masc.OpenConfirm, false, high), masc.KeepBoth},
		{"MASC-8.8-9 other parent", low, other, conn(masc.OpenConfirm, false, high), masc.KeepBoth},
		{"MASC-8.8-2 known in OpenSent", low, conn(masc.OpenSent, true, high), conn(masc.OpenConfirm, false, high), masc.KeepNew},
		{"MASC-8.8-1 unknown in OpenSent", low, conn(masc.OpenSent, true, masc.ID{}), conn(masc.OpenConfirm, false, high), masc.KeepBoth},
		{"MASC-8.8-10 Active", low, conn(masc.Active, true, high), conn(masc.OpenConfirm, false, high), masc.KeepBoth},
	} {
		t.Run(tt.id, func(t *testing.T) {
			if got := masc.KeepConnection(tt.local, tt.old, tt.new); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// TestSendStep is the table of section 11.8 by session, then by what the
// origin is and sends: 0 for what is not sent.
func TestSendStep(t *testing.T) {
	type row [6]int // PREFIX_IN_USE, CLAIM_DENIED, CLAIM_TO_EXPAND, NEW_CLAIM, PREFIX_MANAGED, WITHDRAW
	for _, tt := range []struct {
		id      string
		session masc.Role
		origin  masc.Role
		want    row
	}{
		{"MASC-11.8.1-1 MASC-11.8.1-3 own to a child", masc.Parent, masc.Internal, row{0, 3, 0, 0, 1, 1}},
		{"MASC-11.8.1-2 MASC-11.8.1-3 children's to a child", masc.Parent, masc.Child, row{2, 0, 2, 2, 0, 3}},
		{"siblings' to a child", masc.Parent, masc.Sibling, row{}},
		{"parents' to a child", masc.Parent, masc.Parent, row{}},
		{"MASC-11.8.2-1 MASC-11.8.2-3 the parent's to it", masc.Child, masc.Parent, row{0, 3, 0, 0, 1, 1}},
		{"MASC-11.8.2-2 MASC-11.8.2-3 own to the parent", masc.Child, masc.Internal, row{2, 0, 2, 2, 0, 3}},
		{"MASC-11.8.2-2 MASC-11.8.2-3 siblings' to the parent", masc.Child, masc.Sibling, row{2, 0, 2, 2, 0, 3}},
		{"children's to the parent", masc.Child, masc.Child, row{}},
		{"MASC-11.8.3-1 MASC-11.8.3-3 the parent's to a sibling", masc.Sibling, masc.Parent, row{0, 3, 0, 0, 1, 1}},
		{"MASC-11.8.3-2 MASC-11.8.3-3 own to a sibling", masc.Sibling, masc.Internal, row{2, 0, 2, 2, 0, 3}},
		{"MASC-11.8.4-1 MASC-11.8.4-3 parents' internally", masc.Internal, masc.Parent, row{0, 3, 0, 0, 1, 1}},
		{"MASC-11.8.4-2 MASC-D-53 own internally", masc.Internal, masc.Internal, row{2, 5, 2, 2, 2, 3}},
		{"MASC-11.8.4-2 MASC-11.8.4-3 siblings' internally", masc.Internal, masc.Sibling, row{2, 0, 2, 2, 0, 3}},
		{"MASC-11.8.4-4 MASC-11.8.4-5 children's internally", masc.Internal, masc.Child, row{4, 0, 4, 4, 0, 5}},
	} {
		t.Run(tt.id, func(t *testing.T) {
			for typ, want := range tt.want {
				c := with(claim(masc.ClaimType(typ), "228.0.0.0/16"), func(c *masc.Claim) { c.Role = tt.origin })
				if got := masc.SendStep(tt.session, c); got != want {
					t.Errorf("%v: step %d, want %d", c.Type, got, want)
				}
			}
		})
	}
	// MASC-11.8-1, MASC-11.8-2: within a domain what it has comes before what it
	// wants, and what it gives up last.
	order := []masc.ClaimType{masc.PrefixInUse, masc.ClaimToExpand, masc.NewClaim, masc.Withdraw}
	for i, a := range order {
		for _, b := range order[i+1:] {
			late := with(claim(a, "228.0.0.0/16"), func(c *masc.Claim) { c.Timestamp += 99 })
			if masc.SendOrder(masc.Sibling, late, claim(b, "228.0.0.0/16")) >= 0 {
				t.Errorf("%v after %v", a, b)
			}
		}
	}
}

func TestResolveClash(t *testing.T) {
	local := with(claim(masc.PrefixInUse, "228.5.0.0/16"), func(c *masc.Claim) { c.Deprecated = true })
	winner := with(claim(masc.PrefixInUse, "228.5.64.0/18"), func(c *masc.Claim) {
		c.Role, c.Domain, c.Node, c.Timestamp, c.Lifetime, c.Holdtime = masc.Sibling, masc.NumberID(9), node("192.0.2.99"), sep9-1, 77, 78
	})
	w, lost := masc.ResolveClash(winner, local) // MASC-12.4-9, MASC-D-34
	want := masc.Claim{Type: masc.Withdraw, Role: masc.Internal, Timestamp: sep9 - 1, Lifetime: 77, Holdtime: 78,
		Domain: local.Domain, Node: local.Node, Prefix: masc.MustPrefix("228.5.64.0/18")}
	if !lost || w != want {
		t.Errorf("got %v, want %v", w, want)
	}
	wide := winner
	wide.Prefix = masc.MustPrefix("228.4.0.0/14")
	if w, lost := masc.ResolveClash(wide, local); !lost || w.Prefix != local.Prefix { // MASC-D-34
		t.Errorf("got %v", w)
	}
	for id, r := range map[string]masc.Claim{
		"MASC-12.4-7 later":  with(winner, func(c *masc.Claim) { c.Timestamp = sep9 + 1 }),
		"MASC-D-24 tie":      with(winner, func(c *masc.Claim) { c.Timestamp, c.Node = sep9, local.Node }),
		"not in use":         with(winner, func(c *masc.Claim) { c.Type = masc.ClaimToExpand }),
		"the own domain":     with(winner, func(c *masc.Claim) { c.Domain = local.Domain }),
		"apart":              with(winner, func(c *masc.Claim) { c.Prefix = masc.MustPrefix("228.6.0.0/16") }),
		"MASC-12.4-7 higher": with(winner, func(c *masc.Claim) { c.Timestamp = sep9 }),
	} {
		if w, lost := masc.ResolveClash(r, local); lost {
			t.Errorf("%s: %v", id, w)
		}
	}
}

// TestDenial: MASC-11.4.3-5, MASC-D-49, MASC-7.3-19.
func TestDenial(t *testing.T) {
	c := with(claim(masc.NewClaim, "228.5.0.0/16"), func(c *masc.Claim) { c.Role = masc.Child })
	want := with(c, func(c *masc.Claim) { c.Type, c.Role, c.Lifetime = masc.ClaimDenied, masc.Internal, 1000 })
	if got := masc.Denial(c, sep9+1000, days2); got != want {
		t.Errorf("got %v", got)
	}
	if got := masc.Denial(c, sep9-1, days2); got.Lifetime != 0 {
		t.Errorf("ends before it begins: %v", got)
	}
	if got := masc.Denial(c, 1<<32-1, days2); got.Lifetime != c.Lifetime {
		t.Errorf("longer than claimed: %v", got)
	}
}
