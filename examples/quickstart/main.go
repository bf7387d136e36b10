// SPDX-License-Identifier: BSD-3-Clause

// Quickstart shows a multicast address on its way from a server to a program
// and back: a MADCAP server and a client of it in one process, over loopback.
//
//	go run ./examples/quickstart             both, on ports of the system's choice
//	go run ./examples/quickstart -server     in one terminal,
//	go run ./examples/quickstart -client     and in another
//
// It needs no privileges, and no network but loopback.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/madcap/madcapnet"
	"github.com/mcastalloc/malloc/scope"
)

type options struct {
	server, client bool
	port           int
	iface          string
	to             string
	verbose        bool
}

func main() {
	var o options
	flag.BoolVar(&o.server, "server", false, "serve until interrupted, without a client")
	flag.BoolVar(&o.client, "client", false, "be a client of a server in another terminal")
	flag.IntVar(&o.port, "port", madcap.Port, "UDP port of the server, with -server and -client")
	flag.StringVar(&o.iface, "interface", "", "network interface (default loopback)")
	flag.StringVar(&o.to, "to", "", "ask this server, address:port, by unicast instead of searching")
	flag.BoolVar(&o.verbose, "v", false, "log what the server and the client have to complain about")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.server && o.client {
		return errors.New("-server and -client exclude each other; without both, one process does both")
	}
	lo, err := findInterface(o.iface)
	if err != nil {
		return err
	}
	if o.client {
		return beClient(ctx, o, lo, uint16(o.port), netip.AddrPort{})
	}
	if !o.server {
		o.port = -1 // the system's choice, to be in nobody's way
	}
	began := time.Now()
	s, err := newServer(ctx, o, lo)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Serve(serving) }()
	if o.server {
		say("", "ask it with: go run ./examples/quickstart -client; end it with ctrl-C")
		err = <-done
	} else {
		port := s.Addrs()[0].Port()
		err = beClient(ctx, o, lo, port, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port))
		stop()
		err = errors.Join(err, <-done)
	}
	stop()
	st := s.Stats()
	say("server", "received %d datagrams, sent %d offers, %d acknowledgements, %d refusals",
		st.Received, st.Offers, st.Acks, sum(st.Naks[:]))
	if err == nil && !o.server {
		say("", "done in %v", time.Since(began).Round(time.Millisecond))
	}
	return err
}

// newServer makes a server whose pool is 239.255.0.0/16, the IPv4 Local Scope.
func newServer(ctx context.Context, o options, ifi *net.Interface) (*madcapnet.Server, error) {
	local := scope.IPv4Local()
	pool, err := lease.NewPool(lease.Config{Scopes: []scope.Scope{local}, MaxLifetime: 24 * time.Hour})
	if err != nil {
		return nil, err
	}
	s, err := madcapnet.NewServer(ctx, madcapnet.ServerConfig{
		Allocator: pool, Port: o.port, Interfaces: []net.Interface{*ifi}, Logger: logger(o),
	})
	if err != nil {
		return nil, err
	}
	dynamic, _ := local.DynamicRange()
	say("server", "gives out %v of %s, on port %d", dynamic, name(local), s.Addrs()[0].Port())
	for _, g := range s.Groups() {
		say("", "listens to the group %v on %s", g, ifi.Name)
	}
	return s, nil
}

// findInterface returns the interface with a name, or loopback.
func findInterface(name string) (*net.Interface, error) {
	if name != "" {
		return net.InterfaceByName(name)
	}
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Flags&net.FlagLoopback != 0 && all[i].Flags&net.FlagUp != 0 {
			return &all[i], nil
		}
	}
	return nil, errors.New("this host has no loopback interface that is up; name another one with -interface")
}

func logger(o options) *slog.Logger {
	if !o.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// say prints one line: who, and what.
func say(who, format string, args ...any) {
	fmt.Printf("%-8s%s\n", who, fmt.Sprintf(format, args...))
}

func sum(v []uint64) (n uint64) {
	for _, x := range v {
		n += x
	}
	return n
}

// name returns what people call a scope.
func name(s scope.Scope) string {
	if n, ok := s.Names.Lookup("en"); ok {
		return fmt.Sprintf("%v, the %s scope", s.Range, n.Text)
	}
	return s.Range.String()
}
