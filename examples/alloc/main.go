// SPDX-License-Identifier: BSD-3-Clause

// Alloc gets multicast addresses on the command line, from a MADCAP server
// (RFC 2730) or from a file on this host.
//
//	alloc scopes                       which scopes there are
//	alloc get -n 2 -for 1h             get two addresses for an hour
//	alloc keep -- ffmpeg ...           have an address for as long as a command runs
//	alloc renew lease.json             keep what was got for longer
//	alloc release lease.json           give it back
//	alloc who                          who holds what
//
// A server is searched for by multicast, unless -server says where it is.
// With -store the addresses come from a file that all users of alloc on this
// host may share. "alloc help" says more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/mcastalloc/malloc/lease"
)

const help = `usage: alloc command [flags] [arguments]

Commands:
  scopes     list the scopes that addresses can be had in
  get        get addresses
  renew      keep addresses for longer
  release    give addresses back
  keep       have addresses for as long as a command runs
  who        list who holds which addresses
"alloc command -h" lists the flags of a command.

Where addresses come from:
  by default from a MADCAP server that answers to multicast;
  -server host[:port], or MALLOC_SERVER, from that server;
  -store file, or MALLOC_STORE, from that file, without any server.

Which lease, for renew and release: a file that "alloc get -save" has written,
"-" for standard input, the lease itself as JSON, or with -store one of its
addresses. Without an argument it is MALLOC_LEASE.

What keep puts into the environment of its command:
  MALLOC_ADDRESS    the first address
  MALLOC_ADDRESSES  all of them, separated by spaces
  MALLOC_SCOPE      the range of their scope
  MALLOC_TTL        the highest TTL to send with
  MALLOC_LEASE      the lease as JSON, with the end it had at first

Exit status:
  0  done
  1  anything not listed here
  2  the command line is wrong
  3  no such addresses can be had now
  4  there is no such lease of yours, or it is over
  5  no server answers, or the store cannot be used
keep has the exit status of its command, 128 and the signal's number if a
signal has ended it, 127 if there is no such command, 126 if it cannot be run,
and 125 if there are no addresses for it.
`

// Exit statuses, see help.
const (
	statusFailed    = 1
	statusUsage     = 2
	statusNone      = 3
	statusNotLeased = 4
	statusNoAnswer  = 5

	statusNoAddresses = 125
	statusCannotRun   = 126
	statusNotFound    = 127
	statusSignal      = 128
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// app is one run of the tool.
type app struct {
	name     string
	usage    string // the head of its help
	flags    *flag.FlagSet
	from     source
	asJSON   bool
	in       io.Reader
	out, err io.Writer
}

// commands, each of which defines its flags on an app and returns what is to
// be done once these are known.
var commands = map[string]func(*app) func(ctx context.Context, args []string) error{
	"scopes": scopes, "get": get, "renew": renew, "release": release, "keep": keep, "who": who,
}

func run(args []string, in io.Reader, out, errs io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(errs, help)
		return statusUsage
	}
	a := &app{name: args[0], in: in, out: out, err: errs}
	define, known := commands[a.name]
	switch {
	case a.name == "help" || a.name == "-h" || a.name == "-help" || a.name == "--help":
		fmt.Fprint(out, help)
		return 0
	case !known:
		fmt.Fprintf(errs, "alloc: there is no command %q; \"alloc help\" lists them\n", a.name)
		return statusUsage
	}
	a.flags = flag.NewFlagSet("alloc "+a.name, flag.ContinueOnError)
	a.flags.SetOutput(io.Discard) // a mistake is told in one line, below
	a.flags.Usage = func() {}
	a.from.define(a.flags)
	do := define(a)
	switch err := a.flags.Parse(args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(out, "usage: %s\n\nFlags:\n", a.usage)
		a.flags.SetOutput(out)
		a.flags.PrintDefaults()
		return 0
	case err != nil:
		fmt.Fprintf(errs, "alloc: %v\n\"alloc %s -h\" lists the flags.\n", err, a.name)
		return statusUsage
	}
	ctx := context.Background()
	if a.name != "keep" { // which passes signals on
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		defer stop()
	}
	err := do(ctx, a.flags.Args())
	if err == nil {
		return 0
	}
	var ended *commandError
	if !errors.As(err, &ended) || ended.err != nil {
		fmt.Fprintln(errs, "alloc:", err)
	}
	if hint := a.hint(err); hint != "" {
		fmt.Fprintln(errs, hint)
	}
	return a.status(err)
}

// usageError is a mistake on the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (a *app) status(err error) int {
	var usage usageError
	var ended *commandError
	switch {
	case errors.As(err, &usage):
		return statusUsage
	case errors.As(err, &ended):
		return ended.status
	case a.name == "keep":
		return statusNoAddresses
	case errors.Is(err, lease.ErrNone), errors.Is(err, lease.ErrTryLater), errors.Is(err, lease.ErrDenied), errors.Is(err, lease.ErrUnchanged):
		return statusNone
	case errors.Is(err, lease.ErrNotLeased):
		return statusNotLeased
	case noAnswer(err):
		return statusNoAnswer
	}
	return statusFailed
}

func noAnswer(err error) bool {
	var network *net.OpError
	return errors.Is(err, lease.ErrNoServer) || errors.Is(err, lease.ErrStore) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network)
}

// hint says what to do instead.
func (a *app) hint(err error) string {
	switch {
	case errors.Is(err, lease.ErrNone), errors.Is(err, lease.ErrTryLater):
		return "Ask for fewer addresses (-n) or a shorter time (-for), or wait for them (-wait)."
	case errors.Is(err, lease.ErrScope):
		return "\"alloc scopes\" lists the scopes that there are."
	case errors.Is(err, lease.ErrNotLeased):
		return "Addresses whose time is over are given back by themselves; get new ones with \"alloc get\"."
	case errors.Is(err, lease.ErrUnchanged):
		return "The addresses stay yours until their end; after that, get new ones with \"alloc get\"."
	case errors.Is(err, lease.ErrStore):
		return "Look at the file that -store names and at who may write it."
	case noAnswer(err) && a.from.server == "":
		return "No MADCAP server has been found by multicast. Say where one is with -server host[:port], or do without one with -store file."
	case noAnswer(err):
		return "Is there a MADCAP server at " + a.from.server + "? One is found by multicast without -server."
	}
	return ""
}
