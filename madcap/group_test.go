// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

func TestServerGroup(t *testing.T) {
	for _, v := range []struct{ name, first, last, want string }{
		{"MADCAP-2.10-1/local", "239.255.0.0", "239.255.255.255", "239.255.255.254"},
		{"MADCAP-2.10-1/organization", "239.192.0.0", "239.195.255.255", "239.195.255.254"},
		{"MADCAP-2.10-1/IPv6", "ff15::", "ff15::ffff:ffff", "ff15::ffff:fffe"},
		{"MADCAP-2.10-1/borrow", "ff15::", "ff15::1:0", "ff15::ffff"},
		{"MADCAP-D-40", "ff03::", "ff03:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff03:ffff:ffff:ffff:ffff:ffff:ffff:fffe"},
		{"MADCAP-D-51", "224.0.1.0", "238.255.255.255", "238.255.255.254"},
		{"two addresses", "239.1.2.3", "239.1.2.4", "239.1.2.3"},
	} {
		t.Run(v.name, func(t *testing.T) {
			got, err := madcap.ServerGroup(scope.MustRange(v.first, v.last))
			if err != nil || got != ip(v.want) {
				t.Errorf("%v, %v, want %v", got, err, v.want)
			}
		})
	}
	t.Run("MADCAP-D-40/refused", func(t *testing.T) {
		for _, r := range []scope.Range{
			{}, scope.MustRange("239.1.2.3", "239.1.2.3"), scope.MustRange("10.0.0.0", "10.0.0.9"),
			scope.MustRange("223.255.255.0", "224.0.0.1"), scope.MustRange("239.255.255.0", "240.0.0.1"), scope.MustRange("2001:db8::", "2001:db8::9"),
		} {
			if a, err := madcap.ServerGroup(r); err == nil || a.IsValid() {
				t.Errorf("%v has the group %v", r, a)
			}
		}
		if _, err := madcap.ServerGroup(scope.MustRange("239.1.2.3", "239.1.2.3")); !errors.Is(err, scope.ErrTooSmall) {
			t.Errorf("error %v, want ErrTooSmall", err)
		}
	})
}

func TestDefaultServerGroup(t *testing.T) {
	for _, v := range []struct {
		name   string
		family madcap.AddrFamily
		scope  scope.Scope
	}{
		{"MADCAP-2.10-3/IPv4", madcap.FamilyIPv4, scope.IPv4Local()},
		{"MADCAP-2.11-3/IPv6", madcap.FamilyIPv6, scope.IPv6(3)},
	} {
		t.Run(v.name, func(t *testing.T) {
			want, err := madcap.ServerGroup(v.scope.Range)
			if got := madcap.DefaultServerGroup(v.family); err != nil || got != want {
				t.Errorf("%v, want %v (%v)", got, want, err)
			}
		})
	}
	if got := madcap.DefaultServerGroup(3); got != (netip.Addr{}) {
		t.Errorf("family 3 has %v", got)
	}
}
