// SPDX-License-Identifier: BSD-3-Clause

// Command xcast tries out Explicit Multicast (RFC 5058).
//
//	xcast send -from 192.0.2.10:4000 -dev eth0 198.51.100.21:5000 203.0.113.5:5000 < message
//	xcast receive -on :5000
//	xcast router -routes kernel
//	xcast lab
//
// send sends one message to several receivers, as one Xcast packet if it may
// open a raw socket and as unicast copies if not. receive prints what comes; it
// is an ordinary UDP receiver. router forwards Xcast packets on Linux, native
// or in IP-in-IP tunnels to it; semi-permeable tunnels only where the kernel
// does not forward, because it would send those packets on as well. lab builds
// the network of RFC 5058 figure 1, as root on Linux from network namespaces
// with real interfaces, otherwise in memory, sends through it and shows how
// many copies crossed each link with Xcast and with unicast.
//
// All of them use the numbers that RFC 4727 sets aside for experiments: use
// them in networks that you know.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = "usage: xcast send|receive|router|lab [flags]; see -h of each"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "xcast:", err)
		os.Exit(1)
	}
}

// run is main with everything it touches as an argument.
func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch command, args := args[0], args[1:]; command {
	case "send":
		return send(ctx, args, in, out)
	case "receive":
		return receive(ctx, args, out)
	case "router":
		return router(ctx, args, out)
	case "lab":
		return lab(ctx, args, out)
	case "watch": // used by lab
		return watch(ctx, args, out)
	default:
		return fmt.Errorf("unknown command %q; %s", command, usage)
	}
}
