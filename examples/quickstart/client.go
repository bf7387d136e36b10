// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/madcap/madcapnet"
	"github.com/mcastalloc/malloc/scope"
)

// beClient finds a server and takes an address from request to release.
func beClient(ctx context.Context, o options, ifi *net.Interface, port uint16, unicast netip.AddrPort) error {
	c, scopes, err := find(ctx, o, ifi, port, unicast)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, s := range scopes {
		say("", "%s, TTL at most %d", name(s), s.TTL)
	}
	if len(scopes) == 0 {
		return errors.New("the server has no IPv4 scope to give addresses from")
	}

	began := time.Now()
	l, err := c.Allocate(ctx, lease.Request{
		Family: lease.IPv4, Scope: scopes[0].ID(),
		Count: lease.Count{Min: 3}, Lifetime: lease.AtMost(10 * time.Minute),
	})
	if err != nil {
		return fmt.Errorf("no addresses: %w", err)
	}
	say("client", "asked for 3 addresses for 10 minutes (DISCOVER, REQUEST) and got after %v", time.Since(began).Round(10*time.Microsecond))
	for a := range l.Addrs.Addrs() {
		say("", "%v", a)
	}
	say("", "until %s, from server %v", l.End.Local().Format(time.TimeOnly), l.Server)

	half := time.Now().Add(30 * time.Minute)
	l, err = c.ChangeLifetime(ctx, l, lease.Window{Min: half.Add(-time.Minute), Max: half})
	if err != nil {
		return fmt.Errorf("not renewed: %w", err)
	}
	say("client", "asked for half an hour instead (RENEW) and got it, until %s", l.End.Local().Format(time.TimeOnly))

	if err := sendTo(l, ifi, scopes[0].TTL); err != nil {
		return fmt.Errorf("nothing sent to the group: %w", err)
	}
	if err := c.Release(ctx, l); err != nil {
		return fmt.Errorf("not released: %w", err)
	}
	say("client", "gave the addresses back (RELEASE)")
	return nil
}

// find returns a client that has found a server, and the server's scopes: by
// multicast on the interface, or by unicast where that does not work.
func find(ctx context.Context, o options, ifi *net.Interface, port uint16, unicast netip.AddrPort) (*madcapnet.Client, []scope.Scope, error) {
	if o.to != "" {
		to, err := netip.ParseAddrPort(o.to)
		if err != nil {
			return nil, nil, fmt.Errorf("-to %q is not address:port: %w", o.to, err)
		}
		unicast = to
	}
	cfg := madcapnet.ClientConfig{Interface: ifi, Port: port, Logger: logger(o), Protocol: madcap.ClientConfig{First: true}}
	if o.to == "" {
		group := madcap.DefaultServerGroup(madcap.FamilyIPv4)
		say("client", "asks the group %v on %s for scopes (GETINFO)", group, ifi.Name)
		c, scopes, err := ask(ctx, cfg, 2*time.Second)
		if err == nil || !unicast.IsValid() {
			return c, scopes, err
		}
		say("", "no answer (%v), so multicast does not work here; from now on by unicast", err)
	}
	say("client", "asks the server %v for scopes (GETINFO)", unicast)
	cfg.Server = unicast
	return ask(ctx, cfg, 2*time.Second)
}

// ask makes a client and lets it ask for the scopes.
func ask(ctx context.Context, cfg madcapnet.ClientConfig, patience time.Duration) (*madcapnet.Client, []scope.Scope, error) {
	c, err := madcapnet.NewClient(cfg)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	scopes, err := c.Scopes(ctx, lease.IPv4)
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	return c, scopes, nil
}

// sendTo sends a datagram to the first address of a lease and receives it as a
// member of the group.
func sendTo(l lease.Lease, ifi *net.Interface, ttl uint8) error {
	group, _ := l.Addrs.At(scope.Uint128{})
	in, err := net.ListenMulticastUDP("udp4", ifi, &net.UDPAddr{IP: group.AsSlice()})
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return err
	}
	defer out.Close()
	p := ipv4.NewPacketConn(out)
	// The scope says how far a datagram may go; this one need not leave the host.
	if err := errors.Join(p.SetMulticastInterface(ifi), p.SetMulticastLoopback(true), p.SetMulticastTTL(min(int(ttl), 1))); err != nil {
		return err
	}
	to := netip.AddrPortFrom(group, uint16(in.LocalAddr().(*net.UDPAddr).Port))
	hello := []byte("hello, group")
	if _, err := out.WriteToUDPAddrPort(hello, to); err != nil {
		return err
	}
	in.SetReadDeadline(time.Now().Add(time.Second))
	buf := make([]byte, 1500)
	n, from, err := in.ReadFromUDPAddrPort(buf)
	if err != nil {
		return err
	}
	if !bytes.Equal(buf[:n], hello) {
		return fmt.Errorf("got %q from %v", buf[:n], from)
	}
	say("client", "sent %q to %v and received it", hello, to)
	return nil
}
