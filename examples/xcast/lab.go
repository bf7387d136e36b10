// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"

	"github.com/mcastalloc/malloc/xcast"
	"github.com/mcastalloc/malloc/xcast/xcasttest"
)

const (
	labMessage = "Explicit Multicast, RFC 5058 figure 1"
	labPort    = 5058
)

// Of figure 1: who sends and who receives.
const labSender = "A"

var labReceivers = []string{"B", "C", "D"}

// traffic is what crossed a link.
type traffic struct{ packets, octets int }

// lab sends from A to B, C and D by Xcast and then by unicast.
func lab(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("lab", flag.ContinueOnError)
	memory := flags.Bool("memory", os.Geteuid() != 0, "in memory, without network namespaces")
	v6 := flags.Bool("6", false, "with IPv6")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *memory {
		return memoryLab(*v6, out)
	}
	return namespaceLab(ctx, *v6, out)
}

// memoryLab runs the network in memory.
func memoryLab(v6 bool, out io.Writer) error {
	fmt.Fprintln(out, "RFC 5058 figure 1 in memory; every router speaks Xcast")
	withXcast, err := sendInMemory(v6, true)
	if err != nil {
		return err
	}
	withUnicast, err := sendInMemory(v6, false)
	if err != nil {
		return err
	}
	printTraffic(out, withXcast, withUnicast)
	return nil
}

func sendInMemory(v6, byXcast bool) ([]traffic, error) {
	code := xcast.Experimental()
	network, nodes, err := xcasttest.Figure1(code)
	if err != nil {
		return nil, err
	}
	at := func(name string, port uint16) netip.AddrPort {
		if v6 {
			return netip.AddrPortFrom(nodes[name].Addr6, port)
		}
		return netip.AddrPortFrom(nodes[name].Addr4, port)
	}
	d := xcast.Datagram{Code: code, Source: at(labSender, 4000)}
	for _, name := range labReceivers {
		d.Destinations = append(d.Destinations, at(name, labPort))
	}
	t, err := d.Template()
	if err != nil {
		return nil, err
	}
	packet, err := t.AppendPacket(nil, []byte(labMessage), 1)
	if err != nil {
		return nil, err
	}
	if byXcast {
		nodes[labSender].Send(packet)
	} else {
		var p xcast.Packet
		if err := p.Decode(packet, &code); err != nil {
			return nil, err
		}
		for i := range d.Destinations {
			unicast, err := xcast.X2U(nil, &p, i, p.TTL())
			if err != nil {
				return nil, err
			}
			nodes[labSender].Send(unicast)
		}
	}
	if err := network.Run(); err != nil {
		return nil, err
	}
	for _, name := range labReceivers {
		if n := len(nodes[name].Received); n != 1 {
			return nil, fmt.Errorf("%s received %d packets, want 1", name, n)
		}
	}
	var result []traffic
	for _, l := range network.Links() {
		result = append(result, traffic{l.Packets, l.Octets})
	}
	return result, nil
}

// printTraffic shows the copies on every link of figure 1.
func printTraffic(out io.Writer, withXcast, withUnicast []traffic) {
	fmt.Fprintln(out, "link     with Xcast           with unicast")
	var a, b traffic
	for i, ends := range xcasttest.Figure1Links {
		x, u := withXcast[i], withUnicast[i]
		fmt.Fprintf(out, "%-8s %d packet(s), %4d    %d packet(s), %4d octets\n", ends[0]+"-"+ends[1], x.packets, x.octets, u.packets, u.octets)
		a.packets, a.octets = a.packets+x.packets, a.octets+x.octets
		b.packets, b.octets = b.packets+u.packets, b.octets+u.octets
	}
	fmt.Fprintf(out, "all      %d packets, %d      %d packets, %d octets\n", a.packets, a.octets, b.packets, b.octets)
}

var errNotReceived = errors.New("not every receiver got the message")
