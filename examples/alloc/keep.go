// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mcastalloc/malloc/lease"
)

// commandError is how a command has ended, or why it could not be run.
type commandError struct {
	status int
	err    error // nil: the command has said itself what there is to say
}

func (e *commandError) Error() string {
	if e.err == nil {
		return "the command has ended with status " + strconv.Itoa(e.status)
	}
	return e.err.Error()
}

func (e *commandError) Unwrap() error { return e.err }

// ended returns what the end of a command means.
func ended(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if number := endedBy(exit.ProcessState); number > 0 {
		return &commandError{status: statusSignal + number}
	}
	return &commandError{status: exit.ExitCode()}
}

// keep is the command of that name.
func keep(a *app) func(context.Context, []string) error {
	var w wishes
	k := keeper{app: a, running: map[*os.Process]bool{}}
	a.usage = `alloc keep [flags] -- command [arguments]

Runs the command with an address in its environment (see "alloc help"), renews
the address while it runs and gives it back at its end. Signals are passed on
to the command. If an address cannot be renewed any more, the command is started
once more with another one, and the first is sent SIGTERM when its address
ends.`
	w.define(a.flags)
	a.flags.DurationVar(&k.grace, "grace", 10*time.Second, "kill a command that still runs this `time` after it was sent SIGTERM")
	return func(ctx context.Context, args []string) error {
		if len(args) == 0 {
			return usagef("which command? It comes after the flags and --")
		}
		var err error
		if k.path, err = exec.LookPath(args[0]); err != nil {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
				return &commandError{statusNotFound, err}
			}
			return &commandError{statusCannotRun, err}
		}
		k.args = args
		ctx, k.stop = context.WithCancelCause(ctx)
		defer k.passSignals()()
		err = a.open(ctx, func(ctx context.Context, from lease.Allocator) error { return k.run(ctx, from, &w) })
		if cause := context.Cause(ctx); err != nil && cause != nil { // a signal
			return cause
		}
		return err
	}
}

// keeper runs a command for as long as it has an address.
type keeper struct {
	*app
	path  string
	args  []string
	grace time.Duration
	stop  context.CancelCauseFunc

	mu      sync.Mutex
	running map[*os.Process]bool
}

func (k *keeper) run(ctx context.Context, from lease.Allocator, w *wishes) error {
	req, err := k.request(ctx, from, w)
	if err != nil {
		return err
	}
	if !w.wait {
		from = impatient{from}
	}
	return lease.Keep(ctx, from, req, func(ctx context.Context, l lease.Lease) error {
		return k.use(ctx, l, k.environment(ctx, from, l))
	})
}

// impatient is an allocator that puts nothing off, as lease.Keep would wait.
type impatient struct{ lease.Allocator }

func (i impatient) Allocate(ctx context.Context, req lease.Request) (lease.Lease, error) {
	req.Retry = false
	return i.Allocator.Allocate(ctx, req)
}

// Unwrap lets what else the allocator can do be found.
func (i impatient) Unwrap() lease.Allocator { return i.Allocator }

// environment returns what the command is told.
func (k *keeper) environment(ctx context.Context, from lease.Allocator, l lease.Lease) []string {
	var all []string
	for a := range l.Addrs.Addrs() {
		all = append(all, a.String())
	}
	text, _ := json.Marshal(l)
	env := append(os.Environ(), "MALLOC_ADDRESS="+l.Addr().String(), "MALLOC_ADDRESSES="+strings.Join(all, " "), "MALLOC_LEASE="+string(text))
	k.within(ctx, func(ctx context.Context) error { // it runs without these, if need be
		s, err := findScope(ctx, from, l.Scope.String(), l.Family)
		if err == nil {
			env = append(env, "MALLOC_SCOPE="+s.Range.String(), "MALLOC_TTL="+strconv.Itoa(int(s.TTL)))
		}
		return err
	})
	return env
}

// use runs the command until it ends, or until ctx does.
func (k *keeper) use(ctx context.Context, l lease.Lease, env []string) error {
	cmd := exec.CommandContext(ctx, k.path)
	cmd.Args, cmd.Env = k.args, env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = k.grace
	k.mu.Lock()
	err := cmd.Start()
	if err == nil {
		k.running[cmd.Process] = true
	}
	k.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			err = &commandError{statusCannotRun, err}
		}
		return err
	}
	err = ended(cmd.Wait())
	k.mu.Lock()
	delete(k.running, cmd.Process)
	k.mu.Unlock()
	return err
}

// passSignals passes on what signals come, until the function it returns is
// called. Without a command to pass it to, a signal ends everything; the
// addresses are given back.
func (k *keeper) passSignals() func() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passed...)
	go func() {
		for s := range signals {
			k.mu.Lock()
			if len(k.running) == 0 {
				number, _ := s.(syscall.Signal)
				k.stop(&commandError{statusSignal + int(number), fmt.Errorf("%v, and no command is running", s)})
				signal.Reset(passed...) // the next one ends this process
			}
			for p := range k.running {
				if !fromTerminal(s) {
					p.Signal(s)
				}
			}
			k.mu.Unlock()
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
	}
}
