// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRun runs small domains: all who ask are served, no address is granted twice,
// and the same seed gives the same figures.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	var first string
	for range 2 {
		csv, svg := filepath.Join(dir, "run.csv"), filepath.Join(dir, "run.svg")
		var out bytes.Buffer
		if err := run([]string{"-servers", "1,3,8", "-gap", "1m", "-pool", "4", "-csv", csv, "-svg", svg}, &out, io.Discard); err != nil {
			t.Fatal(err)
		}
		figures, err := os.ReadFile(csv)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(figures)), "\n")
		if len(lines) != 4 {
			t.Fatalf("%s", figures)
		}
		for _, l := range lines[1:] {
			f := strings.Split(l, ",")
			if f[1] != f[2] || f[3] != "0" || f[5] != "0" || f[1] == "0" {
				t.Errorf("asked, granted, failed, doubles: %s", l)
			}
		}
		if all := string(figures) + out.String(); first == "" {
			first = all
		} else if first != all {
			t.Errorf("two runs differ:\n%s\n%s", first, all)
		}
		plot, err := os.Open(svg)
		if err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(plot); err == nil; _, err = d.Token() {
		}
		if err != io.EOF {
			t.Error(err)
		}
		plot.Close()
	}
	for _, bad := range [][]string{{"-servers", "5,2"}, {"-servers", "x"}, {"-loss", "1"}, {"-space", "0"}, {"-pool", "-2"}, {"-nonsense"}} {
		if err := run(bad, io.Discard, io.Discard); err == nil {
			t.Error(bad, "is accepted")
		}
	}
}
