// SPDX-License-Identifier: BSD-3-Clause

package madcapcodec

import "testing"

// BenchmarkRows is Run for the benchmark tools.
func BenchmarkRows(b *testing.B) {
	for _, r := range rows() {
		for side, f := range map[string]func(){"ours": r.ours, "other": r.other} {
			b.Run(r.name+"/"+side, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
			})
		}
	}
}

// TestSizes sees that what is compared has the sizes that the rows' names say.
func TestSizes(t *testing.T) {
	for name, c := range map[string]struct {
		octets []byte
		want   int
	}{
		"IPv6": {newSubject(ack6(3, 8)).octets, 193}, "IPv4": {newSubject(ack4()).octets, 199}, "long": {newSubject(ack6(9, 19)).octets, 312},
		"DHCPv4": {newPeer4().octets, 312}, "DHCPv6": {newPeer6().octets, 192},
	} {
		if len(c.octets) != c.want {
			t.Errorf("%s has %d octets, want %d", name, len(c.octets), c.want)
		}
	}
}

// TestNoAllocs: no row of ours allocates.
func TestNoAllocs(t *testing.T) {
	for _, r := range rows() {
		if n := testing.AllocsPerRun(100, r.ours); n != 0 {
			t.Errorf("%s: %v allocations", r.name, n)
		}
	}
}
