// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
)

// TestBoth runs what the README's first command runs.
func TestBoth(t *testing.T) {
	if err := run(t.Context(), options{}); err != nil {
		t.Fatal(err)
	}
}

// TestTwoTerminals runs a server and clients of it that search for it and that
// are told where it is.
func TestTwoTerminals(t *testing.T) {
	port := freePort(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- run(ctx, options{server: true, port: port}) }()
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port)).String()
	for _, o := range []options{{client: true, port: port, to: to}, {client: true, port: port}} {
		var err error
		for range 3 { // the server may not have begun
			if err = run(t.Context(), o); err == nil {
				break
			}
		}
		if err != nil && o.to == "" {
			t.Skipf("no multicast on loopback here: %v", err)
		} else if err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestRefusals are mistakes on the command line.
func TestRefusals(t *testing.T) {
	for _, o := range []options{
		{server: true, client: true},
		{iface: "no such interface"},
		{client: true, to: "nowhere"},
	} {
		if err := run(t.Context(), o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Skip(err)
	}
	defer c.Close()
	_, port, _ := net.SplitHostPort(c.LocalAddr().String())
	var n int
	fmt.Sscan(port, &n)
	return n
}
