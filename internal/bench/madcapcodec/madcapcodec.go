// SPDX-License-Identifier: BSD-3-Clause

// Package madcapcodec measures the codec of package madcap beside those of two
// DHCP libraries and beside a floor: the least code that reads and writes the
// same octets. What counts is the ratio of two rows taken in the same moment,
// not their nanoseconds.
package madcapcodec

import (
	"iter"
	"strings"

	"github.com/mcastalloc/malloc/internal/bench/ratio"
)

// row is one comparison: ours against a peer or the floor.
type row struct {
	name        string
	ours, other func()
	target      float64 // the ratio ours : other must not exceed
}

// Rows measures and yields one row after the other.
func Rows() iter.Seq[ratio.Row] {
	return func(yield func(ratio.Row) bool) {
		for _, r := range rows() {
			what, peer, _ := strings.Cut(r.name, " : ")
			if !yield(ratio.Time(what, peer, r.target, ratio.Each(r.ours), ratio.Each(r.other))) {
				return
			}
		}
	}
}

// rows pairs what is to be compared, as the project's performance targets
// list it.
func rows() []row {
	v4, v6 := newPeer4(), newPeer6()
	six, four, long := newSubject(ack6(3, 8)), newSubject(ack4()), newSubject(ack6(9, 19))
	return []row{
		{"decode, IPv6 ACK of 193 octets : floor", six.decode, six.floorDecode, 1.8},
		{"decode, IPv6 ACK of 193 octets : gopacket DHCPv6, reused", six.decode, v6.gopacketDecode, 1.0},
		{"decode, IPv6 ACK of 193 octets : insomniacslk DHCPv6", six.decode, v6.decode, 0.03},
		{"decode, IPv4 ACK of 199 octets : floor", four.decode, four.floorDecode, 1.8},
		{"decode, IPv4 ACK of 199 octets : gopacket DHCPv6, reused", four.decode, v6.gopacketDecode, 1.0},
		{"decode, IPv4 ACK of 199 octets : insomniacslk DHCPv6", four.decode, v6.decode, 0.03},
		{"decode, IPv6 ACK of 312 octets : insomniacslk DHCPv4", long.decode, v4.decode, 0.04},
		{"the same, values read : insomniacslk DHCPv4, read", long.decodeAndRead, v4.decodeAndRead, 0.03},
		{"append, IPv6 ACK of 193 octets : floor", six.append, six.floorAppend, 2},
		{"append, IPv6 ACK of 193 octets : gopacket DHCPv6, reused", six.append, v6.gopacketAppend, 0.7},
		{"append, IPv6 ACK of 193 octets : insomniacslk DHCPv6", six.append, v6.append, 0.025},
		{"append, IPv4 ACK of 199 octets : floor", four.append, four.floorAppend, 2},
		{"append, IPv4 ACK of 199 octets : gopacket DHCPv6, reused", four.append, v6.gopacketAppend, 0.7},
		{"append, IPv4 ACK of 199 octets : insomniacslk DHCPv6", four.append, v6.append, 0.025},
		{"build and append : insomniacslk DHCPv4 New + ToBytes", six.buildAndAppend, v4.buildAndAppend, 0.012},
	}
}
