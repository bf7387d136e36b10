// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// roleVar tells the test binary, run again inside a network namespace, whom to
// play.
const roleVar = "MALLOC_TEST_ROLE"

// TestTwoHosts runs a server and a client in two network namespaces joined by
// a cable, over IPv4 and IPv6, with nothing but multicast to find each other.
// The client's host has two addresses, so that answers must come from where
// the request went.
func TestTwoHosts(t *testing.T) {
	if role := os.Getenv(roleVar); role != "" {
		play(t, role)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root to make network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs the ip command (Debian: iproute2)")
	}
	a, b := fmt.Sprintf("malloc-a%d", os.Getpid()), fmt.Sprintf("malloc-b%d", os.Getpid())
	for _, ns := range []string{a, b} {
		if out, err := exec.Command("ip", "netns", "add", ns).CombinedOutput(); err != nil {
			t.Skipf("no network namespaces here: %s", out)
		}
		t.Cleanup(func() { exec.Command("ip", "netns", "del", ns).Run() })
	}
	for _, line := range []string{
		"link add va netns " + a + " type veth peer name vb netns " + b,
		"-n " + a + " addr add 10.255.0.1/24 dev va", "-n " + b + " addr add 10.255.0.2/24 dev vb",
		"-n " + b + " addr add 10.255.0.3/24 dev vb",
		"-n " + a + " addr add fd00::1/64 dev va nodad", "-n " + b + " addr add fd00::2/64 dev vb nodad",
		"-n " + a + " link set va up", "-n " + b + " link set vb up",
		"-n " + a + " link set lo up", "-n " + b + " link set lo up",
	} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %s", line, out)
		}
	}
	server := inside(a, "server")
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		server.Process.Signal(os.Interrupt)
		if err := server.Wait(); err != nil {
			t.Errorf("server: %v", err)
		}
	}()
	if _, err := out.Read(make([]byte, 1)); err != nil { // it is ready
		t.Fatal(err)
	}
	if text, err := inside(b, "client").CombinedOutput(); err != nil {
		t.Errorf("client: %v\n%s", err, text)
	}
}

// inside returns a command that runs this test in a namespace.
func inside(ns, role string) *exec.Cmd {
	c := exec.Command("ip", "netns", "exec", ns, os.Args[0], "-test.run=^TestTwoHosts$", "-test.v")
	c.Env = append(os.Environ(), roleVar+"="+role)
	return c
}

func play(t *testing.T, role string) {
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if role == "server" {
		pool, err := lease.NewPool(lease.Config{Scopes: []scope.Scope{scope.IPv4Local(), scope.IPv6(3)}})
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewServer(ctx, ServerConfig{Allocator: pool})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("ready")
		if err := s.Serve(ctx); err != nil {
			t.Error(err)
		}
		return
	}
	ifi, err := net.InterfaceByName("vb")
	if err != nil {
		t.Fatal(err)
	}
	retransmit := []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond}
	c, err := NewClient(ClientConfig{Interface: ifi, Protocol: madcap.ClientConfig{First: true, Retransmit: retransmit}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, f := range []lease.Family{lease.IPv4, lease.IPv6} {
		var l lease.Lease
		for range 30 { // a new cable is not at once fit for IPv6
			patience, cancel := context.WithTimeout(ctx, time.Second)
			l, err = c.Allocate(patience, lease.Request{Family: f, Count: lease.Count{Min: 2}, Lifetime: lease.AtLeast(time.Minute)})
			if cancel(); err == nil || ctx.Err() != nil {
				break
			}
		}
		if err != nil {
			t.Errorf("%v: %v", f, err)
			continue
		}
		if want := map[lease.Family]string{lease.IPv4: "10.255.0.1", lease.IPv6: ""}[f]; want != "" && l.Server.String() != want {
			t.Errorf("%v: Server Identifier %v, want %s", f, l.Server, want)
		}
		if _, err := c.ChangeLifetime(ctx, l, lease.NotBefore(time.Now().Add(time.Hour))); err != nil {
			t.Errorf("%v: renew at %v: %v", f, l.Server, err)
		}
		if err := c.Release(ctx, l); err != nil {
			t.Errorf("%v: release: %v", f, err)
		}
		t.Logf("%v: %v from %v", f, l.Addrs, l.Server)
	}
}
