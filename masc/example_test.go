// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mcastalloc/malloc/masc"
)

// Two domains want overlapping prefixes. Who claimed first wins, however large
// the prefix of the other is.
func ExampleCompare() {
	first := masc.Claim{Type: masc.NewClaim, Role: masc.Sibling, Timestamp: 968457600, Domain: masc.NumberID(64501),
		Node: masc.NumberID(7), Prefix: masc.MustPrefix("229.1.128.0/17")}
	second := first
	second.Timestamp++
	second.Domain, second.Node, second.Prefix = masc.NumberID(64502), masc.NumberID(3), masc.MustPrefix("229.1.0.0/16")

	fmt.Println("collide:", masc.Collide(first, second))
	fmt.Println("the first wins:", masc.Compare(first, second) < 0)
	second.Type = masc.PrefixInUse
	fmt.Println("against a prefix in use:", masc.Compare(first, second) < 0)
	// Output:
	// collide: true
	// the first wins: true
	// against a prefix in use: false
}

// A claim on the wire, and what is answered to one that is broken.
func ExampleMessage() {
	m := masc.Message{Type: masc.TypeUpdate, Update: masc.Update{Claims: []masc.Claim{{
		Type: masc.NewClaim, Timestamp: 968457600, Lifetime: 2592000, Holdtime: 172800,
		Domain: masc.NumberID(64501), Node: masc.NumberID(7), Prefix: masc.MustPrefix("228.5.0.0/16")}}}}
	b, err := m.AppendBinary(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(b), "octets")

	var got masc.Message
	if err := got.Decode(b); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.Update.Claims[0])

	b[2] = 9 // no type of message
	fmt.Println(got.Decode(b))
	// Output:
	// 40 octets
	// NEW_CLAIM 228.5.0.0/16 by 64501/7 (INTERNAL) at 2000-09-09T00:00:00Z for 720h0m0s, hold 48h0m0s
	// masc: Bad Message Type (1/2): type 9 (at octet 2)
}

// Two sibling domains open a session: each machine says what to write, and the
// driver carries it over. Here the network is a variable.
func ExampleSession() {
	now := time.Date(2000, 9, 9, 0, 0, 0, 0, time.UTC)
	var ends [2]*masc.Session
	for i := range ends {
		local, remote := masc.NumberID(uint64(64501+i)), masc.NumberID(uint64(64502-i))
		var err error
		ends[i], err = masc.NewSession(masc.SessionConfig{OpenRules: masc.OpenRules{
			Role: masc.Sibling, Domain: local, Node: local, PeerDomain: remote, Family: masc.FamilyIPv4}})
		if err != nil {
			fmt.Println(err)
			return
		}
		ends[i].Start(now)
	}
	for i, s := range ends {
		s.Connected(now, i == 0)
	}
	for range 3 { // OPEN, KEEPALIVE, and that is it
		for i, s := range ends {
			for e := range s.Effects() {
				switch e := e.(type) {
				case *masc.Write:
					ends[1-i].Receive(now, e.Packet)
				case *masc.Up:
					fmt.Println("session with domain", e.Open.Domain, "is", s.State())
				}
			}
		}
	}
	// Output:
	// session with domain 64502 is Established
	// session with domain 64501 is Established
}

// A top-level domain needs 1000 addresses: its node claims a prefix, and when
// nobody has objected for the waiting period the domain may use it.
func ExampleNode() {
	now := time.Date(2000, 9, 9, 0, 0, 0, 0, time.UTC)
	n, err := masc.NewNode(masc.NodeConfig{
		Domain: masc.NumberID(64500), Node: masc.NumberID(1), Rand: rand.New(rand.NewPCG(1, 2)),
		Spaces: []masc.Space{{Prefix: masc.MustPrefix("228.0.0.0/20"), TopLevel: true}},
		Peers:  []masc.Peer{{Role: masc.Sibling, Domain: masc.NumberID(64501)}},
	}, masc.Snapshot{})
	if err != nil {
		fmt.Println(err)
		return
	}
	n.PeerUp(now, 0, masc.NumberID(64501), masc.NumberID(2))
	n.SetDemand(now, 0, masc.Demand{Want: 1000})
	for range 3 {
		for e := range n.Effects() {
			switch e := e.(type) {
			case *masc.Persist: // store n.Snapshot()
			case *masc.Advertise: // send it to e.Peers
				fmt.Println("send", e.Claim.Type, e.Claim.Prefix)
			case *masc.Allotted:
				for _, a := range n.Allotments(now) {
					fmt.Println("use", a.Prefix, "for", a.End.Sub(now).Round(time.Hour))
				}
			}
		}
		now, _ = n.Deadline()
		n.Advance(now)
	}
	// Output:
	// send NEW_CLAIM 228.0.0.0/22
	// send PREFIX_IN_USE 228.0.0.0/22
	// use 228.0.0.0/22 for 672h0m0s
}
