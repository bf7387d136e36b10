// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"

	"github.com/mcastalloc/malloc/xcast"
	"github.com/mcastalloc/malloc/xcast/xcastnet"
)

// send sends standard input to the destinations in the arguments.
func send(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("send", flag.ContinueOnError)
	from := flags.String("from", "127.0.0.1:0", "local `address:port`, the source")
	dev := flags.String("dev", "", "`interface` for Xcast packets")
	unicast := flags.Bool("unicast", false, "send unicast copies even where Xcast is possible")
	special := flags.String("server", "", "`address` of an Xcast server in place of the routers on the link")
	text := flags.String("text", "", "the message; standard input if empty")
	count := flags.Int("count", 1, "how often to send it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	local, err := netip.ParseAddrPort(*from)
	if err != nil {
		return err
	}
	config := xcastnet.Config{Code: xcast.Experimental(), Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if *unicast {
		config.Mode = xcastnet.Unicast
	}
	if *special != "" {
		if config.Special, err = netip.ParseAddr(*special); err != nil {
			return err
		}
	}
	if *dev != "" {
		if config.Interface, err = net.InterfaceByName(*dev); err != nil {
			return err
		}
	}
	var to []netip.AddrPort
	for _, arg := range flags.Args() {
		a, err := netip.ParseAddrPort(arg)
		if err != nil {
			return err
		}
		to = append(to, a)
	}
	if len(to) == 0 {
		return errors.New("no destinations, want address:port of at least one receiver")
	}
	message := []byte(*text)
	if *text == "" {
		if message, err = io.ReadAll(io.LimitReader(in, 60000)); err != nil {
			return err
		}
	}
	conn, err := xcastnet.Listen(ctx, local, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	for range *count {
		sent, err := conn.WriteTo(message, to)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "sent %d octets to %d destinations in %d packet(s) by %v\n", len(message), len(to), sent.Packets, sent.Mode)
	}
	return nil
}

// receive prints datagrams until it is told to stop.
func receive(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("receive", flag.ContinueOnError)
	on := flags.String("on", ":5000", "local `address:port`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	conn, err := new(net.ListenConfig).ListenPacket(ctx, "udp", *on)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	fmt.Fprintln(out, "receiving on", conn.LocalAddr())
	buf := make([]byte, 65536)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		fmt.Fprintf(out, "%q from %v\n", buf[:n], from)
	}
}
