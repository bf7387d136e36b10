// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestExplain checks what a reader must find in an explanation.
func TestExplain(t *testing.T) {
	for _, tc := range []struct {
		id, addr string
		says     []string // in the text
		better   bool     // whether something else is recommended
	}{
		{"good", "239.255.3.7", []string{"Local Scope, 239.255.0.0/16", "RFC 2365 section 6.1", "01-00-5e-7f-03-07", "MADCAP"}, false},
		{"good", "239.192.1.7", []string{"Organization Local Scope"}, false},
		{"good", "232.1.2.3", []string{"Source-Specific", "sending host alone, at random"}, false},
		{"good", "ff3e:30:2001:db8:1::8000:1", []string{"owns the unicast prefix 2001:db8:1::/48", "RFC 3306"}, false},
		{"SCOPE-5771-1", "224.0.0.5", []string{"no router forwards it", "Nobody but IANA"}, true},
		{"SCOPE-5771-5", "224.2.0.1", []string{"Session announcements use this block and nothing else may"}, true},
		{"SCOPE-5771-6", "230.0.0.1", []string{"applications must not use them"}, true},
		{"SCOPE-4607-4", "232.128.0.5", []string{"224.0.0.5, OSPF routers"}, true},
		{"SCOPE-4607-4", "239.0.0.1", []string{"224.0.0.1, all hosts of the link"}, true},
		{"SCOPE-2365-8", "239.255.255.254", []string{"offset 1 of 239.255.0.0/16: MADCAP servers"}, true},
		{"SCOPE-3180-1", "233.22.30.1", []string{"belongs to AS 5662", "RFC 3180"}, true},
		{"SCOPE-6034-3", "234.192.0.2", []string{"192.0.2.0/24"}, true},
		{"SCOPE-6034-4", "234.10.0.2", []string{"not globally unique: nobody owns it"}, true},
		{"SCOPE-3956-3", "ff7e:0140:2001:db8:dead::8000:1", []string{"rendezvous point is 2001:db8:dead::1"}, false},
		{"SCOPE-2464-1", "ff1e::ff00:1", []string{"ff02::1:ff00:1, neighbour discovery"}, true},
		{"SCOPE-3307-4", "ff1e::1", []string{"group IDs below 8000:0 are for permanent assignments", "ff02::1, all hosts"}, true},
		{"SCOPE-LIB-7", "ff13::8000:1", []string{"realm-local", "MALLOC scope local", "MADCAP and MZAP call scop 3 the Local Scope"}, false},
		{"SCOPE-4291-3", "ff10::8000:1", []string{"reserved"}, true},
		{"SCOPE-6308-1", "239.251.3.7", []string{"IANA never registered it", "RFC 6308 section 1"}, false},
		{"SCOPE-6308-2", "239.64.3.7", []string{"RFC 6308 section 2.2", "unless the network's administrators say otherwise"}, true},
		{"SCOPE-6308-3", "232.7.7.7", []string{"no allocation protocol is needed"}, false},
		{"SCOPE-6308-3", "ff3e::8000:7", []string{"no allocation protocol is needed"}, false},
		{"SCOPE-LIB-9", "10.0.0.1", []string{"not a multicast address"}, true},
	} {
		t.Run(tc.id+" "+tc.addr, func(t *testing.T) {
			e := Explain(addr(tc.addr))
			text := e.String()
			for _, s := range tc.says {
				if !strings.Contains(text, s) {
					t.Errorf("does not say %q:\n%s", s, text)
				}
			}
			if (e.Instead != "") != tc.better {
				t.Errorf("recommends %q", e.Instead)
			}
			data, err := json.Marshal(e)
			var back map[string]any
			if err != nil || json.Unmarshal(data, &back) != nil || back["title"] != e.Title {
				t.Errorf("JSON %s, %v", data, err)
			}
		})
	}
}

// TestExplainRange checks that a range is explained piece by piece, without a
// gap.
func TestExplainRange(t *testing.T) {
	for _, tc := range []struct {
		r    Range
		want []string
	}{
		{MustRange("239.254.255.255", "239.255.255.255"), []string{"239.254.255.255", "239.255.0.0-239.255.254.255", "239.255.255.0/24"}},
		{MustRange("231.0.0.0", "233.0.0.0"), []string{"231.0.0.0/8", "232.0.0.0", "232.0.0.1-232.0.0.255", "232.0.1.0-232.255.255.255", "233.0.0.0"}},
		{MustRange("223.255.255.255", "224.0.0.0"), []string{"223.255.255.255", "224.0.0.0"}},
		{MustRange("239.255.255.255", "255.255.255.255"), []string{"239.255.255.255", "240.0.0.0/4"}},
		{MustRange("::", "ff01::1"), []string{"::-feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff00::/16", "ff01::/127"}},
		{MustRange("fffe::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), []string{"fffe::/16", "ffff::/16"}},
		{Range{}, nil},
	} {
		var got []string
		for _, e := range ExplainRange(tc.r) {
			got = append(got, e.Range.String())
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%v: %v, want %v", tc.r, got, tc.want)
		}
	}
	// Inside a piece nothing changes but what belongs to the single address.
	for _, e := range ExplainRange(MustRange("0.0.0.0", "255.255.255.255")) {
		last := Classify(e.Range.Last())
		if last.Kind != e.Facts.Kind || last.Scope != e.Facts.Scope || last.SSM != e.Facts.SSM || last.Dynamic != e.Facts.Dynamic ||
			(last.Offset >= 0) != (e.Facts.Offset >= 0) {
			t.Errorf("%v begins with %s and ends with %s", e.Range, facts(e.Facts), facts(last))
		}
	}
	if n := len(ExplainRange(MustRange("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))); n != 257 {
		t.Errorf("IPv6 has %d pieces", n)
	}
}

// TestTexts checks that every classification finds its text.
func TestTexts(t *testing.T) {
	for key, text := range texts {
		if text.title == "" || text.meaning == "" || len(text.documents) == 0 {
			t.Errorf("%s: %+v", key, text)
		}
	}
	for _, b := range blocks4 {
		for _, n := range []uint32{b.first, b.last} {
			if e := Explain(addr4(n)); e.Title == "" {
				t.Errorf("%v has no text", addr4(n))
			}
		}
	}
}
