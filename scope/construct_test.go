// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"errors"
	"net/netip"
	"testing"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func checkPrefix(t *testing.T, p netip.Prefix, err error, want string, cause error) {
	t.Helper()
	var e *Error
	switch {
	case cause != nil && (!errors.Is(err, cause) || !errors.As(err, &e) || p.IsValid()):
		t.Fatalf("got %v, %v, want %v", p, err, cause)
	case cause == nil && (err != nil || p != prefix(want) || p != p.Masked()):
		t.Fatalf("got %v, %v, want %v", p, err, want)
	}
}

func TestGLOPPrefix(t *testing.T) {
	for _, tc := range []struct {
		id   string
		as   uint32
		want string
		err  error
	}{
		{"SCOPE-3180-1 example", 5662, "233.22.30.0/24", nil},
		{"SCOPE-LIB-5 lowest", 1, "233.0.1.0/24", nil},
		{"SCOPE-LIB-5 highest", 64511, "233.251.255.0/24", nil},
		{"SCOPE-LIB-5 zero", 0, "", ErrNoGLOP},
		{"SCOPE-5771-11 private", 64512, "", ErrNoGLOP},
		{"SCOPE-5771-11 private", 65535, "", ErrNoGLOP},
		{"SCOPE-3180-2 four octets", 65536, "", ErrNoGLOP},
		{"SCOPE-3180-2 four octets", 1<<32 - 1, "", ErrNoGLOP},
	} {
		t.Run(tc.id, func(t *testing.T) {
			p, err := GLOPPrefix(tc.as)
			checkPrefix(t, p, err, tc.want, tc.err)
			if err == nil && uint32(Classify(p.Addr()).AS) != tc.as {
				t.Fatal("classified as another AS")
			}
		})
	}
}

func TestUnicastPrefix4(t *testing.T) {
	for _, tc := range []struct {
		id, unicast, want string
		err               error
	}{
		{"SCOPE-6034-1", "192.0.2.0/24", "234.192.0.2/32", nil},
		{"SCOPE-6034-1 a /16", "128.9.0.0/16", "234.128.9.0/24", nil},
		{"SCOPE-LIB-11 host bits ignored", "128.9.77.5/16", "234.128.9.0/24", nil},
		{"SCOPE-LIB-6 shared space", "100.64.0.0/10", "234.100.64.0/18", nil},
		{"SCOPE-6034-2", "192.0.2.0/25", "", ErrTooLong},
		{"SCOPE-6034-2", "192.0.2.1/32", "", ErrTooLong},
		{"SCOPE-6034-4 private", "10.1.0.0/16", "", ErrNotGlobal},
		{"SCOPE-6034-4 loopback", "127.0.0.0/8", "", ErrNotGlobal},
		{"SCOPE-6034-4 link-local", "169.254.0.0/16", "", ErrNotGlobal},
		{"SCOPE-6034-4 private", "172.31.0.0/16", "", ErrNotGlobal},
		{"SCOPE-LIB-6 next to private", "172.32.0.0/16", "234.172.32.0/24", nil},
		{"SCOPE-6034-4 private", "192.168.1.0/24", "", ErrNotGlobal},
		{"SCOPE-6034-4 multicast", "239.0.0.0/8", "", ErrNotGlobal},
		{"SCOPE-LIB-6 class E", "240.0.0.0/8", "", ErrNotGlobal},
		{"SCOPE-LIB-6 overlaps 10/8", "8.0.0.0/6", "", ErrNotGlobal},
		{"SCOPE-LIB-6 everything", "0.0.0.0/0", "", ErrNotGlobal},
		{"IPv6", "2001:db8::/32", "", ErrInvalid},
	} {
		t.Run(tc.id, func(t *testing.T) {
			p, err := UnicastPrefix4(prefix(tc.unicast))
			checkPrefix(t, p, err, tc.want, tc.err)
		})
	}
	if _, err := UnicastPrefix4(netip.Prefix{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("zero prefix: %v", err)
	}
}

func TestUnicastPrefix6(t *testing.T) {
	for _, tc := range []struct {
		id, unicast string
		scop        uint8
		want        string
		err         error
	}{
		{"SCOPE-3306-2 example", "3ffe:ffff:1::/48", 14, "ff3e:30:3ffe:ffff:1::/96", nil},
		{"SCOPE-LIB-11 host bits ignored", "3ffe:ffff:1:2:3::9/48", 5, "ff35:30:3ffe:ffff:1::/96", nil},
		{"SCOPE-LIB-11 64 bits", "2001:db8:1:2::/64", 8, "ff38:40:2001:db8:1:2::/96", nil},
		{"SCOPE-LIB-11 no bits", "::/0", 8, "", ErrBadLength},
		{"SCOPE-LIB-11 65 bits", "2001:db8::/65", 8, "", ErrBadLength},
		{"SCOPE-LIB-11 scop 0", "2001:db8::/32", 0, "", ErrBadScop},
		{"SCOPE-LIB-11 scop 15", "2001:db8::/32", 15, "", ErrBadScop},
		{"SCOPE-LIB-11 scop 16", "2001:db8::/32", 16, "", ErrBadScop},
		{"SCOPE-LIB-11 multicast", "ff0e::/16", 14, "", ErrNotUnicast},
		{"SCOPE-3306-2 link-local in link-local", "fe80::/64", 2, "ff32:40:fe80::/96", nil},
		{"SCOPE-3306-2 link-local in more", "fe80::/64", 3, "", ErrScopeExceeded},
		{"SCOPE-3306-2 site-local in site-local", "fec0::/48", 5, "ff35:30:fec0::/96", nil},
		{"SCOPE-3306-2 site-local in more", "fec0::/48", 6, "", ErrScopeExceeded},
		{"SCOPE-LIB-11 unique local counts as global", "fd00::/8", 14, "ff3e:8:fd00::/96", nil},
		{"IPv4", "192.0.2.0/24", 14, "", ErrInvalid},
		{"v4-mapped", "::ffff:192.0.2.0/120", 14, "", ErrInvalid},
	} {
		t.Run(tc.id, func(t *testing.T) {
			p, ok := netip.Prefix{}, error(nil)
			if p, ok = netip.ParsePrefix(tc.unicast); ok != nil {
				p = netip.PrefixFrom(addr("::ffff:192.0.2.0"), 120)
			}
			q, err := UnicastPrefix6(p, tc.scop)
			checkPrefix(t, q, err, tc.want, tc.err)
			if err == nil {
				if c := Classify(q.Addr()); c.Kind != UnicastPrefix || c.Unicast != p.Masked() || c.Scop != int(tc.scop) {
					t.Fatalf("classified as %v", facts(c))
				}
			}
		})
	}
}

func TestEmbeddedRPPrefix(t *testing.T) {
	for _, tc := range []struct {
		id, unicast string
		riid, scop  uint8
		want        string
		err         error
	}{
		{"SCOPE-3956-3 example", "2001:db8:dead::/48", 9, 14, "ff7e:930:2001:db8:dead::/80", nil},
		{"SCOPE-LIB-11 64 bits", "2001:db8:beef:feed::/64", 15, 5, "ff75:f40:2001:db8:beef:feed::/96", nil},
		{"SCOPE-LIB-11 1 bit", "8000::/1", 1, 14, "ff7e:101:8000::/33", nil},
		{"SCOPE-LIB-11 no bits", "::/0", 1, 14, "", ErrBadLength},
		{"SCOPE-LIB-11 65 bits", "2001:db8::/65", 1, 14, "", ErrBadLength},
		{"SCOPE-3956-4", "2001:db8::/32", 0, 14, "", ErrBadRIID},
		{"SCOPE-LIB-11 RIID 16", "2001:db8::/32", 16, 14, "", ErrBadRIID},
		{"SCOPE-LIB-11 scop 0", "2001:db8::/32", 1, 0, "", ErrBadScop},
		{"SCOPE-LIB-11 scop 15", "2001:db8::/32", 1, 15, "", ErrBadScop},
		{"SCOPE-3956-5 link-local", "fe80::/64", 1, 2, "", ErrBadRP},
		{"SCOPE-3956-5 ::/16", "0:1::/32", 1, 14, "", ErrBadRP},
		{"SCOPE-3956-5 multicast", "ff00::/8", 1, 14, "", ErrBadRP},
	} {
		t.Run(tc.id, func(t *testing.T) {
			p, err := EmbeddedRPPrefix(prefix(tc.unicast), tc.riid, tc.scop)
			checkPrefix(t, p, err, tc.want, tc.err)
			if err != nil {
				return
			}
			rp := addrNumber(prefix(tc.unicast).Addr()).or(U128(uint64(tc.riid)))
			if c := Classify(p.Addr()); c.Kind != EmbeddedRP || addrNumber(c.RP) != rp || c.Unicast != prefix(tc.unicast) {
				t.Fatalf("classified as %v", facts(c))
			}
		})
	}
}

func TestSSMRange(t *testing.T) {
	if r := SSMRange4(); r != MustRange("232.0.1.0", "232.255.255.255") {
		t.Errorf("SCOPE-4607-3: %v", r)
	}
	for scop := range uint8(17) {
		r, err := SSMRange6(scop)
		if scop < 1 || scop > 14 {
			if !errors.Is(err, ErrBadScop) {
				t.Errorf("SCOPE-LIB-11: scop %d: %v, %v", scop, r, err)
			}
			continue
		}
		for _, a := range []netip.Addr{r.First(), r.Last()} {
			if c := Classify(a); err != nil || c.Dynamic != "ssm" || c.Scop != int(scop) {
				t.Errorf("SCOPE-LIB-11: scop %d: %v, %v", scop, r, err)
			}
		}
		if Classify(r.First().Prev()).Dynamic == "ssm" || r.Size() != U128(1<<31) {
			t.Errorf("SCOPE-4607-5: 31 bits are for the host: %v", r)
		}
	}
}
