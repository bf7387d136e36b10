// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDemo runs the demonstration, a little faster: both children claim the
// same prefix, one loses, and both get one in the end.
func TestDemo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.12:0")
	if err != nil {
		t.Skip("no second loopback address:", err)
	}
	l.Close()
	b, err := os.ReadFile("demo.json")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(`"stop": "20s"`, `"stop": "1m"`, `"3s"`, `"2s"`, `"8s"`, `"5s"`, ":2587", ":22587").Replace(string(b))
	file := filepath.Join(t.TempDir(), "demo.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	out := &until{stop: stop}
	if err := run(ctx, file, out); err != nil {
		t.Fatal(err)
	}
	for _, node := range []string{"left", "right"} {
		if !out.used[node] {
			t.Errorf("%s got nothing:\n%s", node, &out.all)
		}
	}
	if len(out.prefixes) != 2 {
		t.Errorf("prefixes %v:\n%s", out.prefixes, &out.all)
	}
	t.Logf("%s", &out.all)
}

// until collects what the nodes print, until both children may use something.
type until struct {
	all      bytes.Buffer
	used     map[string]bool
	prefixes map[string]bool
	stop     func()
}

// Write implements io.Writer; the printer calls it with its lock held.
func (u *until) Write(b []byte) (int, error) {
	if u.used == nil {
		u.used, u.prefixes = map[string]bool{}, map[string]bool{}
	}
	u.all.Write(b)
	f := strings.Fields(string(b))
	if len(f) > 4 && f[2] == "may" && f[1] != "parent" {
		u.used[f[1]], u.prefixes[f[4]] = true, true
	}
	if len(u.used) == 2 {
		u.stop()
	}
	return len(b), nil
}

func TestConfig(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "no nodes": "{}", "unknown field": `{"nose": 1}`,
		"address": `{"nodes": [{"name": "a", "domain": 1, "listen": "x"}]}`,
		"role":    `{"nodes": [{"name": "a", "domain": 1, "listen": "127.0.0.1:0", "peers": [{"role": "uncle", "address": "127.0.0.1:1"}]}]}`,
		"pool":    `{"pool": "x", "nodes": [{"name": "a", "domain": 1, "listen": "127.0.0.1:0"}]}`,
		"domain":  `{"nodes": [{"name": "a", "listen": "127.0.0.1:0"}]}`,
		"store":   `{"nodes": [{"name": "a", "domain": 1, "listen": "127.0.0.1:0", "store": "."}]}`,
	} {
		file := filepath.Join(t.TempDir(), "bad.json")
		os.WriteFile(file, []byte(text), 0o600)
		if name == "store" {
			dir := t.TempDir()
			os.WriteFile(filepath.Join(dir, "a.masc"), []byte("damaged"), 0o600)
			os.WriteFile(file, []byte(strings.Replace(text, `"."`, `"`+filepath.ToSlash(dir)+`"`, 1)), 0o600)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if err := run(ctx, file, &bytes.Buffer{}); err == nil {
			t.Error(name, "is accepted")
		}
		cancel()
	}
	if err := run(t.Context(), "missing.json", &bytes.Buffer{}); err == nil {
		t.Error("a missing file is accepted")
	}
}
