// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/madcap/madcapnet"
	"github.com/mcastalloc/malloc/scope"
)

// source says where addresses come from.
type source struct {
	server  string
	port    uint
	iface   string
	store   string
	pools   []scope.Scope
	timeout time.Duration
}

func (s *source) define(f *flag.FlagSet) {
	f.StringVar(&s.server, "server", os.Getenv("MALLOC_SERVER"), "ask the MADCAP server at this `host[:port]` (MALLOC_SERVER)")
	f.UintVar(&s.port, "port", madcap.Port, "UDP `port` of MADCAP servers")
	f.StringVar(&s.iface, "interface", "", "look for servers on this network interface, by `name`")
	f.StringVar(&s.store, "store", os.Getenv("MALLOC_STORE"), "take addresses from this `file` instead of a server; it is made if it is not there (MALLOC_STORE)")
	f.Func("pool", "with -store, a `scope` to take addresses from, like '239.192.0.0/20 ttl 32 name en \"Studio\"'; may be given several times (default 239.255.0.0/16 and ff03::/16)", func(text string) error {
		p, err := scope.ParseScope(text)
		s.pools = append(s.pools, p)
		return err
	})
	f.DurationVar(&s.timeout, "timeout", 15*time.Second, "give up after this `time` without an answer")
}

// open returns the allocator, and a context to call it with: on behalf of the
// user.
func (s *source) open(ctx context.Context, warn io.Writer) (context.Context, lease.Allocator, func(), error) {
	if s.store != "" {
		who := lease.Principal{Name: strconv.Itoa(os.Getuid()), By: lease.ByHost}
		if u, err := user.Current(); err == nil {
			who.Name = u.Username
		}
		if s.pools == nil {
			s.pools = []scope.Scope{scope.IPv4Local(), scope.IPv6(3)}
		}
		return lease.WithPrincipal(ctx, who), &file{s.store, s.pools, warn}, func() {}, nil
	}
	if s.pools != nil {
		return nil, nil, nil, usagef("-pool is for a -store; a server has scopes of its own")
	}
	c, err := s.client(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	return ctx, c, func() { c.Close() }, nil
}

func (s *source) client(ctx context.Context) (*madcapnet.Client, error) {
	if s.port == 0 || s.port > 65535 {
		return nil, usagef("-port %d: want 1 to 65535", s.port)
	}
	cfg := madcapnet.ClientConfig{Port: uint16(s.port), Protocol: madcap.ClientConfig{First: true}}
	if secret := os.Getenv("MALLOC_SECRET"); secret != "" {
		cfg.Secret = []byte(secret)
	}
	var err error
	if s.server != "" {
		if cfg.Server, err = resolve(ctx, s.server, cfg.Port); err != nil {
			return nil, err
		}
	}
	if s.iface != "" {
		if cfg.Interface, err = net.InterfaceByName(s.iface); err != nil {
			return nil, usagef("-interface %s: %w", s.iface, err)
		}
	}
	return madcapnet.NewClient(cfg)
}

// resolve turns host[:port] into an address.
func resolve(ctx context.Context, text string, port uint16) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return netip.AddrPortFrom(a, port), nil
	}
	host := text
	if h, p, err := net.SplitHostPort(text); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return netip.AddrPort{}, usagef("-server %s: want a port of 1 to 65535 after the colon", text)
		}
		host, port = h, uint16(n)
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("-server %s: %w: %w", text, lease.ErrNoServer, err)
	}
	return netip.AddrPortFrom(found[0].Unmap(), port), nil
}

// findScope returns the scope that somebody means: by its range, its lowest
// address or one of its names.
func findScope(ctx context.Context, a lease.Allocator, text string, f lease.Family) (scope.Scope, error) {
	list, err := a.Scopes(ctx, f)
	if err != nil {
		return scope.Scope{}, err
	}
	var there []string
	for _, s := range list {
		if matches(s, text) {
			return s, nil
		}
		there = append(there, strconv.Quote(cmp.Or(nameOf(s), s.Range.String())))
	}
	return scope.Scope{}, fmt.Errorf("%w %q: want one of %s", lease.ErrScope, text, strings.Join(there, ", "))
}

func matches(s scope.Scope, text string) bool {
	if text == s.Range.String() || text == s.ID().String() {
		return true
	}
	for n := range s.Names.All() {
		if strings.EqualFold(n.Text, text) {
			return true
		}
	}
	return false
}

// nameOf returns what people call a scope, if it has a name.
func nameOf(s scope.Scope) string {
	n, _ := s.Names.Lookup("en")
	return n.Text
}
