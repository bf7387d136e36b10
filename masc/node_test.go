// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/masc/masctest"
)

// town drives one Node of domain 100, which has two parents, siblings under
// both, children and internal peers. Peers are named by what they are:
//
//	I1 I2   internal            P1 P2  nodes of parent 10    Q1  node of parent 20
//	S1 S2   siblings 300, 301 under 10                       T1  sibling 302 under 20
//	A1 A2   nodes of child 200  B1     node of child 201
type town struct {
	t     *testing.T
	n     *masc.Node
	now   time.Time
	names []string
	ids   map[string]masc.PeerID
	cfg   masc.NodeConfig
	alert []error
}

func newTown(t *testing.T, change func(*masc.NodeConfig)) *town {
	id := masc.NumberID
	w := &town{t: t, now: masctest.Epoch, ids: map[string]masc.PeerID{}}
	w.cfg = masc.NodeConfig{Domain: id(100), Node: id(1000), Parents: []masc.ID{id(10), id(20)}, Rand: rand.New(rand.NewPCG(1, 1))}
	for _, p := range []struct {
		name string
		p    masc.Peer
	}{
		{"I1", masc.Peer{Role: masc.Internal, Domain: id(100)}}, {"I2", masc.Peer{Role: masc.Internal, Domain: id(100)}},
		{"P1", masc.Peer{Role: masc.Child, Domain: id(10)}}, {"P2", masc.Peer{Role: masc.Child, Domain: id(10)}},
		{"Q1", masc.Peer{Role: masc.Child, Domain: id(20)}},
		{"S1", masc.Peer{Role: masc.Sibling, Domain: id(300), Parent: id(10)}}, {"S2", masc.Peer{Role: masc.Sibling, Domain: id(301), Parent: id(10)}},
		{"T1", masc.Peer{Role: masc.Sibling, Domain: id(302), Parent: id(20)}},
		{"A1", masc.Peer{Role: masc.Parent, Domain: id(200)}}, {"A2", masc.Peer{Role: masc.Parent, Domain: id(200)}},
		{"B1", masc.Peer{Role: masc.Parent, Domain: id(201)}},
	} {
		w.ids[p.name] = masc.PeerID(len(w.names))
		w.names = append(w.names, p.name)
		w.cfg.Peers = append(w.cfg.Peers, p.p)
	}
	if change != nil {
		change(&w.cfg)
	}
	w.boot(masc.Snapshot{})
	for i := range w.cfg.Peers {
		w.n.PeerUp(w.now, masc.PeerID(i), w.cfg.Peers[i].Domain, id(uint64(2000+i)))
	}
	w.did()
	return w
}

func (w *town) boot(s masc.Snapshot) {
	var err error
	if w.n, err = masc.NewNode(w.cfg, s); err != nil {
		w.t.Fatal(err)
	}
}

// settle gives parents, the domain itself, siblings and children a prefix
// each.
func (w *town) settle() *town {
	w.ok("P1", of(10, masc.PrefixManaged, masc.Internal, "228.10.0.0/16"))
	w.ok("Q1", of(20, masc.PrefixManaged, masc.Internal, "228.20.0.0/16"))
	w.ok("I1", of(100, masc.PrefixManaged, masc.Internal, "228.10.0.0/20"))
	w.ok("S1", of(300, masc.PrefixInUse, masc.Internal, "228.10.16.0/20"))
	w.ok("A1", of(200, masc.PrefixInUse, masc.Internal, "228.10.1.0/24"))
	w.did()
	return w
}

// of returns a claim of a domain, made at the epoch for 30 days.
func of(domain uint64, t masc.ClaimType, role masc.Role, prefix string) masc.Claim {
	c := claim(t, "228.0.0.0/16")
	c.Domain, c.Node, c.Role = masc.NumberID(domain), masc.NumberID(domain*10+1), role
	if prefix == "hint" {
		c.Prefix = masc.Hint(masc.FamilyIPv4, 22)
	} else {
		c.Prefix = masc.MustPrefix(prefix)
	}
	return c
}

func (w *town) ok(peer string, c masc.Claim) {
	w.t.Helper()
	if err := w.n.Receive(w.now, w.ids[peer], c); err != nil {
		w.t.Fatalf("%s: %v: %v", peer, c, err)
	}
}

// did returns what the node sent, one claim a line: to whom, the type, the role
// and the prefix.
func (w *town) did() string {
	var out []string
	for e := range w.n.Effects() {
		switch e := e.(type) {
		case *masc.Advertise:
			var to []string
			for _, p := range e.Peers {
				to = append(to, w.names[p])
			}
			out = append(out, fmt.Sprintf("%s: %v %v %v", strings.Join(to, " "), e.Claim.Type, e.Claim.Role, e.Claim.Prefix))
		case *masc.Alert:
			w.alert = append(w.alert, e.Err)
		}
	}
	return strings.Join(out, "\n")
}

func (w *town) wait(d time.Duration) string {
	end := w.now.Add(d)
	var out []string
	for {
		at, ok := w.n.Deadline()
		if !ok || at.After(end) {
			w.now = end
			return strings.Join(out, "\n")
		}
		if at.After(w.now) {
			w.now = at
		}
		w.n.Advance(w.now)
		if s := w.did(); s != "" {
			out = append(out, s)
		}
	}
}

// TestCells receives one claim in a settled town: the reason it is refused
// with, or what is sent on. The associations that fail are those of MASC-11-4,
// MASC-8.3-20 and MASC-8.3-21; MASC-D-29: what is known is known by its updated
// role.
func TestCells(t *testing.T) {
	const (
		inUse, denied, expand, newClaim, managed, withdraw = masc.PrefixInUse, masc.ClaimDenied, masc.ClaimToExpand, masc.NewClaim, masc.PrefixManaged, masc.Withdraw
		internal, child, sibling, parent                   = masc.Internal, masc.Child, masc.Sibling, masc.Parent
	)
	later := func(c masc.Claim) masc.Claim { c.Timestamp += 60; return c }
	life := func(c masc.Claim, s masc.Seconds) masc.Claim { c.Lifetime = s; return c }
	for _, tt := range []struct {
		id   string
		from string
		c    masc.Claim
		want masc.Reason
		sent string
	}{
		{"MASC-11.2.1-1 in use by a parent", "P1", of(10, inUse, internal, "228.10.32.0/20"), masc.IllegalOriginRole, ""},
		{"MASC-11.2.2-1 in use by a sibling, no parent", "S1", of(300, inUse, internal, "228.11.0.0/20"), masc.NoParentPrefix, ""},
		{"MASC-D-56 in use, of the other parent", "S1", of(300, inUse, internal, "228.20.0.0/20"), masc.NoParentPrefix, ""},
		{"MASC-11.2.2-4 MASC-D-37 MASC-4-10 MASC-11-3 in use by a sibling", "S1", of(300, inUse, internal, "228.10.32.0/20"), 0,
			"I1 I2 P1 P2 S2: PREFIX_IN_USE SIBLING 228.10.32.0/20"},
		{"MASC-4.4-2 in use under the other parent", "T1", of(302, inUse, internal, "228.20.0.0/20"), 0, "I1 I2 Q1: PREFIX_IN_USE SIBLING 228.20.0.0/20"},
		{"MASC-11.1-9 by a sibling's sibling", "S1", of(309, inUse, sibling, "228.10.32.0/20"), 0, "I1 I2 P1 P2 S2: PREFIX_IN_USE SIBLING 228.10.32.0/20"},
		{"MASC-11.1-9 by a parent's child", "P2", of(309, inUse, child, "228.10.32.0/20"), 0, "I1 I2 P1 S1 S2: PREFIX_IN_USE SIBLING 228.10.32.0/20"},
		{"MASC-11.2.3-1 in use by a child, not ours", "A1", of(200, inUse, internal, "228.10.16.0/24"), masc.NoParentPrefix, ""},
		{"MASC-11.2.3-2 MASC-4-7 in use by a child", "A1", of(200, inUse, internal, "228.10.2.0/24"), 0, "I1 I2 A2 B1: PREFIX_IN_USE CHILD 228.10.2.0/24"},
		{"MASC-11.2.4-2 MASC-D-35 in use by an internal peer", "I1", of(100, inUse, internal, "228.10.32.0/20"), 0,
			"P1 P2 S1 S2: PREFIX_IN_USE INTERNAL 228.10.32.0/20\nI2 A1 A2 B1: PREFIX_MANAGED INTERNAL 228.10.32.0/20"},
		{"MASC-11-2 own use by an internal peer", "I1", of(100, inUse, child, "228.10.2.0/24"), 0, "I2 A1 A2 B1: PREFIX_IN_USE CHILD 228.10.2.0/24"},

		{"MASC-11.3.1-1 denied by a sibling", "S1", of(300, denied, internal, "228.10.32.0/20"), masc.IllegalOriginRole, ""},
		{"MASC-11.3.2-1 denied by an internal peer", "I1", of(200, denied, internal, "228.10.2.0/24"), 0, "I2 A1 A2 B1: CLAIM_DENIED INTERNAL 228.10.2.0/24"},
		{"MASC-11.8.1-5 a hint denied by an internal peer", "I1", of(200, denied, internal, "hint"), 0, "I2 A1 A2: CLAIM_DENIED INTERNAL 0.0.0.0/22"},
		{"MASC-11.3.3-1 denied by a parent, not its prefix", "P1", of(300, denied, internal, "228.20.0.0/24"), masc.NoParentPrefix, ""},
		{"MASC-11.3.3-2 denied by a parent", "P1", of(300, denied, internal, "228.10.32.0/20"), 0, "I1 I2 P2 S1 S2: CLAIM_DENIED PARENT 228.10.32.0/20"},
		{"MASC-D-48 a hint of somebody else denied", "P1", of(300, denied, internal, "hint"), 0, ""},
		{"MASC-11.3.3-3 denied, but never claimed", "P1", of(100, denied, internal, "228.10.32.0/20"), masc.NoInternalPrefix, ""},

		{"MASC-11.4.1-1 MASC-D-31 expand by a parent", "P1", of(10, expand, internal, "228.10.32.0/20"), masc.IllegalOriginRole, ""},
		{"MASC-11.4.2-1 expand by a sibling, no parent", "S1", of(300, expand, internal, "228.11.0.0/20"), masc.NoParentPrefix, ""},
		{"MASC-11.4.2-2 expand by a sibling, of nothing", "S1", of(300, expand, internal, "228.10.32.0/20"), masc.NoSiblingPrefix, ""},
		{"MASC-11.4.2-4 expand by a sibling", "S1", of(300, expand, internal, "228.10.16.0/20"), 0, "I1 I2 P1 P2 S2: CLAIM_TO_EXPAND SIBLING 228.10.16.0/20"},
		{"MASC-11.4.3-1 expand by a child, not ours", "A1", of(200, expand, internal, "228.10.16.0/24"), masc.NoParentPrefix, ""},
		{"MASC-11.4.3-2 expand by a child, of nothing", "A1", of(200, expand, internal, "228.10.2.0/24"), masc.NoChildPrefix, ""},
		{"MASC-11.4.3-3 MASC-11.4.3-6 expand by a child", "A1", of(200, expand, internal, "228.10.0.0/23"), 0, "I1 I2 A2 B1: CLAIM_TO_EXPAND CHILD 228.10.0.0/23"},
		{"MASC-11.4.3-4 MASC-8.3-13 expand by a child for too long", "A1", life(of(200, expand, internal, "228.10.0.0/23"), 2592001), 0,
			"I1 I2: CLAIM_TO_EXPAND CHILD 228.10.0.0/23\nI1 I2 A1 A2: CLAIM_DENIED INTERNAL 228.10.0.0/23"},
		{"MASC-11.4.4-1 expand by an internal peer, no parent", "I1", of(100, expand, internal, "228.11.0.0/20"), masc.NoParentPrefix, ""},
		{"MASC-11.4.4-2 expand by an internal peer, of nothing", "I1", of(100, expand, internal, "228.10.48.0/20"), masc.NoInternalPrefix, ""},
		{"MASC-11.4.4-4 MASC-D-35 expand by an internal peer", "I1", of(100, expand, internal, "228.10.0.0/20"), 0,
			"I2 P1 P2 S1 S2: CLAIM_TO_EXPAND INTERNAL 228.10.0.0/20"},

		{"NEW_CLAIM by a parent", "P1", of(10, newClaim, internal, "228.10.32.0/20"), masc.IllegalOriginRole, ""},
		{"MASC-11.5-2 new by a sibling", "S1", of(300, newClaim, internal, "228.10.32.0/20"), 0, "I1 I2 P1 P2 S2: NEW_CLAIM SIBLING 228.10.32.0/20"},
		{"MASC-11.5-2 new by a child", "A1", of(200, newClaim, internal, "228.10.2.0/24"), 0, "I1 I2 A2 B1: NEW_CLAIM CHILD 228.10.2.0/24"},
		{"MASC-11.5-2 new by a child for too long", "A1", life(of(200, newClaim, internal, "228.10.2.0/24"), 2592001), 0,
			"I1 I2: NEW_CLAIM CHILD 228.10.2.0/24\nI1 I2 A1 A2: CLAIM_DENIED INTERNAL 228.10.2.0/24"},
		{"MASC-11.5-2 new by an internal peer", "I1", of(100, newClaim, internal, "228.20.0.0/24"), 0, "I2 Q1 T1: NEW_CLAIM INTERNAL 228.20.0.0/24"},
		{"MASC-11.5-1 MASC-11.8.1-4 hint of a child", "A1", of(200, newClaim, internal, "hint"), 0, "I1 I2 A2: NEW_CLAIM CHILD 0.0.0.0/22"},
		{"MASC-D-48 hint of an internal peer", "I1", of(100, newClaim, internal, "hint"), 0, "I2: NEW_CLAIM INTERNAL 0.0.0.0/22"},
		{"MASC-11.8.4-6 hint of a sibling", "S1", of(300, newClaim, internal, "hint"), 0, ""},

		{"MASC-11.6.1-2 MASC-4-8 managed by a parent", "P1", of(10, managed, internal, "228.12.0.0/16"), 0, "I1 I2 P2 S1 S2: PREFIX_MANAGED PARENT 228.12.0.0/16"},
		{"MASC-11.6.1-1 managed by a parent, by way of a sibling", "S1", of(10, managed, parent, "228.12.0.0/16"), 0, "I1 I2 P1 P2 S2: PREFIX_MANAGED PARENT 228.12.0.0/16"},
		{"MASC-D-38 managed by an unknown parent", "S1", of(11, managed, parent, "228.12.0.0/16"), masc.OriginDomainError, ""},
		{"MASC-D-38 managed by a parent an internal peer knows", "I1", of(11, managed, parent, "228.12.0.0/16"), 0, "I2: PREFIX_MANAGED PARENT 228.12.0.0/16"},
		{"MASC-11.6.2-1 managed by a sibling", "S1", of(300, managed, internal, "228.10.32.0/20"), masc.IllegalOriginRole, ""},
		{"MASC-11.6.3-2 MASC-11.6.3-3 MASC-D-35 managed by an internal peer", "I2", of(100, managed, internal, "228.20.0.0/20"), 0,
			"Q1 T1: PREFIX_IN_USE INTERNAL 228.20.0.0/20\nI1 A1 A2 B1: PREFIX_MANAGED INTERNAL 228.20.0.0/20"},

		{"MASC-11.7.1-1 withdrawn by a child, not its own", "A1", later(of(200, withdraw, internal, "228.10.2.0/24")), masc.NoChildPrefix, ""},
		{"MASC-11.7.1-2 withdrawn by a child", "A1", later(of(200, withdraw, internal, "228.10.1.0/25")), 0, "I1 I2 A2 B1: WITHDRAW CHILD 228.10.1.0/25"},
		{"MASC-11.7.2-1 withdrawn by a sibling, not its own", "S1", later(of(300, withdraw, internal, "228.10.32.0/20")), masc.NoSiblingPrefix, ""},
		{"MASC-11.7.2-1 withdrawn by a sibling, more than its own", "S1", later(of(300, withdraw, internal, "228.10.16.0/19")), masc.NoSiblingPrefix, ""},
		{"MASC-11.7.2-2 withdrawn by a sibling", "S1", later(of(300, withdraw, internal, "228.10.16.0/20")), 0, "I1 I2 P1 P2 S2: WITHDRAW SIBLING 228.10.16.0/20"},
		{"MASC-11.7.3-1 withdrawn by an internal peer, not ours", "I1", later(of(100, withdraw, internal, "228.10.32.0/20")), masc.NoInternalPrefix, ""},
		{"MASC-11.7.3-2 withdrawn by an internal peer", "I1", later(of(100, withdraw, internal, "228.10.8.0/21")), 0,
			"I2 P1 P2 S1 S2 A1 A2 B1: WITHDRAW INTERNAL 228.10.8.0/21"},
		{"MASC-11.7.4-1 withdrawn by a parent, not its own", "P1", later(of(10, withdraw, internal, "228.20.0.0/20")), masc.NoParentPrefix, ""},
		{"MASC-11.7.4-2 withdrawn by a parent", "P1", later(of(10, withdraw, internal, "228.10.64.0/20")), 0, "I1 I2 S1 S2: WITHDRAW PARENT 228.10.64.0/20"},
		{"MASC-11.7.4-3 withdrawn by a parent, ours too", "P1", later(of(10, withdraw, internal, "228.10.0.0/19")), 0,
			"I1 I2 S1 S2: WITHDRAW PARENT 228.10.0.0/19\nI1 I2 P1 P2 S1 S2 A1 A2 B1: WITHDRAW INTERNAL 228.10.0.0/20"},

		{"MASC-11.1-6 internal, but foreign", "I1", of(5, inUse, internal, "228.10.32.0/20"), masc.IllegalOriginRole, ""},
		{"MASC-8.3-19 child over a sibling session", "S1", of(5, inUse, child, "228.10.32.0/20"), masc.IllegalOriginRole, ""},
		{"MASC-11.1-7 over", "S1", func() masc.Claim {
			c := of(300, newClaim, internal, "228.10.32.0/20")
			c.Timestamp -= days2
			return c
		}(), 0, ""},
		{"MASC-11.1-8 known", "S1", of(300, inUse, internal, "228.10.16.0/20"), 0, ""},
		{"MASC-D-70 older than known", "S1", func() masc.Claim {
			c := of(300, inUse, internal, "228.10.16.0/20")
			c.Timestamp--
			return c
		}(), 0, ""},
		{"MASC-11.1-8 known by another way", "S2", of(300, inUse, sibling, "228.10.16.0/20"), 0, ""},
		{"MASC-D-70 a longer life is news", "S1", life(of(300, inUse, internal, "228.10.16.0/20"), 2592001), 0, "I1 I2 P1 P2 S2: PREFIX_IN_USE SIBLING 228.10.16.0/20"},
		{"MASC-11.1-2 own, by a sibling", "S1", of(100, inUse, sibling, "228.10.0.0/20"), 0, ""},
	} {
		t.Run(tt.id, func(t *testing.T) {
			w := newTown(t, nil).settle()
			err := w.n.Receive(w.now, w.ids[tt.from], tt.c)
			if tt.want == 0 && err != nil || tt.want != 0 && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if got := w.did(); got != tt.sent {
				t.Errorf("sent\n%s\nwant\n%s", got, tt.sent)
			}
		})
	}
}
