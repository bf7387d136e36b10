// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// facts writes a classification as a line of its parts, for tables.
func facts(c Classification) string {
	s := []string{string(c.Kind)}
	add := func(name, value string) {
		if value != "" {
			s = append(s, name+"="+value)
		}
	}
	add("scope", c.Scope)
	add("malloc", c.MALLOC)
	if c.Scop >= 0 {
		add("scop", fmt.Sprintf("%X", c.Scop))
	}
	if c.Group != "" {
		add("flags", c.Flags.String())
	}
	if c.FF2 != 0 {
		add("ff2", fmt.Sprintf("%x", c.FF2))
	}
	if c.Offset >= 0 {
		add("offset", fmt.Sprintf("%d:%v", c.Offset, c.RelativeTo))
	}
	if c.Kind == GLOP {
		add("as", fmt.Sprint(c.AS))
	}
	if c.Unicast.IsValid() {
		add("unicast", c.Unicast.String())
	}
	if c.UnicastInvalid {
		add("unicast", "invalid")
	}
	if c.RP.IsValid() {
		add("rp", c.RP.String())
	}
	add("ssm", c.SSM)
	add("group", c.Group)
	add("dynamic", c.Dynamic)
	return strings.Join(s, " ")
}

type classifyRow struct{ id, addr, want string }

func checkRows(t *testing.T, rows []classifyRow) {
	for _, tc := range rows {
		t.Run(tc.id+" "+tc.addr, func(t *testing.T) {
			if got := facts(Classify(addr(tc.addr))); got != tc.want {
				t.Errorf("\n got %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestClassify4 checks the ends of every block and what is special in it.
func TestClassify4(t *testing.T) {
	const global = " scope=global malloc=global scop=E"
	checkRows(t, []classifyRow{
		{"SCOPE-LIB-9", "0.0.0.0", "not-multicast"},
		{"SCOPE-LIB-9", "223.255.255.255", "not-multicast"},
		{"SCOPE-LIB-9", "240.0.0.0", "not-multicast"},
		{"SCOPE-LIB-9", "255.255.255.255", "not-multicast"},
		{"SCOPE-LIB-9", "::ffff:239.255.0.1", "not-multicast"},
		{"SCOPE-1112-1", "224.0.0.0", "local-network-control scope=link-local malloc=link-local scop=2 dynamic=none"},
		{"SCOPE-1112-1", "224.0.0.1", "local-network-control scope=link-local malloc=link-local scop=2 dynamic=none"},
		{"SCOPE-5771-1 SCOPE-2365-1", "224.0.0.255", "local-network-control scope=link-local malloc=link-local scop=2 dynamic=none"},
		{"SCOPE-5771-2", "224.0.1.0", "internetwork-control" + global + " dynamic=none"},
		{"SCOPE-5771-2", "224.0.1.255", "internetwork-control" + global + " dynamic=none"},
		{"SCOPE-5771-3", "224.0.2.0", "ad-hoc-1" + global + " dynamic=none"},
		{"SCOPE-5771-3", "224.0.255.255", "ad-hoc-1" + global + " dynamic=none"},
		{"SCOPE-5771-4", "224.1.0.0", "reserved" + global + " dynamic=none"},
		{"SCOPE-5771-4", "224.1.255.255", "reserved" + global + " dynamic=none"},
		{"SCOPE-5771-5", "224.2.0.0", "sdp-sap" + global + " dynamic=none"},
		{"SCOPE-2365-2", "224.2.127.254", "sdp-sap" + global + " dynamic=none"},
		{"SCOPE-2365-2", "224.2.127.255", "sdp-sap" + global + " dynamic=none"},
		{"SCOPE-2365-2", "224.2.128.0", "sdp-sap" + global + " dynamic=sap"},
		{"SCOPE-5771-5", "224.2.255.255", "sdp-sap" + global + " dynamic=sap"},
		{"SCOPE-5771-3", "224.3.0.0", "ad-hoc-2" + global + " dynamic=none"},
		{"SCOPE-5771-3", "224.4.255.255", "ad-hoc-2" + global + " dynamic=none"},
		{"SCOPE-5771-6", "224.5.0.0", "reserved" + global + " dynamic=none"},
		{"SCOPE-5771-6", "231.255.255.255", "reserved" + global + " dynamic=none"},
		{"SCOPE-4607-2", "232.0.0.0", "ssm" + global + " ssm=null dynamic=none"},
		{"SCOPE-4607-2", "232.0.0.1", "ssm" + global + " ssm=iana dynamic=none"},
		{"SCOPE-4607-2", "232.0.0.255", "ssm" + global + " ssm=iana dynamic=none"},
		{"SCOPE-4607-3", "232.0.1.0", "ssm" + global + " ssm=host dynamic=ssm"},
		{"SCOPE-4607-1 SCOPE-5771-10", "232.255.255.255", "ssm" + global + " ssm=host dynamic=ssm"},
		{"SCOPE-LIB-5", "233.0.0.0", "glop" + global + " as=0 dynamic=none"},
		{"SCOPE-3180-1", "233.22.30.77", "glop" + global + " as=5662 dynamic=none"},
		{"SCOPE-5771-11", "233.251.255.255", "glop" + global + " as=64511 dynamic=none"},
		{"SCOPE-5771-7", "233.252.0.0", "ad-hoc-3" + global + " dynamic=none"},
		{"SCOPE-5771-7", "233.255.255.255", "ad-hoc-3" + global + " dynamic=none"},
		{"SCOPE-6034-3", "234.192.0.2", "unicast-prefix" + global + " unicast=192.0.2.0/24 dynamic=none"},
		{"SCOPE-6034-1 SCOPE-6034-3", "234.1.2.3", "unicast-prefix" + global + " unicast=1.2.3.0/24 dynamic=none"},
		{"SCOPE-LIB-6", "234.10.0.1", "unicast-prefix" + global + " unicast=10.0.1.0/24 unicast=invalid dynamic=none"},
		{"SCOPE-LIB-6", "234.0.0.0", "unicast-prefix" + global + " unicast=0.0.0.0/24 unicast=invalid dynamic=none"},
		{"SCOPE-LIB-6", "234.255.255.255", "unicast-prefix" + global + " unicast=255.255.255.0/24 unicast=invalid dynamic=none"},
		{"SCOPE-LIB-6 shared space", "234.100.64.1", "unicast-prefix" + global + " unicast=100.64.1.0/24 dynamic=none"},
		{"SCOPE-5771-6", "235.0.0.0", "reserved" + global + " dynamic=none"},
		{"SCOPE-LIB-3", "238.255.255.255", "reserved" + global + " dynamic=none"},
		{"SCOPE-2365-5 SCOPE-5771-8", "239.0.0.0", "admin-scoped scope=organization-expansion dynamic=none"},
		{"SCOPE-2365-5", "239.191.255.255", "admin-scoped scope=organization-expansion dynamic=none"},
		{"SCOPE-2365-4", "239.192.0.0", "admin-scoped scope=organization-local malloc=organization-local scop=8 dynamic=malloc"},
		{"SCOPE-2908-1", "239.195.254.255", "admin-scoped scope=organization-local malloc=organization-local scop=8 dynamic=malloc"},
		{"SCOPE-2908-1", "239.195.255.0", "admin-scoped scope=organization-local malloc=organization-local scop=8 offset=255:239.192.0.0/14 dynamic=none"},
		{"SCOPE-2365-7", "239.195.255.253", "admin-scoped scope=organization-local malloc=organization-local scop=8 offset=2:239.192.0.0/14 dynamic=none"},
		{"SCOPE-LIB-1", "239.196.0.0", "admin-scoped scope=admin-undefined dynamic=none"},
		{"SCOPE-LIB-1", "239.247.255.255", "admin-scoped scope=admin-undefined dynamic=none"},
		{"SCOPE-2908-5", "239.248.0.0", "admin-scoped scope=allocation-expansion dynamic=none"},
		{"SCOPE-2908-5", "239.250.255.255", "admin-scoped scope=allocation-expansion dynamic=none"},
		{"SCOPE-2908-4", "239.251.0.0", "admin-scoped scope=allocation malloc=allocation dynamic=malloc"},
		{"SCOPE-2908-4", "239.251.255.255", "admin-scoped scope=allocation malloc=allocation offset=0:239.251.0.0/16 dynamic=none"},
		{"SCOPE-LIB-1", "239.252.0.0", "admin-scoped scope=admin-undefined dynamic=none"},
		{"SCOPE-LIB-1", "239.252.255.255", "admin-scoped scope=admin-undefined dynamic=none"},
		{"SCOPE-2365-3", "239.253.0.0", "admin-scoped scope=local-expansion dynamic=none"},
		{"SCOPE-2365-3", "239.254.255.255", "admin-scoped scope=local-expansion dynamic=none"},
		{"SCOPE-2365-3", "239.255.0.0", "admin-scoped scope=local malloc=local scop=3 dynamic=malloc"},
		{"SCOPE-2365-8", "239.255.255.254", "admin-scoped scope=local malloc=local scop=3 offset=1:239.255.0.0/16 dynamic=none"},
	})
	if c := Classify(netip.Addr{}); c != Classify(addr("10.0.0.1")) {
		t.Errorf("SCOPE-LIB-9: the zero address is %v", c)
	}
	if Classify(addr("ff02::1%eth0")) != Classify(addr("ff02::1")) {
		t.Error("a zone changes the classification")
	}
}

// TestClassify6 checks the rules of the classification of IPv6, in order.
func TestClassify6(t *testing.T) {
	checkRows(t, []classifyRow{
		{"SCOPE-LIB-9", "::", "not-multicast"},
		{"SCOPE-LIB-9", "feff:ffff::1", "not-multicast"},
		// Rule 1.
		{"SCOPE-3956-1 R alone", "ff4e::8000:1", "invalid scope=global malloc=global scop=E flags=-R-- group=dynamic dynamic=none"},
		{"SCOPE-3956-1 R without P", "ff5e:140:2001:db8::8000:1", "invalid scope=global malloc=global scop=E flags=-R-T group=dynamic dynamic=none"},
		{"SCOPE-3956-1 R without T", "ff6e:140:2001:db8::8000:1", "invalid scope=global malloc=global scop=E flags=-RP- group=dynamic dynamic=none"},
		{"SCOPE-3956-3 plen 0", "ff7e:100:2001:db8::8000:1", "invalid scope=global malloc=global scop=E flags=-RPT group=dynamic dynamic=none"},
		{"SCOPE-3956-3 plen 65", "ff7e:141:2001:db8::8000:1", "invalid scope=global malloc=global scop=E flags=-RPT group=dynamic dynamic=none"},
		{"SCOPE-3956-4 RIID 0", "ff7e:40:2001:db8::8000:1", "invalid scope=global malloc=global scop=E flags=-RPT group=dynamic dynamic=none"},
		{"SCOPE-3956-5 link-local RP", "ff72:140:fe80::8000:1", "invalid scope=link-local malloc=link-local scop=2 flags=-RPT group=dynamic dynamic=none"},
		{"SCOPE-3956-5 RP in ::/16", "ff7e:140::8000:1", "invalid scope=global malloc=global scop=E flags=-RPT group=dynamic dynamic=none"},
		{"SCOPE-3956-5 multicast RP", "ff7e:140:ff0e::8000:1", "invalid scope=global malloc=global scop=E flags=-RPT group=dynamic dynamic=none"},
		// Rule 2.
		{"SCOPE-3956-3", "ff7e:0940:2001:db8:dead::ff00:1", "embedded-rp scope=global malloc=global scop=E flags=-RPT unicast=2001:db8:dead::/64 rp=2001:db8:dead::9 group=dynamic dynamic=malloc"},
		{"SCOPE-3956-3 plen 20 masks", "ff78:f14:2001:0fff:ffff::1", "embedded-rp scope=organization-local malloc=organization-local scop=8 flags=-RPT unicast=2001::/20 rp=2001::f group=permanent-address dynamic=none"},
		{"SCOPE-7371-4 SCOPE-7371-1", "fff5:0120:2001:db8::8000:1", "embedded-rp scope=site-local scop=5 flags=XRPT unicast=2001:db8::/32 rp=2001:db8::1 group=dynamic dynamic=malloc"},
		{"SCOPE-7371-2 ff2 is ignored", "ff7e:3120:2001:db8::8000:1", "embedded-rp scope=global malloc=global scop=E flags=-RPT ff2=3 unicast=2001:db8::/32 rp=2001:db8::1 group=dynamic dynamic=malloc"},
		// Rule 3.
		{"SCOPE-3306-1 P without T", "ff2e:30:2001:db8::8000:1", "invalid scope=global malloc=global scop=E flags=--P- group=dynamic dynamic=none"},
		// Rule 4.
		{"SCOPE-3306-4 SCOPE-4607-5", "ff3e::8000:0", "ssm scope=global malloc=global scop=E flags=--PT ssm=host group=dynamic dynamic=ssm"},
		{"SCOPE-4607-5", "ff35::ffff:ffff", "ssm scope=site-local scop=5 flags=--PT ssm=host group=dynamic dynamic=ssm"},
		{"SCOPE-4607-5", "ff3e::7fff:ffff", "ssm scope=global malloc=global scop=E flags=--PT ssm=iana group=permanent-group-id dynamic=none"},
		{"SCOPE-4607-5", "ff3e::4000:1", "ssm scope=global malloc=global scop=E flags=--PT ssm=iana group=permanent-group-id dynamic=none"},
		{"SCOPE-4607-5", "ff3e::4000:0", "ssm scope=global malloc=global scop=E flags=--PT ssm=null group=permanent-group-id dynamic=none"},
		{"SCOPE-4607-5", "ff3e::3fff:ffff", "ssm scope=global malloc=global scop=E flags=--PT ssm=invalid group=permanent-address dynamic=none"},
		{"SCOPE-4607-5", "ff3e::", "ssm scope=global malloc=global scop=E flags=--PT ssm=invalid group=zero dynamic=none"},
		{"SCOPE-4607-5", "ff3e:0:0:0:0:1:8000:1", "ssm scope=global malloc=global scop=E flags=--PT ssm=outside-96 group=dynamic dynamic=none"},
		{"SCOPE-7371-3", "ffbe::8000:1", "ssm scope=global malloc=global scop=E flags=X-PT ssm=host group=dynamic dynamic=ssm"},
		{"SCOPE-3956-2 RIID is ignored", "ff3e:f00::8000:1", "ssm scope=global malloc=global scop=E flags=--PT ssm=host group=dynamic dynamic=ssm"},
		{"SCOPE-LIB-10 scop F", "ff3f::8000:1", "ssm scope=reserved scop=F flags=--PT ssm=host group=dynamic dynamic=none"},
		// Rules 5, 6 and 7.
		{"SCOPE-4489-1", "ff32:ff:a12:34ff:fe56:7890:8000:1", "link-scoped scope=link-local malloc=link-local scop=2 flags=--PT group=dynamic dynamic=malloc"},
		{"SCOPE-LIB-10 plen 255, scop 3", "ff33:ff:a12:34ff:fe56:7890:8000:1", "invalid scope=realm-local malloc=local scop=3 flags=--PT group=dynamic dynamic=none"},
		{"SCOPE-3306-2", "ff3e:30:3ffe:ffff:1::8000:1", "unicast-prefix scope=global malloc=global scop=E flags=--PT unicast=3ffe:ffff:1::/48 group=dynamic dynamic=malloc"},
		{"SCOPE-3306-2 SCOPE-3307-3 masked", "ff38:20:2001:db8:ffff:ffff:4000:1", "unicast-prefix scope=organization-local malloc=organization-local scop=8 flags=--PT unicast=2001:db8::/32 group=permanent-group-id dynamic=none"},
		{"SCOPE-3306-2 plen 64", "ff3e:40:2001:db8::8000:1", "unicast-prefix scope=global malloc=global scop=E flags=--PT unicast=2001:db8::/64 group=dynamic dynamic=malloc"},
		{"SCOPE-3306-2 plen 65", "ff3e:41:2001:db8::8000:1", "invalid scope=global malloc=global scop=E flags=--PT group=dynamic dynamic=none"},
		// Rule 8.
		{"SCOPE-4291-2 SCOPE-3307-4", "ff1e::8000:0", "transient scope=global malloc=global scop=E flags=---T group=dynamic dynamic=malloc"},
		{"SCOPE-3307-4", "ff1e::7fff:ffff", "transient scope=global malloc=global scop=E flags=---T group=permanent-group-id dynamic=none"},
		{"SCOPE-4291-1 SCOPE-7371-1", "ff9e::8000:0", "transient scope=global malloc=global scop=E flags=X--T group=dynamic dynamic=malloc"},
		{"SCOPE-3307-1 T=0 is not dynamic", "ff0e::8000:0", "permanent scope=global malloc=global scop=E flags=---- group=dynamic dynamic=none"},
		// Rules 9, 10 and 11.
		{"SCOPE-4291-5", "ff0e::", "reserved scope=global malloc=global scop=E flags=---- group=zero dynamic=none"},
		{"SCOPE-4291-5", "ff0f::", "reserved scope=reserved scop=F flags=---- group=zero dynamic=none"},
		{"SCOPE-LIB-10 X does not matter", "ff8e::", "reserved scope=global malloc=global scop=E flags=X--- group=zero dynamic=none"},
		{"SCOPE-4291-5", "ff02::1:ff00:0", "solicited-node scope=link-local malloc=link-local scop=2 flags=---- group=dynamic dynamic=none"},
		{"SCOPE-4291-5", "ff02::1:ffff:ffff", "solicited-node scope=link-local malloc=link-local scop=2 flags=---- group=dynamic dynamic=none"},
		{"SCOPE-LIB-10 X must be 0", "ff82::1:ff00:1", "permanent scope=link-local malloc=link-local scop=2 flags=X--- group=dynamic dynamic=none"},
		{"SCOPE-LIB-10 another scop", "ff05::1:ff00:1", "permanent scope=site-local scop=5 flags=---- group=dynamic dynamic=none"},
		{"SCOPE-LIB-10 ff2 set", "ff02:1000::1:ff00:1", "permanent scope=link-local malloc=link-local scop=2 flags=---- ff2=1 group=dynamic dynamic=none"},
		{"SCOPE-2375-1", "ff0e::101", "permanent scope=global malloc=global scop=E flags=---- group=permanent-address dynamic=none"},
		{"SCOPE-2375-1", "ff02::1", "permanent scope=link-local malloc=link-local scop=2 flags=---- group=permanent-address dynamic=none"},
		{"SCOPE-2375-1 SCOPE-3307-2", "ff01::2:7ffe", "permanent scope=interface-local scop=1 flags=---- group=permanent-address dynamic=none"},
		// Scop 0 and F.
		{"SCOPE-4291-3", "ff30::8000:1", "reserved scope=reserved scop=0 flags=--PT group=dynamic dynamic=none"},
		{"SCOPE-4291-3", "ff70:140:2001:db8::8000:1", "reserved scope=reserved scop=0 flags=-RPT group=dynamic dynamic=none"},
		{"SCOPE-LIB-10 invalid stays invalid", "ff20::1", "invalid scope=reserved scop=0 flags=--P- group=permanent-address dynamic=none"},
		{"SCOPE-4291-3", "ff1f::8000:1", "transient scope=reserved scop=F flags=---T group=dynamic dynamic=none"},
		// The names of scop values.
		{"SCOPE-LIB-7 SCOPE-7346-1", "ff13::8000:1", "transient scope=realm-local malloc=local scop=3 flags=---T group=dynamic dynamic=malloc"},
		{"SCOPE-LIB-7", "ff14::8000:1", "transient scope=admin-local scop=4 flags=---T group=dynamic dynamic=malloc"},
		{"SCOPE-LIB-7 SCOPE-2908-6", "ff16::8000:1", "transient scope=unassigned malloc=allocation scop=6 flags=---T group=dynamic dynamic=malloc"},
		{"SCOPE-LIB-7", "ff17::8000:1", "transient scope=unassigned scop=7 flags=---T group=dynamic dynamic=malloc"},
		{"SCOPE-LIB-7", "ff1d::8000:1", "transient scope=unassigned scop=D flags=---T group=dynamic dynamic=malloc"},
		{"SCOPE-LIB-7", "ff18::8000:1", "transient scope=organization-local malloc=organization-local scop=8 flags=---T group=dynamic dynamic=malloc"},
		// Relative offsets.
		{"SCOPE-LIB-8", "ff03:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "permanent scope=realm-local malloc=local scop=3 flags=---- ff2=f offset=1:ff03::/16 group=dynamic dynamic=none"},
		{"SCOPE-LIB-8", "ff06:ffff:ffff:ffff:ffff:ffff:ffff:ff00", "permanent scope=unassigned malloc=allocation scop=6 flags=---- ff2=f offset=255:ff06::/16 group=dynamic dynamic=none"},
		{"SCOPE-LIB-8 one below", "ff06:ffff:ffff:ffff:ffff:ffff:ffff:feff", "permanent scope=unassigned malloc=allocation scop=6 flags=---- ff2=f group=dynamic dynamic=none"},
		{"SCOPE-LIB-8", "ff08:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "permanent scope=organization-local malloc=organization-local scop=8 flags=---- ff2=f offset=0:ff08::/16 group=dynamic dynamic=none"},
		{"SCOPE-LIB-8 not site-local", "ff05:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "permanent scope=site-local scop=5 flags=---- ff2=f group=dynamic dynamic=none"},
		{"SCOPE-LIB-8 flags 0000 only", "ff83:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "permanent scope=realm-local malloc=local scop=3 flags=X--- ff2=f group=dynamic dynamic=none"},
	})
}

// TestBlocks4 checks that the map of IPv4 has no gap and no overlap.
func TestBlocks4(t *testing.T) {
	next := uint32(0xe0000000)
	for _, b := range blocks4 {
		if b.first != next || b.last < b.first {
			t.Fatalf("block %v-%v does not follow", addr4(b.first), addr4(b.last))
		}
		next = b.last + 1
	}
	if next != 0xf0000000 {
		t.Fatalf("the map ends at %v", addr4(next))
	}
	if n := blocks4[2].last - blocks4[2].first + 1; n != 65024 {
		t.Fatalf("SCOPE-5771-3: AD-HOC I has %d addresses", n)
	}
}
