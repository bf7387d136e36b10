// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"slices"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
	"pgregory.net/rapid"
)

// TestCodePoints: XCAST-15-1 (no silent default, a named preset) and XCAST-15-2.
func TestCodePoints(t *testing.T) {
	tests := []struct {
		name   string
		change func(*xcast.CodePoints)
		field  string // "" means valid
	}{
		{"XCAST-15-1/preset", func(c *xcast.CodePoints) {}, ""},
		{"XCAST-15-1/zero", func(c *xcast.CodePoints) { *c = xcast.CodePoints{} }, "ProtoXcast4"},
		{"XCAST-15-1/routing type 0", func(c *xcast.CodePoints) { c.RoutingType = 0 }, "RoutingType"},
		{"XCAST-15-2/other values", func(c *xcast.CodePoints) {
			*c = xcast.CodePoints{ProtoXcast4: 254, AllRouters4: addr("224.0.1.20"), AllRouters6: addr("ff05::114"), RoutingType: 254, PortsOption: 0x40, TunnelOption: 0x3e}
		}, ""},
		{"XCAST-15-2/ports 000", func(c *xcast.CodePoints) { c.PortsOption = 0x1d }, "PortsOption"},
		{"XCAST-15-2/ports 011", func(c *xcast.CodePoints) { c.PortsOption = 0x7e }, "PortsOption"},
		{"XCAST-15-2/ports 110", func(c *xcast.CodePoints) { c.PortsOption = 0xde }, "PortsOption"},
		{"XCAST-15-2/tunnel 01", func(c *xcast.CodePoints) { c.TunnelOption = 0x5d }, "TunnelOption"},
		{"XCAST-15-2/tunnel 10", func(c *xcast.CodePoints) { c.TunnelOption = 0x9e }, "TunnelOption"},
		{"XCAST-15-2/tunnel is padding", func(c *xcast.CodePoints) { c.TunnelOption = 1 }, "TunnelOption"},
		{"XCAST-15-2/equal options", func(c *xcast.CodePoints) { c.TunnelOption = c.PortsOption }, "TunnelOption"},
		{"XCAST-15-2/unicast 4", func(c *xcast.CodePoints) { c.AllRouters4 = addr("192.0.2.1") }, "AllRouters4"},
		{"XCAST-15-2/unicast 6", func(c *xcast.CodePoints) { c.AllRouters6 = addr("2001:db8::1") }, "AllRouters6"},
		{"XCAST-15-2/mapped", func(c *xcast.CodePoints) { c.AllRouters6 = addr("::ffff:224.0.0.254") }, "AllRouters6"},
		{"XCAST-15-2/families exchanged", func(c *xcast.CodePoints) { c.AllRouters4, c.AllRouters6 = c.AllRouters6, c.AllRouters4 }, "AllRouters4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := xcast.Experimental()
			tt.change(&c)
			err := c.Validate()
			if tt.field == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantReason(t, err, xcast.ErrCodePoints, 0)
			if got := err.(*xcast.Error).Field; got != tt.field {
				t.Errorf("field %s, want %s", got, tt.field)
			}
			if _, err := xcast.NewForwarder(xcast.Config{Code: c}); err == nil {
				t.Error("NewForwarder took them")
			}
		})
	}
}

// TestBitmap compares with a map of ints. XCAST-9.2.2-9.
func TestBitmap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		index := rapid.IntRange(0, 126)
		a, b := rapid.SliceOf(index).Draw(t, "a"), rapid.SliceOf(index).Draw(t, "b")
		var ma, mb xcast.Bitmap
		for _, i := range a {
			ma = ma.Or(xcast.Bit(i))
		}
		for _, i := range b {
			mb = mb.Or(xcast.Bit(i))
		}
		check := func(name string, m xcast.Bitmap, want func(i int) bool) {
			var all []int
			for i := -2; i < 130; i++ {
				if i >= 0 && i <= 126 && want(i) {
					all = append(all, i)
				}
				if m.Has(i) != (i >= 0 && i <= 126 && want(i)) {
					t.Fatalf("%s: Has(%d) = %v", name, i, m.Has(i))
				}
			}
			first := -1
			if len(all) > 0 {
				first = all[0]
			}
			if got := slices.Collect(m.All()); !slices.Equal(got, all) || m.Len() != len(all) || m.First() != first || m.IsEmpty() != (len(all) == 0) {
				t.Fatalf("%s: %v, Len %d, First %d, want %v", name, got, m.Len(), m.First(), all)
			}
		}
		inA, inB := func(i int) bool { return slices.Contains(a, i) }, func(i int) bool { return slices.Contains(b, i) }
		check("a", ma, inA)
		check("And", ma.And(mb), func(i int) bool { return inA(i) && inB(i) })
		check("Or", ma.Or(mb), func(i int) bool { return inA(i) || inB(i) })
		check("Minus", ma.Minus(mb), func(i int) bool { return inA(i) && !inB(i) })
		n := rapid.IntRange(-1, 127).Draw(t, "n")
		check("FirstN", xcast.FirstN(n), func(i int) bool { return i < n })
	})
	if got := xcast.Bit(0).Or(xcast.Bit(64)).String(); got != "{0 64}" {
		t.Error(got)
	}
	for _, i := range []int{-1, 127, 128, 1 << 30} {
		if !xcast.Bit(i).IsEmpty() {
			t.Errorf("Bit(%d) = %v", i, xcast.Bit(i))
		}
	}
	for i := range xcast.FirstN(100).All() {
		if i == 3 {
			break // All must stop when asked
		}
	}
}

// TestBitmapOnWire: XCAST-9.2.2-9 (octet i/8, mask 0x80 >> i mod 8) and
// XCAST-9.2.2-10 (49 destinations: 64 bits in both families).
func TestBitmapOnWire(t *testing.T) {
	for _, f := range []xcast.Family{xcast.Xcast4, xcast.Xcast6} {
		for _, n := range []int{1, 8, 9, 32, 33, 49, 64, 65, 96, 97, 125} {
			for i := range n {
				l := list(f, n, false, false)
				l.Active = xcast.Bit(i)
				at, unit := 12, 32
				h4, h6 := xcast.Header4{List: l}, xcast.Header6{Code: xcast.Experimental(), List: l}
				b, err := h4.AppendBinary(nil)
				if f == xcast.Xcast6 {
					at, unit = 24, 64
					b, err = h6.AppendBinary(nil)
				}
				if err != nil {
					t.Fatal(err)
				}
				width := (n + unit - 1) / unit * unit / 8
				want := make([]byte, width)
				want[i/8] = 0x80 >> (i % 8)
				if got := b[at : at+width]; !slices.Equal(got, want) {
					t.Fatalf("XCAST-9.2.2-9: %v n=%d i=%d: % x, want % x", f, n, i, got, want)
				}
				if n == 49 && width != 8 {
					t.Errorf("XCAST-9.2.2-10: %v: %d octets for 49 destinations", f, width)
				}
			}
		}
	}
}

// slowSum is RFC 1071 word by word.
func slowSum(b []byte) uint16 {
	var s uint32
	for i := 0; i < len(b); i += 2 {
		w := uint32(b[i]) << 8
		if i+1 < len(b) {
			w |= uint32(b[i+1])
		}
		s += w
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// TestChecksum compares the fast sum with the slow one and the delta with a
// full sum: XCAST-10.1-1, XCAST-9.2.2-15.
func TestChecksum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "b")
		if got, want := xcast.Checksum(b), ^slowSum(b); got != want {
			t.Fatalf("Checksum(% x) = %04x, want %04x", b, got, want)
		}
		if len(b) < 4 {
			return
		}
		from := rapid.IntRange(0, len(b)-2).Draw(t, "from") &^ 1
		to := rapid.IntRange(from, len(b)).Draw(t, "to")
		before := xcast.Checksum(b)
		old := slices.Clone(b[from:to])
		for i := from; i < to; i++ {
			b[i] = rapid.Byte().Draw(t, "new")
		}
		got, want := xcast.UpdateChecksum(before, old, b[from:to]), ^slowSum(b)
		if got != want && got^want != 0xffff { // the two zeros
			t.Fatalf("XCAST-10.1-1: delta %04x, want %04x", got, want)
		}
	})
	for n := range 200 { // every length, all ones and all zeros
		b := make([]byte, n)
		if got := xcast.Checksum(b); got != 0xffff {
			t.Errorf("zeros: %04x", got)
		}
		for i := range b {
			b[i] = 0xff
		}
		if got := xcast.Checksum(b); n > 0 && got != ^slowSum(b) {
			t.Errorf("ones, %d: %04x, want %04x", n, got, ^slowSum(b))
		}
	}
}

// TestCompareDSCP: XCAST-8.2-3.
func TestCompareDSCP(t *testing.T) {
	less := func(a, b xcast.DSCP) {
		t.Helper()
		if c, ok := xcast.CompareDSCP(a, b); !ok || c >= 0 {
			t.Errorf("XCAST-8.2-3: Compare(%d, %d) = %d, %v; want less", a, b, c, ok)
		}
		if c, ok := xcast.CompareDSCP(b, a); !ok || c <= 0 {
			t.Errorf("XCAST-8.2-3: Compare(%d, %d) = %d, %v; want more", b, a, c, ok)
		}
	}
	less(1, 0)
	for d := xcast.DSCP(2); d < 64; d++ {
		less(1, d)
		less(0, d)
	}
	for c := xcast.DSCP(8); c < 56; c += 8 {
		less(c, c+8)
	}
	less(8, 56)
	for class := xcast.DSCP(1); class <= 4; class++ {
		less(class<<3|6, class<<3|4) // AFx3 < AFx2
		less(class<<3|4, class<<3|2) // AFx2 < AFx1
		less(class<<3|6, class<<3|2)
	}
	comparable := 0
	for a := range xcast.DSCP(64) {
		for b := range xcast.DSCP(64) {
			if _, ok := xcast.CompareDSCP(a, b); ok {
				comparable++
			}
		}
	}
	// 64 equal; LE and DF with all others: 2 * (63 + 62); seven class
	// selectors: 42; four AF classes of three: 24.
	if want := 64 + 250 + 42 + 24; comparable != want {
		t.Errorf("XCAST-8.2-3: %d pairs can be compared, want %d", comparable, want)
	}
	for _, pair := range [][2]xcast.DSCP{{46, 10}, {10, 18}, {8, 10}, {44, 46}, {46, 48}, {63, 62}} {
		if _, ok := xcast.CompareDSCP(pair[0], pair[1]); ok {
			t.Errorf("XCAST-8.2-3: %d and %d were compared", pair[0], pair[1])
		}
	}
}

// TestSplitDSCP: XCAST-8.2-2 and property 8: incomparable codepoints are never
// together, and every destination went to the first part it could.
func TestSplitDSCP(t *testing.T) {
	of := []xcast.DSCP{46, 0, 34, 0, 36, 46, 10, 12}
	got := xcast.SplitDSCP(nil, xcast.FirstN(len(of)), func(i int) xcast.DSCP { return of[i] }, xcast.CompareDSCP)
	want := []xcast.Bitmap{
		xcast.Bit(0).Or(xcast.Bit(1)).Or(xcast.Bit(3)).Or(xcast.Bit(5)),
		xcast.Bit(2).Or(xcast.Bit(4)), xcast.Bit(6).Or(xcast.Bit(7)),
	}
	if !slices.Equal(got, want) {
		t.Errorf("XCAST-8.2-2: %v, want %v", got, want)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 127).Draw(t, "n")
		of := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 63), func(i int) xcast.DSCP { return xcast.DSCP(i) }), n, n).Draw(t, "dscps")
		parts := xcast.SplitDSCP(nil, xcast.FirstN(n), func(i int) xcast.DSCP { return of[i] }, xcast.CompareDSCP)
		var all xcast.Bitmap
		for k, part := range parts {
			if !all.And(part).IsEmpty() || part.IsEmpty() || k > 0 && part.First() < parts[k-1].First() {
				t.Fatalf("parts %v", parts)
			}
			all = all.Or(part)
			fits := func(i int, p xcast.Bitmap) bool {
				for j := range p.All() {
					if _, ok := xcast.CompareDSCP(of[i], of[j]); !ok && j < i {
						return false
					}
				}
				return true
			}
			for i := range part.All() {
				if !fits(i, part) {
					t.Fatalf("%d does not fit in %v", i, part)
				}
				for _, earlier := range parts[:k] {
					if fits(i, earlier.And(xcast.FirstN(i))) && earlier.First() < i {
						t.Fatalf("%d would fit in %v", i, earlier)
					}
				}
			}
		}
		if all != xcast.FirstN(n) {
			t.Fatalf("parts %v of %d", parts, n)
		}
	})
}

// TestPartition: XCAST-2-1, against a map. XCAST-2-3: one lookup each, in order.
func TestPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 127).Draw(t, "n")
		keys := rapid.SliceOfN(rapid.IntRange(-1, 5), n, n).Draw(t, "keys")
		set := xcast.Bitmap{}
		for i := range n {
			if rapid.Bool().Draw(t, "in") {
				set = set.Or(xcast.Bit(i))
			}
		}
		var asked []int
		groups, lost := xcast.Partition(nil, set, func(i int) (int, bool) { asked = append(asked, i); return keys[i], keys[i] >= 0 })
		want := map[int]xcast.Bitmap{}
		for i := range set.All() {
			want[keys[i]] = want[keys[i]].Or(xcast.Bit(i))
		}
		if !slices.Equal(asked, slices.Collect(set.All())) || lost != want[-1] {
			t.Fatalf("asked %v, lost %v", asked, lost)
		}
		delete(want, -1)
		for k, g := range groups {
			if want[g.Key] != g.Set || k > 0 && groups[k-1].Set.First() > g.Set.First() {
				t.Fatalf("groups %v, want %v", groups, want)
			}
		}
		if len(groups) != len(want) {
			t.Fatalf("groups %v, want %v", groups, want)
		}
	})
}
