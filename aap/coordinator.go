// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// MaxSpaceRanges is how many ranges a coordinator may announce: an ASRP cannot
// report on more.
const MaxSpaceRanges = 255

// Errors of [Coordinator.Announce].
var (
	// ErrSpace: the space cannot be announced.
	ErrSpace = errors.New("aap: space cannot be announced")
	// ErrInvalidating: the change takes space back before its end. Servers may
	// have allocated addresses of it.
	ErrInvalidating = errors.New("aap: change takes announced space back")
)

// CoordinatorState is what a [Coordinator] is doing (section 4.2.1).
type CoordinatorState uint8

// The states.
const (
	Idle   CoordinatorState = iota // it has no space to announce
	Backup                         // it waits for the ASA of another
	Lead                           // it sent the latest ASA that it knows of
	Quiet                          // it heard an inconsistent ASA and says nothing for a while
)

// String returns the state in small letters.
func (s CoordinatorState) String() string {
	if s > Quiet {
		return "no state"
	}
	return [...]string{"idle", "backup", "lead", "quiet"}[s]
}

// Coordinator is a prefix coordinator (section 4) of one large scope: it tells
// the servers of its domain which addresses are available and hears how they are
// used. Where its space comes from is outside AAP. Several coordinators of a
// domain must announce the same space; one of them leads, the others take over
// when it falls silent.
//
//	state   event                        what it does                             next
//	idle    Announce, or Restored        waits 51 to 69 s                         backup
//	backup  time over                    sends an ASA, waits 21 to 39 s           lead
//	lead    time over                    sends an ASA, waits 21 to 39 s           lead
//	both    another's consistent ASA     waits 51 to 69 s                         backup
//	both    another's inconsistent ASA   tells the application, waits 150 s       quiet
//	quiet   another's inconsistent ASA   waits 150 s from then                    quiet
//	quiet   time over                    waits 51 to 69 s                         backup
//
// An ASA that a server repeats for want of a coordinator changes none of this.
//
// One caller drives it: [Coordinator.Announce] when there is a space or it has
// changed, [Coordinator.Receive] when a datagram arrived, [Coordinator.Advance]
// when the [Coordinator.Deadline] has come, and after each of them it carries out
// the [Coordinator.Effects] in order. It is not safe for concurrent use. It
// needs no stable storage: after a restart, announce the space again.
type Coordinator struct {
	cfg       CoordinatorConfig
	gate      gate
	state     CoordinatorState
	due       time.Time // meaningless while Idle
	space     []TimedRange
	announced []scope.Range // of the last ASA sent, ascending
	rseq      uint32        // of the next message
	msg       Message       // of the datagram at hand
	stats     CoordinatorStats
	effects
}

// NewCoordinator returns a coordinator that has no space yet.
func NewCoordinator(cfg CoordinatorConfig) (*Coordinator, error) {
	cfg.Timing = cfg.Timing.withDefaults()
	if cfg.Haste == 0 {
		cfg.Haste = 1
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	g := gate{cfg.Scope, cfg.Group, slices.Clone(cfg.Self), cfg.Sole, cfg.Default, cfg.Authentication, cfg.MaxSkew}
	return &Coordinator{cfg: cfg, gate: g}, nil
}

// State returns what the coordinator is doing.
func (c *Coordinator) State() CoordinatorState { return c.state }

// Space returns what it announces, in normal form; ranges that have ended may
// still be in it.
func (c *Coordinator) Space() []TimedRange { return slices.Clone(c.space) }

// Stats returns the counters.
func (c *Coordinator) Stats() CoordinatorStats { return c.stats }

// Effects yields what is to be done, in order, and forgets it: datagrams to
// send, then news for the application.
func (c *Coordinator) Effects() iter.Seq[Effect] { return c.drain() }

// Announce sets the whole space that is available from now on; it may be empty.
// The next ASA will carry it: the first call starts the coordinator, later ones
// move no timer. Parts of seconds of the ends are cut off.
//
// Additions and later ends are the changes to make. To shrink the space, let
// ends pass. A change that takes back what has not ended is refused with
// ErrInvalidating, and nothing changes; if there is no way around it, use
// [Coordinator.Retract]. A space outside of the scope, with ends after 2106, or
// of more than [MaxSpaceRanges] ranges with different ends or gaps between them
// is refused with ErrSpace.
func (c *Coordinator) Announce(now time.Time, space []TimedRange) error {
	normal, err := c.checkSpace(now, space)
	if err != nil {
		return err
	}
	if lost := Invalidated(c.space, normal, now, c.cfg.Timing.Tolerance); len(lost) > 0 {
		return fmt.Errorf("%w: %v until %v", ErrInvalidating, lost[0].Range, lost[0].End)
	}
	c.setSpace(now, normal)
	return nil
}

// Retract sets the space as Announce does, even if that takes space back
// (section 4.2.1.1). It returns what it took back, with the ends it had.
func (c *Coordinator) Retract(now time.Time, space []TimedRange) (lost []TimedRange, err error) {
	normal, err := c.checkSpace(now, space)
	if err != nil {
		return nil, err
	}
	lost = Invalidated(c.space, normal, now, c.cfg.Timing.Tolerance)
	c.setSpace(now, normal)
	return lost, nil
}

// checkSpace returns the live part of a space in normal form, or why it cannot
// be announced.
func (c *Coordinator) checkSpace(now time.Time, space []TimedRange) ([]TimedRange, error) {
	whole := make([]TimedRange, len(space))
	for i, s := range space {
		whole[i] = TimedRange{s.Range, s.End.Truncate(time.Second).UTC()}
		if _, ok := seconds(whole[i].End); !ok {
			return nil, fmt.Errorf("%w: %v until %v, want an end from 1970 to 2106", ErrSpace, s.Range, s.End)
		}
		if !s.Range.IsValid() || !c.cfg.Scope.Covers(s.Range) {
			return nil, fmt.Errorf("%w: %v is not within %v", ErrSpace, s.Range, c.cfg.Scope)
		}
	}
	live := live(whole, now)
	if len(live) > MaxSpaceRanges {
		return nil, fmt.Errorf("%w: %d ranges, want at most %d", ErrSpace, len(live), MaxSpaceRanges)
	}
	return live, nil
}

// setSpace replaces the space, and starts the coordinator if it was idle.
func (c *Coordinator) setSpace(now time.Time, space []TimedRange) {
	c.space = space
	if c.state == Idle {
		c.standBy(now)
	}
}

// standBy waits for the ASA of another coordinator.
func (c *Coordinator) standBy(now time.Time) {
	c.state = Backup
	c.wait(now, c.cfg.Timing.BackupASA(c.cfg.Rand.Float64()))
}

// wait sets the timer for the next ASA of ours.
func (c *Coordinator) wait(now time.Time, d time.Duration) {
	c.due = now.Add(time.Duration(float64(d) * c.cfg.Haste))
}

// Deadline returns when [Coordinator.Advance] is next needed, and whether it is.
func (c *Coordinator) Deadline() (time.Time, bool) { return c.due, c.state != Idle }

// Advance lets time pass: it sends an ASA if one is due, or ends the silence.
func (c *Coordinator) Advance(now time.Time) {
	switch {
	case c.state == Idle || now.Before(c.due):
	case c.state == Quiet:
		c.standBy(now)
	default:
		c.send(now)
		c.state = Lead
		c.wait(now, c.cfg.Timing.LeadASA(c.cfg.Rand.Float64()))
	}
}

// send announces the whole space in one ASA. Each has a new request sequence
// number (section 5.1.4).
func (c *Coordinator) send(now time.Time) {
	current := now.Truncate(time.Second).UTC()
	m := Message{
		Type: ASA, Family: FamilyOf(c.cfg.Scope.First()), RSeq: c.rseq, CurrentTime: current,
		Expiration: current.Add(c.cfg.Timing.ASAValidity.Truncate(time.Second)), Ranges: live(c.space, now),
	}
	packet, err := m.MarshalBinary()
	if err != nil {
		c.stats.Unsendable++
		return
	}
	c.rseq = (c.rseq + 1) & maxRSeq
	c.announced = c.announced[:0]
	for _, r := range m.Ranges {
		c.announced = append(c.announced, r.Range)
	}
	c.stats.Sent++
	c.emit(Send{c.cfg.Group, packet})
}
