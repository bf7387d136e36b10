// SPDX-License-Identifier: BSD-3-Clause

// Package madcapcodec measures the codec of package madcap beside those of two
// DHCP libraries and beside a floor: the least code that reads and writes the
// same octets. What counts is the ratio of two rows taken in the same moment,
// not their nanoseconds.
package madcapcodec

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"time"
)

// row is one comparison: ours against a peer or the floor.
type row struct {
	name        string
	ours, other func()
	target      float64 // the ratio ours : other must not exceed
}

// Run measures every row in passes and prints the median ratio, with the
// middle half of the passes in brackets.
func Run(w io.Writer) {
	const passes = 12
	fmt.Fprintf(w, "%-58s %8s %8s   %-26s %s\n", "MADCAP codec : other", "ns", "ns", "ratio", "target")
	for _, r := range rows() {
		var ratios, ours, others []float64
		for range passes {
			a, b := nanoseconds(r.ours), nanoseconds(r.other)
			ratios, ours, others = append(ratios, a/b), append(ours, a), append(others, b)
		}
		for _, s := range [][]float64{ratios, ours, others} {
			slices.Sort(s)
		}
		verdict := "met"
		if ratios[passes/2] > r.target {
			verdict = "missed"
		}
		fmt.Fprintf(w, "%-58s %8.1f %8.1f   %-8.3g (%.3g-%.3g) %*s <= %-6g %s\n", r.name, ours[passes/2], others[passes/2],
			ratios[passes/2], ratios[passes/4], ratios[passes*3/4], 2, "", r.target, verdict)
		if n := testing.AllocsPerRun(100, r.ours); n != 0 {
			fmt.Fprintf(w, "%-58s %v allocations where there must be none\n", r.name, n)
		}
	}
}

// nanoseconds returns what one call of f takes, over about three milliseconds.
func nanoseconds(f func()) float64 {
	const slice = 3 * time.Millisecond
	for n := 64; ; n *= 2 {
		start := time.Now()
		for range n {
			f()
		}
		if took := time.Since(start); took >= slice {
			return float64(took.Nanoseconds()) / float64(n)
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
