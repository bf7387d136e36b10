// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"context"
	"time"

	"github.com/mcastalloc/malloc/aap"
)

// CoordinatorConfig tells a [Coordinator] what it is. Machine.Scope and
// Machine.Group are required.
type CoordinatorConfig struct {
	// Machine is the configuration of the coordinator. Without a Rand it gets one,
	// seeded at random. Self need not be given.
	Machine aap.CoordinatorConfig
	Network Network
	// Notify is called for the news of the machine, one at a time and in order:
	// [aap.Inconsistent], [aap.Restored], [aap.Usage], [aap.Shortage] and
	// [aap.Skewed]. It may call the methods here, but must not wait.
	Notify func(aap.Effect)
}

// Coordinator runs a prefix coordinator on the network. Its methods are safe for
// concurrent use, during Run and before and after it.
type Coordinator struct {
	*driver
	machine *aap.Coordinator
}

// NewCoordinator opens the socket and joins the group. Call [Coordinator.Run]
// next: it closes the socket.
func NewCoordinator(cfg CoordinatorConfig) (*Coordinator, error) {
	if cfg.Machine.Rand == nil {
		cfg.Machine.Rand = newRand()
	}
	m, err := aap.NewCoordinator(cfg.Machine)
	if err != nil {
		return nil, err
	}
	d, err := cfg.Network.withDefaults().newDriver(cfg.Machine.Group, m)
	if err != nil {
		return nil, err
	}
	d.tell = func(e aap.Effect) {
		switch e := e.(type) {
		case aap.Inconsistent:
			d.net.Logger.Error("another coordinator announces another space", "coordinator", e.From)
		case aap.Skewed:
			d.net.Logger.Warn("clocks far apart", "sender", e.From, "skew", e.Skew)
		}
		if cfg.Notify != nil {
			cfg.Notify(e)
		}
	}
	return &Coordinator{driver: d, machine: m}, nil
}

// Run is the coordinator until ctx is done; then it closes the socket and
// returns nil. If the socket fails it returns the error. Call it once.
func (c *Coordinator) Run(ctx context.Context) error { return c.run(ctx, c.machine.Advance) }

// Announce sets the space that is available from now on, as
// [aap.Coordinator.Announce] does.
func (c *Coordinator) Announce(space []aap.TimedRange) (err error) {
	c.do(func(now time.Time) { err = c.machine.Announce(now, space) })
	return err
}

// Retract sets the space even if that takes some back, as
// [aap.Coordinator.Retract] does.
func (c *Coordinator) Retract(space []aap.TimedRange) (lost []aap.TimedRange, err error) {
	c.do(func(now time.Time) { lost, err = c.machine.Retract(now, space) })
	return lost, err
}

// Space returns what is announced, as [aap.Coordinator.Space] does.
func (c *Coordinator) Space() (space []aap.TimedRange) {
	c.ask(func(time.Time) { space = c.machine.Space() })
	return space
}

// State returns what the coordinator is doing.
func (c *Coordinator) State() (s aap.CoordinatorState) {
	c.ask(func(time.Time) { s = c.machine.State() })
	return s
}

// Stats returns the counters.
func (c *Coordinator) Stats() (st aap.CoordinatorStats) {
	c.ask(func(time.Time) { st = c.machine.Stats() })
	return st
}
