// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/boltstore"
	"github.com/mcastalloc/malloc/scope"
)

func TestScopes(t *testing.T) {
	places(t, func(t *testing.T, p place) {
		p.run(t, "scopes").want(0, "239.192.4.0/23", "31", "Studio")
		p.run(t, "scopes", "-json").want(0, `"scope":"239.192.4.0"`, `"ttl":31`, `"text":"Studio"`)
		p.run(t, "scopes", "what").want(2, `"what" is too much`)
	})
}

// From get over renew to release, with the lease in a file.
func TestFile(t *testing.T) {
	places(t, func(t *testing.T, p place) {
		file := filepath.Join(t.TempDir(), "lease.json")
		r := p.run(t, "get", "-scope", "studio", "-n", "3", "-for", "10m", "-save", file).want(0, "renew or release it as "+file)
		if n := len(r.addrs()); n != 3 {
			t.Errorf("%d addresses, want 3", n)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v: want a file for its owner alone", info, err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		again := p.run(t, "renew", "-for", "2h", file).want(0)
		if !slices.Equal(again.addrs(), r.addrs()) {
			t.Errorf("renewed %s as %s", r.out, again.out)
		}
		cmd := tool(t, append([]string{"renew"}, append(p.flags, "-json")...)...)
		cmd.Env = append(cmd.Env, "MALLOC_LEASE="+string(text))
		l := finish(t, cmd).want(0).lease()
		if text, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		if two := (result{t: t, out: string(text)}).lease(); two.End.Sub(two.Start) < 2*time.Hour || two.End.Sub(two.Start) > 3*time.Hour || !l.End.After(two.End) {
			t.Errorf("renewed for 2h as %v, then for the longest time as %v", two, l)
		}
		p.run(t, "release", file).want(0)
		p.run(t, "renew", file).want(4, "not a lease of yours", "alloc get")
	})
}

func TestJSON(t *testing.T) {
	places(t, func(t *testing.T, p place) {
		l := p.run(t, "get", "-json", "-for", "1m-5m").want(0).lease()
		if d := l.End.Sub(l.Start); d != 5*time.Minute || l.ID == "" {
			t.Errorf("%v for %v", l, d)
		}
		text := p.run(t, "get", "-json", "-at", "+2h").want(0)
		if d := time.Until(text.lease().Start); d < time.Hour {
			t.Errorf("begins in %v, want 2h", d)
		}
		cmd := tool(t, append([]string{"release"}, append(p.flags, "-")...)...)
		cmd.Stdin = strings.NewReader(text.out)
		finish(t, cmd).want(0)
	})
}

// A store knows leases by their addresses and who has them; MADCAP does not.
func TestByAddress(t *testing.T) {
	store, server := newStore(t), newServer(t)
	a := store.run(t, "get", "-key", "camera").want(0).addrs()[0]
	if b := store.run(t, "get", "-key", "camera").want(0).addrs()[0]; a != b {
		t.Errorf("the same key gave %v, then %v", a, b)
	}
	store.run(t, "renew", a.String()).want(0, a.String(), "renew or release it as "+a.String())
	store.run(t, "who").want(0, a.String(), "host:")
	store.run(t, "who", "-json", a.String()).want(0, `"addrs":"`+a.String()+`"`, `"by":"host"`)
	if r := store.run(t, "who", "-json", a.Next().String()).want(0); r.out != "" {
		t.Errorf("somebody holds %s", r.out)
	}
	store.run(t, "release", a.String()).want(0)
	store.run(t, "release", a.String()).want(4)

	a = server.run(t, "get").want(0, "get it with -save or -json").addrs()[0]
	server.run(t, "release", a.String()).want(2, "does not know leases by their addresses")
	server.run(t, "who").want(1, "does not tell who holds what")
}

// With a secret of its own the tool gets the same lease for the same key from
// a server, too.
func TestServerKey(t *testing.T) {
	p := newServer(t)
	ask := func(secret string) netip.Addr {
		cmd := tool(t, append([]string{"get"}, append(p.flags, "-key", "camera")...)...)
		cmd.Env = append(cmd.Env, "MALLOC_SECRET="+secret)
		return finish(t, cmd).want(0).addrs()[0]
	}
	a := ask("of mine")
	if b := ask("of mine"); a != b {
		t.Errorf("the same key gave %v, then %v", a, b)
	}
	if b := ask("of yours"); a == b {
		t.Errorf("%v is given twice", a)
	}
}

// Without -server a server is found by multicast.
func TestDiscovery(t *testing.T) {
	pool, err := lease.NewPool(lease.Config{Scopes: []scope.Scope{scope.IPv4Local()}}) // whose group is asked by default
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(serve(t, pool, pool).flags[1], ":")
	var lo string
	all, _ := net.Interfaces()
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			lo = i.Name
		}
	}
	r := runTool(t, "scopes", "-interface", lo, "-port", port, "-timeout", "3s")
	if r.status == 5 {
		t.Skipf("no multicast on loopback here: %s", r.err)
	}
	r.want(0, "239.255.0.0/16")
}

// Several processes share a store.
func TestAtOnce(t *testing.T) {
	p := newStore(t)
	results := make(chan result)
	const processes = 6
	for range processes {
		go func() { results <- p.run(t, "get", "-n", "20") }()
	}
	seen := map[netip.Addr]bool{}
	for range processes {
		for _, a := range (<-results).want(0).addrs() {
			if seen[a] {
				t.Errorf("%v is given twice", a)
			}
			seen[a] = true
		}
	}
	if len(seen) != 20*processes {
		t.Errorf("%d addresses, want %d", len(seen), 20*processes)
	}
}

// What somebody else has open is waited for, and not for ever.
func TestInUse(t *testing.T) {
	t.Parallel()
	p := newStore(t)
	s, err := boltstore.Open(p.flags[1])
	if err != nil {
		t.Fatal(err)
	}
	p.run(t, "scopes", "-timeout", "100ms").want(5, "somebody else has "+p.flags[1])
	time.AfterFunc(1500*time.Millisecond, func() { s.Close() })
	p.run(t, "scopes").want(0)
}

// A lease that cannot be saved is given back.
func TestNotSaved(t *testing.T) {
	p := newServer(t)
	p.run(t, "get", "-save", filepath.Join(t.TempDir(), "no", "such", "folder")).want(1)
	for h := range p.pool.Held(t.Context(), lease.Filter{}) {
		t.Errorf("%v was not given back", h)
	}
}

// putOff is an allocator that puts each request off once, if that is wanted.
type putOff struct {
	*lease.Pool
	asked sync.Map // by identifier
}

func (p *putOff) Allocate(ctx context.Context, req lease.Request) (lease.Lease, error) {
	if _, again := p.asked.LoadOrStore(req.ID, true); req.Retry && !again {
		at := time.Now().Add(time.Second)
		return lease.Lease{}, &lease.TryLaterError{At: at, Pending: lease.Pending{Request: req, At: at}}
	}
	return p.Pool.Allocate(ctx, req)
}

// Who says -wait gets addresses later, if not now.
func TestWait(t *testing.T) {
	t.Parallel()
	a := &putOff{Pool: newSingle(t).pool}
	p := serve(t, a, a.Pool)
	p.run(t, "get", "-wait").want(0, single)
	p.run(t, "get").want(3, "-wait")
}

func TestIPv6(t *testing.T) {
	p := place{flags: newStore(t).flags[:2]} // its pools are the default ones
	p.run(t, "scopes", "-6").want(0, "ff03::/16")
	for _, args := range [][]string{{"-6"}, {"-scope", "ff03::"}, {"-addrs", "ff13::8000:1"}} {
		if a := p.run(t, "get", args...).want(0).addrs(); len(a) != 1 || !a[0].Is6() {
			t.Errorf("%q: %v, want an IPv6 address", args, a)
		}
	}
	if n := len(p.run(t, "get", "-addrs", "239.255.1.1-239.255.1.4").want(0).addrs()); n != 4 {
		t.Errorf("%d addresses, want the four that were named", n)
	}
}

func TestRefused(t *testing.T) {
	places(t, func(t *testing.T, p place) {
		p.run(t, "get", "-n", "200-256").want(0)
		p.run(t, "get", "-n", "200").want(3, "no addresses", "-wait")
		p.run(t, "get", "-scope", "Attic").want(1, `"Attic"`, `want one of "Studio"`, "alloc scopes")
		p.run(t, "get", "-scope", "239.192.4.0", "-addrs", "239.1.1.1").want(1, "bad scope")
	})
	for name, args := range map[string][]string{
		"nobody there":    {"get", "-server", "127.0.0.1:9", "-timeout", "200ms"},
		"no such host":    {"get", "-server", "server.invalid", "-timeout", "200ms"},
		"no such file":    {"get", "-store", filepath.Join(t.TempDir(), "no", "such", "file")},
		"not a bolt file": {"get", "-store", notAStore(t)},
	} {
		t.Run(name, func(t *testing.T) { runTool(t, args...).want(5) })
	}
}

func notAStore(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUsage(t *testing.T) {
	runTool(t).want(2, "usage: alloc")
	here := func(args ...string) result { // in this process, as there are many
		var out, errs strings.Builder
		status := run(args, strings.NewReader(""), &out, &errs)
		return result{t, args, out.String(), errs.String(), status}
	}
	here("help").want(0, "usage: alloc", "Exit status")
	here("give").want(2, `no command "give"`)
	for name := range commands {
		if r := here(name, "-h").want(0, "usage: alloc "+name, "-server", "-store"); r.err != "" {
			t.Errorf("help is no error: %s", r.err)
		}
	}
	here("get", "-n", "many").want(2, `"many"`, "two like 3-10", `"alloc get -h" lists the flags`)
	for _, args := range [][]string{
		{"get", "-n", "0"}, {"get", "-n", "5-3"}, {"get", "-n", "many"}, {"get", "-for", "-1h"}, {"get", "-for", "2h-1h"},
		{"get", "-at", "noon"}, {"get", "-addrs", "10.0.0.1x"}, {"get", "lease.json"}, {"get", "-no-such-flag"},
		{"get", "-port", "0"}, {"get", "-pool", "239.1.1.0/24"}, {"get", "-store", "x", "-pool", "everything"},
		{"get", "-server", "host:many"}, {"get", "-interface", "no such interface"},
		{"renew"}, {"renew", "a", "b"}, {"renew", "{}"}, {"release"}, {"keep"}, {"who", "-store", "x", "everybody"},
	} {
		here(args...).want(2)
	}
}

func TestParse(t *testing.T) {
	now := time.Date(2026, 12, 24, 18, 30, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"20:15":                now.Add(105 * time.Minute),
		"09:00":                now.Add(14*time.Hour + 30*time.Minute),
		"+90m":                 now.Add(90 * time.Minute),
		"2026-12-25 00:00":     now.Add(330 * time.Minute),
		"2026-12-24T20:15:00Z": now.Add(105 * time.Minute),
	} {
		if got, err := parseTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]lease.Count{"1": {Min: 1, Max: 1}, "2-65535": {Min: 2, Max: 65535}} {
		if got, err := parseCount(text); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{"192.0.2.1": "192.0.2.1:2535", "::1": "[::1]:2535", "[::1]": "[::1]:2535", "[::1]:99": "[::1]:99"} {
		if got, err := resolve(t.Context(), text, 2535); err != nil || got != netip.MustParseAddrPort(want) {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
}
