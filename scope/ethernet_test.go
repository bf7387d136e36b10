// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"errors"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func TestEthernetOf(t *testing.T) {
	for _, tc := range []struct{ id, addr, want string }{
		{"SCOPE-1112-2", "224.0.0.1", "01-00-5e-00-00-01"},
		{"SCOPE-1112-2", "239.255.255.255", "01-00-5e-7f-ff-ff"},
		{"SCOPE-1112-2", "224.128.0.1", "01-00-5e-00-00-01"},
		{"SCOPE-2464-1", "ff02::9", "33-33-00-00-00-09"},
		{"SCOPE-2464-1", "ff32::8000:9", "33-33-80-00-00-09"},
		{"no multicast", "10.0.0.1", ""},
		{"no multicast", "2001:db8::1", ""},
		{"v4-mapped", "::ffff:224.0.0.1", ""},
	} {
		mac, ok := EthernetOf(addr(tc.addr))
		if ok != (tc.want != "") || ok && mac.String() != tc.want {
			t.Errorf("%s: %s is sent to %v, %v", tc.id, tc.addr, mac, ok)
		}
	}
	if mac, ok := EthernetOf(netip.Addr{}); ok {
		t.Errorf("the zero address is sent to %v", mac)
	}
}

func TestGroups4(t *testing.T) {
	mac, _ := EthernetOf(addr("239.1.2.3"))
	s := mac.Groups4()
	if s.Size() != U128(32) || s.Len() != 32 {
		t.Fatalf("SCOPE-1112-2: 32 groups for each MAC, not %v", s.Size())
	}
	for a := range s.Addrs() {
		if m, ok := EthernetOf(a); !ok || m != mac || !Collides(a, addr("224.1.2.3")) {
			t.Errorf("%v is sent to %v", a, m)
		}
	}
	for _, m := range []MAC{{}, {0x33, 0x33, 0, 0, 0, 1}, {1, 0, 0x5e, 0x80, 0, 1}} {
		if !m.Groups4().IsEmpty() {
			t.Errorf("%v has IPv4 groups", m)
		}
	}
}

func TestCollides(t *testing.T) {
	for _, tc := range []struct {
		id, a, b string
		want     bool
	}{
		{"SCOPE-4607-4", "232.0.0.1", "224.0.0.1", true},
		{"SCOPE-4607-4", "232.128.0.251", "224.0.0.251", true},
		{"itself", "232.0.0.1", "232.0.0.1", true},
		{"others", "232.0.0.1", "224.0.0.2", false},
		{"SCOPE-3307-5 dynamic and permanent", "ff1e::8000:1", "ff0e::1", false},
		{"IPv6", "ff1e::8000:1", "ff35:30:2001:db8::8000:1", true},
		{"families", "224.0.0.1", "ff02::1", false},
		{"unicast", "10.0.0.1", "10.0.0.1", false},
	} {
		if Collides(addr(tc.a), addr(tc.b)) != tc.want || Collides(addr(tc.b), addr(tc.a)) != tc.want {
			t.Errorf("%s: %s and %s: want %v", tc.id, tc.a, tc.b, tc.want)
		}
	}
}

// TestApart compares the arithmetic with asking every address of a small free
// set, placed so that it runs across multiples of 2^23 and 2^32.
func TestApart(t *testing.T) {
	bases := []netip.Addr{addr("239.127.255.224"), addr("223.255.255.240"), addr("ff3e::ffff:ffe0"), addr("feff:ffff:ffff:ffff:ffff:ffff:ffff:fff0")}
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom(bases).Draw(t, "base")
		free, m := drawSet(t, base, "free")
		// The used addresses lie elsewhere and collide with the free ones.
		bits := 32
		if base.Is4() {
			bits = 23
		}
		shift := U128(rapid.Uint64Range(0, 2).Draw(t, "shift")).shl(bits)
		start := addrNumber(base)
		if rapid.Bool().Draw(t, "up") && !start.Add(shift).Less(start) && (!base.Is4() || start.Lo+shift.Lo < 1<<32) {
			start = start.Add(shift)
		} else {
			start = start.Sub(shift)
		}
		used, _ := drawSet(t, numberAddr(start, base.Is4()), "used")
		apart, err := NewApart(free, used)
		if err != nil {
			t.Fatal(err)
		}
		var want []netip.Addr
		for i, f := range m {
			a := place(base, i)
			ok := f && a.IsMulticast()
			for u := range used.Addrs() {
				ok = ok && !Collides(a, u)
			}
			if ok {
				want = append(want, a)
			}
		}
		if apart.Count() != U128(uint64(len(want))) {
			t.Fatalf("free %v, used %v: %v, want %v", free, used, apart.Count(), want)
		}
		for i, w := range want {
			if a, ok := apart.At(U128(uint64(i))); !ok || a != w {
				t.Fatalf("free %v, used %v: at %d %v, want %v", free, used, i, a, w)
			}
		}
		if a, ok := apart.At(apart.Count()); ok {
			t.Fatalf("one too many: %v", a)
		}
	})
}

// TestApartLarge asks where nobody could count.
func TestApartLarge(t *testing.T) {
	free := MustSet("ff1e::/16")
	apart, err := NewApart(free, MustSet("ff02::1:0-ff02::1:ffff", "ff02::2"))
	if err != nil {
		t.Fatal(err)
	}
	values := uint64(1<<32 - 1<<16 - 1)
	want := U128(values).shl(80) // 2^80 times
	if apart.Count() != want {
		t.Fatalf("count %v, want %v", apart.Count(), want)
	}
	a, ok := apart.At(U128(values)) // the first of the second round
	if !ok || a != addr("ff1e::1:0:0") {
		t.Fatalf("second round begins with %v, %v", a, ok)
	}
	apart.Use(Single(a))
	if b, _ := apart.At(U128(0)); b != addr("ff1e::1") {
		t.Fatalf("after taking ...:0 the first is %v", b)
	}
	// Random picks that are marked never collide.
	seen := map[MAC]bool{}
	for i := range 2000 {
		a, ok := apart.At(divideBy(apart.Count(), uint64(i%7+1)))
		mac, _ := EthernetOf(a)
		if !ok || seen[mac] || mac == (MAC{0x33, 0x33, 0, 0, 0, 2}) {
			t.Fatalf("pick %d: %v, %v", i, a, ok)
		}
		seen[mac] = true
		apart.Use(Single(a))
	}
	apart.Use(MustRange("ff05::", "ff05::1:0:0:0"))
	if _, ok := apart.At(U128(0)); ok || !apart.Count().IsZero() {
		t.Fatal("all Ethernet addresses are used")
	}
	if _, err := NewApart(free, MustSet("239.0.0.1")); !errors.Is(err, ErrMixedFamilies) {
		t.Fatalf("mixed: %v", err)
	}
}

func divideBy(u Uint128, v uint64) Uint128 {
	q, _ := divide(u, v)
	if q == u {
		return U128(0)
	}
	return q
}
