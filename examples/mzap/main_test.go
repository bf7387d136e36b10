// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestLab: each sound network is found sound, each broken one is found out.
func TestLab(t *testing.T) {
	want := map[string][]string{
		"figure2":    {"h3 hears of: Large", "nothing is wrong"},
		"figure3a":   {"Two 239.2.0.0/16 (in One: yes)", "One 239.1.0.0/16 (in Two: no)", "nothing is wrong"},
		"figure3b":   {"Four 239.4.0.0/16 (in Three: yes)", "nothing is wrong"},
		"figure3c":   {"Five 239.5.0.0/16 (in Six: no)", "Six 239.6.0.0/16 (in Five: no)", "nothing is wrong"},
		"figure4":    {"D: non-convex zone (route)", "D: non-convex zone (silence)"},
		"figure5":    {"E: leaky boundary"},
		"far-leak":   {"right0: zones traveled limit exceeded"},
		"local-leak": {"leaky Local Scope"},
		"names":      {"conflicting names", `"Unknown"`},
		"ranges":     {"conflicting ranges", "239.130.0.0/17"},
	}
	for _, s := range scenarios {
		var out bytes.Buffer
		if err := run(t.Context(), []string{"lab", s.name}, &out); err != nil {
			t.Fatal(err)
		}
		for _, part := range append(want[s.name], s.about) {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%s does not print %q:\n%s", s.name, part, out.String())
			}
		}
		if sound := strings.HasPrefix(s.about, "sound"); sound == strings.Contains(out.String(), "FOUND") {
			t.Errorf("%s:\n%s", s.name, out.String())
		}
	}
}

// TestCommands: what the command line refuses, with the offending text.
func TestCommands(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "want a command"},
		{"sing", `"sing"`},
		{"lab figure9", `"figure9"`},
		{"listen -i nosuch0", `"nosuch0"`},
		{"announce", "-scope"},
		{"announce -scope 239.1.0.0/16", "range@interfaces"},
		{"announce -scope 239.1.0.0-@x", "239.1.0.0-"},
		{"announce -scope 239.1.0.0/16@nosuch0", `"nosuch0"`},
		{"announce -local nosuch0 -name en", `"en"`},
	} {
		err := run(t.Context(), strings.Fields(c.args), &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want something about %s", c.args, err, c.want)
		}
	}
}

// TestNamespaces runs figure 5 on real sockets in network namespaces, with the
// program that the environment variable MALLOC_NETNS names: build this package
// first, and be root. It takes 40 seconds.
func TestNamespaces(t *testing.T) {
	program := os.Getenv("MALLOC_NETNS")
	if program == "" {
		t.Skip("MALLOC_NETNS is not set")
	}
	var out bytes.Buffer
	if err := wirings["figure5"].run(t.Context(), program, &out); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"E: FOUND leaky boundary", "h: 239.130.0.0/16             Leaky"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %q in\n%s", part, out.String())
		}
	}
}
