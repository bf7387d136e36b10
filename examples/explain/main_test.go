// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	for _, tc := range []struct {
		name   string
		args   string
		in     string
		out    []string // must be in the output
		errs   string   // must be in the errors
		status int
	}{
		{"an address", "239.255.3.7", "", []string{"Local Scope, 239.255.0.0/16", "01-00-5e-7f-03-07"}, "", 0},
		{"a range", "239.255.0.0/16", "", []string{"239.255.0.0-239.255.254.255\n", "239.255.255.0/24\n", "scope-relative"}, "", 0},
		{"standard input", "", "# a comment\n\n ff02::1 \n232.0.0.0/8\n", []string{"ff02::1\n", "232.0.1.0-232.255.255.255\n"}, "", 0},
		{"one of two is bad", "239.1.1.1x ff0e::1", "", []string{"ff0e::1\n"}, `"239.1.1.1x"`, 1},
		{"reversed", "239.1.1.2-239.1.1.1", "", nil, "reversed", 1},
		{"a bad flag", "-xml 239.1.1.1", "", nil, "xml", 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out, errs strings.Builder
			if status := run(strings.Fields(tc.args), strings.NewReader(tc.in), &out, &errs); status != tc.status {
				t.Errorf("status %d, want %d", status, tc.status)
			}
			for _, s := range tc.out {
				if !strings.Contains(out.String(), s) {
					t.Errorf("no %q in\n%s", s, out.String())
				}
			}
			if !strings.Contains(errs.String(), tc.errs) || tc.errs == "" && errs.Len() > 0 {
				t.Errorf("errors %q", errs.String())
			}
		})
	}
}

func TestJSON(t *testing.T) {
	var out, errs strings.Builder
	if status := run([]string{"-json", "232.128.0.1", "ff3e::8000:1"}, nil, &out, &errs); status != 0 {
		t.Fatalf("status %d: %s", status, &errs)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	var e struct {
		Range  string
		Facts  struct{ Kind, Scope, SSM, Dynamic string }
		Shares []struct{ Addrs, Use string }
	}
	if err := json.Unmarshal([]byte(lines[0]), &e); err != nil {
		t.Fatal(err)
	}
	if e.Range != "232.128.0.1" || e.Facts.Kind != "ssm" || e.Facts.SSM != "host" || len(e.Shares) != 1 || e.Shares[0].Addrs != "224.0.0.1" {
		t.Fatalf("%+v", e)
	}
}
