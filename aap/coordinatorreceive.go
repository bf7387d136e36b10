// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Receive takes a datagram that arrived at now on the AAP port. It returns the
// error of a malformed one; what else is to be ignored is only counted. Nothing
// is ever answered.
func (c *Coordinator) Receive(now time.Time, d Datagram) error {
	m := &c.msg
	if ok, err := c.gate.admit(now, d, m, &c.stats.Drops, &c.effects); !ok {
		return err
	}
	c.stats.Received[m.Type]++
	resent := m.IsResent()
	m.Localize(now)
	switch {
	case resent:
		c.restore(now, d, m)
	case m.Type == ASA:
		c.compare(now, d, m)
	case m.Type == ASRP:
		c.report(now, d, m)
	case m.Type == ANA && m.Need.End.After(now):
		c.emit(Shortage{d.From, m.Need})
	}
	return nil
}

// restore takes an ASA that a server repeats: it may give us back our space.
func (c *Coordinator) restore(now time.Time, d Datagram, m *Message) {
	if c.state != Idle || !c.cfg.Restore {
		return
	}
	space, err := c.checkSpace(now, m.Ranges)
	if err != nil {
		return // more ranges than a coordinator announces
	}
	c.setSpace(now, space)
	c.emit(Restored{d.From, slices.Clone(space)})
}

// compare takes a new ASA of another coordinator.
func (c *Coordinator) compare(now time.Time, d Datagram, m *Message) {
	if c.state == Idle {
		return
	}
	if consistent(c.space, m.Ranges, now, c.cfg.Timing.Tolerance) {
		if c.state != Quiet {
			c.standBy(now)
		}
		return
	}
	c.emit(Inconsistent{d.From, live(m.Ranges, now)})
	if !c.cfg.Stubborn {
		c.state = Quiet
		c.due = now.Add(c.cfg.Timing.Quiet())
	}
}

// report takes an ASRP. Only the leading coordinator heeds it, and only if it is
// about what that announced last, in whatever order.
func (c *Coordinator) report(now time.Time, d Datagram, m *Message) {
	if c.state != Lead || c.cfg.IgnoreReports {
		return
	}
	ranges := make([]scope.Range, 0, len(m.Reports))
	for _, r := range m.Reports {
		ranges = append(ranges, r.Range)
	}
	slices.SortFunc(ranges, scope.Range.Compare)
	if !slices.Equal(ranges, c.announced) {
		c.stats.Mismatched++
		return
	}
	u := Usage{From: d.From, Reports: slices.Clone(m.Reports)}
	for i, r := range u.Reports {
		u.Reports[i].InUse = min(r.InUse, saturate(r.Range.Size()))
	}
	for _, r := range m.Requests {
		if r.End.After(now) {
			u.Requests = append(u.Requests, r)
		}
	}
	c.emit(u)
}
