// SPDX-License-Identifier: BSD-3-Clause

//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mcastalloc/malloc/lease"
)

// kept is a run of keep and of the command in it.
type kept struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	vars map[string]string
}

// startKeep runs keep, with a command that behaves in some way, until that has
// told its environment.
func startKeep(t *testing.T, p place, how string, flags ...string) *kept {
	t.Helper()
	args := append([]string{"keep"}, append(p.flags, flags...)...)
	k := &kept{t: t, cmd: tool(t, append(args, "--", os.Args[0], "be", how)...)}
	var err error
	if k.in, err = k.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	k.cmd.Stderr = t.Output()
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	k.out = bufio.NewScanner(out)
	k.vars = k.environment()
	return k
}

// environment reads what the command says of it when it begins.
func (k *kept) environment() map[string]string {
	k.t.Helper()
	var list []string
	if err := json.Unmarshal([]byte(k.line()), &list); err != nil {
		k.t.Fatal(err)
	}
	vars := map[string]string{}
	for _, v := range list {
		name, value, _ := strings.Cut(v, "=")
		vars[name] = value
	}
	return vars
}

func (k *kept) line() string {
	k.t.Helper()
	if !k.out.Scan() {
		k.t.Fatal("keep has ended too early")
	}
	return k.out.Text()
}

// wait waits for the end and checks the exit status.
func (k *kept) wait(status int) {
	k.t.Helper()
	for k.out.Scan() {
	}
	k.cmd.Wait()
	if got := k.cmd.ProcessState.ExitCode(); got != status {
		k.t.Errorf("status %d, want %d", got, status)
	}
}

func TestKeep(t *testing.T) {
	places(t, func(t *testing.T, p place) {
		k := startKeep(t, p, "wait", "-n", "2", "-for", "1h")
		var l lease.Lease
		if err := json.Unmarshal([]byte(k.vars["MALLOC_LEASE"]), &l); err != nil {
			t.Fatal(err)
		}
		var all []string
		for a := range l.Addrs.Addrs() {
			all = append(all, a.String())
		}
		if got := strings.Fields(k.vars["MALLOC_ADDRESSES"]); len(got) != 2 || !slices.Equal(got, all) || k.vars["MALLOC_ADDRESS"] != got[0] {
			t.Errorf("the command was told %v of %v", k.vars, l)
		}
		if k.vars["MALLOC_SCOPE"] != "239.192.4.0/23" || k.vars["MALLOC_TTL"] != "31" {
			t.Errorf("the command was told %v, want scope and TTL", k.vars)
		}
		p.run(t, "get", "-addrs", l.Addrs.String()).want(3) // while it runs, they are taken
		k.in.Close()
		k.wait(0)
		if p.pool == nil {
			if r := p.run(t, "who", "-json").want(0); r.out != "" {
				t.Errorf("not given back: %s", r.out)
			}
			return
		}
		for h := range p.pool.Held(t.Context(), lease.Filter{}) {
			t.Errorf("%v was not given back", h)
		}
	})
}

// The exit status is the command's, and signals reach it.
func TestKeepStatus(t *testing.T) {
	p := newStore(t)
	startKeep(t, p, "fail").wait(3)

	k := startKeep(t, p, "signal")
	k.cmd.Process.Signal(syscall.SIGUSR1)
	if got, want := k.line(), syscall.SIGUSR1.String(); got != want {
		t.Errorf("the command received %q, want %q", got, want)
	}
	k.wait(4)

	k = startKeep(t, p, "signal")
	k.cmd.Process.Signal(syscall.SIGTERM)
	if got, want := k.line(), syscall.SIGTERM.String(); got != want {
		t.Errorf("the command received %q, want %q", got, want)
	}
	k.wait(4)

	p.run(t, "keep", "--", "/bin/sh", "-c", "kill -9 $$").want(128 + 9)
	p.run(t, "keep", "--", "no-such-command-here").want(127)
	p.run(t, "keep", "--", t.TempDir()+"/").want(126)
	p.run(t, "keep", "-n", "1000", "--", "true").want(125, "no addresses")
	if r := p.run(t, "who", "-json").want(0); r.out != "" {
		t.Errorf("not given back: %s", r.out)
	}
}

// changes counts renewals on the way to an allocator, and refuses them if
// asked to.
type changes struct {
	*lease.Pool
	renewed chan lease.Lease
	refuse  bool
}

func (c *changes) Change(ctx context.Context, l lease.Lease, to lease.Terms) (lease.Lease, error) {
	if c.refuse {
		return lease.Lease{}, &lease.Error{Op: "change", Err: lease.ErrUnchanged}
	}
	l, err := c.Pool.Change(ctx, l, to)
	if err == nil {
		c.renewed <- l
	}
	return l, err
}

// It renews while the command runs.
func TestKeepRenews(t *testing.T) {
	t.Parallel()
	pool := newServer(t).pool
	c := &changes{Pool: pool, renewed: make(chan lease.Lease, 100)}
	k := startKeep(t, serve(t, c, pool), "wait", "-for", "2s")
	for range 2 {
		if l := <-c.renewed; l.Addr().String() != k.vars["MALLOC_ADDRESS"] {
			t.Errorf("renewed %v", l)
		}
	}
	k.in.Close()
	k.wait(0)
}

// When an address cannot be renewed, the command is started with another one
// while the first still runs.
func TestKeepMoves(t *testing.T) {
	t.Parallel()
	pool := newServer(t).pool
	c := &changes{Pool: pool, refuse: true}
	k := startKeep(t, serve(t, c, pool), "wait", "-for", "3s")
	next := k.environment()
	if next["MALLOC_ADDRESS"] == k.vars["MALLOC_ADDRESS"] || next["MALLOC_ADDRESS"] == "" {
		t.Errorf("first %v, then %v", k.vars, next)
	}
	k.in.Close()
	k.wait(0)
}

// When there is no other one, the command is told to end, and killed if it
// does not.
func TestKeepLoses(t *testing.T) {
	t.Parallel()
	pool := newSingle(t).pool
	c := &changes{Pool: pool, refuse: true}
	k := startKeep(t, serve(t, c, pool), "stubborn", "-for", "2s", "-grace", "50ms")
	k.wait(125)
}

// A signal that comes while there is no command yet ends all.
func TestKeepEndedEarly(t *testing.T) {
	for _, scope := range []string{"", "Studio"} { // with one, it is looked for first
		silent, err := net.ListenPacket("udp4", "127.0.0.1:0") // a server that never answers
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		cmd := tool(t, "keep", "-server", silent.LocalAddr().String(), "-scope", scope, "--", os.Args[0], "be", "wait")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := silent.ReadFrom(make([]byte, 1500)); err != nil {
			t.Fatal(err)
		}
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != statusSignal+int(syscall.SIGTERM) {
			t.Errorf("scope %q: status %d, want 128 and the signal's number", scope, got)
		}
	}
}

// Without -wait it does not wait for an address either.
func TestKeepDoesNotWait(t *testing.T) {
	p := newSingle(t)
	p.run(t, "get", "-for", "1m").want(0)
	p.run(t, "keep", "--", os.Args[0], "be", "wait").want(125, "no addresses")
}
