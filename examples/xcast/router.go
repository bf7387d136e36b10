// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/mcastalloc/malloc/xcast"
)

// A port is how the router gets packets and gets rid of them.
type port interface {
	// receive waits for a packet, IP header first, and says where it came in.
	receive(ctx context.Context) (in int, packet []byte, err error)
	// transmit puts a packet on an interface, to a neighbour's link-layer
	// address. The head and the tail are the packet.
	transmit(on int32, neighbour netip.Addr, head, tail []byte) error
	// deliver gives a packet to this node's own IP.
	deliver(packet []byte) error
	// refresh reads the system's tables anew.
	refresh() (local []netip.Addr, routes table, err error)
}

// router runs an Xcast router on the interfaces of this machine.
func router(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("router", flag.ContinueOnError)
	from := flags.String("routes", "kernel", "`file` with routes, or kernel")
	speakers := flags.String("neighbours", "", "addresses of neighbours that speak Xcast, separated by commas; adds to those in the file")
	multicast := flags.Bool("multicast", true, "take packets that come as link-layer multicast; one router of a link does")
	policy := flags.String("x2u", "single", "when to turn packets into unicast: single, never or always")
	if err := flags.Parse(args); err != nil {
		return err
	}
	p, err := openPort(*multicast)
	if err != nil {
		return err
	}
	local, routes, err := p.refresh()
	if err != nil {
		return err
	}
	if *from != "kernel" {
		file, err := os.Open(*from)
		if err != nil {
			return err
		}
		routes, err = readTable(file, interfaceIndex)
		file.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", *from, err)
		}
	}
	config, err := routerConfig(local, routes, *speakers, *policy)
	if err != nil {
		return err
	}
	f, err := xcast.NewForwarder(config)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "routing with %d addresses and %d routes\n", len(local), len(routes))
	err = forward(ctx, p, f, out)
	report(f.Stats(), out)
	return err
}

// routerConfig puts the tables together.
func routerConfig(local []netip.Addr, routes table, speakers, policy string) (c xcast.Config, err error) {
	own, capable := map[netip.Addr]bool{}, map[netip.Addr]bool{}
	for _, a := range local {
		own[a] = true
	}
	for _, word := range strings.FieldsFunc(speakers, func(r rune) bool { return r == ',' }) {
		a, err := netip.ParseAddr(word)
		if err != nil {
			return c, err
		}
		capable[a] = true
	}
	c = xcast.Config{
		Code:  xcast.Experimental(),
		Local: func(a netip.Addr) bool { return own[a] },
		Route: func(a netip.Addr) (xcast.Route, bool) {
			r, ok := routes.lookup(a)
			next := r.Gateway
			if !next.IsValid() {
				next = a
			}
			r.Capable = r.Capable || capable[next]
			return r, ok
		},
	}
	switch policy {
	case "single":
	case "never":
		c.Policy = xcast.X2UNever
	case "always":
		c.Policy = xcast.X2UAlways
	default:
		return c, fmt.Errorf("policy %q, want single, never or always", policy)
	}
	return c, nil
}

// forward is the loop of the router.
func forward(ctx context.Context, p port, f *xcast.Forwarder, out io.Writer) error {
	for {
		in, packet, err := p.receive(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		result, err := f.Forward(in, packet)
		if errors.Is(err, xcast.ErrNotXcast) || errors.Is(err, xcast.ErrMalformedIP) {
			continue // somebody else's
		}
		if err != nil {
			fmt.Fprintln(out, "dropped a packet:", err)
		}
		for _, o := range result.Outputs {
			switch {
			case o.Kind == xcast.Deliver:
				whole, _ := o.AppendBinary(nil)
				err = p.deliver(whole)
			case o.Fragment:
				err = errors.New("longer than the MTU, and this router does not fragment")
			default:
				err = p.transmit(o.Interface, o.NextHop, o.Head, o.Tail)
			}
			if err != nil {
				fmt.Fprintf(out, "%v for %v to %v: %v\n", o.Kind, o.Destinations, o.NextHop, err)
			}
		}
		for _, d := range result.Drops {
			if d.Reason != xcast.ErrNotXcast && !d.Destinations.IsEmpty() {
				fmt.Fprintf(out, "dropped %v: %s\n", d.Destinations, d.Reason.String())
			}
		}
	}
}

// report prints the counters.
func report(s xcast.Stats, out io.Writer) {
	fmt.Fprintf(out, "%d packets seen;", s.Packets)
	for kind, n := range s.Outputs {
		if n > 0 {
			fmt.Fprintf(out, " %d %v", n, xcast.OutputKind(kind))
		}
	}
	for reason, n := range s.Drops {
		if n > 0 {
			fmt.Fprintf(out, " %d dropped: %s", n, xcast.Reason(reason).String())
		}
	}
	fmt.Fprintln(out)
}

func interfaceIndex(name string) (int32, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return 0, fmt.Errorf("interface %q: %w", name, err)
	}
	return int32(ifi.Index), nil
}
