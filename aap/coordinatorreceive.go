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
	if slices.Contains(c.cfg.Self, d.From) {
		c.stats.Drops.Own++
		return nil
	}
	m := &c.msg
	if err := m.Decode(d.Payload); err != nil {
		c.stats.Drops.malformed(err)
		return err
	}
	if !c.cfg.Authentication.accepts(m.Type, d.Authenticated) {
		c.stats.Drops.Unauthenticated++
		return nil
	}
	if d.To.IsValid() && d.To != c.cfg.Group || !c.concerns(m) {
		c.stats.Drops.Foreign++
		return nil
	}
	resent, skew := m.IsResent(), skewOf(now, m.CurrentTime)
	if c.cfg.MaxSkew > 0 && skew.Abs() > c.cfg.MaxSkew {
		c.stats.Drops.Skewed++
		return nil
	}
	if skew.Abs() > absurdSkew && !resent { // a server repeats an ASA on the clock of a coordinator
		c.emit(Skewed{d.From, skew})
	}
	c.stats.Received[m.Type]++
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

// concerns reports whether a message is about our scope (section 2.1.3). As no
// field says so, its addresses do; where it has none, the configuration does.
func (c *Coordinator) concerns(m *Message) bool {
	if m.Family != FamilyOf(c.cfg.Scope.First()) {
		return false
	}
	if r, ok := m.Bounds(); ok {
		return c.cfg.Scope.Covers(r)
	}
	return c.cfg.Sole || m.Type == ANA && c.cfg.Default
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
