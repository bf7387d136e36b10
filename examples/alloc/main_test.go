// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/madcap/madcapnet"
	"github.com/mcastalloc/malloc/scope"
)

// toolEnv makes the test binary the tool, or the command that keep runs.
const toolEnv = "ALLOC_TEST_TOOL"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(toolEnv) == "":
		for _, name := range []string{"MALLOC_SERVER", "MALLOC_STORE", "MALLOC_LEASE", "MALLOC_SECRET"} {
			os.Unsetenv(name)
		}
		os.Exit(m.Run())
	case len(os.Args) > 2 && os.Args[1] == "be":
		beCommand(os.Args[2])
	default:
		main()
	}
}

// beCommand is a command for keep: it prints its environment, and then ends at
// once, or with its input, or with a signal that it tells of.
func beCommand(how string) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, passed...)
	if how == "stubborn" {
		signal.Ignore(passed...)
	}
	var vars []string
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "MALLOC_") {
			vars = append(vars, v)
		}
	}
	json.NewEncoder(os.Stdout).Encode(vars)
	switch how {
	case "fail":
		os.Exit(3)
	case "signal":
		fmt.Println(<-signals)
		os.Exit(4)
	default:
		io.Copy(io.Discard, os.Stdin)
	}
}

// tool returns the tool with arguments, ready to run.
func tool(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), toolEnv+"=yes")
	return cmd
}

// result is what a run of the tool has left.
type result struct {
	t        *testing.T
	args     []string
	out, err string
	status   int
}

func runTool(t *testing.T, args ...string) result {
	t.Helper()
	return finish(t, tool(t, args...))
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return result{t, cmd.Args[1:], out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// want checks the exit status, and that what was said has these words in it.
func (r result) want(status int, words ...string) result {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("alloc %q: status %d, want %d\n%s%s", r.args, r.status, status, r.out, r.err)
	}
	for _, w := range words {
		if !strings.Contains(r.out+r.err, w) {
			r.t.Errorf("alloc %q: no %q in\n%s%s", r.args, w, r.out, r.err)
		}
	}
	return r
}

// addrs reads what get prints.
func (r result) addrs() (list []netip.Addr) {
	r.t.Helper()
	for _, line := range strings.Fields(r.out) {
		a, err := netip.ParseAddr(line)
		if err != nil {
			r.t.Fatal(err)
		}
		list = append(list, a)
	}
	return list
}

// lease reads what get -json prints.
func (r result) lease() (l lease.Lease) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(r.out), &l); err != nil {
		r.t.Fatalf("%v in %s", err, r.out)
	}
	return l
}

// place is where the tool gets addresses from.
type place struct {
	flags []string
	pool  *lease.Pool // of a server
}

func (p place) run(t *testing.T, command string, args ...string) result {
	t.Helper()
	return runTool(t, append(append([]string{command}, p.flags...), args...)...)
}

// newServer starts a server of one scope with 256 addresses on loopback.
func newServer(t *testing.T) place {
	t.Helper()
	pool, err := lease.NewPool(lease.Config{Scopes: []scope.Scope{studio(t)}})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, pool, pool)
}

// single is the only address of some servers.
const single = "239.192.4.9"

// newSingle starts a server of one address, which needs no rest.
func newSingle(t *testing.T) place {
	t.Helper()
	pool, err := lease.NewPool(lease.Config{
		Sources: []lease.Source{{Scope: studio(t), Addrs: scope.MustSet(single)}}, Guard: lease.NoGuard,
	})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, pool, pool)
}

func studio(t *testing.T) scope.Scope {
	t.Helper()
	s, err := scope.ParseScope(`239.192.4.0-239.192.5.255 ttl 31 default-name en "Studio"`)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serve starts a server over an allocator.
func serve(t *testing.T, a lease.Allocator, pool *lease.Pool) place {
	t.Helper()
	s, err := madcapnet.NewServer(t.Context(), madcapnet.ServerConfig{
		Allocator: a, Port: -1, Protocol: madcap.ServerConfig{Features: []madcap.Feature{madcap.RetryAfter}},
	})
	if err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return place{[]string{"-server", fmt.Sprintf("127.0.0.1:%d", s.Addrs()[0].Port())}, pool}
}

// newStore names a store of such a scope.
func newStore(t *testing.T) place {
	return place{flags: []string{
		"-store", filepath.Join(t.TempDir(), "leases.db"), "-pool", `239.192.4.0-239.192.5.255 ttl 31 default-name en "Studio"`,
	}}
}

// places calls test for a server and for a store.
func places(t *testing.T, test func(t *testing.T, p place)) {
	t.Run("server", func(t *testing.T) { test(t, newServer(t)) })
	t.Run("store", func(t *testing.T) { test(t, newStore(t)) })
}
