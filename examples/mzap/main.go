// SPDX-License-Identifier: BSD-3-Clause

// Command mzap shows MZAP (RFC 2776) at work.
//
//	mzap listen                                   the scopes in effect here, and what is wrong with them, live
//	mzap announce -inside eth0 -scope 239.192.0.0/14@eth1 -name 'en=Example Corp'
//	                                              play a boundary router
//	mzap lab [scenario]                           networks in memory, sound and broken, and what is found in hours of their time
//	mzap lab -netns figure5                       the same on real sockets, in network namespaces (as root, Linux)
//
// Each command has -h.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "mzap:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("want a command: listen, announce or lab")
	}
	switch command, args := args[0], args[1:]; command {
	case "listen":
		return listen(ctx, args, out)
	case "announce":
		return announce(ctx, args, out)
	case "lab":
		return lab(ctx, args, out)
	default:
		return fmt.Errorf("unknown command %q, want listen, announce or lab", command)
	}
}

// logTo returns a logger for a driver: silent unless asked for.
func logTo(w io.Writer, verbose bool) *slog.Logger {
	if !verbose {
		return nil
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
