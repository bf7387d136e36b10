// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/masc/masctest"
)

func twenty() masc.Update {
	var u masc.Update
	for i := range 20 {
		c := claim(masc.ClaimType(i%6), "228.0.0.0/16")
		c.Prefix = masc.PrefixOf(netip.PrefixFrom(netip.AddrFrom4([4]byte{228, byte(i)}), 16))
		u.Claims = append(u.Claims, c)
	}
	return u
}

func BenchmarkDecode(b *testing.B) {
	u := twenty()
	twenty, _ := u.MarshalBinary()
	for name, msg := range map[string][]byte{"open": packet(b, "open-ipv4-child"), "keepalive": packet(b, "keepalive"),
		"claim": packet(b, "new-claim"), "claim-ipv6": packet(b, "new-claim-ipv6"), "claims=20": twenty} {
		b.Run(name, func(b *testing.B) {
			var m masc.Message
			b.ReportAllocs()
			b.SetBytes(int64(len(msg)))
			for b.Loop() {
				if err := m.Decode(msg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	u := twenty()
	m := masc.Message{Type: masc.TypeUpdate, Update: u}
	buf := make([]byte, 0, masc.MaxMessage)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.AppendBinary(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompare(b *testing.B) {
	x, y := claim(masc.NewClaim, "228.0.0.0/16"), claim(masc.NewClaim, "228.0.0.0/17")
	y.Node = node("192.0.2.8")
	b.ReportAllocs()
	for b.Loop() {
		if masc.Compare(x, y) >= 0 || !masc.Collide(x, y) {
			b.Fatal("x wins")
		}
	}
}

// crowded returns a node that remembers n claims of siblings.
func crowded(b testing.TB, n int) *masc.Node {
	node, err := masc.NewNode(masc.NodeConfig{Domain: masc.NumberID(1), Node: masc.NumberID(1), Rand: rand.New(rand.NewPCG(1, 2)),
		Peers: []masc.Peer{{Role: masc.Sibling, Domain: masc.NumberID(2)}, {Role: masc.Sibling, Domain: masc.NumberID(3)}}}, masc.Snapshot{})
	if err != nil {
		b.Fatal(err)
	}
	node.PeerUp(masctest.Epoch, 0, masc.NumberID(2), masc.NumberID(2))
	for i := range n {
		if err := node.Receive(masctest.Epoch, 0, crowd(i)); err != nil {
			b.Fatal(err)
		}
	}
	for range node.Effects() {
	}
	return node
}

// crowd returns the i-th claim: four of each domain.
func crowd(i int) masc.Claim {
	return masc.Claim{Type: masc.PrefixInUse, Role: masc.Sibling, Timestamp: sep9 - 1000, Lifetime: 2592000, Holdtime: 2592000,
		Domain: masc.NumberID(uint64(100 + i/4)), Node: masc.NumberID(uint64(1000 + i)),
		Prefix: masc.PrefixOf(netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(228 + i>>20), byte(i >> 12), byte(i >> 4), byte(i << 4)}), 28))}
}

// BenchmarkReceive is what a claim costs a node that remembers so many: one
// prolongs a prefix that it knows, the other is known to the letter.
func BenchmarkReceive(b *testing.B) {
	for _, n := range []int{1e3, 1e4, 1e5} {
		order := rand.New(rand.NewPCG(3, 4)).Perm(n)
		b.Run(fmt.Sprintf("prolong/claims=%d", n), func(b *testing.B) {
			node := crowded(b, n)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c := crowd(order[i%n])
				c.Lifetime += masc.Seconds(1 + i/n)
				c.Holdtime = c.Lifetime
				if err := node.Receive(masctest.Epoch, 0, c); err != nil {
					b.Fatal(err)
				}
				for range node.Effects() {
				}
			}
		})
		b.Run(fmt.Sprintf("known/claims=%d", n), func(b *testing.B) {
			node := crowded(b, n)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := node.Receive(masctest.Epoch, 0, crowd(order[i%n])); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFreeBlocks(b *testing.B) {
	var taken []masc.Prefix
	for i := range 1000 {
		taken = append(taken, crowd(i).Prefix)
	}
	slices.SortFunc(taken, masc.Prefix.Compare)
	pool := masc.MustPrefix("228.0.0.0/6")
	b.ReportAllocs()
	for b.Loop() {
		masc.FreeBlocks(pool, taken)
	}
}
